from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import Miniature, copied


@pytest.mark.quirk(1)
def test_columns_are_addressed_by_position_since_headers_hold_commas(mini: Miniature) -> None:
    assert mini.text("Data_Entry").splitlines()[0].endswith("],OriginalImagePixelSpacing[x,y]")
    assert mini.text("BBox").splitlines()[0] == "Image Index,Finding Label,Bbox [x,y,w,h],,,"
    row = mini.row("00013118_008")
    assert [row["meta"][name] for name in ("OriginalImage[Width", "Height]")] == ["2682", "2749"]
    assert row["label"]["boxes"][1]["box"] == [3, 4.5, 13, 16.75]


@pytest.mark.quirk(2)
def test_infiltrate_is_infiltration(mini: Miniature) -> None:
    label = mini.row("00013118_008")["label"]
    assert label["source"]["Finding Labels"] == "Atelectasis|Infiltration"
    assert label["source"]["Bbox [x,y,w,h]"][1][0] == "Infiltrate"
    assert label["boxes"][1]["name"] == label["classes"][1] == "pulmonary infiltrate"


@pytest.mark.quirk(3)
def test_the_column_of_sex_has_two_names(mini: Miniature, tmp_path: Path) -> None:
    assert mini.row("00000001_000")["meta"]["Patient Sex"] == "M"
    name = "images_001/images/00000001_000.png"
    older = mini.text("Data_Entry").replace("Patient Sex", "Patient Gender").encode()
    contents = {"Data_Entry_2017.csv": older, name: mini.bytes(name), "test_list.txt": b"00000002_000.png\n"}
    kaggle = copied("chestx_ray14", contents, tmp_path)
    assert kaggle.row("00000001_000")["meta"]["Patient Gender"] == "M"
