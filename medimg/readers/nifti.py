"""NIfTI-1, NIfTI-2 and Analyze 7.5, as one uncompressed single-file NIfTI-1.

A single-file NIfTI-1 passes byte for byte (after gunzip). What else is converted keeps every voxel and the
affine that nibabel gives the source. Data are decompressed straight into the one buffer that a volume needs.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from medimg.errors import FormatError, GeometryError
from medimg.files.decoders import Inflated
from medimg.pixels import Volume, parse_header, silent, unsized
from medimg.readers.grids import VolumePixels, VoxelGrid
from medimg.readers.promises import reading

if TYPE_CHECKING:
    from medimg.files import File


def check_ratio(file: File, size: int, *, packed: bool = True) -> None:
    """Refuse a header that promises more bytes than the file can hold (deflate: 1,032 times its own size).

    Raises:
        FormatError: saying both sizes.
        BombError: more than `Limits.decoded` bytes.
    """
    file.check_decoded(size, "the volume that the header promises")
    if file.size is not None and size > (1040 if packed else 1) * file.size + (1 << 16):
        raise FormatError(f"the header promises {size} bytes, which {file.size} bytes cannot expand to")


def _check(header: Any, offset: int) -> int:
    """Bytes of voxels that a header of the Analyze family promises; none begins before byte `offset`."""
    shape = header.get_data_shape()
    if len(shape) < 2 or min(shape) < 1:
        raise FormatError(f"{tuple(int(n) for n in shape)} is no shape of a volume")
    place = float(header["vox_offset"])
    if not (math.isfinite(place) and place == int(place) and place >= offset):
        raise FormatError(f"the voxels cannot begin at byte {place:g}")
    try:
        dtype = header.get_data_dtype()
    except KeyError as error:
        raise FormatError(f"unknown data type code {int(header['datatype'])}") from error
    return math.prod(int(n) for n in shape) * int(dtype.itemsize)


def _check_extensions(header: Any, block: bytes | memoryview) -> None:
    """Refuse header extensions that the stock reader cannot read; `block` stands between NIfTI-1 header and voxels."""
    if block[0]:
        header.exts_klass.from_fileobj(
            io.BytesIO(bytes(block[4:])),
            len(block) - 4,
            byteswap=(header.endianness == "<") != (sys.byteorder == "little"),
        )


def _allocate(size: int) -> bytearray:
    try:
        return bytearray(size)
    except (MemoryError, OverflowError) as error:
        raise FormatError(f"{size} bytes of voxels do not fit into memory") from error


def _read_single(file: File, stream: BinaryIO, voxels: bool) -> Volume:
    """A .nii or .nii.gz; without `voxels` only the header, for its geometry."""
    source = Inflated(stream)
    start = source.take(348)
    sizeof = {start[:4], start[3::-1]}
    if b"\x1c\x02\0\0" in sizeof and start[4:7] == b"n+2":
        return _read_second(file, source, start + source.take(192), voxels)
    if b"\x5c\x01\0\0" not in sizeof or start[344:347] != b"n+1":
        if start[344:347] == b"ni1":
            raise FormatError("a NIfTI header without voxels", next_step="name the .hdr or .img file of the pair")
        raise FormatError("no NIfTI file", next_step="see whether the file is complete and what it says it is")
    header = parse_header(start)
    size = _check(header, 352)
    offset = int(header["vox_offset"])
    check_ratio(file, offset + size)
    if not voxels:
        return Volume(start)
    buffer = _allocate(offset + size)
    buffer[:348] = start
    source.readinto(memoryview(buffer)[348:])
    source.finish()
    _check_extensions(header, memoryview(buffer)[348:offset])
    return Volume(buffer)


def _read_second(file: File, source: Inflated, start: bytes, voxels: bool) -> Volume:
    """NIfTI-2 as NIfTI-1, where that can hold it."""
    import nibabel as nib

    old = nib.nifti2.Nifti2Header(start, check=False)
    size = _check(old, 544)
    new = nib.Nifti1Header(endianness=old.endianness)
    for name in new.keys():
        if name in ("sizeof_hdr", "magic", "vox_offset") or name not in old.keys():
            continue
        value = old[name]
        with np.errstate(over="ignore"):
            new[name] = value
        # Single precision is what every NIfTI-1 has; integers and the scaling, which touch voxels, must be
        # exact.
        real = np.asarray(value).dtype.kind == "f"
        if real and not name.startswith("scl_"):
            same = np.allclose(new[name], value, rtol=1e-6, atol=1e-37, equal_nan=True)
        else:
            same = np.array_equal(new[name], value, equal_nan=real)
        if not same:
            raise FormatError(f"NIfTI-1 cannot hold this NIfTI-2's {name}, {np.asarray(value).tolist()}")
    between = int(old["vox_offset"]) - 540
    new["magic"] = b"n+1"
    new["vox_offset"] = 348 + between
    check_ratio(file, 348 + between + size)
    if not voxels:
        return Volume(new.binaryblock)
    buffer = _allocate(348 + between + size)
    buffer[:348] = new.binaryblock
    source.readinto(memoryview(buffer)[348:])
    source.finish()
    _check_extensions(new, memoryview(buffer)[348 : 348 + between])
    return Volume(buffer, {"source_format": "NIfTI-2"})


def _stem(name: str) -> tuple[str, str]:
    """("brain", ".gz") for brain.img.gz."""
    end = ".gz" if name.lower().endswith(".gz") else ""
    return name[: len(name) - len(end)].rpartition(".")[0], name[len(name) - len(end) :]


def _pair(file: File) -> tuple[File, File]:
    """(header file, voxel file) of the pair that `file` is one of; each may be gzipped."""
    stem, end = _stem(file.name)
    inner = file.name[: len(file.name) - len(end)].rpartition(".")[2].lower()
    other = {"hdr": "img", "img": "hdr"}[inner]
    for candidate in dict.fromkeys((end, "", ".gz")):
        found = file.sibling(f"{stem}.{other}{candidate}")
        if found is not None:
            return (file, found) if inner == "hdr" else (found, file)
    raise FormatError(f"the other half, {stem}.{other}, is missing", file=file.path)


def _read_pair(header_file: File, voxel_file: File, voxels: bool) -> Volume:
    """Analyze 7.5 or a NIfTI pair as a single file, with the affine that nibabel gives it."""
    import nibabel as nib

    meta: dict[str, Any]
    with header_file.open() as stream:
        source = Inflated(stream)
        start = source.take(348)
        pair = start[344:347] in (b"ni1", b"n+1")
        if not pair and not nib.Spm2AnalyzeImage.header_class.may_contain_header(start):
            raise FormatError("no Analyze or NIfTI header")
        between = source.rest(1 << 24) if pair else b""
        if not any(between[:1]) or len(between) < 4:
            between = b"\0\0\0\0"
    kind = nib.nifti1.Nifti1PairHeader if pair else nib.Spm2AnalyzeImage.header_class
    old: Any = kind(start, check=False)
    sizes = [float(size) for size in old["pixdim"][1 : 1 + min(3, max(1, int(old["dim"][0])))]]
    reason = None if pair or all(sizes) else f"pixdim is {' x '.join(f'{size:g}' for size in sizes)}"
    old.check_fix(logger=silent)
    size = _check(old, 0)
    offset = int(old["vox_offset"])
    if pair:
        new = nib.Nifti1Header(start, endianness=old.endianness, check=False)
        new["magic"] = b"n+1"
        meta = {"source_format": "NIfTI-1 pair"}
    else:
        affine = old.get_best_affine()
        new = nib.Nifti1Header(endianness=old.endianness)
        new.set_data_dtype(old.get_data_dtype())
        new.set_data_shape(old.get_data_shape())
        new.set_zooms(old.get_zooms())
        new.set_sform(affine, code="aligned")
        new.set_qform(affine, code="unknown")
        slope, inter = old.get_slope_inter()
        if slope is not None:
            new.set_slope_inter(float(slope), float(inter or 0))
        new.set_xyzt_units("mm")
        new["descrip"] = old["descrip"]
        meta = {
            "source_format": "Analyze 7.5",
            "orientation": "not stated by the format; axes as nibabel takes them (first axis right to left, "
            "origin from the header or the center)",
        }
    new["vox_offset"] = 348 + len(between)
    _check_extensions(new, between)
    check_ratio(voxel_file, size)
    if not voxels:
        return Volume(new.binaryblock, meta, unsized=reason)
    with voxel_file.open() as stream:
        source = Inflated(stream)
        if offset:
            source.take(offset)
        buffer = _allocate(348 + len(between) + size)
        buffer[:348] = new.binaryblock
        buffer[348 : 348 + len(between)] = between
        source.readinto(memoryview(buffer)[348 + len(between) :])
        source.finish()
    return Volume(buffer, meta, unsized=reason)


@dataclass(frozen=True)
class _Nifti(VolumePixels):
    file: File

    def _halves(self) -> tuple[File, ...]:
        inner = self.file.name.lower().removesuffix(".gz")
        return _pair(self.file) if inner.endswith((".hdr", ".img")) else (self.file,)

    def files(self) -> Iterable[File]:
        try:
            return sorted(self._halves(), key=lambda half: half.path != self.file.path)
        except FormatError:
            return [self.file]

    def _load(self, voxels: bool) -> Volume:
        with reading(self.file):
            halves = self._halves()
            if len(halves) == 2:
                volume = _read_pair(halves[0], halves[1], voxels)
            else:
                with self.file.open() as stream:
                    volume = _read_single(self.file, stream, voxels)
            volume = replace(volume, unsized=volume.unsized or unsized(memoryview(volume.nifti)[:348]))
            _ = volume.scaling
            try:
                _ = volume.affine
            except GeometryError as error:
                error.next_step = "see whether the header is damaged; an affine cannot be guessed"
                raise
        return volume

    def grid(self) -> VoxelGrid:
        with reading(self.file):
            return VoxelGrid.of(self._load(voxels=False))

    def read(self) -> Volume:
        return self._load(voxels=True)


def passes(source: object) -> bool:
    """Whether a source is one file whose volume, where it is a single-file NIfTI-1, has the file's own bytes."""
    from medimg.files import File

    return isinstance(source, File | _Nifti)


def volume(file: File) -> VolumePixels:
    """A NIfTI or Analyze file as a volume.

    Takes .nii and .nii.gz (NIfTI-1 passes byte for byte after gunzip; NIfTI-2 becomes NIfTI-1 where that
    holds it exactly, its affine in single precision) and the .hdr or the .img half of a NIfTI or Analyze 7.5
    pair. Whether a file is gzipped is told by its bytes, not its name. Byte order stays. Axes of length 1
    stay. SPM's .mat files are not read. A pixdim of 0 without an sform states no spacing: it is not known (`unsized`).

    Raises:
        FormatError: on `read`: no such file, truncated, too long, damaged, or not exact in NIfTI-1.
        GeometryError: on `read`: the affine is not finite or not invertible.
    """
    return _Nifti(file)
