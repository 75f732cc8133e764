"""DICOM series as stacks that have one image at each place.

Dynamic and multi-echo series hold several images at each place, localizers planes of several directions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from itertools import pairwise
from math import dist, hypot
from typing import TYPE_CHECKING, Any, NamedTuple

from medimg.errors import MedimgError
from medimg.readers import dicom
from medimg.readers.dicom import Placed

if TYPE_CHECKING:
    from medimg.files import File

APART = (
    "ImageType TemporalPositionIdentifier AcquisitionNumber DiffusionBValue FlipAngle EchoNumbers EchoTime TriggerTime"
).split()
"""Tags that may tell apart images at one place, in the order in which they are tried."""
EVEN = 0.2
"""How far steps of an even stack may differ, as a part of one."""


class Stack(NamedTuple):
    """Images of a series, one at each place.

    Attributes:
        apart: what sets it apart from the other stacks of its series, e.g. {"EchoTime": 4.6}; nothing where it is the
            only one. "frame" counts from 0 in the order of InstanceNumber where no tag tells.
        files: its images.
    """

    apart: dict[str, Any]
    files: list[File]

    def name(self, *series: str) -> str:
        """Of its row: the series', and what sets it apart."""
        return "_".join([*series, *(f"{key}-{value}" for key, value in self.apart.items())])


def stacks(files: Sequence[File]) -> list[Stack]:
    """The stacks of a series. What cannot be read or told apart is one stack: the reader says why."""
    try:
        images = dicom.placed(files)
    except MedimgError:
        return [Stack({}, [*files])]
    planes = _groups(images, lambda one: (one.tags.get("SeriesInstanceUID"), one.direction))
    if len(planes) > 1 and (any(uid is None for uid, _ in planes) or _broken([*planes.values()])):
        return [Stack({}, [*files])]
    parts = [part for plane in planes.values() for part in _sizes(plane)]
    found = []
    for number, part in enumerate(parts):
        where = {"direction": number} if len(parts) > 1 else {}
        for apart, some in _told_apart(part):
            found.append(Stack(where | apart, [one.file for one in some]))
    return found


def _groups(images: Sequence[Placed], key: Callable[[Placed], Hashable]) -> dict[Any, list[Placed]]:
    found: dict[Any, list[Placed]] = {}
    for one in images:
        found.setdefault(key(one), []).append(one)
    return found


def _broken(planes: list[list[Placed]]) -> bool:
    """Whether an image has a wrong direction, so that it is none of a stack, or of a localizer."""
    lone = [plane[0] for plane in planes if len(plane) == 1]
    if lone and any(_single(plane) and not _even(plane) for plane in planes):
        return True
    return any(_belongs(one, plane) for one in lone for plane in planes if plane[0] is not one)


def _belongs(lone: Placed, plane: list[Placed]) -> bool:
    """Whether an image lies where a slice of an even stack would."""
    stack = {one.place: one for one in plane}
    if len(stack) < 2:
        return False
    at = [one.tags["ImagePositionPatient"] for one in sorted(stack.values(), key=lambda one: one.mm)]
    place = lone.tags["ImagePositionPatient"]
    steps = [[a - b for a, b in zip(other, one, strict=True)] for one, other in pairwise(at)]
    near = EVEN * min(hypot(*step) for step in steps)
    if any(dist(place, one) <= near for one in at):
        return True  # one of several images at that place
    along = sorted((*at, place), key=lambda one: sum(a * b for a, b in zip(one, steps[0], strict=True)))
    first, last, count = along[0], along[-1], len(along) - 1
    even = ([a + (b - a) * n / count for a, b in zip(first, last, strict=True)] for n in range(count + 1))
    return all(dist(one, wanted) <= near for one, wanted in zip(along, even, strict=True))


def _sizes(plane: list[Placed]) -> list[list[Placed]]:
    """Parallel images of several sizes apart, where each size is a stack along most of the way."""
    sizes = [*_groups(plane, lambda one: (one.tags.get("Rows"), one.tags.get("Columns"))).values()]
    whole = _extent(plane)
    if all(len(some) > 1 and _even(some) and _extent(some) > 0.5 * whole for some in sizes):
        return sizes
    return [plane]  # of one size, or the reader says which image is another


def _extent(plane: list[Placed]) -> float:
    places = [one.mm for one in plane]
    return max(places) - min(places)


def _single(plane: list[Placed]) -> bool:
    """Whether there is one image at each place."""
    return len({one.place for one in plane}) == len(plane)


def _even(plane: list[Placed]) -> bool:
    places = sorted({one.place: one.mm for one in plane}.values())
    steps = [other - one for one, other in pairwise(places)]
    return not steps or max(steps) - min(steps) <= EVEN * max(steps)


def _told_apart(plane: list[Placed]) -> list[tuple[dict[str, Any], list[Placed]]]:
    """Parallel images of one size as stacks, each with what sets it apart."""
    if _single(plane):
        if not _even(plane):  # perhaps two acquisitions that overlap
            groups = _groups(plane, lambda one: one.tags.get("AcquisitionNumber"))
            if len(groups) > 1 and all(len(one) > 1 and _even(one) for one in groups.values()):
                return [({"AcquisitionNumber": key}, one) for key, one in groups.items()]
        return [({}, plane)]
    at = _groups(sorted(plane, key=_instance), lambda one: one.place)
    least = min(2, len(at))
    for keyword in APART:
        groups = _groups(plane, partial(_text, keyword))
        if len(groups) > 1 and all(len(one) >= least and _single(one) for one in groups.values()):
            return [({keyword: one[0].tags.get(keyword)}, one) for one in groups.values()]
    counts = {len(one) for one in at.values()}
    if len(counts) > 1:  # nothing tells them apart: the reader says so
        return [({}, plane)]
    return [({"frame": n}, [one[n] for one in at.values()]) for n in range(counts.pop())]


def _text(keyword: str, one: Placed) -> str:
    return str(one.tags.get(keyword))


def _instance(one: Placed) -> float:
    number = one.tags.get("InstanceNumber")
    return number if isinstance(number, int | float) else 0
