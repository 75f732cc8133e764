"""Merging the labels of proven duplicates: rows of one image (equal `content`, so equal pixels on one grid).

The row that stays is taken at its word. What it leaves open (255 in a mask, -1 in `classes`, boxes and measures that it
does not have) is filled with what the rows say that were left out for it, the preferred ones first. Where they
contradict each other, the word of the row that stays is what `fused` has, and the other's is counted in
`provenance.merged` and in the report. Joined is what the annotators said, before it is encoded, so that an outlined
liver of one row and an outlined tumor of the other give liver, tumor and background as if one person had drawn both.
The row's own `label` is not touched.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medimg import licenses
from medimg.errors import SOURCE_FAULTS, FormatError, LabelError, MedimgError
from medimg.fusion.choices import Encoding
from medimg.fusion.duplicates import Contradiction
from medimg.fusion.errors import FusionError
from medimg.fusion.labels import (
    Facts,
    Harmonizer,
    Mask,
    absent_at,
    classify,
    encoded,
    known_at,
    looked_for,
    read_mask,
    single,
)
from medimg.fusion.parquet import ParquetRows
from medimg.fusion.semantics import ABSENT, PRESENT, UNKNOWN, above, infer
from medimg.licenses import Verdict
from medimg.pixels import Array, Volume
from medimg.readers import grids, volumes
from medimg.schema import Dimension

if TYPE_CHECKING:
    from medimg.fusion.sources import Rows

COLUMNS = ("id", "dataset", "label", "content", "license", "spacing")
"""What is read of a published row whose labels are merged: all but its image."""
NEAR = 64
"""Rows that are passed over rather than opening the file anew."""
DENSE = 1 << 16
"""Combinations of mask values up to which a plain table is used."""
IGNORE = 255


# ------------------------------------------------------------------------------------------ the rows to be merged


class Partner(NamedTuple):
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


class Partners:
    """Reads such rows when they are needed, one at a time. Can be pickled; a copy starts without open files.

    Args:
        members: by key.
        of: id of a row that stays -> rows whose labels it gets, the preferred ones first.
    """

    def __init__(self, members: Mapping[str, Rows], of: Mapping[str, Sequence[Partner]]) -> None:
        self._members = dict(members)
        self._of = {key: tuple(partners) for key, partners in of.items()}
        self._own: dict[str, dict[str, Any]] = {}
        self._open: dict[tuple[str, str], tuple[int, Iterator[dict[str, Any]]]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Partners, (self._members, self._of)

    def __len__(self) -> int:
        return len(self._of)

    def of(self, id: str) -> tuple[Partner, ...]:
        """Whose labels the row of this id gets."""
        return self._of.get(id, ())

    def read(self, partner: Partner) -> dict[str, Any]:
        """The row as it is stored; of a published one without its image.

        Raises:
            MedimgError: it cannot be read, or is not there any more.
        """
        member = self._members[partner.member]
        row = self._published(member, partner) if member.place is None else self._from_copy(member, partner)
        if row is None or row["id"] != partner.id:
            raise FormatError(
                "the row is not where it was",
                file=partner.id,
                next_step="start anew: its member has changed.",
            )
        return row

    def _published(self, member: Rows, partner: Partner) -> dict[str, Any] | None:
        """Rows that follow each other are read from one opened file."""
        key = partner.member, partner.split
        at, rows = self._open.pop(key, (0, None))
        if rows is None or not 0 <= partner.at - at < NEAR:
            files, counts = member.shards[partner.split]
            at, rows = partner.at, ParquetRows(files, counts, COLUMNS, member.storage_options)(partner.at)
        row: dict[str, Any] | None = next(islice(rows, partner.at - at, None), None)
        self._open[key] = (partner.at + 1, rows)
        return row

    def _from_copy(self, member: Rows, partner: Partner) -> dict[str, Any] | None:
        """Of one's own copy: the builder's light rows, found in one walk, of which one is decoded now."""
        if partner.member not in self._own:
            wanted = {
                each.id
                for partners in self._of.values()
                for each in partners
                if each.member == partner.member
            }
            self._own[partner.member] = known = {}
            for item in member.open(0):
                if (id_ := member.id(item)) in wanted:
                    known[id_] = item
                    if len(known) == len(wanted):
                        break
        found = self._own[partner.member].get(partner.id)
        return None if found is None else member.read(found[1])


def refusal(one: str, other: str) -> str:
    """Why the licenses of two rows do not let their labels become one work; empty where they do.

    Where one of the two may not be passed on as it is, the merged row may not either, and says so by its license
    (`merged_license`). Two that could both be passed on, and together could not, stay apart.
    """
    if one == other:
        return ""
    together = licenses.combine([one, other], adapted=True, pushed=False)
    if together.publish is not Verdict.RECIPE or any(
        licenses.combine([each], adapted=True, pushed=False).publish is Verdict.RECIPE
        for each in (one, other)
    ):
        return ""
    return f"{one} and {other} cannot meet in one row"


def merged_license(ids: Collection[str]) -> str:
    """The license of a row with labels under all of these: the strictest."""
    return licenses.combine(ids, adapted=True, pushed=False).strictest


# --------------------------------------------------------------------------------------------------- what is told


@dataclass(slots=True)
class Given:
    """What one row gave, and where it contradicts what stands."""

    targets: set[str] = field(default_factory=set)
    contradicts: list[Contradiction] = field(default_factory=list)


def merge(
    harmonizer: Harmonizer, row: Mapping[str, Any], others: Sequence[Mapping[str, Any]], dimension: Dimension
) -> tuple[dict[str, Any], list[Given]]:
    """The column `fused` of a row with what rows of the same image know beside it.

    What is known of the row itself is never changed; nothing is background that nobody looked for.

    Args:
        harmonizer: targets and encoding.
        row: the one that stays, pixels undecoded as {"bytes", "path"}.
        others: those that were left out for it, the preferred ones first; `image` is not needed.
        dimension: "2d" or "3d".

    Returns:
        (`fused`, for each of the others what it gave).

    Raises:
        LabelError: a mask holds a value that is not in its legend.
        FormatError: a mask that is not on the grid of the row.
        FusionError: see `Harmonizer`.
    """
    every = [row, *others]
    fused, *more = (harmonizer(_maskless(each), dimension) for each in every)
    given = [Given() for _ in others]
    targets = harmonizer.targets
    if targets:
        voices = [_Voice.of(each, dimension) for each in every]
        shown = _merge_masks(fused, row, voices, given, others, harmonizer, dimension)
        known = [
            classify(voice.facts, None if seen is None else _named(seen), targets, None in (seen or ()))
            for voice, seen in zip(voices, shown, strict=True)
        ]
        fused["classes"] = _merge_classes(known, targets, row, others, given)
        fused["label"] = single(fused["classes"], targets)
    absent = {name for name, state in zip(targets, fused["classes"], strict=True) if state == ABSENT}
    for kind in ("boxes", "measures"):
        for other, found, one in zip(others, more, given, strict=True):
            _merge_list(kind, fused, found, absent, row["id"], other["id"], one)
    return fused, given


def _maskless(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**row, "label": {**row["label"], "mask": None, "legend": []}}


# ----------------------------------------------------------------------------------------------------------- masks

Names = tuple[str, ...] | None
"""What a mask value shows; () is background, None is "not annotated here"."""


@dataclass
class _Voice:
    """What one row says of places.

    Attributes:
        id: of the row.
        facts: of its label.
        says: the different things that it says of a place, as facts and names; background of most places first.
        number: mask value -> index into `says`; `other`: the same for values that it does not have.
        mask: None where there is none.
        near: (n,) bool: where the second half of `says` holds, which is of places near something that is marked and
            not outlined; None where there is nothing such.
    """

    id: str
    facts: Facts
    says: tuple[tuple[Facts, Names], ...]
    number: dict[int, int]
    other: int | None
    mask: Mask | None
    near: Array | None

    @classmethod
    def of(cls, row: Mapping[str, Any], dimension: Dimension) -> _Voice:
        facts = Facts.of(row["label"])
        legend: dict[int, Names] = {0: (), **{value: names or None for value, names in facts.legend}}
        kinds = list(dict.fromkeys(legend.values()))
        number = {value: kinds.index(names) for value, names in legend.items()}
        instances = facts.instances and {value for value, _ in facts.legend} == {1}
        other = number[1] if instances else None
        if not facts.legend:
            return cls(row["id"], facts, ((facts, ()),), number, other, None, None)
        try:
            mask, most, close, places = read_mask(row, facts, dimension)
        except MedimgError as error:
            raise error.within(file=row["id"]) from None
        says = [(most, names) for names in kinds]
        near = None
        if places is not None:
            says += [(close, names) for names in kinds]
            near = np.zeros(len(mask.flat), dtype=bool)
            near[places] = True
        return cls(row["id"], facts, tuple(says), number, other, mask, near)

    def at(self, start: int, stop: int) -> Array:
        """(n,) indices into `says` of the pixels from `start` to `stop`."""
        assert self.mask is not None
        values = self.mask.integers(self.mask.flat[start:stop])
        if values.dtype == np.uint8:
            found, position = np.flatnonzero(np.bincount(values, minlength=256)), values
            lookup = np.zeros(256, dtype=np.int64)
            lookup[found] = self._numbers(found)
        else:
            found, position = np.unique(values, return_inverse=True)
            lookup = self._numbers(found)
        numbers: Array = lookup[position.reshape(-1)]
        if self.near is not None:
            numbers += self.near[start:stop] * (len(self.says) // 2)
        return numbers

    def _numbers(self, found: Array) -> Array:
        numbers = [self.number.get(int(value), self.other) for value in found]
        if None in numbers:
            strange = [int(value) for value in found if int(value) not in self.number][:10]
            raise LabelError(
                f"the mask holds the values {strange}, its legend only {sorted(self.number)}", file=self.id
            )
        return np.array(numbers, dtype=np.int64)


class _Place(NamedTuple):
    """What all rows together say of a place.

    Attributes:
        codes: as it is stored.
        gives, against: for each of the other rows the targets that it decides, and those that it contradicts.
    """

    codes: tuple[int, ...]
    gives: tuple[frozenset[str], ...]
    against: tuple[frozenset[str], ...]


@lru_cache(maxsize=1 << 14)
def _place(says: tuple[tuple[Facts, Names], ...], targets: tuple[str, ...], encoding: Encoding) -> _Place:
    """Join the rows' statements on one place, the first one's first.

    A row's word counts for a target that it shows here or looked for. What merely follows (no tumor, as there is no
    liver) gives way to the word of a row that looked. Of a row that contradicts, only its word is taken.
    """
    (facts, names), *others = says
    here = _Here.of(names, facts, targets)
    codes = encoded(here.known, here.looked, targets, encoding)
    gives: list[frozenset[str]] = []
    against: list[frozenset[str]] = []
    for facts, names in others:
        there = _Here.of(names, facts, targets)
        disagreed = here.disagreement(there)
        joined = here.joined(there, disagreed, targets)
        news = {
            n for n, (one, other) in enumerate(zip(here.known, joined.known, strict=True)) if one != other
        }
        coded = _tried(joined, targets, encoding)
        changed = coded is not None and any(a not in (IGNORE, b) for a, b in zip(codes, coded, strict=True))
        if coded is None or (changed and not disagreed):
            against.append(frozenset(targets[n] for n in disagreed | here.apart(there)))
            gives.append(frozenset())
            continue
        if encoding == "channels":
            news |= {n for n, sought in enumerate(joined.looked) if sought and not here.looked[n]}
        gives.append(frozenset(targets[n] for n in news))
        against.append(frozenset(targets[n] for n in disagreed))
        here, codes = joined, coded
    return _Place(codes, tuple(gives), tuple(against))


class _Here(NamedTuple):
    """What is said of a place.

    Attributes:
        known: PRESENT, ABSENT or UNKNOWN for each target.
        looked: whether somebody looked for it in the image.
        present, absent: terms that the place shows, and does not show.
        outlined, nowhere: of the rows that say so.
    """

    known: tuple[int, ...]
    looked: tuple[bool, ...]
    present: frozenset[str]
    absent: frozenset[str]
    outlined: frozenset[str]
    nowhere: frozenset[str]

    @classmethod
    def of(cls, names: Names, facts: Facts, targets: tuple[str, ...]) -> _Here:
        return cls(
            known_at(names, facts, targets),
            tuple(looked_for(target, facts.outlined, facts.nowhere) for target in targets),
            facts.certain(names or ()),
            frozenset() if names is None else absent_at(names, facts),
            facts.outlined,
            facts.nowhere,
        )

    @property
    def words(self) -> tuple[bool, ...]:
        """For each target whether that is the word of somebody who looked, or saw."""
        pairs = zip(self.known, self.looked, strict=True)
        return tuple(state == PRESENT or (state == ABSENT and sought) for state, sought in pairs)

    def disagreement(self, other: _Here) -> frozenset[int]:
        """Targets (as numbers) that are here for one and not for the other: where there are such, by their words."""
        states = enumerate(zip(self.known, other.known, strict=True))
        differing = frozenset(n for n, pair in states if UNKNOWN not in pair and pair[0] != pair[1])
        return frozenset(n for n in differing if self.words[n] and other.words[n]) or differing

    def apart(self, other: _Here) -> frozenset[int]:
        """Targets (as numbers) that only one of the two shows."""
        states = enumerate(zip(self.known, other.known, strict=True))
        return frozenset(n for n, pair in states if pair.count(PRESENT) == 1)

    def joined(self, other: _Here, disagreed: Collection[int], targets: tuple[str, ...]) -> _Here:
        """Both together; where they disagree, this one's word first."""
        present, absent = self.present, self.absent
        follows = (UNKNOWN,) * len(targets)
        if not disagreed:
            present, absent = present | other.present, absent | other.absent
            if not absent & {wider for name in present for wider in above(name)}:
                follows = infer(present, absent, targets)
        known = []
        for one, theirs, own, word, third in zip(
            self.known, other.known, self.words, other.words, follows, strict=True
        ):
            if not own and word:
                known.append(theirs)
            elif one != UNKNOWN or disagreed:
                known.append(one)
            else:
                known.append(theirs if theirs != UNKNOWN else third)
        outlined, nowhere = self.outlined | other.outlined, self.nowhere | other.nowhere
        looked = tuple(looked_for(target, outlined, nowhere) for target in targets)
        return _Here(tuple(known), looked, present, absent, outlined, nowhere)


def _tried(here: _Here, targets: Sequence[str], encoding: Encoding) -> tuple[int, ...] | None:
    """None where one map cannot hold it: two rows that outline different things at one place."""
    try:
        return encoded(here.known, here.looked, targets, encoding)
    except FusionError:
        return None


def _merge_masks(
    fused: dict[str, Any],
    row: Mapping[str, Any],
    voices: Sequence[_Voice],
    given: Sequence[Given],
    others: Sequence[Mapping[str, Any]],
    harmonizer: Harmonizer,
    dimension: Dimension,
) -> list[set[Names] | None]:
    """Write the merged mask into `fused`; returns for each voice what its mask shows somewhere, None without one."""
    if all(voice.mask is None for voice in voices):
        return [None] * len(voices)
    targets, encoding = harmonizer.targets, harmonizer.encoding
    like = _like(voices, row, dimension)
    maps, counts = _join(voices, targets, encoding)
    if voices[0].mask is not None or any(each.strip(bytes([IGNORE])) for each in maps):
        place = "mask" if encoding == "index" else "channels"
        fused[place] = like.stored(maps, None if encoding == "index" else len(maps))
    shown: list[set[Names]] = [set() for _ in voices]
    clashes: list[Counter[str]] = [Counter() for _ in others]
    for numbers, count in counts.items():
        says = _says(voices, numbers)
        for seen, (_, names) in zip(shown, says, strict=True):
            seen.add(names)
        found = _place(says, targets, encoding)
        for one, clash, gives, against in zip(given, clashes, found.gives, found.against, strict=True):
            one.targets |= gives
            clash.update(dict.fromkeys(against, count))
    for one, clash, other in zip(given, clashes, others, strict=True):
        one.contradicts += [
            Contradiction(row["id"], other["id"], target, "mask", clash[target])
            for target in targets
            if clash[target]
        ]
    return [seen if voice.mask is not None else None for voice, seen in zip(voices, shown, strict=True)]


def _named(shown: Iterable[Names]) -> frozenset[str]:
    return frozenset(name for names in shown for name in names or ())


def _says(voices: Sequence[_Voice], numbers: Sequence[int]) -> tuple[tuple[Facts, Names], ...]:
    return tuple(voice.says[number] for voice, number in zip(voices, numbers, strict=True))


def _join(
    voices: Sequence[_Voice], targets: tuple[str, ...], encoding: Encoding
) -> tuple[list[bytes], dict[tuple[int, ...], int]]:
    """The merged maps, and how many pixels have which combination of what the voices say (as indices)."""
    sizes = [len(voice.says) for voice in voices]
    total = math.prod(sizes)
    length = max(len(voice.mask.flat) for voice in voices if voice.mask is not None)
    maps = [bytearray() for _ in range(1 if encoding == "index" else len(targets))]
    counts: Counter[int] = Counter()

    def codes(combination: int) -> tuple[int, ...]:
        numbers = tuple(int(n) for n in np.unravel_index(combination, sizes))
        return _place(_says(voices, numbers), targets, encoding).codes

    for start in range(0, length, volumes.PIECE):
        stop = min(start + volumes.PIECE, length)
        joint = np.zeros(stop - start, dtype=np.int64)
        for voice, size in zip(voices, sizes, strict=True):
            joint *= size
            if voice.mask is not None:
                joint += voice.at(start, stop)
        if total <= DENSE:
            number = np.bincount(joint, minlength=total)
            found, position = np.flatnonzero(number), joint
            number = number[found]
            lookup = np.zeros((total, len(maps)), dtype=np.uint8)
            lookup[found] = [codes(int(each)) for each in found]
        else:
            found, position, number = np.unique(joint, return_inverse=True, return_counts=True)
            lookup = np.array([codes(int(each)) for each in found], dtype=np.uint8)
        counts.update(dict(zip(found.tolist(), number.tolist(), strict=True)))
        for channel, data in enumerate(maps):
            data += lookup[position.reshape(-1), channel].tobytes()
    return [bytes(data) for data in maps], {
        tuple(int(n) for n in np.unravel_index(each, sizes)): number for each, number in counts.items()
    }


def _like(voices: Sequence[_Voice], row: Mapping[str, Any], dimension: Dimension) -> Mask:
    """A mask on the row's grid. Raises FormatError where one has another shape, naming its row."""
    first = next(voice.mask for voice in voices if voice.mask is not None)
    if voices[0].mask is not None or dimension == "2d":
        like, shape = first, first.grid.shape if voices[0].mask is not None else tuple(row["shape"][:2])
    else:
        image = Volume(row["image"]["bytes"])
        empty = Volume.empty(grids.spatial(image.shape), np.uint8, image.affine)
        like = Mask(bytes(empty.nifti), dimension)
        shape = like.grid.shape
    for voice in voices:
        if voice.mask is not None and voice.mask.grid.shape != shape:
            raise FormatError(
                f"the mask has the shape {voice.mask.grid.shape}, that of the row it is merged into is {shape}",
                file=voice.id,
            )
    return like


# ------------------------------------------------------------------------------------- classes, boxes and measures


def _merge_classes(
    known: Sequence[Sequence[int]],
    targets: Sequence[str],
    row: Mapping[str, Any],
    others: Sequence[Mapping[str, Any]],
    given: Sequence[Given],
) -> list[int]:
    """The image as a whole: what is unknown is taken, but for what is a kind or a part of what they differ in."""
    words = {PRESENT: "present", ABSENT: "absent"}
    merged = list(known[0])
    for theirs, other, one in zip(known[1:], others, given, strict=True):
        clash = [
            n for n, state in enumerate(theirs) if UNKNOWN not in (state, merged[n]) and state != merged[n]
        ]
        one.contradicts += [
            Contradiction(
                row["id"], other["id"], targets[n], "classes", 1, words[merged[n]], words[theirs[n]]
            )
            for n in clash
        ]
        related = [targets[n] for n in clash]
        for n, (target, state) in enumerate(zip(targets, theirs, strict=True)):
            if merged[n] != UNKNOWN or state == UNKNOWN:
                continue
            if any(target in above(each) or each in above(target) for each in related):
                continue
            merged[n] = state
            one.targets.add(target)
    return merged


def _merge_list(
    kind: str,
    fused: dict[str, Any],
    found: Mapping[str, Any],
    absent: Collection[str],
    kept: str,
    other: str,
    given: Given,
) -> None:
    """Boxes or measures of names that the row has none of; of names that both have, what differs is told."""
    own, theirs = _by_name(fused[kind]), _by_name(found[kind])
    for name, entries in theirs.items():
        if name not in own:
            if kind == "measures" or name not in absent:
                fused[kind] = [*fused[kind], *entries]
                given.targets.add(name)
        elif not _alike(kind, own[name], entries):
            said, said_other = (_told(kind, each) for each in (own[name], entries))
            given.contradicts.append(Contradiction(kept, other, name, kind, len(entries), said, said_other))


def _by_name(entries: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    named: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        named.setdefault(entry["name"], []).append(entry)
    return named


def _numbers(kind: str, entries: Iterable[Mapping[str, Any]]) -> Array:
    values = sorted(tuple(each["box"]) if kind == "boxes" else (each["value"],) for each in entries)
    return np.array(values, dtype=np.float64)


def _alike(kind: str, one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> bool:
    """Whether two rows state the same numbers (to single precision, in which boxes are stored)."""
    first, second = _numbers(kind, one), _numbers(kind, other)
    units = ({each.get("unit") for each in entries} for entries in (one, other))
    return (
        first.shape == second.shape
        and np.allclose(first, second, rtol=1e-6, atol=1e-6)
        and (kind == "boxes" or next(units) == next(units))
    )


def _told(kind: str, entries: Sequence[Mapping[str, Any]]) -> str:
    if kind == "boxes":
        return f"{len(entries)} box" + ("es" if len(entries) > 1 else "")
    return ", ".join(f"{each['value']:g} {each['unit']}" for each in entries)


# ---------------------------------------------------------------------------------------------------- a fused row


def with_partners(
    partners: Partners, harmonizer: Harmonizer, row: Mapping[str, Any], dimension: Dimension
) -> tuple[dict[str, Any], list[dict[str, Any]], str, list[Contradiction]]:
    """The column `fused` of a row and what its duplicates add to it.

    A duplicate that cannot be read, or shows other pixels than when it was compared, adds nothing; why is said.

    Returns:
        (`fused`, entries of `provenance.merged`, the row's license, contradictions).
    """
    read: dict[str, dict[str, Any]] = {}
    entries = {partner.id: _entry(partner) for partner in partners.of(row["id"])}
    for partner in partners.of(row["id"]):
        try:
            other = partners.read(partner)
        except (MedimgError, *SOURCE_FAULTS) as error:
            entries[partner.id]["problem"] = str(error)
            continue
        if other["content"] == row["content"]:
            read[partner.id] = {key: other[key] for key in COLUMNS}
            entries[partner.id]["license"] = other["license"]
        else:
            entries[partner.id]["problem"] = "it shows other pixels than when it was compared"
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


def _entry(partner: Partner) -> dict[str, Any]:
    """An entry of `provenance.merged` that has given nothing yet."""
    place = {"member": partner.member, "id": partner.id, "split": partner.split}
    return {**place, "license": None, "targets": [], "contradicts": [], "problem": None}


def _stored(each: Contradiction) -> dict[str, Any]:
    said = {"kept": each.said or None, "other": each.said_other or None}
    return {"target": each.target, "what": each.what, "count": each.count, **said}


__all__ = [
    "Given",
    "Partner",
    "Partners",
    "merge",
    "merged_license",
    "refusal",
    "with_partners",
]
