from __future__ import annotations

import pytest
from miniatures import Miniature


@pytest.mark.quirk(1)
def test_duplicates_name_each_other(mini: Miniature) -> None:
    assert mini.text("Training_Duplicates") == "image_name_1,image_name_2\nISIC_0149568,ISIC_0074311\n"
    assert mini.row("0149568")["meta"]["duplicates"] == ["ISIC_0074311"]
    assert mini.row("0074311")["meta"]["duplicates"] == ["ISIC_0149568"]
    assert "duplicates" not in mini.row("0015719")["meta"]


@pytest.mark.quirk(2)
def test_corrected_dicom_files_win_over_the_first_ones(mini: Miniature) -> None:
    assert mini.paths("^ISIC_2020_Train_DICOM_corrected.zip$") and mini.paths("^ISIC_2020_Training_Dicom.zip$")
    corrected = "ISIC_2020_Train_DICOM_corrected/train/ISIC_0074311.dcm"
    assert mini.row("0074311")["meta"]["source_path"] == corrected
    first = "ISIC_2020_Training_Dicom/train/ISIC_0074311.dcm"
    assert mini.skipped[first] == "the same picture is read from another archive"


@pytest.mark.quirk(3)
def test_an_unknown_diagnosis_is_benign_and_nothing_else(mini: Miniature) -> None:
    assert "head/neck,unknown,benign,0" in mini.text("Training_GroundTruth_v2")
    label = mini.row("2637011")["label"]
    assert label["classes"] == ["benign lesion"]
    assert set(label["assessed"]) == {"melanoma", "benign lesion", "malignant lesion"}
    assert "melanocytic nevus" in mini.row("0074311")["label"]["assessed"]


@pytest.mark.quirk(4)
def test_blank_cells_stay_blank(mini: Miniature) -> None:
    assert "ISIC_0074311,IP_0962375,,,,nevus," in mini.text("Training_GroundTruth.csv")
    meta = mini.row("0074311")["meta"]
    assert [meta[key] for key in ("sex", "age_approx", "anatom_site_general_challenge")] == [""] * 3


@pytest.mark.quirk(5)
def test_columns_are_called_differently_for_test(mini: Miniature) -> None:
    assert mini.text("Training_GroundTruth.csv").startswith("image_name,patient_id,")
    assert mini.text("Test_Metadata").startswith("image,patient,")
    row = mini.row("0052349")
    assert row["subject"] == "IP_7782715" and row["meta"]["anatom_site_general"] == "torso"
    assert row["label"]["assessed"] == []
