"""Where the planes of DICOM files are: their order, and the affine that they make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medimg.errors import FormatError, GeometryError
from medimg.pixels import Array, check_affine
from medimg.readers.dicom_file import frame_groups, group_item, number_of, plain, value_of
from medimg.readers.grids import DIRECTION, VoxelGrid

SPACING = 2e-4
"""Pixels of one stack have one size within this part of it: 0.1 pixel across 512."""
STRAY = 0.2
"""Slices that stray by at most this part of their distance from even places count as even."""
SAME_PLACE = 0.02
"""Two images are at one place where they are this part of a pixel apart, or less (but see `same_place`)."""
TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From DICOM's LPS to RAS and back."""


@dataclass(frozen=True, eq=False)
class Plane:
    """Where one plane is: position and directions in LPS mm, spacing (between rows, columns) in mm."""

    name: str
    position: Array
    orientation: Array
    spacing: tuple[float, float]
    thickness: float | None


@dataclass(frozen=True, eq=False)
class Layout:
    """The planes of a stack in order, and the affine that they make.

    Attributes:
        order: numbers of the planes.
        affine: 4x4, RAS+ in mm.
        origins: (planes, 3): position of each plane, in order, RAS+ in mm.
        notes: for `meta`.
        unsized: why the size of the voxels is not known; None where it is.
    """

    order: list[int]
    affine: Array
    origins: Array | None
    notes: dict[str, Any]
    unsized: str | None = None

    @property
    def uneven(self) -> Array | None:
        """The origins where the affine does not say them."""
        return self.origins if "uneven" in self.notes else None

    def grid(self, shape: tuple[int, ...]) -> VoxelGrid:
        """The grid of such planes, `shape` voxels along i, j, k."""
        return VoxelGrid(shape, self.affine, self.origins, self.uneven is not None)


def floats(dataset: Any, keyword: str, count: int, file: str) -> Array:
    """A tag's numbers. Raises GeometryError: missing, another count, no numbers, or not finite."""
    value = value_of(dataset, keyword)
    if value is None:
        raise GeometryError(f"states no {keyword}", file=file, next_step="this image has no place in the patient")
    try:
        numbers = np.array([float(v) for v in value], dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise GeometryError(f"{keyword} = {plain(value)} should be {count} finite numbers", file=file)
    return numbers


def plane_of(source: Any, orientation: Any, measures: Any, name: str) -> Plane:
    """Read a plane from the (functional group) data sets that hold position, orientation and spacing."""
    spacing = floats(measures, "PixelSpacing", 2, name)
    if min(spacing) <= 0:
        raise GeometryError(f"PixelSpacing = {spacing.tolist()}", file=name)
    directions = floats(orientation, "ImageOrientationPatient", 6, name)
    row, column = directions[:3], directions[3:]
    crooked = (abs(row @ row - 1), abs(column @ column - 1), abs(row @ column))
    if max(crooked) > 10 * DIRECTION:
        raise GeometryError(f"ImageOrientationPatient = {directions.tolist()} is no pair of directions", file=name)
    return Plane(
        name,
        floats(source, "ImagePositionPatient", 3, name),
        directions,
        (float(spacing[0]), float(spacing[1])),
        _thickness(measures),
    )


def _thickness(measures: Any) -> float | None:
    """Mm, None where the header does not say; it is needed for single slices alone, so a damaged one is not known."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        try:
            number = number_of(measures, keyword, 0.0)
        except FormatError:
            continue
        if number:
            return abs(number)
    return None


def same_place(spacing: Sequence[float]) -> float:
    """Two images are at one place where they are this far apart along the normal, or less: mm."""
    return max(1e-3, SAME_PLACE * min(spacing))


def clusters(values: Array, tolerance: float) -> list[int]:
    """The cluster of each of (n, d) values: those that a chain of steps of at most `tolerance` joins are one.

    A step counts by its largest coordinate. Clusters are numbered in the order in which they come first. No value lies
    at the edge of a bin, as it would if they were rounded.
    """
    values = np.asarray(values, dtype=np.float64)
    distinct, member = np.unique(values, axis=0, return_inverse=True)
    member = member.reshape(-1)
    label = np.full(len(distinct), -1)
    for start in range(len(distinct)):
        if label[start] >= 0:
            continue
        label[start], todo = start, [start]
        while todo:
            near = np.abs(distinct - distinct[todo.pop()]).max(axis=1) <= tolerance
            found = np.flatnonzero(near & (label < 0))
            label[found] = start
            todo += found.tolist()
    numbers: dict[int, int] = {}
    return [numbers.setdefault(int(label[one]), len(numbers)) for one in member]


def lay_out(planes: Sequence[Plane], allow_gaps: bool, why_tied: Any) -> Layout:
    """Order planes along their normal and find the affine.

    A position may stray from even spacing by 1 % of the distance between slices, or by 0.1 mm where headers
    are rounded, but never by more than a fifth of that distance (`STRAY`). Directions of one stack agree within
    `DIRECTION`.

    Args:
        planes: at least one.
        allow_gaps: take uneven spacing; it is recorded.
        why_tied: (index, index) -> hint, called for two planes at one place.

    Raises:
        GeometryError: planes are not parallel, differ in spacing, stand in one place or not on a line, or are
            uneven.
    """
    first = planes[0]
    # The middle of what the headers say, whatever the order of the files.
    directions = np.median([plane.orientation for plane in planes], axis=0)
    for plane in planes:
        if not np.allclose(plane.orientation, directions, rtol=0, atol=DIRECTION):
            beside = next(one for one in planes if one is not plane)
            raise GeometryError(
                f"{plane.name} and {beside.name} are not parallel: ImageOrientationPatient "
                f"{plane.orientation.tolist()} and {beside.orientation.tolist()}",
                file=plane.name,
                next_step="group by orientation first; localizers are told by ImageType",
            )
        if not np.allclose(plane.spacing, first.spacing, rtol=SPACING, atol=0):
            raise GeometryError(
                f"PixelSpacing {list(plane.spacing)} differs from {list(first.spacing)} of {first.name}",
                file=plane.name,
            )
    normal = np.cross(directions[:3], directions[3:])
    along = np.array([normal @ plane.position for plane in planes])
    order = [int(n) for n in np.argsort(along, kind="stable")]
    steps = np.diff(along[order])
    same = same_place(first.spacing)
    apart = steps[steps > same]
    usual = float(np.median(apart)) if apart.size else 0.0
    for tied in np.flatnonzero(steps <= max(same, 0.01 * usual)):
        one, other = order[tied], order[tied + 1]
        raise GeometryError(
            f"{planes[one].name} and {planes[other].name} are at the same place ({along[one]:.3f} mm along the normal)",
            file=planes[other].name,
            next_step=why_tied(one, other),
        )
    origin, last = planes[order[0]].position, planes[order[-1]].position
    notes: dict[str, Any] = {}
    unsized = None
    if len(order) == 1:
        step = normal * (first.thickness or 1.0)
        notes["slice_spacing_from"] = "header" if first.thickness else "nowhere: 1 mm"
        unsized = None if first.thickness else "a single slice that states no thickness"
    else:
        step = (last - origin) / (len(order) - 1)
        allowed = max(0.01 * usual, min(0.1, STRAY * usual))
        ideal = origin + step * np.arange(len(order))[:, None]
        strays = np.linalg.norm(np.array([planes[n].position for n in order]) - ideal, axis=1)
        if strays.max() > allowed:
            widest = int(np.argmax(steps))
            text = (
                f"slices are {usual:.3f} mm apart, but {steps[widest]:.3f} mm between "
                f"{planes[order[widest]].name} and {planes[order[widest + 1]].name}"
            )
            if steps.max() - steps.min() <= 2 * allowed:
                worst = int(np.argmax(strays))
                text = f"slices are not on one line: {planes[order[worst]].name} is {strays[worst]:.3f} mm off"
            if not allow_gaps:
                raise GeometryError(
                    text,
                    file=planes[order[min(widest + 1, len(order) - 1)]].name,
                    next_step="see whether a slice is missing; allow_gaps=True takes the series as it is",
                )
            step = step / float(step @ normal) * usual
            notes["uneven"] = text.replace(planes[order[widest]].name, f"slice {widest}").replace(
                planes[order[widest + 1]].name, f"slice {widest + 1}"
            )
            notes["slice_positions_mm"] = [round(float(p), 4) for p in along[order]]
        tilt = math.degrees(math.acos(min(1.0, abs(float(step @ normal)) / float(np.linalg.norm(step)))))
        if tilt > 0.1:
            notes["slices_sheared_by_degrees"] = round(tilt, 3)
    affine = np.eye(4)
    affine[:3, 0] = directions[:3] * first.spacing[1]
    affine[:3, 1] = directions[3:] * first.spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = origin
    affine = TO_RAS @ affine
    check_affine(affine)
    origins = np.array([planes[n].position for n in order]) @ TO_RAS[:3, :3]
    return Layout(order, affine, origins, notes, unsized)


def frame_plane(dataset: Any, n: int, name: str) -> Plane | None:
    """Where frame n is; None where the file does not say."""
    groups = frame_groups(dataset, n)
    position = group_item(groups, "PlanePositionSequence")
    orientation = group_item(groups, "PlaneOrientationSequence")
    measures = group_item(groups, "PixelMeasuresSequence")
    if position is None or orientation is None or measures is None:
        return None
    return plane_of(position, orientation, measures, name)
