"""The values of label maps: counted and looked up, a few MB at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from medimg.pixels import Array

PIECE = 1 << 20
"""Pixels or voxels handled at a time."""
_FEW = 16


def pieces(array: Array) -> Iterator[Array]:
    """The values in the order in which they lie in memory, `PIECE` at a time, as 1-D views."""
    flat = array.reshape(-1, order="F" if array.flags.f_contiguous else "C")
    for start in range(0, flat.size, PIECE):
        yield flat[start : start + PIECE]


def counted(array: Array) -> dict[int, int]:
    """Value -> how many pixels or voxels of an integer array have it, ascending by value."""
    counts: Counter[int] = Counter()
    for piece in pieces(array):
        counts.update(_of_piece(piece))
    return dict(sorted(counts.items()))


def _of_piece(piece: Array) -> dict[int, int]:
    low, high = int(piece.min()), int(piece.max())
    # Comparing is so much faster than sorting values into bins that a few values are tried first.
    tried = range(low, high + 1) if high - low < _FEW else (low, high)
    counts = {value: int(np.count_nonzero(piece == value)) for value in tried}
    if sum(counts.values()) == piece.size:
        return {value: count for value, count in counts.items() if count}
    if high - low < 1 << 16:
        bins = np.bincount(piece.astype(np.intp) - low)
        return {value + low: int(bins[value]) for value in np.flatnonzero(bins).tolist()}
    values, numbers = np.unique(piece, return_counts=True)
    return dict(zip(values.tolist(), numbers.tolist(), strict=True))


def looked_up(array: Array, table: Mapping[int, int], dtype: npt.DTypeLike) -> Array:
    """The array with each value replaced by the table's, in the same order in memory.

    Args:
        array: integers.
        table: value -> new value, total.
        dtype: of the result; holds all new values.
    """
    out = np.empty(array.shape, dtype, order="F" if array.flags.f_contiguous else "C")
    if out.dtype == np.uint8 and sorted(table.values()) == [0, 1]:
        one = next(key for key, value in table.items() if value)
        return np.equal(array, one, out=out.view(np.bool_)).view(np.uint8)
    low, high = min(table), max(table)
    keys = np.array(sorted(table), array.dtype)
    values = np.array([table[key] for key in sorted(table)], dtype)
    dense = np.zeros(high - low + 1, dtype) if high - low < 1 << 16 else None
    if dense is not None:
        dense[keys.astype(np.intp) - low] = values
    for source, target in zip(pieces(array), pieces(out), strict=True):
        if dense is None:
            target[...] = values[np.searchsorted(keys, source)]
        elif array.dtype == np.uint8 and out.dtype == np.uint8:
            bytewise = bytes(low) + dense.tobytes()
            target[...] = np.frombuffer(source.tobytes().translate(bytewise.ljust(256, b"\0")), np.uint8)
        else:
            target[...] = dense[source.astype(np.intp) - low]
    return out
