"""`medimg.fuse`: many members, one label space, one stream."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from medimg.fusion import blueprint as blueprints
from medimg.fusion.labels import Encoding, Harmonizer, fused_features
from medimg.fusion.mix import Stream, Weights, mix
from medimg.fusion.plan import MINIATURE, OnDuplicate, Plan, Request, criteria, make_plan
from medimg.fusion.sources import Rows, counted, rows_of
from medimg.loading import NAMESPACE, OFFICIAL
from medimg.schema import Dimension

if TYPE_CHECKING:
    import datasets

Some = str | Iterable[str] | None


def fuse(
    names: Some = None,
    *,
    modality: Some = None,
    organ: Some = None,
    task: Some = None,
    targets: Some = None,
    split: Some = None,
    source: str | os.PathLike[str] | None = None,
    streaming: bool = True,
    weights: Weights = "concatenate",
    on_duplicate: OnDuplicate = "drop",
    seed: int = 0,
    plan: bool = False,
    dimension: Dimension | None = None,
    license_terms: Some = None,
    encoding: Encoding | None = None,
    namespace: str = NAMESPACE,
    blueprint: str | Mapping[str, Any] | None = None,
    shuffle_buffer: int = 0,
    grid: Any = None,
    minimum: int = 0,
    unlabeled: bool = False,
    repeat: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> datasets.IterableDataset | datasets.Dataset | Plan:
    """Fuse members into one stream: labels in one space, what is not annotated marked, each image once."""
    raise NotImplementedError
