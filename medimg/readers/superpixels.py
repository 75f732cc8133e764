"""Superpixels: regions that a color picture numbers, and what is said of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from medimg.errors import FormatError, LabelError, MedimgError
from medimg.files import File
from medimg.pixels import Picture, Pixels
from medimg.readers.raster import label_picture, picture


def mask(file: File, values: Sequence[int]) -> Pixels:
    """A label map in which superpixel n has the value `values[n]`; n is red + 256 green + 65536 blue.

    Raises (on `read`):
        LabelError: a superpixel beyond the end of `values`.
        FormatError: no picture of three channels.
    """
    return _Mask(file, tuple(values))


@dataclass(frozen=True, slots=True)
class _Mask(Pixels):
    file: File
    values: tuple[int, ...]

    def files(self) -> Iterable[File]:
        return (self.file,)

    def read(self) -> Picture:
        image = picture(self.file).read()
        try:
            if not isinstance(image, Picture) or image.array.ndim != 3 or image.array.shape[2] != 3:
                raise FormatError("superpixels are numbered by three channels of 8 bits")
            numbers = image.array.astype(np.int32) @ np.array([1, 256, 65536], dtype=np.int32)
            if (last := int(numbers.max(initial=0))) >= len(self.values):
                raise LabelError(f"superpixel {last} has no value, there are {len(self.values)}")
            drawn = label_picture(
                np.array(self.values, dtype=np.int64)[numbers], {"superpixels": len(self.values)}
            )
            return replace(drawn, orientation=image.orientation)
        except MedimgError as error:
            raise error.within(file=self.file.path) from error
