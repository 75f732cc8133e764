from __future__ import annotations

import numpy as np
import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_two_mask_files_are_one_map_and_a_third_folder_is_left_out(mini: Miniature) -> None:
    name = "MCUCXR_0001_0.png"
    left, right = (np.asarray(mini.picture(f"{side}Mask/{name}")) for side in ("left", "right"))
    mask = pixels(mini.row("MCUCXR_0001_0")["label"]["mask"])
    assert left.any() and right.any()
    assert ((mask == 1) == left).all() and ((mask == 2) == right).all()
    assert mini.skipped == {f"ManualMask/gt/{name}": "no file of the original"}


@pytest.mark.quirk(2)
def test_radiographs_are_png(mini: Miniature) -> None:
    assert not mini.paths(r"\.dcm$") and len(mini.paths(r"CXR_png/.*\.png$")) == len(mini.rows()) == 4
    assert mini.row("MCUCXR_0001_0")["image"]["path"] == "MCUCXR_0001_0.png"
