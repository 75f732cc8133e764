"""Pictures, masks and targets of one row in one frame: pixels as files store them, or as viewers turn them."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from PIL import Image

from medimg.errors import FormatError, GeometryError
from medimg.pixels import Image as AnyImage
from medimg.pixels import Picture
from medimg.readers import exif
from medimg.readers.raster import PLAIN_MODES, decode, opened, palette, saved


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
    seen = decode(data, None, reduced=True)
    if seen.orientation == exif.UPRIGHT and np.array_equal(seen.array, array):
        return replace(back, encoded=data)
    if (colors := palette(picture)) is not None:
        image = Image.fromarray(array)
        image.putpalette(colors.tobytes())
        return replace(back, encoded=saved(image, "PNG"), suffix=".png")
    with opened(picture.encoded) as image:
        if image.mode not in PLAIN_MODES or "stored_bits" in picture.meta:
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
        parts = ", ".join([str(image.orientation), *others, *(["it has boxes, points or a spacing"] if placed else [])])
        raise GeometryError(
            f"its EXIF orientation is {parts}, and nobody says whether they were drawn on the pixels as stored or as "
            "turned by it",
            next_step='see how the source drew them, and declare frame="stored" or frame="shown" with evidence; or set '
            "the orientation of the file to 1",
        )
    return image, mask, target
