"""How the stored numbers of DICOM files become values: sizes checked, frames decoded, a volume filled."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np

from medimg.errors import FormatError
from medimg.pixels import Array, Volume

if TYPE_CHECKING:
    from medimg.files import File
from medimg.readers.dicom_file import PIXEL, Unnamed, deflated, library, number_of, open_dataset
from medimg.readers.dicom_planes import Layout


@dataclass(frozen=True)
class Stored:
    """How pixels are stored in one file, and what they stand for: value = slope * stored + intercept."""

    rows: int
    columns: int
    samples: int
    allocated: int
    bits: int
    high: int
    signed: bool
    slope: float
    inter: float

    @property
    def identity(self) -> bool:
        """Whether stored numbers are the values."""
        return (self.slope, self.inter) == (1.0, 0.0)

    @property
    def integral(self) -> bool:
        """Both are integers, and small enough to compute with."""
        return all(number.is_integer() and abs(number) < 1 << 31 for number in (self.slope, self.inter))

    def clean(self, frame: Array) -> Array:
        """Drop what is outside the stored bits (overlays in old files), and check the shape.

        Args:
            frame: (rows, columns[, samples]).
        """
        expected = (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)
        if frame.shape != expected:
            raise FormatError(f"pixels have the shape {frame.shape}, the header says {expected}")
        shift, spare = self.high + 1 - self.bits, self.allocated - self.bits
        if frame.dtype.kind not in "iu" or spare <= 0 or not 0 <= shift <= spare or self.allocated < 8:
            return frame
        if frame.dtype.itemsize * 8 != self.allocated:
            return frame
        if self.signed:
            cleaned: Array = (frame << (spare - shift)) >> spare
        else:
            cleaned = (frame >> shift) & frame.dtype.type((1 << self.bits) - 1)
        return cleaned


def rescale_of(dataset: Any) -> tuple[float, float]:
    """RescaleSlope and RescaleIntercept. Raises FormatError: a slope of 0."""
    slope, inter = number_of(dataset, "RescaleSlope", 1.0), number_of(dataset, "RescaleIntercept", 0.0)
    if slope == 0:
        raise FormatError("RescaleSlope = 0")
    return slope, inter


def stored_of(dataset: Any) -> Stored:
    """How a file's pixels are stored. Raises FormatError."""
    allocated = int(number_of(dataset, "BitsAllocated"))
    bits = int(number_of(dataset, "BitsStored", allocated))
    slope, inter = rescale_of(dataset)
    return Stored(
        rows=int(number_of(dataset, "Rows")),
        columns=int(number_of(dataset, "Columns")),
        samples=int(number_of(dataset, "SamplesPerPixel", 1)),
        allocated=allocated,
        bits=bits,
        high=int(number_of(dataset, "HighBit", bits - 1)),
        signed=bool(number_of(dataset, "PixelRepresentation", 0)),
        slope=slope,
        inter=inter,
    )


def check_size(file: File, dataset: Any, frames: int | None = None) -> None:
    """Refuse a file whose header promises more pixels than one image may have, before any is decoded.

    Args:
        file: where it comes from.
        dataset: its header.
        frames: how many are decoded together; all of the file's where None.

    Raises:
        BombError: more than `Limits.decoded` bytes.
        FormatError: no pixels, or more than the file can hold.
    """
    stored = stored_of(dataset)
    pixels, every = (
        stored.rows * stored.columns * stored.samples,
        int(number_of(dataset, "NumberOfFrames", 1)),
    )
    if min(stored.rows, stored.columns, stored.samples, stored.allocated) < 1:
        raise FormatError(f"{stored.rows} x {stored.columns} pixels with {stored.samples} samples are no image")
    count = every if frames is None else frames
    size = pixels * max(1, stored.allocated // 8) * count
    file.check_decoded(size, f"{count:,} frames of {stored.rows} x {stored.columns} pixels")
    packed = _packing(dataset)
    if file.size is None or packed == "deflated":
        return
    if packed == "frames":
        least = 8 * every  # each has a head
    else:
        halved = str(dataset.get("PhotometricInterpretation", "")).endswith("_422")
        least = pixels * stored.allocated * every // (12 if halved else 8)
    if least > file.size:
        raise FormatError(
            f"the header promises {every:,} frames of {stored.rows} x {stored.columns} pixels, which "
            f"{file.size:,} bytes cannot hold"
        )


def _packing(dataset: Any) -> Literal["no", "frames", "deflated"]:
    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    if syntax == "1.2.840.10008.1.2.1.99":
        return "deflated"
    return "frames" if syntax is not None and syntax not in _NATIVE else "no"


_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
_ITEM, _PIXELS = b"\xfe\xff\x00\xe0", b"\xe0\x7f\x10\x00"
_RLE = "1.2.840.10008.1.2.5"
_HEAD = 1 << 12


def check_frames(stream: BinaryIO) -> None:
    """Refuse compressed frames that are larger than the header says: a decoder believes the frame, not the header.

    Only the heads of the frames are read.

    Raises:
        FormatError: a frame of more pixels than Rows x Columns, or of more bytes than its pixels can take.
    """
    stream.seek(0)
    start = stream.read(_HEAD)
    stream.seek(0)
    if b"1.2.840.10008.1.2.4." not in start and _RLE.encode() not in start:
        return
    dataset = open_dataset(stream, (*PIXEL, "Rows", "Columns", "SamplesPerPixel", "BitsStored"))
    if _packing(dataset) != "frames":
        return
    stored, begin = stored_of(dataset), stream.read(12)
    if begin[:4] != _PIXELS or begin[8:12] != b"\xff\xff\xff\xff":
        return
    frame = stored.rows * stored.columns * stored.samples
    most = 4 * frame * max(1, stored.allocated // 8) + (1 << 16)
    rle = dataset.file_meta.TransferSyntaxUID == _RLE
    while (item := stream.read(8))[:4] == _ITEM:
        size, at = int.from_bytes(item[4:], "little"), stream.tell()
        if rle and size > most:
            raise FormatError(f"a frame of {size:,} packed bytes for {stored.rows} x {stored.columns} pixels")
        head = stream.read(min(size, _HEAD))
        found = codestream_size(head)
        if found is None and head[:2] == b"\xff\xd8":
            found = codestream_size(head + stream.read(min(size, 1 << 20) - len(head)))
        if found is not None and math.prod(found) > frame:
            across, along, samples = found
            raise FormatError(
                f"a compressed frame of {along} x {across} pixels with {samples} samples; the header says "
                f"{stored.rows} x {stored.columns} with {stored.samples}"
            )
        stream.seek(at + size)


def codestream_size(head: bytes) -> tuple[int, int, int] | None:
    """(width, height, samples) that the first bytes of a JPEG, JPEG-LS or JPEG 2000 state; None where they do not."""
    siz = -1 if head[:2] == b"\xff\xd8" else head.find(b"\xff\x4f\xff\x51")
    if siz >= 0 and len(head) >= siz + 42:
        right, low, left, top = struct.unpack_from(">4I", head, siz + 8)
        return max(right - left, 0), max(low - top, 0), int.from_bytes(head[siz + 40 : siz + 42], "big")
    at = 2
    while head[:2] == b"\xff\xd8" and len(head) >= at + 10:
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker == 0xFF:  # a byte to fill up
            at += 1
            continue
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            along, across = struct.unpack_from(">2H", head, at + 5)
            return across, along, head[at + 9]
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None


def decoded_frames(stream: BinaryIO) -> Iterator[Array]:
    """Decode frame by frame, (rows, columns[, samples]); YBR becomes RGB.

    Raises:
        FormatError: no pixels, more than the header says, or a compression for which no decoder is installed.
    """
    pydicom = library()
    check_frames(stream)
    stream.seek(0)
    start = stream.read(132)
    stream.seek(0)
    source: Any = Unnamed(stream)
    if start[128:132] != b"DICM" or deflated(stream):
        source = open_dataset(stream, pixels=True)
        if not hasattr(source, "file_meta"):
            source.file_meta = pydicom.dataset.FileMetaDataset()
        if not source.file_meta.get("TransferSyntaxUID"):
            implicit, little = source.original_encoding
            names = {(True, True): "ImplicitVRLittleEndian", (False, True): "ExplicitVRLittleEndian"}
            syntax = getattr(pydicom.uid, names.get((implicit, little), "ExplicitVRBigEndian"))
            source.file_meta.TransferSyntaxUID = syntax
    try:
        yield from pydicom.pixels.utils.iter_pixels(source)
    except (NotImplementedError, RuntimeError) as error:
        raise FormatError(
            f"pixels cannot be decoded: {error}",
            next_step='pip install "medimg[dicom]" brings the decoders for JPEG, JPEG-LS and JPEG 2000',
        ) from error
    except AttributeError as error:
        raise FormatError(f"no pixels: {error}") from error


class Filling:
    """A volume that grows out of frames; the dtype widens when a frame needs it.

    Args:
        shape: voxels along i, j, k[, samples].
        layout: where the frames are.
        kinds: how each frame is stored, in order of k.
        meta: for the volume; what was done to the values is added.
    """

    def __init__(self, shape: tuple[int, ...], layout: Layout, kinds: Sequence[Stored], meta: dict[str, Any]) -> None:
        self.shape, self.layout, self.kinds, self.meta = shape, layout, kinds, meta
        self.volume: Volume | None = None
        scalings = list(dict.fromkeys((kind.slope, kind.inter) for kind in kinds))
        self.slope: float | None = None
        self.inter: float | None = None
        if all(kind.identity for kind in kinds):
            self.how = "stored"
        elif all(kind.integral for kind in kinds):
            self.how = "integers"
        elif len(scalings) == 1:
            self.how = "header"
            ((self.slope, self.inter),) = scalings
        else:
            self.how = "floats"
        if self.how != "stored":
            one = len(scalings) == 1
            meta["RescaleSlope"] = scalings[0][0] if one else [kind.slope for kind in kinds]
            meta["RescaleIntercept"] = scalings[0][1] if one else [kind.inter for kind in kinds]
            meta["rescale"] = "in the header" if self.how == "header" else "applied"

    def put(self, k: int, frame: Array) -> None:
        """Frame k, (rows, columns[, samples]) as stored."""
        kind = self.kinds[k]
        frame = kind.clean(frame)
        if self.how == "integers":
            frame = _integers(frame, kind)
        elif self.how == "floats":
            values = frame.astype(np.float64) * kind.slope + kind.inter
            frame = values if kind.bits > 24 else values.astype(np.float32)
        dtype = frame.dtype
        if self.volume is None:
            self.volume = self._empty(dtype)
        array = self.volume.array
        wide = np.result_type(array.dtype, dtype)
        if wide != array.dtype.newbyteorder("="):
            wider = self._empty(wide)
            wider.array[...] = array
            self.volume, array = wider, wider.array
        array[:, :, k] = frame.T if frame.ndim == 2 else frame.transpose(1, 0, 2)

    def _empty(self, dtype: Any) -> Volume:
        return Volume.empty(
            self.shape,
            dtype,
            self.layout.affine,
            slope=self.slope,
            inter=self.inter,
            meta=self.meta,
            origins=self.layout.uneven,
            unsized=self.layout.unsized,
        )


def _integers(frame: Array, kind: Stored) -> Array:
    """Stored pixels times slope plus intercept, exact: int16 where that does, else int32, else int64."""
    if frame.dtype.kind not in "iu":
        return frame * kind.slope + kind.inter
    slope, inter = int(kind.slope), int(kind.inter)
    low, high = sorted((int(frame.min()) * slope + inter, int(frame.max()) * slope + inter))
    for bits in (16, 32, 64):
        if -(1 << bits - 1) <= low and high < 1 << bits - 1 and frame.dtype != np.uint64:
            values: Array = (frame.astype(np.int64) * slope + inter).astype(f"i{bits // 8}")
            return values
    raise FormatError(f"values from {low} to {high} fit into no integer")
