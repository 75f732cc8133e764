"""nnU-Net's dataset converters on our miniatures: the Decathlon, ACDC and two years of BraTS.

A converter writes nnU-Net's own folders (one file per channel, consecutive mask values, names of the labels), which
nnU-Net's own reader then reads.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import json
import os
import shutil
import unittest.mock
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import Case, Check, Ours, Workspace, gunzip, patched

NAME = "nnunetv2.dataset_conversion."
TASKS = {"brain": "01", "heart": "02", "liver": "03", "hippocampus": "04", "prostate": "05", "lung": "06"}
TASKS |= {"pancreas": "07", "hepatic-vessel": "08", "spleen": "09", "colon": "10"}
ACDC = {"RV": "right ventricle cavity", "MLV": "left ventricle myocardium", "LVC": "left ventricle cavity"}
REGIONS = {"whole tumor": "whole brain tumor", "tumor core": "brain tumor core"}
REGIONS |= {"enhancing tumor": "enhancing brain tumor"}


@contextlib.contextmanager
def _home(work: Workspace) -> Any:
    """nnU-Net's folders below the workspace."""
    names = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
    folders = {name: str(work.folder / name) for name in names}
    for folder in folders.values():
        Path(folder).mkdir(exist_ok=True)
    with (
        unittest.mock.patch.dict(os.environ, folders),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield Path(folders["nnUNet_raw"])


def _cases(raw: Path) -> tuple[list[Case], dict[str, Any]]:
    """What nnU-Net reads of the folder that a converter wrote, and its dataset.json."""
    from nnunetv2.imageio.nibabel_reader_writer import NibabelIO

    (folder,) = raw.iterdir()
    about = json.loads((folder / "dataset.json").read_text())
    end, reader, cases = about["file_ending"], NibabelIO(), []
    for part in ("imagesTr", "imagesTs"):
        firsts = sorted((folder / part).glob(f"*_0000{end}")) if (folder / part).is_dir() else []
        for name in [first.name.removesuffix(f"_0000{end}") for first in firsts]:
            channels = [folder / part / f"{name}_{int(number):04d}{end}" for number in about["channel_names"]]
            image = np.moveaxis(reader.read_images(channels)[0].transpose(0, 3, 2, 1), 0, -1)
            drawn = folder / "labelsTr" / f"{name}{end}"
            mask = reader.read_seg(drawn)[0][0].transpose(2, 1, 0) if drawn.is_file() else None
            image = image[..., 0] if len(channels) == 1 else image
            split = {"imagesTr": "train", "imagesTs": "test"}[part]
            cases.append(Case(name, image=image, mask=mask, split=split))
    return cases, about


def _msd(files: Path, work: Workspace) -> list[Case]:
    from nnunetv2.dataset_conversion.convert_MSD_dataset import convert_msd_dataset

    (folder,) = (each.parent for each in work.unpack().rglob("dataset.json"))
    with _home(work) as raw:
        convert_msd_dataset(str(folder), num_processes=1)
        cases, about = _cases(raw)
    names = {value: name for name, value in about["labels"].items()}
    return [replace(case, label=names if case.mask is not None else None) for case in cases]


def _msd_label(row: Ours) -> dict[int, str]:
    from medimg import registry

    names = {names: name for name, names in registry.get(row.values["dataset"]).dataset.labels.items()}
    return {0: "background"} | {each["value"]: names[tuple(each["names"])] for each in row.label["legend"]}


def _acdc(files: Path, work: Workspace) -> list[Case]:
    import nnunetv2.dataset_conversion.Dataset027_ACDC as peer

    (folder,) = (each.parent for each in work.unpack().rglob("training"))
    with _home(work) as raw, patched(peer, nnUNet_raw=str(raw)):
        peer.convert_acdc(str(folder))
        cases, about = _cases(raw)
    names = {value: ACDC.get(name, name) for name, value in about["labels"].items()}
    return [replace(case, label=names if case.mask is not None else None) for case in cases]


def _brats(module: str, top: str, *, plain: bool = False, broken: str = "") -> Any:
    def run(files: Path, work: Workspace) -> list[Case]:
        root = next(each for each in work.unpack("Training").rglob(top)).parent
        if broken:
            shutil.rmtree(root / broken)
        for file in sorted(root.rglob("*.nii.gz")) if plain else ():
            file.with_suffix("").write_bytes(gunzip(file))
        with _home(work) as raw:
            _script(module, brats_data_dir=str(root))
            cases, about = _cases(raw)
        regions = {name: value for name, value in about["labels"].items() if name in REGIONS}
        assert list(regions) == list(REGIONS)
        return [replace(case, mask=np.stack([np.isin(case.mask, regions[name]) for name in REGIONS])) for case in cases]

    return run


def _cells(files: Path, work: Workspace) -> list[Case]:
    """The one cell type that it converts; the second sequence, which our phantom lacks, is an empty folder."""
    from nnunetv2.imageio.tif_reader_writer import Tiff3DIO

    root, cases = work.unpack("Fluo-C3DH-A549-SIM"), []
    sources = {part: root / part / "Fluo-C3DH-A549-SIM" for part in ("training", "test")}
    for folder in (sources["training"] / "02", sources["training"] / "02_GT" / "SEG", sources["test"] / "02"):
        folder.mkdir(parents=True, exist_ok=True)
    with _home(work) as raw:
        (work.folder / "nnUNet_preprocessed" / "Dataset073_Fluo_C3DH_A549_SIM").mkdir()
        _script(
            "Dataset073_Fluo_C3DH_A549_SIM",
            train_source=str(sources["training"]),
            test_source=str(sources["test"]),
        )
        (folder,) = raw.iterdir()
        for part, split in (("imagesTr", "train"), ("imagesTs", "test")):
            for file in sorted((folder / part).glob("*.tif")):
                sequence, _, number, _ = file.stem.split("_")
                image = Tiff3DIO().read_images([str(file)])[0][0].transpose(2, 1, 0)
                drawn = folder / "labelsTr" / file.name.replace("_0000", "")
                mask = Tiff3DIO().read_seg(str(drawn))[0][0].transpose(2, 1, 0) if split == "train" else None
                cases.append(Case(f"{split}-{sequence}-t{number}", image=image, mask=mask, split=split))
    return cases


def _script(module: str, **constants: str) -> None:
    """Run a module's `if __name__ == "__main__"` with other values for its constants."""
    file = Path(importlib.util.find_spec(NAME + module).origin)
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in constants:
            node.value = ast.copy_location(ast.Constant(constants[node.targets[0].id]), node.value)
    exec(compile(tree, str(file), "exec"), {"__name__": "__main__"})


def _channels(row: Ours) -> np.ndarray:
    order = [list(row.values["sequence"]).index(name) for name in ("T1", "T1ce", "T2", "FLAIR")]
    return row.image[..., order]


def _check(slug: str, loader: str, run: Any, **more: Any) -> Check:
    return Check(slug, NAME + loader, run, peer="nnunetv2", **more)


_REGIONS = {"mask": lambda row: np.stack([row.named(name) for name in REGIONS.values()]), "image": _channels}
CHECKS = [
    *(
        _check(
            f"msd-{slug}",
            "convert_MSD_dataset",
            _msd,
            label=_msd_label,
            notes="Labels: values and their names.",
        )
        for slug in TASKS
    ),
    _check(
        "acdc",
        "Dataset027_ACDC.convert_acdc",
        _acdc,
        key=lambda row: row.name.split("/")[1],
        rows=lambda row: row.config == "frames",
        label=lambda row: {0: "background"} | {each["value"]: each["names"][0] for each in row.label["legend"]},
        notes="Labels: values and their names.",
        patched="`nnUNet_raw` as text: the converter asks it for a method of text (Dataset027_ACDC.py:15).",
    ),
    _check(
        "brats2019",
        "Dataset043_BraTS19",
        _brats("Dataset043_BraTS19", "HGG", plain=True),
        rows=lambda row: row.split == "train",
        notes="The three regions of its labels; the files are unzipped for it, since it wants .nii.",
        patched="the constant with its author's folder.",
        **_REGIONS,
    ),
    _check(
        "brats2021",
        "Dataset137_BraTS21",
        _brats("Dataset137_BraTS21", "BraTS2021_00000", broken="BraTS2021_01666"),
        rows=lambda row: row.split == "train" and row.meta["source_path"].startswith("RSNA_ASNR"),
        notes="Of Synapse's copy. The three regions of its labels. Without BraTS2021_01666, which our phantom leaves "
        "incomplete.",
        patched="the constant with its author's folder.",
        **_REGIONS,
    ),
    _check(
        "cell-tracking-challenge",
        "Dataset073_Fluo_C3DH_A549_SIM",
        _cells,
        key=lambda row: row.name.split("/")[1],
        rows=lambda row: row.config == "Fluo-C3DH-A549-SIM",
        patched="the constants with its author's folders.",
    ),
]
