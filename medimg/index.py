"""The datasets at a glance: what `make docs` wrote down of every declaration, so that a list imports no builder.

One line of JSON for each builder in `index.jsonl`. A line carries a mark of the text that it was made from: where a
builder says something else by now, the line does not count, and the builder is asked itself (`registry.entries`).
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("index.jsonl")
_LICENSES = Path(__file__).with_name("licenses.toml")  # the verdicts of all lines stand on it
_IMPORT = re.compile(r"^(?:from [\w.]+ )?import (?:\([^)]*\)|.*)\n", re.MULTILINE)
_HELPER = re.compile(r"\b_[a-z]\w*")
_CODE = re.compile(r"^(?:def |class |@)", re.MULTILINE)


@dataclass(frozen=True)
class IndexEntry:
    """One dataset.

    Attributes:
        module: name of the builder's module.
        mark: of the text that the rest was made from.
        description: the builder's docstring.
        declared: the declaration, as JSON.
        publish: open, gated or recipe: what the license makes of it.
        licenses: id -> name, url and what it allows, of the dataset and its configs.
    """

    module: str
    mark: str
    description: str
    declared: dict[str, Any]
    publish: str
    licenses: dict[str, dict[str, Any]]

    @property
    def name(self) -> str:
        """The slug."""
        return str(self.declared["name"])

    @property
    def config_names(self) -> tuple[str, ...]:
        """Names of the configs; ("default",) where there are none."""
        return tuple(config["name"] for config in self.declared["configs"]) or ("default",)

    @property
    def unverified(self) -> tuple[str, ...]:
        """The groups of facts that nobody has looked up."""
        evidence = self.declared["evidence"]
        return tuple(fact for fact, said in evidence.items() if said.lower().startswith("unverified"))

    def terms(self, kind: str) -> set[str]:
        """Vocabulary ids of the dataset and its configs; `kind` is modality, organ or task."""
        return {
            *self.declared[kind],
            *(term for config in self.declared["configs"] for term in config[kind] or ()),
        }

    def called(self) -> Iterator[str]:
        """The names by which it is found: slug, title, aliases."""
        yield from (self.name, self.declared["title"], *self.declared["aliases"])

    def line(self) -> str:
        """As `index.jsonl` holds it."""
        return json.dumps(vars(self), ensure_ascii=False, separators=(",", ":"))


@functools.cache
def written() -> dict[str, IndexEntry]:
    """Module -> what `index.jsonl` says, true or not; empty where there is no such file."""
    if not FILE.exists():
        return {}
    entries = [IndexEntry(**json.loads(line)) for line in FILE.read_text("utf-8").splitlines()]
    return {entry.module: entry for entry in entries}


def mark(module: str, read: Callable[[str], str | None]) -> str:
    """Digest of all the text from which a builder's declaration follows.

    That is its docstring and what stands up to the end of `DATASET`, the helpers that this calls, and the licenses.

    Args:
        module: name of the builder's module.
        read: text of a module below `medimg.builders`; None where there is none of that name.
    """
    whole = read(module) or ""
    own = _declaring(whole)
    texts = {module: own}
    for statement in _IMPORT.findall(whole):
        for helper in _HELPER.findall(statement):
            if f"builders.{helper} " in statement or re.search(rf"\b{helper}\b", own):
                _add(texts, helper, read)
    digest = _licenses().copy()
    for name, text in sorted(texts.items()):
        digest.update(f"\0{name}\0{text}".encode())
    return digest.hexdigest()[:16]


def _add(texts: dict[str, str], helper: str, read: Callable[[str], str | None]) -> None:
    """A helper, and those that it imports itself."""
    text = None if helper in texts else read(helper)
    if text is not None:
        texts[helper] = text
        for inner in _imported(text):
            _add(texts, inner, read)


@functools.cache
def _imported(text: str) -> tuple[str, ...]:
    """What may be helpers among the names that a module imports."""
    return tuple(name for statement in _IMPORT.findall(text) for name in _HELPER.findall(statement))


@functools.cache
def _licenses() -> hashlib._Hash:
    return hashlib.sha256(_LICENSES.read_bytes())


def _declaring(text: str) -> str:
    """A builder's text without its imports, up to the first function after its declaration."""
    start = text.find("\nDATASET")
    end = _CODE.search(text, start) if start >= 0 else None
    return _IMPORT.sub("", text[: end.start()] if end else text)


def text(entries: Iterable[IndexEntry]) -> str:
    """The file."""
    return "".join(f"{entry.line()}\n" for entry in sorted(entries, key=lambda entry: entry.module))


def facts(index: str) -> list[dict[str, Any]]:
    """What a file says of the datasets, whatever its marks."""
    return [{**json.loads(line), "mark": ""} for line in index.splitlines()]
