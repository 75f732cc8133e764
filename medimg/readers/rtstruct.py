"""DICOM RT structure sets: contours that were drawn on the slices of a series, and the voxels that they hold.

Contours are placed by their own coordinates, so structure sets whose references to single images are
incomplete work too. A slice takes the contours of a structure from the plane nearest to it, at most half the
distance between slices away (from two planes that are equally near, what either holds). A voxel belongs to a
contour where its center is inside (even-odd rule).

Several contours of one structure in one plane: one that is stored twice counts once; one that lies wholly
inside another is a hole, one inside that an island, and so on; others are joined. Contours of the type
CLOSEDPLANAR_XOR are combined by exclusive or, as DICOM says. `drawn` makes a label map of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medimg.errors import FormatError, GeometryError
from medimg.pixels import Array
from medimg.readers.contours import rasterize
from medimg.readers.dicom_file import key_of, open_dataset, value_of
from medimg.readers.dicom_planes import TO_RAS, clusters
from medimg.readers.grids import VolumePixels, VoxelGrid, grid_of
from medimg.readers.promises import reading
from medimg.readers.volumes import Painter

if TYPE_CHECKING:
    from medimg.files import File

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
"""Contours that enclose an area; points and open lines have none."""
_TAGS = (
    "Modality",
    "SegmentSequence",
    "StructureSetROISequence",
    "ROIContourSequence",
    "ReferencedFrameOfReferenceSequence",
    "ReferencedSeriesSequence",
)


class Roi(NamedTuple):
    """One structure of a structure set.

    Attributes:
        number: ROINumber.
        name: ROIName, verbatim.
        closed: contours that enclose an area.
        other: points, open lines, and contours of fewer than three points.
    """

    number: int
    name: str
    closed: int
    other: int


def references(file: File) -> tuple[str, ...]:
    """SeriesInstanceUIDs of the images that a structure set or a DICOM SEG says it was drawn on.

    Raises:
        FormatError: it is no DICOM.
    """
    with reading(file):
        dataset = _read(file)
        found = list(dataset.get("ReferencedSeriesSequence") or ())
        for frame in dataset.get("ReferencedFrameOfReferenceSequence") or ():
            for study in frame.get("RTReferencedStudySequence") or ():
                found += study.get("RTReferencedSeriesSequence") or ()
        uids = (str(one.get("SeriesInstanceUID") or "") for one in found)
        return tuple(dict.fromkeys(uid for uid in uids if uid))


def rois(file: File) -> list[Roi]:
    """The structures of a structure set, in the file's order, also those without any contour.

    Raises:
        FormatError: it is no RT structure set.
    """
    with reading(file):
        dataset = _structures(file)
        counts: dict[int, tuple[int, int]] = {}
        for number, kind, data in _contours(dataset):
            closed, other = counts.get(number, (0, 0))
            area = kind in CLOSED and len(data) >= 9
            counts[number] = (closed + 1, other) if area else (closed, other + 1)
        named = [(key_of(item, "ROINumber"), item) for item in dataset.StructureSetROISequence]
        return [Roi(number, str(item.get("ROIName") or ""), *counts.get(number, (0, 0))) for number, item in named]


def _read(file: File) -> Any:
    with reading(file), file.open() as stream:
        return open_dataset(stream, _TAGS)


def _structures(file: File) -> Any:
    dataset = _read(file)
    if not dataset.get("StructureSetROISequence"):
        raise FormatError("no RT structure set: it has no StructureSetROISequence", file=file.path)
    return dataset


def _contours(dataset: Any) -> Iterator[tuple[int, str, Any]]:
    """(ROI number, geometric type, coordinates) of every contour."""
    for roi in dataset.get("ROIContourSequence") or ():
        for contour in roi.get("ContourSequence") or ():
            kind = str(contour.get("ContourGeometricType") or "").upper()
            yield key_of(roi, "ReferencedROINumber"), kind, value_of(contour, "ContourData") or ()


class _Contour(NamedTuple):
    """A closed contour: `points` (n, 3) in RAS mm, `height` along the normal of the slices."""

    kind: str
    points: Array
    height: float


class _Told(NamedTuple):
    """What is not in the mask, or not as it was drawn: numbers of contours."""

    without_area: Counter[str]
    other: Counter[str]

    def meta(self) -> dict[str, Any]:
        """For `meta`; `left_out` has sentences for the report."""
        meta: dict[str, Any] = {"contours_without_area": dict(self.without_area)} if self.without_area else {}
        meta |= {f"contours_{key}": count for key, count in self.other.items() if count}
        lost = [sentence for key, sentence in LOST.items() if self.other[key]]
        if self.without_area:
            lost.append("points and open lines of structures have no area and are not in the mask")
        return meta | ({"left_out": lost} if lost else {})


LOST = {
    "beside_the_image": "contours lie on no slice of the image, or beside it, and are not in the mask",
    "between_slices": "contours between slices show something that those nearer to the slices do not: not in the mask",
    "cut_at_the_border": "contours reach beyond the image and are cut at its border",
    "without_voxel": "contours hold the center of no voxel and are not in the mask",
}
"""What is told of contours that are not in the mask, or not as they were drawn."""
NEAR = 0.1
"""Outlines within this part of a voxel of each other run along each other; planes of contours within this part of the
distance between slices are equally near."""
PLANE = 0.02
"""Contours within this part of the distance between slices are in one plane."""


def paint_contours(painter: Painter, file: File, image: VolumePixels, values: Mapping[int, int]) -> dict[str, Any]:
    """Paint the contours of some structures.

    Args:
        painter: its array is of the image's shape.
        file: the structure set.
        image: the volume on which the contours were drawn; only its headers are read.
        values: ROI number -> value; other structures are left out.

    Returns:
        For `meta`: numbers of contours that have no area, lie beside the image or between its slices, are cut, hold no
        voxel, or are stored twice; `left_out` says it in sentences.

    Raises:
        FormatError: no structure set, or contours without coordinates.
        GeometryError: a contour that is not parallel to the slices; or see `dicom.series`.
    """
    grid = grid_of(image)
    if grid.origins is None:
        raise FormatError("the image does not say where its slices are: contours cannot be drawn on it")
    with reading(file):
        return _paint(painter, _structures(file), grid, values).meta()


def _paint(painter: Painter, dataset: Any, grid: VoxelGrid, values: Mapping[int, int]) -> _Told:
    """Put every contour on its slices."""
    told = _Told(Counter(), Counter())
    along = grid.places @ grid.normal
    step = _step(grid)
    drawn: dict[int, list[_Contour]] = {}
    for number, kind, data in _contours(dataset):
        if number not in values:
            continue
        if kind not in CLOSED or len(data) < 9:
            told.without_area[kind] += 1
            continue
        drawn.setdefault(number, []).append(_contour(number, kind, data, grid.normal, step))
    for number, contours in drawn.items():
        in_plane = clusters(np.array([[one.height] for one in contours]), PLANE * step)
        planes: dict[int, list[_Contour]] = {}
        for plane, one in zip(in_plane, contours, strict=True):
            planes.setdefault(plane, []).append(one)
        heights = np.array([np.mean([one.height for one in some]) for some in planes.values()])
        used, between, beside = _nearest(along, heights, step)
        shown: dict[int, Array] = {}
        for k, some in used.items():
            shown[k] = np.zeros(grid.shape[:2], bool)
            for plane in some:
                shown[k] |= _filled(planes[plane], _slab(grid, k), grid.shape[:2], told)
            painter.paint(painter.array[..., k], shown[k], values[number])
        for plane, k in between.items():
            area = _filled(planes[plane], _slab(grid, k), grid.shape[:2], _Told(Counter(), Counter()))
            if (area & ~shown[k]).any():
                told.other["between_slices"] += len(planes[plane])
        told.other["beside_the_image"] += sum(len(planes[plane]) for plane in beside)
    return told


def _slab(grid: VoxelGrid, k: int) -> Array:
    """4x4 matrix of slice k whose third axis is the normal: contours beside a tilted slice go straight to it."""
    slab = grid.at(k)
    slab[:3, 2] = grid.normal
    return slab


def _step(grid: VoxelGrid) -> float:
    """The distance between neighboring slices: the smallest, but for slices that are closer by accident.

    Not the usual one: where more slices are missing than not, that is a multiple of the true one.
    """
    steps = np.diff(np.sort(grid.places @ grid.normal))
    if not steps.size:
        return abs(float(grid.affine[:3, 2] @ grid.normal))
    return float(steps[steps > 0.3 * np.median(steps)].min())


def _contour(number: int, kind: str, data: Any, normal: Array, step: float) -> _Contour:
    if len(data) % 3:
        raise FormatError(f"a contour of structure {number} has {len(data)} coordinates")
    try:
        points = np.array([float(v) for v in data]).reshape(-1, 3) @ TO_RAS[:3, :3]
    except (TypeError, ValueError) as error:
        raise FormatError(f"ContourData of structure {number} is not all numbers: {error}") from error
    if not np.isfinite(points).all():
        raise GeometryError(f"ContourData of structure {number} holds a number that is not finite")
    heights = points @ normal
    if np.ptp(heights) > max(0.25 * step, 0.1):
        raise GeometryError(f"a contour of structure {number} is not parallel to the slices")
    return _Contour(kind, points, float(heights.mean()))


def _nearest(along: Array, heights: Array, step: float) -> tuple[dict[int, list[int]], dict[int, int], list[int]]:
    """(slice -> planes that it takes, plane that no slice takes -> nearest slice, planes on no slice at all)."""
    away = np.abs(along[:, None] - heights)
    reach = 0.5 * step + 0.01
    used: dict[int, list[int]] = {}
    for k in np.flatnonzero(away.min(axis=1) <= reach):
        near = away[k] <= min(reach, away[k].min() + NEAR * step)
        used[int(k)] = [int(plane) for plane in np.flatnonzero(near)]
    taken = {plane for some in used.values() for plane in some}
    left = [plane for plane in range(len(heights)) if plane not in taken]
    between = {plane: int(np.argmin(away[:, plane])) for plane in left if away[:, plane].min() <= reach}
    return used, between, [plane for plane in left if plane not in between]


def _filled(contours: Sequence[_Contour], slab: Array, shape: Sequence[int], told: _Told) -> Array:
    """What the contours of one structure in one plane hold, (i, j), bool."""
    to_voxel = np.linalg.inv(slab)
    outlines: list[Array] = []
    for one in contours:
        # Rounded, so that corners which are meant to lie on centers do.
        outline = (one.points @ to_voxel[:3, :3].T + to_voxel[:3, 3])[:, :2].round(6)
        if any(_along(outline, other) for other in outlines):
            told.other["stored_twice"] += 1
        else:
            outlines.append(outline)
    areas = [_raster(outline, shape, told) for outline in outlines]
    if any(one.kind == "CLOSEDPLANAR_XOR" for one in contours):
        either: Array = np.logical_xor.reduce(areas)
        return either
    within = {
        (inner, outer)
        for inner, one in enumerate(outlines)
        for outer, other in enumerate(outlines)
        if inner != outer and _wholly_inside(one, other)
    }
    depth = _depths(len(outlines), within)
    result = np.zeros(shape, bool)
    for outer, area in enumerate(areas):
        if depth[outer] % 2:
            continue
        holes = [n for n in range(len(outlines)) if (n, outer) in within and depth[n] == depth[outer] + 1]
        solid = area.copy()
        for hole in holes:
            solid &= ~areas[hole]
        if holes and area.any() and not solid.any():
            told.other["without_voxel"] += 1
        result |= solid
    return result


def _depths(count: int, within: set[tuple[int, int]]) -> list[int]:
    """How many outlines lie around each, one inside the other."""
    depth = [0] * count
    # What is inside of something is inside of fewer things than what is inside of that.
    around = [sum(inner == n for inner, _ in within) for n in range(count)]
    for n in sorted(range(count), key=around.__getitem__):
        depth[n] = max((depth[outer] + 1 for inner, outer in within if inner == n), default=0)
    return depth


def _raster(outline: Array, shape: Sequence[int], told: _Told) -> Array:
    """Voxels (i, j) whose centers lie inside."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    border = np.array(shape) - 0.5
    area = np.zeros(shape, bool)
    if (high <= -0.5).any() or (low >= border).any():
        told.other["beside_the_image"] += 1
        return area
    if (low < -0.5 - NEAR).any() or (high > border + NEAR).any():
        told.other["cut_at_the_border"] += 1
    top, left, inside = rasterize(outline.tolist(), (shape[1], shape[0]), 0.0)
    area[left : left + inside.shape[1], top : top + inside.shape[0]] = inside.T
    if not area.any():
        told.other["without_voxel"] += 1
    return area


def _spaced(outline: Array) -> Array:
    """Points along a closed outline, a quarter of a voxel apart or less."""
    ends = np.roll(outline, -1, axis=0)
    counts = np.clip(np.ceil(np.abs(ends - outline).max(axis=1) * 4), 1, 1 << 16).astype(int)
    return np.concatenate(
        [
            start + (end - start) * (np.arange(count) / count)[:, None]
            for start, end, count in zip(outline, ends, counts, strict=True)
        ]
    )


def _to_outline(points: Array, outline: Array) -> tuple[Array, Array]:
    """(distance of each point from a closed outline, whether it is inside by the even-odd rule)."""
    ends = np.roll(outline, -1, axis=0)
    along = ends - outline
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    distances, inside = np.empty(len(points)), np.empty(len(points), bool)
    piece = max(1, (1 << 20) // len(outline))
    for start in range(0, len(points), piece):
        some = points[start : start + piece, None]
        part = np.clip(((some - outline) * along).sum(axis=2) / length, 0, 1)
        distances[start : start + piece] = np.linalg.norm(some - outline - part[..., None] * along, axis=2).min(axis=1)
        across = (outline[:, 1] > some[..., 1]) != (ends[:, 1] > some[..., 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            at = outline[:, 0] + (some[..., 1] - outline[:, 1]) * (along[:, 0] / along[:, 1])
        inside[start : start + piece] = (across & (some[..., 0] < at)).sum(axis=1) % 2 == 1
    return distances, inside


def _boxed(inner: Array, outer: Array) -> bool:
    """Whether the bounding box of one lies in that of the other."""
    return bool(
        (inner.min(axis=0) >= outer.min(axis=0) - NEAR).all() and (inner.max(axis=0) <= outer.max(axis=0) + NEAR).all()
    )


def _along(one: Array, other: Array) -> bool:
    """Whether two outlines are the same line, wherever they begin and whichever way they go."""
    if not (_boxed(one, other) and _boxed(other, one)):
        return False
    pairs = ((one, other), (other, one))
    return all(bool((_to_outline(_spaced(a), b)[0] <= NEAR).all()) for a, b in pairs)


def _wholly_inside(inner: Array, outer: Array) -> bool:
    """Whether an outline lies within another without running along it: a hole, not a part of the same drawn again."""
    if not _boxed(inner, outer):
        return False
    points = _spaced(inner)
    distances, inside = _to_outline(points, outer)
    # Touching in a point is no more than that; a shared edge is.
    touching = int(np.count_nonzero(distances <= NEAR))
    return bool((inside | (distances <= NEAR)).all()) and touching <= min(8, 0.25 * len(points))
