"""Superpixels: regions that a color picture numbers, and what is said of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medimg.errors import FormatError, LabelError
from medimg.files import File
from medimg.pixels import Picture, Pixels
from medimg.readers.depth import label_picture
from medimg.readers.promises import Promised
from medimg.readers.raster import picture


def mask(file: File, values: Sequence[int]) -> Pixels:
    """A label map in which superpixel n has the value `values[n]`; n is red + 256 green + 65536 blue.

    Raises (on `read`):
        LabelError: a superpixel beyond the end of `values`.
        FormatError: no picture of three channels.
    """
    return Promised((file,), _mask, (file, tuple(values)))


def _mask(file: File, values: tuple[int, ...]) -> Picture:
    image = picture(file).read()
    if not isinstance(image, Picture) or image.array.ndim != 3 or image.array.shape[2] != 3:
        raise FormatError("superpixels are numbered by three channels of 8 bits")
    numbers = image.array.astype(np.int32) @ np.array([1, 256, 65536], dtype=np.int32)
    if (last := int(numbers.max(initial=0))) >= len(values):
        raise LabelError(f"superpixel {last} has no value, there are {len(values)}")
    drawn = label_picture(np.array(values, dtype=np.int64)[numbers], {"superpixels": len(values)})
    return replace(drawn, orientation=image.orientation)
