"""Memory while building is bounded by the largest row, not by the dataset."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "memory.py"


@functools.cache
def run(volumes: int, *more: str) -> dict[str, float]:
    command = [sys.executable, str(SCRIPT), "build", "--volumes", str(volumes), "--voxels", "256", "256", "512", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("masks", [(), ("--masks",)])
def test_peak_stays_below_three_rows(masks: tuple[str, ...]) -> None:
    assert run(6, *masks)["in_rows"] < 3


def test_peak_does_not_grow_with_the_dataset() -> None:
    assert run(6)["peak"] <= 1.1 * run(2)["peak"]
