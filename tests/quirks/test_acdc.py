from __future__ import annotations

import gzip

import nibabel
import numpy as np
import pytest
from miniatures import Miniature


@pytest.mark.quirk(1)
def test_spacing_is_that_of_pixdim_where_the_sform_lies(mini: Miniature) -> None:
    raw = gzip.decompress(mini.bytes(r"patient001_frame01\.nii"))
    header = nibabel.Nifti1Image.from_bytes(raw).header
    assert np.abs(np.diag(header.get_sform())[:3]).tolist() == [1, 1, 1]
    assert header.get_zooms() == pytest.approx((1.3, 1.3, 10))
    for row in mini.rows():
        assert row["spacing"] == pytest.approx([1.3, 1.3, 10])


@pytest.mark.quirk(2)
def test_info_cfg_names_the_phases_not_the_order(mini: Miniature) -> None:
    assert "ED: 11\nES: 4\n" in mini.text("patient090/Info.cfg")
    phases = {
        row["id"].rpartition("/")[2]: row["meta"]["phase"] for row in mini.rows("/frames/") if row["split"] == "train"
    }
    assert phases == {
        "patient001_frame01": "ED",
        "patient001_frame12": "ES",
        "patient090_frame04": "ES",
        "patient090_frame11": "ED",
    }
