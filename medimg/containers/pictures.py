"""Pictures without their text: JPEG segments, PNG and WebP chunks, GIF blocks and TIFF tags that are on a list stay.

What changes how pixels are meant stays, too: orientation, color profile, gamma, resolution.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from medimg.containers import Left

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
    body = b"".join(struct.pack("<4sI", kind, len(each)) + each + b"\0" * (len(each) % 2) for kind, each in chunks)
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
