"""MONAI on our miniatures: DecathlonDataset, TciaDataset, and its readers of NIfTI, MetaImage and DICOM.

Volumes and the affine that goes with them are compared with those of our rows. The readers are ITK, nibabel and
pydicom as MONAI puts them together; they read the file that our row names as its source.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from common import Case, Check, Ours, Workspace, patched

TASKS = "Task01_BrainTumour Task02_Heart Task03_Liver Task04_Hippocampus Task05_Prostate Task06_Lung Task07_Pancreas "
TASKS += "Task08_HepaticVessel Task09_Spleen Task10_Colon"
SLUGS = "brain heart liver hippocampus prostate lung pancreas hepatic-vessel spleen colon"


def _affine(row: Ours) -> list[list[float]]:
    image = nibabel.Nifti1Image.from_bytes(bytes(row.values["image"]["bytes"]))
    return _rounded(image.affine)


def _rounded(affine: Any) -> list[list[float]]:
    return (np.round(np.asarray(affine, dtype=float), 3) + 0.0).tolist()


def _decathlon(task: str) -> Any:
    def run(files: Path, work: Workspace) -> list[Case]:
        from monai.apps import DecathlonDataset
        from monai.transforms import LoadImaged

        cases = []
        root = work.unpack()
        for section, keys in (("training", ["image", "label"]), ("test", ["image"])):
            data = DecathlonDataset(
                root, task, section, transform=LoadImaged(keys), val_frac=0.0, num_workers=0, progress=False
            )
            names = {int(value): name for value, name in data.get_properties("labels")["labels"].items()}
            for item in data:
                image = item["image"]
                label = {"affine": _rounded(image.affine), "names": names if len(keys) > 1 else None}
                mask = np.asarray(item["label"]) if len(keys) > 1 else None
                name = Path(image.meta["filename_or_obj"]).name.removesuffix(".nii.gz")
                split = section.removesuffix("ing")
                cases.append(Case(name, image=np.asarray(image), mask=mask, label=label, split=split))
        return cases

    return run


def _decathlon_label(row: Ours) -> dict[str, Any]:
    from medimg import registry

    names = {names: name for name, names in registry.get(row.values["dataset"]).dataset.labels.items()}
    legend = {each["value"]: names[tuple(each["names"])] for each in row.label["legend"] or []}
    return {"affine": _affine(row), "names": {0: "background"} | legend if row.split == "train" else None}


def _tcia(collection: str, kind: str) -> Any:
    """TciaDataset with download=True: the two functions that ask the archive's server are answered from our files."""

    def run(files: Path, work: Workspace) -> list[Case]:
        import monai.apps.datasets as peer
        import pydicom
        from monai.transforms import LoadImage

        series: dict[str, list[Path]] = {}
        kinds = {}
        for file in sorted(files.rglob("*.dcm")):
            header = pydicom.dcmread(file, stop_before_pixels=True)
            series.setdefault(header.SeriesInstanceUID, []).append(file)
            kinds[header.SeriesInstanceUID] = header.Modality

        def asked(query: str, attribute: str) -> list[str]:
            assert query == f"getSeries?Collection={collection}&Modality={kind}" and attribute == "SeriesInstanceUID"
            return [uid for uid, modality in kinds.items() if modality == kind]

        def fetched(series_uid: str, download_dir: str, output_dir: str, check_md5: bool) -> None:
            Path(output_dir).mkdir(parents=True)
            for file in series[series_uid]:
                shutil.copy(file, output_dir)

        cases = []
        load = LoadImage(reader="ITKReader", image_only=True, dtype=None)
        with patched(peer, get_tcia_metadata=asked, download_tcia_series_instance=fetched):
            data = peer.TciaDataset(work.folder, collection, "test", download=True, seg_type=kind, progress=False)
        for item in data.data:
            image = load(item["image"])
            (drawn,) = Path(item[kind.lower()]).iterdir()
            header = pydicom.dcmread(drawn, stop_before_pixels=True)
            names = [each.SegmentLabel for each in header.get("SegmentSequence", [])]
            names += [each.ROIName for each in header.get("StructureSetROISequence", [])]
            uid = pydicom.dcmread(next(Path(item["image"]).iterdir()), stop_before_pixels=True).SeriesInstanceUID
            cases.append(Case(uid, image=_canonical(image, image.affine)[0], label=sorted(names)))
        return cases

    return run


def _outlined(row: Ours) -> list[str]:
    """Names of segments or outlines as the source has them."""
    source = row.label["source"]
    return sorted(source["segments"] if "segments" in source else [roi["ROIName"] for roi in source["ROIs"]])


# Readers


def _source(root: Path, row: Ours) -> Path:
    """The file that the row names: the path's end that fits one file alone."""
    parts = Path(row.meta["source_path"]).parts
    files = [path for path in root.rglob(parts[-1].replace("[", "[[]")) if path.is_file()]
    for start in range(len(parts)):
        found = [path for path in files if path.parts[-len(parts) + start :] == parts[start:]]
        if len(found) == 1:
            return found[0]
    raise FileNotFoundError(row.meta["source_path"])


def _one_series(rows: list[Ours]) -> list[Ours]:
    """Rows whose DICOM folder holds no other row."""
    folders = Counter(str(Path(row.meta["source_path"]).parent) for row in rows)
    return [row for row in rows if folders[str(Path(row.meta["source_path"]).parent)] == 1]


def _canonical(array: Any, affine: Any) -> tuple[np.ndarray, list[list[float]]]:
    """Axes as close to R, A, S as they come: readers of DICOM begin at either end of the stack."""
    image = nibabel.as_closest_canonical(nibabel.Nifti1Image(np.asarray(array, dtype=float), np.asarray(affine)))
    return np.asarray(image.dataobj), _rounded(image.affine)


def _volume(row: Ours) -> tuple[np.ndarray, list[list[float]]]:
    image = nibabel.Nifti1Image.from_bytes(bytes(row.values["image"]["bytes"]))
    return np.asanyarray(image.dataobj), image.affine


def _is_volume(row: Ours) -> bool:
    return row.values["image"]["path"].endswith(".nii")


def _files(reader: str) -> Any:
    def run(files: Path, work: Workspace) -> list[Case]:
        from monai.transforms import LoadImage

        root, cases = work.unpack(), []
        load = LoadImage(reader=reader, image_only=True, dtype=None)
        for row in filter(_is_volume, work.ours):
            image = load(_source(root, row))
            cases.append(Case(row.name, image=np.asarray(image), label=_rounded(image.affine)))
        return cases

    return run


def _series(files: Path, work: Workspace) -> list[Case]:
    from monai.transforms import LoadImage

    root, cases = work.unpack(), []
    load = LoadImage(reader="ITKReader", image_only=True, dtype=None)
    for row in _one_series([each for each in work.ours if _is_volume(each)]):
        file = _source(root, row)
        image = load(file.parent if file.suffix == ".dcm" else file)
        array, affine = _canonical(image, image.affine)
        cases.append(Case(row.name, image=array, label=affine))
    return cases


def _first(row: Ours) -> np.ndarray:
    """Of images that we stack into one volume, the first, which the row names."""
    image = row.image
    return image[..., 0] if row.values["sequence"] and image.ndim == 4 else image


def _slides(files: Path, work: Workspace) -> list[Case]:
    """The places of our tiles, read by the peer; its places are those of level 0, rows first."""
    from monai.data import WSIReader

    root, cases, reader = work.unpack(), [], WSIReader("tifffile")
    for row in work.ours:
        slide, level = row.meta["slide"], row.meta["level"]
        place = tuple(round(row.meta[axis] * row.meta["downsample"]) for axis in "yx")
        images = {}
        for kind, name in (("image", f"train_images/{slide}"), ("mask", f"train_label_masks/{slide}_mask")):
            if not (root / f"{name}.tiff").is_file():
                continue
            opened = reader.read(root / f"{name}.tiff")
            images[kind], _ = reader.get_data(opened, place, tuple(row.values["shape"]), level)
        mask = images.get("mask")
        cases.append(Case(row.name, image=np.moveaxis(images["image"], 0, -1), mask=None if mask is None else mask[0]))
    return cases


READERS = {
    "NibabelReader": "3dlsc-covid abdomenct-1k abide acdc brats2019 brats2021 covid-chestxray iseg2019 kits19 lits "
    "mmwhs mrspineseg structseg2019 verse",
    "NumpyReader": "mrnet",
    "ITKReader": "camus lndb luna16 retouch tianchi-lung-nodule vessel12",
    "ITKReader, a series": "4d-lung adni acrin-flt-breast chaos cq500 dsb2017 lidc-idri lung-pet-ct-dx nsclc-radiomics "
    "pdmr-833975-119-r qin-breast qin-lung-ct qin-prostate-repeatability rider-breast-mri tcga-lihc",
}
_SEVERAL = {
    "cases": "a series of several volumes (frames, b-values, echo times, flip angles) is one stack to ITK: left out"
}
WHY: dict[str, dict[str, str]] = {
    "acdc": {
        "labels": "the sform lies, as in the source; MONAI puts the qform in its place (data/utils.py:763), we keep "
        "the file's header and give its voxel size as `spacing`"
    },
    "acrin-flt-breast": _SEVERAL,
    "camus": {"labels": "ITK gives pictures (.mhd of 2-D) an affine of 3 x 3; ours is that of a slice, the rest equal"},
    "dsb2017": _SEVERAL,
    "iseg2019": {"pixels": "MONAI keeps the fourth axis of the Analyze files, which has one element"},
    "qin-breast": _SEVERAL,
    "qin-prostate-repeatability": _SEVERAL,
    "tcga-lihc": _SEVERAL,
}


def _reader(slug: str, reader: str) -> Check:
    dicom = reader.endswith("series")
    return Check(
        slug,
        f"monai.transforms.LoadImage({reader})",
        _series if dicom else _files(reader),
        peer="monai",
        rows=_is_volume,
        image=(lambda row: _canonical(*_volume(row))[0]) if dicom else _first,
        label=(lambda row: _canonical(*_volume(row))[1]) if dicom else _affine,
        why=WHY.get(slug, {}),
        notes="Affines under labels. PydicomReader goes by InstanceNumber, which our phantoms shuffle." * dicom
        or "Affines under labels.",
    )


CHECKS = [
    *(
        Check(
            f"msd-{slug}",
            "monai.apps.DecathlonDataset",
            _decathlon(task),
            peer="monai",
            label=_decathlon_label,
            notes="Labels: mask values, names of the values, affines.",
        )
        for slug, task in zip(SLUGS.split(), TASKS.split(), strict=True)
    ),
    *(_reader(slug, reader) for reader, slugs in READERS.items() for slug in slugs.split()),
    *(
        Check(
            slug,
            f"monai.apps.TciaDataset({kind})",
            _tcia(collection, kind),
            peer="monai",
            key=lambda row: row.meta["SeriesInstanceUID"],
            rows=lambda row: row.label["mask"] is not None,
            image=lambda row: _canonical(*_volume(row))[0],
            label=_outlined,
            notes="It follows each file of outlines to its series; labels: their names. The outlines are not decoded: "
            "PydicomReader reads no RTSTRUCT, and of a SEG only one with all frames (image_reader.py, _get_seg_data).",
            patched="the two functions that ask the archive's server.",
        )
        for slug, collection, kind in (
            ("qin-prostate-repeatability", "QIN-PROSTATE-Repeatability", "SEG"),
            ("nsclc-radiomics", "NSCLC-Radiomics", "RTSTRUCT"),
        )
    ),
    Check(
        "panda",
        "monai.data.WSIReader(tifffile)",
        _slides,
        peer="monai",
        notes="Tiles of the slides and masks.",
    ),
]
