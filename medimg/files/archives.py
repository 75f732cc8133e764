"""Archives read in place: zip and tar, plain or compressed, inside one another; nothing is unpacked to disk.

All stands on `Blob`: bytes that can be read at any offset. A stored zip member and a tar member are windows
on their archive's blob; a compressed stream is a blob too, because the decompressor's state is copied every
few MiB, so that reading elsewhere starts at the copy before it and not at the beginning. The first pass over
a tar.gz thus reads it once, and makes every later read of it short.
"""

from __future__ import annotations

import bz2
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol

from medimg.errors import ArchiveError, BombError, MedimgError, SourceError, UnsafePathError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

KiB, MiB, GiB = 1 << 10, 1 << 20, 1 << 30
AGAIN = "download the file again and compare its size with the one that the source states"
UNPACK = "unpack the outer archive once and pass the folder"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may expand to; beyond it a BombError is raised.

    The defaults let pass what public datasets hold (archives of hundreds of GB, members of 10 GB, label maps
    that compress a thousandfold) and stop what no dataset holds.

    Attributes:
        member_bytes: size of one member.
        total_bytes: sizes of all members of all archives of a view.
        members: number of members of all archives of a view.
        ratio: size over compressed size, asked only of what is larger than `ratio_floor`.
        ratio_floor: bytes below which no ratio is too high.
        depth: archives in archives (1: the outermost only).
        memory: bytes that a view may hold to make random access possible: states of decompressors, and whole
            files of servers that ignore range requests or of archives that allow no random access.
    """

    member_bytes: int = 64 * GiB
    total_bytes: int = 8 << 40
    members: int = 10_000_000
    ratio: int = 2000
    ratio_floor: int = 64 * MiB
    depth: int = 3
    memory: int = 256 * MiB


class Budget:
    """Counts what the archives of one view hold together."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.checkpoints = Checkpoints(limits.memory // CHECKPOINT_BYTES)
        self._members = 0
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, name: str, size: int, packed: int | None = None) -> None:
        """Count one member before anything of it is read."""
        limits = self.limits
        with self._lock:
            self._members += 1
            self._bytes += size
            members, total = self._members, self._bytes
        if size > limits.member_bytes:
            raise BombError(
                f"declares {size:,} bytes; at most {limits.member_bytes:,} are allowed",
                file=name,
                next_step="if the source is to be trusted, raise Limits.member_bytes",
            )
        if packed is not None and size > limits.ratio_floor and size > limits.ratio * packed:
            raise BombError(
                f"declares {size:,} bytes from {packed:,} compressed; at most {limits.ratio}:1 is allowed",
                file=name,
                next_step="if the source is to be trusted, raise Limits.ratio",
            )
        if members > limits.members:
            raise BombError(
                f"the archives hold more than {limits.members:,} members",
                file=name,
                next_step="if the source is to be trusted, raise Limits.members",
            )
        if total > limits.total_bytes:
            raise BombError(
                f"the archives expand to more than {limits.total_bytes:,} bytes",
                file=name,
                next_step="if the source is to be trusted, raise Limits.total_bytes",
            )


# ------------------------------------------------------------------------------------------------------ names

_ARCHIVES = {
    ".zip": "zip",
    ".tar": "tar",
    ".tar.gz": "gzip",
    ".tgz": "gzip",
    ".tar.bz2": "bz2",
    ".tbz2": "bz2",
    ".tbz": "bz2",
    ".tar.xz": "xz",
    ".txz": "xz",
}
_COMPOUND = (".nii.gz", ".tar.gz", ".tar.bz2", ".tar.xz")
_JUNK = re.compile(r"(?:^|/)(?:\.|(?:__MACOSX|thumbs\.db|ehthumbs\.db|desktop\.ini)(?:/|$))", re.IGNORECASE)
_SUSPECT = re.compile(r"[\0\\]|^[A-Za-z]:|(?:^|/)\.{0,2}(?:/|$)")


def split_name(name: str) -> tuple[str, str]:
    """Name without its suffix, and the suffix in lower case; ".nii.gz" and ".tar.gz" are one suffix each."""
    lower = name.lower()
    for suffix in _COMPOUND:
        if lower.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)], suffix
    stem, dot, last = name.rpartition(".")
    return (stem, "." + last.lower()) if dot and stem else (name, "")


def archive_kind(name: str) -> str | None:
    """The kind of archive that a file name claims, None for other files."""
    return _ARCHIVES.get(split_name(name)[1])


def sniff(head: bytes) -> str | None:
    """What the first 512 bytes are: a kind of archive, "html", or None."""
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"BZh"):
        return "bz2"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    if head[257:262] == b"ustar":
        return "tar"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return "html" if text.startswith((b"<!doctype html", b"<html", b"<head")) else None


def is_junk(path: str) -> bool:
    """What operating systems leave behind, and hidden files and folders."""
    return _JUNK.search(path) is not None


def safe_path(name: str) -> str:
    """The member's name as a plain relative path.

    Raises:
        UnsafePathError: the name could point outside the archive on some system.
    """
    if not _SUSPECT.search(name):
        return name
    problem = None
    if "\0" in name:
        problem = "holds a NUL character"
    elif "\\" in name:
        problem = "holds a backslash"
    elif name.startswith("/"):
        problem = "is absolute"
    elif re.match(r"[A-Za-z]:", name):
        problem = "starts with a drive letter"
    elif ".." in name.split("/"):
        problem = "climbs with '..'"
    if problem:
        raise UnsafePathError(
            f"the member name {name!r} {problem}",
            next_step="do not unpack this archive; get it from the dataset's official address",
        )
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def link_target(path: str, target: str, *, relative: bool) -> str:
    """Where a link at `path` points, as a path inside the archive.

    Raises:
        UnsafePathError: outside the archive.
    """
    parts = path.split("/")[:-1] if relative else []
    for part in target.split("/"):
        if part == "..":
            if not parts:
                break
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    else:
        if not target.startswith("/") and not re.search(r"[\\\0]|^[A-Za-z]:", target):
            return "/".join(parts)
    raise UnsafePathError(
        f"the link points outside the archive, to {target!r}",
        file=path,
        next_step="do not unpack this archive; get it from the dataset's official address",
    )


# ------------------------------------------------------------------------------------------------------ bytes


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


class BlobStream(io.RawIOBase):
    """A seekable stream over a blob, with its own position.

    Args:
        blob: what to read.
        start, size: the part of it; its end is checked, a blob that ends early is an error.
        crc: CRC-32 that the whole must have; checked when it was read in one go from start to end.
        blame: adds the file's name to errors.
    """

    def __init__(
        self,
        blob: Blob,
        start: int,
        size: int,
        crc: int | None = None,
        blame: Callable[[MedimgError], MedimgError] = lambda error: error,
    ) -> None:
        self._blob = blob
        self._start = start
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
            data = self._blob.read_at(self._start + self._position, count)
            if len(data) < count:
                raise ArchiveError(
                    f"is cut: {self._size:,} bytes are declared, {self._position + len(data):,} are there",
                    next_step=AGAIN,
                )
            if self._crc is not None and self._summed == self._position:
                self._sum = zlib.crc32(data, self._sum)
                self._summed += count
                if self._summed == self._size and self._sum != self._crc:
                    raise _crc_error(self._crc, self._sum)
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


def _crc_error(expected: int, found: int) -> ArchiveError:
    return ArchiveError(
        f"is damaged: its CRC-32 is {found:08x}, the archive states {expected:08x}", next_step=AGAIN
    )


# ------------------------------------------------------------------------------------------- compressed bytes


class _Decoder(Protocol):
    """One compressed stream. `decode` returns output and the input that was not taken."""

    copies: bool

    @property
    def eof(self) -> bool: ...

    @property
    def hungry(self) -> bool: ...

    def decode(self, data: bytes, limit: int) -> tuple[bytes, bytes]: ...

    def copy(self) -> _Decoder: ...


class _Zlib:
    copies = True
    hungry = True

    def __init__(self, state: Any) -> None:
        self._state = state

    @property
    def eof(self) -> bool:
        return bool(self._state.eof)

    def decode(self, data: bytes, limit: int) -> tuple[bytes, bytes]:
        out = self._state.decompress(data, limit)
        return out, self._state.unused_data if self._state.eof else self._state.unconsumed_tail

    def copy(self) -> _Zlib:
        return _Zlib(self._state.copy())


class _Other:
    """Of bz2 and lzma, which keep untaken input themselves and cannot be copied."""

    copies = False

    def __init__(self, state: Any) -> None:
        self._state = state

    @property
    def eof(self) -> bool:
        return bool(self._state.eof)

    @property
    def hungry(self) -> bool:
        return bool(self._state.needs_input)

    def decode(self, data: bytes, limit: int) -> tuple[bytes, bytes]:
        out = self._state.decompress(data, limit)
        return out, self._state.unused_data if self._state.eof else b""

    def copy(self) -> _Other:
        raise NotImplementedError


class Codec(NamedTuple):
    """A compression: how to start, and the magic of a following stream (None: there is only one)."""

    name: str
    start: Callable[[], _Decoder]
    magic: bytes | None = None


CODECS = {
    "gzip": Codec("gzip", lambda: _Zlib(zlib.decompressobj(31)), b"\x1f\x8b"),
    "bz2": Codec("bzip2", lambda: _Other(bz2.BZ2Decompressor()), b"BZh"),
    "xz": Codec("xz", lambda: _Other(lzma.LZMADecompressor(lzma.FORMAT_XZ)), b"\xfd7zXZ\0"),
    "deflate": Codec("deflate", lambda: _Zlib(zlib.decompressobj(-15))),
    "zip-bz2": Codec("bzip2", lambda: _Other(bz2.BZ2Decompressor())),
}
CHECKPOINT_BYTES = 48 * KiB
"""What one copied state takes: zlib's 32 KiB window and its tables."""
_INPUT = 128 * KiB
_OUTPUT = 512 * KiB


class _Point(NamedTuple):
    position: int
    offset: int
    decoder: _Decoder
    crc: int


class Checkpoints:
    """Bounds the memory of all checkpoints: the least recently read archive loses its own first."""

    def __init__(self, limit: int) -> None:
        self._limit = max(8, limit)
        self._owners: OrderedDict[Decompressed, None] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def add(self, owner: Decompressed, point: _Point) -> None:
        """Keep `point`, which lies behind all other points of `owner`."""
        with self._lock:
            if owner.points and owner.points[-1].position >= point.position:
                return
            owner.points = [*owner.points, point]
            self._count += 1
            self._owners[owner] = None
            self._owners.move_to_end(owner)
            while self._count > self._limit:
                victim = next(iter(self._owners))
                before = len(victim.points)
                if victim is owner:
                    owner.points = owner.points[1::2]
                    owner.spacing *= 2
                else:
                    victim.points = []
                    del self._owners[victim]
                self._count -= before - len(victim.points)


class _Cursor:
    """One decompressor at one place: `ready` is decoded and starts at `position`."""

    def __init__(self, owner: Decompressed, point: _Point) -> None:
        self.owner = owner
        self.decoder: _Decoder | None = point.decoder
        self.offset = point.offset
        self.tail = b""
        self.dry = False
        self.position = point.position
        self.ready = b""
        self.crc = point.crc
        self.done = False

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes at `offset`, which does not lie before `position`."""
        sink: io.BytesIO | None = None
        while True:
            at = offset - self.position
            if at < len(self.ready):
                piece = self.ready if at == 0 and len(self.ready) <= count else self.ready[at : at + count]
                if sink is None and (len(piece) == count or self.done):
                    return piece
                sink = sink or io.BytesIO()  # getvalue() hands its buffer over without a second copy
                sink.write(piece)
                offset += len(piece)
                count -= len(piece)
            if not count or self.done or not self._more():
                return sink.getvalue() if sink else b""

    def finish(self) -> None:
        """Run to the end, where sums are checked; nothing may come."""
        while not self.done and self._more():
            pass

    def _more(self) -> bool:
        """Decode the next piece into `ready`; False at the end."""
        owner = self.owner
        end = self.position + len(self.ready)
        while True:
            if self.decoder is None and not self._next_stream():
                self.done = True
                owner.ended(end, self.crc)
                return False
            decoder = self.decoder
            assert decoder is not None
            if decoder.hungry and not self.tail and not self.dry:
                self._feed()
            data, self.tail = (self.tail, b"") if decoder.hungry else (b"", self.tail)
            try:
                out, rest = decoder.decode(data, _OUTPUT)
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
                raise owner.damaged(end, error) from error
            self.tail = rest + self.tail
            if decoder.eof:
                self.decoder = None
            elif not out and self.dry and not self.tail and decoder.hungry:
                if not self.offset:
                    raise not_an_archive(owner.source, owner.codec.name)
                raise ArchiveError(
                    f"is cut: its {owner.codec.name} data end early, after {end:,} decompressed bytes",
                    next_step=AGAIN,
                )
            if out:
                if owner.crc is not None:
                    self.crc = zlib.crc32(out, self.crc)
                self.position, self.ready = end, out
                end += len(out)
                owner.check(end, self.offset - len(self.tail))
                if decoder.copies and self.decoder is not None:
                    owner.passed(self, end)
                return True

    def _feed(self) -> None:
        piece = self.owner.source.read_at(self.offset, _INPUT)
        self.offset += len(piece)
        self.dry = not piece
        self.tail += piece

    def _next_stream(self) -> bool:
        """Start the stream that follows; zero bytes between streams are padding."""
        magic = self.owner.codec.magic
        if magic is None:
            return False
        while not self.dry:
            self.tail = self.tail.lstrip(b"\0")
            if len(self.tail) >= len(magic):
                break
            self._feed()
        if not self.tail.startswith(magic):
            return False
        self.decoder = self.owner.codec.start()
        return True


class Decompressed(Blob):
    """What a compressed stream expands to, readable at any offset.

    Args:
        source: the compressed bytes.
        codec: one of `CODECS`.
        budget: limits and checkpoints of the view.
        size, crc: what the archive states; both are checked while reading.
        kept: this blob is read again and again, its checkpoints share the view's memory.
    """

    def __init__(
        self,
        source: Blob,
        codec: Codec,
        budget: Budget,
        size: int | None = None,
        crc: int | None = None,
        kept: bool = True,
    ) -> None:
        self.source = source
        self.codec = codec
        self.size = size
        self.crc = crc
        self.points: list[_Point] = []
        self.spacing = 4 * MiB
        self._stated = size
        self._limits = budget.limits
        self._checkpoints = budget.checkpoints if kept else Checkpoints(32)
        self._idle: list[_Cursor] = []
        self._lock = threading.Lock()

    @property
    def random(self) -> bool:
        """Whether reading backwards costs less than starting over."""
        return self.codec.start().copies

    def forward(self) -> None:
        """See `Blob`."""
        self.source.forward()

    def read_at(self, offset: int, count: int) -> bytes:
        """See `Blob`."""
        if self.size is not None:
            count = min(count, self.size - offset)
            if count <= 0:
                return b""
        cursor = self._take(offset)
        data = cursor.read(offset, count)
        if self._stated is not None and offset + count >= self._stated:
            cursor.finish()
        with self._lock:
            self._idle.append(cursor)
            if len(self._idle) > 4:
                ahead = max(self._idle, key=lambda one: one.position)
                self._idle.remove(next(one for one in self._idle if one is not ahead))
        return data

    def _take(self, offset: int) -> _Cursor:
        """The cursor to go on with: an idle one or a copy of a checkpoint, the nearest before `offset`."""
        points = self.points
        at = bisect_right(points, offset, key=lambda point: point.position) - 1
        with self._lock:
            best = max(
                (one for one in self._idle if one.position <= offset),
                key=lambda one: one.position,
                default=None,
            )
            if best is not None and (at < 0 or best.position + len(best.ready) >= points[at].position):
                self._idle.remove(best)
                return best
        if at < 0:
            return _Cursor(self, _Point(0, 0, self.codec.start(), 0))
        point = points[at]
        return _Cursor(self, point._replace(decoder=point.decoder.copy()))

    def passed(self, cursor: _Cursor, end: int) -> None:
        """A cursor has come to `end`: keep its state if no other is near."""
        points = self.points
        if end >= (points[-1].position if points else 0) + self.spacing:
            assert cursor.decoder is not None
            offset = cursor.offset - len(cursor.tail)
            self._checkpoints.add(self, _Point(end, offset, cursor.decoder.copy(), cursor.crc))

    def check(self, end: int, taken: int) -> None:
        """Compare real sizes with declared and allowed ones."""
        limits = self._limits
        if self._stated is not None:
            if end > self._stated:
                raise BombError(
                    f"expands beyond the {self._stated:,} bytes that it declares",
                    next_step="do not unpack this archive; get it from the dataset's official address",
                )
        elif end > limits.total_bytes:
            raise BombError(
                f"expands to more than {limits.total_bytes:,} bytes",
                next_step="if the source is to be trusted, raise Limits.total_bytes",
            )
        if end > limits.ratio_floor and end > limits.ratio * taken:
            raise BombError(
                f"{taken:,} compressed bytes expand to {end:,}; at most {limits.ratio}:1 is allowed",
                next_step="if the source is to be trusted, raise Limits.ratio",
            )

    def ended(self, end: int, crc: int) -> None:
        """A cursor has come to the end of the stream."""
        if self._stated is not None and end != self._stated:
            raise ArchiveError(
                f"expands to {end:,} bytes, the archive states {self._stated:,}", next_step=AGAIN
            )
        if self.crc is not None and crc != self.crc:
            raise _crc_error(self.crc, crc)
        self.size = end

    def damaged(self, end: int, error: Exception) -> ArchiveError:
        """The error for data that do not decode."""
        magic = self.codec.magic
        if magic and not end and not self.source.read_at(0, len(magic)).startswith(magic):
            return not_an_archive(self.source, self.codec.name)
        return ArchiveError(
            f"is damaged: its {self.codec.name} data do not decode after {end:,} bytes ({error})",
            next_step=AGAIN,
        )


def not_an_archive(blob: Blob, kind: str) -> ArchiveError:
    """The error for a file that is not the archive that its name claims."""
    head = blob.read_at(0, 512)
    if sniff(head) == "html":
        return html_error()
    if not head:
        return ArchiveError(f"is empty, not a {kind} archive", next_step=AGAIN)
    return ArchiveError(f"is truncated or no {kind} archive: it starts with {head[:8]!r}", next_step=AGAIN)


def html_error() -> ArchiveError:
    """The error for a login or warning page that was saved under the name of a file."""
    return ArchiveError(
        "is an HTML page and not the file itself: a login page, terms to accept, or a warning of the server",
        next_step="open the address in a browser, sign in or confirm, download the file and pass its path",
    )


# --------------------------------------------------------------------------------------------------- archives


class Member(NamedTuple):
    """One file of an archive."""

    path: str
    size: int
    archive: Archive
    offset: int
    packed: int
    method: int = 0
    crc: int | None = None
    encrypted: bool = False

    @property
    def token(self) -> str:
        """Says cheaply whether the content changed."""
        return "" if self.crc is None else f"{self.crc:08x}"

    def blob(self) -> Blob:
        """The content, to be read as an archive."""
        return self.archive.content(self, kept=True)

    def stream(self, blame: Callable[[MedimgError], MedimgError]) -> BinaryIO:
        """The content, to be read as a file."""
        blob = self.archive.content(self, kept=False)
        crc = self.crc if self.method == 0 else None
        return buffered(BlobStream(blob, 0, self.size, crc, blame), self.size)


class Archive(ABC):
    """The members of an archive, in its own order, listed while they are asked for."""

    lazy = False
    """Listing reads everything."""

    def __init__(self, blob: Blob, budget: Budget) -> None:
        self.blob = blob
        self.budget = budget
        self.notes: list[tuple[str, str]] = []
        """(member, reason) of members that are no files."""
        self._paths: dict[str, Member] = {}
        self._members: list[Member] = []
        self._links: dict[str, str] = {}
        self._scan: Iterator[None] | None = None
        self._complete = False
        self._failure: MedimgError | None = None
        self._lock = threading.RLock()

    @abstractmethod
    def _steps(self) -> Iterator[None]:
        """Take members in, one per step."""

    @abstractmethod
    def content(self, member: Member, *, kept: bool) -> Blob:
        """The bytes of a member."""

    @property
    def complete(self) -> bool:
        """Whether all members are known."""
        return self._complete

    def __iter__(self) -> Iterator[Member]:
        index = 0
        while True:
            with self._lock:
                while index >= len(self._members) and not self._complete:
                    self._step()
                if index >= len(self._members):
                    return
                member = self._members[index]
            yield member
            index += 1

    def _step(self) -> None:
        if self._failure:
            raise self._failure
        try:
            self._scan = self._scan or self._steps()
            if next(self._scan, self) is self:
                self._resolve_links()
                self._complete = True
                self._paths.clear()
        except MedimgError as error:
            self._failure = error
            raise
        except RecursionError:
            self._failure = ArchiveError("its headers are nested endlessly", next_step=AGAIN)
            raise self._failure from None

    def _take(self, member: Member) -> None:
        if is_junk(member.path):
            return
        self.budget.add(member.path, member.size, member.packed if member.method else None)
        if member.path in self._paths:
            raise ArchiveError(
                "stands in the archive twice: which of the two is meant cannot be told",
                file=member.path,
                next_step="unpack the archive, keep the right one and pass the folder",
            )
        self._paths[member.path] = member
        self._members.append(member)

    def _link(self, path: str, target: str, *, relative: bool) -> None:
        if not is_junk(path):
            self._links[path] = link_target(path, target, relative=relative)

    def _resolve_links(self) -> None:
        for path, first in self._links.items():
            target = first
            for _ in range(16):
                if target not in self._links:
                    break
                target = self._links[target]
            if (member := self._paths.get(target)) is not None:
                self._take(member._replace(path=path))
            else:
                self.notes.append((path, f"a link to {first!r}, which is no file of the archive"))


class ZipArchive(Archive):
    """A zip: its directory through `zipfile`, its members as windows, so that opens do not disturb each other."""

    def _steps(self) -> Iterator[None]:
        found: list[Member] = []
        for member, link in self._records():
            if link:
                if not is_junk(member.path) and member.size <= 4096:
                    with member.stream(lambda error: error) as stream:
                        self._link(member.path, stream.read().decode("utf-8", "replace"), relative=True)
            else:
                found.append(member)
        found.sort(key=lambda member: member.offset)
        for member in found:
            self._take(member)
        yield

    def _records(self) -> Iterator[tuple[Member, bool]]:
        """(member, whether it is a symbolic link) of all that is no folder."""
        blob = self.blob
        if blob.size is None:
            blob.read_at(0, 1)
        if blob.size is None:
            raise ArchiveError(
                "a zip of unknown size cannot be read", next_step="download it once and pass the file"
            )
        if not blob.size:
            raise not_an_archive(blob, "zip")
        try:
            with zipfile.ZipFile(buffered(BlobStream(blob, 0, blob.size), blob.size)) as archive:
                infos, start = archive.infolist(), archive.start_dir
        except zipfile.BadZipFile as error:
            raise not_an_archive(blob, "zip") from error
        except (ValueError, struct.error, NotImplementedError, OverflowError) as error:
            raise ArchiveError(f"its directory is damaged ({error})", next_step=AGAIN) from error
        if not infos and blob.size > 22:
            raise ArchiveError("is damaged: its directory is empty", next_step=AGAIN)
        if any(info.volume for info in infos):
            raise ArchiveError(
                "is one part of a zip in several parts",
                next_step='join the parts with "zip -s 0 parts.zip --out whole.zip" and pass the whole',
            )
        for info in infos:
            name = _zip_name(info)
            path = safe_path(name)
            mode = info.external_attr >> 16 if info.create_system == 3 else 0
            if name.endswith("/") or not path or stat.S_ISDIR(mode):
                continue
            packed, encrypted = info.compress_size, bool(info.flag_bits & 1)
            if not 0 <= info.header_offset <= start - 30 - packed:
                raise ArchiveError(
                    "is truncated or damaged: the member's data lie beyond the archive",
                    file=path,
                    next_step=AGAIN,
                )
            if info.compress_type == 0 and info.file_size != packed and not encrypted:
                raise ArchiveError(
                    "is damaged: it is stored, but states two sizes", file=path, next_step=AGAIN
                )
            member = Member(
                path,
                info.file_size,
                self,
                info.header_offset,
                packed,
                info.compress_type,
                info.CRC,
                encrypted,
            )
            yield member, stat.S_ISLNK(mode)

    def content(self, member: Member, *, kept: bool) -> Blob:
        """See `Archive`."""
        if member.encrypted:
            raise SourceError(
                "is encrypted",
                file=member.path,
                next_step="unpack the archive once with its password; pass the folder",
            )
        codec = {0: None, 8: CODECS["deflate"], 12: CODECS["zip-bz2"]}.get(member.method, "unknown")
        if isinstance(codec, str):
            raise SourceError(
                f"is compressed with zip method {member.method}, which is not supported",
                file=member.path,
                next_step="unpack the archive once (7-Zip knows most methods) and pass the folder",
            )
        header = self.blob.read_at(member.offset, 30)
        if len(header) < 30 or not header.startswith(b"PK\3\4"):
            raise ArchiveError(
                "is truncated or damaged: the member is not where the directory says",
                file=member.path,
                next_step=AGAIN,
            )
        name_size, extra_size = struct.unpack("<2H", header[26:30])
        packed = Window(self.blob, member.offset + 30 + name_size + extra_size, member.packed)
        if codec is None:
            return packed
        blob = Decompressed(packed, codec, self.budget, member.size, member.crc, kept)
        return in_memory(blob, self.budget) if kept and not blob.random else blob


def in_memory(blob: Decompressed, budget: Budget) -> Blob:
    """All of a blob that allows no random access."""
    if blob.size is None or blob.size > budget.limits.memory:
        raise ArchiveError(
            f"an archive of {blob.size or 0:,} bytes inside an archive, compressed with {blob.codec.name}, "
            f"cannot be read in place (at most {budget.limits.memory:,} bytes are held in memory)",
            next_step=UNPACK,
        )
    return BytesBlob(blob.read_at(0, blob.size))


def _zip_name(info: zipfile.ZipInfo) -> str:
    """UTF-8 where flagged; else cp437 by the standard, but UTF-8 in most zips made on Linux."""
    if info.flag_bits & 0x800:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


class TarArchive(Archive):
    """A tar: a scan over its headers, then windows."""

    def __init__(self, blob: Blob, budget: Budget) -> None:
        super().__init__(blob, budget)
        self.lazy = isinstance(blob, Decompressed)
        if self.lazy:
            blob.forward()

    def _steps(self) -> Iterator[None]:
        raw = _Headers(self.blob)
        try:
            tar = tarfile.TarFile(fileobj=raw, errors="surrogateescape")
        except tarfile.ReadError as error:
            raise not_an_archive(self.blob, "tar") from error
        info: tarfile.TarInfo | None = tar.firstmember  # type: ignore[attr-defined]
        while info is not None:
            offset = tar.offset
            self._member(info)
            yield
            tar.members.clear()  # type: ignore[attr-defined]  # tarfile would keep a kilobyte per member
            tar.offset = offset
            info = self._next(tar, raw)

    def _next(self, tar: tarfile.TarFile, raw: _Headers) -> tarfile.TarInfo | None:
        # TarFile.next() would take a damaged header for the end, and read one byte back before each header.
        raw.seek(tar.offset)
        try:
            return tarfile.TarInfo.fromtarfile(tar)
        except tarfile.TarError as error:
            end = type(error).__name__
            if end == "EOFHeaderError":
                if self.lazy:  # run to the end of the compressed stream, where its checksum stands
                    at = tar.offset
                    while piece := self.blob.read_at(at, MiB):
                        at += len(piece)
                return None
            if end == "EmptyHeaderError" and self.lazy:
                return None  # a complete compressed stream is proof enough of the end
            if end in ("EmptyHeaderError", "TruncatedHeaderError"):
                raise ArchiveError(
                    "is truncated: the tar ends without its end mark", next_step=AGAIN
                ) from error
            raise ArchiveError(
                f"is damaged: no tar header at byte {tar.offset:,}", next_step=AGAIN
            ) from error

    def _member(self, info: tarfile.TarInfo) -> None:
        name = info.name
        try:
            name.encode()
        except UnicodeEncodeError:
            name = name.encode("utf-8", "surrogateescape").decode("latin-1")
        path = safe_path(name)
        if info.isdir() or not path:
            return
        if info.issparse():
            self.notes.append((path, "a sparse file of a tar"))
        elif info.issym():
            self._link(path, info.linkname, relative=True)
        elif info.islnk():
            self._link(path, info.linkname, relative=False)
            target = self._paths.get(self._links.get(path, ""))
            if target is not None:
                del self._links[path]
                self._take(target._replace(path=path))
        elif not info.isfile():
            self.notes.append((path, "a device or a pipe"))
        else:
            end = info.offset_data + info.size
            if info.size < 0 or (self.blob.size is not None and end > self.blob.size):
                raise ArchiveError(
                    "is truncated: the member's data lie beyond the tar", file=path, next_step=AGAIN
                )
            self._take(Member(path, info.size, self, info.offset_data, info.size))

    def content(self, member: Member, *, kept: bool) -> Blob:
        """See `Archive`."""
        return Window(self.blob, member.offset, member.size)


class _Headers(io.RawIOBase):
    """What tarfile reads headers from: any blob, and nothing large."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset
        return offset

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0 or size > MiB:
            raise ArchiveError("is hostile or damaged: a tar header of more than 1 MiB", next_step=AGAIN)
        data = self._blob.read_at(self._position, size)
        self._position += len(data)
        return data


def open_archive(blob: Blob, kind: str, budget: Budget) -> Archive:
    """The archive in `blob`; `kind` as of `archive_kind`."""
    if kind == "zip":
        return ZipArchive(blob, budget)
    return TarArchive(blob if kind == "tar" else Decompressed(blob, CODECS[kind], budget), budget)


_NUMBER = re.compile(r"([0-9]+)")


def natural_key(path: str) -> tuple[list[Any], str]:
    """Sorts volume-2 before volume-10, and the files of a folder next to one another."""
    parts: list[Any] = _NUMBER.split(path.replace("/", "\0"))
    for index in range(1, len(parts), 2):
        number = parts[index].lstrip("0")
        parts[index] = (len(number), number)  # Python refuses to turn very long ones into an int
    return parts, path
