from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from miniatures import Miniature, pixels


def header(mini: Miniature, pattern: str) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(mini.files[mini.paths(pattern)[0]]))


@pytest.mark.quirk(1)
def test_three_patterns_of_patient_ids(mini: Miniature) -> None:
    assert [row["subject"] for row in mini.rows()] == ["QIN-LSC-0003", "QIN-LUNG-01-0007", "R0223"]


@pytest.mark.quirk(2)
def test_segmentations_of_a_later_study_find_their_series(mini: Miniature) -> None:
    seg, ct = header(mini, "0003/.*alg01 run1"), header(mini, "0003/.*THORAX")
    assert (seg.StudyDate, ct.StudyDate) == ("20150401", "20030806")
    assert seg.StudyInstanceUID != ct.StudyInstanceUID
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == ct.SeriesInstanceUID
    assert mini.row("LSC-0003")["label"]["mask"]


@pytest.mark.quirk(3)
def test_nine_segmentations_are_counted(mini: Miniature) -> None:
    assert len(mini.paths(r"^QIN-LUNG-01-0007/.*alg0[123] run[123]/")) == 9
    mask = pixels(mini.row("LUNG-01-0007")["label"]["mask"])
    assert [*np.unique(mask)] == [0, 3, 6, 9]
    assert len(mini.row("LUNG-01-0007")["label"]["source"]) == 9


@pytest.mark.quirk(4)
def test_most_patients_have_no_segmentation(mini: Miniature) -> None:
    assert not mini.paths("R0223.*alg")
    label = mini.row("R0223")["label"]
    assert label["mask"] is None and label["assessed"] == []
    for patient in ("QIN-LSC-0003", "QIN-LUNG-01-0007"):
        assert mini.row(patient)["label"]["assessed"] == ["lung nodule"]
    assert any("0088 and QIN-LUNG-01-0007, 0013" in note for note in mini.builder.dataset.notes)


@pytest.mark.quirk(5)
def test_compressed_files_are_decoded(mini: Miniature) -> None:
    syntaxes = [header(mini, f"{name}/.*THORAX").file_meta.TransferSyntaxUID for name in ("0003", "0007", "R0223")]
    assert [one.is_compressed for one in syntaxes] == [False, True, True]
    for name in ("0007", "R0223"):
        paths = sorted(mini.paths(f"^manifest.*{name}/.*THORAX"))
        slices = sorted(
            (pydicom.dcmread(io.BytesIO(mini.files[path])) for path in paths),
            key=lambda one: one.ImagePositionPatient[2],
        )
        volume = pixels(mini.row(name)["image"])
        assert volume.shape == (16, 12, 4)
        assert (np.sort(volume[..., 0].ravel()) == np.sort(slices[0].pixel_array.ravel() - 1024.0)).all()
