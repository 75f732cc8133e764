from __future__ import annotations

import numpy as np
import pytest
from miniatures import Miniature, pixels

NOT_IN_FILES = {5: "where scripts download from; a note on the card names the older host"}


@pytest.mark.quirk(1)
def test_the_answers_have_no_header(mini: Miniature) -> None:
    assert mini.text("Part3_Training_GroundTruth.csv") == "ISIC_0000000,benign\nISIC_0000001,malignant\n"
    assert mini.row("lesion-ISIC_0000000")["label"]["classes"] == ["benign lesion"]
    assert mini.row("lesion-ISIC_0000001")["label"]["classes"] == ["malignant lesion"]


@pytest.mark.quirk(2)
def test_names_of_masks_have_a_capital_s(mini: Miniature) -> None:
    drawn = np.asarray(mini.picture("Part1_Training_GroundTruth/ISIC_0000000_Segmentation.png"))
    mask = pixels(mini.row("lesion-ISIC_0000000")["label"]["mask"])
    assert np.array_equal(mask, drawn // 255) and mask.any()


@pytest.mark.quirk(3)
def test_superpixels_are_counted_by_color(mini: Miniature) -> None:
    tiles = np.asarray(mini.picture("ISIC_0000002_superpixels")).astype(int)
    numbers = tiles @ [1, 256, 65536]
    assert set(np.unique(numbers)) == {0, 1, 2, 258}
    mask = pixels(mini.row("features-ISIC_0000002")["label"]["mask"])
    value = {0: 0, 1: 1, 2: 0, 258: 3}  # globules in 1 and 258, streaks in 258
    assert np.array_equal(mask, np.vectorize(value.get)(numbers))


@pytest.mark.quirk(4)
def test_images_of_part_3_are_those_of_part_1(mini: Miniature) -> None:
    part = "ISBI2016_ISIC_Part{}_Training_Data/ISIC_0000000.jpg"
    assert mini.bytes(part.format(1)) == mini.bytes(part.format(3)) == mini.bytes(part.format("3B"))
    assert mini.skipped[part.format(3)] == "read from part 1, the same image"
    assert len(mini.rows("lesion-ISIC_0000000")) == 1
    assert mini.builder.dataset.splits == {"train": 900, "test": 379}
