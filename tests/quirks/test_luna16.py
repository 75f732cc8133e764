from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from miniatures import Miniature, copied, pixels, rebuilt, written

from medimg.errors import FormatError, SourceError

FIRST = "105756658031515062000744821260"


@pytest.mark.quirk(1)
def test_the_patient_of_two_subsets_is_one_subject(mini: Miniature) -> None:
    found = [(row["subject"], row["meta"]["subset"]) for row in mini.rows() if row["subject"]]
    assert found == [("LIDC-IDRI-0332", 2), ("LIDC-IDRI-0332", 6)]
    assert mini.row(FIRST)["subject"] is None


@pytest.mark.quirk(2)
def test_lung_masks_begin_at_3_and_take_no_side(mini: Miniature) -> None:
    label = mini.row(FIRST)["label"]
    assert set(np.unique(pixels(label["mask"]))) == {0, 3, 4, 5}
    assert {one["value"]: one["names"] for one in label["legend"]} == {
        3: ["lung"],
        4: ["lung"],
        5: ["trachea"],
    }


@pytest.mark.quirk(3)
def test_lung_masks_are_compressed(mini: Miniature) -> None:
    assert "CompressedData = True" in mini.text(rf"seg-lungs-LUNA16/.*{FIRST}\.mhd$")
    assert len(mini.bytes(rf"{FIRST}\.zraw$")) < 16 * 14 * 8
    assert (pixels(mini.row(FIRST)["label"]["mask"]) > 0).sum() > 100


@pytest.mark.quirk(4)
def test_subsets_of_both_records_are_read(mini: Miniature) -> None:
    pages = {source.url for source in mini.builder.dataset.sources}
    assert {"https://zenodo.org/record/3723295", "https://zenodo.org/record/4121926"} <= pages
    assert {row["meta"]["subset"] for row in mini.rows()} == {0, 2, 6, 7}


def with_table(lines: list[list[str]], root: Path) -> Miniature:
    """The miniature with another annotations.csv."""
    files = written("luna16")
    files["annotations.csv"] = "".join(",".join(line) + "\n" for line in lines).encode()
    return copied("luna16", files, root)


HEADER = ["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm"]
SERIES = f"1.3.6.1.4.1.14519.5.2.1.6279.6001.{FIRST}"


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (0, 2, 1, 3, 4), (4, 3, 2, 1, 0), (3, 0, 4, 1, 2)], ids=str)
def test_columns_mean_what_they_are_called_in_whatever_order(order: tuple[int, ...], tmp_path: Path) -> None:
    cells = [SERIES, "-47.5", "-54", "-60", "4"]
    made = with_table([[line[n] for n in order] for line in (HEADER, cells)], tmp_path)
    # Origin (-50, -60, -70), voxels of 1 x 1 x 2 mm: x is the first axis, y the second.
    assert "Offset = -50 -60 -70" in made.text(rf"subset0/{SERIES}\.mhd$")
    label = made.row(FIRST)["label"]
    assert label["points"] == [{"name": "lung nodule", "point": [2.5, 6.0, 5.0]}]
    assert label["boxes"] == [{"name": "lung nodule", "box": [1.0, 4.0, 4.0, 5.0, 9.0, 7.0]}]
    assert label["measures"] == [{"name": "nodule diameter", "value": 4.0, "unit": "mm"}]
    told = label["source"]["annotations.csv"]
    kept = [n for n in order if n]
    assert told == [",".join(HEADER[n] for n in kept), ",".join(cells[n] for n in kept)]


@pytest.mark.parametrize("bad", ["", "  ", "nan", '"-47,5"'], ids=repr)
@pytest.mark.parametrize("column", [1, 2, 3, 4])
def test_a_cell_that_is_no_number_costs_its_scan_alone(column: int, bad: str, tmp_path: Path) -> None:
    cells = [SERIES, "-47.5", "-54", "-60", "4"]
    cells[column] = bad
    made = with_table([HEADER, cells], tmp_path)
    assert not made.rows(FIRST) and len(made.rows()) == 4
    (reason,) = (reason for path, reason in made.skipped.items() if FIRST in path)
    assert f"line 2, column {HEADER[column]!r}" in reason


def test_a_line_of_no_scan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"line 2, column 'seriesuid'.*is blank"):
        with_table([HEADER, [" ", "-47.5", "-54", "-60", "4"]], tmp_path)


@pytest.mark.parametrize("lost", HEADER)
def test_a_table_without_a_column_that_places_the_nodules_is_refused(lost: str, tmp_path: Path) -> None:
    keep = [n for n, name in enumerate(HEADER) if name != lost]
    with pytest.raises(FormatError, match=lost):
        with_table([[line[n] for n in keep] for line in (HEADER, [SERIES, "1", "2", "3", "4"])], tmp_path)


def test_without_the_table_of_nodules_every_scan_would_be_negative(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"annotations\.csv") as caught:
        rebuilt("luna16", lambda path: None if path == "annotations.csv" else path, tmp_path)
    assert "it has the nodules" in str(caught.value)


def test_of_two_tables_of_one_name_that_nearest_the_root_counts(mini: Miniature, tmp_path: Path) -> None:
    files = written("luna16")
    files["old/annotations.csv"] = ",".join(HEADER).encode() + b"\n"
    assert [row["label"] for row in copied("luna16", files, tmp_path).rows()] == [row["label"] for row in mini.rows()]
