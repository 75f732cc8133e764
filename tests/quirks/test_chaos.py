from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pydicom
import pytest
from miniatures import Miniature, copied, pixels

from medimg.errors import MedimgError
from medimg.files import Files
from medimg.report import LoadReport
from medimg.rows import Record, iterate

CASE = "^CHAOS_Train_Sets/Train_Sets/"


def in_space(mini: Miniature, case: str, grays: dict[int, int]) -> np.ndarray:
    """The ground truth of a case as a volume: n-th file to n-th slice, slices in order of position."""
    slices = [pydicom.dcmread(io.BytesIO(mini.files[path])) for path in mini.paths(f"{CASE}{case}/DICOM.*dcm$")]
    truths = [np.asarray(mini.picture(path).convert("L")) for path in mini.paths(f"{CASE}{case}/Ground/.*png$")]
    pairs = sorted(zip(slices, truths, strict=True), key=lambda pair: pair[0].ImagePositionPatient[2])
    return np.stack([np.vectorize(grays.get)(truth).T for _, truth in pairs], axis=-1)


@pytest.mark.quirk(1, 3)
@pytest.mark.parametrize("case", ["CT/1", "CT/21"])
def test_truth_lies_on_the_slices_that_it_was_drawn_on(case: str, mini: Miniature) -> None:
    names = {path.rpartition("/")[2] for path in mini.paths(f"{CASE}{case}/")}
    assert "liver_GT_000.png" in names
    assert {"CT/1": "i0001,0000b.dcm", "CT/21": "IMG-0002-00001.dcm"}[case] in names
    mask = pixels(mini.row(case.lower().replace("/", "-") + "$")["label"]["mask"])
    expected = in_space(mini, case, {0: 0, 255: 1})
    assert np.array_equal(mask, expected)
    # The first file is empty, and it is not the lowest slice: order of names would not do.
    empty = [k for k in range(4) if not expected[:, :, k].any()]
    assert len(empty) == 1


@pytest.mark.quirk(1)
def test_names_and_places_disagree(mini: Miniature) -> None:
    heights = [
        pydicom.dcmread(io.BytesIO(mini.files[path])).ImagePositionPatient[2]
        for path in mini.paths(f"{CASE}CT/21/DICOM")
    ]
    assert heights != sorted(heights)


@pytest.mark.quirk(2)
def test_both_phases_have_the_one_ground_truth(mini: Miniature) -> None:
    assert not mini.paths("T1DUAL/Ground/IMG-0004-0001[1]")
    inside, outside = mini.row("mr-1-t1dual-inphase"), mini.row("mr-1-t1dual-outphase")
    assert {row["meta"]["source_header"]["EchoTime"] for row in (inside, outside)} == {2.3, 4.6}
    assert (pixels(inside["label"]["mask"]) > 0).sum() == (pixels(outside["label"]["mask"]) > 0).sum() > 0
    assert inside["content"] != outside["content"]


@pytest.mark.quirk(4)
def test_grays_within_the_ranges_are_organs(mini: Miniature) -> None:
    assert set(np.unique(np.asarray(mini.picture("T2SPIR/Ground/IMG-0002-00002")))) == {0, 70, 110, 200, 240}
    expected = in_space(mini, "MR/1/T2SPIR", {0: 0, 70: 1, 110: 2, 200: 3, 240: 4})
    assert np.array_equal(pixels(mini.row("mr-1-t2spir")["label"]["mask"]), expected)


@pytest.mark.quirk(5)
def test_equal_numbers_of_ct_and_mri_are_two_persons(mini: Miniature) -> None:
    assert mini.paths(f"{CASE}CT/1/") and mini.paths(f"{CASE}MR/1/")
    assert mini.row("/ct-1$")["subject"] == "ct-1"
    assert {row["subject"] for row in mini.rows("/mr-1-")} == {"mr-1"}


@pytest.mark.parametrize(
    ("bad", "lost"),
    [
        ("MR/1/T2SPIR/DICOM_anon/IMG-0002-00002.dcm", {"mr-1-t2spir"}),
        ("MR/1/T1DUAL/DICOM_anon/OutPhase/IMG-0004-00021.dcm", {"mr-1-t1dual-outphase"}),
        ("MR/1/T2SPIR/Ground/IMG-0002-00002.png", {"mr-1-t2spir"}),
    ],
)
def test_one_bad_slice_costs_one_row(bad: str, lost: set[str], mini: Miniature, tmp_path: Path) -> None:
    for path, data in mini.files.items():
        if path.startswith("CHAOS_Train_Sets/"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)
    (tmp_path / "CHAOS_Train_Sets/Train_Sets" / bad).write_bytes(b"<html>log in</html>")
    report = LoadReport("chaos", "")
    items = list(iterate(mini.builder, Files.open(str(tmp_path)), report=report))
    came = {item.values["id"].removeprefix("chaos/") for item in items if isinstance(item, Record)}
    train = {row["id"].removeprefix("chaos/") for row in mini.rows() if row["split"] == "train"}
    assert came == train - lost
    (reason,) = report.skipped
    assert "quarantined" in reason and report.skipped[reason].count == 1


def changed(mini: Miniature, case: str, grays: list[np.ndarray | None], root: Path) -> Miniature:
    """One case of the training sets alone, with other ground truth in the order of its names; None: no such file."""
    files = {
        path.removeprefix("CHAOS_Train_Sets.zip!"): data
        for path, data in mini.files.items()
        if f"Train_Sets/{case}/" in path and not path.endswith(".zip")
    }
    for path, gray in zip(sorted(path for path in files if "/Ground/" in path), grays, strict=True):
        if gray is None:
            del files[path]
        else:
            stream = io.BytesIO()
            PIL.Image.fromarray(gray).save(stream, "png")
            files[path] = stream.getvalue()
    return copied("chaos", files, root)


def plane(*grays: int) -> np.ndarray:
    """12 rows of 16 columns that begin with these values."""
    array = np.zeros((12, 16), np.uint8)
    array[0, : len(grays)] = grays
    return array


ENDS = {1: (55, 70), 2: (110, 135), 3: (175, 200), 4: (240, 255)}
"""Liver, right kidney, left kidney, spleen: lowest and highest gray, as the page of the challenge has them."""


@pytest.mark.quirk(4)
def test_ranges_of_grays_begin_and_end_where_the_page_says(mini: Miniature, tmp_path: Path) -> None:
    row = mini.row("mr-1-t2spir")
    names = {entry["value"]: entry["names"] for entry in row["label"]["legend"]}
    assert names == {1: ["liver"], 2: ["right kidney"], 3: ["left kidney"], 4: ["spleen"]}
    drawn = plane(*(gray for ends in ENDS.values() for gray in ends))
    made = changed(mini, "MR/1/T2SPIR", [drawn, plane(), plane(), plane()], tmp_path)
    mask = pixels(made.row("mr-1-t2spir")["label"]["mask"])
    (at,) = np.flatnonzero(mask.any(axis=(0, 1)))
    assert mask[:8, 0, at].tolist() == [1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.quirk(4)
@pytest.mark.parametrize("gray", [1, 54, 71, 109, 136, 174, 201, 239])
def test_a_gray_between_the_ranges_is_of_no_organ(gray: int, mini: Miniature, tmp_path: Path) -> None:
    with pytest.raises(MedimgError, match=rf"without a mapping: {gray} ") as caught:
        changed(mini, "MR/1/T2SPIR", [plane(gray), plane(), plane(), plane()], tmp_path)
    assert "chaos" in str(caught.value)


def test_the_liver_of_ct_is_whatever_is_not_black(mini: Miniature, tmp_path: Path) -> None:
    made = changed(mini, "CT/1", [plane(), plane(1, 255, 128), plane(), plane()], tmp_path)
    mask = pixels(made.row("ct-1")["label"]["mask"])
    (at,) = np.flatnonzero(mask.any(axis=(0, 1)))
    assert mask[:4, 0, at].tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize("case", ["CT/1", "MR/1/T2SPIR"])
def test_truth_of_fewer_slices_than_there_are_is_refused(case: str, mini: Miniature, tmp_path: Path) -> None:
    with pytest.raises(MedimgError, match="4 slices, but 3 files of ground truth") as caught:
        changed(mini, case, [plane(), None, plane(), plane()], tmp_path)
    assert "chaos" in str(caught.value) and "DICOM_anon/" in str(caught.value)
