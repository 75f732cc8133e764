"""How many of several readings of one image include each voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medimg.errors import GeometryError
from medimg.pixels import Pixels, Volume
from medimg.readers.grids import VolumePixels, VoxelGrid, volume_of
from medimg.readers.levels import pieces
from medimg.readers.promises import PromisedVolume


def count(readings: Sequence[Pixels]) -> VolumePixels:
    """Masks of several readers, algorithms or runs as one map: value n is where n of them are not 0.

    One reading alone becomes a mask of 0 and 1. One is in memory at a time.

    Args:
        readings: at least one, at most 255, on one grid.

    Raises:
        GeometryError: on `read`: naming two files that are on different grids.
    """
    if not 1 <= len(readings) <= 255:
        raise ValueError(f"{len(readings)} readings; 1 to 255 can be counted")
    masks = tuple(readings)
    return PromisedVolume(masks, masks[0], _count, (masks,))


def _count(readings: tuple[Pixels, ...]) -> Volume:
    result, first = None, None
    for one in readings:
        volume = volume_of(one)
        if result is None or first is None:
            first = VoxelGrid.of(volume)
            result = Volume.empty(
                volume.shape,
                np.uint8,
                volume.affine,
                meta={"readings": len(readings)},
                origins=volume.origins,
            )
        difference = first.differs(VoxelGrid.of(volume))
        if difference:
            raise GeometryError(
                f"two readings are on different grids: {difference}",
                file=next((file.path for file in one.files()), None),
            )
        slope, inter = volume.scaling
        for source, target in zip(pieces(volume.array), pieces(result.array), strict=True):
            target += (source * slope + inter != 0) if (slope, inter) != (1.0, 0.0) else source != 0
        del volume
    assert result is not None
    return result
