"""LiTS, the Liver Tumor Segmentation Challenge of ISBI and MICCAI 2017.

Contrast-enhanced abdominal CT from seven clinical sites; the liver and its tumors are outlined in 131 of 201
volumes.
"""

from medimg.builders import _lits
from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.join import Join, Partner
from medimg.schema import Row

DATASET = Dataset(
    name="lits",
    title="LiTS, Liver Tumor Segmentation Challenge",
    aliases=("LiTS17", "Liver Tumor Segmentation Benchmark"),
    dimension="3d",
    modality="CT",
    organ="liver",
    task="segmentation",
    license="CC-BY-NC-ND-4.0",
    homepage="https://competitions.codalab.org/competitions/17094",
    citation=Citation(
        title="The Liver Tumor Segmentation Benchmark (LiTS)",
        authors="Bilic P, Christ P, Li HB, et al.",
        venue="Medical Image Analysis 84:102680",
        year=2023,
        doi="10.1016/j.media.2022.102680",
    ),
    access="registration",
    how="Register at https://competitions.codalab.org/competitions/17094#participate, download the two "
    "training batches "
    'and the test volumes, and pass the folder or archive: medimg.load("lits", source="~/LiTS").',
    sources=(Source(url="https://competitions.codalab.org/competitions/17094#participate", kind="page"),),
    legend={1: ("liver",), 2: ("liver", "liver tumor")},
    splits={"train": 131, "test": 70},
    subject="the number in volume-<n>.nii; one volume per patient is assumed, no patient key is published",
    overlaps=(
        Overlap(
            dataset="msd-liver",
            relation="same images",
            evidence="openmedlab/Awesome-Medical-Dataset:resources/LiTS.md@75e72da",
        ),
        Overlap(dataset="abdomenct-1k", relation="subset of", evidence="JunMa11/AbdomenCT-1K issue 27"),
        Overlap(
            dataset="medmnist-v2",
            relation="source of",
            evidence="MedMNIST/MedMNIST:medmnist/info.py (Organ*MNIST)",
        ),
    ),
    evidence=Evidence(
        layout="openmedlab/Awesome-Medical-Dataset:resources/LiTS.md@75e72da; PatrickChrist/LITS-CHALLENGE issue 14",
        labels="openmedlab/Awesome-Medical-Dataset:resources/LiTS.md@75e72da (liver, liver tumor); the "
        "values as in msd-liver: zhaoziheng/SAT-DS@492df0e (MSD_Liver: 1 liver, 2 cancer)",
        license="https://competitions.codalab.org/competitions/17094#learn_the_details-terms_and_conditions as read by "
        "linhandev/dataset:README.md@03debac (CC BY-NC-ND 4.0); the page itself needs a sign-in",
        subject="assassint2017/MICCAI-LITS2017 issue 33",
    ),
    notes=(
        "Volumes 28 to 47 carry an identity affine and spacing (1, 1, 1) in the source, which is wrong: their "
        "column `spacing` is null, and sizes in mm cannot be known.",
        "Orientation differs between cases: reorient before stacking or comparing.",
        "The 20 patients of 3D-IRCADb-01 are inside the training set (27-48 to be safe; the exact range is disputed).",
    ),
)


def row(case):
    test = bool(case.test)
    number = f"{case.test or ''}{case.number}"
    return Row(
        id=number,
        split="test" if test else "train",
        subject=number,
        image=case.image,
        mask=None if test else case.mask,
        spacing=None if test else _lits.spacing(case.image, int(case.number)),
    )


rows = Join(
    r"(?:^|/)(?P<test>test-)?volume-(?P<number>\d+)\.nii(?:\.gz)?$",
    row,
    mask=Partner(
        r"(?:^|/)(?P<test>test-)?segmentation-(?P<number>\d+)\.nii(?:\.gz)?$",
        when=lambda case: not case.test,
        skip="a training volume whose segmentation is not in this copy",
        orphan="a segmentation whose volume is not in this copy",
    ),
)


def miniature(make):
    flipped = [[-0.8, 0, 0, 90], [0, -0.8, 0, 80], [0, 0, 3, -70], [0, 0, 0, 1]]
    identity = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    # Case 1 has another orientation, case 28 the lost affine; mirrors spell the folders in two ways.
    cases = (
        ("Training Batch 1", 0, None),
        ("Training Batch 1", 1, flipped),
        ("Traing Batch 2", 28, identity),
    )
    for batch, case, affine in cases:
        grid = {"affine": affine, "spacing": (0.7, 0.7, 5)}
        make.nifti(f"{batch}/volume-{case}.nii", high=300, **grid)
        make.nifti(f"{batch}/segmentation-{case}.nii", labels=(1, 2), **grid)
    make.nifti("test-volume-0.nii", spacing=(0.7, 0.7, 5), high=300)
