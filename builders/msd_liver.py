"""Liver, task 3 of the Medical Segmentation Decathlon.

Portal venous CT of patients with primary or metastatic liver tumors: the volumes of LiTS, with the liver
and its tumors outlined.
"""

from medimg.builders import _lits, _msd
from medimg.declaration import Overlap

DATASET = _msd.task(
    "Task03_Liver",
    md5="a90ec6c4aa7f6a3d087205e23d4e6397",
    sha256="4007d9db1acda850d57a6ceb2b3998b7a0d43f8ad5a3f740dc38bc0cb8b7a2c5",
    name="msd-liver",
    aliases=("Task03_Liver", "MSD Liver", "Medical Segmentation Decathlon Task03 Liver"),
    modality="CT",
    organ="liver",
    labels={"liver": ("liver",), "cancer": ("liver", "liver tumor")},
    splits={"train": 131, "test": 70},
    overlaps=(
        Overlap(
            dataset="lits",
            relation="same images",
            evidence="openmedlab/Awesome-Medical-Dataset:resources/LiTS.md@75e72da; the labeled files are "
            "liver_0 to "
            "liver_130 as volume-0 to volume-130 (zhaoziheng/SAT-DS@492df0e:data/jsonl/MSD_Liver.jsonl)",
        ),
        Overlap(
            dataset="abdomenct-1k",
            relation="subset of",
            evidence="JunMa11/AbdomenCT-1K:README.md@06f0f04 (references 2 and 4) and issue 27",
        ),
    ),
    labels_evidence="dataset.json of the task (1 liver, 2 cancer), quoted in zhaoziheng/SAT-DS@492df0e "
    "(processor.py); tumors lie in the liver (loader.py adds them to it)",
    notes=(
        "The same images are CC BY-NC-ND 4.0 on the page of LiTS: a conflict that only the organizers can settle.",
        "Where liver_28 to liver_47 carry spacing (1, 1, 1), as volumes 28 to 47 of LiTS do, it is wrong: the "
        "column `spacing` is null (18 such volumes in zhaoziheng/SAT-DS@492df0e: dataset_fingerprint.json of "
        "Dataset046_MSDLiver).",
    ),
)

rows = _msd.rows(DATASET, spacing=lambda case: _lits.spacing(case.image, int(case.name[6:])))


def miniature(make):
    # The pixels of the LiTS miniature, seed by seed, gzipped here; case 28 has lost its spacing.
    cases = {
        "liver_0": {"seed": "Training Batch 1/volume-0.nii"},
        "liver_1": {"seed": "Training Batch 1/volume-1.nii"},
        "liver_28": {"seed": "Traing Batch 2/volume-28.nii", "spacing": (1, 1, 1)},
        "liver_132": {"seed": "test-volume-0.nii"},
    }
    image = {"shape": (12, 10, 6), "spacing": (0.7, 0.7, 5), "high": 300}
    _msd.miniature(make, DATASET, ["liver_0", "liver_1", "liver_28"], ["liver_132"], cases=cases, **image)
