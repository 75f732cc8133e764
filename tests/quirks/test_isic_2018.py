from __future__ import annotations

import numpy as np
import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_each_task_has_its_own_license(mini: Miniature) -> None:
    assert mini.text("Task1-2_Training_Input/LICENSE.txt") == "CC-0"
    assert {(row["config"], row["license"]) for row in mini.rows()} == {
        ("task1", "CC0-1.0"),
        ("task2", "CC0-1.0"),
        ("task3", "CC-BY-NC-4.0"),
    }


@pytest.mark.quirk(2)
def test_one_archive_alone_is_called_v3(mini: Miniature) -> None:
    assert sorted(mini.paths(r"^ISIC2018_Task2_.*\.zip$")) == [
        "ISIC2018_Task2_Test_GroundTruth.zip",
        "ISIC2018_Task2_Training_GroundTruth_v3.zip",
        "ISIC2018_Task2_Validation_GroundTruth.zip",
    ]
    assert sorted(row["split"] for row in mini.rows("/task2-")) == ["test", "train", "train", "validation"]


@pytest.mark.quirk(3)
def test_answers_are_floats(mini: Miniature) -> None:
    assert "ISIC_0024306,0.0,1.0,0.0,0.0,0.0,0.0,0.0" in mini.text("Task3_Training_GroundTruth.csv")
    label = mini.row("task3-ISIC_0024306")["label"]
    assert label["classes"] == ["melanocytic nevus"] and len(label["assessed"]) == 7


@pytest.mark.quirk(4)
def test_five_masks_become_one_and_empty_ones_count_as_looked_for(mini: Miniature) -> None:
    paths = mini.paths("Training_GroundTruth_v3/ISIC_0000000_attribute_")
    assert len(paths) == 5
    empty = [path for path in paths if not np.asarray(mini.picture(f"^{path}$")).any()]
    assert len(empty) == 3
    label = mini.row("task2-ISIC_0000000")["label"]
    assert set(np.unique(pixels(label["mask"]))) == {0, 1, 9}
    assert {entry["value"]: entry["names"] for entry in label["legend"]}[9] == ["pigment network", "streaks"]
    assert set(label["assessed"]) == {
        "pigment network",
        "negative network",
        "milia-like cyst",
        "streaks",
        "globules",
    }
