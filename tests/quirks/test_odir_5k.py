from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest
from miniatures import Miniature, rebuilt


@pytest.mark.quirk(1, 2)
def test_each_eye_has_the_labels_of_its_own_keywords(mini: Miniature) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(mini.bytes(r"data\.xlsx$"))).active
    assert [cell.value for cell in sheet[3]][5] == "laser spot，moderate non proliferative retinopathy"
    left, right = (mini.row(f"/2_{side}")["label"] for side in ("left", "right"))
    assert "laser scar" in left["classes"] and "diabetic retinopathy" in left["classes"]
    assert right["classes"] == ["diabetic retinopathy", "moderate nonproliferative diabetic retinopathy"]
    assert left["source"]["patient"] == right["source"]["patient"]
    assert mini.row("/0_right")["label"]["classes"] == ["normal"]
    assert mini.row("/0_left")["label"]["classes"] == ["cataract"]


@pytest.mark.quirk(3)
def test_remarks_on_quality_are_no_findings(mini: Miniature) -> None:
    dusty = mini.row("/26_right")["label"]
    assert dusty["source"]["keywords"] == "suspected glaucoma，lens dust"
    assert dusty["classes"] == [] and dusty["uncertain"] == ["glaucoma"]
    blurred = mini.row("/65_left")["label"]
    assert blurred["source"]["keywords"] == "low image quality" and blurred["assessed"] == []


@pytest.mark.quirk(4)
def test_the_table_of_the_copy_has_a_row_for_each_image_and_wrong_paths(mini: Miniature, tmp_path: Path) -> None:
    lines = mini.text(r"full_df\.csv$").splitlines()
    assert lines[0].endswith(",filepath,labels,target,filename") and len(lines) == 1 + 2 * 4
    assert "odir5k/ODIR-5K/Training Images/0_left.jpg" in lines[1]
    assert not mini.paths(r"^ODIR-5K/Training Images/")
    copy = rebuilt("odir_5k", lambda path: None if path.endswith(".xlsx") else path, tmp_path)
    assert [row["label"] for row in copy.rows()] == [row["label"] for row in mini.rows()]


def test_the_challenge_has_other_names(mini: Miniature, tmp_path: Path) -> None:
    def path(old: str) -> str:
        root = "ODIR-5K/ODIR-5K/ODIR-5K"
        new = old.replace(f"{root}/Training Images", "ODIR-5K_Training_Dataset")
        new = new.replace(f"{root}/Testing Images", "ODIR-5K_Testing_Images")
        return new.replace(f"{root}/data.xlsx", "ODIR-5K_Training_Annotations(Updated)_V2.xlsx")

    copy = rebuilt("odir_5k", path, tmp_path)
    assert {row["id"]: row["label"] for row in copy.rows()} == {row["id"]: row["label"] for row in mini.rows()}


@pytest.mark.quirk(5)
def test_three_nested_folders(mini: Miniature) -> None:
    assert len(mini.paths(r"ODIR-5K/ODIR-5K/ODIR-5K/(Train|Test)ing Images/")) == 10
    assert [len([row for row in mini.rows() if row["split"] == part]) for part in ("train", "test")] == [8, 2]
