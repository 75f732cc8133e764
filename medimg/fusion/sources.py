"""Rows of a member: from the Hub's Parquet shards, from a user's own copy, or from its miniature."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from medimg import registry, vocab
from medimg.declaration import Dataset
from medimg.errors import LabelError, MedimgError
from medimg.fusion.labels import Facts, Harmonizer
from medimg.fusion.parquet import ParquetRows
from medimg.fusion.plan import MINIATURE, Member, published
from medimg.fusion.select import allowed, kind_of, split_fused
from medimg.loading import open_source, plain
from medimg.phantom import Phantom
from medimg.rows import materialize
from medimg.schema import Dimension, Row

Item = tuple[str, "Row | dict[str, Any]"]
"""(the source's split, a row as a builder yields it or as it is stored)."""


@dataclass(frozen=True)
class Rows:
    """`Stream.open`, `expand` and `finish` of one member; picklable.

    Attributes:
        name, config, splits: what to read.
        dimension: of the rows.
        place: source of the rows; None for the Hub.
        namespace: on the Hub.
        storage_options: for fsspec.
        miniature: the source is a phantom copy.
        modality: ids of which the row's must be a kind; empty takes all.
        license_terms: terms that the row's own license must meet.
        dropped: ids of rows that are left out as duplicates.
        harmonizer: makes the column `fused`.
        unlabeled: also give rows that say nothing about the targets.
        operations: recorded in `provenance` after the labels.
        shards: split -> (files, rows per file); for the Hub.
    """

    name: str
    config: str
    splits: tuple[str, ...]
    dimension: Dimension
    place: str | None
    namespace: str
    harmonizer: Harmonizer
    storage_options: Mapping[str, Any] = field(default_factory=dict)
    miniature: bool = False
    modality: tuple[str, ...] = ()
    license_terms: tuple[str, ...] = ()
    dropped: frozenset[str] = frozenset()
    unlabeled: bool = False
    shards: Mapping[str, tuple[tuple[str, ...], tuple[int, ...]]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The member's key, as in the plan."""
        return f"{self.name}/{self.config}" if self.dataset.configs else self.name

    @property
    def dataset(self) -> Dataset:
        """The declaration."""
        return registry.get(self.name).dataset

    @property
    def rows(self) -> int | None:
        """Items of `open(0)`, where the manifest says so."""
        return sum(sum(counts) for _, counts in self.shards.values()) if self.place is None else None

    def open(self, start: int = 0) -> Iterator[Item]:
        """Items from `start` on; what is before it is not decoded.

        Raises:
            MedimgError: the source is not what the declaration says.
        """
        return self._published(start) if self.place is None else self._own(start)

    def _published(self, start: int) -> Iterator[Item]:
        for split in self.splits:
            files, counts = self.shards[split]
            if start >= sum(counts):
                start -= sum(counts)
                continue
            for row in ParquetRows(files, counts, options=self.storage_options)(start):
                yield split, row
            start = 0

    def _own(self, start: int) -> Iterator[Item]:
        builder = registry.get(self.name)
        assert self.place is not None
        with open_source(builder, self.place, storage_options=dict(self.storage_options) or None) as files:
            for row in _declared(builder.rows(files), self.name):
                if not isinstance(row, Row) or row.config != self.config or row.split not in self.splits:
                    continue
                if start:
                    start -= 1
                    continue
                yield row.split, row

    def expand(self, item: Item) -> Iterable[Item]:
        """The item with its pixels as they are stored, or nothing where it is not wanted; decodes only what is."""
        split, row = item
        if isinstance(row, dict):
            about = {"modality": row["modality"], "license": row["license"], "id": row["id"]}
            if self._wanted(about) and (self.unlabeled or self.harmonizer.tells(Facts.of(row["label"]), row["label"])):
                yield item
            return
        dataset = self.dataset
        about = {
            "id": stored_id(dataset, row),
            "modality": row.modality,
            "license": row.license or dataset.config(row.config).license,
        }
        if not self._wanted(about) or not (self.unlabeled or self._tells(row)):
            return
        try:
            record = materialize(dataset, row, "miniature" if self.miniature else "source")
        except MedimgError as error:
            name = row.image.path if hasattr(row.image, "path") else row.id
            error.within(dataset=dataset.name, file=str(name))
            if dataset.bad_files == "stop":
                raise
            return
        yield split, plain(record.values)

    def finish(self, item: Item) -> dict[str, Any]:
        """The row with the columns `fused` and `provenance`."""
        split, row = item
        assert isinstance(row, dict)
        targets = ", ".join(self.harmonizer.targets)
        return {
            **row,
            "fused": self.harmonizer(row, self.dimension),
            "provenance": {
                "member": self.name,
                "config": self.config,
                "split": split,
                "split_fused": split_fused(split),
                "operations": [f"labels: {self.harmonizer.encoding} of {targets}"] if targets else [],
            },
        }

    def _tells(self, row: Row) -> bool:
        label = row.label
        legend = self.dataset.legend if label.legend is None else label.legend
        stored = {
            **label.model_dump(include={"classes", "uncertain", "boxes", "points", "measures", "instances"}),
            "mask": label.mask,
            "legend": [{"value": value, "names": names} for value, names in legend.items()],
        }
        named = [*label.classes, *label.uncertain]
        if label.mask is not None:
            named += [name for names in legend.values() for name in names]
        stored["assessed"] = named if label.assessed is None else label.assessed
        return self.harmonizer.tells(Facts.of(stored), stored)

    def _wanted(self, about: Mapping[str, Any]) -> bool:
        if about["id"] in self.dropped:
            return False
        if self.modality and about["modality"] and not kind_of(about["modality"], self.modality, vocab.modality):
            return False
        return not self.license_terms or allowed(about["license"], self.license_terms)


def _declared(rows: Iterator[Any], name: str) -> Iterator[Any]:
    """A builder's rows, with errors that name the dataset."""
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except ValidationError as error:
            raise LabelError(f"the builder yielded an invalid row: {error.errors()[0]['msg']}", dataset=name) from error
        except MedimgError as error:
            raise error.within(dataset=name) from None


def stored_id(dataset: Dataset, row: Row) -> str:
    """The id under which a row is stored."""
    return f"{dataset.name}/{row.config}/{row.id}" if dataset.configs else f"{dataset.name}/{row.id}"


def rows_of(
    member: Member,
    harmonizer: Harmonizer,
    *,
    source: str | None,
    namespace: str,
    **wishes: Any,
) -> Rows:
    """How to read a member of a plan.

    Raises:
        MedimgError: the Hub has no such dataset.
    """
    place = miniature(member.name) if source == MINIATURE else member.place
    shards = _shards(member, namespace) if place is None else {}
    splits = tuple(split.split for split in member.splits)
    return Rows(
        name=member.name,
        config=member.config,
        splits=tuple(split for split in splits if split in shards) if place is None else splits,
        dimension=member.dimension,
        place=place,
        namespace=namespace,
        harmonizer=harmonizer,
        miniature=source == MINIATURE,
        shards=shards,
        **wishes,
    )


def _shards(member: Member, namespace: str) -> dict[str, tuple[tuple[str, ...], tuple[int, ...]]]:
    manifest = published(member.name, namespace)
    if manifest is None:
        raise MedimgError(
            f"{namespace}/{member.name} cannot be read from the Hub",
            dataset=member.name,
            next_step="check the connection and the namespace, or pass source=<root with the originals>.",
        )
    root = f"hf://datasets/{namespace}/{member.name}"
    return {
        split: (tuple(f"{root}/{shard.path}" for shard in stats.shards), tuple(shard.rows for shard in stats.shards))
        for config in manifest.configs
        if config.name == member.config
        for split, stats in config.splits.items()
    }


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="medimg-miniatures-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def miniature(name: str) -> str:
    """A phantom copy of a dataset in a temporary folder that lives as long as this process."""
    folder = _folder() / name
    registry.get(name).miniature(Phantom(folder))
    return str(folder)


def counted(rows: Rows) -> int:
    """Items of a member, counted without decoding one."""
    return rows.rows if rows.rows is not None else sum(1 for _ in rows.open(0))

