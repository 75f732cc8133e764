from __future__ import annotations

import numpy as np
import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_numbers_of_16_bits_stay_and_no_scale_is_made_up(mini: Miniature) -> None:
    assert mini.picture(r"patient1/SR_2/IM00010").mode == "I;16"
    row = mini.row("raw/patient1_SR_2")
    array = pixels(row["image"])
    assert array.dtype == np.uint16 and array.max() > 4000
    assert np.array_equal(array, np.asarray(mini.picture(r"patient1/SR_2/IM00010")))
    assert row["spacing"] is None


@pytest.mark.quirk(2)
def test_slices_of_the_folds_are_fractions(mini: Miniature) -> None:
    assert mini.picture("137covid_patient1").mode == "F"
    array = pixels(mini.row("folds/137covid")["image"])
    assert array.dtype == np.float32 and 0.9 < array.max() <= 1
    assert np.array_equal(array, np.asarray(mini.picture("137covid_patient1")))


@pytest.mark.quirk(3)
def test_three_series_are_one_person(mini: Miniature) -> None:
    rows = mini.rows("raw/patient1_")
    assert {row["subject"] for row in rows} == {"patient1"}
    assert {row["meta"]["series"]: row["meta"]["thickness(mm)"] for row in rows} == {
        "SR_2": "4",
        "SR_3": "6",
        "SR_4": "1.5",
    }


@pytest.mark.quirk(4)
def test_folds_share_persons_and_are_one_split(mini: Miniature) -> None:
    rows = mini.rows("folds/")
    assert len(rows) == mini.text(r"^all\.csv").count(".tif") == 4
    assert mini.row("folds/137covid")["meta"]["tables"] == ["test2", "train1"]
    assert {row["split"] for row in rows} == {"train"}
    normal = [row["meta"]["tables"] for row in rows if row["label"]["classes"] == ["no COVID-19"]]
    assert sum("test1" in one for one in normal) == 2 > sum("train1" in one for one in normal) == 1
