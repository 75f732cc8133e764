"""What a figure is: two ways to the same pixels, run in turn in one process, and the ratio of their times."""

from __future__ import annotations

import hashlib
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

See = Callable[[Any], None]
"""Is shown every array (pixels as they are stored, volumes without scaling)."""
Way = Callable[[See], None]


@dataclass(frozen=True)
class Figure:
    """One ratio.

    Attributes:
        name: for `ONLY=` and results.json.
        ours, other: what is compared, in words.
        kind: "speed" is other / ours, at least `goal`; "cost" is ours / other, at most `goal`.
        make: folder -> the two ways.
        needs: modules that a peer needs; without them the figure is left out, and that is said.
        equal: whether both ways see the same pixels, which is checked first; False where a way sees none.
    """

    name: str
    ours: str
    other: str
    kind: Literal["speed", "cost"]
    goal: float
    make: Callable[[Path], tuple[Way, Way]]
    needs: tuple[str, ...] = ()
    equal: bool = True

    @property
    def missing(self) -> list[str]:
        """Modules that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


@dataclass(frozen=True)
class Result:
    """A figure that was measured: ratios over the runs, and the median seconds of both ways."""

    name: str
    ours: str
    other: str
    kind: str
    goal: float
    ratio: float
    min: float
    max: float
    met: bool
    runs: int
    seconds: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """As it stands in results.json."""
        return asdict(self)


def measure(figure: Figure, folder: Path, runs: int) -> Result:
    """Run both ways in turn.

    Raises:
        SystemExit: they do not see the same pixels.
    """
    ways = figure.make(folder)
    if figure.equal:
        first, second = (seen(way) for way in ways)
        if first != second or not first:
            sys.exit(f"{figure.name}: the pixels differ ({len(first)} and {len(second)} arrays)")
    else:
        for way in ways:
            way(unseen)
    spent: tuple[list[float], list[float]] = ([], [])
    for run in range(runs):
        for which in (0, 1) if run % 2 == 0 else (1, 0):
            began = time.perf_counter()
            ways[which](unseen)
            spent[which].append(time.perf_counter() - began)
    pairs = zip(*spent, strict=True)
    ratios = [other / ours if figure.kind == "speed" else ours / other for ours, other in pairs]
    ratio = statistics.median(ratios)
    return Result(
        figure.name,
        figure.ours,
        figure.other,
        figure.kind,
        figure.goal,
        round(ratio, 3),
        round(min(ratios), 3),
        round(max(ratios), 3),
        ratio >= figure.goal if figure.kind == "speed" else ratio <= figure.goal,
        runs,
        (round(statistics.median(spent[0]), 4), round(statistics.median(spent[1]), 4)),
    )


def unseen(array: Any) -> None:
    """Timed runs look at no pixel: decoding them is all that there is to do."""


def seen(way: Way) -> list[str]:
    """Digests of all that a way shows, whatever the order, the dtype and the memory layout."""
    found: list[str] = []

    def see(array: Any) -> None:
        values = np.ascontiguousarray(array, dtype="<f4")
        found.append(hashlib.sha256(f"{values.shape}".encode() + values.tobytes()).hexdigest())

    way(see)
    return sorted(found)


def shown(rows: Iterable[Any], see: See) -> None:
    """Decode image and mask of each row."""
    for row in rows:
        for image in (row["image"], row["label"]["mask"]):
            if image is not None:
                see(np.asarray(getattr(image, "dataobj", image)))
