"""Whether the boxes and points of a row lie in its image. Nothing is clipped or moved: refused, or kept and told."""

from __future__ import annotations

from dataclasses import replace

from medimg.errors import GeometryError, LabelError
from medimg.pixels import Clip, Image, Picture
from medimg.schema import Label

SLACK = 0.01
"""Pixels or voxels by which rounding may carry a box over the edge."""
BEYOND = "a box reaches beyond the edge of the image; it stays as the source states it"
OUTSIDE = "a point lies outside the image; it stays as the source states it"
TWICE = "a box comes twice; both stay"


def checked(label: Label, image: Image) -> Image:
    """The image, with what is odd about the label's boxes and points in `meta["left_out"]`, so that it is told.

    Args:
        label: boxes and points in pixels (x, y) of a picture or in voxels (i, j, k) of a volume.
        image: the row's, in the frame of the label.

    Raises:
        LabelError: a box lies outside the image, or it or a point has not as many numbers as the image needs.
        GeometryError: the picture has not the size that the source states for its boxes and points.
    """
    if isinstance(image, Clip):
        return image
    extent = image.shape[::-1] if isinstance(image, Picture) else image.shape[:3]
    stated = label.drawn_on
    if stated is not None and stated != image.shape[:2] and (label.boxes or label.points):
        raise GeometryError(
            f"its labels were drawn on {stated[0]} x {stated[1]} pixels, the image has "
            f"{image.shape[0]} x {image.shape[1]}",
            next_step="see whether the image is the original one: it may have been resized or turned",
        )
    told = []
    seen = set()
    for one in label.boxes:
        low, high = one.box[: len(one.box) // 2], one.box[len(one.box) // 2 :]
        _same_axes(f"box {list(one.box)}", len(low), extent)
        if any(b <= 0 or a >= n for a, b, n in zip(low, high, extent, strict=True)):
            raise LabelError(
                f"box {list(one.box)} ({one.name}) lies outside the image of {' x '.join(map(str, extent))}",
                next_step="see whether it belongs to this image, and from which corner and in which unit it counts",
            )
        if any(a < -SLACK or b > n + SLACK for a, b, n in zip(low, high, extent, strict=True)):
            told.append(BEYOND)
        if (one.name, one.box) in seen:
            told.append(TWICE)
        seen.add((one.name, one.box))
    for mark in label.points:
        _same_axes(f"point {list(mark.point)}", len(mark.point), extent)
        if any(not -1 <= a <= n for a, n in zip(mark.point, extent, strict=True)):
            told.append(OUTSIDE)
    if not told:
        return image
    before = image.meta.get("left_out", ())
    return replace(image, meta={**image.meta, "left_out": [*before, *dict.fromkeys(told)]})


def _same_axes(what: str, axes: int, extent: tuple[int, ...]) -> None:
    if axes != len(extent):
        raise LabelError(f"{what} is of {axes} axes, the image has {len(extent)}")
