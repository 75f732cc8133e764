"""torch-em: its loaders for medical images and light microscopy, on our miniatures.

torch-em's own packages are imported without their `__init__`, which want torchvision, kornia and a compiled library for
training alone. Its download code runs: the functions that would fetch a file are given ours instead (`served`), so its
unpacking meets our archives. Files are read with its own `load_data`.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import functools
import importlib
import json
import re
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pydicom
from common import Case, Check, Ours, Workspace, bare, outlines, patched
from natsort import natsorted

DATA = "torch_em.data.datasets"
for _package in ("torch_em", f"{DATA}", f"{DATA}.medical", f"{DATA}.light_microscopy", "torch_em.util"):
    bare(_package)
bare("torch_em.data", ConcatDataset=list, ImageCollectionDataset=None, RawImageCollectionDataset=None)
bare("torch_em.transform", get_raw_transform=None)
util = importlib.import_module(f"{DATA}.util")
load_data = importlib.import_module("torch_em.util.image").load_data


def peer(name: str, group: str = "medical") -> Any:
    """One of torch-em's dataset modules."""
    return importlib.import_module(f"{DATA}.{group}.{name}")


# What torch-em would download


@contextlib.contextmanager
def served(work: Workspace, without: str = "//", **renamed: str) -> Iterator[None]:
    """torch-em's downloads, answered with files of the miniature by name.

    Args:
        work: the check's workspace.
        without: DICOM series with this in their path are not what torch-em would download.
        renamed: its name (`_` for other signs) -> a path of ours.
    """

    def source(path: str, url: str, download: bool, *_: Any, **__: Any) -> None:
        if not Path(path).exists():
            name = Path(urlparse(url).path).name
            ours = renamed.get(name.replace("-", "_").replace(".", "_"), name)
            (file,) = [each for each in work.files.rglob(Path(ours).name) if each.as_posix().endswith(ours)]
            shutil.copy(file, path)

    series = {uid: found for uid, found in _series(work.files).items() if without not in str(found[0][0])}

    def tcia_series(series_uids: list[str], dst: str, csv_filename: str) -> str:
        for uid in series_uids:
            (Path(dst) / uid).mkdir(parents=True, exist_ok=True)
            for number, (file, _) in enumerate(series[uid], 1):
                shutil.copy(file, Path(dst) / uid / f"1-{number:03}.dcm")
        with Path(f"{csv_filename}.csv").open("w", newline="") as table:
            writer = csv.writer(table)
            writer.writerow(["Subject ID", "Series UID", "Modality", "Series Description"])
            for uid in series_uids:
                head = series[uid][0][1]
                writer.writerow([head.PatientID, uid, head.Modality, head.get("SeriesDescription", "")])
        return f"{csv_filename}.csv"

    def tcia(path: str, url: str, dst: str, csv_filename: str, download: bool) -> None:
        tcia_series(list(series), dst, csv_filename)

    changes = {
        "download_source": source,
        "download_source_gdrive": source,
        "download_tcia_series": tcia_series,
        "download_source_tcia": tcia,
        "_check_checksum": lambda *_, **__: None,
    }
    with patched(util, **changes):
        yield


@functools.cache
def _series(files: Path) -> dict[str, list[tuple[Path, pydicom.Dataset]]]:
    """The DICOM files of a miniature by series, as the archive's download would sort them."""
    found = defaultdict(list)
    for file in sorted(files.rglob("*.dcm")):
        head = pydicom.dcmread(file, stop_before_pixels=True)
        found[str(head.SeriesInstanceUID)].append((file, head))
    return dict(found)


def listed(work: Workspace, *modalities: str) -> list[dict[str, str]]:
    """What the archive's service says of the miniature's series."""
    heads = [series[0][1] for series in _series(work.files).values()]
    return [
        {
            "SeriesInstanceUID": str(head.SeriesInstanceUID),
            "PatientID": str(head.PatientID),
            "Modality": head.Modality,
        }
        for head in heads
        if head.Modality in modalities
    ]


# Reading as torch-em does


def volume(path: str | Path, key: str = "data") -> np.ndarray:
    """A volume, turned from torch-em's z, y, x to our i, j, k."""
    return np.asarray(load_data(str(path), key)[:]).T


def picture(path: str | Path) -> np.ndarray:
    """A picture."""
    return np.asarray(load_data(str(path)))


def stem(path: str | Path) -> str:
    """File name without the endings."""
    return Path(path).name.split(".")[0]


SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""torch-em's words for splits, and ours."""


def of(split: str, cases: list[Case]) -> list[Case]:
    """The cases, with their split."""
    return [dataclasses.replace(case, split=SPLITS[split.lower()]) for case in cases]


def last(row: Ours) -> str:
    """The case alone: an id may have its configuration in front."""
    return row.name.rsplit("/", 1)[-1]


def volumes(images: list[str], masks: list[str], name: Any = stem) -> list[Case]:
    """Cases of paired NIfTI files."""
    assert len(images) == len(masks)
    return [Case(name(a), volume(a), volume(b)) for a, b in zip(images, masks, strict=True)]


def pictures(images: list[str], masks: list[str], name: Any = stem) -> list[Case]:
    """Cases of paired pictures; a mask is where the file is not 0."""
    assert len(images) == len(masks)
    return [Case(name(a), picture(a), picture(b) > 0) for a, b in zip(images, masks, strict=True)]


def some(row: Ours) -> Any:
    """Where a row's label map is not 0."""
    return row.mask > 0


def annotated(row: Ours) -> bool:
    return row.label["mask"] is not None


# The datasets


def abdomenct_1k(folder: Path, work: Workspace) -> list[Case]:
    work.place("^Mask/")
    with served(work):
        return volumes(
            *peer("abdomenct_1k").get_abdomenct_1k_paths(work.folder, True),
            lambda a: stem(a)[: -len("_0000")],
        )


def acdc(folder: Path, work: Workspace) -> list[Case]:
    with served(work, download="ACDC.zip"):
        return [
            case
            for split in ("train", "test")
            for case in of(split, volumes(*peer("acdc").get_acdc_paths(work.folder, split, True)))
        ]


def busi(folder: Path, work: Workspace) -> list[Case]:
    with served(work):
        return pictures(*peer("busi").get_busi_paths(work.folder, None, True))


def camus(folder: Path, work: Workspace) -> list[Case]:
    work.unpack(r"CAMUS_public\.zip$")
    (work.folder / "CAMUS_public/database_nifti").rename(work.folder / "database_nifti")
    return volumes(*peer("camus").get_camus_paths(work.folder))


def chaos(folder: Path, work: Workspace) -> list[Case]:
    def name(path: str) -> str:
        number, sort = stem(path).split("_", 1)
        if sort == "CT":
            return f"ct-{number}"
        return f"mr-{number}-" + {"T1DUAL_MR": "t1dual-inphase", "T2SPIR_MR": "t2spir"}[sort]

    with served(work):
        images, masks = peer("chaos").get_chaos_paths(work.folder, "train", None, True)
    cases = []
    for image, mask in zip(images, masks, strict=True):
        # Its arrays are rows, columns, slices: to i, j, k; slices by their place.
        number, sort = stem(image).split("_", 1)
        folder = {
            "CT": "DICOM_anon",
            "T1DUAL_MR": "T1DUAL/DICOM_anon/InPhase",
            "T2SPIR_MR": "T2SPIR/DICOM_anon",
        }[sort]
        files = (work.folder / "data/Train_Sets" / sort[-2:] / number / folder).glob("*.dcm")
        heads = [pydicom.dcmread(file) for file in natsorted(files)]
        order = np.argsort([head.ImagePositionPatient[2] for head in heads])
        a, b = (np.asarray(load_data(path, "data")[:]).T.transpose(1, 0, 2)[..., order] for path in (image, mask))
        # MRI: the gray values, 63, 126, 189 and 252 with a range around them, to 1, 2, 3, 4.
        cases.append(Case(name(image), a, np.round(b / 63) if b.max() > 1 else b))
    return cases


def chase_db1(folder: Path, work: Workspace) -> list[Case]:
    cases = []
    with served(work):
        for annotator in ("1st", "2nd"):
            for split in ("train", "val", "test"):
                pair = peer("chase_db1").get_chase_db1_paths(work.folder, split, annotator, True)
                cases += pictures(*pair, lambda a, by=annotator: f"{stem(a).removeprefix('Image_')}-{by}HO")
    return cases


def four_d_lung(folder: Path, work: Workspace) -> list[Case]:
    for modality in ("RTSTRUCT", "CT"):
        (work.folder / f"series_{modality.lower()}.json").write_text(json.dumps(listed(work, modality)))
    module, fill = peer("four_d_lung"), util.rasterize_rtstruct

    def without_planning(path: str, geometry: Any, shape: Any, labels: Any) -> np.ndarray:
        return fill(
            path,
            geometry,
            shape,
            lambda number, name: None if name.startswith("PTV") else labels(number, name),
        )

    with served(work), patched(util, rasterize_rtstruct=without_planning):
        paths = module.get_four_d_lung_paths(work.folder, True)
    names = {}
    for each in listed(work, "RTSTRUCT"):
        uid = each["SeriesInstanceUID"]
        image = module._referenced_series_uid(next((work.folder / "rtstructs" / uid).glob("*.dcm")))
        names[f"{each['PatientID']}_{uid[-8:]}"] = f"{each['PatientID']}_{image}"
    return [Case(names[stem(path)], volume(path, "raw"), volume(path, "labels") > 0) for path in paths]


def thoracic(row: Ours) -> Any:
    """torch-em's numbers of NSCLC-Radiomics, the lower one where structures overlap."""
    numbers = peer("nsclc_radiomics").STRUCTURE_IDS
    ours = {"tumor": ("gross tumor volume",), "lung": ("lung", "left lung", "right lung")}
    numbered = np.zeros(row.mask.shape, int)
    for name in sorted(numbers, key=numbers.get, reverse=True):
        numbered[row.named(*ours.get(name, [name.replace("_", " ")]))] = numbers[name]
    return numbered


def told(numbers: dict[str, int], **renamed: str) -> dict[int, str]:
    """torch-em's words for the values of a mask; `renamed`: those that the vocabulary does not know."""
    return {value: renamed.get(word, word.replace("_", " ")) for word, value in numbers.items() if value}


def documented(name: str, pattern: str, **renamed: str) -> dict[int, str]:
    """The same, from the module's documentation."""
    return told({word: int(value) for value, word in re.findall(pattern, peer(name).__doc__)}, **renamed)


def structures(row: Ours) -> dict[int, str]:
    """What torch-em calls the values of the four tasks of StructSeg."""
    numbers = peer("structseg").LABEL_IDS[{config: task for task, config in STRUCTSEG.items()}[row.config]]
    joint = {f"tm_joint_{side[0]}": f"{side} temporomandibular joint" for side in ("left", "right")}
    return told(numbers, nasopharynx_gtv="gross tumor volume", lung_gtv="gross tumor volume", **joint)


def drive(folder: Path, work: Workspace) -> list[Case]:
    cases = []
    with served(work):
        for split in ("train", "val", "test"):
            cases += pictures(*peer("drive").get_drive_paths(work.folder, split, True), lambda a: stem(a)[:2])
    return cases


def echonet_dynamic(folder: Path, work: Workspace) -> list[Case]:
    images, masks = peer("echonet_dynamic").get_echonet_dynamic_paths(work.unpack() / "EchoNet-Dynamic")
    frames: dict[tuple[str, str], dict[int, Any]] = defaultdict(dict)
    for image, mask in zip(images, masks, strict=True):
        case, split, number = stem(image).rsplit("_", 2)
        frames[case, split][int(number)] = picture(mask)
    return [
        Case(
            case,
            mask=np.stack([each[number].T for number in sorted(each)], axis=-1),
            label=sorted(each),
            split=SPLITS[split.lower()],
        )
        for (case, split), each in frames.items()
    ]


def echonet_frames(row: Ours) -> list[int]:
    """The annotated frames; the others hold 255."""
    return [number for number in range(row.mask.shape[-1]) if not (row.mask[..., number] == 255).all()]


def hc18(folder: Path, work: Workspace) -> list[Case]:
    place = work.unpack("training_set.zip", flat=True) / "training_set"
    true = {stem(path) for path in place.glob("*HC.png")}
    for number in range(999 - len(true)):
        for end in ("", "_Annotation"):
            shutil.copy(place / f"000_HC{end}.png", place / f"{number:03}_{9}HC{end}.png")
    return [case for case in pictures(*peer("hc18").get_hc18_paths(work.folder)) if case.id in true]


def idrid(folder: Path, work: Workspace) -> list[Case]:
    work.place("^A", into="data")
    images, masks = {}, {}
    module = peer("idrid")
    for split in ("train", "test"):
        for bit, task in enumerate(module.TASKS):
            for image, mask in zip(*module.get_idrid_paths(work.folder, split, task), strict=True):
                case = f"segmentation-{split}-{stem(image)}"
                images[case] = picture(image)
                drawn = picture(mask)
                drawn = drawn if drawn.ndim == 2 else drawn.any(axis=-1)
                masks[case] = masks.get(case, 0) + (drawn > 0).astype(int) * 2**bit
    return [Case(case, images[case], masks[case], split=case.split("-")[1]) for case in images]


def isic(folder: Path, work: Workspace) -> list[Case]:
    cases = []
    with served(work):
        for split in SPLITS:
            pairs = peer("isic").get_isic_paths(work.folder, split, True)
            cases += of(split, pictures(*pairs, lambda a: f"task1-{stem(a)}"))
    return cases


def kvasir(folder: Path, work: Workspace) -> list[Case]:
    with served(work):
        return pictures(*peer("kvasir").get_kvasir_paths(work.folder, True))


def lidc_idri(folder: Path, work: Workspace) -> list[Case]:
    # It wants an XML file of every CT, as every real one has; the miniature has a CT that nobody read.
    read = {row.meta["SeriesInstanceUID"] for row in work.ours if annotated(row)}
    known = [{**each, "SeriesNumber": 1} for each in listed(work, "CT") if each["SeriesInstanceUID"] in read]
    (work.folder / "lidc_idri_ct_series.json").write_text(json.dumps(known))
    away = r"<roi>(?:(?!</roi>).)*imageSOP_UID>2\.25\.7<.*?</roi>"
    for file in work.files.rglob("*.xml"):
        (work.folder / file.name).write_text(re.sub(away, "", file.read_text()))
    with served(work):
        paths = peer("lidc_idri").get_lidc_idri_paths(work.folder, True)
    import h5py

    cases = []
    for path in paths:
        with h5py.File(path) as file:
            name = f"{file.attrs['patient_id']}_{file.attrs['series_uid']}"
        cases.append(Case(name, volume(path, "raw"), volume(path, "labels/n_readers")))
    return cases


def lndb(folder: Path, work: Workspace) -> list[Case]:
    for number in range(6):
        for file in (work.files / f"data{number}").glob("*"):
            (work.folder / "data").mkdir(exist_ok=True)
            shutil.copy(file, work.folder / "data")
        (work.folder / f"data{number}.extracted").touch()
    work.place("^masks/")
    module = peer("lndb")
    count = len(list((work.folder / "masks").glob("*.mhd")))
    with served(work), patched(module, N_MASKS=count):
        paths = module.get_lndb_paths(work.folder, True)
    return [Case(stem(path), volume(path, "raw"), volume(path, "labels/n_readers")) for path in paths]


def montgomery(folder: Path, work: Workspace) -> list[Case]:
    with served(work):
        return pictures(*peer("montgomery").get_montgomery_paths(work.folder, True))


def msd(folder: Path, work: Workspace, task: str) -> list[Case]:
    module, seen = peer("msd"), {}
    module.torch_em.default_segmentation_dataset = lambda **given: seen.update(given) or []
    with served(work):
        module.get_msd_dataset(work.folder, (1, 1, 1), task, True)
    return volumes(sorted(seen["raw_paths"]), sorted(seen["label_paths"]))


def nsclc_radiomics(folder: Path, work: Workspace) -> list[Case]:
    with served(work):
        paths = peer("nsclc_radiomics").get_nsclc_radiomics_paths(work.folder, True)
    return [Case(stem(path), volume(path, "raw"), volume(path, "labels")) for path in paths]


def qin_lungct(folder: Path, work: Workspace) -> list[Case]:
    module = peer("qin_lungct_seg")
    with served(work, without="AIMI"):
        paths = module.get_qin_lungct_seg_paths(work.folder, True)

    def image(uid: str) -> str:
        return module._get_referenced_series(slices(work, uid)[0])

    return joined(work, paths, image, lambda all: sum(all) > 0)


def qin_prostate(folder: Path, work: Workspace) -> list[Case]:
    module = peer("qin_prostate")
    (work.folder / "qin_prostate_series.json").write_text(json.dumps(listed(work, "SEG", "MR")))
    with served(work):
        paths = module.get_qin_prostate_paths(work.folder, True)

    def image(uid: str) -> str:
        return module._referenced_series_uid(pydicom.dcmread(slices(work, uid)[0], stop_before_pixels=True))

    names = {
        "normal": "normal prostate tissue",
        "peripheral_zone": "peripheral zone of prostate",
        "lesion": "prostate lesion",
    }
    cases = joined(work, paths, image, lambda all: all[0])
    ours = {row.name: row for row in work.ours}
    for number, case in enumerate(cases):
        # Where the one structure that it keeps is among ours, ours is taken, else -1.
        row = ours[case.id]
        same = [row.named(names.get(name, name)) & (case.mask == value) for name, value in module.SEGMENT_IDS.items()]
        among = np.any(same, axis=0)
        mask = np.where(among, row.mask, np.where(case.mask == 0, 0, -1))
        cases[number] = Case(case.id, case.image, mask)
    return cases


def slices(work: Workspace, uid: str) -> list[Path]:
    return sorted((work.folder / "dicom" / uid).glob("*.dcm"))


def joined(work: Workspace, paths: list[str], image: Any, join: Any) -> list[Case]:
    """torch-em has a case per segmentation, we have one per image: those of one image together."""
    found = defaultdict(list)
    for path in paths:
        found[image(Path(path).stem)].append((volume(path, "raw"), volume(path, "labels")))
    people = {each["SeriesInstanceUID"]: each["PatientID"] for each in listed(work, "CT", "MR")}
    return [
        Case(f"{people[uid]}_{uid}", pairs[0][0], join([labels for _, labels in pairs])) for uid, pairs in found.items()
    ]


def refuge(folder: Path, work: Workspace) -> list[Case]:
    module = peer("refuge")
    work.place("^REFUGE2/")
    cases = []
    for split in SPLITS:
        images, discs = module.get_refuge_paths(work.folder, split, "disc")
        _, cups = module.get_refuge_paths(work.folder, split, "cup")
        for image, disc, cup in zip(images, discs, cups, strict=True):
            case = Case(stem(image), picture(image), picture(disc) + picture(cup), split=SPLITS[split])
            cases.append(case)
    return cases


def retouch(folder: Path, work: Workspace) -> list[Case]:
    for vendor in ("Cirrus", "Spectralis", "Topcon"):
        work.unpack(f"RETOUCH-TrainingSet-{vendor}.zip", flat=True)
    for case in work.folder.rglob("TRAIN*"):
        if not (case / "reference.mhd").exists():
            shutil.rmtree(case)
    paths = peer("retouch").get_retouch_paths(work.folder)
    return [Case(stem(path).split("_")[1], volume(path, "raw"), volume(path, "labels")) for path in paths]


def stare(folder: Path, work: Workspace) -> list[Case]:
    cases = []
    with served(work):
        for who in ("ah", "vk"):
            pair = peer("stare").get_stare_paths(work.folder, who, True)
            # Some drawings have grays: cut as ours are.
            cases += [Case(f"{stem(a)}-{who}", picture(a), picture(b) >= 128) for a, b in zip(*pair, strict=True)]
    return cases


def structseg(folder: Path, work: Workspace) -> list[Case]:
    module = peer("structseg")
    work.unpack(flat=True)
    return [
        case
        for task, config in STRUCTSEG.items()
        for case in volumes(
            *module.get_structseg_paths(work.folder, task),
            lambda a, config=config: f"{config}/{Path(a).parent.name}",
        )
    ]


def verse(folder: Path, work: Workspace) -> list[Case]:
    cases = []
    for split, name in (("train", "training"), ("val", "validation"), ("test", "test")):
        (top,) = work.unpack(f"{name}.zip$", into=name, flat=True).iterdir()
        (work.folder / "data").mkdir(exist_ok=True)
        top.rename(work.folder / "data" / split)
        pairs = peer("verse").get_verse_paths(work.folder, split)
        cases += of(split, volumes(*pairs, lambda a: stem(a).removesuffix("_ct")))
    return cases


def chest_xray_masks(folder: Path, work: Workspace) -> list[Case]:
    place = work.folder / "Lung Segmentation"
    work.unpack("ChinaSet")
    shutil.copytree(next(work.folder.rglob("CXR_png")), place / "CXR_png")
    shutil.copytree(work.place("^mask/") / "mask", place / "masks")
    return pictures(*peer("chest_xray_masks").get_chest_xray_masks_paths(work.folder))


def dsb(folder: Path, work: Workspace) -> list[Case]:
    with (
        zipfile.ZipFile(work.files / "stage1_train.zip") as source,
        zipfile.ZipFile(work.files / "train-hand.zip", "w") as target,
    ):
        for name in source.namelist():
            target.writestr(f"train-hand/{name}", source.read(name))
    with served(work):
        images, masks = peer("dsb", "light_microscopy").get_dsb_paths(work.folder, "full", None, None, True)
    return [Case(stem(a).split("_")[1], picture(a), ordered(picture(b))) for a, b in zip(images, masks, strict=True)]


def ordered(mask: np.ndarray) -> np.ndarray:
    """Instances numbered by their first pixel: which number an instance has is nobody's word."""
    values, first = np.unique(mask, return_index=True)
    order = [value for _, value in sorted(zip(first, values, strict=True)) if value]
    numbered = np.zeros(mask.shape, int)
    for number, value in enumerate(order, 1):
        numbered[mask == value] = number
    return numbered


def ctc(folder: Path, work: Workspace, truth: str = "GT") -> list[Case]:
    module, cases = peer("ctc", "light_microscopy"), []
    for name in module.CTC_2D_DATASETS + module.CTC_3D_DATASETS:
        with served(work, **{f"{name}.zip".replace("-", "_").replace(".", "_"): f"training/{name}.zip"}):
            module.get_ctc_segmentation_data(work.folder, name, "train", True)
            if not list(work.folder.glob(f"train/{name}/*_{truth}")):
                continue
            images, masks = module.get_ctc_segmentation_paths(work.folder, name, "train", None, True, truth)
        if name in module.CTC_2D_DATASETS:
            images = [str(each) for place in images for each in sorted(Path(place).glob("*.tif"))]
            masks = [str(each) for place in masks for each in sorted(Path(place).glob("*.tif"))]
        for image, mask in zip(images, masks, strict=True):
            number = stem(mask).removeprefix("man_seg").strip("_")
            sequence = Path(mask).parents[1].name.split("_")[0]
            case = f"{name}/train-{sequence}-t{number}"
            cases.append(Case(case, *(each.T if each.ndim == 3 else each for each in map(picture, (image, mask)))))
    return cases


MEDICAL = f"{DATA}.medical"
STRUCTSEG = {"task1": "han-oar", "task2": "naso-gtv", "task3": "thoracic-oar", "task4": "lung-gtv"}
OUTLINES = "its way to fill an outline (skimage.draw.polygon) differs by up to one pixel along it"
TASKS = {
    "brain": "braintumour",
    "hepatic_vessel": "hepaticvessel",
    **{name: name for name in ("heart", "liver", "hippocampus", "prostate", "lung", "pancreas", "spleen", "colon")},
}

CHECKS = [
    Check(
        "abdomenct_1k",
        f"{MEDICAL}.abdomenct_1k.get_abdomenct_1k_paths",
        abdomenct_1k,
        rows=annotated,
        meaning=lambda row: told(peer("abdomenct_1k").CLASS_IDS),
        notes="The masks are placed unpacked: a 7z archive cannot be written here.",
    ),
    Check(
        "acdc",
        f"{MEDICAL}.acdc.get_acdc_paths",
        acdc,
        key=last,
        rows=lambda row: row.config == "frames",
        meaning=lambda row: documented("acdc", r"([1-3]) \(([\w ]+)\)", myocardium="left ventricle myocardium"),
    ),
    Check(
        "brats2021",
        f"{MEDICAL}.brats.get_brats_paths",
        cannot="reads the release of 2023 alone (BraTS-GLI-*-t2f.nii.gz, brats.py `_find_data`), and its 1251 studies.",
    ),
    Check(
        "busi",
        f"{MEDICAL}.busi.get_busi_paths",
        busi,
        key=lambda row: row.name.replace("-", " (") + ")",
        mask=some,
        why={
            "labels": "it reads the first mask of an image with several (busi.py `get_busi_paths`: `*)_mask.png`), "
            "we unite them."
        },
    ),
    Check(
        "camus",
        f"{MEDICAL}.camus.get_camus_paths",
        camus,
        key=last,
        rows=lambda row: row.name.endswith("half_sequence"),
        notes="Its address gives the folder database_nifti alone, which is taken from our archive.",
    ),
    Check(
        "chaos",
        f"{MEDICAL}.chaos.get_chaos_paths",
        chaos,
        rows=lambda row: annotated(row) and not row.name.endswith("outphase"),
        image=lambda row: row.image + (1024 if row.name.startswith("ct-") else 0),
        after={
            "pixels": "it leaves out the rescaling of CT (chaos.py `_open_image`) and stacks slices by name, here put "
            "in their place in space",
            "labels": "slices are stacked by name (chaos.py `_preprocess_inputs`), here put in their place in space",
        },
        notes="It reads the in-phase images of T1-DUAL, which we have too with those out of phase.",
    ),
    Check(
        "chase_db1",
        f"{MEDICAL}.chase_db1.get_chase_db1_paths",
        chase_db1,
        key=last,
        mask=some,
        notes="Its splits are the first 16, the next 4 and the rest of the pairs; the source has none.",
    ),
    Check(
        "d4d_lung",
        f"{MEDICAL}.four_d_lung.get_four_d_lung_paths",
        four_d_lung,
        rows=annotated,
        mask=lambda row: np.bitwise_xor.reduce(
            [row.named(name) for name in ("lung tumor", "lymph node", "carina", "vertebra")]
        ),
        after={
            "labels": "it has one value for all structures (four_d_lung.py `_preprocess_four_d_lung`), and none where "
            "two overlap (util.py `rasterize_rtstruct`)"
        },
        patched="the planning volume (PTV) is kept from it, which is no structure to us.",
    ),
    Check(
        "drive",
        f"{MEDICAL}.drive.get_drive_paths",
        drive,
        key=lambda row: last(row)[:2],
        rows=lambda row: row.split == "train",
        mask=lambda row: row.named("retinal vessel"),
        notes="It reads training.zip alone, and splits it anew.",
    ),
    Check(
        "echonet_dynamic",
        f"{MEDICAL}.echonet_dynamic.get_echonet_dynamic_paths",
        echonet_dynamic,
        rows=annotated,
        mask=lambda row: row.mask[..., echonet_frames(row)],
        tolerate=outlines,
        after={"labels": OUTLINES},
        label=echonet_frames,
        notes="It cuts out the two annotated frames, we keep the video; their numbers and masks are compared.",
    ),
    Check(
        "hc18",
        f"{MEDICAL}.hc18.get_hc18_paths",
        hc18,
        key=lambda row: row.name.removeprefix("train-"),
        rows=annotated,
        mask=lambda row: some(row)[..., None].repeat(3, -1) if row.name.startswith("train-010") else some(row),
        why={
            "labels": "where the outline has three channels, it fills holes in three dimensions, that is none "
            "(hc18.py `_create_mask`), and keeps the channels."
        },
        notes="Copies of a case make up the 999 that it asserts.",
    ),
    Check(
        "idrid",
        f"{MEDICAL}.idrid.get_idrid_paths",
        idrid,
        key=last,
        rows=lambda row: row.config == "segmentation",
        meaning=lambda row: told(
            {task: 2**bit for bit, task in enumerate(peer("idrid").TASKS)}, haemorrhages="retinal hemorrhage"
        ),
        notes="Its five tasks are put into one label map.",
    ),
    Check(
        "isic_2018",
        f"{MEDICAL}.isic.get_isic_paths",
        isic,
        key=last,
        rows=lambda row: row.config == "task1",
        mask=some,
    ),
    Check(
        "kits19",
        f"{MEDICAL}.kits.get_kits_paths",
        cannot="reads KiTS23 alone: it asserts files of single readers (instances/kidney_instance-1*, kits.py "
        "`_preprocess_inputs`), which KiTS19 has not.",
    ),
    Check(
        "kvasir_seg",
        f"{MEDICAL}.kvasir.get_kvasir_paths",
        kvasir,
        mask=some,
        why={"labels": "the JPEG masks are cut at 240 there (kvasir.py `get_kvasir_paths`), at 128 here."},
    ),
    Check(
        "lidc_idri",
        f"{MEDICAL}.lidc_idri.get_lidc_idri_paths",
        lidc_idri,
        rows=annotated,
        why={
            "labels": "of a region that is taken out of a nodule it also takes out the outline (lidc_idri.py "
            "`_rasterize_nodule`), we what the outline encloses."
        },
        notes="Its number of readers of a voxel is our label. An outline on a slice that is not there and a CT that "
        "nobody read, at which it stops, are kept from it.",
    ),
    Check(
        "lndb",
        f"{MEDICAL}.lndb.get_lndb_paths",
        lndb,
        key=last,
        rows=lambda row: row.config == "rad1" and row.split == "train",
        mask=lambda row: sum(other.mask > 0 for other in row.all if last(other) == last(row)),
        after={"labels": "it counts the readers of a voxel, which is the sum of our masks"},
        patched="N_MASKS, the number of masks (480).",
        notes="The archives are placed unpacked: RAR cannot be written here.",
    ),
    Check("montgomery_cxr", f"{MEDICAL}.montgomery.get_montgomery_paths", montgomery, mask=some),
    *(
        Check(
            f"msd_{ours}",
            f"{MEDICAL}.msd.get_msd_dataset",
            functools.partial(msd, task=theirs),
            rows=lambda row: row.split == "train",
        )
        for ours, theirs in TASKS.items()
    ),
    Check(
        "nsclc_radiomics",
        f"{MEDICAL}.nsclc_radiomics.get_nsclc_radiomics_paths",
        nsclc_radiomics,
        key=lambda row: row.name.split("_")[0],
        mask=thoracic,
        after={"labels": "where structures overlap, it keeps one (util.py `rasterize_rtstruct`), we keep all"},
    ),
    Check(
        "qin_lung_ct",
        f"{MEDICAL}.qin_lungct_seg.get_qin_lungct_seg_paths",
        qin_lungct,
        rows=annotated,
        mask=some,
    ),
    Check(
        "qin_prostate_repeatability",
        f"{MEDICAL}.qin_prostate.get_qin_prostate_paths",
        qin_prostate,
        rows=annotated,
        after={"labels": "where structures overlap, it keeps one (adrenal_acc.py `_load_dicom_seg`), we keep all"},
    ),
    Check(
        "refuge",
        f"{MEDICAL}.refuge.get_refuge_paths",
        refuge,
        rows=lambda row: row.meta["source_path"].startswith("REFUGE2"),
        meaning=lambda row: {1: "optic disc", 2: "optic cup"},
        notes="It reads a copy on Kaggle, which the miniature has beside the original archives.",
    ),
    Check(
        "retouch",
        f"{MEDICAL}.retouch.get_retouch_paths",
        retouch,
        rows=annotated,
        meaning=lambda row: documented("retouch", r"([1-3]) = (\w+)"),
        notes="The case without a reference, a quirk of ours, is taken out: the peer stops at it.",
    ),
    Check(
        "shenzhen_cxr",
        f"{MEDICAL}.chest_xray_masks.get_chest_xray_masks_paths",
        chest_xray_masks,
        rows=annotated,
        image=lambda row: row.rgb,
        mask=some,
        after={"pixels": "its reader gives the colors of a palette, the file and we the palette"},
        notes="It reads a copy on Kaggle with other folders; our files are put into them.",
    ),
    Check(
        "siim_acr_pneumothorax",
        f"{MEDICAL}.siim_acr.get_siim_acr_paths",
        cannot="reads a copy with PNG files made by others (png_images, png_masks); ours is the challenge's own, DICOM "
        "and runs.",
    ),
    Check("stare", f"{MEDICAL}.stare.get_stare_paths", stare, key=last, rows=annotated, mask=some),
    Check("structseg2019", f"{MEDICAL}.structseg.get_structseg_paths", structseg, meaning=structures),
    Check(
        "verse",
        f"{MEDICAL}.verse.get_verse_paths",
        verse,
        notes="Its addresses give the folders without the top one of our archives, which is left out.",
    ),
    Check(
        "dsb2018",
        f"{DATA}.light_microscopy.dsb.get_dsb_paths",
        dsb,
        rows=lambda row: row.split == "train",
        image=lambda row: row.image[..., 2],
        mask=lambda row: ordered(row.mask),
        after={"pixels": "it keeps one of the three equal channels (dsb.py `_merge_instances`)"},
        notes="It reads a corrected copy; ours are put into its folder. Instances are compared by their first pixel.",
    ),
    Check(
        "cell_tracking_challenge",
        f"{DATA}.light_microscopy.ctc.get_ctc_segmentation_paths",
        ctc,
        rows=lambda row: row.meta.get("truth") == "gold",
        notes="The gold truth of the 20 sets; of sets with whole volumes it leaves out those with one outlined slice.",
    ),
    Check(
        "cell_tracking_challenge",
        f"{DATA}.light_microscopy.ctc.get_ctc_segmentation_paths",
        functools.partial(ctc, truth="ST"),
        rows=lambda row: row.meta.get("truth") == "silver",
        why={"cases": "it has the silver truth of every frame, we where there is no gold."},
        notes="The silver truth.",
    ),
]
