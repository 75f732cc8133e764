from __future__ import annotations

import pytest
from miniatures import Miniature, built


@pytest.mark.quirk(1)
def test_downsampled_is_a_part_of_the_id(mini: Miniature) -> None:
    assert mini.paths("/ISIC_0000006_downsampled.jpg$")
    assert "\nISIC_0000006_downsampled,0.0,1.0," in mini.text("Training_GroundTruth")
    assert mini.row("0000006")["id"] == "isic-2019/ISIC_0000006_downsampled"


@pytest.mark.quirk(2)
def test_blank_cells_stay_blank_and_without_a_lesion_there_is_no_subject(mini: Miniature) -> None:
    assert "\nISIC_0000006_downsampled,,,,\n" in mini.text("Training_Metadata")
    row = mini.row("0000006")
    assert row["subject"] is None
    assert [row["meta"][key] for key in ("age_approx", "sex", "anatom_site_general")] == [""] * 3
    assert mini.row("0024306")["subject"] == "HAM_0000550"


@pytest.mark.quirk(3)
def test_unk_has_no_example_for_training_but_is_a_class(mini: Miniature) -> None:
    lines = mini.text("Training_GroundTruth").splitlines()
    assert lines[0].endswith(",SCC,UNK") and {line.rsplit(",", 1)[1] for line in lines[1:]} == {"0.0"}
    train = [row["label"] for row in mini.rows() if row["split"] == "train"]
    assert all("other abnormality" in one["assessed"] and one["classes"] == ["melanocytic nevus"] for one in train)
    assert mini.row("0073253")["label"]["classes"] == ["other abnormality"]


@pytest.mark.quirk(4)
def test_pictures_of_older_sets_are_told_by_their_content(mini: Miniature) -> None:
    assert mini.row("0024306")["content"] == built("ham10000").row("0024306")["content"]
    assert mini.row("0000000")["content"] == built("isic_2017").row("lesion-ISIC_0000000")["content"]
    relations = {one.dataset: one.relation for one in mini.builder.dataset.overlaps}
    assert relations["ham10000"] == relations["isic-2017"] == "superset of"
