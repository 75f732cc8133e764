"""TorchXRayVision's dataset classes on our miniatures.

They scale pixels to -1024..1024, which is undone exactly. Boxes become masks on a grid of 1024 x 1024, the true size:
they are asked for on that grid, and ours are drawn by the same rule (whole numbers, cut off).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from common import Case, Check, Ours, Workspace

NAME = "torchxrayvision.datasets."
GRID = 1024


def _pixels(sample: dict[str, Any]) -> np.ndarray:
    """The stored numbers of an image; of a color image the peer takes the first channel."""
    return np.rint((sample["img"][0].astype(float) / 1024 + 1) / 2 * 255).astype("uint8")


def _image(row: Ours) -> np.ndarray:
    image = row.image
    return image if image.ndim == 2 else image[..., 0]


def _found(data: Any, index: int) -> dict[str, int | None]:
    """Pathology -> 1, 0 or None (not known)."""
    values = data.labels[index]
    return {name: None if np.isnan(value) else int(value) for name, value in zip(data.pathologies, values, strict=True)}


def _said(row: Ours, names: dict[str, str]) -> dict[str, int | None]:
    """The same of our row; names: the peer's name -> ours. What is marked uncertain the peer takes for not known."""
    classes, uncertain = set(row.label["classes"]), set(row.label["uncertain"] or [])
    known = set(row.label["assessed"]) - uncertain
    return {their: int(name in classes) if name in known else None for their, name in names.items()}


def _boxes(row: Ours, name: str) -> np.ndarray:
    drawn = np.zeros((GRID, GRID))
    for box in row.label["boxes"] or []:
        if box["name"] == name:
            x0, y0, x1, y1 = box["box"]
            x, y, width, height = map(int, (x0, y0, round(x1 - x0, 4), round(y1 - y0, 4)))
            drawn[y : y + height, x : x + width] = 1
    return drawn


def _nih(files: Path, work: Workspace) -> list[Case]:
    import torchxrayvision as xrv

    root = work.unpack()
    data = xrv.datasets.NIH_Dataset(
        str(root / "images"),
        csvpath=str(root / "Data_Entry_2017_v2020.csv"),
        bbox_list_path=str(root / "BBox_List_2017.csv"),
        views=["*"],
        unique_patients=False,
    )
    cases = []
    for index, name in enumerate(data.csv["Image Index"]):
        drawn = data.get_mask_dict(name, GRID)
        masks = np.stack([drawn.get(n, np.zeros((1, GRID, GRID)))[0] for n in range(len(data.pathologies))])
        there = (root / "images" / name).is_file()
        image = _pixels(data[index]) if there else None
        cases.append(Case(name.removesuffix(".png"), image=image, mask=masks, label=_found(data, index)))
    return cases


def _nih_names() -> dict[str, str]:
    from medimg.builders.chestx_ray14 import FINDINGS

    return dict(sorted(FINDINGS.items()))


def _rsna(files: Path, work: Workspace) -> list[Case]:
    import torchxrayvision as xrv

    root = work.unpack()
    data = xrv.datasets.RSNA_Pneumonia_Dataset(
        str(root / "stage_2_train_images"),
        csvpath=str(root / "stage_2_train_labels.csv"),
        views=["*"],
        extension=".dcm",
    )
    cases = []
    for index, name in enumerate(data.csv["patientId"]):
        drawn = data.get_mask_dict(name, GRID) if data.csv["has_masks"][index] else {}
        mask = drawn.get(data.pathologies.index("Lung Opacity"), np.zeros((1, GRID, GRID)))[0]
        cases.append(Case(name, image=_pixels(data[index]), mask=mask, label=_found(data, index)))
    return cases


def _siim(files: Path, work: Workspace) -> list[Case]:
    import torchxrayvision as xrv

    root = work.unpack()
    data = xrv.datasets.SIIM_Pneumothorax_Dataset(str(root), csvpath=str(root / "train-rle.csv"))
    cases = {}
    for index, name in enumerate(data.csv["ImageId"]):
        image = _pixels(data[index])
        # The peer counts the runs out on 1024 x 1024, whatever the image's size: count them back.
        drawn = data.get_pathology_mask_dict(name, GRID)
        flat = drawn[0][0].T.ravel() if drawn else np.zeros(GRID * GRID)
        mask = flat[: image.size].reshape(image.shape[::-1]).T.astype("uint8")
        cases[name] = Case(name, image=image, mask=mask, label=_found(data, index))
    return list(cases.values())


def _nlm(files: Path, work: Workspace) -> list[Case]:
    import torchxrayvision as xrv

    (folder,) = (each.parent for each in work.unpack().rglob("CXR_png"))
    data = xrv.datasets.NLMTB_Dataset(str(folder))
    return [
        Case(name.removesuffix(".png"), image=_pixels(data[index]), label=_found(data, index))
        for index, name in enumerate(data.csv["fname"])
    ]


def _covid(files: Path, work: Workspace) -> list[Case]:
    import torchxrayvision as xrv

    root = work.unpack()
    data = xrv.datasets.COVID19_Dataset(str(root / "images"), str(root / "metadata.csv"), views=["*"])
    cases = []
    for index, (folder, name) in enumerate(zip(data.csv["folder"], data.csv["filename"], strict=True)):
        there = folder == "images" and (root / "images" / name).is_file()
        label = sorted(name for name, value in _found(data, index).items() if value)
        cases.append(Case(name, image=_pixels(data[index]) if there else None, label=label))
    return cases


def _chexpert(files: Path, work: Workspace) -> list[Case]:
    """The batches are laid together as CheXpert-v1.0/train and /valid, the names that the tables use."""
    import torchxrayvision as xrv

    root = work.unpack()
    first, second = sorted(root.glob("CheXpert-v1.0 batch *"))
    shutil.move(second, first / "train")
    cases = []
    for table in ("train.csv", "valid.csv"):
        data = xrv.datasets.CheX_Dataset(str(first), csvpath=str(first / table), views=["*"], unique_patients=False)
        cases += _view(data, first if table == "train.csv" else None)
    return cases


def _chexlocalize(files: Path, work: Workspace) -> list[Case]:
    import torchxrayvision as xrv

    root, cases = work.unpack("^CheXpert/") / "CheXpert", []
    for table in ("val_labels.csv", "test_labels.csv"):
        data = xrv.datasets.CheXlocalize_Dataset(
            str(root), str(root / table), views=["*"], unique_patients=False, pathology_masks=False
        )
        cases += _view(data, root)
    return cases


def _view(data: Any, root: Path | None) -> list[Case]:
    cases = []
    for index, path in enumerate(data.csv["Path"]):
        inside = path.replace("CheXpert-v1.0-small/", "").replace("CheXpert-v1.0/", "")
        image = _pixels(data[index]) if root and (root / inside).is_file() else None
        name = inside.split("/", 1)[1].rpartition(".")[0].replace("/", "-")
        cases.append(Case(name, image=image, label=_found(data, index)))
    return cases


def _chexpert_label(row: Ours) -> dict[str, int | None]:
    from medimg.builders.chexpert import LABELS

    names = {"Effusion" if key == "Pleural Effusion" else key: name for key, name in LABELS.items()}
    names.pop("No Finding")
    said = _said(row, dict(sorted(names.items(), key=lambda item: item[0].replace("Effusion", "Pleural Effusion"))))
    if "no finding" in row.classes:
        said = {name: value if name == "Support Devices" else 0 for name, value in said.items()}
    return said


_HEALTHY = {
    "labels": "where No Finding is 1 the peer takes all but Support Devices for absent (datasets.py:1099); they are "
    "unknown in our rows where the table is blank"
}
_WHOLE = {"labels": "boxes as masks of whole pixels (datasets.py, get_mask_dict), ours cut off in the same way"}


def _check(slug: str, loader: str, run: Any, **more: Any) -> Check:
    return Check(slug, NAME + loader, run, peer="torchxrayvision", image=more.pop("image", _image), **more)


CHECKS = [
    _check(
        "chestx-ray14",
        "NIH_Dataset",
        _nih,
        mask=lambda row: np.stack([_boxes(row, name) for name in _nih_names().values()]),
        label=lambda row: _said(row, _nih_names()),
        after=_WHOLE | {"pixels": "of a radiograph with four channels the peer takes the first (utils.py, normalize)"},
        why={"cases": "00030805_000 is in the table and in no archive; the peer lists the table (datasets.py:454)"},
    ),
    _check(
        "rsna-pneumonia",
        "RSNA_Pneumonia_Dataset",
        _rsna,
        rows=lambda row: row.split == "train",
        mask=lambda row: _boxes(row, "lung opacity"),
        after=_WHOLE,
        label=lambda row: dict.fromkeys(("Lung Opacity", "Pneumonia"), int("lung opacity" in row.classes)),
    ),
    _check(
        "siim-acr-pneumothorax",
        "SIIM_Pneumothorax_Dataset",
        _siim,
        rows=lambda row: row.split == "train",
        label=lambda row: _said(row, {"Pneumothorax": "pneumothorax"}),
        why={
            "labels": "of several outlines of one image the peer keeps the last (datasets.py:2356, `mask =` in the "
            "loop), though its text says that they are joined; ours is all of them"
        },
    ),
    *(
        _check(
            slug,
            "NLMTB_Dataset",
            _nlm,
            label=lambda row: _said(row, {"Tuberculosis": "tuberculosis"}),
        )
        for slug in ("montgomery-cxr", "shenzhen-cxr")
    ),
    _check(
        "covid-chestxray",
        "COVID19_Dataset",
        _covid,
        key=lambda row: row.name.split("/")[1],
        why={
            "cases": "the peer leaves out todo and Unknown (datasets.py:1942), lists a row without a file, and takes "
            "the blank at the end of a name for a part of it",
            "labels": "a path's levels are the peer's labels: COVID-19 alone (older tables, volumes) is no pneumonia, "
            "and `COVID-19, ARDS` is one label (datasets.py:1951); ours adds the levels above and splits",
        },
    ),
    _check(
        "chexpert",
        "CheX_Dataset",
        _chexpert,
        rows=lambda row: row.split != "test",
        label=_chexpert_label,
        why={"cases": "the image of patient43017 is not in this copy; the peer lists the table (datasets.py:1080)"},
        after=_HEALTHY,
        notes="Batch 2 is put below train/, as the tables name it. Pixels of the validation part: see the next row, "
        "our row is of that copy.",
    ),
    _check(
        "chexpert",
        "CheXlocalize_Dataset",
        _chexlocalize,
        rows=lambda row: row.split != "train",
        label=_chexpert_label,
        after=_HEALTHY,
    ),
]
