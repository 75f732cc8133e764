"""Every builder's source is filled with canaries and published: none is found again, and no pixel differs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import canaries
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from medimg import registry
from medimg.files import Files
from medimg.hub_sync.building.build import build
from medimg.hub_sync.building.texts import rendered as texts
from medimg.phantom import Phantom
from medimg.rows import Record, iterate
from medimg.schema import Skipped

NAMES = [registry.slug(module) for module in registry.module_names()]
UNBUILT = {"cell-tracking-challenge"}
"""Recipes whose sub-collections have names that no repository can have: their rows are looked at, not their files."""


def written(files: dict[str, bytes], root: Path) -> Path:
    make = Phantom(root)
    for path, data in files.items():
        make.bytes(path, data)
    return root


def leaves(value: Any) -> Iterator[bytes]:
    """Every text and every run of bytes in a value of a table."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key).encode()
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value)
    elif isinstance(value, str):
        yield value.encode()


def published(root: Path) -> tuple[list[bytes], dict[str, Any]]:
    """(all that the files hold, with what Parquet packs unpacked; rows of the data by id)."""
    found: list[bytes] = []
    rows: dict[str, Any] = {}
    for path in sorted(file for file in root.rglob("*") if file.is_file()):
        found.append(path.read_bytes())
        if path.suffix == ".parquet":
            lines = pq.read_table(path).to_pylist()
            found += [part for line in lines for part in leaves(line)]
            rows |= {line["id"]: line for line in lines if "image" in line and "label" in line}
    return found, rows


def pixels(value: dict[str, Any] | None) -> Any:
    """Decoded voxels or pixels; of a video its size, since its frames are compared elsewhere."""
    if value is None:
        return None
    data = bytes(value["bytes"])
    if data[344:348] == b"n+1\0":
        import nibabel as nib

        return np.asarray(nib.Nifti1Image.from_bytes(data).dataobj)
    if data[:4] == b"RIFF" or data[4:8] == b"ftyp":
        return len(data) > 0
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("name", NAMES)
def test_no_canary_is_published_and_no_pixel_differs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = registry.get(name)
    make = Phantom()
    builder.miniature(make)
    full = canaries.filled(make.files)
    with Files.open(written(make.files, tmp_path / "plain"), dataset=name) as files:
        plain = {
            record.values["id"]: record
            for record in iterate(builder, files, origin="miniature")
            if not isinstance(record, Skipped)
        }
    monkeypatch.setattr(Record, "publishable", property(lambda self: True))  # recipes, too
    monkeypatch.setattr("medimg.hub_sync.building.build.preview_rows", lambda dataset: 0)  # drawn of pixels alone
    with Files.open(written(full, tmp_path / "full"), dataset=name) as files:
        if name in UNBUILT:
            records = [each for each in iterate(builder, files, origin="miniature") if isinstance(each, Record)]
            assert len(records) == len(plain)
            for record in records:
                before = plain[record.values["id"]]
                assert record.values["content"] == before.values["content"]
                assert not any(map(canaries.tells, leaves(record.values)))
            return
        built = build(builder, files, tmp_path / "out", origin="miniature", fingerprint={})
    manifest, rendered = texts(builder, built.manifest, "medimg", None)
    found, rows = published(tmp_path / "out")
    found += [*rendered.values(), manifest.to_json().encode()]
    for data in found:
        assert not canaries.tells(data), where(data)
    assert rows.keys() == plain.keys()
    for id_, row in rows.items():
        record = plain[id_]
        assert row["content"] == record.values["content"] and row["shape"] == list(record.values["shape"])
        for now, before in (
            (row["image"], record.values["image"]),
            (row["label"]["mask"], record.values["label"]["mask"]),
            (row["label"]["target"], record.values["label"]["target"]),
        ):
            assert np.array_equal(pixels(now), pixels(before))


def where(data: bytes) -> str:
    """What stands around a canary."""
    for part in canaries.unpacked(data):
        for form in canaries.FORMS:
            if (at := part.find(form)) >= 0:
                return repr(bytes(part[max(0, at - 80) : at + 60]))
    return ""


FORMATS = (
    "abide", "bcnb", "blood-cells", "busi", "drive", "echonet-dynamic", "kits19", "lidc-idri", "lits", "luna16",
    "msd-heart",
)  # fmt: skip
"""Datasets whose miniatures have every format."""


def test_canaries_are_planted_in_every_format() -> None:
    told: set[str] = set()
    for name in FORMATS:
        make = Phantom()
        registry.get(name).miniature(make)
        for path, data in members(make.files):
            if canaries.planted(path, data) != data:
                told.add(path.lower().rpartition(".")[2])
    wanted = "jpg png tif gif dcm nii gz mhd csv json xml xlsx avi zip tar"
    assert set(wanted.split()) <= told


def members(files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for path, data in files.items():
        yield path, data
        if path.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                yield from ((name, archive.read(name)) for name in archive.namelist())
