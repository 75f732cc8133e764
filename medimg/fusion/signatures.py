"""Signatures of pictures and volumes that survive re-saving.

A signature is the low part of the image's cosine spectrum, the image being a function on the unit square or cube:
no spacing, no number of voxels and no dtype enter. Shifting intensities changes only the constant term (left out),
scaling them only the norm (divided out), a flip only the sign of the odd terms along an axis, and exchanging axes
only their order. So two signatures are compared under all flips and exchanges, and under inversion, by a few sums.
Terms are weighted by frequency to the power of 1.5, which flattens the spectrum of natural images: without it, the
outline that all heads or chests share would hide what is different between two patients.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from medimg.errors import FormatError
from medimg.fusion.scene_rows import decoded
from medimg.pixels import Array, Picture, Volume

VERSION = 1
"""Changes with whatever changes a signature; caches of another version are made anew."""

TERMS: Mapping[int, int] = {2: 32, 3: 16}
"""Cosine terms along each axis, for pictures and for volumes."""

THRESHOLD: Mapping[int, tuple[float, float]] = {2: (0.95, 0.95), 3: (0.95, 0.90)}
"""Correlation from which two signatures are of one image, on the same grid and across grids; docs/duplicates.md."""

WHITENING = 1.5

LEAST_PIXELS = 64
"""Smaller images have nothing to be told apart by."""

SAMPLE = 1 << 18

CHANNELS = 16

Float = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Signature:
    """A small fixed-size digest of the pixels: equal images have signatures that correlate.

    Attributes:
        shape: pixels or voxels along the 2 or 3 axes (counted up to 65535).
        data: int8 terms within the ball of `TERMS`, in C order; empty where the image is constant or too small,
            and then it matches nothing.
    """

    shape: tuple[int, ...]
    data: bytes = field(repr=False)

    @property
    def axes(self) -> int:
        """2 for pictures, 3 for volumes."""
        return len(self.shape)

    @property
    def blank(self) -> bool:
        """Whether the image has nothing to compare."""
        return not self.data

    def to_text(self) -> str:
        """ASCII form for a cache; `from_text` reads it."""
        return base64.b64encode(struct.pack(f"<BB{self.axes}H", VERSION, self.axes, *self.shape) + self.data).decode(
            "ascii"
        )

    @classmethod
    def from_text(cls, text: str) -> Signature:
        """The inverse of `to_text`.

        Raises:
            ValueError: it is no such text, or of another version of this module.
        """
        raw = base64.b64decode(text, validate=True)
        version, axes = raw[:2] if len(raw) > 1 else (0, 0)
        start = 2 + 2 * axes
        if version != VERSION or axes not in TERMS or len(raw) - start not in (0, int(ball(axes).sum())):
            raise ValueError("not a signature of this version")
        return cls(struct.unpack_from(f"<{axes}H", raw, 2), raw[start:])


def signature(image: Picture | Volume | Array | Mapping[str, Any], *, axes: Literal[2, 3] | None = None) -> Signature:
    """The signature of a picture or volume; videos have none (they are compared by `content` alone).

    Args:
        image: what a reader returns, a stored value ({"bytes", "path"}), or an array: (height, width[, channels]) for
            `axes=2`, (i, j, k[, sequence or time]) for `axes=3`, of any real, complex or RGB dtype.
        axes: what an array is; None takes two axes for a picture and more for a volume.

    Channels of a picture are averaged and its alpha channel is left out. Volumes of a 4-D image are each brought to
    unit variance and averaged, so their order does not matter. Values outside the 0.1 to 99.9 percentiles are
    clipped, values that are not finite are replaced by the lower one. Memory beyond the array: one slab.

    Raises:
        FormatError: the bytes cannot be decoded, or the array has no pixels or too many axes.
    """
    array, axes = _pixels(image, axes)
    if array.size == 0 or array.ndim < 1:
        raise FormatError(f"an image of shape {array.shape} has no pixels")
    if axes == 2:
        spectrum = _picture(array)
    else:
        spectrum = _volume(array)
    shape = tuple(min(n, 65535) for n in (*array.shape[:axes], *[1] * (axes - array.ndim)))
    packed = (spectrum * _weights(axes))[ball(axes)]
    largest = float(np.abs(packed).max())
    if prod(shape) < LEAST_PIXELS or not largest > 0:
        return Signature(shape, b"")
    return Signature(shape, np.round(packed * (127 / largest)).astype(np.int8).tobytes())


# pixels to spectrum


def _pixels(
    image: Picture | Volume | Array | Mapping[str, Any], axes: Literal[2, 3] | None
) -> tuple[Array, Literal[2, 3]]:
    if isinstance(image, np.ndarray):
        return image, axes or (2 if image.ndim == 2 else 3)
    if isinstance(image, Picture):
        return image.array, 2
    if isinstance(image, Volume):
        return image.array, 3
    data, name = image.get("bytes"), str(image.get("path") or "")
    if data is None:
        raise FormatError("the stored image has no bytes", file=name or None)
    return (Volume(data).array, 3) if name.endswith(".nii") else (decoded(image), 2)


def _picture(array: Array) -> Float:
    if array.ndim > 3:
        raise FormatError(f"a picture has 2 or 3 axes, not the shape {array.shape}")
    if array.ndim == 3:
        count = array.shape[2]
        colors = [_real(array[:, :, channel]) for channel in range(count - 1 if count in (2, 4) else count)]
        array = np.add.reduce(colors)
    return _spectrum(np.atleast_2d(array)[:, :, None], 2)[:, :, 0]


def _volume(array: Array) -> Float:
    while array.ndim < 3:
        array = array[..., None]
    if array.ndim == 3:
        return _spectrum(array, 3)
    series = array.reshape(*array.shape[:3], -1, order="F")
    chosen = np.unique(np.linspace(0, series.shape[3] - 1, CHANNELS).round().astype(int))
    total = np.zeros((TERMS[3],) * 3, np.float32)
    for number in chosen:
        spectrum = _spectrum(series[..., number], 3)
        norm = float(np.linalg.norm(spectrum))
        total += spectrum / norm if norm > 0 else 0
    return total


def _spectrum(array: Array, axes: int) -> Float:
    """Cosine terms of (height, width, 1) or (i, j, k), the constant one being 0; one slab at a time."""
    low, high = _range(array)
    middle, scale = (low + high) / 2, (high - low) / 2
    terms = TERMS[axes]
    if not (np.isfinite(scale) and scale > 0):
        return np.zeros((terms,) * axes + (1,) * (3 - axes), np.float32)
    left, right = _cosines(array.shape[0], terms), _cosines(array.shape[1], terms)
    planes = np.empty((array.shape[2], terms, terms), np.float32)
    for k in range(array.shape[2]):
        slab = _real(array[:, :, k])
        if array.dtype.kind not in "biu":
            np.nan_to_num(slab, copy=False, nan=low, posinf=high, neginf=low)
        np.clip(slab, low, high, out=slab)
        slab -= middle
        slab /= scale
        planes[k] = left @ slab.astype(np.float32, copy=False) @ right.T
    if axes == 2:
        out = planes.transpose(1, 2, 0).copy()
    else:
        out = np.einsum("wk,kuv->uvw", _cosines(array.shape[2], terms), planes, optimize=True)
    out[0, 0, 0] = 0
    # What rounding leaves of an image that is constant is no signal.
    return np.where(np.abs(out) > 1e-6, out, np.float32(0))


def _range(array: Array) -> tuple[float, float]:
    """The 0.1 and 99.9 percentiles, of an evenly spaced sample where the array is large."""
    step = max(1, round((array.size / SAMPLE) ** (1 / max(1, sum(n > 1 for n in array.shape)))))
    values = _real(array[::step, ::step, ::step])
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 0.0
    low, high = (float(value) for value in np.percentile(values, (0.1, 99.9)))
    return (low, high) if high > low else (float(values.min()), float(values.max()))


def _real(array: Array) -> Array:
    """Numbers of a floating type that holds them: RGB voxels averaged, complex ones by magnitude."""
    if array.dtype.names:
        mean: Array = np.mean([array[name].astype(np.float32) for name in array.dtype.names[:3]], axis=0)
        return mean
    if np.iscomplexobj(array):
        array = np.abs(array)
    return array.astype(np.float32 if array.dtype.itemsize <= 2 or array.dtype == np.float32 else np.float64)


@cache
def _cosines(length: int, terms: int) -> Float:
    """(terms, length): integrals of the orthonormal cosines on [0, 1] over each of `length` equal cells."""
    edges = np.arange(length + 1) / length
    rank = np.arange(1, terms)[:, None]
    integrals = np.sqrt(2) * np.sin(np.pi * rank * edges) / (np.pi * rank)
    return np.vstack([np.full((1, length), 1 / length), np.diff(integrals, axis=1)]).astype(np.float32)


def radii(axes: int) -> Array:
    """How far each term is from the constant one."""
    radius: Array = np.sqrt(sum(np.square(grid, dtype=np.float64) for grid in np.indices((TERMS[axes],) * axes)))
    return radius


@cache
def ball(axes: int) -> npt.NDArray[np.bool_]:
    """Which terms a signature holds: all up to one frequency, whatever the direction, but not the constant one."""
    radius = radii(axes)
    held: npt.NDArray[np.bool_] = (radius > 0) & (radius < TERMS[axes])
    return held


@cache
def _weights(axes: int) -> Float:
    return np.where(ball(axes), radii(axes) ** WHITENING, 0).astype(np.float32)
