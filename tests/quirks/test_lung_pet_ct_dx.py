from __future__ import annotations

import pytest
from miniatures import Miniature

NOT_IN_FILES = {
    6: "how many patients have which kind of cancer is no matter of reading; a note on the card has the counts "
    "(251 A, 38 B, 5 E, 61 G)"
}


@pytest.mark.quirk(1)
def test_large_cell_is_e(mini: Miniature) -> None:
    rows = mini.rows("Lung_Dx-E0002")
    assert [row["label"]["classes"] for row in rows] == [["large cell lung carcinoma"]] * 2
    assert set(mini.builder.dataset.labels) == {"A", "B", "E", "G"}


@pytest.mark.quirk(2)
def test_the_later_revision_counts(mini: Miniature) -> None:
    uid = mini.paths(r"rev10152020/Annotation/A0001/")[0].rsplit("/", 1)[-1]
    assert "<xmax>9<" in mini.text(rf"rev10152020/Annotation/A0001/{uid}")
    assert "<xmax>10<" in mini.text(rf"rev12222020/Annotation/A0001/{uid}")
    boxes = [box["box"] for row in mini.rows() for box in row["label"]["boxes"]]
    assert len(boxes) == 4 and boxes[0] == [3, 2, 1, 10, 8, 2] and {box[3] for box in boxes} == {10}


@pytest.mark.quirk(3)
def test_a_box_belongs_to_one_reconstruction(mini: Miniature) -> None:
    found = {row["meta"]["source_path"].split("/")[-2]: len(row["label"]["boxes"]) for row in mini.rows("E0002")}
    assert found == {"2.000000-5mm-40805": 2, "3.000000-1mm-40806": 0}


@pytest.mark.quirk(4)
def test_a_patient_without_boxes_keeps_the_class(mini: Miniature) -> None:
    assert not mini.paths("Annotation/A0024")
    labels = [row["label"] for row in mini.rows("Lung_Dx-A0024")]
    assert [label["boxes"] for label in labels] == [[], []]
    assert [label["classes"] for label in labels] == [["lung adenocarcinoma"]] * 2
    (report,) = mini.paths(r"/SR/1\.dcm$")
    assert "a structured report" in mini.skipped[report]


@pytest.mark.quirk(5)
def test_some_patients_have_pet(mini: Miniature) -> None:
    found = {name: [row["modality"] for row in mini.rows(name)] for name in ("A0001", "E0002")}
    assert found == {"A0001": ["CT", "CT", "PET"], "E0002": ["CT", "CT"]}
