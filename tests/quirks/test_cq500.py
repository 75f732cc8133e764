from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import Miniature, copied, written

NOT_IN_FILES = {4: "how many slices all scans have together; the card counts scans (491) and says so in its notes"}


@pytest.mark.quirk(1, 2)
def test_folders_repeat_the_number_which_the_table_writes_differently(mini: Miniature) -> None:
    assert len(mini.paths(r"CQ500CT0 CQ500CT0/Unknown Study/CT Plain/")) == 3
    assert "CQ500-CT-0," in mini.text("reads.csv") and "CQ500CT0" not in mini.text("reads.csv")
    row = mini.row("CT Plain$")
    assert row["subject"] == "CQ500-CT-0"
    assert row["label"]["classes"] == ["intracranial hemorrhage", "subdural hemorrhage"]
    assert mini.row("CQ500-CT-14_")["label"]["classes"] == []


@pytest.mark.quirk(3)
def test_plain_series_are_rows_and_perfusion_and_contrast_are_not(mini: Miniature) -> None:
    assert {row["meta"]["series"] for row in mini.rows()} == {
        "CT Plain",
        "CT PLAIN THIN",
        "CT PRE CONTRAST THIN",
    }
    left = {path.rsplit("/", 2)[1] for path in mini.skipped}
    assert left == {"CT 4cc sec 150cc D3D on-2", "CT POST CONTRAST"}
    assert all("readers were shown the plain scan" in reason for reason in mini.skipped.values())
    assert not mini.unread


def test_two_readers_of_whom_one_saw_it_decide_nothing(mini: Miniature, tmp_path: Path) -> None:
    head, first, *lines = mini.text("reads.csv").splitlines()
    cells = dict(zip(head.split(","), first.split(","), strict=True))
    cells |= {"R1:ICH": "1", "R2:ICH": "0", "R3:ICH": "", "R1:SDH": "1", "R2:SDH": "1", "R3:SDH": ""}
    files = {**written("cq500"), "reads.csv": "\n".join([head, ",".join(cells.values()), *lines]).encode()}
    label = copied("cq500", files, tmp_path).row("CT Plain$")["label"]
    assert label["classes"] == ["subdural hemorrhage"] and label["uncertain"] == ["intracranial hemorrhage"]
