"""The table: declarations at a glance, and `listed.jsonl` beside this module."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from pathlib import Path

from medimg import index, registry
from medimg.catalogue.entry import FIELDS, Entry, Loadable, OverlapEdge, Stated, Unit
from medimg.catalogue.words import words_of
from medimg.errors import UnknownDatasetError

FILE = Path(__file__).with_name("listed.jsonl")
BESIDE = ("aliases", "subjects", "where", "organization")
"""What lists say of a dataset with a builder: all else is the declaration's word."""
_UNITS: dict[str, Unit] = {"2d": "images", "3d": "volumes", "video": "videos"}
_DECLARED = tuple(name for name in FIELDS if name not in ("id", "stated", *BESIDE[1:]))


@functools.cache
def entries() -> tuple[Entry, ...]:
    """All datasets: builders first, by name, then the others, by id."""
    declared = {each.name: each for each in registry.entries()}
    listed = {each.id: each for each in read(FILE)}
    ours = [of_declaration(each, listed.pop(name, None)) for name, each in declared.items()]
    return (*ours, *(listed[key] for key in sorted(listed)))


def read(path: Path) -> Iterable[Entry]:
    """Entries of a file with one JSON object a line (`Entry.line`); none where there is no such file."""
    if path.exists():
        lines = path.read_text("utf-8").split("\n")
        yield from map(Entry.of_line, json.loads(f"[{','.join(filter(None, lines))}]"))


def get(id: str) -> Entry:
    """The entry of this id.

    Raises:
        UnknownDatasetError: there is none.
    """
    for each in entries():
        if each.id == id:
            return each
    raise UnknownDatasetError(f"the catalogue has no {id!r}", next_step=f"medimg search {id!r} finds what is close.")


def called(name: str) -> Entry | None:
    """The entry of this id, or the first with this name or alias; case, spaces and punctuation do not matter."""
    wanted = "".join(words_of(name))
    found = None
    for each in entries():
        if each.id == name:
            return each
        if found is None and wanted in {"".join(words_of(text)) for text in (each.id, each.name, *each.aliases)}:
            found = each
    return found


def of_declaration(entry: index.IndexEntry, listed: Entry | None = None) -> Entry:
    """The entry of a dataset with a builder.

    Args:
        entry: the declaration at a glance.
        listed: what lists say of it: their names for it, and facts that no declaration has (organization, subjects).
    """
    said = entry.declared
    images = sum(said["splits"].values()) or sum(
        count for config in said["configs"] for count in config["splits"].values()
    )
    dimensions = dict.fromkeys(
        config["dimension"] or said["dimension"] for config in said["configs"] or [{"dimension": None}]
    )
    names = [name for names in (*said["legend"].values(), *said["labels"].values()) for name in names]
    for part in said["parts"]:
        names += [name for values in part["legend"].values() for name in values] + list(part["names"] or ())
    terms = entry.licenses[said["license"]]
    loadable: Loadable = "own copy only" if entry.publish == "recipe" else "builder"
    return Entry(
        id=entry.name,
        name=said["title"],
        aliases=tuple(dict.fromkeys((*said["aliases"], *(listed.aliases if listed else ())))),
        modality=tuple(sorted(entry.terms("modality"))),
        organ=tuple(sorted(entry.terms("organ"))),
        task=tuple(sorted(entry.terms("task"))),
        structures=tuple(dict.fromkeys(names)),
        dimension=tuple(dimensions),
        count=images or None,
        unit=_UNITS[said["dimension"]] if images else None,
        subjects=listed.subjects if listed else None,
        bytes=sum(source["size"] or 0 for source in said["sources"]) or None,
        year=int(said["published"][:4]) if said["published"] else said["citation"]["year"],
        license=said["license"],
        verdict=entry.publish,
        commercial=terms["commercial"],
        license_by="source",
        access=said["access"],
        where=listed.where if listed else None,
        links=tuple(dict.fromkeys([said["homepage"], *(source["url"] for source in said["sources"] if source["url"])])),
        organization=listed.organization if listed else None,
        overlaps=tuple(OverlapEdge(each["dataset"], each["relation"]) for each in said["overlaps"]),
        loadable=loadable,
        stated=(Stated("declaration", (), _DECLARED), *(listed.stated if listed else ())),
    )
