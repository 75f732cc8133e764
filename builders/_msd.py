"""The Medical Segmentation Decathlon: ten tasks in one layout; a member is a declaration and two calls."""

import re
from functools import partial

from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.errors import LabelError
from medimg.join import Join, Lookup, Partner
from medimg.readers import tables
from medimg.schema import Row

IN_ABDOMENCT_1K = Overlap(
    dataset="abdomenct-1k",
    relation="subset of",
    evidence="constantinpape/torch-em:torch_em/data/datasets/medical/abdomenct_1k.py@641e2dae (collected from "
    "LiTS, KiTS19, MSD Spleen, MSD Pancreas, ...)",
)
NOTES = ("File numbers have gaps and run through both parts.", "The test labels were never published.")


def task(archive, *, md5, sha256, labels, labels_evidence, notes=(), **declaration):
    """The declaration of one task; `archive` is its tar without the suffix, e.g. "Task04_Hippocampus".

    `labels` has the names of dataset.json as keys, in the order of the mask values, which count from 1.
    """
    number, _, words = archive.removeprefix("Task").partition("_")
    return Dataset(
        title=f"Medical Segmentation Decathlon, Task {int(number)}: {re.sub('(?<=[a-z])(?=[A-Z])', ' ', words)}",
        dimension="3d",
        task="segmentation",
        labels=labels,
        legend=dict(enumerate(labels.values(), 1)),
        license="CC-BY-SA-4.0",
        homepage="http://medicaldecathlon.com/",
        citation=Citation(
            title="The Medical Segmentation Decathlon",
            authors="Antonelli M, Reinke A, Bakas S, et al.",
            venue="Nature Communications 13:4128",
            year=2022,
            doi="10.1038/s41467-022-30695-9",
            arxiv=("1902.09063",),
        ),
        sources=(
            Source(url=f"https://msd-for-monai.s3-us-west-2.amazonaws.com/{archive}.tar", md5=md5, sha256=sha256),
            Source(url="https://drive.google.com/drive/folders/1HqEgzS8BV2c7xYNrZdEAnrHk7osJJ--2", kind="page"),
        ),
        subject="the file name; one file is one subject, no patient key is published",
        keys="listed_in_dataset_json",
        evidence=Evidence(
            layout="Project-MONAI/MONAI:monai/apps/datasets.py@01eebcf3; constantinpape/torch-em:"
            "torch_em/data/datasets/medical/msd.py@04164e7c; zhaoziheng/SAT-DS@492df0e (loader.py)",
            labels=labels_evidence,
            license="openmedlab/Awesome-Medical-Dataset:resources/MSD_*.md@81da0eee (CC BY-SA 4.0); "
            "`licence` in "
            "dataset.json",
            subject="http://medicaldecathlon.com/ (no patient key)",
        ),
        notes=(*NOTES, *notes),
        **declaration,
    )


def rows(dataset, channels=(), spacing=None):
    """`rows` of one task: the official layout, or `images` and `labels` of reorganized copies.

    Args:
        dataset: the declaration.
        channels: names along the last axis of 4-D images, as in dataset.json.
        spacing: case -> the row's spacing; None as its header says.
    """

    def row(case):
        test = case.part == "Ts"
        return Row(
            id=case.name,
            split="test" if test else "train",
            subject=case.name,
            image=case.image,
            mask=None if test else case.mask,
            assessed=() if test else dataset.every_label,
            sequence=channels,
            spacing=spacing(case) if spacing else None,
            meta=case.listed or {},
        )

    return Join(
        r"(?:^|/)images(?P<part>Tr|Ts)?/(?P<name>[^/]+)\.nii(?:\.gz)?$",
        row,
        mask=Partner(
            r"(?:^|/)labels(?:Tr)?/(?P<name>[^/]+)\.nii(?:\.gz)?$",
            when=lambda case: case.part != "Ts",
            skip="its label map is not in this copy",
            orphan="a label map whose image is not in this copy",
        ),
        listed=Lookup(partial(_listed, dataset, channels), key="file"),
    )


def _listed(dataset, channels, files):
    """File name of a labeled image -> whether dataset.json, which must agree with the declaration, lists it."""
    found = files.find(r"(?:^|/)dataset\.json$")
    about = tables.json_value(found) if found else {}
    _agree(dataset, channels, about)
    listed = {tables.file_name(entry["image"]).rsplit("/", 1)[-1] for entry in about.get("training", ())}
    labeled = files.match(r"(?:^|/)images(?:Tr)?/[^/]+\.nii(?:\.gz)?$") if listed else ()
    return {image.key: {"listed_in_dataset_json": image.key in listed} for (image,) in labeled}


def _agree(dataset, channels, about):
    """Refuse a dataset.json that says something else than the declaration."""
    for value, name in about.get("labels", {}).items():
        if int(value) and (name not in dataset.labels or dataset.labels[name] != dataset.legend.get(int(value))):
            raise LabelError(f"dataset.json calls mask value {value} {name!r}; the declaration does not")
    said = [name for _, name in sorted(about.get("modality", {}).items(), key=lambda item: int(item[0]))]
    if channels and about and said != list(channels):
        raise LabelError(f"dataset.json has the channels {said}; the declaration says {list(channels)}")


def miniature(make, dataset, train, test, *, channels=(), shape=(12, 14, 10), cases=None, **image):
    """The tar of one task, with the resource forks of macOS.

    Args:
        make: the phantom.
        dataset: the declaration.
        train: names of the labeled cases.
        test: names of the others.
        channels: as in `rows`.
        shape: voxels along i, j, k.
        cases: case -> what its image has of its own (seed, spacing, affine).
        **image: what all images have in common.
    """
    archive = dataset.sources[0].url.rsplit("/", 1)[-1].removesuffix(".tar")
    own = {case: image | (cases or {}).get(case, {}) for case in (*train, *test)}
    label = {names: name for name, names in dataset.labels.items()}
    about = {
        "name": archive.partition("_")[2],
        "description": dataset.title,
        "reference": "of a phantom",
        "licence": "CC-BY-SA 4.0",
        "relase" if "Hippocampus" in archive else "release": "1.0 04/05/2018",
        "tensorImageSize": "4D" if channels else "3D",
        "modality": {str(n): name for n, name in enumerate(channels or dataset.modality)},
        "labels": {"0": "background"} | {str(value): label[names] for value, names in dataset.legend.items()},
        "numTraining": len(train),
        "numTest": len(test),
        "training": [{"image": f"./imagesTr/{one}.nii.gz", "label": f"./labelsTr/{one}.nii.gz"} for one in train],
        "test": [f"./imagesTs/{case}.nii.gz" for case in test],
    }
    with make.tar(f"{archive}.tar") as tar:
        tar.json(f"{archive}/dataset.json", about)
        folders = [("imagesTr", train), ("imagesTs", test), ("labelsTr", train)]
        for folder, case in ((folder, case) for folder, cases in folders for case in cases):
            tar.bytes(f"{archive}/{folder}/._{case}.nii.gz", b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
            if folder != "labelsTr":
                size = (*shape, len(channels)) if channels else shape
                tar.nifti(f"{archive}/{folder}/{case}.nii.gz", size, **own[case])
                continue
            mask = {"labels": tuple(dataset.legend), "nested": False}
            mask |= {key: own[case][key] for key in ("affine", "spacing") if key in own[case]}
            tar.nifti(f"{archive}/labelsTr/{case}.nii.gz", shape, **mask)
