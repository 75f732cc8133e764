from __future__ import annotations

import numpy as np
import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_empty_columns_and_rows_and_spaces_in_names_are_survived(mini: Miniature) -> None:
    grades = mini.text("Disease Grading_Training")
    assert grades.startswith("Image name,Retinopathy grade,Risk of macular edema ,,,,,,,,,\n")
    centers = mini.text("Fovea_Center_Training")
    assert centers.startswith("Image No,X- Coordinate,Y - Coordinate,\n") and centers.endswith("\n,,,\n")
    assert mini.row("grading-train-IDRiD_001")["label"]["classes"] == [
        "severe nonproliferative diabetic retinopathy",
        "macular edema risk grade 2",
    ]
    assert mini.row("grading-train-IDRiD_001")["label"]["source"] == {
        "Retinopathy grade": "3",
        "Risk of macular edema": "2",
    }
    points = mini.row("localization-train-IDRiD_002")["label"]["points"]
    assert points[1] == {"name": "fovea", "point": [38, 21]}


@pytest.mark.quirk(2)
def test_prefixes_stand_on_some_tables_only(mini: Miniature) -> None:
    assert len(mini.paths(r"/[ab]\. IDRiD_(OD_Center|Disease Grading)")) == 4
    assert len(mini.paths(r"/IDRiD_Fovea_Center_(Training|Testing) Set_Markups\.csv$")) == 2
    for row in mini.rows("/localization-"):
        assert [point["name"] for point in row["label"]["points"]] == ["optic disc", "fovea"]


@pytest.mark.quirk(3)
def test_a_lesion_without_a_file_is_absent_and_was_looked_for(mini: Miniature) -> None:
    assert mini.paths("IDRiD_01_SE") and not mini.paths("IDRiD_02_SE")
    label = mini.row("segmentation-train-IDRiD_02")["label"]
    assert "soft exudate" in label["assessed"]
    assert label["source"] == ["MA", "HE", "OD"]
    soft = next(entry["value"] for entry in label["legend"] if entry["names"] == ["soft exudate"])
    assert not (pixels(label["mask"]) & soft).any()
    assert (pixels(mini.row("segmentation-train-IDRiD_01")["label"]["mask"]) & soft).any()


@pytest.mark.quirk(4)
def test_a_is_nested_as_in_the_copy_on_kaggle(mini: Miniature) -> None:
    head = "A.%20Segmentation/A. Segmentation/"
    assert len(mini.paths(f"^{head}1. Original Images/")) == 3
    assert mini.row("IDRiD_55")["meta"]["source_path"].startswith(head)
    assert np.unique(pixels(mini.row("IDRiD_55")["label"]["mask"])).size > 3


@pytest.mark.quirk(5)
def test_numbers_of_a_and_of_b_and_c_are_apart(mini: Miniature) -> None:
    names = {row["config"]: {row["id"].rsplit("_", 1)[1] for row in mini.rows(row["config"])} for row in mini.rows()}
    assert names == {
        "segmentation": {"01", "02", "55"},
        "grading": {"001", "002"},
        "localization": {"001", "002"},
    }
    assert mini.row("grading-train-IDRiD_001")["split"] == "train"
    assert mini.row("grading-test-IDRiD_001")["split"] == "test"
