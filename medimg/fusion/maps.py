"""Stored label maps: read, told apart by what stands around them, and translated value by value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from PIL import Image

from medimg.errors import FormatError, LabelError
from medimg.fusion.choices import Encoding
from medimg.fusion.facts import Facts, Recoding, known_at
from medimg.fusion.marks import unplaced
from medimg.pixels import Array, Volume
from medimg.readers import grids, levels, raster, volumes
from medimg.schema import Dimension


def read_mask(row: Mapping[str, Any], facts: Facts, dimension: Dimension) -> tuple[Mask, Facts, Facts, Array | None]:
    """A row's mask and what the label says around it.

    Args:
        row: with the mask undecoded, as {"bytes", "path"}.
        facts: of its label.
        dimension: of the row.

    Returns:
        (the mask, the facts of most places, those near something that is marked where the mask has it not, indices
        of the places near; None where there are none).

    Raises:
        FormatError, LabelError: the mask cannot be read.
    """
    mask = Mask(row["label"]["mask"]["bytes"], dimension)

    def known(names: tuple[str, ...] | None, terms: tuple[str, ...]) -> tuple[int, ...]:
        return known_at(names, facts, terms)

    marked = unplaced(row["label"], dict(facts.legend), mask.grid, mask.integers, known, row.get("spacing"))
    most = replace(facts, unplaced=marked.everywhere)
    if marked.region is None:
        return mask, most, most, None
    places = np.flatnonzero(marked.region.reshape(-1, order=mask.order))
    return mask, most, replace(facts, unplaced=marked.everywhere | marked.near), places


class Mask:
    """A stored label map, decoded.

    Attributes:
        flat: (n,) stored values.
        scaling: (slope, intercept) of the stored values.
        grid: the same on the image's grid: (height, width), or (i, j, k).
        order: of the flat values: "C" or "F".
    """

    def __init__(self, data: bytes, dimension: Dimension) -> None:
        self._volume: Volume | None = None
        self.order: Literal["C", "F"] = "C" if dimension == "2d" else "F"
        if dimension == "2d":
            self.grid, self.scaling = _picture(data), (1.0, 0.0)
        else:
            self._volume = Volume(data)
            self.scaling = self._volume.scaling
            self.grid = self._volume.array
        self.flat = self.grid.reshape(-1, order=self.order)
        if self._volume is not None and all(n == 1 for n in self.grid.shape[3:]):
            self.grid = self.grid.reshape(grids.spatial(self.grid.shape), order="F")

    def integers(self, piece: Array) -> Array:
        """Values of stored ones."""
        return volumes.integers(piece, *self.scaling)

    def stored(self, maps: Array, encoding: Encoding) -> dict[str, Any]:
        """Maps, (1 or targets, n) uint8, as fields of the column `fused`: one picture or volume, or one per target."""
        channels = None if encoding == "index" else len(maps)
        place = "mask" if channels is None else "channels"
        if self._volume is not None:
            return {place: {"bytes": _nifti(self._volume, maps, channels), "path": "fused.nii"}}
        pictures = [{"bytes": _png(flat, self.grid.shape), "path": "fused.png"} for flat in maps]
        return {place: pictures[0] if channels is None else pictures}


def looked_up(values: Array, known: Mapping[int, Any], other: Any) -> tuple[Array, Array, list[int]]:
    """What mask values stand for.

    Args:
        values: (n,) integers, of any dtype.
        known: value -> a number, or as many numbers for each.
        other: the same for every value that is not in it; None where there must be none.

    Returns:
        (a table, (n,) where in it the values stand, the values that occur).

    Raises:
        LabelError: a value is not known.
    """
    if small := values.dtype == np.uint8:
        found, position = np.flatnonzero(np.bincount(values, minlength=256)), values
    else:
        found, position = np.unique(values, return_inverse=True)
    told = [known.get(int(value), other) for value in found]
    if None in told:
        strange = [int(value) for value in found if int(value) not in known][:10]
        raise LabelError(f"the mask holds the values {strange}, its legend only {sorted(known)}")
    table = np.array(told)
    if small:
        table = np.zeros((256, *table.shape[1:]), table.dtype)
        table[found] = told
    return table, position.reshape(-1), found.tolist()


def remap(flat: Array, scaling: tuple[float, float], codes: Recoding) -> tuple[Array, set[int]]:
    """Translate label values.

    Args:
        flat: (n,) stored values, of any dtype that holds integers.
        scaling: (slope, intercept) of the stored values.
        codes: value -> one code per map.

    Returns:
        (the maps, (codes, n) uint8, in the order of the codes; the source values that occur).

    Raises:
        LabelError: a value is not in the table.
    """
    maps = np.empty((len(codes.codes[0]), flat.size), np.uint8)
    occur: set[int] = set()
    start = 0
    for piece in levels.pieces(flat):
        table, position, found = looked_up(volumes.integers(piece, *scaling), codes.codes, codes.other)
        maps[:, start : start + piece.size] = table.astype(np.uint8).T.take(position, axis=1)
        start += piece.size
        occur.update(found)
    return maps, occur


def _picture(data: bytes) -> Array:
    """(height, width) values of a stored 2-D mask."""
    array = np.asarray(raster.open_stored(data))
    if array.ndim != 2:
        raise FormatError("a mask has one channel of integers")
    return array.astype(np.uint8) if array.dtype == np.bool_ else array


def _png(flat: Array, shape: tuple[int, ...]) -> bytes:
    return raster.saved(Image.frombytes("L", (shape[1], shape[0]), flat.tobytes()), "PNG", compress_level=1)


def _nifti(volume: Volume, maps: Array, channels: int | None) -> bytes:
    """The maps as one uint8 NIfTI on the volume's grid; with `channels` as the last of four axes."""
    header = volume.header.copy()
    shape = volume.shape
    if channels is not None:
        if any(n != 1 for n in shape[3:]):
            raise FormatError(f"a label map of shape {shape} has no room for channels")
        shape = (*grids.spatial(shape), channels)
    header.set_data_dtype(np.uint8)
    header.set_data_shape(shape)
    header.set_slope_inter(None, None)
    header["vox_offset"] = 352
    return b"".join((header.binaryblock, b"\0\0\0\0", maps.data))
