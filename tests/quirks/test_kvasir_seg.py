from __future__ import annotations

import json

import numpy as np
import pytest
from miniatures import Miniature, built, pixels

NAME = "cju0qkwl35piu0993l0dewei2"


@pytest.mark.quirk(1)
def test_masks_that_jpeg_blurred_in_three_channels_have_two_values(mini: Miniature) -> None:
    drawn = mini.picture(f"masks/{NAME}")
    assert drawn.format == "JPEG" and drawn.mode == "RGB" and len(np.unique(np.asarray(drawn))) > 2
    mask = pixels(mini.row(NAME)["label"]["mask"])
    assert np.array_equal(mask, np.asarray(drawn.convert("L")) >= 128)


@pytest.mark.quirk(2)
def test_the_table_of_boxes_is_misspelled(mini: Miniature) -> None:
    boxes = json.loads(mini.text("kavsir_bboxes.json"))
    assert boxes[NAME]["bbox"][0] == {"label": "polyp", "xmin": 8, "ymin": 5, "xmax": 30, "ymax": 40}
    assert mini.row(NAME)["label"]["boxes"] == [{"name": "colon polyp", "box": [8, 5, 30, 40]}]


@pytest.mark.quirk(3)
def test_what_is_shared_with_kvasir_is_declared_as_pixels_and_names_differ(mini: Miniature) -> None:
    other = built("kvasir_v2").rows()
    assert not {row["content"] for row in mini.rows()} & {row["content"] for row in other}
    assert not {row["id"].split("/")[1] for row in mini.rows()} & {row["id"].split("/")[1] for row in other}
    (overlap,) = (one for one in mini.builder.dataset.overlaps if one.dataset == "kvasir-v2")
    assert overlap.relation == "subset of" and "painted black" in overlap.evidence


@pytest.mark.quirk(4)
def test_sizes_differ_and_masks_follow(mini: Miniature) -> None:
    assert [row["shape"] for row in mini.rows()] == [[53, 62], [54, 58], [55, 54]]
    for row in mini.rows():
        assert list(pixels(row["label"]["mask"]).shape) == row["shape"]
