"""Pictures of the card: thumbnails with their labels drawn on, a contact sheet and a chart of the labels.

Pillow and numpy only. The same input gives the same PNG bytes. A volume is never copied: masks are scanned
one slice at a time, and one slice of the image is converted.
"""

from __future__ import annotations

import colorsys
import io
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from medimg import vocab
from medimg.manifest import Manifest, counted
from medimg.pixels import Array, Clip, Image, Picture, Volume
from medimg.schema import Box, Point

Color = tuple[int, int, int]
Legend = Sequence[tuple[int, tuple[str, ...]]]
"""Mask values and the names of what they show."""
Mask = Picture | Volume

PALETTE: tuple[Color, ...] = (
    (230, 75, 53),
    (77, 187, 213),
    (0, 190, 120),
    (247, 190, 60),
    (160, 110, 230),
    (240, 130, 190),
    (150, 200, 60),
    (90, 120, 235),
    (220, 140, 80),
    (60, 210, 190),
)
SOFT_TISSUE = (-160.0, 240.0)
LUNG = (-1350.0, 150.0)
FILL = 0.32
MAX_TILES = 12
MAX_BARS = 24
MAX_LEGEND = 24
_LEGEND_LINE = 17
MAX_FRAME = 300
"""A frame further into a video than this is not looked for: decoding starts at the beginning."""

_SAMPLES = 1 << 16
_SLAB = 1 << 20
_BACKGROUND = (24, 26, 30)
_INK = (228, 230, 235)
_SOFT_INK = (190, 194, 202)


def color(value: int, *, instances: bool = False) -> Color:
    """Color of a mask value; instances get hues far apart for numbers close together."""
    if value <= len(PALETTE) and not instances:
        return PALETTE[value - 1]
    hue = (value * 0.6180339887498949) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.65 if value % 2 else 0.85, 0.95)
    return (round(red * 255), round(green * 255), round(blue * 255))


@dataclass(frozen=True, slots=True)
class _View:
    """One plane as it will be shown: rows downwards, columns to the right.

    `boxes` are (x0, y0, x1, y1, name) and `points` (x, y, name) in pixels of `plane`, from the upper left.
    """

    plane: npt.NDArray[np.uint8]
    labels: Array | None
    boxes: tuple[tuple[float, float, float, float, str], ...]
    points: tuple[tuple[float, float, str], ...]
    spacing: tuple[float, float]


def _is_ct(modality: str | None) -> bool:
    if modality is None or modality not in vocab.modality:
        return False
    return modality == "CT" or "CT" in vocab.modality.ancestors(modality, ["is_a"])


def _window(sample: Array, modality: str | None, organ: Collection[str]) -> tuple[float, float]:
    """Values shown as black and as white."""
    with np.errstate(all="ignore"):
        values = np.asarray(sample, dtype=np.float64).ravel()
        values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    if values.min() < -200 and _is_ct(modality):  # air: the values are Hounsfield units
        return LUNG if "lung" in organ else SOFT_TISSUE
    low, high = (float(bound) for bound in np.percentile(values, (0.5, 99.5)))
    if not low < high:
        low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else (low, low + 1.0)


def _sample(array: Array) -> Array:
    """A regular sample of the values."""
    step = max(1, math.isqrt(max(1, array.shape[0] * array.shape[1] // _SAMPLES)))
    return array[::step, ::step]


def _to8(array: Array, low: float, high: float) -> npt.NDArray[np.uint8]:
    """Map [low, high] to [0, 255], some rows at a time."""
    out = np.empty(array.shape, dtype=np.uint8)
    rows = max(1, _SLAB // max(1, array[0].size))
    with np.errstate(all="ignore"):
        for start in range(0, array.shape[0], rows):
            slab = array[start : start + rows].astype(np.float64)
            slab = (slab - low) * (255.0 / (high - low))
            slab = np.nan_to_num(slab, nan=0.0, posinf=255.0, neginf=0.0)
            out[start : start + rows] = np.clip(slab, 0.0, 255.0)
    return out


def _plain(array: Array) -> Array:
    """Structured RGB voxels become a last axis; complex numbers their magnitude; booleans 0 and 255."""
    if array.dtype.names:
        array = np.stack([array[name] for name in array.dtype.names[:3]], axis=-1)
    if np.iscomplexobj(array):
        array = np.abs(array)
    return array.astype(np.uint8) * 255 if array.dtype == np.bool_ else array


def _shown(
    array: Array,
    modality: str | None,
    organ: Collection[str],
    scaling: tuple[float, float] | None = None,
) -> npt.NDArray[np.uint8]:
    """A plane (height, width[, channels]) as 8-bit gray or RGB; `scaling` marks a slice of a volume."""
    array = _plain(array)
    if array.ndim == 3:
        array = array[..., 0] if array.shape[-1] < 3 else array[..., :3]
    # A picture with 8 bits is what its maker wanted to be seen, unless it is nearly black: a label map.
    if array.dtype == np.uint8 and (array.ndim == 3 or (scaling is None and _sample(array).max() > 63)):
        return array
    slope, inter = scaling or (1.0, 0.0)
    with np.errstate(all="ignore"):
        low, high = _window(_sample(array).astype(np.float64) * slope + inter, modality, organ)
    return _to8(array, (low - inter) / slope, (high - inter) / slope)


def _steps(spacing: Sequence[float] | None) -> tuple[float, float]:
    """A usable pixel size along rows and columns; 1, 1 where there is none."""
    if spacing is None or not all(math.isfinite(step) and step > 0 for step in spacing[:2]):
        return 1.0, 1.0
    return float(spacing[0]), float(spacing[1])


def _label_plane(array: Array) -> Array:
    """Labels as whole numbers, 0 where there is nothing."""
    if array.ndim == 3:
        array = array[..., 0]
    if array.dtype.kind == "f":
        array = np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0).round()
    return array if array.dtype == np.uint8 else np.abs(array.astype(np.int64))


def _fullest(array: Array) -> int | None:
    """Index along the last axis of the slice with most labels, nearest the middle where several are equal."""
    depth = array.shape[2]
    counts = [int(np.count_nonzero(array[:, :, k])) for k in range(depth)]
    most = max(counts, default=0)
    if not most:
        return None
    return min((k for k in range(depth) if counts[k] == most), key=lambda k: (abs(k - depth // 2), k))


def _picture(image: Picture, mask: Mask | None, boxes: Sequence[Box], points: Sequence[Point]) -> _View:
    labels = None
    if mask is not None:
        labels = _label_plane(mask.array if isinstance(mask, Picture) else mask.array[:, :, 0].T)
    return _View(
        plane=_shown(image.array, None, ()),
        labels=labels,
        boxes=tuple((*box.box[:2], *box.box[2:4], box.name) for box in boxes if len(box.box) == 4),
        points=tuple((p.point[0] + 0.5, p.point[1] + 0.5, p.name) for p in points if len(p.point) == 2),
        spacing=_steps(image.spacing),
    )


def _orientation(affine: Array) -> tuple[tuple[int, bool], tuple[int, bool]]:
    """(world axis, grows towards R, A or S) of axes i and j; L and P where the affine is unusable."""
    import nibabel as nib

    fall_back = ((0, False), (1, False))
    try:
        axes: Array = nib.io_orientation(affine)[:2]
    except (ValueError, np.linalg.LinAlgError):
        return fall_back
    if not np.isfinite(axes).all():
        return fall_back
    return (int(axes[0, 0]), bool(axes[0, 1] > 0)), (int(axes[1, 0]), bool(axes[1, 1] > 0))


def _volume(
    image: Volume,
    mask: Mask | None,
    boxes: Sequence[Box],
    points: Sequence[Point],
    modality: str | None,
    organ: Collection[str],
) -> _View:
    """The slice with most labels, as radiologists see it: S or A above, R or A on the left."""
    array = image.array
    if array.ndim == 2:
        array = array[:, :, None]
    depth = array.shape[2]
    marks = mask.array if mask is not None else None
    if marks is not None:
        marks = marks[:, :, None] if marks.ndim == 2 else marks[:, :, :, 0] if marks.ndim == 4 else marks
    k = _fullest(marks) if marks is not None else None
    if k is None and boxes and len(boxes[0].box) == 6:
        k = int((boxes[0].box[2] + boxes[0].box[5]) / 2)
    if k is None and points and len(points[0].point) == 3:
        k = int(sorted(p.point[2] for p in points if len(p.point) == 3)[len(points) // 2])
    k = min(max(depth // 2 if k is None else k, 0), depth - 1)
    labels = None
    if marks is not None and k < marks.shape[2]:
        labels = _label_plane(marks[:, :, k])
    plane = array[:, :, k] if array.ndim == 3 else array[:, :, k, 0]
    if array.ndim == 5:  # NIfTI's vector dimension, e.g. color
        plane = array[:, :, k, 0, :]

    (world_i, grows_i), (world_j, grows_j) = _orientation(image.affine)
    upright = world_i > world_j  # i runs along the higher world axis (S over A over R): it becomes the rows
    down, right = (grows_i, grows_j) if upright else (grows_j, grows_i)
    rows, columns = (plane.shape[0], plane.shape[1]) if upright else (plane.shape[1], plane.shape[0])

    def turn(plane: Array) -> Array:
        plane = plane if upright else plane.swapaxes(0, 1)
        return plane[:: -1 if down else 1, :: -1 if right else 1]

    def place(i: float, j: float) -> tuple[float, float]:
        y, x = (i, j) if upright else (j, i)
        return (columns - x if right else x), (rows - y if down else y)

    def corners(box: Box) -> tuple[float, float, float, float, str]:
        (xa, ya), (xb, yb) = place(box.box[0], box.box[1]), place(box.box[3], box.box[4])
        return min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb), box.name

    near = max(1.0, depth / 32)
    step_i, step_j = _steps(image.spacing)
    return _View(
        plane=turn(_shown(plane, modality, organ, image.scaling)),
        labels=None if labels is None else turn(labels),
        boxes=tuple(corners(box) for box in boxes if len(box.box) == 6 and box.box[2] <= k < box.box[5]),
        points=tuple(
            (*place(p.point[0] + 0.5, p.point[1] + 0.5), p.name)
            for p in points
            if len(p.point) == 3 and abs(p.point[2] - k) <= near
        ),
        spacing=(step_i, step_j) if upright else (step_j, step_i),
    )


def _frame(clip: Clip, index: int) -> Array | None:
    """One decoded frame; None where the video extra is missing or the video cannot be decoded."""
    try:
        import av
    except ImportError:
        return None
    frame: Array | None = None
    try:
        with av.open(io.BytesIO(clip.encoded), mode="r") as container:
            for number, decoded in enumerate(container.decode(video=0)):
                if number >= index:
                    frame = decoded.to_ndarray(format="rgb24")
                    break
    except (av.FFmpegError, IndexError, ValueError, OSError):
        return None
    return frame


def _clip(image: Clip, mask: Mask | None, boxes: Sequence[Box], points: Sequence[Point]) -> _View | None:
    """The frame with most labels (else the middle one); None where no frame can be had."""
    marks = mask.array if isinstance(mask, Volume) and mask.array.ndim == 3 else None
    index = _fullest(marks) if marks is not None else None
    index = min(image.size[0] // 2 if index is None else index, MAX_FRAME)
    plane = _frame(image, index)
    if plane is None:
        return None
    labels = None
    if marks is not None and index < marks.shape[2]:
        labels = _label_plane(marks[:, :, index]).T
    flat = _picture(Picture(plane), None, boxes, points)
    return _View(flat.plane, labels, flat.boxes, flat.points, flat.spacing)


def _shrunk(labels: Array, height: int, width: int) -> Array:
    """Labels at display size; where they shrink the highest value wins, so that thin structures survive."""
    rows, columns = max(1, labels.shape[0] // height), max(1, labels.shape[1] // width)
    if rows > 1:
        labels = np.maximum.reduceat(labels, np.arange(0, labels.shape[0], rows), axis=0)
    if columns > 1:
        labels = np.maximum.reduceat(labels, np.arange(0, labels.shape[1], columns), axis=1)
    y = np.arange(height) * labels.shape[0] // height
    x = np.arange(width) * labels.shape[1] // width
    return labels[np.ix_(y, x)]


def _outline(labels: Array) -> npt.NDArray[np.bool_]:
    """Labelled pixels with a neighbour of another value."""
    edge = np.zeros(labels.shape, dtype=np.bool_)
    differs = labels[1:] != labels[:-1]
    edge[1:] |= differs
    edge[:-1] |= differs
    differs = labels[:, 1:] != labels[:, :-1]
    edge[:, 1:] |= differs
    edge[:, :-1] |= differs
    edge &= labels != 0
    return edge


def _overlaid(rgb: npt.NDArray[np.uint8], labels: Array, instances: bool) -> npt.NDArray[np.uint8]:
    """Every label as a translucent color with an opaque outline."""
    values, inverse = np.unique(labels, return_inverse=True)
    colors = np.array(
        [color(int(value), instances=instances) if value else (0, 0, 0) for value in values], dtype=np.float32
    )
    paint = colors[inverse.reshape(labels.shape)]
    alpha = np.where(_outline(labels), np.float32(1), np.float32(FILL)) * (labels != 0)
    mixed = rgb * (1 - alpha[..., None]) + paint * alpha[..., None]
    return np.asarray(mixed.round(), dtype=np.uint8)


def _drawn(view: _View, size: int, instances: bool) -> PIL.Image.Image:
    height, width = view.plane.shape[:2]
    scale = size / max(height * view.spacing[0], width * view.spacing[1])
    least = min(16, size)
    tall = min(size, max(least, round(height * view.spacing[0] * scale)))
    wide = min(size, max(least, round(width * view.spacing[1] * scale)))
    source = PIL.Image.fromarray(np.ascontiguousarray(view.plane))
    enlarged = min(tall / height, wide / width)
    how = PIL.Image.Resampling.NEAREST if enlarged >= 4 else PIL.Image.Resampling.BICUBIC
    shown = source.resize((wide, tall), how, reducing_gap=3.0).convert("RGB")
    if view.labels is not None and view.labels.size and view.labels.any():
        shown = PIL.Image.fromarray(_overlaid(np.asarray(shown), _shrunk(view.labels, tall, wide), instances))
    names = sorted({box[-1] for box in view.boxes} | {point[-1] for point in view.points})
    colors = {name: color(number) for number, name in enumerate(names, start=1)}
    draw = PIL.ImageDraw.Draw(shown)
    by, bx = tall / height, wide / width
    for x0, y0, x1, y1, name in view.boxes:
        left, top = round(x0 * bx), round(y0 * by)
        right, bottom = max(left, round(x1 * bx) - 1), max(top, round(y1 * by) - 1)
        draw.rectangle((left, top, right, bottom), outline=colors[name], width=max(1, size // 128))
    radius = max(2, size // 85)
    for x, y, name in view.points:
        centre_x, centre_y = round(x * bx), round(y * by)
        circle = (centre_x - radius, centre_y - radius, centre_x + radius, centre_y + radius)
        draw.ellipse(circle, fill=colors[name], outline=(255, 255, 255))
    return shown


def _placeholder(text: str, size: int) -> PIL.Image.Image:
    shown = PIL.Image.new("RGB", (size, size), _BACKGROUND)
    font = _font(max(10, size // 12))
    draw = PIL.ImageDraw.Draw(shown)
    fitted = "\n".join(_fitted(line, draw, font, size - size // 8) for line in text.splitlines())
    draw.multiline_text((size / 2, size / 2), fitted, fill=_INK, font=font, anchor="mm", align="center")
    return shown


def phantom(about: str, *, size: int = 256) -> PIL.Image.Image:
    """The picture of a row that was made up: words, since its pixels are noise that could be taken for an image.

    Args:
        about: what the row would show, e.g. "CT, liver".
        size: pixels along each side.
    """
    return _placeholder(f"PHANTOM\nmade up for testing,\nnot a patient\n\n{about}", size)


def thumbnail(
    image: Image,
    mask: Image | None = None,
    *,
    boxes: Sequence[Box] = (),
    points: Sequence[Point] = (),
    size: int = 256,
    modality: str | None = None,
    organ: Collection[str] = (),
    instances: bool = False,
) -> PIL.Image.Image:
    """A small RGB picture of one row, with its labels drawn on.

    Args:
        image: the pixels. A volume shows the slice along k with most labels, a video the frame with most.
        mask: label map on the image's grid.
        boxes: boxes in the image's coordinates; for a volume those that cross the slice are drawn.
        points: points in the image's coordinates; for a volume those near the slice are drawn.
        size: pixels along the longer side.
        modality: `CT` shows Hounsfield units through a window; everything else through percentiles.
        organ: `lung` takes the lung window for CT.
        instances: mask values count instances: neighbours get different colors.

    Returns:
        The picture, at most `size` by `size`; a placeholder where a video cannot be decoded.
    """
    marks = None if isinstance(mask, Clip) else mask
    if 0 in image.shape:
        return _placeholder("empty", size)
    view: _View | None
    if isinstance(image, Volume):
        view = _volume(image, marks, boxes, points, modality, organ)
    elif isinstance(image, Picture):
        view = _picture(image, marks, boxes, points)
    else:
        view = _clip(image, marks, boxes, points)
    return _placeholder("video", size) if view is None else _drawn(view, size, instances)


def png(image: PIL.Image.Image, *, colors: int | None = None) -> bytes:
    """PNG bytes without any metadata; `colors` reduces to that many for a smaller file."""
    if colors is not None:
        image = image.convert("RGB").quantize(colors, PIL.Image.Quantize.MEDIANCUT, dither=PIL.Image.Dither.NONE)
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _font(size: int) -> PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont:
    return PIL.ImageFont.load_default(size)


def _fitted(text: str, draw: PIL.ImageDraw.ImageDraw, font: object, width: int) -> str:
    """One printable line that is no wider than `width`."""
    text = "".join(c if c.isprintable() else " " for c in text[:400])
    text = " ".join(text.split())
    if draw.textlength(text, font=font) <= width:  # type: ignore[arg-type]
        return text
    while text and draw.textlength(text + "…", font=font) > width:  # type: ignore[arg-type]
        text = text[:-1]
    return text.rstrip() + "…"


def contact_sheet(thumbnails: Sequence[tuple[PIL.Image.Image, str]], legend: Legend = ()) -> bytes:
    """A PNG grid of at most twelve thumbnails with their captions (the first two lines of each).

    Args:
        thumbnails: pictures and captions.
        legend: mask values and names of what is drawn on them, shown below with their colors.

    Raises:
        ValueError: there is no thumbnail.
    """
    tiles = thumbnails[:MAX_TILES]
    if not tiles:
        raise ValueError("a contact sheet needs at least one thumbnail")
    columns = min(len(tiles), 4 if len(tiles) > 6 or len(tiles) == 4 else 3)
    tile, gap, line = 200, 8, 15
    lines = max(len(caption.splitlines()[:2]) for _, caption in tiles)
    row_height = tile + lines * line + gap
    rows = -(-len(tiles) // columns)
    width, grid = columns * (tile + gap) + gap, rows * row_height + gap
    colored = _colored(legend)
    height = grid + -(-len(colored) // columns) * _LEGEND_LINE + (8 if colored else 0)
    sheet = PIL.Image.new("RGB", (width, height), _BACKGROUND)
    draw = PIL.ImageDraw.Draw(sheet)
    font = _font(12)
    for number, (picture, caption) in enumerate(tiles):
        left, top = gap + number % columns * (tile + gap), gap + number // columns * row_height
        small = picture.convert("RGB")
        small.thumbnail((tile, tile), PIL.Image.Resampling.LANCZOS)
        sheet.paste(small, (left + (tile - small.width) // 2, top + (tile - small.height) // 2))
        for row, text in enumerate(caption.splitlines()[:2]):
            ink = _INK if row == 0 else _SOFT_INK
            draw.text((left, top + tile + 2 + row * line), _fitted(text, draw, font, tile), fill=ink, font=font)
    for number, (value, text) in enumerate(colored):
        left, top = gap + number % columns * (tile + gap), grid + number // columns * _LEGEND_LINE
        shade = color(value) if value else _BACKGROUND
        draw.rectangle((left, top + 2, left + 11, top + 13), fill=shade)
        draw.text((left + 18, top), _fitted(text, draw, font, tile - 18), fill=_INK, font=font)
    return png(sheet, colors=224)


def _colored(legend: Legend) -> list[tuple[int, str]]:
    """Mask value and its names, each value once; the last line says how many more there are, with value 0."""
    names: dict[int, dict[str, None]] = {}
    for value, said in legend:
        names.setdefault(value, {}).update(dict.fromkeys(said))
    lines = [(value, ", ".join(names[value])) for value in sorted(names)]
    if len(lines) <= MAX_LEGEND:
        return lines
    return [*lines[: MAX_LEGEND - 1], (0, f"and {len(lines) - MAX_LEGEND + 1} more labels")]


def statistics(manifest: Manifest) -> bytes | None:
    """A PNG bar chart of the rows per class and structure; None where there are none."""
    charts: list[tuple[str, list[tuple[str, int]]]] = []
    for title, kind in (("image-level classes", "classes"), ("structures in masks", "structures")):
        if counts := counted(manifest.configs, kind):
            charts.append((f"{title} (rows)", list(counts.items())))
    if not charts:
        return None
    width, names, line, gap = 720, 250, 20, 12
    shown = [(title, bars[:MAX_BARS], len(bars) - MAX_BARS) for title, bars in charts]
    height = gap + sum((len(bars) + 1 + (more > 0)) * line + gap for _, bars, more in shown)
    picture = PIL.Image.new("RGB", (width, height), _BACKGROUND)
    draw = PIL.ImageDraw.Draw(picture)
    font = _font(12)
    y = gap
    for number, (title, bars, more) in enumerate(shown):
        draw.text((gap, y), title, fill=_INK, font=_font(14))
        y += line
        most = max(count for _, count in bars) or 1
        for name, count in bars:
            text = _fitted(name, draw, font, names - 2 * gap)
            draw.text((names - gap, y + line / 2), text, fill=_SOFT_INK, font=font, anchor="rm")
            length = round((width - names - 80) * count / most)
            draw.rectangle((names, y + 3, names + max(1, length), y + line - 4), fill=PALETTE[7 - 6 * number])
            draw.text((names + length + 8, y + line / 2), f"{count:,}", fill=_SOFT_INK, font=font, anchor="lm")
            y += line
        if more > 0:
            draw.text((names - gap, y + line / 2), f"and {more} more", fill=_SOFT_INK, font=font, anchor="rm")
            y += line
        y += gap
    return png(picture, colors=64)
