"""MedMNIST v1, the MedMNIST Classification Decathlon: ten sets of 28 x 28 pictures of all kinds of imaging.

They were made from public datasets for light-weight classification, each with its official splits. Version 2
holds them all, the three organ sets without their blank samples.
"""

from medimg.builders import _medmnist
from medimg.declaration import Citation, Evidence

INFO = "MedMNIST/MedMNIST:medmnist/info.py@7014374"
LICENSES = {"chestmnist": "CC0-1.0", "dermamnist": "CC-BY-NC-4.0"}
# md5; images in train, val and test.
FILES = {
    **_medmnist.COMMON,
    "organmnist_axial": ("866b832ed4eeba67bfb9edee1d5544e6", 34581, 6491, 17778),
    "organmnist_coronal": ("0afa5834fb105f7705a7d93372119a21", 13000, 2392, 8268),
    "organmnist_sagittal": ("e5c39f1af030238290b9557d9503af9d", 13940, 2452, 8829),
}

DATASET = _medmnist.version(
    "https://zenodo.org/record/4269852",
    INFO,
    FILES,
    licenses=LICENSES,
    name="medmnist-v1",
    title="MedMNIST v1",
    aliases=("MedMNIST", "MedMNIST Classification Decathlon"),
    homepage="https://medmnist.com/v1",
    citation=Citation(
        title="MedMNIST classification decathlon: a lightweight AutoML benchmark for medical image analysis",
        authors="Yang J, Shi R, Ni B",
        venue="IEEE ISBI",
        year=2021,
        doi="10.1109/ISBI48211.2021.9434062",
    ),
    no_subject="the files hold images and labels alone",
    overlaps=(
        ("medmnist-v2", "subset of"),
        *_medmnist.DERIVED,
        ("lits", "OrganMNIST_Axial, _Coronal and _Sagittal are derived from it"),
    ),
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

rows = _medmnist.rows(DATASET)


def miniature(make):
    _medmnist.miniature(make, DATASET)
    make.npz("bloodmnist.npz", train_images=(1, 28, 28, 3), train_labels=[[0]])
