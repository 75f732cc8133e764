"""docs/reference.md: what a builder is written with, taken from the code itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from medimg import builders, declaration, errors, join, licenses, readers, schema, vocab
from medimg.files import File, Files
from medimg.phantom import Phantom

HEAD = """# Reference for builders

Generated from the code by `make docs`; do not edit. How they go together stands in [Write a builder](contributing.md).
`(n)` behind a name: so many builders, families of builders included, use it.

"""
MODELS: tuple[type[BaseModel], ...] = (
    schema.Row,
    schema.Label,
    schema.Skipped,
    schema.Box,
    schema.Point,
    schema.Measure,
    schema.Text,
    declaration.Dataset,
    declaration.Source,
    declaration.Citation,
    declaration.Evidence,
    declaration.Overlap,
    declaration.Config,
    declaration.Part,
)
KINDS = ("modality", "organ", "task", "structure", "finding")


def reference() -> str:
    """The page."""
    parts = [
        HEAD,
        "## What a builder says: fields\n\n" + "\n".join(map(_model, MODELS)),
        "## Rows: the join\n\n" + "\n".join(_join()),
        "## The view: `files`\n\n" + "\n".join(_members("files", Files)),
        "## A file: `file`\n\n" + "\n".join(_members("file", File)),
        "## Readers\n\n`image=file` and `mask=file` take the reader by the file's suffix; others are named.\n\n"
        + "\n".join(_readers()),
        "## Phantoms: `make`\n\n" + "\n".join(_members("make", Phantom)),
        "## Errors\n\n" + _errors(),
        "## Licenses\n\n" + _licenses(),
        "## Vocabularies\n\n`medimg vocab <text>` finds a term by any of its names, with its SNOMED CT code.\n\n"
        + "\n".join(map(_vocabulary, KINDS)),
    ]
    return "\n".join(parts).rstrip() + "\n"


# fields


def _model(model: type[BaseModel]) -> str:
    doc = inspect.getdoc(model) or ""
    said = _attributes(doc)
    intro = re.split(r"\n\s*Attributes:", doc)[0].strip()
    lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else _default(field)
        kind = inspect.formatannotation(field.annotation).replace("medimg.schema.", "").replace("typing.", "")
        for module in ("medimg.declaration.", "medimg.files.file.", "medimg.pixels.", "collections.abc."):
            kind = kind.replace(module, "")
        lines.append(f"| `{name}` | `{_cell(kind)}` | {_cell(default)} | {_cell(said.get(name, ''))} |")
    return f"### `{model.__name__}`\n\n{intro}\n\n" + "\n".join(lines) + "\n"


def _default(field: Any) -> str:
    value = field.default
    if value is PydanticUndefined:
        value = field.default_factory()
        return "empty" if not isinstance(value, BaseModel) else "nothing known"
    return f"`{value!r}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _attributes(doc: str) -> dict[str, str]:
    """Name -> what the Attributes of a docstring say of it; a line for several says it of each."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in doc.partition("Attributes:\n")[2].splitlines():
        if match := re.match(r" {4}(\w+(?:, \w+)*): (.*)", line):
            names = match[1].split(", ")
            found |= dict.fromkeys(names, match[2])
        elif line.startswith(" " * 8):
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
        elif line.strip():
            break
    return found


# calls


def _used() -> Counter[str]:
    """`module.function` -> how many modules of builders use it."""
    found: Counter[str] = Counter()
    for path in sorted(path for folder in builders.__path__ for path in Path(folder).rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        found.update({name for node in ast.walk(tree) for name in _names(node)})
    return found


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        yield f"{node.value.id}.{node.attr}"
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("medimg.readers."):
        yield from (f"{(node.module or '').rpartition('.')[2]}.{each.name}" for each in node.names)


def _readers() -> Iterator[str]:
    used = _used()
    for name in sorted({each.partition(".")[0] for each in used}):
        if importlib.util.find_spec(f"{readers.__name__}.{name}") is None:
            continue
        module = importlib.import_module(f"{readers.__name__}.{name}")
        calls = {key: value for key, value in _public(module) if used[f"{name}.{key}"]}
        if calls:
            yield f"### `readers.{name}`\n\n{_first(module)}\n"
            for key, value in calls.items():
                yield _call(f"{name}.{key}", value, used[f"{name}.{key}"])
                if inspect.isclass(value):
                    yield from _members(key.lower(), value)


def _public(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, value in vars(module).items():
        if not name.startswith("_") and callable(value) and getattr(value, "__module__", "") == module.__name__:
            yield name, value


def _join() -> Iterator[str]:
    for value in (join.Join, join.Partner, join.Lookup, join.lines, join.Case):
        yield _call(value.__name__, value)
    beside = inspect.getdoc(join.Partner.__base__) or ""
    yield f"#### Of `Partner` and `Lookup`\n\n```text\n{beside}\n```\n"
    yield from _members("case", join.Case)


def _members(name: str, kind: type) -> Iterator[str]:
    for key, value in vars(kind).items():
        if key.startswith("_"):
            continue
        if isinstance(value, property):
            yield f"#### `{name}.{key}`\n\n{inspect.getdoc(value) or ''}\n"
        elif inspect.isfunction(value):
            yield _call(f"{name}.{key}", value)


def _call(name: str, value: Callable[..., Any], users: int = 0) -> str:
    signature = str(inspect.signature(value))
    signature = re.sub(r"\((self|cls)(, )?", "(", signature)
    shown = f"{name}{signature}".replace("'", "")
    times = f" ({users})" if users else ""
    return f"#### `{name}`{times}\n\n```text\n{shown}\n\n{inspect.getdoc(value) or ''}\n```\n"


def _first(value: object) -> str:
    return (inspect.getdoc(value) or "").split("\n\n")[0]


# names


def _errors() -> str:
    kinds = [each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__]
    return "\n".join(f"- `{kind.__name__}`: {_first(kind)}" for kind in kinds) + "\n"


def _licenses() -> str:
    lines = ["| id | name | publish |", "|---|---|---|"]
    for id in licenses.known():
        license = licenses.get(id)
        lines.append(f"| `{id}` | {license.name} | {license.publish.value} |")
    return "\n".join(lines) + "\n"


def _vocabulary(kind: str) -> str:
    vocabulary: vocab.Vocabulary = getattr(vocab, kind)
    return f"### {kind} ({len(vocabulary)})\n\n{', '.join(sorted(vocabulary.ids))}\n"
