from __future__ import annotations

import pytest
from miniatures import Miniature
from msd import CONTIGUOUS, numbers, test_resource_forks_are_no_images

__all__ = ["test_resource_forks_are_no_images"]
REFUTED = {
    2: CONTIGUOUS + "liver_0 to liver_130 are all labeled (zhaoziheng/SAT-DS@492df0e:data/jsonl/MSD_Liver.jsonl "
    "has the 131 of them)"
}


@pytest.mark.quirk(3)
def test_labeled_files_count_from_0_without_zeros_before(mini: Miniature) -> None:
    assert numbers(mini, "labelsTr") == [0, 1, 28] and mini.paths(r"/liver_1\.nii\.gz$")
    assert [row["subject"] for row in mini.rows() if row["split"] == "train"] == [
        "liver_0",
        "liver_1",
        "liver_28",
    ]
    assert mini.row("liver_132")["split"] == "test"
    assert mini.builder.dataset.splits["train"] == 131


@pytest.mark.quirk(4)
def test_a_lost_spacing_is_unknown_not_1_mm(mini: Miniature) -> None:
    assert mini.row("liver_28")["spacing"] is None
    assert mini.row("liver_1$")["spacing"] == pytest.approx([0.7, 0.7, 5])
