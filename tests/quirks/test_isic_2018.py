from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from miniatures import Miniature, built, copied, pixels, written

from medimg.errors import FormatError


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


def test_all_five_attributes_may_meet_in_a_pixel(mini: Miniature, tmp_path: Path) -> None:
    attribute = "Training_GroundTruth_v3/ISIC_0000000_attribute_"
    drawn = io.BytesIO()
    PIL.Image.new("L", mini.picture(f"{attribute}streaks").size, 255).save(drawn, "PNG")
    files = {path: drawn.getvalue() if attribute in path else data for path, data in mini.files.items()}
    files = {path: data for path, data in files.items() if not path.endswith(".zip")}
    label = copied("isic_2018", files, tmp_path).row("task2-ISIC_0000000")["label"]
    assert set(np.unique(pixels(label["mask"]))) == {31}
    assert len({entry["value"]: entry["names"] for entry in label["legend"]}[31]) == 5


@pytest.mark.parametrize(
    ("module", "score"),
    [
        ("isic_2018", "0.5"),
        ("isic_2018", "2"),
        ("isic_2018", "-1"),
        ("isic_2017", "0.5"),
        ("isic_2019", "0.51"),
    ],
)
def test_a_score_is_no_diagnosis(module: str, score: str, tmp_path: Path) -> None:
    table = {
        "isic_2017": "ISIC-2017_Training_Part3_GroundTruth.csv",
        "isic_2018": "ISIC2018_Task3_Training_GroundTruth.csv",
        "isic_2019": "ISIC_2019_Training_GroundTruth.csv",
    }[module]
    head, first, *lines = built(module).text(f"{table}$").splitlines()
    image, _, *cells = first.split(",")
    archive = table.replace(".csv", ".zip")
    files = {path: data for path, data in written(module).items() if path not in (table, archive)}
    files[table] = "\n".join([head, ",".join([image, score, *cells]), *lines]).encode()
    with pytest.raises(FormatError, match="neither 0 nor 1") as caught:
        copied(module, files, tmp_path)
    for word in (table, "line 2", repr(head.split(",")[1]), repr(score)):
        assert word in str(caught.value)
