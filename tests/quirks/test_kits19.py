from __future__ import annotations

from pathlib import Path

import nibabel
import pytest
from miniatures import Miniature, copied, rebuilt, written

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


def test_the_first_210_cases_are_the_training_set(mini: Miniature, tmp_path: Path) -> None:
    one = mini.bytes(r"^case_00000/imaging"), mini.bytes(r"^case_00000/segmentation")
    files = {}
    for case in (209, 210):
        for name, data in zip(("imaging", "segmentation"), one, strict=True):
            files[f"data/case_{case:05d}/{name}.nii.gz"] = data
    rows = {row["id"]: row for row in copied("kits19", files, tmp_path).rows()}
    assert rows["kits19/case_00209"]["split"] == "train" and rows["kits19/case_00209"]["label"]["mask"]
    test = rows["kits19/case_00210"]
    assert test["split"] == "test" and test["label"]["mask"] is None and test["label"]["assessed"] == []


def test_clinical_data_go_with_their_case(mini: Miniature) -> None:
    for row in mini.rows():
        known = row["split"] == "train"
        assert row["meta"].get("gender") == ("male" if known else None)
        assert "case_id" not in row["meta"]
    assert not [reason for reason in mini.told if "kits.json" in reason]


def test_a_training_case_without_clinical_data_is_told(tmp_path: Path) -> None:
    files = written("kits19")
    files["data/kits.json"] = files["data/kits.json"].replace(b"case_00160", b"case_00161")
    made = copied("kits19", files, tmp_path / "other")
    assert [(paths, "clinical" in reason) for reason, paths in made.told.items()] == [
        (["case_00160/imaging.nii.gz"], True)
    ]
    del files["data/kits.json"]
    made = copied("kits19", files, tmp_path / "none")
    assert len(made.rows()) == 3 and ["kits" in reason for reason in made.told] == [True]


def test_a_training_volume_without_its_segmentation_is_told_and_the_rest_stays(tmp_path: Path) -> None:
    made = rebuilt("kits19", lambda path: None if "00000/segmentation" in path else path, tmp_path)
    assert {row["id"] for row in made.rows()} == {"kits19/case_00160", "kits19/case_00210"}
    assert "segmentation" in made.skipped["case_00000/imaging.nii.gz"]
