"""Hippocampus, task 4 of the Medical Segmentation Decathlon.

T1-weighted MRI cut out around one hippocampus, of healthy adults and of adults with a non-affective psychotic
disorder; the anterior and the posterior part are outlined.
"""

from medimg.builders import _msd

DATASET = _msd.task(
    "Task04_Hippocampus",
    md5="9d24dba78a72977dbd1d2e110310f31b",
    sha256="282d808a3e84e5a52f090d9dd4c0b0057b94a6bd51ad41569aef5ff303287771",
    name="msd-hippocampus",
    aliases=("Task04_Hippocampus", "MSD Hippocampus", "Medical Segmentation Decathlon Task04 Hippocampus"),
    modality="MRI",
    organ=("brain", "hippocampus"),
    labels={"Anterior": ("anterior hippocampus",), "Posterior": ("posterior hippocampus",)},
    splits={"train": 260, "test": 130},
    labels_evidence="dataset.json of the task (1 Anterior, 2 Posterior, numTraining 260, numTest 130), "
    "quoted in "
    "zhaoziheng/SAT-DS@492df0e (processor.py)",
    notes=(
        "dataset.json lists 260 training and 130 test volumes, the paper counts 263 and 131; a reorganized "
        "public "
        "copy (udacity/nd320-c3-3d-imaging-starter) has 262 labeled ones.",
        "Copies with the folders `images` and `labels` and without dataset.json are read as training data.",
    ),
)

rows = _msd.rows(DATASET)


def miniature(make):
    affine = [[1, 0, 0, 0.5], [0, 1, 0, -3.25], [0, 0, 1, 0], [0, 0, 0, 1]]
    image = {"affine": affine, "dtype": "float32", "low": 0, "high": 900}
    _msd.miniature(make, DATASET, ["hippocampus_001", "hippocampus_394"], ["hippocampus_267"], **image)
