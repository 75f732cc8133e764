"""Phantoms: tiny synthetic files in the formats of real sources, for miniatures and tests.

A builder's `miniature(make)` calls these with the original names, folders and archives. Everything is deterministic:
the pixels follow from `seed`, which is the path where none is given.
"""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import hashlib
import io
import json
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from medimg.errors import need
from medimg.files.names import PHANTOM
from medimg.phantom.dicom_file import CAPTURE, CLASSES, dicom_object, uid
from medimg.phantom.drawing import Drawn, draw, generator, values
from medimg.pixels import Array, Volume

_EPOCH = (1980, 1, 1, 0, 0, 0)
FORMAT = "a phantom of this format"
_MET = {"b": "CHAR", "B": "UCHAR", "h": "SHORT", "H": "USHORT", "i": "INT", "f": "FLOAT"}
"""NumPy's letter of a type -> MetaImage's name."""


class Phantom:
    """Writes phantom files below a folder, or into an archive through `zip` and `tar`.

    Args:
        root: folder to write into; created where missing, and marked as a folder of phantoms by a hidden file. None
            keeps the files in memory (`files`).
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root
        self.files: dict[str, bytes] = {}
        self._marked = False

    def bytes(self, path: str, data: bytes) -> None:
        """Write raw bytes; everything else here ends in this."""
        if self.root is None:
            self.files[path] = data
            return
        if not self._marked:
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / PHANTOM).write_text("Synthetic files of medimg: no originals, no data of people.\n")
            self._marked = True
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    # text and tables

    def text(self, path: str, text: str, *, encoding: str = "utf-8") -> None:
        """Write text as it is (line ends untouched)."""
        self.bytes(path, text.encode(encoding))

    def json(self, path: str, value: Any) -> None:
        """Write JSON."""
        self.text(path, json.dumps(value))

    def csv(
        self,
        path: str,
        header: str | Sequence[str] | None,
        rows: Iterable[Sequence[object]],
        *,
        delimiter: str = ",",
        newline: str = "\n",
    ) -> None:
        """Write a table; cells that hold the delimiter, a quote or a line end are quoted; None is empty.

        The header, a line or its names, is written as given: one that itself holds delimiters keeps them.
        """
        stream = io.StringIO()
        if header is not None:
            stream.write((header if isinstance(header, str) else delimiter.join(header)) + newline)
        csv.writer(stream, delimiter=delimiter, lineterminator=newline).writerows(rows)
        self.text(path, stream.getvalue())

    def xlsx(
        self,
        path: str,
        header: str | Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        sheet: str = "Sheet1",
    ) -> None:
        """Write an Excel workbook with one sheet; a header that is a text has its names between commas."""
        need("tables", FORMAT, "openpyxl")
        import openpyxl

        book = openpyxl.Workbook()
        book.active.title = sheet
        for row in (header.split(",") if isinstance(header, str) else header, *rows):
            book.active.append(list(row))
        stream = io.BytesIO()
        book.save(stream)
        with zipfile.ZipFile(stream) as source:
            inner = {name: source.read(name) for name in source.namelist()}
        # openpyxl writes the current time into the file.
        about = inner["docProps/core.xml"]
        inner["docProps/core.xml"] = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]{8}Z", b"2000-01-01T00:00:00Z", about)
        self.bytes(path, _zip(inner, zipfile.ZIP_DEFLATED))

    # pixels

    def nifti(
        self,
        path: str,
        shape: Sequence[int] = (12, 10, 6),
        *,
        spacing: Sequence[float] = (1.0, 1.0, 2.0),
        affine: Sequence[Sequence[float]] | None = None,
        sform: Sequence[Sequence[float]] | None = None,
        **drawn: Unpack[Drawn],
    ) -> None:
        """Write .nii, .nii.gz, or a .hdr/.img pair (NIfTI-1 pair for .img given as `path`).

        Args:
            path: file name in the source.
            shape: voxels along i, j, k[, t].
            spacing: mm along i, j, k; ignored where `affine` is given.
            affine: 4x4 RAS+ matrix; default diagonal with an origin away from zero.
            sform: matrix of the sform alone, for sources in which it contradicts qform and pixdim.
            drawn: see `Drawn`.
        """
        array = draw(path, shape, **drawn)
        matrix = np.array(affine if affine is not None else np.diag([*spacing[:3], 1.0]), dtype=float)
        if affine is None:
            matrix[:3, 3] = (-40.0, -30.0, -20.0)
        if path.endswith((".img", ".hdr")):
            import nibabel as nib

            pair = nib.Nifti1Pair(array, matrix)
            pair.header.set_xyzt_units("mm")
            self._pair(path, pair)
            return
        raw = bytes(Volume.from_array(array, matrix).nifti)
        if sform is not None:
            raw = raw[:280] + np.asarray(sform, dtype="<f4")[:3].tobytes() + raw[328:]
        self.bytes(path, gzip.compress(raw, 1, mtime=0) if path.endswith(".gz") else raw)

    def analyze(self, path: str, shape: Sequence[int], **drawn: Unpack[Drawn]) -> None:
        """Write an Analyze 7.5 pair with voxels of 1 mm; `path` names the .hdr or the .img, the rest as in `nifti`."""
        import nibabel as nib

        array = draw(path.rsplit(".", 1)[0], shape, **({"low": 0, "high": 1000} | drawn))
        self._pair(path, nib.AnalyzeImage(array, np.eye(4)))

    def _pair(self, path: str, image: Any) -> None:
        stem = path.rsplit(".", 1)[0]
        parts = {"header": io.BytesIO(), "image": io.BytesIO()}
        image.to_file_map(image.make_file_map(parts))
        self.bytes(f"{stem}.hdr", parts["header"].getvalue())
        self.bytes(f"{stem}.img", parts["image"].getvalue())

    def metaimage(
        self,
        path: str,
        shape: Sequence[int] = (12, 10, 6),
        *,
        spacing: Sequence[float] = (1.0, 1.0, 2.0),
        origin: Sequence[float] = (-50.0, -60.0, -70.0),
        direction: Sequence[float] = (1, 0, 0, 0, 1, 0, 0, 0, 1),
        data_suffix: str = ".raw",
        **drawn: Unpack[Drawn],
    ) -> None:
        """Write .mha, or .mhd with `data_suffix` ".raw" or ".zraw" (compressed). Origin in LPS mm."""
        array = draw(path, shape, **drawn)
        raw = array.astype(array.dtype.newbyteorder("<")).tobytes(order="F")
        compressed = data_suffix == ".zraw"
        raw = zlib.compress(raw, 6) if compressed else raw
        stem = path.rsplit("/", 1)[-1].removesuffix(".mhd")
        local = path.endswith(".mha")
        fields = {
            "ObjectType": "Image",
            "NDims": len(shape),
            "BinaryData": "True",
            "BinaryDataByteOrderMSB": "False",
            "CompressedData": str(compressed),
            **({"CompressedDataSize": len(raw)} if compressed else {}),
            "TransformMatrix": " ".join(f"{v:g}" for v in direction),
            "Offset": " ".join(f"{v:g}" for v in origin),
            "CenterOfRotation": " ".join("0" for _ in shape),
            "AnatomicalOrientation": "RAI",
            "ElementSpacing": " ".join(f"{v:.9g}" for v in spacing),
            "DimSize": " ".join(str(n) for n in shape),
            "ElementType": f"MET_{_MET[array.dtype.char]}",
            "ElementDataFile": "LOCAL" if local else f"{stem}{data_suffix}",
        }
        header = "".join(f"{key} = {value}\n" for key, value in fields.items()).encode()
        self.bytes(path, header + raw if local else header)
        if not local:
            self.bytes(path.removesuffix(".mhd") + data_suffix, raw)

    def image(
        self,
        path: str,
        size: tuple[int, int] = (48, 40),
        *,
        mode: str = "L",
        labels: Sequence[int] | None = None,
        nested: bool = True,
        colors: Mapping[int, tuple[int, int, int] | int] | None = None,
        contour: bool = False,
        low: float = 0,
        high: float | None = None,
        seed: str | None = None,
        **save: Any,
    ) -> None:
        """Write a raster file; the format follows from the suffix, which may end in .gz.

        Args:
            path: file name in the source.
            size: (width, height).
            mode: Pillow mode: "1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16" (16 bit), "F" (TIFF).
            labels, nested, low, high, seed: see `Drawn`; in `mode` "RGB" all three channels carry a label's value,
                unless `colors` gives each value its color, or its gray (a picture "L").
            contour: with `labels=(v,)`: only the closed outline of the ellipse is drawn, with value v.
            save: further arguments of `PIL.Image.save`, e.g. compression="tiff_lzw".
        """
        from PIL import Image

        dtype = {"I;16": "uint16", "F": "float32"}.get(mode, "uint8")
        if high is None:
            high = 255 if dtype == "uint8" else 4000
        array = draw(path, size, dtype, labels, nested, low, high, seed).T
        if contour:
            from scipy import ndimage

            inside = array > 0
            array = np.where(inside & ~ndimage.binary_erosion(inside), array.max(), 0).astype(array.dtype)
        if colors is not None:
            gray = all(isinstance(color, int) for color in colors.values())
            lookup = np.zeros(256 if gray else (256, 3), np.uint8)
            for value, color in colors.items():
                lookup[value] = color
            array = lookup[array]
        elif mode == "RGB" and labels is None:
            channels = [array.astype(int) * percent // 100 for percent in (100, 70, 60)]
            array = np.stack(channels, axis=-1).astype(np.uint8)
        elif mode == "1":
            array = (array > 0) * np.uint8(255)
        picture = Image.fromarray(np.ascontiguousarray(array))
        if colors is None:
            picture = picture.convert(mode)
        stream = io.BytesIO()
        kind = {"jpg": "JPEG", "tif": "TIFF", "pgm": "PPM", "pbm": "PPM"}.get(
            suffix := path.removesuffix(".gz").rsplit(".", 1)[-1].lower()
        )
        picture.save(stream, kind or suffix.upper(), **save)
        data = stream.getvalue()
        self.bytes(path, gzip.compress(data, 6, mtime=0) if path.endswith(".gz") else data)

    def dicom(
        self,
        path: str,
        size: tuple[int, int] = (16, 12),
        *,
        modality: str = "CT",
        patient: str = "P1",
        tags: Mapping[str, Any] | None = None,
        dtype: str = "int16",
        low: float = 0,
        high: float = 1000,
        seed: str | None = None,
        pixels: Array | None = None,
    ) -> Mapping[str, Any]:
        """Write one DICOM file (explicit little endian) of `size` (columns, rows).

        `tags` are keywords -> values and win over the defaults; None removes one. UIDs follow from `seed` (the path).
        Identifying tags are filled with made-up values on purpose: readers must not let them out.

        Returns:
            {"SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"} as written.
        """
        seed = seed or path
        array = pixels if pixels is not None else draw(seed, size, dtype, low=low, high=high).T
        color = array.ndim >= 3 and array.shape[-1] == 3
        rows, columns = array.shape[-3:-1] if color else array.shape[-2:]
        keywords: dict[str, Any] = {
            "SOPClassUID": CLASSES.get(modality, CAPTURE),
            "SOPInstanceUID": uid(seed),
            "StudyInstanceUID": uid(f"{patient}/study"),
            "SeriesInstanceUID": uid(f"{patient}/{modality}/series"),
            "FrameOfReferenceUID": uid(f"{patient}/frame"),
            "Modality": modality,
            "PatientID": patient,
            "PatientName": "Phantom^Do-Not-Leak",
            "PatientBirthDate": "19010203",
            "InstitutionName": "Hospital That Must Not Leak",
            "AccessionNumber": "LEAK42",
            "StudyDate": "20010101",
            "Manufacturer": "medimg",
            "Rows": int(rows),
            "Columns": int(columns),
            "BitsAllocated": array.dtype.itemsize * 8,
            "BitsStored": array.dtype.itemsize * 8,
            "HighBit": array.dtype.itemsize * 8 - 1,
            "PixelRepresentation": int(array.dtype.kind == "i"),
            "SamplesPerPixel": 3 if color else 1,
            "PhotometricInterpretation": "RGB" if color else "MONOCHROME2",
            **({"PlanarConfiguration": 0} if color else {}),
            "PixelData": np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes(),
            **(tags or {}),
        }
        self.dicom_object(path, keywords, implementation=uid("medimg"))
        names = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
        return {key: keywords[key] for key in names}

    def dicom_object(self, path: str, values: Mapping[str, Any], *, implementation: str = "2.25.1") -> None:
        """Write any DICOM object (explicit little endian).

        Args:
            path: file name in the source.
            values: keywords -> values; None leaves one out, dicts in lists become items of sequences.
            implementation: UID of the program that wrote it.
        """
        need("dicom", FORMAT, "pydicom")
        self.bytes(path, dicom_object(values, implementation))

    def dicom_series(
        self,
        folder: str,
        slices: int = 4,
        size: tuple[int, int] = (16, 12),
        *,
        modality: str = "CT",
        patient: str = "P1",
        spacing: Sequence[float] = (0.7, 0.7, 2.5),
        origin: Sequence[float] = (-50.0, -60.0, -70.0),
        names: str = "{:06d}.dcm",
        shuffled: bool = True,
        slope: float = 1,
        intercept: float = -1024,
        series: str = "",
        tags: Mapping[str, Any] | None = None,
        seed: str | None = None,
    ) -> list[Mapping[str, Any]]:
        """Write an axial series below `folder`; file names are in another order than space where `shuffled`.

        Args:
            folder: folder in the source.
            slices: number of files.
            size: (columns, rows).
            modality, patient: as in `dicom`.
            spacing: mm along columns, rows, slices.
            origin: LPS mm of the first voxel of the lowest slice.
            names: pattern for the file's number, counted from 1.
            shuffled: whether numbering and position disagree.
            slope, intercept: Rescale Slope and Intercept.
            series: tells several series of one patient apart.
            tags: further tags for each file.
            seed: pixels and UIDs follow from it; default the folder.

        Returns:
            One mapping per slice from low to high z: the four UIDs, "z" (mm) and "path".
        """
        seed = seed or folder
        volume = draw(seed, (*size, slices), low=0, high=1400)
        order = list(range(slices))
        if shuffled:
            order.sort(key=lambda k: hashlib.sha256(f"{seed}{k}".encode()).digest())
        written: list[Mapping[str, Any]] = []
        for k in range(slices):
            path = f"{folder}/{names.format(order.index(k) + 1)}"
            z = origin[2] + k * spacing[2]
            uids = self.dicom(
                path,
                modality=modality,
                patient=patient,
                seed=f"{seed}/{k}",
                pixels=volume[:, :, k].T,
                tags={
                    "SeriesInstanceUID": uid(f"{seed}/{series or modality}"),
                    "ImagePositionPatient": [origin[0], origin[1], z],
                    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                    "PixelSpacing": [spacing[1], spacing[0]],
                    "SliceThickness": spacing[2],
                    "InstanceNumber": order.index(k) + 1,
                    "RescaleSlope": slope,
                    "RescaleIntercept": intercept,
                    **(tags or {}),
                },
            )
            written.append({**uids, "z": z, "path": path})
        return written

    def npz(self, path: str, **arrays: Sequence[Any] | tuple[int, ...]) -> None:
        """Write .npz: a tuple of integers is the shape of random uint8 pixels, a list is values (uint8)."""
        stream: dict[str, bytes] = {}
        for key, value in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, values(f"{path}/{key}", value), allow_pickle=False)
            stream[f"{key}.npy"] = buffer.getvalue()
        self.bytes(path, _zip(stream, zipfile.ZIP_STORED))

    def hdf5(self, path: str, **datasets: Any) -> None:
        """Write HDF5: a list is values (uint8), (shape, dtype) is random pixels from -1000 to 400."""
        need("hdf5", FORMAT, "h5py")
        import h5py

        stream = io.BytesIO()
        with h5py.File(stream, "w", track_order=True) as book:
            for key, value in datasets.items():
                if isinstance(value, tuple):
                    shape, dtype = value
                    value = generator(f"{path}/{key}").integers(-1000, 400, size=shape).astype(dtype)
                book.create_dataset(key, data=np.asarray(value), track_times=False)
        self.bytes(path, stream.getvalue())

    def npy(self, path: str, value: Sequence[Any] | tuple[int, ...]) -> None:
        """Write .npy; `value` as in `npz`."""
        buffer = io.BytesIO()
        np.save(buffer, values(path, value), allow_pickle=False)
        self.bytes(path, buffer.getvalue())

    def video(self, path: str, frames: int = 8, size: tuple[int, int] = (112, 112), *, fps: int = 50) -> None:
        """Write a video of a pulsing disc: Motion JPEG for .avi, MPEG-4 for .mp4."""
        need("video", FORMAT, "av")
        import av

        stream = io.BytesIO()
        suffix = path.rsplit(".", 1)[-1].lower()
        with av.open(stream, "w", format=suffix) as container:
            track = container.add_stream("mjpeg" if suffix == "avi" else "mpeg4", rate=fps)
            track.width, track.height = size
            track.pix_fmt = "yuvj420p" if suffix == "avi" else "yuv420p"
            for number in range(frames):
                base = draw(path, size, "uint8", low=0, high=255).T
                frame = np.clip(base.astype(int) + 4 * number, 0, 255).astype(np.uint8)
                for packet in track.encode(av.VideoFrame.from_ndarray(np.stack([frame] * 3, axis=-1), format="rgb24")):
                    container.mux(packet)
            for packet in track.encode():
                container.mux(packet)
        self.bytes(path, stream.getvalue())

    # archives

    @contextlib.contextmanager
    def zip(self, path: str, *, stored: bool = False) -> Iterator[Phantom]:
        """`with make.zip("a.zip") as inner: inner.nifti(...)` writes into the archive."""
        inner = Phantom()
        yield inner
        self.bytes(path, _zip(inner.files, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED))

    @contextlib.contextmanager
    def tar(self, path: str) -> Iterator[Phantom]:
        """As `zip`, for .tar, .tar.gz, .tgz, .tar.bz2 and .tar.xz."""
        inner = Phantom()
        yield inner
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for name, data in inner.files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        raw, suffix = stream.getvalue(), path.rsplit(".", 1)[-1]
        if suffix in ("gz", "tgz"):
            raw = gzip.compress(raw, 6, mtime=0)
        elif suffix in ("bz2", "xz"):
            raw = bz2.compress(raw) if suffix == "bz2" else lzma.compress(raw)
        self.bytes(path, raw)


def _zip(files: Mapping[str, bytes], method: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, compress_type=method)
    return stream.getvalue()
