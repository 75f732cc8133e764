"""Entries: what must be known of a row to find its duplicates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from medimg import licenses
from medimg.errors import FormatError
from medimg.fusion.signatures import Signature, signature


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


def scan(
    rows: Iterable[Mapping[str, Any]],
    *,
    split: str,
    member: str = "",
    targets: Callable[[Mapping[str, Any]], Sequence[str]] | None = None,
    cache: MutableMapping[str, str] | None = None,
    near: bool = True,
) -> Iterator[Scanned]:
    """Entries of one member's rows.

    Args:
        rows: in the one schema; `image` as {"bytes", "path"} (cheapest) or as the stock features decode it.
        split: the split of the fused set that they would stand in.
        member: its name in the fused set.
        targets: which of the asked-for targets a row was assessed for; None takes all of `label.assessed`.
        cache: content -> text of the signature, read and filled: equal pixels have one signature.
        near: whether to make signatures at all. Without them `image` is not touched, so that rows of the config
            `metadata` suffice.

    Raises:
        FormatError: a row's pixels cannot be decoded; names the row.
    """
    for row in rows:
        assessed = targets(row) if targets else (row["label"] or {}).get("assessed") or ()
        yield Scanned(
            key=row["id"],
            content=row["content"],
            signature=_signature(row, {} if cache is None else cache) if near else None,
            subject=row["subject"],
            split=split,
            member=member,
            assessed=tuple(assessed),
            license=row["license"] or "",
        )


def _signature(row: Mapping[str, Any], cache: MutableMapping[str, str]) -> Signature | None:
    content = row["content"]
    known = cache.get(content)
    if known is not None:
        try:
            return Signature.from_text(known) if known else None
        except ValueError:
            pass  # of an earlier version: made anew below
    try:
        made = signature(row["image"])
    except FormatError as error:
        raise error.within(file=row["id"]) from error
    cache[content] = made.to_text() if made else ""
    return made
