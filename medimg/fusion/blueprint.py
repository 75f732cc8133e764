"""Phase 3, the fusion blueprint: a request that can be written down, and the named ones that come with the package."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from pydantic import Field, ValidationError, field_validator

from medimg.errors import UnknownTermError
from medimg.fusion.errors import FusionError
from medimg.fusion.labels import Encoding
from medimg.schema import Dimension, Frozen


class Blueprint(Frozen):
    """A fused set by its criteria, so that it grows with the roster.

    Attributes:
        title: what the set is.
        names: members beside or instead of the criteria, as `fuse` takes them.
        modality, organ, task: criteria; one of each must fit.
        dimension: "2d", "3d" or "video".
        license_terms: see `fuse`.
        minimum: images that a member must declare at least.
        targets: the label space, in order.
        encoding: of masks.
        split: of the fused set.
        notes: what a user must know.
    """

    title: str
    names: tuple[str, ...] = ()
    modality: tuple[str, ...] = ()
    organ: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    dimension: Dimension | None = None
    license_terms: tuple[str, ...] = ()
    minimum: int = 0
    targets: tuple[str, ...] = Field(min_length=1)
    encoding: Encoding = "index"
    split: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @field_validator(
        "names", "modality", "organ", "task", "license_terms", "targets", "split", "notes", mode="before"
    )
    @classmethod
    def _listed(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


def names() -> list[str]:
    """The named blueprints."""
    folder = resources.files("medimg.fusion") / "blueprints"
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def get(name: str) -> Blueprint:
    """A named blueprint.

    Raises:
        UnknownTermError: there is none of that name; the message suggests the closest ones.
    """
    if name not in names():
        closest = difflib.get_close_matches(name, names(), n=3, cutoff=0.3) or names()
        raise UnknownTermError(
            f"there is no blueprint {name!r}", next_step=f"use one of {', '.join(map(repr, closest))}."
        )
    text = (resources.files("medimg.fusion") / "blueprints" / f"{name}.toml").read_text(encoding="utf-8")
    return parse(tomllib.loads(text), name)


def parse(values: Mapping[str, Any], name: str = "") -> Blueprint:
    """A blueprint from the tables of a TOML file.

    Raises:
        FusionError: a field is unknown or has the wrong type.
    """
    try:
        return Blueprint.model_validate(dict(values))
    except ValidationError as error:
        detail = error.errors()[0]
        where = ".".join(str(part) for part in detail["loc"])
        raise FusionError(
            f"the blueprint {name or 'given'} is not valid: {where}: {detail['msg']}"
        ) from error
