from __future__ import annotations

import gzip
import io
from typing import Any

import numpy as np
import PIL.Image
import pytest
from miniatures import Miniature, pixels


def config(mini: Miniature, name: str) -> list[dict[str, Any]]:
    return [row for row in mini.rows() if row["config"] == name]


@pytest.mark.quirk(1, 2)
def test_gzipped_photographs_in_tars_keep_their_size(mini: Miniature) -> None:
    assert mini.paths(r"^stare-images\.tar$")
    (path,) = mini.paths(r"im0255\.ppm\.gz$")
    assert PIL.Image.open(io.BytesIO(gzip.decompress(mini.files[path]))).size == (700, 605)
    (row,) = (row for row in config(mini, "first-observer") if "im0255" in row["id"])
    assert row["shape"][:2] == [605, 700] and pixels(row["label"]["mask"]).shape == (605, 700)
    vessels = [one for one in mini.builder.dataset.configs if one.name != "diagnoses"]
    assert [dict(one.splits) for one in vessels] == [{"train": 20}] * 2


@pytest.mark.quirk(3)
def test_vessels_begin_at_128(mini: Miniature) -> None:
    (path,) = mini.paths(r"im0001\.ah\.ppm\.gz$")
    stored = np.asarray(PIL.Image.open(io.BytesIO(gzip.decompress(mini.files[path]))).convert("L"))
    assert {*stored.ravel()} == {0, 120, 255}
    mask = pixels(config(mini, "first-observer")[0]["label"]["mask"])
    assert (mask == (stored == 255)).all()


@pytest.mark.quirk(4)
def test_each_observer_is_a_sub_collection(mini: Miniature) -> None:
    for observer, name in (("ah", "first-observer"), ("vk", "second-observer")):
        assert len(mini.paths(rf"\.{observer}\.ppm\.gz$")) == 2
        assert [row["meta"]["observer"] for row in config(mini, name)] == [observer] * 2
