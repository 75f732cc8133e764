"""Spleen, task 9 of the Medical Segmentation Decathlon.

Portal venous CT of patients who were treated for liver metastases at one center; the spleen is outlined.
"""

from medimg.builders import _msd

DATASET = _msd.task(
    "Task09_Spleen",
    md5="410d4a301da4e5b2f6f86ec3ddba524e",
    sha256="dfeba347daae4fb08c38f4d243ab606b28b91b206ffc445ec55c35489fa65e60",
    name="msd-spleen",
    aliases=("Task09_Spleen", "MSD Spleen", "Medical Segmentation Decathlon Task09 Spleen"),
    modality="CT",
    organ="spleen",
    labels={"spleen": ("spleen",)},
    splits={"train": 41, "test": 20},
    overlaps=(_msd.IN_ABDOMENCT_1K,),
    labels_evidence="dataset.json of the task (1 spleen), quoted in zhaoziheng/SAT-DS@492df0e (processor.py)",
)

rows = _msd.rows(DATASET)


def miniature(make):
    _msd.miniature(make, DATASET, ["spleen_2", "spleen_63"], ["spleen_1"], spacing=(0.8, 0.8, 5), high=300)
