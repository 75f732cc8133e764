from __future__ import annotations

import nibabel
import pytest
from miniatures import Miniature

REFUTED = {
    3: "neheller/kits19:changelog.md@456b293: slices of a second phase were cut from 22, 61 and 117 in April 2019, "
    "case 15 was replaced, and labels of 15, 23, 37 and 125 were corrected in December; the card's notes tell of "
    "older copies"
}
NOT_IN_FILES = {
    4: "of the DICOM edition on The Cancer Imaging Archive, which is another source; a note on the card names it"
}


@pytest.mark.quirk(1)
def test_slices_come_first_and_the_affine_says_so(mini: Miniature) -> None:
    row = mini.row("case_00000")
    assert row["shape"] == [6, 12, 10] and row["spacing"] == pytest.approx([3, 0.92, 0.92])
    image = nibabel.Nifti1Image.from_bytes(bytes(row["image"]["bytes"]))
    assert image.affine[2, 0] == -3 and image.affine[0, 0] == 0
    assert nibabel.aff2axcodes(image.affine) == ("I", "P", "L")


@pytest.mark.quirk(2)
def test_one_case_is_wider(mini: Miniature) -> None:
    assert mini.row("case_00160")["shape"] == [6, 12, 16]
    assert mini.row("case_00160")["label"]["mask"] is not None
