"""Lung tumors, task 6 of the Medical Segmentation Decathlon.

CT of patients with non-small cell lung cancer; the tumors are outlined in thin sections.
"""

from medimg.builders import _msd

DATASET = _msd.task(
    "Task06_Lung",
    md5="8afd997733c7fc0432f71255ba4e52dc",
    sha256="f782cd09da9cf7a3128475d4a53650d371db10f0427aa76e166fccfcb2654161",
    name="msd-lung",
    aliases=("Task06_Lung", "MSD Lung", "MSD Lung Tumours", "Medical Segmentation Decathlon Task06 Lung"),
    modality="CT",
    organ="lung",
    labels={"cancer": ("lung cancer",)},
    splits={"train": 63, "test": 32},
    labels_evidence="openmedlab/Awesome-Medical-Dataset:resources/MSD_Lung_Tumours.md@81da0eee; dataset.json "
    "of the task (1 cancer), quoted in zhaoziheng/SAT-DS@492df0e (processor.py; its MSD_Lung.jsonl has the 63 pairs)",
    notes=(
        "The paper says 64 labeled cases; dataset.json and the archive have 63.",
        "The scans are said to come from NSCLC-Radiogenomics of TCIA (unverified).",
    ),
)

rows = _msd.rows(DATASET)


def miniature(make):
    image = {"shape": (12, 10, 6), "spacing": (0.8, 0.8, 1.25), "high": 300}
    _msd.miniature(make, DATASET, ["lung_001", "lung_096"], ["lung_002"], **image)
