"""Image files: text in them is taken out, text drawn into their pixels is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from medimg.containers import pictures, videos
from medimg.declaration import Dataset
from medimg.errors import FormatError, PrivacyError
from medimg.pixels import Clip, Image, Picture, Volume
from medimg.privacy.values import Left

_NIFTI_TEXTS = {
    "NIfTI data_type": (4, 14),
    "NIfTI db_name": (14, 32),
    "NIfTI descrip": (148, 228),
    "NIfTI aux_file": (228, 252),
    "NIfTI intent_name": (328, 344),
}
"""Fields of a NIfTI-1 header that hold free text: first byte, byte after the last."""


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
        data, told = videos.video(image.encoded)
        new: Image = replace(image, encoded=data)
    else:
        encoded, told = pictures.picture(image.encoded, image.orientation)
        if encoded is None:
            _storable(image)
        new = replace(image, encoded=encoded, suffix=image.suffix if encoded else ".png", shown=None)
    if not told:
        return image, None
    _count(told, place, left)
    return new, hashlib.sha256(image.encoded).hexdigest()


def _count(told: Iterable[str], place: str, left: Left) -> None:
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
    places = {**_NIFTI_TEXTS, "NIfTI extensions": (348, int(volume.header["vox_offset"]))}
    told = {name: (start, end) for name, (start, end) in places.items() if any(header[start:end])}
    if not told:
        return volume, None
    digest = hashlib.sha256(header).hexdigest() if own else None
    if header.readonly:
        volume = replace(volume, nifti=bytearray(header))
        header = memoryview(volume.nifti)
    for start, end in told.values():
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
