from __future__ import annotations

from pathlib import Path

import nibabel
import pytest
from miniatures import Miniature, rebuilt

NOT_IN_FILES = {
    3: "which volumes are those of 3D-IRCADb-01 is in no file, and sources disagree; a note on the card says "
    "27-48 to be safe"
}


@pytest.mark.quirk(1)
def test_a_lost_affine_leaves_the_spacing_unknown(mini: Miniature) -> None:
    header = nibabel.Nifti1Image.from_bytes(mini.bytes(r"/volume-28\.nii$")).header
    assert header.get_zooms() == (1, 1, 1)
    assert mini.row("lits/28$")["spacing"] is None
    assert mini.row("lits/0$")["spacing"] == pytest.approx([0.7, 0.7, 5])


@pytest.mark.quirk(2)
def test_orientation_differs_and_is_kept(mini: Miniature) -> None:
    found = {}
    for row in mini.rows():
        image = nibabel.Nifti1Image.from_bytes(bytes(row["image"]["bytes"]))
        found[row["id"]] = "".join(nibabel.aff2axcodes(image.affine))
        if row["label"]["mask"] is not None:
            mask = nibabel.Nifti1Image.from_bytes(bytes(row["label"]["mask"]["bytes"]))
            assert (mask.affine == image.affine).all()
    assert found == {"lits/0": "RAS", "lits/1": "LPS", "lits/28": "RAS", "lits/test-0": "RAS"}
    assert any("reorient" in note for note in mini.builder.dataset.notes)


def test_a_volume_or_a_segmentation_alone_is_left_out(tmp_path: Path) -> None:
    def less(path: str) -> str | None:
        return None if path.endswith(("segmentation-0.nii", "/volume-1.nii")) else path

    made = rebuilt("lits", less, tmp_path)
    assert {row["id"] for row in made.rows()} == {"lits/28", "lits/test-0"}
    assert {path.rsplit("/", 1)[-1]: reason.split()[-6] for path, reason in made.skipped.items()} == {
        "volume-0.nii": "segmentation",
        "segmentation-1.nii": "volume",
    }
