from __future__ import annotations

import pytest
from miniatures import Miniature

NOT_IN_FILES = {
    1: "the totals of an early version of the paper (40,895 images, 14,982 studies) are in no file; a note on the card "
    "tells them from those of MURA-v1.1"
}


@pytest.mark.quirk(2)
def test_the_label_is_that_of_the_study(mini: Miniature) -> None:
    assert len(mini.paths(r"XR_SHOULDER/patient00001/study1_positive/image\d\.png$")) == 3
    assert mini.text(r"train_labeled_studies\.csv$").startswith(
        "MURA-v1.1/train/XR_ELBOW/patient00011/study1_negative/,0\n"
    )
    kinds = {row["id"]: row["label"]["classes"] for row in mini.rows("patient00011")}
    assert kinds == {
        "mura/elbow-patient00011-study1-image1": ["normal"],
        "mura/elbow-patient00011-study1-image2": ["normal"],
        "mura/hand-patient00011-study2-image1": ["musculoskeletal abnormality"],
    }
    assert {row["meta"]["study"] for row in mini.rows("shoulder")} == {"XR_SHOULDER/patient00001/study1"}
    assert mini.row("hand")["label"]["source"] == {
        "folder": "study2_positive",
        "train_labeled_studies.csv": "1",
    }
    assert any("that of the study" in note for note in mini.builder.dataset.notes)
