"""Fills the text places of a source's files with a canary: what a file of that format can say beside its pixels."""

from __future__ import annotations

import csv
import functools
import gzip
import io
import json
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CANARY = "Canary^Jane"
BORN = "19600312"
TOLD = CANARY.encode()
FORMS = (TOLD, CANARY.encode("utf-16-le"), BORN.encode(), b"Canary", b"1960:03:12")
"""What must not be found, in the ways in which a format may write it."""
PROFILE = tuple((Path(__file__).parent / "ps3_15.txt").read_text("utf-8").split())
"""Keywords of DICOM that the Basic Application Level Confidentiality Profile removes or replaces."""
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>' + TOLD + b"</dc:creator></x:xmpmeta>"


def filled(files: dict[str, bytes]) -> dict[str, bytes]:
    """A source with canaries in its files, and with a file whose name is one."""
    return {path: planted(path, data) for path, data in files.items()} | {f"{CANARY} letter.txt": TOLD}


def planted(path: str, data: bytes) -> bytes:
    """A file with canaries in all text places of its format; the file itself where the format has none."""
    name = path.lower()
    if name.endswith(".gz") and data[:2] != b"\x1f\x8b":
        return data  # a Mac's shadow of a file
    if name.endswith(".tar.gz"):
        return gzip.compress(_tar(gzip.decompress(data)), 1, mtime=0)
    if name.endswith(".gz"):
        inner = planted(path[:-3], gzip.decompress(data))
        return gzip.compress(inner, 1, mtime=0)
    for starts, plant in _BY_CONTENT:
        if starts(data):
            return plant(data)
    suffix = name.rpartition(".")[2]
    return _BY_SUFFIX[suffix](data) if suffix in _BY_SUFFIX else data


# archives


def _zip(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        book = "xl/workbook.xml" in old.namelist()
        for entry in old.infolist():
            inside = old.read(entry)
            if not book and not entry.is_dir():
                inside = planted(entry.filename, inside)
            new.writestr(entry, inside)
        new.comment = TOLD
    return _book(data) if book else out.getvalue()


def _tar(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for entry in old:
            stream = old.extractfile(entry)
            inside = planted(entry.name, stream.read()) if stream is not None else b""
            entry.size, entry.uname, entry.gname = len(inside), CANARY, CANARY
            new.addfile(entry, io.BytesIO(inside))
    return out.getvalue()


# tables


def _csv(data: bytes) -> bytes:
    """A column that nobody asked for."""
    encoding = "utf-16" if data[:2] == b"\xff\xfe" else "utf-8"
    text = data.decode(encoding, "surrogateescape")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    if not first.count(delimiter):
        return data
    lines = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    ragged = any(len(line) != len(lines[0]) for line in lines) or '"' in first
    data_first = any(re.fullmatch(r"[\d.]+|[^()]*/.*|ISIC_\d+", cell.strip()) for cell in lines[0][:2])
    if ragged or data_first or "Fold0" in lines[0]:
        return data  # without a header, or with lines that say what they say by their place
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n" if "\r\n" in text else "\n")
    writer.writerow([*lines[0], "Referring physician"])
    writer.writerows([*line, CANARY] for line in lines[1:])
    return out.getvalue().encode(encoding, "surrogateescape")


def _book(data: bytes) -> bytes:
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(data))
    book.properties.creator = book.properties.title = book.properties.description = CANARY
    for sheet in book:
        last = sheet.max_column + 1
        for row in range(1, sheet.max_row + 1):
            sheet.cell(row, last, CANARY if row > 1 else "Referring physician")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _json(data: bytes) -> bytes:
    def told(value: Any) -> Any:
        if isinstance(value, list):
            return [told(each) for each in value]
        if not isinstance(value, dict):
            return value
        inner = {key: told(each) for key, each in value.items()}
        flat = inner and not any(isinstance(each, dict | list) or key.isdecimal() for key, each in inner.items())
        return inner | ({"referring": CANARY} if flat else {})

    return json.dumps(told(json.loads(data))).encode()


def _xml(data: bytes) -> bytes:
    start, close, _ = data.rpartition(b"</")
    more = b"<!-- " + TOLD + b" --><ReferringPhysician>" + TOLD + b"</ReferringPhysician>"
    return start + more + data[len(start) :] if close else data


# pictures


def segment(marker: int, body: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def exif() -> bytes:
    """EXIF with an artist, and no orientation."""
    body = TOLD + b"\0"
    return struct.pack("<2sHIHHHII I".replace(" ", ""), b"II", 42, 8, 1, 0x013B, 2, len(body), 26, 0) + body


def _jpeg(data: bytes) -> bytes:
    turned = b"Exif\0\0" in data[:64]  # readers take one Exif, and its orientation has to stay
    more = (
        *(() if turned else (segment(0xE1, b"Exif\0\0" + exif()),)),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
        segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x10\x1c\x02\x50" + TOLD),
        segment(0xEC, b"Ducky" + TOLD),
        segment(0xFE, TOLD),
    )
    at = 2
    while data[at + 1] == 0xE0:  # JFIF comes first
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return data[:at] + b"".join(more) + data[at:] + TOLD


def _png(data: bytes) -> bytes:
    more = (
        png_chunk(b"tEXt", b"Author\0" + TOLD),
        png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(TOLD)),
        png_chunk(b"iTXt", b"Title\0\1\0\0\0" + zlib.compress(TOLD)),
        png_chunk(b"eXIf", exif()),
        png_chunk(b"tIME", struct.pack(">HBBBBB", 1960, 3, 12, 1, 1, 1)),
        png_chunk(b"prVt", TOLD),
    )
    return data[:33] + b"".join(more) + data[33:] + TOLD


def _gif(data: bytes) -> bytes:
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    return data[:at] + b"\x21\xfe" + bytes([len(TOLD)]) + TOLD + b"\0" + data[at:] + TOLD


def _ppm(data: bytes) -> bytes:
    return data[:3] + b"# " + TOLD + b"\n" + data[3:]


def _tiff(data: bytes) -> bytes:
    """A new first directory at the end, with tags of text beside the others."""
    order = "<" if data[:2] == b"II" else ">"
    if struct.unpack_from(f"{order}H", data, 2)[0] != 42:
        return data
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, at)
    entries = {
        struct.unpack_from(f"{order}H", data, at + 2 + 12 * n)[0]: data[at + 2 + 12 * n : at + 14 + 12 * n]
        for n in range(count)
    }
    following = data[at + 2 + 12 * count : at + 6 + 12 * count]
    data += TOLD + b"\0" * (1 + (len(data) + len(TOLD) + 1) % 2)
    text = data.rindex(TOLD)
    for tag in (269, 285, 315, 316, 33432, 65000):
        entries[tag] = struct.pack(f"{order}HHII", tag, 2, len(TOLD) + 1, text)
    new = struct.pack(f"{order}H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + following
    return data[:4] + struct.pack(f"{order}I", len(data)) + data[8:] + new


# volumes


def _nifti(data: bytes) -> bytes:
    order = "<" if data[:4] == b"\x5c\x01\0\0" else ">"
    head = bytearray(data[:348])
    for start, end in ((14, 32), (148, 228), (228, 252), (328, 344)):
        head[start:end] = TOLD.ljust(end - start, b"\0")
    if head[344:348] != b"n+1\0":
        return bytes(head) + data[348:]
    (offset,) = struct.unpack_from(f"{order}f", head, 108)
    struct.pack_into(f"{order}f", head, 108, offset + 64)
    extension = struct.pack(f"{order}II", 64, 6) + TOLD.ljust(56, b"\0")
    return bytes(head) + b"\1\0\0\0" + extension + data[352 : int(offset)] + data[int(offset) :]


def _metaimage(data: bytes) -> bytes:
    lines = "".join(
        f"{key} = {CANARY}\n" for key in ("Institution", "Referring", "Operator", "PatientName", "0010|0010")
    )
    return data.replace(b"ElementDataFile", lines.encode() + b"ElementDataFile", 1)


def _dicom(data: bytes) -> bytes:
    """Every attribute of text that the profile knows and the file has not, private ones, and the preamble."""
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    for element in _attributes():
        if element.tag not in dataset:
            dataset.add(element)
    block = dataset.private_block(0x0011, CANARY, create=True)
    block.add_new(1, "LO", CANARY)
    dataset.preamble = TOLD.ljust(128, b"\0")
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


@functools.cache
def _attributes() -> tuple[Any, ...]:
    """Elements of text, dates and identifiers that the profile knows."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.dataelem import DataElement

    values = dict.fromkeys(("PN", "LO", "SH", "LT", "ST", "UT", "UC"), CANARY)
    values |= {"DA": BORN, "DT": BORN, "TM": "111111", "AS": "094Y", "UI": f"2.25.{BORN}"}
    tags = {tag_for_keyword(keyword): keyword for keyword in PROFILE if keyword not in GROUPED}
    wanted = {int(tag): dictionary_VR(tag) for tag in tags if tag and tag >> 16 > 2}
    return tuple(DataElement(tag, vr, values[vr]) for tag, vr in wanted.items() if vr in values)


GROUPED = frozenset(
    "SeriesDescription StudyDescription SeriesInstanceUID StudyInstanceUID FrameOfReferenceUID SOPInstanceUID "
    "AcquisitionDateTime ContentDate ContentTime".split()
)
"""What readers group files by where it is there: a canary in it would make other rows."""


# videos


def _mp4(data: bytes) -> bytes:
    return data + b"".join(
        struct.pack(">I4s", len(body) + 8, kind) + body
        for kind, body in ((b"free", TOLD), (b"uuid", b"0" * 16 + TOLD), (b"udta", TOLD), (b"meta", TOLD))
    )


def _avi(data: bytes) -> bytes:
    info = b"INFO" + struct.pack("<4sI", b"IART", 12) + TOLD + b"\0"
    more = struct.pack("<4sI", b"LIST", len(info)) + info + struct.pack("<4sI", b"JUNK", 12) + TOLD + b"\0"
    (size,) = struct.unpack_from("<I", data, 4)
    return data[:4] + struct.pack("<I", size + len(more)) + data[8 : 8 + size] + more + data[8 + size :]


def _npz_text(data: bytes) -> bytes:
    return data[:0] + TOLD.ljust(116) + data[116:] if data[:6] == b"MATLAB" else data


_BY_CONTENT: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], bytes]], ...] = (
    (lambda data: data[:4] == b"PK\3\4", _zip),
    (lambda data: data[257:262] == b"ustar", _tar),
    (lambda data: data[:2] == b"\xff\xd8", _jpeg),
    (lambda data: data[:8] == b"\x89PNG\r\n\x1a\n", _png),
    (lambda data: data[:4] == b"GIF8", _gif),
    (lambda data: data[:3] in (b"P5\n", b"P6\n"), _ppm),
    (lambda data: data[:4] in (b"II*\0", b"MM\0*"), _tiff),
    (lambda data: data[344:348] in (b"n+1\0", b"ni1\0"), _nifti),
    (lambda data: data[128:132] == b"DICM", _dicom),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"AVI ", _avi),
    (lambda data: data[4:8] == b"ftyp", _mp4),
    (lambda data: data[:6] == b"MATLAB", _npz_text),
)
_BY_SUFFIX: dict[str, Callable[[bytes], bytes]] = {
    "csv": _csv, "tsv": _csv, "json": _json, "xml": _xml, "mhd": _metaimage, "mha": _metaimage,
}  # fmt: skip


# what is found


def unpacked(data: bytes) -> Iterator[bytes]:
    """Bytes, and what zlib has compressed in them."""
    yield data
    for found in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", data):
        try:
            yield zlib.decompressobj().decompress(data[found.start() :])
        except zlib.error:
            continue


def tells(data: bytes) -> bool:
    """Whether a canary is in some bytes, compressed or not."""
    return any(form in part for part in unpacked(data) for form in FORMS)
