from __future__ import annotations

import io

import numpy as np
import openpyxl
import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_masks_are_inverted(mini: Miniature) -> None:
    stored = np.asarray(mini.picture(r"Disc_Cup_Masks/Glaucoma/g0001\.bmp$").convert("L"))
    mask = pixels(mini.row("g0001")["label"]["mask"])
    assert {*stored.ravel()} == {0, 128, 255}
    assert ((mask == 2) == (stored == 0)).all() and ((mask == 1) == (stored == 128)).all()
    assert mini.row("g0001")["label"]["legend"][1]["names"] == ["optic disc", "optic cup"]


@pytest.mark.quirk(2, 4)
def test_the_copy_called_refuge2_has_masks_of_two_kinds_and_the_photographs_of_2018(mini: Miniature) -> None:
    masks = sorted(path.partition("/mask/")[2] for path in mini.paths("^REFUGE2/.*/mask/"))
    assert masks == ["T0002.bmp", "V0002.png", "n0002.bmp"]
    told = {row["id"]: (row["split"], row["label"]["classes"]) for row in mini.rows("0002")}
    assert told == {
        "refuge/n0002": ("train", ["no glaucoma"]),
        "refuge/V0002": ("validation", []),
        "refuge/T0002": ("test", []),
    }
    assert {2, 1, 0} == {*pixels(mini.row("V0002")["label"]["mask"]).ravel()}
    assert "glaucoma" not in mini.row("V0002")["label"]["assessed"]


@pytest.mark.quirk(3)
def test_glaucoma_is_told_by_name_in_training_and_by_workbook_in_the_rest(mini: Miniature) -> None:
    def header(name: str) -> list[object]:
        (path,) = mini.paths(rf"/{name}\.xlsx$")
        sheet = openpyxl.load_workbook(io.BytesIO(mini.files[path])).active
        return [cell.value for cell in sheet[1]]

    assert header("Fovea_location") == ["ID", "ImgName", "Fovea_X", "Fovea_Y"]
    assert header("Glaucoma_label_and_Fovea_location")[2] == "Label(Glaucoma=1)"
    assert header("Fovea_locations")[2] == "Glaucoma Label"
    told = {row["id"][-5:]: row["label"]["classes"] for row in mini.rows("0001")}
    assert told == {
        "g0001": ["glaucoma"],
        "n0001": ["no glaucoma"],
        "V0001": ["no glaucoma"],
        "T0001": ["glaucoma"],
    }


@pytest.mark.quirk(5)
def test_train_and_test_differ_in_size(mini: Miniature) -> None:
    assert mini.picture(r"Training400/Glaucoma/g0001\.jpg$").size == (53, 51)
    assert mini.row("g0001")["shape"][:2] == [51, 53] and mini.row("T0001")["shape"][:2] == [41, 41]
