from __future__ import annotations

import io

import pydicom
import pytest
from miniatures import Miniature


@pytest.mark.quirk(1)
def test_women_have_one_kind_of_image_or_both(mini: Miniature) -> None:
    kinds = {row["subject"][-4:]: set() for row in mini.rows()}
    for row in mini.rows():
        kinds[row["subject"][-4:]].add(row["modality"])
    assert kinds == {"0001": {"MRI", "CT"}, "0002": {"PET", "CT"}}


@pytest.mark.quirk(2)
def test_volumes_in_one_series_become_rows(mini: Miniature) -> None:
    headers = [pydicom.dcmread(io.BytesIO(mini.files[path])) for path in mini.paths("^manifest.*-dynamic-41/")]
    assert len(headers) == 9 and len({one.SeriesInstanceUID for one in headers}) == 1
    volumes = [row for row in mini.rows() if row["modality"] == "MRI"]
    assert [row["shape"] for row in volumes] == [[16, 12, 3]] * 5
    assert sorted(row["meta"]["FlipAngle"] for row in volumes if "FlipAngle" in row["meta"]) == [2, 10]
    assert sorted(row["meta"].get("TemporalPositionIdentifier", 0) for row in volumes) == [0, 0, 1, 2, 3]


@pytest.mark.quirk(3)
def test_visits_belong_to_one_subject(mini: Miniature) -> None:
    visits = {row["meta"]["StudyInstanceUID"] for row in mini.rows() if row["subject"] == "QIN-BREAST-01-0001"}
    assert len(visits) == 2
    assert {tuple(row["label"]["classes"]) for row in mini.rows("01-0001")} == {("complete pathologic response",)}
