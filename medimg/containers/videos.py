"""Videos without their text: boxes of MP4, chunks of AVI and elements of Matroska that are on a list stay.

All else is zeros, and every byte keeps its place, for tables point to places.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from medimg.containers import Left
from medimg.errors import FormatError


def video(data: bytes) -> tuple[bytes, Left]:
    """A video file with its frames and what is needed to play them; all else is zeros, and every byte keeps its place.

    Args:
        data: an MP4 or QuickTime, an AVI, or a Matroska or WebM.

    Returns:
        (bytes, what was left out); `data` itself where there is nothing.

    Raises:
        FormatError: another container, or one that cannot be taken apart.
    """
    edits: _Edits = _Edits(data)
    try:
        for starts, strip in _VIDEOS:
            if starts(data):
                strip(edits)
                return edits.done(), edits.left
    except (struct.error, IndexError, KeyError) as error:
        raise FormatError(f"a video whose container cannot be taken apart: {error}") from error
    raise FormatError(
        "a video in a container whose texts nobody can tell from its frames (MP4, AVI and Matroska are known)",
        next_step="Put its frames, unchanged, into one of these: ffmpeg -i in -map 0:v -c copy out.mkv.",
    )


class _Edits:
    """Changes of a file that leave its length alone; nothing is copied before the first."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left: Left = Counter()
        self._changes: list[tuple[int, bytes]] = []

    def put(self, start: int, value: bytes, name: str) -> None:
        """Other bytes from `start` on, where they differ."""
        if self.data[start : start + len(value)] != value:
            self._changes.append((start, value))
            self.left[name] += 1

    def zero(self, start: int, end: int, name: str) -> None:
        """Zeros from `start` up to `end`."""
        end = min(end, len(self.data))
        if end > start and self.data[start:end].strip(b"\0"):
            self._changes.append((start, bytes(end - start)))
            self.left[name] += 1

    def done(self) -> bytes:
        """The changed file, or the file itself."""
        if not self._changes:
            return self.data
        out = bytearray(self.data)
        for start, value in self._changes:
            out[start : start + len(value)] = value
        return bytes(out)


# MP4 and QuickTime

_BOXES = frozenset(b"moov trak mdia minf stbl dinf edts mvex moof traf mfra".split())
_BOX_LEAVES = frozenset(
    b"ftyp styp pdin elst vmhd smhd nmhd sthd dref stts stss ctts stsc stsz stz2 stco co64 sdtp sgpd "
    b"sbgp stsh cslg trex mehd mfhd tfhd trun tfdt sidx ssix tfra mfro stps".split()
)
_SAMPLE_BOXES = frozenset(
    b"avcC hvcC av1C vpcC esds colr pasp btrt fiel clap gama glbl svcC jp2h mp4v dvcC dvvC mdcv clli".split()
)


@dataclass(frozen=True)
class _Box:
    kind: bytes
    start: int
    body: int
    end: int


def _boxes(data: bytes, start: int, end: int) -> Iterator[_Box]:
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        stop = end if size == 0 else start + size
        if stop < body or stop > end:
            raise FormatError("a video whose container cannot be taken apart: a box leaves its parent")
        yield _Box(kind, start, body, stop)
        start = stop
    if start < end:
        yield _Box(b"", start, start, end)


def _mp4(edits: _Edits) -> None:
    data = edits.data
    kept: list[tuple[int, int]] = []
    tops = list(_boxes(data, 0, len(data)))
    for box in tops:
        if box.kind != b"mdat":
            _mp4_box(edits, box, kept)
    if any(box.kind == b"moof" for box in tops):
        if "MP4 track without pictures" in edits.left:
            raise FormatError(
                "a fragmented video with another track than its frames",
                next_step="Copy its frames alone: ffmpeg -i in -map 0:v -c copy out.mp4.",
            )
        return
    for box in tops:
        if box.kind == b"mdat":
            at = box.body
            for start, end in [*sorted(kept), (box.end, box.end)]:
                if box.body <= start <= box.end:
                    edits.zero(at, start, "MP4 bytes that are no frame")
                    at = max(at, end)


def _mp4_box(edits: _Edits, box: _Box, kept: list[tuple[int, int]]) -> None:
    data = edits.data
    if box.kind == b"trak" and _handler(data, box) != b"vide":
        _void_box(edits, box, "MP4 track without pictures")
    elif box.kind in _BOXES:
        for inner in _boxes(data, box.body, box.end):
            _mp4_box(edits, inner, kept)
        if box.kind == b"stbl":
            kept += _samples(data, box)
    elif box.kind in (b"mvhd", b"tkhd", b"mdhd"):
        edits.zero(box.body + 4, box.body + (20 if data[box.body] == 1 else 12), f"MP4 date in {box.kind.decode()}")
    elif box.kind == b"hdlr":
        edits.zero(box.body + 12, box.end, "MP4 name of the handler")
    elif box.kind == b"stsd":
        _sample_entries(edits, box)
    elif box.kind in (b"free", b"skip", b"wide", b""):
        edits.zero(box.body, box.end, "MP4 unused space")
    elif box.kind == b"dref":
        for inner in _boxes(data, box.body + 8, box.end):
            edits.zero(inner.body + 4, inner.end, "MP4 dref")
    elif box.kind not in _BOX_LEAVES:
        _void_box(edits, box, f"MP4 {box.kind.decode()}" if box.kind in _BOX_SAYS else "MP4 other box")


_BOX_SAYS = frozenset(b"udta meta uuid iods load tapt gmhd tref".split())


def _void_box(edits: _Edits, box: _Box, name: str) -> None:
    edits.put(box.start + 4, b"free", name)
    edits.zero(box.body, box.end, name)


def _find(data: bytes, box: _Box, *path: bytes) -> _Box:
    for kind in path:
        box = next(inner for inner in _boxes(data, box.body, box.end) if inner.kind == kind)
    return box


def _handler(data: bytes, trak: _Box) -> bytes:
    try:
        handler = _find(data, trak, b"mdia", b"hdlr")
    except StopIteration:
        return b""
    return data[handler.body + 8 : handler.body + 12]


def _sample_entries(edits: _Edits, box: _Box) -> None:
    """Sample entries of a video track: the name of the compressor goes, and boxes that do not tell how to decode."""
    for entry in _boxes(edits.data, box.body + 8, box.end):
        edits.zero(entry.body + 42, entry.body + 74, "MP4 name of the compressor")
        for inner in _boxes(edits.data, entry.body + 78, entry.end):
            if not inner.kind:
                edits.zero(inner.start, inner.end, "MP4 unused space")
            elif inner.kind not in _SAMPLE_BOXES:
                _void_box(edits, inner, "MP4 other box")


def _samples(data: bytes, stbl: _Box) -> list[tuple[int, int]]:
    """Where the samples of a track stand, neighbors joined."""
    inner = {box.kind: box for box in _boxes(data, stbl.body, stbl.end)}
    if b"stsz" not in inner or b"stsc" not in inner:
        raise FormatError("a video whose table of samples is of an unusual kind")
    at = inner[b"stsz"].body
    fixed, count = struct.unpack_from(">II", data, at + 4)
    sizes = (fixed,) * count if fixed else struct.unpack_from(f">{count}I", data, at + 12)
    wide = b"co64" in inner
    at = inner[b"co64" if wide else b"stco"].body
    (chunks,) = struct.unpack_from(">I", data, at + 4)
    places = struct.unpack_from(f">{chunks}{'Q' if wide else 'I'}", data, at + 8)
    at = inner[b"stsc"].body
    (runs,) = struct.unpack_from(">I", data, at + 4)
    table = [struct.unpack_from(">III", data, at + 8 + 12 * n) for n in range(runs)]
    found, sample, run = [], 0, 0
    for number, place in enumerate(places, 1):
        while run + 1 < len(table) and table[run + 1][0] <= number:
            run += 1
        each = table[run][1]
        length = sum(sizes[sample : sample + each])
        sample += each
        found.append((place, place + length))
    return found


# AVI

_AVI_LEAVES = frozenset(b"avih strh strf vprp indx idx1 dmlh".split())
_AVI_SAYS = frozenset(b"INFO IDIT ISMP strn strd JUNK".split())


def _riff(data: bytes, start: int, end: int) -> Iterator[_Box]:
    while start + 8 <= end:
        kind, size = struct.unpack_from("<4sI", data, start)
        stop = min(start + 8 + size, end)
        yield _Box(kind, start, start + 8, stop)
        start = stop + size % 2
    if start < end:
        yield _Box(b"", start, start, end)


def _avi(edits: _Edits) -> None:
    data = edits.data
    streams: list[bytes] = []
    for top in _riff(data, 0, len(data)):
        if top.kind != b"RIFF" or data[top.body : top.body + 4] not in (b"AVI ", b"AVIX"):
            edits.zero(top.start, top.end, "AVI bytes after the end")
            continue
        for box in _riff(data, top.body + 4, top.end):
            _avi_chunk(edits, box, streams)


def _avi_chunk(edits: _Edits, box: _Box, streams: list[bytes]) -> None:
    data = edits.data
    kind = data[box.body : box.body + 4] if box.kind == b"LIST" else b""
    if kind == b"movi" or kind == b"rec ":
        pictured = {f"{n:02d}".encode() for n, one in enumerate(streams) if one == b"vids"}
        for inner in _riff(data, box.body + 4, box.end):
            if inner.kind == b"LIST":
                _avi_chunk(edits, inner, streams)
            elif inner.kind[:2] == b"ix":
                continue
            elif inner.kind[:2] not in pictured:
                edits.zero(inner.body, inner.end, "AVI stream without pictures")
    elif kind in (b"hdrl", b"odml"):
        for inner in _riff(data, box.body + 4, box.end):
            _avi_chunk(edits, inner, streams)
    elif kind == b"strl":
        inside = list(_riff(data, box.body + 4, box.end))
        streams.append(next((data[one.body : one.body + 4] for one in inside if one.kind == b"strh"), b""))
        for inner in inside:
            if inner.kind == b"strf" and streams[-1] != b"vids":
                edits.zero(inner.body + 18, inner.end, "AVI stream without pictures")
            else:
                _avi_chunk(edits, inner, streams)
    elif box.kind in (b"JUNK", b""):
        edits.zero(box.body, box.end, "AVI unused space")
    elif kind or box.kind not in _AVI_LEAVES:
        name = kind or box.kind
        edits.put(box.start, b"JUNK", f"AVI {name.decode() if name in _AVI_SAYS else 'other chunk'}")
        edits.zero(box.body, box.end, f"AVI {name.decode() if name in _AVI_SAYS else 'other chunk'}")


# Matroska and WebM

_EBML, _SEGMENT, _CLUSTER, _TRACK = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0xAE
_MASTERS = {
    _SEGMENT: frozenset((0x114D9B74, 0x1549A966, 0x1654AE6B, _CLUSTER, 0x1C53BB6B)),
    0x1549A966: frozenset((0x2AD7B1, 0x4489, 0x4D80, 0x5741)),
    0x1654AE6B: frozenset((_TRACK,)),
    _TRACK: frozenset(
        (
            0xD7,
            0x73C5,
            0x83,
            0xB9,
            0x88,
            0x55AA,
            0x9C,
            0x6DE7,
            0x6DF8,
            0x23E383,
            0x234E7A,
            0x23314F,
            0x55EE,
            0x22B59C,
            0x86,
            0x63A2,
            0xAA,
            0xE0,
            0xE1,
            0x56AA,
            0x56BB,
            0x6D80,
        )
    ),
    _CLUSTER: frozenset((0xE7, 0xA3, 0xA0, 0xAB, 0xA7)),
    0xA0: frozenset((0xA1, 0x9B, 0xFB, 0x75A2)),
}
"""Element -> what may stand in it."""
_MKV_SAYS = {
    0x1254C367: "Tags",
    0x1941A469: "Attachments",
    0x1043A770: "Chapters",
    0x7BA9: "Title",
    0x4461: "DateUTC",
    0x536E: "track name",
    0x7384: "SegmentFilename",
}
_VOID, _CRC, _APPS = 0xEC, 0xBF, (0x4D80, 0x5741)


def _vint(data: bytes, at: int, *, mark: bool = False) -> tuple[int | None, int]:
    """(the number at a place, None for unknown; where it ends). `mark` keeps the bit that tells its length."""
    width = 9 - data[at].bit_length()
    if width > 8 or at + width > len(data):
        raise FormatError("a video whose container cannot be taken apart: no number of EBML")
    value = int.from_bytes(data[at : at + width], "big")
    if mark:
        return value, at + width
    value &= (1 << 7 * width) - 1
    return (None if value == (1 << 7 * width) - 1 else value), at + width


def _elements(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """(id, start, start of the body, end) of each element; one of unknown length ends where its parent does."""
    while start < end:
        id, after = _vint(data, start, mark=True)
        size, body = _vint(data, after)
        stop = end if size is None else min(end, body + size)
        if size is None and id == _CLUSTER:
            stop = _cluster_end(data, body, end)
        assert id is not None
        yield id, start, body, stop
        start = stop


def _cluster_end(data: bytes, start: int, end: int) -> int:
    while start < end:
        id, after = _vint(data, start, mark=True)
        size, body = _vint(data, after)
        if size is None or (id not in _MASTERS[_CLUSTER] and id not in (_VOID, _CRC)):
            break
        start = body + size
    return min(start, end)


def _matroska(edits: _Edits) -> None:
    checks: list[tuple[int, int]] = []
    pictured: set[int] = set()
    for id, start, body, end in _elements(edits.data, 0, len(edits.data)):
        if id == _SEGMENT:
            _master(edits, id, body, end, checks, pictured)
        elif id != _EBML:
            _void(edits, start, end, "Matroska other element")
    if edits.left:  # what they check is another now
        for start, end in checks:
            _void(edits, start, end, "Matroska checksum")


def _master(
    edits: _Edits, parent: int, start: int, end: int, checks: list[tuple[int, int]], pictured: set[int]
) -> None:
    data = edits.data
    inside = list(_elements(data, start, end))
    shown = parent != _TRACK or any(id == 0x83 and data[body:stop] == b"\1" for id, _, body, stop in inside)
    if parent == _TRACK and shown:
        pictured.update(int.from_bytes(data[body:stop], "big") for id, _, body, stop in inside if id == 0xD7)
    for id, at, body, stop in inside:
        if id == _CRC:
            checks.append((at, stop))
        elif id == _VOID:
            edits.zero(body, stop, "Matroska unused space")
        elif id not in _MASTERS[parent] or (id == 0x63A2 and not shown):
            _void(edits, at, stop, f"Matroska {_MKV_SAYS.get(id, 'other element')}")
        elif id in _APPS:
            edits.zero(body, stop, "Matroska name of the program")
        elif id == 0x22B59C and not re.fullmatch(rb"[a-z]{3}\0*", data[body:stop]):
            _void(edits, at, stop, "Matroska language")
        elif id in (0xA3, 0xA1):
            number, after = _vint(data, body)
            if number not in pictured:
                edits.zero(after + 3, stop, "Matroska track without pictures")
        elif id in _MASTERS:
            _master(edits, id, body, stop, checks, pictured)


def _void(edits: _Edits, start: int, end: int, name: str) -> None:
    """An element that says nothing, of the same length."""
    width = next(width for width in range(1, 9) if end - start - 1 - width < (1 << 7 * width) - 1)
    size = end - start - 1 - width
    edits.put(start, b"\xec" + (size | 1 << 7 * width).to_bytes(width, "big"), name)
    edits.zero(start + 1 + width, end, name)


_VIDEOS: tuple[tuple[Callable[[bytes], bool], Callable[[_Edits], None]], ...] = (
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"AVI ", _avi),
    (lambda data: data[:4] == b"\x1a\x45\xdf\xa3", _matroska),
    (lambda data: data[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"), _mp4),
)
