"""BraTS 2021, the RSNA-ASNR-MICCAI Brain Tumor Segmentation challenge.

Four co-registered MRI sequences of patients with glioma, skull-stripped and resampled to 1 mm; necrotic core,
edema and enhancing tumor are outlined.
"""

from medimg.builders import _brats
from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source

OPENMEDLAB = "openmedlab/Awesome-Medical-Dataset:resources/BraTS2021.md@81da0eee"
TCIA = "https://www.cancerimagingarchive.net/analysis-result/rsna-asnr-miccai-brats-2021/"

DATASET = Dataset(
    name="brats2021",
    title="BraTS 2021, RSNA-ASNR-MICCAI Brain Tumor Segmentation",
    aliases=("BraTS21", "Brain2021", "BraTS 2021"),
    dimension="3d",
    modality="MRI",
    organ="brain",
    task="segmentation",
    license="CC-BY-4.0",
    homepage="https://www.synapse.org/#!Synapse:syn25829067/wiki/610863",
    citation=Citation(
        title="The RSNA-ASNR-MICCAI BraTS 2021 benchmark on brain tumor segmentation and radiogenomic "
        "classification",
        authors="Baid U, Ghodasara S, Mohan S, et al.",
        venue="arXiv:2107.02314",
        year=2021,
        doi="10.48550/arXiv.2107.02314",
    ),
    sources=(
        Source(url=TCIA, kind="page"),
        Source(url="https://www.synapse.org/#!Synapse:syn51514105", kind="page"),
    ),
    legend={
        1: (*_brats.CORE, "necrotic brain tumor core"),
        2: _brats.EDEMA,
        4: _brats.ENHANCING,
    },
    splits={"train": 1251, "validation": 219},
    subject="the folder, BraTS2021_#####",
    overlaps=(
        Overlap(dataset="brats2019", relation="superset of most cases", evidence=OPENMEDLAB),
        Overlap(dataset="msd-brain", relation="shared patients", evidence=OPENMEDLAB),
    ),
    evidence=Evidence(
        layout=f"{OPENMEDLAB}; constantinpape/torch-em:torch_em/data/datasets/medical/brats.py@96635280",
        labels="MIC-DKFZ/nnUNet: nnunetv2/dataset_conversion/Dataset137_BraTS21.py (1 NCR, 2 ED, 4 ET)",
        license=f"unverified: {TCIA} is CC BY 4.0 as two users of the page report; the Synapse copy asks for "
        "registration",
        subject=OPENMEDLAB,
    ),
    notes=(
        "Mask values are 1, 2 and 4; there is no 3. BraTS 2023 writes 3 for 4.",
        "Sequences are stacked along the last axis in the order FLAIR, T1, T1ce, T2.",
        "The label maps of validation and test (570 patients) were never published; test images neither.",
        "TCIA's package is CC BY 4.0. The original DICOM files are not part of it, some are under controlled "
        "access.",
    ),
)
CASE = r"^(?:.*?(Training|Validation)[^/]*/)?(?:.*/)?(BraTS2021_\d+)"
SPLITS = {"Training": "train", "Validation": "validation"}


def rows(files):
    outlined = {case for _, case in files.match(r"(BraTS2021_\d+)_seg\.nii(?:\.gz)?$")}

    def describe(case, part):
        split = SPLITS.get(part) or ("train" if case in outlined else "validation")
        return {"split": split, "subject": case, "meta": {} if part else {"split": "not told by the folders"}}

    yield from _brats.rows(files, CASE, describe)


def miniature(make):
    with make.zip("RSNA_ASNR_MICCAI_BraTS2021_TrainingData.zip") as inner:
        top = "RSNA_ASNR_MICCAI_BraTS2021_TrainingData"
        _brats.patient(inner, f"{top}/BraTS2021_00000")
        _brats.patient(inner, f"{top}/BraTS2021_00002", labels=(2, 4))
        # A copy that broke off: one sequence of this patient is missing.
        _brats.patient(inner, f"{top}/BraTS2021_01666", keys=("flair", "t1", "t2"))
    with make.zip("RSNA_ASNR_MICCAI_BraTS2021_ValidationData.zip") as inner:
        _brats.patient(inner, "RSNA_ASNR_MICCAI_BraTS2021_ValidationData/BraTS2021_00001", labels=None)
