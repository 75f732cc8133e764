"""Rows of lists to datasets: by id, address and name, and never by likeness of names alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from medimg import index
from medimg.catalogue.making.cells import decided
from medimg.catalogue.making.lists import WHERE
from medimg.catalogue.making.queue import CANDIDATES, NEXT, TORCH_EM
from medimg.catalogue.making.roster import SOURCE_LIST
from medimg.catalogue.making.said import Said, key, place

_TCIA = re.compile(r"cancerimagingarchive\.net/collection/([\w-]+)")


@dataclass
class Group:
    """The rows of one dataset.

    Attributes:
        id: of the entry; None until it is made of the name.
        rows: in the order of the lists.
        how: row -> how it came here.
    """

    id: str | None
    rows: list[Said] = field(default_factory=list)
    how: list[str] = field(default_factory=list)

    def add(self, row: Said, how: str) -> None:
        """Take in a row."""
        self.rows.append(row)
        self.how.append(how)


class Known:
    """Names and addresses of what has an id of its own: builders, and collections as their sources list them."""

    def __init__(self, builders: Iterable[index.IndexEntry], collections: Iterable[Said]) -> None:
        self.names = {key(name): entry.name for entry in builders for name in entry.called()}
        self.collections: set[str] = set()
        self.by_title: dict[str, str] = {}
        self.by_doi: dict[str, str] = {}
        for each in collections:
            id_ = str(each.same_as)
            self.collections.add(id_)
            for name in (each.name, *each.aliases):
                self.by_title.setdefault(key(name), id_)
            if doi := each.notes.get("doi"):
                self.by_doi[doi.casefold()] = id_

    def builder(self, row: Said) -> tuple[str, str] | None:
        """(slug, how) where the row is of a builder's dataset."""
        if row.key in decided()["apart"]:
            return None
        if slug := decided()["same"].get(row.key):
            return slug, "a decision"
        if slug := self.names.get(row.key):
            return slug, "its name"
        return None

    def collection(self, row: Said) -> tuple[str, str] | None:
        """(id, how) where the row is of a collection of a source."""
        for link in row.links:
            if (found := _TCIA.search(link)) and f"idc/{found[1].replace('-', '_').casefold()}" in self.collections:
                return f"idc/{found[1].replace('-', '_').casefold()}", "its address"
            doi = re.search(r"10\.7937/[^\s#?]+", link)
            if doi and (id_ := self.by_doi.get(doi[0].rstrip("/").casefold())):
                return id_, "its DOI"
        if id_ := self.by_title.get(row.key):
            return id_, "its name"
        return None


class Joiner:
    """Groups as they grow. Rows that name an id themselves come first (`joined` sees to it)."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.groups: dict[str, Group] = {}
        self.by_key: dict[str, str] = {}
        self.by_place: dict[str, set[str]] = defaultdict(set)
        self.modules: dict[str, set[str]] = defaultdict(set)

    def add(self, row: Said) -> None:
        """Put a row into its group."""
        name, how = self._group(row)
        self.groups.setdefault(name, Group(None if name.startswith("=") else name)).add(row, how)
        self.by_key.setdefault(row.key, name)
        if row.by == WHERE:
            for where in filter(None, map(place, row.links)):
                self.by_place[where].add(name)
            if row.notes["torch_em"]:
                self.modules[row.notes["torch_em"]].add(name)

    def _group(self, row: Said) -> tuple[str, str]:
        """(group, how): an id, or "=" and the key of the name."""
        if row.key in decided()["apart"] and row.by != SOURCE_LIST:
            return f"={row.key}", "a decision"
        if row.same_as:
            return row.same_as, "the list says so"
        if found := self.known.builder(row):
            return found
        for link in row.links:
            if (where := place(link)) and where.startswith("openneuro.org/ds"):
                return where.replace("openneuro.org", "openneuro"), "its address"
        if name := self.by_key.get(row.key):
            return name, "its name"
        if found := self.known.collection(row):
            return found
        if row.by in (TORCH_EM, CANDIDATES, NEXT) and len(self.modules[row.name]) == 1:
            return next(iter(self.modules[row.name])), "the module of torch-em, as imaging-x where has it"
        found = None if row.by == WHERE else self._alike(row)
        return found or (f"={row.key}", "its name")

    def _alike(self, row: Said) -> tuple[str, str] | None:
        """The one group with the same address whose name begins alike."""
        places = filter(None, map(place, row.links))
        near = {name for where in places for name in self.by_place[where]}
        alike = [name for name in near if any(_begins(row.key, each.key) for each in self.groups[name].rows)]
        return (alike[0], "its address, and a name that begins alike") if len(alike) == 1 else None


def _begins(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) >= 4 and long.startswith(short)


def joined(rows: Iterable[Said], known: Known) -> list[Group]:
    """Rows in groups, one a dataset."""
    joiner = Joiner(known)
    for row in sorted(rows, key=lambda row: row.by != WHERE):
        joiner.add(row)
    return list(joiner.groups.values())
