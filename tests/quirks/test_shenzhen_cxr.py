from __future__ import annotations

import pytest
from miniatures import Miniature


@pytest.mark.quirk(1)
def test_the_zip_holds_png(mini: Miniature) -> None:
    assert not mini.paths(r"(?i)\.jpe?g$")
    assert mini.picture("CXR_png/CHNCXR_0001_0").format == "PNG"
    assert len(mini.rows()) == 3


@pytest.mark.quirk(2)
def test_lung_masks_have_a_suffix_and_not_every_radiograph_has_one(mini: Miniature) -> None:
    assert mini.paths("mask/CHNCXR_0327_1_mask.png") and not mini.paths("CHNCXR_0002_0_mask")
    assert "lung" in mini.row("0327_1")["label"]["assessed"]
    bare = mini.row("0002_0")["label"]
    assert bare["mask"] is None and bare["assessed"] == ["normal", "tuberculosis"]
    assert mini.row("0001_0")["label"]["legend"] == [{"value": 1, "names": ["lung"]}]
