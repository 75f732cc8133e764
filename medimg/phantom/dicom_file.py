"""Files of DICOM as bytes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
}
"""Modality -> SOP class of its images."""
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""SOP class of a secondary capture."""


def uid(seed: str) -> str:
    """A DICOM UID below the UUID root (2.25) that follows from `seed`."""
    return f"2.25.{int.from_bytes(hashlib.sha256(seed.encode()).digest()[:14], 'big')}"


def dicom_object(values: Mapping[str, Any], implementation: str) -> bytes:
    """The bytes of a file; see `Phantom.dicom_object`."""
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = values["SOPClassUID"]
    meta.MediaStorageSOPInstanceUID = values["SOPInstanceUID"]
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.ImplementationClassUID = pydicom.uid.UID(implementation)
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    _fill(file, values)
    if "PixelData" in file:
        file["PixelData"].VR = "OW" if file.BitsAllocated > 8 else "OB"
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, file, enforce_file_format=True)
    return stream.getvalue()


def _fill(dataset: Any, values: Mapping[str, Any]) -> Any:
    from pydicom.dataset import Dataset

    for keyword, value in values.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = [_fill(Dataset(), one) for one in value]
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset
