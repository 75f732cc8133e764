from __future__ import annotations

import pytest
from miniatures import Miniature, pixels
from msd import CONTIGUOUS, test_resource_forks_are_no_images

__all__ = ["test_resource_forks_are_no_images"]
REFUTED = {
    2: CONTIGUOUS + "imagesTr begins with BRATS_001 and BRATS_002, imagesTs with BRATS_485 and BRATS_486 "
    "(MIC-DKFZ/nnUNet:documentation/dataset_format.md@0c4ce5b), and 484 are labeled"
}


@pytest.mark.quirk(3)
def test_four_sequences_are_the_last_axis_and_values_are_not_those_of_brats(mini: Miniature) -> None:
    row = mini.row("BRATS_457")
    assert row["shape"] == [12, 10, 6, 4] and row["sequence"] == ["FLAIR", "T1w", "t1gd", "T2w"]
    assert pixels(row["label"]["mask"]).shape == (12, 10, 6)
    assert {one["value"]: one["names"][-1] for one in row["label"]["legend"]} == {
        1: "peritumoral edema",
        2: "non-enhancing brain tumor",
        3: "enhancing brain tumor",
    }
