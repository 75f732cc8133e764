"""Outlines that were drawn on a few frames of a video, as one label map over all frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from medimg.errors import FormatError, LabelError
from medimg.files import File
from medimg.pixels import Clip, Pixels, Volume
from medimg.readers import image
from medimg.readers.contours import rasterize
from medimg.readers.promises import Promised, naming

UNTRACED = 255
"""Value of every pixel of a frame that nobody has drawn on: not background."""
Corners = Sequence[Sequence[float]]


def mask(
    clip: File | Pixels,
    outlines: Mapping[int, Sequence[tuple[int, Corners]]],
    *,
    center: float = 0.5,
    table: File | None = None,
) -> Pixels:
    """A label map (width, height, frames), uint8: what is drawn in traced frames, `UNTRACED` in all others.

    A legend for it has the entry `{UNTRACED: ()}`: not annotated there. Parts outside the frame are cut off; an outline
    of which nothing is left is told (`meta["left_out"]`).

    Args:
        clip: the video.
        outlines: frame (from 0) -> (label value, [(x, y), …]) of each outline, x to the right and y down; a
            later one covers an earlier one. A frame without outlines is traced and holds nothing.
        center: coordinate of the first pixel's center, as in `masks.polygons`.
        table: the file that holds the outlines, for error messages.

    Raises (on `read`):
        FormatError: as the video's reader.
        LabelError: a frame that the video does not have, an outline with fewer than three corners or with a
            coordinate that is not finite, or a value that is not 0..254.
    """
    kept = {
        frame: tuple((value, tuple(map(tuple, corners))) for value, corners in one) for frame, one in outlines.items()
    }
    own = (clip,) if isinstance(clip, File) else clip.files()
    sources = (*own, *(() if table is None else (table,)))
    return Promised(sources, _mask, (clip, kept, center, table))


def _mask(
    clip: File | Pixels,
    drawn: Mapping[int, tuple[tuple[int, tuple[tuple[float, ...], ...]], ...]],
    center: float,
    table: File | None,
) -> Volume:
    video = image(clip).read()
    if not isinstance(video, Clip):
        raise FormatError("outlines of frames need a video")
    count, height, width = video.size
    volume = Volume.empty((width, height, count), np.uint8, np.eye(4))
    array, told = volume.array, []
    array[...] = UNTRACED
    with naming(table.path if table else None):
        for frame, outlines in drawn.items():
            if not 0 <= frame < count:
                raise LabelError(f"an outline is drawn on frame {frame}, the video has frames 0 to {count - 1}")
            array[:, :, frame] = 0
            for value, corners in outlines:
                if not 0 <= value < UNTRACED:
                    raise LabelError(f"{value} is no label value of outlines (0 to {UNTRACED - 1})")
                top, left, inside = rasterize(corners, (height, width), center)
                if not inside.any():
                    told.append("an outline holds no pixel of its frame: it left nothing in the mask")
                rows, columns = inside.shape
                array[left : left + columns, top : top + rows, frame][inside.T] = value
    return replace(volume, meta={"left_out": told[:1]}) if told else volume
