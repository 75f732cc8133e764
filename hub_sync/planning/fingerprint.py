"""What a build depends on. Equal fingerprints: nothing is rebuilt.

| part | what is in it |
|---|---|
| declaration | the builder's declaration, but for what only the card says |
| builder | the code of the builder and of every helper of builders that it imports, directly or not |
| engine | the code of all else that turns its files into rows and shards, its readers among them |
| vocabulary | what the names in its code mean; all terms where code looks up names that only the source knows |
| licenses | the terms of all licenses where code reads them; of others, the plan compares the verdicts |
| index | facts that the builder takes from an index on this computer |
| source | the files; of a miniature, the code that draws it |

Which modules these are is found by `imports.reached`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medimg import collections, imports
from medimg.cards.readme import dataset as card
from medimg.cards.readme import page
from medimg.files import Files
from medimg.imports import reached
from medimg.manifest import Origin
from medimg.registry import Builder
from medimg.schema import SCHEMA_VERSION
from medimg.vocab import EDGES, normalize

CARD_ONLY = {
    "title", "aliases", "homepage", "citation", "sources", "evidence", "access", "how", "overlaps", "notes",
    "version", "subject", "published",
}  # fmt: skip
"""Fields of the declaration that change the card and no row."""

TEXT = "text"
"""The part that says from which text `builder`, `engine` and (of a miniature) `source` were made: a short cut only."""
TERMS = "terms"
"""The same for `vocabulary` and `licenses`."""
SHORT_CUTS = (TEXT, TERMS)

ENGINE = "medimg.hub_sync.building.build"
"""Where every build starts; rows, readers, shards and pictures are reached from here."""
CARDS = ("medimg.cards.readme.dataset", "medimg.cards.croissant")
PHANTOM = "medimg.phantom"
MAKERS = ("medimg.hub_sync.planning.fingerprint", "medimg.imports")
"""What decides which text counts."""

VOCABULARY, LICENSES = "medimg.vocab", "medimg.licenses"
"""Of their tables, what counts is what they say of the names that a dataset uses."""
GIVEN_NAMES = frozenset(
    {
        "medimg.declaration",
        "medimg.registry",
        "medimg.rows",
        "medimg.cards.pictures",
        ENGINE,
        LICENSES,
        VOCABULARY,
    }
)
"""Modules that look up only names and licenses that a declaration or a row gives them, none of a source's own words."""
WORDS = 8
"""Of the longest names of the vocabulary."""
LICENSE_TERMS = (
    "name", "redistribute", "adapt", "commercial", "share_alike", "attribution", "gate", "format_shift", "per_row",
)  # fmt: skip
"""Fields of a license on which rows can depend."""


def fingerprint(
    builder: Builder, files: Files | None, origin: Origin, known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Digests by part.

    Args:
        files: the source; not needed for a miniature, which is a function of its code.
        known: an earlier fingerprint; what was made of the very same text is taken from it.
    """
    known = known or {}
    drawn = reached(builder.source_module, PHANTOM, miniature=True) if files is None else ()
    used = modules(builder, origin)
    text = _digest(["\n".join([origin, *_texts({*used, *drawn, *MAKERS})])])
    same = known.get(TEXT) == text
    terms = _digest([text, *_table_texts()])
    declared = builder.dataset.model_dump(mode="json", exclude=CARD_ONLY)

    def once(part: str, valid: bool, make: Callable[[], str]) -> str:
        return known[part] if valid and part in known else make()

    of_builder = tuple(name for name in used if imports.of_builder(name))
    others = tuple(name for name in used if not imports.of_builder(name))
    meant = known.get(TERMS) == terms
    prints = {
        "origin": origin,
        "schema": SCHEMA_VERSION,
        "declaration": _digest([json.dumps(declared, sort_keys=True)]),
        "builder": once("builder", same, lambda: _rows_code(of_builder)),
        "engine": once("engine", same, lambda: _rows_code(others)),
        "vocabulary": once("vocabulary", meant, lambda: _vocabulary(of_builder, others, declared)),
        "licenses": once("licenses", meant, lambda: _licenses(of_builder, others)),
        "source": files.fingerprint() if files is not None else once("source", same, lambda: _whole_code(drawn)),
        TEXT: text,
        TERMS: terms,
    }
    if index := builder.index:
        prints["index"] = _digest([index])
    return prints


def modules(builder: Builder, origin: Origin) -> tuple[str, ...]:
    """Every module of medimg on which the rows of a builder depend."""
    roots = [builder.source_module, ENGINE]
    if origin == "official":
        prefixes = {collections.of_address(source.url) for source in builder.dataset.sources}
        roots += [collections.files_module(prefix) for prefix in sorted(filter(None, prefixes))]
    return reached(*roots)


def refresh(builders: Iterable[Builder]) -> None:
    """Take the code as it is now; it is compared and recorded so until the next call (see `imports.refresh`)."""
    imports.refresh()
    for builder in builders:
        for name in reached(builder.source_module, ENGINE, PHANTOM, miniature=True):
            imports.code(name)


def texts(builder: Builder, namespace: str, known: str = "") -> str:
    """What the card and its kin are rendered from, besides the manifest and the hand-written block.

    Two digests: of the text as it is written, which is a short cut, and of what it means. Equal ones: the card is not
    rendered anew.

    Args:
        known: an earlier answer; it is given again where it was made of the very same text.
    """
    declared = json.dumps(builder.dataset.model_dump(mode="json"), sort_keys=True)
    environment = page.environment()
    assert environment.loader is not None
    template, _, _ = environment.loader.get_source(environment, card.TEMPLATE)
    own = [builder.description, declared, namespace, template, *_table_texts()]
    names = reached(*CARDS)
    written = _digest([*own, *_texts({*names, *MAKERS})])
    if known.startswith(f"{written} "):
        return known
    return f"{written} {_digest([*own, _rows_code(names)])}"


def same_texts(old: str, new: str) -> bool:
    """Whether two answers of `texts` mean the same."""
    return old.split(" ")[-1] == new.split(" ")[-1]


def engine() -> str:
    """Digest of the code that turns files into rows and shards, but for builders and readers that only they name."""
    return _rows_code(reached(ENGINE))


def meaning(prints: Mapping[str, str]) -> dict[str, str]:
    """Without the short cuts, which differ where a remark does."""
    return {key: value for key, value in prints.items() if key not in SHORT_CUTS}


def changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Names of the parts that differ."""
    return [key for key, value in meaning(new).items() if old.get(key) != value]


# code


def _texts(names: Iterable[str]) -> Iterator[str]:
    """Modules and their data files as they are written."""
    return (f"{name} {imports.digest(name)}" for name in sorted(names))


@imports.until_refresh
def _rows_code(names: tuple[str, ...]) -> str:
    """Digest of modules, but for what only a miniature needs: of most datasets, these are the same ones."""
    return _combined(_code(name, imports.code(name).facts.rows) for name in names)


def _whole_code(names: Iterable[str]) -> str:
    return _combined(_code(name, imports.code(name).facts.whole) for name in names)


@imports.until_refresh
def _code(name: str, written: str) -> bytes:
    """Of a module, the digest of its code, and the data files beside it."""
    beside = (f"{path.name} {imports.content_digest(path)}" for path in imports.beside(name))
    return b"".join((_sha256(name), bytes.fromhex(written), *map(_sha256, beside)))


# terms


@imports.until_refresh
def _table_texts() -> tuple[str, ...]:
    """The vocabulary and the table of licenses as they are written."""
    return tuple(imports.content_digest(path) for path in (*_vocabulary_files(), _license_table()))


def _vocabulary_files() -> list[Path]:
    return [path for path in imports.data(imports.code(VOCABULARY).path.parent) if path.suffix == ".toml"]


def _license_table() -> Path:
    return imports.code(LICENSES).path.with_name("licenses.toml")


@imports.until_refresh
def _reads(names: tuple[str, ...], table: str) -> bool:
    """Whether a module among these looks up the source's own words in a table."""
    return any(table in imports.code(name).taken for name in set(names) - GIVEN_NAMES)


def _vocabulary(of_builder: tuple[str, ...], others: tuple[str, ...], declared: Mapping[str, Any]) -> str:
    """What the names in the builder's code and declaration mean: their terms, and what these are kinds or parts of.

    A term or a synonym that no builder writes changes no row. Where code looks up what only the source says, any term
    may be met: then it is the whole vocabulary.
    """
    tables = _terms(tuple(imports.content(path).decode() for path in _vocabulary_files()))
    if _reads(of_builder, VOCABULARY) or _reads(others, VOCABULARY):
        return _digest([json.dumps(tables.by_file, sort_keys=True)])
    written = {*_strings(declared)}.union(*(imports.code(name).facts.strings for name in of_builder))
    meanings = frozenset().union(*(_meanings(text, tables) for text in written))
    return _digest([json.dumps(sorted(meanings))])


def _phrases(text: str) -> set[str]:
    """Keys, as of `vocab.normalize`, of a text and of the runs of words in it: it may be a list of names."""
    words = [normalize(word) for word in re.findall(r"[\w'-]+", text)]
    runs = {
        "".join(words[first:last])
        for first in range(len(words))
        for last in range(first + 1, min(first + WORDS, len(words)) + 1)
    }
    return {normalize(text), *runs}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from (str(key), *_strings(each))
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


@dataclass(frozen=True, eq=False)
class _Tables:
    """Every vocabulary, by file: its terms, the term of each name, and the reasons of what is no term."""

    by_file: Mapping[str, Any]


@functools.lru_cache(maxsize=16384)
def _meanings(text: str, tables: _Tables) -> frozenset[tuple[str, ...]]:
    """(file, key, term, wider terms) of every vocabulary that knows a phrase of it; the reason where it is no term.

    Most texts are those of many datasets: names of fields, terms, licenses.
    """
    found: set[tuple[str, ...]] = set()
    for key in _phrases(text):
        for file, table in tables.by_file.items():
            if key in table["names"]:
                term = table["names"][key]
                found.add((file, key, term, *_wider(term, tables)))
            elif key in table["rejected"]:
                found.add((file, key, "", table["rejected"][key]))
    return frozenset(found)


def _wider(term: str, tables: _Tables) -> list[str]:
    found: set[str] = set()
    pending = [term]
    while pending:
        one = pending.pop()
        for table in tables.by_file.values():
            fields = table["terms"].get(one, {})
            new = {each for edge in EDGES for each in fields.get(edge, ())} - found
            found |= new
            pending += new
    return sorted(found)


@functools.lru_cache(maxsize=2)
def _terms(texts: tuple[str, ...]) -> _Tables:
    tables = {}
    for path, text in zip(_vocabulary_files(), texts, strict=True):
        table = tomllib.loads(text)
        names = {
            normalize(name): id for id, fields in table["terms"].items() for name in (id, *fields.get("synonyms", ()))
        }
        rejected = {normalize(name): reason for name, reason in table.get("not_a_term", {}).items()}
        tables[path.stem] = {"terms": table["terms"], "names": names, "rejected": rejected}
    return _Tables(tables)


def _licenses(of_builder: tuple[str, ...], others: tuple[str, ...]) -> str:
    """The terms of all licenses, where code reads them; "" where rows carry licenses that stand in the code."""
    if not (_reads(of_builder, LICENSES) or _reads(others, LICENSES)):
        return ""
    table = tomllib.loads(imports.content(_license_table()).decode())
    terms = {id: [fields.get(field) for field in LICENSE_TERMS] for id, fields in table.items()}
    return _digest([json.dumps(terms, sort_keys=True)])


def _digest(texts: Iterable[str]) -> str:
    return _combined(map(_sha256, texts))


def _combined(digests: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for each in digests:
        digest.update(each)
    return digest.hexdigest()[:16]


@functools.lru_cache(maxsize=4096)
def _sha256(text: str) -> bytes:
    """Most texts are those of modules that many datasets share."""
    return hashlib.sha256(text.encode()).digest()
