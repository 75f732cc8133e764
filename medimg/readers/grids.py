"""Where the voxels of a volume are, and whether two volumes have them in the same places."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medimg.errors import FormatError, GeometryError
from medimg.pixels import Array, Pixels, Volume

FRACTION = 0.15
"""Two grids are one where no voxel of the one is farther than this part of a voxel from its place in the other.

A part of a voxel, not of a coordinate: what is allowed must not grow with the distance from the origin. Below a
fifth, so that no shift passes; above what rounding does (positions with one decimal and pixels of 0.35 mm: 0.14).
"""
DIRECTION = 1e-3
"""Directions agree within this. Headers round them: across 512 voxels that alone is half a voxel, so the part of the
displacement that comes from directions this close does not count against `FRACTION`."""
SIZE = 5e-3
"""Sizes of voxels agree within this part of themselves, also in grids that are too small for it to show."""
_ROUNDED = 1e-5
"""What single precision adds to a direction."""


@dataclass(frozen=True, eq=False)
class VoxelGrid:
    """Where the voxels of a volume are.

    Attributes:
        shape: voxels along i, j, k.
        affine: 4x4 voxel-to-world matrix, RAS+ in mm.
        origins: (slices, 3): where the voxels (0, 0, k) are, RAS+ in mm, as each slice says it; None where only the
            affine is known.
        uneven: slices are missing or unevenly apart: what `origins` say, the affine cannot.
    """

    shape: tuple[int, ...]
    affine: Array
    origins: Array | None = None
    uneven: bool = False

    @classmethod
    def of(cls, volume: Volume) -> VoxelGrid:
        """The grid of a volume; axes beyond the third do not count."""
        return cls(spatial(volume.shape), volume.affine, volume.origins, volume.origins is not None)

    @property
    def places(self) -> Array:
        """(slices, 3): where the voxels (0, 0, k) are, RAS+ in mm."""
        return _even(self) if self.origins is None else self.origins

    @property
    def normal(self) -> Array:
        """(3,): the direction across the slices, RAS+, of length 1."""
        across = np.cross(self.affine[:3, 0], self.affine[:3, 1])
        unit: Array = across / np.linalg.norm(across)
        return unit

    def at(self, k: int) -> Array:
        """4x4 voxel-to-world matrix in which voxel (i, j, 0) is voxel (i, j, k) of the grid."""
        affine = self.affine.copy()
        affine[:3, 3] = self.places[k]
        return affine

    def empty(self, dtype: npt.DTypeLike, meta: Mapping[str, Any] | None = None) -> Volume:
        """Zeros on this grid."""
        return Volume.empty(self.shape, dtype, self.affine, meta=meta, origins=self.origins if self.uneven else None)

    def differs(self, other: VoxelGrid) -> str | None:
        """What differs, in words; None where both are one grid.

        The voxels of one grid may lie at most `FRACTION` of a voxel from those of the other, at no corner, and on no
        slice where slices have places of their own; directions may differ by `DIRECTION` and sizes by `SIZE`.
        """
        if self.shape != other.shape:
            return f"shapes differ: {list(self.shape)} and {list(other.shape)}"
        far = self._apart(other)
        if far > FRACTION:
            matrices = f"{self.affine.round(4).tolist()} and {other.affine.round(4).tolist()}"
            if np.allclose(self.affine, other.affine, rtol=0, atol=1e-4):
                return f"slices are missing in one, or unevenly apart: up to {far:.2f} voxels, affines {matrices}"
            return f"affines differ, by up to {far:.2f} voxels: {matrices}"
        sizes = [np.linalg.norm(one.affine[:3, :3], axis=0) for one in (self, other)]
        if np.abs(sizes[1] / sizes[0] - 1).max() > SIZE:
            return f"affines differ: voxels of {sizes[0].round(4).tolist()} and {sizes[1].round(4).tolist()} mm"
        return None

    def _apart(self, other: VoxelGrid) -> float:
        """How far voxels are from those of the other grid at most, in voxels, without what rounded directions do."""
        if not (self.uneven or other.uneven):
            return apart(self.shape, self.affine, other.affine)
        straight = straightened(self.affine, other.affine)
        planes = apart((*self.shape[:2], 1), self.affine, other.affine)
        theirs = VoxelGrid(self.shape, straight, other.origins).places
        return max(planes, _most(self.affine, theirs - self.places))


def straightened(affine: Array, other: Array) -> Array:
    """`other` with the directions of `affine`, where its own differ from them by `DIRECTION` at most; else `other`."""
    sizes, lengths = (np.linalg.norm(one[:3, :3], axis=0) for one in (affine, other))
    directions = affine[:3, :3] / sizes
    if np.abs(other[:3, :3] / lengths - directions).max() > DIRECTION + _ROUNDED:
        return other
    result = other.copy()
    result[:3, :3] = directions * lengths
    return result


def apart(shape: Sequence[int], affine: Array, other: Array) -> float:
    """How far voxels of a grid are apart under two affines at most: voxels along the axis where it is most.

    What directions do that agree within `DIRECTION` does not count.
    """
    ends = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * np.array(shape)
    edges = np.hstack([ends - 0.5, np.ones((8, 1))])
    return min(_most(affine, (edges @ (one - affine).T)[:, :3]) for one in (other, straightened(affine, other)))


def _most(affine: Array, shifts: Array) -> float:
    """The largest of some shifts (n, 3) in mm, in voxels along any axis."""
    return float(np.abs(np.linalg.solve(affine[:3, :3], shifts.T)).max())


def _even(grid: VoxelGrid) -> Array:
    """(slices, 3): where the affine has the voxels (0, 0, k)."""
    places: Array = grid.affine[:3, 3] + np.arange(grid.shape[2])[:, None] * grid.affine[:3, 2]
    return places


class VolumePixels(Pixels):
    """A promise of a volume."""

    @abstractmethod
    def read(self) -> Volume:
        """Decode. Raises FormatError, GeometryError or SourceError naming the file."""

    def grid(self) -> VoxelGrid:
        """Shape and affine; readers that can tell from the header alone do not decode the voxels."""
        return VoxelGrid.of(self.read())


def spatial(shape: Sequence[int]) -> tuple[int, ...]:
    """The first three axes, with 1 for those that are missing."""
    return (*shape, 1, 1, 1)[:3]


def name_of(pixels: Pixels) -> str:
    """Path of the file that names these pixels, for messages."""
    return next((file.path for file in pixels.files()), "?")


def grid_of(pixels: Pixels) -> VoxelGrid:
    """Shape and affine of any promise of a volume, from the header alone where the reader can."""
    return pixels.grid() if isinstance(pixels, VolumePixels) else VoxelGrid.of(volume_of(pixels))


def volume_of(pixels: Pixels) -> Volume:
    """Read a volume.

    Raises:
        FormatError: it is a picture or a video.
    """
    image = pixels.read()
    if not isinstance(image, Volume):
        kind = type(image).__name__.lower()
        raise FormatError(f"a volume is needed here, not a {kind}", file=name_of(pixels))
    return image


def same_grid(a: Volume, b: Volume) -> None:
    """Refuse two volumes whose voxels are not in the same places.

    The three spatial axes are compared; see `VoxelGrid.differs`.

    Raises:
        GeometryError: with both shapes or both affines.
    """
    difference = VoxelGrid.of(a).differs(VoxelGrid.of(b))
    if difference:
        raise GeometryError(f"the two volumes are on different grids: {difference}")
