"""Real tables of real datasets go through their builders, with phantom pixels for a few of the files they name.

The tables lie in `../shared/metadata`, beside the repository; where they are not, these tests say so and are skipped.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from miniatures import copied, pixels

from medimg import registry
from medimg.phantom import Phantom

METADATA = Path(__file__).parents[2] / "shared" / "metadata"


def real(path: str) -> bytes:
    """A real table, byte for byte."""
    if not METADATA.is_dir():
        pytest.skip("the real tables (../shared/metadata) are not here")
    return (METADATA / path).read_bytes()


def test_real_grades_of_idrid(tmp_path: Path) -> None:
    names = {"Training": "a. IDRiD_Disease Grading_Training Labels.csv"}
    names["Testing"] = "b. IDRiD_Disease Grading_Testing Labels.csv"
    make = Phantom()
    wanted = {"Training": ("IDRiD_001", "IDRiD_021", "IDRiD_405"), "Testing": ("IDRiD_001", "IDRiD_006")}
    for place, part in zip("ab", wanted, strict=True):
        for name in (*wanted[part], "IDRiD_999"):
            make.image(f"B. Disease Grading/1. Original Images/{place}. {part} Set/{name}.jpg", mode="RGB")
        make.bytes(f"B. Disease Grading/2. Groundtruths/{names[part]}", real(f"IDRiD/{names[part]}"))
    found = copied("idrid", make.files, tmp_path)
    graded = {
        (row["split"], row["id"].rsplit("-", 1)[1]): tuple(row["label"]["source"].values())
        for row in found.rows("grading-")
    }
    assert graded == {
        ("train", "IDRiD_001"): ("3", "2"),
        ("train", "IDRiD_021"): ("1", "0"),
        ("train", "IDRiD_405"): ("2", "1"),  # its line ends in nine empty cells and a blank
        ("test", "IDRiD_001"): ("4", "0"),
        ("test", "IDRiD_006"): ("3", "1"),
    }
    assert found.row("train-IDRiD_405")["label"]["classes"] == [
        "moderate nonproliferative diabetic retinopathy",
        "macular edema risk grade 1",
    ]
    assert set(found.skipped.values()) == {"no table in this copy has a row for it"} and len(found.skipped) == 2


def test_real_folds_and_findings_of_hyperkvasir(tmp_path: Path) -> None:
    make = Phantom()
    for fold in (2, 5):
        table = real(f"HyperKvasir/official_splits_{fold}_fold_split.csv")
        make.bytes(f"official_splits/{fold}_fold_split.csv", table)
    make.bytes("hyper-kvasir-video-metadata.csv", real("HyperKvasir/hyper-kvasir-video-metadata.csv"))
    lower = "lower-gi-tract/quality-of-mucosal-views/impacted-stool"
    listed, absent = "4bf58f1c-8233-41fc-9614-344e6d0fc351", "00000000-0000-0000-0000-000000000000"
    for name in (listed, absent):
        make.image(f"labeled-images/{lower}/{name}.jpg", mode="RGB")
    clips = (
        "Polypp 5.avi",
        "823e4779-b83f-4a2f-aa23-2a6d99f7cf85.avi",
        "ef31f827-0525-4325-aa67-5c5bd4354c26.avi",
    )
    for name in clips:
        make.video(f"labeled-videos/lower-gi-tract/{name}", 3, (48, 40))
    silent = "05a868ca-4a74-49d6-8769-b0d62d828d95"
    make.video(f"labeled-videos/{silent}.avi", 3, (48, 40))
    make.files[f"labeled-videos/{silent}.mpg"] = make.files.pop(f"labeled-videos/{silent}.avi")
    found = copied("hyperkvasir", make.files, tmp_path)
    image = found.row(listed)
    assert image["label"]["classes"] == ["impacted stool"]
    assert image["meta"]["2_fold_split"]["class-name"] == "impacted-stool"
    assert image["meta"]["5_fold_split"] == {
        "file-name": f"{listed}.jpg",
        "class-name": "impacted-stool",
        "split-index": "0",
    }
    assert "2_fold_split" not in found.row(absent)["meta"]
    said = {row["id"].rsplit("/", 1)[1]: row["label"] for row in found.rows("/videos/")}
    assert {name: [text["answer"] for text in label["texts"]] for name, label in said.items()} == {
        "Polypp 5": ["polyp"],
        "823e4779-b83f-4a2f-aa23-2a6d99f7cf85": ["polyp, NBI, propably cancer"],
        "ef31f827-0525-4325-aa67-5c5bd4354c26": ["watermelon stomach"],
        silent: [],
    }
    assert said["ef31f827-0525-4325-aa67-5c5bd4354c26"]["source"]["fps"] == "20"
    assert said[silent]["source"]["finding"] == "None"
    assert not found.unread and not found.skipped


def cells(table: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(table.decode())))


def radiographs(names: list[str]) -> dict[str, bytes]:
    make = Phantom()
    for name in names:
        make.image(f"images_001/images/{name}", (1024, 1024), labels=(60, 120))
    return make.files


@pytest.mark.parametrize("table", ["Data_Entry_2017_v2020.csv", "sample_labels.csv"])
def test_real_entries_of_chest_xray14(table: str, tmp_path: Path) -> None:
    data = real(f"NIH-ChestXray14/{table}")
    header, *entries = cells(data)
    entries = entries[::5]
    names = [one[0] for one in entries]
    files = {**radiographs(names), table: data, "train_val_list.txt": "\n".join(names).encode()}
    found = copied("chestx_ray14", files, tmp_path)
    assert len(found.rows()) == len(entries) == 10 and not found.skipped
    for name, findings, *said in entries:
        row = found.row(name.removesuffix(".png"))
        assert row["subject"] == name[:8] and int(said[1]) == int(name[:8])
        assert row["label"]["source"] == {"Finding Labels": findings}
        assert len(row["label"]["classes"]) == (0 if findings == "No Finding" else findings.count("|") + 1)
        assert len(row["label"]["assessed"]) == 14
        assert [row["meta"][column] for column in header[2:]] == said


def test_real_boxes_of_chest_xray14(tmp_path: Path) -> None:
    names = ("Data_Entry_2017_v2020.csv", "BBox_List_2017.csv")
    entries, table = (real(f"NIH-ChestXray14/{name}") for name in names)
    boxes = cells(table)[1:6]
    # The parts of both tables that are here have no image in common: the boxed ones are added to the entries.
    for name, finding, *_ in boxes:
        entries += f"{name},{finding},0,{name[:8]},60,F,AP,2500,2048,0.1,0.1\n".encode()
    files = radiographs([*(box[0] for box in boxes), "00000001_000.png"])
    files |= {names[0]: entries, names[1]: table, "test_list.txt": f"{boxes[0][0]}\n".encode()}
    found = copied("chestx_ray14", files, tmp_path)
    assert found.row("00000001_000")["label"]["boxes"] == []
    for number, (name, finding, *said) in enumerate(boxes):
        row = found.row(name.removesuffix(".png"))
        assert row["split"] == ("train" if number else "test")
        (box,) = row["label"]["boxes"]
        x, y, width, height = map(float, said[:4])
        assert box["name"] == finding.lower() == "atelectasis"
        assert box["box"] == pytest.approx([x, y, x + width, y + height], rel=1e-6)
        assert row["label"]["source"]["Bbox [x,y,w,h]"] == [[finding, *said[:4]]]


def test_real_biomarkers_of_olives(tmp_path: Path) -> None:
    name = "Biomarker_Clinical_Data_Images.csv"
    table = real(f"OLIVES/{name}")
    header, *lines = cells(table)
    assert len(header) == 22 and len(lines) == 50
    wanted, terms = lines[::7], registry.get("olives").dataset.labels
    make = Phantom()
    make.bytes(f"ml_centric_labels/{name}", table)
    # The folder has no blank in it, and suffixes are others than the table's.
    for number, line in enumerate(wanted):
        stem = line[0].removesuffix(".tif").replace("TREX DME", "TREX_DME" if number % 2 else "TREX DME")
        make.image(f"OLIVES{stem}.{'png' if number % 3 else 'tif'}", (32, 24))
    make.image("OLIVES/TREX DME/GILA/0201GOD/V1/OD/fundus_OD.tif", (28, 28))
    found = copied("olives", make.files, tmp_path)
    assert len(found.rows()) == len(wanted) + 1 and not found.skipped
    for path, scan, *rest in wanted:
        said = dict(zip(header[2:], rest, strict=True))
        _, _, arm, folder, visit, eye, image = path.removesuffix(".tif").split("/")
        row = found.row(f"/TREX_DME-{arm}-{folder}-{visit}-{eye}-{image}$")
        assert row["subject"] == said["Patient_ID"] and row["meta"]["Scan (n/49)"] == scan
        assert row["meta"]["Eye_ID"] == said["Eye_ID"]
        marks = {column: said[column] for column in header[2:18]}
        assert row["label"]["source"] == marks | {column: said[column] for column in ("BCVA", "CST")}
        present = {term for column, mark in marks.items() if mark == "1" for term in terms[column]}
        assert set(row["label"]["classes"]) == {"diabetic macular edema"} | present
        assert len(row["label"]["assessed"]) == 17
        assert [one["value"] for one in row["label"]["measures"]] == [float(said["BCVA"]), float(said["CST"])]
    fundus = found.row("fundus_OD")
    assert fundus["config"] == "fundus" and fundus["label"]["assessed"] == ["diabetic macular edema"]
    assert fundus["subject"] == wanted[0][-1]


LIDC = "1.3.6.1.4.1.14519.5.2.1.6279.6001"


def lidc_series(make: Phantom, patient: str, uid: str, *, z: float = 0, slices: int = 2, **more: Any) -> None:
    make.dicom_series(
        f"LIDC-IDRI/{patient}/01-01-2000/{uid[-5:]}",
        slices,
        patient=patient,
        spacing=(0.7, 0.7, 3),
        origin=(-150, -160, z),
        tags={"SeriesInstanceUID": uid, "StudyInstanceUID": f"{LIDC}.1"},
        **more,
    )


def test_real_readings_of_lidc(tmp_path: Path) -> None:
    make = Phantom()
    # Eight of the slices that 158.xml names, by their places: the SOPInstanceUIDs are phantoms, and the patient is one
    # of the diagnosis table.
    uid = f"{LIDC}.303494235102183795724852353824"
    lidc_series(make, "LIDC-IDRI-0068", uid, z=1595.5, slices=8, size=(512, 512))
    for path in ("157/158", "157/159", "185/068"):
        make.bytes(f"tcia-lidc-xml/{path}.xml", real(f"LIDC-IDRI/tcia-lidc-xml/{path}.xml"))
    book = "tcia-diagnosis-data-2012-04-20.xls"
    make.bytes(book, real(f"LIDC-IDRI/{book}"))
    found = copied("lidc_idri", make.files, tmp_path)
    assert found.skipped == {"tcia-lidc-xml/185/068.xml": "a reading of a chest radiograph, which has no outlines"}
    (row,) = found.rows()
    label = row["label"]
    assert label["source"]["boxes"] == [
        {"reader": reader, "noduleID": name} for reader, name in enumerate(("6", "12321", "16309", "2046"))
    ]
    slices = [(box["box"][2], box["box"][5]) for box in label["boxes"]]
    assert slices == [(0, 8), (0, 8), (1, 8), (0, 8)]
    mask = pixels(label["mask"])
    assert mask.max() == 4 and (mask[:, :, 0] == 4).sum() == 0 < (mask[:, :, 4] == 4).sum()
    # The rest of the four readings lies on slices that are not here.
    assert len(row["meta"]["mask_header"]["unplaced"]) > 40
    (reading,) = label["source"]["readings"]
    ratings = [
        nodule["characteristics"][0]
        for nodule in reading["sessions"][0]["unblindedReadNodule"]
        if "characteristics" in nodule
    ]
    assert [one["malignancy"] for one in ratings] == ["3", "3", "4"]
    assert list(row["meta"][book].values())[:5] == ["LIDC-IDRI-0068", "3", "4", "Head & Neck Cancer", "3"]


def test_real_series_of_lidc(tmp_path: Path) -> None:
    table = real("LIDC-IDRI/LIDC-IDRI_MetaData.csv")
    _, *series = cells(table)
    make = Phantom()
    make.bytes("LIDC-IDRI_MetaData.csv", table)
    make.bytes("tcia-lidc-xml/185/068.xml", real("LIDC-IDRI/tcia-lidc-xml/185/068.xml"))
    for _, patient, _, _, modality, *_, uid in series:
        lidc_series(make, patient, uid, slices=2 if modality == "CT" else 1, modality=modality)
    found = copied("lidc_idri", make.files, tmp_path)
    wanted = {f"lidc-idri/{one[1]}_{one[-1]}": one[1] for one in series if one[4] == "CT"}
    assert {row["id"]: row["subject"] for row in found.rows()} == wanted and len(wanted) == 25
    # 068.xml is of the first patient's radiograph, not of the CT that it names as well.
    assert [row["label"]["assessed"] for row in found.rows()] == [[]] * 25
    assert sum("series, which has no outlines" in reason for reason in found.skipped.values()) == 25


def test_real_nodules_of_luna16(tmp_path: Path) -> None:
    table = real("LUNA16/annotations.csv")
    header, *nodules = cells(table)
    assert header == ["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm"] and len(nodules) == 50
    make = Phantom()
    make.bytes("annotations.csv", table)
    count = Counter(one[0] for one in nodules)
    (most, six), (other, _) = count.most_common()[0], count.most_common()[-1]
    for uid in (most, other):
        mine = [[float(value) for value in one[1:4]] for one in nodules if one[0] == uid]
        low = [round(min(axis)) - 30 for axis in zip(*mine, strict=True)]
        size = [int((max(axis) - start + 30) / 2) for axis, start in zip(zip(*mine, strict=True), low, strict=True)]
        make.metaimage(f"subset4/{uid}.mhd", size, spacing=(2, 2, 2), origin=low)
    found = copied("luna16", make.files, tmp_path)
    label = found.row(most)["label"]
    assert six == 6 == len(label["boxes"]) == len(label["points"])
    assert label["source"]["annotations.csv"] == [
        ",".join(header[1:]),
        *(",".join(one[1:]) for one in nodules if one[0] == most),
    ]
    for uid in (most, other):
        row = found.row(uid)
        said = [[float(value) for value in one[1:]] for one in nodules if one[0] == uid]
        low = [round(min(axis)) - 30 for axis in list(zip(*said, strict=True))[:3]]
        for box, point, measure, (*center, diameter) in zip(
            *(row["label"][key] for key in ("boxes", "points", "measures")), said, strict=True
        ):
            place = [(value - start) / 2 for value, start in zip(center, low, strict=True)]
            assert point["point"] == pytest.approx(place, abs=1e-4)
            assert measure == {"name": "nodule diameter", "value": diameter, "unit": "mm"}
            for axis in range(3):
                assert box["box"][axis] - 0.5 <= place[axis] - diameter / 4 < box["box"][axis] + 0.51
                assert box["box"][axis + 3] - 1.51 <= place[axis] + diameter / 4 <= box["box"][axis + 3] - 0.49
    assert found.row(most)["meta"]["subset"] == 4


def test_the_names_of_the_source_list_lead_to_their_datasets() -> None:
    page = METADATA.parent / "roster" / "index.md"
    if not page.is_file():
        pytest.skip("the roster (../shared/roster) is not here")
    rows = [line.split("|") for line in page.read_text("utf-8").splitlines() if line.startswith("| ")][1:]
    listed = {row[2].strip().split(": ", 1)[-1]: row[1].strip() for row in rows}
    assert {registry.get(name).name for name in listed.values()} <= set(registry.names())
    assert {name: registry.get(name).name for name in listed} == listed
