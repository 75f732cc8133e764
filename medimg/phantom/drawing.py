"""Pictures of nothing, which follow from a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np

from medimg.pixels import Array


class Drawn(TypedDict, total=False):
    """What a file shows.

    Attributes:
        dtype: stored type; default uint8 of a label map, else int16.
        labels: a label map with these values instead of an image: nested ellipsoids, the last one innermost.
        nested: False has them side by side along i.
        low, high: intensity range of an image.
        seed: files with one seed hold the same picture.
    """

    dtype: str
    labels: Sequence[int] | None
    nested: bool
    low: float
    high: float
    seed: str | None


def draw(
    path: str,
    shape: Sequence[int],
    dtype: str | None = None,
    labels: Sequence[int] | None = None,
    nested: bool = True,
    low: float = -1000,
    high: float = 400,
    seed: str | None = None,
) -> Array:
    """A picture of nothing; see `Drawn`."""
    shape = tuple(shape)
    axes = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape[:3])
    grid = np.meshgrid(*axes, indexing="ij")
    radius = np.sqrt(sum((axis * 1.1) ** 2 for axis in grid))
    out = np.zeros(shape[:3], dtype=dtype or ("int16" if labels is None else "uint8"))
    if labels is None:
        noise = generator(seed or path).normal(0, 0.05, size=shape[:3])
        bright = np.clip(1.1 - radius + 0.25 * np.sin(5 * grid[0]) + noise, 0, 1)
        out[:] = (low + (high - low) * bright).astype(out.dtype)
    elif nested:
        for rank, value in enumerate(labels):
            out[radius <= 0.95 * (1 - rank / (len(labels) + 0.5))] = value
    else:
        band = np.minimum(((grid[0] + 1) / 2 * len(labels)).astype(int), len(labels) - 1)
        out[:] = np.where(radius <= 1.2, np.asarray(labels, dtype=out.dtype)[band], 0)
    if len(shape) == 4:
        brighter = range(shape[3]) if labels is None else [0] * shape[3]
        out = np.stack([out + step for step in brighter], axis=-1).astype(out.dtype)
    return out


def values(seed: str, value: Sequence[Any] | tuple[int, ...]) -> Array:
    """Random pixels of a shape, or a list of values (uint8)."""
    if isinstance(value, tuple):
        return generator(seed).integers(0, 256, size=value, dtype=np.uint8)
    return np.asarray(value, dtype=np.uint8)


def generator(seed: str) -> np.random.Generator:
    """Random numbers that follow from a text."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))
