"""Bytes that can be read at any offset: files, windows on them, and streams over both."""

from __future__ import annotations

import io
import os
import threading
import zlib
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from medimg.errors import ArchiveError, MedimgError, SourceError
from medimg.files.names import sniff

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

KiB, MiB, GiB = 1 << 10, 1 << 20, 1 << 30
AGAIN = "download the file again and compare its size with the one that the source states"
UNPACK = "unpack the outer archive once and pass the folder"


class Blob(ABC):
    """Bytes that can be read at any offset, by several threads. `size` is None while it is unknown."""

    size: int | None = None

    @abstractmethod
    def read_at(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset`; fewer only at the end."""

    def forward(self) -> None:  # noqa: B027
        """Say that all reading will go forward, so that a source that cannot seek will do."""

    def close(self) -> None:  # noqa: B027
        """Let go of handles."""


class BytesBlob(Blob):
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def read_at(self, offset: int, count: int) -> bytes:
        """See `Blob`."""
        return self.data[offset : offset + count]


class Handles:
    """Keeps the number of open local files bounded: a folder may hold thousands of archives."""

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._open: OrderedDict[LocalBlob, None] = OrderedDict()
        self._lock = threading.Lock()

    def touch(self, blob: LocalBlob) -> None:
        """`blob` is about to be read."""
        with self._lock:
            self._open[blob] = None
            self._open.move_to_end(blob)
            old = self._open.popitem(last=False)[0] if len(self._open) > self._limit else None
        if old:
            old.close()

    def close(self) -> None:
        """Close all."""
        with self._lock:
            blobs = list(self._open)
            self._open.clear()
        for blob in blobs:
            blob.close()


class LocalBlob(Blob):
    """A local file."""

    def __init__(self, path: Path, size: int, handles: Handles) -> None:
        self.size = size
        self._path = path
        self._handles = handles
        self._lock = threading.Lock()
        self._stream: io.FileIO | None = None

    def read_at(self, offset: int, count: int) -> bytes:
        """See `Blob`."""
        self._handles.touch(self)
        with self._lock:
            try:
                if self._stream is None:
                    self._stream = self._path.open("rb", buffering=0)
                stream = self._stream
                if hasattr(os, "pread"):  # leaves the position alone, which forked processes share
                    handle = stream.fileno()
                    return self._whole(lambda done: os.pread(handle, count - done, offset + done), count)
                stream.seek(offset)
                return self._whole(lambda done: stream.read(count - done) or b"", count)
            except OSError as error:
                raise SourceError(f"cannot be read: {error}", file=self._path.name) from error

    @staticmethod
    def _whole(read: Callable[[int], bytes], count: int) -> bytes:
        data = read(0)
        if len(data) == count or not data:
            return data
        parts = [data]  # one read of Linux yields at most 2 GiB
        done = len(data)
        while done < count and (data := read(done)):
            parts.append(data)
            done += len(data)
        return b"".join(parts)

    def close(self) -> None:
        """See `Blob`."""
        with self._lock:
            if self._stream is not None:
                self._stream.close()
                self._stream = None


class Window(Blob):
    """A part of another blob."""

    def __init__(self, source: Blob, start: int, size: int) -> None:
        self.size: int = size
        self._source = source
        self._start = start

    def read_at(self, offset: int, count: int) -> bytes:
        """See `Blob`."""
        count = min(count, self.size - offset)
        return self._source.read_at(self._start + offset, count) if count > 0 else b""

    def forward(self) -> None:
        """See `Blob`."""
        self._source.forward()


class Sparse(Blob):
    """A file with holes: what is stored of it, one extent after the other, and zeros between.

    Args:
        stored: the bytes of all extents.
        extents: (offset, size) in the file, in order and apart.
        size: of the file.
    """

    def __init__(self, stored: Blob, extents: Sequence[tuple[int, int]], size: int) -> None:
        self.size: int = size
        self._stored = stored
        self._extents = extents
        self._ends = [offset + length for offset, length in extents]
        self._starts = [0, *accumulate(length for _, length in extents)]

    def read_at(self, offset: int, count: int) -> bytes:
        """See `Blob`."""
        data = bytearray(max(0, min(count, self.size - offset)))
        for index in range(bisect_right(self._ends, offset), len(self._extents)):
            begin, length = self._extents[index]
            first = max(begin, offset)
            last = min(begin + length, offset + len(data))
            if last <= first:
                break
            piece = self._stored.read_at(self._starts[index] + first - begin, last - first)
            if len(piece) < last - first:
                return bytes(data[: first - offset]) + piece
            data[first - offset : last - offset] = piece
        return bytes(data)

    def forward(self) -> None:
        """See `Blob`."""
        self._stored.forward()


class BlobStream(io.RawIOBase):
    """A seekable stream over a blob, with its own position.

    Args:
        blob: what to read.
        size: of it; a blob that ends early is an error.
        crc: CRC-32 that the whole must have; checked when it was read in one go from start to end.
        blame: adds the file's name to errors.
    """

    def __init__(
        self,
        blob: Blob,
        size: int,
        crc: int | None = None,
        blame: Callable[[MedimgError], MedimgError] = lambda error: error,
    ) -> None:
        self._blob = blob
        self._size = size
        self._position = 0
        self._crc = crc
        self._summed = 0
        self._sum = 0
        self._blame = blame
        self.name = ""  # pydicom asks every buffered stream for one

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Position."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move."""
        position = offset + (0, self._position, self._size)[whence]
        if position < 0:
            raise ValueError("negative position")
        self._position = position
        return position

    def read(self, size: int | None = -1) -> bytes:
        """`size` bytes; fewer only at the end."""
        left = self._size - self._position
        count = left if size is None or size < 0 else min(size, left)
        if count <= 0:
            return b""
        try:
            data = self._blob.read_at(self._position, count)
            if len(data) < count:
                raise broken(f"is cut: {self._size:,} bytes are declared, {self._position + len(data):,} are there")
            if self._crc is not None and self._summed == self._position:
                self._sum = zlib.crc32(data, self._sum)
                self._summed += count
                if self._summed == self._size and self._sum != self._crc:
                    raise crc_error(self._crc, self._sum)
        except MedimgError as error:
            raise self._blame(error) from error.__cause__
        self._position += count
        return data

    def readall(self) -> bytes:
        """All that is left."""
        return self.read()

    def readinto(self, buffer: WriteableBuffer) -> int:
        """See io.RawIOBase."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)


def buffered(raw: BlobStream, size: int) -> BinaryIO:
    """A buffered stream; small files get small buffers."""
    return io.BufferedReader(raw, buffer_size=max(8 * KiB, min(256 * KiB, size)))


def broken(problem: str, file: str | None = None) -> ArchiveError:
    """The error for an archive, or a file of one, that is not as it was made: it must be had again."""
    return ArchiveError(problem, file=file, next_step=AGAIN)


def crc_error(expected: int, found: int) -> ArchiveError:
    """The error for bytes whose CRC-32 is another than the stated one."""
    return broken(f"is damaged: its CRC-32 is {found:08x}, the archive states {expected:08x}")


def not_an_archive(blob: Blob, kind: str) -> ArchiveError:
    """The error for a file that is not the archive that its name claims."""
    head = blob.read_at(0, 512)
    found = sniff(head)
    if found == "html":
        return html_error()
    if not head:
        return broken(f"is empty, not a {kind} archive")
    if found and found != kind:
        return other_kind(found, kind)
    return broken(f"is truncated or no {kind} archive: it starts with {head[:8]!r}")


def other_kind(found: str, kind: str | None = None) -> ArchiveError:
    """The error for an archive of a kind that is not read, or of another kind than its name says."""
    if found in ("7z", "rar"):
        step = f"unpack it once ({'7-Zip' if found == '7z' else 'unrar or 7-Zip'}) and pass the folder"
    else:
        step = f"give it the name of what it is (… .{found}), or unpack it once and pass the folder"
    return ArchiveError(
        f"is a {found} archive, {'whatever its name says' if kind is None else f'not {kind}'}", next_step=step
    )


def html_error() -> ArchiveError:
    """The error for a login or warning page that was saved under the name of a file."""
    return ArchiveError(
        "is an HTML page and not the file itself: a login page, terms to accept, or a warning of the server",
        next_step="open the address in a browser, sign in or confirm, download the file and pass its path",
    )
