from __future__ import annotations

import io

import pydicom
import pytest
from miniatures import Miniature, pixels


def header(mini: Miniature, pattern: str) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(mini.files[mini.paths(pattern)[0]]))


@pytest.mark.quirk(1)
def test_the_mask_is_an_image_series_of_the_first_exam(mini: Miniature) -> None:
    mask = header(mini, "reference VOI mask")
    assert mask.Modality == "MR" and mask.SOPClassUID == pydicom.uid.MRImageStorage
    assert not mini.paths(r"t\+15.*VOI")
    for row in mini.rows():
        first = row["meta"]["exam"] == "t+0 mins"
        early = row["meta"]["series"].startswith("early")
        assert bool(row["label"]["mask"]) == (first and not early)
        if row["label"]["mask"]:
            assert {*pixels(row["label"]["mask"]).ravel()} == {0, 1}
            assert row["label"]["legend"] == [{"value": 1, "names": ["breast tumor"]}]
    assert len(mini.rows()) == 7


@pytest.mark.quirk(2)
def test_the_study_description_orders_the_exams(mini: Miniature) -> None:
    assert {header(mini, rf"t\+{n} mins").StudyDate for n in (0, 15)} == {"18800909"}
    exams = {row["meta"]["exam"]: row["meta"]["StudyInstanceUID"] for row in mini.rows()}
    assert exams.keys() == {"t+0 mins", "t+15 mins"} and len({*exams.values()}) == 2
    assert "2.25.16" not in exams.values()  # another UID stands for it


@pytest.mark.quirk(3)
def test_rows_tell_the_factor_of_the_adc(mini: Miniature) -> None:
    told = [row["meta"].get("ADC factor") for row in mini.rows()]
    assert told.count("0.2E-06 (units: 10E-03 mm^2/s)") == 2
    assert not any("SeriesDescription" in row["meta"] for row in mini.rows())


@pytest.mark.quirk(4)
def test_no_response_to_treatment_is_made_up(mini: Miniature) -> None:
    assert "treatment response" not in mini.builder.dataset.task
    assert all(not row["label"]["classes"] and not row["label"]["measures"] for row in mini.rows())
