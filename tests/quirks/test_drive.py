from __future__ import annotations

import numpy as np
import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_masks_are_gif_and_have_two_axes(mini: Miniature) -> None:
    assert {path.rsplit(".", 1)[1] for path in mini.paths("(manual|mask)[12]?\\.")} == {"gif"}
    mask = pixels(mini.row("21-manual1")["label"]["mask"])
    assert mask.shape == (46, 45)
    drawn = np.asarray(mini.picture("21_manual1")) == 255
    view = np.asarray(mini.picture("21_training_mask")) == 255
    assert np.array_equal(mask, view * 1 + drawn * 2)


@pytest.mark.quirk(2, 4)
def test_indices_of_palettes_that_are_not_quite_black_and_white_become_vessels(mini: Miniature) -> None:
    second = mini.picture("01_manual2")
    assert second.mode == "P" and set(np.unique(np.asarray(second))) == {0, 1}
    colors = np.asarray(second.convert("RGB"))
    assert {tuple(color) for color in colors.reshape(-1, 3).tolist()} == {(4, 2, 4), (252, 254, 252)}
    assert mini.picture("01_manual1").mode == "L"
    mask = pixels(mini.row("01-manual2")["label"]["mask"])
    assert np.array_equal(mask >> 1, colors[..., 0] > 128)
    assert mini.row("01-manual2")["label"]["legend"][-1] == {
        "value": 3,
        "names": ["field of view", "retinal vessel"],
    }


@pytest.mark.quirk(3)
def test_photographs_are_tiff_that_are_higher_than_wide(mini: Miniature) -> None:
    picture = mini.picture("21_training.tif")
    assert picture.format == "TIFF" and picture.size == (45, 46)
    assert mini.row("21-manual1")["shape"] == [46, 45]


@pytest.mark.quirk(5)
def test_photographs_for_test_need_no_vessels(mini: Miniature) -> None:
    assert not mini.paths("02_manual") and mini.paths("01_manual1")
    without = mini.row("02-manual1")
    assert without["split"] == mini.row("first-observer/01-manual1")["split"] == "test"
    assert without["label"]["assessed"] == ["field of view"]
    assert set(np.unique(pixels(without["label"]["mask"]))) == {0, 1}
    assert "retinal vessel" in mini.row("first-observer/01-manual1")["label"]["assessed"]


def test_the_declaration_tells_rows_without_vessels_apart(mini: Miniature) -> None:
    stated = [dict(part.legend) for part in mini.builder.dataset.parts]
    found = [{entry["value"]: tuple(entry["names"]) for entry in row["label"]["legend"]} for row in mini.rows()]
    assert len(stated) == 2 and all(legend in found for legend in stated)
    assert all(legend in stated for legend in found)
