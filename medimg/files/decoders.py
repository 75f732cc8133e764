"""How compressed bytes are decoded: one decoder of gzip, zlib and deflate for all, and those of bzip2 and xz.

Deflate is decoded by zlib-ng where that is installed (the extra `fast`), else by zlib: the same bytes, sooner.
"""

from __future__ import annotations

import bz2
import io
import lzma
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, NamedTuple

from medimg.errors import BombError, FormatError

try:
    from zlib_ng import zlib_ng as engine
except ImportError:
    import zlib as engine  # type: ignore[no-redef]

CHUNK = 1 << 20
"""Bytes read at a time."""
GZIP = b"\x1f\x8b"


class Decoder:
    """One compressed stream.

    Args:
        state: of the library.
        copies: whether it can be copied, and hands back what it did not take: zlib's can and does, others keep that.
    """

    def __init__(self, state: Any, copies: bool = False) -> None:
        self.copies = copies
        self._state = state

    @property
    def eof(self) -> bool:
        """Whether the stream has come to its end."""
        return bool(self._state.eof)

    @property
    def hungry(self) -> bool:
        """Whether input is needed before more can come out."""
        return self.copies or bool(self._state.needs_input)

    def decode(self, data: bytes, limit: int) -> tuple[bytes, bytes]:
        """Output, and the input that was not taken."""
        out = self._state.decompress(data, limit)
        if self._state.eof:
            return out, self._state.unused_data
        return out, self._state.unconsumed_tail if self.copies else b""

    def copy(self) -> Decoder:
        """The same state once more, where `copies`."""
        return Decoder(self._state.copy(), copies=True)


class Codec(NamedTuple):
    """A compression: how to start, and the magic of a following stream (None: there is only one)."""

    name: str
    start: Callable[[], Decoder]
    magic: bytes | None = None


CODECS = {
    "gzip": Codec("gzip", lambda: Decoder(engine.decompressobj(31), copies=True), b"\x1f\x8b"),
    "bz2": Codec("bzip2", lambda: Decoder(bz2.BZ2Decompressor()), b"BZh"),
    "xz": Codec("xz", lambda: Decoder(lzma.LZMADecompressor(lzma.FORMAT_XZ)), b"\xfd7zXZ\0"),
    "lzma": Codec("lzma", lambda: Decoder(lzma.LZMADecompressor())),
    "zlib": Codec("zlib", lambda: Decoder(engine.decompressobj(), copies=True)),
    "deflate": Codec("deflate", lambda: Decoder(engine.decompressobj(-15), copies=True)),
    "zip-bz2": Codec("bzip2", lambda: Decoder(bz2.BZ2Decompressor())),
}
_ENGINE_ERROR: Any = engine.error
FAULTS: tuple[type[Exception], ...] = (_ENGINE_ERROR, lzma.LZMAError, OSError, EOFError, ValueError)
"""What decoders throw at damaged data."""


class Inflated:
    """A plain or compressed stream, read once from front to back into buffers that the caller owns.

    Gzip may have several members.

    Args:
        stream: at the place where the data begin.
        limit: compressed bytes to use at most; None takes all.
        plain: never take the data for compressed.
        zlib: the data are compressed, with gzip or zlib; otherwise gzip is told by its first bytes.
    """

    def __init__(self, stream: BinaryIO, *, limit: int | None = None, plain: bool = False, zlib: bool = False) -> None:
        self._stream = stream
        self._left = limit
        self._pending = self._fetch(2)
        self._pending += self._fetch(2 - len(self._pending)) if len(self._pending) < 2 else b""
        gzip = self._pending == GZIP
        packed = not plain and (gzip or zlib)
        self._members = gzip
        self._inflater = engine.decompressobj(47) if packed else None

    @property
    def packed(self) -> bool:
        """Whether the data are compressed."""
        return self._inflater is not None

    def _fetch(self, count: int) -> bytes:
        if self._left is not None:
            count = min(count, self._left)
        data = self._stream.read(count) if count > 0 else b""
        if self._left is not None:
            self._left -= len(data)
        return data

    def read(self, count: int) -> bytes:
        """At least one and at most `count` bytes; none at the end."""
        if self._inflater is None:
            data, self._pending = self._pending[:count], self._pending[count:]
            return data or self._fetch(min(count, CHUNK))
        while True:
            if self._inflater.eof:
                rest = self._inflater.unused_data + self._pending
                self._pending = b""
                while self._members and rest[:1] == b"\0":
                    rest = rest.lstrip(b"\0") or self._fetch(CHUNK)
                rest += self._fetch(2 - len(rest)) if len(rest) < 2 else b""
                if not rest:
                    return b""
                if not self._members or rest[:2] != GZIP:
                    raise FormatError("there is something behind the end of the compressed data")
                self._inflater, self._pending = engine.decompressobj(47), rest
            packed = self._inflater.unconsumed_tail or self._pending or self._fetch(CHUNK)
            if packed is self._pending:
                self._pending = b""
            try:
                data = self._inflater.decompress(packed, count)
            except FAULTS as error:
                raise _damaged(error) from error
            if data:
                return data
            if not packed and not self._inflater.eof:
                kind = "gzip" if self._members else "zlib"
                raise FormatError(f"truncated: the {kind} data end too early")

    def readinto(self, buffer: bytearray | memoryview) -> None:
        """Fill the buffer.

        Raises:
            FormatError: the data end before, or are damaged.
        """
        view = memoryview(buffer).cast("B")
        done = 0
        if self._inflater is None and not self._pending and self._left is None and hasattr(self._stream, "readinto"):
            while done < len(view):
                count = self._stream.readinto(view[done : done + 16 * CHUNK])
                if not count:
                    break
                done += count
        while done < len(view):
            data = self.read(min(len(view) - done, 4 * CHUNK))
            if not data:
                raise FormatError(f"the data end {len(view) - done} bytes too early")
            view[done : done + len(data)] = data
            done += len(data)

    def take(self, count: int) -> bytes:
        """Exactly `count` bytes. Raises FormatError where there are fewer."""
        if count > 1 << 24:
            raise FormatError(f"{count} bytes between header and voxels")
        buffer = bytearray(count)
        self.readinto(buffer)
        return bytes(buffer)

    def rest(self, most: int) -> bytes:
        """All that is left. Raises FormatError where it is more than `most` bytes."""
        data = self.up_to(most)
        if self.read(1):
            raise FormatError(f"more than {most} bytes of header")
        return data

    def up_to(self, most: int) -> bytes:
        """What is left; of more than `most` bytes only these."""
        parts = []
        while most and (data := self.read(min(most, CHUNK))):
            parts.append(data)
            most -= len(data)
        return b"".join(parts)

    def finish(self) -> None:
        """Make sure that nothing follows (and, through gzip's checksum, that all was right).

        Raises:
            FormatError: something follows.
        """
        if self.read(1):
            raise FormatError("the file holds more voxels than its header says")


def decoded(data: bytes, most: int) -> bytes:
    """What gzipped bytes expand to.

    Raises:
        BombError: more than `most` bytes.
        FormatError: they are damaged or cut.
    """
    source = Inflated(io.BytesIO(data), zlib=True)
    plain = source.up_to(most)
    if source.read(1):
        raise BombError(f"expands to more than {most:,} bytes", next_step="get the file from its source again")
    return plain


def beginning(codec: Codec, data: bytes, most: int) -> bytes:
    """The first bytes that data expand to, at most `most`; the data may be cut. Raises FormatError for damage."""
    try:
        return codec.start().decode(data, most)[0]
    except FAULTS as error:
        raise _damaged(error) from error


def exceeds(codec: Codec, pieces: Iterable[bytes], most: int) -> bool:
    """Whether data expand to more than `most` bytes, which are not kept. Raises FormatError for damage."""
    decoder, total = codec.start(), 0
    try:
        for piece in pieces:
            rest = piece
            while not decoder.eof:
                out, rest = decoder.decode(rest, CHUNK)
                total += len(out)
                if total > most:
                    return True
                if not out and not rest:
                    break
            if decoder.eof:
                break
    except FAULTS as error:
        raise _damaged(error) from error
    return False


def _damaged(error: Exception) -> FormatError:
    return FormatError(f"the compressed data are damaged: {error}")
