"""The MedMNIST family: one .npz per sub-collection with the images and labels of three splits."""

from medimg.declaration import Config
from medimg.errors import LabelError
from medimg.readers import arrays
from medimg.schema import Row, Skipped

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


def config(name, counts, *, key=None, license=None):
    """The declaration of a sub-collection.

    Args:
        name: its file name without suffix.
        counts: images in train, val, test.
        key: its name in `SETS`, where that is another (the organ sets of v1).
        license: where it differs from the dataset's.
    """
    title, modality, organ, task = SETS[key or name]
    return Config(
        name=name,
        title=title,
        dimension="3d" if name.endswith("3d") else "2d",
        modality=modality,
        organ=organ,
        task=task,
        license=license,
        splits=dict(zip(SPLITS.values(), counts, strict=True)),
    )


def labels(keys):
    """`<sub-collection>/<label number>` -> canonical name, for `Dataset.labels`."""
    return {f"{name}/{n}": one for name, key in keys.items() for n, one in enumerate(NAMES[key])}


def rows(files, keys):
    """Rows of the sub-collections that are there; keys: file name without suffix -> name in `SETS`."""
    for file, name, size in files.match(r"(?:^|/)([a-z]+mnist(?:3d|_[a-z]+)?)(?:_(\d+))?\.npz$"):
        if size or name not in keys:
            reason = f"the same images at {size} pixels a side" if size else "of another version of MedMNIST"
            yield Skipped(file=file, reason=f"{reason}; the 28-pixel files of this version are loaded")
            continue
        names, mm = NAMES[keys[name]], SPACING.get(name, 1)
        shape = {"kind": "picture"}
        if name.endswith("3d"):
            shape = {"kind": "volume", "affine": [[mm, 0, 0, 0], [0, mm, 0, 0], [0, 0, mm, 0], [0, 0, 0, 1]]}
        for part, split in SPLITS.items():
            answers = arrays.npz_values(file, f"{part}_labels")
            images = arrays.npz_items(file, f"{part}_images", **shape)
            for index, (image, answer) in enumerate(zip(images, answers, strict=True)):
                yield Row(
                    id=f"{name}-{part}-{index}",
                    config=name,
                    split=split,
                    image=image,
                    classes=_classes(answer, names, file),
                    assessed=names,
                    source=answer,
                    # An .npz states no voxel size, a NIfTI header must: its 1 mm means nothing there.
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


def miniature(make, keys, count=2):
    """Random images; labels are (N, 1), of ChestMNIST (N, 14). Volumes have 16 voxels a side."""
    for name, key in keys.items():
        size = (16, 16, 16) if name.endswith("3d") else (28, 28, 3) if key in RGB else (28, 28)
        width, content = len(NAMES[key]), {}
        for offset, part in enumerate(SPLITS):
            numbers = [(n + offset) % width for n in range(count)]
            several = [[int(n == column) for column in range(width)] for n in numbers]
            content[f"{part}_images"] = (count, *size)
            content[f"{part}_labels"] = several if key == "chestmnist" else [[n] for n in numbers]
        make.npz(f"{name}.npz", **content)
