"""Values of `meta`, `label.source` and headers: what may be told under which key, and how."""

from __future__ import annotations

import functools
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from medimg.declaration import Dataset
from medimg.pixels import NOT_TOLD

HEADER = frozenset(
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
    DiffusionBValue Units DecayCorrection CountsSource FrameTime CineRate SeriesNumber AcquisitionNumber
    InstanceNumber TemporalPositionIdentifier EchoNumbers TriggerTime ImagePositionPatient ImageOrientationPatient

    AnatomicalOrientation AnatomyOrientation ElementSize ElementNBits
    """.split()
)
"""What a source's header may tell: technical attributes of DICOM, and sex, age and weight; keys of MetaImage."""
# Not derived from what readers tell (`dicom_file.META`): a tag that one begins to tell goes out once it is here, too.
NOTES = frozenset(
    """
    RescaleSlope RescaleIntercept rescale pixel_offset spacing_from slice_spacing_from spacing_unknown uneven
    slice_positions_mm slices_sheared_by_degrees third_axis pixel_spacing_mm rounded_within dropped_duplicates
    contours_without_area contours_beside_the_image contours_between_slices contours_cut_at_the_border
    contours_without_voxel outlines_without_interior empty_polygons threshold dtype_in_source shape_in_source
    readings readers superpixels page axis index
    grid_from_image reason affine_in_source instances overlapping_pixels contour stack union source_format orientation
    exif_orientation frame frames color photometric stored_bits left_out unplaced codec pixel_format
    """.split()
)
"""What readers of this package say themselves of what they read."""
_HEADER, _NOTES = (frozenset("".join(filter(str.isalnum, key.casefold())) for key in keys) for keys in (HEADER, NOTES))
OVER = "90+"
"""What stands for every age over 89."""
_KERNELS = re.compile(
    r"[A-Z][A-Za-z]{0,2}\d{2,3}[a-z]{0,3}(\\\d)?|FC\d{2}|[A-Z]{1,2}|STANDARD|STND|SOFT|BONE|BONEPLUS|LUNG|DETAIL|EDGE|CHEST|"
    r"ULTRA|BODY|HEAD|BRAIN|SHARP|SMOOTH|MEDIUM|LUNG ENHANCED|YA|YB|YC|YD",
    re.IGNORECASE,
)
_CODE = re.compile(r"(?!.*\d{8})[\w .,:;+*/()&#%\\-]{0,64}")
"""What the text of a technical attribute looks like: no name of DICOM (with "^"), no date, no sentence."""
_TECHNICAL = "1.2.840.10008."
"""Start of the UIDs that DICOM itself gives out: kinds of objects, no objects."""
_AGE_IN_TEXT = re.compile(
    r"(?<![\d.,])0?(9\d|1[0-4]\d)(?=(?:[ -]?y(?:ea)?rs?\b|[ -]?y/?o\b|y\b|[ -]years?[ -]old))|"
    r"(?<=\bage: )\s*0?(9\d|1[0-4]\d)(?![\d.])",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_YEAR = re.compile(r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)|(?<!\d)(1[89]\d\d|20\d\d)(?=[01]\d[0-3]\d(?!\d))")

Left = Counter[str]


@functools.cache
def _plain(key: str) -> str:
    """A key without case, spaces and punctuation."""
    return "".join(character for character in key.casefold() if character.isalnum()) or key


class Gate:
    """What one dataset lets out.

    Args:
        keys: of its declaration.
        labels: the source labels that it maps.
    """

    def __init__(self, keys: tuple[str, ...], labels: tuple[str, ...]) -> None:
        self.keys = frozenset(_plain(key) for key in (*keys, *labels) if "*" not in key)
        self._wild = [
            re.compile(".*".join(map(re.escape, key.casefold().split("*"))), re.DOTALL) for key in keys if "*" in key
        ]

    def named(self, key: str) -> bool:
        """Whether a key may stand in `meta` and `label.source`."""
        return (
            _plain(key) in self.keys
            or _plain(key) in _HEADER
            or (key.isdecimal() and len(key) <= 4)  # a place in a list, such as a frame
            or any(pattern.fullmatch(key.casefold()) for pattern in self._wild)
        )

    def meta(self, value: Mapping[str, Any], left: Left) -> dict[str, Any]:
        """What may be told of a row; `left` counts the keys that may not."""
        told: dict[str, Any] = self._told(value, "meta", self.named, left)
        return told

    def source(self, value: Any, left: Left) -> Any:
        """What may be told of a row's label as the source gives it."""
        return self._told(value, "label.source", self.named, left)

    def header(self, value: Mapping[str, Any], place: str, left: Left) -> dict[str, Any]:
        """What may be told of a header.

        Args:
            value: as a reader gives it.
            place: "source_header" or "mask_header".
            left: counts the keys that may not.
        """
        for key in value.get(NOT_TOLD, ()):
            left[f"{place}: {shown(key)}"] += 1
        value = {key: inner for key, inner in value.items() if key != NOT_TOLD}
        told: dict[str, Any] = self._told(value, place, self._in_header, left)
        return told

    def _in_header(self, key: str) -> bool:
        return _plain(key) in _NOTES or self.named(key)

    def text(self, text: str) -> str:
        """A text with every age over 89 told as such."""
        return _AGE_IN_TEXT.sub(OVER, text)

    def _told(self, value: Any, place: str, allowed: Callable[[str], bool], left: Left, key: str = "") -> Any:
        if isinstance(value, Mapping):
            told = {}
            for name, inner in value.items():
                if allowed(str(name)):
                    told[name] = self._told(inner, place, allowed, left, str(name))
                else:
                    left[f"{place}: {shown(str(name))}"] += 1
            return told
        if isinstance(value, list | tuple):
            return [self._told(inner, place, allowed, left, key) for inner in value]
        single = self._value(key, value)
        if single is not value and single != value:
            left[f"{place}: {shown(key)} (its value)"] += 1
        return single

    def _value(self, key: str, value: Any) -> Any:
        """A value under a key that may stay: ages, dates and UIDs are told as the module says."""
        plain = _plain(key)
        if plain.endswith("uid"):
            return value if plain == "seriesinstanceuid" and plain in self.keys else other_uid(value)
        if is_age(key) and (told := age(key, value)) != value:
            return told
        if is_date(key):
            return year(value)
        if not isinstance(value, str):
            return value
        code = _KERNELS if plain == "convolutionkernel" else _CODE
        if plain in _HEADER and not code.fullmatch(value):
            return None
        return self.text(value)


def gate(dataset: Dataset) -> Gate:
    """The gate of a dataset."""
    return _gate(dataset.keys, tuple(dataset.labels))


@functools.lru_cache(maxsize=128)
def _gate(keys: tuple[str, ...], labels: tuple[str, ...]) -> Gate:
    return Gate(keys, labels)


def shown(key: str) -> str:
    """A key as a report may name it; a long one, or one with what may be a date or a number, is not named."""
    odd = len(key) > 60 or re.search(r"\d{4}|[\^@=\n]", key)
    return "a key that is no name" if odd else key or "a key without a name"


def is_age(key: str) -> bool:
    """Whether a person's age stands under a key; the age of bones is a finding."""
    words = [word.casefold() for word in _WORDS.findall(key)]
    return "age" in words and "bone" not in words


_AGE = re.compile(
    r"\s*(?P<more>[>≥]=?)?\s*(?P<number>\d+(?:\.\d*)?)\s*"
    r"(?:(?P<unit>[YMWD])|y(?:ea)?rs?(?:[ -]old)?)?\s*(?P<plus>\+)?\s*",
    re.IGNORECASE,
)
_OF_A_YEAR = {"m": 12.0, "month": 12.0, "w": 52.18, "week": 52.18, "d": 365.25, "day": 365.25}


def age(key: str, value: Any) -> Any:
    """An age as it may be told: 90 years and more are "90+", and so is what already says so ("090Y+", ">89").

    Args:
        key: says the unit where it is not years, e.g. "age (months)".
        value: a number or a text such as "94", "94.5" or DICOM's "094Y"; what is none of these stays.
    """
    found = _AGE.fullmatch(str(value))
    if found is None or isinstance(value, bool):
        return value
    words = [word.casefold().rstrip("s") for word in _WORDS.findall(key)]
    unit = found["unit"].casefold() if found["unit"] else next((one for one in words if one in _OF_A_YEAR), "")
    years = float(found["number"]) / _OF_A_YEAR.get(unit, 1.0)
    least = 89 if found["more"] or found["plus"] else 90
    return OVER if years >= least else value


def is_date(key: str) -> bool:
    """Whether a date stands under a key."""
    words = {word.casefold() for word in _WORDS.findall(key)}
    return bool(words & {"date", "datetime", "timestamp"}) or _plain(key).endswith("date")


def year(value: Any) -> Any:
    """The year of a date; None where there is none in it."""
    if value is None or value == "":
        return value
    found = _YEAR.search(str(value))
    return found[0] if found else None


def other_uid(value: Any) -> Any:
    """A UID in place of another: always the same, and nobody can tell from it which. Those of DICOM's own stay."""
    if not isinstance(value, str) or not value or value.startswith(_TECHNICAL):
        return value
    return f"2.25.{int.from_bytes(hashlib.sha256(b'medimg:' + value.encode()).digest()[:16], 'big')}"
