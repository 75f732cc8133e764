from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import Miniature, rebuilt


@pytest.mark.quirk(1)
def test_the_folder_tells_the_vendor_else_the_number(mini: Miniature, tmp_path: Path) -> None:
    told = {row["subject"]: row["meta"]["vendor"] for row in mini.rows()}
    vendors = {"001": "Cirrus", "025": "Spectralis", "070": "Topcon"}
    assert {case: told[f"TRAIN{case}"] for case in vendors} == vendors
    bare = rebuilt(
        "retouch",
        lambda path: path.replace("Set-", "").replace("Cirrus", "A").replace("Spectralis", "B").replace("Topcon", "C"),
        tmp_path,
    )
    assert {row["subject"]: row["meta"]["vendor"] for row in bare.rows()} == told


@pytest.mark.quirk(2)
def test_sizes_differ_with_the_vendor(mini: Miniature) -> None:
    assert "DimSize = 12 18 6" in mini.text(r"TRAIN070/oct\.mhd")
    shapes = {row["meta"]["vendor"]: row["shape"] for row in mini.rows("TRAIN")}
    assert shapes == {"Cirrus": [12, 20, 6], "Spectralis": [12, 10, 4], "Topcon": [12, 18, 6]}


@pytest.mark.quirk(3)
def test_header_and_voxels_are_one(mini: Miniature) -> None:
    assert "ElementDataFile = oct.raw" in mini.text(r"TRAIN025/oct\.mhd")
    assert mini.paths(r"TRAIN025/oct\.raw$")
    # Of a volume without its reference both files are told.
    assert {path.rpartition("/")[2] for path in mini.skipped} == {"oct.mhd", "oct.raw"}
    assert not mini.unread
