"""PGM and PPM by hand: Pillow stretches values whose declared maximum is not 255 or 65535."""

from __future__ import annotations

import re

import numpy as np

from medimg.errors import FormatError
from medimg.files import File
from medimg.pixels import Array
from medimg.readers.depth import check_size, deep_color

_GAP = rb"(?:\s|#[^\n]*\n)+"
_PNM_HEADER = re.compile(rb"P([2356])" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)\s")


def netpbm_header(data: bytes, file: File | None) -> tuple[int, int, int, int, int] | None:
    """(kind, width, height, maximum, where the values begin) of a PGM or PPM; None for other pictures."""
    if data[:2] not in (b"P2", b"P3", b"P5", b"P6"):
        return None
    header = _PNM_HEADER.match(data[:4096])
    if header is None or max(len(field) for field in header.groups()) > 10:
        raise FormatError("a damaged PGM or PPM header")
    kind, width, height, maximum = (int(field) for field in header.groups())
    # A number that is written in digits is an object for a while.
    itemsize = 64 if kind in (2, 3) else 2 if maximum > 255 else 1
    check_size((height, width, 3 if kind in (3, 6) else 1), itemsize, "PGM or PPM", file)
    return kind, width, height, maximum, header.end()


def netpbm(data: bytes, file: File | None) -> Array | None:
    """PGM and PPM by hand: Pillow stretches values whose declared maximum is not 255 or 65535."""
    header = netpbm_header(data, file)
    if header is None:
        return None
    kind, width, height, maximum, start = header
    channels = 3 if kind in (3, 6) else 1
    count = width * height * channels
    if not count or not 0 < maximum < 65536:
        raise FormatError(f"a PGM or PPM of {height} x {width} pixels with maximum {maximum}")
    if channels == 3 and maximum > 255:
        raise deep_color("a PPM with 16 bits per channel")
    dtype = np.dtype(">u2" if maximum > 255 else "u1")
    body = memoryview(data)[start:]
    if kind in (5, 6):
        there = len(body) // dtype.itemsize
        flat: Array = np.frombuffer(body, dtype=dtype, count=min(count, there))
    else:
        words = re.sub(rb"#[^\n]*", b"", bytes(body)).split(maxsplit=count)[:count]
        try:
            flat = np.array(words, dtype=np.int64)
        except (ValueError, OverflowError) as error:
            raise FormatError(f"a damaged ASCII PGM or PPM ({error})") from error
    if flat.size < count:
        raise FormatError(f"a truncated PGM or PPM: {count} values promised, {flat.size} there")
    if int(flat.max()) > maximum or int(flat.min()) < 0:
        raise FormatError(f"a PGM or PPM value is outside 0..{maximum}, the range that it declares")
    native = flat.astype(dtype.newbyteorder("="))
    return native.reshape((height, width, 3) if channels == 3 else (height, width))
