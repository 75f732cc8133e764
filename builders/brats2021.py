"""BraTS 2021, the RSNA-ASNR-MICCAI Brain Tumor Segmentation challenge.

Four co-registered MRI sequences of patients with glioma, skull-stripped and resampled to 1 mm; necrotic core,
edema and enhancing tumor are outlined.
"""

from medimg.builders import _brats
from medimg.declaration import Citation, Evidence, Overlap, Source
from medimg.join import lines

OPENMEDLAB = "openmedlab/Awesome-Medical-Dataset:resources/BraTS2021.md@81da0eee"
PACKAGE = "MedARC-AI/brainmarks-smri:scripts/brats2021/README.md@013a8c4"
TCIA = "https://www.cancerimagingarchive.net/analysis-result/rsna-asnr-miccai-brats-2021/"

DATASET = _brats.challenge(
    core="necrotic brain tumor core",
    name="brats2021",
    title="BraTS 2021, RSNA-ASNR-MICCAI Brain Tumor Segmentation",
    aliases=("BraTS21", "Brain2021", "BraTS 2021", "Brain2021"),
    task="segmentation",
    license="CC-BY-4.0",
    homepage="https://www.synapse.org/#!Synapse:syn25829067/wiki/610863",
    citation=Citation(
        title="The RSNA-ASNR-MICCAI BraTS 2021 benchmark on brain tumor segmentation and radiogenomic classification",
        authors="Baid U, Ghodasara S, Mohan S, et al.",
        venue="arXiv:2107.02314",
        year=2021,
        doi="10.48550/arXiv.2107.02314",
    ),
    sources=(
        Source(url=TCIA, kind="page"),
        Source(url="https://www.synapse.org/#!Synapse:syn51514105", kind="page"),
    ),
    splits={"train": 1251, "validation": 219},
    subject="the folder, BraTS2021_#####",
    overlaps=(
        Overlap(dataset="brats2019", relation="superset of most cases", evidence=OPENMEDLAB),
        Overlap(dataset="msd-brain", relation="shared patients", evidence=OPENMEDLAB),
    ),
    keys=(
        "Data Collection (as on TCIA+additional); BraTS2021 ID; Segmentation (Task 1) Cohort; "
        "Local ID; MGMT value*; PatientID; TCIA*ID*"
    ),
    evidence=Evidence(
        layout=f"{OPENMEDLAB}; constantinpape/torch-em:torch_em/data/datasets/medical/brats.py@96635280; {PACKAGE} "
        "(folders and table of TCIA's package)",
        labels="MIC-DKFZ/nnUNet: nnunetv2/dataset_conversion/Dataset137_BraTS21.py (1 NCR, 2 ED, 4 ET)",
        license=f"{TCIA} as quoted by {PACKAGE} (CC BY 4.0 for the challenge data and the crosswalk) and by two "
        "other users of the page; the Synapse copy asks for registration",
        subject=OPENMEDLAB,
    ),
    notes=(
        "Mask values are 1, 2 and 4; there is no 3. BraTS 2023 writes 3 for 4.",
        "Sequences are stacked along the last axis in the order FLAIR, T1, T1ce, T2.",
        "The label maps of validation and test (570 patients) were never published; test images neither.",
        "TCIA's package is CC BY 4.0: publish from it, not from a copy of Synapse. The original DICOM files are not "
        "part of it, some are under controlled access.",
        "`meta` has what BraTS2021_MappingToTCIA.xlsx says of a patient: collection, TCIA's PatientID, MGMT value.",
    ),
)
SPLITS = {"Training": "train", "Validation": "validation"}


def describe(case):
    split = SPLITS.get(case.part)
    if split is None and "seg" in case.image:
        split = "train"  # the outlines of the validation set were never published
    return {"split": split, "meta": case.mapped or {}} if split else None


rows = _brats.rows(
    r"BraTS2021_\d+",
    describe,
    mapped=lines(r"BraTS2021_MappingToTCIA\.xlsx$", "BraTS2021 ID", key="name"),
    left=[(r"Set_dcm/.*\.dcm$", "DICOM of task 2, the MGMT value: scans that were converted from NIfTI")],
)


def miniature(make):
    with make.zip("RSNA_ASNR_MICCAI_BraTS2021_TrainingData.zip") as inner:
        top = "RSNA_ASNR_MICCAI_BraTS2021_TrainingData"
        _brats.patient(inner, f"{top}/BraTS2021_00000")
        _brats.patient(inner, f"{top}/BraTS2021_00002", labels=(2, 4))
        # A copy that broke off: one sequence of this patient is missing.
        _brats.patient(inner, f"{top}/BraTS2021_01666", keys=("flair", "t1", "t2"))
    with make.zip("RSNA_ASNR_MICCAI_BraTS2021_ValidationData.zip") as inner:
        _brats.patient(inner, "RSNA_ASNR_MICCAI_BraTS2021_ValidationData/BraTS2021_00001", labels=None)
    # TCIA's package has a folder for each collection, the scans of task 2 and a table.
    root = "RSNA-ASNR-MICCAI-BraTS-2021"
    _brats.patient(make, f"{root}/BraTS2021_TrainingSet/UCSF-PDGM/BraTS2021_00017")
    scan = f"{root}/BraTS2021_TrainingSet_dcm/UCSF-PDGM/00017/FLAIR/Image-1.dcm"
    make.dicom(scan, modality="MR", patient="00017")
    columns = ["Data Collection (as on TCIA+additional)", "BraTS2021 ID", "Segmentation (Task 1) Cohort"]
    make.xlsx("BraTS2021_MappingToTCIA.xlsx", columns, [("UCSF-PDGM", "BraTS2021_00017", "Training")])
