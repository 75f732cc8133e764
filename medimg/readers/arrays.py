"""NumPy files (.npy, .npz), item by item and without pickles.

An item is what one index of the first axis holds. (H, W) and (H, W, 1, 3 or 4) become a `Picture`, other
three- and four-dimensional items a `Volume` with the axes as they are stored. NumPy files know no geometry:
without `affine` a volume gets the identity, which claims neither spacing nor orientation.
"""

from __future__ import annotations

import io
import math
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from medimg.errors import BombError, FormatError, PickleError
from medimg.files import File
from medimg.pixels import Array, Image, Picture, Pixels, Volume
from medimg.readers.depth import storable
from medimg.readers.promises import naming

Kind = Literal["picture", "volume"]
Affine = Sequence[Sequence[float]]
MAX_VALUES = 64 << 20
"""Bytes of an array that may become Python lists."""
_HEADER = 1 << 16


def npy(file: File, *, index: int | None = None, kind: Kind | None = None, affine: Affine | None = None) -> Pixels:
    """The array of a .npy file, or its item `index`; `read()` gives a `Picture` or a `Volume`.

    Args:
        file: the .npy.
        index: item along the first axis; None takes the whole array.
        kind: "picture" or "volume" where the shape alone would tell wrong.
        affine: 4x4 voxel-to-world matrix in mm (RAS+) of a volume.

    Raises (on `read`):
        PickleError: the array holds Python objects.
        FormatError: no .npy, truncated, or an array that is no image.
    """
    return _Item(_Member(file, None), index, kind, affine)


def npz_items(
    file: File, key: str | None, *, kind: Kind | None = None, affine: Affine | None = None
) -> Iterator[Pixels]:
    """All items of the array `key` along its first axis, as promises; `key` None reads a .npy.

    The array is never loaded: reading the items in their order passes once over the file and holds one item.
    An item out of order is found at once in stored members, and by starting over in compressed ones. (An
    array in Fortran order has no items in a row and is loaded whole.)

    Raises:
        PickleError, FormatError: as `npy`, on the first step; truncation on `read`.
    """
    with closing(_Member(file, key)) as member:
        for index in range(member.length()):
            yield _Item(member, index, kind, affine)


def npz_values(file: File, key: str | None) -> list[Any]:
    """A small array (labels, ids) as Python numbers or text, nested lists where it has several axes.

    Raises:
        PickleError, FormatError: as `npy`.
        BombError: more than `MAX_VALUES` bytes.
    """
    values: list[Any] = np.atleast_1d(load_array(file, key, limit=MAX_VALUES)).tolist()
    return values


def load_array(file: File, key: str | None, *, limit: int | None = None) -> Array:
    """The whole array `key` of a .npz, or of a .npy where `key` is None; shape and dtype as stored.

    Raises:
        PickleError, FormatError: as `npy`.
        BombError: more than `limit` bytes; without it, more than an image of the file may have.
    """
    with closing(_Member(file, key)) as member:
        return member.whole(limit)


@dataclass(frozen=True, slots=True)
class _Item(Pixels):
    member: _Member
    index: int | None
    kind: Kind | None
    affine: Affine | None

    def files(self) -> Iterable[File]:
        return (self.member.file,)

    def read(self) -> Image:
        with naming(self.member.place):
            if self.index is not None:
                return _image(self.member.item(self.index), self.kind, self.affine)
            with closing(self.member):
                return _image(self.member.whole(), self.kind, self.affine)


def _image(array: Array, kind: Kind | None, affine: Affine | None) -> Picture | Volume:
    flat = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if kind == "picture" or (kind is None and flat):
        return Picture(storable(array))
    if array.ndim not in (2, 3, 4) or 0 in array.shape or array.dtype.kind not in "buif":
        raise FormatError(f"an array of {array.dtype} and shape {array.shape} is no image")
    if affine is None:
        return Volume.from_array(array, np.eye(4), unsized="an array states no size of voxels")
    return Volume.from_array(array, np.asarray(affine, dtype=np.float64))


class _Member:
    """One array inside a file, read in order through an open stream that any number of items share."""

    def __init__(self, file: File, key: str | None) -> None:
        self.file = file
        self.key = key
        self._lock = threading.Lock()
        self._stream: Any = None
        self._opened = ExitStack()
        self._next = 0
        self._last: tuple[int, Array] | None = None
        self._direct = False
        self._start = 0
        self.shape: tuple[int, ...] = ()
        self.dtype = np.dtype(np.uint8)
        self.fortran = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _Member, (self.file, self.key)

    @property
    def place(self) -> str:
        return self.file.path if self.key is None else f"{self.file.path}[{self.key!r}]"

    def close(self) -> None:
        self._opened.close()
        self._stream = None

    def length(self) -> int:
        with self._lock, self._named():
            self._open()
            if not self.shape:
                raise FormatError("a single value has no items")
            return self.shape[0]

    def whole(self, limit: int | None = None) -> Array:
        """The whole array, at most `limit` bytes, or as many as an image of the file may have."""
        with self._lock, self._named():
            return self._whole(limit)

    def item(self, index: int) -> Array:
        """Item `index` along the first axis.

        Raises:
            FormatError: there is no such item, or the file is truncated.
            BombError: the item is larger than an image of the file may be.
        """
        with self._lock, self._named():
            if self._last is not None and self._last[0] == index:
                return self._last[1]
            if self._stream is None:
                self._open()
            if not self.shape or not 0 <= index < self.shape[0]:
                raise FormatError(f"there is no item {index} in an array of shape {self.shape}")
            if self.fortran and len(self.shape) > 1:
                return np.ascontiguousarray(self._whole(None)[index])
            size = math.prod(self.shape[1:]) * self.dtype.itemsize
            self.file.check_decoded(size, f"an item of {self.dtype} and shape {self.shape[1:]}")
            if self._direct:
                self._stream.seek(self._start + index * size)
            else:
                if index < self._next:
                    self._open()
                left = (index - self._next) * size
                while left:
                    left -= len(_exactly(self._stream, min(left, 1 << 20)))
            data = _exactly(self._stream, size)
            array: Array = np.frombuffer(data, dtype=self.dtype).reshape(self.shape[1:])
            array.flags.writeable = False  # it is handed out again if it is asked for again
            self._next, self._last = index + 1, (index, array)
            return array

    def _whole(self, limit: int | None) -> Array:
        self._open()
        size = math.prod(self.shape) * self.dtype.itemsize
        if limit is None:
            self.file.check_decoded(size, f"an array of {self.dtype} and shape {self.shape}")
        elif size > limit:
            raise BombError(f"an array of {size} bytes, over the limit of {limit}", next_step="read it item by item")
        flat: Array = np.frombuffer(_exactly(self._stream, size), dtype=self.dtype)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors name the member, what goes wrong in its bytes is a FormatError; after any it is closed."""
        try:
            with naming(self.place):
                yield
        except BaseException as error:
            self.close()
            if isinstance(error, zipfile.BadZipFile | zlib.error | EOFError | NotImplementedError | RuntimeError):
                kind = "npy" if self.key is None else "npz"
                raise FormatError(f"a damaged or truncated {kind} ({error})", file=self.place) from error
            raise

    def _open(self) -> None:
        """Open at the first item; the header is checked against the member's size before anything is read."""
        self.close()
        raw = self._opened.enter_context(self.file.open())
        self._next = 0
        if self.key is None:
            length = raw.seek(0, 2)
            raw.seek(0)
            self._stream, self._direct, base = raw, True, 0
        else:
            archive = self._opened.enter_context(zipfile.ZipFile(raw))
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if self.key not in names:
                raise FormatError(f"there is no array {self.key!r}; there are {names[:20]}")
            info = archive.infolist()[names.index(self.key)]
            length = info.file_size
            self._direct = info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1
            if self._direct:
                raw.seek(info.header_offset + 26)
                base = info.header_offset + 30 + sum(struct.unpack("<HH", _exactly(raw, 4)))
                raw.seek(base)
                self._stream = raw
            else:
                self._stream, base = self._opened.enter_context(archive.open(info)), 0
        self._header()
        self._start = self._stream.tell()
        promised = self._start - base + math.prod(self.shape) * self.dtype.itemsize
        if promised > length:
            raise FormatError(f"the header promises {promised} bytes, there are {length}")

    def _header(self) -> None:
        try:
            version = np.lib.format.read_magic(self._stream)
            read = np.lib.format.read_array_header_1_0
            width = 2
            if version != (1, 0):
                read, width = np.lib.format.read_array_header_2_0, 4
            # NumPy would read a header of any length before it refuses it.
            length = bytes(_exactly(self._stream, width))
            if (count := int.from_bytes(length, "little")) > _HEADER:
                raise FormatError(f"not a NumPy array: a header of {count:,} bytes")
            header = io.BytesIO(length + bytes(_exactly(self._stream, count)))
            self.shape, self.fortran, self.dtype = read(header)
        except (ValueError, TypeError) as error:
            raise FormatError(f"not a NumPy array ({error})") from error
        if self.dtype.hasobject:
            raise PickleError(
                "the array holds pickled Python objects, which are never loaded.",
                next_step="save it again with a plain dtype, if you trust its author",
            )
        if self.dtype.names or self.dtype.subdtype or any(n < 0 for n in self.shape):
            raise FormatError(f"an array of {self.dtype} and shape {self.shape} is not supported")


def _exactly(stream: Any, size: int) -> bytearray:
    """`size` bytes; memory grows with what is really there."""
    data = bytearray()
    while len(data) < size:
        chunk = stream.read(min(size - len(data), 1 << 24))
        if not chunk:
            raise FormatError(f"truncated: {size} bytes are missing {size - len(data)}")
        data += chunk
    return data
