from __future__ import annotations

import gzip

import nibabel
import numpy as np
import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1, 4)
def test_numbers_have_gaps_and_masks_lack_the_suffix_of_images(mini: Miniature) -> None:
    rows = mini.rows()
    assert [int(row["subject"][5:]) for row in rows] == [1, 78, 400, 558, 700, 1062]
    for row in rows[:5]:
        case = row["subject"]
        assert row["meta"]["source_path"].endswith(f"/{case}_0000.nii.gz")
        raw = gzip.decompress(mini.bytes(f"^Mask/{case}.nii.gz$"))
        mask = np.asarray(nibabel.Nifti1Image.from_bytes(raw).dataobj)
        assert np.array_equal(pixels(row["label"]["mask"]), mask)


@pytest.mark.quirk(2)
def test_the_spacing_that_twenty_cases_state_wrongly_is_withheld(mini: Miniature) -> None:
    raw = gzip.decompress(mini.bytes("Case_00078_0000"))
    assert nibabel.Nifti1Image.from_bytes(raw).header.get_zooms() == (1, 1, 1)
    row = mini.row("Case_00078")
    assert row["spacing"] is None and "not the true one" in row["meta"]["spacing"]
    assert mini.row("Case_00001")["spacing"] == pytest.approx([0.8, 0.8, 2.5])
    cases = mini.builder.module.UNSCALED
    assert len(set(cases)) == 20 and {273, 278, 280, 286, 462, 574, 578} < set(cases) and 279 not in cases


@pytest.mark.quirk(3)
def test_volumes_without_a_mask_are_unlabelled_rows(mini: Miniature) -> None:
    assert not mini.paths("Mask/Case_01062")
    row = mini.row("Case_01062")
    assert row["split"] == "test" and row["label"]["mask"] is None and row["label"]["assessed"] == []
