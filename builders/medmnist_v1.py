"""MedMNIST v1, the MedMNIST Classification Decathlon: ten sets of 28 x 28 pictures of all kinds of imaging.

They were made from public datasets for light-weight classification, each with its official splits. Version 2
holds them all, the three organ sets without their blank samples.
"""

from medimg.builders import _medmnist
from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source

RECORD = "https://zenodo.org/record/4269852"
INFO = "MedMNIST/MedMNIST:medmnist/info.py@7014374"
LICENSES = {"chestmnist": "CC0-1.0", "dermamnist": "CC-BY-NC-4.0"}
# Name in version 2 (None: the same), md5; images in train, val and test.
FILES = {
    "pathmnist": (None, "a8b06965200029087d5bd730944a56c1", 89996, 10004, 7180),
    "chestmnist": (None, "02c8a6516a18b556561a56cbdd36c4a8", 78468, 11219, 22433),
    "dermamnist": (None, "0744692d530f8e62ec473284d019b0c7", 7007, 1003, 2005),
    "octmnist": (None, "c68d92d5b585d8d81f7112f81e2d0842", 97477, 10832, 1000),
    "pneumoniamnist": (None, "28209eda62fecd6e6a2d98b1501bb15f", 4708, 524, 624),
    "retinamnist": (None, "bd4c0672f1bba3e3a89f0e4e876791e4", 1080, 120, 400),
    "breastmnist": (None, "750601b1f35ba3300ea97c75c52ff8f6", 546, 78, 156),
    "organmnist_axial": ("organamnist", "866b832ed4eeba67bfb9edee1d5544e6", 34581, 6491, 17778),
    "organmnist_coronal": ("organcmnist", "0afa5834fb105f7705a7d93372119a21", 13000, 2392, 8268),
    "organmnist_sagittal": ("organsmnist", "e5c39f1af030238290b9557d9503af9d", 13940, 2452, 8829),
}
KEYS = {name: entry[0] or name for name, entry in FILES.items()}

DATASET = Dataset(
    name="medmnist-v1",
    title="MedMNIST v1",
    aliases=("MedMNIST", "MedMNIST Classification Decathlon"),
    dimension="2d",
    modality=tuple(dict.fromkeys(_medmnist.SETS[key][1] for key in KEYS.values())),
    organ="multiple organs",
    task=("classification", "multi-label classification", "grading"),
    license="CC-BY-4.0",
    homepage="https://medmnist.com/v1",
    citation=Citation(
        title="MedMNIST classification decathlon: a lightweight AutoML benchmark for medical image analysis",
        authors="Yang J, Shi R, Ni B",
        venue="IEEE ISBI",
        year=2021,
        doi="10.1109/ISBI48211.2021.9434062",
    ),
    sources=(
        *(Source(url=f"{RECORD}/files/{name}.npz", md5=entry[1]) for name, entry in FILES.items()),
        Source(url=RECORD, kind="page"),
    ),
    labels=_medmnist.labels(KEYS),
    configs=tuple(
        _medmnist.config(name, entry[2:], key=KEYS[name], license=LICENSES.get(name)).model_copy(
            update={"title": name} if entry[0] else {}
        )
        for name, entry in FILES.items()
    ),
    splits={
        split: sum(entry[2 + n] for entry in FILES.values())
        for n, split in enumerate(_medmnist.SPLITS.values())
    },
    no_subject="the files hold images and labels alone",
    overlaps=tuple(
        Overlap(dataset=dataset, relation=relation, evidence=INFO)
        for dataset, relation in (
            ("medmnist-v2", "subset of"),
            ("nct-crc-he-100k", "PathMNIST is derived from it"),
            ("chestx-ray14", "ChestMNIST is derived from it"),
            ("ham10000", "DermaMNIST is derived from it"),
            ("busi", "BreastMNIST is derived from it"),
            ("lits", "OrganMNIST_Axial, _Coronal and _Sagittal are derived from it"),
        )
    ),
    keys="split; index",
    evidence=Evidence(
        layout=f"{INFO} (medmnist 0.2.0, the release of v1)",
        labels=INFO,
        license=f"{INFO} (key license of each set)",
        subject=INFO,
    ),
    notes=(
        "Superseded by version 2: seven files are the same to the byte, the organ sets differ.",
        "ChestMNIST is CC0, DermaMNIST is CC BY-NC 4.0, the others are CC BY 4.0.",
        "BreastMNIST's 0 is malignant, 1 is normal or benign: the other binary sets have it the other way.",
    ),
)


def rows(files):
    yield from _medmnist.rows(files, KEYS)


def miniature(make):
    _medmnist.miniature(make, KEYS)
    make.npz("bloodmnist.npz", train_images=(1, 28, 28, 3), train_labels=[[0]])
