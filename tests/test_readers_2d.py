"""The readers of pictures, arrays, tables, annotations, masks and videos."""

from __future__ import annotations

import gzip
import io
import json
import math
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import numpy as np
import openpyxl
import pytest
import tifffile
from datasets import Image as StockImage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, PngImagePlugin
from pydantic import ValidationError
from scipy import ndimage

from medimg import places
from medimg.errors import (
    BombError,
    DeclarationError,
    FormatError,
    GeometryError,
    LabelError,
    MissingExtraError,
    PickleError,
)
from medimg.files import File
from medimg.pixels import Array, Clip, Picture, Pixels, Volume
from medimg.readers import (
    arrays,
    boxes,
    depth,
    frames,
    masks,
    raster,
    raster_tiff,
    table_lines,
    tables,
    video,
)
from medimg.readers.boxes import CocoObject, coco, voc
from medimg.schema import Box, Label, Measure, Point

FAST = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
RNG = np.random.default_rng(20)


class Memory(File):
    """A file in memory that counts how often it is opened and how much of it is read."""

    def __init__(self, data: bytes, path: str = "case/file.png") -> None:
        super().__init__(path, lambda: cast(BinaryIO, Counting(self, data)), len(data))
        self.data = data
        self.times = 0
        self.bytes = 0

    def open(self) -> BinaryIO:
        self.times += 1
        return super().open()

    def __reduce__(self) -> tuple[Any, ...]:
        return Memory, (self.data, self.path)


class Counting(io.BytesIO):
    def __init__(self, file: Memory, data: bytes) -> None:
        super().__init__(data)
        self.file = file

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.file.bytes += len(data)
        return data


def saved(array: Array | Image.Image, kind: str = "PNG", **options: Any) -> Memory:
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    out = io.BytesIO()
    image.save(out, kind, **options)
    return Memory(out.getvalue(), f"case/file.{kind.lower()}")


def tiff(array: Array, **options: Any) -> Memory:
    out = io.BytesIO()
    tifffile.imwrite(out, array, **options)
    return Memory(out.getvalue(), "case/file.tif")


def picture(pixels: Pixels) -> Picture:
    image = pixels.read()
    assert isinstance(image, Picture)
    return image


def stock(data: bytes) -> Array:
    """What a user of plain `datasets` sees."""
    return np.asarray(StockImage().decode_example({"bytes": data, "path": None}))


def check(pixels: Pixels) -> tuple[Picture, bytes, str]:
    """Read, encode, and compare with the stock feature."""
    one = picture(pixels)
    data, suffix = raster.encode(one)
    seen = stock(data)
    assert seen.dtype == one.array.dtype
    assert np.array_equal(seen, one.array, equal_nan=one.array.dtype.kind == "f")
    return one, data, suffix


def noise(shape: tuple[int, ...], dtype: str) -> Array:
    if dtype == "bool":
        return RNG.integers(0, 2, shape).astype(bool)
    if dtype.startswith("float"):
        return RNG.normal(size=shape).astype(dtype)
    info = np.iinfo(cast(Any, dtype))
    return RNG.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


# --------------------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        ("bool", (9, 13)),
        ("uint8", (9, 13)),
        ("uint8", (9, 13, 2)),
        ("uint8", (9, 13, 3)),
        ("uint8", (9, 13, 4)),
        ("uint16", (9, 13)),
    ],
)
def test_png_passes_through_untouched(dtype: str, shape: tuple[int, ...]) -> None:
    array = noise(shape, dtype)
    file = saved(array)
    one, data, suffix = check(raster.picture(file))
    assert data == file.data and suffix == ".png"
    assert one.array.dtype == array.dtype and np.array_equal(one.array, array)
    assert one.shape == shape[:2] and one.spacing is None


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_passes_through_untouched(mode: str) -> None:
    smooth = ndimage.gaussian_filter(noise((40, 50, 4), "uint8"), (3, 3, 0))
    file = saved(Image.fromarray(smooth).convert(mode), "JPEG")
    one, data, suffix = check(raster.picture(file))
    assert data == file.data and suffix == ".jpg"
    assert one.array.ndim == (2 if mode == "L" else 3)


def test_exif_orientation_is_applied_as_the_stock_feature_does() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
        one, _, _ = check(raster.picture(saved(noise((10, 30), "uint8"), kind, exif=exif, **options)))
        assert one.shape == (30, 10), kind
    assert picture(raster.picture(saved(noise((9, 8), "uint8"), "JPEG", exif=exif))).meta == {"exif_orientation": 6}


def oriented(array: Array, kind: str, orientation: int) -> Memory:
    """A file whose stored pixels are `array` (for JPEG: what it decodes to without the tag)."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "maker"
    options = {
        "TIFF": {"compression": "tiff_adobe_deflate"},
        "WEBP": {"lossless": True},
        "JPEG": {"quality": 95},
    }
    return saved(array, kind, exif=exif, **options.get(kind, {}))


def as_stored(file: Memory) -> Array:
    """The pixels that a file stores, by a decoder that knows no orientation."""
    if file.data[:2] in (b"II", b"MM"):
        array: Array = tifffile.imread(io.BytesIO(file.data))
        return array
    with Image.open(io.BytesIO(file.data)) as image:
        return np.asarray(image)


PILLOW_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@pytest.mark.parametrize("size", [(10, 30), (16, 16)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_had_as_shown_and_as_stored(kind: str, orientation: int, size: tuple[int, int]) -> None:
    file = oriented(noise((*size, 3), "uint8"), kind, orientation)
    before = as_stored(file)
    shown, data, _ = check(raster.picture(file))
    turn = PILLOW_TURNS.get(orientation)
    assert np.array_equal(shown.array, before if turn is None else Image.fromarray(before).transpose(turn))
    assert data == file.data and shown.orientation == orientation
    back = frames.stored(shown)
    again, suffix = raster.encode(back)
    assert np.array_equal(back.array, before) and np.array_equal(stock(again), before)
    assert back.orientation == 1 and suffix == {"JPEG": ".jpg", "TIFF": ".tif"}.get(kind, f".{kind.lower()}")
    if orientation == 1:
        assert again == file.data and back.meta == {}
    else:
        assert back.meta == {"exif_orientation": orientation, "frame": "stored"}
        # The bytes are the source's, but for the orientation itself and PNG's checksum of it.
        assert len(again) == len(file.data)
        assert sum(a != b for a, b in zip(again, file.data, strict=True)) <= (5 if kind == "PNG" else 1)
        assert b"maker" in again


def xmp(value: int) -> bytes:
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="%d"/></rdf:RDF></x:xmpmeta>'
        % value
    )


@pytest.mark.parametrize("packed", [False, True])
def test_an_orientation_in_xmp_turns_and_is_taken_out_again(packed: bool) -> None:
    array = noise((9, 14), "uint8")
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp(6).decode(), zip=packed)
    files = [saved(array, "PNG", pnginfo=info), saved(array, "WEBP", lossless=True, xmp=xmp(6))]
    for file in (*files, saved(array, "JPEG", xmp=xmp(6)), saved(array, "TIFF", compression="tiff_lzw")):
        if file.path.endswith("tiff"):
            file = tiff(array, compression="zlib", extratags=[(700, 1, len(xmp(6)), xmp(6), True)])
        shown, _, _ = check(raster.picture(file))
        assert shown.orientation == 6 and shown.shape == (14, 9), file.path
        back = frames.stored(shown)
        assert np.array_equal(back.array, as_stored(file))
        assert np.array_equal(stock(raster.encode(back)[0]), back.array)


def test_an_orientation_in_a_place_that_cannot_be_patched_costs_no_pixel() -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    profile = exif.tobytes().hex()
    text = f"\nexif\n{len(profile) // 2:8}\n{profile}\n"
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", text, zip=True)
    array = noise((9, 14), "uint8") % 4
    colors = Image.fromarray(array)
    colors.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7])
    for image in (Image.fromarray(noise((9, 14, 3), "uint8")), colors):
        shown, _, _ = check(raster.picture(saved(image, "PNG", pnginfo=info)))
        assert shown.orientation == 8
        back = frames.stored(shown)
        seen = StockImage().decode_example({"bytes": raster.encode(back)[0], "path": None})
        assert np.array_equal(np.asarray(seen), np.asarray(image)) and seen.mode == image.mode
        assert seen.convert("RGB").tobytes() == image.convert("RGB").tobytes()


def test_sixteen_bits_and_types_that_pillow_lacks_follow_their_orientation() -> None:
    deep = noise((9, 14), "uint16")
    exif = Image.Exif()
    exif[0x0112] = 5
    shown, _, _ = check(raster.picture(saved(deep, "PNG", exif=exif)))
    assert np.array_equal(shown.array, deep.T) and np.array_equal(frames.stored(shown).array, deep)
    for array in (noise((9, 14), "int8"), noise((9, 14), "uint32") >> 2):
        for options in ({}, {"compression": "zlib"}, {"bigtiff": True}, {"byteorder": ">"}):
            file = tiff(array, extratags=[(274, 3, 1, 6, True)], **cast(Any, options))
            shown, _, _ = check(raster.picture(file))
            assert shown.orientation == 6 and np.array_equal(shown.array, np.rot90(array, -1))
            back = frames.stored(shown)
            assert np.array_equal(back.array, array) and np.array_equal(stock(raster.encode(back)[0]), array)
    # Four channels of ink and no plain form: only the source's own bytes can hold them.
    ink = saved(Image.fromarray(noise((16, 8, 4), "uint8"), "CMYK"), "JPEG", exif=exif)
    shown, _, _ = check(raster.picture(ink))
    assert np.array_equal(stock(raster.encode(frames.stored(shown))[0]), as_stored(ink))


def test_a_mask_follows_the_orientation_of_its_files() -> None:
    drawn = (noise((10, 14), "uint8") > 128).astype(np.uint8) * 255
    file, plain = oriented(drawn, "PNG", 6), saved(drawn)
    for pixels in (
        masks.threshold(file),
        masks.mask(file, {0: 0, 255: 1}),
        masks.instances([file]),
        masks.union([(masks.threshold(file), 1)]),
    ):
        mask = picture(pixels)
        assert mask.orientation == 6 and np.array_equal(mask.array, np.rot90(drawn // 255, -1))
        assert np.array_equal(frames.stored(mask).array, drawn // 255)
    kept = picture(masks.mask(file))
    assert np.array_equal(stock(raster.encode(frames.stored(kept))[0]), drawn)
    with pytest.raises(GeometryError, match=r"different EXIF orientations, \[1, 6\]"):
        masks.union([(plain, 1), (file, 2)]).read()


def tags_of(orientation: int, mask: int | None = None, target: int | None = None) -> tuple[Any, Any, Any]:
    array = noise((10, 10), "uint8")
    one, two, three = (
        None if tag is None else picture(raster.picture(oriented(array, "PNG", tag)))
        for tag in (orientation, mask, target)
    )
    return one, two, three


@pytest.mark.parametrize("frame", ["stored", "shown", None])
@pytest.mark.parametrize(("image", "mask", "target"), [(6, 6, None), (6, 1, None), (1, 6, None), (3, None, 1)])
def test_a_row_stands_in_one_frame(frame: Any, image: int, mask: int | None, target: int | None) -> None:
    given_ = tags_of(image, mask, target)
    same = len({image, mask, target} - {None}) == 1
    for placed in (False, True):
        if frame is None and (placed or not same):
            with pytest.raises(GeometryError, match="nobody says whether they were drawn"):
                frames.one_frame(frame, *given_, placed=placed)
            continue
        found = frames.one_frame(frame, *given_, placed=placed)
        for before, after in zip(given_, found, strict=True):
            if before is not None:
                assert isinstance(after, Picture)
                wanted = frames.stored(before) if frame == "stored" else before
                assert np.array_equal(after.array, wanted.array) and after.encoded == wanted.encoded


def test_a_picture_without_places_may_be_turned_and_one_that_is_not_turned_is_never_refused() -> None:
    for frame in ("stored", "shown", None):
        image, *_ = frames.one_frame(cast(Any, frame), *tags_of(6), placed=False)
        assert isinstance(image, Picture) and image.orientation == (1 if frame == "stored" else 6)
        assert frames.one_frame(cast(Any, frame), *tags_of(1, 1, 1), placed=True)[1] is not None


def test_colors_that_are_no_rgb_are_named_and_are_no_mask() -> None:
    smooth = ndimage.gaussian_filter(noise((40, 50, 4), "uint8"), (3, 3, 0))
    ink = saved(Image.fromarray(smooth[..., :3]).convert("CMYK"), "JPEG")
    lab = tiff(noise((20, 30, 3), "uint8"), photometric="cielab", compression="zlib")
    for file, color in ((ink, "CMYK"), (lab, "LAB")):
        one, data, _ = check(raster.picture(file))
        assert one.meta["color"] == color and data == file.data
        for pixels in (
            masks.threshold(file),
            masks.mask(file),
            masks.union([(file, 1)]),
            masks.filled(file),
        ):
            with pytest.raises(FormatError, match=f"a mask in the colors of {color}"):
                pixels.read()


def test_what_a_decoder_passes_over_in_a_tiff_is_said() -> None:
    deep, gray = noise((20, 30), "uint16"), noise((20, 30), "uint8")
    for compression in (None, "zlib"):
        white = picture(raster.picture(tiff(deep, photometric="miniswhite", compression=compression)))
        assert np.array_equal(white.array, deep) and white.meta["photometric"] == raster_tiff.MIN_IS_WHITE
        plain = picture(raster.picture(tiff(gray, photometric="miniswhite", compression=compression)))
        assert np.array_equal(plain.array, 255 - gray) and plain.meta == {}
        more = {"extrasamples": ["unspecified"], "compression": compression, "planarconfig": "contig"}
        one, _, _ = check(raster.picture(tiff(noise((20, 30, 4), "uint8"), photometric="rgb", **cast(Any, more))))
        assert one.array.shape == (20, 30, 3) and "1 of 4 samples" in one.meta["left_out"][0]
        rgba = tiff(noise((20, 30, 4), "uint8"), photometric="rgb", extrasamples=["unassalpha"])
        assert picture(raster.picture(rgba)).meta == {}


def test_a_program_that_lets_pillow_fill_up_what_is_cut_does_not_change_what_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    smooth = Image.fromarray(ndimage.gaussian_filter(noise((200, 300, 3), "uint8"), (3, 3, 0)))
    files = [saved(smooth, "JPEG", progressive=progressive) for progressive in (False, True)]
    files += [saved(smooth, kind) for kind in ("PNG", "BMP", "PPM", "WEBP")]
    files += [saved(smooth.convert("P"), "GIF"), saved(smooth, "TIFF", compression="tiff_lzw")]
    for tolerant in (False, True):
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", tolerant)
        for file in files:
            check(raster.picture(file))
            for cut in (40, len(file.data) // 2):
                with pytest.raises(FormatError, match=r"case/file\..*"):
                    raster.picture(Memory(file.data[:-cut], file.path)).read()


def test_slices_of_a_volume_are_not_turned() -> None:
    upright, turned_ = (oriented(noise((10, 10), "uint8"), "PNG", tag) for tag in (1, 3))
    assert isinstance(raster.stack([upright, upright]).read(), Volume)
    with pytest.raises(GeometryError, match="EXIF orientation is 3"):
        raster.stack([upright, turned_]).read()
    pages = tiff(noise((3, 10, 10), "uint8"), photometric="minisblack", extratags=[(274, 3, 1, 3, False)])
    with pytest.raises(GeometryError, match="EXIF orientation is 3"):
        raster.stack(pages).read()


def test_palettes_give_indices_and_keep_their_colors() -> None:
    image = Image.fromarray(noise((12, 9), "uint8") % 4)
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7])
    for kind in ("PNG", "BMP", "GIF", "TIFF"):
        one, data, suffix = check(raster.picture(saved(image, kind)))
        shown = StockImage().decode_example({"bytes": data, "path": None}).convert("RGB")
        assert np.array_equal(np.asarray(shown), np.asarray(image.convert("RGB"))), kind
        assert suffix == {"GIF": ".gif"}.get(kind, ".png")
        colors = raster.palette(one)
        assert colors is not None
        assert np.array_equal(colors[one.array], np.asarray(image.convert("RGB")))


def test_gzipped_pictures_are_inflated_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    array = RNG.integers(0, 256, (6, 5, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PPM")
    packed = gzip.compress(stream.getvalue())
    picture = raster.picture(Memory(packed, "im0001.ppm.gz")).read()
    assert isinstance(picture, Picture)
    assert np.array_equal(picture.array, array)
    for damaged, match in ((packed[:-20], "truncated|damaged"), (packed[:12] + b"\xff" * 30, "damaged")):
        with pytest.raises(FormatError, match=match):
            raster.picture(Memory(damaged, "im0001.ppm.gz")).read()
    monkeypatch.setattr(raster, "MAX_INFLATED", 50)
    with pytest.raises(BombError):
        raster.picture(Memory(packed, "im0001.ppm.gz")).read()


def test_threshold_of_a_palette_image_looks_at_its_colors() -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    image.putpalette([252, 254, 252, 4, 2, 4])
    stream = io.BytesIO()
    image.save(stream, "PNG")
    mask = masks.threshold(Memory(stream.getvalue())).read()
    assert isinstance(mask, Picture)
    assert mask.array.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("kind", ["BMP", "PPM", "TIFF"])
@pytest.mark.parametrize("shape", [(8, 11), (8, 11, 3)])
def test_uncompressed_formats_become_png(kind: str, shape: tuple[int, ...]) -> None:
    array = noise(shape, "uint8")
    one, data, suffix = check(raster.picture(saved(array, kind)))
    assert suffix == ".png" and data.startswith(b"\x89PNG") and one.encoded is None
    assert np.array_equal(one.array, array)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("bool", "bool"),
        ("uint8", "uint8"),
        ("int8", "int32"),
        ("uint16", "uint16"),
        ("int16", "int32"),
        ("int32", "int32"),
        ("float16", "float32"),
        ("float32", "float32"),
    ],
)
def test_tiff_keeps_every_value(stored: str, shown: str, bigtiff: bool, compression: str | None) -> None:
    array = noise((7, 10), stored)
    one, data, _ = check(
        raster.picture(tiff(array, compression=compression, bigtiff=bigtiff, photometric="minisblack"))
    )
    assert one.array.dtype == shown and np.array_equal(one.array.astype(stored), array)
    if compression is None:
        assert one.encoded is None and data


def test_wide_tiff_is_narrowed_only_where_that_is_exact() -> None:
    exact = np.array([[0, 2**31 - 1]], dtype=np.uint32)
    assert np.array_equal(check(raster.picture(tiff(exact)))[0].array, exact)
    for wide in (exact * np.uint32(2), np.array([[0.1]], np.float64), np.array([[2**40]], np.int64)):
        with pytest.raises(FormatError, match=r"case/file\.tif"):
            raster.picture(tiff(wide)).read()


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_compressed_tiff_passes_through(compression: str) -> None:
    file = saved(noise((20, 31, 3), "uint8"), "TIFF", compression=compression)
    _, data, suffix = check(raster.picture(file))
    assert data == file.data and suffix == ".tif"


def deep_png(array: Array) -> Memory:
    """16-bit color, which Pillow cannot write."""

    def chunk(tag: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))

    height, width, channels = array.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + line.astype(">u2").tobytes() for line in array))
    return Memory(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sixteen_bit_color_is_refused_or_reduced_on_request(channels: int) -> None:
    array = noise((6, 5, channels), "uint16")
    file = deep_png(array)
    with pytest.raises(FormatError, match="8 bits only"):
        raster.picture(file).read()
    one, data, _ = check(raster.picture(file, reduced=True))
    assert data == file.data and one.meta["stored_bits"] == 16
    if channels > 2:
        assert np.array_equal(one.array, array >> 8)


def test_sixteen_bit_color_tiff() -> None:
    array = noise((6, 5, 3), "uint16")
    file = tiff(array, photometric="rgb")
    with pytest.raises(FormatError, match="8 bits only"):
        raster.picture(file).read()
    one, data, _ = check(raster.picture(file, reduced=True))
    assert data == file.data and np.array_equal(one.array, array >> 8)


def test_pages_and_frames() -> None:
    stack = noise((4, 6, 7), "uint16")
    file = tiff(stack, photometric="minisblack")
    with pytest.raises(FormatError, match="4 pages"):
        raster.picture(file).read()
    one, _, _ = check(raster.picture(file, page=2))
    assert np.array_equal(one.array, stack[2]) and one.meta == {"page": 2}
    with pytest.raises(FormatError, match="no page 4"):
        raster.picture(file, page=4).read()

    gif = saved(Image.fromarray(stack[0].astype(np.uint8)), "GIF", save_all=True,
                append_images=[Image.fromarray(noise((6, 7), "uint8")) for _ in range(2)])  # fmt: skip
    with pytest.raises(FormatError, match="3 pages or frames"):
        raster.picture(gif).read()
    check(raster.picture(gif, page=1))


def test_stack_of_pages_or_pictures_is_a_volume() -> None:
    stack = noise((4, 6, 7), "float32")
    whole = raster.stack(tiff(stack, photometric="minisblack"), spacing=(0.5, 0.5, 2.0)).read()
    assert isinstance(whole, Volume)
    assert np.array_equal(whole.array, stack.T) and whole.spacing == (0.5, 0.5, 2.0)
    slices = [saved(one) for one in noise((3, 6, 7), "uint16")]
    volume = raster.stack(slices).read()
    assert isinstance(volume, Volume) and volume.shape == (7, 6, 3)
    with pytest.raises(GeometryError, match=r"odd\.png.*slice 3"):
        odd = Memory(saved(noise((7, 6), "uint16")).data, "odd.png")
        raster.stack([*slices, odd]).read()
    unusual = noise((3, 4, 5), "int8")  # through tifffile
    volume = raster.stack(tiff(unusual, photometric="minisblack")).read()
    assert isinstance(volume, Volume) and np.array_equal(volume.array, unusual.T)


@given(
    st.sampled_from([255, 100, 4095, 65535]),
    st.integers(1, 9),
    st.integers(1, 9),
    st.booleans(),
    st.randoms(),
)
@FAST
def test_pnm_values_are_not_stretched(maximum: int, height: int, width: int, ascii: bool, random: Any) -> None:
    values = np.array([random.randint(0, maximum) for _ in range(height * width)])
    body = b" ".join(b"%d" % v for v in values) if ascii else values.astype(">u2" if maximum > 255 else "u1").tobytes()
    head = b"P%d # a comment\n%d %d\n%d\n" % (2 if ascii else 5, width, height, maximum)
    one, _, _ = check(raster.picture(Memory(head + body)))
    assert np.array_equal(one.array.ravel(), values)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_truncated_pictures(kind: str) -> None:
    data = saved(noise((50, 70, 3), "uint8"), kind).data
    for cut in (4, 12, 40, len(data) // 2, len(data) - 20):
        with pytest.raises(FormatError, match=r"case/file\.png"):
            raster.picture(Memory(data[:-cut])).read()


def test_truncated_tiff_through_tifffile() -> None:
    with pytest.raises(FormatError):
        raster.picture(Memory(tiff(noise((50, 70), "float16")).data[:-100])).read()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<!DOCTYPE html><title>Sign in</title>", "HTML page"),
        (b"", "empty"),
        (b"\0" * 300, "zero bytes"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"%!PS-Adobe-3.0 EPSF", "not a PNG"),
    ],
)
def test_what_is_no_picture_is_told(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        raster.picture(Memory(data)).read()


def test_bombs_are_refused_from_the_header() -> None:
    png = bytearray(saved(noise((4, 4), "uint8")).data)
    png[16:24] = struct.pack(">II", 60_000, 60_000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    for data in (bytes(png), b"P5 60000 60000 255\n", b"P5 99999999999999999999 9 255\n"):
        with pytest.raises((BombError, FormatError)):
            raster.picture(Memory(data)).read()
    with pytest.raises(BombError, match="60000 x 60000"):
        raster.picture(Memory(bytes(png))).read()
    with pytest.raises(FormatError, match="tiles"):
        raster.encode(Picture(np.broadcast_to(np.uint8(0), (20_000, 20_000))))


@given(st.binary(max_size=200), st.integers(0, 7), st.sampled_from(["PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP"]))
@FAST
def test_damage_is_always_a_named_error(noise_bytes: bytes, seed: int, kind: str) -> None:
    data = bytearray(saved((np.arange(80).reshape(8, 10) * (seed + 1) % 256).astype(np.uint8), kind).data)
    at = (seed * 31) % len(data)
    data[at : at + len(noise_bytes)] = noise_bytes
    try:
        picture(raster.picture(Memory(bytes(data))))
    except (FormatError, BombError, MissingExtraError) as error:
        assert error.file == "case/file.png"


def test_nothing_is_opened_before_read() -> None:
    file = saved(noise((4, 4), "uint8"))
    pixels = masks.instances([masks.mask(raster.picture(file)), file])
    assert file.times == 0 and list(pixels.files()) == [file, file]


@given(
    st.sampled_from(["bool", "uint8", "uint16", "int8", "int16", "int32", "float16", "float32"]),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(0, 2**32 - 1),
)
@FAST
def test_encode_is_lossless(dtype: str, height: int, width: int, seed: int) -> None:
    raw = np.random.default_rng(seed).bytes(height * width * np.dtype(dtype).itemsize)
    array = np.frombuffer(raw, dtype="u1" if dtype == "bool" else dtype).reshape(height, width)
    array = array > 127 if dtype == "bool" else array
    seen = stock(raster.encode(Picture(array))[0])
    expected = depth.storable(array)
    assert seen.dtype == expected.dtype
    assert np.array_equal(seen, expected, equal_nan=expected.dtype.kind == "f")
    assert np.array_equal(expected.astype(dtype), array, equal_nan=expected.dtype.kind == "f")


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=9))
@FAST
def test_label_maps_take_the_smallest_dtype(values: list[int]) -> None:
    array = np.array([values], dtype=np.int64)
    small = depth.narrowed(array)
    assert np.array_equal(small, array) and np.array_equal(stock(raster.encode(depth.label_picture(array))[0]), array)
    expected = "uint8" if 0 <= min(values) and max(values) < 256 else "uint16"
    assert small.dtype == (expected if 0 <= min(values) and max(values) < 65536 else "int32")


def test_label_maps_refuse_what_is_no_label() -> None:
    assert depth.narrowed(np.array([[1.0, 300.0]])).dtype == np.uint16
    for bad in ([[0.5]], [[math.nan]], [[2.0**40]]):
        with pytest.raises(FormatError):
            depth.narrowed(np.array(bad))


# ------------------------------------------------------------------------------------------------------ masks


def test_index_of_values_keeps_the_bytes() -> None:
    file = saved(noise((6, 7), "uint8"))
    assert raster.encode(picture(masks.mask(file)))[0] == file.data
    assert picture(masks.mask(saved(noise((6, 7), "bool")))).array.dtype == np.uint8


def test_index_maps_values_colors_and_palettes() -> None:
    labels = noise((6, 7), "uint8") % 3
    lut = np.array([[0, 0, 0], [255, 0, 0], [0, 128, 255]], dtype=np.uint8)
    colors: dict[tuple[int, ...], int] = {(0, 0, 0): 0, (255, 0, 0): 1, (0, 128, 255): 2}
    assert np.array_equal(picture(masks.mask(saved(lut[labels]), colors)).array, labels)
    opaque = np.dstack([lut[labels], np.full_like(labels, 255)])
    assert np.array_equal(picture(masks.mask(saved(opaque), colors)).array, labels)
    image = Image.fromarray(labels)
    image.putpalette(lut.tobytes())
    assert np.array_equal(picture(masks.mask(saved(image), colors)).array, labels)
    assert np.array_equal(picture(masks.mask(saved(image), {0: 0, 1: 10, 2: 20})).array, labels * 10)
    assert np.array_equal(
        picture(masks.mask(saved(np.dstack([labels * 100] * 3)), {0: 0, 100: 1, 200: 2})).array, labels
    )
    assert np.array_equal(picture(masks.mask(saved(lut[labels]), {0: 0, 255: 1}, channel=0)).array, labels == 1)


def test_index_names_what_it_cannot_map() -> None:
    file = Memory(saved(np.array([[0, 7, 7, 9]], np.uint8)).data, "masks/3.png")
    with pytest.raises(LabelError, match=r"masks/3\.png: values without a mapping: 7, 9"):
        masks.mask(file, {0: 0}).read()
    color = saved(np.array([[[0, 0, 0], [1, 2, 3]]], np.uint8))
    with pytest.raises(LabelError, match=r"\(1, 2, 3\), in 1 pixels"):
        masks.mask(color, {(0, 0, 0): 0}).read()
    with pytest.raises(LabelError, match="channels differ"):
        masks.mask(color).read()
    with pytest.raises(LabelError, match="alpha"):
        masks.mask(saved(noise((5, 5, 4), "uint8"))).read()
    with pytest.raises(LabelError, match="no channel 5"):
        masks.mask(color, channel=5).read()
    with pytest.raises(DeclarationError):
        masks.mask(color, cast(Any, {0: 0, (1, 2, 3): 1}))


def test_threshold_binarises_blurred_masks() -> None:
    disk = np.hypot(*np.mgrid[-20:20, -25:25]) < 12
    blurred = saved(np.dstack([disk * np.uint8(255)] * 3), "JPEG", quality=40)
    one = picture(masks.threshold(blurred, 100))
    assert np.count_nonzero(one.array != disk) < 10 and one.meta == {"threshold": 100}
    assert set(np.unique(one.array)) == {0, 1}
    assert np.array_equal(picture(masks.threshold(saved(disk))).array, disk)


def outline(mask: Array, thickness: int = 2) -> Array:
    return mask & ~ndimage.binary_erosion(mask, iterations=thickness)


def ellipse(height: int, width: int, cy: float, cx: float, a: float, b: float, angle: float) -> Array:
    y, x = np.mgrid[:height, :width]
    u = (x - cx) * math.cos(angle) + (y - cy) * math.sin(angle)
    v = -(x - cx) * math.sin(angle) + (y - cy) * math.cos(angle)
    return (u / a) ** 2 + (v / b) ** 2 <= 1


@given(
    st.floats(-30, 130), st.floats(-30, 170), st.floats(25, 60), st.floats(0.6, 1), st.floats(0, 3.1),
    st.integers(2, 4),
)  # fmt: skip
@FAST
def test_contours_are_filled_wherever_the_border_cuts_them(
    cy: float, cx: float, a: float, ratio: float, angle: float, thickness: int
) -> None:
    region = ellipse(300, 340, cy + 100, cx + 100, a, a * ratio, angle)
    line = outline(region, thickness)
    region, line = region[100:200, 100:240], line[100:200, 100:240]
    inner = int((region & ~line).sum())
    if not line.any() or inner < 3 * line.sum() or inner > 0.7 * region.size:
        return  # hardly visible, or hardly anything else
    pixels = masks.filled(saved((line * 255).astype(np.uint8)))
    try:  # a small rest, or one whose line runs along the border, may be refused, but never be wrong
        pixels.read()
    except FormatError:
        assert inner < 6 * line.sum() or line[[0, -1]].sum() + line[:, [0, -1]].sum() > 4 * 2 * thickness
        return
    one = picture(pixels)
    assert np.count_nonzero(one.array != region) <= 2 and one.meta["contour"] == "filled"


@given(
    st.sampled_from(["top", "bottom", "left", "right"]), st.integers(-1, 3), st.integers(1, 3), st.integers(15, 90),
    st.booleans(),
)  # fmt: skip
@FAST
def test_a_contour_that_touches_a_border_is_filled_up_to_it(
    side: str, gap: int, thickness: int, along: int, drawn_along: bool
) -> None:
    """The head touches one border, or a second one too: its line is cut there, or runs along the border."""
    height, width, radius, margin = 90, 120, 26, 40
    across = gap + radius  # from -1: the outermost line is cut away; 0: it lies on the border
    cy, cx = {
        "top": (across, along), "bottom": (height - 1 - across, along),
        "left": (min(along, 60), across), "right": (min(along, 60), width - 1 - across),
    }[side]  # fmt: skip
    whole = ellipse(height + 2 * margin, width + 2 * margin, cy + margin, cx + margin, radius, radius, 0.0)
    inside = (slice(margin, -margin), slice(margin, -margin))
    region = whole[inside]
    line = outline(region, thickness) if drawn_along else outline(whole, thickness)[inside]
    found = picture(masks.filled(saved((line * 255).astype(np.uint8))))
    assert np.array_equal(found.array, region) and found.meta["contour"] == "filled"


@given(
    st.lists(st.tuples(st.integers(-24, 60), st.integers(-24, 60)), min_size=3, max_size=8),
    st.sampled_from([0.0, 0.5]),
)
@FAST
def test_a_border_cuts_a_polygon_and_moves_nothing(points: list[tuple[int, int]], center: float) -> None:
    corners = [(x / 4, y / 4) for x, y in points]
    cut = picture(masks.polygons([(1, corners)], (9, 8), center=center)).array
    moved = [(x + 7, y + 7) for x, y in corners]
    whole = picture(masks.polygons([(1, moved)], (9 + 14, 8 + 14), center=center)).array
    assert np.array_equal(cut, whole[7:-7, 7:-7])


def test_a_contour_that_leaves_on_two_sides_parts_the_image_in_three() -> None:
    region = ellipse(400, 240, 200, 120, 60, 150, 0.0)
    line = outline(region, 3)
    region, line = region[150:250], line[150:250]
    assert ndimage.label(~line)[1] == 3
    found = picture(masks.filled(saved((line * 255).astype(np.uint8))))
    assert np.count_nonzero(found.array != region) <= 2


def test_what_filled_refuses_and_keeps() -> None:
    region = ellipse(100, 140, 50, 70, 40, 25, 0.4)
    line = outline(region)
    gap = line.copy()
    gap[45:55, :70] = False
    for bad in (gap, np.zeros_like(line), np.eye(100, 140, dtype=bool), gap[:, 35:]):
        with pytest.raises(FormatError, match=r"not closed|nothing is drawn"):
            masks.filled(saved((bad * 255).astype(np.uint8))).read()
    solid = picture(masks.filled(saved((region * 255).astype(np.uint8))))
    assert np.array_equal(solid.array, region) and solid.meta["contour"] == "filled already"
    two = np.hstack([line, line])
    assert np.array_equal(picture(masks.filled(saved((two * 255).astype(np.uint8)))).array, np.hstack([region] * 2))


def circumference(mask: Array) -> float:
    """Of the ellipse with the mask's moments, by Ramanujan."""
    small, large = np.linalg.eigvalsh(np.cov(np.argwhere(mask).T))
    a, b = 2 * math.sqrt(large), 2 * math.sqrt(small)
    h = ((a - b) / (a + b)) ** 2
    return math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))


def real(samples: Path, name: str) -> Path:
    if not (samples / name).exists():
        pytest.skip(f"the real sample {name} is not here")
    return samples / name


def local(path: Path) -> File:
    return File(path.name, lambda: cast(BinaryIO, path.open("rb")), path.stat().st_size)


def test_hc18_heads_have_the_measured_circumference(samples: Path) -> None:
    folder = real(samples, "hc18")
    names = ("filename", "pixel size(mm)", "head circumference (mm)")
    table = tables.rows(local(folder / "training_set_pixel_size_and_HC.csv"), columns=names)
    sizes = {row["filename"]: row for row in table}
    annotated = sorted((folder / "training_set").glob("*_Annotation.png"))
    assert annotated
    for path in annotated:
        one = picture(masks.filled(local(path)))
        row = sizes[path.name.replace("_Annotation", "")]
        measured = circumference(one.array) * float(row[names[1]])
        assert measured == pytest.approx(float(row[names[2]]), rel=0.02), path.name
        line = outline(one.array.astype(bool), 3)
        assert one.array.sum() > 5 * line.sum()
        assert np.array_equal(picture(masks.filled(saved((line * 255).astype(np.uint8)))).array, one.array)


def test_dsb2018_instances(samples: Path) -> None:
    cases = sorted((real(samples, "dsb2018") / "stage1_train").iterdir())
    assert cases
    for case in cases:
        files = [local(path) for path in sorted((case / "masks").iterdir())]
        one = picture(masks.instances(files))
        image, _, _ = check(raster.picture(local(next((case / "images").iterdir()))))
        assert one.shape == image.shape
        assert np.array_equal(np.unique(one.array[one.array > 0]), np.arange(1, len(files) + 1))
        assert one.meta["instances"] == len(files)


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
@FAST
def test_instances_against_brute_force(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    objects = [rng.random((5, 6)) > 0.6 for _ in range(count)]
    expected, overlapping = np.zeros((5, 6), int), 0
    for number, one in enumerate(objects, 1):
        for at in zip(*np.nonzero(one), strict=True):
            overlapping += expected[at] > 0
            expected[at] = number
    pixels = masks.instances([saved((one * 255).astype(np.uint8)) for one in objects])
    if all((expected == n).any() for n in range(1, count + 1)):
        found = picture(pixels)
        assert np.array_equal(found.array, expected) and found.array.dtype == np.uint8
        assert found.meta == {"instances": count, "overlapping_pixels": overlapping}
    else:
        with pytest.raises(LabelError):
            pixels.read()


def test_instances_beyond_a_byte_and_bad_ones() -> None:
    grid = np.eye(300, dtype=bool)
    objects = [saved(np.atleast_2d(row)) for row in grid]
    one = picture(masks.instances(objects))
    assert one.array.dtype == np.uint16 and np.array_equal(one.array, [np.arange(1, 301)])
    with pytest.raises(GeometryError, match="object 2"):
        masks.instances([saved(np.ones((3, 4), bool)), saved(np.ones((4, 3), bool))]).read()
    with pytest.raises(LabelError, match=r"not a binary mask: values 1, 2"):
        masks.instances([saved(np.array([[1, 2]], np.uint8))]).read()
    with pytest.raises(LabelError, match="hide"):
        masks.instances([objects[0], objects[0]]).read()
    with pytest.raises(LabelError):
        masks.instances([]).read()


def test_union_is_lossless_or_refused() -> None:
    left, right = np.array([[255, 255, 0, 0]], np.uint8), np.array([[0, 255, 255, 0]], np.uint8)
    pairs = [(saved(left), 1), (saved(right), 2)]
    with pytest.raises(LabelError, match=r"\[1, 2\] overlap in 1 places"):
        masks.union(pairs).read()
    assert picture(masks.union(pairs, overlaps={(2, 1): 3})).array.tolist() == [[1, 3, 2, 0]]
    assert picture(masks.union([(saved(left), 5), (saved(right), 5)])).array.tolist() == [[5, 5, 5, 0]]
    many = [(saved((np.arange(20) == n).astype(np.uint8).reshape(4, 5)), n + 1) for n in range(20)]
    assert picture(masks.union(many)).array.ravel().tolist() == list(range(1, 21))
    with pytest.raises(GeometryError):
        masks.union([(saved(left), 1), (saved(right.T), 2)]).read()


@given(
    st.integers(1, 8),
    st.integers(1, 8),
    st.sampled_from(["F", "C"]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
@FAST
def test_rle_against_brute_force(height: int, width: int, order: Any, relative: bool, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) > 0.5
    flat, runs, at, end = mask.ravel(order=order), [], 0, 0
    while at < flat.size:
        if flat[at]:
            begin = at
            while at < flat.size and flat[at]:
                at += 1
            runs += [begin - end if relative else begin + 1, at - begin]
            end = at
        else:
            at += 1
    text = " ".join(map(str, runs)) or "-1"
    for form in (text, runs):
        one = picture(masks.rle(form, mask.shape, order=order, relative=relative, value=7))
        assert np.array_equal(one.array, mask * 7)


@pytest.mark.parametrize("runs", ["1", "1 0", "0 3", "10 4", "1 -2", "a b", "-5 2", "1.5 2"])
def test_rle_outside_the_image(runs: str) -> None:
    table = Memory(b"", "stage1_solution.csv")
    with pytest.raises(LabelError, match=r"stage1_solution\.csv"):
        masks.rle(runs, (3, 4), file=table).read()


def test_rle_instances() -> None:
    one = picture(masks.rle_instances(["1 2", "4 1"], (2, 3)))
    assert one.array.tolist() == [[1, 0, 0], [1, 2, 0]]
    assert not picture(masks.rle_instances([" -1"], (2, 3), relative=True)).array.any()
    assert not picture(masks.rle_instances([], (2, 3))).array.any()
    with pytest.raises(LabelError, match="empty"):
        masks.rle_instances(["1 2", "-1"], (2, 3)).read()


def runs_of(cells: list[str], nothing: str | None) -> list[str]:
    lines = [table_lines.Line({"runs": cell}, "train-rle.csv", at) for at, cell in enumerate(cells, 2)]
    return tables.run_lengths(lines, "runs", nothing=nothing)


@pytest.mark.parametrize("blank", ["", " ", "\t", "nan", "NaN", "NA"])
def test_a_blank_cell_of_run_lengths_is_no_empty_mask(blank: str) -> None:
    for nothing in ("-1", None):
        with pytest.raises(FormatError, match=r"line 2, column 'runs'.*says neither where something is"):
            runs_of([blank], nothing)
        with pytest.raises(FormatError, match=r"line 3, column 'runs'.*says neither where something is"):
            runs_of(["1 2", blank], nothing)
    for pixels in (masks.rle(blank, (2, 3)), masks.rle_instances([blank], (2, 3))):
        with pytest.raises(LabelError, match=r"blank run lengths|whole numbers"):
            pixels.read()


def test_run_lengths_of_one_image_say_one_thing() -> None:
    assert runs_of([" 1 2", "4 1 "], "-1") == ["1 2", "4 1"]
    assert runs_of([" -1"], "-1") == runs_of(["-1", "-1"], "-1") == []
    for cells in (["-1", "1 2"], ["1 2", "-1"]):
        with pytest.raises(FormatError, match="another line of the image where something is"):
            runs_of(cells, "-1")
    assert runs_of(["-1", "1 2"], None) == ["-1", "1 2"]


@given(
    st.lists(st.tuples(st.integers(-8, 40), st.integers(-8, 40)), min_size=3, max_size=9),
    st.sampled_from([0.0, 0.5]),
)
@FAST
def test_polygons_against_brute_force(points: list[tuple[int, int]], center: float) -> None:
    corners = [(x / 4, y / 4) for x, y in points]

    def inside(px: float, py: float) -> bool:
        crossings = 0
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            if y0 > y1:
                x0, y0, x1, y1 = x1, y1, x0, y0
            crossings += y0 <= py < y1 and px >= x0 + (py - y0) * ((x1 - x0) / (y1 - y0))
        return crossings % 2 == 1

    expected = [[3 * inside(x + center, y + center) for x in range(8)] for y in range(9)]
    assert picture(masks.polygons([(3, corners)], (9, 8), center=center)).array.tolist() == expected


def test_polygons_cover_tile_and_count_what_is_empty() -> None:
    square = [(0, 0), (4, 0), (4, 3), (0, 3)]
    one = picture(masks.polygons([(1, square), (2, [(2, 0), (9, 0), (9, 9), (2, 9)])], (4, 5)))
    assert one.array.tolist() == [[1, 1, 2, 2, 2]] * 3 + [[0, 0, 2, 2, 2]]
    sliver = [(0.6, 0.1), (0.9, 0.1), (0.9, 0.9)]
    assert picture(masks.polygons([(1, sliver)], (4, 5))).meta == {"empty_polygons": 1}
    for bad in ([(0, 0), (1, 1)], [(0, 0), (1, math.nan), (2, 2)]):
        with pytest.raises(LabelError, match=r"outline\.json"):
            masks.polygons([(1, bad)], (4, 5), file=Memory(b"", "outline.json")).read()


def test_promises_can_be_sent_to_another_process() -> None:
    file = saved(noise((4, 4), "bool"))
    for pixels in (masks.mask(file), masks.filled(file), masks.union([(file, 2)]), masks.rle("1 2", (2, 2))):
        again = pickle.loads(pickle.dumps(pixels))
        assert type(again) is type(pixels)
    assert np.array_equal(pickle.loads(pickle.dumps(masks.mask(file))).read().array, picture(masks.mask(file)).array)


# ----------------------------------------------------------------------------------------------------- arrays


def npz(compressed: bool = True, **members: Array) -> Memory:
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, **cast(Any, members))
    return Memory(out.getvalue(), "case/medmnist.npz")


@pytest.mark.parametrize("compressed", [True, False])
def test_npz_items_pass_once_over_the_file(compressed: bool) -> None:
    images = noise((50, 28, 28, 3), "uint8")
    file = npz(compressed, val=noise((3, 3), "uint8"), train_images=images, train_labels=np.arange(50)[:, None])
    assert arrays.npz_values(file, "train_labels")[:2] == [[0], [1]]
    file.bytes = file.times = 0
    for item, expected in zip(arrays.npz_items(file, "train_images"), images, strict=True):
        assert np.array_equal(picture(item).array, expected)
        assert np.array_equal(picture(item).array, expected)  # a second look costs nothing
    assert file.bytes < 1.2 * len(file.data) + 70_000 and file.times <= 2
    items = list(arrays.npz_items(file, "train_images"))
    for index in (40, 3, 49, 3, 0):
        assert np.array_equal(picture(items[index]).array, images[index])
    assert np.array_equal(picture(pickle.loads(pickle.dumps(items[7]))).array, images[7])


def test_only_one_item_is_in_memory() -> None:
    import tracemalloc

    file = npz(images=np.zeros((400, 200, 200), np.uint8))  # 16 MB in 16 KB
    tracemalloc.start()
    for item in arrays.npz_items(file, "images"):
        item.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_npz_volumes_and_arrays() -> None:
    volumes = noise((4, 8, 9, 10), "uint8")
    file = npz(images=volumes, fortran=np.asfortranarray(volumes), flat=np.float64(3))
    affine = [[0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1]]
    for key in ("images", "fortran"):
        for item, expected in zip(arrays.npz_items(file, key, affine=affine), volumes, strict=True):
            volume = item.read()
            assert isinstance(volume, Volume) and np.array_equal(volume.array, expected)
            assert volume.spacing == (1, 2, 3)
    one = next(arrays.npz_items(file, "images")).read()
    assert isinstance(one, Volume) and np.array_equal(one.affine, np.eye(4))
    assert arrays.npz_values(file, "flat") == [3.0]
    assert np.array_equal(arrays.load_array(file, "images"), volumes)
    with pytest.raises(FormatError, match="no array 'labels'; there are"):
        next(arrays.npz_items(file, "labels"))
    plain = io.BytesIO()
    np.save(plain, volumes[0, 0])
    file = Memory(plain.getvalue(), "slice.npy")
    assert np.array_equal(picture(arrays.npy(file)).array, volumes[0, 0])
    with pytest.raises(FormatError, match="no item 9"):
        arrays.npy(file, index=9).read()
    assert isinstance(arrays.npy(file, kind="volume").read(), Volume)
    assert len(list(arrays.npz_items(file, None))) == 9


def test_pickles_are_never_loaded() -> None:
    file = npz(labels=np.array([{"a": 1}], dtype=object))
    with pytest.raises(PickleError, match=r"medmnist\.npz\['labels'\]"):
        arrays.npz_values(file, "labels")
    with pytest.raises(PickleError):
        next(arrays.npz_items(file, "labels"))


def hostile(shape: str, descr: str = "'|u1'", body: bytes = b"abc") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


@pytest.mark.parametrize(
    "data",
    [
        hostile("(10**12,)"),
        hostile("(1000000000000, 4, 4)"),
        hostile("(-3, 4)"),
        hostile("(2,)", "'<V9'", b""),
        hostile("(1,)", "'nonsense'"),
        hostile("(1,)", "[('a', '<i4')]"),
        b"\x93NUMPY",
        b"",
        b"PK\x03\x04",
    ],
)
def test_hostile_headers_are_refused_before_allocation(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"bad\.npy"):
        arrays.npy(Memory(data, "bad.npy")).read()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", data)
    with pytest.raises(FormatError, match=r"bad\.npz"):
        arrays.load_array(Memory(out.getvalue(), "bad.npz"), "x")
    with pytest.raises(FormatError, match=r"bad\.npz"):
        arrays.load_array(Memory(out.getvalue()[:-30], "bad.npz"), "x")


def test_large_arrays_need_items() -> None:
    with pytest.raises(BombError, match="item by item"):
        arrays.load_array(npz(x=np.zeros(1000)), "x", limit=100)


# ----------------------------------------------------------------------------------------------------- tables


def table(text: str | bytes, name: str = "case/table.csv", **options: Any) -> list[dict[str, str]]:
    data = text.encode() if isinstance(text, str) else text
    return list(tables.rows(Memory(data, name), **options))


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t;,\"'"), max_size=8)


@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6),
    st.sampled_from([",", ";", "\t"]),
    st.booleans(),
)
@FAST
def test_csv_round_trip(records: list[list[str]], delimiter: str, bom: bool) -> None:
    import csv

    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["id", "b c", "ä"], *records])
    data = out.getvalue().encode("utf-8-sig" if bom else "utf-8")
    expected = [dict(zip(("id", "b c", "ä"), one, strict=True)) for one in records if any(c.strip() for c in one)]
    for options in ({}, {"delimiter": delimiter}):
        assert table(data, **options) == expected
    assert table(gzip.compress(data), "t.csv.gz") == expected
    assert table(out.getvalue().encode("utf-16"), "t.txt") == expected


def test_headers_as_they_come() -> None:
    assert table(" id , age;sex,id,\r\n1,2,3,\r\n") == [{"id": "1", "age;sex": "2", "id (2)": "3"}]
    assert table("a,,\n1,,\n2,b,c\n3\n") == [{"a": "1"}, {"a": "2", "": "b", " (2)": "c"}, {"a": "3"}]
    assert table(",a\n0,x\n") == [{"": "0", "a": "x"}]
    assert table("id;note\n1;a,b,c\n") == [{"id": "1", "note": "a,b,c"}]
    assert table("a\tb,c\n1\t2\n", "t.tsv") == [{"a": "1", "b,c": "2"}]
    assert table("name\nx y\n\nz\n", "list.txt") == [{"name": "x y"}, {"name": "z"}]
    assert table("# made by\n\nid,b\n1,2\n", skip=1) == [{"id": "1", "b": "2"}]
    assert table("1,2\n3,4\n", header=False, columns=("a", "b")) == [
        {"a": "1", "b": "2"},
        {"a": "3", "b": "4"},
    ]
    assert table("1,2\n", header=False) == [{"0": "1", "1": "2"}]
    with pytest.raises(FormatError, match=r"case/table\.csv: no column 'age'; there are \['id', 'b'\]"):
        table("id,b\n", columns=("id", "age"))


def test_encodings() -> None:
    assert table("name\nMüller – é\n".encode("cp1252")) == [{"name": "Müller – é"}]
    assert table(b"name\n\xc3\xbc and \xfc and \x81\n") == [{"name": "ü and ü and \x81"}]
    assert table("name\nü\n".encode("cp850"), encoding="cp850") == [{"name": "ü"}]
    with pytest.raises(FormatError, match="utf-8"):
        table(b"name\n\xfc\n", encoding="utf-8")
    with pytest.raises(FormatError, match="unknown encoding"):
        table(b"name\n", encoding="klingon")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n1,2,3\n", "line 3 has 3 cells"),
        ('a,b\n"x\ny",2\n1\n', "line 4 has 1 cells"),
        ("", "empty table"),
        ("<html><body>login</body></html>", "HTML page"),
        ("a\0b\n", "binary"),
        ('a,b\n"' + "x" * 200_000, "line 2: field larger"),
    ],
)
def test_tables_that_are_none(text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        table(text)


def test_surplus_and_short_rows() -> None:
    assert table("a,b\n1,2, \n") == [{"a": "1", "b": "2"}]
    assert table("a,b\n1\n", pad=True) == [{"a": "1", "b": ""}]
    with pytest.raises(FormatError, match="gzip"):
        table(gzip.compress(b"a,b\n1,2\n" * 999)[:-12], "t.csv.gz")


def test_csv_streams() -> None:
    file = Memory(b"id,text\n" + b"1,some words\n" * 200_000, "big.csv")
    found = tables.rows(file)
    assert next(found) == {"id": "1", "text": "some words"} and file.bytes < 100_000


def test_workbooks_are_exact() -> None:
    import datetime as dt

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["id", " value ", "when", "ok", None])
    sheet.append([7, 0.1, dt.datetime(2020, 1, 2), True])
    sheet.append([])
    sheet.append(["x", 3.0, dt.datetime(2020, 1, 2, 3, 4), None])
    book.create_sheet("second").append(["only"])
    out = io.BytesIO()
    book.save(out)
    assert table(out.getvalue(), "t.xlsx") == [
        {"id": "7", "value": "0.1", "when": "2020-01-02", "ok": "true"},
        {"id": "x", "value": "3", "when": "2020-01-02T03:04:00", "ok": ""},
    ]
    assert table(out.getvalue(), "t.xlsx", sheet="second") == []
    assert table(out.getvalue(), "t.xlsx", sheet=1) == []
    with pytest.raises(FormatError, match=r"no worksheet 'third'; there are \['Sheet', 'second'\]"):
        table(out.getvalue(), "t.xlsx", sheet="third")
    for name in ("t.xlsx", "t.xls"):
        with pytest.raises(FormatError, match="not an Excel workbook"):
            table(b"<html>", name)


def test_a_workbook_that_states_a_wrong_extent_is_read_whole() -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for line in (["id", "mm"], ["a", 1], ["b", 2]):
        book.active.append(line)
    right, wrong = io.BytesIO(), io.BytesIO()
    book.save(right)
    with zipfile.ZipFile(right) as old, zipfile.ZipFile(wrong, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("sheet1.xml"):
                assert b'ref="A1:B3"' in data
                data = data.replace(b'ref="A1:B3"', b'ref="A1"')
            new.writestr(name, data)
    assert table(wrong.getvalue(), "t.xlsx") == [{"id": "a", "mm": "1"}, {"id": "b", "mm": "2"}]


def test_objects_by_a_field_need_a_list_of_objects() -> None:
    good = b'[{"id": 1, "a": 2}, {"id": 2}]'
    assert tables.objects_by(Memory(good, "t.json"), "id") == {"1": {"id": 1, "a": 2}, "2": {"id": 2}}
    for bad in (b'{"id": {"id": 1}}', b'["id"]', b'[{"id": 1}, {"name": 2}]', b'"id"'):
        with pytest.raises(FormatError, match="no list of objects that all have 'id'"):
            tables.objects_by(Memory(bad, "t.json"), "id")
    with pytest.raises(FormatError, match="two objects with the 'id' 1 differ"):
        tables.objects_by(Memory(b'[{"id": 1, "a": 2}, {"id": 1, "a": 3}]', "t.json"), "id")


@pytest.mark.parametrize("text", ["", " ", "NA", "n/a", "NaN", "None", "null", "Not available", "unknown", "?", "-"])
def test_a_cell_that_says_that_there_is_no_number_is_none_and_named_where_one_is_needed(text: str) -> None:
    line = table_lines.Line({"mm": text}, "t.csv", 3)
    assert line.number_or_none("mm") is None
    copy = pickle.loads(pickle.dumps(line))
    assert copy == line and (copy.file, copy.at) == ("t.csv", 3)
    with pytest.raises(FormatError, match="line 3, column 'mm'") as caught:
        copy.number("mm")
    assert caught.value.file == "t.csv"


def test_json_tables() -> None:
    rows = [{"id": 1, "x": 1.5, "y": None, "z": [1, {"a": "ü"}], "b": False}]
    expected = {"id": "1", "x": "1.5", "y": "", "z": '[1, {"a": "ü"}]', "b": "false"}
    assert table(json.dumps(rows), "t.json") == [expected]
    assert table(json.dumps({"k": rows[0]}), "t.json") == [{"key": "k", **expected}]
    assert table("\n".join(map(json.dumps, rows * 2)), "t.jsonl") == [expected] * 2
    assert tables.json_value(Memory(b'\xef\xbb\xbf{"a": 1}', "t.json")) == {"a": 1}
    for bad in ('{"a": 1, "a": 2}', "[" * 100_000, "{", "[1, 2]", '{"a": {}, "b": 3}'):
        with pytest.raises(FormatError, match=r"t\.json"):
            table(bad, "t.json")


def test_small_text_formats() -> None:
    info = Memory(b"ED: 1\r\nES: 12\r\nGroup: DCM:x\r\n\r\nHeight : 184.0\n", "Info.cfg")
    assert tables.key_values(info) == {"ED": "1", "ES": "12", "Group": "DCM:x", "Height": "184.0"}
    assert tables.key_values(Memory(b"a = b: c\n", "x.cfg")) == {"a": "b: c"}
    for bad in (b"a: 1\na: 2\n", b"nothing\n"):
        with pytest.raises(FormatError, match=r"x\.cfg"):
            tables.key_values(Memory(bad, "x.cfg"))
    assert tables.lines(Memory("\ufeffeins\r\n\n zwei \n".encode(), "train.txt")) == ["eins", "zwei"]


def test_xml_bombs_are_refused() -> None:
    assert tables.xml(Memory(b"<a><b>1</b></a>", "x.xml")).findtext("b") == "1"
    bomb = b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>'
    external = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    for bad in (bomb, external, b"<a>", b"", b"<html><br></html>"):
        with pytest.raises(FormatError, match=r"x\.xml"):
            tables.xml(Memory(bad, "x.xml"))


# ------------------------------------------------------------------------------------------------ annotations

VOC = b"""<annotation><filename>a.jpg</filename><size><width>640</width><height>480</height></size>
<object><name>RBC</name><bndbox><ymin>1</ymin><xmin>2.5</xmin><xmax>640</xmax><ymax>480</ymax></bndbox>
<part><name>x</name></part><part><name>y</name></part></object>
<object><name>WBC</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>5</xmax><ymax>9</ymax></bndbox></object>
</annotation>"""


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_of_a_row_are_finite(value: float) -> None:
    for n in range(4):
        numbers = [1.0, 2.0, 3.0, 4.0]
        numbers[n] = value
        with pytest.raises(ValidationError, match="not finite"):
            Box(name="polyp", box=tuple(numbers))
    for point in ((value, 1.0), (1.0, 2.0, value)):
        with pytest.raises(ValidationError, match="not finite"):
            Point(name="fovea", point=point)
    for given_ in (value, str(value)):
        with pytest.raises(ValidationError, match="not finite"):
            Measure(name="bone age", value=cast(Any, given_), unit="mo")


def placed(*boxes: tuple[float, ...], points: Any = (), shape: Any = (20, 30), **more: Any) -> list[str]:
    """What is told of boxes and points on a picture of these (height, width)."""
    label = Label(
        boxes=tuple(Box(name="polyp", box=box) for box in boxes),
        points=tuple(Point(name="fovea", point=point) for point in points),
        **more,
    )
    image = Picture(np.zeros(shape, np.uint8), meta={"page": 1, "left_out": ["something"]})
    seen = places.checked(label, image)
    assert isinstance(seen, Picture) and seen.array is image.array and seen.meta["page"] == 1
    found: list[str] = seen.meta["left_out"][1:]
    return found


def test_boxes_lie_in_their_image_or_are_told_or_refused() -> None:
    assert placed((0, 0, 30, 20), (5, 5, 6, 6), (29.5, 19.5, 30.005, 20)) == []
    assert placed((-1, 0, 10, 10), (20, 10, 31, 20)) == [places.BEYOND]
    assert placed((5, 5, 6, 6), (5, 5, 6, 6)) == [places.TWICE]
    for outside in ((30, 0, 40, 10), (0, 20, 10, 25), (-9, 0, 0, 10), (0, -5, 10, -1), (21, 22, 25, 29)):
        with pytest.raises(LabelError, match=r"box .*polyp.* lies outside the image of 30 x 20"):
            placed((1, 1, 2, 2), outside)
    with pytest.raises(LabelError, match="of 3 axes, the image has 2"):
        placed((1, 1, 1, 2, 2, 2))
    for swapped in ((10, 5, 5, 10), (5, 10, 10, 5), (5, 5, 5, 10), (5, 5, 10, 5)):
        with pytest.raises(ValidationError, match="each upper bound must exceed its lower bound"):
            placed(swapped)


def test_points_outside_their_image_are_told() -> None:
    assert placed(points=[(0, 0), (29.5, 19.5), (15, 10)]) == []
    assert placed(points=[(31, 10), (15, 21), (-2, 3)]) == [places.OUTSIDE]
    with pytest.raises(LabelError, match="of 3 axes, the image has 2"):
        placed(points=[(1, 2, 3)])


def test_boxes_and_points_of_volumes_are_held_against_the_voxels() -> None:
    volume = Volume.from_array(np.zeros((10, 20, 5), np.uint8), np.eye(4))
    inside = Label(boxes=(Box(name="lung nodule", box=(0, 0, 0, 10, 20, 5)),))
    assert places.checked(inside, volume) is volume
    beyond = places.checked(Label(boxes=(Box(name="lung nodule", box=(5, 5, 4, 9, 9, 7)),)), volume)
    assert beyond.meta["left_out"] == [places.BEYOND]
    with pytest.raises(LabelError, match="lies outside the image of 10 x 20 x 5"):
        places.checked(Label(boxes=(Box(name="lung nodule", box=(12, 0, 0, 15, 2, 2)),)), volume)
    with pytest.raises(LabelError, match="of 2 axes, the image has 3"):
        places.checked(Label(boxes=(Box(name="lung nodule", box=(1, 1, 2, 2)),)), volume)


def test_labels_that_were_drawn_on_another_size_are_refused() -> None:
    assert placed((1, 1, 5, 5), drawn_on=(20, 30)) == []
    for size in ((30, 20), (40, 60)):
        with pytest.raises(GeometryError, match=r"drawn on .* pixels, the image has 20 x 30"):
            placed((1, 1, 5, 5), drawn_on=size)


@pytest.mark.parametrize("bad", [math.nan, math.inf, None, "", "5", True, [5]])
def test_a_corner_in_json_that_is_no_number_is_named(bad: Any) -> None:
    names, table = ("xmin", "ymin", "xmax", "ymax"), Memory(b"", "boxes.json")
    cells = {"xmin": 1, "ymin": 2.5, "xmax": 3, "ymax": 4}
    assert boxes.corners(cells, names, file=table, place="box 1 of 'a'") == (1, 2.5, 3, 4)
    for name in names:
        with pytest.raises(FormatError, match=rf"box 1 of 'a': '{name}' is .*, no finite number") as caught:
            boxes.corners({**cells, name: bad}, names, file=table, place="box 1 of 'a'")
        assert caught.value.file == "boxes.json"
        with pytest.raises(FormatError, match=f"box 1 of 'a' has no '{name}'"):
            boxes.corners({key: cells[key] for key in names if key != name}, names, file=table, place="box 1 of 'a'")


def test_voc_is_verbatim() -> None:
    found = voc(Memory(VOC, "a.xml"))
    assert (found.filename, found.width, found.height) == ("a.jpg", 640, 480)
    first, second = found.objects
    assert first.box == (2.5, 1, 640, 480) and not first.empty and second.empty
    assert first.half_open() == (1.5, 0, 640, 480) and first.half_open(0) == first.box
    assert first.raw["part"] == [{"name": "x"}, {"name": "y"}]
    assert found.size == (480, 640)
    swapped = VOC.replace(b"<xmin>2.5</xmin>", b"<xmin>641</xmin>")
    with pytest.raises(FormatError, match="object 1: the corners of its box are swapped"):
        voc(Memory(swapped, "a.xml"))
    for bad in (VOC.replace(b"2.5", b"nan"), VOC.replace(b"<xmax>5</xmax>", b""), b"<html/>"):
        with pytest.raises(FormatError, match=r"a\.xml"):
            voc(Memory(bad, "a.xml"))


def test_voc_of_real_blood_cells(samples: Path) -> None:
    root = real(samples, "blood-cells") / "BCCD"
    objects = 0
    for path in sorted((root / "Annotations").glob("*.xml")):
        found = voc(local(path))
        image = picture(raster.picture(local(root / "JPEGImages" / path.with_suffix(".jpg").name)))
        assert (found.height, found.width) == image.shape
        for one in found.objects:
            x0, y0, x1, y1 = one.half_open()
            assert one.name in ("RBC", "WBC", "Platelets")
            assert one.empty or (0 <= x0 < x1 <= image.shape[1] and 0 <= y0 < y1 <= image.shape[0])
        objects += len(found.objects)
    assert objects


def compressed(mask: Array) -> str:
    """COCO's compressed run lengths, written from its definition."""
    flat = np.concatenate([[False], mask.ravel(order="F")])
    edges = np.flatnonzero(np.diff(flat.astype(int))) if flat.size else []
    counts = np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()
    text = ""
    for index, count in enumerate(counts):
        number, more = count - (counts[index - 2] if index > 2 else 0), True
        while more:
            bits, number = number & 31, number >> 5
            more = number != (-1 if bits & 16 else 0)
            text += chr(48 + (bits | (32 if more else 0)))
    return text


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
@FAST
def test_coco_run_lengths(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    value = {"size": [height, width], "counts": compressed(mask)}
    one = CocoObject(1, "cell", None, value, {})
    assert np.array_equal(one.inside((height, width)), mask)
    flat, counts, state = mask.ravel(order="F"), [0], False
    for pixel in flat:
        if pixel != state:
            counts.append(0)
            state = pixel
        counts[-1] += 1
    one = CocoObject(1, "cell", None, {"size": [height, width], "counts": counts}, {})
    assert np.array_equal(one.inside((height, width)), mask)
    with pytest.raises(LabelError):
        one.inside((height + 1, width))


def coco_value() -> dict[str, Any]:
    square = [0, 0, 2, 0, 2, 2, 0, 2]
    return {
        "info": {"year": 2020},
        "images": [{"id": 5, "file_name": "a.png", "width": 6, "height": 4}],
        "categories": [{"id": 1, "name": "cell"}, {"id": 2, "name": "nucleus"}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 1, "bbox": [0, 0, 2, 2], "segmentation": [square]},
            {"id": 2, "image_id": 5, "category_id": 2, "bbox": [1.5, 0, 3, 2],
             "segmentation": {"size": [4, 6], "counts": [4, 2, 18]}},
        ],
    }  # fmt: skip


def test_coco() -> None:
    file = Memory(json.dumps(coco_value()).encode(), "coco.json")
    found = coco(file)
    image = found.images["a.png"]
    assert [one.box for one in image.objects] == [(0, 0, 2, 2), (1.5, 0, 4.5, 2)]
    assert [one.category for one in image.objects] == ["cell", "nucleus"] and found.raw == {"info": {"year": 2020}}
    one = picture(image.mask())
    assert one.array.tolist() == [[1, 2, 0, 0, 0, 0], [1, 2, 0, 0, 0, 0], [0] * 6, [0] * 6]
    assert one.meta == {"instances": 2, "overlapping_pixels": 2}
    assert picture(image.mask({"cell": 7, "nucleus": 300})).array.max() == 300
    with pytest.raises(LabelError, match=r"coco\.json: category 'nucleus'"):
        image.mask({"cell": 7}, file).read()


@pytest.mark.parametrize("change", ["images", "category", "bbox", "list", "twice"])
def test_coco_that_is_none(change: str) -> None:
    value: Any = coco_value()
    if change == "images":
        del value["images"]
    elif change == "category":
        value["annotations"][0]["category_id"] = 9
    elif change == "bbox":
        value["annotations"][0]["bbox"] = [1, 2]
    elif change == "twice":
        value["images"] *= 2
    else:
        value = [1]
    with pytest.raises(FormatError, match=r"coco\.json"):
        coco(Memory(json.dumps(value).encode(), "coco.json"))


@pytest.mark.parametrize("counts", ["~~~", "o", [5, 5], [-1, 25], "oooooooooooooooooooo", None, [1.5, 22.5]])
def test_damaged_run_lengths(counts: Any) -> None:
    one = CocoObject(1, "cell", None, {"size": [4, 6], "counts": counts}, {})
    with pytest.raises(LabelError):
        one.inside((4, 6))


# ----------------------------------------------------------------------------------------------------- videos


def movie(kind: str, codec: str, layout: str, count: int = 8) -> Memory:
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        track: Any = container.add_stream(cast(Any, codec), rate=25)
        track.width, track.height, track.pix_fmt = 70, 48, layout
        for number in range(count):
            gray = np.full((48, 70, 3), number * 20, np.uint8)
            frame = av.VideoFrame.from_ndarray(gray, format="rgb24").reformat(format=layout)
            container.mux(track.encode(frame))
        container.mux(track.encode())
    return Memory(out.getvalue(), f"case/clip.{kind}")


MOVIES = [
    ("avi", "mjpeg", "yuvj420p"),
    ("avi", "ffv1", "gray"),
    ("mp4", "mpeg4", "yuv420p"),
    ("avi", "ffv1", "bgr0"),
]


@pytest.mark.parametrize("form", MOVIES)
def test_clip_keeps_the_bytes_and_measures_the_frames(form: tuple[str, str, str]) -> None:
    file = movie(*form)
    one = video.clip(file).read()
    assert isinstance(one, Clip)
    assert one.encoded == file.data and one.suffix == f".{form[0]}" and one.size == (8, 48, 70) and one.fps == 25
    assert one.meta["pixel_format"] == form[2]
    again = video.clip(file).read()
    assert again.content() == one.content() != video.clip(movie(*form, count=7)).read().content()
    for cut in (10, len(file.data) // 2, len(file.data) - 60):
        with pytest.raises(FormatError, match=r"case/clip"):
            video.clip(Memory(file.data[:-cut], file.path)).read()


def test_digest_ignores_the_container() -> None:
    avi, mkv = movie("avi", "ffv1", "gray"), movie("matroska", "ffv1", "gray")
    assert video.clip(avi).read().content() == video.clip(mkv).read().content()
    with pytest.raises(FormatError, match="promises"):
        video.clip(Memory(mkv.data[:-100], "x.mkv")).read()


def test_single_frames() -> None:
    file = movie("avi", "ffv1", "gray")
    promised = video.frames(file, [5, 1, 7])
    assert file.times == 0
    shown = [picture(one) for one in promised]
    assert [one.array.shape for one in shown] == [(48, 70)] * 3
    assert shown[1].array.max() < shown[0].array.max() < shown[2].array.max()
    assert picture(video.frames(movie("avi", "ffv1", "bgr0"), [2])[0]).array.shape == (48, 70, 3)
    for index in (8, -1):
        with pytest.raises(FormatError, match="no frame"):
            video.frames(file, [index])[0].read()


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"\0" * 400, b"RIFF\x10\0\0\0AVI LIST", bytes(range(200))])
def test_what_is_no_video(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"case/clip\.avi"):
        video.clip(Memory(data, "case/clip.avi")).read()


# ----------------------------------------------------------------------------------------------------- extras


@pytest.mark.parametrize(("module", "extra"), [("tifffile", "tiff"), ("openpyxl", "tables"), ("av", "video")])
def test_missing_extras_are_named(module: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    float16 = tiff(noise((3, 3), "float16"))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"medimg\[{extra}\]"):
        if extra == "tiff":
            raster.picture(float16).read()
        elif extra == "tables":
            table(b"", "t.xlsx")
        else:
            video.clip(Memory(b"RIFF", "x.avi")).read()
