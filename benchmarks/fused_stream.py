"""Rows per second of a fused stream of many members, against one member with the same rows.

    python benchmarks/fused_stream.py [--members 32] [--rows 1600] [--repeats 3]

The same pictures and masks are written once as one Parquet member and once as many. All streams are read side by
side in one process, some rows of each in turn, so that other work on the machine slows all alike; every image and
mask is decoded to an array. The clock starts when each member was read from, since opening a file costs the same
few milliseconds however many rows follow. Goal: many members at least 0.9 of one member.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from medimg.fusion.labels import Harmonizer, fused_features
from medimg.fusion.mix import mix
from medimg.fusion.parquet import parquet
from medimg.pixels import Picture
from medimg.readers import raster
from medimg.schema import features

SIZE = 256
GROUP = 20
SOME = 16
SCHEMA = features("2d")


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--members", type=int, default=32)
    parser.add_argument("--rows", type=int, default=1600)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    share = options.rows // options.members
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [row(number) for number in range(share * options.members)]
        one = [write(folder / "one.parquet", rows)]
        many = [
            write(folder / f"{n:03d}.parquet", rows[n * share : (n + 1) * share])
            for n in range(options.members)
        ]
        streams: dict[str, Callable[[], Iterable[Any]]] = {
            "one member, plain datasets": lambda: datasets.load_dataset(
                "parquet", data_files=one, split="train", streaming=True, features=SCHEMA, cache_dir=name
            ),
            "one member, mixed": lambda: mixed(one, "concatenate", False),
            f"{len(many)} members, interleaved": lambda: mixed(many, "interleave", False),
            f"{len(many)} members, drawn": lambda: mixed(many, "proportional", False),
            f"{len(many)} members, drawn, shuffled": lambda: mixed(many, "proportional", False, shuffle=64),
            "one member, labels harmonized": lambda: mixed(one, "concatenate", True),
            f"{len(many)} members, labels harmonized": lambda: mixed(many, "proportional", True),
        }
        report(streams, len(rows), 4 * options.members, options.repeats)


def row(number: int) -> dict[str, Any]:
    rng = np.random.default_rng(number)
    smooth = np.add.outer(np.sin(np.arange(SIZE) / 20), np.cos(np.arange(SIZE) / 30)) * 50 + 120
    image = (smooth + rng.normal(0, 4, (SIZE, SIZE))).clip(0, 255).astype(np.uint8)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    x, y = rng.integers(0, SIZE // 2, 2)
    mask[y : y + SIZE // 2, x : x + SIZE // 2] = 1
    label: dict[str, Any] = {
        "classes": [], "uncertain": [], "assessed": ["liver"], "mask": png(mask),
        "legend": [{"value": 1, "names": ["liver"]}], "instances": False, "boxes": [], "points": [],
        "measures": [], "texts": [], "target": None, "source": None,
    }  # fmt: skip
    return {
        "id": f"bench/{number}", "dataset": "bench", "image": png(image), "modality": "US", "organ": ["liver"],
        "task": ["segmentation"], "label": label, "subject": str(number), "sequence": [], "shape": [SIZE, SIZE],
        "spacing": None, "content": f"{number:064x}", "license": "CC0-1.0", "meta": "{}",
    }  # fmt: skip


def png(array: Any) -> dict[str, Any]:
    data, suffix = raster.encode(Picture(array))
    return {"bytes": data, "path": f"a{suffix}"}


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA.arrow_schema), path, row_group_size=GROUP)
    return str(path)


def harmonized(harmonizer: Harmonizer, item: dict[str, Any]) -> dict[str, Any]:
    told = {
        "member": "bench",
        "config": "default",
        "split": "train",
        "split_fused": "train",
        "operations": [],
    }
    return {**item, "fused": harmonizer(item, "2d"), "provenance": told}


def mixed(files: list[str], weights: Any, harmonize: bool, shuffle: int = 0) -> datasets.IterableDataset:
    finish = partial(harmonized, Harmonizer(["liver"])) if harmonize else None
    members = [parquet(Path(file).stem, [file], finish=finish) for file in files]
    schema = fused_features("2d") if harmonize else SCHEMA
    return mix(members, features=schema, weights=weights, shuffle=shuffle)


def report(streams: dict[str, Callable[[], Iterable[Any]]], rows: int, lead: int, repeats: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in streams}
    for _ in range(repeats):
        running = {name: iter(make()) for name, make in streams.items()}
        for name in streams:
            read(running[name], lead)
            seconds[name].append(0.0)
        for _ in range((rows - lead) // SOME):
            for name, stream in running.items():
                start = time.perf_counter()
                read(stream, SOME)
                seconds[name][-1] += time.perf_counter() - start
    for name, spent in seconds.items():
        speed = (rows - lead) // SOME * SOME / statistics.median(spent)
        ratios = [
            f"{statistics.median(b / a for a, b in zip(spent, seconds[other], strict=True)):.2f} of {other!r}"
            for other in streams
            if other.startswith("one member")
            and other != name
            and ("harmonized" in other) == ("harmonized" in name)
        ]
        print(f"{name:40} {speed:6.0f} rows/s   {', '.join(ratios)}")


def read(stream: Iterator[Any], count: int) -> None:
    for _ in range(count):
        row = next(stream)
        if np.asarray(row["image"]).shape != np.asarray(row["label"]["mask"]).shape:
            raise SystemExit("an image and its mask differ")


if __name__ == "__main__":
    main()
