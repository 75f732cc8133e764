"""Pictures: PNG, JPEG, TIFF, BMP, PNM, GIF and WebP at full bit depth, and their lossless encoding.

The rule behind everything here: a picture's `array` equals `np.asarray` of what the stock `datasets.Image`
decodes from the stored bytes. Consequences that a builder should know:

- EXIF orientation is applied, as `datasets.Image` does; `Picture.orientation` and `meta["exif_orientation"]` say that
  it was. `frames.one_frame` brings a row's image and label to one frame, or refuses.
- Palette images give their palette indices (mode P), and keep their palette in the stored bytes.
- 2- and 4-bit gray PNGs are spread to 0..255 (a stored 1 reads as 85 or 17).
- Pillow has no mode for 16-bit color, so no stored form shows all its bits; see `picture`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

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

from medimg.errors import BombError, FormatError, GeometryError, MedimgError
from medimg.files import File
from medimg.files.decoders import CODECS, beginning, decoded
from medimg.pixels import Array, Picture, Pixels, Volume
from medimg.readers import exif
from medimg.readers.depth import check_size, deep_color, storable
from medimg.readers.netpbm import netpbm, netpbm_header
from medimg.readers.promises import Promised, damaged
from medimg.readers.raster_tiff import (
    MIN_IS_WHITE,
    check_page,
    decode_tiff,
    leaf_array,
    leaf_orientation,
    opened_tiff,
    stated,
)

MAX_INFLATED = 1 << 30
"""A gzipped picture may expand to this many bytes."""
_HEAD, _LARGE = 1 << 16, 1 << 24
"""Bytes of a file that is larger than `_LARGE` which are looked at before it is read."""
INKS = ("CMYK", "YCbCr", "LAB", "HSV")
"""Pillow's modes whose channels are no red, green and blue; `meta["color"]` names them. No mask is read from them."""

SHOWN_VALUES = 1 << 24
"""Of a picture with more (channels counted) Pillow's form is not kept beside the array, but decoded again."""
STOCK_PIXELS = 178_956_970
"""Pillow's own bomb limit: the stock `datasets.Image` refuses larger pictures, so `encode` does too."""

_PNG_END = b"IEND\xaeB`\x82"
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "PPM", "GIF", "WEBP")
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "GIF": ".gif", "WEBP": ".webp"}
PLAIN_MODES = {"1", "L", "LA", "RGB", "RGBA", "I;16", "I;16L", "I;16B", "I;16N", "I", "F"}


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


def stack(source: File | Sequence[File | Pixels], *, spacing: tuple[float, float, float] | None = None) -> Pixels:
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
    image = pillow(picture.array)
    if image.mode in ("I", "F"):
        return saved(image, "TIFF", compression="tiff_adobe_deflate"), ".tif"
    return saved(image, "PNG"), ".png"


def pillow(array: Array) -> Image.Image:
    """Pillow's picture of an array, as `storable` gives it."""
    return Image.fromarray(np.ascontiguousarray(storable(array)))


def open_stored(data: bytes, name: str = "") -> Image.Image:
    """A picture out of a row's bytes, as the stock image feature shows it.

    Raises:
        BombError: it is larger than `Limits` allows; told by its header.
        FormatError: it is no picture, or a damaged one.
    """
    file = File(name, lambda: io.BytesIO(data), len(data))
    try:
        with opened(data, file) as image:
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


def palette(picture: Picture) -> npt.NDArray[np.uint8] | None:
    """RGB colors (n, 3) of a palette picture's indices; None where the picture has no palette."""
    if picture.encoded is None or picture.array.ndim != 2 or picture.array.dtype != np.uint8:
        return None
    with opened(picture.encoded) as image:
        if image.mode != "P":
            return None
        # Some formats read their palette together with the pixels.
        image.load()
        colors = image.getpalette("RGB") or []
    return np.array(colors, dtype=np.uint8).reshape(-1, 3)


def what_it_is(data: bytes, other: str = "") -> str:
    """One clause on bytes that are no known picture, for an error message; `other` where nothing is known of them."""
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
    return other or f"not a {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]} (it starts with {data[:8]!r})"


def _picture(file: File, page: int | None, reduced: bool) -> Picture:
    return decode(_read(file), page, reduced, file)


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
        netpbm_header(head, file)
        opened(head, file).close()
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


def _check_image(image: Image.Image, file: File | None) -> None:
    # Pillow keeps color in four bytes a pixel.
    itemsize = {"1": 1, "L": 1, "P": 1}.get(image.mode, 2 if image.mode.startswith("I;16") else 4)
    check_size((image.height, image.width), itemsize, image.format or "picture", file)
    if image.format == "TIFF" and file is not None:
        # A tile is decoded as a whole, however little of it is in the picture.
        try:
            across, along = (int(np.max(_tag(image, tag, 0))) for tag in (322, 323))
            bits = int(np.sum(_tag(image, TiffImagePlugin.BITSPERSAMPLE, (1,))))
        except (TypeError, ValueError, OverflowError) as error:
            raise FormatError(f"a damaged TIFF: its tiles have no size ({error})") from error
        check_size((along, across), -(-bits // 8), "TIFF tile", file)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """As a file of some kind."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def opened(data: bytes, file: File | None = None) -> Image.Image:
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
            check_size(_webp_size(data), 4, name, file)  # Pillow makes room for the pixels at once
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
    with damaged(f"a damaged or truncated {image.format}"):
        return int(getattr(image, "n_frames", 1))


def decode(data: bytes, page: int | None, reduced: bool, file: File | None = None) -> Picture:
    """A picture out of the bytes of its file; see `picture`."""
    plain = netpbm(data, file)
    if plain is not None:
        return Picture(storable(plain))
    try:
        image = opened(data, file)
    except _UnreadableTiff as error:
        return decode_tiff(data, page, error, file)
    with image:
        frames = _frames(image)
        check_page(page, frames)
        _whole(image, data)
        meta: dict[str, Any] = {"page": page} if frames > 1 else {}
        try:
            image.seek(page or 0)
            _check_image(image, file)
            orientation = _orientation(image)
            meta |= _tiff_meta(image)
            if _deep(image, data):
                if not reduced:
                    raise deep_color("16 bits per color channel")
                meta["stored_bits"] = 16
            if _altered(image):
                return decode_tiff(data, page, None, file)
            shown = as_shown(image)
            array = np.asarray(shown)
        except MedimgError:
            raise
        except Image.DecompressionBombError as error:
            raise BombError(str(error)) from error
        except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error and more
            raise FormatError(f"a damaged or truncated {image.format} ({error})") from error
        meta |= stated(orientation)
        if image.mode in INKS:
            meta["color"] = image.mode
        if image.format == "PNG" and array.dtype == np.int32:
            array = array.astype(np.uint16)  # Pillow < 11.3 opens 16-bit gray PNG as mode I
        encoded: bytes | None = data
        suffix = _SUFFIXES.get(image.format or "", ".png")
        if frames > 1 or image.format in ("BMP", "PPM") or _uncompressed(image):
            if shown.mode == "P":  # its colors live in the palette only
                encoded, suffix = saved(shown, "PNG"), ".png"
            elif shown.mode in PLAIN_MODES and (frames > 1 or "stored_bits" not in meta):
                encoded, suffix = None, ".png"
            elif frames > 1:
                raise FormatError(f"a page in Pillow's mode {shown.mode} cannot be stored losslessly")
    kept = encoded is data and image.format in ("JPEG", "PNG") and array.size <= SHOWN_VALUES
    return Picture(storable(array), encoded, suffix, meta=meta, orientation=orientation, shown=shown if kept else None)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation by which a viewer turns the current page, 1 where it does not. To be asked before `load`."""
    found = image.getexif().get(ExifTags.Base.Orientation)
    return int(found) if found is not None and exif.turns(found) else exif.UPRIGHT


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
        image = opened(data, file)
        unusual = _altered(image)
    except _UnreadableTiff:
        unusual = True
    if unusual:
        with opened_tiff(data, None) as tiff:
            for leaf in tiff.pages:
                _unturned(leaf_orientation(leaf))
                yield leaf_array(leaf, len(data), file)
        return
    with image:
        for page in range(_frames(image)):
            with damaged(f"page {page} is damaged or truncated"):
                image.seek(page)
                _check_image(image, file)
                _unturned(_orientation(image))
                image.load()
                array = np.asarray(image)
            if _deep(image, data):
                raise deep_color("16 bits per color channel")
            yield storable(array)


def _unturned(orientation: int) -> None:
    """Slices of a volume have no orientation of their own."""
    if orientation != exif.UPRIGHT:
        raise GeometryError(
            f"a slice whose EXIF orientation is {orientation}, and nobody says whether the volume's labels are turned",
            next_step="set the orientation of the file to 1, and leave its pixels as they are",
        )
