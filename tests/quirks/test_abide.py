from __future__ import annotations

import pytest
from miniatures import Miniature


@pytest.mark.quirk(1)
def test_persons_without_preprocessed_data_give_no_row(mini: Miniature) -> None:
    assert mini.text("Phenotypic").count("no_filename") == 2
    assert {row["subject"] for row in mini.rows()} == {"50003", "50642", "50682"}


@pytest.mark.quirk(2)
def test_file_names_join_the_table_by_file_id_not_by_site(mini: Miniature) -> None:
    rows = mini.rows("/Pitt_0050003-cpac-filt_noglobal-reho")
    assert [(row["meta"]["SITE_ID"], row["meta"]["FILE_ID"]) for row in rows] == [("PITT", "Pitt_0050003")]
    (row,) = mini.rows("Leuven_1_0050682-niak-nofilt_global-reho")
    assert row["meta"]["SITE_ID"] == "LEUVEN_1" and row["label"]["classes"] == ["healthy control"]


@pytest.mark.quirk(3)
def test_missing_values_are_left_out(mini: Miniature) -> None:
    assert ",-9999," in mini.text("Phenotypic")
    for row in mini.rows():
        assert ("FIQ" in row["meta"]) is (row["subject"] == "50003")
        assert "-9999" not in row["meta"].values()


@pytest.mark.quirk(4)
def test_persons_who_moved_are_rows_unlike_in_the_official_script(mini: Miniature) -> None:
    assert {row["meta"]["func_mean_fd"] for row in mini.rows("Leuven_1_0050682")} == {"0.31"}
    assert any("below 0.2" in note for note in mini.builder.dataset.notes)
