"""Compressed bytes that can be read at any offset.

The decompressor's state is copied every few MiB, so that reading elsewhere starts at the copy before it and not at the
beginning. The first pass over a tar.gz thus reads it once, and makes every later read of it short.
"""

from __future__ import annotations

import bz2
import io
import lzma
import threading
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from medimg.errors import ArchiveError, BombError

if TYPE_CHECKING:
    from medimg.files.limits import Budget

from medimg.files.blobs import AGAIN, Blob, KiB, MiB, crc_error, not_an_archive


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
            raise crc_error(self.crc, crc)
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
