"""Coordinates, run lengths and lines that cannot be: one bad row, which names the table, the line and the cell."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from miniatures import built, write, written

from medimg import places
from medimg.errors import MedimgError
from medimg.files import Files
from medimg.report import LoadReport
from medimg.rows import Record, iterate
from medimg.schema import Skipped


def changed(module: str, path: str, old: str, new: str) -> dict[str, bytes]:
    """The miniature with a text in one file, or in one member of a zip, replaced (its first occurrence)."""
    contents = written(module)
    name, _, inner = path.partition("!")
    if not inner:
        contents[name] = replaced(contents[name], old, new)
        return contents
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(contents[name])) as before, zipfile.ZipFile(out, "w") as after:
        for member in before.namelist():
            data = before.read(member)
            after.writestr(member, replaced(data, old, new) if member == inner else data)
    contents[name] = out.getvalue()
    return contents


def replaced(data: bytes, old: str, new: str) -> bytes:
    if data[:2] == b"PK":  # a workbook
        book = openpyxl.load_workbook(io.BytesIO(data))
        for line in book.active.iter_rows() if book.active else ():
            for cell in line:
                if str(cell.value) == old:
                    cell.value = new
                    out = io.BytesIO()
                    book.save(out)
                    return out.getvalue()
    text = data.decode()
    assert old in text, old
    return text.replace(old, new, 1).encode()


def read(
    module: str, contents: dict[str, bytes], root: Path, **options: Any
) -> tuple[list[str], list[str], LoadReport]:
    """Ids of the rows, reasons of what is none, and the report."""
    builder = built(module).builder
    report = LoadReport(builder.name)
    with Files.open(write(contents, root), dataset=builder.name) as files:
        items = list(iterate(builder, files, report=report, **options))
    ids = [str(item.values["id"]) for item in items if isinstance(item, Record)]
    return ids, [item.reason for item in items if isinstance(item, Skipped)], report


NIH, RSNA, SIIM = "BBox_List_2017.csv", "stage_2_train_labels.csv", "train-rle.csv"
KVASIR, HYPER = (
    "kvasir-seg.zip!Kvasir-SEG/kavsir_bboxes.json",
    "hyper-kvasir-segmented-images.zip!segmented-images/",
)
BCCD = "BCCD/Annotations/BloodImage_00000.xml"
COVID = "annotations/imageannotation_ai_lung_bounding_boxes.json"
FIRE = "FIRE/Ground Truth/control_points_A01_1_2.txt"
REFUGE = "Annotation-Training400.zip!Annotation-Training400/Fovea_location.xlsx"
BAD = [
    # builder, file, a cell, instead, what the message names beside the file
    ("chestx_ray14", NIH, "7.084745762712", "nan", ["line 2", "Bbox [x"]),
    ("chestx_ray14", NIH, "7.084745762712", "", ["line 2", "Bbox [x"]),
    ("chestx_ray14", NIH, "2.7796610169491", "inf", ["line 2", "'w'"]),
    ("chestx_ray14", NIH, "2.7796610169491", "7,08", ["line 2", "decimal comma"]),
    ("chestx_ray14", NIH, "2.7796610169491", "0", ["box"]),
    ("chestx_ray14", NIH, "2.7796610169491", "-2", ["box"]),
    ("chestx_ray14", NIH, "7.084745762712", "700", ["box", "outside the image of 32 x 32"]),
    ("rsna_pneumonia", RSNA, ",4,3,9,5,1", ",,3,9,5,1", ["line 2", "'x'"]),
    ("rsna_pneumonia", RSNA, ",4,3,9,5,1", ",4,NA,9,5,1", ["line 2", "'y'"]),
    ("rsna_pneumonia", RSNA, ",4,3,9,5,1", ",4,3,-9,5,1", ["box"]),
    ("rsna_pneumonia", RSNA, ",4,3,9,5,1", ",4,300,9,5,1", ["outside the image"]),
    ("rsna_pneumonia", RSNA, ",4,3,9,5,1", ",4,3,9,5,2", ["line 2", "'Target'"]),
    ("rsna_pneumonia", RSNA, ",4,3,9,5,1", ",,,,,0", ["line 3", "contradicts line 2"]),
    (
        "kvasir_seg",
        KVASIR,
        '"xmin": 8',
        '"xmin": NaN',
        ["kavsir_bboxes.json", "box 1 of cju0qkwl35", "'xmin' is nan"],
    ),
    ("kvasir_seg", KVASIR, '"xmin": 8', '"xmin": null', ["box 1 of cju0qkwl35", "'xmin' is None"]),
    ("kvasir_seg", KVASIR, '"xmin": 8', '"xmin": "8"', ["box 1 of cju0qkwl35", "'xmin' is '8'"]),
    ("kvasir_seg", KVASIR, '"xmin": 8', '"xmin ": 8', ["has no 'xmin'"]),
    ("kvasir_seg", KVASIR, '"xmin": 8', '"xmin": 30', ["box"]),
    ("kvasir_seg", KVASIR, '"xmin": 8', '"xmin": 31', ["box"]),
    ("kvasir_seg", KVASIR, '"label": "polyp"', '"label": "tool"', ["'tool'"]),
    (
        "kvasir_seg",
        KVASIR,
        '"height": 53',
        '"height": 530',
        ["drawn on 530 x 62 pixels, the image has 53 x 62"],
    ),
    ("hyperkvasir", f"{HYPER}bounding-boxes.json", '"ymax": 48', '"ymax": Infinity', ["'ymax' is inf"]),
    ("blood_cells", BCCD, "<xmin>5</xmin>", "<xmin>nan</xmin>", [BCCD, "object 1"]),
    ("blood_cells", BCCD, "<xmin>5</xmin>", "<xmin></xmin>", [BCCD, "object 1"]),
    ("blood_cells", BCCD, "<xmin>5</xmin>", "<xmin>21</xmin>", [BCCD, "object 1", "swapped"]),
    ("blood_cells", BCCD, "<xmax>20</xmax>", "<xmax>inf</xmax>", [BCCD, "object 1", "finite"]),
    ("covid_chestxray", COVID, '"bbox": [4', '"bbox": [400', ["outside the image of"]),
    ("covid_chestxray", COVID, '"height": 40', '"height": 80', ["drawn on 80 x 48 pixels"]),
    ("covid_chestxray", COVID, "[4, 5, 12, 30]", "[4, 5, -12, 30]", ["box"]),
    ("fire", FIRE, "5.000 ", "nan ", [FIRE, "line 1", "4 finite numbers"]),
    ("fire", FIRE, "5.000 ", "", [FIRE, "line 1", "4 finite numbers"]),
    ("refuge", REFUGE, "25.5", "nan", ["Fovea_location.xlsx", "line 2", "'Fovea_X'"]),
    ("refuge", REFUGE, "25.5", "inf", ["Fovea_location.xlsx", "line 2", "'Fovea_X'"]),
    ("refuge", REFUGE, "25.5", "", ["Fovea_location.xlsx", "line 2", "'Fovea_X'"]),
    ("siim_acr_pneumothorax", SIIM, ",-1", ",", [SIIM, "line 4", "'EncodedPixels'"]),
    ("siim_acr_pneumothorax", SIIM, ",-1", ", ", [SIIM, "line 4", "'EncodedPixels'"]),
    ("siim_acr_pneumothorax", SIIM, ",-1", ",nan", [SIIM, "line 4", "'EncodedPixels'"]),
    ("siim_acr_pneumothorax", SIIM, ",31 3", ",-1", [SIIM, "line 5", "another line"]),
    (
        "dsb2018",
        "stage1_solution.csv",
        ",1 3 25 3,",
        ",,",
        ["stage1_solution.csv", "line 2", "'EncodedPixels'"],
    ),
    ("dsb2018", "stage1_solution.csv", ",1 3 25 3,24", ",1 3 25 3,25", ["line 3", "contradicts line 2"]),
]


@pytest.mark.parametrize(("module", "path", "old", "new", "named"), BAD)
def test_a_place_that_cannot_be_is_one_bad_row(
    module: str, path: str, old: str, new: str, named: list[str], tmp_path: Path
) -> None:
    whole, _, _ = read(module, written(module), tmp_path / "whole")
    contents = changed(module, path, old, new)
    with pytest.raises(MedimgError) as caught:
        read(module, contents, tmp_path / "stop", bad_files="stop")
    text = str(caught.value)
    assert text.startswith(built(module).builder.name) and all(part in text for part in named), text
    ids, reasons, report = read(module, contents, tmp_path / "left-out", bad_files="quarantine")
    assert len(ids) == len(whole) - 1 and set(ids) < set(whole)
    assert len([why for why in reasons if why.startswith("quarantined")]) == 1
    assert any(why.startswith("quarantined") for why in report.skipped)


@pytest.mark.parametrize("name", ["", "nan", "inf", "1e999"])
def test_centers_of_idrid_are_finite(name: str, tmp_path: Path) -> None:
    path = next(path for path in written("idrid") if path.endswith("IDRiD_OD_Center_Training Set_Markups.csv"))
    first = written("idrid")[path].decode().splitlines()[1].split(",")[1]
    contents = changed("idrid", path, f",{first},", f",{name},")
    with pytest.raises(MedimgError, match=r"IDRiD_OD_Center.*line 2, column 'X"):
        read("idrid", contents, tmp_path, bad_files="stop")


TOLD = [
    ("chestx_ray14", NIH, "7.084745762712", "30", places.BEYOND),
    ("chestx_ray14", NIH, "21,4.1,5,9.7", "-3,4.1,5,9.7", places.BEYOND),
    ("kvasir_seg", KVASIR, '"xmax": 30', '"xmax": 64', places.BEYOND),
    ("blood_cells", BCCD, "<xmin>5</xmin>", "<xmin>-5</xmin>", places.BEYOND),
    ("covid_chestxray", COVID, "[4, 5, 12, 30]", "[4, 5, 12, 36]", places.BEYOND),
    ("refuge", REFUGE, "25.5", "205.5", places.OUTSIDE),
    (
        "siim_acr_pneumothorax",
        SIIM,
        ",31 3",
        ",90 4 24 4",
        "two lines of the table state the same run lengths",
    ),
]


@pytest.mark.parametrize(("module", "path", "old", "new", "reason"), TOLD)
def test_what_is_odd_and_can_be_is_told(
    module: str, path: str, old: str, new: str, reason: str, tmp_path: Path
) -> None:
    whole, _, before = read(module, written(module), tmp_path / "whole")
    ids, _, report = read(module, changed(module, path, old, new), tmp_path / "odd", bad_files="stop")
    assert ids == whole and not any(reason in told for told in before.incomplete)
    (told,) = (told for told in report.incomplete if reason in told)
    assert report.incomplete[told].count == 1


def test_a_box_that_comes_twice_is_told(tmp_path: Path) -> None:
    contents = written("rsna_pneumonia")
    lines = contents[RSNA].decode().splitlines()
    contents[RSNA] = "\n".join([*lines[:2], lines[1], *lines[2:]]).encode()
    _, _, report = read("rsna_pneumonia", contents, tmp_path, bad_files="stop")
    assert report.incomplete[places.TWICE].count == 1


def test_lines_that_contradict_each_other_cost_their_row_and_equal_ones_nothing(tmp_path: Path) -> None:
    for module, table, column in (
        ("chestx_ray14", "Data_Entry_2017_v2020.csv", "Finding Labels"),
        ("rsna_pneumonia", "stage_2_detailed_class_info.csv", "class"),
    ):
        contents = written(module)
        whole, _, _ = read(module, contents, tmp_path / module / "whole")
        lines = contents[table].decode().splitlines()
        contents[table] = "\n".join([*lines, lines[1]]).encode()
        assert read(module, contents, tmp_path / module / "equal", bad_files="stop")[0] == whole
        cells = lines[1].split(",")
        cells[1] = "Hernia" if module == "chestx_ray14" else "Normal"
        contents[table] = "\n".join([*lines, ",".join(cells)]).encode()
        with pytest.raises(MedimgError, match=rf"{table}.*stands in line 2, too, with another '{column}'"):
            read(module, contents, tmp_path / module / "other", bad_files="stop")
        ids, _, _ = read(module, contents, tmp_path / module / "other", bad_files="quarantine")
        assert len(ids) == len(whole) - 1


def test_an_image_that_the_table_of_boxes_lacks_is_told(tmp_path: Path) -> None:
    contents = changed("kvasir_seg", KVASIR, "cju0qoxqj9q6s0835b43399p4", "cju0")
    ids, _, report = read("kvasir_seg", contents, tmp_path / "entry", bad_files="stop")
    assert len(ids) == 3 and list(report.incomplete) == [
        "no table of boxes in this copy has an entry for it: its boxes are not known"
    ]
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(written("kvasir_seg")["kvasir-seg.zip"])) as before,
        zipfile.ZipFile(out, "w") as cut,
    ):
        for member in before.namelist():
            if not member.endswith(".json"):
                cut.writestr(member, before.read(member))
    ids, _, report = read("kvasir_seg", {"kvasir-seg.zip": out.getvalue()}, tmp_path / "table", bad_files="stop")
    (told,) = report.incomplete
    assert (
        len(ids) == 3 and "no table of boxes in this copy has an entry" in told and report.incomplete[told].count == 3
    )


def test_two_copies_of_a_table_that_contradict_each_other_cost_the_photograph(tmp_path: Path) -> None:
    path = next(path for path in written("blood_cells") if "dataset2" in path and path.endswith("labels.csv"))
    contents = changed("blood_cells", path, ",8,BASOPHIL", ",8,MONOCYTE")
    with pytest.raises(MedimgError, match=r"labels\.csv.*with another 'Category'"):
        read("blood_cells", contents, tmp_path / "stop", bad_files="stop")
    ids, _, _ = read("blood_cells", contents, tmp_path / "left-out", bad_files="quarantine")
    assert "blood-cells/kaggle-BloodImage_00008" not in ids and len(ids) == 11
