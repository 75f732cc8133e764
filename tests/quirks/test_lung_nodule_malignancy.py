from __future__ import annotations

import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from miniatures import Miniature, copied, pixels

from medimg.errors import MedimgError


def book(slices: np.ndarray, classes: object) -> bytes:
    """all_patches.hdf5 with these contents."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["ct_slices"] = slices
        file["slice_class"] = classes
    return stream.getvalue()


def test_patch_and_class_stand_at_one_index(mini: Miniature) -> None:
    with h5py.File(io.BytesIO(mini.bytes(r"all_patches\.hdf5$"))) as file:
        slices, classes = file["ct_slices"][:], file["slice_class"][:]
    assert classes.shape == (4, 1) and slices.shape == (4, 64, 64)
    names = {0: "benign lung nodule", 1: "malignant lung nodule"}
    for number, row in enumerate(mini.rows()):
        assert row["id"] == f"lung-nodule-malignancy/{number:04d}" and row["meta"]["index"] == number
        assert (pixels(row["image"]) == slices[number]).all() and row["shape"] == [64, 64]
        assert row["label"]["classes"] == [names[int(classes[number, 0])]]
        assert set(row["label"]["assessed"]) == set(names.values())
    assert len({row["content"] for row in mini.rows()}) == 4


def test_hounsfield_units_below_zero_are_kept(tmp_path: Path) -> None:
    slices = np.full((1, 64, 64), -1000, np.int16)
    slices[0, 3, 5] = 400
    (row,) = copied("lung_nodule_malignancy", {"all_patches.hdf5": book(slices, [[1]])}, tmp_path).rows()
    found = pixels(row["image"]).astype(int)
    assert found[3, 5] - found[0, 0] == 1400


@pytest.mark.parametrize("classes", [[0, 1], [[0], [1]], [[0.0], [1.0]], [[0.1], [0.9]], [[0.5], [0.51]]], ids=str)
def test_classes_come_flat_or_in_a_column_and_above_a_half_is_malignant(tmp_path: Path, classes: object) -> None:
    slices = np.arange(2 * 64 * 64, dtype=np.int16).reshape(2, 64, 64)
    made = copied("lung_nodule_malignancy", {"all_patches.hdf5": book(slices, classes)}, tmp_path)
    found = [row["label"]["classes"] for row in made.rows()]
    assert found == [["benign lung nodule"], ["malignant lung nodule"]]


@pytest.mark.parametrize("count", [1, 3])
def test_as_many_classes_as_patches(tmp_path: Path, count: int) -> None:
    slices = np.zeros((2, 64, 64), np.int16)
    with pytest.raises(MedimgError) as caught:
        copied("lung_nodule_malignancy", {"all_patches.hdf5": book(slices, [[1]] * count)}, tmp_path)
    for word in ("lung-nodule-malignancy", "all_patches.hdf5", "Next:"):
        assert word in str(caught.value)


def test_the_same_patches_as_tif_are_not_counted_twice(mini: Miniature) -> None:
    (path,) = mini.paths(r"\.tif$")
    assert "all_patches.hdf5" in mini.skipped[path]
    assert all(row["meta"]["source_path"].endswith(".hdf5") for row in mini.rows())


def test_no_patient_is_known(mini: Miniature) -> None:
    assert {row["subject"] for row in mini.rows()} == {None} and {row["split"] for row in mini.rows()} == {"train"}
    assert any("leakage" in note for note in mini.builder.dataset.notes)
