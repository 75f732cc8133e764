"""Peak memory of a build, above what the imports take, in volumes.

    python benchmarks/build_memory.py [--volumes 40] [--voxels 512 512 200] [--masks]

Writes a LiTS-like source of int16 CT phantoms (files are hard links of one volume), builds and publishes it to an
embedded Hub in this process, and prints the peak of the resident set above its value before the build, as a multiple of
one volume (and of one row, which holds the mask too).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.sync import sync
from medimg.pixels import Volume


def write_source(folder: Path, count: int, shape: tuple[int, int, int], masks: bool) -> None:
    """`count` volumes of body-like values: smooth tissue with noise of 12 HU in air."""
    random = np.random.default_rng(0)
    i, j = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    body = i**2 + j**2 < 0.6
    affine = np.diag([0.7, 0.7, 2.5, 1.0])
    volume = Volume.from_array(np.zeros(shape, np.int16), affine)
    for k in range(shape[2]):
        tissue = 40 + 60 * np.sin(6 * i + k / 30) * np.cos(5 * j) + random.normal(0, 12, shape[:2])
        volume.array[:, :, k] = np.where(body, tissue, -1024)
    label = Volume.from_array((np.broadcast_to(body[..., None], shape)).astype(np.uint8), affine)
    names = ("volume", "segmentation") if masks else ("test-volume",)
    for name, each in zip(names, (volume, label), strict=False):
        first = folder / f"{name}-0.nii"
        first.write_bytes(each.nifti)
        for number in range(1, count):
            (folder / f"{name}-{number}.nii").hardlink_to(first)


def measure(count: int, shape: tuple[int, int, int], masks: bool) -> dict[str, float]:
    """Build once; sizes in MB."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedHub(Path(folder) / "store") as server:
        source = Path(folder) / "root" / "lits"
        source.mkdir(parents=True)
        sync(["lits"], Hub(server.url, "warm"), check=False)
        write_source(source, 1, (64, 64, 16), masks)
        sync(["lits"], Hub(server.url, "warm"), root=str(source.parent), check=False)
        for path in source.iterdir():
            path.unlink()
        write_source(source, count, shape, masks)
        before = _status("VmRSS")
        result, *_ = sync(["lits"], Hub(server.url, "big"), root=str(source.parent), check=False)
        assert result.status == "published" and result.rows == count, result
        volume = int(np.prod(shape)) * 2 / 2**20
        peak = _status("VmHWM")
        above = peak - before
        row = volume * (1.5 if masks else 1)
        return {
            "volume": volume,
            "before": before,
            "peak": peak,
            "in_volumes": above / volume,
            "in_rows": above / row,
        }


def _status(field: str) -> float:
    # Not getrusage: its maximum survives exec, so a child starts with its parent's.
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volumes", type=int, default=40)
    parser.add_argument("--voxels", type=int, nargs=3, default=(512, 512, 200))
    parser.add_argument("--masks", action="store_true")
    options = parser.parse_args()
    print(json.dumps(measure(options.volumes, tuple(options.voxels), options.masks)))
