"""Figures on growth: what a row takes where there are many, against what it takes where there are few."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from building import made
from figures import Figure, See, Taken, Way, Ways
from memory import write_source

from medimg.fusion.duplicates import find_duplicates
from medimg.fusion.entries import Scanned
from medimg.fusion.parquet import parquet_rows
from medimg.hub_sync.building.shards import METADATA_GROUP_ROWS, without_pixels
from medimg.schema import features

ROWS = (1_000, 10_000, 100_000, 1_000_000)
VOLUMES = (10, 100, 400)
SHAPE = (64, 64, 32)


def metadata(folder: Path, count: int) -> Path:
    """The metadata file of a published split: ids, subjects and contents differ, the rest does not."""
    path = folder / f"metadata-{count}.parquet"
    if path.exists():
        return path
    schema = features("2d")
    kept = type(schema)(without_pixels(schema)).arrow_schema
    label: dict[str, Any] = {
        **{key: [] for key in ("classes", "uncertain", "boxes", "points", "measures", "texts")},
        "assessed": ["liver"],
        "legend": [{"value": 1, "names": ["liver"]}],
        "instances": False,
        "source": None,
    }
    common: dict[str, Any] = {
        "dataset": "bench", "modality": "CT", "organ": ["liver"], "task": ["segmentation"], "label": label,
        "sequence": [], "shape": [450, 600], "spacing": None, "license": "CC0-1.0", "meta": "{}",
    }  # fmt: skip
    with pq.ParquetWriter(path, kept, compression="zstd") as writer:
        for first in range(0, count, METADATA_GROUP_ROWS):
            numbers = range(first, min(first + METADATA_GROUP_ROWS, count))
            told = {"id": "bench/{}", "subject": "{:08d}", "content": "{:064x}"}
            columns = {
                key: [text.format(number // 4 if key == "subject" else number) for number in numbers]
                for key, text in told.items()
            }
            arrays = [
                pa.array(columns[field.name])
                if field.name in columns
                else pa.concat_arrays([pa.array([common[field.name]], field.type)]).take(pa.array([0] * len(numbers)))
                for field in kept
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=kept))
    return path


def scan(folder: Path, count: int) -> Way:
    """As `medimg.fuse` looks for duplicates before the first row: all metadata, then all rows compared."""
    path = metadata(folder, count)

    def way(see: See) -> None:
        entries = [
            Scanned(row["id"], row["content"], None, row["subject"], "train", "bench", ("liver",), row["license"])
            for row in parquet_rows([str(path)], [count], options={})
        ]
        report = find_duplicates(entries)
        assert not report.dropped

    return each(way, count)


def each(way: Way, count: int) -> Way:
    """Seconds a row."""

    def timed(see: See) -> Taken:
        began = time.perf_counter()
        way(see)
        return {"seconds": (time.perf_counter() - began) / count}

    return timed


def scans(many: int, few: int, folder: Path) -> Ways:
    return scan(folder, many), scan(folder, few)


def builds(many: int, few: int, folder: Path) -> Ways:
    ways = [
        each(made("lits", write_source(folder / f"lits-small-{count}" / "lits", count, SHAPE), folder), count)
        for count in (many, few)
    ]
    return ways[0], ways[1]


def figures() -> Iterable[Figure]:
    few = ROWS[0]
    for many in ROWS[1:]:
        yield Figure(
            f"growth-scan-{many}",
            f"a metadata row of {many:,} that `medimg.fuse` compares",
            f"one of {few:,}",
            "cost",
            None,
            functools.partial(scans, many, few),
            equal=False,
            first=many < 100_000,
        )
    many = VOLUMES[-1]
    for few in VOLUMES[:-1]:
        yield Figure(
            f"growth-build-{few}-{many}",
            f"a volume in a build of {many}",
            f"one in a build of {few}",
            "cost",
            None,
            functools.partial(builds, many, few),
            equal=False,
        )


FIGURES = tuple(figures())
