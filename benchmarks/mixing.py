"""Figures on fusion: a stream of many members, against one member with the same rows."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from figures import Figure, See, Way, shown

from medimg.fusion.labels import Harmonizer, fused_features
from medimg.fusion.mix import Stream, mix
from medimg.fusion.parquet import parquet_rows
from medimg.pixels import Picture
from medimg.readers import raster
from medimg.schema import features

ROWS, SIZE, GROUP = 640, 256, 20
SCHEMA = features("2d")


def row(number: int) -> dict[str, Any]:
    """A picture of 256 x 256 pixels with a mask."""
    random = np.random.default_rng(number)
    smooth = np.add.outer(np.sin(np.arange(SIZE) / 20), np.cos(np.arange(SIZE) / 30)) * 50 + 120
    image = (smooth + random.normal(0, 4, (SIZE, SIZE))).clip(0, 255).astype(np.uint8)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    x, y = random.integers(0, SIZE // 2, 2)
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
    """As it is stored."""
    data, suffix = raster.encode(Picture(array))
    return {"bytes": data, "path": f"a{suffix}"}


def write(folder: Path, members: int) -> list[str]:
    """The rows as so many Parquet files."""
    share = ROWS // members
    paths = [folder / f"fused-{members}-{number}.parquet" for number in range(members)]
    if not paths[0].exists():
        rows = [row(number) for number in range(ROWS)]
        for number, path in enumerate(paths):
            part = rows[number * share : (number + 1) * share]
            pq.write_table(pa.Table.from_pylist(part, SCHEMA.arrow_schema), path, row_group_size=GROUP)
    return [str(path) for path in paths]


def harmonized(harmonizer: Harmonizer, item: dict[str, Any]) -> dict[str, Any]:
    """A row with the labels of the fused set."""
    told = dict.fromkeys(("member", "config", "split", "split_fused"), "bench") | {"operations": []}
    return {**item, "fused": harmonizer(item, "2d"), "provenance": told}


def mixed(folder: Path, members: int) -> Way:
    """A fused stream, labels harmonized, drawn in proportion."""
    paths = write(folder, members)

    def way(see: See) -> None:
        finish = partial(harmonized, Harmonizer(["liver"]))
        share = ROWS // members
        parts = [
            Stream(Path(path).stem, partial(parquet_rows, [path], [share], options={}), rows=share, finish=finish)
            for path in paths
        ]
        weights: Any = "concatenate" if members == 1 else "proportional"
        rows: datasets.IterableDataset = mix(parts, features=fused_features("2d"), weights=weights)
        shown(rows, see)

    return way


FIGURES = tuple(
    Figure(
        f"fused-{members}",
        f"a fused stream of {members} members",
        "one member with the same rows",
        "speed",
        0.9,
        lambda folder, members=members: (mixed(folder, members), mixed(folder, 1)),
    )
    for members in (2, 8, 32)
)
