from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from miniatures import Miniature, pixels

from medimg.errors import SourceError
from medimg.files import Files


@pytest.mark.quirk(1)
def test_values_are_the_ids_of_one_reader(mini: Miniature) -> None:
    masks = {row["config"]: pixels(row["label"]["mask"]) for row in mini.rows("LNDb-0001")}
    assert {reader: set(np.unique(mask)) for reader, mask in masks.items()} == {
        "rad1": {0, 1},
        "rad2": {0, 2},
        "rad3": {0, 3},
    }
    assert "1,2,3" in mini.text(r"trainNodules_gt\.csv$")
    assert all(row["label"]["instances"] for row in mini.rows("LNDb-0001"))
    assert mini.row("rad3/LNDb-0001")["label"]["legend"] == [{"value": 1, "names": ["lung nodule"]}]


@pytest.mark.quirk(2)
def test_small_nodules_and_non_nodules_are_points_without_mask(mini: Miniature) -> None:
    label = mini.row("rad1/LNDb-0001")["label"]
    assert [one["name"] for one in label["points"]] == [
        "lung nodule",
        "lung nodule smaller than 3 mm",
        "no lung nodule",
    ]
    small = label["source"]["Nodules_gt"][1]
    assert (small["RadID"], small["RadFindingID"]) == ("1", "4")
    assert 4 not in pixels(label["mask"])


@pytest.mark.quirk(3)
def test_numbers_have_gaps(mini: Miniature) -> None:
    assert sorted({row["subject"] for row in mini.rows()}) == ["LNDb-0001", "LNDb-0009", "LNDb-0312"]
    assert mini.row("LNDb-0312")["meta"]["LNDbID"] == 312
    assert mini.builder.dataset.config("rad1").splits["train"] == 236


@pytest.mark.quirk(4)
def test_each_reader_is_a_sub_collection(mini: Miniature) -> None:
    assert len(mini.paths(r"masks/LNDb-0001_rad\d\.mhd$")) == 3 and len(mini.paths(r"masks/LNDb-0312")) == 2
    assert [row["config"] for row in mini.rows("LNDb-0001")] == ["rad1", "rad2", "rad3"]
    assert [row["config"] for row in mini.rows("LNDb-0312")] == ["rad1"]


@pytest.mark.quirk(5)
def test_rar_archives_are_asked_to_be_unpacked(mini: Miniature, tmp_path: Path) -> None:
    assert "data0.rar" in {source.url.rsplit("/", 1)[-1] for source in mini.builder.dataset.sources}
    (tmp_path / "data0.rar").write_bytes(b"Rar!\x1a\x07\x01\x00")
    with Files.open(tmp_path) as files, pytest.raises(SourceError, match="must be unpacked") as caught:
        list(mini.builder.rows(files))
    assert "Unpack the RAR archives" in str(caught.value)


@pytest.mark.quirk(6)
def test_ct_without_tables_are_the_test_part(mini: Miniature) -> None:
    assert "312" in mini.text(r"trainCTs\.csv$") and "\n9," not in mini.text(r"trainCTs\.csv$")
    row = mini.row("LNDb-0009")
    assert row["split"] == "test" and row["config"] == "rad1"
    assert row["meta"]["LNDbAcqParams"]["KVP"] == "100"
    assert "a cube of a candidate" in mini.skipped["predictedNodulesB/1.npy"]
    assert mini.row("rad2/LNDb-0001")["label"]["source"]["report"][0]["rem_0"] == "5 mm"
    assert row["label"]["mask"] is None and row["label"]["assessed"] == []
