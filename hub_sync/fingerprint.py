"""What a build depends on. Equal fingerprints: nothing is rebuilt."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import medimg
from medimg import cards, phantom
from medimg.cards import card
from medimg.files import Files
from medimg.manifest import Origin
from medimg.registry import Builder
from medimg.schema import SCHEMA_VERSION

CARD_ONLY = {
    "title", "aliases", "homepage", "citation", "sources", "evidence", "access", "how", "overlaps", "notes",
    "version", "subject",
}  # fmt: skip
"""Fields of the declaration that change the card and no row."""


TEXT = "text"
"""The part that says from which text `builder`, `engine` and (of a miniature) `source` were made: a short cut only."""


def fingerprint(
    builder: Builder, files: Files | None, origin: Origin, known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Digests by part: declaration, builder, engine, source.

    Args:
        builder: the builder.
        files: the source; not needed for a miniature, which is a function of its code.
        origin: what the source is.
        known: an earlier fingerprint; what was made of the very same text is taken from it.
    """
    declared = builder.dataset.model_dump(mode="json", exclude=CARD_ONLY)
    code = builder.code
    text = _digest([origin, code, _phantoms() if files is None else "", *_engine_texts()])
    if known is None or known.get(TEXT) != text or not {"builder", "engine", "source"} <= set(known):
        known = None
    if files is not None:
        source = files.fingerprint()
    else:
        source = known["source"] if known else _digest([_function(code, "miniature"), _phantoms()])
    return {
        "origin": origin,
        "schema": SCHEMA_VERSION,
        "declaration": _digest([json.dumps(declared, sort_keys=True)]),
        "builder": known["builder"] if known else _digest([_code(code)]),
        "engine": known["engine"] if known else engine(),
        "source": source,
        TEXT: text,
    }


def texts(builder: Builder, namespace: str) -> str:
    """Digest of what the card and its kin are rendered from, besides the manifest and the hand-written block."""
    declared = builder.dataset.model_dump(mode="json")
    text = json.dumps(declared, sort_keys=True)
    loader = card._environment().loader
    assert loader is not None
    template, _, _ = loader.get_source(card._environment(), "card.md.j2")
    return _digest([builder.description, text, namespace, template, _card_engine()])


@functools.cache
def _card_engine() -> str:
    """Digest of the code and the tables behind the texts."""
    root = Path(medimg.__file__).parent
    code = [Path(cards.__file__).parent / name for name in ("card.py", "croissant.py")]
    code += [root / name for name in ("layout.py", "schema.py", "licenses.py")]
    tables = [root / "licenses.toml", *sorted((root / "vocab").glob("*.toml"))]
    return _digest(
        [*(_code(path.read_text("utf-8")) for path in code), *(path.read_text("utf-8") for path in tables)]
    )


@functools.cache
def _phantoms() -> str:
    return _digest([Path(phantom.__file__).read_text("utf-8")])


@functools.cache
def _engine_texts() -> tuple[str, ...]:
    """The engine as it is written, and this module, which decides what of a text counts."""
    return tuple(path.read_text("utf-8") for path in (*_engine_modules(), Path(__file__)))


@functools.cache
def engine() -> str:
    """Digest of the code that turns files into rows and shards."""
    return _digest(_code(module.read_text("utf-8")) for module in _engine_modules())


def _engine_modules() -> list[Path]:
    root = Path(medimg.__file__).parent
    sync = Path(__file__).parent
    modules = [
        root / "pixels.py",
        root / "rows.py",
        root / "schema.py",
        sync / "build.py",
        sync / "shards.py",
    ]
    return modules + sorted((root / "readers").glob("*.py")) + sorted((root / "files").glob("*.py"))


def changed(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Names of the parts that differ."""
    return [key for key in new if key != TEXT and old.get(key) != new[key]]


def _digest(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()[:16]


def _code(source: str) -> str:
    """The code without docstrings, comments, layout, the declaration and the miniature."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            node.body = [
                each
                for each in node.body
                if not (
                    isinstance(each, ast.Expr)
                    and isinstance(each.value, ast.Constant)
                    and isinstance(each.value.value, str)
                )
                and not (isinstance(each, ast.FunctionDef) and each.name == "miniature")
                and not (isinstance(each, ast.Assign) and _targets(each) == ["DATASET"])
            ] or [ast.Pass()]
    return ast.unparse(tree)


def _function(source: str, name: str) -> str:
    """The code of the top-level function `name`, and of the constants and helpers beside it."""
    kept = [
        node
        for node in ast.parse(source).body
        if (isinstance(node, ast.FunctionDef) and (node.name == name or node.name.startswith("_")))
        or (isinstance(node, ast.Assign) and _targets(node) != ["DATASET"])
    ]
    return "\n".join(ast.unparse(node) for node in kept)


def _targets(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]
