from __future__ import annotations

import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_case_is_capital_in_images_alone(mini: Miniature) -> None:
    assert mini.paths(r"/Case10\.nii\.gz$") and mini.paths(r"/mask_case10\.nii\.gz$")
    assert set(pixels(mini.row("Case10$")["label"]["mask"]).ravel()) == {0, 1, 2, 11}


@pytest.mark.quirk(2)
def test_numbers_have_gaps_and_run_past_172(mini: Miniature) -> None:
    assert [row["subject"] for row in mini.rows()] == ["1", "10", "198"]
    assert mini.builder.dataset.splits["train"] == 172
    assert "without mask" in mini.skipped["test/MR/Case173.nii.gz"]


@pytest.mark.quirk(3)
def test_voxels_are_strongly_anisotropic(mini: Miniature) -> None:
    row = mini.row("Case198")
    assert row["shape"] == [24, 22, 4] and row["spacing"] == pytest.approx([0.34, 0.34, 4.4])
