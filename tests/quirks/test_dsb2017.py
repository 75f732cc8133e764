from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import Miniature, copied

from medimg.errors import SourceError

REST = "29361a623a4dc57aa0e5c485"


@pytest.mark.quirk(1)
def test_the_table_tells_who_of_stage_1_is_for_training(mini: Miniature) -> None:
    assert len({path.split("/")[1] for path in mini.paths("^stage1/")}) == 3
    assert "08528b88" not in mini.text("stage1_labels")
    found = {row["subject"][:8]: row["split"] for row in mini.rows()}
    assert found == {"0015ceb8": "train", "b8bb02d2": "train", "08528b88": "test", "1aa1bb2c": "test"}


@pytest.mark.quirk(2)
def test_two_acquisitions_in_one_folder_are_two_rows(mini: Miniature) -> None:
    assert len(mini.paths(f"^stage1/b8bb02d2{REST}/")) == 8
    rows = mini.rows(f"b8bb02d2{REST}")
    assert [row["meta"]["AcquisitionNumber"] for row in rows] == [1, 2]
    assert all(row["shape"][2] == 4 and row["spacing"][2] == 2.5 for row in rows)
    assert {row["subject"] for row in rows} == {f"b8bb02d2{REST}"}


@pytest.mark.quirk(3)
def test_half_a_lung_is_a_row_and_the_card_names_it(mini: Miniature) -> None:
    assert mini.row("0015ceb8")["shape"][2] == 4
    assert mini.row("08528b88")["shape"][2] == 2
    (note,) = (note for note in mini.builder.dataset.notes if "half of the lung" in note)
    assert all(person in note for person in ("08528b88", "6a145c28", "5fe048f3"))


@pytest.mark.quirk(4)
def test_closed_archives_are_named_where_they_were_not_unpacked(mini: Miniature, tmp_path: Path) -> None:
    sealed = {"stage1.7z": mini.bytes("^stage1.7z$")}
    assert sealed["stage1.7z"].startswith(b"7z\xbc\xaf")
    with pytest.raises(SourceError, match="7z is an archive that must be unpacked"):
        copied("dsb2017", sealed, tmp_path)
