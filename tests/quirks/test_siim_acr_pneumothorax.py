from __future__ import annotations

import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1, 2, 3)
def test_relative_runs_of_one_image_are_united(mini: Miniature) -> None:
    lines = mini.text("train-rle").splitlines()
    assert lines[0] == "ImageId, EncodedPixels"
    assert sum(".8323329.0." in line for line in lines) == 3
    mask = pixels(mini.row(r"8323329\.0\.")["label"]["mask"])
    drawn = {(x, y) for y, x in zip(*mask.nonzero(), strict=True)}
    expected = set()
    for line in lines[1:]:
        uid, runs = line.split(",")
        if ".8323329.0." in uid:
            numbers, at = [int(word) for word in runs.split()], 0
            for skip, length in zip(numbers[::2], numbers[1::2], strict=True):
                at += skip
                # 28 rows, down the columns.
                expected |= {(one // 28, one % 28) for one in range(at, at + length)}
                at += length
    assert drawn == expected and len(expected) > 20


@pytest.mark.quirk(4)
def test_an_image_without_pneumothorax_has_an_empty_mask(mini: Miniature) -> None:
    assert ".8323329.1.151787519,-1\n" in mini.text("train-rle")
    label = mini.row(r"8323329\.1\.")["label"]
    assert not pixels(label["mask"]).any()
    assert label["classes"] == [] and label["assessed"] == ["pneumothorax"]


@pytest.mark.quirk(5)
def test_the_overlap_with_chestx_ray14_is_declared(mini: Miniature) -> None:
    assert mini.builder.dataset.overlaps[0].dataset == "chestx-ray14"
    assert "ChestX-ray14: a split against it leaks" in " ".join(mini.builder.dataset.notes)
