from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from miniatures import Miniature, pixels

from medimg.fusion.facts import UNKNOWN, Facts, classify, recoding

NOT_IN_FILES = {4: "how a mask was drawn is written in no file; a note on the card says that Radboud's are noisy"}


@pytest.mark.quirk(1, 2)
def test_labels_lie_in_the_red_channel_with_other_values_for_each_provider(mini: Miniature) -> None:
    for name, provider, values in (("0018ae", "radboud", [1, 2, 3, 4, 5]), ("0005f7", "karolinska", [1, 2])):
        assert f"{name}" in mini.text("train.csv") and provider in mini.text("train.csv")
        with tifffile.TiffFile(io.BytesIO(mini.bytes(f"{name}.*_mask"))) as slide:
            stored = slide.series[0].levels[0].asarray()
        assert not stored[..., 1:].any() and [*np.unique(stored)] == [0, *values]
        found = mini.rows(name)
        assert {one["value"] for row in found for one in row["label"]["legend"]} == {0, *values}
        met = {int(value) for row in found for value in np.unique(pixels(row["label"]["mask"]))}
        assert max(met) == values[-1] and met <= {0, *values}
    names = {one["value"]: one["names"] for one in mini.rows("0005f7")[0]["label"]["legend"]}
    assert names == {0: [], 1: ["benign tissue"], 2: ["cancerous tissue"]}


@pytest.mark.quirk(3)
def test_a_slide_without_a_mask_keeps_its_grade(mini: Miniature) -> None:
    assert mini.paths("train_images/001d86") and not mini.paths("001d86.*_mask")
    label = mini.rows("001d86")[0]["label"]
    assert label["mask"] is None and label["classes"] == ["ISUP grade 0"]
    assert "stroma" not in label["assessed"]


@pytest.mark.quirk(5)
def test_slides_are_pyramids_and_rows_are_tiles(mini: Miniature) -> None:
    with tifffile.TiffFile(io.BytesIO(mini.bytes("train_images/0018ae"))) as slide:
        assert len(slide.series[0].levels) > 1 and slide.pages[0].is_tiled
    row = mini.rows("0018ae")[0]
    assert pixels(row["image"]).shape == (150, 256, 3) and row["meta"]["level"] == 1


def test_what_is_background_or_unknown_tissue_is_not_told_as_absent(mini: Miniature) -> None:
    """Value 0 stands for both: a model must not learn that there is no cancer. Stroma is no cancer."""
    facts = Facts.of(mini.rows("0018ae")[0]["label"])
    assert recoding(facts, ("Gleason pattern 4",), "index").codes == {
        **{0: (255,), 1: (0,), 2: (0,), 3: (0,), 4: (1,), 5: (0,)}
    }
    assert classify(facts, frozenset({"stroma"}), ("Gleason pattern 4",)) == (UNKNOWN,)
