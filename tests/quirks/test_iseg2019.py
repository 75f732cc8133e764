from __future__ import annotations

import struct

import numpy as np
import pytest
from miniatures import Miniature, pixels


@pytest.mark.quirk(1)
def test_a_fourth_axis_of_one_goes_and_one_subject_is_wider(mini: Miniature) -> None:
    def sizes(case: int) -> tuple[int, ...]:
        return struct.unpack("<8h", mini.bytes(f"subject-{case}-T1.hdr")[40:56])[:5]

    assert sizes(11) == (4, 12, 14, 10, 1) and sizes(23) == (4, 14, 14, 10, 1)
    assert mini.row("subject-11")["shape"] == [12, 14, 10, 2]
    assert mini.row("subject-23")["shape"] == [14, 14, 10, 2]
    assert mini.row("subject-1$")["sequence"] == ["T1", "T2"]


@pytest.mark.quirk(2, 3)
def test_labels_are_the_source_s_own_and_cover_the_brain(mini: Miniature) -> None:
    stored = np.frombuffer(mini.bytes("subject-1-label.img"), np.uint8)
    assert set(stored) == {0, 10, 150, 250}
    row = mini.row("subject-1$")
    mask, first = pixels(row["label"]["mask"]), pixels(row["image"])[..., 0]
    assert set(np.unique(mask)) == {0, 10, 150, 250}
    assert {entry["value"]: entry["names"] for entry in row["label"]["legend"]} == {
        10: ["cerebrospinal fluid"],
        150: ["gray matter"],
        250: ["white matter"],
    }
    assert np.array_equal(first != 0, mask != 0) and (mask == 0).any()


@pytest.mark.quirk(4)
def test_folders_are_doubled_and_what_macos_left_is_not_seen(mini: Miniature) -> None:
    assert mini.paths("^iSeg-2019-Training/iSeg-2019-Training/subject-1-T1.hdr$")
    assert b"__MACOSX/" in mini.bytes("^iSeg-2019-Training.zip$")
    assert [row["id"] for row in mini.rows() if row["split"] == "train"] == [
        "iseg2019/subject-1",
        "iseg2019/subject-10",
    ]
    assert not mini.unread and not mini.skipped
