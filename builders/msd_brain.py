"""Brain tumors, task 1 of the Medical Segmentation Decathlon.

Four co-registered MRI sequences of patients with glioma, taken from the BraTS challenges of 2016 and 2017;
edema, non-enhancing and enhancing tumor are outlined.
"""

from medimg.builders import _msd
from medimg.declaration import Overlap

CHANNELS = ("FLAIR", "T1w", "t1gd", "T2w")
CORE = ("whole brain tumor", "brain tumor core")
SHARED = "openmedlab/Awesome-Medical-Dataset:resources/MSD_Brain.md@81da0eee (renamed cases of 2016 and 2017); "

DATASET = _msd.task(
    "Task01_BrainTumour",
    md5="240a19d752f0d9e9101544901065d872",
    sha256="d423911308d2ae5396d9c6bf4fad2b68cfde2dd09044269da9c0d639c22753c4",
    name="msd-brain",
    aliases=("Task01_BrainTumour", "MSD Brain", "Medical Segmentation Decathlon Task01 BrainTumour"),
    modality="MRI",
    organ="brain",
    labels={
        "edema": ("whole brain tumor", "peritumoral edema"),
        "non-enhancing tumor": (*CORE, "non-enhancing brain tumor"),
        "enhancing tumour": (*CORE, "enhancing brain tumor"),
    },
    splits={"train": 484, "test": 266},
    overlaps=(
        Overlap(dataset="brats2019", relation="shared patients", evidence=SHARED + "no list"),
        Overlap(dataset="brats2021", relation="shared patients", evidence=SHARED + "no list"),
    ),
    labels_evidence="dataset.json of the task (1 edema, 2 non-enhancing tumor, 3 enhancing tumour), quoted in "
    "IntelAI/unet:3D/dataloader.py@3c31ae1 and compared with the pixels in "
    "https://github.com/Project-MONAI/tutorials/discussions/2064",
    notes=(
        "Images have the four sequences along their last axis; masks have three axes.",
        "Mask values are not those of BraTS: 1, 2 and 4 there are 2, 1 and 3 here. What BraTS calls "
        "necrotic and "
        "non-enhancing core is called non-enhancing tumor here.",
        "Cases were renamed so that they cannot be told from those of BraTS by name: compare pixels before mixing.",
    ),
)

rows = _msd.rows(DATASET, CHANNELS)


def miniature(make):
    image = {"channels": CHANNELS, "shape": (12, 10, 6), "spacing": (1, 1, 1), "low": 0, "high": 1500}
    _msd.miniature(make, DATASET, ["BRATS_001", "BRATS_457"], ["BRATS_485"], dtype="float32", **image)
