from __future__ import annotations

import io

import openpyxl
import pytest
from miniatures import Miniature

NOT_IN_FILES = {
    6: "of another packaging (Parquet on Hugging Face), which is not read; a note on the card says what it lacks"
}
FIRST = r"GILA-0201GOD-V1-OD-TREXJ_000000$"


@pytest.mark.quirk(1)
def test_columns_go_by_name(mini: Miniature) -> None:
    header = mini.text("Biomarker_Clinical").splitlines()[0].split(",")
    assert len(header) == 22 and header.index("SHRM") == 17 and header[-1] == "Patient_ID"
    row = mini.row(FIRST)
    assert row["subject"] == "201" and row["label"]["source"]["SHRM"] == "1"
    assert {one["name"]: one["value"] for one in row["label"]["measures"]} == {
        "best corrected visual acuity": 61,
        "central subfield thickness": 575,
    }


@pytest.mark.quirk(2, 3)
def test_paths_with_slash_blanks_and_wrong_suffixes_find_their_scans(mini: Miniature) -> None:
    table = mini.text("Biomarker_Clinical")
    for path in ("/TREX DME/GILA/0201GOD/V1/OD/TREXJ_000001.jpg", "/Prime_FULL/01-001/W0/OS/0.tif"):
        assert path in table and not mini.paths(path)
    assert mini.paths(r"TREXJ_000001\.tif$") and mini.paths(r"W0/OS/0\.png$")
    assert mini.row("TREXJ_000001$")["meta"]["Scan (n/49)"] == "2"
    prime = mini.row("01-001-W0-OS-0$")["label"]
    assert "subretinal hyperreflective material" in prime["classes"] and len(prime["assessed"]) == 17


@pytest.mark.quirk(4)
def test_an_empty_cell_is_not_assessed(mini: Miniature) -> None:
    assert ",1,0,1,,1," not in mini.text("Biomarker_Clinical") and ",0,1,0,,0,1," in mini.text("Biomarker_Clinical")
    label = mini.row("TREXJ_000001$")["label"]
    assert "retinal hemorrhage" not in label["assessed"] and "retinal hemorrhage" not in label["classes"]
    assert "retinal hemorrhage" in mini.row(FIRST)["label"]["assessed"]


@pytest.mark.quirk(5)
def test_the_header_of_oct_dr_is_in_its_second_row(mini: Miniature) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(mini.bytes(r"OCT-DR\.xlsx$"))).active
    assert sheet["A1"].value == "PRIME" and sheet["A2"].value == "Patient ID"
    told = {"Treatment Arm": "1", "Age": "61", "Baseline HbA1c": "8.4"}
    assert mini.row("01-001-W0-OS-1$")["meta"]["OCT-DR"] == told
    assert "OCT-DR" not in mini.row(FIRST)["meta"]
