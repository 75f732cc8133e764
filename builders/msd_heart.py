"""Heart, task 2 of the Medical Segmentation Decathlon.

MRI of the whole heart in one cardiac phase; the left atrium is outlined.
"""

from medimg.builders import _msd

DATASET = _msd.task(
    "Task02_Heart",
    md5="06ee59366e1e5124267b774dbd654057",
    sha256="4277dc6dfe100142aa8060e895f6ff0f81c5b733703ea250bd294df8f820bcba",
    name="msd-heart",
    aliases=("Task02_Heart", "MSD Heart", "Medical Segmentation Decathlon Task02 Heart"),
    modality="MRI",
    organ="heart",
    labels={"left atrium": ("left atrium",)},
    splits={"train": 20, "test": 10},
    labels_evidence="dataset.json of the task (1 left atrium), quoted in zhaoziheng/SAT-DS@492df0e (processor.py)",
)

rows = _msd.rows(DATASET)


def miniature(make):
    image = {"spacing": (1.25, 1.25, 1.37), "dtype": "float32", "low": 0, "high": 1200}
    _msd.miniature(make, DATASET, ["la_003", "la_030"], ["la_001"], **image)
