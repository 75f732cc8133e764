"""AbdomenCT-1K: liver, kidneys, spleen and pancreas in more than a thousand abdominal CT volumes.

The volumes come from LiTS, KiTS19, MSD Spleen, MSD Pancreas, NIH Pancreas-CT and Nanjing University; the
four organs are outlined in 1,000 of the 1,062 that were published.
"""

from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.join import Join, Partner
from medimg.readers import grids, nifti
from medimg.schema import Row

LOADER = "constantinpape/torch-em:torch_em/data/datasets/medical/abdomenct_1k.py@641e2dae"
PAPER = "JunMa11/AbdomenCT-1K:README.md@06f0f04 (references 1, 2 and 4)"
ZENODO = "https://zenodo.org/records"
IMAGES = (
    (5903099, "3d0d8edd2a8777f8807c6715f633e2fea104f16a8514572664021ed88f97cd03"),
    (5903846, "3178bd3021dfed0440c4dc269b7f3125b27b60aec96e81b210d7c4c55d0fe894"),
    (5903769, "76bf789589a13ca1aef9b9c8b771f05c165e6d2013284bbfdb4c4656d4931c30"),
)
MASK = "cefa7cab51fb0781876550b032278ca6a1ed2a8c776c8567410ea2b2a6984e50"
UNSCALED = (78, *range(273, 279), *range(280, 287), 462, *range(574, 579))
"""Cases that issue 27 lists: the files say (1, 1, 1)."""

DATASET = Dataset(
    name="abdomenct-1k",
    title="AbdomenCT-1K",
    aliases=("AbdomenCT1K", "AbdomenCT 1K"),
    dimension="3d",
    modality="CT",
    organ=("liver", "kidney", "spleen", "pancreas"),
    task="segmentation",
    license="LicenseRef-AbdomenCT-1K",
    homepage="https://github.com/JunMa11/AbdomenCT-1K",
    citation=Citation(
        title="AbdomenCT-1K: Is Abdominal Organ Segmentation A Solved Problem?",
        authors="Ma J, Zhang Y, Gu S, et al.",
        venue="IEEE TPAMI 44(10):6695-6714",
        year=2022,
        doi="10.1109/TPAMI.2021.3100536",
    ),
    how="Download the three image archives and Mask.7z from Zenodo, unpack Mask.7z into a folder Mask "
    "beside them, and pass the folder that holds them.",
    sources=(
        *(
            Source(url=f"{ZENODO}/{record}/files/AbdomenCT-1K-ImagePart{part}.zip", sha256=sha256)
            for part, (record, sha256) in enumerate(IMAGES, 1)
        ),
        # A 7z archive cannot be read in place: a page, for a person to unpack.
        Source(url=f"{ZENODO}/5903769/files/Mask.7z", sha256=MASK, kind="page"),
    ),
    legend={1: ("liver",), 2: ("kidney",), 3: ("spleen",), 4: ("pancreas",)},
    splits={"train": 1000, "test": 62},
    subject="the case number; the volumes' numbers in their own datasets are withheld",
    overlaps=tuple(
        Overlap(dataset=other, relation="superset of", evidence=f"{PAPER}; {more}")
        for other, more in (
            ("lits", "JunMa11/AbdomenCT-1K issue 27"),
            ("msd-liver", "the images are those of LiTS"),
            *((other, LOADER) for other in ("kits19", "msd-spleen", "msd-pancreas")),
        )
    ),
    keys="spacing",
    evidence=Evidence(
        layout=f"{LOADER}; zhaoziheng/SAT-DS@492df0e (data/jsonl/AbdomenCT1K.jsonl)",
        labels=f"{LOADER} (CLASS_NAMES); JunMa11/AbdomenCT-1K issue 30",
        license="JunMa11/AbdomenCT-1K:README.md@06f0f04 (none stated; licenses of the sources differ)",
        subject="JunMa11/AbdomenCT-1K issues 11, 21 and 31 (no table of sources)",
    ),
    notes=(
        "62 volumes without published masks are the split test. 50 of the paper's 1,112 are not in the archives.",
        "20 cases that come from LiTS state spacing (1, 1, 1) instead of their own (issue 27 lists them): "
        "`spacing` is null there, and world coordinates are wrong.",
        "Case_00219 and Case_00656 show no spleen: patients without one (issue 8).",
    ),
)


MASKS = r"(?:^|/)(?P<name>Case_\d{5})\.nii(?:\.gz)?$"


def rows(files):
    if not any(files.match(MASKS)):
        files.need(MASKS, next_step="unpack Mask.7z into a folder Mask")
    yield from volumes(files)


def row(case):
    one = unscaled(case)
    return Row(
        id=case.name,
        split="train" if case.mask else "test",
        subject=case.name,
        image=case.image,
        mask=case.mask,
        spacing=() if one else None,
        meta={"spacing": "(1, 1, 1) in the file, which is not the true one"} if one else {},
    )


def unscaled(case):
    """Whether the header has lost the spacing, as it has in one of `UNSCALED`."""
    if int(case.name[5:]) not in UNSCALED:
        return False
    affine = grids.grid_of(nifti.volume(case.image)).affine
    return all(abs(affine[axis][axis]) == 1 for axis in range(3))


volumes = Join(
    r"(?:^|/)(?P<name>Case_\d{5})_0000\.nii(?:\.gz)?$",
    row,
    mask=Partner(
        MASKS,
        tell="no mask of it is in this copy: taken for one of the 62 whose masks are not published",
        orphan="a mask whose volume is not in this copy",
    ),
)


def miniature(make):
    # The pixels of other miniatures, seed by seed: LiTS (78 without its spacing), MSD Spleen, KiTS19, MSD Pancreas.
    tall, kits = {"shape": (12, 14, 10)}, {"shape": (6, 12, 10), "dtype": "float32"}
    cases = (
        (1, 1, "Training Batch 1/volume-0.nii", {}),
        (1, 78, "Traing Batch 2/volume-28.nii", {"spacing": (1, 1, 1)}),
        (2, 400, "Task09_Spleen/imagesTr/spleen_2.nii.gz", tall),
        (2, 558, "data/case_00000/imaging.nii.gz", kits),
        (3, 700, "Task07_Pancreas/imagesTr/pancreas_001.nii.gz", {}),
        (3, 1062, None, {}),
    )
    for part in (1, 2, 3):
        with make.zip(f"AbdomenCT-1K-ImagePart{part}.zip") as inner:
            for _, case, seed, own in (one for one in cases if one[0] == part):
                own = {"shape": (12, 10, 6), "spacing": (0.8, 0.8, 2.5)} | own
                path = f"AbdomenCT-1K-ImagePart{part}/Case_{case:05d}_0000.nii.gz"
                inner.nifti(path, high=300, seed=seed, **own)
                if seed:
                    mask = own | {"labels": (1, 2, 3, 4), "dtype": "uint8", "nested": False}
                    make.nifti(f"Mask/Case_{case:05d}.nii.gz", **mask)
