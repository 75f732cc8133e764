"""Which arrays a picture of a row can hold: dtypes, channels and sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medimg.errors import FormatError
from medimg.files import File
from medimg.pixels import Array, Picture


def storable(array: Array) -> Array:
    """The same values in a dtype and shape that the stock image feature can show.

    bool, uint8 (1 to 4 channels), uint16, int32 and float32 (single channel) stay. int8 and int16 become
    int32, float16 becomes float32; wider types are narrowed where every value survives. A channel axis of
    length 1 is dropped.

    Raises:
        FormatError: no such dtype holds every value, or the array is no picture.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] > 4) or 0 in array.shape:
        raise FormatError(f"an array of shape {array.shape} is no picture (height, width[, 2 to 4 channels])")
    kind = array.dtype.kind
    if kind not in "buif":
        raise FormatError(f"an array of {array.dtype} is no picture")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.ndim == 3:
        if array.dtype == np.uint8 or kind == "b":
            return array.astype(np.uint8, copy=False)
        if kind in "ui" and array.min() >= 0 and array.max() <= 255:
            return array.astype(np.uint8)
        raise deep_color(f"{array.shape[2]} channels of {array.dtype}")
    if array.dtype in (np.bool_, np.uint8, np.uint16, np.int32, np.float32):
        return array
    narrow = array
    if kind == "f":
        with np.errstate(over="ignore"):
            narrow = array.astype(np.float32)
        exact = np.array_equal(narrow.astype(array.dtype), array, equal_nan=True)
    else:
        limits = np.iinfo(np.int32)
        exact = bool(int(array.min()) >= limits.min and int(array.max()) <= limits.max)
        narrow = array.astype(np.int32) if exact else array
    if not exact:
        raise FormatError(
            f"values of {array.dtype} do not fit float32 or int32, the widest types that the stock image "
            "feature shows.",
            next_step="rescale or round explicitly and note it, or store the image as a volume",
        )
    return narrow


def narrowed(array: Array) -> Array:
    """A label map in the smallest exact integer dtype: uint8, uint16, else int32.

    Raises:
        FormatError: values are not integers, or do not fit int32.
    """
    if array.dtype.kind == "f":
        if not np.isfinite(array).all() or (array != np.rint(array)).any():
            raise FormatError("a label map must hold integers, not fractions or NaN")
        if np.abs(array).max(initial=0) < 2**53:
            array = array.astype(np.int64)
    if array.dtype.kind not in "bui":
        raise FormatError(f"a label map must hold integers, not {array.dtype}")
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for dtype in (np.uint8, np.uint16, np.int32):
        limits = np.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            return array.astype(dtype, copy=False)
    raise FormatError(f"label values {low}..{high} do not fit int32")


def label_picture(array: Array, meta: Mapping[str, Any] | None = None) -> Picture:
    """A label map (height, width) as a Picture in the smallest exact integer dtype.

    Raises:
        FormatError: values are not integers, or do not fit int32.
    """
    return Picture(np.ascontiguousarray(narrowed(array)), meta=meta or {})


def deep_color(what: str) -> FormatError:
    """The error for color of more than 8 bits."""
    return FormatError(
        f"{what}: the stock image feature shows color (and gray with alpha) with 8 bits only.",
        next_step="store single channels, or accept a reduced depth explicitly (picture(..., reduced=True))",
    )


def check_size(shape: Sequence[int], itemsize: int, kind: str, file: File | None) -> None:
    """Refuse a picture by its header; one without a file is decoded anew, and was allowed before."""
    if file is not None:
        size, pixels = math.prod(shape) * itemsize, shape[0] * shape[1]
        file.check_decoded(size, f"a {kind} of {' x '.join(map(str, shape))} pixels", pixels=pixels)
