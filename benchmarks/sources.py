"""Phantom sources in original layouts, of sizes that are met in practice, and what is made of them."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image

from medimg import registry
from medimg.files import Files
from medimg.hub_sync.building.build import build
from medimg.schema import features

PICTURES, VOLUMES = 200, 6
SIZE = (450, 600)
SHAPE = (256, 256, 100)
AFFINE = np.diag([0.7, 0.7, 2.5, 1.0])


def pictures(folder: Path, count: int = PICTURES) -> Path:
    """HAM10000: JPEG of 600 x 450 pixels and 220 KB (its own have 270 KB), and PNG masks.

    After the first 200 they repeat, as links.
    """
    root = folder / "ham10000"
    images, masks = root / "HAM10000_images_part_1", root / "HAM10000_segmentations_lesion_tschandl"
    if root.exists():
        return root
    images.mkdir(parents=True)
    masks.mkdir()
    random = np.random.default_rng(0)
    lines = ["lesion_id,image_id,dx,dx_type,age,sex,localization,dataset"]
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    lesion = ((x - 300) / 200) ** 2 + ((y - 225) / 150) ** 2 < 1
    for number in range(count):
        name = f"ISIC_{number:07d}"
        lines.append(f"HAM_{number:07d},{name},nv,histo,50,male,back,bench")
        if number >= PICTURES:
            for place, end in ((images, ".jpg"), (masks, "_segmentation.png")):
                (place / f"{name}{end}").hardlink_to(place / f"ISIC_{number % PICTURES:07d}{end}")
            continue
        base = 128 + 60 * np.sin(x / 40 + number) + 40 * np.cos(y / 30)
        noise = random.normal(0, 12, (*SIZE, 3))
        array = (base[..., None] * (1, 0.8, 0.7) + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(array).save(images / f"{name}.jpg", quality=98)
        Image.fromarray((lesion * 255).astype(np.uint8)).save(masks / f"{name}_segmentation.png")
    (root / "HAM10000_metadata").write_text("\n".join(lines) + "\n")
    return root


def picture_files(root: Path) -> Iterator[tuple[Path, Path]]:
    """(image, mask) of `pictures`."""
    for image in sorted(root.glob("*/*.jpg")):
        yield image, root / "HAM10000_segmentations_lesion_tschandl" / f"{image.stem}_segmentation.png"


def volumes(folder: Path, count: int = VOLUMES, *, mask_dtype: str = "u1", shape: tuple[int, int, int] = SHAPE) -> Path:
    """MSD Spleen: int16 CT as .nii.gz with masks."""
    root = folder / f"msd-spleen-{mask_dtype}" / "Task09_Spleen"
    if root.exists():
        return root.parent
    for name in ("imagesTr", "labelsTr", "imagesTs"):
        (root / name).mkdir(parents=True)
    listed = []
    for number in range(count):
        image, mask = phantom(number, shape)
        listed.append({"image": f"./imagesTr/spleen_{number}.nii.gz", "label": f"./labelsTr/spleen_{number}.nii.gz"})
        nib.save(nib.Nifti1Image(image, AFFINE), root / "imagesTr" / f"spleen_{number}.nii.gz")
        nib.save(nib.Nifti1Image(mask.astype(mask_dtype), AFFINE), root / "labelsTr" / f"spleen_{number}.nii.gz")
    said = {
        "name": "Spleen",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "spleen"},
        "numTraining": count,
        "numTest": 0,
        "training": listed,
        "test": [],
    }
    (root / "dataset.json").write_text(json.dumps(said))
    return root.parent


def many_volumes(folder: Path, count: int) -> Path:
    """As `volumes`; after the first six they repeat, as links."""
    few = volumes(folder) / "Task09_Spleen"
    root = folder / f"{count}-volumes" / "msd-spleen"
    if root.exists():
        return root
    said = json.loads((few / "dataset.json").read_text())
    for name in ("imagesTr", "labelsTr", "imagesTs"):
        (root / few.name / name).mkdir(parents=True)
    listed = []
    for number in range(count):
        name = f"spleen_{number}.nii.gz"
        for kind in ("imagesTr", "labelsTr"):
            (root / few.name / kind / name).hardlink_to(few / kind / f"spleen_{number % VOLUMES}.nii.gz")
        listed.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    said |= {"numTraining": count, "training": listed}
    (root / few.name / "dataset.json").write_text(json.dumps(said))
    return root


def phantom(number: int, shape: tuple[int, int, int] = SHAPE) -> tuple[Any, Any]:
    """Voxels of a CT-like volume (int16) and of the mask of an organ in it (bool)."""
    random = np.random.default_rng(number)
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij", sparse=True)
    tissue = 40 + 60 * np.sin(6 * i + number) + random.normal(0, 12, shape)
    organ = ((i - 0.3) / 0.3) ** 2 + (j / 0.4) ** 2 + (k / 0.7) ** 2 < 1 + 0.1 * np.sin(9 * i + number) * np.cos(7 * j)
    return np.where(i**2 + j**2 < 0.6, tissue, -1024).astype(np.int16), organ


def volume_files(root: Path) -> Iterator[tuple[Path, Path]]:
    """(image, mask) of `volumes`."""
    for image in sorted(root.glob("*/imagesTr/*.nii.gz")):
        yield image, image.parents[1] / "labelsTr" / image.name


@functools.cache
def shards(name: str, root: Path, folder: Path) -> list[str]:
    """What sync publishes of a source: its data shards."""
    folder.mkdir(parents=True, exist_ok=True)
    with Files.open(root, dataset=name) as files:
        made = build(registry.get(name), files, folder, origin="source", fingerprint={})
    return [str(path) for target, path in made.files.items() if target.startswith("data/")]


@functools.cache
def naive(root: Path, folder: Path) -> list[str]:
    """What `push_to_hub` makes of the same files: their bytes, uncompressed."""
    from datasets import Dataset

    with Files.open(root, dataset="msd-spleen") as files:
        rows = [row for row in registry.get("msd-spleen").rows(files)]
    volumes = dict(((image.name, (image, mask)) for image, mask in volume_files(root)))
    values = [
        _row(row.id, *(path.read_bytes() for path in volumes[f"{row.id.rpartition('/')[2]}.nii.gz"])) for row in rows
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "naive.parquet"
    Dataset.from_list(values, features=features("3d")).to_parquet(str(path))
    return [str(path)]


def naive_rows(root: Path) -> Iterator[dict[str, Any]]:
    """Volumes without masks (LiTS's test set) as they are."""
    for path in sorted(root.glob("*.nii")):
        yield _row(path.stem, path.read_bytes(), None)


def _row(id: str, image: bytes, mask: bytes | None) -> dict[str, Any]:
    label: dict[str, Any] = {
        **{key: [] for key in ("classes", "uncertain", "assessed", "boxes", "points", "measures", "texts")},
        "mask": None if mask is None else {"bytes": mask, "path": "mask.nii.gz"},
        "legend": [],
        "instances": False,
        "target": None,
        "source": None,
    }
    return {
        **dict.fromkeys(("subject", "content", "license", "meta", "modality"), ""),
        **{key: [] for key in ("organ", "task", "sequence", "shape", "spacing")},
        "id": id,
        "dataset": "msd-spleen",
        "image": {"bytes": image, "path": "image.nii.gz"},
        "label": label,
    }


def stream(paths: list[str], folder: Path, **options: Any) -> Any:
    """Local Parquet through plain `datasets`."""
    from datasets import load_dataset

    return load_dataset(
        "parquet",
        data_files=paths,
        split="train",
        streaming=True,
        cache_dir=str(folder / "cache"),
        **options,
    )
