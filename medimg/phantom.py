"""Phantoms: tiny synthetic files in the formats of real sources, for miniatures and tests.

A builder's `miniature(make)` calls these with the original names, folders and archives. Everything is deterministic:
the pixels follow from `seed`, which is the path where none is given.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medimg.errors import MissingExtraError
from medimg.files.names import PHANTOM
from medimg.pixels import Array, Volume

_EPOCH = (1980, 1, 1, 0, 0, 0)


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
        header: Sequence[str] | None,
        rows: Sequence[Sequence[object]],
        *,
        delimiter: str = ",",
        bom: bool = False,
        newline: str = "\n",
        encoding: str = "utf-8",
    ) -> None:
        """Write a table; cells that hold the delimiter, a quote or a line end are quoted; None is empty.

        The header is written as given, without quoting, so that headers which themselves hold delimiters keep them.
        """

        def cell(value: object) -> str:
            text = "" if value is None else str(value)
            return (
                '"' + text.replace('"', '""') + '"'
                if any(c in text for c in (delimiter, '"', "\n"))
                else text
            )

        lines = [] if header is None else [delimiter.join(header)]
        lines += [delimiter.join(cell(value) for value in row) for row in rows]
        self.text(path, ("\ufeff" if bom else "") + newline.join(lines) + newline, encoding=encoding)

    def xlsx(
        self, path: str, header: Sequence[str], rows: Sequence[Sequence[object]], *, sheet: str = "Sheet1"
    ) -> None:
        """Write an Excel workbook with one sheet."""
        openpyxl = _extra("openpyxl", "tables")
        book = openpyxl.Workbook()
        book.active.title = sheet
        for row in (header, *rows):
            book.active.append(list(row))
        # A fixed time stamp: openpyxl writes the current one into the file otherwise.
        import datetime

        book.properties.created = book.properties.modified = datetime.datetime(2000, 1, 1)
        stream = io.BytesIO()
        book.save(stream)
        inner = Phantom()
        with zipfile.ZipFile(stream) as source:
            for name in source.namelist():
                inner.files[name] = source.read(name)
        inner.files["docProps/core.xml"] = _fixed_times(inner.files["docProps/core.xml"])
        self.bytes(path, _zip(inner.files, zipfile.ZIP_DEFLATED))

    # pixels

    def nifti(
        self,
        path: str,
        shape: Sequence[int] = (12, 10, 6),
        *,
        spacing: Sequence[float] = (1.0, 1.0, 2.0),
        affine: Sequence[Sequence[float]] | None = None,
        sform: Sequence[Sequence[float]] | None = None,
        dtype: str = "int16",
        labels: Sequence[int] | None = None,
        nested: bool = True,
        low: float = -1000,
        high: float = 400,
        seed: str | None = None,
    ) -> None:
        """Write .nii, .nii.gz, or a .hdr/.img pair (NIfTI-1 pair for .img given as `path`).

        Args:
            path: file name in the source.
            shape: voxels along i, j, k[, t].
            spacing: mm along i, j, k; ignored where `affine` is given.
            affine: 4x4 RAS+ matrix; default diagonal with an origin away from zero.
            sform: matrix of the sform alone, for sources in which it contradicts qform and pixdim.
            dtype: stored type.
            labels: a label map with these values instead of an image: nested ellipsoids, the last one innermost
                (`nested=False`: side by side along i).
            low, high: intensity range of an image.
            seed: files with one seed hold the same picture.
        """
        array = self._array(path, shape, dtype, labels, nested, low, high, seed)
        matrix = np.array(affine if affine is not None else _diagonal(spacing), dtype=float)
        raw = bytes(Volume.from_array(array, matrix).nifti)
        if sform is not None:
            raw = raw[:280] + np.asarray(sform, dtype="<f4")[:3].tobytes() + raw[328:]
        if path.endswith((".img", ".hdr")):
            import nibabel as nib

            stem = path.rsplit(".", 1)[0]
            pair = nib.Nifti1Pair(array, matrix)
            pair.header.set_xyzt_units("mm")
            self._pair(stem, pair)
            return
        self.bytes(path, gzip.compress(raw, 1, mtime=0) if path.endswith(".gz") else raw)

    def analyze(
        self,
        path: str,
        shape: Sequence[int] = (12, 10, 6),
        *,
        spacing: Sequence[float] = (1, 1, 1),
        **kwargs: Any,
    ) -> None:
        """Write an Analyze 7.5 pair; `path` names the .hdr or the .img. Other arguments as in `nifti`."""
        import nibabel as nib

        options = {
            "dtype": "int16",
            "labels": None,
            "nested": True,
            "low": 0,
            "high": 1000,
            "seed": None,
        } | kwargs
        stem = path.rsplit(".", 1)[0]
        image = nib.AnalyzeImage(self._array(stem, shape, **options), np.diag([*spacing, 1.0]))
        self._pair(stem, image)

    def _pair(self, stem: str, image: Any) -> None:
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
        dtype: str = "int16",
        labels: Sequence[int] | None = None,
        nested: bool = True,
        low: float = -1000,
        high: float = 400,
        seed: str | None = None,
        data_suffix: str | None = None,
    ) -> None:
        """Write .mha, or .mhd with `data_suffix` ".raw" (default) or ".zraw" (compressed). Origin in LPS mm."""
        import zlib

        array = self._array(path, shape, dtype, labels, nested, low, high, seed)
        raw = array.astype(array.dtype.newbyteorder("<")).tobytes(order="F")
        data_suffix = data_suffix or ".raw"
        compressed = data_suffix == ".zraw"
        raw = zlib.compress(raw, 6) if compressed else raw
        kinds = {
            "int8": "CHAR",
            "uint8": "UCHAR",
            "int16": "SHORT",
            "uint16": "USHORT",
            "int32": "INT",
            "float32": "FLOAT",
        }
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
            "ElementType": f"MET_{kinds[str(array.dtype)]}",
            "ElementDataFile": "LOCAL" if local else f"{stem}{data_suffix}",
        }
        header = "".join(f"{key} = {value}\n" for key, value in fields.items()).encode()
        if local:
            self.bytes(path, header + raw)
        else:
            self.bytes(path, header)
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
            labels: a label map with these values (nested ellipses, or side by side); in `mode` "RGB" all three
                channels carry the value, unless `colors` gives each value its color, or its gray (a picture "L").
            contour: with `labels=(v,)`: only the closed outline of the ellipse is drawn, with value v.
            low, high: intensity range of an image.
            seed: files with one seed hold the same picture.
            save: further arguments of `PIL.Image.save`, e.g. compression="tiff_lzw".
        """
        from PIL import Image

        width, height = size
        deep = mode in ("I;16", "F")
        high = high if high is not None else (4000 if deep else 255)
        dtype = {"I;16": "uint16", "F": "float32"}.get(mode, "uint8")
        array = self._array(path, (width, height), dtype, labels, nested, low, high, seed).T
        if contour:
            from scipy import ndimage

            inside = array > 0
            line = inside & ~ndimage.binary_erosion(inside)
            array = np.where(line, array.max(), 0).astype(array.dtype)
        if colors is not None:
            gray = all(isinstance(color, int) for color in colors.values())
            lookup = np.zeros(256 if gray else (256, 3), np.uint8)
            for value, color in colors.items():
                lookup[value] = color
            picture = Image.fromarray(lookup[array])
        elif mode in ("L", "I;16", "F"):
            picture = Image.fromarray(np.ascontiguousarray(array))
        elif mode == "RGB" and labels is None:
            shifts = [
                np.clip(array.astype(int) * factor // 100, 0, 255).astype(np.uint8)
                for factor in (100, 70, 60)
            ]
            picture = Image.fromarray(np.stack(shifts, axis=-1))
        elif mode == "1":
            picture = (
                Image.fromarray(np.ascontiguousarray(array)).point(lambda v: 255 if v else 0).convert("1")
            )
        else:
            picture = Image.fromarray(np.ascontiguousarray(array)).convert(mode)
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
        pydicom = _extra("pydicom", "dicom")
        from pydicom.dataset import FileDataset, FileMetaDataset

        seed = seed or path
        array = (
            pixels if pixels is not None else self._array(seed, size, dtype, None, True, low, high, seed).T
        )
        rows, columns = array.shape[-2:] if array.ndim == 2 or array.shape[-1] != 3 else array.shape[-3:-1]
        color = array.ndim >= 3 and array.shape[-1] == 3
        values: dict[str, Any] = {
            "SOPClassUID": {
                "CT": "1.2.840.10008.5.1.4.1.1.2",
                "MR": "1.2.840.10008.5.1.4.1.1.4",
                "PT": "1.2.840.10008.5.1.4.1.1.128",
                "DX": "1.2.840.10008.5.1.4.1.1.1.1",
                "CR": "1.2.840.10008.5.1.4.1.1.1",
                "US": "1.2.840.10008.5.1.4.1.1.6.1",
                "MG": "1.2.840.10008.5.1.4.1.1.1.2",
            }.get(modality, "1.2.840.10008.5.1.4.1.1.7"),
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
            **(tags or {}),
        }
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = values["SOPClassUID"]
        meta.MediaStorageSOPInstanceUID = values["SOPInstanceUID"]
        meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        meta.ImplementationClassUID = pydicom.uid.UID(uid("medimg"))
        file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        for keyword, value in values.items():
            if value is not None:
                setattr(file, keyword, value)
        file.PixelData = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
        file["PixelData"].VR = "OW" if array.dtype.itemsize > 1 else "OB"
        stream = io.BytesIO()
        pydicom.dcmwrite(stream, file, enforce_file_format=True)
        self.bytes(path, stream.getvalue())
        names = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
        return {key: values[key] for key in names}

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
        volume = self._array(seed, (*size, slices), "int16", None, True, 0, 1400, seed)
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
            np.save(buffer, self._values(f"{path}/{key}", value), allow_pickle=False)
            stream[f"{key}.npy"] = buffer.getvalue()
        self.bytes(path, _zip(stream, zipfile.ZIP_STORED))

    def hdf5(self, path: str, **datasets: Any) -> None:
        """Write HDF5: a list is values (uint8), (shape, dtype) is random pixels from -1000 to 400."""
        h5py = _extra("h5py", "hdf5")
        stream = io.BytesIO()
        with h5py.File(stream, "w", track_order=True) as book:
            for key, value in datasets.items():
                if isinstance(value, tuple):
                    shape, dtype = value
                    value = _generator(f"{path}/{key}").integers(-1000, 400, size=shape).astype(dtype)
                book.create_dataset(key, data=np.asarray(value), track_times=False)
        self.bytes(path, stream.getvalue())

    def npy(self, path: str, value: Sequence[Any] | tuple[int, ...]) -> None:
        """Write .npy; `value` as in `npz`."""
        buffer = io.BytesIO()
        np.save(buffer, self._values(path, value), allow_pickle=False)
        self.bytes(path, buffer.getvalue())

    def video(self, path: str, frames: int = 8, size: tuple[int, int] = (112, 112), *, fps: int = 50) -> None:
        """Write a video of a pulsing disc: Motion JPEG for .avi, MPEG-4 for .mp4."""
        av = _extra("av", "video")
        stream = io.BytesIO()
        suffix = path.rsplit(".", 1)[-1].lower()
        with av.open(stream, "w", format=suffix) as container:
            track = container.add_stream("mjpeg" if suffix == "avi" else "mpeg4", rate=fps)
            track.width, track.height = size
            track.pix_fmt = "yuvj420p" if suffix == "avi" else "yuv420p"
            for number in range(frames):
                base = self._array(f"{path}/{number}", size, "uint8", None, True, 0, 255, path).T
                frame = np.clip(base.astype(int) + 4 * number, 0, 255).astype(np.uint8)
                for packet in track.encode(
                    av.VideoFrame.from_ndarray(np.stack([frame] * 3, axis=-1), format="rgb24")
                ):
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
        raw = stream.getvalue()
        if path.endswith(("gz", "tgz")):
            raw = gzip.compress(raw, 6, mtime=0)
        elif path.endswith("bz2"):
            import bz2

            raw = bz2.compress(raw)
        elif path.endswith("xz"):
            import lzma

            raw = lzma.compress(raw)
        self.bytes(path, raw)

    # pictures of nothing

    def _values(self, seed: str, value: Sequence[Any] | tuple[int, ...]) -> Array:
        if isinstance(value, tuple):
            return _generator(seed).integers(0, 256, size=value, dtype=np.uint8)
        return np.asarray(value, dtype=np.uint8)

    def _array(
        self,
        path: str,
        shape: Sequence[int],
        dtype: str,
        labels: Sequence[int] | None,
        nested: bool,
        low: float,
        high: float,
        seed: str | None,
    ) -> Array:
        shape = tuple(shape)
        grid = np.meshgrid(
            *(np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape[:3]), indexing="ij"
        )
        radius = np.sqrt(sum((axis * 1.1) ** 2 for axis in grid))
        if labels is not None:
            out = np.zeros(shape[:3], dtype=dtype)
            if nested:
                for rank, value in enumerate(labels):
                    out[radius <= 0.95 * (1 - rank / (len(labels) + 0.5))] = value
            else:
                band = np.minimum(((grid[0] + 1) / 2 * len(labels)).astype(int), len(labels) - 1)
                out = np.where(radius <= 1.2, np.asarray(labels, dtype=dtype)[band], 0).astype(dtype)
        else:
            noise = _generator(seed or path).normal(0, 0.05, size=shape[:3])
            bright = np.clip(1.1 - radius + 0.25 * np.sin(5 * grid[0]) + noise, 0, 1)
            out = (low + (high - low) * bright).astype(dtype)
        if len(shape) == 4:
            out = np.stack([out + (0 if labels is not None else t) for t in range(shape[3])], axis=-1).astype(
                dtype
            )
        return out


def uid(seed: str) -> str:
    """A DICOM UID below the UUID root (2.25) that follows from `seed`."""
    return f"2.25.{int.from_bytes(hashlib.sha256(seed.encode()).digest()[:14], 'big')}"


def _generator(seed: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))


def _diagonal(spacing: Sequence[float]) -> Array:
    matrix = np.diag([*spacing[:3], 1.0])
    matrix[:3, 3] = (-40.0, -30.0, -20.0)
    return matrix


def _zip(files: Mapping[str, bytes], method: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, compress_type=method)
    return stream.getvalue()


def _fixed_times(xml: bytes) -> bytes:
    import re

    return re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2000-01-01T00:00:00Z", xml)


def _extra(module: str, extra: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"phantoms of this format need {module}", next_step=f'pip install "medimg[{extra}]"'
        ) from error
