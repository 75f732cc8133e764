"""The MedMNIST family: one .npz per sub-collection with the images and labels of three splits."""

from functools import partial

from medimg.declaration import Config, Dataset, Overlap, Source
from medimg.errors import LabelError
from medimg.join import Join
from medimg.readers import arrays
from medimg.schema import Row

SPLITS = {"train": "train", "val": "validation", "test": "test"}
SETS = {
    "pathmnist": ("PathMNIST", "H&E histopathology", "colorectum", "classification"),
    "chestmnist": ("ChestMNIST", "X-ray", "chest", "multi-label classification"),
    "dermamnist": ("DermaMNIST", "dermoscopy", "skin", "classification"),
    "octmnist": ("OCTMNIST", "OCT", "retina", "classification"),
    "pneumoniamnist": ("PneumoniaMNIST", "X-ray", "lung", "classification"),
    "retinamnist": ("RetinaMNIST", "fundus photography", "retina", "grading"),
    "breastmnist": ("BreastMNIST", "ultrasound", "breast", "classification"),
    "bloodmnist": ("BloodMNIST", "microscopy", "blood", "classification"),
    "tissuemnist": ("TissueMNIST", "fluorescence microscopy", "kidney", "classification"),
    "organamnist": ("OrganAMNIST", "CT", "multiple organs", "classification"),
    "organcmnist": ("OrganCMNIST", "CT", "multiple organs", "classification"),
    "organsmnist": ("OrganSMNIST", "CT", "multiple organs", "classification"),
    "organmnist3d": ("OrganMNIST3D", "CT", "multiple organs", "classification"),
    "nodulemnist3d": ("NoduleMNIST3D", "CT", "lung", "classification"),
    "adrenalmnist3d": ("AdrenalMNIST3D (shapes)", "CT", "adrenal gland", "classification"),
    "fracturemnist3d": ("FractureMNIST3D", "CT", "rib", "classification"),
    "vesselmnist3d": ("VesselMNIST3D (shapes)", "MRA", "brain", "classification"),
    "synapsemnist3d": ("SynapseMNIST3D", "electron microscopy", "brain", "classification"),
}
"""Sub-collection -> title, modality, organ, task."""
RGB = ("pathmnist", "dermamnist", "retinamnist", "bloodmnist")
SPACING = {
    "nodulemnist3d": 1,
    "adrenalmnist3d": 64 / 28,
    "fracturemnist3d": 64 / 28,
    "synapsemnist3d": 1024e-6 / 28,
}
"""Mm per voxel, where info.py tells the size of the crop."""
_ORGANS = "bladder, left femur, right femur, heart, left kidney, right kidney, liver, left lung, right lung"
_NAMES = {
    "pathmnist": "adipose tissue, background, cell debris, lymphocyte, mucus, smooth muscle, normal colon "
    "mucosa, cancer-associated stroma, colorectal adenocarcinoma epithelium",
    "chestmnist": "atelectasis, cardiomegaly, pleural effusion, pulmonary infiltrate, lung mass, lung "
    "nodule, pneumonia, pneumothorax, consolidation, pulmonary edema, emphysema, pulmonary fibrosis, pleural "
    "thickening, hernia",
    "dermamnist": "actinic keratosis or intraepithelial carcinoma, basal cell carcinoma, benign keratosis, "
    "dermatofibroma, melanoma, melanocytic nevus, vascular skin lesion",
    "octmnist": "choroidal neovascularization, diabetic macular edema, drusen, normal",
    "pneumoniamnist": "normal, pneumonia",
    "retinamnist": "no diabetic retinopathy, mild nonproliferative diabetic retinopathy, moderate "
    "nonproliferative diabetic retinopathy, severe nonproliferative diabetic retinopathy, proliferative "
    "diabetic retinopathy",
    "breastmnist": "malignant breast lesion, no malignancy",
    "bloodmnist": "basophil, eosinophil, erythroblast, immature granulocyte, lymphocyte, monocyte, "
    "neutrophil, platelet",
    "tissuemnist": "collecting duct or connecting tubule, distal convoluted tubule, glomerular endothelial "
    "cell, interstitial endothelial cell, white blood cell, podocyte, proximal tubule segment, thick "
    "ascending limb",
    "organamnist": f"{_ORGANS}, pancreas, spleen",
    "organcmnist": f"{_ORGANS}, pancreas, spleen",
    "organsmnist": f"{_ORGANS}, pancreas, spleen",
    # Another order than in the three sets of slices.
    "organmnist3d": "liver, right kidney, left kidney, right femur, left femur, bladder, heart, right lung, "
    "left lung, spleen, pancreas",
    "nodulemnist3d": "benign lung nodule, malignant lung nodule",
    "adrenalmnist3d": "normal adrenal gland, adrenal hyperplasia",
    "fracturemnist3d": "buckle rib fracture, nondisplaced rib fracture, displaced rib fracture",
    "vesselmnist3d": "brain vessel, intracranial aneurysm",
    "synapsemnist3d": "inhibitory synapse, excitatory synapse",
}
NAMES = {key: tuple(text.split(", ")) for key, text in _NAMES.items()}
"""Sub-collection -> canonical name of each label number."""


SLICES = {
    "organmnist_axial": "organamnist",
    "organmnist_coronal": "organcmnist",
    "organmnist_sagittal": "organsmnist",
}
"""Names of version 1 -> of version 2."""
COMMON = {
    "pathmnist": ("a8b06965200029087d5bd730944a56c1", 89996, 10004, 7180),
    "chestmnist": ("02c8a6516a18b556561a56cbdd36c4a8", 78468, 11219, 22433),
    "dermamnist": ("0744692d530f8e62ec473284d019b0c7", 7007, 1003, 2005),
    "octmnist": ("c68d92d5b585d8d81f7112f81e2d0842", 97477, 10832, 1000),
    "pneumoniamnist": ("28209eda62fecd6e6a2d98b1501bb15f", 4708, 524, 624),
    "retinamnist": ("bd4c0672f1bba3e3a89f0e4e876791e4", 1080, 120, 400),
    "breastmnist": ("750601b1f35ba3300ea97c75c52ff8f6", 546, 78, 156),
}
"""Files of both versions, with md5 and the numbers of images in train, val and test."""
DERIVED = (
    ("nct-crc-he-100k", "PathMNIST is derived from it"),
    ("chestx-ray14", "ChestMNIST is derived from it"),
    ("ham10000", "DermaMNIST is derived from it"),
    ("busi", "BreastMNIST is derived from it"),
)
"""Datasets of which both versions are made."""


def version(record, info, files, *, licenses, overlaps, **declaration):
    """The declaration of one version.

    Args:
        record: address of the files.
        info: the package's table of them, as evidence.
        files: name without suffix -> md5, images in train, val and test.
        licenses: of the sub-collections that have another than the dataset.
        overlaps: (dataset, relation).
    """
    known = {name: SLICES.get(name, name) for name in files}
    return Dataset(
        dimension="2d",
        modality=tuple(dict.fromkeys(SETS[key][1] for key in known.values())),
        organ="multiple organs",
        task=("classification", "multi-label classification", "grading"),
        license="CC-BY-4.0",
        sources=(
            *(Source(url=f"{record}/files/{name}.npz", md5=md5) for name, (md5, *_) in files.items()),
            Source(url=record, kind="page"),
        ),
        labels={f"{name}/{n}": one for name, key in known.items() for n, one in enumerate(NAMES[key])},
        configs=tuple(_config(name, known[name], counts, licenses.get(name)) for name, (_, *counts) in files.items()),
        splits={split: sum(counts[n] for _, *counts in files.values()) for n, split in enumerate(SPLITS.values())},
        overlaps=tuple(Overlap(dataset=dataset, relation=relation, evidence=info) for dataset, relation in overlaps),
        keys="split; index",
        **declaration,
    )


def _config(name, key, counts, license):
    title, modality, organ, task = SETS[key]
    return Config(
        name=name,
        title=title if name == key else name,
        dimension="3d" if name.endswith("3d") else "2d",
        modality=modality,
        organ=organ,
        task=task,
        license=license,
        splits=dict(zip(SPLITS.values(), counts, strict=True)),
    )


def rows(dataset):
    """`rows` of one version: of the sub-collections that are there."""
    return Join(r"(?:^|/)(?P<name>[a-z]+mnist(?:3d|_[a-z]+)?)(?:_(?P<size>\d+))?\.npz$", partial(_rows, dataset))


def _rows(dataset, case):
    if case.size or case.name not in dataset.config_names:
        what = f"the same images at {case.size} pixels a side" if case.size else "of another version of MedMNIST"
        yield from case.skip(f"{what}; the 28-pixel files of this version are loaded")
        return
    file, name = case.image, case.name
    names = NAMES[SLICES.get(name, name)]
    # An .npz states no voxel size, a NIfTI header must: its 1 mm means nothing where nobody tells the size.
    mm = SPACING.get(name, 1)
    kind = {"kind": "picture"}
    if name.endswith("3d"):
        kind = {"kind": "volume", "affine": [[mm, 0, 0, 0], [0, mm, 0, 0], [0, 0, mm, 0], [0, 0, 0, 1]]}
    for part, split in SPLITS.items():
        answers = arrays.npz_values(file, f"{part}_labels")
        images = arrays.npz_items(file, f"{part}_images", **kind)
        for index, (image, answer) in enumerate(zip(images, answers, strict=True)):
            yield Row(
                id=f"{name}-{part}-{index}",
                config=name,
                split=split,
                image=image,
                classes=_classes(answer, names, file),
                assessed=names,
                source=answer,
                spacing=(mm,) * 3 if name in SPACING else (),
                meta={"split": part, "index": index},
            )


def _classes(answer, names, file):
    """Several labels are a 0 or 1 for each name, one label is a name's number."""
    if len(answer) == len(names) and not set(answer) - {0, 1}:
        return tuple(name for name, value in zip(names, answer, strict=True) if value)
    if len(answer) != 1 or not 0 <= answer[0] < len(names):
        raise LabelError(f"the label {answer} is none of 0 to {len(names) - 1}", file=file.path)
    return (names[answer[0]],)


def miniature(make, dataset, count=2):
    """Random images; labels are (N, 1), of ChestMNIST (N, 14). Volumes have 16 voxels a side."""
    for name in dataset.config_names:
        key = SLICES.get(name, name)
        size = (16, 16, 16) if name.endswith("3d") else (28, 28, 3) if key in RGB else (28, 28)
        width, content = len(NAMES[key]), {}
        for offset, part in enumerate(SPLITS):
            numbers = [(n + offset) % width for n in range(count)]
            several = [[int(n == column) for column in range(width)] for n in numbers]
            content[f"{part}_images"] = (count, *size)
            content[f"{part}_labels"] = several if key == "chestmnist" else [[n] for n in numbers]
        make.npz(f"{name}.npz", **content)
