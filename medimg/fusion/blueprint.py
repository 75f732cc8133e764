"""Phase 3, the fusion blueprint: a request that can be written down, and the named ones that come with the package."""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator

from medimg.errors import UnknownTermError
from medimg.fusion.errors import RequestError
from medimg.schema import Frozen

SUFFIXES = (".toml", ".json")


class Blueprint(Frozen):
    """A fused set by its criteria, so that it grows with the roster; or a plan's request, to be run again.

    Every argument of `fuse` is a field, under its name. None, or an empty list, takes the default of `fuse`; which
    values make sense is checked where the arguments are, in `Request.of`.

    Attributes:
        blueprint: name of the blueprint that it is, or was made of; None for the request of a plan that had none.
        title: what the set is.
        names: members beside or instead of the criteria, as `fuse` takes them.
        modality, organ, task: criteria; one of each must fit.
        dimension: "2d", "3d" or "video".
        license_terms: see `fuse`.
        minimum: images that a member must declare at least.
        targets: the label space, in order.
        encoding: of masks.
        split: of the fused set; a plan calls it `splits`.
        notes: what a user must know.
        prefer, source, namespace, weights, on_duplicate, seed, shuffle_buffer, grid, unlabeled, near, repeat: see
            `fuse`.
    """

    blueprint: str | None = None
    title: str = ""
    names: tuple[str, ...] = ()
    modality: tuple[str, ...] = ()
    organ: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    dimension: Any = None
    license_terms: tuple[str, ...] = ()
    minimum: Any = None
    targets: tuple[str, ...] = ()
    encoding: Any = None
    split: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source: str | None = None
    namespace: str | None = None
    weights: Any = None
    on_duplicate: Any = None
    seed: Any = None
    shuffle_buffer: Any = None
    grid: Mapping[str, Any] | None = None
    unlabeled: Any = None
    near: Any = None
    repeat: Any = None

    @field_validator(
        "names",
        "modality",
        "organ",
        "task",
        "license_terms",
        "targets",
        "split",
        "prefer",
        "notes",
        mode="before",
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


def resolve(given: str | os.PathLike[str] | Mapping[str, Any]) -> Blueprint:
    """What `fuse(blueprint=…)` takes: a name, a TOML or JSON file, the fields, or a plan's `to_dict()`.

    Raises:
        UnknownTermError: there is none of that name; the message suggests the closest ones.
        FusionError: the file cannot be read, or a field is unknown or has the wrong type.
    """
    if isinstance(given, Mapping):
        return parse(given)
    if isinstance(given, os.PathLike) or Path(given).suffix in SUFFIXES or os.sep in given:
        return read(Path(given).expanduser())
    return get(given)


def get(name: str) -> Blueprint:
    """A named blueprint.

    Raises:
        UnknownTermError: there is none of that name; the message suggests the closest ones.
    """
    if name not in names():
        closest = difflib.get_close_matches(name, names(), n=3, cutoff=0.3) or names()
        raise UnknownTermError(
            f"there is no blueprint {name!r}",
            next_step=f"use one of {', '.join(map(repr, closest))}, or the path of a .toml or .json file.",
        )
    text = (resources.files("medimg.fusion") / "blueprints" / f"{name}.toml").read_text(encoding="utf-8")
    return parse(tomllib.loads(text), name)


def read(path: Path) -> Blueprint:
    """A blueprint, or the plan whose request it is, from a TOML or JSON file.

    Raises:
        FusionError: there is no such file, or it holds neither.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise RequestError(
            f"the blueprint {path} cannot be read: {error.strerror or error}",
            next_step=f"pass the path of a .toml or .json file, or one of {', '.join(names())}.",
        ) from error
    except ValueError as error:
        raise RequestError(
            f"the blueprint {path} is no {path.suffix.removeprefix('.').upper() or 'TOML'} file: {error}",
            next_step="see the chapter on blueprints in docs/fusion.md.",
        ) from error
    if not isinstance(values, Mapping):
        raise RequestError(
            f"the blueprint {path} holds no fields",
            next_step="see the chapter on blueprints in docs/fusion.md.",
        )
    return parse(values, path.stem)


def parse(values: Mapping[str, Any], name: str = "") -> Blueprint:
    """A blueprint from its fields, or from the plan (`Plan.to_dict`) that holds them.

    Args:
        values: by name; None counts as not given.
        name: of the blueprint; without it, its title.

    Raises:
        FusionError: a field is unknown or has the wrong type.
    """
    if isinstance(values.get("blueprint"), Mapping):
        values = values["blueprint"]
    fields = {key: value for key, value in values.items() if value is not None}
    if "splits" in fields:
        fields["split"] = fields.pop("splits")
    if "blueprint" not in values:
        fields["blueprint"] = name or fields.get("title") or "given"
    try:
        return Blueprint.model_validate(fields)
    except ValidationError as error:
        raise _invalid(error, name) from error


def _invalid(error: ValidationError, name: str) -> RequestError:
    detail = error.errors()[0]
    where = ".".join(str(part) for part in detail["loc"])
    if detail["type"] != "extra_forbidden":
        return RequestError(
            f"the blueprint {name or 'given'} is not valid: {where}: {detail['msg']}",
            next_step="see the chapter on blueprints in docs/fusion.md.",
        )
    known = sorted(Blueprint.model_fields)
    closest = difflib.get_close_matches(where, known, n=1) or known
    return RequestError(
        f"the blueprint {name or 'given'} has an unknown field {where!r}",
        next_step=f"use {', '.join(map(repr, closest))}, or leave it out.",
    )
