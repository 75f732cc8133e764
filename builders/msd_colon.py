"""Colon cancer, task 10 of the Medical Segmentation Decathlon.

Portal venous CT of patients whose colon cancer was resected; the primary tumors are outlined.
"""

from medimg.builders import _msd

DATASET = _msd.task(
    "Task10_Colon",
    md5="bad7a188931dc2f6acf72b08eb6202d0",
    sha256="a26bfd23faf2de703f5a51a262cd4e2b9774c47e7fb86f0e0a854f8446ec2325",
    name="msd-colon",
    aliases=("Task10_Colon", "MSD Colon", "Medical Segmentation Decathlon Task10 Colon"),
    modality="CT",
    organ="colon",
    labels={"colon cancer primaries": ("colon cancer",)},
    splits={"train": 126, "test": 64},
    labels_evidence="openmedlab/Awesome-Medical-Dataset:resources/MSD_Colon_Cancer.md@81da0eee; dataset.json "
    "of the task (1 colon cancer primaries), quoted in zhaoziheng/SAT-DS@492df0e (processor.py)",
    notes=(
        "Only the tumors are outlined, not the colon.",
        "CTPelvic1K outlines the pelvic bones in images of this task.",
    ),
)

rows = _msd.rows(DATASET)


def miniature(make):
    image = {"shape": (12, 10, 6), "spacing": (0.8, 0.8, 5), "high": 300}
    _msd.miniature(make, DATASET, ["colon_001", "colon_219"], ["colon_002"], **image)
