"""Slides by tiles, and pickles of plain values."""

from __future__ import annotations

import collections
import datetime
import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from medimg.errors import BombError, FormatError, GeometryError, PickleError
from medimg.files import File, Files, Limits
from medimg.readers import masks, safe_pickle, slide_files, slides


def picture(width: int = 300, height: int = 200) -> np.ndarray:
    """White, with a stained block in the middle that has a gradient."""
    array = np.full((height, width, 3), 255, np.uint8)
    ramp = np.linspace(120, 200, width // 2).astype(np.uint8)
    array[height // 4 : 3 * height // 4, width // 4 : width // 4 + width // 2] = np.stack(
        [ramp, ramp // 2, ramp], axis=-1
    )
    return array


def png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def placed(folder: Path, name: str, data: bytes) -> File:
    (folder / name).write_bytes(data)
    file = Files.open(folder).get(name)
    assert file is not None
    return file


@pytest.mark.parametrize("packed", ["deflate", "jpeg"])
def test_every_tile_equals_its_part_of_the_slide(tmp_path: Path, packed: str) -> None:
    array = picture()
    file = placed(tmp_path, "a.tiff", slide_files.pyramid(png(array), (1, 2, 4), packed=packed, micrometers=0.5))
    with slides.Slide(file) as slide:
        assert slide.levels == [(300, 200), (150, 100), (75, 50)]
        for level, step in enumerate((1, 2, 4)):
            found = list(slide.tiles(48, level, tissue=0))
            out = np.zeros_like(array[::step, ::step])
            for tile, place in found:
                part = tile.read()
                assert part.shape == (place.height, place.width)
                assert part.spacing == pytest.approx((0.0005 * step, 0.0005 * step))
                out[place.y : place.y + place.height, place.x : place.x + place.width] = part.array
            difference = np.abs(out.astype(int) - array[::step, ::step])
            assert difference.max() == 0 if packed == "deflate" else difference.mean() < 3


def test_only_tissue_is_taken_and_closed_slides_open_again(tmp_path: Path) -> None:
    file = placed(tmp_path, "a.tiff", slide_files.pyramid(png(picture()), (1, 4)))
    found = list(slides.tiles(file, 50))
    assert [(place.x, place.y) for _, place in found] == [(x, y) for y in (50, 100) for x in (50, 100, 150, 200)]
    assert all(place.tissue >= slides.TISSUE for _, place in found)
    assert found[3][0].read().array[20, 10, 1] < 120  # the slide was closed behind the last tile


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_what_tifffile_writes(tmp_path: Path, compression: str | None, tile: tuple[int, int] | None) -> None:
    array = picture()
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        array,
        photometric="rgb",
        compression=compression,
        tile=tile,
        bigtiff=tile is None,
        rowsperstrip=7,
    )
    file = placed(tmp_path, "a.tif", stream.getvalue())
    with slides.Slide(file) as slide:
        assert np.array_equal(slide.region(0, 33, 41, 190, 120), array[41:161, 33:223])


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "packbits", "raw"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_pillow_writes(tmp_path: Path, compression: str, mode: str) -> None:
    image = Image.fromarray(picture()).convert(mode)
    stream = io.BytesIO()
    image.save(stream, "TIFF", compression=compression)
    expected = np.asarray(Image.open(io.BytesIO(stream.getvalue())))
    file = placed(tmp_path, "a.tif", stream.getvalue())
    with slides.Slide(file) as slide:
        assert np.array_equal(slide.region(0, 5, 9, 200, 150), expected[9:159, 5:205])


def test_a_mask_has_the_slides_grid(tmp_path: Path) -> None:
    label = np.zeros((200, 300, 3), np.uint8)
    label[60:140, 80:220, 0] = 3
    slide = slides.Slide(placed(tmp_path, "a.tiff", slide_files.pyramid(png(picture()))))
    truth = slides.Slide(placed(tmp_path, "m.tiff", slide_files.pyramid(png(label), packed="deflate")), fill=0)
    other = slides.Slide(placed(tmp_path, "n.tiff", slide_files.pyramid(png(label[:190]), packed="deflate")))
    for _, place in slide.tiles(64, 1):
        part = masks.mask(truth.tile(place), channel=0).read()
        whole = label[::4, ::4, 0]
        assert np.array_equal(part.array, whole[place.y : place.y + 64, place.x : place.x + 64])
        with pytest.raises(GeometryError):
            other.tile(place).read()


def test_a_plain_jpeg_is_read_at_the_scale_of_its_level(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(picture(301, 203)).save(stream, "JPEG", quality=95)
    file = placed(tmp_path, "1.jpg", stream.getvalue())
    with slides.Slide(file) as slide:
        assert slide.levels == [(301, 203), (151, 102), (76, 51), (38, 26)]
        tiles = list(slide.tiles(64, 1))
        assert tiles and all(tile.read().shape == (p.height, p.width) for tile, p in tiles)
        assert slide.spacing(1) is None
        whole = np.asarray(Image.open(io.BytesIO(stream.getvalue())))
        assert np.array_equal(slide.region(0, 10, 20, 100, 80), whole[20:100, 10:110])
    with Files.open(tmp_path, limits=Limits(pixels=1000)) as files:
        small = files.get("1.jpg")
        assert small is not None
        with pytest.raises(BombError, match="at level 1"), slides.Slide(small) as slide:
            slide.region(1, 0, 0, 10, 10)


@pytest.mark.parametrize("cut", [0, 3, 8, 60, 900, -30])
def test_damaged_slides_are_named(tmp_path: Path, cut: int) -> None:
    data = slide_files.pyramid(png(picture()), (1, 4))
    file = placed(tmp_path, "a.tiff", data[:cut])
    with pytest.raises(FormatError) as caught:
        for tile, _ in slides.tiles(file, 64):
            tile.read()
    assert caught.value.file == "a.tiff"


def test_left_out_tiles_are_filled(tmp_path: Path) -> None:
    data = bytearray(slide_files.pyramid(png(picture()), (1,), packed="deflate"))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as tiff:
        counts = tiff.pages[0].tags[325].valueoffset  # type: ignore[union-attr]
    data[counts : counts + 4] = b"\0\0\0\0"
    with slides.Slide(placed(tmp_path, "a.tiff", bytes(data)), fill=7) as slide:
        assert (slide.region(0, 0, 0, 64, 64) == 7).all()


class Evil:
    def __reduce__(self) -> object:
        return os.system, ("exit 1",)


PLAIN = [{"image": "a", "answer": None}, (1, 2.5, True, 10**30, -5, "é"), {"b": [[]]}]


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_are_read(protocol: int, tmp_path: Path) -> None:
    assert safe_pickle.value(placed(tmp_path, "a.pkl", pickle.dumps(PLAIN, protocol))) == PLAIN


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value", [Evil(), [Evil()], collections.OrderedDict(a=1), datetime.date(2000, 1, 1), os.system]
)
def test_pickles_of_objects_are_refused(protocol: int, value: object, tmp_path: Path) -> None:
    file = placed(tmp_path, "a.pkl", pickle.dumps(value, protocol))
    with pytest.raises(PickleError) as caught:
        safe_pickle.value(file)
    assert caught.value.file == "a.pkl"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<html>",
        b"\x80\x04]\x94",
        b"Nr\xff\xff\xff\xff.",
        b"Np99999999999\n.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"((((",
        b"0.",
        b"}]Ns.",
    ],
)
def test_damaged_pickles_are_named(data: bytes) -> None:
    with pytest.raises(FormatError):
        safe_pickle.loads(data)
