"""Sizes and values of images, gathered while they are built: what a card says of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from medimg.manifest import Measured, Spread
from medimg.pixels import Clip, Image, Volume

SAMPLE = 1 << 16
"""Pixels or voxels of one image that are looked at, evenly spaced."""


@dataclass(frozen=True, slots=True)
class SampledValues:
    """What is looked at of one image: the type of its values ("" of a clip), and of a sample how many, sums, bounds."""

    type: str = ""
    count: int = 0
    sum: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def of(cls, image: Image) -> Self:
        """Of a decoded image."""
        if isinstance(image, Clip):
            return cls()
        array = image.array
        kind = array.dtype.newbyteorder("=").name if array.dtype.names is None else "RGB"
        if array.dtype.names is not None or array.size == 0 or array.dtype.kind == "c":
            return cls(kind)
        step = max(1, math.ceil((array.size / SAMPLE) ** (1 / array.ndim)))
        sample = array[tuple(slice(None, None, step) for _ in array.shape)].astype(np.float64).ravel()
        if isinstance(image, Volume):
            slope, inter = image.scaling
            sample = sample * slope + inter
        if array.dtype.kind == "f" and not np.isfinite(sample).all():
            sample = sample[np.isfinite(sample)]
        if not sample.size:
            return cls(kind)
        squares = float(np.square(sample).sum())  # a product of vectors would wake the threads of BLAS
        return cls(kind, sample.size, float(sample.sum()), squares, float(sample.min()), float(sample.max()))


class Measures:
    """Of the images of one config; memory grows with how many sizes there are, not with the rows."""

    def __init__(self) -> None:
        self._sizes: list[Counter[float]] = []
        self._steps: list[Counter[float]] = []
        self._types: Counter[str] = Counter()
        self._unsized = 0
        self._count = 0
        self._sum = self._squares = 0.0
        self._low, self._high = math.inf, -math.inf

    def add(self, values: Mapping[str, Any], sample: SampledValues) -> None:
        """Look at a stored row: its size, its spacing, and a sample of its values."""
        _count(self._sizes, values["shape"] or ())
        spacing = values["spacing"]
        self._unsized += not spacing
        _count(self._steps, [round(float(step), 4) for step in spacing or ()])
        if sample.type:
            self._types[sample.type] += 1
        if sample.count:
            self._count += sample.count
            self._sum += sample.sum
            self._squares += sample.squares
            self._low, self._high = min(self._low, sample.low), max(self._high, sample.high)

    def result(self) -> Measured | None:
        """What was found; None where no row was added."""
        if not self._sizes:
            return None
        mean = self._sum / self._count if self._count else None
        return Measured(
            size=tuple(_spread(each) for each in self._sizes),
            spacing=tuple(_spread(each) for each in self._steps),
            unsized=self._unsized,
            types=dict(sorted(self._types.items())),
            lowest=_rounded(self._low) if self._count else None,
            highest=_rounded(self._high) if self._count else None,
            mean=_rounded(mean) if mean is not None else None,
            deviation=_rounded(math.sqrt(max(0.0, self._squares / self._count - mean * mean)))
            if mean is not None
            else None,
        )


def _count(axes: list[Counter[float]], values: object) -> None:
    for axis, value in enumerate(list(values)):  # type: ignore[call-overload]
        if axis == len(axes):
            axes.append(Counter())
        axes[axis][value] += 1


def _spread(counted: Counter[float]) -> Spread:
    """Smallest, median (the lower one of two) and largest."""
    half, seen = (sum(counted.values()) + 1) // 2, 0
    for value in sorted(counted):
        seen += counted[value]
        if seen >= half:
            return Spread(smallest=min(counted), median=value, largest=max(counted))
    raise ValueError("nothing was counted")


def _rounded(value: float) -> float:
    """Four digits that count: what differs below is how floating point adds up."""
    return float(f"{value:.4g}")
