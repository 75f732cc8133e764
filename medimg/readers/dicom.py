"""DICOM: series, multi-frame objects and single pictures.

Slices are ordered by where they are in the patient, never by file name or InstanceNumber. Voxels are (column,
row, slice), the affine is RAS+ in mm. Headers are read first, then the pixels, one frame at a time straight
into the volume.

`meta` holds a fixed list of technical tags (`META`) and nothing else: no names, ids, dates, institutions,
free text or private tags. Text that is burned into the pixels is not looked for; BurnedInAnnotation is told
where it is set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medimg.errors import FormatError, GeometryError
from medimg.pixels import Array, Picture, Pixels, Volume
from medimg.readers.dicom_file import (
    APART,
    GROUPING,
    META,
    PIXEL,
    Header,
    frame_groups,
    group_item,
    library,
    merged_meta,
    number_of,
    open_dataset,
    tell,
    value_of,
)
from medimg.readers.dicom_pixels import (
    Filling,
    Stored,
    check_size,
    decoded_frames,
    rescale_of,
    stored_of,
)
from medimg.readers.dicom_planes import (
    Layout,
    Plane,
    clusters,
    floats,
    frame_plane,
    lay_out,
    plane_of,
    same_place,
)
from medimg.readers.grids import DIRECTION, VolumePixels, VoxelGrid
from medimg.readers.promises import Promised, reading

if TYPE_CHECKING:
    from medimg.files import File


def headers(files: Iterable[File]) -> Iterator[tuple[File, Header]]:
    """Read the headers only, for pairing, grouping and filtering.

    Yields:
        (file, tags): those of `META` and `GROUPING` that are set, as str, int, float or lists of them.
        Positions and orientations are DICOM's own (LPS, mm). PatientID may become the row's subject;
        SeriesDescription is free text.

    Raises:
        FormatError: a file is no DICOM.
    """
    for file in files:
        with reading(file), file.open() as stream:
            tags = tell(open_dataset(stream, (*META, *GROUPING)), (*META, *GROUPING))
        yield file, tags


class Placed(NamedTuple):
    """One image and where it is.

    Attributes:
        file: of the image.
        tags: as `headers` tells them.
        direction: number of the group of parallel images that it is in.
        place: number of the place within that group: images at one place have one.
        mm: where it is along the normal of its group.
    """

    file: File
    tags: Header
    direction: int
    place: int
    mm: float


def placed(files: Iterable[File]) -> list[Placed]:
    """Which images are parallel, and which are at one place, in the order in which they come.

    Directions and positions count as one within a tolerance (`DIRECTION`, `same_place`), whatever side of a rounded
    number they lie on.

    Raises:
        FormatError: a file is no DICOM.
        GeometryError: an image does not say where it is.
    """
    found = [(file, tags, plane_of(tags, tags, tags, file.path)) for file, tags in headers(files)]
    turned = clusters(np.array([plane.orientation for _, _, plane in found]), DIRECTION)
    result: dict[int, Placed] = {}
    for direction in dict.fromkeys(turned):
        mine = [n for n, one in enumerate(turned) if one == direction]
        planes = [found[n][2] for n in mine]
        middle = np.median([plane.orientation for plane in planes], axis=0)
        normal = np.cross(middle[:3], middle[3:])
        tolerance = same_place(np.min([plane.spacing for plane in planes], axis=0))
        places = clusters(np.array([plane.position for plane in planes]), tolerance)
        for n, plane, place in zip(mine, planes, places, strict=True):
            result[n] = Placed(*found[n][:2], direction, place, float(normal @ plane.position))
    return [result[n] for n in range(len(found))]


# series


@dataclass(frozen=True, eq=False)
class _Slice:
    file: File
    tags: dict[str, Any]
    plane: Plane
    stored: Stored

    @property
    def uid(self) -> str | None:
        uid: str | None = self.tags.get("SOPInstanceUID")
        return uid


@dataclass(frozen=True, eq=False)
class _Plan:
    """A series, ordered, before any pixel is read."""

    slices: list[_Slice]
    layout: Layout
    meta: dict[str, Any]

    @property
    def affine(self) -> Array:
        """4x4, RAS+ in mm."""
        return self.layout.affine

    @property
    def shape(self) -> tuple[int, int, int]:
        kind = self.slices[0].stored
        return (kind.columns, kind.rows, len(self.slices))


def _slice(file: File, modality: str | None) -> _Slice:
    with reading(file), file.open() as stream:
        dataset = open_dataset(stream, (*META, *GROUPING, *PIXEL))
        tags = tell(dataset, (*META, *GROUPING))
        if modality is not None and tags.get("Modality") != modality:
            raise FormatError(f"is {tags.get('Modality', 'of no stated modality')}, not {modality}")
        if int(number_of(dataset, "NumberOfFrames", 1)) != 1:
            raise FormatError("holds several frames", next_step="read it with multiframe(file)")
        check_size(file, dataset)
        stored = stored_of(dataset)
        if stored.samples != 1:
            raise FormatError("slices in color make no volume")
        if "ModalityLUTSequence" in dataset:
            raise FormatError("values go through a lookup table (ModalityLUTSequence), which is not supported")
        return _Slice(file, tags, plane_of(dataset, dataset, dataset, file.path), stored)


def _digest(file: File) -> str:
    with reading(file):
        return hashlib.sha256(file.read()).hexdigest()


def _plan(files: Sequence[File], modality: str | None, allow_gaps: bool) -> _Plan:
    slices: list[_Slice] = []
    seen: dict[str, _Slice] = {}
    dropped: list[str] = []
    for file in files:
        item = _slice(file, modality)
        twin = seen.get(item.uid or "")
        if twin is not None:
            if _digest(twin.file) != _digest(file):
                raise GeometryError(
                    f"{twin.file.path} and {file.path} carry one SOPInstanceUID and differ", file=file.path
                )
            dropped.append(file.path)
            continue
        seen[item.uid or f"nameless {len(slices)}"] = item
        slices.append(item)
    first = slices[0]
    for item in slices:
        if item.tags.get("SeriesInstanceUID") != first.tags.get("SeriesInstanceUID"):
            raise GeometryError(
                f"{first.file.path} and {item.file.path} are of two series",
                file=item.file.path,
                next_step="make a series of the files of one SeriesInstanceUID, as `headers` tells it",
            )
        if (item.stored.rows, item.stored.columns) != (first.stored.rows, first.stored.columns):
            raise GeometryError(
                f"{item.stored.rows} x {item.stored.columns} pixels, {first.file.path} has "
                f"{first.stored.rows} x {first.stored.columns}",
                file=item.file.path,
            )

    def tied(one: int, other: int) -> str:
        a, b = slices[one].tags, slices[other].tags
        apart = [keyword for keyword in APART if a.get(keyword) != b.get(keyword)]
        return f"group the files by {apart[0]}" if apart else "no tag tells the two apart: is one a copy?"

    frame = first.stored.rows * first.stored.columns * max(1, first.stored.allocated // 8)
    first.file.check_decoded(
        frame * len(slices),
        f"a volume of {len(slices)} slices of {first.stored.rows} x {first.stored.columns} pixels",
    )
    layout = lay_out([item.plane for item in slices], allow_gaps, tied)
    ordered = [slices[n] for n in layout.order]
    meta = merged_meta([item.tags for item in ordered]) | layout.notes
    if dropped:
        meta["dropped_duplicates"] = dropped
    return _Plan(ordered, layout, meta)


@dataclass(frozen=True)
class Series(VolumePixels):
    """See `series`. The headers are read once, when first needed."""

    sources: tuple[File, ...]
    modality: str | None = None
    allow_gaps: bool = False

    @cached_property
    def plan(self) -> _Plan:
        """Slices in geometric order, affine and meta, from the headers alone."""
        return _plan(self.sources, self.modality, self.allow_gaps)

    def files(self) -> Iterable[File]:
        """As they were given."""
        return self.sources

    def grid(self) -> VoxelGrid:
        """From the headers alone, each slice where its own header says."""
        return self.plan.layout.grid(self.plan.shape)

    def read(self) -> Volume:
        """Decode, slice by slice."""
        plan = self.plan
        kinds = [item.stored for item in plan.slices]
        filling = Filling(plan.shape, plan.layout, kinds, dict(plan.meta))
        for k, item in enumerate(plan.slices):
            with reading(item.file), item.file.open() as stream:
                filling.put(k, next(decoded_frames(stream)))
        assert filling.volume is not None
        return filling.volume


def series(files: Sequence[File], *, modality: str | None = None, allow_gaps: bool = False) -> Series:
    """The single-frame images of one series as a volume.

    Voxels are (columns, rows, slices); slices go along the normal of ImageOrientationPatient. RescaleSlope
    and RescaleIntercept: where both are integers in all slices they are applied (Hounsfield units as int16,
    wider only where a value needs it); one other pair for all slices goes into scl_slope and scl_inter; pairs
    that differ between slices (PET) are applied in float32 and told in `meta`. MONOCHROME1 is told by
    PhotometricInterpretation in `meta` and not inverted. A file that is there twice, byte for byte, is used
    once and told.

    Args:
        files: all slices, in any order; localizers are to be left out by the caller (see `headers`).
        modality: what Modality must be, e.g. "CT".
        allow_gaps: take unevenly spaced slices; `meta` then has "uneven" and "slice_positions_mm".

    Raises:
        FormatError: on `read`: no DICOM, no pixels, another modality, several frames, color.
        GeometryError: on `read`: several series, slices that are not parallel, of other sizes, in one place
            (naming the tag to group by), off the line, or with a gap (naming the neighbors).
        MissingExtraError: on `read`: pydicom is not installed.
    """
    if not files:
        raise ValueError("a series needs files")
    return Series(tuple(files), modality, allow_gaps)


# several frames in one file


@dataclass(frozen=True)
class _Multi(VolumePixels):
    file: File
    allow_gaps: bool = False

    def files(self) -> Iterable[File]:
        return (self.file,)

    @cached_property
    def _header(self) -> tuple[Any, list[Stored], Layout, tuple[int, ...]]:
        """(tags, how each frame is stored, layout, shape)."""
        with reading(self.file), self.file.open() as stream:
            dataset = open_dataset(stream)
            check_size(self.file, dataset)
            stored = stored_of(dataset)
            count = int(number_of(dataset, "NumberOfFrames", 1))
            frames = dataset.get("PerFrameFunctionalGroupsSequence")
            if count < 1 or (frames and len(frames) != count):
                raise FormatError(f"NumberOfFrames = {count}, described are {len(frames or ())}")
            kinds = [self._kind(dataset, n, stored) for n in range(count)]
            layout = self._layout(dataset, count)
            shape: tuple[int, ...] = (stored.columns, stored.rows, count)
            if stored.samples > 1:
                shape = (*shape, stored.samples)
            tags = tell(dataset, META)
        return tags, kinds, layout, shape

    def _kind(self, dataset: Any, n: int, stored: Stored) -> Stored:
        found = group_item(frame_groups(dataset, n), "PixelValueTransformationSequence")
        if found is not None:
            slope, inter = rescale_of(found)
            return replace(stored, slope=slope, inter=inter)
        if dataset.get("DoseGridScaling"):
            return replace(stored, slope=number_of(dataset, "DoseGridScaling"), inter=0.0)
        return stored

    def _layout(self, dataset: Any, count: int) -> Layout:
        def tied(one: int, other: int) -> str:
            return f"frames {one + 1} and {other + 1} differ in something else than place, e.g. time or echo"

        planes = [frame_plane(dataset, n, f"{self.file.path}, frame {n + 1}") for n in range(count)]
        stated = [plane for plane in planes if plane is not None]
        if len(stated) == count:
            return lay_out(stated, self.allow_gaps, tied)
        if stated:
            raise GeometryError(f"only {len(stated)} of {count} frames state where they are")
        placed = ("ImagePositionPatient", "ImageOrientationPatient")
        if all(value_of(dataset, key) for key in placed) and (count == 1 or value_of(dataset, "GridFrameOffsetVector")):
            base = plane_of(dataset, dataset, dataset, self.file.path)
            normal = np.cross(base.orientation[:3], base.orientation[3:])
            away = np.zeros(1)
            if count > 1:
                away = floats(dataset, "GridFrameOffsetVector", count, self.file.path)
            # Offsets may be relative to the first frame or along z in the patient (then the first is its z).
            away = away - away[0]
            return lay_out(
                [
                    Plane(
                        f"{self.file.path}, frame {n + 1}",
                        base.position + normal * d,
                        base.orientation,
                        base.spacing,
                        base.thickness,
                    )
                    for n, d in enumerate(away)
                ],
                self.allow_gaps,
                tied,
            )
        spacing, where = _spacing(dataset)
        height, width = spacing or (1.0, 1.0)
        notes: dict[str, Any] = {"third_axis": "frames", "orientation": "not stated"}
        notes["spacing_from"] = where
        if spacing:
            notes["pixel_spacing_mm"] = [height, width]
        reason = "the third axis counts frames" + ("" if spacing else ", and pixels state no size")
        affine = np.diag([width, height, 1.0, 1.0])
        return Layout(list(range(count)), affine, None, notes, reason)

    def grid(self) -> VoxelGrid:
        _, _, layout, shape = self._header
        return layout.grid(shape[:3])

    def read(self) -> Volume:
        tags, kinds, layout, shape = self._header
        place = {n: k for k, n in enumerate(layout.order)}
        with reading(self.file), self.file.open() as stream:
            ordered = [kinds[n] for n in layout.order]
            filling = Filling(shape, layout, ordered, tags | layout.notes)
            count = 0
            for n, frame in enumerate(decoded_frames(stream)):
                if n >= len(place):
                    raise FormatError(f"more than {len(place)} frames")
                filling.put(place[n], frame)
                count += 1
            if count != len(place) or filling.volume is None:
                raise FormatError(f"{count} frames, the header says {len(place)}")
        return filling.volume


def multiframe(file: File, *, allow_gaps: bool = False) -> VolumePixels:
    """One file with several frames as a volume: enhanced CT, MR and PET, tomosynthesis, RT dose, ultrasound.

    Frames with a place in the patient are ordered and checked as in `series`. Frames without one (cine) keep
    their order: the third axis counts frames, the affine has the pixel spacing and 1, and `meta` says so.
    Frames in color give a fourth axis (red, green, blue).

    Args:
        file: the DICOM file.
        allow_gaps: see `series`.

    Raises:
        FormatError: on `read`: no DICOM, no pixels, or another number of frames than stated.
        GeometryError: on `read`: as in `series`; frames that differ in time or echo stand in one place.
    """
    return _Multi(file, allow_gaps)


# pictures


def _spacing(dataset: Any) -> tuple[tuple[float, float] | None, str | None]:
    """((mm between rows, mm between columns), the tag that says so); (None, None) where none does."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        try:
            height, width = floats(dataset, keyword, 2, "")
        except GeometryError:  # absent, or no two numbers: not known
            continue
        if min(height, width) > 0:
            return (float(height), float(width)), keyword
    regions = value_of(dataset, "SequenceOfUltrasoundRegions") or ()
    found = {
        (float(region.PhysicalDeltaY) * 10, float(region.PhysicalDeltaX) * 10)
        for region in regions
        if region.get("PhysicalUnitsXDirection") == 3 == region.get("PhysicalUnitsYDirection")
        and region.get("PhysicalDeltaX")
        and region.get("PhysicalDeltaY")
    }
    if len(found) == 1:
        ((y, x),) = found
        return (abs(y), abs(x)), "SequenceOfUltrasoundRegions"
    return None, None


def _picture(file: File) -> Picture:
    with reading(file), file.open() as stream:
        dataset = open_dataset(stream)
        stored = stored_of(dataset)
        count = int(number_of(dataset, "NumberOfFrames", 1))
        if count != 1:
            raise FormatError(f"holds {count} frames", next_step="read it with multiframe(file)")
        check_size(file, dataset)
        frame = stored.clean(next(decoded_frames(stream)))
        meta = tell(dataset, META)
        if str(dataset.get("PhotometricInterpretation", "")).startswith("PALETTE"):
            frame = library().pixels.processing.apply_color_lut(frame, dataset)
            if frame.dtype.itemsize == 2 and not (frame % 257).any():
                frame = (frame // 257).astype(np.uint8)
            elif frame.dtype.itemsize == 2 and not (frame & 255).any():
                frame = (frame >> 8).astype(np.uint8)
        if not stored.identity:
            meta |= {
                "RescaleSlope": stored.slope,
                "RescaleIntercept": stored.inter,
                "rescale": "not applied",
            }
        if frame.dtype.kind == "i":
            # Pictures are unsigned: PNG has no sign.
            unsigned = np.dtype(f"u{frame.dtype.itemsize}")
            if int(frame.min()) < 0:
                offset = 1 << (stored.bits - 1)
                meta["pixel_offset"] = offset
                frame = (frame.astype(np.int64) + offset).astype(unsigned)
            else:
                frame = frame.astype(unsigned)
        if frame.dtype == np.uint32 and int(frame.max()) < 1 << 16:
            frame = frame.astype(np.uint16)
        spacing, where = _spacing(dataset)
        if where:
            meta["spacing_from"] = where
        return Picture(np.ascontiguousarray(frame), spacing=spacing, meta=meta)


def picture(file: File) -> Pixels:
    """A single-frame image (CR, DX, MG, US, one slice of CT) as a picture, (rows, columns[, red green blue]).

    Pixels are the stored ones at full depth. RescaleSlope and RescaleIntercept are told in `meta`, not
    applied. Signed pixels of which some are negative are raised by `pixel_offset` (told in `meta`; half the
    range of BitsStored), as PNG has no sign: value = (pixel - pixel_offset) * RescaleSlope +
    RescaleIntercept. YBR and palette colors become RGB; MONOCHROME1 is told by PhotometricInterpretation and
    not inverted. The spacing is PixelSpacing, else ImagerPixelSpacing (at the detector), else that of the
    only ultrasound region; `spacing_from` in `meta` says which.

    Raises:
        FormatError: on `read`: no DICOM, no pixels, several frames, or a compression without decoder.
        MissingExtraError: on `read`: pydicom is not installed.
    """
    return Promised((file,), _picture, (file,))
