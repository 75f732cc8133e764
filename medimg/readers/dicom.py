"""DICOM: series, multi-frame objects, single pictures and segmentations.

Slices are ordered by where they are in the patient, never by file name or InstanceNumber. Voxels are (column,
row, slice), the affine is RAS+ in mm. Headers are read first, then the pixels, one frame at a time straight
into the volume.

`meta` holds a fixed list of technical tags (`META`) and nothing else: no names, ids, dates, institutions,
free text or private tags. Text that is burned into the pixels is not looked for; BurnedInAnnotation is told
where it is set.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from medimg.errors import BombError, FormatError, GeometryError, LabelError, MissingExtraError
from medimg.pixels import Array, Picture, Pixels, Volume, check_affine
from medimg.readers.nifti import reading
from medimg.readers.volumes import Grid, Painter, VolumePixels, grid_of, pieces

if TYPE_CHECKING:
    from medimg.files import File

META = tuple(
    """
    Modality Manufacturer ManufacturerModelName SOPClassUID StudyInstanceUID SeriesInstanceUID
    FrameOfReferenceUID ImageType PatientSex PatientAge PatientWeight PatientPosition BodyPartExamined
    Laterality ImageLaterality ViewPosition PatientOrientation PhotometricInterpretation
    PresentationIntentType BitsStored PixelPaddingValue WindowCenter WindowWidth RescaleType VOILUTFunction
    LossyImageCompression LossyImageCompressionRatio LossyImageCompressionMethod BurnedInAnnotation KVP
    XRayTubeCurrent Exposure ExposureTime FilterType ConvolutionKernel ReconstructionDiameter
    GantryDetectorTilt ScanOptions ContrastBolusAgent SliceThickness SpacingBetweenSlices CompressionForce
    BodyPartThickness DistanceSourceToDetector DistanceSourceToPatient
    EstimatedRadiographicMagnificationFactor ScanningSequence SequenceVariant MRAcquisitionType
    RepetitionTime EchoTime InversionTime FlipAngle EchoTrainLength NumberOfAverages MagneticFieldStrength
    DiffusionBValue Units DecayCorrection CountsSource FrameTime CineRate
    """.split()
)
"""Tags that may reach `meta`: technical, or sex, age and weight."""
GROUPING = tuple(
    """
    PatientID SOPInstanceUID StudyDescription SeriesNumber SeriesDescription InstanceNumber AcquisitionNumber
    TemporalPositionIdentifier EchoNumbers TriggerTime ImagePositionPatient ImageOrientationPatient
    PixelSpacing ImagerPixelSpacing Rows Columns NumberOfFrames SamplesPerPixel
    """.split()
)
"""What `headers` tells beside META, for pairing and grouping."""
_PIXEL = (
    "BitsAllocated",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
)
# Tags that tell apart images at one place, in the order in which they are worth grouping by.
_APART = (
    "TemporalPositionIdentifier",
    "EchoNumbers",
    "EchoTime",
    "DiffusionBValue",
    "AcquisitionNumber",
    "TriggerTime",
    "ImageType",
    "SeriesNumber",
    "InstanceNumber",
)
DIRECTION = 1e-3
"""Directions of one stack agree within this; they are unit and orthogonal within ten times it."""
DEFLATED = 1 << 30
"""A deflated data set may expand to this many bytes."""
Header = Mapping[str, Any]


def _pydicom() -> ModuleType:
    try:
        import pydicom
    except ImportError as error:
        raise MissingExtraError("DICOM needs pydicom", next_step='pip install "medimg[dicom]"') from error
    import pydicom.pixels

    module: ModuleType = pydicom
    return module


class _Stream:
    """A stream for pydicom, which takes a BufferedReader for a file on disk and asks for its name."""

    def __init__(self, stream: BinaryIO) -> None:
        self.read, self.seek, self.tell = stream.read, stream.seek, stream.tell


# reading headers


def _open(stream: BinaryIO, tags: Sequence[str] | None = None, *, pixels: bool = False) -> Any:
    """The data set in a stream, without its pixels; the preamble of part 10 may be missing.

    Raises:
        FormatError: it is no DICOM.
    """
    pydicom = _pydicom()
    start = stream.read(132)
    stream.seek(0)
    # Without preamble: the first element is of group 2 or 8, either byte order.
    bare = start[128:132] != b"DICM" and start[:2] in (b"\x08\0", b"\x02\0", b"\0\x08", b"\0\x02")
    if start[128:132] != b"DICM" and not bare:
        raise FormatError(
            "no DICOM file", next_step="see whether the file is complete and what it says it is"
        )
    if not bare:
        _deflated(stream)
    dataset = pydicom.dcmread(
        _Stream(stream),
        stop_before_pixels=not pixels,
        specific_tags=None if tags is None else list(tags),
        force=bare,
    )
    if not dataset:
        raise FormatError("a DICOM file without any of the tags that an image has")
    return dataset


def _deflated(stream: BinaryIO) -> bool:
    """Whether the data set of a part-10 file is deflated; the stream is left at its start.

    Raises:
        BombError: it is, and expands to more than `DEFLATED`.
    """
    start = stream.read(4096)
    stream.seek(0)
    if b"1.2.840.10008.1.2.1.99" not in start:
        return False
    stream.seek(144 + int.from_bytes(start[140:144], "little"))
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while chunk := inflater.unconsumed_tail or stream.read(1 << 20):
        total += len(inflater.decompress(chunk, 1 << 24))
        if total > DEFLATED:
            raise BombError(f"expands to more than {DEFLATED} bytes")
        if inflater.eof:
            break
    stream.seek(0)
    return True


def _plain(value: Any) -> Any:
    """A tag's value as JSON can hold it; None for nothing."""
    if value is None or value == "":
        return None
    if isinstance(value, bytes):
        return None
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        items = [_plain(item) for item in value]
        return items or None
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, float) or type(value).__name__ == "DSdecimal":
        number = float(value)
        return (int(number) if number.is_integer() else number) if math.isfinite(number) else str(number)
    text = str(value).strip()
    return text or None


def _tell(dataset: Any, keywords: Iterable[str]) -> dict[str, Any]:
    """Tags as plain values, those that are absent, empty or unreadable left out."""
    present = set(map(_pydicom().datadict.keyword_for_tag, dataset.keys()))
    told = {}
    for keyword in keywords:
        if keyword not in present:
            continue
        try:
            value = _plain(dataset.get(keyword))
        except Exception:  # a damaged value of a tag that nothing depends on
            continue
        single = keyword.endswith("UID") or keyword in ("PatientID", "Modality")
        if value is not None and not (single and not isinstance(value, str)):
            told[keyword] = value
    return told


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
            tags = _tell(_open(stream, (*META, *GROUPING)), (*META, *GROUPING))
        yield file, tags


def group_series(files: Iterable[File]) -> dict[str, list[File]]:
    """Files by SeriesInstanceUID, in the order in which they come.

    Raises:
        FormatError: a file is no DICOM, or states no series.
    """
    groups: dict[str, list[File]] = {}
    for file, tags in headers(files):
        if "SeriesInstanceUID" not in tags:
            raise FormatError("states no SeriesInstanceUID", file=file.path)
        groups.setdefault(tags["SeriesInstanceUID"], []).append(file)
    return groups


# geometry


@dataclass(frozen=True, eq=False)
class _Plane:
    """Where one plane is: position and directions in LPS mm, spacing (between rows, columns) in mm."""

    name: str
    position: Array
    orientation: Array
    spacing: tuple[float, float]
    thickness: float | None


@dataclass(frozen=True, eq=False)
class _Layout:
    """The planes of a stack in order, and the affine that they make."""

    order: list[int]
    affine: Array
    notes: dict[str, Any]


def _floats(value: Any, count: int, name: str, file: str) -> Array:
    if value is None or value == "":
        raise GeometryError(
            f"states no {name}", file=file, next_step="this image has no place in the patient"
        )
    numbers = np.array([float(v) for v in value], dtype=np.float64)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise GeometryError(f"{name} = {list(value)} should be {count} finite numbers", file=file)
    return numbers


def _plane(source: Any, orientation: Any, measures: Any, name: str) -> _Plane:
    """Read a plane from the (functional group) data sets that hold position, orientation and spacing."""
    spacing = _floats(measures.get("PixelSpacing"), 2, "PixelSpacing", name)
    if min(spacing) <= 0:
        raise GeometryError(f"PixelSpacing = {spacing.tolist()}", file=name)
    directions = _floats(orientation.get("ImageOrientationPatient"), 6, "ImageOrientationPatient", name)
    row, column = directions[:3], directions[3:]
    crooked = (abs(row @ row - 1), abs(column @ column - 1), abs(row @ column))
    if max(crooked) > 10 * DIRECTION:
        raise GeometryError(
            f"ImageOrientationPatient = {directions.tolist()} is no pair of directions", file=name
        )
    thickness = measures.get("SpacingBetweenSlices") or measures.get("SliceThickness")
    return _Plane(
        name,
        _floats(source.get("ImagePositionPatient"), 3, "ImagePositionPatient", name),
        directions,
        (float(spacing[0]), float(spacing[1])),
        abs(float(thickness)) or None if thickness else None,
    )


def _lay_out(planes: Sequence[_Plane], allow_gaps: bool, why_tied: Any) -> _Layout:
    """Order planes along their normal and find the affine.

    A position may stray from even spacing by 1 % of the distance between slices, or by 0.1 mm where headers
    are rounded, but never by more than a fifth of that distance.

    Args:
        planes: at least one.
        allow_gaps: take uneven spacing; it is recorded.
        why_tied: (index, index) -> hint, called for two planes at one place.

    Raises:
        GeometryError: planes are not parallel, differ in spacing, stand in one place or not on a line, or are
            uneven.
    """
    first = planes[0]
    for plane in planes:
        if not np.allclose(plane.orientation, first.orientation, rtol=0, atol=DIRECTION):
            raise GeometryError(
                f"{plane.name} and {first.name} are not parallel: ImageOrientationPatient "
                f"{plane.orientation.tolist()} and {first.orientation.tolist()}",
                file=plane.name,
                next_step="group by orientation first; localizers are told by ImageType",
            )
        if not np.allclose(plane.spacing, first.spacing, rtol=1e-3, atol=0):
            raise GeometryError(
                f"PixelSpacing {list(plane.spacing)} differs from {list(first.spacing)} of {first.name}",
                file=plane.name,
            )
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    along = np.array([normal @ plane.position for plane in planes])
    order = [int(n) for n in np.argsort(along, kind="stable")]
    steps = np.diff(along[order])
    apart = steps[steps > 1e-3]
    usual = float(np.median(apart)) if apart.size else 0.0
    for n in np.flatnonzero(steps <= max(1e-3, 0.01 * usual)):
        one, other = order[n], order[n + 1]
        raise GeometryError(
            f"{planes[one].name} and {planes[other].name} are at the same place "
            f"({along[one]:.3f} mm along the normal)",
            file=planes[other].name,
            next_step=why_tied(one, other),
        )
    origin, last = planes[order[0]].position, planes[order[-1]].position
    notes: dict[str, Any] = {}
    if len(order) == 1:
        step = normal * (first.thickness or 1.0)
        notes["slice_spacing_from"] = "header" if first.thickness else "nowhere: 1 mm"
    else:
        step = (last - origin) / (len(order) - 1)
        length = float(np.linalg.norm(step))
        allowed = max(0.01 * usual, min(0.1, 0.2 * usual))
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
                text = (
                    f"slices are not on one line: {planes[order[worst]].name} is {strays[worst]:.3f} mm off"
                )
            if not allow_gaps:
                raise GeometryError(
                    text,
                    file=planes[order[min(widest + 1, len(order) - 1)]].name,
                    next_step="see whether a slice is missing; allow_gaps=True takes the series as it is",
                )
            step = step / length * usual
            notes["uneven"] = text.replace(planes[order[widest]].name, f"slice {widest}").replace(
                planes[order[widest + 1]].name, f"slice {widest + 1}"
            )
            notes["slice_positions_mm"] = [round(float(p), 4) for p in along[order]]
        tilt = math.degrees(math.acos(min(1.0, abs(float(step @ normal)) / float(np.linalg.norm(step)))))
        if tilt > 0.1:
            notes["slices_sheared_by_degrees"] = round(tilt, 3)
    affine = np.eye(4)
    affine[:3, 0] = first.orientation[:3] * first.spacing[1]
    affine[:3, 1] = first.orientation[3:] * first.spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = origin
    affine = np.diag([-1.0, -1, 1, 1]) @ affine
    check_affine(affine)
    return _Layout(order, affine, notes)


# pixels


@dataclass(frozen=True)
class _Stored:
    """How pixels are stored in one file, and what they stand for: value = slope * stored + intercept."""

    rows: int
    columns: int
    samples: int
    allocated: int
    bits: int
    high: int
    signed: bool
    slope: float
    inter: float

    @property
    def identity(self) -> bool:
        return (self.slope, self.inter) == (1.0, 0.0)

    @property
    def integral(self) -> bool:
        """Both are integers, and small enough to compute with."""
        return all(number.is_integer() and abs(number) < 1 << 31 for number in (self.slope, self.inter))

    def clean(self, frame: Array) -> Array:
        """Drop what is outside the stored bits (overlays in old files), and check the shape.

        Args:
            frame: (rows, columns[, samples]).
        """
        expected = (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)
        if frame.shape != expected:
            raise FormatError(f"pixels have the shape {frame.shape}, the header says {expected}")
        shift, spare = self.high + 1 - self.bits, self.allocated - self.bits
        if frame.dtype.kind not in "iu" or spare <= 0 or not 0 <= shift <= spare or self.allocated < 8:
            return frame
        if frame.dtype.itemsize * 8 != self.allocated:
            return frame
        if self.signed:
            cleaned: Array = (frame << (spare - shift)) >> spare
        else:
            cleaned = (frame >> shift) & frame.dtype.type((1 << self.bits) - 1)
        return cleaned


def _number(dataset: Any, keyword: str, default: float | None = None) -> float:
    value = dataset.get(keyword)
    if value is None or value == "":
        if default is None:
            raise FormatError(f"states no {keyword}, so it has no pixels that can be read")
        return default
    number = float(value)
    if not math.isfinite(number):
        raise FormatError(f"{keyword} = {number}")
    return number


def _rescale(dataset: Any) -> tuple[float, float]:
    slope, inter = _number(dataset, "RescaleSlope", 1.0), _number(dataset, "RescaleIntercept", 0.0)
    if slope == 0:
        raise FormatError("RescaleSlope = 0")
    return slope, inter


def _stored(dataset: Any) -> _Stored:
    allocated = int(_number(dataset, "BitsAllocated"))
    bits = int(_number(dataset, "BitsStored", allocated))
    slope, inter = _rescale(dataset)
    return _Stored(
        rows=int(_number(dataset, "Rows")),
        columns=int(_number(dataset, "Columns")),
        samples=int(_number(dataset, "SamplesPerPixel", 1)),
        allocated=allocated,
        bits=bits,
        high=int(_number(dataset, "HighBit", bits - 1)),
        signed=bool(_number(dataset, "PixelRepresentation", 0)),
        slope=slope,
        inter=inter,
    )


def _frames(stream: BinaryIO) -> Iterator[Array]:
    """Decode frame by frame, (rows, columns[, samples]); YBR becomes RGB.

    Raises:
        FormatError: no pixels, or a compression for which no decoder is installed.
    """
    pydicom = _pydicom()
    stream.seek(0)
    start = stream.read(132)
    stream.seek(0)
    source: Any = _Stream(stream)
    if start[128:132] != b"DICM" or _deflated(stream):
        source = _open(stream, pixels=True)
        if not hasattr(source, "file_meta"):
            source.file_meta = pydicom.dataset.FileMetaDataset()
        if not source.file_meta.get("TransferSyntaxUID"):
            implicit, little = source.original_encoding
            names = {(True, True): "ImplicitVRLittleEndian", (False, True): "ExplicitVRLittleEndian"}
            syntax = getattr(pydicom.uid, names.get((implicit, little), "ExplicitVRBigEndian"))
            source.file_meta.TransferSyntaxUID = syntax
    try:
        yield from pydicom.pixels.utils.iter_pixels(source)
    except (NotImplementedError, RuntimeError) as error:
        raise FormatError(
            f"pixels cannot be decoded: {error}",
            next_step='pip install "medimg[dicom]" brings the decoders for JPEG, JPEG-LS and JPEG 2000',
        ) from error
    except AttributeError as error:
        raise FormatError(f"no pixels: {error}") from error


class _Filling:
    """A volume that grows out of frames; the dtype widens when a frame needs it.

    Args:
        shape: voxels along i, j, k[, samples].
        affine: 4x4, RAS+ in mm.
        kinds: how each frame is stored, in order of k.
        meta: for the volume; what was done to the values is added.
    """

    def __init__(
        self, shape: tuple[int, ...], affine: Array, kinds: Sequence[_Stored], meta: dict[str, Any]
    ) -> None:
        self.shape, self.affine, self.kinds, self.meta = shape, affine, kinds, meta
        self.volume: Volume | None = None
        scalings = list(dict.fromkeys((kind.slope, kind.inter) for kind in kinds))
        self.slope: float | None = None
        self.inter: float | None = None
        if all(kind.identity for kind in kinds):
            self.how = "stored"
        elif all(kind.integral for kind in kinds):
            self.how = "integers"
        elif len(scalings) == 1:
            self.how = "header"
            ((self.slope, self.inter),) = scalings
        else:
            self.how = "floats"
        if self.how != "stored":
            one = len(scalings) == 1
            meta["RescaleSlope"] = scalings[0][0] if one else [kind.slope for kind in kinds]
            meta["RescaleIntercept"] = scalings[0][1] if one else [kind.inter for kind in kinds]
            meta["rescale"] = "in the header" if self.how == "header" else "applied"

    def put(self, k: int, frame: Array) -> None:
        """Frame k, (rows, columns[, samples]) as stored."""
        kind = self.kinds[k]
        frame = kind.clean(frame)
        if self.how == "integers":
            frame = _integers(frame, kind)
        elif self.how == "floats":
            values = frame.astype(np.float64) * kind.slope + kind.inter
            frame = values if kind.bits > 24 else values.astype(np.float32)
        dtype = frame.dtype
        if self.volume is None:
            self.volume = self._empty(dtype)
        array = self.volume.array
        wide = np.result_type(array.dtype, dtype)
        if wide != array.dtype.newbyteorder("="):
            wider = self._empty(wide)
            wider.array[...] = array
            self.volume, array = wider, wider.array
        array[:, :, k] = frame.T if frame.ndim == 2 else frame.transpose(1, 0, 2)

    def _empty(self, dtype: Any) -> Volume:
        return Volume.empty(
            self.shape, dtype, self.affine, slope=self.slope, inter=self.inter, meta=self.meta
        )


def _integers(frame: Array, kind: _Stored) -> Array:
    """Stored pixels times slope plus intercept, exact: int16 where that does, else int32, else int64."""
    if frame.dtype.kind not in "iu":
        return frame * kind.slope + kind.inter
    slope, inter = int(kind.slope), int(kind.inter)
    low, high = sorted((int(frame.min()) * slope + inter, int(frame.max()) * slope + inter))
    for bits in (16, 32, 64):
        if -(1 << bits - 1) <= low and high < 1 << bits - 1 and frame.dtype != np.uint64:
            values: Array = (frame.astype(np.int64) * slope + inter).astype(f"i{bits // 8}")
            return values
    raise FormatError(f"values from {low} to {high} fit into no integer")


def _meta(datasets: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The tags of META: one value where all slices agree, else one per slice."""
    meta: dict[str, Any] = {}
    for keyword in META:
        told = [tags.get(keyword) for tags in datasets]
        if all(value == told[0] for value in told):
            if told[0] is not None:
                meta[keyword] = told[0]
        else:
            meta[keyword] = told
    return meta


# series


@dataclass(frozen=True, eq=False)
class _Slice:
    file: File
    tags: dict[str, Any]
    plane: _Plane
    stored: _Stored

    @property
    def uid(self) -> str | None:
        uid: str | None = self.tags.get("SOPInstanceUID")
        return uid


@dataclass(frozen=True, eq=False)
class _Plan:
    """A series, ordered, before any pixel is read."""

    slices: list[_Slice]
    affine: Array
    meta: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int, int]:
        kind = self.slices[0].stored
        return (kind.columns, kind.rows, len(self.slices))


def _slice(file: File, modality: str | None) -> _Slice:
    with reading(file), file.open() as stream:
        dataset = _open(stream, (*META, *GROUPING, *_PIXEL))
        tags = _tell(dataset, (*META, *GROUPING))
        if modality is not None and tags.get("Modality") != modality:
            raise FormatError(f"is {tags.get('Modality', 'of no stated modality')}, not {modality}")
        if int(_number(dataset, "NumberOfFrames", 1)) != 1:
            raise FormatError("holds several frames", next_step="read it with multiframe(file)")
        stored = _stored(dataset)
        if stored.samples != 1:
            raise FormatError("slices in color make no volume")
        if "ModalityLUTSequence" in dataset:
            raise FormatError(
                "values go through a lookup table (ModalityLUTSequence), which is not supported"
            )
        return _Slice(file, tags, _plane(dataset, dataset, dataset, file.path), stored)


def _digest(file: File) -> str:
    with reading(file), file.open() as stream:
        digest = hashlib.sha256()
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
        return digest.hexdigest()


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
                next_step="group files with group_series",
            )
        if (item.stored.rows, item.stored.columns) != (first.stored.rows, first.stored.columns):
            raise GeometryError(
                f"{item.stored.rows} x {item.stored.columns} pixels, {first.file.path} has "
                f"{first.stored.rows} x {first.stored.columns}",
                file=item.file.path,
            )

    def tied(one: int, other: int) -> str:
        a, b = slices[one].tags, slices[other].tags
        apart = [keyword for keyword in _APART if a.get(keyword) != b.get(keyword)]
        return f"group the files by {apart[0]}" if apart else "no tag tells the two apart: is one a copy?"

    layout = _lay_out([item.plane for item in slices], allow_gaps, tied)
    ordered = [slices[n] for n in layout.order]
    meta = _meta([item.tags for item in ordered]) | layout.notes
    if dropped:
        meta["dropped_duplicates"] = dropped
    return _Plan(ordered, layout.affine, meta)


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

    def grid(self) -> Grid:
        """From the headers alone."""
        return Grid(self.plan.shape, self.plan.affine)

    def read(self) -> Volume:
        """Decode, slice by slice."""
        plan = self.plan
        kinds = [item.stored for item in plan.slices]
        filling = _Filling(plan.shape, plan.affine, kinds, dict(plan.meta))
        for k, item in enumerate(plan.slices):
            with reading(item.file), item.file.open() as stream:
                filling.put(k, next(_frames(stream)))
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


def _item(groups: Sequence[Any], name: str) -> Any:
    """The first item of a functional group, per-frame before shared; None where there is none."""
    for group in groups:
        if group is not None and group.get(name):
            return group[name].value[0]
    return None


def _groups(dataset: Any, n: int) -> tuple[Any, Any]:
    """(per-frame, shared) functional groups of frame n; None where there are none."""
    frames, shared = (
        dataset.get("PerFrameFunctionalGroupsSequence"),
        dataset.get("SharedFunctionalGroupsSequence"),
    )
    return (frames[n] if frames else None, shared[0] if shared else None)


def _frame_plane(dataset: Any, n: int, name: str) -> _Plane | None:
    """Where frame n is; None where the file does not say."""
    groups = _groups(dataset, n)
    position = _item(groups, "PlanePositionSequence")
    orientation = _item(groups, "PlaneOrientationSequence")
    measures = _item(groups, "PixelMeasuresSequence")
    if position is None or orientation is None or measures is None:
        return None
    return _plane(position, orientation, measures, name)


@dataclass(frozen=True)
class _Multi(VolumePixels):
    file: File
    allow_gaps: bool = False

    def files(self) -> Iterable[File]:
        return (self.file,)

    @cached_property
    def _header(self) -> tuple[Any, list[_Stored], _Layout, tuple[int, ...]]:
        """(tags, how each frame is stored, layout, shape)."""
        with reading(self.file), self.file.open() as stream:
            dataset = _open(stream)
            stored = _stored(dataset)
            count = int(_number(dataset, "NumberOfFrames", 1))
            frames = dataset.get("PerFrameFunctionalGroupsSequence")
            if count < 1 or (frames and len(frames) != count):
                raise FormatError(f"NumberOfFrames = {count}, described are {len(frames or ())}")
            kinds = [self._kind(dataset, n, stored) for n in range(count)]
            layout = self._layout(dataset, count)
            shape: tuple[int, ...] = (stored.columns, stored.rows, count)
            if stored.samples > 1:
                shape = (*shape, stored.samples)
            tags = _tell(dataset, META)
        return tags, kinds, layout, shape

    def _kind(self, dataset: Any, n: int, stored: _Stored) -> _Stored:
        found = _item(_groups(dataset, n), "PixelValueTransformationSequence")
        if found is not None:
            slope, inter = _rescale(found)
            return replace(stored, slope=slope, inter=inter)
        if dataset.get("DoseGridScaling"):
            return replace(stored, slope=_number(dataset, "DoseGridScaling"), inter=0.0)
        return stored

    def _layout(self, dataset: Any, count: int) -> _Layout:
        def tied(one: int, other: int) -> str:
            return f"frames {one + 1} and {other + 1} differ in something else than place, e.g. time or echo"

        planes = [_frame_plane(dataset, n, f"{self.file.path}, frame {n + 1}") for n in range(count)]
        stated = [plane for plane in planes if plane is not None]
        if len(stated) == count:
            return _lay_out(stated, self.allow_gaps, tied)
        if stated:
            raise GeometryError(f"only {len(stated)} of {count} frames state where they are")
        offsets = dataset.get("GridFrameOffsetVector")
        if (
            dataset.get("ImagePositionPatient")
            and dataset.get("ImageOrientationPatient")
            and (count == 1 or offsets)
        ):
            base = _plane(dataset, dataset, dataset, self.file.path)
            normal = np.cross(base.orientation[:3], base.orientation[3:])
            away = (
                _floats(offsets, count, "GridFrameOffsetVector", self.file.path) if count > 1 else np.zeros(1)
            )
            # Offsets may be relative to the first frame or along z in the patient (then the first is its z).
            away = away - away[0]
            return _lay_out(
                [
                    _Plane(
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
        notes = {"third_axis": "frames", "orientation": "not stated", "spacing_from": where}
        return _Layout(list(range(count)), np.diag([width, height, 1.0, 1.0]), notes)

    def grid(self) -> Grid:
        _, _, layout, shape = self._header
        return Grid(shape[:3], layout.affine)

    def read(self) -> Volume:
        tags, kinds, layout, shape = self._header
        place = {n: k for k, n in enumerate(layout.order)}
        with reading(self.file), self.file.open() as stream:
            ordered = [kinds[n] for n in layout.order]
            filling = _Filling(shape, layout.affine, ordered, tags | layout.notes)
            count = 0
            for n, frame in enumerate(_frames(stream)):
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
        value = dataset.get(keyword)
        if value is not None and value != "" and len(value) == 2 and min(float(v) for v in value) > 0:
            return (float(value[0]), float(value[1])), keyword
    regions = dataset.get("SequenceOfUltrasoundRegions") or ()
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


@dataclass(frozen=True)
class _Picture(Pixels):
    file: File

    def files(self) -> Iterable[File]:
        return (self.file,)

    def read(self) -> Picture:
        with reading(self.file), self.file.open() as stream:
            dataset = _open(stream)
            stored = _stored(dataset)
            count = int(_number(dataset, "NumberOfFrames", 1))
            if count != 1:
                raise FormatError(f"holds {count} frames", next_step="read it with multiframe(file)")
            frame = stored.clean(next(_frames(stream)))
            meta = _tell(dataset, META)
            if str(dataset.get("PhotometricInterpretation", "")).startswith("PALETTE"):
                frame = _pydicom().pixels.processing.apply_color_lut(frame, dataset)
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
    return _Picture(file)


# segmentations


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
        dataset = _open(stream, ("Modality", "SegmentSequence"))
        if not dataset.get("SegmentSequence"):
            raise FormatError("no DICOM SEG: it has no SegmentSequence")
        return {
            int(item.SegmentNumber): Segment(
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


@dataclass(frozen=True)
class _Segmentation(VolumePixels):
    file: File
    image: Pixels
    overlaps: Mapping[tuple[int, ...], int] = field(default_factory=dict)

    def files(self) -> Iterable[File]:
        return (self.file,)

    def grid(self) -> Grid:
        return grid_of(self.image)

    def read(self) -> Volume:
        grid = self.grid()
        array = np.zeros(grid.shape, np.uint16, order="F")
        painter = Painter(array, self.overlaps)
        meta = paint_segments(painter, self.file, grid, _first(self.image))
        with reading(self.file):
            table, dtype = painter.finish()
        result = Volume.empty(grid.shape, dtype, grid.affine, meta=meta)
        for source, target in zip(pieces(array), pieces(result.array), strict=True):
            target[...] = table[source]
        return result


def paint_segments(
    painter: Painter, file: File, grid: Grid, image: str, values: Mapping[int, int] | None = None
) -> dict[str, Any]:
    """Paint the segments of a DICOM SEG; see `segmentation`, also for the errors.

    Args:
        painter: its array is of the grid's shape.
        file: the SEG.
        grid: of the image.
        image: what the image is called in messages.
        values: segment number -> value; None: the numbers themselves.

    Returns:
        What the SEG says of itself, for `meta`.
    """
    with reading(file), file.open() as stream:
        dataset = _open(stream)
        if not dataset.get("SegmentSequence"):
            raise FormatError("no DICOM SEG: it has no SegmentSequence")
        kind = str(dataset.get("SegmentationType") or "BINARY")
        full = int(_number(dataset, "MaximumFractionalValue", 1)) if kind == "FRACTIONAL" else 1
        numbers = {int(item.SegmentNumber) for item in dataset.SegmentSequence}
        count = int(_number(dataset, "NumberOfFrames", 1))
        seen = 0

        def paint(plane: _Plane, inside: Array, number: int) -> None:
            if number not in numbers:
                raise LabelError(f"segment {number} is used and not described")
            _paint_frame(painter, grid, plane, inside, values[number] if values else number, image)

        for n, frame in enumerate(_frames(stream)):
            if n >= count:
                break
            seen += 1
            plane = _frame_plane(dataset, n, f"{file.path}, frame {n + 1}")
            if plane is None:
                raise GeometryError(f"frame {n + 1} does not state where it is")
            if kind == "LABELMAP":
                for value in np.unique(frame):
                    if value:
                        paint(plane, frame == value, int(value))
                continue
            identity = _item(_groups(dataset, n), "SegmentIdentificationSequence")
            if identity is None:
                raise FormatError(f"frame {n + 1} does not state its segment")
            if ((frame != 0) & (frame != full)).any():
                raise LabelError(f"frame {n + 1} holds fractions, which make no label map")
            paint(plane, frame != 0, int(identity.ReferencedSegmentNumber))
        if seen != count:
            raise FormatError(f"{seen} frames, the header says {count}")
        return _tell(dataset, META)


def _paint_frame(painter: Painter, grid: Grid, plane: _Plane, inside: Array, value: int, image: str) -> None:
    """Paint one frame, (rows, columns), where it lies on the grid: perhaps flipped, swapped, cropped."""
    if not inside.any():
        return
    frame = np.eye(4)
    frame[:3, 0] = plane.orientation[:3] * plane.spacing[1]
    frame[:3, 1] = plane.orientation[3:] * plane.spacing[0]
    frame[:3, 3] = plane.position
    to_voxel = np.linalg.inv(grid.affine) @ np.diag([-1.0, -1, 1, 1]) @ frame
    axes, start = to_voxel[:3, :2], to_voxel[:3, 3]
    rows, columns = inside.shape
    whole, begin = np.rint(axes), np.rint(start)
    last = np.array([columns - 1, rows - 1])
    astray = max(float(np.abs(start - begin).max()), float(np.abs((axes - whole) * last).max()))
    in_plane = sorted(map(tuple, np.abs(whole.T).tolist())) == [(0.0, 1.0, 0.0), (1.0, 0.0, 0.0)]
    if not in_plane or astray > 0.1:
        raise GeometryError(f"{plane.name} is not on the voxels of {image}")
    spots = inside.T if whole[0, 0] else inside  # now (i, j)
    signs = [int(whole[n].sum()) for n in (0, 1)]
    spots = spots[:: signs[0], :: signs[1]]
    low = [int(begin[n]) - (spots.shape[n] - 1 if signs[n] < 0 else 0) for n in (0, 1)]
    k = int(begin[2])
    used = [np.flatnonzero(spots.any(axis=1 - n)) for n in (0, 1)]
    ends = [(low[n] + int(used[n][0]), low[n] + int(used[n][-1]) + 1) for n in (0, 1)]
    if not 0 <= k < grid.shape[2] or any(a < 0 or b > grid.shape[n] for n, (a, b) in enumerate(ends)):
        raise GeometryError(f"{plane.name} is outside of {image}")
    (i0, i1), (j0, j1) = ends
    part = spots[i0 - low[0] : i1 - low[0], j0 - low[1] : j1 - low[1]]
    painter.paint(painter.array[i0:i1, j0:j1, k], part, value)


def _first(pixels: Pixels) -> str:
    return next((file.path for file in pixels.files()), "the image")


def segmentation(
    seg_file: File, image: Pixels | Sequence[File], *, overlaps: Mapping[tuple[int, ...], int] | None = None
) -> VolumePixels:
    """A DICOM SEG as a label map on the grid of the series that it belongs to; values are segment numbers.

    Frames are placed by their own geometry, so files whose references to the source images are incomplete
    work too. They may be cropped, flipped or transposed within the image's planes, and must lie on its voxels
    within 0.1 voxel. Binary, label-map, and fractional segmentations that hold only 0 and the maximum are
    taken.

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
    return _Segmentation(seg_file, target, dict(overlaps or {}))
