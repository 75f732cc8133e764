from __future__ import annotations

import gzip
import io
import zipfile

import nibabel
import numpy as np
import pytest
from miniatures import Miniature, pixels

TOP = "MICCAI_BraTS_2019_Data_Training"


@pytest.mark.quirk(1)
def test_value_three_is_not_used(mini: Miniature) -> None:
    raw = gzip.decompress(mini.bytes(r"BraTS19_CBICA_ASH_1_seg"))
    assert set(np.unique(nibabel.Nifti1Image.from_bytes(raw).dataobj)) == {0, 1, 2, 4}
    label = mini.row("BraTS19_CBICA_ASH_1")["label"]
    assert set(np.unique(pixels(label["mask"]))) == {0, 1, 2, 4}
    assert {entry["value"]: entry["names"][-1] for entry in label["legend"]} == {
        1: "necrotic and non-enhancing brain tumor core",
        2: "peritumoral edema",
        4: "enhancing brain tumor",
    }


@pytest.mark.quirk(2)
def test_mirrors_double_the_top_folder(mini: Miniature) -> None:
    with zipfile.ZipFile(io.BytesIO(mini.bytes(rf"{TOP}\.zip$"))) as archive:
        assert all(name.startswith(f"{TOP}/{TOP}/") for name in archive.namelist())
    rows = [row for row in mini.rows() if row["split"] == "train"]
    assert [row["label"]["classes"] for row in rows] == [["high-grade glioma"]] * 2 + [["low-grade glioma"]]


@pytest.mark.quirk(3)
def test_ids_of_any_grammar_are_whole(mini: Miniature) -> None:
    assert {row["subject"] for row in mini.rows()} == {
        "BraTS19_2013_10_1",
        "BraTS19_CBICA_ASH_1",
        "BraTS19_CBICA_AAM_1",
        "BraTS19_TCIA13_653_1",
    }
    assert mini.row("TCIA13_653_1")["meta"]["BraTS_2018_subject_ID"] == "BraTS18_TCIA13_653_1"
