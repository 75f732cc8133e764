"""DICOM segmentations (SEG): what their segments mean, and their label map on the grid of a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medimg.errors import FormatError, GeometryError, LabelError
from medimg.pixels import Array, Pixels, Volume
from medimg.readers.dicom import series
from medimg.readers.dicom_file import (
    META,
    frame_groups,
    group_item,
    key_of,
    number_of,
    open_dataset,
    tell,
    value_of,
)
from medimg.readers.dicom_pixels import check_size, decoded_frames
from medimg.readers.dicom_planes import TO_RAS, Plane, frame_plane
from medimg.readers.grids import FRACTION, VolumePixels, VoxelGrid, apart, grid_of, name_of
from medimg.readers.levels import pieces
from medimg.readers.promises import PromisedVolume, reading
from medimg.readers.volumes import Painter

if TYPE_CHECKING:
    from medimg.files import File


class Code(NamedTuple):
    """A coded concept, e.g. ("10200004", "SCT", "Liver")."""

    value: str
    scheme: str
    meaning: str


class Segment(NamedTuple):
    """What one segment number of a DICOM SEG means."""

    label: str
    category: Code | None
    type: Code | None
    anatomy: tuple[Code, ...] = ()
    modifiers: tuple[Code, ...] = ()


def _codes(item: Any, name: str) -> tuple[Code, ...]:
    return tuple(
        Code(
            str(code.get("CodeValue") or code.get("LongCodeValue") or code.get("URNCodeValue") or ""),
            str(code.get("CodingSchemeDesignator") or ""),
            str(code.get("CodeMeaning") or ""),
        )
        for code in item.get(name) or ()
    )


def snomed(code: Code) -> str | None:
    """The SNOMED CT concept of a code, also of one in DICOM's older style ("T-62000" of SRT); None for others."""
    from pydicom.sr import _snomed_dict

    if code.scheme == "SCT":
        return code.value
    return _snomed_dict.mapping.get(code.scheme, {}).get(code.value)


def segments(file: File) -> dict[int, Segment]:
    """The segments of a DICOM SEG by number: label, category, type with its modifiers, anatomic region; header only.

    Raises:
        FormatError: it is no DICOM SEG.
    """
    with reading(file), file.open() as stream:
        dataset = open_dataset(stream, ("Modality", "SegmentSequence"))
        if not dataset.get("SegmentSequence"):
            raise FormatError("no DICOM SEG: it has no SegmentSequence")
        return {
            key_of(item, "SegmentNumber"): Segment(
                str(item.get("SegmentLabel") or ""),
                next(iter(_codes(item, "SegmentedPropertyCategoryCodeSequence")), None),
                next(iter(_codes(item, "SegmentedPropertyTypeCodeSequence")), None),
                _codes(item, "AnatomicRegionSequence"),
                tuple(
                    code
                    for kind in item.get("SegmentedPropertyTypeCodeSequence") or ()
                    for code in _codes(kind, "SegmentedPropertyTypeModifierCodeSequence")
                ),
            )
            for item in dataset.SegmentSequence
        }


def check(file: File) -> None:
    """Make sure that a DICOM SEG can be a label map; the pixels of fractional ones are read for it.

    Raises:
        FormatError: it is no DICOM SEG.
        LabelError: it holds fractions.
    """
    _ = segments(file)
    with reading(file), file.open() as stream:
        dataset = open_dataset(stream)
        check_size(file, dataset, 1)
        kind, full = _kind(dataset)
        if kind == "FRACTIONAL":
            for n, frame in enumerate(decoded_frames(stream), 1):
                _whole(frame, full, n)


def _kind(dataset: Any) -> tuple[str, int]:
    """(SegmentationType, the number that stands for "inside")."""
    kind = str(value_of(dataset, "SegmentationType") or "BINARY").upper()
    return kind, int(number_of(dataset, "MaximumFractionalValue", 1)) if kind == "FRACTIONAL" else 1


def _whole(frame: Array, full: int, n: int) -> Array:
    """Where a frame is inside. Raises LabelError: it holds something but 0 and the maximum."""
    inside: Array = frame != 0
    if (inside & (frame != full)).any():
        raise LabelError(
            f"frame {n} holds fractions (values but 0 and the maximum, {full}), which make no label map",
            next_step="fractional segmentations are left out: nothing says at which fraction a structure begins",
        )
    return inside


def _segmentation(file: File, image: Pixels, overlaps: Mapping[tuple[int, ...], int]) -> Volume:
    grid = grid_of(image)
    array = np.zeros(grid.shape, np.uint16, order="F")
    painter = Painter(array, overlaps)
    meta = paint_segments(painter, file, grid, name_of(image))
    with reading(file):
        table, dtype = painter.finish()
    result = grid.empty(dtype, meta)
    for source, target in zip(pieces(array), pieces(result.array), strict=True):
        target[...] = table[source]
    return result


def paint_segments(
    painter: Painter, file: File, grid: VoxelGrid, image: str, values: Mapping[int, int | None] | None = None
) -> dict[str, Any]:
    """Paint the segments of a DICOM SEG; see `segmentation`, also for the errors.

    Args:
        painter: its array is of the grid's shape.
        file: the SEG.
        grid: of the image.
        image: what the image is called in messages.
        values: segment number -> value, None for one that is left out. Without it: the numbers themselves.

    Returns:
        What the SEG says of itself, for `meta`.
    """
    with reading(file), file.open() as stream:
        dataset = open_dataset(stream)
        if not dataset.get("SegmentSequence"):
            raise FormatError("no DICOM SEG: it has no SegmentSequence")
        check_size(file, dataset, 1)
        kind, full = _kind(dataset)
        numbers = {key_of(item, "SegmentNumber") for item in dataset.SegmentSequence}
        count = int(number_of(dataset, "NumberOfFrames", 1))
        described = dataset.get("PerFrameFunctionalGroupsSequence")
        if described and len(described) != count:
            raise FormatError(f"NumberOfFrames = {count}, described are {len(described)}")
        seen = 0

        def paint(plane: Plane, inside: Array, number: int) -> None:
            if number not in numbers:
                raise LabelError(f"segment {number} is used and not described")
            value = number if values is None else values[number]
            if value is not None:
                _paint_frame(painter, grid, plane, inside, value, image)

        for n, frame in enumerate(decoded_frames(stream)):
            if n >= count:
                break
            seen += 1
            plane = frame_plane(dataset, n, f"{file.path}, frame {n + 1}")
            if plane is None:
                raise GeometryError(f"frame {n + 1} does not state where it is")
            if kind == "LABELMAP":
                for value in np.unique(frame):
                    if value:
                        paint(plane, frame == value, int(value))
                continue
            identity = group_item(frame_groups(dataset, n), "SegmentIdentificationSequence")
            if identity is None:
                raise FormatError(f"frame {n + 1} does not state its segment")
            paint(plane, _whole(frame, full, n + 1), key_of(identity, "ReferencedSegmentNumber"))
        if seen != count:
            raise FormatError(f"{seen} frames, the header says {count}")
        return tell(dataset, META)


def _paint_frame(painter: Painter, grid: VoxelGrid, plane: Plane, inside: Array, value: int, image: str) -> None:
    """Paint one frame, (rows, columns), where it lies on the grid: perhaps flipped, swapped, cropped."""
    if not inside.any():
        return
    frame = np.eye(4)
    frame[:3, 0] = plane.orientation[:3] * plane.spacing[1]
    frame[:3, 1] = plane.orientation[3:] * plane.spacing[0]
    frame[:3, 3] = plane.position
    frame = TO_RAS @ frame
    frame[:3, 2] = grid.affine[:3, 2]
    k = _slice(grid, frame[:3, 3], plane.name, image)
    slab = grid.at(k)
    to_voxel = np.linalg.inv(slab) @ frame
    whole, begin = np.rint(to_voxel[:3, :2]), np.rint(to_voxel[:3, 3])
    rows, columns = inside.shape
    in_plane = sorted(map(tuple, np.abs(whole.T).tolist())) == [(0.0, 1.0, 0.0), (1.0, 0.0, 0.0)]
    on_voxels = np.eye(4)
    on_voxels[:3, :2], on_voxels[:2, 3] = whole, begin[:2]
    if not in_plane or apart((columns, rows, 1), slab @ on_voxels, frame) > FRACTION:
        raise GeometryError(f"{plane.name} is not on the voxels of {image}")
    spots = inside.T if whole[0, 0] else inside  # now (i, j)
    signs = [int(whole[n].sum()) for n in (0, 1)]
    spots = spots[:: signs[0], :: signs[1]]
    low = [int(begin[n]) - (spots.shape[n] - 1 if signs[n] < 0 else 0) for n in (0, 1)]
    used = [np.flatnonzero(spots.any(axis=1 - n)) for n in (0, 1)]
    ends = [(low[n] + int(used[n][0]), low[n] + int(used[n][-1]) + 1) for n in (0, 1)]
    if any(a < 0 or b > grid.shape[n] for n, (a, b) in enumerate(ends)):
        raise GeometryError(f"{plane.name} is outside of {image}")
    (i0, i1), (j0, j1) = ends
    part = spots[i0 - low[0] : i1 - low[0], j0 - low[1] : j1 - low[1]]
    painter.paint(painter.array[i0:i1, j0:j1, k], part, value)


def _slice(grid: VoxelGrid, point: Array, name: str, image: str) -> int:
    """The slice in whose plane a point lies. Raises GeometryError: it lies in none."""
    along, here = grid.places @ grid.normal, float(point @ grid.normal)
    step = abs(float(grid.affine[:3, 2] @ grid.normal))
    away = np.abs(along - here)
    k = int(np.argmin(away))
    if away[k] <= FRACTION * step:
        return k
    if not along.min() - step / 2 <= here <= along.max() + step / 2:
        raise GeometryError(f"{name} is outside of {image}, {away[k]:.3f} mm from its slice {k}")
    raise GeometryError(
        f"{name} is not on the voxels of {image}: {away[k]:.3f} mm from the nearest slice, {k}",
        next_step="see whether a slice is missing in this copy of the series",
    )


def segmentation(
    seg_file: File, image: Pixels | Sequence[File], *, overlaps: Mapping[tuple[int, ...], int] | None = None
) -> VolumePixels:
    """A DICOM SEG as a label map on the grid of the series that it belongs to; values are segment numbers.

    Frames are placed by their own geometry, so files whose references to the source images are incomplete
    work too: each lies on the slice whose own header has its position, whatever else is missing in the series. They
    may be cropped, flipped or transposed within the image's planes, and must lie on its voxels (`grids.FRACTION`);
    one that lies where a slice is missing is an error. Binary, label-map, and fractional segmentations that hold only
    0 and the maximum are taken.

    Args:
        seg_file: the SEG.
        image: the series, as pixels or as its files.
        overlaps: segment numbers that meet -> the value of such voxels; a meeting that is not in it is an
            error.

    Raises:
        FormatError: on `read`: no DICOM SEG.
        GeometryError: on `read`: frames are not on the image's voxels.
        LabelError: on `read`: overlapping segments, undescribed segments, or fractions.
    """
    target = image if isinstance(image, Pixels) else series(image)
    return PromisedVolume((seg_file,), target, _segmentation, (seg_file, target, dict(overlaps or {})))
