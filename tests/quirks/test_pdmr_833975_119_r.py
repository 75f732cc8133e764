from __future__ import annotations

import io

import pydicom
import pytest
from miniatures import Miniature


def header(mini: Miniature, pattern: str) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(mini.files[mini.paths(pattern)[0]]))


@pytest.mark.quirk(1)
def test_of_two_series_of_one_name_the_longer_counts(mini: Miniature) -> None:
    long, short = (header(mini, f"1565/.*TSE45 split-{n}") for n in (22222, 33333))
    assert long.SeriesDescription == short.SeriesDescription == "TSE45 split"
    assert mini.row("1565")["shape"][2] == 4
    (path,) = mini.paths("^8.*1565/.*TSE45 split-33333")
    assert "1 image" in mini.skipped[path]


@pytest.mark.quirk(2)
def test_rows_say_that_the_patient_is_a_mouse(mini: Miniature) -> None:
    assert header(mini, "1565/.*22222").PatientSpeciesDescription == "Mouse"
    assert {row["meta"]["species"] for row in mini.rows()} == {"mouse"}


@pytest.mark.quirk(3)
def test_the_report_lies_in_a_study_of_its_own(mini: Miniature) -> None:
    report = header(mini, "1565/.*Overview")
    assert report.Modality == "SR"
    assert report.StudyInstanceUID != header(mini, "1565/.*22222").StudyInstanceUID
    assert [reason for path, reason in mini.skipped.items() if "Overview" in path] == [
        "a structured report: measurements, no pixels"
    ] * 2
