"""What one DICOM file says: its header, and the tags that may be told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, BinaryIO

from medimg.errors import BombError, FormatError, need
from medimg.files.decoders import CODECS, exceeds

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


DEFLATED = 256 << 20
"""A deflated data set may expand to this many bytes."""
Header = Mapping[str, Any]


def library() -> ModuleType:
    """Pydicom. Raises MissingExtraError."""
    need("dicom", "DICOM", "pydicom")
    import pydicom.pixels

    module: ModuleType = pydicom
    return module


class Unnamed:
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
        raise FormatError("no DICOM file", next_step="see whether the file is complete and what it says it is")
    if not bare:
        deflated(stream)
    dataset = pydicom.dcmread(
        Unnamed(stream),
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


def value_of(dataset: Any, keyword: str) -> Any:
    """A tag's value, None where it is absent or empty. Raises FormatError: it is damaged."""
    try:
        value = dataset.get(keyword)
    except Exception as error:  # pydicom decodes values when they are asked for
        raise FormatError(f"{keyword} cannot be read: {error}") from error
    return None if value is None or value == "" else value


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
