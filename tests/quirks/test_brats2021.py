from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from miniatures import Miniature, pixels

from medimg import registry
from medimg.builders import _brats
from medimg.files import Files
from medimg.phantom import Phantom
from medimg.rows import Record, iterate
from medimg.schema import Skipped


@pytest.mark.quirk(1)
def test_value_three_is_not_used(mini: Miniature) -> None:
    raw = gzip.decompress(mini.bytes(r"BraTS2021_00000_seg"))
    assert set(np.unique(nibabel.Nifti1Image.from_bytes(raw).dataobj)) == {0, 1, 2, 4}
    label = mini.row("BraTS2021_00000")["label"]
    assert set(np.unique(pixels(label["mask"]))) == {0, 1, 2, 4}
    names = {entry["value"]: entry["names"][-1] for entry in label["legend"]}
    assert names[4] == "enhancing brain tumor" and 3 not in names


def test_the_package_of_tcia_is_read_with_its_table(mini: Miniature) -> None:
    row = mini.row("BraTS2021_00017")
    assert "BraTS2021_TrainingSet/UCSF-PDGM/" in row["meta"]["source_path"] and row["split"] == "train"
    assert row["meta"]["Data Collection (as on TCIA+additional)"] == "UCSF-PDGM"
    (path,) = mini.paths(r"Set_dcm/.*\.dcm$")
    assert "task 2" in mini.skipped[path]


@pytest.mark.parametrize(("other", "rows"), [("UCSF-PDGM", 1), ("TCGA-GBM", 0)])
def test_lines_of_the_mapping_that_contradict_each_other_cost_the_row(other: str, rows: int, tmp_path: Path) -> None:
    make, case = Phantom(tmp_path), "BraTS2021_00017"
    _brats.patient(make, f"BraTS2021_TrainingSet/UCSF-PDGM/{case}")
    _brats.patient(make, "BraTS2021_TrainingSet/UCSF-PDGM/BraTS2021_00018")
    columns = ["Data Collection (as on TCIA+additional)", "BraTS2021 ID"]
    make.xlsx("BraTS2021_MappingToTCIA.xlsx", columns, [("UCSF-PDGM", case), (other, case)])
    items = list(iterate(registry.get("brats2021"), Files.open(str(tmp_path)), bad_files="quarantine"))
    came = [item.values["id"] for item in items if isinstance(item, Record)]
    assert came == ["brats2021/BraTS2021_00017", "brats2021/BraTS2021_00018"][1 - rows :]
    reasons = [item.reason for item in items if isinstance(item, Skipped)]
    assert len(reasons) == 1 - rows and all("stands in line" in reason for reason in reasons)
