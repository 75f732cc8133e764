from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import Miniature, copied, written

from medimg.errors import MedimgError

VOTES = "Number of Annotators who Selected SSA (Out of 7)"


def test_the_label_is_the_majority_and_the_votes_are_a_plain_count(mini: Miniature) -> None:
    for row in mini.rows():
        label = row["label"]
        votes = int(label["source"][VOTES])
        kind = "sessile serrated adenoma" if votes >= 4 else "hyperplastic polyp"
        assert label["classes"] == [kind]
        assert set(label["assessed"]) == {"sessile serrated adenoma", "hyperplastic polyp"}
        assert label["measures"] == [{"name": VOTES, "value": float(votes), "unit": "1"}]
    assert {row["label"]["measures"][0]["value"] for row in mini.rows()} == {0.0, 5.0, 6.0}


def test_the_partition_is_the_split(mini: Miniature) -> None:
    splits = {row["id"]: row["split"] for row in mini.rows()}
    assert splits == {"mhist/MHIST_aaa": "train", "mhist/MHIST_aab": "train", "mhist/MHIST_aac": "test"}
    assert all(row["meta"]["Partition"] == row["split"] for row in mini.rows())


def test_a_tile_without_a_line_is_told(tmp_path: Path) -> None:
    files = written("mhist")
    files["annotations.csv"] = b"\n".join(files["annotations.csv"].splitlines()[:-1]) + b"\n"
    made = copied("mhist", files, tmp_path)
    assert [row["id"] for row in made.rows()] == ["mhist/MHIST_aaa", "mhist/MHIST_aab"]
    ((path, reason),) = made.skipped.items()
    assert path.endswith("MHIST_aac.png") and "annotations.csv" in reason


@pytest.mark.parametrize(("said", "instead"), [(b",SSA,", b",TA,"), (VOTES.encode(), b"Votes")], ids=str)
def test_a_strange_label_or_table_is_refused(tmp_path: Path, said: bytes, instead: bytes) -> None:
    files = written("mhist")
    files["annotations.csv"] = files["annotations.csv"].replace(said, instead)
    with pytest.raises(MedimgError, match="mhist"):
        copied("mhist", files, tmp_path)
