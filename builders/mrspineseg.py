"""MRSpineSeg: T2-weighted MRI of the lumbar spine, with the vertebrae and discs from T9 to the sacrum outlined."""

import itertools

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, Partner
from medimg.schema import Row

PAGE = "https://www.spinesegmentation-challenge.com/"
DATA = f"{PAGE}?page_id=1162"
SATDS = "zhaoziheng/SAT-DS@492df0e"
TOOL = "PaddlePaddle/PaddleSeg:contrib/MedicalSeg/tools/prepare_mri_spine_seg.py"
LEVELS = ["S1", "L5", "L4", "L3", "L2", "L1", "T12", "T11", "T10", "T9"]
BONES = ["sacrum", *(f"{level} vertebra" for level in LEVELS[1:])]
DISCS = [f"{upper}-{lower} disc" for lower, upper in itertools.pairwise(LEVELS)]

DATASET = Dataset(
    name="mrspineseg",
    title="MRSpineSeg Challenge, multi-class segmentation of the lumbar spine in MRI",
    aliases=("SpineSeg", "MRSpineSeg Challenge", "磁共振图像脊柱结构多类别三维自动分割"),
    dimension="3d",
    modality="T2-weighted MRI",
    organ="spine",
    task="segmentation",
    license="LicenseRef-MRSpineSeg",
    citation=Citation(
        title="SpineParseNet: spine parsing for volumetric MR image by a two-stage segmentation framework "
        "with semantic image representation",
        authors="Pang S, Pang C, Zhao L, et al.",
        venue="IEEE Transactions on Medical Imaging 40(1):262-273",
        year=2021,
        doi="10.1109/TMI.2020.3025087",
    ),
    access="registration",
    how=f"Sign and send the license agreement as {DATA} says, download MRI_train.zip and pass it: "
    'medimg.load("mrspineseg", source="~/MRI_train.zip").',
    sources=(
        Source(url=PAGE, kind="page"),
        Source(url="https://aistudio.baidu.com/datasetdetail/81211", kind="page"),
    ),
    legend={value: (name,) for value, name in enumerate([*BONES, *DISCS], 1)},
    splits={"train": 172},
    subject="the number in Case<n>.nii.gz; one volume per patient is assumed",
    evidence=Evidence(
        layout=f"{DATA} (train/MR, train/Mask; 172, and 43 for the two tests, whose labels are not published); "
        f"{TOOL}; {SATDS} (data/jsonl/MRSpineSeg.jsonl: 91 pairs, Case10 to Case198)",
        labels=f"{DATA} (1 S, 2 to 10 L5 to T9, 11 to 19 the discs from L5/S to T9/T10); {SATDS} (processor.py)",
        license=f"{DATA}: property of Southern Medical University, for the competition and scientific research only, "
        "not for commercial purposes without permission; a license agreement is signed, nothing allows passing it on",
        subject=f"{DATA} (no patient key)",
    ),
    notes=(
        "Case numbers have gaps and run past 172.",
        "Volumes are strongly anisotropic, e.g. 1008 x 1008 x 12 voxels.",
        "The 43 test volumes were published without masks; they are left out where a copy holds them.",
    ),
)


def row(case):
    return Row(id=f"Case{case.number}", subject=case.number, image=case.image, mask=case.mask)


rows = Join(
    r"(?:^|/)[Cc]ase(?P<number>\d+)\.nii(?:\.gz)?$",
    row,
    mask=Partner(
        r"(?i:/|^)mask_case(?P<number>\d+)\.nii(?:\.gz)?$",
        skip="a volume without mask: of the test part, or of a partial copy",
        orphan="a mask whose volume is not in this copy",
    ),
)


def miniature(make):
    image = {"shape": (24, 22, 4), "spacing": (0.34, 0.34, 4.4)}
    with make.zip("MRI_train.zip") as inner:
        # "Case" is capital in the images' names alone; the last one shows L5 and S1 only.
        for case, values in ((1, range(1, 20)), (10, (1, 2, 11)), (198, range(1, 20))):
            inner.nifti(f"train/MR/Case{case}.nii.gz", low=0, high=900, **image)
            mask = f"train/Mask/mask_case{case}.nii.gz"
            inner.nifti(mask, labels=tuple(values), nested=False, **image)
        inner.nifti("test/MR/Case173.nii.gz", low=0, high=900, **image)
