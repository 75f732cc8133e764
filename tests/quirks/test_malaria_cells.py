from __future__ import annotations

import io
import zipfile

import pytest
from miniatures import Miniature


@pytest.mark.quirk(1)
def test_mapping_tables_hold_python_lists_over_several_cells(mini: Miniature) -> None:
    text = mini.text(r"cellmapping_parasitized\.csv$")
    assert text.startswith("\ufeffC33P1,") and "['C33P1" in text and text.count(",,") == 1
    assert mini.row("parasitized-C33P1")["subject"] == "C33P1"
    assert mini.row("parasitized-C37BP2")["subject"] == "C37BP2"
    assert [row["subject"] for row in mini.rows("uninfected-")] == ["C1", "C1"]


@pytest.mark.quirk(2)
def test_thumbs_db_is_no_image(mini: Miniature) -> None:
    names = zipfile.ZipFile(io.BytesIO(mini.bytes(r"cell_images\.zip$"))).namelist()
    assert sum(name.endswith("/Thumbs.db") for name in names) == 2
    assert len(mini.rows()) == len(names) - 2
    assert not mini.unread


@pytest.mark.quirk(3)
def test_crops_differ_in_size(mini: Miniature) -> None:
    assert {tuple(row["shape"]) for row in mini.rows()} == {(31, 34), (31, 37)}


@pytest.mark.quirk(4)
def test_cells_of_one_patient_share_the_subject(mini: Miniature) -> None:
    assert len({row["subject"] for row in mini.rows("uninfected-C1_")}) == 1 < len(mini.rows("uninfected-C1_"))
    assert {row["split"] for row in mini.rows()} == {"train"}
    assert any("Split by subject" in note for note in mini.builder.dataset.notes)
