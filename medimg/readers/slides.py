"""Whole-slide images, tile by tile: a slide is never in memory as a whole.

Pyramidal (and plain) TIFF is read by its own tiles or strips; a plain JPEG, which allows no random access, is decoded
by libjpeg at the scale of the level that is asked for. Which tiles hold tissue is told by the smallest level.

Positions are pixels of the level, x to the right and y down; level 0 is the slide's full resolution.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from PIL import Image, JpegImagePlugin, TiffImagePlugin

from medimg.errors import BombError, FormatError, GeometryError, need
from medimg.files import File
from medimg.pixels import Picture, Pixels
from medimg.readers import exif
from medimg.readers.promises import Promised, naming, reading
from medimg.readers.slide_files import RATIONAL, SHORT, UNDEFINED, little_tags, little_tiff

Bytes = npt.NDArray[np.uint8]
TISSUE = 0.25
"""Part of a tile that must be tissue."""
CHROMA, BRIGHT = 16, 235
"""Tissue is stained: red, green and blue differ by `CHROMA` at least, or the gray value is below `BRIGHT`."""
MAX_CACHE = 64 << 20
"""Bytes of decoded TIFF tiles that a slide keeps."""
MAX_SEGMENT = 1 << 28
"""Bytes of one TIFF tile or strip, packed or not."""
MAX_THUMBNAIL = 1 << 26
"""Pixels of a level that is looked at as a whole to find tissue."""


class Position(NamedTuple):
    """Where a tile is.

    Attributes:
        x, y: left upper corner, in pixels of the level.
        width, height: of the tile; less at the right and lower border.
        level: 0 is full resolution.
        downsample: pixels of level 0 for each pixel of this level.
        tissue: part of the tile that is tissue.
        level_size: (width, height) of the level.
    """

    x: int
    y: int
    width: int
    height: int
    level: int
    downsample: float
    tissue: float
    level_size: tuple[int, int]

    @property
    def meta(self) -> dict[str, Any]:
        """For the row's `meta`."""
        return {
            "level": self.level,
            "x": self.x,
            "y": self.y,
            "downsample": self.downsample,
            "tissue": round(self.tissue, 4),
        }


@dataclass(frozen=True, slots=True)
class _Level:
    """One resolution of a slide. `page` is the TIFF page, None for a plain JPEG."""

    size: tuple[int, int]
    page: Any = None


class Slide:
    """One slide. Opened at the first use; `close` lets go of the file, which a later use opens again.

    Args:
        file: a TIFF or a JPEG.
        fill: value of pixels of TIFF tiles that were left out.
    """

    def __init__(self, file: File, *, fill: int = 255) -> None:
        self.file = file
        self.fill = fill
        self._stream: Any = None
        self._levels: list[_Level] = []
        self._spacing: tuple[float, float] | None = None
        self._cache: OrderedDict[tuple[int, int], Bytes] = OrderedDict()
        self._held = 0
        self._whole: tuple[int, Image.Image] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and of all decoded pixels."""
        stream, self._stream, self._levels, self._whole = self._stream, None, [], None
        self._cache.clear()
        self._held = 0
        if stream is not None:
            stream.close()

    @property
    def levels(self) -> Sequence[tuple[int, int]]:
        """(width, height) of each level, full resolution first. Raises FormatError: no slide."""
        return [level.size for level in self._open()]

    def tiles(self, size: int, level: int = 0, *, tissue: float = TISSUE) -> Iterator[tuple[Pixels, Position]]:
        """The tiles of a grid from the left upper corner that hold tissue, row by row.

        Tiles at the right and lower border are smaller, none is padded.

        Args:
            size: pixels of the level along each side.
            level: see `levels`.
            tissue: part of the tile that must be tissue; 0 gives all tiles.

        Raises:
            FormatError: no slide, or it has no such level.
        """
        with naming(self.file.path):
            width, height = self._level(level).size
            fraction = self._tissue(level)
            down = self._open()[0].size[0] / width
            for y in range(0, height, size):
                for x in range(0, width, size):
                    across, along = min(size, width - x), min(size, height - y)
                    part = fraction(x, y, across, along)
                    if part >= tissue:
                        place = Position(x, y, across, along, level, down, part, (width, height))
                        yield self.tile(place), place

    def tile(self, place: Position) -> Pixels:
        """The same place in this slide: a mask's tile. Raises (on `read`) GeometryError: another grid."""
        return Promised((self.file,), self._picture, (place,))

    def _picture(self, place: Position) -> Picture:
        size = self._level(place.level).size
        if size != place.level_size:
            raise GeometryError(
                f"level {place.level} has {size[0]} x {size[1]} pixels; the slide of the tile has "
                f"{place.level_size[0]} x {place.level_size[1]} there"
            )
        array = self.region(place.level, place.x, place.y, place.width, place.height)
        return Picture(np.ascontiguousarray(array), spacing=self.spacing(place.level))

    def region(self, level: int, x: int, y: int, width: int, height: int) -> Bytes:
        """Pixels (height, width[, channels]) of a level; the region must lie inside."""
        chosen = self._level(level)
        if chosen.page is None:
            whole = self._jpeg(level)
            return np.asarray(whole.crop((x, y, x + width, y + height)))
        page = chosen.page
        across, along = _segment_size(page)
        count = -(-chosen.size[0] // across)
        channels = page.samplesperpixel
        out = np.full((height, width, channels), self.fill, np.uint8)
        for row in range(y // along, -(-(y + height) // along)):
            for column in range(x // across, -(-(x + width) // across)):
                segment = self._segment(level, row * count + column)
                if segment is None:
                    continue
                top, left = row * along, column * across
                y0, x0 = max(y, top), max(x, left)
                y1, x1 = min(y + height, top + segment.shape[0]), min(x + width, left + segment.shape[1])
                out[y0 - y : y1 - y, x0 - x : x1 - x] = segment[y0 - top : y1 - top, x0 - left : x1 - left]
        return out[..., 0] if channels == 1 else out

    def spacing(self, level: int) -> tuple[float, float] | None:
        """Mm per pixel (height, width) of a level, where the TIFF states what can be a scanner's resolution."""
        levels = self._open()
        if self._spacing is None:
            return None
        (width, height), (across, along) = levels[0].size, self._level(level).size
        return self._spacing[0] * height / along, self._spacing[1] * width / across

    def _open(self) -> list[_Level]:
        if not self._levels:
            self._stream = self.file.open()
            try:
                self._levels = self._found()
            except BaseException:
                self.close()
                raise
        return self._levels

    def _found(self) -> list[_Level]:
        with naming(self.file.path):
            start = self._stream.read(4)
            self._stream.seek(0)
            if start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
                return self._pages()
            if start[:2] != b"\xff\xd8":
                raise FormatError("no TIFF and no JPEG: slides of this format cannot be read")
            with reading(self.file):
                header = JpegImagePlugin.JpegImageFile(self._stream)
                width, height = header.size
                _check_orientation(header.getexif().get(_ORIENTATION))
            return [_Level((-(-width // n), -(-height // n))) for n in (1, 2, 4, 8)]

    def _pages(self) -> list[_Level]:
        need("tiff", "a slide in TIFF", "tifffile")
        import tifffile

        with reading(self.file):
            pages = tifffile.TiffFile(self._stream, _multifile=False).pages
            first: Any = pages[0]
            candidates: list[Any] = [*(first.pages or ()), *(pages[n] for n in range(1, min(len(pages), 64)))]
        levels = [_Level((first.imagewidth, first.imagelength), first)]
        for page in candidates:
            width, height = levels[-1].size
            size = (page.imagewidth, page.imagelength)
            # A smaller picture of another shape or depth is a label or the microscope's overview.
            same = page.samplesperpixel == first.samplesperpixel
            if same and size[0] < width and abs(size[0] * height - size[1] * width) <= max(width, height) * 2:
                levels.append(_Level(size, page))
        for level in levels:
            _check(level.page)
            _check_orientation(getattr(level.page.tags.get(_ORIENTATION), "value", None))
        self._spacing = _resolution(first)
        return levels

    def _level(self, number: int) -> _Level:
        levels = self._open()
        if not 0 <= number < len(levels):
            raise FormatError(f"there is no level {number}, only {len(levels)}", file=self.file.path)
        return levels[number]

    def _tissue(self, level: int) -> Any:
        """A function: part of a region of `level` that is tissue."""
        levels = self._open()
        number = len(levels) - 1
        if levels[number].size[0] * levels[number].size[1] > MAX_THUMBNAIL:
            # No small level: each region is looked at by itself.
            return lambda *region: float(stained(self.region(level, *region)).mean())
        width, height = levels[number].size
        thumbnail = stained(self.region(number, 0, 0, width, height))
        self._whole = None
        return lambda *region: tissue_in(thumbnail, levels[level].size, region)

    def _jpeg(self, level: int) -> Image.Image:
        if self._whole is None or self._whole[0] != level:
            self._whole = None
            width, height = self._levels[level].size
            pixels = width * height
            what = f"a JPEG of {height} x {width} pixels at level {level}, which allows no reading by tiles,"
            self.file.check_decoded(4 * pixels, what, pixels=pixels)
            self._stream.seek(0)
            with reading(self.file):
                image = JpegImagePlugin.JpegImageFile(self._stream)
                scale = 1 << level
                if scale > 1:
                    image.draft(None, (max(image.width // scale, 1), max(image.height // scale, 1)))
                if image.size != (width, height):
                    raise FormatError(f"level {level} of the JPEG is {image.size}, not {(width, height)}")
                self._whole = (level, image.copy())
        return self._whole[1]

    def _segment(self, level: int, number: int) -> Bytes | None:
        """One TIFF tile or strip; None where it was left out."""
        key = (level, number)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        page = self._levels[level].page
        if number >= len(page.databytecounts) or not (count := page.databytecounts[number]):
            return None
        if count > MAX_SEGMENT:
            raise BombError(f"a TIFF tile of {count:,} bytes", file=self.file.path)
        self._stream.seek(page.dataoffsets[number])
        data = self._stream.read(count)
        if len(data) < count:
            raise FormatError("a truncated TIFF: a tile lies behind the end", file=self.file.path)
        width, height = _segment_size(page)
        if not page.is_tiled:
            height = min(height, page.imagelength - number * height)
        with reading(self.file):
            segment = _decoded(page, data, width, height)
        self._cache[key] = segment
        self._held += segment.nbytes
        while self._held > MAX_CACHE and len(self._cache) > 1:
            self._held -= self._cache.popitem(last=False)[1].nbytes
        return segment


def tiles(file: File, size: int, level: int = 0, *, tissue: float = TISSUE) -> Iterator[tuple[Pixels, Position]]:
    """The tiles of one slide that hold tissue; see `Slide.tiles`. The slide is closed behind the last one."""
    with Slide(file) as slide:
        yield from slide.tiles(size, level, tissue=tissue)


def stained(array: Bytes) -> npt.NDArray[np.bool_]:
    """Which pixels (height, width[, channels]) are tissue."""
    if array.ndim == 2:
        return (array < BRIGHT) & (array > CHROMA)
    colors = array[..., :3]
    tissue: npt.NDArray[np.bool_] = colors.max(axis=-1) - colors.min(axis=-1) >= CHROMA
    return tissue


def tissue_in(overview: npt.NDArray[np.bool_], size: tuple[int, int], region: Sequence[int]) -> float:
    """Part of a region (x, y, width, height) of a level of `size` (width, height) that is tissue in an overview."""
    height, width = overview.shape
    across, along = width / size[0], height / size[1]
    x, y, wide, high = region
    left, top = int(x * across), int(y * along)
    right, bottom = max(left + 1, round((x + wide) * across)), max(top + 1, round((y + high) * along))
    return float(overview[min(top, height - 1) : bottom, min(left, width - 1) : right].mean())


def _segment_size(page: Any) -> tuple[int, int]:
    if page.is_tiled:
        return int(page.tilewidth), int(page.tilelength)
    return int(page.imagewidth), min(int(page.rowsperstrip or page.imagelength), int(page.imagelength))


def _check(page: Any) -> None:
    """Refuse what the reading of tiles does not cover, before anything is allocated."""
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    if bits != 8 or page.samplesperpixel not in (1, 3, 4) or page.imagedepth != 1:
        raise FormatError(f"a slide of {page.samplesperpixel} channels with {bits} bits; 8 bits are read")
    if page.planarconfig != 1 and page.samplesperpixel > 1:
        raise FormatError("a slide with separate color planes")
    if int(page.compression) not in _COMPRESSIONS:
        raise FormatError(f"a slide whose tiles are packed with {page.compression!r}")
    width, height = _segment_size(page)
    if not 0 < width * height * page.samplesperpixel <= MAX_SEGMENT:
        raise BombError(f"a TIFF tile of {height} x {width} pixels")
    if not (page.imagewidth and page.imagelength):
        raise FormatError("a slide without pixels")


def _check_orientation(stated: object) -> None:
    """Tiles are read as stored: refuse a slide that viewers turn, as positions and outlines may be of either frame."""
    if exif.turns(stated):
        raise GeometryError(
            f"a slide whose EXIF orientation is {stated}: nobody says in which frame it was outlined",
            next_step="set the orientation of the file to 1, and leave its pixels as they are",
        )


_ORIENTATION = 274
_COMPRESSIONS = {1, 5, 7, 8, 32773, 32946}
"""None, LZW, JPEG, deflate, PackBits, old deflate."""

_KEPT = {317: SHORT, 338: SHORT, 530: SHORT, 532: RATIONAL}
"""Predictor, ExtraSamples, YCbCrSubSampling, ReferenceBlackWhite."""


def _decoded(page: Any, data: bytes, width: int, height: int) -> Bytes:
    """One tile, as the only strip of a small TIFF that Pillow's libtiff decodes."""
    channels = page.samplesperpixel
    tags: dict[int, tuple[int, Any]] = little_tags(
        width, height, channels, int(page.compression), int(page.photometric)
    )
    for code, kind in _KEPT.items():
        if (found := page.tags.get(code)) is not None:
            tags[code] = (kind, found.value if isinstance(found.value, tuple) else (found.value,))
    if page.jpegtables:
        tags[347] = (UNDEFINED, bytes(page.jpegtables))
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(little_tiff([(tags, [data])])))
    image.load()
    array = np.asarray(image)
    if array.shape != ((height, width, channels) if channels > 1 else (height, width)) or array.dtype != np.uint8:
        raise FormatError(f"a tile of {array.dtype} with shape {array.shape}")
    return array.reshape(height, width, channels)


def _resolution(page: Any) -> tuple[float, float] | None:
    """Mm per pixel (height, width); None unless it is that of a microscope (0.05 to 20 micrometers)."""
    unit = {2: 25.4, 3: 10.0}.get(int(getattr(page.tags.get("ResolutionUnit"), "value", 0) or 0))
    found = [getattr(page.tags.get(name), "value", None) for name in ("YResolution", "XResolution")]
    if unit is None or not all(isinstance(one, tuple) and one[0] and one[1] for one in found):
        return None
    y, x = (unit * one[1] / one[0] for one in found if one is not None)
    return (y, x) if all(5e-5 < one < 0.02 for one in (x, y)) else None
