"""HDF5 files, item by item: an item is what one index of the first axis of a dataset holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from medimg.errors import BombError, FormatError, need
from medimg.pixels import Picture, Pixels
from medimg.readers.depth import storable
from medimg.readers.promises import Promised, damaged, reading

if TYPE_CHECKING:
    from medimg.files import File

MAX_VALUES = 256 << 20
"""Bytes of a dataset that may become Python lists, and of one item."""


@contextmanager
def _dataset(file: File, key: str) -> Iterator[Any]:
    """The dataset `key`, open. Links to other files are not followed."""
    need("hdf5", "HDF5", "h5py")
    import h5py

    with reading(file), file.open() as stream, damaged("no HDF5 file, or a damaged one"):
        with h5py.File(stream, "r") as book:
            if not isinstance(book.get(key, getlink=True), h5py.HardLink):
                raise FormatError(f"has no dataset {key!r}; there are {sorted(book)[:8]}")
            found = book[key]
            if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "buif" or found.external:
                raise FormatError(f"{key!r} is no dataset of numbers")
            _bounded(math.prod(found.chunks or (0,)) * found.dtype.itemsize)  # it is unpacked as a whole
            yield found


def length(file: File, key: str) -> int:
    """Number of items of a dataset.

    Raises:
        FormatError: no HDF5, or no dataset of numbers.
        MissingExtraError: h5py is not installed.
    """
    with _dataset(file, key) as found:
        return int(found.shape[0])


def values(file: File, key: str) -> list[Any]:
    """A small dataset (labels) as Python numbers, nested lists where it has several axes.

    Raises:
        FormatError, MissingExtraError: as `length`.
        BombError: more than `MAX_VALUES` bytes.
    """
    with _dataset(file, key) as found:
        _bounded(found.size * found.dtype.itemsize)
        told: list[Any] = np.asarray(found).tolist()
        return told


def items(file: File, key: str) -> Iterator[Pixels]:
    """All items of a dataset along its first axis as promises of pictures; axes are (height, width[, channels]).

    Raises:
        FormatError, MissingExtraError: as `length`, on the first step.
    """
    for index in range(length(file, key)):
        yield Promised((file,), _item, (file, key, index))


def _bounded(size: int) -> None:
    if size > MAX_VALUES:
        raise BombError(f"{size} bytes at once; {MAX_VALUES} are allowed")


def _item(file: File, key: str, index: int) -> Picture:
    with _dataset(file, key) as found:
        _bounded(found.size // max(1, found.shape[0]) * found.dtype.itemsize)
        return Picture(storable(np.asarray(found[index])))
