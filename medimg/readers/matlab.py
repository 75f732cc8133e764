"""MATLAB files (.mat) of versions 4 to 7.2, one numeric array at a time; nothing else in the file is looked at.

Axes are those of MATLAB: a matrix (rows, columns) becomes a `Picture` (height, width).
"""

from __future__ import annotations

import io
import math
import zlib
from typing import Literal

import numpy as np

from medimg.errors import BombError, FormatError, MedimgError
from medimg.files import File
from medimg.files.decoders import CODECS, beginning, exceeds
from medimg.pixels import Picture, Pixels
from medimg.readers.depth import label_picture
from medimg.readers.promises import Promised
from medimg.readers.raster import what_it_is

MAX_VALUES = 1 << 28
"""A matrix of more values than this is not loaded."""
MAX_OTHER = 64 << 20
"""Bytes to which a variable of another kind than numbers may expand."""
_COMPRESSED, _SPARE = 15, 1 << 16
_NUMBERS = range(6, 16)
"""MATLAB's classes from double to uint64."""


def mask(file: File, key: str) -> Pixels:
    """The matrix `key` as a label map: whole numbers in the smallest exact integer type.

    Raises (on `read`):
        FormatError: no MATLAB file, one of version 7.3 (HDF5), no such matrix, or values that are not whole.
        BombError: more than `MAX_VALUES` values.
    """
    return Promised((file,), _mask, (file, key))


def _mask(file: File, key: str) -> Picture:
    return label_picture(_matrix(file.read(), key))


def _matrix(data: bytes, key: str) -> np.ndarray:
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    if data[:10] == b"MATLAB 7.3" or data[:8] == b"\x89HDF\r\n\x1a\n":
        raise FormatError("a MATLAB file of version 7.3 (HDF5)", next_step="save it again with -v7 in MATLAB")
    try:
        _check_packed(data)
        shapes = {name: (shape, kind) for name, shape, kind in whosmat(io.BytesIO(data))}
        if key not in shapes:
            raise FormatError(f"no matrix {key!r}; there are {sorted(shapes)[:8]}")
        shape, kind = shapes[key]
        if len(shape) != 2 or kind in ("cell", "struct", "object", "char", "function", "opaque", "sparse"):
            raise FormatError(f"{key!r} is a {kind} of {' x '.join(map(str, shape))}, not a matrix of numbers")
        if int(np.prod(shape, dtype=np.int64)) > MAX_VALUES:
            raise BombError(f"{key!r} promises {' x '.join(map(str, shape))} values")
        array = np.asarray(loadmat(io.BytesIO(data), variable_names=[key])[key])
    except MedimgError:
        raise
    except (MatReadError, ValueError, TypeError, KeyError, OSError, NotImplementedError, zlib.error) as error:
        raise FormatError(what_it_is(data[:512], f"no readable MATLAB file ({error})")) from error
    return array


def _check_packed(data: bytes) -> None:
    """Refuse compressed variables that expand to more than their values take: each is unpacked to its end."""
    if data[124:128] not in (b"\0\1IM", b"\1\0MI"):
        return  # version 4, which packs nothing
    order: Literal["little", "big"] = "little" if data[126:128] == b"IM" else "big"

    def number(part: bytes, at: int) -> int:
        return int.from_bytes(part[at : at + 4], order)

    at = 128
    while at + 8 <= len(data):
        kind, size = number(data, at), number(data, at + 4)
        if kind == _COMPRESSED:
            packed = data[at + 8 : at + 8 + size]
            head = beginning(CODECS["zlib"], packed, 256)
            # Eight bytes each: tag, tag of the flags, flags with the class, tag of the dimensions; then these.
            flags, axes = number(head, 16), min(number(head, 28) // 4, 32)
            values = math.prod(number(head, 32 + 4 * axis) for axis in range(axes))
            most = 16 * values + _SPARE if flags & 0xFF in _NUMBERS else MAX_OTHER
            if flags & 0xFF in _NUMBERS and values > MAX_VALUES:
                raise BombError(f"a variable promises {values:,} values; at most {MAX_VALUES:,} are loaded")
            if exceeds(CODECS["zlib"], [packed], most):
                raise BombError(f"a variable that expands to more than the {most:,} bytes that its values take")
        at += 8 + size
