"""Videos: the source's bytes as they are, decoded once to count, measure and hash the frames."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from medimg.errors import FormatError, need
from medimg.files import File
from medimg.pixels import Clip, Picture, Pixels
from medimg.readers.promises import Promised, reading
from medimg.readers.raster import what_it_is


def clip(file: File) -> Pixels:
    """A whole video; `read()` gives a `Clip` of the source's bytes.

    All frames are decoded once, one in memory at a time, for their number, size (height, width in pixels as
    stored, no rotation applied), rate and digest. The digest is over the decoder's own planes: it does not
    depend on a conversion to RGB. `meta` has codec and pixel format.

    Raises (on `read`):
        FormatError: no video, damaged, truncated, or frames of different sizes.
        MissingExtraError: PyAV is not installed.
    """
    return Promised((file,), _clip, (file,))


def frames(file: File, indices: Sequence[int]) -> list[Pixels]:
    """Single frames of a video, counted from 0; `read()` gives a `Picture` (height, width[, 3]), uint8.

    Gray videos give one channel, all others RGB. Reading in rising order decodes the video once.

    Raises (on `read`):
        FormatError: no such frame, no video, damaged, truncated, or deeper than 8 bits.
        MissingExtraError: PyAV is not installed.
    """
    shared = _Decoder(file)
    return [Promised((file,), shared.frame, (index,)) for index in indices]


def _decoded(stream: Any, file: File, about: dict[str, Any] | None = None) -> Iterator[Any]:
    """The frames of the first video stream, in order; refuses what is truncated or damaged.

    `about` is filled with "fps" and "codec" before the first frame.
    """
    need("video", "a video", "av")
    import av

    missing = _missing_bytes(stream)
    if missing:
        raise FormatError(f"a truncated video: its container promises {missing} bytes more")
    head = stream.read(512)
    stream.seek(0)
    try:
        container = av.open(stream, "r")
    except (ValueError, OSError, EOFError) as error:
        raise FormatError(what_it_is(head, f"not a video ({error})")) from error
    with container:
        if not container.streams.video:
            raise FormatError("the file has no video stream")
        track = container.streams.video[0]
        if track.codec_context is None:
            raise FormatError("this build of PyAV has no decoder for the video")
        pixels = track.width * track.height
        file.check_decoded(4 * pixels, f"a frame of {track.width} x {track.height} pixels", pixels=pixels)
        # What the container says of its frames binds no decoder.
        track.codec_context.options = {"max_pixels": str(min(file.limits.pixels, 2**31 - 1))}
        if about is not None:
            about["fps"] = float(track.average_rate) if track.average_rate else None
            about["codec"] = track.codec_context.name
        packets = -1  # the last packet is empty and only flushes the decoder
        for packet in container.demux(track):
            if packet.is_corrupt:
                raise FormatError(f"a damaged or truncated video (packet {packets + 1})")
            packets += 1
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise FormatError(f"frame at {frame.time} s is damaged")
                yield frame
        if packets < track.frames:
            raise FormatError(f"a truncated video: {track.frames} frames promised, {packets} there")


def _missing_bytes(stream: Any) -> int:
    """Bytes that AVI, MP4 or Matroska promise beyond the end of the file; leaves the stream at its start.

    Decoders read a shortened file up to its end and say nothing.
    """
    length = int(stream.seek(0, 2))
    stream.seek(0)
    head = stream.read(64)
    end = 0
    if head[:4] == b"RIFF":
        end = 8 + int.from_bytes(head[4:8], "little")
        end = 0 if end == 8 or end >= 8 + 0xFFFFFFFF else end  # written by a stream that did not know
    elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        for _ in range(10_000):
            stream.seek(end)
            box = stream.read(16)
            size = int.from_bytes(box[:4], "big")
            if len(box) < 8 or size == 0:  # the end, or a box up to the end
                break
            end += max(int.from_bytes(box[8:16], "big") if size == 1 else size, 8)
    elif head[:4] == b"\x1a\x45\xdf\xa3":
        start, header = _ebml_size(head, 4)
        start += header or 0
        stream.seek(start)
        segment = stream.read(16)
        after, body = _ebml_size(segment, 4)
        end = start + after + body if body is not None and segment[:4] == b"\x18\x53\x80\x67" else 0
    stream.seek(0)
    return max(end - length, 0)


def _ebml_size(data: bytes, at: int) -> tuple[int, int | None]:
    """Where the number at `at` ends, and its value (None: unknown); leading zero bits tell its length."""
    width = 9 - data[at].bit_length() if len(data) > at else 9
    if width > 8 or len(data) < at + width:
        return at, None
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return at + width, None if value == (1 << 7 * width) - 1 else value


def _clip(file: File) -> Clip:
    data = file.read()
    digest = hashlib.sha256()
    count, size, layout = 0, (0, 0), ""
    about: dict[str, Any] = {}
    with reading(file):
        for frame in _decoded(io.BytesIO(data), file, about):
            if not count:
                size, layout = (frame.height, frame.width), frame.format.name
                digest.update(f"{layout}|{size}".encode())
            if (frame.height, frame.width, frame.format.name) != (*size, layout):
                raise FormatError(f"frame {count} is {frame.height} x {frame.width}, the first {size[0]} x {size[1]}")
            for plane in _planes(frame):
                digest.update(plane)
            count += 1
        if not count:
            raise FormatError("a video without frames")
    suffix = "." + file.path.rsplit(".", 1)[-1].lower() if "." in file.path else ""
    meta = {"codec": about["codec"], "pixel_format": layout}
    return Clip(data, suffix, (count, *size), about["fps"], digest.hexdigest(), meta)


def _planes(frame: Any) -> Iterator[bytes]:
    """The visible bytes of each plane, without the padding of its lines."""
    for number, plane in enumerate(frame.planes):
        component = next((one for one in frame.format.components if one.plane == number), None)
        lines = np.frombuffer(plane, dtype=np.uint8).reshape(-1, abs(plane.line_size))
        if component is None:  # a palette
            yield lines.tobytes()
            continue
        used = -(-plane.width * _bits(frame.format, number) // 8)
        yield np.ascontiguousarray(lines[: plane.height, :used]).tobytes()


def _bits(layout: Any, plane: int) -> int:
    """Bits that one pixel takes in a plane."""
    parts = [one for one in layout.components if one.plane == plane]
    if len({one.plane for one in layout.components}) == 1:
        return int(layout.padded_bits_per_pixel or layout.bits_per_pixel)
    return sum(8 * -(-int(one.bits) // 8) for one in parts)


class _Decoder:
    """One pass over a video that any number of frames share."""

    def __init__(self, file: File) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._frames: Iterator[Any] | None = None
        self._stream: Any = None
        self._next = 0
        self._last: tuple[int, Picture] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _Decoder, (self.file,)

    def frame(self, index: int) -> Picture:
        with self._lock, reading(self.file):
            if self._last is not None and self._last[0] == index:
                return self._last[1]
            if self._frames is None or index < self._next:
                if self._stream is not None:
                    self._stream.close()
                self._stream = self.file.open()
                self._frames, self._next = _decoded(self._stream, self.file), 0
            frame = None
            while index >= self._next >= 0:
                frame = next(self._frames, None)
                if frame is None:
                    count, self._frames = self._next, None
                    raise FormatError(f"there is no frame {index}, only {count}")
                self._next += 1
            if frame is None:
                raise FormatError(f"there is no frame {index}")
            if max(one.bits for one in frame.format.components) > 8:
                raise FormatError(f"frames in {frame.format.name} are deeper than the 8 bits of a picture")
            gray = frame.format.name == "gray"
            picture = Picture(frame.to_ndarray(format="gray" if gray else "rgb24"))
            self._last = (index, picture)
            return picture
