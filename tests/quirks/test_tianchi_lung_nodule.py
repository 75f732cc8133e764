from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import Miniature, copied, rebuilt, written


@pytest.mark.quirk(1)
def test_underscores_become_hyphens(mini: Miniature) -> None:
    assert "LKDS_00228," in mini.text("train/annotations") and mini.paths(r"LKDS-00228\.mhd$")
    row = mini.row("LKDS-00228")
    assert row["subject"] == "LKDS-00228"
    assert row["label"]["measures"] == [{"name": "nodule diameter", "value": 5.1, "unit": "mm"}]


def test_folders_or_else_tables_tell_the_split(mini: Miniature, tmp_path: Path) -> None:
    told = {row["subject"]: row["split"] for row in mini.rows()}
    assert told["LKDS-00012"] == "validation" and told["LKDS-00602"] == "test"

    def name(path: str) -> str:
        part = path.partition("_subset00.zip")[0]
        return f"LKDS_MHD_{part.upper()}.zip" if part in ("train", "val", "test") else path

    copy = rebuilt("tianchi_lung_nodule", name, tmp_path / "capitals")
    assert {row["subject"]: row["split"] for row in copy.rows()} == told
    bare = rebuilt("tianchi_lung_nodule", lambda path: path.replace("val_subset00.zip", "a.zip"), tmp_path / "bare")
    assert bare.row("LKDS-00012")["split"] == "validation"


@pytest.mark.quirk(2)
def test_no_patient_is_negative(mini: Miniature, tmp_path: Path) -> None:
    assert {row["spacing"][2] for row in mini.rows()} == {1.0}
    labels = [row["label"] for row in mini.rows()]
    assert all(bool(label["boxes"]) == bool(label["assessed"]) for label in labels)
    # LKDS-00602 has no line in any table; elsewhere the validation set's table is missing.
    assert mini.row("LKDS-00602")["label"]["assessed"] == []
    copy = rebuilt("tianchi_lung_nodule", lambda path: path.replace("csv/val/annotations", "csv/train/x"), tmp_path)
    assert copy.row("LKDS-00012")["label"]["assessed"] == []


def test_columns_mean_what_they_are_called_in_whatever_order(mini: Miniature, tmp_path: Path) -> None:
    files = written("tianchi_lung_nodule")
    lines = [line.split(",") for line in files["csv/val/annotations.csv"].decode().split()]
    assert lines[0] == ["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm"]
    turned = "\n".join(",".join(line[n] for n in (2, 4, 0, 1, 3)) for line in lines)
    files["csv/val/annotations.csv"] = turned.encode()
    label, before = (one.row("LKDS-00012")["label"] for one in (copied("tianchi_lung_nodule", files, tmp_path), mini))
    # Origin (-50, -60, -70), voxels of 0.8 x 0.8 x 1 mm; the nodule lies at (-44, -55, -64).
    assert label["points"][0]["point"] == pytest.approx([7.5, 6.25, 6.0])
    assert [label[key] for key in ("boxes", "points", "measures")] == [
        before[key] for key in ("boxes", "points", "measures")
    ]
    assert label["source"] == {"annotations.csv": ["-55.0,5.0,-44.0,-64.0"]} or label["source"] == {
        "annotations.csv": ["-55,5.0,-44,-64"]
    }
