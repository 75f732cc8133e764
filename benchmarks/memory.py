"""Figures on peak memory, each way in a process of its own: reading, shuffling and building.

    python benchmarks/memory.py build [--volumes 40] [--voxels 512 512 200] [--masks]

prints the peak of the resident set while a LiTS-like source of int16 CT phantoms is built and published, in MB, and as
a multiple of one volume (and of one row, which holds the mask too). The other actions are those of the figures.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from figures import Figure, See, Taken, Way, Ways, unseen
from sources import naive_rows, pictures, shards, stream

import medimg
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.sync import sync
from medimg.pixels import Volume

MB = 2**20
SLICES = {"100MB": 200, "500MB": 1000, "1.5GB": 2900}
"""Of 512 x 512 int16 voxels."""
PICTURES, BUFFER = 700, 500


def write_source(folder: Path, count: int, shape: tuple[int, ...], masks: bool = False) -> Path:
    """`count` volumes (links of one) of smooth tissue with noise of 12 HU in air. Slices repeat after 16."""
    if folder.exists():
        return folder
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    i, j = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    body = i**2 + j**2 < 0.6
    affine = np.diag([0.7, 0.7, 2.5, 1.0])
    volume = Volume.from_array(np.zeros(shape, np.int16), affine)
    for k in range(min(shape[2], 16)):
        tissue = 40 + 60 * np.sin(6 * i + k / 30) * np.cos(5 * j) + random.normal(0, 12, shape[:2])
        slab = np.where(body, tissue, -1024)
        volume.array[:, :, k::16] = slab[..., None]
    label = Volume.from_array((np.broadcast_to(body[..., None], shape)).astype(np.uint8), affine)
    names = ("volume", "segmentation") if masks else ("test-volume",)
    for name, each in zip(names, (volume, label), strict=False):
        first = folder / f"{name}-0.nii"
        first.write_bytes(each.nifti)
        for number in range(1, count):
            (folder / f"{name}-{number}.nii").hardlink_to(first)
    return folder


# what a process of its own does


def build(count: int, shape: tuple[int, ...], masks: bool) -> dict[str, float]:
    """Build and publish once; sizes in MB."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedHub(Path(folder) / "store") as server:
        warm, root = (Path(folder) / name / "lits" for name in ("warm", "root"))
        sync(["lits"], Hub(server.url, "warm"), check=False)
        write_source(warm, 1, (64, 64, 16), masks)
        sync(["lits"], Hub(server.url, "warm"), root=str(warm.parent), check=False)
        write_source(root, count, shape, masks)
        before = restart()
        result, *_ = sync(["lits"], Hub(server.url, "big"), root=str(root.parent), check=False)
        assert result.status == "published" and result.rows == count, result
        volume = int(np.prod(shape)) * 2 / MB
        peak = status("VmHWM")
        above = peak - before
        return {
            "volume": volume,
            "before": before,
            "peak": peak,
            "above": above,
            "in_volumes": above / volume,
            "in_rows": above / (volume * (1.5 if masks else 1)),
        }


def naive(root: Path) -> dict[str, float]:
    """What `from_generator` and `to_parquet` make of the files."""
    import datasets

    before = restart()
    with tempfile.TemporaryDirectory() as folder:
        rows = datasets.Dataset.from_generator(
            naive_rows, features=medimg.schema.features("3d"), gen_kwargs={"root": root}, cache_dir=folder
        )
        rows.to_parquet(str(Path(folder) / "naive.parquet"))
    return {"above": status("VmHWM") - before}


def read(rows: Iterable[Any]) -> dict[str, Any]:
    """Decode the image of every row, and keep none."""
    before = restart()
    digests = []
    peak = before
    for row in rows:
        array = np.asarray(row["image"].dataobj)
        peak = max(peak, status("VmHWM"))
        digests.append(hashlib.sha256(memoryview(array.T)).hexdigest())
        del row, array
    return {"above": max(peak, status("VmHWM")) - before, "digests": digests}


def shuffled(paths: list[str], folder: Path) -> dict[str, float]:
    """Pictures through a shuffle buffer."""
    rows = stream(paths, folder).shuffle(seed=0, buffer_size=BUFFER)
    before = restart()
    for row in rows:
        np.asarray(row["image"])
        del row
    return {"above": status("VmHWM") - before}


def restart() -> float:
    """Let the peak begin anew; the resident set now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def status(field: str) -> float:
    """In MB. Not getrusage: its maximum survives exec, so a child starts with its parent's."""
    said = Path("/proc/self/status").read_text()
    return int(said.split(f"{field}:")[1].split()[0]) / 1024


# figures


def child(*words: object) -> dict[str, Any]:
    """What this file prints."""
    command = [sys.executable, __file__, *map(str, words)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def peak(action: str, *words: object) -> Way:
    """Above what the imports take."""

    def way(see: See) -> Taken:
        found = child(action, *words)
        for digest in found.get("digests", ()):
            see(np.frombuffer(bytes.fromhex(digest), np.uint8))
        return {"memory": found["above"]}

    return way


def held(root: Path) -> Way:
    """The volume's own voxels."""
    size = Volume((root / "test-volume-0.nii").read_bytes()).array.nbytes / MB

    def way(see: See) -> Taken:
        if see is unseen:
            return {"memory": size}
        array = Volume((root / "test-volume-0.nii").read_bytes()).array
        see(np.frombuffer(hashlib.sha256(memoryview(array.T)).digest(), np.uint8))
        return {"memory": size}

    return way


def one_volume(size: str, action: str, folder: Path) -> Ways:
    """A source of one volume, published or as it is."""
    root = write_source(folder / f"lits-{size}" / "lits", 1, (512, 512, SLICES[size]))
    return reading(action, root, folder), held(root)


def reading(action: str, root: Path, folder: Path) -> Way:
    """Plain `datasets` reads what we publish, `medimg.load` an own copy."""
    if action == "load":
        return peak("load", root)
    return peak("datasets", folder, *shards("lits", root, root.parent / "published"))


def tripled(action: str, folder: Path) -> Ways:
    """Six volumes, and two."""
    many, few = (write_source(folder / f"lits-{count}-rows" / "lits", count, (512, 512, 100)) for count in (6, 2))
    return reading(action, many, folder), reading(action, few, folder)


def built(folder: Path) -> Ways:
    """The same six volumes."""
    root = write_source(folder / "lits-6-rows" / "lits", 6, (512, 512, 100))
    return peak("build", "--volumes", 6, "--voxels", 512, 512, 100), peak("naive", root)


def buffered(folder: Path) -> Ways:
    """The rows of a shuffle buffer, and their bytes."""
    paths = shards("ham10000", pictures(folder / "some", PICTURES), folder / "some" / "published")
    size = sum(Path(path).stat().st_size for path in paths) * BUFFER / PICTURES / MB
    return peak("shuffle", folder, *paths), lambda see: {"memory": size}


def figures() -> Iterable[Figure]:
    plain, own = "our shards through plain `datasets`", "`medimg.load` of an own copy"
    for action, name in (("datasets", plain), ("load", own)):
        for size in SLICES:
            yield Figure(
                f"memory-{action}-{size}",
                f"one volume of {size}: peak of {name}",
                "the volume's voxels",
                "cost",
                None,
                functools.partial(one_volume, size, action),
                of="memory",
                first=False,
            )
    for action, name, goal in (("datasets", plain, None), ("load", own, 1.1)):
        yield Figure(
            f"memory-{action}-triples",
            f"6 volumes of 50 MB: peak of {name}",
            "2 of them",
            "cost",
            goal,
            functools.partial(tripled, action),
            of="memory",
            equal=False,
            first=False,
        )
    yield Figure(
        "memory-shuffle",
        f"a shuffle buffer of {BUFFER} pictures and masks: peak of {plain}",
        "the stored bytes of so many rows",
        "cost",
        None,
        buffered,
        of="memory",
        equal=False,
        first=False,
    )
    yield Figure(
        "memory-build",
        "a build of 6 volumes of 50 MB, published: its peak",
        "`from_generator` and `to_parquet` of the files",
        "cost",
        0.5,
        built,
        of="memory",
        equal=False,
        first=False,
    )


FIGURES = tuple(figures())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["build", "naive", "datasets", "load", "shuffle"])
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--volumes", type=int, default=40)
    parser.add_argument("--voxels", type=int, nargs=3, default=(512, 512, 200))
    parser.add_argument("--masks", action="store_true")
    options = parser.parse_args()
    first, *paths = (*map(str, options.paths), "")
    paths = paths[:-1]
    match options.action:
        case "build":
            found = build(options.volumes, tuple(options.voxels), options.masks)
        case "naive":
            found = naive(Path(first))
        case "datasets":
            found = read(stream(paths, Path(first)))
        case "load":
            found = read(medimg.load("lits", source=first, split="test", streaming=True))
        case "shuffle":
            found = shuffled(paths, Path(first))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
