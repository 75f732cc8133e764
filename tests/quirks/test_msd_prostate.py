from __future__ import annotations

import json
from pathlib import Path

import pytest
from miniatures import Miniature, pixels
from msd import test_numbers_have_gaps_and_run_through_both_parts, test_resource_forks_are_no_images

from medimg.errors import LabelError
from medimg.files import Files

__all__ = ["test_numbers_have_gaps_and_run_through_both_parts", "test_resource_forks_are_no_images"]


@pytest.mark.quirk(3)
def test_first_and_last_labeled_file(mini: Miniature) -> None:
    assert [row["subject"] for row in mini.rows() if row["split"] == "train"] == [
        "prostate_00",
        "prostate_47",
    ]
    assert mini.builder.dataset.splits["train"] == 32


@pytest.mark.quirk(4)
def test_t2_and_adc_are_the_last_axis_of_images_alone(mini: Miniature) -> None:
    row = mini.row("prostate_00")
    assert row["shape"] == [12, 10, 6, 2] and row["sequence"] == ["T2", "ADC"]
    assert pixels(row["label"]["mask"]).shape == (12, 10, 6)


@pytest.mark.quirk(5)
def test_zones_are_as_dataset_json_has_them(mini: Miniature, tmp_path: Path) -> None:
    about = json.loads(mini.text(r"dataset\.json$"))
    assert about["labels"] == {"0": "background", "1": "PZ", "2": "TZ"}
    assert mini.row("prostate_00")["label"]["legend"] == [
        {"value": 1, "names": ["peripheral zone of prostate"]},
        {"value": 2, "names": ["transition zone of prostate"]},
    ]
    swapped = about | {"labels": {"0": "background", "1": "TZ", "2": "PZ"}}
    (tmp_path / "dataset.json").write_text(json.dumps(swapped))
    with Files.open(tmp_path) as files, pytest.raises(LabelError, match="mask value 1 'TZ'"):
        list(mini.builder.rows(files))
