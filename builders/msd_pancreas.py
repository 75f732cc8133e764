"""Pancreas, task 7 of the Medical Segmentation Decathlon.

Portal venous CT of patients who underwent resection of pancreatic masses; the pancreas and the mass (cyst or
tumor) are outlined.
"""

from medimg.builders import _msd

DATASET = _msd.task(
    "Task07_Pancreas",
    md5="4f7080cfca169fa8066d17ce6eb061e4",
    sha256="e40181a0229ca85c2588d6ebb90fa6674f84eb1e66f0f968cda088d011769732",
    name="msd-pancreas",
    aliases=("Task07_Pancreas", "MSD Pancreas", "Medical Segmentation Decathlon Task07 Pancreas"),
    modality="CT",
    organ="pancreas",
    labels={"pancreas": ("pancreas",), "cancer": ("pancreas", "pancreatic tumor")},
    splits={"train": 281, "test": 139},
    overlaps=(_msd.IN_ABDOMENCT_1K,),
    labels_evidence="dataset.json of the task (1 pancreas, 2 cancer), quoted in zhaoziheng/SAT-DS@492df0e "
    "(processor.py); the mass counts as pancreas (loader.py adds it)",
    notes=("`cancer` of dataset.json covers every pancreatic mass, cysts included.",),
)

rows = _msd.rows(DATASET)


def miniature(make):
    image = {"shape": (12, 10, 6), "spacing": (0.8, 0.8, 2.5), "high": 300}
    _msd.miniature(make, DATASET, ["pancreas_001", "pancreas_421"], ["pancreas_002"], **image)
