from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from miniatures import Miniature, copied, pixels, write, written

from medimg.files import Files
from medimg.report import LoadReport
from medimg.rows import Record, iterate


def config(mini: Miniature, name: str) -> list[dict[str, Any]]:
    return [row for row in mini.rows() if row["config"] == name]


@pytest.mark.quirk(1, 2)
def test_gzipped_photographs_in_tars_keep_their_size(mini: Miniature) -> None:
    assert mini.paths(r"^stare-images\.tar$")
    (path,) = mini.paths(r"im0255\.ppm\.gz$")
    assert PIL.Image.open(io.BytesIO(gzip.decompress(mini.files[path]))).size == (700, 605)
    (row,) = (row for row in config(mini, "first-observer") if "im0255" in row["id"])
    assert row["shape"][:2] == [605, 700] and pixels(row["label"]["mask"]).shape == (605, 700)
    vessels = [one for one in mini.builder.dataset.configs if one.name != "diagnoses"]
    assert [dict(one.splits) for one in vessels] == [{"train": 20}] * 2


@pytest.mark.quirk(3)
def test_vessels_begin_at_128(mini: Miniature) -> None:
    (path,) = mini.paths(r"im0001\.ah\.ppm\.gz$")
    stored = np.asarray(PIL.Image.open(io.BytesIO(gzip.decompress(mini.files[path]))).convert("L"))
    assert {*stored.ravel()} == {0, 120, 255}
    mask = pixels(config(mini, "first-observer")[0]["label"]["mask"])
    assert (mask == (stored == 255)).all()


@pytest.mark.quirk(4)
def test_each_observer_is_a_sub_collection(mini: Miniature) -> None:
    for observer, name in (("ah", "first-observer"), ("vk", "second-observer")):
        assert len(mini.paths(rf"\.{observer}\.ppm\.gz$")) == 2
        assert [row["meta"]["observer"] for row in config(mini, name)] == [observer] * 2


def unpacked(gunzip: bool, beside: bool = False) -> dict[str, bytes]:
    """The miniature with its tars unpacked, and the pictures gunzipped (`beside`: both forms stay)."""
    contents = written("stare")
    for name in ("stare-images", "labels-ah", "labels-vk"):
        with tarfile.open(fileobj=io.BytesIO(contents.pop(f"{name}.tar"))) as archive:
            for member in archive.getmembers():
                data = archive.extractfile(member)
                assert data is not None
                packed = data.read()
                if not gunzip or beside:
                    contents[f"{name}/{member.name}"] = packed
                if gunzip:
                    contents[f"{name}/{member.name.removesuffix('.gz')}"] = gzip.decompress(packed)
    return contents


@pytest.mark.parametrize(("gunzip", "beside"), [(False, False), (True, False), (True, True)])
def test_gunzipped_pictures_give_the_same_rows(mini: Miniature, tmp_path: Path, gunzip: bool, beside: bool) -> None:
    found = copied("stare", unpacked(gunzip, beside), tmp_path)
    assert {row["id"]: row["content"] for row in found.rows()} == {row["id"]: row["content"] for row in mini.rows()}
    for name in ("first-observer", "second-observer"):
        masks = {row["id"]: pixels(row["label"]["mask"]) for row in config(found, name)}
        for row in config(mini, name):
            assert np.array_equal(masks[row["id"]], pixels(row["label"]["mask"]))
    twice = 6 if beside else 0
    assert len([why for why in found.skipped.values() if "another file" in why]) == twice == len(found.skipped)
    assert not found.unread


def test_photographs_of_the_vessels_alone_are_enough_for_both(tmp_path: Path) -> None:
    contents = {path: data for path, data in unpacked(gunzip=True).items() if path != "all-images.zip"}
    found = copied("stare", contents, tmp_path / "both")
    assert {row["config"] for row in found.rows()} == {"diagnoses", "first-observer", "second-observer"}
    assert len(found.rows()) == 6 and not found.skipped
    del contents["all-mg-codes.txt"]
    found = copied("stare", contents, tmp_path / "vessels")
    assert [row["config"] for row in found.rows()].count("diagnoses") == 0 and len(found.rows()) == 4


def test_lines_that_contradict_cost_the_diagnosis_alone(mini: Miniature, tmp_path: Path) -> None:
    contents = written("stare")
    name = contents["all-mg-codes.txt"].decode().partition("\t")[0].strip()
    contents["all-mg-codes.txt"] = contents["all-mg-codes.txt"].rstrip() + f"\n{name}\t99\tother\n".encode()
    with Files.open(write(contents, tmp_path), dataset="stare") as files:
        report = LoadReport("stare")
        items = [*iterate(mini.builder, files, report=report, bad_files="quarantine")]
    found = {item.values["id"] for item in items if isinstance(item, Record)}
    assert {str(row["id"]) for row in mini.rows()} - found == {f"stare/diagnoses/{name}"}
    assert any("stands in line 1, too" in reason for reason in report.skipped)
