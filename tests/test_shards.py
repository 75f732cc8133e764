"""The writer: deterministic, lossless, cut into groups and shards by size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medimg.errors import FormatError
from medimg.hub_sync.building import shards
from medimg.hub_sync.building.shards import SplitWriter
from medimg.manifest import Shard
from medimg.pixels import Volume
from medimg.schema import PIXEL_COLUMNS, features, metadata_features


def row(number: int, image: bytes, mask: bytes | None = None) -> dict[str, Any]:
    return {
        "id": f"x/{number}",
        "dataset": "x",
        "image": {"bytes": image, "path": f"{number}.nii"},
        "modality": "CT",
        "organ": ["liver"],
        "task": ["segmentation"],
        "label": {
            "classes": [],
            "uncertain": [],
            "assessed": ["liver"],
            "mask": None if mask is None else {"bytes": mask, "path": f"{number}-mask.nii"},
            "legend": [{"value": 1, "names": ["liver"]}],
            "instances": False,
            "boxes": [{"name": "liver", "box": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]}],
            "points": [],
            "measures": [{"name": "size", "value": 1.5, "unit": "mm"}],
            "texts": [],
            "target": None,
            "source": None,
        },
        "subject": str(number),
        "sequence": [],
        "shape": [1, 2, 3],
        "spacing": None,
        "content": "0" * 64,
        "license": "CC0-1.0",
        "meta": "{}",
    }


def write(folder: Path, rows: list[dict[str, Any]], dimension: Any = "3d", **options: Any) -> dict[str, Shard]:
    done: dict[str, Shard] = {}
    with SplitWriter(folder, dimension, lambda path, shard: done.update({path.name: shard}), **options) as writer:
        for each in rows:
            writer.add(each)
    return done


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    pixels=st.lists(
        st.tuples(st.binary(min_size=1, max_size=200), st.none() | st.binary(max_size=50)),
        min_size=1,
        max_size=8,
    ),
    dimension=st.sampled_from(["2d", "3d"]),
    cut=st.integers(1, 3000),
)
def test_rows_survive_and_two_builds_are_equal(tmp_path_factory: Any, pixels: Any, dimension: Any, cut: int) -> None:
    rows = [row(number, image, mask) for number, (image, mask) in enumerate(pixels)]
    first = tmp_path_factory.mktemp("a")
    second = tmp_path_factory.mktemp("b")
    done = write(first, rows, dimension, shard_bytes=cut)
    assert done == write(second, rows, dimension, shard_bytes=cut)
    for name in done:
        assert (first / name).read_bytes() == (second / name).read_bytes()
    data = [name for name in sorted(done) if name.startswith("data")]
    tables = [pq.read_table(first / name) for name in data]
    assert [each for table in tables for each in table.to_pylist()] == rows
    assert sum(done[name].rows for name in data) == len(rows) == done["metadata.parquet"].rows


def test_schema_is_the_stock_one_and_metadata_has_no_pixels(tmp_path: Path) -> None:
    write(tmp_path, [row(0, b"a")])
    assert Dataset.from_parquet(
        str(tmp_path / "data-00000.parquet"), cache_dir=str(tmp_path / "c")
    ).features == features("3d")
    schema = pq.read_schema(tmp_path / "metadata.parquet")
    assert schema.remove_metadata() == metadata_features("3d").arrow_schema.remove_metadata()
    assert not any(column.split(".")[0] in schema.names for column in PIXEL_COLUMNS if "." not in column)


def test_one_large_volume_per_row_group_and_small_ones_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "GROUP_BYTES", {"3d": 10_000})
    write(tmp_path, [row(n, bytes(size)) for n, size in enumerate([12_000, 11_000, 100, 100, 100, 50_000])])
    file = pq.ParquetFile(tmp_path / "data-00000.parquet")
    groups = [file.metadata.row_group(index).num_rows for index in range(file.metadata.num_row_groups)]
    assert groups == [1, 1, 3, 1]


def test_codecs_follow_the_rules(tmp_path: Path) -> None:
    for dimension, codec in (("2d", "UNCOMPRESSED"), ("3d", "ZSTD")):
        write(tmp_path / dimension, [row(0, b"abc", b"de")], dimension)
        group = pq.ParquetFile(tmp_path / dimension / "data-00000.parquet").metadata.row_group(0)
        columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
        assert columns["image.bytes"].compression == codec
        assert columns["label.mask.bytes"].compression == codec
        assert columns["image.bytes"].statistics is None
        assert columns["subject"].statistics is not None
        assert columns["id"].compression == "ZSTD"


def test_a_row_near_two_gib_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "VALUE_BYTES", 1000)
    with pytest.raises(FormatError, match="2 GiB"):
        write(tmp_path, [row(0, bytes(2000))])
    assert not list(tmp_path.glob("*.parquet")), "nothing half-written stays"


def test_raw_nifti_decodes_to_equal_voxels(tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    volume = Volume.from_array(array, np.diag([0.5, 0.6, 2.0, 1.0]))
    write(tmp_path, [row(0, bytes(volume.nifti))])
    read = Dataset.from_parquet(str(tmp_path / "data-00000.parquet"), cache_dir=str(tmp_path / "c"))[0]["image"]
    assert np.array_equal(np.asarray(read.dataobj), array)
    assert np.allclose(read.affine, np.diag([0.5, 0.6, 2.0, 1.0]))
