from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from miniatures import Miniature, pixels, write

from medimg.files import Files
from medimg.report import LoadReport
from medimg.rows import iterate


@pytest.mark.quirk(1)
def test_the_archive_has_no_folder_and_three_files_for_each_eye(mini: Miniature) -> None:
    with zipfile.ZipFile(io.BytesIO(mini.bytes(r"CHASEDB1\.zip$"))) as archive:
        names = archive.namelist()
    assert len(names) == 9 and not any("/" in name for name in names)
    assert len(mini.rows("/first-observer/")) == len(mini.rows("/second-observer/")) == 3


@pytest.mark.quirk(2)
def test_one_bit_becomes_a_label_map(mini: Miniature) -> None:
    picture = mini.picture("Image_01L_1stHO")
    assert picture.mode == "1"
    mask = pixels(mini.row("01L-1stHO")["label"]["mask"])
    assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 1}
    assert np.array_equal(mask > 0, np.asarray(picture))


@pytest.mark.quirk(3)
def test_both_eyes_are_one_subject(mini: Miniature) -> None:
    rows = mini.rows("/first-observer/01")
    assert [(row["subject"], row["meta"]["eye"]) for row in rows] == [("01", "L"), ("01", "R")]


def test_a_map_of_one_observer_that_is_not_there_is_told(mini: Miniature, tmp_path: Path) -> None:
    whole = {path: data for path, data in mini.files.items() if path.startswith("Image_")}
    assert len(whole) == 9
    report = LoadReport("chase-db1")
    root = write({path: data for path, data in whole.items() if path != "Image_01L_2ndHO.png"}, tmp_path)
    with Files.open(root, dataset="chase-db1") as files:
        rows = list(iterate(mini.builder, files, report=report))
    assert len(rows) == 5
    (reason,) = report.incomplete
    assert reason == "the vessel map of the second observer is not in this copy"
    assert report.incomplete[reason].examples == ["Image_01L.jpg"]
