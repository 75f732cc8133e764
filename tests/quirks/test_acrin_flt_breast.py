from __future__ import annotations

import io

import pydicom
import pytest
from miniatures import Miniature


@pytest.mark.quirk(1)
def test_series_of_one_name_are_told_apart_by_modality(mini: Miniature) -> None:
    rows = mini.rows()
    described = {
        pydicom.dcmread(io.BytesIO(mini.files[path])).SeriesDescription for path in mini.paths(r"66101.*\.dcm$")
    }
    assert described == {"PET-CT SERIES"} and not any("SeriesDescription" in row["meta"] for row in rows)
    assert sorted(row["modality"] for row in rows) == ["CT", *["PET"] * 5]


@pytest.mark.quirk(2)
def test_a_dynamic_series_is_split_by_frame_and_a_static_one_is_not(mini: Miniature) -> None:
    frames = [row for row in mini.rows("_001_") if "66101" in row["meta"]["source_path"]]
    assert [row["meta"]["frame"] for row in frames] == [0, 1, 2]
    assert {tuple(row["shape"]) for row in frames} == {(16, 12, 3)}
    (static,) = (row for row in mini.rows("_001_") if "66102" in row["meta"]["source_path"])
    assert static["shape"] == [16, 12, 4] and "frame" not in static["meta"]


@pytest.mark.quirk(3)
def test_secondary_captures_are_no_volumes(mini: Miniature) -> None:
    (reason,) = (reason for path, reason in mini.skipped.items() if "88002" in path)
    assert reason == "a secondary capture: a picture of a screen"


@pytest.mark.quirk(4)
def test_pet_series_without_number_are_rows(mini: Miniature) -> None:
    numbers = {row["modality"]: row["meta"].get("SeriesNumber") for row in mini.rows()}
    assert numbers == {"CT": 2, "PET": None}


@pytest.mark.quirk(5)
def test_shifted_dates_stay_out_of_rows_and_the_card_says_so(mini: Miniature) -> None:
    (path,) = mini.paths(r"/12-23.*88003/1-1\.dcm$")[:1]
    assert pydicom.dcmread(io.BytesIO(mini.files[path])).StudyDate == "19591223"
    assert all("19591223" not in str(row["meta"]) for row in mini.rows())
    assert any("1960" in note and "differences" in note for note in mini.builder.dataset.notes)


@pytest.mark.quirk(6)
def test_a_patient_may_have_no_ct(mini: Miniature) -> None:
    assert [row["modality"] for row in mini.rows("_029_")] == ["PET"]
