"""Pages of TIFF that Pillow cannot open without loss, through tifffile."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from PIL import ExifTags

from medimg.errors import BombError, FormatError, MedimgError, MissingExtraError, need
from medimg.files import File
from medimg.files.decoders import CODECS, exceeds
from medimg.pixels import Array, Picture
from medimg.readers import exif
from medimg.readers.depth import check_size, deep_color, storable
from medimg.readers.promises import damaged

MIN_IS_WHITE = "MinIsWhite; values are as stored"


def stated(orientation: int) -> dict[str, Any]:
    """An orientation that turns, for `meta`."""
    return {} if orientation == exif.UPRIGHT else {"exif_orientation": orientation}


def check_page(page: int | None, count: int) -> None:
    """Refuse a page that is not there, and several of which none was named. Raises FormatError."""
    if not count:
        raise FormatError("a damaged or truncated file: it has no page")
    if count > 1 and page is None:
        raise FormatError(f"{count} pages or frames in one file", next_step="pass page=, or use raster.stack")
    if page is not None and not 0 <= page < count:
        raise FormatError(f"there is no page {page}, only {count}")


def opened_tiff(data: bytes, reason: FormatError | None) -> Any:
    """A TIFF as tifffile sees it; `reason`: why Pillow does not. Raises FormatError, MissingExtraError."""
    need("tiff", "a TIFF that Pillow cannot read without loss", "tifffile")
    import tifffile

    with damaged(reason.problem if reason else "a damaged TIFF"):
        return tifffile.TiffFile(io.BytesIO(data))


def decode_tiff(data: bytes, page: int | None, reason: FormatError | None, file: File | None) -> Picture:
    """One page through tifffile; see `raster.picture`."""
    with opened_tiff(data, reason) as tiff:
        count = len(tiff.pages)
        check_page(page, count)
        leaf = tiff.pages[page or 0]
        orientation = leaf_orientation(leaf)
        return Picture(
            exif.turned(leaf_array(leaf, len(data), file), orientation),
            meta=({"page": page} if count > 1 else {})
            | stated(orientation)
            | ({"photometric": MIN_IS_WHITE} if leaf.photometric == 0 else {}),
            orientation=orientation,
        )


def leaf_orientation(leaf: Any) -> int:
    """The EXIF orientation of a page, 1 where viewers do not turn it."""
    tag = leaf.tags.get(ExifTags.Base.Orientation)
    return int(tag.value) if tag is not None and exif.turns(tag.value) else exif.UPRIGHT


def leaf_array(leaf: Any, length: int, file: File | None) -> Array:
    """One TIFF page through tifffile, as `storable` gives it."""
    try:
        if leaf.axes not in ("YX", "YXS", "SYX"):
            raise FormatError(f"a TIFF page with axes {leaf.axes} is no picture")
        shape = [int(n) for n in leaf.shape]
        flat = [*shape[1:], shape[0]] if leaf.axes == "SYX" else shape
        check_size(flat, leaf.dtype.itemsize, "TIFF page", file)
        if leaf.is_tiled:
            check_size(
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
        raise deep_color(f"{array.shape[2]} channels of {array.dtype}")
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
