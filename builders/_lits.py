"""What LiTS shares with the liver task of the Decathlon, which has its volumes."""

from medimg.readers import grids, nifti

LOST = range(28, 48)
"""Volumes whose headers lost the affine."""


def spacing(image, number):
    """() for unknown, where one of `LOST` says 1 mm along every axis; None is as the header says."""
    if number not in LOST:
        return None
    turned = abs(grids.grid_of(nifti.volume(image)).affine[:3, :3]).tolist()
    return () if turned == [[1, 0, 0], [0, 1, 0], [0, 0, 1]] else None
