from __future__ import annotations

import pytest
from miniatures import Miniature
from msd import test_numbers_have_gaps_and_run_through_both_parts, test_resource_forks_are_no_images

__all__ = ["test_numbers_have_gaps_and_run_through_both_parts", "test_resource_forks_are_no_images"]


@pytest.mark.quirk(3)
def test_first_and_last_labeled_file(mini: Miniature) -> None:
    assert [row["subject"] for row in mini.rows() if row["split"] == "train"] == ["la_003", "la_030"]
    assert mini.builder.dataset.splits["train"] == 20
