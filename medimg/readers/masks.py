"""Operators that turn what a source draws into a label map.

Each takes files or other `Pixels`, returns `Pixels`, and decodes nothing until `read()`, which gives a
`Picture` with array (height, width) in the smallest exact integer dtype (uint8, uint16, else int32). Errors
name the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from medimg.errors import DeclarationError, FormatError, GeometryError, LabelError, MedimgError
from medimg.files import File
from medimg.pixels import Array, Picture, Pixels
from medimg.readers import contours
from medimg.readers.contours import Bools
from medimg.readers.depth import label_picture, narrowed
from medimg.readers.levels import counted, looked_up
from medimg.readers.raster import as_pixels, palette
from medimg.readers.volumes import Painter

Source = File | Pixels
Color = tuple[int, ...]


def mask(
    source: Source, mapping: Mapping[int, int] | Mapping[Color, int] | None = None, channel: int | None = None
) -> Pixels:
    """A label map from an image of values or of colors.

    Without `mapping` the values stay as they are, and the three channels must be equal. Keys that are numbers
    map values (palette indices for palette images); keys that are colors, (red, green, blue) of 0..255, map
    exact colors, also those of a palette. An alpha channel is dropped where it is constant.

    Args:
        source: the image.
        mapping: stored value or color -> label value, total: 0 and black need an entry too.
        channel: the channel that holds the labels, for files in which the others hold something else.

    Raises (on `read`):
        LabelError: a value or color without a mapping, or channels that differ and no colors to map.
        FormatError: the image cannot be decoded or is no picture.
    """
    if mapping is not None and len({isinstance(key, tuple) for key in mapping}) > 1:
        raise DeclarationError("a mapping has either values or colors as keys, not both")
    return _Derived((as_pixels(source),), _mask, (mapping, channel))


def threshold(source: Source, at: int = 128) -> Pixels:
    """0 where the image is below `at`, else 1: for masks that JPEG or smoothing has blurred.

    Colors are compared by their luma (ITU-R 601, as Pillow's "L"). `meta["threshold"]` keeps `at`.

    Raises (on `read`):
        LabelError: an alpha channel that is not constant.
    """
    return _Derived((as_pixels(source),), _threshold, (at,))


def filled(source: Source, at: int = 128) -> Pixels:
    """1 inside and on a closed contour that is drawn bright on dark, else 0.

    A contour that the image's border cuts is closed along the border; it must be convex (an ellipse, say),
    since nothing else tells its inside from its outside. A region that is filled already stays as it is.
    `meta["contour"]` is "filled" or "filled already", `meta["threshold"]` is `at`.

    Args:
        source: the image of the contour, any number of them.
        at: brightness from which a pixel belongs to the line.

    Raises (on `read`):
        FormatError: nothing is drawn, or a contour is not closed.
    """
    return _Derived((as_pixels(source),), _filled, (at,))


def instances(sources: Iterable[Source]) -> Pixels:
    """One binary image for each object -> a map in which object n, in the given order, has value n (from 1).

    Where two overlap the later wins; `meta["overlapping_pixels"]` counts such pixels, `meta["instances"]` the
    objects. One image is in memory at a time.

    Args:
        sources: one file or `Pixels` per object; everything but 0 (black) is the object.

    Raises (on `read`):
        LabelError: no objects, an empty one, one hidden by later ones, or one that is not binary.
        GeometryError: sizes differ.
    """
    parts = tuple(as_pixels(source) for source in sources)
    return _Derived(parts, _instances, (parts,))


def union(parts: Iterable[tuple[Source, int]], *, overlaps: Mapping[tuple[int, ...], int] | None = None) -> Pixels:
    """One binary image for each structure -> one label map.

    Args:
        parts: (file or `Pixels`, label value); a value may come several times.
        overlaps: values that meet, in any order -> the value of such pixels, e.g. {(1, 2): 3}. Without an
            entry such pixels are an error, so that nothing is lost.

    Raises (on `read`):
        LabelError: values overlap without an entry, or an image is not binary.
        GeometryError: sizes differ.
    """
    pairs = [(as_pixels(source), value) for source, value in parts]
    return _Derived(tuple(part for part, _ in pairs), _union, ([value for _, value in pairs], dict(overlaps or {})))


def rle(
    runs: str | Sequence[int],
    shape: tuple[int, int],
    *,
    order: Literal["F", "C"] = "F",
    relative: bool = False,
    value: int = 1,
    file: File | None = None,
) -> Pixels:
    """A mask from run lengths: pairs of start and length.

    The defaults are Kaggle's (column by column, first pixel 1). SIIM-ACR's need relative=True: each start
    counts from the end of the run before, and the first pixel is 0. No runs, or "-1", are an empty mask; a blank
    text says nothing and is none: see `tables.run_lengths`.

    Args:
        runs: numbers, or text of numbers between spaces.
        shape: (height, width).
        order: "F" down the columns, "C" along the rows.
        relative: starts count from the end of the run before.
        value: label value of the runs.
        file: the table that holds the runs, for error messages.

    Raises (on `read`):
        LabelError: no pairs of numbers, a blank text, or a run outside the image.
    """
    inside = partial(_runs, shape=shape, order=order, relative=relative)
    return _Derived((), _rle_mask, (inside, runs, value), () if file is None else (file,))


def rle_instances(
    objects: Sequence[str | Sequence[int]],
    shape: tuple[int, int],
    *,
    order: Literal["F", "C"] = "F",
    relative: bool = False,
    file: File | None = None,
) -> Pixels:
    """One run-length mask for each object -> a map of instances; see `rle` and `instances`.

    No object, or a single empty mask ("-1"), means an image without objects.

    Raises (on `read`):
        LabelError: as `rle` and `instances`.
    """
    inside = partial(_runs, shape=shape, order=order, relative=relative)
    return _Derived((), _rle_objects, (inside, tuple(objects), shape), () if file is None else (file,))


def polygons(
    shapes: Iterable[tuple[int, Sequence[Sequence[float]]]],
    shape: tuple[int, int],
    *,
    center: float = 0.5,
    file: File | None = None,
) -> Pixels:
    """A label map from polygons; a later polygon covers an earlier one.

    A pixel belongs to a polygon where its center is inside (even-odd rule). A center exactly on an edge
    belongs to the polygon to the right of the edge or below it, so polygons that share an edge neither
    overlap nor leave a gap. Parts outside the image are cut off. `meta["empty_polygons"]` counts polygons
    that hold no pixel center, where there are any.

    Args:
        shapes: (label value, [(x, y), …]), x to the right and y down, at least three corners.
        shape: (height, width).
        center: coordinate of the first pixel's center: 0.5 where pixel 0 covers 0..1 (COCO and most drawing
            tools), 0.0 where whole numbers are pixel centers.
        file: the file that holds the polygons, for error messages.

    Raises (on `read`):
        LabelError: fewer than three corners, or a coordinate that is not finite.
    """
    kept = tuple((value, tuple(tuple(point) for point in corners)) for value, corners in shapes)
    return _Derived((), _polygons, (kept, shape, center), () if file is None else (file,))


_Read = Callable[[int], Picture]


@dataclass(frozen=True, slots=True)
class _Derived(Pixels):
    """Pictures -> label map. `make` gets a function that reads part n, and the settings."""

    parts: tuple[Pixels, ...]
    make: Callable[..., Picture]
    settings: tuple[Any, ...]
    tables: tuple[File, ...] = ()

    def files(self) -> Iterable[File]:
        return (*(file for part in self.parts for file in part.files()), *self.tables)

    def read(self) -> Picture:
        last = 0
        turns: set[int] = set()

        def part(number: int) -> Picture:
            nonlocal last
            last = number
            image = self.parts[number].read()
            if not isinstance(image, Picture):
                raise FormatError("a picture is needed here, not a volume or a video")
            if color := image.meta.get("color"):
                raise FormatError(f"a mask in the colors of {color}", next_step="save it in gray, RGB or a palette")
            turns.add(image.orientation)
            if len(turns) > 1:
                raise GeometryError(
                    f"files of one mask state different EXIF orientations, {sorted(turns)}",
                    next_step="set them to that of the image, where the pixels show that they belong together",
                )
            return image

        try:
            made = self.make(part, *self.settings)
            return replace(made, orientation=max(turns, default=1))
        except MedimgError as error:
            near = (self.parts[last].files() if self.parts else ()) or self.files()
            raise error.within(file=next((file.path for file in near), None)) from error


def _opaque(array: Array) -> Array:
    """Without its alpha channel, which must say nothing."""
    if array.ndim == 3 and array.shape[2] in (2, 4):
        if (array[..., -1] != array[0, 0, -1]).any():
            raise LabelError(
                "the alpha channel is not constant", next_step="pass channel= to say what holds the labels"
            )
        array = array[..., :-1]
    return array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array


def _shown(image: Picture) -> Array:
    """The pixels; those of a palette image as colors, since the order of its indices means nothing."""
    colors = palette(image)
    return image.array if colors is None else colors[image.array]


def _gray(image: Picture) -> Array:
    """One channel, or the luma of three."""
    array = _opaque(_shown(image))
    if array.ndim == 2:
        return array.astype(np.uint8) * np.uint8(255) if array.dtype == np.bool_ else array
    red, green, blue = (array[..., n].astype(np.uint32) for n in range(3))
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16


def _mask(read: _Read, mapping: Mapping[Any, int] | None, channel: int | None) -> Picture:
    image = read(0)
    by_color = mapping is not None and any(isinstance(key, tuple) for key in mapping)
    lookup = palette(image) if by_color else None
    array = image.array if lookup is None else lookup[image.array]
    if channel is None:
        array = _opaque(array)
    elif array.ndim == 3 and -array.shape[2] <= channel < array.shape[2]:
        array = array[..., channel]
    else:
        raise LabelError(f"there is no channel {channel} in an image of shape {array.shape}")
    if mapping is not None and by_color:
        if array.ndim == 2:
            array = np.stack([array] * 3, axis=-1)
        return label_picture(_map_colors(array, mapping), image.meta)
    if array.ndim == 3:
        if (array != array[..., :1]).any():
            colors = np.unique(array.reshape(-1, array.shape[2]), axis=0).tolist()
            raise LabelError(f"the channels differ: colors {_some(colors)}", next_step="map colors, or pass channel=")
        array = array[..., 0]
    if mapping is not None:
        return label_picture(_map_values(array, mapping), image.meta)
    out = label_picture(array, image.meta)
    same = image.array.ndim == 2 and out.array.dtype == image.array.dtype and image.encoded is not None
    return replace(image, array=out.array, orientation=1) if same else out


def _some(values: list[Any], limit: int = 8) -> str:
    shown = ", ".join(str(tuple(value) if isinstance(value, list) else value) for value in values[:limit])
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown


def _map_values(array: Array, mapping: Mapping[int, int]) -> Array:
    array = array.view(np.uint8) if array.dtype == np.bool_ else array
    values = np.unique(array).tolist() if array.dtype.kind == "f" else counted(array)
    missing = [value for value in values if value not in mapping]
    if missing:
        raise LabelError(f"values without a mapping: {_some(missing)}", next_step="map or correct them")
    table = {int(value): mapping[value] for value in values}
    return looked_up(array, table, narrowed(np.array([*table.values()], dtype=np.int64)).dtype)


def _map_colors(array: Array, mapping: Mapping[Color, int]) -> Array:
    if any(len(color) != array.shape[2] for color in mapping):
        raise LabelError(f"colors of {array.shape[2]} channels are needed, as in (255, 0, 0)")
    packed = np.zeros(array.shape[:2], dtype=np.uint64)
    for channel in range(array.shape[2]):
        packed = (packed << np.uint64(16)) | array[..., channel].astype(np.uint64)
    out = np.zeros(array.shape[:2], dtype=np.int64)
    known = np.zeros(array.shape[:2], dtype=np.bool_)
    for color, value in mapping.items():
        key = 0
        for part in color:
            key = (key << 16) | part
        here = packed == np.uint64(key)
        out[here] = value
        known |= here
    if not known.all():
        missing = np.unique(array[~known].reshape(-1, array.shape[2]), axis=0).tolist()
        raise LabelError(
            f"colors without a mapping: {_some(missing)}, in {np.count_nonzero(~known)} pixels",
            next_step="map them; where compression has blurred the colors, the source needs another operator",
        )
    return out


def _threshold(read: _Read, at: int) -> Picture:
    return label_picture(_gray(read(0)) >= at, {"threshold": at})


def _filled(read: _Read, at: int) -> Picture:
    region, already = contours.filled(_gray(read(0)) >= at)
    return label_picture(region, {"threshold": at, "contour": "filled already" if already else "filled"})


def _instances(read: _Read, parts: tuple[Pixels, ...]) -> Picture:
    if not parts:
        raise LabelError("no objects, at least one is expected")
    names = [next((file.path for file in part.files()), "") for part in parts]
    return numbered((_binary(read(number)) for number in range(len(parts))), len(parts), names)


def _binary(image: Picture) -> Bools:
    """Everything but 0 (black); the rest must have one value."""
    array = _opaque(_shown(image))
    inside = np.asarray(array.any(axis=2) if array.ndim == 3 else array != 0)
    drawn = array[inside]
    if drawn.size and (drawn != drawn[0]).any():
        values = np.unique(drawn, axis=0).tolist()
        raise LabelError(f"not a binary mask: values {_some(values)} beside 0", next_step="use threshold or mask")
    return inside


def numbered(masks: Iterable[Bools], total: int, names: Sequence[str] = ()) -> Picture:
    """Number the `total` objects (at least one) of an instance map; see `instances`. `names`: of their files."""
    out: Array | None = None
    overlapping = 0
    for number, mask in enumerate(masks, 1):
        if out is None:
            out = np.zeros(mask.shape, np.uint8 if total < 256 else np.uint16 if total < 65536 else np.int32)
        if mask.shape != out.shape:
            raise GeometryError(f"object {number} is {mask.shape} pixels, the first {out.shape}")
        if not mask.any():
            raise LabelError(f"object {number} is empty")
        overlapping += int(np.count_nonzero(out[mask]))
        out[mask] = number
    assert out is not None
    left = np.bincount(out.ravel(), minlength=total + 1)[1:]
    hidden = (np.flatnonzero(left == 0) + 1).tolist()
    if hidden:
        paths = [names[n - 1] for n in hidden[:3] if names]
        raise LabelError(
            f"later objects hide objects {_some(hidden)} completely {paths or ''}".rstrip(),
            next_step="leave the duplicates out",
        )
    return Picture(out, meta={"instances": total, "overlapping_pixels": overlapping})


def no_objects(shape: tuple[int, int]) -> Picture:
    """The instance map of an image without any."""
    return Picture(np.zeros(shape, np.uint8), meta={"instances": 0, "overlapping_pixels": 0})


def _union(read: _Read, values: list[int], overlaps: Mapping[tuple[int, ...], int]) -> Picture:
    painter: Painter | None = None
    for number, value in enumerate(values):
        mask = _binary(read(number))
        if painter is None:
            painter = Painter(np.zeros(mask.shape, np.uint16), overlaps)
        if mask.shape != painter.array.shape:
            raise GeometryError(f"mask {number + 1} is {mask.shape} pixels, the first {painter.array.shape}")
        painter.paint(painter.array, mask, value)
    if painter is None:
        raise LabelError("there are no masks to unite")
    table, dtype = painter.finish()
    return label_picture(table.astype(dtype)[painter.array])


def _rle_mask(read: _Read, inside: Callable[[Any], Bools], runs: Any, value: int) -> Picture:
    return label_picture(np.where(inside(runs), np.int64(value), 0))


def _rle_objects(
    read: _Read, inside: Callable[[Any], Bools], objects: tuple[Any, ...], shape: tuple[int, int]
) -> Picture:
    if not objects or (len(objects) == 1 and not inside(objects[0]).any()):
        return no_objects(shape)
    return numbered(map(inside, objects), len(objects))


def _polygons(read: _Read, shapes: tuple[Any, ...], shape: tuple[int, int], center: float) -> Picture:
    out = np.zeros(shape, np.int64)
    empty = 0
    for value, corners in shapes:
        top, left, inside = contours.rasterize(corners, shape, center)
        empty += not inside.any()
        out[top : top + inside.shape[0], left : left + inside.shape[1]][inside] = value
    return label_picture(out, {"empty_polygons": empty} if empty else {})


def _runs(
    runs: str | Sequence[int],
    shape: tuple[int, int],
    order: Literal["F", "C"],
    relative: bool,
) -> Bools:
    if isinstance(runs, str) and not runs.strip():
        raise LabelError("blank run lengths: whether something was found is unknown")
    try:
        words = re.split(r"[\s,]+", runs.strip()) if isinstance(runs, str) else runs
        numbers = [int(word) for word in words if word != ""]
    except ValueError as error:
        raise LabelError(f"run lengths must be whole numbers ({error})") from error
    numbers = [] if numbers == [-1] else numbers
    if len(numbers) % 2:
        raise LabelError(f"run lengths come in pairs of start and length; there are {len(numbers)} numbers")
    flat = np.zeros(shape[0] * shape[1], dtype=np.bool_)
    first = 0 if relative else 1
    end = 0
    for begin, length in zip(numbers[::2], numbers[1::2], strict=True):
        low = begin + end if relative and end else begin - first
        end = low + length
        if length <= 0 or low < 0 or end > flat.size:
            raise LabelError(f"run {begin} {length} is outside an image of {shape[0]} x {shape[1]} pixels")
        flat[low:end] = True
    return flat.reshape(shape, order=order)
