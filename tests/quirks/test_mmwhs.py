from __future__ import annotations

import gzip

import nibabel
import numpy as np
import pytest
from miniatures import Miniature, pixels


def values(mini: Miniature, name: str) -> set[int]:
    data = gzip.decompress(mini.bytes(rf"^{name}_label\.nii\.gz$"))
    return set(np.unique(np.asanyarray(nibabel.Nifti1Image.from_bytes(data).dataobj)).tolist())


@pytest.mark.quirk(1)
def test_421_is_the_left_atrium(mini: Miniature) -> None:
    assert 421 in values(mini, "ct_train/ct_train_1010") and 420 not in values(mini, "ct_train/ct_train_1010")
    label = mini.row("ct_train_1010")["label"]
    assert set(np.unique(pixels(label["mask"]))) == {0, 420, 500, 600}
    assert {"value": 420, "names": ["left atrium cavity"]} in label["legend"]


@pytest.mark.quirk(2)
def test_values_up_to_850_survive(mini: Miniature) -> None:
    assert max(values(mini, "mr_train/mr_train_1001")) == 850
    mask = pixels(mini.row("mr_train_1001")["label"]["mask"])
    assert set(np.unique(mask)) == {0, 205, 420, 500, 550, 600, 820, 850}


@pytest.mark.quirk(3)
def test_ct_and_mr_of_one_number_are_two_patients(mini: Miniature) -> None:
    rows = mini.rows("train_1001")
    assert [(row["subject"], row["modality"]) for row in rows] == [
        ("ct_train_1001", "CT"),
        ("mr_train_1001", "cardiac MRI"),
    ]
