from __future__ import annotations

import pytest
from miniatures import Miniature


@pytest.mark.quirk(1)
def test_paths_of_the_tables_are_no_paths_of_the_files(mini: Miniature) -> None:
    table = mini.text(r"train\.csv$")
    assert "\nCheXpert-v1.0/train/patient00001" in table and "\nCheXpert-v1.0-small/train/" in table
    assert mini.row("patient00001-study1")["meta"]["source_path"] == (
        "CheXpert-v1.0 batch 2 (train 1)/patient00001/study1/view1_frontal.jpg"
    )
    assert mini.row("patient00002-study1-view2_lateral")["split"] == "train"


@pytest.mark.quirk(2)
def test_the_projection_may_be_blank_or_odd(mini: Miniature) -> None:
    lateral, odd = mini.row("patient00002-study1-view2_lateral"), mini.row("patient00002-study2")
    assert (lateral["meta"]["Frontal/Lateral"], lateral["meta"]["AP/PA"]) == ("Lateral", "")
    assert (odd["meta"]["Frontal/Lateral"], odd["meta"]["AP/PA"]) == ("Frontal", "LL")


@pytest.mark.quirk(3)
def test_age_zero_and_sex_unknown_are_kept(mini: Miniature) -> None:
    assert mini.row("patient00002-study2")["meta"]["Age"] == "0"
    assert mini.row("patient00002-study1")["meta"]["Sex"] == "Unknown"


@pytest.mark.quirk(4)
def test_uncertain_and_not_mentioned_are_told_apart_from_absent(mini: Miniature) -> None:
    label = mini.row("patient00002-study2")["label"]
    assert label["classes"] == ["cardiomegaly"]
    assert label["uncertain"] == ["lung opacity", "pulmonary edema"]
    assert label["assessed"] == ["cardiomegaly", "lung lesion", "lung opacity", "pulmonary edema"]
    assert label["source"]["train.csv"]["Pneumonia"] == ""


def test_the_validation_part_of_chexlocalize_is_a_second_copy(mini: Miniature) -> None:
    assert mini.text("val_labels").splitlines()[1].startswith("val/patient64541/")
    assert len(mini.paths("patient64541/study1/view1_frontal.jpg$")) == 2
    row = mini.row("patient64541-study1")
    assert row["split"] == "validation" and "enlarged cardiomediastinum" in row["label"]["classes"]
    assert [reason[:16] for path, reason in mini.skipped.items() if "patient64541" in path] == ["a second copy of"]


def test_the_table_of_the_test_part_has_labels_alone(mini: Miniature) -> None:
    assert mini.text("test_labels").startswith("Path,No Finding,")
    row = mini.row("patient64741-study1")
    assert row["split"] == "test" and row["label"]["classes"] == ["support device"]
    assert row["meta"]["Path"] == "test/patient64741/study1/view1_frontal.jpg"
