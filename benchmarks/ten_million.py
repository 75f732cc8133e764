"""The metadata of ten million rows: what it weighs, and how long questions to it take.

    python benchmarks/ten_million.py [--rows 10000000] [--folder /tmp/medimg-ten-million]

Files like those of config `metadata` of a hundred datasets are written with the writer of sync; then pyarrow asks
them as one table: how many rows there are of each modality, how many were looked at for a liver tumor, and how many
subjects one dataset has.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds

from medimg.hub_sync.building.shards import METADATA_GROUP_ROWS, Table
from medimg.schema import metadata_features

DATASETS = 100
MODALITIES = ("CT", "MR", "X-ray", "ultrasound", "fundus photography", "dermoscopy")
ORGANS = ("liver", "lung", "brain", "heart", "breast", "skin", "retina")


def row(dataset: int, number: int) -> dict[str, Any]:
    """Metadata of one image, as it is stored."""
    organ = ORGANS[dataset % len(ORGANS)]
    names = [organ, f"{organ} tumor"] if number % 3 == 0 and organ in ("liver", "lung", "brain") else [organ]
    return {
        "id": f"dataset-{dataset}/case_{number:07d}",
        "dataset": f"dataset-{dataset}",
        "modality": MODALITIES[dataset % len(MODALITIES)],
        "organ": [organ],
        "task": ["segmentation"],
        "label": {
            **{key: [] for key in ("classes", "uncertain", "boxes", "points", "measures", "texts")},
            "assessed": names,
            "legend": [{"value": value, "names": [name]} for value, name in enumerate(names, 1)],
            "instances": False,
            "source": None,
        },
        "subject": f"patient_{number // 4:06d}",
        "sequence": [],
        "shape": [512, 512, 64 + number % 200],
        "spacing": [0.7, 0.7, 1.0 + number % 4],
        "content": f"{number * 2654435761 % 2**64:016x}" * 4,
        "license": "CC-BY-4.0",
        "meta": f'{{"source_path":"imagesTr/case_{number:07d}.nii.gz"}}',
    }


def written(folder: Path, rows: int) -> float:
    """Write the files that are not there; seconds."""
    began = time.monotonic()
    schema = metadata_features("3d").arrow_schema
    for dataset in range(DATASETS):
        path = folder / f"dataset-{dataset}" / "metadata.parquet"
        if not path.exists():
            table = Table(path.with_suffix(".part"), schema, 2**30, METADATA_GROUP_ROWS, "ZSTD")
            for number in range(rows // DATASETS):
                table.add(row(dataset, number))
            table.close()
            path.with_suffix(".part").rename(path)
    return time.monotonic() - began


def main() -> None:
    """Print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/medimg-ten-million"))
    wanted = parser.parse_args()
    seconds = written(wanted.folder, wanted.rows)
    files = sorted(wanted.folder.rglob("*.parquet"))
    size = sum(file.stat().st_size for file in files)
    found: dict[str, object] = {
        "rows": wanted.rows,
        "bytes a row": round(size / wanted.rows, 1),
        "MB": size // 10**6,
        "written, s": round(seconds, 1),
    }
    table: Any = ds.dataset(files)
    assessed = {"names": ds.field("label", "assessed")}
    one = ds.field("dataset") == "dataset-42"
    questions: dict[str, Callable[[], Any]] = {
        "rows of each modality": lambda: table.to_table(columns=["modality"]).column(0).value_counts().to_pylist(),
        "rows that were looked at for a liver tumor": lambda: pc.sum(
            pc.equal(pc.list_flatten(table.to_table(columns=assessed)["names"]), "liver tumor")
        ).as_py(),
        "subjects of one dataset": lambda: len(pc.unique(table.to_table(columns=["subject"], filter=one)["subject"])),
    }
    for question, ask in questions.items():
        began = time.monotonic()
        answer = ask()
        found[question] = {"answer": answer, "s": round(time.monotonic() - began, 2)}
    found["MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
