"""Values of numbered regions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medimg.errors import FormatError, LabelError
from medimg.files import File, Files
from medimg.readers import superpixels


def stored(root: Path, array: np.ndarray) -> File:
    Image.fromarray(array).save(root / "a_superpixels.png")
    return Files.open(root).need(r"\.png$")


def test_regions_get_their_values(tmp_path: Path) -> None:
    file = stored(tmp_path, np.array([[[0, 0, 0], [2, 1, 0]], [[0, 0, 1], [1, 0, 0]]], dtype=np.uint8))
    values = [0] * 65537
    values[258], values[65536], values[1] = 3, 2, 1
    assert superpixels.mask(file, values).read().array.tolist() == [[0, 3], [2, 1]]
    with pytest.raises(LabelError, match="superpixel 65536"):
        superpixels.mask(file, values[:-1]).read()


def test_gray_pictures_number_nothing(tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        superpixels.mask(stored(tmp_path, np.zeros((2, 2), dtype=np.uint8)), [0]).read()
