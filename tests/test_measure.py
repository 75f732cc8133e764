"""Sizes and values of images, as cards tell them."""

from __future__ import annotations

from typing import Any

import numpy as np

from medimg.hub_sync.building.measure import SAMPLE, Measures, SampledValues
from medimg.pixels import Clip, Picture, Volume


def row(image: Any, spacing: Any = None) -> tuple[dict[str, Any], SampledValues]:
    return {"shape": list(image.shape), "spacing": spacing}, SampledValues.of(image)


def test_sizes_and_spacings_have_their_ends_and_their_middle() -> None:
    measures = Measures()
    for height, step in ((10, 0.5), (30, None), (20, 0.25)):
        image = Picture(np.full((height, 8), height, np.uint8))
        measures.add(*row(image, None if step is None else [step, step]))
    found = measures.result()
    assert found is not None
    assert [(each.smallest, each.median, each.largest) for each in found.size] == [(10, 20, 30), (8, 8, 8)]
    assert [(each.smallest, each.median, each.largest) for each in found.spacing] == [(0.25, 0.25, 0.5)] * 2
    assert (found.unsized, dict(found.types)) == (1, {"uint8": 3})
    assert (found.lowest, found.highest) == (10, 30)
    assert found.mean is not None and abs(found.mean - (100 + 900 + 400) / 60) < 0.01


def test_values_are_those_that_the_header_means_and_what_is_no_number_does_not_count() -> None:
    measures = Measures()
    stored = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    measures.add(*row(Volume.from_array(stored, np.eye(4), slope=2.0, inter=-1024.0)))
    values = np.array([[np.nan, 1.0], [np.inf, 3.0]], np.float32)
    measures.add(*row(Picture(values)))
    found = measures.result()
    assert found is not None
    assert (found.lowest, found.highest) == (-1024, 3) and dict(found.types) == {"float32": 1, "int16": 1}


def test_a_large_image_is_sampled_evenly() -> None:
    measures = Measures()
    image = Picture(np.tile(np.arange(1000, dtype=np.uint16), (1000, 1)))
    measures.add(*row(image))
    found = measures.result()
    assert found is not None and image.array.size > 10 * SAMPLE
    assert found.mean is not None and abs(found.mean - 499.5) < 5
    assert found.deviation is not None and abs(found.deviation - 288.7) < 5


def test_what_is_not_decoded_has_no_values() -> None:
    measures = Measures()
    assert measures.result() is None
    measures.add(*row(Picture(np.zeros((0, 4), np.uint8))))
    empty = measures.result()
    assert empty is not None and empty.lowest is None and dict(empty.types) == {"uint8": 1}
    clip = Clip(b"", ".avi", (7, 4, 5), 25.0, "digest")
    measures = Measures()
    measures.add(*row(clip))
    found = measures.result()
    assert found is not None and [each.median for each in found.size] == [7, 4, 5]
    assert found.lowest is None and found.mean is None and not found.types
