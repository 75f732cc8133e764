from __future__ import annotations

import numpy as np
import pytest
from miniatures import Miniature, pixels

FIRST = "105756658031515062000744821260"


@pytest.mark.quirk(1)
def test_the_patient_of_two_subsets_is_one_subject(mini: Miniature) -> None:
    found = [(row["subject"], row["meta"]["subset"]) for row in mini.rows() if row["subject"]]
    assert found == [("LIDC-IDRI-0332", 2), ("LIDC-IDRI-0332", 6)]
    assert mini.row(FIRST)["subject"] is None


@pytest.mark.quirk(2)
def test_lung_masks_begin_at_3_and_take_no_side(mini: Miniature) -> None:
    label = mini.row(FIRST)["label"]
    assert set(np.unique(pixels(label["mask"]))) == {0, 3, 4, 5}
    assert {one["value"]: one["names"] for one in label["legend"]} == {
        3: ["lung"],
        4: ["lung"],
        5: ["trachea"],
    }


@pytest.mark.quirk(3)
def test_lung_masks_are_compressed(mini: Miniature) -> None:
    assert "CompressedData = True" in mini.text(rf"seg-lungs-LUNA16/.*{FIRST}\.mhd$")
    assert len(mini.bytes(rf"{FIRST}\.zraw$")) < 16 * 14 * 8
    assert (pixels(mini.row(FIRST)["label"]["mask"]) > 0).sum() > 100


@pytest.mark.quirk(4)
def test_subsets_of_both_records_are_read(mini: Miniature) -> None:
    pages = {source.url for source in mini.builder.dataset.sources}
    assert {"https://zenodo.org/record/3723295", "https://zenodo.org/record/4121926"} <= pages
    assert {row["meta"]["subset"] for row in mini.rows()} == {0, 2, 6, 7}
