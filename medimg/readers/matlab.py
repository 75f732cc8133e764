"""MATLAB files (.mat) of versions 4 to 7.2, one numeric array at a time; nothing else in the file is looked at.

Axes are those of MATLAB: a matrix (rows, columns) becomes a `Picture` (height, width).
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from medimg.errors import BombError, FormatError, MedimgError
from medimg.files import File
from medimg.pixels import Picture, Pixels
from medimg.readers.raster import label_picture, what_it_is

MAX_VALUES = 1 << 28
"""A matrix of more values than this is not loaded."""


def labels(file: File, key: str) -> Pixels:
    """The matrix `key` as a label map: whole numbers in the smallest exact integer type.

    Raises (on `read`):
        FormatError: no MATLAB file, one of version 7.3 (HDF5), no such matrix, or values that are not whole.
        BombError: more than `MAX_VALUES` values.
    """
    return _Labels(file, key)


@dataclass(frozen=True, slots=True)
class _Labels(Pixels):
    file: File
    key: str

    def files(self) -> Iterable[File]:
        return (self.file,)

    def read(self) -> Picture:
        try:
            return label_picture(_matrix(self.file.read(), self.key))
        except MedimgError as error:
            raise error.within(file=self.file.path) from error


def _matrix(data: bytes, key: str) -> np.ndarray:
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    if data[:10] == b"MATLAB 7.3" or data[:8] == b"\x89HDF\r\n\x1a\n":
        raise FormatError("a MATLAB file of version 7.3 (HDF5)", next_step="save it again with -v7 in MATLAB")
    try:
        shapes = {name: (shape, kind) for name, shape, kind in whosmat(io.BytesIO(data))}
        if key not in shapes:
            raise FormatError(f"no matrix {key!r}; there are {sorted(shapes)[:8]}")
        shape, kind = shapes[key]
        if len(shape) != 2 or kind in ("cell", "struct", "object", "char", "function", "opaque", "sparse"):
            raise FormatError(
                f"{key!r} is a {kind} of {' x '.join(map(str, shape))}, not a matrix of numbers"
            )
        if int(np.prod(shape, dtype=np.int64)) > MAX_VALUES:
            raise BombError(f"{key!r} promises {' x '.join(map(str, shape))} values")
        array = np.asarray(loadmat(io.BytesIO(data), variable_names=[key])[key])
    except MedimgError:
        raise
    except (MatReadError, ValueError, TypeError, KeyError, OSError, NotImplementedError, zlib.error) as error:
        told = what_it_is(data[:512])
        raise FormatError(
            told if told.startswith(("this", "the file")) else f"no readable MATLAB file ({error})"
        ) from error
    return array
