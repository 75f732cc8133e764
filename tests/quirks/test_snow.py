from __future__ import annotations

import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_mask_archives_may_have_any_name(mini: Miniature) -> None:
    assert mini.paths(r"^mask_5001_10k\.zip$") and mini.paths(r"^mask_0_5000\.zip$")
    assert pixels(mini.row("seed5001")["label"]["mask"]).max() == 3


@pytest.mark.quirk(2)
def test_both_packagings_are_read(mini: Miniature) -> None:
    assert mini.paths(r"SNOW_Dataset_20k/Mask/seed9999\.mat$") and mini.paths(r"json/seed0000\.json$")
    assert pixels(mini.row("seed9999")["label"]["mask"]).max() == 4
    assert len(mini.rows()) == 4
    assert "drawing" in mini.skipped[mini.paths(r"overlay/seed0000\.png$")[0]]
