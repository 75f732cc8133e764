"""The gate through which all passes that is published: what a list names stays, all else is left out and counted.

Keys of `meta` and `label.source` are those that the declaration names (`Dataset.keys`), keys of headers those of
`HEADER`. Text inside image, volume and video files is taken out by `medimg.containers`; pixels never change. DICOM
follows the Basic Application Level Confidentiality Profile (PS3.15, annex E): UIDs are replaced by others, always by
the same; dates, names and free text are not on the list. Kept are sex, age and weight (its Retain Patient
Characteristics Option), with every age over 89 told as "90+", and what it says of the device. `SeriesInstanceUID`
stays where the declaration names it among its keys, which it does where the source itself publishes it as the public
key of its images: The Cancer Imaging Archive, the Imaging Data Commons, and what was made of them.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from medimg import containers, imports
from medimg.declaration import Dataset
from medimg.errors import FormatError, PrivacyError
from medimg.pixels import NOT_TOLD, Clip, Image, Picture, Volume
from medimg.report import LoadReport, Reason

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
_HEADER, _NOTES = (
    frozenset("".join(filter(str.isalnum, key.casefold())) for key in keys) for keys in (HEADER, NOTES)
)
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
            re.compile(".*".join(map(re.escape, key.casefold().split("*"))), re.DOTALL)
            for key in keys
            if "*" in key
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
    unit = (
        found["unit"].casefold() if found["unit"] else next((one for one in words if one in _OF_A_YEAR), "")
    )
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


# pixels


def stripped(image: Image, place: str, left: Left, *, own: bool = True) -> tuple[Image, str | None]:
    """An image without the text in its file, and the SHA-256 of its bytes as the source has them.

    Args:
        image: as a reader gives it; the header of a volume is changed in place, its voxels are not.
        place: "image", "mask" or "target".
        left: counts what was left out, by its place in the format.
        own: whether the bytes of a volume are those of the source (unpacked), not made of them.

    Returns:
        (image, digest): the image itself and None where there was nothing to take out, or a volume is not `own`.

    Raises:
        FormatError: a file that cannot be taken apart, and whose pixels cannot be stored in another.
    """
    if isinstance(image, Volume):
        return _volume(image, place, left, own)
    if image.encoded is None:
        return image, None
    told: Left
    if isinstance(image, Clip):
        data, told = containers.video(image.encoded)
        new: Image = replace(image, encoded=data)
    else:
        encoded, told = containers.picture(image.encoded, image.orientation)
        if encoded is None:
            _storable(image)
        new = replace(image, encoded=encoded, suffix=image.suffix if encoded else ".png")
    if not told:
        return image, None
    _count(told, place, left)
    return new, hashlib.sha256(image.encoded).hexdigest()


def _count(told: Left, place: str, left: Left) -> None:
    for name in told:
        left[f"{place}: {name}"] += 1


def _storable(picture: Picture) -> None:
    """Refuse a picture whose array does not say all that its file shows: the colors of indices, inks."""
    from medimg.readers import raster

    if raster.palette(picture) is not None or "color" in picture.meta or "stored_bits" in picture.meta:
        raise FormatError(
            "a picture whose texts nobody can tell from its pixels",
            next_step="Save it as PNG or JPEG, without changing its pixels.",
        )


def _volume(volume: Volume, place: str, left: Left, own: bool) -> tuple[Volume, str | None]:
    header = memoryview(volume.nifti)
    offset = int(volume.header["vox_offset"])
    places, told = containers.nifti(header[:offset])
    if not told:
        return volume, None
    digest = hashlib.sha256(header).hexdigest() if own else None
    if header.readonly:
        volume = replace(volume, nifti=bytearray(header))
        header = memoryview(volume.nifti)
    for start, end in places.items():
        header[start:end] = bytes(end - start)
    _count(told, place, left)
    return volume, digest


def burned_in(*images: Image | None) -> bool:
    """Whether a header says that text is drawn into the pixels (DICOM's BurnedInAnnotation)."""

    def says(value: Any) -> bool:
        if isinstance(value, Mapping):
            stated = value.get("BurnedInAnnotation", ())
            marks = stated if isinstance(stated, list | tuple) else [stated]
            return "YES" in (str(mark).strip().upper() for mark in marks) or any(map(says, value.values()))
        return isinstance(value, list | tuple) and any(map(says, value))

    return any(image is not None and says(image.meta) for image in images)


def check_burned_in(dataset: Dataset, *images: Image | None) -> None:
    """Refuse a row whose header says that text is drawn into its pixels, but where somebody looked at them.

    Raises:
        PrivacyError: the declaration does not say so.
    """
    if dataset.burned_in is None and burned_in(*images):
        raise PrivacyError(
            "BurnedInAnnotation is YES: text is drawn into the pixels, and it may name the patient",
            next_step="Look at the pixels. Where no text names anybody, say in the declaration who looked at what "
            "(`burned_in`).",
        )


# names of files, and reasons


class Words:
    """Lets through what manifests and cards say of the source's files: names, and reasons why they are no row.

    A word stays where medimg's own code has it (the builder's, and what that imports), or the path of a published row;
    all others are "*", and numbers of four digits and more "#": a date, a number of a patient.

    Args:
        module: of the builder.
    """

    def __init__(self, module: str) -> None:
        self._known = set(_words_of_code(module))

    def learn(self, path: str) -> None:
        """A path that a row publishes."""
        self._known.update(_words(path))

    def text(self, text: str) -> str:
        """A name or a reason as it may be published."""
        return _NUMBER.sub("#", _WORD.sub(self._word, text))

    def report(self, report: LoadReport) -> LoadReport:
        """A report as it may be published."""
        public = LoadReport(report.dataset, report.config, rows=report.rows, private=report.private)
        for held, told in ((report.skipped, public.skipped), (report.incomplete, public.incomplete)):
            for reason, files in held.items():
                one = told.setdefault(self.text(reason), Reason())
                one.count += files.count
                for path in files.examples:
                    one.add(self.text(path), 0)
        return public

    def _word(self, found: re.Match[str]) -> str:
        return found[0] if found[0].casefold() in self._known else "*"


_WORD = re.compile(r"[^\W\d_]{2,}")
_NUMBER = re.compile(r"\d{4,}")


def _words(text: str) -> Iterator[str]:
    return (found[0].casefold() for found in _WORD.finditer(text))


@functools.cache
def _words_of_code(module: str) -> frozenset[str]:
    names = imports.reached(module, "medimg.rows")
    return frozenset().union(*map(_words_of_one, names))


@functools.cache
def _words_of_one(module: str) -> frozenset[str]:
    return frozenset(_words(imports.code(module).text))
