"""`medimg.load`: rows from one's own copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, IterableDataset, IterableDatasetDict

import medimg
from medimg import registry
from medimg.errors import SourceRequiredError, UnknownDatasetError
from medimg.phantom import Phantom
from medimg.schema import features


@pytest.fixture
def lits(tmp_path: Path) -> Path:
    registry.get("lits").miniature(Phantom(tmp_path / "LiTS"))
    return tmp_path / "LiTS"


def test_streaming_and_not_give_equal_rows_in_the_schema(lits: Path) -> None:
    streamed = medimg.load("lits", source=lits, split="train", streaming=True)
    stored = medimg.load("LiTS17", source=str(lits), split="train")
    assert isinstance(streamed, IterableDataset) and isinstance(stored, Dataset)
    assert streamed.features == stored.features == features("3d")
    rows = list(streamed)
    assert [row["id"] for row in rows] == stored["id"] == ["lits/28", "lits/0", "lits/1"]
    for a, b in zip(rows, stored, strict=True):
        assert np.array_equal(np.asarray(a["image"].dataobj), np.asarray(b["image"].dataobj))
        assert np.array_equal(np.asarray(a["label"]["mask"].dataobj), np.asarray(b["label"]["mask"].dataobj))


def test_no_split_gives_every_split(lits: Path) -> None:
    every = medimg.load("lits", source=lits, streaming=True)
    assert isinstance(every, IterableDatasetDict)
    assert {split: len(list(rows)) for split, rows in every.items()} == {"train": 3, "test": 1}


def test_a_changed_source_is_read_anew(lits: Path) -> None:
    assert len(medimg.load("lits", source=lits, split="train")) == 3
    for path in lits.rglob("*-1.nii"):
        path.unlink()
    assert len(medimg.load("lits", source=lits, split="train")) == 2


def test_a_file_of_that_name_in_the_working_folder_is_not_taken(
    lits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stock features read a local file where the stored path exists; the bytes must win."""
    other = lits.parent / "elsewhere"
    other.mkdir()
    (other / "volume-28.nii").write_bytes(b"not a volume")
    monkeypatch.chdir(other)
    for streaming in (True, False):
        rows = medimg.load("lits", source=lits, split="train", streaming=streaming)
        assert np.asarray(next(iter(rows))["image"].dataobj).shape == (12, 10, 6)


@pytest.mark.parametrize("name", ["chexpert", "echonet-dynamic"])
def test_recipe_only_without_a_source_says_where_to_register(name: str) -> None:
    with pytest.raises(SourceRequiredError) as caught:
        medimg.load(name)
    text = str(caught.value)
    assert name in text and "http" in text and "source=" in text


@pytest.mark.parametrize("name", ["chexpert", "echonet-dynamic"])
def test_recipe_only_loads_from_a_copy(name: str, tmp_path: Path) -> None:
    registry.get(name).miniature(Phantom(tmp_path))
    rows = medimg.load(name, source=tmp_path, split="train", streaming=True)
    column = "image"
    first = next(iter(rows.cast_column(column, type(rows.features[column])(decode=False))))
    assert first["dataset"] == name and first["image"]["bytes"]


def test_unknown_names_say_what_there_is(lits: Path) -> None:
    with pytest.raises(UnknownDatasetError, match="lits"):
        medimg.load("litss")
    with pytest.raises(UnknownDatasetError, match="train, test"):
        medimg.load("lits", source=lits, split="validation")
    with pytest.raises(UnknownDatasetError, match="no config"):
        medimg.load("lits", "x", source=lits)
    with pytest.raises(UnknownDatasetError, match="pathmnist"):
        medimg.load("medmnist-v2", source=lits)


def test_a_page_only_source_cannot_be_official() -> None:
    with pytest.raises(SourceRequiredError, match="Register"):
        medimg.load("lits", source="official", streaming=True, split="train")
