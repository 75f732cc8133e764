from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from miniatures import Miniature, pixels


def segments(mini: Miniature, study: str) -> dict[str, int]:
    (path,) = mini.paths(f"^manifest.*{study}.*1006.*Segmentations")
    found = pydicom.dcmread(io.BytesIO(mini.files[path])).SegmentSequence
    return {one.SegmentLabel: one.SegmentNumber for one in found}


def outlined(mini: Miniature, depth: int) -> list[dict[str, Any]]:
    return [row for row in mini.rows() if row["label"]["mask"] and row["shape"][2] == depth]


@pytest.mark.quirk(1, 3)
def test_segments_go_by_label_and_may_be_missing(mini: Miniature) -> None:
    first, second = (segments(mini, study) for study in ("06-20-1994", "07-02-1994"))
    assert first["Prostate"] != second["Prostate"] and "Lesion" in first and "Lesion" not in second
    rows = outlined(mini, 4)
    assert len(rows) == 2
    for row in rows:
        mask = pixels(row["label"]["mask"])
        # 8 is the prostate, 10 the prostate and its peripheral zone, 11 normal tissue there, 4 the lesion.
        has_lesion = "Lesion" in row["label"]["source"]["segments"]
        assert {8, 10, 11} <= {*np.unique(mask)}
        assert bool((mask & 4).any()) == has_lesion == ("prostate lesion" in row["label"]["assessed"])


@pytest.mark.quirk(2)
def test_each_series_has_the_segmentation_that_refers_to_it(mini: Miniature) -> None:
    assert len(mini.paths("^manifest.*06-20-1994.*Segmentations")) == 2
    rows = outlined(mini, 3)
    assert [row["label"]["assessed"] for row in rows] == [["prostate"]] * 2
    assert {*np.unique(pixels(rows[0]["label"]["mask"]))} == {0, 8}
    assert all(row["spacing"][2] == 3 for row in rows)
