"""Weights: in which order members come, and the checks that need nothing but their names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from medimg.fusion.choices import Weights
from medimg.fusion.errors import RequestError


def check(weights: Weights, names: Sequence[str]) -> None:
    """Refuse weights that do not fit the members.

    Raises:
        RequestError: as `mix` says.
    """
    if not names or len(set(names)) < len(names):
        raise RequestError(f"a mixture needs members with different names, not {list(names)}")
    if not isinstance(weights, Mapping):
        return
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float | np.number):
            raise RequestError(f"the weight of {name!r} is a positive number, not {weight!r}")
    if _is_temperature(weights, names):
        if not weights["temperature"] > 0:
            raise RequestError(f"a temperature is positive, not {weights['temperature']}")
        return
    strange, missing = sorted(set(weights) - set(names)), sorted(set(names) - set(weights))
    if strange or missing:
        parts = [f"{', '.join(strange)}: no such member"] if strange else []
        parts += [f"{', '.join(missing)}: no weight"] if missing else []
        raise RequestError(
            f"weights must name every member and nothing else ({'; '.join(parts)})",
            next_step=f"give one weight for each of {', '.join(names)}.",
        )
    if not all(0 < weight < float("inf") for weight in weights.values()):
        raise RequestError(
            f"weights must be positive and finite: {dict(weights)}",
            next_step="leave a member out instead of 0.",
        )


def _is_temperature(weights: Mapping[str, float], names: Collection[str]) -> bool:
    return set(weights) == {"temperature"} and "temperature" not in names


def shares(weights: Weights, rows: Mapping[str, int | None]) -> tuple[str, tuple[float, ...]]:
    """Kind of order ("concatenate", "interleave" or "draw") and, for draws, one positive weight per member.

    Args:
        weights: see `mix`.
        rows: member -> its rows; None where they are not known.

    Raises:
        RequestError: the weights need rows that are not known.
    """
    if weights in ("concatenate", "interleave"):
        return str(weights), ()
    if weights == "uniform":
        return "draw", (1.0,) * len(rows)
    temperature = 1.0
    if isinstance(weights, Mapping):
        if not _is_temperature(weights, rows):
            return "draw", tuple(float(weights[name]) for name in rows)
        temperature = float(weights["temperature"])
    unknown = [name for name, count in rows.items() if count is None]
    if unknown:
        raise RequestError(
            f"{weights!r} needs the number of rows, which is not known of {', '.join(unknown)}",
            next_step='use weights="uniform", or one weight per member.',
        )
    return "draw", tuple(max(count or 0, 1) ** (1 / temperature) for count in rows.values())
