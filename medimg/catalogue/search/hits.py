"""What a search found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

from medimg.catalogue.entry import Entry
from medimg.catalogue.search.filters import LOADABLE


@dataclass(frozen=True)
class Hit:
    """One dataset that was found.

    Attributes:
        entry: the dataset.
        score: points; they compare within one search.
        why: empty for a strict match; of a near one, the one thing that it misses.
    """

    entry: Entry
    score: int
    why: str = ""

    @property
    def near(self) -> bool:
        """Whether it misses something that was asked for."""
        return bool(self.why)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: the entry's fields, and beside them `score` and `why`."""
        return {**self.entry.to_dict(), "score": self.score, "why": self.why}


@dataclass(frozen=True)
class Hits(Sequence[Hit]):
    """What a search found: strict matches first, best first, then near ones.

    Attributes:
        hits: as many as `limit` lets through.
        strict, near: how many there are of each, shown or not.
        closest: names of terms and datasets that are spelled almost as what matches nothing.
    """

    hits: tuple[Hit, ...]
    strict: int
    near: int
    closest: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]

    def __len__(self) -> int:
        return len(self.hits)

    def __repr__(self) -> str:
        lines = [f"{each.entry.id}: {each.entry.name}" + f" ({each.why})" * each.near for each in self.hits]
        return "\n".join([f"<{self.strict} strict, {self.near} near>", *lines])


def order(hit: Hit) -> tuple[int, int, int, str]:
    """What hits of one kind are sorted by."""
    entry = hit.entry
    return (-hit.score, LOADABLE.index(entry.loadable), -(entry.count or 0), entry.id)
