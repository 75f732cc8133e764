"""What is published passes one gate: text inside files, keys of tables and headers, names of files."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import canaries
import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from medimg import privacy
from medimg.containers import pictures, videos
from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.errors import SourceError
from medimg.files import Files
from medimg.phantom import Phantom
from medimg.readers import dicom_file, metaimage, nifti, raster
from medimg.registry import Builder
from medimg.report import LoadReport
from medimg.rows import iterate, materialize
from medimg.schema import Row

CANARY = canaries.CANARY
TOLD = CANARY.encode()
XMP, segment, png_chunk, tells = canaries.XMP, canaries.segment, canaries.png_chunk, canaries.tells
DECLARED: dict[str, Any] = {
    "name": "made-up",
    "title": "Made up",
    "dimension": "2d",
    "modality": "X-ray",
    "organ": "chest",
    "task": "classification",
    "license": "CC-BY-4.0",
    "homepage": "https://example.org/",
    "citation": Citation(title="Made up", authors="Nobody", year=2020),
    "sources": (Source(url="https://example.org/", kind="page"),),
    "splits": {"train": 0},
    "no_subject": "made up",
    "evidence": Evidence(layout="made up", labels="made up", license="made up"),
}


def gradient(height: int = 24, width: int = 32, channels: int = 3) -> np.ndarray[Any, Any]:
    """A picture in which every pixel differs from its neighbors."""
    y, x = np.mgrid[:height, :width]
    planes = [(7 * x + 3 * y) % 256, (5 * x + 11 * y) % 256, (x * y) % 256]
    array = np.stack(planes[:channels], axis=-1).astype(np.uint8)
    return array if channels > 1 else array[..., 0]


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def full_exif(orientation: int = 1) -> bytes:
    """EXIF with an author, a place on earth, a maker's note and a serial number, as Pillow writes it ("Exif" first)."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = exif[0x013B] = exif[0x0131] = CANARY
    exif[0x0132] = "1960:03:12 11:11:11"
    inner = exif.get_ifd(0x8769)
    inner[0x927C] = inner[0x9286] = TOLD
    inner[0xA431] = CANARY
    exif.get_ifd(0x8825)[0x001D] = "1960:03:12"
    exif.get_ifd(0x8825)[0x001B] = TOLD
    return exif.tobytes()


def jpeg(orientation: int = 1, **options: Any) -> bytes:
    """A JPEG with text in every place that may hold some, between its scans too."""
    image = Image.fromarray(gradient())
    plain = saved(image, "JPEG", quality=90, exif=full_exif(orientation), comment=TOLD, **options)
    more = [
        segment(0xE0, b"JFXX\0\x10" + TOLD),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
        segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + TOLD),
        segment(0xE2, b"FPXR\0" + TOLD),
        segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x10\x1c\x02\x50" + TOLD),
        segment(0xEC, b"Ducky" + TOLD),
        segment(0xFE, TOLD),
        b"\0" + TOLD,
    ]
    at = 2 + 2 + struct.unpack_from(">H", plain, 4)[0]
    data = plain[:at] + b"".join(more) + plain[at:]
    scan = data.rfind(b"\xff\xda")
    return data[:scan] + segment(0xFE, TOLD) + segment(0xE5, TOLD) + data[scan:] + TOLD


def png(orientation: int = 1, array: np.ndarray[Any, Any] | None = None) -> bytes:
    """A PNG with text in every place that may hold some."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", CANARY)
    info.add_text("Comment", CANARY, zip=True)
    info.add_itxt("Title", CANARY, zip=True)
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    image = Image.fromarray(gradient() if array is None else array)
    data = saved(image, "PNG", pnginfo=info, exif=full_exif(orientation), icc_profile=b"profile" * 30, dpi=(300, 300))
    data = data.replace(png_chunk(b"IEND", b""), b"")
    name, _, _ = data[data.find(b"iCCP") + 4 :].partition(b"\0")
    assert name == b"ICC Profile"
    chunks = [
        (b"tIME", struct.pack(">HBBBBB", 1960, 3, 12, 1, 1, 1)),
        (b"prVt", TOLD),
        (b"sPLT", TOLD + b"\0\x08" + b"\0" * 6),
        (b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(TOLD)),
    ]
    return data + b"".join(png_chunk(*one) for one in chunks) + png_chunk(b"IEND", b"") + TOLD


def gif() -> bytes:
    data = saved(Image.fromarray(gradient(channels=1)).quantize(), "GIF", comment=TOLD)
    block = b"\x21\xff\x0bXMP DataXMP" + bytes([len(XMP)]) + XMP + b"\0"
    text = b"\x21\x01\x0c" + b"\0" * 12 + bytes([len(TOLD)]) + TOLD + b"\0"
    at = 13 + (3 << (data[10] & 7) + 1)  # after the colors
    return data[:at] + block + text + data[at:] + TOLD


def webp(orientation: int = 1) -> bytes:
    image = Image.fromarray(gradient())
    data = saved(image, "WEBP", lossless=True, exif=full_exif(orientation), xmp=XMP, icc_profile=b"profile" * 30)
    more = struct.pack("<4sI", b"note", len(TOLD)) + TOLD + b"\0" * (len(TOLD) % 2)
    data += more
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def tiff(compression: str = "zlib", *, big: bool = False, order: str = "<", orientation: int = 1, **how: Any) -> bytes:
    """A TIFF with text in every tag that may hold some, in SubIFDs and in bytes that nothing points to."""
    out = io.BytesIO()
    tags: list[Any] = [(tag, 2, 0, CANARY, False) for tag in (269, 285, 315, 316, 33432, 50838, 65000)]
    tags += [
        (700, 1, len(XMP), XMP, False),
        (33723, 7, len(TOLD), TOLD, False),
        (34377, 7, len(TOLD), TOLD, False),
    ]
    tags += [(274, 3, 1, orientation, False), (37500, 7, len(TOLD), TOLD, False)]
    tifffile.imwrite(
        out,
        gradient(64, 64),
        compression=compression,
        description=CANARY,
        software=CANARY,
        datetime="1960:03:12 11:11:11",
        extratags=tags,
        bigtiff=big,
        byteorder=order,
        metadata=None,
        **how,
    )  # fmt: skip
    return out.getvalue() + TOLD


def pillow_tiff(compression: str) -> bytes:
    image = Image.fromarray(gradient(64, 64))
    return saved(image, "TIFF", compression=compression, tiffinfo={270: CANARY, 305: CANARY, 315: CANARY}) + TOLD


def shown(data: bytes) -> np.ndarray[Any, Any]:
    """What the stock image feature shows."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(raster.as_shown(image))


def read(folder: Path, name: str, data: bytes) -> raster.Picture:
    (folder / name).write_bytes(data)
    with Files.open(folder, dataset="x") as files:
        picture = raster.picture(files.need(f"^{name}$")).read()
    assert isinstance(picture, raster.Picture)
    return picture


FULL: dict[str, Callable[[], bytes]] = {
    "plain.jpg": jpeg,
    "turned.jpg": lambda: jpeg(6),
    "progressive.jpg": lambda: jpeg(3, progressive=True),
    "profile.jpg": lambda: jpeg(1, icc_profile=b"profile" * 30),
    "plain.png": png,
    "turned.png": lambda: png(8),
    "gray16.png": lambda: png(1, np.arange(600, dtype=np.uint16).reshape(20, 30) * 99),
    "plain.gif": gif,
    "plain.webp": webp,
    "turned.webp": lambda: webp(5),
    "deflate.tif": tiff,
    "turned.tif": lambda: tiff(orientation=7),
    "big.tif": lambda: tiff(big=True),
    "swapped.tif": lambda: tiff(order=">"),
    "lzw.tif": lambda: pillow_tiff("tiff_lzw"),
    "jpeg.tif": lambda: pillow_tiff("jpeg"),
    "tiles.tif": lambda: tiff("zlib", tile=(32, 32), predictor=True),
}


@pytest.mark.parametrize("name", FULL)
def test_text_leaves_a_picture_and_no_pixel_changes(name: str, tmp_path: Path) -> None:
    data = FULL[name]()
    assert tells(data)
    picture = read(tmp_path, name, data)
    clean, left = pictures.picture(data, picture.orientation)
    assert clean is not None and left
    assert not tells(clean)
    assert np.array_equal(shown(clean), shown(data))
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(clean)) as after:
        assert before.info.get("icc_profile") == after.info.get("icc_profile")
        assert before.mode == after.mode
    again, rest = pictures.picture(clean, picture.orientation)
    assert again is clean and not rest


# videos


def film(kind: str, *, sound: bool = True, codec: str = "mpeg4", **options: str) -> bytes:
    """A video with a canary in its tags, in the names of its tracks, and in a track of sound."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format=kind, options=options) as container:
        for key in ("title", "artist", "comment", "copyright", "location", "date"):
            container.metadata[key] = CANARY
        track = container.add_stream(codec, rate=10)
        track.width, track.height, track.pix_fmt = 48, 32, "yuv420p" if codec != "mjpeg" else "yuvj420p"
        track.metadata["title"] = track.metadata["handler_name"] = CANARY
        voice = container.add_stream("pcm_s16le", rate=8000) if sound else None
        for n in range(6):
            array = np.roll(gradient(32, 48), 5 * n, axis=1)
            container.mux(track.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
            if voice is not None:
                said = (TOLD * 200)[:1600]
                spoken = av.AudioFrame.from_ndarray(np.frombuffer(said, np.int16)[None], format="s16", layout="mono")
                spoken.sample_rate, spoken.pts = 8000, 800 * n
                container.mux(voice.encode(spoken))
        container.mux(track.encode())
        if voice is not None:
            container.mux(voice.encode())
    return out.getvalue()


def frames(data: bytes) -> list[Any]:
    import av

    with av.open(io.BytesIO(data)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


FILMS: dict[str, Callable[[], bytes]] = {
    "clip.mov": lambda: film("mov") + box(b"free", TOLD) + box(b"uuid", TOLD * 2) + box(b"meta", TOLD),
    "fast.mp4": lambda: film("mp4", sound=False, movflags="use_metadata_tags"),
    "pieces.mp4": lambda: film("mp4", sound=False, movflags="frag_keyframe+empty_moov"),
    "clip.avi": lambda: film("avi", codec="mjpeg") + struct.pack("<4sI", b"JUNK", 16) + TOLD.ljust(16),
    "clip.mkv": lambda: film("matroska"),
    "clip.webm": lambda: film("matroska", sound=False, codec="mjpeg"),
}


@pytest.mark.parametrize("name", FILMS)
def test_text_leaves_a_video_and_every_frame_stays(name: str) -> None:
    pytest.importorskip("av")
    data = FILMS[name]()
    assert TOLD in data
    clean, left = videos.video(data)
    assert TOLD not in clean and len(clean) == len(data) and left
    before, after = frames(data), frames(clean)
    assert len(before) == len(after) == 6
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    again, rest = videos.video(clean)
    assert again is clean and not rest


# keys, values, names


def gate(keys: str = "", labels: tuple[str, ...] = ()) -> privacy.Gate:
    return privacy.Gate(tuple(key.strip() for key in keys.split(";") if key), labels)


def test_keys_are_told_by_list_at_every_depth_and_counted_without_their_values() -> None:
    left: privacy.Left = Counter()
    meta = {
        "Age": 61,
        "Institution": CANARY,
        "table.csv": {"R1:bleed": 1, "Operator": CANARY, "list": [{"Referring": CANARY, "sex": "F"}]},
        "0010|0010": CANARY,
        CANARY: 1,
    }
    told = gate("age; SEX; table.csv; R1:*; list").meta(meta, left)
    assert told == {"Age": 61, "table.csv": {"R1:bleed": 1, "list": [{"sex": "F"}]}}
    assert left == {
        "meta: Institution": 1,
        "meta: Operator": 1,
        "meta: Referring": 1,
        "meta: a key that is no name": 2,
    }
    assert gate(labels=("Effusion",)).source({"Effusion": 1, "Reader": CANARY}, left) == {"Effusion": 1}


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("PatientAge", "094Y", "90+"),
        ("PatientAge", "089Y", "089Y"),
        ("PatientAge", "090Y+", "90+"),
        ("PatientAge", "1100M", "90+"),
        ("PatientAge", "011M", "011M"),
        ("Age (years)", 90, "90+"),
        ("age", 89.5, 89.5),
        ("age", ">89", "90+"),
        ("age", ">=65", ">=65"),
        ("age_at_scan", "94 years", "90+"),
        ("age (months)", 1000, 1000),
        ("age", "unknown", "unknown"),
        ("bone age", 110, 110),
        ("capture_date", "2012-05-16", "2012"),
        ("Acq Date", "5/16/2012", "2012"),
        ("StudyInstanceUID", "1.2.3", privacy.other_uid("1.2.3")),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2"),
        ("ConvolutionKernel", "B30f", "B30f"),
        ("ConvolutionKernel", "for Dr. Canary", None),
        ("ScanOptions", "HELIX", "HELIX"),
        ("ScanOptions", CANARY, None),
        ("Manufacturer", "installed 20120516", None),
        ("note", "a 94 year old man, 88 years in his village", "a 90+ year old man, 88 years in his village"),
    ],
)
def test_ages_dates_and_identifiers_are_told_as_the_page_says(key: str, value: Any, told: Any) -> None:
    keys = "Age (years); age; age_at_scan; age (months); bone age; capture_date; Acq Date; note"
    assert gate(keys).meta({key: value}, Counter()) == {key: told}


def test_series_are_named_where_the_declaration_says_that_their_source_does() -> None:
    series = {"SeriesInstanceUID": "1.2.3", "readings": [{"SeriesInstanceUID": "1.2.3"}]}
    assert gate("SeriesInstanceUID; readings").meta(series, Counter()) == series
    other = gate("readings").meta(series, Counter())
    assert other["SeriesInstanceUID"] == other["readings"][0]["SeriesInstanceUID"] != "1.2.3"


def test_of_dicom_nothing_is_told_that_the_basic_profile_removes() -> None:
    kept = set(privacy.HEADER) & set(canaries.PROFILE)
    replaced = {"StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"}
    characteristics = {"PatientSex", "PatientAge", "PatientWeight"}  # the option of this name
    assert len(canaries.PROFILE) > 600 and kept == replaced | characteristics
    assert {"SeriesDescription", "ContrastBolusAgent", "StudyDate", "InstitutionName"} <= set(canaries.PROFILE)


def test_metaimage_headers_are_told_by_list(tmp_path: Path) -> None:
    make = Phantom(tmp_path)
    make.metaimage("scan.mha", (6, 5, 4))
    path = tmp_path / "scan.mha"
    path.write_bytes(canaries.planted("scan.mha", path.read_bytes()))
    with Files.open(tmp_path, dataset="x") as files:
        meta = metaimage.volume(files.need("scan.mha")).read().meta
    left: privacy.Left = Counter()
    assert CANARY not in str(gate().header(meta, "source_header", left))
    assert left["source_header: Institution"] == left["source_header: Operator"] == 1


def nifti_file(suffix: str) -> bytes:
    volume = nib.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
    volume.header.extensions.append(nib.nifti1.Nifti1Extension(6, TOLD))
    for field in ("descrip", "db_name", "aux_file", "intent_name"):
        volume.header[field] = TOLD
    data = volume.to_bytes()
    return gzip.compress(data) if suffix.endswith("gz") else data


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_text_leaves_a_volume_and_no_voxel_changes(suffix: str, tmp_path: Path) -> None:
    data = nifti_file(suffix)
    (tmp_path / f"a{suffix}").write_bytes(data)
    raw = gzip.decompress(data) if suffix.endswith("gz") else data
    with Files.open(tmp_path, dataset="x") as files:
        volume = nifti.volume(files.need("a.nii")).read()
    left: privacy.Left = Counter()
    clean, digest = privacy.stripped(volume, "image", left)
    assert digest == hashlib.sha256(raw).hexdigest() and left["image: NIfTI extensions"] == 1
    stored = bytes(clean.nifti)
    assert TOLD in raw and TOLD not in stored and len(stored) == len(raw)
    before, after = (nib.Nifti1Image.from_bytes(each) for each in (raw, stored))
    assert np.array_equal(np.asarray(before.dataobj), np.asarray(after.dataobj))
    assert np.array_equal(before.affine, after.affine) and not len(after.header.extensions)
    again, rest = privacy.stripped(clean, "image", Counter())
    assert again is clean and rest is None


@pytest.mark.parametrize(("stated", "looked", "rows"), [("YES", None, 0), ("NO", None, 1), ("YES", "ours", 1)])
def test_text_in_the_pixels_stops_the_row_where_nobody_looked(
    stated: str, looked: str | None, rows: int, tmp_path: Path
) -> None:
    Phantom(tmp_path).dicom("1.dcm", modality="DX", dtype="uint16", tags={"BurnedInAnnotation": stated})

    def all_rows(files: Files, config: str | None = None) -> Any:
        yield Row(id="1", image=files.need("1.dcm"))

    dataset = Dataset(**(DECLARED | {"burned_in": looked}))
    report = LoadReport("made-up")
    builder = Builder(SimpleNamespace(DATASET=dataset, rows=all_rows))
    with Files.open(tmp_path, dataset="made-up") as files, contextlib.suppress(SourceError):
        list(iterate(builder, files, report=report))
    assert sum(report.rows.values()) == rows
    assert any("BurnedInAnnotation is YES" in reason for reason in report.skipped) == (rows == 0)


def test_what_was_changed_says_which_bytes_it_was(tmp_path: Path) -> None:
    data = jpeg(6)
    (tmp_path / "a.jpg").write_bytes(data)
    (tmp_path / "b.png").write_bytes(saved(Image.fromarray(gradient()), "PNG"))
    with Files.open(tmp_path, dataset="made-up") as files:
        dataset = Dataset(**DECLARED)
        rows = [Row(id=name, image=files.need(name)) for name in ("a.jpg", "b.png")]
        full, plain = (materialize(dataset, row, "source") for row in rows)
    assert json.loads(full.values["meta"])["source_sha256"] == hashlib.sha256(data).hexdigest()
    assert full.private["image: JPEG comment"] and not tells(bytes(full.values["image"]["bytes"]))
    assert "source_sha256" not in plain.values["meta"]
    assert bytes(plain.values["image"]["bytes"]) == (tmp_path / "b.png").read_bytes()


def test_manifests_name_files_in_known_words_alone() -> None:
    words = privacy.Words("medimg.builders.lits")
    words.learn("Training Batch 1/volume-12.nii")
    report = LoadReport("lits")
    report.skip(f"{CANARY}/volume-19600312.nii", f"quarantined: the label '{CANARY}' is not known ({CANARY}/9.nii)")
    report.skip("Training Batch 1/volume-13.nii", "no mask in this copy")
    public = words.report(report)
    assert "Canary" not in str(public) and "Jane" not in str(public) and "1960" not in str(public)
    assert public.skipped["no mask in this copy"].examples == ["Training Batch 1/volume-13.nii"]
    assert public.left_out == report.left_out == 2
    assert CANARY in str(report), "the maintainer's own report has the names"


def test_the_gate_has_its_own_list_and_no_reader_tells_more_or_less() -> None:
    told, gate = set(dicom_file.META), set(privacy.HEADER)
    assert told <= gate
    assert gate - told <= {*dicom_file.GROUPING, *metaimage._VALUES}
