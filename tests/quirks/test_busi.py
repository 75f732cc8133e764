from __future__ import annotations

import numpy as np
import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1, 2)
def test_all_masks_of_a_name_with_spaces_are_united(mini: Miniature) -> None:
    names = [path.rpartition("/")[2] for path in mini.paths(r"^benign/benign \(100\)")]
    assert names == ["benign (100).png", "benign (100)_mask.png", "benign (100)_mask_1.png"]
    row = mini.row("benign-100")
    parts = [np.asarray(mini.picture(rf"\(100\)_mask{n}\.png$").convert("L")) > 0 for n in ("", "_1")]
    assert parts[0].any() and parts[1].any() and not (parts[0] & parts[1]).any()
    assert np.array_equal(pixels(row["label"]["mask"]) > 0, parts[0] | parts[1])
    assert row["meta"]["masks"] == 2


@pytest.mark.quirk(3)
def test_images_keep_their_three_channels_gray_or_not(mini: Miniature) -> None:
    gray, colored = pixels(mini.row("benign-100")["image"]), pixels(mini.row("benign-1$")["image"])
    assert gray.shape == colored.shape == (42, 50, 3)
    assert (gray == gray[..., :1]).all() and not (colored == colored[..., :1]).all()
    assert bytes(mini.row("benign-100")["image"]["bytes"]) == mini.bytes(r"^benign/benign \(100\)\.png$")


@pytest.mark.quirk(4)
def test_one_picture_in_two_classes_is_told_by_its_content(mini: Miniature) -> None:
    benign, malignant = mini.row("benign-1$"), mini.row("malignant-1$")
    assert benign["content"] == malignant["content"] != mini.row("normal-1$")["content"]
    assert benign["label"]["classes"] != malignant["label"]["classes"]
    assert any("duplicates" in note and "drawings" in note for note in mini.builder.dataset.notes)


@pytest.mark.quirk(5)
def test_masks_of_normal_images_are_empty(mini: Miniature) -> None:
    row = mini.row("normal-1$")
    assert row["label"]["classes"] == ["normal"] and "breast tumor" in row["label"]["assessed"]
    assert not pixels(row["label"]["mask"]).any()
