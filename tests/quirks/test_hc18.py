from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from miniatures import Miniature, copied, pixels


@pytest.mark.quirk(1)
def test_both_sets_have_a_000(mini: Miniature) -> None:
    assert len(mini.paths(r"/000_HC\.png$")) == 2
    assert {row["subject"] for row in mini.rows("000_HC")} == {"train-000", "test-000"}


@pytest.mark.quirk(2)
def test_outlines_are_filled_and_rgb_becomes_a_label_map(mini: Miniature) -> None:
    assert mini.picture("/010_HC_Annotation").mode == "RGB"
    mask = pixels(mini.row("train-010_HC")["label"]["mask"])
    assert mask.ndim == 2
    drawn = np.asarray(mini.picture("/010_HC_Annotation"))[..., 0] > 0
    assert (mask[drawn] == 1).all() and (mask > 0).sum() > drawn.sum()


@pytest.mark.quirk(3, 4)
def test_sizes_differ_and_the_table_tells_the_pixel_size(mini: Miniature) -> None:
    assert {tuple(row["shape"][:2]) for row in mini.rows("train-")} == {(36, 48), (37, 46)}
    assert "pixel size(mm)" in mini.text("training_set_pixel_size_and_HC")
    (row,) = mini.rows("train-000_HC")
    assert row["spacing"] == pytest.approx([0.069135804] * 2)
    assert row["label"]["measures"][0]["unit"] == "mm"


def test_in_a_copy_without_folders_an_annotation_says_the_set_and_nothing_else_does(
    mini: Miniature, tmp_path: Path
) -> None:
    flat = {path.rsplit("/", 1)[-1]: data for path, data in mini.files.items() if path.startswith("training_set")}
    del flat["training_set.zip"], flat["010_2HC_Annotation.png"]
    made = copied("hc18", flat, tmp_path)
    assert {row["id"] for row in made.rows()} == {"hc18/train-000_HC", "hc18/train-010_HC"}
    assert {row["split"] for row in made.rows()} == {"train"}
    assert set(made.skipped) == {"010_2HC.png"} and "of which set it is" in made.skipped["010_2HC.png"]
