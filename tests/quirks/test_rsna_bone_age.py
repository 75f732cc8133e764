from __future__ import annotations

import io

import openpyxl
import pytest
from miniatures import Miniature


@pytest.mark.quirk(1)
def test_every_part_has_other_columns(mini: Miniature) -> None:
    assert mini.text(r"boneage-training-dataset\.csv").startswith("id,boneage,male\n")
    assert mini.text("Validation Dataset").startswith("Image ID,male,Bone Age (months)\n")
    sheet = openpyxl.load_workbook(io.BytesIO(mini.bytes("ground truth"))).active
    assert [cell.value for cell in sheet[1]][:2] == ["Case ID", "Sex"]
    told = {}
    for name in ("1377", "valid-9709", "test-4360"):
        row = mini.row(f"/{name}$")
        told[name] = (
            row["split"],
            row["label"]["measures"][0]["value"],
            row["meta"].get("male"),
            row["meta"].get("Sex"),
        )
    assert told == {
        "1377": ("train", 180, "False", None),
        "valid-9709": ("validation", 94, "FALSE", None),
        "test-4360": ("test", 168.93, None, "M"),
    }


@pytest.mark.quirk(2)
def test_folders_of_the_copy_are_doubled(mini: Miniature) -> None:
    assert mini.paths(r"boneage-training-dataset/boneage-training-dataset/1378\.png$")
    assert mini.row("/1378$")["label"]["measures"] == [{"name": "bone age", "value": 12, "unit": "mo"}]


@pytest.mark.quirk(3)
def test_test_images_of_the_copy_have_no_age(mini: Miniature) -> None:
    assert mini.text(r"boneage-test-dataset\.csv").startswith("Case ID,Sex\n")
    row = mini.row("test-4362")
    assert row["label"]["measures"] == [] and row["meta"]["Sex"] == "F"
