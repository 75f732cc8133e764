"""From the rows of one dataset to its entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from medimg import collections, licenses, vocab
from medimg.catalogue.entry import Entry, OverlapEdge, Stand, Stated, Unit
from medimg.catalogue.making.join import Group
from medimg.catalogue.making.lists import OPENNEURO, PORTAL
from medimg.catalogue.making.queue import CANDIDATES, NEXT, TORCH_EM
from medimg.catalogue.making.said import Said, copied

SOURCES = frozenset({*collections.SOURCES, OPENNEURO})
"""Lists whose license is that of the dataset's own record."""
GUESSED = frozenset({CANDIDATES, NEXT})
"""Lists whose facts come from regular expressions: another one must say the same."""
_UNITS: dict[str, Unit] = {"2d": "images", "3d": "volumes", "video": "videos"}
_ORDER = ("2d", "3d", "video")
_HOSTS = {
    "zenodo.org": "Zenodo",
    "kaggle.com": "Kaggle",
    "cancerimagingarchive.net": "TCIA",
    "synapse.org": "Synapse",
    "figshare.com": "Figshare",
    "grand-challenge.org": "grand-challenge",
    "github.com": "GitHub",
    "huggingface.co": "HF Hub",
    "mendeley.com": "Mendeley",
    "physionet.org": "PhysioNet",
    "nitrc.org": "NITRC",
    "openneuro.org": "OpenNeuro",
}
_ASKS = {"Kaggle": "registration", "Synapse": "registration", "LONI/OASIS": "application"}
"""Holders that give no file to anybody without an account, or without an application."""


class Filler:
    """Fills one entry.

    Attributes:
        told: (column, reason) of what was not taken.
    """

    def __init__(self, group: Group) -> None:
        self.rows = group.rows
        self.told: list[tuple[str, str]] = []
        self.used: dict[str, list[str]] = {row.by: [] for row in group.rows}
        confirm_guesses(group.rows)

    def entry(self, id_: str, name: str, overlaps: tuple[OverlapEdge, ...]) -> Entry:
        """The entry of this id."""
        license_, by = self._license()
        terms = licenses.get(license_) if license_ and by == "source" else None
        where = self._one("where") or holder(self._links())
        count, unit = self._count()
        access = self._one("access") or _ASKS.get(where or "")
        return Entry(
            id=id_,
            name=name,
            aliases=self._aliases(name),
            modality=tuple(sorted(self._union("modality"))),
            organ=tuple(sorted(self._union("organ"))),
            task=tuple(sorted(self._union("task"))),
            structures=tuple(self._union("structures")),
            dimension=tuple(sorted(self._union("dimension"), key=_ORDER.index)),
            count=count,
            unit=unit,
            subjects=self._one("subjects"),
            bytes=self._one("bytes"),
            year=self._year(),
            license=license_,
            verdict=terms.publish.value if terms else "unknown",
            commercial=terms.commercial if terms else None,
            license_by=by,
            access=access,
            where=where,
            links=self._links(),
            organization=self._most("organization"),
            overlaps=overlaps,
            loadable="collection" if "/" in id_ and collections.split(id_) else "not yet",
            stated=self._stated(),
        )

    def _said(self, column: str) -> Iterator[tuple[Said, list[Any]]]:
        """(row, what it says) of the rows whose word counts: the source's own where it says anything."""
        sources = [row for row in self.rows if row.by in SOURCES and column in row.cells]
        own_word = any(row.cells[column].values for row in sources)
        for row in sources if own_word else self.rows:
            moved = [
                value
                for cell in row.cells.values()
                for where, value in cell.moved
                if where == column and column not in row.notes.get("not_taken", {})
            ]
            cell = row.cells.get(column)
            own = cell.values if cell and column not in row.notes.get("not_taken", {}) else []
            if own or moved:
                self._use(row, column)
                yield row, [*own, *moved]

    def _use(self, row: Said, column: str) -> None:
        if column not in self.used[row.by]:
            self.used[row.by].append(column)

    def _union(self, column: str) -> list[str]:
        return list(dict.fromkeys(value for _, said in self._said(column) for value in said))

    def _one(self, column: str) -> Any:
        """What the first row says that says anything."""
        return next((said[0] for _, said in self._said(column)), None)

    def _most(self, column: str) -> Any:
        """What most rows say; of equals the first."""
        found = Counter(value for _, said in self._said(column) for value in said)
        return found.most_common(1)[0][0] if found else None

    def _year(self) -> int | None:
        """What most rows say; of equals the earliest."""
        found = Counter(value for _, said in self._said("year") for value in said)
        if len(found) > 1:
            self.told.append(("year", f"rows differ: {', '.join(map(str, sorted(found)))}"))
        return min(found, key=lambda value: (-found[value], value)) if found else None

    def _count(self) -> tuple[int | None, Unit | None]:
        if series := self._one("series"):
            for fields in self.used.values():
                fields[:] = ["count" if each == "series" else each for each in fields]
            return series, "series"
        found: dict[str, list[tuple[int, int]]] = {}
        for row, said in self._said("count"):
            dimensions = row.cells["dimension"].values
            if len(dimensions) == 1:
                found.setdefault(dimensions[0], []).append((said[0], row.notes.get("within", 0)))
            else:
                self._tell("count", "of several dimensions together: no unit")
        if len(found) > 1:
            self._tell("count", "of images and of volumes or videos: no one number")
        elif found:
            ((dimension, numbers),) = found.items()
            if number := agreed(numbers):
                return number, _UNITS[dimension]
            self._tell("count", f"rows differ: {', '.join(map(str, sorted({each for each, _ in numbers})))}")
        for fields in self.used.values():
            if "count" in fields:
                fields.remove("count")
        return None, None

    def _tell(self, column: str, reason: str) -> None:
        if (column, reason) not in self.told:
            self.told.append((column, reason))

    def _license(self) -> tuple[str | None, Stand | None]:
        """The license and whose word it is; the source's before a list's; none where lists differ."""
        by_list: dict[str, set[str]] = {}
        for row, said in self._said("license"):
            if row.by in SOURCES:
                return said[0], "source"
            by_list.setdefault(row.by, set()).add(said[0])
        for by in (PORTAL, *by_list):
            if len(found := by_list.get(by, set())) == 1:
                (license_,) = found
                return license_, "mirror" if self._mirrored() else "list"
            if found:
                self._tell("license", f"rows differ: {', '.join(sorted(found))}")
                break
        return None, None

    def _mirrored(self) -> bool:
        """Whether the data are at a site where anybody uploads, or a caution says that they are a copy."""
        own = tuple(link for row in self.rows if row.by not in (*GUESSED, TORCH_EM) for link in row.links)
        return any(row.notes.get("caution") for row in self.rows) or copied(own or self._links())

    def _links(self) -> tuple[str, ...]:
        """Addresses; those of lists of datasets before those that programs download from."""
        last = (*GUESSED, TORCH_EM)
        ordered = sorted(self.rows, key=lambda row: (row.by not in SOURCES, row.by in last))
        links = dict.fromkeys(link for row in ordered for link in row.links)
        for row in self.rows:
            if row.links:
                self._use(row, "links")
        return tuple(links)

    def _aliases(self, name: str) -> tuple[str, ...]:
        names = dict.fromkeys(each for row in self.rows for each in (row.name, *row.aliases))
        for row in self.rows:
            if row.name != name or row.aliases:
                self._use(row, "aliases")
        return tuple(each for each in names if each != name)

    def _stated(self) -> tuple[Stated, ...]:
        return tuple(
            Stated(by, tuple(sorted(row.row for row in self.rows if row.by == by)), tuple(sorted(fields)))
            for by, fields in self.used.items()
        )


def agreed(numbers: Sequence[tuple[int, int]]) -> int | None:
    """The number that all say, each within its rounding; the least rounded one counts."""
    best = min(numbers, key=lambda each: each[1])[0]
    return best if all(abs(best - number) <= within for number, within in numbers) else None


def holder(links: Iterable[str]) -> str | None:
    """Who holds the data at the first address whose host says so."""
    for link in links:
        host = urlsplit(link).hostname or ""
        for known, name in _HOSTS.items():
            if host == known or host.endswith(f".{known}"):
                return name
    return None


def confirm_guesses(rows: Iterable[Said]) -> None:
    """Mark what a regular expression found and no other source says: it is not taken."""
    rows = list(rows)
    sure: dict[str, set[str]] = {"modality": set(), "organ": set(), "task": set(), "dimension": set()}
    for row in rows:
        if row.by not in GUESSED:
            for column, known in sure.items():
                known.update(row.cells[column].values if column in row.cells else ())
            known_labels = row.cells["structures"].values if row.by == TORCH_EM else ()
            sure["organ"].update(organ for label in known_labels for organ in _organs(label))
    for row in rows:
        if row.by not in GUESSED:
            continue
        refused = row.notes.setdefault("not_taken", {})
        for column, cell in row.cells.items():
            said = [value for value in cell.values if not _says(column, value, sure.get(column, set()))]
            if said or (cell.moved and column in sure):
                refused[column] = "from a regular expression, and no other source says so"


def _organs(label: str) -> set[str]:
    return {each for each in (label, *vocab.label.ancestors(label)) if each in vocab.organ}


def _says(column: str, value: Any, sure: set[str]) -> bool:
    """Whether another source says a value, or something narrower."""
    if column == "license":
        return True
    if column == "modality":
        return any(value == each or value in vocab.modality.ancestors(each) for each in sure)
    return value in sure
