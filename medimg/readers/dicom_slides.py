"""DICOM whole-slide images: the tiles of one resolution of a slide, where there is tissue.

A slide is a series with one multi-frame file for each resolution; its frames are the tiles. One file, of the chosen
resolution and at most `MAX_LEVEL` bytes, is in memory at a time, its pixels are decoded tile by tile. Labels and
overviews of the glass, which may show names, are never opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from medimg.errors import FormatError
from medimg.files import File
from medimg.pixels import Array, Picture, Pixels
from medimg.readers.dicom_file import library, open_dataset
from medimg.readers.dicom_pixels import check_frames, check_size
from medimg.readers.promises import Promised, damaged, reading
from medimg.readers.slides import TISSUE, Position, stained, tissue_in

MAX_LEVEL = 512 << 20
"""Bytes of a file that is read as a whole."""
MAX_TILES = 1024
"""Tiles of the resolution that is taken."""
MAX_OVERVIEW = 1 << 26
"""Pixels of the level that tells where tissue is."""
_TAGS = (
    "ImageType TotalPixelMatrixColumns TotalPixelMatrixRows TotalPixelMatrixFocalPlanes Rows Columns NumberOfFrames "
    "SamplesPerPixel BitsAllocated DimensionOrganizationType SharedFunctionalGroupsSequence OpticalPathSequence "
    "PerFrameFunctionalGroupsSequence NumberOfOpticalPaths PhotometricInterpretation"
).split()


class _Level(NamedTuple):
    """One resolution: `places` has the left upper corner of each frame, `spacing` mm (height, width)."""

    file: File
    size: tuple[int, int]
    tile: tuple[int, int]
    places: tuple[tuple[int, int], ...]
    spacing: tuple[float, float] | None


def tiles(files: Sequence[File], *, most: int = MAX_TILES, tissue: float = TISSUE) -> Iterator[tuple[Pixels, Position]]:
    """The tiles that hold tissue, at the finest resolution of at most `most` tiles, in the file's order.

    Args:
        files: a series.
        most: tiles, with tissue or not.
        tissue: part of a tile that must be tissue; 0 gives all.

    Raises:
        FormatError: no slide in bright field with 8 bits, or every resolution is too large.
    """
    levels = _levels(files)
    number = next(
        (n for n, one in enumerate(levels) if len(one.places) <= most and (one.file.size or 0) <= MAX_LEVEL),
        None,
    )
    if number is None:
        least = len(levels[-1].places)
        raise FormatError(f"every resolution has more than {most} tiles (the coarsest {least})")
    level, slide = levels[number], _Slide(levels[number])
    fraction = _tissue(levels, slide)
    across = levels[0].size[0] / level.size[0]
    for n, (x, y) in enumerate(level.places):
        width, height = min(level.tile[0], level.size[0] - x), min(level.tile[1], level.size[1] - y)
        part = fraction(n, (x, y, width, height))
        if part >= tissue:
            place = Position(x, y, width, height, number, across, part, level.size)
            yield Promised((level.file,), slide.picture, (n,)), place


def _levels(files: Sequence[File]) -> list[_Level]:
    """The resolutions, finest first."""
    found = [level for file in files if (level := _level(file)) is not None]
    if not found:
        raise FormatError("no file of the series is a resolution of a slide", file=files[0].path)
    found.sort(key=lambda one: (-one.size[0], one.file.path))
    if len({one.size for one in found}) < len(found):
        raise FormatError("several files of one resolution: focal planes or channels", file=files[0].path)
    return found


def _level(file: File) -> _Level | None:
    with reading(file), file.open() as stream:
        data = open_dataset(stream, _TAGS)
        kind = [str(one).upper() for one in data.get("ImageType") or ()]
        if "VOLUME" not in kind:
            return None
        if data.get("SamplesPerPixel") != 3 or data.get("BitsAllocated") != 8:
            raise FormatError(
                f"a slide of {data.get('SamplesPerPixel')} channels with {data.get('BitsAllocated')} bits; "
                "bright field with 8 bits is read"
            )
        if int(data.get("TotalPixelMatrixFocalPlanes") or 1) > 1 or int(data.get("NumberOfOpticalPaths") or 1) > 1:
            raise FormatError("a slide of several focal planes or optical paths")
        size = (int(data.TotalPixelMatrixColumns), int(data.TotalPixelMatrixRows))
        tile, count = (int(data.Columns), int(data.Rows)), int(data.get("NumberOfFrames") or 1)
        if min(*size, *tile) < 1:
            raise FormatError("a slide without pixels")
        check_size(file, data, 1)
        full = -(-size[0] // tile[0]) * -(-size[1] // tile[1])
        grid = len(data.get("PerFrameFunctionalGroupsSequence") or ()) if _is_sparse(data) else full
        if grid != count:
            raise FormatError(f"{count} tiles, the grid has {grid}")
        places = _places(data, size, tile)
        return _Level(file, size, tile, places, _spacing(data))


def _is_sparse(data: Any) -> bool:
    """Whether each tile says where it is."""
    full = str(data.get("DimensionOrganizationType")) == "TILED_FULL"
    return not full and bool(data.get("PerFrameFunctionalGroupsSequence"))


def _places(data: Any, size: tuple[int, int], tile: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    if not _is_sparse(data):
        return tuple((x, y) for y in range(0, size[1], tile[1]) for x in range(0, size[0], tile[0]))
    found = []
    for frame in data.PerFrameFunctionalGroupsSequence:
        (place,) = frame.PlanePositionSlideSequence
        x = int(place.ColumnPositionInTotalImagePixelMatrix) - 1
        y = int(place.RowPositionInTotalImagePixelMatrix) - 1
        if not (0 <= x < size[0] and 0 <= y < size[1]):
            raise FormatError(f"a tile at ({x}, {y}), outside of the slide")
        found.append((x, y))
    return tuple(found)


def _spacing(data: Any) -> tuple[float, float] | None:
    for group in data.get("SharedFunctionalGroupsSequence") or ():
        for one in group.get("PixelMeasuresSequence") or ():
            if one.get("PixelSpacing"):
                y, x = (float(value) for value in one.PixelSpacing)
                return (y, x) if min(y, x) > 0 else None
    return None


class _Slide:
    """Frames of one resolution, decoded one at a time."""

    def __init__(self, level: _Level) -> None:
        self.level = level

    @lru_cache(maxsize=1)  # noqa: B019  # as long as its tiles are used
    def _dataset(self) -> Any:
        if (self.level.file.size or 0) > MAX_LEVEL:
            raise FormatError(f"a file of {self.level.file.size:,} bytes is too large to be read at once")
        with self.level.file.open() as stream:
            check_frames(stream)
            stream.seek(0)
            return open_dataset(stream, pixels=True)

    def frame(self, number: int) -> Array:
        """Frame `number` without what lies beyond the slide's border, (rows, columns, 3)."""
        with reading(self.level.file), damaged(f"tile {number + 1} cannot be decoded"):
            array: Array = library().pixels.pixel_array(self._dataset(), index=number)
        x, y = self.level.places[number]
        return array[: self.level.size[1] - y, : self.level.size[0] - x]

    def picture(self, number: int) -> Picture:
        """The same, as a row has it."""
        return Picture(np.ascontiguousarray(self.frame(number)), spacing=self.level.spacing)


def _tissue(levels: Sequence[_Level], slide: _Slide) -> Any:
    """A function: part of frame n, at (x, y, width, height), that is tissue; told by a coarse level if there is one."""
    coarse = levels[-1]
    if coarse.size[0] * coarse.size[1] > MAX_OVERVIEW or coarse.file == slide.level.file:
        return lambda n, region: float(stained(slide.frame(n)).mean())
    overview = np.zeros((coarse.size[1], coarse.size[0]), bool)
    reader = _Slide(coarse)
    for n, (x, y) in enumerate(coarse.places):
        tissue = stained(reader.frame(n))
        overview[y : y + tissue.shape[0], x : x + tissue.shape[1]] = tissue
    return lambda n, region: tissue_in(overview, slide.level.size, region)
