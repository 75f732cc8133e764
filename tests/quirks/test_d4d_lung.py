from __future__ import annotations

import io
from typing import Any

import pydicom
import pytest
from miniatures import Miniature, pixels


def header(mini: Miniature, pattern: str) -> Any:
    return pydicom.dcmread(io.BytesIO(mini.files[mini.paths(pattern)[0]]), stop_before_pixels=True)


def drawn(mini: Miniature) -> list[dict[str, Any]]:
    return [row for row in mini.rows() if row["label"]["mask"]]


@pytest.mark.quirk(1)
def test_a_study_has_a_series_for_each_phase_and_all_are_of_one_subject(mini: Miniature) -> None:
    rows = [row for row in mini.rows("/100_") if row["modality"] == "4D CT"]
    assert {row["subject"] for row in rows} == {"100_HM10395"}
    studies = [row["meta"]["StudyInstanceUID"] for row in rows]
    assert sorted(studies.count(study) for study in set(studies)) == [2, 2]
    assert len({row["meta"]["SeriesInstanceUID"] for row in rows}) == 4


@pytest.mark.quirk(2)
def test_the_phase_of_fan_beam_ct_is_read_from_the_description(mini: Miniature) -> None:
    rows = [row for row in mini.rows() if row["modality"] == "4D CT"]
    assert {row["meta"]["SeriesNumber"] for row in rows} == {1}
    assert {row["meta"]["phase_percent"] for row in rows} == {0.0, 50.0}
    assert not any("SeriesDescription" in row["meta"] for row in rows)


@pytest.mark.quirk(3)
def test_the_phase_of_cone_beam_ct_is_read_from_the_number(mini: Miniature) -> None:
    rows = [row for row in mini.rows("/115_") if row["modality"] == "CBCT"]
    assert [(row["meta"]["SeriesNumber"], row["meta"]["phase_percent"]) for row in rows] == [
        (500, 0.0),
        (505, 50.0),
    ]
    assert len({row["meta"]["source_header"]["FrameOfReferenceUID"] for row in rows}) == 2


@pytest.mark.quirk(4)
def test_cone_beam_ct_of_two_slices_and_of_more_than_usual_are_rows(mini: Miniature) -> None:
    shapes = [row["shape"] for row in mini.rows("/115_") if row["modality"] == "CBCT"]
    assert shapes == [[16, 12, 2], [16, 12, 5]]


@pytest.mark.quirk(5)
def test_what_was_not_outlined_is_unknown(mini: Miniature) -> None:
    for row in mini.rows():
        outlined = "p4-14571" in row["meta"]["source_path"]
        assert bool(row["label"]["mask"]) is bool(row["label"]["assessed"]) is outlined
    assert len(drawn(mini)) == 4 and len(mini.rows()) == 12


@pytest.mark.quirk(6)
def test_a_space_within_a_name_does_not_matter(mini: Miniature) -> None:
    rows = [row for row in drawn(mini) if row["subject"] == "115_HM10395"]
    assert [row["label"]["source"]["ROIs"][0]["ROIName"] for row in rows] == ["Tumor_ c00", "Tumor_ c50"]
    for row in rows:
        assert "gross tumor volume" in row["label"]["assessed"]
        assert (pixels(row["label"]["mask"]) == 1).any()


@pytest.mark.quirk(7)
def test_structures_keep_apart_and_targets_of_planning_are_left_out(mini: Miniature) -> None:
    row = next(row for row in drawn(mini) if row["meta"]["phase_percent"] == 0)
    names = {entry["value"]: entry["names"] for entry in row["label"]["legend"]}
    assert names[1] == ["gross tumor volume", "lung tumor"]
    assert names[3] == ["carina"] and names[4] == ["vertebra"]
    mask = pixels(row["label"]["mask"])
    assert mask[3, 3, 2] == 3 and mask[3, 3, 0] == 4
    # PTV_c00 reaches from 2 to 8 on slice 1; the tumor alone from 3 to 7.
    assert "PTV_c00" in {roi["ROIName"] for roi in row["label"]["source"]["ROIs"]}
    assert mask[2, 7, 1] == 0 and mask[4, 4, 1] == 1


@pytest.mark.quirk(8)
def test_shifted_dates_stay_out_of_rows_and_the_card_says_so(mini: Miniature) -> None:
    assert header(mini, r"^100_.*/000001\.dcm$").StudyDate == "20010101"
    assert all("20010101" not in str(row["meta"]) for row in mini.rows())
    assert any("Dates" in note and "shifted" in note for note in mini.builder.dataset.notes)
