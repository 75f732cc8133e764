"""Text inside image and video files, taken out without touching a pixel: only what is on a list per format stays.

A file is rewritten at the level of its container (JPEG segments, PNG chunks, TIFF tags, boxes of MP4, chunks of AVI,
elements of Matroska, header fields of NIfTI-1); what decodes to pixels is copied as it is. What changes how pixels are
meant stays, too: orientation, color profile, gamma, resolution. A file with nothing to take out is returned itself.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from medimg.errors import FormatError

Left = Counter[str]
"""What was left out: place in the format (never what stood there) -> how often."""
UPRIGHT = 1


def picture(data: bytes, orientation: int = UPRIGHT) -> tuple[bytes | None, Left]:
    """An encoded picture with its pixels and what says how they are meant.

    Args:
        data: a JPEG, PNG, GIF, WebP or TIFF of one page.
        orientation: the EXIF orientation (1 to 8) by which viewers turn it, wherever the file states that.

    Returns:
        (bytes, what was left out): `data` itself where there is nothing; None in place of bytes where they cannot be
        taken apart, so that the pixels have to be stored anew.
    """
    left: Left = Counter()
    try:
        for starts, strip in _PICTURES:
            if starts(data):
                return strip(data, orientation, left), left
    except (struct.error, IndexError, ValueError, KeyError):
        pass
    return None, Counter({"a container that cannot be taken apart": 1})


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


def nifti(block: bytes | bytearray | memoryview) -> tuple[dict[int, int], Left]:
    """Text in the bytes before the voxels of a single-file NIfTI-1, as places to be zeroed.

    Args:
        block: header and extensions: the bytes up to vox_offset.

    Returns:
        ({start: end}, what is left out): empty where there is nothing.
    """
    left: Left = Counter()
    places: dict[int, int] = {}
    for name, start, end in NIFTI_TEXTS:
        if any(block[start:end]):
            places[start] = end
            left[f"NIfTI {name}"] += 1
    if any(block[348:]):
        places[348] = len(block)
        left["NIfTI extensions"] += 1
    return places, left


NIFTI_TEXTS = (
    ("data_type", 4, 14),
    ("db_name", 14, 32),
    ("descrip", 148, 228),
    ("aux_file", 228, 252),
    ("intent_name", 328, 344),
)
"""Fields of a NIfTI-1 header that hold free text: name, first byte, byte after the last."""


# JPEG

_NEXT = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The marker after the data of a scan; bytes FF may stand before it. Without a `+` the search is 50 times as fast."""


def exif(orientation: int, order: str = ">") -> bytes:
    """An EXIF block that states an orientation and nothing else.

    Args:
        orientation: 1 to 8.
        order: of its bytes, "<" or ">".
    """
    start = {"<": b"II", ">": b"MM"}[order]
    return start + struct.pack(f"{order}HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _jpeg(data: bytes, orientation: int, left: Left) -> bytes:
    out = [b"\xff\xd8"]
    wanted = {b"Exif\0\0" + exif(orientation, order) for order in "<>"} if orientation != UPRIGHT else set()
    place, head = 2, 1
    while place < len(data):
        if data[place] != 0xFF:
            place = _skipped(data.find(b"\xff", place), len(data), left, "JPEG bytes between segments")
            continue
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            out.append(b"\xff")
            continue
        if marker == 0xD9:
            out.append(data[place : place + 2])
            if len(data) > place + 2:
                left["JPEG bytes after the end"] += 1
            break
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            place += 2
            left["JPEG bytes between segments"] += 1
            continue
        (length,) = struct.unpack_from(">H", data, place + 2)
        body, end = data[place + 4 : place + 2 + length], place + 2 + length
        if length < 2 or end > len(data):
            raise ValueError("a segment leaves the file")
        if marker == 0xE1 and body in wanted:
            wanted = set()
            out.append(data[place:end])
        elif (kept := _jpeg_segment(marker, body)) is None:
            left[_jpeg_name(marker, body)] += 1
        else:
            if kept != body:
                left[f"{_jpeg_name(marker, body)} beyond its fields"] += 1
            out.append(_segment(marker, kept))
            head += marker == 0xE0 and len(out) == head + 1
        if marker == 0xDA:
            after = _NEXT.search(data, end)
            next_place = after.start() if after else len(data)
            while after and data[next_place - 1] == 0xFF and next_place > end:
                next_place -= 1
            out.append(data[end:next_place])
            end = next_place
        place = end
    if wanted:
        out.insert(head, _segment(0xE1, b"Exif\0\0" + exif(orientation)))
        left["JPEG Exif"] += 1
    return b"".join(out) if left else data


def _skipped(found: int, length: int, left: Left, name: str) -> int:
    left[name] += 1
    return found if found >= 0 else length


def _jpeg_segment(marker: int, body: bytes) -> bytes | None:
    """What stays of a segment; None for nothing."""
    if 0xC0 <= marker <= 0xCF or marker in (0xDA, 0xDB, 0xDC, 0xDD):
        return body
    if marker == 0xE0 and body[:5] == b"JFIF\0" and len(body) >= 14:
        return body if body[12:] == b"\0\0" else body[:12] + b"\0\0"
    if marker == 0xE2 and body[:12] == b"ICC_PROFILE\0":
        return body
    if marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
        return body[:12]
    return None


_JPEG_KINDS = (
    (0xE0, b"JFIF", "JFIF"),
    (0xE1, b"Exif", "Exif"),
    (0xE1, b"http://ns.adobe.com/xap", "XMP"),
    (0xE1, b"http://ns.adobe.com/xmp", "XMP"),
    (0xE2, b"MPF", "MPF"),
    (0xED, b"Photoshop", "Photoshop (IPTC)"),
    (0xEE, b"Adobe", "Adobe"),
)


def _jpeg_name(marker: int, body: bytes) -> str:
    for known, start, name in _JPEG_KINDS:
        if marker == known and body.startswith(start):
            return f"JPEG {name}"
    if marker == 0xFE:
        return "JPEG comment"
    return f"JPEG APP{marker - 0xE0}" if 0xE0 <= marker <= 0xEF else f"JPEG segment {marker:02X}"


# PNG

_PNG_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT cICP mDCV cLLI pHYs bKGD acTL fcTL fdAT".split()
)
_PNG_SAYS = frozenset(b"tEXt zTXt iTXt eXIf tIME sPLT pCAL sCAL oFFs hIST sTER".split())
"""Chunks that have a name of their own in a report."""
_PROFILE_NAMES = frozenset((b"icc", b"ICC Profile", b"ICC profile", b"sRGB IEC61966-2.1", b"sRGB"))


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(data: bytes, orientation: int, left: Left) -> bytes:
    out = [data[:8]]
    wanted = {exif(orientation, order) for order in "<>"} if orientation != UPRIGHT else set()
    place = 8
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if end > len(data):
            raise ValueError("a chunk leaves the file")
        body = data[place + 8 : place + 8 + length]
        if kind == b"eXIf" and body in wanted:
            wanted = set()
            out.append(data[place:end])
        elif kind == b"iCCP" and body.partition(b"\0")[0] not in _PROFILE_NAMES:
            left["PNG name of the color profile"] += 1
            out.append(_png_chunk(kind, b"icc\0" + body.partition(b"\0")[2]))
        elif kind in _PNG_KEPT:
            out.append(data[place:end])
        else:
            left[f"PNG {kind.decode()}" if kind in _PNG_SAYS else "PNG private chunk"] += 1
        place = end
        if kind == b"IEND":
            if place < len(data):
                left["PNG bytes after the end"] += 1
            break
    if wanted:
        out.insert(2, _png_chunk(b"eXIf", exif(orientation)))
        left["PNG eXIf"] += not left
    return b"".join(out) if left else data


# GIF


def _gif(data: bytes, orientation: int, left: Left) -> bytes:
    flags = data[10]
    place = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    out = [data[:place]]
    while place < len(data):
        start = place
        if data[place] == 0x3B:
            out.append(b";")
            if data[place + 1 :].strip(b"\0"):
                left["GIF bytes after the end"] += 1
            break
        if data[place] == 0x2C:
            local = data[place + 9]
            place += 10 + (3 << (local & 7) + 1 if local & 0x80 else 0) + 1
            place = _gif_blocks(data, place)
            out.append(data[start:place])
        elif data[place] == 0x21:
            label = data[place + 1]
            place = _gif_blocks(data, place + 2)
            block = data[start:place]
            if label == 0xF9 and len(block) == 8:
                out.append(block)
            elif label == 0xFF and block[3:14] == b"NETSCAPE2.0" and len(block) == 19:
                out.append(block)
            elif label == 0xFF and block[3:14] == b"ICCRGBG1012":
                out.append(block)
            else:
                left[f"GIF {({0xFE: 'comment', 1: 'plain text'}).get(label, 'application extension')}"] += 1
        else:
            raise ValueError("no block of a GIF")
    return b"".join(out) if left else data


def _gif_blocks(data: bytes, place: int) -> int:
    """Where a chain of sub-blocks ends."""
    while size := data[place]:
        place += 1 + size
    return place + 1


# WebP

_WEBP_KEPT = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"ANIM", b"ANMF"))


def _webp(data: bytes, orientation: int, left: Left) -> bytes:
    chunks: list[tuple[bytes, bytes]] = []
    place, (size,) = 12, struct.unpack_from("<I", data, 4)
    end = min(len(data), 8 + size)
    wanted = {exif(orientation, order) for order in "<>"} if orientation != UPRIGHT else set()
    found = None
    while place + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, place)
        if place + 8 + length > len(data):
            raise ValueError("a chunk leaves the file")
        body = data[place + 8 : place + 8 + length]
        if kind in _WEBP_KEPT:
            chunks.append((kind, body))
        elif kind == b"EXIF" and body in wanted and found is None:
            found = body
        else:
            left[f"WebP {kind.decode().strip()}" if kind in (b"EXIF", b"XMP ") else "WebP private chunk"] += 1
        place += 8 + length + length % 2
    if len(data) > end + end % 2:
        left["WebP bytes after the end"] += 1
    if wanted and found is None and not left:
        left["WebP EXIF"] += 1
    if not left:
        return data
    if wanted:
        chunks.append((b"EXIF", found or exif(orientation)))
    flags = 0x08 if wanted else 0
    chunks = [
        (kind, bytes([body[0] & ~0x0C | flags]) + body[1:]) if kind == b"VP8X" else (kind, body)
        for kind, body in chunks
    ]
    body = b"".join(
        struct.pack("<4sI", kind, len(each)) + each + b"\0" * (len(each) % 2) for kind, each in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


# TIFF

_TIFF_KEPT = frozenset(
    (
        254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 290,
        291, 292, 293, 296, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 338, 339, 340, 341, 347, 529, 530,
        531, 532, 34675,
    )
)  # fmt: skip
_TIFF_NAMES = {
    270: "ImageDescription", 271: "Make", 272: "Model", 269: "DocumentName", 285: "PageName", 305: "Software",
    306: "DateTime", 315: "Artist", 316: "HostComputer", 333: "InkNames", 330: "SubIFDs", 700: "XMP",
    33432: "Copyright", 33723: "IPTC", 34377: "Photoshop", 34665: "EXIF", 34853: "GPS",
    42112: "GDAL_METADATA", 50838: "ImageJ metadata", 50839: "ImageJ metadata",
}  # fmt: skip
_TIFF_SIZES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8
}  # fmt: skip
_TIFF_PACKED = frozenset((1, 2, 3, 4, 5, 7, 8, 32773, 32946, 34925, 50000))
"""Compressions whose strips hold pixels and nothing else; those of 7 are JPEG streams, which are looked through."""
_OFFSETS, _COUNTS = {273: 279, 324: 325}, {279, 325}


@dataclass(frozen=True)
class _Tiff:
    """How numbers stand in a TIFF (BigTIFF has longer ones)."""

    order: str
    big: bool

    @property
    def word(self) -> str:
        return f"{self.order}{'Q' if self.big else 'I'}"

    @property
    def room(self) -> int:
        return 8 if self.big else 4

    def start(self, ifd: int) -> bytes:
        mark = b"II" if self.order == "<" else b"MM"
        if self.big:
            return mark + struct.pack(f"{self.order}HHHQ", 43, 8, 0, ifd)
        return mark + struct.pack(f"{self.order}HI", 42, ifd)

    def numbers(self, kind: int, value: bytes) -> list[int]:
        letter = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}[kind]
        return list(struct.unpack(f"{self.order}{len(value) // _TIFF_SIZES[kind]}{letter}", value))


_Tags = dict[int, tuple[int, bytes]]


def _tiff(data: bytes, orientation: int, left: Left) -> bytes | None:
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    (magic,) = struct.unpack_from(f"{order}H", data, 2)
    form = _Tiff(order, magic == 43)
    (place,) = struct.unpack_from(form.word, data, 8 if form.big else 4)
    tags, used, following = _tiff_tags(data, form, place)
    for tag in sorted(set(tags) - _TIFF_KEPT):
        left[f"TIFF {_TIFF_NAMES.get(tag, f'tag {tag}' if tag < 32768 else 'private tag')}"] += 1
    for tag in [tag for tag, (kind, _) in tags.items() if kind == 2 and tag in _TIFF_KEPT]:
        raise ValueError(f"tag {tag} holds text")
    if following:
        left["TIFF further directories"] += 1
    kept = {tag: tags[tag] for tag in tags if tag in _TIFF_KEPT}
    compression = form.numbers(*kept[259])[0] if 259 in kept else 1
    if compression not in _TIFF_PACKED:
        return None
    stated = form.numbers(*kept[274])[0] if 274 in kept else UPRIGHT
    if stated != orientation and 2 <= max(stated, orientation) <= 8:
        kept[274] = (3, struct.pack(f"{order}H", orientation))
        left["TIFF orientation in another place"] += not left
    name = next(tag for tag in _OFFSETS if tag in kept)
    places, sizes = form.numbers(*kept[name]), form.numbers(*kept[_OFFSETS[name]])
    parts = [data[at : at + size] for at, size in zip(places, sizes, strict=True)]
    if any(at + size > len(data) for at, size in zip(places, sizes, strict=True)):
        raise ValueError("a strip leaves the file")
    if compression == 7:
        parts = [_jpeg(part, UPRIGHT, left) for part in parts]
        if 347 in kept:
            kept[347] = (kept[347][0], _jpeg(kept[347][1], UPRIGHT, left))
    used += [(at, at + size) for at, size in zip(places, sizes, strict=True)]
    if _unused(data, used):
        left["TIFF bytes that no tag points to"] += 1
    return _tiff_written(form, kept, name, parts) if left else data


def _tiff_tags(data: bytes, form: _Tiff, place: int) -> tuple[_Tags, list[tuple[int, int]], int]:
    """(tag -> type and value, ranges of the file that they take, place of the next directory) of one directory."""
    head = "Q" if form.big else "H"
    (count,) = struct.unpack_from(f"{form.order}{head}", data, place)
    if count > 65535:
        raise ValueError(f"a directory of {count} tags")
    entry = 20 if form.big else 12
    first = place + (8 if form.big else 2)
    tags: _Tags = {}
    used = [(0, 16 if form.big else 8), (place, first + count * entry + form.room)]
    for at in range(first, first + count * entry, entry):
        tag, kind = struct.unpack_from(f"{form.order}HH", data, at)
        (values,) = struct.unpack_from(form.word, data, at + 4)
        size = values * _TIFF_SIZES.get(kind, 1)
        where = at + 4 + form.room
        if size > form.room:
            (where,) = struct.unpack_from(form.word, data, where)
            used.append((where, where + size))
        if where + size > len(data):
            raise ValueError(f"the value of tag {tag} leaves the file")
        tags[tag] = (kind, data[where : where + size])
    (following,) = struct.unpack_from(form.word, data, first + count * entry)
    return tags, used, following


def _unused(data: bytes, used: list[tuple[int, int]]) -> bool:
    """Whether bytes that say something stand outside some ranges."""
    at = 0
    for start, end in [*sorted(used), (len(data), len(data))]:
        if start > at and data[at:start].strip(b"\0"):
            return True
        at = max(at, end)
    return False


def _tiff_written(form: _Tiff, tags: _Tags, name: int, parts: Sequence[bytes]) -> bytes:
    """A TIFF of one directory: the strips or tiles as they are, then the tags."""
    body = bytearray(form.start(0))
    places = []
    for part in parts:
        body += b"\0" * (len(body) % 2)
        places.append(len(body))
        body += part
    kind = 16 if form.big else 4
    letter = "Q" if form.big else "I"
    tags = dict(tags)
    tags[name] = (kind, struct.pack(f"{form.order}{len(parts)}{letter}", *places))
    tags[_OFFSETS[name]] = (kind, struct.pack(f"{form.order}{len(parts)}{letter}", *map(len, parts)))
    entries = []
    for tag, (type_, value) in sorted(tags.items()):
        count = len(value) // _TIFF_SIZES[type_]
        if len(value) > form.room:
            body += b"\0" * (len(body) % 2)
            entries.append((tag, type_, count, struct.pack(form.word, len(body))))
            body += value
        else:
            entries.append((tag, type_, count, value.ljust(form.room, b"\0")))
    body += b"\0" * (-len(body) % 8)
    body[: len(form.start(0))] = form.start(len(body))
    body += struct.pack(f"{form.order}{'Q' if form.big else 'H'}", len(entries))
    for tag, type_, count, value in entries:
        body += struct.pack(f"{form.order}HH", tag, type_) + struct.pack(form.word, count) + value
    return bytes(body) + b"\0" * form.room


_PICTURES: tuple[tuple[Callable[[bytes], bool], Callable[[bytes, int, Left], bytes | None]], ...] = (
    (lambda data: data[:2] == b"\xff\xd8", _jpeg),
    (lambda data: data[:8] == b"\x89PNG\r\n\x1a\n", _png),
    (lambda data: data[:4] == b"GIF8", _gif),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
    (lambda data: data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff),
)


# video: every byte keeps its place, for tables point to places


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
        edits.zero(
            box.body + 4, box.body + (20 if data[box.body] == 1 else 12), f"MP4 date in {box.kind.decode()}"
        )
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
