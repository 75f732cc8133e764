"""Points and boxes of things that the mask does not show: where the mask's background cannot be trusted.

A mask says what it outlines and that the rest is background. Where the same label marks a thing by a point or a box and
the mask says that it is not there (nodules under 3 mm in LIDC-IDRI beside outlined ones; a nodule outside the outlined
lungs), the mask's background is not without it. How far it reaches is known as far as its box, or by what its name says
of its size: within that of the mark nothing is known of it. Where neither is known, nothing is known of it in the whole
background.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medimg import vocab
from medimg.fusion.semantics import ABSENT, above, wholes
from medimg.pixels import Array

KINDS = ("is_a",)
TOUCHING = 0.5 - 1e-6
"""A voxel reaches half a voxel from its center; a box that ends where a voxel begins does not touch it."""
Known = Callable[[tuple[str, ...] | None, tuple[str, ...]], tuple[int, ...]]
"""(names of a mask value, None where nothing was annotated; terms) -> PRESENT, ABSENT or UNKNOWN for each term."""
Doubt = tuple[str, frozenset[str]]
"""What is marked, and what the mask wrongly says to be absent there: itself, what it is a kind or a part of."""


@dataclass(frozen=True)
class Unplaced:
    """What is marked where the mask says that it is not.

    Attributes:
        everywhere: how far it reaches is not known.
        near: it reaches no further than `region`.
        region: (the mask's grid) bool; None where there is none.
    """

    everywhere: frozenset[Doubt] = frozenset()
    near: frozenset[Doubt] = frozenset()
    region: Array | None = None


@dataclass(frozen=True)
class _Mark:
    """A point (low = high) or a box, in voxels along the array's axes, counted from the first one's center."""

    name: str
    low: Array
    high: Array

    @property
    def is_point(self) -> bool:
        return bool((self.low == self.high).all())

    def holds(self, other: _Mark) -> bool:
        """Whether this is the box of that point."""
        alike = above(self.name, KINDS) & above(other.name, KINDS)
        return bool(alike and (self.low <= other.low).all() and (other.high <= self.high).all())


def unplaced(
    label: Mapping[str, Any],
    legend: Mapping[int, tuple[str, ...]],
    array: Array,
    integers: Callable[[Array], Array],
    known: Known,
    spacing: Sequence[float] | None,
) -> Unplaced:
    """What the label marks where its mask says that it is absent.

    Args:
        label: stored, with `boxes`, `points` and `instances`.
        legend: mask value -> names; of instances the names of value 1 hold for all.
        array: the mask on the image's grid: (height, width), or (i, j, k).
        integers: values of stored ones.
        known: what the mask says where it shows some names.
        spacing: mm per voxel along the array's axes; None where it is unknown.
    """
    marks = list(_marks(label, flat=array.ndim == 2))
    # Most marks are of what the mask cannot speak of, or of what its background does not exclude.
    excluded = {name for name in {mark.name for mark in marks} if known((), (name,)) == (ABSENT,)}
    marks = [mark for mark in marks if mark.name in excluded]
    if not marks:
        return Unplaced()
    default = legend.get(1, ()) if label.get("instances") else ()

    def shown(piece: Array) -> list[tuple[str, ...] | None]:
        return [legend.get(int(value), default) or None if value else () for value in np.unique(integers(piece))]

    def one_of_a_kind(name: str) -> bool:
        """A structure that an image has once: a point that misses its outline still means that one."""
        return (
            name not in vocab.finding
            and not label.get("instances")
            and any(name in names for names in shown(array) if names)
        )

    boxes = [mark for mark in marks if not mark.is_point]
    everywhere, near = set(), set()
    region: Array | None = None
    for mark in marks:
        here = shown(array[_around(mark, array.shape, 1.0 if mark.is_point else TOUCHING)])
        wrong = _wrong(mark.name, here, known)
        if mark.name not in wrong or one_of_a_kind(mark.name):
            continue
        if mark.is_point and any(box.holds(mark) for box in boxes):
            continue  # the box says how far it reaches
        reach = 0.0 if not mark.is_point else _largest(mark.name)
        if reach is None or (reach and spacing is None):
            everywhere.add((mark.name, wrong))
            continue
        region = np.zeros(array.shape, dtype=bool) if region is None else region
        near.add((mark.name, wrong))
        _paint(region, mark, reach, spacing)
    return Unplaced(frozenset(everywhere), frozenset(near), region)


def _wrong(name: str, here: Sequence[tuple[str, ...] | None], known: Known) -> frozenset[str]:
    """Of what the marked thing is, those that the mask says to be absent all around the mark, with their parts."""
    terms = tuple(above(name))
    states = [known(names, terms) for names in here]
    absent = {term for n, term in enumerate(terms) if all(each[n] == ABSENT for each in states)}
    todo = list(absent)
    while todo:
        parts = {part for way in wholes().get(todo.pop(), ()) for part in way} - absent
        absent |= parts
        todo += parts
    return frozenset(absent)


def _marks(label: Mapping[str, Any], *, flat: bool) -> Iterator[_Mark]:
    axes = 2 if flat else 3
    order = slice(None, None, -1) if flat else slice(None)  # x, y of pictures are columns and rows
    for entry in label.get("boxes") or ():
        corners = np.asarray(entry["box"], dtype=float)
        if len(corners) == 2 * axes:
            # Half-open edges count from the first voxel's corner, points from its center.
            yield _Mark(entry["name"], corners[:axes][order] - 0.5, corners[axes:][order] - 0.5)
    for entry in label.get("points") or ():
        point = np.asarray(entry["point"], dtype=float)
        if len(point) == axes:
            yield _Mark(entry["name"], point[order], point[order])


def _largest(name: str) -> float | None:
    """Mm that something of this name reaches at most; None where its name says nothing of it."""
    known = [size for term in above(name, KINDS) if (size := vocab.label[term].largest) is not None]
    return min(known, default=None)


def _around(mark: _Mark, shape: Sequence[int], margin: float | Array) -> tuple[slice, ...]:
    """The voxels within the margin of a mark; at least one, also where the mark lies outside."""
    last = np.array(shape) - 1
    low = np.clip(np.ceil(mark.low - margin), 0, last).astype(int)
    high = np.clip(np.floor(mark.high + margin), low, last).astype(int)
    return tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))


def _paint(region: Array, mark: _Mark, reach: float, spacing: Sequence[float] | None) -> None:
    """Set the voxels within `reach` mm of a point, or those that a box touches."""
    if not reach:
        region[_around(mark, region.shape, TOUCHING)] = True
        return
    assert spacing is not None
    steps = np.asarray(spacing[: region.ndim], dtype=float)
    # A voxel belongs to the thing where any part of it does: half a voxel more in each direction.
    where = _around(mark, region.shape, reach / steps + 0.5)
    axes = np.ogrid[where]
    distance = sum(
        (np.maximum(np.abs(axis - at) - 0.5, 0) * step) ** 2
        for axis, at, step in zip(axes, mark.low, steps, strict=True)
    )
    region[where] |= distance <= reach**2
