"""What a build depends on. Equal fingerprints: nothing is rebuilt."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import medimg
from medimg import phantom
from medimg.files import Files
from medimg.manifest import Origin
from medimg.registry import Builder
from medimg.schema import SCHEMA_VERSION

CARD_ONLY = {
    "title", "aliases", "homepage", "citation", "sources", "evidence", "access", "how", "overlaps", "notes",
    "version", "subject",
}  # fmt: skip
"""Fields of the declaration that change the card and no row."""


def fingerprint(builder: Builder, files: Files | None, origin: Origin) -> dict[str, str]:
    """Digests by part: declaration, builder, engine, source.

    Args:
        builder: the builder.
        files: the source; not needed for a miniature, which is a function of its code.
        origin: what the source is.
    """
    declared = builder.dataset.model_dump(mode="json", exclude=CARD_ONLY)
    if files is None:
        source = _digest([_function(builder.code, "miniature"), Path(phantom.__file__).read_text("utf-8")])
    else:
        source = files.fingerprint()
    return {
        "origin": origin,
        "schema": SCHEMA_VERSION,
        "declaration": _digest([json.dumps(declared, sort_keys=True)]),
        "builder": _digest([_code(builder.code)]),
        "engine": engine(),
        "source": source,
    }


@functools.cache
def engine() -> str:
    """Digest of the code that turns files into rows and shards."""
    root = Path(medimg.__file__).parent
    sync = Path(__file__).parent
    modules = [
        root / "pixels.py",
        root / "rows.py",
        root / "schema.py",
        sync / "build.py",
        sync / "shards.py",
    ]
    modules += sorted((root / "readers").glob("*.py")) + sorted((root / "files").glob("*.py"))
    return _digest(_code(module.read_text("utf-8")) for module in modules)


def changed(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Names of the parts that differ."""
    return [key for key in new if old.get(key) != new[key]]


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
