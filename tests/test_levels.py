"""Values of label maps are counted and looked up exactly, whatever their dtype, range and order in memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from medimg.pixels import Array
from medimg.readers import levels

DTYPES = ("u1", "i1", "<u2", ">u2", "<i2", "<i4", ">i4", "<u4", "<i8", "<u8")


@st.composite
def maps(draw: st.DrawFn) -> Array:
    """Of few values, of a whole range, or of values far apart."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(arrays.array_shapes(max_dims=4, max_side=12))
    limits = np.iinfo(dtype)
    low, high = draw(st.sampled_from([(0, 3), (0, limits.max), (limits.min, limits.max), (-3, 12)]))
    values = st.integers(max(low, int(limits.min)), min(high, int(limits.max)))
    array = draw(arrays.arrays(dtype, shape, elements=values))
    return draw(st.sampled_from([np.ascontiguousarray, np.asfortranarray]))(array)


@given(maps())
def test_counts_and_lookups_are_exact(array: Array) -> None:
    values, counts = np.unique(array, return_counts=True)
    assert levels.counted(array) == dict(zip(values.tolist(), counts.tolist(), strict=True))
    table = {value: number % 256 for number, value in enumerate(values.tolist())}
    for dtype in (np.uint8, np.int64):
        expected = np.vectorize(table.__getitem__, otypes=[dtype])(array)
        found = levels.looked_up(array, table, dtype)
        assert found.dtype == dtype and np.array_equal(found, expected)
        assert found.flags.f_contiguous == array.flags.f_contiguous or found.flags.c_contiguous


@pytest.mark.parametrize("order", ["C", "F"])
def test_pieces_give_every_value_once_in_the_order_of_memory(order: str) -> None:
    array = np.arange(3 * levels.PIECE // 2, dtype=np.int32).reshape(3, -1, order=order)  # type: ignore[call-overload]
    found = list(levels.pieces(array))
    assert [len(piece) for piece in found] == [levels.PIECE, levels.PIECE // 2]
    assert np.array_equal(np.concatenate(found), np.arange(array.size))


def test_an_array_that_is_larger_than_a_piece_is_counted_whole() -> None:
    array = np.zeros((3, levels.PIECE // 2), np.uint8)
    array[2] = 200
    array[1, ::2] = 7
    assert levels.counted(array) == {0: levels.PIECE * 3 // 4, 7: levels.PIECE // 4, 200: levels.PIECE // 2}
