"""Reading 3-D rows through plain `datasets`: our shards against what `push_to_hub` makes of the .nii.gz files.

    python benchmarks/read_volumes.py [--volumes 8] [--runs 5]

The same CT-like volumes (int16) and masks (uint8, and float64 as some sources have them) are stored both ways; both
are read to arrays in turn, in one process, with a warm page cache. Prints the median seconds, the ratio naive/ours and
the file sizes.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, load_dataset

from medimg.hub_sync.building.shards import SplitWriter
from medimg.pixels import Volume
from medimg.readers import grids
from medimg.readers import volumes as volume_reader
from medimg.schema import features

SHAPE = (256, 256, 100)


def phantom(number: int) -> tuple[Volume, Volume]:
    """One volume and its float64 mask."""
    random = np.random.default_rng(number)
    i, j = np.meshgrid(np.linspace(-1, 1, SHAPE[0]), np.linspace(-1, 1, SHAPE[1]), indexing="ij")
    body = (i**2 + j**2 < 0.6)[..., None]
    tissue = 40 + 60 * np.sin(6 * i + number)[..., None] + random.normal(0, 12, SHAPE)
    affine = np.diag([0.7, 0.7, 2.5, 1.0])
    image = Volume.from_array(np.where(body, tissue, -1024).astype(np.int16), affine)
    mask = (body & (np.abs(tissue - 60) < 40)).astype(np.float64)
    return image, Volume.from_array(mask, affine)


def row(number: int, image: bytes, mask: bytes, suffix: str) -> dict[str, Any]:
    """A row of the schema."""
    empty: dict[str, Any] = {
        key: [] for key in ("classes", "uncertain", "boxes", "points", "measures", "texts")
    }
    label = {
        **empty,
        "assessed": ["liver"],
        "mask": {"bytes": mask, "path": f"mask{suffix}"},
        "legend": [{"value": 1, "names": ["liver"]}],
        "instances": False,
        "target": None,
        "source": None,
    }
    return {
        "id": f"x/{number}",
        "dataset": "x",
        "image": {"bytes": image, "path": f"image{suffix}"},
        "modality": "CT",
        "organ": ["liver"],
        "task": ["segmentation"],
        "label": label,
        "subject": str(number),
        "sequence": [],
        "shape": list(SHAPE),
        "spacing": [0.7, 0.7, 2.5],
        "content": "",
        "license": "CC0-1.0",
        "meta": "{}",
    }


class Held(grids.VolumePixels):
    """A volume in memory as a promise."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume

    def files(self) -> Any:
        """No file."""
        return ()

    def read(self) -> Volume:
        """The volume."""
        return self.volume

    def grid(self) -> grids.Grid:
        """Its grid."""
        return grids.Grid.of(self.volume)


def read(path: Path, cache: Path) -> float:
    """Seconds to stream and decode every image and mask."""
    began = time.perf_counter()
    rows = load_dataset("parquet", data_files=str(path), split="train", streaming=True, cache_dir=str(cache))
    rows = rows.cast(features("3d")) if rows.features is None else rows
    for each in rows:
        np.asarray(each["image"].dataobj)
        np.asarray(each["label"]["mask"].dataobj)
    return time.perf_counter() - began


def main() -> None:
    """Store both ways, read in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volumes", type=int, default=8)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        naive = []
        with SplitWriter(root, "3d", lambda path, shard: None) as writer:
            for number in range(options.volumes):
                image, mask = phantom(number)
                small = volume_reader.mask(Held(mask)).read()
                writer.add(row(number, bytes(image.nifti), bytes(small.nifti), ".nii"))
                packed = [gzip.compress(bytes(each.nifti), 6) for each in (image, mask)]
                naive.append(row(number, packed[0], packed[1], ".nii.gz"))
        Dataset.from_list(naive, features=features("3d")).to_parquet(str(root / "naive.parquet"))
        del naive
        ours, theirs = root / "data-00000.parquet", root / "naive.parquet"
        seconds: dict[str, list[float]] = {"ours": [], "naive": []}
        for run in range(options.runs + 1):
            for name, path in (("ours", ours), ("naive", theirs)):
                spent = read(path, root / "cache")
                if run:
                    seconds[name].append(spent)
        result = {name: statistics.median(values) for name, values in seconds.items()}
        size = {"ours": ours.stat().st_size, "naive": theirs.stat().st_size}
        print(
            json.dumps(
                {
                    "seconds": result,
                    "naive/ours": result["naive"] / result["ours"],
                    "bytes": size,
                    "ours/naive": size["ours"] / size["naive"],
                },
                indent=1,
            )
        )


if __name__ == "__main__":
    main()
