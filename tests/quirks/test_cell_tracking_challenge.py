from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from miniatures import Miniature, pixels

NOT_IN_FILES = {4: "how the server answers and how large a set is; the card's notes give 320 GB for Fluo-N3DL-TRIF"}


@pytest.mark.quirk(1)
def test_training_and_test_archives_of_one_name_stay_apart(mini: Miniature) -> None:
    for part in ("training", "test"):
        with zipfile.ZipFile(io.BytesIO(mini.bytes(f"^{part}/PhC-C2DH-U373.zip$"))) as archive:
            assert "PhC-C2DH-U373/01/t000.tif" in archive.namelist()
    rows = mini.rows("challenge/PhC-C2DH-U373/")
    assert {(row["split"], row["subject"]) for row in rows} == {
        ("train", "PhC-C2DH-U373/train/01"),
        ("test", "PhC-C2DH-U373/test/01"),
    }


@pytest.mark.quirk(2)
def test_a_slice_that_was_outlined_is_no_volume(mini: Miniature) -> None:
    assert mini.paths("^training/Fluo-N3DH-CE/01_GT/SEG/man_seg_002_001.tif$")
    whole, part = mini.row("/Fluo-N3DH-CE/train-01-t001"), mini.row("/slices/Fluo-N3DH-CE-train-01-t002-z1")
    assert pixels(whole["label"]["mask"]).shape == (24, 20, 3)
    assert set(np.unique(pixels(part["label"]["mask"]))) == {0, 1, 3}
    volume = pixels(mini.row("/Fluo-N3DH-CE/train-01-t002")["image"])
    assert np.array_equal(pixels(part["image"]), volume[:, :, 1].T)


@pytest.mark.quirk(3)
def test_times_have_any_number_of_digits(mini: Miniature) -> None:
    assert mini.paths("^training/BF-C2DL-HSC/01/t0001.tif$")
    assert mini.row("/BF-C2DL-HSC/train-01-t0001")["meta"]["time"] == 1
    assert mini.row("/Fluo-N2DH-SIM.*/train-01-t001")["meta"]["time"] == 1


@pytest.mark.quirk(5)
def test_a_frame_that_was_not_outlined_is_unknown_not_empty(mini: Miniature) -> None:
    assert not mini.paths("^training/BF-C2DL-HSC/01_(GT|ST)/SEG/man_seg0001")
    label = mini.row("/BF-C2DL-HSC/train-01-t0001")["label"]
    assert label["mask"] is None and label["assessed"] == []
    assert mini.row("/BF-C2DL-HSC/train-01-t0000")["label"]["assessed"] == ["cell"]
    assert mini.row("/Fluo-N3DH-CE/train-01-t002")["meta"]["truth"] == "silver"
