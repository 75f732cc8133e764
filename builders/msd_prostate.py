"""Prostate, task 5 of the Medical Segmentation Decathlon.

Transverse T2-weighted MRI and the apparent diffusion coefficient of the same patients in one volume; the
peripheral and the transition zone are outlined.
"""

from medimg.builders import _msd

CHANNELS = ("T2", "ADC")

DATASET = _msd.task(
    "Task05_Prostate",
    md5="35138f08b1efaef89d7424d2bcc928db",
    sha256="8cbbd7147691109b880ff8774eb6ab26704b1be0935482e7996a36a4ed31ec79",
    name="msd-prostate",
    aliases=("Task05_Prostate", "MSD Prostate", "Medical Segmentation Decathlon Task05 Prostate"),
    modality="MRI",
    organ="prostate",
    labels={"PZ": ("peripheral zone of prostate",), "TZ": ("transition zone of prostate",)},
    splits={"train": 32, "test": 16},
    labels_evidence="MIC-DKFZ/nnUNet v1: documentation/data_format.md (dataset.json of the task in full: 1 PZ, 2 TZ)",
    notes=(
        "Images have T2 and ADC along their last axis; masks have three axes.",
        "1 is the peripheral, 2 the transition zone, as dataset.json says. Some public code has it the other "
        "way (zhaoziheng/SAT-DS@492df0e: processor.py).",
    ),
)

rows = _msd.rows(DATASET, CHANNELS)


def miniature(make):
    image = {"channels": CHANNELS, "shape": (12, 10, 6), "spacing": (0.6, 0.6, 4), "low": 0, "high": 1500}
    _msd.miniature(make, DATASET, ["prostate_00", "prostate_47"], ["prostate_03"], dtype="float32", **image)
