from __future__ import annotations

import json

import pytest
from miniatures import Miniature
from msd import numbers, test_numbers_have_gaps_and_run_through_both_parts, test_resource_forks_are_no_images

__all__ = ["test_numbers_have_gaps_and_run_through_both_parts", "test_resource_forks_are_no_images"]


@pytest.mark.quirk(3)
def test_first_and_last_labeled_file(mini: Miniature) -> None:
    assert [row["subject"] for row in mini.rows() if row["split"] == "train"] == [
        "hippocampus_001",
        "hippocampus_394",
    ]
    assert mini.builder.dataset.splits["train"] == 260


@pytest.mark.quirk(4)
def test_the_totals_are_those_of_dataset_json_and_the_paper_is_told(mini: Miniature) -> None:
    listed = json.loads(mini.text(r"dataset\.json$"))
    assert listed["numTraining"] == len(listed["training"]) == len(numbers(mini, "labelsTr"))
    assert all(row["meta"]["listed_in_dataset_json"] for row in mini.rows() if row["split"] == "train")
    assert dict(mini.builder.dataset.splits) == {"train": 260, "test": 130}
    assert any("the paper counts 263 and 131" in note for note in mini.builder.dataset.notes)
