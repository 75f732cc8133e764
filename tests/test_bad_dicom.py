"""One bad DICOM file costs its series: the other patients come, nothing comes shorter, nothing ends in a bare error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement

from medimg import registry
from medimg.builders import _tcia_phantom
from medimg.builders.idc import index
from medimg.files import Files
from medimg.phantom import Phantom
from medimg.report import LoadReport
from medimg.rows import iterate
from medimg.schema import Skipped

SLICES = 5
Change = Callable[[Any], object]


def without(keyword: str) -> Change:
    return lambda ds: ds.pop(keyword)


def raw(keyword: str, value: bytes) -> Change:
    """What a damaged file holds: pydicom would not write it."""

    def change(ds: Any) -> None:
        tag = pydicom.tag.Tag(keyword)
        element = RawDataElement(tag, pydicom.datadict.dictionary_VR(tag), len(value), value, 0, False, True)
        ds._dict[tag] = element

    return change


def smaller(ds: Any) -> None:
    ds.Rows = ds.Rows - 1
    ds.PixelData = ds.PixelData[: ds.Rows * ds.Columns * 2]


def unknown_syntax(ds: Any) -> None:
    ds.file_meta.TransferSyntaxUID = pydicom.uid.MPEG2MPML
    ds.PixelData = pydicom.encaps.encapsulate([b"1234"])
    ds["PixelData"].is_undefined_length = True


IMAGES: dict[str, Change | None] = {
    "no position": without("ImagePositionPatient"),
    "no direction": without("ImageOrientationPatient"),
    "no spacing": without("PixelSpacing"),
    "no rows": without("Rows"),
    "no pixels": without("PixelData"),
    "no bits": without("BitsAllocated"),
    "no series": without("SeriesInstanceUID"),
    "position is NaN": raw("ImagePositionPatient", b"nan\\nan\\nan "),
    "position is text": raw("ImagePositionPatient", b"a\\b\\c "),
    "two coordinates": raw("ImagePositionPatient", b"1\\2 "),
    "direction is short": raw("ImageOrientationPatient", b"1\\0\\0 "),
    "direction is wrong": raw("ImageOrientationPatient", b"1\\0\\0\\0\\0\\1 "),
    "spacing is 0": raw("PixelSpacing", b"0\\0 "),
    "spacing is text": raw("PixelSpacing", b"abc\\1 "),
    "slope is NaN": raw("RescaleSlope", b"nan "),
    "another position twice": raw("ImagePositionPatient", b"-50\\-60\\-70 "),
    "other rows": smaller,
    "a compression that nothing decodes": unknown_syntax,
    "truncated": None,
    "empty": None,
    "a page of a web site": None,
}


def spoil(path: Path, name: str, change: Change | None) -> None:
    data = path.read_bytes()
    if change is None:
        path.write_bytes({"truncated": data[: len(data) // 2], "empty": b""}.get(name, b"<html>log in</html>"))
        return
    ds = pydicom.dcmread(path)
    change(ds)
    ds.save_as(path)


def read(name: str, root: Path, config: str | None = None) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Subject -> row, and path -> why it is none."""
    rows, left, report = {}, {}, LoadReport(name, config or "")
    for item in iterate(registry.get(name), Files.open(str(root)), config=config, report=report):
        if isinstance(item, Skipped):
            left[item.file.path] = item.reason
        else:
            rows[item.values["subject"]] = item.values
    assert not any("no rule" in reason for reason in report.skipped), "files of a bad row are not unknown"
    return rows, left


def reason_of(patient: str, left: dict[str, str]) -> str:
    """Why a patient has no row: one named error."""
    (reason,) = {text for path, text in left.items() if f"/{patient}/" in f"/{path}"}
    assert "quarantined" in reason, reason
    assert not any(word in reason for word in ("TypeError", "KeyError", "IndexError", "AttributeError")), reason
    return reason


@pytest.mark.parametrize("place", [0, 2])
def test_a_bad_image_costs_its_series(place: int, tmp_path: Path) -> None:
    make = Phantom(tmp_path)
    folder = "manifest-1/TCGA-LIHC/{0}/08-20-2001-NA-CT-1/3.000000-PORTAL-1"
    cases = {f"TCGA-BC-{4000 + n}": name for n, name in enumerate([*IMAGES, "good"])}
    if place == 0:  # that is its own place
        cases = {patient: name for patient, name in cases.items() if name != "another position twice"}
    for patient, name in cases.items():
        ct = make.dicom_series(folder.format(patient), SLICES, patient=patient)
        if name != "good":
            spoil(tmp_path / ct[place]["path"], name, IMAGES[name])
    rows, left = read("tcga-lihc", tmp_path, "volumes")
    for patient, name in cases.items():
        if name == "good":
            assert rows.pop(patient)["shape"][2] == SLICES
        else:
            assert patient not in rows, f"{name}: the bad series must not come, nor a shorter one"
            reason_of(patient, left)
    assert not rows


OBJECTS: dict[str, Change | None] = {
    name: change
    for name, change in IMAGES.items()
    if name in ("truncated", "empty", "a page of a web site", "no pixels", "no rows")
} | {
    "no frames": without("PerFrameFunctionalGroupsSequence"),
    "no segments": without("SegmentSequence"),
    "no shared groups": without("SharedFunctionalGroupsSequence"),
    "a segment without number": lambda ds: ds.SegmentSequence[0].pop("SegmentNumber"),
    "a frame without place": lambda ds: ds.PerFrameFunctionalGroupsSequence[0].pop("PlanePositionSequence"),
    "a frame without segment": lambda ds: (
        ds.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0].pop("ReferencedSegmentNumber")
    ),
    "another number of frames": lambda ds: setattr(ds, "NumberOfFrames", 7),
}


def test_a_bad_segmentation_costs_its_row_at_most(tmp_path: Path) -> None:
    make = Phantom(tmp_path)
    cases = {f"QIN-LSC-00{10 + n}": name for n, name in enumerate([*OBJECTS, "good"])}
    for patient, name in cases.items():
        study = f"manifest-1/QIN LUNG CT/{patient}"
        ct = make.dicom_series(f"{study}/08-06-2003-1-CT-1/2.000000-THORAX-1", SLICES, patient=patient)
        path = f"{study}/04-01-2015-1-NA-1/0.000000-alg01 run1/1-1.dcm"
        _tcia_phantom.segmentation(make, path, ct, {"Nodule": [(2, 3, 8)]}, patient, StudyInstanceUID="2.25.7")
        if name != "good":
            spoil(tmp_path / path, name, OBJECTS[name])
    rows, left = read("qin-lung-ct", tmp_path)
    for patient, name in cases.items():
        row = rows.get(patient)
        if name == "good":
            assert row is not None and row["label"]["mask"] is not None
        else:
            assert row is None or row["label"]["mask"] is None, f"{name}: a mask that is half of one"
            reason_of(patient, left)


STRUCTURES: dict[str, Change | None] = {
    name: change for name, change in OBJECTS.items() if name in ("truncated", "empty", "a page of a web site")
} | {
    "no names": without("StructureSetROISequence"),
    "a name without number": lambda ds: ds.StructureSetROISequence[0].pop("ROINumber"),
    "contours of no structure": lambda ds: ds.ROIContourSequence[0].pop("ReferencedROINumber"),
    "coordinates that are no points": lambda ds: setattr(
        ds.ROIContourSequence[0].ContourSequence[0], "ContourData", [1.0] * 10
    ),
    "coordinates that are no numbers": lambda ds: raw("ContourData", b"a\\b\\c\\1\\2\\3\\4\\5\\6")(
        ds.ROIContourSequence[0].ContourSequence[0]
    ),
    "a contour across the slices": lambda ds: setattr(
        ds.ROIContourSequence[0].ContourSequence[0],
        "ContourData",
        [-48, -58, -70, -45, -58, -60, -45, -55, -65],
    ),
}


def test_a_bad_structure_set_costs_its_row_at_most(tmp_path: Path) -> None:
    make = Phantom(tmp_path)
    cases = {f"LUNG1-0{10 + n}": name for n, name in enumerate([*STRUCTURES, "good"])}
    for patient, name in cases.items():
        study = f"manifest-1/NSCLC-Radiomics/{patient}/09-18-2008-StudyID-NA-69331"
        ct = make.dicom_series(f"{study}/0.000000-NA-82046", SLICES, patient=patient)
        _tcia_phantom.structures(make, f"{study}/1.000000-NA-1/1-1.dcm", ct, {"GTV-1": [(2, 3, 8)]}, patient)
        if name != "good":
            spoil(tmp_path / f"{study}/1.000000-NA-1/1-1.dcm", name, STRUCTURES[name])
    rows, left = read("nsclc-radiomics", tmp_path)
    for patient, name in cases.items():
        assert (patient in rows) == (name == "good"), name
        if name != "good":
            told = [why for path, why in left.items() if f"/{patient}/" in f"/{path}"]
            assert told and not any("Error" in why for why in told), (name, told)


@pytest.mark.parametrize("spoiled", ["CT", "SEG"])
def test_a_bad_file_of_the_commons_costs_its_series(spoiled: str, tmp_path: Path) -> None:
    held = index.series(index.parse("c4kc_kits"))
    wrong = {"CT": ("no position", "no rows", "position is NaN", "truncated", "other rows")}
    wrong["SEG"] = ("truncated", "empty", "no frames", "no segments", "another number of frames")
    cases = {f"KiTS-0000{n}": name for n, name in enumerate([*wrong[spoiled], "good"])}
    make = Phantom(tmp_path)
    for patient, name in cases.items():
        one = next(s for s in held if (s.patient, s.modality) == (patient, "CT"))
        seg = next(s for s in held if (s.patient, s.modality, s.study) == (patient, "SEG", one.study))
        tags = {"SeriesInstanceUID": one.uid, "StudyInstanceUID": one.study, "SOPClassUID": one.sop_class}
        ct = make.dicom_series(one.folder, SLICES, patient=patient, names="i{:04d}.dcm", tags=tags)
        more = {"SeriesInstanceUID": seg.uid, "StudyInstanceUID": seg.study}
        _tcia_phantom.segmentation(make, f"{seg.folder}/s.dcm", ct, {"Kidney": [(2, 3, 8)]}, patient, **more)
        if name != "good":
            path = {"CT": tmp_path / ct[2]["path"], "SEG": tmp_path / seg.folder / "s.dcm"}[spoiled]
            spoil(path, name, {**IMAGES, **OBJECTS}[name])
    rows, left = read("idc/c4kc_kits", tmp_path)
    for patient, name in cases.items():
        row = rows.get(patient)
        if name == "good":
            assert row is not None and row["label"]["mask"] is not None
            continue
        assert (row is None) if spoiled == "CT" else (row is not None and row["label"]["mask"] is None), name
        told = [why for path, why in left.items() if f"/{patient}/" in f"/{path}"]
        assert any(why.startswith(("quarantined", "left out of the mask")) for why in told), name
        assert not any("Error" in why for why in told), told


@pytest.mark.parametrize("values", [(0, 255), (0, 128, 255), (0, 1)])
def test_fractions_are_told_and_the_rest_is_a_mask(values: tuple[int, ...], tmp_path: Path) -> None:
    make = Phantom(tmp_path)
    patients = ["QIN-LSC-0001", "QIN-LSC-0002"]
    for n, patient in enumerate(patients):
        study = f"manifest-1/QIN LUNG CT/{patient}"
        ct = make.dicom_series(f"{study}/08-06-2003-1-CT-1/2.000000-THORAX-1", SLICES, patient=patient)
        pixels = np.zeros((12, 16), np.uint8)
        pixels[3:8, 3:8] = max(values)
        pixels[3, 3 : 3 + len(values)] = values
        tags = {
            "SegmentationType": "FRACTIONAL",
            "MaximumFractionalValue": 255,
            "PixelData": pixels.tobytes(),
        }
        tags |= {
            "SegmentationFractionalType": "PROBABILITY",
            "BitsAllocated": 8,
            "BitsStored": 8,
            "HighBit": 7,
        }
        path = f"{study}/04-01-2015-1-NA-1/0.000000-alg01 run1/1-1.dcm"
        more = tags if n == 0 else {}
        _tcia_phantom.segmentation(make, path, ct, {"Nodule": [(2, 3, 8)]}, patient, **more)
    rows, left = read("qin-lung-ct", tmp_path)
    assert sorted(rows) == patients, "the image comes, with a mask or without"
    mask = rows[patients[0]]["label"]["mask"]
    if set(values) == {0, 255}:
        stored = nibabel.Nifti1Image.from_bytes(bytes(mask["bytes"]))
        assert int((np.asanyarray(stored.dataobj) > 0).sum()) == 24 and not left
    else:
        assert mask is None and rows[patients[0]]["label"]["assessed"] == []
        assert any("fractions" in reason for reason in left.values())
