"""From millimeters in space to voxels of an image: for sources that state findings in world coordinates.

Only the image's header is read, and at once, since boxes and points of a row are numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from medimg.errors import FormatError, GeometryError
from medimg.files import File
from medimg.pixels import Array, Pixels
from medimg.readers import image as reader_of
from medimg.readers.grids import VolumePixels, VoxelGrid, grid_of, name_of

System = Literal["LPS", "RAS"]
_TO_RAS = {"LPS": np.array([-1.0, -1.0, 1.0]), "RAS": np.array([1.0, 1.0, 1.0])}

Point = tuple[float, ...]
Box = tuple[float, ...]


def to_voxel(image: File | Pixels, points: Iterable[Sequence[float]], *, system: System = "LPS") -> list[Point]:
    """Voxel indices (i, j, k; fractions count from the center of voxel 0) of points in space.

    Args:
        image: the volume whose voxels are meant, of any format.
        points: (x, y, z) in mm.
        system: the axes of `points`: "LPS" as in DICOM, ITK and MetaImage, "RAS" as in NIfTI.

    Raises:
        FormatError: the image is no volume or cannot be read.
        GeometryError: a point is not finite, or the header states no usable geometry.
    """
    grid = _grid(image)
    inverse = np.linalg.inv(grid.affine)
    return [tuple((inverse @ (*_ras(point, system, image), 1.0))[:3].tolist()) for point in points]


def cubes(
    image: File | Pixels, spheres: Iterable[tuple[Sequence[float], float]], *, system: System = "LPS"
) -> list[Box]:
    """The smallest boxes of whole voxels around spheres in space, half-open, cut at the image's border.

    Args:
        image: as in `to_voxel`.
        spheres: ((x, y, z), diameter), both in mm.
        system: as in `to_voxel`.

    Raises:
        FormatError: as `to_voxel`.
        GeometryError: as `to_voxel`; or a diameter is not positive, or a sphere lies outside the image.
    """
    spheres = list(spheres)
    grid = _grid(image)
    centers = to_voxel(image, (center for center, _ in spheres), system=system)
    # An ellipsoid's extent along a voxel axis is the norm of that axis's row in the inverse matrix.
    reach = np.linalg.norm(np.linalg.inv(grid.affine)[:3, :3], axis=1)
    boxes = []
    for center, (world, diameter) in zip(centers, spheres, strict=True):
        if not (math.isfinite(diameter) and diameter > 0):
            raise GeometryError(f"a diameter of {diameter} mm", file=name_of(reader_of(image)))
        low = [max(0, math.floor(c - r * diameter / 2 + 0.5)) for c, r in zip(center, reach, strict=True)]
        high = [
            min(n, max(math.ceil(c + r * diameter / 2 + 0.5), math.floor(c + 0.5) + 1))
            for c, r, n in zip(center, reach, grid.shape, strict=True)
        ]
        if any(a >= b for a, b in zip(low, high, strict=True)):
            raise GeometryError(
                f"the point {tuple(world)} mm is voxel {tuple(round(c, 1) for c in center)}, "
                f"outside an image of {grid.shape} voxels",
                file=name_of(reader_of(image)),
                next_step="see whether the table belongs to this image and which axes it uses",
            )
        boxes.append((*map(float, low), *map(float, high)))
    return boxes


def _grid(image: File | Pixels) -> VoxelGrid:
    pixels = reader_of(image)
    if not isinstance(pixels, VolumePixels):
        raise FormatError("world coordinates need a volume", file=name_of(reader_of(image)))
    grid = grid_of(pixels)
    if grid.uneven:
        raise GeometryError(
            "slices are missing or unevenly apart: points in millimeters have no voxel that an affine can tell",
            file=name_of(reader_of(image)),
            next_step="Complete the series, or leave out the points of this one.",
        )
    return grid


def _ras(point: Sequence[float], system: System, image: File | Pixels) -> Array:
    values = np.asarray(point, dtype=np.float64)
    if values.shape != (3,) or not np.isfinite(values).all():
        raise GeometryError(f"{tuple(point)} is no point in space", file=name_of(reader_of(image)))
    turned: Array = values * _TO_RAS[system]
    return turned
