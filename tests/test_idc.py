"""Collections of the Imaging Data Commons, streamed from a bucket on loopback in the Commons' own layout."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from miniatures import write

import medimg
from medimg import registry
from medimg.builders import _tcia_phantom
from medimg.builders.idc import index, series
from medimg.errors import SourceError, UnknownDatasetError
from medimg.files import File, Files
from medimg.phantom import Phantom
from medimg.readers import dicom, drawn
from medimg.rows import Record, iterate, unread
from tests.servers import Bucket, s3

pytest.importorskip("idc_index_data")

CT_WITH_SEG = "idc/c4kc_kits"
MR = "idc/qin_prostate_repeatability"
PET_CT_WITH_RTSTRUCT = "idc/soft_tissue_sarcoma"
SLIDES = "idc/ccdi_mci"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with s3() as running:
        yield running


def miniature(name: str) -> Mapping[str, bytes]:
    make = Phantom()
    registry.get(name).miniature(make)
    return make.files


def upload(bucket: Bucket, name: str) -> None:
    """Files of the miniature where the index says that their series are: s3://<bucket>/<uuid>/<instance>.dcm."""
    where = {one.folder: one.address for one in index.series(index.parse(name[4:]))}
    for path, data in miniature(name).items():
        folder, _, file = path.rpartition("/")
        holder, key = where[folder].removeprefix("s3://").split("/")
        bucket.put(f"{key}/{file}", data, holder)


def held(name: str) -> str:
    """The name, narrowed down to the first patient of its miniature: the stand-in holds no other."""
    return f"{name}?patient={next(iter(miniature(name))).split('/')[0]}"


def local(name: str, root: Path) -> tuple[list[Record], dict[str, str]]:
    """Rows of the miniature as a download with idc-index lies on disk."""
    write(dict(miniature(name)), root)
    with Files.open(root, dataset=name) as files:
        items = list(iterate(registry.get(name), files))
        assert not list(unread(files))
    skipped = {one.file.path: one.reason for one in items if not isinstance(one, Record)}
    return [one for one in items if isinstance(one, Record)], skipped


@pytest.mark.parametrize("name", [CT_WITH_SEG, MR, PET_CT_WITH_RTSTRUCT, SLIDES])
def test_streams_from_the_bucket_what_lies_on_disk(name: str, bucket: Bucket, tmp_path: Path) -> None:
    upload(bucket, name)
    name = held(name)
    builder = registry.get(name)
    config = builder.dataset.config_names[0]
    rows = list(
        medimg.load(name, config, source="official", split="train", streaming=True, storage_options=bucket.options)
    )
    here, _ = local(name.partition("?")[0], tmp_path)
    patient = name.partition("=")[2]
    expected = [one for one in here if one.config == config and one.values["subject"] == patient]
    assert rows and len(rows) == len(expected)
    for row, record in zip(rows, expected, strict=True):
        assert row["id"].rpartition("/")[2] == record.values["id"].rpartition("/")[2]
        for column in ("content", "modality", "license", "shape", "subject"):
            assert row[column] == record.values[column]
        assert (row["label"]["mask"] is None) == (record.mask is None)
        if record.mask is not None:
            drawn = np.asanyarray(row["label"]["mask"].dataobj)
            assert np.array_equal(drawn, record.mask.array)


def test_segments_become_a_mask_with_every_overlap(tmp_path: Path) -> None:
    records, _ = local(MR, tmp_path)
    row = next(one for one in records if one.mask is not None)
    label = row.values["label"]
    legend = {one["value"]: one["names"] for one in label["legend"]}
    source = json.loads(label["source"])
    assert row.mask is not None
    assert set(np.unique(row.mask.array)) - {0} == set(legend)
    parts = {part["value"]: part["name"] for one in source["objects"] for part in one["parts"]}
    assert set(parts.values()) == {"Neoplasm", "Phantom structure"}
    for value, met in source["combinations"].items():
        names = {name for part in met for name in (["tumor"] if parts[part] == "Neoplasm" else ["unmapped structure"])}
        assert set(legend[int(value)]) == names
    assert label["assessed"] == ["tumor", "unmapped structure"]
    assert source["objects"][0]["parts"][0]["type"] == ["108369006", "SCT", "Neoplasm"]


def test_a_drawing_on_other_voxels_is_left_out_and_told(tmp_path: Path) -> None:
    make = Phantom(tmp_path)
    registry.get(CT_WITH_SEG).miniature(make)
    (seg,) = {one.parent for one in tmp_path.rglob("SEG_*/*.dcm")}
    (path,) = seg.iterdir()
    data = pydicom.dcmread(path)
    (measures,) = data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    measures.PixelSpacing = [0.9, 0.9]
    data.save_as(path)
    with Files.open(tmp_path, dataset="x") as files:
        items = list(iterate(registry.get(CT_WITH_SEG), files))
    told = [one for one in items if not isinstance(one, Record)]
    assert [one.file.name for one in told] == [path.name]
    assert told[0].reason.startswith("left out of the mask: ") and "not on the voxels" in told[0].reason
    rows = [one for one in items if isinstance(one, Record)]
    assert rows and all(one.mask is None and one.values["label"]["assessed"] == [] for one in rows)


def test_structure_sets_are_attached_to_their_series(tmp_path: Path) -> None:
    records, skipped = local(PET_CT_WITH_RTSTRUCT, tmp_path)
    assert {one.values["modality"] for one in records} >= {"CT", "PET"}
    outlined = [one for one in records if one.mask is not None]
    assert 0 < len(outlined) < len(records)
    for one in records:
        names = {name for value in one.values["label"]["legend"] for name in value["names"]}
        assert names == ({"gross tumor volume", "unmapped structure"} if one in outlined else set())
        assert set(one.values["label"]["assessed"]) == names
    assert not skipped


def test_free_text_names_places_and_lesions_alone() -> None:
    file = File("x.dcm", lambda: io.BytesIO())
    called = {name: series.names(drawn.DrawnPart(file, 1, name)) for name in ("Lung_L", "GTV-1", "mass")}
    assert called == {"Lung_L": ("left lung",), "GTV-1": ("gross tumor volume",), "mass": ("mass",)}
    for said in ("Other", "normal", "Control", "BODY outline", ""):
        assert series.names(drawn.DrawnPart(file, 1, said)) == ("unmapped structure",), said


def test_terms_are_kept_apart() -> None:
    # The pictures of this collection are CC BY-NC 4.0; the analysis of others is CC BY 4.0.
    dataset = registry.get("idc/duke_breast_cancer_mri").dataset
    for config in dataset.configs:
        assert config.license == "CC-BY-NC-4.0", config.name
    both = registry.get("idc/acrin_nsclc_fdg_pet").dataset
    assert both.license == "LicenseRef-per-row"
    assert {config.license for config in both.configs} >= {"CC-BY-3.0", "CC-BY-4.0"}


def test_a_row_has_the_stricter_license_of_image_and_mask(tmp_path: Path) -> None:
    records, _ = local("idc/nsclc_radiomics", tmp_path)
    analyses = [one for one in records if one.config.startswith("volumes-")]
    assert analyses and all(one.mask is not None for one in analyses)
    assert {one.license for one in analyses} == {"CC-BY-NC-3.0"}
    licenses = {one["license"] for row in analyses for one in json.loads(row.values["label"]["source"])["objects"]}
    assert licenses == {"CC-BY-4.0"}


def test_what_is_not_in_the_index_is_no_row(tmp_path: Path) -> None:
    local(MR, tmp_path)
    make = Phantom(tmp_path)
    made = make.dicom_series("stranger/study/MR_2.25.1", 3, modality="MR", patient="stranger")
    _tcia_phantom.report(make, "stranger/study/SR_2.25.2/1.dcm", made, "stranger")
    make.bytes("stranger/study/MR_2.25.3/1.dcm", b"no DICOM at all")
    with Files.open(tmp_path, dataset="x") as files:
        items = list(iterate(registry.get(MR), files))
    reasons = {one.reason for one in items if not isinstance(one, Record)}
    assert reasons == {
        "not in the index, or not selected: so its license is not known",
        "a structured report: measurements, no pixels",
        "quarantined: no DICOM file",
    }
    assert not any(isinstance(one, Record) and one.values["subject"] == "stranger" for one in items)


def test_collections_are_narrowed_down() -> None:
    every = index.series(index.parse("qin-breast"))
    only = index.series(index.parse("qin_breast?modality=PT"))
    assert {one.modality for one in only if one.modality not in index.OBJECTS} == {"PT"}
    assert len(only) < len(every)
    assert not {one.modality for one in index.series(index.parse("lidc_idri?drawings=none"))} & index.OBJECTS
    theirs = index.series(index.parse("qin_lung_ct?drawings=qin_lungct_seg"))
    assert {one.analysis for one in theirs if one.modality in index.OBJECTS} == {"qin_lungct_seg"}
    narrowed = registry.get("idc/qin_breast?modality=PT&license=CC-BY-3.0")
    assert narrowed.dataset.modality == ("PET",)
    assert narrowed.name == "idc-qin-breast-license-cc-by-3-0-modality-pt"
    assert narrowed.address == "idc/qin_breast?license=cc-by-3-0&modality=pt"
    assert registry.get(narrowed.name) == registry.get(narrowed.address) == narrowed
    with pytest.raises(UnknownDatasetError, match=r"modality, body_part"):
        registry.get("idc/qin_breast?color=red")
    with pytest.raises(UnknownDatasetError, match="idc/qin_breast"):
        registry.get("idc/qin_brest")


def test_every_collection_has_a_declaration() -> None:
    holdings = index.holdings()
    assert len(holdings) == len(index.collections())
    assert sum(one.series for one in holdings) > 1_000_000
    # A thinned-out selection: declarations read the whole index each.
    for one in holdings[::30]:
        dataset = registry.get(one.name).dataset
        assert dataset.name == one.name.replace("/", "-").replace("_", "-")
        assert dataset.homepage.startswith("https://portal.imaging.datacommons.cancer.gov/")


def test_the_tree_is_listed_as_far_as_it_is_asked_for(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(bucket, CT_WITH_SEG)
    listed: list[str] = []
    from medimg.builders.idc.files import FileSystem

    original = FileSystem._instances

    def spy(self: Any, path: str, series: index.ListedSeries) -> Any:
        listed.append(path)
        return original(self, path, series)

    monkeypatch.setattr(FileSystem, "_instances", spy)
    whole = CT_WITH_SEG.replace("idc/", "idc://")
    with Files.open(whole, dataset="x", storage_options=bucket.options) as files:
        assert next(iter(files.folders(r"\.dcm$")))
        assert files.fingerprint() == files.fingerprint()
    assert len(set(listed)) == 1


def test_a_series_that_left_the_bucket_is_named(bucket: Bucket) -> None:
    with Files.open("idc://4d_lung/100_HM10395", dataset="x", storage_options=bucket.options) as files:
        with pytest.raises(SourceError, match=r"100_HM10395/.* \(s3://idc-open-data/.*its bucket does not"):
            next(files.folders(""))


def test_a_patient_can_be_the_source(bucket: Bucket) -> None:
    upload(bucket, MR)
    patient = held(MR).partition("=")[2]
    rows = medimg.load(
        MR,
        source=f"idc://qin_prostate_repeatability/{patient}",
        split="train",
        streaming=True,
        storage_options=bucket.options,
    )
    assert {row["subject"] for row in rows} == {patient}


def test_a_real_series_streams_from_where_the_index_says_that_it_is(samples: Path, bucket: Bucket) -> None:
    real = sorted((samples / "lidc-idri").rglob("*.dcm"))
    uid = real[0].parent.name
    one = next(each for each in index.series(index.parse("lidc_idri")) if each.uid == uid)
    holder, key = one.address.removeprefix("s3://").split("/")
    for path in real:
        bucket.put(f"{key}/{path.name}", path.read_bytes(), holder)
    (row,) = medimg.load(
        f"idc/lidc_idri?series={uid}&drawings=none",
        source="official",
        split="train",
        streaming=True,
        storage_options=bucket.options,
    )
    assert (row["subject"], row["modality"], row["license"]) == ("LIDC-IDRI-0001", "CT", "CC-BY-3.0")
    with Files.open(samples / "lidc-idri", dataset="x") as files:
        here = dicom.series(list(next(iter(files.folders(r"\.dcm$")))), allow_gaps=True).read()
    assert np.array_equal(np.asanyarray(row["image"].dataobj), here.array)
    assert np.allclose(row["image"].affine, here.affine, atol=1e-3)
    assert row["label"]["assessed"] == [] and row["organ"] == ["chest"]


@pytest.mark.parametrize("name", ["nsclc-radiomics", "qin-breast"])
def test_the_roster_takes_collections_of_the_commons_from_its_buckets(name: str, bucket: Bucket) -> None:
    collection = "idc/" + name.replace("-", "_")
    assert registry.get(name).dataset.sources[0].url == collection.replace("idc/", "idc://")
    upload(bucket, collection)
    patient = next(iter(miniature(collection))).split("/")[0]
    rows = medimg.load(
        name,
        source=f"{collection.replace('idc/', 'idc://')}/{patient}",
        split="train",
        streaming=True,
        storage_options=bucket.options,
    )
    found = list(rows)
    assert found and {row["subject"] for row in found} == {patient}
    assert {row["dataset"] for row in found} == {name}


def test_published_and_loaded_back(tmp_path: Path) -> None:
    from medimg.hub_sync.hub.serve import EmbeddedHub
    from medimg.hub_sync.pushing.client import Hub
    from medimg.hub_sync.sync import sync

    name = "idc/qin_breast?modality=PT"
    with EmbeddedHub(tmp_path) as running:
        hub = Hub(running.url, "commons")
        (result,) = sync([name], hub)
        assert result.status == "published" and result.rows > 0
        assert [one.status for one in sync([name, registry.get(name).name], hub)] == ["unchanged"]


def test_a_collection_is_a_member_of_a_fused_set() -> None:
    rows = medimg.fuse([CT_WITH_SEG, "nsclc-radiomics"], targets=["tumor"], split="train", source="miniature")
    members = [row["provenance"]["member"] for row in rows]
    assert set(members) == {"idc-c4kc-kits", "nsclc-radiomics"}
    kinds = {value for row in rows for value in np.unique(np.asanyarray(row["fused"]["mask"].dataobj))}
    assert 1 in kinds and kinds <= {0, 1, 255}


def test_the_tiles_of_a_slide_that_hold_tissue(tmp_path: Path) -> None:
    records, skipped = local(SLIDES, tmp_path)
    assert {(one.values["shape"][0], one.values["shape"][1]) for one in records} == {(16, 16), (8, 16)}
    meta = [json.loads(one.values["meta"]) for one in records]
    # The right quarter of the slide is glass: tiles begin at 0, 16, 32 and 48 of 72 pixels.
    assert {(one["x"], one["level"]) for one in meta} == {(0, 0), (16, 0), (32, 0), (48, 0)}
    assert all(one.values["spacing"] == pytest.approx([0.0005, 0.0005]) for one in records)
    assert set(skipped.values()) == {"another resolution of the slide, or its label"}
    shutil.rmtree(tmp_path)
