"""Quirks that the ten tasks of the Medical Segmentation Decathlon share: their test modules import the tests."""

from __future__ import annotations

import io
import re
import tarfile

import pytest
from miniatures import Miniature

CONTIGUOUS = "the labeled files of this task have no gap and the test files come after them: "


def numbers(mini: Miniature, folder: str) -> list[int]:
    return sorted(int(found[1]) for path in mini.files if (found := re.search(rf"{folder}/\w+_(\d+)\.nii\.gz$", path)))


@pytest.mark.quirk(1)
def test_resource_forks_are_no_images(mini: Miniature) -> None:
    with tarfile.open(fileobj=io.BytesIO(mini.bytes(r"^Task\d\d_\w+\.tar$"))) as archive:
        members = {name.partition("/")[2] for name in archive.getnames()}
    volumes = {name for name in members if name.endswith(".nii.gz") and "/._" not in name}
    assert {name.replace("/", "/._") for name in volumes} == members - volumes - {"dataset.json"}
    assert {row["meta"]["source_path"] for row in mini.rows()} == {n for n in volumes if n.startswith("images")}
    assert not mini.skipped and not mini.unread


@pytest.mark.quirk(2)
def test_numbers_have_gaps_and_run_through_both_parts(mini: Miniature) -> None:
    train, test = numbers(mini, "imagesTr"), numbers(mini, "imagesTs")
    assert train == numbers(mini, "labelsTr") and not set(train) & set(test)
    assert train != list(range(train[0], train[0] + len(train)))
    assert test[0] < train[-1]
    for split, expected in (("train", train), ("test", test)):
        rows = [row for row in mini.rows() if row["split"] == split]
        assert sorted(int(row["subject"].rpartition("_")[2]) for row in rows) == expected
        assert all((row["label"]["mask"] is None) == (split == "test") for row in rows)
