"""Real files of seven datasets, beside the repository where a maintainer has them."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from defusedxml import ElementTree
from PIL import Image

from medimg import licenses, readers, registry
from medimg.errors import SourceError
from medimg.files import Files
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.sync import sync
from medimg.pixels import Picture, Volume
from medimg.rows import Record, iterate, unread
from medimg.schema import Skipped

NAMES = ("hc18", "dsb2018", "blood-cells", "msd-hippocampus", "lidc-idri", "covid-chestxray")
"""Of VerSe there is a mask without its CT alone."""
Read = Callable[[str], tuple[list[Record], list[Skipped]]]


def read_source(name: str, source: Path) -> tuple[list[Record], list[Skipped]]:
    with Files.open(source, dataset=name) as files:
        items = list(iterate(registry.get(name), files))
        lost = {file.path for file in unread(files)}
    records = [item for item in items if isinstance(item, Record)]
    skipped = [item for item in items if isinstance(item, Skipped)]
    assert lost <= {item.file.path for item in skipped}
    return records, skipped


@pytest.fixture(scope="module")
def cache() -> dict[str, tuple[list[Record], list[Skipped]]]:
    return {}


@pytest.fixture
def read(samples: Path, cache: dict[str, Any]) -> Read:
    def once(name: str) -> tuple[list[Record], list[Skipped]]:
        if name not in cache:
            cache[name] = read_source(name, samples / name)
        return cache[name]

    return once


def by_id(records: list[Record]) -> dict[str, Record]:
    return {record.values["id"].split("/", 1)[1]: record for record in records}


def path_of(record: Record) -> str:
    path: str = json.loads(record.values["meta"])["source_path"]
    return path


@pytest.mark.parametrize("name", NAMES)
def test_no_file_is_lost(name: str, read: Read) -> None:
    records, skipped = read(name)
    assert records or skipped
    assert all(item.reason for item in skipped)


def test_hippocampus_is_equal_bit_for_bit(samples: Path, read: Read) -> None:
    records, _ = read("msd-hippocampus")
    assert len(records) >= 20
    for record in records:
        source = samples / "msd-hippocampus" / path_of(record)
        original = nib.load(source)
        stored = nib.Nifti1Image.from_bytes(bytes(record.values["image"]["bytes"]))
        assert stored.get_data_dtype() == original.get_data_dtype()
        assert np.array_equal(np.asarray(stored.dataobj), np.asarray(original.dataobj))
        assert np.array_equal(stored.affine, original.affine)
        mask = nib.load(source.parent.parent / "labels" / source.name)
        stored_mask = nib.Nifti1Image.from_bytes(bytes(record.values["label"]["mask"]["bytes"]))
        assert np.array_equal(np.asarray(stored_mask.dataobj), np.asarray(mask.dataobj))
        assert np.array_equal(stored_mask.affine, mask.affine)


def test_hc18_measures_spacing_and_filled_heads(samples: Path, read: Read) -> None:
    records, _ = read("hc18")
    root = samples / "hc18"
    with (root / "training_set_pixel_size_and_HC.csv").open() as stream:
        truth = {row["filename"]: row for row in csv.DictReader(stream)}
    assert len(records) == len([p for p in root.rglob("*HC.png") if "Annotation" not in p.name])
    train = [record for record in records if record.split == "train"]
    assert len(train) == 14
    for record in records:
        name = Path(path_of(record)).name
        original = Image.open(root / path_of(record))
        with Image.open(io.BytesIO(record.values["image"]["bytes"])) as stored:
            assert np.array_equal(np.asarray(stored), np.asarray(original))  # its texts are gone, no pixel is
        assert record.values["shape"] == [original.height, original.width]
        if record.split != "train":
            assert record.mask is None and not record.values["label"]["assessed"]
            continue
        pixel = float(truth[name]["pixel size(mm)"])
        assert record.values["spacing"] == pytest.approx([pixel, pixel])
        measure = record.values["label"]["measures"][0]
        assert (measure["value"], measure["unit"]) == (float(truth[name]["head circumference (mm)"]), "mm")
        assert isinstance(record.mask, Picture)
        line = (
            np.asarray(Image.open(root / "training_set" / name.replace(".png", "_Annotation.png")).convert("L")) > 127
        )
        head = record.mask.array > 0
        # This copy of the set has the regions filled already; the official one has the outline alone.
        assert head[line].all()
        # An ellipse of that area and extent has about the stated circumference.
        rows, columns = np.nonzero(head)
        covariance = np.cov(np.stack([rows, columns]))
        a, b = 2 * np.sqrt(np.linalg.eigvalsh(covariance))
        h = ((a - b) / (a + b)) ** 2
        perimeter = math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h))) * pixel
        assert perimeter == pytest.approx(measure["value"], rel=0.05)


def test_dsb2018_has_one_instance_per_mask_file(samples: Path, read: Read) -> None:
    records, _ = read("dsb2018")
    root = samples / "dsb2018" / "stage1_train"
    assert len(records) == len(list(root.iterdir()))
    for record in records:
        case = root / Path(path_of(record)).parts[1]
        expected = len(list((case / "masks").glob("*.png")))
        assert record.values["label"]["instances"] is True
        assert len([value for value in record.mask_values if value]) == expected
        assert isinstance(record.mask, Picture)
        union = np.zeros(record.mask.array.shape, bool)
        for path in (case / "masks").glob("*.png"):
            union |= np.asarray(Image.open(path)) > 0
        assert np.array_equal(record.mask.array > 0, union)


def test_blood_cell_boxes_equal_the_xml(samples: Path, read: Read) -> None:
    records, _ = read("blood-cells")
    root = samples / "blood-cells" / "BCCD"
    assert len(records) == len(list((root / "JPEGImages").iterdir()))
    for record in records:
        tree = ElementTree.parse(root / "Annotations" / f"{Path(path_of(record)).stem}.xml")
        corners = ("xmin", "ymin", "xmax", "ymax")
        expected = [[float(node.find(f"bndbox/{c}").text) for c in corners] for node in tree.iter("object")]
        assert [box["box"] for box in record.values["label"]["boxes"]] == expected
        kinds = [node.find("name").text for node in tree.iter("object")]
        names = {"WBC": "white blood cell", "RBC": "red blood cell", "Platelets": "platelet"}
        assert [box["name"] for box in record.values["label"]["boxes"]] == [names[kind] for kind in kinds]


def test_lidc_is_in_spatial_order_with_nodules_on_the_right_slices(samples: Path, read: Read) -> None:
    pydicom = pytest.importorskip("pydicom")
    records, _ = read("lidc-idri")
    assert len(records) == 1
    record = records[0]
    assert isinstance(record.image, Volume) and isinstance(record.mask, Volume)
    root = samples / "lidc-idri"
    slices = sorted(
        (pydicom.dcmread(path) for path in root.rglob("*.dcm")),
        key=lambda d: float(d.ImagePositionPatient[2]),
    )
    assert record.image.shape == (512, 512, len(slices))
    values = record.image.array * record.image.scaling[0] + record.image.scaling[1]
    for k, each in enumerate(slices):
        hounsfield = each.pixel_array * float(each.RescaleSlope) + float(each.RescaleIntercept)
        assert np.array_equal(values[:, :, k], hounsfield.T)
        world = record.image.affine @ [0, 0, k, 1]
        x, y, z = (float(v) for v in each.ImagePositionPatient)
        assert world[:3] == pytest.approx([-x, -y, z], abs=1e-3)
    uid_to_k = {each.SOPInstanceUID: k for k, each in enumerate(slices)}
    space = "{http://www.nih.gov}"
    tree = ElementTree.parse(next(root.rglob("069.xml")))
    outlined = set()
    for nodule in tree.iter(f"{space}unblindedReadNodule"):
        rois = nodule.findall(f"{space}roi")
        for roi in rois:
            uid = roi.find(f"{space}imageSOP_UID").text
            if uid in uid_to_k and len(roi.findall(f"{space}edgeMap")) > 2:
                outlined.add(uid_to_k[uid])
    marked = {k for k in range(len(slices)) if record.mask.array[:, :, k].any()}
    assert marked == outlined and len(outlined) == 9
    assert 1 <= max(record.mask_values) <= 4
    label = record.values["label"]
    assert label["boxes"] and all(box["name"] == "lung nodule" for box in label["boxes"])
    for box in label["boxes"]:
        i0, j0, k0, i1, j1, k1 = (int(v) for v in box["box"])
        assert record.mask.array[i0:i1, j0:j1, k0:k1].any()
    text = json.dumps(json.loads(label["source"]))
    assert text.count("malignancy") >= 1 and "Nodule 001" in text
    assert "Phantom" not in record.values["meta"] and "PatientName" not in record.values["meta"]


def test_covid_rows_carry_their_own_license(samples: Path, read: Read) -> None:
    records, skipped = read("covid-chestxray")
    images = {path.name for path in (samples / "covid-chestxray" / "images").iterdir()}
    assert {Path(path_of(record)).name for record in records} | {Path(s.file.path).name for s in skipped} == images
    with (samples / "covid-chestxray" / "metadata.csv").open(newline="") as stream:
        table = {row["filename"]: row["license"] for row in csv.DictReader(stream)}
    for record in records:
        assert record.license == (licenses.normalize(table[Path(path_of(record)).name]) or licenses.UNKNOWN)


def test_verse_mask_without_its_ct_is_an_error_that_names_it(samples: Path) -> None:
    told = r"verse: no row came of it: 1 left out: a vertebra mask whose CT is not in this copy.*sub-verse004_seg"
    with pytest.raises(SourceError, match=told):
        read_source("verse", samples / "verse")


@pytest.mark.parametrize("name", ["hc18", "blood-cells", "covid-chestxray", "lidc-idri"])
def test_archives_of_the_samples_give_equal_rows(name: str, samples: Path, read: Read, tmp_path: Path) -> None:
    expected = [
        (r.values["id"], r.values["content"], r.values["meta"], str(r.values["label"]["boxes"])) for r in read(name)[0]
    ]
    shutil.make_archive(str(tmp_path / "a"), "zip", samples, name)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.add(samples / name, name)
    for source in (tmp_path / "a.zip", tmp_path / "a.tar.gz"):
        found = [
            (r.values["id"], r.values["content"], r.values["meta"], str(r.values["label"]["boxes"]))
            for r in read_source(name, source)[0]
        ]
        assert sorted(found) == sorted(expected)


def test_samples_are_published_and_rows_without_a_license_are_not(samples: Path, tmp_path: Path) -> None:
    with EmbeddedHub(tmp_path / "store") as server:
        hub = Hub(server.url, "medimg")
        results = {each.name: each for each in sync([*NAMES, "verse"], hub, root=str(samples))}
        verse = results.pop("verse")
        assert {each.status for each in results.values()} <= {"published", "card-only"}, results
        assert verse.status == "failed" and "sub-verse004" in verse.reason
        manifest = hub.published("covid-chestxray").manifest
        assert manifest is not None
        for config in manifest.configs:
            assert all(licenses.get(each).publish is not licenses.Verdict.RECIPE for each in config.license)
        for manifest in (hub.published(name).manifest for name in NAMES):
            assert manifest is not None and manifest.origin == "source"


def test_every_image_suffix_of_the_samples_is_known(samples: Path) -> None:
    text = {".csv", ".txt", ".xml", ".json", ".md", ".rst", ""}
    for path in samples.rglob("*"):
        if path.is_file():
            suffix = ".nii.gz" if path.name.endswith(".nii.gz") else path.suffix.lower()
            assert suffix in readers.PIXEL_SUFFIXES or suffix in text, path
