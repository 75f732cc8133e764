"""DICOM RT structure sets: contours that were drawn on the slices of a series, as a label map on its voxels.

Contours are placed by their own coordinates, so structure sets whose references to single images are
incomplete work too. A voxel belongs to a contour where its center is inside (even-odd rule); several contours
of one structure on one slice are combined by exclusive or, so that a contour inside another one is a hole.
Structures overlap as a rule (a tumor in a lung): each combination that occurs gets a value of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medimg.errors import FormatError, GeometryError
from medimg.pixels import Array, Volume
from medimg.readers.dicom import Series, series
from medimg.readers.dicom_file import open_dataset
from medimg.readers.masks import rasterize
from medimg.readers.nifti import reading
from medimg.readers.volumes import Grid, Painter, VolumePixels, pieces

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
        other: points and open lines.
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
    dataset = _structures(file)
    counts: dict[int, tuple[int, int]] = {}
    for number, kind, _ in _contours(dataset):
        closed, other = counts.get(number, (0, 0))
        counts[number] = (closed + 1, other) if kind in CLOSED else (closed, other + 1)
    return [
        Roi(int(item.ROINumber), str(item.get("ROIName") or ""), *counts.get(int(item.ROINumber), (0, 0)))
        for item in dataset.StructureSetROISequence
    ]


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
            yield int(roi.ReferencedROINumber), kind, contour.get("ContourData") or ()


class _Patch(NamedTuple):
    """What one structure has on slice k: `inside` is (i, j), from voxel (i, j) on."""

    value: int
    i: int
    j: int
    k: int
    inside: Array


@dataclass(frozen=True, eq=False)
class Structures:
    """Contours on their way to a label map; see `structures`. The file is read when first needed, once.

    Attributes:
        file: the structure set.
        image: the series.
        values: ROI number -> label value.
        above: combinations get values above this one.
    """

    file: File
    image: Series
    values: Mapping[int, int]
    above: int = 0

    @cached_property
    def _found(self) -> tuple[list[_Patch], dict[str, Any]]:
        with reading(self.file):
            return _place(_structures(self.file), self.image, self.values)

    @cached_property
    def meanings(self) -> dict[int, tuple[int, ...]]:
        """Value in the mask -> values of the structures that it stands for.

        The given values stand for themselves; combinations that occur are numbered above them (and `above`).
        """
        met: set[tuple[int, ...]] = set()
        by_slice: dict[int, list[_Patch]] = {}
        for patch in self._found[0]:
            by_slice.setdefault(patch.k, []).append(patch)
        given = sorted(set(self.values.values()))
        for patches in by_slice.values():
            for bits in _combinations(patches, given):
                met.add(tuple(value for n, value in enumerate(given) if bits >> n & 1))
        met |= {(patch.value,) for patch in self._found[0]}
        more = sorted((one for one in met if len(one) > 1), key=lambda one: (len(one), one))
        alone = {one[0]: one for one in sorted(met) if len(one) == 1}
        return alone | {n: one for n, one in enumerate(more, max(self.above, *given, 0) + 1)}

    @property
    def mask(self) -> VolumePixels:
        """The label map, on the image's grid."""
        return _Mask(self)

    @property
    def notes(self) -> dict[str, Any]:
        """For `meta`: contours that have no area or lie beside the image."""
        return dict(self._found[1])


def structures(
    file: File, image: Series | Sequence[File], values: Mapping[int, int], *, above: int = 0
) -> Structures:
    """The contours of some structures as a label map.

    Args:
        file: the structure set.
        image: the series on which the contours were drawn; only its headers are read.
        values: ROI number -> label value from 1 on; structures may share one. Other structures are left out.
        above: combinations of structures get values above this one, and above all of `values`.

    Raises:
        FormatError: when the result is used: no structure set, or contours without coordinates.
        GeometryError: when the result is used: a contour that is not parallel to the slices; or see
            `dicom.series`.
    """
    if any(value < 1 for value in values.values()):
        raise ValueError("label values count from 1; 0 is background")
    return Structures(file, image if isinstance(image, Series) else series(image), dict(values), above)


def paint_contours(painter: Painter, file: File, image: Series, values: Mapping[int, int]) -> dict[str, Any]:
    """Paint the contours of some structures; see `structures`, also for the errors.

    Args:
        painter: its array is of the image's shape.
        file: the structure set.
        image: the series.
        values: ROI number -> value.

    Returns:
        For `meta`: contours that have no area or lie beside the image.
    """
    with reading(file):
        patches, notes = _place(_structures(file), image, values)
    _paint(painter, patches)
    return notes


def _paint(painter: Painter, patches: Iterable[_Patch]) -> None:
    for patch in patches:
        width, height = patch.inside.shape
        region = painter.array[patch.i : patch.i + width, patch.j : patch.j + height, patch.k]
        painter.paint(region, patch.inside, patch.value)


def _combinations(patches: Sequence[_Patch], given: Sequence[int]) -> set[int]:
    """Which values meet in the voxels of one slice, as bits: bit n stands for given[n]."""
    if len(given) > 63:
        raise FormatError(f"{len(given)} label values; at most 63 can be told apart where they overlap")
    width = max(patch.i + patch.inside.shape[0] for patch in patches)
    height = max(patch.j + patch.inside.shape[1] for patch in patches)
    claims = np.zeros((width, height), np.uint64)
    for patch in patches:
        i, j = patch.i, patch.j
        region = claims[i : i + patch.inside.shape[0], j : j + patch.inside.shape[1]]
        region[patch.inside] |= np.uint64(1 << given.index(patch.value))
    return {int(bits) for bits in np.unique(claims) if bits}


def _place(dataset: Any, image: Series, values: Mapping[int, int]) -> tuple[list[_Patch], dict[str, Any]]:
    """Put every contour on its slice."""
    planes = [item.plane for item in image.plan.slices]
    first, shape = planes[0], image.plan.shape
    row, column = first.orientation[:3], first.orientation[3:]
    normal = np.cross(row, column)
    along = np.array([normal @ plane.position for plane in planes])
    steps = np.abs(np.diff(along))
    half = (float(np.median(steps)) if steps.size else first.thickness or 1.0) / 2
    drawn: dict[tuple[int, int], list[Array]] = {}
    pointless: dict[str, int] = {}
    beside = 0
    for number, kind, data in _contours(dataset):
        if number not in values:
            continue
        if kind not in CLOSED or len(data) < 9:
            pointless[kind] = pointless.get(kind, 0) + 1
            continue
        if len(data) % 3:
            raise FormatError(f"a contour of structure {number} has {len(data)} coordinates")
        points = np.array([float(v) for v in data]).reshape(-1, 3)
        heights = points @ normal
        if not np.isfinite(points).all() or np.ptp(heights) > max(0.5 * half, 0.1):
            raise GeometryError(f"a contour of structure {number} is not parallel to the slices")
        height = float(heights.mean())
        k = int(np.argmin(np.abs(along - height)))
        if abs(along[k] - height) > half + 0.01:
            beside += 1
            continue
        away = points - planes[k].position
        # Rounded, so that corners which are meant to lie on centers do.
        corners = np.stack([away @ row / first.spacing[1], away @ column / first.spacing[0]], axis=1).round(6)
        drawn.setdefault((number, k), []).append(corners)
    patches = []
    for (number, k), contours in drawn.items():
        plane = np.zeros(shape[:2], bool)
        for corners in contours:
            top, left, inside = rasterize(corners.tolist(), (shape[1], shape[0]), 0.0)
            plane[left : left + inside.shape[1], top : top + inside.shape[0]] ^= inside.T
        if plane.any():
            patches.append(_cut(values[number], k, plane))
    notes: dict[str, Any] = {"contours_without_area": pointless} if pointless else {}
    return patches, notes | ({"contours_beside_the_image": beside} if beside else {})


def _cut(value: int, k: int, plane: Array) -> _Patch:
    columns, rows = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    i, j = int(columns[0]), int(rows[0])
    return _Patch(value, i, j, k, plane[i : int(columns[-1]) + 1, j : int(rows[-1]) + 1].copy())


@dataclass(frozen=True)
class _Mask(VolumePixels):
    drawn: Structures

    def files(self) -> Iterable[File]:
        return (self.drawn.file,)

    def grid(self) -> Grid:
        return self.drawn.image.grid()

    def read(self) -> Volume:
        grid = self.grid()
        array = np.zeros(grid.shape, np.uint16, order="F")
        overlaps = {one: value for value, one in self.drawn.meanings.items() if len(one) > 1}
        painter = Painter(array, overlaps)
        _paint(painter, self.drawn._found[0])
        table, dtype = painter.finish()
        volume = Volume.empty(grid.shape, dtype, grid.affine, meta=self.drawn.notes)
        for source, target in zip(pieces(array), pieces(volume.array), strict=True):
            target[...] = table[source]
        return volume
