"""How `make peers` judges; the peers themselves are not needed here."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from miniatures import built

PLACE = Path(__file__).parent / "peers" / "common.py"


@pytest.fixture(scope="module")
def common() -> Any:
    spec = importlib.util.spec_from_file_location("peers_common", PLACE)
    assert spec and spec.loader
    module = sys.modules["peers_common"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def judged(common: Any, change: Any = None, **says: Any) -> tuple[dict[str, str], list[str]]:
    """Our own rows as what a peer found, after a change."""
    ours = [common.Ours(row) for row in built("acdc").rows("/frames/")]
    cases = [common.Case(row.name, row.image, row.mask.copy(), row.classes, row.split) for row in ours]
    names = {1: "right ventricle cavity", 3: "left ventricle cavity"}
    check = common.Check("acdc", "a.peer", **{"meaning": lambda row: names, **says})
    return common.compare(check, change(cases) if change else cases, ours)


def test_equal_rows_agree(common: Any) -> None:
    cells, problems = judged(common)
    assert not problems
    assert cells["cases"] == "agree (6); splits too" and cells["pixels"] == "agree (6)"
    assert cells["labels"].endswith("names of values agree (12)")


def one_voxel(cases: list[Any]) -> list[Any]:
    cases[0].mask.flat[0] += 1
    return cases


def test_one_voxel_is_a_difference(common: Any) -> None:
    cells, problems = judged(common, one_voxel)
    assert len(problems) == 1 and "differ" in problems[0] and cells["labels"].startswith("DIFFERENT")


def test_a_reason_explains_a_difference_and_nothing_else(common: Any) -> None:
    assert not judged(common, one_voxel, why={"labels": "because"})[1]
    assert judged(common, why={"labels": "because"})[1] == ["labels: a reason without a difference"]


def test_missing_cases_other_splits_and_other_names_are_differences(common: Any) -> None:
    assert "ours only" in judged(common, lambda cases: cases[1:])[1][0]
    assert "finds none" in judged(common, lambda cases: [])[1][0]
    assert "test to us" in judged(common, rename("train"))[1][0]
    wrong = judged(common, meaning=lambda row: {1: "left ventricle cavity"})[1]
    assert len(wrong) == 5 and "to the peer" in wrong[0]


def rename(split: str) -> Any:
    import dataclasses

    return lambda cases: [dataclasses.replace(case, split=split) for case in cases]


def test_only_outlines_are_tolerated(common: Any) -> None:
    mine = np.zeros((9, 9), int)
    mine[2:7, 2:7] = 1
    wider, hollow = mine.copy(), mine.copy()
    wider[2:7, 7] = 1
    hollow[4, 4] = 0
    assert common._differ(wider, mine) and not common._differ(wider, mine, common.outlines)
    assert common._differ(hollow, mine, common.outlines)
