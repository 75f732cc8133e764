"""Slides as little TIFF files: around one tile, for its decoder, and as pyramids, for miniatures."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

SHORT, LONG, RATIONAL, UNDEFINED = 3, 4, 5, 7


def little_tags(
    width: int, height: int, channels: int, compression: int, photometric: int
) -> dict[int, tuple[int, Any]]:
    """Tags of a page with one strip of 8 bits, as `little_tiff` wants them: code -> (type, values)."""
    return {
        256: (LONG, (width,)),
        257: (LONG, (height,)),
        258: (SHORT, (8,) * channels),
        259: (SHORT, (compression,)),
        262: (SHORT, (photometric,)),
        277: (SHORT, (channels,)),
        278: (LONG, (height,)),
        284: (SHORT, (1,)),
    }


def little_tiff(pages: Sequence[tuple[Mapping[int, tuple[int, Any]], Sequence[bytes]]]) -> bytes:
    """A little-endian TIFF of pages (tags, tiles or strips); offsets and counts are filled in."""
    out = bytearray(b"II*\0\0\0\0\0")
    link = 4
    for given, segments in pages:
        offsets = []
        for segment in segments:
            offsets.append(len(out))
            out += segment
        tiled = 322 in given
        tags = dict(given)
        tags[324 if tiled else 273] = (LONG, tuple(offsets))
        tags[325 if tiled else 279] = (LONG, tuple(map(len, segments)))
        entries = []
        for code, (kind, values) in sorted(tags.items()):
            if kind == RATIONAL:
                flat = [int(part) for part in np.ravel(values)]
                count, packed = len(flat) // 2, struct.pack(f"<{len(flat)}I", *flat)
            elif kind == UNDEFINED:
                count, packed = len(values), values
            else:
                letter = "H" if kind == SHORT else "I"
                count, packed = len(values), struct.pack(f"<{len(values)}{letter}", *map(int, values))
            if len(packed) > 4:
                out += b"\0" * (len(out) % 2)
                place, packed = len(out), packed
                out += packed
                packed = struct.pack("<I", place)
            entries.append(struct.pack("<HHI", code, kind, count) + packed.ljust(4, b"\0"))
        out += b"\0" * (len(out) % 2)
        struct.pack_into("<I", out, link, len(out))
        out += struct.pack("<H", len(entries)) + b"".join(entries)
        link = len(out)
        out += b"\0\0\0\0"
    return bytes(out)


def pyramid(
    picture: bytes,
    factors: Sequence[int] = (1, 4, 16),
    *,
    tile: int = 64,
    packed: str = "jpeg",
    micrometers: float | None = None,
) -> bytes:
    """A picture as a tiled TIFF with a page for each factor, as scanners write it; for miniatures.

    Args:
        picture: a PNG or another format that Pillow opens.
        factors: each level has every n-th pixel.
        tile: pixels along a side of the TIFF's tiles, a multiple of 16.
        packed: "jpeg" or "deflate".
        micrometers: per pixel of level 0, written as resolution.
    """
    with Image.open(io.BytesIO(picture)) as opened:
        array = np.asarray(opened.convert("RGB"))
    pages: list[tuple[Mapping[int, tuple[int, Any]], list[bytes]]] = []
    for factor in factors:
        level = array[::factor, ::factor]
        height, width = level.shape[:2]
        tags = little_tags(width, height, 3, 7 if packed == "jpeg" else 8, 6 if packed == "jpeg" else 2)
        del tags[278]
        tags |= {322: (LONG, (tile,)), 323: (LONG, (tile,))}
        if packed == "jpeg":
            tags[530] = (SHORT, (2, 2))
        if micrometers and factor == 1:
            resolution = ((round(1e4 / micrometers * 100), 100),)
            tags |= {282: (RATIONAL, resolution), 283: (RATIONAL, resolution), 296: (SHORT, (3,))}
        rows, columns = -(-height // tile), -(-width // tile)
        border = ((0, rows * tile - height), (0, columns * tile - width), (0, 0))
        padded = np.pad(level, border, mode="edge")
        segments = []
        for row in range(rows):
            for column in range(columns):
                part = padded[row * tile : (row + 1) * tile, column * tile : (column + 1) * tile]
                segments.append(_pack(np.ascontiguousarray(part), packed))
        pages.append((tags, segments))
    return little_tiff(pages)


def _pack(part: npt.NDArray[np.uint8], packed: str) -> bytes:
    if packed == "deflate":
        return zlib.compress(part.tobytes(), 6)
    stream = io.BytesIO()
    Image.fromarray(part).save(stream, "JPEG", quality=90, subsampling="4:2:0")
    return stream.getvalue()


def multipage(pictures: Sequence[bytes]) -> bytes:
    """Pictures of one mode as the pages of one LZW-packed TIFF; for miniatures."""
    images = [Image.open(io.BytesIO(picture)) for picture in pictures]
    stream = io.BytesIO()
    images[0].save(stream, "TIFF", save_all=True, append_images=images[1:], compression="tiff_lzw")
    return stream.getvalue()
