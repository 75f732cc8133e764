from __future__ import annotations

import pytest
from miniatures import Miniature

REFUTED = {
    2: "the first number of _<n>_<random>.jpeg counts what a shuffled Keras generator wrote (current_index + i of "
    "DirectoryIterator, Keras 2.0), so equal numbers are no common photograph: pictures of "
    "dhruvp/wbc-classification@0b22eb20 with one number show different cells"
}


@pytest.mark.quirk(1)
def test_folders_are_doubled(mini: Miniature) -> None:
    assert mini.paths("^dataset2-master/dataset2-master/images/TRAIN/EOSINOPHIL/_0_187.jpeg$")
    assert mini.row("/TRAIN-EOSINOPHIL-_0_187")["label"]["classes"] == ["eosinophil"]
    assert mini.row("/kaggle-BloodImage_00010")["label"]["boxes"][0]["box"] == [5, 6, 20, 22]


@pytest.mark.quirk(3)
def test_numbers_have_gaps_and_boxes_without_extent_stand_only_in_source(mini: Miniature) -> None:
    row = mini.row("/BloodImage_00338")
    assert "<xmin>9</xmin><ymin>9</ymin><xmax>9</xmax>" in mini.text("BCCD/Annotations/BloodImage_00338.xml")
    assert [box["box"] for box in row["label"]["boxes"]] == [[25, 3, 40, 15]]
    assert len(row["label"]["source"]["object"]) == 2 and row["meta"]["boxes_without_extent"] == 1
    assert len(mini.rows(r"/BloodImage_\d")) == 4


@pytest.mark.quirk(4)
def test_boxes_come_from_the_xml_not_from_the_table_in_another_order(mini: Miniature) -> None:
    header, line = mini.text(r"^test\.csv$").splitlines()
    assert header.endswith("xmin,xmax,ymin,ymax") and line == "BloodImage_00007.jpg,WBC,5,20,6,22"
    boxes = mini.row("/BloodImage_00007")["label"]["boxes"]
    assert boxes[0] == {"name": "white blood cell", "box": [5, 6, 20, 22]}


@pytest.mark.quirk(5)
def test_a_cell_may_name_several_classes_and_one_that_no_folder_has(mini: Miniature) -> None:
    table = mini.text("^dataset-master/dataset-master/labels.csv$")
    assert '10,"NEUTROPHIL, EOSINOPHIL"' in table and "8,BASOPHIL" in table
    classes = {row["id"][-3:]: row["label"]["classes"] for row in mini.rows("/kaggle-")}
    assert classes["010"][:2] == ["neutrophil", "eosinophil"]
    assert classes["008"] == ["basophil"] and classes["025"] == []
    assert mini.row("/kaggle-BloodImage_00025")["label"]["assessed"] == []
