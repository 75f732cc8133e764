"""Matrices of MATLAB files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from medimg.errors import BombError, FormatError
from medimg.files import File, Files
from medimg.readers import matlab

VALUES = np.arange(12, dtype=np.int32).reshape(3, 4)


def stored(root: Path, data: bytes) -> File:
    (root / "seed0000.mat").write_bytes(data)
    return Files.open(root).need(r"\.mat$")


def written(compress: bool = False, **arrays: object) -> bytes:
    stream = io.BytesIO()
    savemat(stream, arrays, do_compression=compress)
    return stream.getvalue()


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dtype", ["int32", "uint16", "float64"])
def test_a_matrix_is_a_label_map(tmp_path: Path, compress: bool, dtype: str) -> None:
    data = written(compress, inst_map=VALUES.astype(dtype), inst_type=np.zeros((2, 2)))
    picture = matlab.mask(stored(tmp_path, data), "inst_map").read()
    assert picture.array.dtype == np.uint8
    assert np.array_equal(picture.array, VALUES)


def test_what_is_no_matrix_is_named(tmp_path: Path) -> None:
    data = written(half=np.array([[0.5]]), cells=np.array([["a"]], dtype=object), solid=np.zeros((2, 2, 2)))
    for key in ("half", "cells", "solid", "absent"):
        with pytest.raises(FormatError) as caught:
            matlab.mask(stored(tmp_path, data), key).read()
        assert caught.value.file == "seed0000.mat"


@pytest.mark.parametrize(
    "data", [b"", b"<html></html>", b"MATLAB 7.3 MAT-file", written(inst_map=VALUES)[:150], b"\0" * 300]
)
def test_damaged_files_are_named(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(FormatError):
        matlab.mask(stored(tmp_path, data), "inst_map").read()


def test_promises_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matlab, "MAX_VALUES", 11)
    with pytest.raises(BombError):
        matlab.mask(stored(tmp_path, written(inst_map=VALUES)), "inst_map").read()
