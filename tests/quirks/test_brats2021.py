from __future__ import annotations

import gzip

import nibabel
import numpy as np
import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_value_three_is_not_used(mini: Miniature) -> None:
    raw = gzip.decompress(mini.bytes(r"BraTS2021_00000_seg"))
    assert set(np.unique(nibabel.Nifti1Image.from_bytes(raw).dataobj)) == {0, 1, 2, 4}
    label = mini.row("BraTS2021_00000")["label"]
    assert set(np.unique(pixels(label["mask"]))) == {0, 1, 2, 4}
    names = {entry["value"]: entry["names"][-1] for entry in label["legend"]}
    assert names[4] == "enhancing brain tumor" and 3 not in names


def test_the_package_of_tcia_is_read_with_its_table(mini: Miniature) -> None:
    row = mini.row("BraTS2021_00017")
    assert "BraTS2021_TrainingSet/UCSF-PDGM/" in row["meta"]["source_path"] and row["split"] == "train"
    assert row["meta"]["Data Collection (as on TCIA+additional)"] == "UCSF-PDGM"
    (path,) = mini.paths(r"Set_dcm/.*\.dcm$")
    assert "task 2" in mini.skipped[path]
