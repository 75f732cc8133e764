"""The report of a fused set: what was compared, left out and merged, and what was learned while rows were read."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from medimg.report import LoadReport

SHOWN = 20
"""How many of each kind the text names; `to_json` has all."""
Reason = Literal["exact duplicate", "near duplicate", "leak: image", "leak: subject", "leak: linked"]


@dataclass(frozen=True, slots=True)
class Drop:
    """One row that is left out.

    Attributes:
        key, member, split: of the row.
        reason: one of `Reason`.
        of: the row that stays instead (for a leak, a row of the split that it leaks into).
        of_member, of_split: where that row stands.
        similarity: of the two signatures, where that decided.
        why: the same in a sentence.
        labels: targets that it was assessed for, and the row that stays for it was not.
        into: the row that stays and gets its labels; empty where none does, and then `labels` are lost.
        apart: why labels of equal pixels were not merged.
    """

    key: str
    member: str
    split: str
    reason: Reason
    of: str
    of_member: str
    of_split: str
    similarity: float | None
    why: str
    labels: tuple[str, ...] = ()
    into: str = ""
    apart: str = ""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two rows of one image that say different things of one target; what `kept` says stands.

    Attributes:
        kept, other: ids of the rows.
        target: what they differ in.
        what: "mask", "classes", "boxes" or "measures".
        count: pixels (mask), or statements.
        said, said_other: what each says; empty for masks.
    """

    kept: str
    other: str
    target: str
    what: str
    count: int
    said: str = ""
    said_other: str = ""


class Told:
    """What is learned while the rows are read, in the process that reads them; a copy in another one starts empty.

    Attributes:
        contradictions: by (kept, other, target, what), each once however often the rows are read.
        unmerged: row that was left out -> why its labels could not be had.
        left_out: member -> what of it is no row.
        looked, duplicates: member -> rows that were looked at in this pass, and those of them that are duplicates.
    """

    def __init__(self) -> None:
        self.contradictions: dict[tuple[str, str, str, str], Contradiction] = {}
        self.unmerged: dict[str, str] = {}
        self.left_out: dict[str, LoadReport] = {}
        self.looked: Counter[str] = Counter()
        self.duplicates: Counter[str] = Counter()

    def __reduce__(self) -> tuple[Any, ...]:
        return Told, ()

    def __deepcopy__(self, memo: Any) -> Told:
        return self

    def contradict(self, found: Iterable[Contradiction]) -> None:
        """Take note."""
        for each in found:
            self.contradictions[each.kept, each.other, each.target, each.what] = each


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that could not be read for the comparison, so that it was not compared, and the reason.

    `key` is its id; the file's path where the builder itself made no row of it.
    """

    key: str
    member: str
    split: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImageGroup:
    """Rows of one image. `kind` is "exact" where all have one content, else "near" (linked, maybe over a third row)."""

    kind: Literal["exact", "near"]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeclaredOverlap:
    """An overlap that a declaration states between two datasets of the set.

    Attributes:
        dataset, other, relation, evidence: as declared.
        found: images that both hold; None where they were not compared.
        limits: what was not compared; empty where both were compared by equal pixels and by signatures.
    """

    dataset: str
    other: str
    relation: str
    evidence: str
    found: int | None = None
    limits: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared, what was found, what is left out and why, and what became of its labels.

    Attributes:
        rows: number of entries; `hashed` and `signed`: of those, how many had a hash of their pixels, and a signature,
            that could be compared. The others were compared by subject alone.
        groups: rows of one image, the largest groups first.
        dropped: rows to leave out, in the order of the entries.
        overlaps: what the declarations state, with what was found.
        warnings: what a person should look at.
        not_compared: member -> what of it was not compared, and why.
        unread: rows that could not be read for the comparison.
        told: what is learned while the rows are read.
    """

    rows: int
    signed: int
    groups: tuple[ImageGroup, ...] = ()
    dropped: tuple[Drop, ...] = ()
    overlaps: tuple[DeclaredOverlap, ...] = ()
    warnings: tuple[str, ...] = ()
    hashed: int = 0
    not_compared: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[Unread, ...] = ()
    told: Told = field(default_factory=Told, compare=False)

    @property
    def keys(self) -> frozenset[str]:
        """Ids of the rows to leave out."""
        return frozenset(drop.key for drop in self.dropped)

    @property
    def counts(self) -> dict[tuple[str, str, Reason], int]:
        """(member, member that stays, reason) -> rows left out."""
        counts: dict[tuple[str, str, Reason], int] = defaultdict(int)
        for drop in self.dropped:
            counts[drop.member, drop.of_member, drop.reason] += 1
        return dict(sorted(counts.items()))

    @property
    def lost(self) -> dict[str, int]:
        """Target -> rows that were left out and whose statement on it no row that stays has."""
        return dict(sorted(Counter(name for drop in self.dropped if not drop.into for name in drop.labels).items()))

    @property
    def merged(self) -> dict[str, int]:
        """Target -> rows that stay and get a statement on it from a row that was left out."""
        gained = {(drop.into, name) for drop in self.dropped if drop.into for name in drop.labels}
        return dict(sorted(Counter(name for _, name in gained).items()))

    @property
    def contradictions(self) -> tuple[Contradiction, ...]:
        """Statements of merged rows that differ; known once the rows have been read."""
        return tuple(self.told.contradictions.values())

    @property
    def left_out(self) -> Mapping[str, LoadReport]:
        """Member -> `medimg.report.LoadReport` of what is no row; filled while the rows are read."""
        return self.told.left_out

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dictionaries, strings and numbers."""

        def plain(values: Iterable[Any]) -> list[dict[str, Any]]:
            return [dataclasses.asdict(value) for value in values]

        return {
            "rows": self.rows,
            "hashed": self.hashed,
            "signed": self.signed,
            "groups": plain(self.groups),
            "dropped": plain(self.dropped),
            "labels_merged": self.merged,
            "labels_lost": self.lost,
            "contradictions": plain(self.contradictions),
            "overlaps": plain(self.overlaps),
            "warnings": list(self.warnings),
            "not_compared": dict(self.not_compared),
            "unread": plain(self.unread),
            "unmerged": dict(self.told.unmerged),
            "left_out": {member: report.to_json() for member, report in self.left_out.items()},
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield (
            f"{self.rows} rows compared ({self.hashed} by equal pixels, {self.signed} by signature), "
            f"{len(self.dropped)} left out"
        )
        for (member, other, reason), number in self.counts.items():
            yield f"  {number} of {member}: {reason} ({other} stays)"
        for name, numbers in (("merged", self.merged), ("lost", self.lost)):
            if numbers:
                yield f"  labels {name}: " + ", ".join(
                    f"{target} {number} row{'s'[: number > 1]}" for target, number in numbers.items()
                )
        apart = Counter(drop.apart for drop in self.dropped if drop.apart)
        yield from (f"  not merged: {why} ({number})" for why, number in apart.items())
        yield from (f"  not merged: {key}: {why}" for key, why in islice(self.told.unmerged.items(), SHOWN))
        for each in islice(self.contradictions, SHOWN):
            how = f"{each.count} pixels" if each.what == "mask" else f"{each.said} against {each.said_other}"
            yield f"  contradiction: {each.kept} and {each.other} on {each.target} ({each.what}: {how})"
        for overlap in self.overlaps:
            found = "" if overlap.found is None else f" ({overlap.found} images found in both)"
            limits = f"; {overlap.limits}" if overlap.limits else ""
            yield f"  declared: {overlap.dataset} / {overlap.other}: {overlap.relation}{found}{limits}"
        yield from (f"  not compared: {member}: {why}" for member, why in self.not_compared.items())
        yield from (f"  not read: {row.key}: {row.reason}" for row in islice(self.unread, SHOWN))
        for report in self.left_out.values():
            yield from (f"  {line}" for line in str(report).splitlines() if report)
        yield from (f"  warning: {warning}" for warning in self.warnings)
