"""Pictures: PNG, JPEG, TIFF, BMP, PNM, GIF and WebP at full bit depth, and their lossless encoding.

The rule behind everything here: a picture's `array` equals `np.asarray` of what the stock `datasets.Image`
decodes from the stored bytes. Consequences that a builder should know:

- EXIF orientation is applied, as `datasets.Image` does; `Picture.orientation` and `meta["exif_orientation"]` say that
  it was. `one_frame` brings a row's image and label to one frame, or refuses.
- Palette images give their palette indices (mode P), and keep their palette in the stored bytes.
- 2- and 4-bit gray PNGs are spread to 0..255 (a stored 1 reads as 85 or 17).
- Pillow has no mode for 16-bit color, so no stored form shows all its bits; see `picture`.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,  # noqa: F401  (each import registers its format in Image.OPEN)
    ExifTags,
    GifImagePlugin,  # noqa: F401
    Image,
    ImageFile,
    ImageOps,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    PpmImagePlugin,  # noqa: F401
    TiffImagePlugin,
    WebPImagePlugin,  # noqa: F401
)

from medimg.errors import BombError, FormatError, GeometryError, MedimgError, MissingExtraError
from medimg.files import File
from medimg.files.decoders import CODECS, beginning, decoded, exceeds
from medimg.pixels import Array, Picture, Pixels, Volume
from medimg.pixels import Image as AnyImage
from medimg.readers import exif
from medimg.readers.promises import Promised

MAX_INFLATED = 1 << 30
"""A gzipped picture may expand to this many bytes."""
_HEAD, _LARGE = 1 << 16, 1 << 24
"""Bytes of a file that is larger than `_LARGE` which are looked at before it is read."""
INKS = ("CMYK", "YCbCr", "LAB", "HSV")
"""Pillow's modes whose channels are no red, green and blue; `meta["color"]` names them. No mask is read from them."""
MIN_IS_WHITE = "MinIsWhite; values are as stored"
STOCK_PIXELS = 178_956_970
"""Pillow's own bomb limit: the stock `datasets.Image` refuses larger pictures, so `encode` does too."""

_PNG_END = b"IEND\xaeB`\x82"
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "PPM", "GIF", "WEBP")
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "GIF": ".gif", "WEBP": ".webp"}
_PLAIN_MODES = {"1", "L", "LA", "RGB", "RGBA", "I;16", "I;16L", "I;16B", "I;16N", "I", "F"}


def picture(file: File, *, page: int | None = None, reduced: bool = False) -> Pixels:
    """One picture of a raster file; `read()` gives a `Picture`, axes (height, width[, channels]).

    The array has one of the dtypes that the stock image feature can show: bool, uint8 (1 to 4 channels),
    uint16, int32 or float32 (single channel). Other dtypes of TIFF are converted where that is exact. PNG,
    JPEG, GIF, WebP and compressed TIFF bytes pass through untouched; BMP, PNM and uncompressed TIFF are
    stored as PNG (as deflated TIFF for int32 and float32). No spacing is taken from the file: its resolution
    tags are about paper and screens.

    Args:
        file: a PNG, JPEG, TIFF (BigTIFF too), BMP, PBM/PGM/PPM, GIF or WebP, told by content and not by name.
        page: frame or TIFF page, counted from 0. None refuses a file with several.
        reduced: accept that 16-bit color shows as its high 8 bits. The source's bytes are stored, so they
            lose nothing; `meta["stored_bits"]` is 16.

    `meta` says what a decoder passes over: "color" for modes other than gray, palette and RGB (see `INKS`),
    "photometric" where 0 is white in deep gray, "left_out" for samples of a TIFF that nobody names.

    Raises (on `read`):
        FormatError: not a picture, truncated, several pages and no `page`, or a depth that cannot be kept.
        BombError: the header promises more than `Limits.pixels` pixels or `Limits.decoded` bytes.
        MissingExtraError: a TIFF that needs tifffile, which is not installed.
    """
    return Promised((file,), _picture, (file, page, reduced))


def stack(
    source: File | Sequence[File | Pixels], *, spacing: tuple[float, float, float] | None = None
) -> Pixels:
    """A volume from all pages of one TIFF, or from one single-channel picture per slice.

    `read()` gives a `Volume` with voxel axes i = column, j = row, k = page, so that (i, j) is the picture's
    (x, y). Pictures carry no orientation: the affine is diagonal with `spacing`, and claims nothing about
    left and right.

    Args:
        source: a multi-page TIFF, or the slices in order.
        spacing: mm per voxel along i, j, k; None means unknown and is stored as 1.

    Raises (on `read`):
        FormatError: a slice cannot be decoded or has color channels.
        GeometryError: slices differ in size or dtype.
    """
    if isinstance(source, File):
        return Promised((source,), _stack, (source, (source,), spacing))
    slices = tuple(as_pixels(one) for one in source)
    files = tuple(file for one in slices for file in one.files())
    return Promised(files, _stack, (slices, files, spacing))


def as_pixels(source: File | Pixels) -> Pixels:
    """`source` itself, or the picture in the file."""
    return source if isinstance(source, Pixels) else picture(source)


def storable(array: Array) -> Array:
    """The same values in a dtype and shape that the stock image feature can show.

    bool, uint8 (1 to 4 channels), uint16, int32 and float32 (single channel) stay. int8 and int16 become
    int32, float16 becomes float32; wider types are narrowed where every value survives. A channel axis of
    length 1 is dropped.

    Raises:
        FormatError: no such dtype holds every value, or the array is no picture.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] > 4) or 0 in array.shape:
        raise FormatError(f"an array of shape {array.shape} is no picture (height, width[, 2 to 4 channels])")
    kind = array.dtype.kind
    if kind not in "buif":
        raise FormatError(f"an array of {array.dtype} is no picture")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.ndim == 3:
        if array.dtype == np.uint8 or kind == "b":
            return array.astype(np.uint8, copy=False)
        if kind in "ui" and array.min() >= 0 and array.max() <= 255:
            return array.astype(np.uint8)
        raise _deep_color(f"{array.shape[2]} channels of {array.dtype}")
    if array.dtype in (np.bool_, np.uint8, np.uint16, np.int32, np.float32):
        return array
    narrow = array
    if kind == "f":
        with np.errstate(over="ignore"):
            narrow = array.astype(np.float32)
        exact = np.array_equal(narrow.astype(array.dtype), array, equal_nan=True)
    else:
        limits = np.iinfo(np.int32)
        exact = bool(int(array.min()) >= limits.min and int(array.max()) <= limits.max)
        narrow = array.astype(np.int32) if exact else array
    if not exact:
        raise FormatError(
            f"values of {array.dtype} do not fit float32 or int32, the widest types that the stock image "
            "feature shows.",
            next_step="rescale or round explicitly and note it, or store the image as a volume",
        )
    return narrow


def narrowed(array: Array) -> Array:
    """A label map in the smallest exact integer dtype: uint8, uint16, else int32.

    Raises:
        FormatError: values are not integers, or do not fit int32.
    """
    if array.dtype.kind == "f":
        if not np.isfinite(array).all() or (array != np.rint(array)).any():
            raise FormatError("a label map must hold integers, not fractions or NaN")
        if np.abs(array).max(initial=0) < 2**53:
            array = array.astype(np.int64)
    if array.dtype.kind not in "bui":
        raise FormatError(f"a label map must hold integers, not {array.dtype}")
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for dtype in (np.uint8, np.uint16, np.int32):
        limits = np.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            return array.astype(dtype, copy=False)
    raise FormatError(f"label values {low}..{high} do not fit int32")


def label_picture(array: Array, meta: Mapping[str, Any] | None = None) -> Picture:
    """A label map (height, width) as a Picture in the smallest exact integer dtype.

    Raises:
        FormatError: values are not integers, or do not fit int32.
    """
    return Picture(np.ascontiguousarray(narrowed(array)), meta=meta or {})


def encode(picture: Picture) -> tuple[bytes, str]:
    """The bytes to store and their suffix; the stock image feature decodes them to exactly `picture.array`.

    `encoded` as it is, where there is one. Else PNG for bool, uint8 (1 to 4 channels) and uint16, and
    deflated TIFF for int32 and float32. An array of another dtype is stored as `storable` gives it.

    Raises:
        FormatError: the values cannot be stored losslessly, or the picture exceeds `STOCK_PIXELS`.
    """
    height, width = picture.shape
    if height * width > STOCK_PIXELS:
        raise FormatError(
            f"{height} x {width} pixels: the stock image feature refuses more than {STOCK_PIXELS}",
            next_step="yield tiles",
        )
    if picture.encoded is not None:
        return picture.encoded, picture.suffix
    image = Image.fromarray(np.ascontiguousarray(storable(picture.array)))
    if image.mode in ("I", "F"):
        return _saved(image, "TIFF", compression="tiff_adobe_deflate"), ".tif"
    return _saved(image, "PNG"), ".png"


def open_stored(data: bytes, name: str = "") -> Image.Image:
    """A picture out of a row's bytes, as the stock image feature shows it.

    Raises:
        BombError: it is larger than `Limits` allows; told by its header.
        FormatError: it is no picture, or a damaged one.
    """
    file = File(name, lambda: io.BytesIO(data), len(data))
    try:
        with _opened(data, file) as image:
            return as_shown(image)
    except BombError as error:
        raise error.within(file=name or None) from error
    except (FormatError, OSError, ValueError, SyntaxError) as error:
        told = error.problem if isinstance(error, FormatError) else error
        raise FormatError(f"cannot be decoded ({told})", file=name or None) from error


def as_shown(image: Image.Image) -> Image.Image:
    """A picture opened with Pillow as the stock image feature shows it: turned by its EXIF orientation."""
    image.load()
    turn = ExifTags.Base.Orientation in image.getexif()
    return ImageOps.exif_transpose(image) if turn else image


def stored(picture: Picture) -> Picture:
    """The pixels as the file stores them, before its EXIF orientation was applied.

    The source's bytes stay, with their orientation set to 1, where the stock image feature then shows the array; else
    the pixels are stored as `encode` does. `meta["frame"]` is "stored" for a picture that was turned back.

    Raises:
        FormatError: neither can be done without loss.
    """
    if picture.orientation == exif.UPRIGHT:
        return picture
    array = exif.stored(picture.array, picture.orientation)
    back = Picture(array, suffix=picture.suffix, meta={**picture.meta, "frame": "stored"})
    if picture.encoded is None:
        return back
    data = exif.upright(picture.encoded)
    seen = _decode(data, None, reduced=True)
    if seen.orientation == exif.UPRIGHT and np.array_equal(seen.array, array):
        return replace(back, encoded=data)
    if (colors := palette(picture)) is not None:
        image = Image.fromarray(array)
        image.putpalette(colors.tobytes())
        return replace(back, encoded=_saved(image, "PNG"), suffix=".png")
    with _opened(picture.encoded) as image:
        if image.mode not in _PLAIN_MODES or "stored_bits" in picture.meta:
            raise FormatError(
                f"its EXIF orientation is {picture.orientation}, and cannot be taken out of its bytes without loss",
                next_step="set the orientation of the file to 1, and leave its pixels as they are",
            )
    return replace(back, suffix=".png")


def one_frame(
    frame: Literal["stored", "shown"] | None,
    image: AnyImage,
    mask: AnyImage | None,
    target: AnyImage | None,
    *,
    placed: bool,
) -> tuple[AnyImage, AnyImage | None, AnyImage | None]:
    """Image, mask and target of one row in the frame in which its labels were drawn.

    Args:
        frame: where the source drew: on the pixels as files store them, or as viewers show them, turned by their EXIF
            orientation. None is unknown.
        image, mask, target: as readers give them, each turned by its own file's orientation.
        placed: the row has numbers that mean a place in the image: boxes, points, a spacing that differs along
            the axes.

    Returns:
        The three, turned back where `frame` is "stored". Volumes and clips state no orientation and stay.

    Raises:
        GeometryError: a file is turned, `frame` is unknown, and it matters: there are places, or mask and target are
            not turned as the image is.
        FormatError: as `stored`.
    """
    beside = [one.orientation for one in (mask, target) if isinstance(one, Picture)]
    stated = {image.orientation, *beside} if isinstance(image, Picture) else {exif.UPRIGHT}
    if frame == "shown" or stated == {exif.UPRIGHT} or not isinstance(image, Picture):
        return image, mask, target
    if frame == "stored":
        back = [stored(one) if isinstance(one, Picture) else one for one in (mask, target)]
        return stored(image), back[0], back[1]
    if len(stated) > 1 or placed:
        others = [f"that of its mask or target {one}" for one in beside]
        parts = ", ".join(
            [str(image.orientation), *others, *(["it has boxes, points or a spacing"] if placed else [])]
        )
        raise GeometryError(
            f"its EXIF orientation is {parts}, and nobody says whether they were drawn on the pixels as stored or as "
            "turned by it",
            next_step='see how the source drew them, and declare frame="stored" or frame="shown" with evidence; or set '
            "the orientation of the file to 1",
        )
    return image, mask, target


def palette(picture: Picture) -> npt.NDArray[np.uint8] | None:
    """RGB colors (n, 3) of a palette picture's indices; None where the picture has no palette."""
    if picture.encoded is None or picture.array.ndim != 2 or picture.array.dtype != np.uint8:
        return None
    with _opened(picture.encoded) as image:
        if image.mode != "P":
            return None
        # Some formats read their palette together with the pixels.
        image.load()
        colors = image.getpalette("RGB") or []
    return np.array(colors, dtype=np.uint8).reshape(-1, 3)


def what_it_is(data: bytes) -> str:
    """One clause on bytes that are no known picture, for an error message."""
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not data:
        return "the file is empty"
    if b"<!doctype html" in head or b"<html" in head:
        return "this is an HTML page, not the file (a login or error page?)"
    if head.startswith(b"version https://git-lfs"):
        return "this is a Git LFS pointer, not the file"
    if data[128:132] == b"DICM":
        return "this is a DICOM file, not a raster picture"
    if not data.strip(b"\0"):
        return "the file holds nothing but zero bytes"
    return f"not a {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]} (it starts with {data[:8]!r})"


def _picture(file: File, page: int | None, reduced: bool) -> Picture:
    return _decode(_read(file), page, reduced, file)


def _read(file: File) -> bytes:
    """The bytes of a picture, out of their gzip; of a large file, only once its header was looked at."""
    if file.size is None or file.size > _LARGE:
        with file.open() as stream:
            _check_head(stream.read(_HEAD), file)
    data = file.read()
    if data.startswith(b"\x1f\x8b"):
        _check_head(data[:_HEAD], file)
        return decoded(data, MAX_INFLATED)
    return data


def _check_head(head: bytes, file: File) -> None:
    """Refuse by its first bytes what is no picture, or one that is too large."""
    if head.startswith(b"\x1f\x8b"):
        head = beginning(CODECS["gzip"], head, _HEAD)
    if not any(accept is None or accept(head[:16]) for _, accept in map(Image.OPEN.__getitem__, _FORMATS)):
        raise FormatError(what_it_is(head))
    try:
        _netpbm_header(head, file)
        _opened(head, file).close()
    except BombError:
        raise
    except FormatError:
        return  # it may be whole behind the head


def _slices(source: File | tuple[Pixels, ...]) -> Iterator[Array]:
    if not isinstance(source, tuple):
        yield from _pages(_read(source), source)
        return
    for one in source:
        image = one.read()
        if not isinstance(image, Picture):
            raise FormatError("a slice must be a picture")
        _unturned(image.orientation)
        yield image.array


def _stack(
    source: File | tuple[Pixels, ...], files: tuple[File, ...], spacing: tuple[float, float, float] | None
) -> Volume:
    slices: list[Array] = []
    total = 0
    try:
        for array in _slices(source):
            total += array.nbytes
            if files:
                files[0].check_decoded(total, f"a volume of {len(slices) + 1} slices")
            first = slices[0] if slices else array
            if array.ndim != 2:
                raise FormatError(f"slice {len(slices)} has {array.shape[2]} channels; one is needed")
            if (array.shape, array.dtype) != (first.shape, first.dtype):
                raise GeometryError(
                    f"slice {len(slices)} is {array.shape} {array.dtype}, the first {first.shape} {first.dtype}"
                )
            slices.append(array)
        if not slices:
            raise FormatError("no slices")
        affine = np.diag([*(spacing or (1.0, 1.0, 1.0)), 1.0])
        reason = None if spacing else "pictures state no distance between slices"
        return Volume.from_array(np.stack(slices).T, affine, unsized=reason)
    except MedimgError as error:
        raise error.within(file=files[len(slices)].path if len(slices) < len(files) else None) from error


class _UnreadableTiff(FormatError):
    """Pillow has no mode for this TIFF; tifffile may."""


def _deep_color(what: str) -> FormatError:
    return FormatError(
        f"{what}: the stock image feature shows color (and gray with alpha) with 8 bits only.",
        next_step="store single channels, or accept a reduced depth explicitly (picture(..., reduced=True))",
    )


def _check_size(shape: Sequence[int], itemsize: int, kind: str, file: File | None) -> None:
    """Refuse a picture by its header; one without a file is decoded anew, and was allowed before."""
    if file is not None:
        size, pixels = math.prod(shape) * itemsize, shape[0] * shape[1]
        file.check_decoded(size, f"a {kind} of {' x '.join(map(str, shape))} pixels", pixels=pixels)


def _check_image(image: Image.Image, file: File | None) -> None:
    # Pillow keeps color in four bytes a pixel.
    itemsize = {"1": 1, "L": 1, "P": 1}.get(image.mode, 2 if image.mode.startswith("I;16") else 4)
    _check_size((image.height, image.width), itemsize, image.format or "picture", file)
    if image.format == "TIFF" and file is not None:
        # A tile is decoded as a whole, however little of it is in the picture.
        try:
            across, along = (int(np.max(_tag(image, tag, 0))) for tag in (322, 323))
            bits = int(np.sum(_tag(image, TiffImagePlugin.BITSPERSAMPLE, (1,))))
        except (TypeError, ValueError, OverflowError) as error:
            raise FormatError(f"a damaged TIFF: its tiles have no size ({error})") from error
        _check_size((along, across), -(-bits // 8), "TIFF tile", file)


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _opened(data: bytes, file: File | None = None) -> Image.Image:
    """The picture's header, parsed by one of the allowed formats only; no pixel is decoded.

    With the file that it comes from, a picture that is too large for it is refused.

    Pillow's formats are called directly because `Image.open` applies a process-wide bomb limit, which a
    library must not change.
    """
    for name in _FORMATS:
        factory, accept = Image.OPEN[name]
        if accept is not None and not accept(data[:16]):
            continue
        if name == "WEBP":
            _check_size(_webp_size(data), 4, name, file)  # Pillow makes room for the pixels at once
        try:
            image = factory(io.BytesIO(data), "")
        except Image.DecompressionBombError as error:
            raise BombError(str(error)) from error
        except Exception as error:  # a hostile header may raise anything
            kind = _UnreadableTiff if name == "TIFF" else FormatError
            raise kind(f"a damaged, truncated or unusual {name} header ({error})") from error
        _check_image(image, file)
        return image
    raise FormatError(what_it_is(data))


def _webp_size(data: bytes) -> tuple[int, int]:
    """(height, width) that a WebP states, in one of its three ways."""

    def number(begin: int, end: int) -> int:
        return int.from_bytes(data[begin:end], "little")

    if data[12:16] == b"VP8X":
        return number(27, 30) + 1, number(24, 27) + 1
    if data[12:16] == b"VP8L":
        return (number(21, 25) >> 14 & 0x3FFF) + 1, (number(21, 25) & 0x3FFF) + 1
    return number(28, 30) & 0x3FFF, number(26, 28) & 0x3FFF


def _frames(image: Image.Image) -> int:
    if image.format == "MPO":  # a JPEG with previews behind it; everybody sees the first
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception as error:
        raise FormatError(f"a damaged or truncated {image.format} ({error})") from error


def _decode(data: bytes, page: int | None, reduced: bool, file: File | None = None) -> Picture:
    netpbm = _netpbm(data, file)
    if netpbm is not None:
        return Picture(storable(netpbm))
    try:
        image = _opened(data, file)
    except _UnreadableTiff as error:
        return _decode_tiff(data, page, error, file)
    with image:
        frames = _frames(image)
        _check_page(page, frames)
        _whole(image, data)
        meta: dict[str, Any] = {"page": page} if frames > 1 else {}
        try:
            image.seek(page or 0)
            _check_image(image, file)
            orientation = _orientation(image)
            meta |= _tiff_meta(image)
            if _deep(image, data):
                if not reduced:
                    raise _deep_color("16 bits per color channel")
                meta["stored_bits"] = 16
            if _altered(image):
                return _decode_tiff(data, page, None, file)
            shown = as_shown(image)
            array = np.asarray(shown)
        except MedimgError:
            raise
        except Image.DecompressionBombError as error:
            raise BombError(str(error)) from error
        except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error and more
            raise FormatError(f"a damaged or truncated {image.format} ({error})") from error
        meta |= _stated(orientation)
        if image.mode in INKS:
            meta["color"] = image.mode
        if image.format == "PNG" and array.dtype == np.int32:
            array = array.astype(np.uint16)  # Pillow < 11.3 opens 16-bit gray PNG as mode I
        encoded: bytes | None = data
        suffix = _SUFFIXES.get(image.format or "", ".png")
        if frames > 1 or image.format in ("BMP", "PPM") or _uncompressed(image):
            if shown.mode == "P":  # its colors live in the palette only
                encoded, suffix = _saved(shown, "PNG"), ".png"
            elif shown.mode in _PLAIN_MODES and (frames > 1 or "stored_bits" not in meta):
                encoded, suffix = None, ".png"
            elif frames > 1:
                raise FormatError(f"a page in Pillow's mode {shown.mode} cannot be stored losslessly")
    return Picture(storable(array), encoded, suffix, meta=meta, orientation=orientation)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation by which a viewer turns the current page, 1 where it does not. To be asked before `load`."""
    found = image.getexif().get(ExifTags.Base.Orientation)
    return int(found) if found is not None and exif.turns(found) else exif.UPRIGHT


def _stated(orientation: int) -> dict[str, Any]:
    return {} if orientation == exif.UPRIGHT else {"exif_orientation": orientation}


def _tiff_meta(image: Image.Image) -> dict[str, Any]:
    """What Pillow passes over in a TIFF: that 0 is white in deep gray, and samples of no stated meaning."""
    meta: dict[str, Any] = {}
    bits = max(_tag(image, TiffImagePlugin.BITSPERSAMPLE, (1,)))
    if bits > 8 and _tag(image, TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 1) == 0:
        meta["photometric"] = MIN_IS_WHITE
    samples = _tag(image, TiffImagePlugin.SAMPLESPERPIXEL, 1)
    if image.format == "TIFF" and samples > (shown := len(image.getbands())):
        meta["left_out"] = [
            f"{samples - shown} of {samples} samples of each pixel: the file does not say what they are"
        ]
    return meta


def _whole(image: Image.Image, data: bytes) -> None:
    """Refuse a truncated file that a decoder may fill up with gray.

    Pillow refuses most by itself, but a program may have told it not to (`ImageFile.LOAD_TRUNCATED_IMAGES`), for all
    that runs in the process.
    """
    kind = image.format
    cut = kind == "PNG" and data.rfind(_PNG_END) < 0
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        cut |= kind in ("JPEG", "MPO") and data.rfind(b"\xff\xd9") < data.find(b"\xff\xda")
        cut |= kind == "GIF" and data.rstrip(b"\0")[-1:] != b";"
        cut |= kind == "BMP" and any(
            codec == "raw" and offset + args[1] * image.height > len(data)
            for codec, _, offset, args in getattr(image, "tile", ())
        )
    if cut:
        raise FormatError(f"a truncated {kind} (its end is missing)")


def _check_page(page: int | None, count: int) -> None:
    if not count:
        raise FormatError("a damaged or truncated file: it has no page")
    if count > 1 and page is None:
        raise FormatError(f"{count} pages or frames in one file", next_step="pass page=, or use raster.stack")
    if page is not None and not 0 <= page < count:
        raise FormatError(f"there is no page {page}, only {count}")


def _tag(image: Image.Image, tag: int, default: Any) -> Any:
    return image.tag_v2.get(tag, default) if isinstance(image, TiffImagePlugin.TiffImageFile) else default


def _uncompressed(image: Image.Image) -> bool:
    return bool(image.format == "TIFF" and _tag(image, TiffImagePlugin.COMPRESSION, 1) == 1)


def _deep(image: Image.Image, data: bytes) -> bool:
    """Whether Pillow is about to drop the low bits of 16-bit color."""
    if image.format == "PNG":
        # IHDR stands first: width, height, bit depth, color type (2 RGB, 4 gray + alpha, 6 RGBA).
        return data[24] == 16 and data[25] in (2, 4, 6)
    bits = _tag(image, TiffImagePlugin.BITSPERSAMPLE, (1,))
    return len(bits) > 1 and max(bits) > 8


def _altered(image: Image.Image) -> bool:
    """TIFF types that Pillow opens under a mode that changes values: int8, uint32 and 12-bit."""
    bits = max(_tag(image, TiffImagePlugin.BITSPERSAMPLE, (1,)))
    sample_format = max(_tag(image, TiffImagePlugin.SAMPLEFORMAT, (1,)))
    return (bits, sample_format) in ((8, 2), (32, 1)) or bits == 12


def _pages(data: bytes, file: File) -> Iterator[Array]:
    """All pages of one file in order, each as `storable` gives it."""
    try:
        image = _opened(data, file)
        unusual = _altered(image)
    except _UnreadableTiff:
        unusual = True
    if unusual:
        with _tiff(data, None) as tiff:
            for leaf in tiff.pages:
                _unturned(_leaf_orientation(leaf))
                yield _leaf_array(leaf, len(data), file)
        return
    with image:
        for page in range(_frames(image)):
            try:
                image.seek(page)
                _check_image(image, file)
                _unturned(_orientation(image))
                image.load()
                array = np.asarray(image)
            except MedimgError:
                raise
            except Exception as error:
                raise FormatError(f"page {page} is damaged or truncated ({error})") from error
            if _deep(image, data):
                raise _deep_color("16 bits per color channel")
            yield storable(array)


def _unturned(orientation: int) -> None:
    """Slices of a volume have no orientation of their own."""
    if orientation != exif.UPRIGHT:
        raise GeometryError(
            f"a slice whose EXIF orientation is {orientation}, and nobody says whether the volume's labels are turned",
            next_step="set the orientation of the file to 1, and leave its pixels as they are",
        )


def _tiff(data: bytes, reason: FormatError | None) -> Any:
    try:
        import tifffile
    except ImportError as error:
        raise MissingExtraError(
            "Pillow cannot read this TIFF without loss; tifffile may.", next_step='pip install "medimg[tiff]"'
        ) from error
    try:
        return tifffile.TiffFile(io.BytesIO(data))
    except Exception as error:
        raise FormatError(f"{reason.problem if reason else 'a damaged TIFF'}; {error}") from error


def _decode_tiff(data: bytes, page: int | None, reason: FormatError | None, file: File | None) -> Picture:
    with _tiff(data, reason) as tiff:
        count = len(tiff.pages)
        _check_page(page, count)
        leaf = tiff.pages[page or 0]
        orientation = _leaf_orientation(leaf)
        return Picture(
            exif.turned(_leaf_array(leaf, len(data), file), orientation),
            meta=({"page": page} if count > 1 else {})
            | _stated(orientation)
            | ({"photometric": MIN_IS_WHITE} if leaf.photometric == 0 else {}),
            orientation=orientation,
        )


def _leaf_orientation(leaf: Any) -> int:
    tag = leaf.tags.get(ExifTags.Base.Orientation)
    return int(tag.value) if tag is not None and exif.turns(tag.value) else exif.UPRIGHT


def _leaf_array(leaf: Any, length: int, file: File | None) -> Array:
    """One TIFF page through tifffile, as `storable` gives it."""
    try:
        if leaf.axes not in ("YX", "YXS", "SYX"):
            raise FormatError(f"a TIFF page with axes {leaf.axes} is no picture")
        shape = [int(n) for n in leaf.shape]
        flat = [*shape[1:], shape[0]] if leaf.axes == "SYX" else shape
        _check_size(flat, leaf.dtype.itemsize, "TIFF page", file)
        if leaf.is_tiled:
            _check_size(
                (leaf.tilelength, leaf.tilewidth, max(leaf.chunks[2:], default=1)),
                leaf.dtype.itemsize,
                "TIFF tile",
                file,
            )
        if any(a + n > length for a, n in zip(leaf.dataoffsets, leaf.databytecounts, strict=True)):
            raise FormatError(f"a truncated TIFF: it promises {sum(leaf.databytecounts)} bytes of pixels")
        _check_packed(leaf)
        array: Array = leaf.asarray()
    except MedimgError:
        raise
    except Exception as error:
        if "imagecodecs" in str(error):
            raise MissingExtraError(
                f"this TIFF's compression needs another package ({error}).",
                next_step="pip install imagecodecs",
            ) from error
        raise FormatError(f"a damaged or truncated TIFF ({error})") from error
    array = np.moveaxis(array, 0, -1) if leaf.axes == "SYX" else array
    if array.ndim == 3 and array.dtype != np.uint8:
        raise _deep_color(f"{array.shape[2]} channels of {array.dtype}")
    return storable(array)


def _check_packed(leaf: Any) -> None:
    """Refuse a TIFF page whose tiles or strips expand to more than they should: tifffile unpacks all that there is."""
    codec = {8: "zlib", 32946: "zlib", 34925: "lzma"}.get(int(leaf.compression))
    most = math.prod(leaf.chunks) * leaf.dtype.itemsize + 4096
    for offset, count in zip(leaf.dataoffsets, leaf.databytecounts, strict=True):
        if int(leaf.compression) == 32773 and count > 2 * most:  # PackBits, which grows by a 128th at worst
            raise BombError(f"a TIFF tile of {count:,} packed bytes, which should unpack to {most:,}")
        if codec is None or count < 1 << 16:
            continue
        leaf.parent.filehandle.seek(offset)
        if exceeds(CODECS[codec], [leaf.parent.filehandle.read(count)], most):
            raise BombError(f"a TIFF tile that unpacks to more than the {most:,} bytes of its pixels")


_GAP = rb"(?:\s|#[^\n]*\n)+"
_PNM_HEADER = re.compile(rb"P([2356])" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)\s")


def _netpbm_header(data: bytes, file: File | None) -> tuple[int, int, int, int, int] | None:
    """(kind, width, height, maximum, where the values begin) of a PGM or PPM; None for other pictures."""
    if data[:2] not in (b"P2", b"P3", b"P5", b"P6"):
        return None
    header = _PNM_HEADER.match(data[:4096])
    if header is None or max(len(field) for field in header.groups()) > 10:
        raise FormatError("a damaged PGM or PPM header")
    kind, width, height, maximum = (int(field) for field in header.groups())
    # A number that is written in digits is an object for a while.
    itemsize = 64 if kind in (2, 3) else 2 if maximum > 255 else 1
    _check_size((height, width, 3 if kind in (3, 6) else 1), itemsize, "PGM or PPM", file)
    return kind, width, height, maximum, header.end()


def _netpbm(data: bytes, file: File | None) -> Array | None:
    """PGM and PPM by hand: Pillow stretches values whose declared maximum is not 255 or 65535."""
    header = _netpbm_header(data, file)
    if header is None:
        return None
    kind, width, height, maximum, start = header
    channels = 3 if kind in (3, 6) else 1
    count = width * height * channels
    if not count or not 0 < maximum < 65536:
        raise FormatError(f"a PGM or PPM of {height} x {width} pixels with maximum {maximum}")
    if channels == 3 and maximum > 255:
        raise _deep_color("a PPM with 16 bits per channel")
    dtype = np.dtype(">u2" if maximum > 255 else "u1")
    body = memoryview(data)[start:]
    if kind in (5, 6):
        there = len(body) // dtype.itemsize
        flat: Array = np.frombuffer(body, dtype=dtype, count=min(count, there))
    else:
        words = re.sub(rb"#[^\n]*", b"", bytes(body)).split(maxsplit=count)[:count]
        try:
            flat = np.array(words, dtype=np.int64)
        except (ValueError, OverflowError) as error:
            raise FormatError(f"a damaged ASCII PGM or PPM ({error})") from error
    if flat.size < count:
        raise FormatError(f"a truncated PGM or PPM: {count} values promised, {flat.size} there")
    if int(flat.max()) > maximum or int(flat.min()) < 0:
        raise FormatError(f"a PGM or PPM value is outside 0..{maximum}, the range that it declares")
    native = flat.astype(dtype.newbyteorder("="))
    return native.reshape((height, width, 3) if channels == 3 else (height, width))
