"""Images whose header promises more than one may have: refused before anything is decoded, with a name and a way on."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medimg.errors import BombError, FormatError, MedimgError
from medimg.files import Files, Limits
from medimg.loading import limits_of
from medimg.readers import (
    arrays,
    dicom,
    dicom_file,
    hdf5,
    image,
    matlab,
    raster,
    slides,
    tables,
    video,
    workbooks,
)
from medimg.registry import get

MiB = 1 << 20
SIDE = 30_000


def png(width: int, height: int, color: int = 2, depth: int = 8) -> bytes:
    """A PNG whose rows are all zero, deflated a thousandfold; whole, if somebody waits for it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def zeros(wbits: int, start: bytes = b"") -> bytes:
    """`start` and 192 MiB of zeros, deflated; the stream does not end."""
    packer = zlib.compressobj(1, zlib.DEFLATED, wbits)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + (packer.compress(bytes(16 * MiB)) + packer.flush(zlib.Z_FULL_FLUSH)) * 12


def member(archive: zipfile.ZipFile, name: str, start: bytes = b"", fill: bytes = b"\0") -> None:
    """A member of `start` and 192 MiB more."""
    with archive.open(name, "w") as opened:
        opened.write(start)
        for _ in range(12):
            opened.write(fill * (16 * MiB // len(fill)))


def tiff(width: int, height: int, bits: int = 8) -> bytes:
    tags = [(256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 8), (262, 3, 1), (273, 4, 200), (277, 3, 1),
            (278, 4, height), (279, 4, 100)]  # fmt: skip
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return (b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + bytes(4)).ljust(200, b"\0") + zlib.compress(
        bytes(9999)
    )


def nii(*shape: int) -> bytes:
    import nibabel as nib

    header = nib.Nifti1Header()
    header.set_data_dtype(np.float64)
    header.set_data_shape(shape)
    header["magic"], header["vox_offset"] = b"n+1", 352
    return bytes(header.binaryblock) + bytes(4)


def metaimage(*size: int) -> bytes:
    lines = ["NDims = 3", f"DimSize = {' '.join(map(str, size))}", "ElementType = MET_DOUBLE", "CompressedData = True",
             "ElementDataFile = LOCAL"]  # fmt: skip
    return ("\n".join(lines) + "\n").encode() + zlib.compress(bytes(9999))


def npy(*shape: int) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return out.getvalue()


def npz(*shape: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a.npy", "w") as member:
            member.write(npy(*shape))
            member.write(bytes(8 * int(np.prod(shape))))
    return out.getvalue()


def jpeg(width: int, height: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG")
    data = bytearray(out.getvalue())
    at = data.index(b"\xff\xc0")
    struct.pack_into(">2H", data, at + 5, height, width)
    return bytes(data)


def webp(width: int, height: int) -> bytes:
    pixels = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(99)
    body = b"WEBPVP8L" + struct.pack("<I", len(pixels)) + pixels
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif(width: int, height: int) -> bytes:
    size = struct.pack("<HH", width, height)
    return b"GIF89a" + size + bytes(3) + b"," + bytes(4) + size + b"\0\2\2L\1\0;"


def tiled(width: int, height: int, tile: int, kind: int = 1) -> bytes:
    """A small TIFF that is a part of one large tile; `kind` 2 are signed bytes, which tifffile reads."""
    packed = zlib.compress(bytes(99))
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1), (322, 4, tile),
            (323, 4, tile), (324, 4, 200), (325, 4, len(packed)), (339, 3, kind)]  # fmt: skip
    body = b"".join(struct.pack("<HHII", tag, form, 1, value) for tag, form, value in tags)
    return (b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + bytes(4)).ljust(200, b"\0") + packed


def bmp(width: int, height: int) -> bytes:
    head = struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + head + bytes(99)


CASES = {
    "rgb.png": png(SIDE, SIDE),
    "gray.png": png(SIDE, SIDE, 0),
    "one-bit.png": png(SIDE, SIDE, 0, 1),
    "long.png": png(2_000_000_000, 1),
    "a.ppm.gz": gzip.compress(png(SIDE, SIDE)),
    "a.tif": tiff(SIDE, SIDE),
    "b.tiff": tiff(SIDE, SIDE, 16),
    "a.pgm": b"P5 30000 30000 255\n" + bytes(99),
    "a.ppm": b"P6 30000 30000 255\n" + bytes(99),
    "ascii.pgm": b"P2 12000 12000 255\n" + bytes(99),
    "bits.pbm": b"P4 30000 30000\n" + bytes(99),
    "a.bmp": bmp(SIDE, SIDE),
    "a.gif": gif(SIDE, SIDE),
    "a.jpg": jpeg(SIDE, SIDE),
    "a.webp": webp(16383, 16383),
    "tile.tif": tiled(100, 100, 60_000),
    "signed.tif": tiled(100, 100, 60_000, 2),
    "a.nii": nii(2000, 2000, 2000),
    "a.nii.gz": gzip.compress(nii(2000, 2000, 2000) + bytes(99_999)),
    "a.mha": metaimage(2000, 2000, 2000),
}


def opened(tmp_path: Path, name: str, data: bytes, **limits: Any) -> Any:
    (tmp_path / name).write_bytes(data)
    with Files.open(tmp_path, dataset="lits", limits=Limits(**limits) if limits else None) as files:
        return files.get(name)


def _peak() -> int:
    """The most memory that this process had at once, in bytes, since `_forget`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


@contextmanager
def flat(most: int = 96 * MiB) -> Iterator[None]:
    """Memory grows by no more than `most` bytes at any moment within, where the system tells."""
    reset = Path("/proc/self/clear_refs")
    if not reset.exists():
        yield
        return
    reset.write_text("5")
    before = _peak()
    yield
    assert _peak() - before < most


def refused(read: Callable[[], Any], kind: type[MedimgError] = BombError) -> MedimgError:
    with flat(), pytest.raises(kind) as error:
        read()
    return error.value


@pytest.mark.parametrize("name", CASES)
def test_a_header_that_promises_too_much_is_refused(tmp_path: Path, name: str) -> None:
    file = opened(tmp_path, name, CASES[name])
    reader = raster.picture if name.endswith("m.gz") else image
    error = refused(lambda: reader(file).read())
    assert (error.dataset, error.file) == ("lits", name)
    assert "once decoded" in error.problem and "bytes" in error.problem
    assert error.next_step and "largest" in error.next_step and "tiles" in error.next_step
    assert str(error).startswith(f"lits: {name}: ")


def test_stacks_and_pages_count_together(tmp_path: Path) -> None:
    from PIL import Image

    pages = [Image.new("L", (100, 100), n) for n in range(30)]
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_deflate")
    file = opened(tmp_path, "a.tif", out.getvalue(), decoded=200_000)
    with pytest.raises(BombError, match="a volume of 21 slices"):
        raster.stack(file).read()
    assert raster.stack(opened(tmp_path, "a.tif", out.getvalue(), decoded=300_000)).read().array.shape == (
        100,
        100,
        30,
    )


def test_arrays(tmp_path: Path) -> None:
    file = opened(tmp_path, "a.npz", npz(100, 100, 100), decoded=1 << 20)
    assert "shape (100, 100, 100)" in refused(lambda: arrays.load_array(file, "a")).problem
    (item, *_) = arrays.npz_items(opened(tmp_path, "b.npz", npz(3, 400, 400), decoded=1 << 20), "a")
    assert "item" in refused(item.read).problem


def dcm(
    frames: int, rows: int, columns: int, syntax: str = "ExplicitVRLittleEndian", pixels: bytes = bytes(16)
) -> bytes:
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import generate_uid

    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
    made.file_meta.MediaStorageSOPClassUID = pydicom.uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid(entropy_srcs=["bomb"])
    made.SOPClassUID, made.Modality = made.file_meta.MediaStorageSOPClassUID, "CT"
    made.Rows, made.Columns, made.NumberOfFrames, made.SamplesPerPixel = rows, columns, frames, 1
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.PhotometricInterpretation, made.PixelData = "MONOCHROME2", pixels
    made.ImagePositionPatient, made.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    made.PixelSpacing = [1, 1]
    if syntax != "ExplicitVRLittleEndian":
        made["PixelData"].VR = "OB"
        made["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def test_dicom(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    many = opened(tmp_path, "many.dcm", dcm(2_000_000_000, 512, 512))
    error = refused(lambda: dicom.multiframe(many).read())
    assert "2,000,000,000 frames of 512 x 512" in error.problem
    assert (error.dataset, error.file) == ("lits", "many.dcm")
    tiny = opened(tmp_path, "tiny.dcm", dcm(2_000_000_000, 1, 1))
    assert "cannot hold" in refused(lambda: dicom.multiframe(tiny).grid(), FormatError).problem
    wide = opened(tmp_path, "wide.dcm", dcm(1, 65535, 65535))
    for read in (dicom.picture(wide).read, dicom.series([wide]).read, dicom.series([wide]).grid):
        refused(read)
    short = opened(tmp_path, "short.dcm", dcm(1, 20_000, 20_000))
    assert "cannot hold" in refused(dicom.picture(short).read, FormatError).problem
    none = opened(tmp_path, "none.dcm", dcm(1, 0, 20))
    assert "no image" in refused(dicom.picture(none).read, FormatError).problem


def j2k(width: int, height: int, samples: int = 1) -> bytes:
    siz = struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, width, height, 0, 0, samples) + b"\7\1\1" * samples
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(siz) + 2) + siz + bytes(99)


@pytest.mark.parametrize(
    ("syntax", "frame"),
    [
        ("JPEG2000Lossless", j2k(SIDE, SIDE)),
        ("JPEG2000Lossless", j2k(8, 8, 16_000)),
        ("JPEGBaseline8Bit", jpeg(SIDE, SIDE)),
        ("JPEGLSLossless", b"\xff\xd8\xff\xf7" + struct.pack(">HBHHB", 11, 8, SIDE, SIDE, 1) + bytes(99)),
        ("RLELossless", struct.pack("<16I", 1, 64, *(0,) * 14) + b"\x81\0" * (2 << 20)),
    ],
)
def test_a_compressed_frame_is_no_larger_than_its_header_says(tmp_path: Path, syntax: str, frame: bytes) -> None:
    pydicom = pytest.importorskip("pydicom")
    for count in (1, 2):
        data = dcm(count, 8, 8, syntax, pydicom.encaps.encapsulate([frame] * count))
        file = opened(tmp_path, "a.dcm", data)
        read = dicom.picture(file).read if count == 1 else dicom.multiframe(file).read
        assert "8 x 8" in refused(read, FormatError).problem


def test_a_deflated_dicom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pydicom")
    plain = dcm(1, 8, 8)
    start = 144 + int.from_bytes(plain[140:144], "little")
    meta = plain[:start].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    grown = len(meta) - start
    meta = meta[:140] + struct.pack("<I", int.from_bytes(meta[140:144], "little") + grown) + meta[144:]
    at = meta.index(b"1.2.840.10008.1.2.1.99")
    meta = meta[: at - 2] + struct.pack("<H", 22) + meta[at:]
    monkeypatch.setattr(dicom_file, "DEFLATED", 128 * MiB)
    file = opened(tmp_path, "a.dcm", meta + zeros(-15, plain[start:]))
    assert "expands to more than" in refused(dicom.picture(file).read).problem


def test_pictures_that_make_a_volume_count_together(tmp_path: Path) -> None:
    from PIL import Image

    for n in range(5):
        Image.new("L", (100, 100), n).save(tmp_path / f"{n}.png")
    with Files.open(tmp_path, dataset="lits", limits=Limits(decoded=30_000)) as files:
        found = [files.get(f"{n}.png") for n in range(5)]
        assert "a volume of 4 slices" in refused(raster.stack([one for one in found if one]).read).problem


def test_what_is_no_picture_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.png.gz").write_bytes(zeros(31))
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        member(archive, "z.png")
        member(archive, "wide.png", png(SIDE, SIDE))
    with Files.open(tmp_path, dataset="lits") as files:
        for name, kind in (
            ("a.png.gz", FormatError),
            ("all/z.png", FormatError),
            ("all/wide.png", BombError),
        ):
            file = files.get(name)
            assert file is not None
            assert refused(raster.picture(file).read, kind).file == name


def test_strips_that_unpack_to_more_than_their_pixels(tmp_path: Path) -> None:
    pytest.importorskip("tifffile")
    packed = zeros(15)
    tags = [(256, 4, 10), (257, 4, 10), (258, 3, 8), (259, 3, 8), (262, 3, 1), (273, 4, 200), (277, 3, 1), (278, 4, 10),
            (279, 4, len(packed)), (339, 3, 2)]  # fmt: skip
    body = b"".join(struct.pack("<HHII", tag, form, 1, value) for tag, form, value in tags)
    data = (b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + bytes(4)).ljust(200, b"\0") + packed
    assert "unpacks to more" in refused(raster.picture(opened(tmp_path, "a.tif", data)).read).problem


def test_headers_of_arrays(tmp_path: Path) -> None:
    head = b"\x93NUMPY\2\0" + struct.pack("<I", 192 * MiB)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        member(archive, "a.npy", head, b" ")
    file = opened(tmp_path, "a.npz", out.getvalue())
    error = refused(lambda: arrays.load_array(file, "a"), FormatError)
    assert "a header of 201,326,592 bytes" in error.problem


def test_matlab(tmp_path: Path) -> None:
    scipy = pytest.importorskip("scipy.io")
    out = io.BytesIO()
    scipy.savemat(out, {"a": np.zeros((3, 3), np.uint8), "b": np.ones((40, 40), np.uint8)}, do_compression=True)
    data = out.getvalue()
    good = opened(tmp_path, "good.mat", data)
    assert matlab.mask(good, "b").read().array.sum() == 1600
    size = struct.unpack_from("<I", data, 132)[0]
    first = zlib.decompress(data[136 : 136 + size])
    at = first.rindex(struct.pack("<II", 2, 9))  # the values: nine unsigned bytes
    size_of_values = struct.pack("<II", 2, 192 * MiB)
    bomb = zeros(15, first[:4] + struct.pack("<I", 192 * MiB + at) + first[8:at] + size_of_values)
    data = data[:128] + struct.pack("<II", 15, len(bomb)) + bomb + data[136 + size :]
    file = opened(tmp_path, "a.mat", data)
    assert "expands to more than" in refused(matlab.mask(file, "a").read).problem
    refused(matlab.mask(file, "b").read)


def test_chunks_of_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as book:
        made = book.create_dataset(
            "x", (2, 8, 8), "u1", chunks=(1 << 14, 1 << 8, 1 << 8), maxshape=(None,) * 3, compression=1
        )
        assert made.chunks
    with Files.open(tmp_path, dataset="lits") as files:
        file = files.get("a.h5")
        assert file is not None
        assert "bytes at once" in refused(lambda: next(iter(hdf5.items(file, "x"))).read()).problem


def test_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MAX_ROWS", 1000)
    openpyxl = pytest.importorskip("openpyxl")
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["a"])
    book.save(out)
    changed = io.BytesIO()
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("sheet1.xml"):
                last = b'<row r="99999999999"><c r="A99999999999"><v>1</v></c></row>'
                data = data.replace(b"</sheetData>", last + b"</sheetData>")
            new.writestr(name, data)
    file = opened(tmp_path, "a.xlsx", changed.getvalue())
    assert "worksheet" in refused(lambda: list(tables.rows(file)), FormatError).problem
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        member(archive, "b.xml", b"<a>", b"<a/>")
    with Files.open(tmp_path / "b.zip", dataset="lits") as files:
        found = files.get("b.xml")
        assert found is not None
        refused(lambda: tables.xml(found))


def test_frames_of_a_video(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    out = io.BytesIO()
    with av.open(out, "w", format="avi") as container:
        track = container.add_stream("mjpeg", rate=5)
        track.width = track.height = 64
        track.pix_fmt = "yuvj420p"
        for _ in range(2):
            for packet in track.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")):
                container.mux(packet)
        for packet in track.encode():
            container.mux(packet)
    data = bytearray(out.getvalue())
    assert video.clip(opened(tmp_path, "good.avi", bytes(data))).read().size[0] == 2
    at = data.index(b"\xff\xc0")
    struct.pack_into(">2H", data, at + 5, SIDE, SIDE)
    refused(video.clip(opened(tmp_path, "a.avi", bytes(data))).read, FormatError)


def test_a_slide_that_is_one_jpeg(tmp_path: Path) -> None:
    file = opened(tmp_path, "a.jpg", jpeg(SIDE, SIDE))
    assert "at level 0" in refused(lambda: slides.Slide(file).region(0, 0, 0, 10, 10)).problem


def test_stored_pictures(tmp_path: Path) -> None:
    for name in ("rgb.png", "a.jpg", "a.tif"):
        error = refused(lambda data=CASES[name], name=name: raster.open_stored(data, name))  # type: ignore[misc]
        assert error.file == name and "once decoded" in error.problem
    from medimg.fusion import signatures

    refused(lambda: signatures._pixels({"bytes": CASES["rgb.png"], "path": "x.png"}, None))


def test_a_declared_largest_image_is_let_through(tmp_path: Path) -> None:
    from PIL import Image

    dataset = get("lits").dataset
    assert limits_of(dataset) == Limits()
    large = limits_of(dataset.model_copy(update={"largest": 5 << 30}))
    assert (large.decoded, large.pixels) == (5 << 30, 5 << 30)
    out = io.BytesIO()
    Image.new("L", (500, 500)).save(out, "PNG")
    with pytest.raises(BombError, match=r"250,000 bytes once decoded; at most .* and 200,000 pixels"):
        image(opened(tmp_path, "a.png", out.getvalue(), pixels=200_000)).read()
    assert image(opened(tmp_path, "a.png", out.getvalue(), pixels=250_000)).read().shape == (500, 500)
