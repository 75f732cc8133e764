from __future__ import annotations

import numpy as np
import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_readings_of_radiographs_are_told_by_the_root_element(mini: Miniature) -> None:
    assert "<IdriReadMessage" in mini.text(r"185/068\.xml$")
    assert "chest radiograph" in mini.skipped["LIDC-XML-only/tcia-lidc-xml/185/068.xml"]
    (reading,) = mini.row("LIDC-IDRI-0001")["label"]["source"]["readings"]
    assert reading["file"].endswith("3000566-03192/069.xml") and reading["kind"] == "CT"


@pytest.mark.quirk(2)
def test_unknown_slices_are_found_by_their_place(mini: Miniature) -> None:
    text = mini.text(r"157/158\.xml$")
    assert "<imageSOP_UID>2.25.8<" in text and "<imageZposition>-67.5" in text
    (row,) = [row for row in mini.rows("LIDC-IDRI-0002") if row["label"]["mask"]]
    assert row["label"]["boxes"] == [{"name": "lung nodule", "box": [4, 4, 1, 8, 8, 3]}]
    found = mini.row("LIDC-IDRI-0001")
    assert found["meta"]["mask_header"]["unplaced"] == ["reader 1, nodule IL057_1, z 500.000000"]


@pytest.mark.quirk(3)
def test_a_reading_that_is_there_twice_counts_once_and_a_corrected_one_replaces(mini: Miniature) -> None:
    assert mini.text(r"157/158\.xml$") == mini.text(r"157/159\.xml$")
    (row,) = [row for row in mini.rows("LIDC-IDRI-0002") if row["label"]["mask"]]
    assert set(np.unique(pixels(row["label"]["mask"]))) == {0, 1}
    corrected = mini.row("LIDC-IDRI-0101")["label"]
    assert corrected["boxes"] == [{"name": "lung nodule", "box": [6, 6, 1, 9, 9, 2]}]
    assert [one["file"] for one in corrected["source"]["readings"]] == [
        "LIDC-XML-only/161-resubmitted-correction-3-9-12.xml"
    ]
    assert "replaced by 161-resubmitted" in mini.skipped["LIDC-XML-only/tcia-lidc-xml/157/161.xml"]


@pytest.mark.quirk(4)
def test_dicom_seg_is_not_used(mini: Miniature) -> None:
    (path,) = mini.paths(r"Segmentation of Nodule 1-1/1-1\.dcm$")
    assert "those of the XML count" in mini.skipped[path]
    # The SEG covers column 0, which no outline does.
    assert not pixels(mini.row("LIDC-IDRI-0001")["label"]["mask"])[0].any()


@pytest.mark.quirk(5)
def test_series_of_radiographs_are_left_out(mini: Miniature) -> None:
    (path,) = mini.paths(r"3000567-11111/000001\.dcm$")
    assert mini.skipped[path] == "a DX series, which has no outlines"
    assert {row["meta"]["source_header"]["Modality"] for row in mini.rows()} == {"CT"} and len(mini.rows()) == 4
