"""Compressed bytes that can be read at any offset.

The decompressor's state is copied every few MiB, so that reading elsewhere starts at the copy before it and not at the
beginning. The first pass over a tar.gz thus reads it once, and makes every later read of it short.
"""

from __future__ import annotations

import io
import threading
import zlib
from bisect import bisect_right

from medimg.errors import ArchiveError, BombError
from medimg.files.blobs import Blob, KiB, MiB, broken, crc_error, not_an_archive
from medimg.files.decoders import FAULTS, Codec, Decoder
from medimg.files.limits import Budget, Checkpoint, Checkpoints, too_much

_INPUT = 128 * KiB
_OUTPUT = 512 * KiB


class _Cursor:
    """One decompressor at one place: `ready` is decoded and starts at `position`."""

    def __init__(self, owner: Decompressed, point: Checkpoint) -> None:
        self.owner = owner
        self.decoder: Decoder | None = point.decoder
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
            except FAULTS as error:
                raise owner.undecoded(end, error) from error
            self.tail = rest + self.tail
            if decoder.eof:
                self.decoder = None
            elif not out and self.dry and not self.tail and decoder.hungry:
                if not self.offset:
                    raise not_an_archive(owner.source, owner.codec.name)
                raise broken(f"is cut: its {owner.codec.name} data end early, after {end:,} decompressed bytes")
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
        self.points: list[Checkpoint] = []
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
            return _Cursor(self, Checkpoint(0, 0, self.codec.start(), 0))
        point = points[at]
        return _Cursor(self, point._replace(decoder=point.decoder.copy()))

    def passed(self, cursor: _Cursor, end: int) -> None:
        """A cursor has come to `end`: keep its state if no other is near."""
        points = self.points
        if end >= (points[-1].position if points else 0) + self.spacing:
            assert cursor.decoder is not None
            offset = cursor.offset - len(cursor.tail)
            self._checkpoints.add(self, Checkpoint(end, offset, cursor.decoder.copy(), cursor.crc))

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
            raise too_much(f"expands to more than {limits.total_bytes:,} bytes", "total_bytes")
        if end > limits.ratio_floor and end > limits.ratio * taken:
            raise too_much(
                f"{taken:,} compressed bytes expand to {end:,}; at most {limits.ratio}:1 is allowed", "ratio"
            )

    def ended(self, end: int, crc: int) -> None:
        """A cursor has come to the end of the stream."""
        if self._stated is not None and end != self._stated:
            raise broken(f"expands to {end:,} bytes, the archive states {self._stated:,}")
        if self.crc is not None and crc != self.crc:
            raise crc_error(self.crc, crc)
        self.size = end

    def undecoded(self, end: int, error: Exception) -> ArchiveError:
        """The error for data that do not decode."""
        magic = self.codec.magic
        if magic and not end and not self.source.read_at(0, len(magic)).startswith(magic):
            return not_an_archive(self.source, self.codec.name)
        return broken(f"is damaged: its {self.codec.name} data do not decode after {end:,} bytes ({error})")
