"""MetaImage (.mha, and .mhd with its .raw or .zraw) as NIfTI-1.

SimpleITK and ITK read MetaImage only from paths on disk, and a source here may stand in an archive or on the
web, so the header (a few lines of text) is parsed here. ITK's conventions are kept: the voxel-to-world matrix
is LPS, its columns are the rows of TransformMatrix times ElementSpacing, AnatomicalOrientation is a remark
that moves nothing. Turned to RAS it is the affine that SimpleITK would write into a NIfTI. The tests compare
with SimpleITK.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from medimg.errors import FormatError, MedimgError, UnsafePathError
from medimg.files.decoders import CHUNK, Inflated
from medimg.pixels import NOT_TOLD, Array, Volume, check_affine
from medimg.readers.grids import VolumePixels, VoxelGrid, spatial
from medimg.readers.nifti import check_ratio
from medimg.readers.promises import reading

if TYPE_CHECKING:
    from medimg.files import File

HEADER = 1 << 20
"""A header is at most this many bytes long."""
_TYPES = {
    "CHAR": "i1",
    "UCHAR": "u1",
    "SHORT": "i2",
    "USHORT": "u2",
    "INT": "i4",
    "UINT": "u4",
    "LONG": "i4",
    "ULONG": "u4",
    "LONG_LONG": "i8",
    "ULONG_LONG": "u8",
    "FLOAT": "f4",
    "DOUBLE": "f8",
}
_VALUES = {
    "AnatomicalOrientation": r"[RLAPISHF?]{1,6}",
    "AnatomyOrientation": r"[RLAPISHF?]{1,6}",
    "Modality": r"(MET_MOD_)?[A-Z]{1,10}",
    "ElementSize": r"[-+.\de ]+",
    "ElementNBits": r"\d+",
}
"""Keys that are told in `meta`, and what they may say."""
# What the reader itself uses.
_USED = {
    *("ObjectType", "ObjectSubType", "NDims", "DimSize", "BinaryData", "BinaryDataByteOrderMSB"),
    *(
        "ElementByteOrderMSB",
        "CompressedData",
        "CompressedDataSize",
        "TransformMatrix",
        "Rotation",
        "Orientation",
    ),
    *("Offset", "Position", "Origin", "CenterOfRotation", "ElementSpacing", "HeaderSize"),
    *("ElementNumberOfChannels", "ElementType", "ElementDataFile", "ElementMin", "ElementMax"),
}


@dataclass(frozen=True, eq=False)
class _Header:
    """What the text says. `shape` has at least three axes, channels last where there are several."""

    shape: tuple[int, ...]
    channels: int
    dtype: np.dtype[Any]
    affine: Array
    packed: bool
    packed_size: int | None
    skip: int
    data: tuple[str, ...]
    start: int
    meta: dict[str, Any]
    unsized: str | None


def _numbers(text: str, count: int, name: str) -> list[float]:
    try:
        numbers = [float(word) for word in text.replace(",", " ").split()]
    except ValueError as error:
        raise FormatError(f"{name} = {text!r} is not made of numbers") from error
    if len(numbers) < count:
        raise FormatError(f"{name} = {text!r} should be {count} numbers")
    return numbers[:count]


def _whole(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise FormatError(f"{name} = {text!r} is no integer") from error


def _true(text: str) -> bool:
    return text[:1] in ("T", "t", "1")


def _parse(stream: BinaryIO) -> _Header:
    """Read the header; the stream is left where local voxels would begin."""
    fields: dict[str, str] = {}
    left = HEADER
    while "ElementDataFile" not in fields:
        line = stream.readline(min(left, 1 << 16))
        left -= len(line)
        text = line.decode("latin-1").strip()
        key, sign, value = text.partition("=")
        if not line.endswith(b"\n") and key.strip() != "ElementDataFile":
            raise FormatError("no MetaImage header: there is no ElementDataFile")
        if not text:
            continue
        if not sign or not key.strip().isprintable():
            raise FormatError(f"no MetaImage header: {text[:40]!r}")
        fields[key.strip()] = value.strip()
    start = stream.tell()
    kind = fields.get("ObjectType", "Image")
    if kind != "Image":
        raise FormatError(f"a MetaImage of the type {kind!r}, not Image")
    if not _true(fields.get("BinaryData", "True")):
        raise FormatError("voxels written as text are not supported")
    dims = _whole(fields.get("NDims", ""), "NDims")
    if not 2 <= dims <= 6:
        raise FormatError(f"NDims = {dims}")
    shape = [int(n) for n in _numbers(fields.get("DimSize", ""), dims, "DimSize")]
    channels = _whole(fields.get("ElementNumberOfChannels", "1"), "ElementNumberOfChannels")
    if min(*shape, channels) < 1:
        raise FormatError(f"DimSize = {fields['DimSize']!r} with {channels} channels")
    name = fields.get("ElementType", "").removeprefix("MET_").removesuffix("_ARRAY")
    if name not in _TYPES:
        raise FormatError(f"unknown ElementType {fields.get('ElementType')!r}")
    big = _true(fields.get("ElementByteOrderMSB", fields.get("BinaryDataByteOrderMSB", "False")))
    packed_size = fields.get("CompressedDataSize")
    affine, reason = _affine(fields, dims)
    return _Header(
        shape=(*shape, *(1,) * (3 - dims), *((channels,) if channels > 1 else ())),
        channels=channels,
        dtype=np.dtype(_TYPES[name]).newbyteorder(">" if big else "<"),
        affine=affine,
        packed=_true(fields.get("CompressedData", "False")),
        packed_size=_whole(packed_size, "CompressedDataSize") if packed_size else None,
        skip=_whole(fields.get("HeaderSize", "0"), "HeaderSize"),
        data=_data(fields["ElementDataFile"], stream, shape),
        start=start,
        meta=_told(fields),
        unsized=reason,
    )


def _told(fields: dict[str, str]) -> dict[str, Any]:
    """What the header says beyond the grid, as far as it is on the list; names of other keys stand under `NOT_TOLD`."""
    told: dict[str, Any] = {
        key: value
        for key, value in fields.items()
        if key in _VALUES and re.fullmatch(_VALUES[key], value, re.IGNORECASE)
    }
    lost = [key for key in fields if key not in _USED and key not in told]
    return told | ({NOT_TOLD: lost} if lost else {})


def _affine(fields: dict[str, str], dims: int) -> tuple[Array, str | None]:
    """(4x4, RAS+ in mm, why the size of the voxels is not known).

    ElementSize, how large the spot is that a voxel was measured on, does not say how far voxels are apart. The affine
    has it where there is no ElementSpacing, as ITK does, but the spacing is not known. One below 0 turns its axis, as
    in ITK.
    """

    def first(*names: str) -> tuple[str, str] | None:
        return next(((name, fields[name]) for name in names if name in fields), None)

    rows, offset, spacing = np.eye(dims), np.zeros(dims), np.ones(dims)
    if found := first("TransformMatrix", "Rotation", "Orientation"):
        rows = np.array(_numbers(found[1], dims * dims, found[0])).reshape(dims, dims)
    if found := first("Offset", "Position", "Origin"):
        offset = np.array(_numbers(found[1], dims, found[0]))
    space = min(dims, 3)
    reason = None if "ElementSpacing" in fields else "there is no ElementSpacing"
    if found := first("ElementSpacing", "ElementSize"):
        spacing = np.array(_numbers(found[1], dims, found[0]))
        if not spacing[:space].all():
            reason = f"{found[0]} = {found[1]}"
            spacing[spacing == 0] = 1
    affine = np.eye(4)
    affine[:space, :space] = rows[:space, :space].T * spacing[:space]
    affine[:space, 3] = offset[:space]
    affine = np.diag([-1.0, -1, 1, 1]) @ affine
    check_affine(affine)
    return affine, reason


def _data(value: str, stream: BinaryIO, shape: list[int]) -> tuple[str, ...]:
    """Names of the files with the voxels; () where they follow the header."""
    if value.upper() == "LOCAL":
        return ()
    words = value.split()
    if words[:1] == ["LIST"]:
        inner = words[1].upper().removesuffix("D") if len(words) > 1 else str(len(shape) - 1)
        text = stream.read(HEADER).decode("latin-1")
        names = tuple(line.strip() for line in text.splitlines() if line.strip())
        count = math.prod(shape[int(inner) :]) if inner.isdigit() else -1
        if len(names) != count:
            raise FormatError(f"{value}: {len(names)} files are listed, {count} are needed")
    elif re.search(r"%0?\d*d", value) and len(words) >= 3:
        # name%03d first last [step]
        numbers = [_whole(word, "ElementDataFile") for word in words[1:4]]
        first, last, step = (*numbers, 1)[:3]
        if not 0 < step or not 0 <= last - first < 100_000:
            raise FormatError(f"ElementDataFile = {value!r} counts nothing")
        before, after = re.split(r"%0?\d*d", words[0], maxsplit=1)
        form = re.search(r"%(0?)(\d*)d", words[0])
        assert form is not None
        pad, width = form.group(1) or " ", min(int(form.group(2) or 0), 20)
        names = tuple(f"{before}{str(n).rjust(width, pad)}{after}" for n in range(first, last + 1, step))
        if len(names) != shape[-1]:
            raise FormatError(f"ElementDataFile = {value!r} names {len(names)} files for {shape[-1]} slices")
    else:
        names = (value,)
    for name in names:
        parts, windows = PurePosixPath(name).parts, PureWindowsPath(name)
        outside = ".." in (*parts, *windows.parts) or name.startswith("/") or windows.anchor
        if not parts or outside or "\0" in name:
            raise UnsafePathError(f"ElementDataFile = {name!r} leaves the folder of the header")
    return names


@dataclass(frozen=True)
class _Meta(VolumePixels):
    file: File

    @cached_property
    def _header(self) -> _Header:
        with reading(self.file), self.file.open() as stream:
            return _parse(stream)

    @cached_property
    def _parts(self) -> tuple[File, ...]:
        parts = []
        for name in self._header.data:
            part = self.file.sibling(PurePosixPath(name).as_posix())
            if part is None:
                raise FormatError(f"the voxels are in {name!r}, which is missing", file=self.file.path)
            parts.append(part)
        return tuple(parts)

    def files(self) -> Iterable[File]:
        try:
            return (self.file, *self._parts)
        except MedimgError:
            return (self.file,)

    def grid(self) -> VoxelGrid:
        return VoxelGrid(spatial(self._header.shape), self._header.affine)

    def read(self) -> Volume:
        header = self._header
        with reading(self.file):
            size = math.prod(header.shape) * header.dtype.itemsize
            parts = self._parts or (self.file,)
            self.file.check_decoded(size, "the volume that the header promises")
            if size % len(parts):
                raise FormatError(f"{len(parts)} files cannot hold {size} bytes in equal parts")
            for part in parts:
                with reading(part):
                    check_ratio(part, size // len(parts), packed=header.packed)
            volume = Volume.empty(header.shape, header.dtype, header.affine, meta=header.meta, unsized=header.unsized)
            target = volume.array.reshape(-1, order="F")
            count = target.size // len(parts)
            for number, part in enumerate(parts):
                # With several files, channels of one voxel stand together within each file.
                with reading(part), part.open() as stream:
                    self._fill(stream, target, number * count, count)
            if header.dtype.itemsize > 1 and header.dtype.byteorder == ">":
                target.byteswap(inplace=True)
        return volume

    def _fill(self, stream: BinaryIO, target: Array, start: int, count: int) -> None:
        """Read `count` stored numbers from the stream; they are voxels `start` and on of the flat target."""
        header = self._header
        size = count * header.dtype.itemsize
        skip = header.skip
        if not self._parts:
            stream.seek(header.start)
        if skip == -1:
            if header.packed:
                raise FormatError("HeaderSize = -1 with compressed voxels")
            end = stream.seek(0, 2)
            if end < size:
                raise FormatError(f"{size} bytes of voxels are promised, the file has {end}")
            stream.seek(end - size)
        elif skip < 0:
            raise FormatError(f"HeaderSize = {skip}")
        elif skip:
            stream.seek(skip, 1)
        source = Inflated(
            stream,
            limit=header.packed_size if header.packed and len(self._parts) < 2 else None,
            plain=not header.packed,
            zlib=header.packed,
        )
        if header.channels == 1:
            source.readinto(target[start : start + count].view(np.uint8).data)
        else:
            channels = target.reshape(header.channels, -1)
            step = max(1, CHUNK // (header.channels * header.dtype.itemsize))
            first, last = start // header.channels, (start + count) // header.channels
            for place in range(first, last, step):
                voxels = min(step, last - place)
                block = source.take(voxels * header.channels * header.dtype.itemsize)
                numbers = np.frombuffer(block, target.dtype).reshape(voxels, header.channels)
                channels[:, place : place + voxels] = numbers.T
        source.finish()


def volume(file: File) -> VolumePixels:
    """A MetaImage as a volume: voxels (i, j, k[, t][, channels]), the source's dtype, RAS affine in mm.

    Takes every ElementType, zlib-compressed voxels, either byte order, voxels in the same file, in one other
    file, or in one file per slice (LIST or a %d pattern), and several channels per voxel (they become the
    last axis). A 2-D image gets a third axis of length 1. Of keys of the header that
    the reader has no use for, `meta` has those of `_VALUES`.

    Raises:
        FormatError: on `read`: no MetaImage, truncated, too long, damaged, or voxels written as text.
        GeometryError: on `read`: the direction matrix or the spacing cannot be inverted.
        UnsafePathError: on `read`: ElementDataFile leaves the folder of the header.
    """
    return _Meta(file)
