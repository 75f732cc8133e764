"""DICOM RT structure sets: contours that were drawn on the slices of a series, and the voxels that they hold.

Contours are placed by their own coordinates, so structure sets whose references to single images are
incomplete work too. A voxel belongs to a contour where its center is inside (even-odd rule); several contours
of one structure on one slice are combined by exclusive or, so that a contour inside another one is a hole.
`drawn` makes a label map of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medimg.errors import FormatError, GeometryError
from medimg.pixels import Array
from medimg.readers.dicom import Series
from medimg.readers.dicom_file import open_dataset
from medimg.readers.masks import rasterize
from medimg.readers.nifti import reading
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


def paint_contours(painter: Painter, file: File, image: Series, values: Mapping[int, int]) -> dict[str, Any]:
    """Paint the contours of some structures.

    Args:
        painter: its array is of the image's shape.
        file: the structure set.
        image: the series on which the contours were drawn; only its headers are read.
        values: ROI number -> value; other structures are left out.

    Returns:
        For `meta`: contours that have no area or lie beside the image.

    Raises:
        FormatError: no structure set, or contours without coordinates.
        GeometryError: a contour that is not parallel to the slices; or see `dicom.series`.
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
