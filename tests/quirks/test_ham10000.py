from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import Miniature, copied, written


@pytest.mark.quirk(1)
def test_the_table_has_no_suffix(mini: Miniature) -> None:
    assert mini.text("^HAM10000_metadata$").startswith("lesion_id,image_id,dx,dx_type,age,sex,localization,dataset\n")
    assert mini.row("0024306")["label"]["classes"] == ["melanocytic nevus"]


@pytest.mark.quirk(2)
def test_a_copy_without_the_column_dataset_gives_the_same_rows(mini: Miniature, tmp_path: Path) -> None:
    files = written("ham10000")
    lines = files.pop("HAM10000_metadata").decode().splitlines()
    shorter = "\n".join(line.rsplit(",", 1)[0] for line in lines)
    kaggle = copied("ham10000", files | {"HAM10000_metadata.csv": shorter.encode()}, tmp_path)
    assert mini.row("0034320")["meta"]["dataset"] == "rosendahl"
    assert "dataset" not in kaggle.row("0034320")["meta"]
    assert [row["label"]["classes"] for row in kaggle.rows()] == [row["label"]["classes"] for row in mini.rows()]


@pytest.mark.quirk(3)
def test_blanks_stay_and_the_lesion_is_the_subject(mini: Miniature) -> None:
    assert "ISIC_0034320,mel,histo,,unknown," in mini.text("^HAM10000_metadata$")
    row = mini.row("0034320")
    assert row["meta"]["age"] == "" and row["meta"]["sex"] == "unknown"
    assert [mini.row(name)["subject"] for name in ("0024306", "0024307")] == ["HAM_0000550"] * 2


@pytest.mark.quirk(4)
def test_outlines_lie_in_a_folder_of_the_archive_s_name(mini: Miniature) -> None:
    folder = "HAM10000_segmentations_lesion_tschandl"
    assert f"{folder}/ISIC_0024306_segmentation.png".encode() in mini.bytes(f"^{folder}.zip$")
    assert mini.row("0024306")["label"]["legend"] == [{"value": 1, "names": ["skin lesion"]}]
    assert mini.row("0034524")["label"]["mask"] is None


@pytest.mark.quirk(5)
def test_the_first_and_the_last_id_are_for_training(mini: Miniature) -> None:
    assert [row["id"] for row in mini.rows() if row["split"] == "train"] == [
        "ham10000/ISIC_0024306",
        "ham10000/ISIC_0024307",
        "ham10000/ISIC_0034320",
    ]
