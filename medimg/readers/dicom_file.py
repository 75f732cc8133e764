"""What one DICOM file says: tags that may be told, where its planes are, how its stored numbers become values.

The parts of which `dicom`, `dicom_seg`, `dicom_slides` and `rtstruct` are made.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np

from medimg.errors import BombError, FormatError, GeometryError, MissingExtraError
from medimg.files.decoders import CODECS, exceeds
from medimg.pixels import Array, Volume, check_affine
from medimg.readers.grids import DIRECTION, Grid

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
    GantryDetectorTilt ScanOptions SliceThickness SpacingBetweenSlices CompressionForce
    BodyPartThickness DistanceSourceToDetector DistanceSourceToPatient
    EstimatedRadiographicMagnificationFactor ScanningSequence SequenceVariant MRAcquisitionType
    RepetitionTime EchoTime InversionTime FlipAngle EchoTrainLength NumberOfAverages MagneticFieldStrength
    DiffusionBValue Units DecayCorrection CountsSource FrameTime CineRate
    """.split()
)
"""Tags that may reach `meta`: technical, or sex, age and weight (`medimg.privacy` says how)."""
GROUPING = tuple(
    """
    PatientID SOPInstanceUID StudyDescription SeriesNumber SeriesDescription InstanceNumber AcquisitionNumber
    TemporalPositionIdentifier EchoNumbers TriggerTime ImagePositionPatient ImageOrientationPatient
    PixelSpacing ImagerPixelSpacing Rows Columns NumberOfFrames SamplesPerPixel
    """.split()
)
"""What `headers` tells beside META, for pairing and grouping."""
PIXEL = (
    "BitsAllocated",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
)
# Tags that tell apart images at one place, in the order in which they are worth grouping by.
APART = (
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
SPACING = 2e-4
"""Pixels of one stack have one size within this part of it: 0.1 pixel across 512."""
STRAY = 0.2
"""Slices that stray by at most this part of their distance from even places count as even."""
SAME_PLACE = 0.02
"""Two images are at one place where they are this part of a pixel apart, or less (but see `same_place`)."""
TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From DICOM's LPS to RAS and back."""
DEFLATED = 256 << 20
"""A deflated data set may expand to this many bytes."""
Header = Mapping[str, Any]


def library() -> ModuleType:
    """Pydicom. Raises MissingExtraError."""
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


def open_dataset(stream: BinaryIO, tags: Sequence[str] | None = None, *, pixels: bool = False) -> Any:
    """The data set in a stream, without its pixels; the preamble of part 10 may be missing.

    Raises:
        FormatError: it is no DICOM.
    """
    pydicom = library()
    start = stream.read(132)
    stream.seek(0)
    # Without preamble: the first element is of group 2 or 8, either byte order.
    bare = start[128:132] != b"DICM" and start[:2] in (b"\x08\0", b"\x02\0", b"\0\x08", b"\0\x02")
    if start[128:132] != b"DICM" and not bare:
        raise FormatError(
            "no DICOM file", next_step="see whether the file is complete and what it says it is"
        )
    if not bare:
        deflated(stream)
    dataset = pydicom.dcmread(
        _Stream(stream),
        stop_before_pixels=not pixels,
        specific_tags=None if tags is None else list(tags),
        force=bare,
    )
    if not dataset:
        raise FormatError("a DICOM file without any of the tags that an image has")
    return dataset


def deflated(stream: BinaryIO) -> bool:
    """Whether the data set of a part-10 file is deflated; the stream is left at its start.

    Raises:
        BombError: it is, and expands to more than `DEFLATED`.
    """
    start = stream.read(4096)
    stream.seek(0)
    if b"1.2.840.10008.1.2.1.99" not in start:
        return False
    stream.seek(144 + int.from_bytes(start[140:144], "little"))
    if exceeds(CODECS["deflate"], iter(lambda: stream.read(1 << 20), b""), DEFLATED):
        raise BombError(f"expands to more than {DEFLATED} bytes")
    stream.seek(0)
    return True


def plain(value: Any) -> Any:
    """A tag's value as JSON can hold it; None for nothing."""
    if value is None or value == "":
        return None
    if isinstance(value, bytes):
        return None
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        items = [plain(item) for item in value]
        return items or None
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, float) or type(value).__name__ == "DSdecimal":
        number = float(value)
        return (int(number) if number.is_integer() else number) if math.isfinite(number) else str(number)
    text = str(value).strip()
    return text or None


def tell(dataset: Any, keywords: Iterable[str]) -> dict[str, Any]:
    """Tags as plain values, those that are absent, empty or unreadable left out."""
    present = set(map(library().datadict.keyword_for_tag, dataset.keys()))
    told = {}
    for keyword in keywords:
        if keyword not in present:
            continue
        try:
            value = plain(dataset.get(keyword))
        except Exception:  # a damaged value of a tag that nothing depends on
            continue
        single = keyword.endswith("UID") or keyword in ("PatientID", "Modality")
        if value is not None and not (single and not isinstance(value, str)):
            told[keyword] = value
    return told


# geometry


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

    def grid(self, shape: tuple[int, ...]) -> Grid:
        """The grid of such planes, `shape` voxels along i, j, k."""
        return Grid(shape, self.affine, self.origins, self.uneven is not None)


def value_of(dataset: Any, keyword: str) -> Any:
    """A tag's value, None where it is absent or empty. Raises FormatError: it is damaged."""
    try:
        value = dataset.get(keyword)
    except Exception as error:  # pydicom decodes values when they are asked for
        raise FormatError(f"{keyword} cannot be read: {error}") from error
    return None if value is None or value == "" else value


def floats(dataset: Any, keyword: str, count: int, file: str) -> Array:
    """A tag's numbers. Raises GeometryError: missing, another count, no numbers, or not finite."""
    value = value_of(dataset, keyword)
    if value is None:
        raise GeometryError(
            f"states no {keyword}", file=file, next_step="this image has no place in the patient"
        )
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
        raise GeometryError(
            f"ImageOrientationPatient = {directions.tolist()} is no pair of directions", file=name
        )
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
            f"{planes[one].name} and {planes[other].name} are at the same place "
            f"({along[one]:.3f} mm along the normal)",
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
                text = (
                    f"slices are not on one line: {planes[order[worst]].name} is {strays[worst]:.3f} mm off"
                )
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


# pixels


@dataclass(frozen=True)
class Stored:
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
        """Whether stored numbers are the values."""
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


def number_of(dataset: Any, keyword: str, default: float | None = None) -> float:
    """A tag's number. Raises FormatError: it is missing without a default, or no number."""
    value = value_of(dataset, keyword)
    if value is None:
        if default is None:
            raise FormatError(f"states no {keyword}, so it has no pixels that can be read")
        return default
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise FormatError(f"{keyword} = {plain(value)} should be a finite number")
    return number


def key_of(item: Any, keyword: str) -> int:
    """The number by which an item of a sequence is known. Raises FormatError: it is missing, or no number."""
    if value_of(item, keyword) is None:
        raise FormatError(f"an item states no {keyword}")
    return int(number_of(item, keyword))


def rescale_of(dataset: Any) -> tuple[float, float]:
    """RescaleSlope and RescaleIntercept. Raises FormatError: a slope of 0."""
    slope, inter = number_of(dataset, "RescaleSlope", 1.0), number_of(dataset, "RescaleIntercept", 0.0)
    if slope == 0:
        raise FormatError("RescaleSlope = 0")
    return slope, inter


def stored_of(dataset: Any) -> Stored:
    """How a file's pixels are stored. Raises FormatError."""
    allocated = int(number_of(dataset, "BitsAllocated"))
    bits = int(number_of(dataset, "BitsStored", allocated))
    slope, inter = rescale_of(dataset)
    return Stored(
        rows=int(number_of(dataset, "Rows")),
        columns=int(number_of(dataset, "Columns")),
        samples=int(number_of(dataset, "SamplesPerPixel", 1)),
        allocated=allocated,
        bits=bits,
        high=int(number_of(dataset, "HighBit", bits - 1)),
        signed=bool(number_of(dataset, "PixelRepresentation", 0)),
        slope=slope,
        inter=inter,
    )


def check_size(file: File, dataset: Any, frames: int | None = None) -> None:
    """Refuse a file whose header promises more pixels than one image may have, before any is decoded.

    Args:
        file: where it comes from.
        dataset: its header.
        frames: how many are decoded together; all of the file's where None.

    Raises:
        BombError: more than `Limits.decoded` bytes.
        FormatError: no pixels, or more than the file can hold.
    """
    stored = stored_of(dataset)
    pixels, every = (
        stored.rows * stored.columns * stored.samples,
        int(number_of(dataset, "NumberOfFrames", 1)),
    )
    if min(stored.rows, stored.columns, stored.samples, stored.allocated) < 1:
        raise FormatError(
            f"{stored.rows} x {stored.columns} pixels with {stored.samples} samples are no image"
        )
    count = every if frames is None else frames
    size = pixels * max(1, stored.allocated // 8) * count
    file.check_decoded(size, f"{count:,} frames of {stored.rows} x {stored.columns} pixels")
    packed = _packing(dataset)
    if file.size is None or packed == "deflated":
        return
    if packed == "frames":
        least = 8 * every  # each has a head
    else:
        halved = str(dataset.get("PhotometricInterpretation", "")).endswith("_422")
        least = pixels * stored.allocated * every // (12 if halved else 8)
    if least > file.size:
        raise FormatError(
            f"the header promises {every:,} frames of {stored.rows} x {stored.columns} pixels, which "
            f"{file.size:,} bytes cannot hold"
        )


def _packing(dataset: Any) -> Literal["no", "frames", "deflated"]:
    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    if syntax == "1.2.840.10008.1.2.1.99":
        return "deflated"
    return "frames" if syntax is not None and syntax not in _NATIVE else "no"


_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
_ITEM, _PIXELS = b"\xfe\xff\x00\xe0", b"\xe0\x7f\x10\x00"
_RLE = "1.2.840.10008.1.2.5"
_HEAD = 1 << 12


def check_frames(stream: BinaryIO) -> None:
    """Refuse compressed frames that are larger than the header says: a decoder believes the frame, not the header.

    Only the heads of the frames are read.

    Raises:
        FormatError: a frame of more pixels than Rows x Columns, or of more bytes than its pixels can take.
    """
    stream.seek(0)
    start = stream.read(_HEAD)
    stream.seek(0)
    if b"1.2.840.10008.1.2.4." not in start and _RLE.encode() not in start:
        return
    dataset = open_dataset(stream, (*PIXEL, "Rows", "Columns", "SamplesPerPixel", "BitsStored"))
    if _packing(dataset) != "frames":
        return
    stored, begin = stored_of(dataset), stream.read(12)
    if begin[:4] != _PIXELS or begin[8:12] != b"\xff\xff\xff\xff":
        return
    frame = stored.rows * stored.columns * stored.samples
    most = 4 * frame * max(1, stored.allocated // 8) + (1 << 16)
    rle = dataset.file_meta.TransferSyntaxUID == _RLE
    while (item := stream.read(8))[:4] == _ITEM:
        size, at = int.from_bytes(item[4:], "little"), stream.tell()
        if rle and size > most:
            raise FormatError(f"a frame of {size:,} packed bytes for {stored.rows} x {stored.columns} pixels")
        head = stream.read(min(size, _HEAD))
        found = codestream_size(head)
        if found is None and head[:2] == b"\xff\xd8":
            found = codestream_size(head + stream.read(min(size, 1 << 20) - len(head)))
        if found is not None and math.prod(found) > frame:
            across, along, samples = found
            raise FormatError(
                f"a compressed frame of {along} x {across} pixels with {samples} samples; the header says "
                f"{stored.rows} x {stored.columns} with {stored.samples}"
            )
        stream.seek(at + size)


def codestream_size(head: bytes) -> tuple[int, int, int] | None:
    """(width, height, samples) that the first bytes of a JPEG, JPEG-LS or JPEG 2000 state; None where they do not."""
    siz = -1 if head[:2] == b"\xff\xd8" else head.find(b"\xff\x4f\xff\x51")
    if siz >= 0 and len(head) >= siz + 42:
        right, low, left, top = struct.unpack_from(">4I", head, siz + 8)
        return max(right - left, 0), max(low - top, 0), int.from_bytes(head[siz + 40 : siz + 42], "big")
    at = 2
    while head[:2] == b"\xff\xd8" and len(head) >= at + 10:
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker == 0xFF:  # a byte to fill up
            at += 1
            continue
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            along, across = struct.unpack_from(">2H", head, at + 5)
            return across, along, head[at + 9]
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None


def decoded_frames(stream: BinaryIO) -> Iterator[Array]:
    """Decode frame by frame, (rows, columns[, samples]); YBR becomes RGB.

    Raises:
        FormatError: no pixels, more than the header says, or a compression for which no decoder is installed.
    """
    pydicom = library()
    check_frames(stream)
    stream.seek(0)
    start = stream.read(132)
    stream.seek(0)
    source: Any = _Stream(stream)
    if start[128:132] != b"DICM" or deflated(stream):
        source = open_dataset(stream, pixels=True)
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


class Filling:
    """A volume that grows out of frames; the dtype widens when a frame needs it.

    Args:
        shape: voxels along i, j, k[, samples].
        layout: where the frames are.
        kinds: how each frame is stored, in order of k.
        meta: for the volume; what was done to the values is added.
    """

    def __init__(
        self, shape: tuple[int, ...], layout: Layout, kinds: Sequence[Stored], meta: dict[str, Any]
    ) -> None:
        self.shape, self.layout, self.kinds, self.meta = shape, layout, kinds, meta
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
            self.shape,
            dtype,
            self.layout.affine,
            slope=self.slope,
            inter=self.inter,
            meta=self.meta,
            origins=self.layout.uneven,
            unsized=self.layout.unsized,
        )


def _integers(frame: Array, kind: Stored) -> Array:
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


def merged_meta(datasets: Sequence[dict[str, Any]]) -> dict[str, Any]:
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


def group_item(groups: Sequence[Any], name: str) -> Any:
    """The first item of a functional group, per-frame before shared; None where there is none."""
    for group in groups:
        if group is not None and group.get(name):
            return group[name].value[0]
    return None


def frame_groups(dataset: Any, n: int) -> tuple[Any, Any]:
    """(per-frame, shared) functional groups of frame n; None where there are none."""
    frames, shared = (
        dataset.get("PerFrameFunctionalGroupsSequence"),
        dataset.get("SharedFunctionalGroupsSequence"),
    )
    return (frames[n] if frames else None, shared[0] if shared else None)


def frame_plane(dataset: Any, n: int, name: str) -> Plane | None:
    """Where frame n is; None where the file does not say."""
    groups = frame_groups(dataset, n)
    position = group_item(groups, "PlanePositionSequence")
    orientation = group_item(groups, "PlaneOrientationSequence")
    measures = group_item(groups, "PixelMeasuresSequence")
    if position is None or orientation is None or measures is None:
        return None
    return plane_of(position, orientation, measures, name)
