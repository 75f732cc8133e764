from __future__ import annotations

import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_masks_pair_by_stem_though_suffixes_differ(mini: Miniature) -> None:
    assert mini.paths(r"^imagesTr/") == ["imagesTr/cap_001.nii.gz", "imagesTr/covid_001.nii.gz"]
    assert mini.paths(r"^labelsTr/") == ["labelsTr/cap_001.nii", "labelsTr/covid_001.nii"]
    for case, shape in (("cap_001", (12, 14, 5)), ("covid_001", (14, 12, 6))):
        row = mini.row(case)
        mask = pixels(row["label"]["mask"])
        assert mask.shape == pixels(row["image"]).shape == shape
        assert set(mask.flat) == {0, 1}
    assert not mini.unread and not mini.skipped
