from __future__ import annotations

import pytest
from miniatures import Miniature


@pytest.mark.quirk(1)
def test_names_are_no_isic_ids_and_rows_carry_the_lesion(mini: Miniature) -> None:
    rows = mini.rows()
    assert {row["id"].rpartition("/")[2] for row in rows} == {f"BCN_000000000{n}" for n in (1, 2, 3, 4)}
    assert [row["subject"] for row in mini.rows("0000000[13]$")] == ["BCN_0003884"] * 2
    (overlap,) = mini.builder.dataset.overlaps
    assert overlap.dataset == "isic-2019" and "lesion" in overlap.evidence


@pytest.mark.quirk(2)
def test_double_folders_and_spellings_do_not_matter(mini: Miniature) -> None:
    assert mini.paths("BCN_20k_train/bcn_20k_train/BCN_0000000001.jpg")
    assert mini.paths(r"\.csv$") == ["BCN_20k_test.csv", "bcn_20k_train.csv"]
    assert {row["split"] for row in mini.rows("0000000[134]$")} == {"train"}
    test = mini.row("BCN_0000000002")
    assert test["split"] == "test" and test["meta"]["anatom_site_general"] == "head/neck"
    assert not mini.skipped


@pytest.mark.quirk(3)
def test_of_capture_dates_the_year_is_told(mini: Miniature) -> None:
    assert any(b"2012-05-16" in mini.files[path] for path in mini.paths(r"\.csv$"))
    assert mini.row("BCN_0000000001")["meta"]["capture_date"] == "2012"
