"""What a figure is: two ways to the same pixels, run in turn in one process, and the ratio of what they take."""

from __future__ import annotations

import hashlib
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

See = Callable[[Any], None]
"""Is shown every array (pixels as they are stored, volumes without scaling)."""
Taken = Mapping[str, float]
"""What a way took, by name; "seconds" are measured where it does not tell them."""
Way = Callable[[See], Taken | None]
Ways = tuple[Way, Way]


@dataclass(frozen=True)
class Figure:
    """One ratio.

    Attributes:
        name: for `ONLY=` and results.json.
        ours, other: what is compared, in words.
        kind: "speed" is other / ours, at least `goal`; "cost" is ours / other, at most `goal`.
        goal: None where shared/PERFORMANCE.md has none.
        make: folder -> the two ways. Figures of one `make` that follow each other are measured in the same runs.
        of: which of the things taken.
        needs: modules that a peer needs; without them the figure is left out, and that is said.
        equal: whether both ways see the same pixels, which is checked; False where a way sees none.
        first: whether the check is the first run, which is not counted. Where a way takes so long that no cache
            matters and shows little (digests), the first counted run is checked.
    """

    name: str
    ours: str
    other: str
    kind: Literal["speed", "cost"]
    goal: float | None
    make: Callable[[Path], Ways]
    of: str = "seconds"
    needs: tuple[str, ...] = ()
    equal: bool = True
    first: bool = True

    @property
    def missing(self) -> list[str]:
        """Modules that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


@dataclass(frozen=True)
class Result:
    """A figure that was measured: ratios over the runs, and the medians of what both ways took."""

    name: str
    ours: str
    other: str
    kind: str
    of: str
    goal: float | None
    ratio: float
    min: float
    max: float
    met: bool | None
    runs: int
    taken: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """As it stands in results.json."""
        return asdict(self)


def measure(figures: Sequence[Figure], folder: Path, runs: int) -> list[Result]:
    """Run both ways of figures that share them, in turn.

    Raises:
        SystemExit: they do not see the same pixels.
    """
    figure = figures[0]
    ways = figure.make(folder)
    digests: tuple[list[str], list[str]] = ([], [])
    taken: tuple[list[Taken], list[Taken]] = ([], [])
    for run in range(-1 if figure.first else 0, runs):
        checked = figure.equal and not any(digests)
        for which in (0, 1) if run % 2 == 0 else (1, 0):
            spent = _spent(ways[which], _digester(digests[which]) if checked else unseen)
            if run >= 0:
                taken[which].append(spent)
        if checked and (sorted(digests[0]) != sorted(digests[1]) or not digests[0]):
            sys.exit(f"{figure.name}: the pixels differ ({len(digests[0])} and {len(digests[1])} arrays)")
    return [_result(each, taken) for each in figures]


def _spent(way: Way, see: See) -> Taken:
    began = time.perf_counter()
    told = way(see)
    return {"seconds": time.perf_counter() - began, **(told or {})}


def _result(figure: Figure, taken: tuple[list[Taken], list[Taken]]) -> Result:
    ours, other = ([each[figure.of] for each in way] for way in taken)
    above, below = (other, ours) if figure.kind == "speed" else (ours, other)
    ratios = [one / two for one, two in zip(above, below, strict=True)]
    ratio = statistics.median(ratios)
    met = None
    if figure.goal is not None:
        met = ratio >= figure.goal if figure.kind == "speed" else ratio <= figure.goal
    return Result(
        figure.name,
        figure.ours,
        figure.other,
        figure.kind,
        figure.of,
        figure.goal,
        round(ratio, 3),
        round(min(ratios), 3),
        round(max(ratios), 3),
        met,
        len(ratios),
        (float(f"{statistics.median(ours):.4g}"), float(f"{statistics.median(other):.4g}")),
    )


def unseen(array: Any) -> None:
    """Timed runs look at no pixel: decoding them is all that there is to do."""


def _digester(found: list[str]) -> See:
    """Takes digests of all that a way shows, whatever the dtype and the memory layout."""

    def see(array: Any) -> None:
        values = np.ascontiguousarray(array, dtype="<f4")
        found.append(hashlib.sha256(f"{values.shape}".encode() + values.tobytes()).hexdigest())

    return see


def shown(rows: Iterable[Any], see: See) -> None:
    """Decode image and mask of each row."""
    for row in rows:
        for image in (row["image"], row["label"]["mask"]):
            if image is not None:
                see(np.asarray(getattr(image, "dataobj", image)))
