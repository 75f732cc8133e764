from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_masks_come_from_the_structure_set_which_all_patients_have(mini: Miniature) -> None:
    assert not mini.paths("LUNG1-128.*Seg") and len(mini.paths("LUNG1-001.*Seg")) == 1
    mask = pixels(mini.row("LUNG1-128")["label"]["mask"])
    assert np.count_nonzero(mask) > 0
    assert {name for one in mini.row("LUNG1-128")["label"]["legend"] for name in one["names"]} == {
        "gross tumor volume",
        "lung tumor",
        "lung",
    }


@pytest.mark.quirk(2)
def test_what_was_not_contoured_is_not_assessed(mini: Miniature) -> None:
    label = mini.row("LUNG1-128")["label"]
    heart = next(roi for roi in label["source"]["ROIs"] if roi["ROIName"] == "Heart")
    assert heart["contours"] == 0 and "heart" not in label["assessed"]
    assert "spinal cord" in mini.row("LUNG1-001")["label"]["assessed"]


@pytest.mark.quirk(3)
def test_series_without_a_description_are_told_by_modality(mini: Miniature) -> None:
    header = pydicom.dcmread(io.BytesIO(mini.files[mini.paths("LUNG1-001/.*NA-82046")[0]]))
    assert header.SeriesDescription == "" and header.Modality == "CT"
    assert mini.row("LUNG1-001")["shape"] == [16, 12, 4]


@pytest.mark.quirk(4)
def test_plethora_masks_on_other_axes_are_left_out(mini: Miniature) -> None:
    (path,) = mini.paths("thor_cav_primary_reviewer")
    assert "other axes" in mini.skipped[path]


@pytest.mark.quirk(5)
def test_masks_and_reports_of_others_are_left_out(mini: Miniature) -> None:
    reasons = [mini.skipped[path] for path in sorted(mini.paths("nnU-Net"))]
    assert reasons == [
        "the contours of the RTSTRUCT, or a program's",
        "a structured report: measurements, no pixels",
    ]
    assert len(mini.rows()) == 2
