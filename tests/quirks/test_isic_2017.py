from __future__ import annotations

import json

import numpy as np
import pytest
from miniatures import Miniature, built, pixels


@pytest.mark.quirk(1)
def test_names_of_masks_are_in_lower_case(mini: Miniature) -> None:
    assert not mini.paths("_Segmentation.png")
    drawn = np.asarray(mini.picture("Part1_GroundTruth/ISIC_0000000_segmentation.png"))
    mask = pixels(mini.row("lesion-ISIC_0000000")["label"]["mask"])
    assert np.array_equal(mask, drawn // 255) and mask.any()


@pytest.mark.quirk(2)
def test_an_unknown_age_stays_a_word(mini: Miniature) -> None:
    assert "ISIC_0000001,unknown,unknown" in mini.text("Training_Data_metadata")
    assert mini.row("lesion-ISIC_0000001")["meta"]["age_approximate"] == "unknown"
    assert mini.row("lesion-ISIC_0000000")["meta"]["age_approximate"] == "55"


@pytest.mark.quirk(3)
def test_keys_hold_spaces_and_hyphens(mini: Miniature) -> None:
    said = json.loads(mini.text("ISIC_0000000_features.json"))
    assert list(said) == ["network", "negative network", "streaks", "milia-like cysts"]
    label = mini.row("features-ISIC_0000000")["label"]
    assert label["source"]["negative network"] == [] and label["source"]["streaks"] == [2, 258]
    names = {entry["value"]: entry["names"] for entry in label["legend"]}
    assert names[2] == ["negative network"] and names[8] == ["milia-like cyst"]
    assert set(np.unique(pixels(label["mask"]))) == {0, 1, 4, 5}


@pytest.mark.quirk(4)
def test_files_for_test_are_called_test_v2(mini: Miniature) -> None:
    assert mini.paths("ISIC-2017_Test_v2_Part3_GroundTruth.csv")
    assert mini.row("lesion-ISIC_0020000")["split"] == "test"
    assert mini.row("lesion-ISIC_0020000")["label"]["classes"] == ["melanoma"]


@pytest.mark.quirk(5)
def test_a_picture_that_isic_2019_holds_too_is_told_by_its_content(mini: Miniature) -> None:
    other = built("isic_2019").row("ISIC_0000000")
    assert mini.row("lesion-ISIC_0000000")["content"] == other["content"]
    (overlap,) = (one for one in mini.builder.dataset.overlaps if one.dataset == "isic-2019")
    assert overlap.relation == "subset of"
