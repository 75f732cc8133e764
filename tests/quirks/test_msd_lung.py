from __future__ import annotations

import json

import pytest
from miniatures import Miniature
from msd import numbers, test_numbers_have_gaps_and_run_through_both_parts, test_resource_forks_are_no_images

__all__ = ["test_numbers_have_gaps_and_run_through_both_parts", "test_resource_forks_are_no_images"]


@pytest.mark.quirk(3)
def test_first_and_last_labeled_file(mini: Miniature) -> None:
    assert [row["subject"] for row in mini.rows() if row["split"] == "train"] == ["lung_001", "lung_096"]
    assert mini.builder.dataset.splits["train"] == 63


@pytest.mark.quirk(4)
def test_the_totals_are_those_of_dataset_json_and_the_paper_is_told(mini: Miniature) -> None:
    listed = json.loads(mini.text(r"dataset\.json$"))
    assert listed["numTraining"] == len(listed["training"]) == len(numbers(mini, "labelsTr"))
    assert any("The paper says 64" in note for note in mini.builder.dataset.notes)
