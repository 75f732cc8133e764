"""MedMNIST v2: twelve sets of 28 x 28 pictures and six of 28 x 28 x 28 volumes of all kinds of imaging.

They were made from public datasets for light-weight classification, each with its official splits.
"""

from medimg.builders import _medmnist
from medimg.declaration import Citation, Evidence

INFO = "MedMNIST/MedMNIST:medmnist/info.py@805b7423"
# md5 of the 28-pixel file; images in train, val and test.
FILES = {
    **_medmnist.COMMON,
    "bloodmnist": ("7053d0359d879ad8a5505303e11de1dc", 11959, 1712, 3421),
    "tissuemnist": ("ebe78ee8b05294063de985d821c1c34b", 165466, 23640, 47280),
    "organamnist": ("68e3f8846a6bd62f0c9bf841c0d9eacc", 34561, 6491, 17778),
    "organcmnist": ("b9ceb9546e10131b32923c5bbeaea2b1", 12975, 2392, 8216),
    "organsmnist": ("9ab87b696fb54e2a387ebe992d6ed5f1", 13932, 2452, 8827),
    "organmnist3d": ("a0c5a1ff56af4f155c46d46fbb45a2fe", 971, 161, 610),
    "nodulemnist3d": ("8755a7e9e05a4d9ce80a24c3e7a256f3", 1158, 165, 310),
    "adrenalmnist3d": ("bbd3c5a5576322bc4cdfea780653b1ce", 1188, 98, 298),
    "fracturemnist3d": ("6aa7b0143a6b42da40027a9dda61302f", 1027, 103, 240),
    "vesselmnist3d": ("b41fd4f7e7e2feedddb201585ecafa1b", 1335, 191, 382),
    "synapsemnist3d": ("1235b78a3cd6280881dd7850a78eadb6", 1230, 177, 352),
}

DATASET = _medmnist.version(
    "https://zenodo.org/records/10519652",
    INFO,
    FILES,
    licenses={"dermamnist": "CC-BY-NC-4.0"},
    name="medmnist-v2",
    title="MedMNIST v2",
    aliases=("MedMNIST plus",),
    homepage="https://medmnist.com/",
    citation=Citation(
        title="MedMNIST v2: a large-scale lightweight benchmark for 2D and 3D biomedical image classification",
        authors="Yang J, Shi R, Wei D, et al.",
        venue="Scientific Data 10:41",
        year=2023,
        doi="10.1038/s41597-022-01721-8",
    ),
    no_subject="the files hold images and labels alone; CSV files that the README names, and that are not "
    "part of the record, map each index to its source file",
    overlaps=(
        ("medmnist-v1", "superset of"),
        *_medmnist.DERIVED,
        ("lits", "Organ{A,C,S}MNIST and OrganMNIST3D are derived from it"),
        ("lidc-idri", "NoduleMNIST3D is derived from it"),
    ),
    evidence=Evidence(
        layout=f"MedMNIST/MedMNIST:README.md@805b7423 (keys and shapes), {INFO}",
        labels=INFO,
        license=f"{INFO} (key license of each set)",
        subject="MedMNIST/MedMNIST:README.md@805b7423",
    ),
    notes=(
        "DermaMNIST alone is CC BY-NC 4.0.",
        "BreastMNIST's 0 is malignant, 1 is normal or benign: the other binary sets have it the other way.",
        "OrganMNIST3D numbers its organs in another order than the three sets of slices.",
        "AdrenalMNIST3D and VesselMNIST3D are shapes, not intensities.",
        "Nobody states the voxel sizes of OrganMNIST3D and VesselMNIST3D, nor the orientation of any volume.",
        "MedMNIST+ (64, 128 and 224 pixels) is not loaded: it shows the same images, in part enlarged (the sources "
        "of TissueMNIST have 32 x 32 pixels).",
        "Blank samples were taken out of the organ sets in version 2.2.4: files of before have other counts.",
    ),
)

rows = _medmnist.rows(DATASET)


def miniature(make):
    _medmnist.miniature(make, DATASET)
    make.npz("organmnist_axial.npz", train_images=(1, 28, 28), train_labels=[[0]])  # of version 1
    make.npz("breastmnist_64.npz", train_images=(1, 64, 64), train_labels=[[0]])
