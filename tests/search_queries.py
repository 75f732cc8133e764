"""Questions to the search with answers that were written down before any result was looked at.

Each: what is typed, and a dataset (by id or any of its names) that has to be among the first three.
"""

from __future__ import annotations

BUILDERS = [
    ("liver tumor segmentation CT", "lits"),
    ("kidney tumor", "kits19"),
    ("abdominal organ MRI segmentation", "chaos"),
    ("livr tumr", "lits"),
    ("chexprt", "chexpert"),
    ("retnal vesel segmentation", "drive"),
    ("肺结节 检测", "luna16"),
    ("皮肤镜 分类 黑色素瘤", "isic-2020"),
    ("眼底 青光眼", "refuge"),
    ("脑肿瘤 分割 核磁共振", "brats2021"),
    ("心脏超声", "echonet-dynamic"),
    ("前列腺 分级", "panda"),
    ("膝关节核磁", "mrnet"),
    ("天池肺结节", "tianchi-lung-nodule"),
    ("RSNA肺炎检测", "rsna-pneumonia"),
    ("knee mri", "mrnet"),
    ("fetal head circumference", "hc18"),
    ("bone age", "rsna-bone-age"),
    ("colon polyp segmentation", "kvasir-seg"),
    ("ISIC2019", "isic-2019"),
    ("hyper kvasir", "hyperkvasir"),
    ("Task07 Pancreas", "msd-pancreas"),
    ("autism fMRI", "abide"),
    ("malaria", "malaria-cells"),
    ("pnuemothorax", "siim-acr-pneumothorax"),
    ("intracranial haemorrhage CT", "rsna-intracranial-hemorrhage"),
    ("visual question answering pathology", "pathvqa"),
    ("vertebrae CT", "verse"),
    ("LIDC", "lidc-idri"),
    ("diabetic retinopathy fundus grading", "idrid"),
    ("breast ultrasuond", "busi"),
    ("left ventricle echocardiography", "camus"),
]
LISTED = [
    ("AbdomenAtlas", "AbdomenAtlas"),
    ("SegTHOR", "SegTHOR"),
    ("AREN0534", "AREN0534"),
    ("ds000001", "openneuro/ds000001"),
    ("vestibular schwannoma MRI segmentation", "CrossMoDA2022"),
    ("C4KC-KiTS", "idc/c4kc_kits"),
    ("promise 12 prostate", "PROMISE12"),
    ("gallbladder endoscopy instrument", "CholecInstanceSeg"),
    ("ovarian cancer histopathology", "OCEAN"),
    ("total segmentator", "TotalSegmentator"),
    ("fastmri", "fastMR"),
    ("pelvic bone fragment x-ray", "PENGWIN2024-Task2"),
]
"""Datasets without a builder: only lists name them."""
