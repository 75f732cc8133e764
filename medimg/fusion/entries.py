"""Entries: what must be known of a row to find its duplicates."""

from __future__ import annotations

from typing import NamedTuple

from medimg import licenses
from medimg.fusion.signatures import Signature


class Scanned(NamedTuple):
    """What must be known of a row to find its duplicates.

    Attributes:
        key: the row's id, `<dataset>/<case>`.
        content: the row's hash of the decoded pixels; empty where nobody has looked, and then it equals no other's.
        signature: None where only `content` is to be compared.
        subject: patient id, which is only meaningful within the row's dataset. A blank one is nobody's.
        split: the split of the fused set that the row would stand in.
        member: the fused set's name for where the row comes from; empty takes the dataset.
        assessed: which of the asked-for targets the row was assessed for.
        license: the row's license id.
        place: the source's split, and the row's number among the published rows of it.
        name: of the dataset; empty takes what stands before the key's first slash.
    """

    key: str
    content: str
    signature: Signature | None = None
    subject: str | None = None
    split: str = "train"
    member: str = ""
    assessed: tuple[str, ...] = ()
    license: str = ""
    place: tuple[str, int] = ("", 0)
    name: str = ""

    @property
    def dataset(self) -> str:
        """The dataset that the row belongs to."""
        return self.name or self.key.partition("/")[0]

    @property
    def source(self) -> str:
        """The member's name."""
        return self.member or self.dataset


def preference(entry: Scanned) -> tuple[int, ...]:
    """The default for who stays: more assessed targets, then the more permissive license."""
    license = licenses.get(entry.license or licenses.UNKNOWN)
    terms = (
        license.commercial is not True,
        license.adapt is not True,
        license.share_alike,
        license.attribution,
    )
    return (-len(entry.assessed), license.publish.rank, *map(int, terms))
