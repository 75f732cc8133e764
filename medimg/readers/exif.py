"""The orientation that an image file states beside its pixels: turning arrays by it, and taking it out of the file.

EXIF counts eight orientations: 1 is "as stored", 2 to 8 are the mirrorings and quarter turns that a viewer applies.
It stands in the Exif segment of JPEG, chunk eXIf of PNG, chunk EXIF of WebP, the tag 274 of TIFF, or as XMP.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable

import numpy as np

from medimg.pixels import Array

UPRIGHT = 1
_ORIENTATION, _XMP = 0x0112, 0x02BC
_XMP_STATES = re.compile(rb'(tiff:Orientation(?:="|>))[0-9]')
_TURNS: dict[int, Callable[[Array], Array]] = {
    2: lambda array: array[:, ::-1],
    3: lambda array: array[::-1, ::-1],
    4: lambda array: array[::-1],
    5: lambda array: array.swapaxes(0, 1),
    6: lambda array: np.rot90(array, -1),
    7: lambda array: array[::-1, ::-1].swapaxes(0, 1),
    8: lambda array: np.rot90(array, 1),
}
_BACK = {6: 8, 8: 6}
"""Quarter turns undo each other; every other turn undoes itself."""


def turns(orientation: object) -> bool:
    """Whether a viewer turns an image that states this orientation; other values than 2 to 8 do nothing."""
    return isinstance(orientation, int) and orientation in _TURNS


def turned(array: Array, orientation: int) -> Array:
    """Stored pixels (height, width[, channels]) as a viewer shows them."""
    return np.ascontiguousarray(_TURNS[orientation](array)) if orientation in _TURNS else array


def stored(array: Array, orientation: int) -> Array:
    """Shown pixels (height, width[, channels]) as the file stores them: the inverse of `turned`."""
    return turned(array, _BACK.get(orientation, orientation))


def upright(data: bytes) -> bytes:
    """The file with each orientation that it states set to 1, all other bytes as they are (but for PNG's checksums).

    A place where this does not look (text that a PNG compresses) keeps what it says: compare what the result shows.
    """
    out = bytearray(data)
    try:
        if data[:2] == b"\xff\xd8":
            _jpeg(out)
        elif data[:8] == b"\x89PNG\r\n\x1a\n":
            _png(out)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            _webp(out)
        else:
            _directory(out, 0, len(out))
    except (struct.error, IndexError):
        return data
    return bytes(out)


def _jpeg(out: bytearray) -> None:
    place = 2
    while out[place] == 0xFF:
        marker = out[place + 1]
        if marker in (0xD9, 0xDA):
            return
        if marker == 0xFF:
            place += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            place += 2
            continue
        (length,) = struct.unpack_from(">H", out, place + 2)
        start, end = place + 4, place + 2 + length
        if marker == 0xE1 and out[start : start + 6] == b"Exif\0\0":
            _directory(out, start + 6, end)
        elif marker == 0xE1 and out[start : start + 29] == b"http://ns.adobe.com/xap/1.0/\0":
            _xmp(out, start, end)
        place = end


def _png(out: bytearray) -> None:
    place = 8
    while place < len(out):
        length, kind = struct.unpack_from(">I4s", out, place)
        start, end = place + 8, place + 8 + length
        if kind == b"eXIf":
            _directory(out, start, end)
        elif kind == b"iTXt" and out[start : start + 18] == b"XML:com.adobe.xmp\0":
            _xmp(out, start, end)
        if kind in (b"eXIf", b"iTXt"):
            struct.pack_into(">I", out, end, zlib.crc32(out[place + 4 : end]))
        place = end + 4


def _webp(out: bytearray) -> None:
    place = 12
    while place < len(out):
        kind, length = struct.unpack_from("<4sI", out, place)
        start, end = place + 8, place + 8 + length
        if kind == b"EXIF":
            _directory(out, start + 6 if out[start : start + 6] == b"Exif\0\0" else start, end)
        elif kind == b"XMP ":
            _xmp(out, start, end)
        place = end + length % 2


def _xmp(out: bytearray, start: int, end: int) -> None:
    out[start:end] = _XMP_STATES.sub(rb"\g<1>1", out[start:end])


def _directory(out: bytearray, start: int, end: int) -> None:
    """The first directory of a TIFF (BigTIFF too) that stands in out[start:end]; offsets count from `start`."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(out[start : start + 2]))
    if order is None:
        return
    (magic,) = struct.unpack_from(f"{order}H", out, start + 2)
    big = magic == 43
    (offset,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", out, start + (8 if big else 4))
    (count,) = struct.unpack_from(f"{order}Q" if big else f"{order}H", out, start + offset)
    place = start + offset + (8 if big else 2)
    for _ in range(min(count, 65535)):
        if place >= end:
            return
        tag, kind = struct.unpack_from(f"{order}HH", out, place)
        (values,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", out, place + 4)
        value = place + (12 if big else 8)
        letter = {1: "B", 3: "H", 4: "I"}.get(kind)
        if tag == _ORIENTATION and values == 1 and letter:
            struct.pack_into(f"{order}{letter}", out, value, UPRIGHT)
        elif tag == _XMP and values > 8:
            (where,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", out, value)
            _xmp(out, start + where, min(start + where + values, end))
        place = value + (8 if big else 4)
