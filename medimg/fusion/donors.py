"""Donors: rows that were left out, whose labels go into a row that stays; read when it comes, one at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from medimg import licenses
from medimg.errors import SOURCE_FAULTS, FormatError, LabelError, MedimgError
from medimg.fusion.labels import Harmonizer
from medimg.fusion.merging import merge
from medimg.fusion.parquet import parquet_rows
from medimg.fusion.report import Contradiction
from medimg.licenses import Verdict
from medimg.schema import Dimension, Row

Rows = Any
"""`medimg.fusion.sources.Rows`, which imports this module."""

COLUMNS = ("id", "dataset", "label", "content", "license", "spacing")
"""What is read of a published row whose labels are merged: all but its image."""

NEAR = 64
"""Rows that are passed over rather than opening the file anew."""


# ------------------------------------------------------------------------------------------ the rows to be merged


class Donor(NamedTuple):
    """A row that was left out, whose labels go into one that stays.

    Attributes:
        member: key of its member.
        split: as its source calls it.
        id: of the row.
        at: its number among the published rows of the split; 0 in one's own copy.
    """

    member: str
    split: str
    id: str
    at: int = 0


class Donors:
    """Reads such rows when they are needed, one at a time. Can be pickled; a copy starts without open files.

    Args:
        members: by key.
        of: id of a row that stays -> rows whose labels it gets, the preferred ones first.
    """

    def __init__(self, members: Mapping[str, Rows], of: Mapping[str, Sequence[Donor]]) -> None:
        self._members = dict(members)
        self._of = {key: tuple(donors) for key, donors in of.items()}
        self._own: dict[str, dict[str, Row]] = {}
        self._open: dict[tuple[str, str], tuple[int, Iterator[dict[str, Any]]]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Donors, (self._members, self._of)

    def __len__(self) -> int:
        return len(self._of)

    def of(self, id: str) -> tuple[Donor, ...]:
        """Whose labels the row of this id gets."""
        return self._of.get(id, ())

    def read(self, donor: Donor) -> dict[str, Any]:
        """The row as it is stored; of a published one without its image.

        Raises:
            MedimgError: it cannot be read, or is not there any more.
        """
        member = self._members[donor.member]
        row = self._published(member, donor) if member.place is None else self._from_copy(member, donor)
        if row is None or row["id"] != donor.id:
            raise FormatError(
                "the row is not where it was",
                file=donor.id,
                next_step="start anew: its member has changed.",
            )
        return row

    def _published(self, member: Rows, donor: Donor) -> dict[str, Any] | None:
        """Rows that follow each other are read from one opened file."""
        key = donor.member, donor.split
        at, rows = self._open.pop(key, (0, None))
        if rows is None or not 0 <= donor.at - at < NEAR:
            files, counts = member.shards[donor.split]
            at, rows = donor.at, parquet_rows(files, counts, donor.at, columns=COLUMNS, options=member.storage_options)
        row: dict[str, Any] | None = next(islice(rows, donor.at - at, None), None)
        self._open[key] = (donor.at + 1, rows)
        return row

    def _from_copy(self, member: Rows, donor: Donor) -> dict[str, Any] | None:
        """Of one's own copy: the builder's light rows, found in one walk, of which one is decoded now."""
        if donor.member not in self._own:
            wanted = {each.id for donors in self._of.values() for each in donors if each.member == donor.member}
            self._own[donor.member] = known = {}
            for item in member.open(0):
                if (id_ := member.id(item)) in wanted and isinstance(item[1], Row):
                    known[id_] = item[1]
                    if len(known) == len(wanted):
                        break
        found = self._own[donor.member].get(donor.id)
        return None if found is None else member.read(found)


def refusal(one: str, other: str) -> str:
    """Why the licenses of two rows do not let their labels become one work; empty where they do.

    Where one of the two may not be passed on as it is, the merged row may not either, and says so by its license
    (`merged_license`). Two that could both be passed on, and together could not, stay apart.
    """
    if one == other:
        return ""
    together = licenses.combine([one, other], adapted=True, pushed=False)
    if together.publish is not Verdict.RECIPE or any(
        licenses.combine([each], adapted=True, pushed=False).publish is Verdict.RECIPE for each in (one, other)
    ):
        return ""
    return f"{one} and {other} cannot meet in one row"


def merged_license(ids: Collection[str]) -> str:
    """The license of a row with labels under all of these: the strictest."""
    return licenses.combine(ids, adapted=True, pushed=False).strictest


# ---------------------------------------------------------------------------------------------------- a fused row


def with_donors(
    donors: Donors, harmonizer: Harmonizer, row: Mapping[str, Any], dimension: Dimension
) -> tuple[dict[str, Any], list[dict[str, Any]], str, list[Contradiction]]:
    """The column `fused` of a row and what its duplicates add to it.

    A duplicate that cannot be read, or shows other pixels than when it was compared, adds nothing; why is said.

    Returns:
        (`fused`, entries of `provenance.merged`, the row's license, contradictions).
    """
    read: dict[str, dict[str, Any]] = {}
    entries = {donor.id: _entry(donor) for donor in donors.of(row["id"])}
    for donor in donors.of(row["id"]):
        try:
            other = donors.read(donor)
        except (MedimgError, *SOURCE_FAULTS) as error:
            entries[donor.id]["problem"] = str(error)
            continue
        if other["content"] == row["content"]:
            read[donor.id] = {key: other[key] for key in COLUMNS}
            entries[donor.id]["license"] = other["license"]
        else:
            entries[donor.id]["problem"] = "it shows other pixels than when it was compared"
    while read:
        try:
            fused, given = merge(harmonizer, row, list(read.values()), dimension)
            break
        except (LabelError, FormatError) as error:
            if error.file not in read:
                raise error.within(dataset=row["dataset"], file=row["id"]) from None
            entries[error.file]["problem"] = str(error)
            del read[error.file]
    else:
        return harmonizer(row, dimension), list(entries.values()), row["license"], []
    terms = {row["license"]}
    for id_, one in zip(read, given, strict=True):
        order = [name for name in harmonizer.targets if name in one.targets]
        entries[id_]["targets"] = [*order, *sorted(one.targets.difference(order))]
        entries[id_]["contradicts"] = [_stored(each) for each in one.contradicts]
        if one.targets:
            terms.add(entries[id_]["license"])
    license = merged_license(terms) if len(terms) > 1 else row["license"]
    return fused, list(entries.values()), license, [each for one in given for each in one.contradicts]


def _entry(donor: Donor) -> dict[str, Any]:
    """An entry of `provenance.merged` that has given nothing yet."""
    place = {"member": donor.member, "id": donor.id, "split": donor.split}
    return {**place, "license": None, "targets": [], "contradicts": [], "problem": None}


def _stored(each: Contradiction) -> dict[str, Any]:
    said = {"kept": each.said or None, "other": each.said_other or None}
    return {"target": each.target, "what": each.what, "count": each.count, **said}
