from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import Miniature, copied, rebuilt

from medimg.errors import SourceError

NOT_IN_FILES = {
    1: "the server zips on request; no checksum is declared for the archive, and a note on the card says why"
}


@pytest.mark.quirk(2)
def test_each_view_has_its_own_phases(mini: Miniature) -> None:
    stated = [mini.text(f"database_nifti/patient0001/Info_{view}") for view in ("2CH", "4CH")]
    assert "ES: 4\n" in stated[0] and "ES: 3\n" in stated[1]
    for view, last in (("2CH", "4"), ("4CH", "3")):
        row = mini.row(f"/patient0001_{view}_ES")
        assert row["meta"]["ES"] == row["meta"]["NbFrame"] == last
        assert row["label"]["measures"] == [{"name": "ejection fraction", "value": 51.0, "unit": "%"}]


@pytest.mark.quirk(3)
def test_split_files_have_one_patient_a_line(mini: Miniature) -> None:
    assert mini.text("subgroup_validation") == "patient0002\n"
    splits = {row["subject"]: row["split"] for row in mini.rows("/patient0(?!450)")}
    assert splits == {"patient0001": "train", "patient0002": "validation", "patient0500": "test"}


@pytest.mark.quirk(4)
def test_sequences_are_outlined_in_the_nifti_release_alone(mini: Miniature) -> None:
    assert mini.row("/patient0001_2CH_half_sequence")["label"]["mask"]
    assert mini.row("/patient0450_2CH_ED")["label"]["mask"]
    older = mini.row("/patient0450_2CH_sequence")
    assert older["label"]["mask"] is None and older["split"] == "train"
    assert [measure["value"] for measure in older["label"]["measures"]] == [49.0, 94.6, 48.2]


@pytest.mark.quirk(4)
def test_patients_of_the_older_test_part_are_others_of_the_same_number(mini: Miniature) -> None:
    assert mini.paths("^testing/patient0001/") and mini.paths("patient0001_2CH_ED.nii.gz")
    rows = mini.rows("/testing-patient0001")
    assert len(rows) == 6 and {row["subject"] for row in rows} == {"testing-patient0001"}
    assert {row["split"] for row in rows} == {"test"} and not any(row["label"]["mask"] for row in rows)


def test_the_split_of_a_copy_without_the_lists_is_not_guessed(mini: Miniature, tmp_path: Path) -> None:
    inner = {path: data for path, data in mini.files.items() if path.startswith("CAMUS_public/database_nifti/")}
    with pytest.raises(SourceError, match="neither a folder nor a list of this copy says of which split"):
        copied("camus", inner, tmp_path)


def test_frames_and_sequences_are_apart(mini: Miniature) -> None:
    for row in mini.rows():
        sequence = row["meta"]["phase"].endswith("sequence")
        assert row["config"] == ("sequences" if sequence else "frames")
        assert row["meta"]["view"] in row["meta"]["source_path"]


def test_outlines_without_image_and_images_without_outlines_are_told(tmp_path: Path) -> None:
    def less(path: str) -> str | None:
        gone = (
            "training/patient0450/patient0450_2CH_ED.mhd",
            "training/patient0450/patient0450_4CH_ES_gt.mhd",
        )
        return None if path in gone else path

    made = rebuilt("camus", less, tmp_path)
    assert "image" in made.skipped["training/patient0450/patient0450_2CH_ED_gt.mhd"]
    assert "outlines" in made.skipped["training/patient0450/patient0450_4CH_ES.mhd"]
    assert {row["meta"]["source_path"][-6:-4] for row in made.rows("patient0450_[24]CH_E")} == {"ES", "ED"}
    assert len(made.rows("patient0450_[24]CH_E")) == 2


def test_a_missing_info_is_told_and_one_that_is_there_is_not(mini: Miniature, tmp_path: Path) -> None:
    reason = "its Info.cfg is not in this copy: measures, age and sex are not known"
    assert reason not in mini.told
    gone = "training/patient0450/Info_2CH.cfg"
    made = rebuilt("camus", lambda path: None if path == gone else path, tmp_path)
    assert made.told[reason] and all("/patient0450_2CH_" in path for path in made.told[reason])
