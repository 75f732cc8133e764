from __future__ import annotations

import pytest
from miniatures import Miniature

NOT_IN_FILES = {
    3: "no file tells the patient of an exam; the declaration's `subject`, which the card shows, says that 1,312 "
    "patients of 1,370 exams are not told, and that each is in one split"
}


@pytest.mark.quirk(1)
def test_tables_have_no_header(mini: Miniature) -> None:
    assert mini.text(r"train-acl\.csv$") == "0000,0\n0001,1\n1129,0\n"
    label = mini.row("0000-axial")["label"]
    assert label["source"] == {"abnormal": "1", "acl": "0", "meniscus": "0"}
    assert label["classes"] == ["knee abnormality"]
    assert mini.row("0001-axial")["label"]["classes"] == ["knee abnormality", "ACL tear"]


@pytest.mark.quirk(2)
def test_slices_differ_and_no_geometry_is_stated(mini: Miniature) -> None:
    assert [mini.row(f"0000-{plane}")["shape"][0] for plane in ("axial", "coronal", "sagittal")] == [3, 4, 5]
    assert mini.row("0001-axial")["shape"] == [4, 24, 24]
    assert {row["spacing"] for row in mini.rows()} == {None}
