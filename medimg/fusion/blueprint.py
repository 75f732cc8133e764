"""Phase 3, the fusion blueprint: a request that is written down, and the named ones that come with the package."""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from medimg.errors import UnknownTermError
from medimg.fusion.errors import RequestError
from medimg.fusion.request import Request

SUFFIXES = (".toml", ".json")
CHAPTER = "see the chapter on blueprints in docs/fusion.md."


def names() -> list[str]:
    """The named blueprints."""
    folder = resources.files("medimg.fusion") / "blueprints"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def get(name: str) -> Request:
    """A named blueprint.

    Raises:
        UnknownTermError: there is none of that name; the message suggests the closest ones.
    """
    return Request.of(_named(name))


def fields(given: str | os.PathLike[str] | Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a `Request`, whose values nobody has checked yet.

    Args:
        given: what `fuse(blueprint=…)` takes: a name, a TOML or JSON file, the fields, or a plan's `to_dict()`.

    Raises:
        UnknownTermError: there is none of that name; the message suggests the closest ones.
        RequestError: the file cannot be read, or a field is unknown.
    """
    if isinstance(given, Mapping):
        return _fields(given)
    if isinstance(given, os.PathLike) or Path(given).suffix in SUFFIXES or os.sep in given:
        return _read(Path(given).expanduser())
    return _named(given)


def _named(name: str) -> dict[str, Any]:
    if name not in names():
        closest = difflib.get_close_matches(name, names(), n=3, cutoff=0.3) or names()
        raise UnknownTermError(
            f"there is no blueprint {name!r}",
            next_step=f"use one of {', '.join(map(repr, closest))}, or the path of a .toml or .json file.",
        )
    text = (resources.files("medimg.fusion") / "blueprints" / f"{name}.toml").read_text(encoding="utf-8")
    return _fields(tomllib.loads(text), name)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise RequestError(
            f"the blueprint {path} cannot be read: {error.strerror or error}",
            next_step=f"pass the path of a .toml or .json file, or one of {', '.join(names())}.",
        ) from error
    except ValueError as error:
        kind = path.suffix.removeprefix(".").upper() or "TOML"
        raise RequestError(f"the blueprint {path} is no {kind} file: {error}", next_step=CHAPTER) from error
    if not isinstance(values, Mapping):
        raise RequestError(f"the blueprint {path} holds no fields", next_step=CHAPTER)
    return _fields(values, path.stem)


def _fields(values: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    """The fields that have a value, also of a plan that holds them; without a name, the title is it."""
    if isinstance(values.get("blueprint"), Mapping):
        values = values["blueprint"]
    found = {key: value for key, value in values.items() if value is not None}
    if "splits" in found:  # so plans of medimg 0.1 call it
        found["split"] = found.pop("splits")
    if "blueprint" not in values:
        found["blueprint"] = name or found.get("title") or "given"
    known = sorted(Request.model_fields)
    for field in found:
        if field not in known:
            closest = difflib.get_close_matches(field, known, n=1) or known
            raise RequestError(
                f"the blueprint {name or 'given'} has an unknown field {field!r}",
                next_step=f"use {', '.join(map(repr, closest))}, or leave it out.",
            )
    return found
