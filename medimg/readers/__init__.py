"""Readers: from files of the source to pictures, volumes, clips and tables. Nothing is opened before it is read."""

from __future__ import annotations

from medimg.errors import FormatError
from medimg.files import File
from medimg.pixels import Pixels

RASTER = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm", ".gif", ".webp")
VOLUME = (".nii", ".nii.gz", ".hdr", ".img", ".img.gz", ".mhd", ".mha", ".dcm")
ARRAY = (".npy", ".npz", ".hdf5", ".h5")
VIDEO = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".mpg", ".mpeg")
SIDECAR = (".raw", ".zraw")
"""Voxels that a header file names; they have no meaning alone."""
PIXEL_SUFFIXES = frozenset(RASTER + VOLUME + ARRAY + VIDEO + SIDECAR)


def image(source: File | Pixels) -> Pixels:
    """The reader of an image, by the file's suffix.

    Raises:
        FormatError: no reader knows the suffix.
    """
    if isinstance(source, Pixels):
        return source
    if source.suffix in RASTER:
        from medimg.readers import raster

        return raster.picture(source)
    if source.suffix in (".mhd", ".mha"):
        from medimg.readers import metaimage

        return metaimage.volume(source)
    if source.suffix == ".dcm":
        from medimg.readers import dicom

        return dicom.picture(source)
    if source.suffix in VOLUME:
        from medimg.readers import nifti

        return nifti.volume(source)
    if source.suffix in VIDEO:
        from medimg.readers import video

        return video.clip(source)
    raise FormatError(
        f"no reader for files that end in {source.suffix!r}",
        file=source.path,
        next_step="Name the reader in the builder, e.g. dicom.picture(file).",
    )


def mask(source: File | Pixels) -> Pixels:
    """The reader of a label map: as `image`, with integral values in the smallest exact integer type."""
    if isinstance(source, Pixels):
        return source
    from medimg.readers import masks, volumes

    pixels = image(source)
    return masks.mask(pixels) if source.suffix in RASTER else volumes.mask(pixels)
