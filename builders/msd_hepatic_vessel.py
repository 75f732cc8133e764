"""Hepatic vessels, task 8 of the Medical Segmentation Decathlon.

Portal venous CT of patients with primary or metastatic liver tumors; the vessels inside the liver and the
tumors are outlined.
"""

from medimg.builders import _msd

DATASET = _msd.task(
    "Task08_HepaticVessel",
    md5="641d79e80ec66453921d997fbf12a29c",
    sha256="ee880799f12e3b6e1ef2f8645f6626c5b39de77a4f1eae6f496c25fbf306ba04",
    name="msd-hepatic-vessel",
    aliases=(
        "Task08_HepaticVessel",
        "MSD Hepatic Vessels",
        "Medical Segmentation Decathlon Task08 HepaticVessel",
    ),
    modality="CT",
    organ="liver",
    labels={"Vessel": ("hepatic vessel",), "Tumour": ("liver tumor",)},
    splits={"train": 303, "test": 140},
    labels_evidence="openmedlab/Awesome-Medical-Dataset:resources/MSD_Hepatic_Vessel.md@81da0eee; dataset.json "
    "of the task (1 Vessel, 2 Tumour), quoted in zhaoziheng/SAT-DS@492df0e (processor.py)",
    notes=(
        "The liver itself is not outlined. Other groups published masks of it and of its Couinaud segments.",
        "Vessels are incomplete: Xu et al. (MICCAI 2021) estimate 65.5 % of their pixels unlabeled and 8.5 % "
        "mislabeled.",
    ),
)

rows = _msd.rows(DATASET)


def miniature(make):
    image = {"shape": (12, 10, 6), "spacing": (0.8, 0.8, 5), "high": 300}
    _msd.miniature(make, DATASET, ["hepaticvessel_001", "hepaticvessel_458"], ["hepaticvessel_003"], **image)
