"""What readers return: a picture, a volume or a clip, each with the bytes that will be stored.

Geometry follows NIfTI for volumes (array axes i, j, k; world RAS+ in mm) and image convention for pictures
(array axes height, width). Nothing here resamples, rescales or reorients.
"""

from __future__ import annotations

import hashlib
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from medimg.errors import FormatError, GeometryError

if TYPE_CHECKING:
    import nibabel as nib
    import PIL.Image

    from medimg.files import File

Array = npt.NDArray[Any]

NOT_TOLD = "keys_not_told"
"""Key of a reader's `meta` under which the names of a header's keys stand that the reader itself leaves out."""

silent = logging.Logger("medimg.nibabel", logging.CRITICAL + 1)
"""Takes what nibabel has to say about headers that it mends."""


def content_hash(array: Array, *extra: object) -> str:
    """SHA-256 of the pixels with their dtype and shape: the key for finding exact duplicates.

    Byte order and memory layout do not matter. The array is hashed little-endian with its last axis slowest,
    as NIfTI stores it, one slab at a time, so that no second copy of a volume is made.
    """
    digest = hashlib.sha256(f"{array.dtype.str[1:]}|{array.shape}|{extra or ''}".encode())
    little = array.dtype.newbyteorder("<")
    turned = array.T
    slabs = [turned] if turned.flags.c_contiguous and array.dtype == little else turned if array.ndim > 1 else [array]
    for slab in slabs:
        digest.update(np.ascontiguousarray(slab, dtype=little).data)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Picture:
    """A 2-D image.

    Attributes:
        array: (height, width) or (height, width, channels), at the source's full bit depth.
        encoded: the source's own bytes where the stock `datasets.Image` decodes them to exactly `array`; None
            asks for a lossless PNG.
        suffix: file name suffix that goes with `encoded`, e.g. ".jpg".
        spacing: mm per pixel (height, width), None where the source does not say.
        meta: what the file itself says (never identifying DICOM tags).
        orientation: the EXIF orientation (1 to 8) by which `array` was turned; 1 where the file stores it as it is.
        shown: what the stock `datasets.Image` makes of `encoded`, for those who would decode it again; None where
            nobody has it.
    """

    array: Array = field(repr=False)
    encoded: bytes | None = field(default=None, repr=False)
    suffix: str = ".png"
    spacing: tuple[float, float] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    orientation: int = 1
    shown: PIL.Image.Image | None = field(default=None, repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width), without channels."""
        return tuple(int(n) for n in self.array.shape[:2])

    def content(self) -> str:
        """Hash of the decoded pixels with dtype and shape."""
        return content_hash(np.ascontiguousarray(self.array).T)


@dataclass(frozen=True, slots=True)
class Volume:
    """A 3-D (or 4-D: last axis is the sequence or time) image as one uncompressed single-file NIfTI-1.

    Attributes:
        nifti: the complete file, header and voxels. One buffer; `array` is a view on it.
        meta: what the source's header says beyond NIfTI (never identifying DICOM tags).
        origins: (slices, 3): where the voxels (0, 0, k) are, RAS+ in mm, for slices that are unevenly apart, which
            no affine can say (the affine then counts from the first with the usual distance). None where the affine
            says it all.
        unsized: why the size of the voxels is not known, although the header has numbers; None where it is.
    """

    nifti: bytes | bytearray | memoryview = field(repr=False)
    meta: Mapping[str, Any] = field(default_factory=dict)
    origins: Array | None = field(default=None, repr=False, compare=False)
    unsized: str | None = None

    @property
    def header(self) -> nib.Nifti1Header:
        """The NIfTI-1 header as the stock reader sees it (e.g. negative pixdim made positive)."""
        return parse_header(memoryview(self.nifti)[:348])

    @property
    def array(self) -> Array:
        """Stored voxels (before scl_slope), axes i, j, k[, t], a view on `nifti`: writable where that is."""
        header = self.header
        shape = header.get_data_shape()
        dtype = header.get_data_dtype()
        offset = int(header["vox_offset"])
        count = math.prod(shape)
        if offset + count * dtype.itemsize > len(self.nifti):
            raise FormatError(
                f"the header promises {count * dtype.itemsize} bytes of voxels, "
                f"the file holds {len(self.nifti) - offset}"
            )
        flat: Array = np.frombuffer(self.nifti, dtype=dtype, count=count, offset=offset)
        return flat.reshape(shape, order="F")

    @property
    def scaling(self) -> tuple[float, float]:
        """(slope, intercept) that turn stored voxels into values; (1, 0) where the header sets none."""
        slope, inter = self.header.get_slope_inter()
        return (1.0 if slope is None else float(slope), 0.0 if inter is None else float(inter))

    @property
    def affine(self) -> Array:
        """4x4 voxel-to-world matrix, RAS+ in mm (sform, else qform, else the header's fall-back).

        A header that counts in meters or micrometers is converted, as ITK does.

        Raises:
            GeometryError: the matrix is not finite or not invertible.
        """
        header = self.header
        try:
            affine: Array = np.array(header.get_best_affine(), dtype=np.float64)
        except ValueError as error:
            raise GeometryError(f"the header's rotation is no rotation: {error}") from error
        affine[:3] *= _millimeters(header)
        check_affine(affine)
        return affine

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along i, j, k[, t]."""
        return tuple(int(n) for n in self.header.get_data_shape())

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Mm per voxel along i, j, k: the header's pixdim, the affine's where that is 0 or not finite.

        None where the source states no size: `unsized`, or a pixdim of 0 and no sform.
        """
        if self.unsized or unsized(memoryview(self.nifti)[:348]):
            return None
        header = self.header
        unit = _millimeters(header)
        sizes = _pixdim(memoryview(self.nifti)[:348])
        if all(math.isfinite(size) and size for size in sizes):
            return tuple(abs(size) * unit for size in sizes)
        return tuple(float(n) for n in np.linalg.norm(self.affine[:3, :3], axis=0)[: len(sizes)])

    def content(self) -> str:
        """Hash of the stored voxels with dtype and shape, and of the scaling where there is one."""
        scaling = self.scaling
        return content_hash(self.array, *(() if scaling == (1.0, 0.0) else scaling))

    @classmethod
    def empty(
        cls,
        shape: Sequence[int],
        dtype: npt.DTypeLike,
        affine: Array,
        *,
        slope: float | None = None,
        inter: float | None = None,
        meta: Mapping[str, Any] | None = None,
        origins: Array | None = None,
        unsized: str | None = None,
    ) -> Volume:
        """A volume of zeros whose `array` is then filled in place: one buffer, no copy.

        Args:
            shape: voxels along i, j, k[, t].
            dtype: of the stored voxels; stored little-endian, bool as uint8.
            affine: 4x4 voxel-to-world matrix, RAS+ in mm.
            slope: scl_slope of the header; None sets no scaling.
            inter: scl_inter of the header, used with `slope`.
            meta: see `Volume`.
            origins: see `Volume`.
            unsized: see `Volume`.

        Raises:
            GeometryError: the affine is not finite or not invertible.
            FormatError: NIfTI-1 cannot hold the dtype or the shape.
        """
        import nibabel as nib

        affine = np.asarray(affine, dtype=np.float64)
        check_affine(affine)
        dtype = np.dtype(dtype)
        dtype = np.dtype(np.uint8) if dtype == np.bool_ else dtype.newbyteorder("<")
        if not 1 <= len(shape) <= 7 or min(shape) < 1 or max(shape) > 32767:
            raise FormatError(f"NIfTI-1 holds 1 to 32767 voxels along each of at most 7 axes, not {tuple(shape)}")
        header = nib.Nifti1Header(endianness="<")
        try:
            header.set_data_dtype(dtype)
        except nib.spatialimages.HeaderDataError as error:
            raise FormatError(f"NIfTI-1 has no type for {dtype}") from error
        header.set_data_shape(shape)
        header.set_sform(affine, code="scanner")
        header.set_qform(affine, code="scanner", strip_shears=True)
        zooms = [float(z) for z in np.sqrt((affine[:3, :3] ** 2).sum(axis=0))]
        header.set_zooms(zooms[: len(shape)] + [1.0] * (len(shape) - 3))
        header.set_xyzt_units("mm")
        header["vox_offset"] = 352
        if slope is not None:
            header.set_slope_inter(slope, inter or 0.0)
        size = 352 + math.prod(shape) * dtype.itemsize
        try:
            buffer = bytearray(size)
        except (MemoryError, OverflowError) as error:
            raise FormatError(f"{tuple(shape)} voxels of {dtype} do not fit into memory") from error
        buffer[:348] = header.binaryblock
        return cls(buffer, meta or {}, origins, unsized)

    @classmethod
    def from_array(
        cls,
        array: Array,
        affine: Array,
        *,
        slope: float | None = None,
        inter: float | None = None,
        unsized: str | None = None,
    ) -> Volume:
        """Wrap voxels (i, j, k[, t]) and a RAS+ mm affine as NIfTI-1; the dtype is kept. See `empty`."""
        volume = cls.empty(
            array.shape,
            array.dtype,
            affine,
            slope=slope,
            inter=inter,
            unsized=unsized,
        )
        volume.array[...] = array
        return volume


def parse_header(block: bytes | bytearray | memoryview) -> nib.Nifti1Header:
    """The first 348 bytes of a single-file NIfTI-1, checked and mended as nibabel does on reading.

    Raises:
        FormatError: it is no such header.
    """
    import nibabel as nib

    try:
        header: nib.Nifti1Header = _checked(bytes(block)).copy()
        return header
    except (nib.spatialimages.HeaderDataError, nib.wrapstruct.WrapStructError, ValueError, KeyError) as error:
        raise FormatError(f"not a NIfTI-1 header: {error}") from error


@lru_cache(maxsize=256)
def _checked(block: bytes) -> nib.Nifti1Header:
    """Never to be changed: the check takes as long as a small volume, and one header is asked for many times."""
    import nibabel as nib

    header = nib.Nifti1Header(block, check=False)
    header.check_fix(logger=silent)
    return header


def _pixdim(block: bytes | bytearray | memoryview) -> tuple[float, ...]:
    """The sizes of voxels along i, j, k as the header has them: nibabel makes 1 of 0."""
    import nibabel as nib

    header = nib.Nifti1Header(bytes(block), check=False)
    return tuple(float(size) for size in header["pixdim"][1 : 1 + min(3, max(1, int(header["dim"][0])))])


def unsized(block: bytes | bytearray | memoryview) -> str | None:
    """Why a NIfTI-1 header states no size of voxels; None where it does.

    Its pixdim counts, unless there is an sform, which says the same in another way. Readers take a pixdim of 0 for
    1 mm: a guess.
    """
    import nibabel as nib

    sizes = _pixdim(block)
    if all(sizes) or int(nib.Nifti1Header(bytes(block), check=False)["sform_code"]) > 0:
        return None
    return f"pixdim is {' x '.join(f'{size:g}' for size in sizes)}, and there is no sform"


def check_affine(affine: Array) -> None:
    """Refuse a 4x4 matrix that is not finite or that flattens space, whatever its unit.

    Raises:
        GeometryError: saying which.
    """
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise GeometryError(f"the voxel-to-world matrix is not finite: {affine.tolist()}")
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not lengths.all() or abs(float(np.linalg.det(affine[:3, :3] / lengths))) < 1e-6:
        raise GeometryError(f"the voxel-to-world matrix is not invertible: {affine.tolist()}")


def _millimeters(header: nib.Nifti1Header) -> float:
    """Millimeters per unit of the header: the spatial bits of xyzt_units; unknown counts as mm."""
    return {1: 1000.0, 3: 0.001}.get(int(header["xyzt_units"]) & 7, 1.0)


@dataclass(frozen=True, slots=True)
class Clip:
    """A video: the source's own bytes.

    Attributes:
        encoded: the container file as it is.
        suffix: e.g. ".avi".
        size: (frames, height, width).
        fps: frames per second, None where unknown.
        digest: hash of the decoded frames.
    """

    encoded: bytes = field(repr=False)
    suffix: str
    size: tuple[int, int, int]
    fps: float | None
    digest: str
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """(frames, height, width)."""
        return self.size

    @property
    def spacing(self) -> None:
        """Videos state no pixel size."""
        return None

    def content(self) -> str:
        """Hash of the decoded frames with dtype and shape."""
        return self.digest


Image = Picture | Volume | Clip


class Pixels(ABC):
    """A promise of pixels that a builder yields and a reader keeps: nothing is opened until `read`."""

    @abstractmethod
    def files(self) -> Iterable[File]:
        """The source files that the pixels come from, the naming one first."""

    @abstractmethod
    def read(self) -> Image:
        """Decode. Raises FormatError, GeometryError or SourceError naming the file."""
