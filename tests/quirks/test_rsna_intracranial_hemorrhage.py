from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from miniatures import Miniature, copied, written

from medimg import privacy
from medimg.errors import MedimgError


def header(mini: Miniature, name: str) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(mini.files[mini.paths(rf"{name}\.dcm$")[0]]))


@pytest.mark.quirk(1)
def test_rows_that_come_twice_count_once(mini: Miniature) -> None:
    table = mini.text(r"^stage_2_train\.csv")
    assert table.count("ID_2669954a7_any,0\n") == 2
    label = mini.row("ID_2669954a7")["label"]
    assert label["classes"] == [] and len(label["source"]) == 6
    assert mini.row("ID_63eb1e259")["label"]["classes"] == ["subdural hemorrhage", "intracranial hemorrhage"]


@pytest.mark.quirk(2)
def test_the_truncated_file_is_left_out_with_its_reason(mini: Miniature) -> None:
    assert len(header(mini, "ID_6431af929").PixelData) < 2 * 500 * 16
    assert not mini.rows("ID_6431af929")
    assert mini.skipped["stage_2_train/ID_6431af929.dcm"].startswith("quarantined: the header promises")


@pytest.mark.quirk(3, 4)
def test_slices_tell_their_place_study_and_patient(mini: Miniature) -> None:
    first, second = (mini.row(name) for name in ("ID_63eb1e259", "ID_2669954a7"))
    assert first["subject"] == second["subject"] == "ID_0df0ab2"
    assert first["meta"]["StudyInstanceUID"] != second["meta"]["StudyInstanceUID"] != "2.25.81"
    assert [row["meta"]["ImagePositionPatient"][2] for row in (first, second)] == [0, 5]
    stated = header(mini, "ID_63eb1e259").SeriesInstanceUID
    assert first["meta"]["SeriesInstanceUID"] == privacy.other_uid(stated) != stated


@pytest.mark.parametrize(("old", "new", "column"), [("_any,0", "_any,2", "Label"), ("_any,0", "_every,0", "ID")])
def test_a_bad_cell_is_named_by_its_column(tmp_path: Path, old: str, new: str, column: str) -> None:
    files = written("rsna_intracranial_hemorrhage")
    (table,) = (path for path in files if path.endswith("stage_2_train.csv"))
    files[table] = files[table].replace(f"ID_2669954a7{old}".encode(), f"ID_2669954a7{new}".encode())
    with pytest.raises(MedimgError, match=rf"stage_2_train\.csv.*line \d+, column '{column}'"):
        copied("rsna_intracranial_hemorrhage", files, tmp_path)


def test_lines_that_contradict_each_other_cost_their_image(tmp_path: Path) -> None:
    files = written("rsna_intracranial_hemorrhage")
    (table,) = (path for path in files if path.endswith("stage_2_train.csv"))
    files[table] = files[table].replace(b"ID_2669954a7_any,0", b"ID_2669954a7_any,1", 1)
    made = copied("rsna_intracranial_hemorrhage", files, tmp_path)
    assert not made.rows("ID_2669954a7") and made.rows("ID_63eb1e259")
    assert "contradict each other" in made.skipped["stage_2_train/ID_2669954a7.dcm"]
