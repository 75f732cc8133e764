"""Figures on making: a build, against the least that any tool must do with the same files."""

from __future__ import annotations

import atexit
import contextlib
import gzip
import hashlib
import itertools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, Features, Image, Nifti
from datasets.table import embed_table_storage
from figures import Figure, See, Way, Ways
from remote import environment
from sources import many_volumes, picture_files, pictures, volume_files, volumes

from medimg import registry
from medimg.files import Files
from medimg.hub_sync.building.build import build
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.workers.spread import spread
from medimg.phantom import Phantom

MANY_PICTURES, MANY_VOLUMES = 2800, 250
"""One process takes 20 seconds with them."""


def made(name: str, root: Path, folder: Path, processes: int = 1) -> Way:
    """All that sync makes of a source, but for the texts: shards, metadata, previews, counts. Shows their digests."""

    def way(see: See) -> None:
        builder = registry.get(name)
        with contextlib.ExitStack() as stack:
            out = stack.enter_context(tempfile.TemporaryDirectory(dir=folder))
            files = stack.enter_context(Files.open(root, dataset=name))
            rows = None
            if processes > 1:
                rows = stack.enter_context(contextlib.closing(spread(builder, files, "source", processes)))
            built = build(builder, files, Path(out), origin="source", fingerprint={}, made=rows)
            for path in built.files.values():
                see(np.frombuffer(hashlib.sha256(path.read_bytes()).digest(), np.uint8))

    return way


def two_pictures(folder: Path) -> Ways:
    """Two processes and one."""
    root = pictures(folder / "many", MANY_PICTURES)
    return made("ham10000", root, folder, 2), made("ham10000", root, folder)


def two_volumes(folder: Path) -> Ways:
    """Two processes and one."""
    root = many_volumes(folder, MANY_VOLUMES)
    return made("msd-spleen", root, folder, 2), made("msd-spleen", root, folder)


def decoded(root: Path) -> Way:
    """PIL decodes image and mask."""

    def way(see: See) -> None:
        for pair in picture_files(root):
            for path in pair:
                with PIL.Image.open(path) as image:
                    see(np.asarray(image))

    return way


def packed(root: Path, folder: Path) -> Way:
    """Gunzip, ZSTD 3 into Parquet, SHA-256 of the voxels and of the file."""

    def way(see: See) -> None:
        path = folder / "floor.parquet"
        schema = pa.schema([("image", pa.binary()), ("mask", pa.binary())])
        with pq.ParquetWriter(path, schema, compression="zstd", compression_level=3, use_dictionary=False) as writer:
            for pair in volume_files(root):
                values = [gzip.decompress(file.read_bytes()) for file in pair]
                hashlib.sha256(values[0]).digest()
                writer.write_table(pa.table([[value] for value in values], schema=schema))
        with path.open("rb") as stream:
            hashlib.file_digest(stream, "sha256")

    return way


def copied(root: Path, folder: Path) -> Way:
    """Read, SHA-256 and write."""

    def way(see: See) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as out:
            for number, path in enumerate(path for pair in picture_files(root) for path in pair):
                shutil.copyfile(path, Path(out) / str(number))
                hashlib.sha256(path.read_bytes()).digest()

    return way


def embedded(pairs: Iterable[tuple[Path, Path]], feature: type[Image] | type[Nifti], folder: Path) -> Way:
    """What `push_to_hub` does with files before it uploads them: their bytes into Parquet, and SHA-256 of that."""

    def way(see: See) -> None:
        images, masks = zip(*((str(image), str(mask)) for image, mask in pairs), strict=True)
        columns = Features({"image": feature(), "mask": feature()})
        rows = Dataset.from_dict({"image": images, "mask": masks}, features=columns)
        rows = rows.with_format("arrow").map(embed_table_storage, batched=True, keep_in_memory=True).with_format(None)
        path = folder / "embedded.parquet"
        rows.to_parquet(path)
        with path.open("rb") as stream:
            hashlib.file_digest(stream, "sha256")

    return way


def small(folder: Path) -> Ways:
    """One small dataset, from nothing to read back: sync of it, and the least that other tools do with its pictures."""
    server = EmbeddedHub(folder / "store-small")
    server.__enter__()
    atexit.register(server.__exit__)
    root = folder / "small"
    registry.get("hc18").miniature(Phantom(root / "hc18"))
    home = folder / "home-small"
    home.mkdir()
    number = itertools.count()

    def way(code: str, *more: str) -> Way:
        def run(see: See) -> None:
            command = [sys.executable, "-c", code, *(each.format(f"small-{next(number)}") for each in more)]
            subprocess.run(command, env=environment(server.url, str(home)), cwd=root, check=True, capture_output=True)

        return run

    main = "from medimg.hub_sync.start import main; main()"
    wishes = ("--source", str(root), "--hub", server.url, "--namespace", "{}")
    return way(main, "sync", "hc18", *wishes), way(PUSHED, str(root), "{}/hc18")


PUSHED = """
import sys
from datasets import load_dataset
rows = load_dataset("imagefolder", data_dir=sys.argv[1], drop_labels=True, drop_metadata=True, split="train")
rows.push_to_hub(sys.argv[2])
for row in load_dataset(sys.argv[2], split="train", streaming=True):
    row["image"].load()
"""

FIGURES = (
    Figure(
        "sync-small",
        "`medimg sync` of one small dataset, card, portal and reading back included",
        "`push_to_hub` of its pictures and `load_dataset`",
        "cost",
        None,
        small,
        equal=False,
    ),
    Figure(
        "build-2d",
        "a build of pictures and masks",
        "PIL decodes both",
        "cost",
        1.5,
        lambda folder: (made("ham10000", pictures(folder), folder), decoded(pictures(folder))),
        equal=False,
    ),
    Figure(
        "build-3d",
        "a build of volumes and masks",
        "gunzip, ZSTD 3 and SHA-256 of both",
        "cost",
        1.5,
        lambda folder: (made("msd-spleen", volumes(folder), folder), packed(volumes(folder), folder)),
        equal=False,
    ),
    Figure(
        "build-copy",
        "a build of pictures and masks",
        "copy and SHA-256 of the files",
        "cost",
        2.5,
        lambda folder: (made("ham10000", pictures(folder), folder), copied(pictures(folder), folder)),
        equal=False,
    ),
    Figure(
        "build-push-2d",
        "a build of pictures and masks",
        "what `push_to_hub` does before it uploads them: no pixel is looked at",
        "cost",
        None,
        lambda folder: (
            made("ham10000", pictures(folder), folder),
            embedded([*picture_files(pictures(folder))], Image, folder),
        ),
        equal=False,
    ),
    Figure(
        "build-push-3d",
        "a build of volumes and masks",
        "what `push_to_hub` does with their .nii.gz files before it uploads them: no voxel is looked at",
        "cost",
        None,
        lambda folder: (
            made("msd-spleen", volumes(folder), folder),
            embedded([*volume_files(volumes(folder))], Nifti, folder),
        ),
        equal=False,
    ),
    Figure(
        "two-workers-2d",
        f"a build of {MANY_PICTURES} pictures and masks by two processes",
        "by one, which takes 20 s",
        "cost",
        0.65,
        two_pictures,
        first=False,
    ),
    Figure(
        "two-workers-3d",
        f"a build of {MANY_VOLUMES} volumes and masks by two processes",
        "by one, which takes 20 s",
        "cost",
        0.65,
        two_volumes,
        first=False,
    ),
)
