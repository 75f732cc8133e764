from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from miniatures import Miniature, copied, pixels


@pytest.mark.quirk(1)
def test_two_mask_files_are_one_map_and_a_third_folder_is_left_out(mini: Miniature) -> None:
    name = "MCUCXR_0001_0.png"
    left, right = (np.asarray(mini.picture(f"{side}Mask/{name}")) for side in ("left", "right"))
    mask = pixels(mini.row("MCUCXR_0001_0")["label"]["mask"])
    assert left.any() and right.any()
    assert ((mask == 1) == left).all() and ((mask == 2) == right).all()
    assert mini.skipped == {f"ManualMask/gt/{name}": "no file of the original"}


@pytest.mark.quirk(2)
def test_radiographs_are_png(mini: Miniature) -> None:
    assert not mini.paths(r"\.dcm$") and len(mini.paths(r"CXR_png/.*\.png$")) == len(mini.rows()) == 4
    assert mini.row("MCUCXR_0001_0")["image"]["path"] == "MCUCXR_0001_0.png"


def test_a_reading_gives_sex_age_and_report(mini: Miniature, tmp_path: Path) -> None:
    row = mini.row("MCUCXR_0117_1")
    assert [text["answer"] for text in row["label"]["texts"]] == ["stable (same pt as MCUCXR_0113_1)"]
    assert (row["meta"]["Patient's Sex"], row["meta"]["Patient's Age"]) == ("M", "085Y")
    assert not mini.told
    files = {path: data for path, data in mini.files.items() if not path.endswith((".zip", "0117_1.txt"))}
    made = copied("montgomery_cxr", files, tmp_path)
    assert made.row("MCUCXR_0117_1")["label"]["texts"] == []
    assert list(made.told.values()) == [["CXR_png/MCUCXR_0117_1.png"]]


def test_who_was_imaged_twice_is_one_patient(mini: Miniature, tmp_path: Path) -> None:
    """The readings of 0117 and 0166 name the earlier radiograph, that of 0170 fits it."""
    again = {"0001_0": "0162_1", "0080_0": "0166_1", "0113_1": "0170_1"}

    def other(path: str) -> str:
        for old, new in again.items():
            path = path.replace(old, new)
        return path

    files = {other(path): data for path, data in mini.files.items() if not path.endswith(".zip")}
    made = copied("montgomery_cxr", files, tmp_path)
    assert mini.row("_0117_")["subject"] == mini.row("_0113_")["subject"] == "MCUCXR_0113"
    assert {row["subject"] for row in made.rows("_01(62|66|70)_")} == {"MCUCXR_0162"}
