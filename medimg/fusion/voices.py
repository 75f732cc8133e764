"""What several rows say of one place of one image, joined as if one person had drawn it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from medimg.errors import FormatError, LabelError, MedimgError
from medimg.fusion.choices import Encoding
from medimg.fusion.errors import FusionError
from medimg.fusion.facts import IGNORE, Facts, absent_at, encoded, known_at, looked_for
from medimg.fusion.maps import Mask, looked_up, read_mask
from medimg.fusion.semantics import ABSENT, PRESENT, UNKNOWN, above, infer
from medimg.pixels import Array, Volume
from medimg.readers import grids, levels
from medimg.schema import Dimension

DENSE = 1 << 16
"""Combinations of mask values up to which a plain table is used."""

# ----------------------------------------------------------------------------------------------------------- masks

Names = tuple[str, ...] | None
"""What a mask value shows; () is background, None is "not annotated here"."""


@dataclass
class Voice:
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
    def of(cls, row: Mapping[str, Any], dimension: Dimension) -> Voice:
        """The voice of a stored row. Raises LabelError, FormatError where its mask cannot be read."""
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
        try:
            table, position, _ = looked_up(values, self.number, self.other)
        except LabelError as error:
            raise error.within(file=self.id) from None
        numbers: Array = table[position]
        if self.near is not None:
            numbers += self.near[start:stop] * (len(self.says) // 2)
        return numbers


class Place(NamedTuple):
    """What all rows together say of a place.

    Attributes:
        codes: as it is stored.
        gives, against: for each of the other rows the targets that it decides, and those that it contradicts.
    """

    codes: tuple[int, ...]
    gives: tuple[frozenset[str], ...]
    against: tuple[frozenset[str], ...]


@lru_cache(maxsize=1 << 14)
def place_of(says: tuple[tuple[Facts, Names], ...], targets: tuple[str, ...], encoding: Encoding) -> Place:
    """Join the rows' statements on one place, the first one's first.

    A row's word counts for a target that it shows here or looked for. What merely follows (no tumor, as there is no
    liver) gives way to the word of a row that looked. Of a row that contradicts, only its word is taken.
    """
    (facts, names), *others = says
    here = Here.of(names, facts, targets)
    codes = encoded(here.known, here.looked, targets, encoding)
    gives: list[frozenset[str]] = []
    against: list[frozenset[str]] = []
    for facts, names in others:
        there = Here.of(names, facts, targets)
        disagreed = here.disagreement(there)
        joined = here.joined(there, disagreed, targets)
        news = {n for n, (one, other) in enumerate(zip(here.known, joined.known, strict=True)) if one != other}
        coded: tuple[int, ...] | None = None
        with suppress(FusionError):  # one map cannot hold two rows that outline different things at one place
            coded = encoded(joined.known, joined.looked, targets, encoding)
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
    return Place(codes, tuple(gives), tuple(against))


class Here(NamedTuple):
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
    def of(cls, names: Names, facts: Facts, targets: tuple[str, ...]) -> Here:
        """What one row says where its mask shows these names."""
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

    def disagreement(self, other: Here) -> frozenset[int]:
        """Targets (as numbers) that are here for one and not for the other: where there are such, by their words."""
        states = enumerate(zip(self.known, other.known, strict=True))
        differing = frozenset(n for n, pair in states if UNKNOWN not in pair and pair[0] != pair[1])
        return frozenset(n for n in differing if self.words[n] and other.words[n]) or differing

    def apart(self, other: Here) -> frozenset[int]:
        """Targets (as numbers) that only one of the two shows."""
        states = enumerate(zip(self.known, other.known, strict=True))
        return frozenset(n for n, pair in states if pair.count(PRESENT) == 1)

    def joined(self, other: Here, disagreed: Collection[int], targets: tuple[str, ...]) -> Here:
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
        return Here(tuple(known), looked, present, absent, outlined, nowhere)


def says_of(voices: Sequence[Voice], numbers: Sequence[int]) -> tuple[tuple[Facts, Names], ...]:
    """What each of the voices says, by its index into `says`."""
    return tuple(voice.says[number] for voice, number in zip(voices, numbers, strict=True))


def join(
    voices: Sequence[Voice], targets: tuple[str, ...], encoding: Encoding
) -> tuple[Array, dict[tuple[int, ...], int]]:
    """The merged maps, (1 or targets, n) uint8; and how many pixels have which combination of says (as indices)."""
    sizes = [len(voice.says) for voice in voices]
    total = math.prod(sizes)
    length = max(len(voice.mask.flat) for voice in voices if voice.mask is not None)
    maps = np.empty((1 if encoding == "index" else len(targets), length), np.uint8)
    counts: Counter[int] = Counter()

    def codes(combination: int) -> tuple[int, ...]:
        numbers = tuple(int(n) for n in np.unravel_index(combination, sizes))
        return place_of(says_of(voices, numbers), targets, encoding).codes

    for start in range(0, length, levels.PIECE):
        stop = min(start + levels.PIECE, length)
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
        maps[:, start:stop] = lookup.T.take(position.reshape(-1), axis=1)
    return maps, {tuple(int(n) for n in np.unravel_index(each, sizes)): number for each, number in counts.items()}


def grid_of(voices: Sequence[Voice], row: Mapping[str, Any], dimension: Dimension) -> Mask:
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
