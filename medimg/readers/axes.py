"""The axes of volumes: those that a source writes and that hold nothing."""

from __future__ import annotations

from dataclasses import replace

from medimg.pixels import Pixels, Volume
from medimg.readers.grids import VolumePixels, volume_of
from medimg.readers.promises import PromisedVolume


def _squeezed(pixels: Pixels) -> Volume:
    volume = volume_of(pixels)
    shape = volume.shape
    if len(shape) <= 3 or max(shape[3:]) > 1:
        return volume
    header = volume.header
    header["dim"] = [3, *shape[:3], 1, 1, 1, 1]
    header["pixdim"][4:] = 1.0
    nifti = volume.nifti
    if isinstance(nifti, bytes) or (isinstance(nifti, memoryview) and nifti.readonly):
        nifti = bytearray(nifti)
    memoryview(nifti)[:348] = header.binaryblock
    return replace(volume, nifti=nifti, meta=dict(volume.meta) | {"shape_in_source": list(shape)})


def squeezed(pixels: Pixels) -> VolumePixels:
    """A volume without its axes beyond the third where these have length one, as Analyze files often write.

    Only the header changes; a volume whose fourth axis says something stays as it is.
    """
    return PromisedVolume((pixels,), pixels, _squeezed, (pixels,))
