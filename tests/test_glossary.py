"""Every public name has its line in the glossary, and no two public classes share a name."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections import defaultdict
from pathlib import Path

import medimg
from medimg import catalogue, collections, declaration, files, fusion, readers, registry, schema
from medimg.hub_sync.commands.app import COMMANDS

ROOT = Path(__file__).parents[1]


def words(page: str) -> list[str]:
    """The words that a table of the page explains, one by one."""
    cells = re.findall(r"^\| (.+?) \| .+ \|$", page, re.MULTILINE)
    return [word.strip("` ") for cell in cells for word in cell.split(",") if cell != "word"]


def own(module: object) -> set[str]:
    """Public classes, functions and packages of a module that are written in medimg."""
    exported = getattr(module, "__all__", None)
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and (name in exported if exported else value.__module__ == module.__name__)  # type: ignore[attr-defined]
    }


def test_public_names_are_explained() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    reference = (ROOT / "docs" / "reference.md").read_text("utf-8")
    known = set(words(glossary)) | set(re.findall(r"`(?:\w+\.)*(\w+)`", glossary))
    public = {*medimg.__all__, *medimg._HOME, *fusion.__all__, *catalogue.__all__, *COMMANDS}
    for module in (files, declaration, schema, registry, collections):
        public |= {name for name in own(module) if inspect.isclass(getattr(module, name))}
    assert sorted(public - known) == []
    for path in sorted((ROOT / "medimg" / "readers").glob("*.py")):
        if path.stem == "__init__":
            continue
        module = importlib.import_module(f"medimg.readers.{path.stem}")
        for name in own(module) & set(_called_by_builders(path.stem)):
            assert f"`{path.stem}.{name}`" in reference, f"{path.stem}.{name} is not in docs/reference.md"
    assert {"image", "mask"} <= own(readers)


def _called_by_builders(reader: str) -> list[str]:
    texts = (path.read_text("utf-8") for path in (ROOT / "builders").rglob("*.py"))
    return [name for text in texts for name in re.findall(rf"\b{reader}\.([a-z]\w*)\(", text)]


def test_each_word_has_one_meaning() -> None:
    told = words((ROOT / "docs" / "glossary.md").read_text("utf-8"))
    assert sorted({word for word in told if told.count(word) > 1}) == []
    assert len(told) > 100


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for folder in ("medimg", "hub_sync", "cards", "builders/idc"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(str(path.relative_to(ROOT)))
    twins = {name: where for name, where in places.items() if len(where) > 1}
    assert twins == {}
