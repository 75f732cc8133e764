"""Figures on reading: what we publish, and a user's own copy, against loops over files and other loaders."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from figures import Figure, See, Way, shown
from peers import stand_ins
from PIL import Image
from sources import naive, picture_files, pictures, shards, stream, volume_files, volumes

import medimg


def pil(root: Path) -> Way:
    """A loop over files."""

    def way(see: See) -> None:
        for pair in picture_files(root):
            for number, path in enumerate(pair):
                with Image.open(path) as image:
                    array = np.asarray(image)
                see(array // 255 if number else array)

    return way


def nibabel(root: Path) -> Way:
    """A loop over files."""

    def way(see: See) -> None:
        for pair in volume_files(root):
            for path in pair:
                see(np.asarray(nib.load(path).dataobj))

    return way


def published(name: str, source: Callable[[Path], Path]) -> Callable[[Path], Way]:
    """Our shards through plain `datasets`."""

    def make(folder: Path) -> Way:
        paths = shards(name, source(folder), folder / f"published-{name}")
        return lambda see: shown(stream(paths, folder), see)

    return make


def own_copy(name: str, root: Path) -> Way:
    """`medimg.load` of the files, streaming."""
    return lambda see: shown(medimg.load(name, source=root, split="train", streaming=True), see)


def float_masks(folder: Path) -> tuple[Way, Way]:
    """Masks alone, which the source keeps as float64."""
    root = volumes(folder, 3, mask_dtype="f8", shape=(512, 512, 120))
    ours = shards("msd-spleen", root, folder / "published-f8")
    theirs = naive(root, folder / "naive-f8")

    def masks(paths: list[str]) -> Way:
        def way(see: See) -> None:
            for row in stream(paths, folder, columns=["label"]):
                see(np.asarray(row["label"]["mask"].dataobj))

        return way

    return masks(ours), masks(theirs)


def monai(root: Path) -> Way:
    """MONAI's loader of NIfTI files."""
    from monai.transforms import LoadImage

    load = LoadImage(image_only=True, dtype=None)

    def way(see: See) -> None:
        for pair in volume_files(root):
            for path in pair:
                see(load(path).numpy())

    return way


def torchio(root: Path) -> Way:
    """TorchIO's images."""
    import torchio as tio

    def way(see: See) -> None:
        for image, mask in volume_files(root):
            see(tio.ScalarImage(image).numpy()[0])
            see(tio.LabelMap(mask).numpy()[0])

    return way


def webdataset(root: Path, folder: Path) -> Way:
    """The same files in a tar, through WebDataset."""
    import webdataset as wds

    path = folder / "webdataset.tar"
    if not path.exists():
        with wds.TarWriter(str(path)) as sink:
            for image, mask in picture_files(root):
                sink.write({"__key__": image.stem, "jpg": image.read_bytes(), "png": mask.read_bytes()})

    def way(see: See) -> None:
        for row in wds.WebDataset(str(path), shardshuffle=False):
            for number, key in enumerate(("jpg", "png")):
                array = np.asarray(Image.open(io.BytesIO(row[key])))
                see(array // 255 if number else array)

    return way


def mosaic(root: Path, folder: Path) -> Way:
    """The same files in shards of MosaicML Streaming."""
    path = folder / "mosaic"
    with stand_ins("torchvision", "transformers"):
        import streaming
    if not path.exists():
        with streaming.MDSWriter(out=str(path), columns={"image": "bytes", "mask": "bytes"}) as sink:
            for image, mask in picture_files(root):
                sink.write({"image": image.read_bytes(), "mask": mask.read_bytes()})

    def way(see: See) -> None:
        for row in streaming.LocalDataset(str(path)):
            see(np.asarray(Image.open(io.BytesIO(row["image"]))))
            see(np.asarray(Image.open(io.BytesIO(row["mask"]))) // 255)

    return way


def lightning(root: Path, folder: Path) -> Way:
    """The same files in chunks of LitData."""
    import litdata
    from litdata.streaming.writer import BinaryWriter

    path = folder / "litdata"
    if not path.exists():
        path.mkdir()
        sink = BinaryWriter(str(path), chunk_bytes="64MB")
        for number, (image, mask) in enumerate(picture_files(root)):
            sink[number] = {"image": image.read_bytes(), "mask": mask.read_bytes()}
        sink.done()
        sink.merge()
    rows = litdata.StreamingDataset(str(path))

    def way(see: See) -> None:
        for row in rows:
            see(np.asarray(Image.open(io.BytesIO(row["image"]))))
            see(np.asarray(Image.open(io.BytesIO(row["mask"]))) // 255)

    return way


def monai_pictures(root: Path) -> Way:
    """MONAI's dataset of the same files."""
    from monai.data import Dataset, PILReader
    from monai.transforms import LoadImaged

    files = [{"image": str(image), "mask": str(mask)} for image, mask in picture_files(root)]
    rows = Dataset(files, LoadImaged(["image", "mask"], reader=PILReader(), image_only=True, dtype=None))

    def way(see: See) -> None:
        for row in rows:  # its arrays are (width, height[, channels])
            see(np.swapaxes(row["image"].numpy(), 0, 1))
            see(np.swapaxes(row["mask"].numpy(), 0, 1) // 255)

    return way


def torch_em(root: Path) -> Way:
    """torch-em's dataset of the same files, whole."""
    with stand_ins("torchvision", "tensorboard"):
        from torch_em.data import ImageCollectionDataset
    import torch

    images, masks = zip(*picture_files(root), strict=True)
    with Image.open(images[0]) as first:
        size = (first.height, first.width)
    rows = ImageCollectionDataset(images, masks, size, dtype=torch.uint8, label_dtype=torch.uint8)

    def way(see: See) -> None:
        for image, mask in (rows[number] for number in range(len(rows))):
            see(np.moveaxis(image.numpy(), 0, -1))
            see(mask.numpy()[0] // 255)

    return way


def threads(folder: Path) -> Way:
    """Our shards through plain `datasets`, decoded by two threads."""
    paths = shards("ham10000", pictures(folder), folder / "published-ham10000")
    return lambda see: shown(stream(paths, folder).decode(num_threads=2), see)


def metadata(folder: Path) -> tuple[Way, Way]:
    """Three columns of a million rows."""
    import pyarrow.parquet as pq
    from datasets import load_dataset

    path = folder / "metadata.parquet"
    if not path.exists():
        _write_metadata(path, 1_000_000)
    columns = ["id", "modality", "subject"]

    def ours(see: See) -> None:
        rows = load_dataset(
            "parquet",
            data_files=str(path),
            split="train",
            streaming=True,
            columns=columns,
            cache_dir=str(folder / "cache"),
        )
        for table in rows.with_format("arrow").iter(50_000):
            see(np.array([table.num_rows]))

    def theirs(see: See) -> None:
        table = pq.read_table(path, columns=columns)
        for begin in range(0, table.num_rows, 50_000):
            see(np.array([table.slice(begin, 50_000).num_rows]))

    return ours, theirs


def duckdb(folder: Path) -> Way:
    """The same columns through DuckDB."""
    import duckdb as db

    path = folder / "metadata.parquet"

    def way(see: See) -> None:
        table = db.sql(f"select id, modality, subject from '{path}'").to_arrow_table()
        for begin in range(0, table.num_rows, 50_000):
            see(np.array([table.slice(begin, 50_000).num_rows]))

    return way


def filtered(folder: Path) -> tuple[Way, Way]:
    """One row in a hundred by `filters=`, which skips row groups, and by looking at every row."""
    import pyarrow.compute as pc
    from datasets import load_dataset

    metadata(folder)
    columns = ["id", "modality", "subject"]
    first, last = "s00100000", "s00102500"

    def rows(**options: Any) -> Any:
        path = str(folder / "metadata.parquet")
        found = load_dataset(
            "parquet", data_files=path, split="train", streaming=True, columns=columns, cache_dir=str(folder), **options
        )
        return found.with_format("arrow").iter(50_000)

    def ours(see: See) -> None:
        found = [table["id"] for table in rows(filters=[("subject", ">=", first), ("subject", "<", last)])]
        see(_numbers(found))

    def theirs(see: See) -> None:
        found = []
        for table in rows():
            kept = pc.and_(pc.greater_equal(table["subject"], first), pc.less(table["subject"], last))
            found.append(table.filter(kept)["id"])
        see(_numbers(found))

    return ours, theirs


def _numbers(ids: list[Any]) -> Any:
    return np.array([int(each.removeprefix("bench/")) for part in ids for each in part.to_pylist()])


def _write_metadata(path: Path, count: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from medimg.hub_sync.building.shards import METADATA_GROUP_ROWS

    numbers = np.arange(count)
    ids = np.char.add("bench/", numbers.astype(str))
    table = pa.table(
        {
            "id": ids,
            "modality": np.where(numbers % 3 == 0, "CT", "MRI"),
            "subject": np.char.add("s", np.char.zfill((numbers // 4).astype(str), 8)),
            "content": np.char.add("0" * 50, ids),
            "meta": np.char.add('{"source_path": "images/', ids),
        }
    )
    pq.write_table(table, path, row_group_size=METADATA_GROUP_ROWS, compression="zstd")


def slices(folder: Path) -> tuple[Way, Way]:
    """Single slices of a volume that is read, against slicing its array."""
    from sources import AFFINE

    from medimg.pixels import Volume
    from medimg.readers import volumes as operators

    voxels = np.random.default_rng(0).integers(-1024, 3071, (512, 512, 200), np.int16)
    volume = Volume.from_array(voxels, AFFINE)

    def ours(see: See) -> None:
        for picture in operators.slices(volume):
            see(picture.array.copy())

    def theirs(see: See) -> None:
        array = volume.array
        for k in range(array.shape[2]):
            see(array[:, :, k].T.copy())

    return ours, theirs


def pair(one: Callable[[Path], Way], other: Callable[[Path], Way]) -> Callable[[Path], tuple[Way, Way]]:
    """Two ways that share nothing but the folder."""
    return lambda folder: (one(folder), other(folder))


THREE, TWO = published("msd-spleen", volumes), published("ham10000", pictures)


def OWN(folder: Path) -> Way:
    return own_copy("ham10000", pictures(folder))


PLAIN = "our shards through plain `datasets`"

FIGURES: tuple[Figure, ...] = (
    Figure(
        "3d-naive",
        f"volumes and masks: {PLAIN}",
        "`push_to_hub` of the same .nii.gz files",
        "speed",
        1.9,
        pair(THREE, lambda folder: _rows(naive(volumes(folder), folder / "naive"), folder)),
    ),
    Figure(
        "3d-float-masks",
        f"float64 masks of 512 x 512 x 120 voxels: {PLAIN}",
        "`push_to_hub` of the same .nii.gz files",
        "speed",
        25,
        float_masks,
    ),
    Figure(
        "3d-nibabel",
        f"volumes and masks: {PLAIN}",
        "nibabel over local .nii.gz files",
        "speed",
        1.0,
        pair(THREE, lambda folder: nibabel(volumes(folder))),
    ),
    Figure(
        "3d-monai",
        f"volumes and masks: {PLAIN}",
        "MONAI over local .nii.gz files",
        "speed",
        1.0,
        pair(THREE, lambda folder: monai(volumes(folder))),
        needs=("monai",),
    ),
    Figure(
        "3d-torchio",
        f"volumes and masks: {PLAIN}",
        "TorchIO over local .nii.gz files",
        "speed",
        1.0,
        pair(THREE, lambda folder: torchio(volumes(folder))),
        needs=("torchio",),
    ),
    Figure(
        "2d-pil",
        f"pictures and masks: {PLAIN}",
        "a PIL loop over local files",
        "speed",
        0.95,
        pair(TWO, lambda folder: pil(pictures(folder))),
    ),
    Figure(
        "2d-threads",
        f"pictures and masks: {PLAIN}, `.decode(num_threads=2)`",
        "a PIL loop over local files",
        "speed",
        1.5,
        pair(threads, lambda folder: pil(pictures(folder))),
    ),
    Figure(
        "2d-webdataset",
        f"pictures and masks: {PLAIN}",
        "WebDataset over a local tar",
        "speed",
        0.95,
        pair(TWO, lambda folder: webdataset(pictures(folder), folder)),
        needs=("webdataset",),
    ),
    Figure(
        "2d-mosaic",
        f"pictures and masks: {PLAIN}",
        "MosaicML Streaming over local shards",
        "speed",
        0.95,
        pair(TWO, lambda folder: mosaic(pictures(folder), folder)),
        needs=("streaming",),
    ),
    Figure(
        "2d-litdata",
        f"pictures and masks: {PLAIN}",
        "LitData over local chunks",
        "speed",
        0.95,
        pair(TWO, lambda folder: lightning(pictures(folder), folder)),
        needs=("litdata",),
    ),
    Figure(
        "2d-own-monai",
        "pictures and masks: `medimg.load` of an own copy",
        "MONAI's Dataset of it",
        "cost",
        1.3,
        pair(OWN, lambda folder: monai_pictures(pictures(folder))),
        needs=("monai",),
    ),
    Figure(
        "2d-own-torch-em",
        "pictures and masks: `medimg.load` of an own copy",
        "torch-em's ImageCollectionDataset of it",
        "cost",
        1.3,
        pair(OWN, lambda folder: torch_em(pictures(folder))),
        needs=("torch_em",),
    ),
    Figure(
        "2d-own-copy",
        "pictures and masks: `medimg.load` of an own copy",
        "a PIL loop over it",
        "cost",
        1.3,
        pair(OWN, lambda folder: pil(pictures(folder))),
    ),
    Figure(
        "3d-own-copy",
        "volumes and masks: `medimg.load` of an own copy",
        "nibabel over it",
        "cost",
        1.15,
        pair(lambda folder: own_copy("msd-spleen", volumes(folder)), lambda folder: nibabel(volumes(folder))),
    ),
    Figure(
        "metadata",
        "three columns of a million rows: plain `datasets`",
        "pyarrow's read_table",
        "cost",
        1.5,
        metadata,
    ),
    Figure(
        "metadata-duckdb",
        "three columns of a million rows: plain `datasets`",
        "DuckDB",
        "cost",
        1.5,
        lambda folder: (metadata(folder)[0], duckdb(folder)),
        needs=("duckdb",),
    ),
    Figure(
        "metadata-filters",
        "10,000 of a million rows, by subject: `filters=` of plain `datasets`",
        "a scan of all by plain `datasets`",
        "cost",
        None,
        filtered,
    ),
    Figure("slices", "every slice of a volume: `volumes.slices`", "slicing its array", "cost", 3, slices),
)


def _rows(paths: list[str], folder: Path) -> Way:
    return lambda see: shown(stream(paths, folder), see)
