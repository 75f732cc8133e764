"""BraTS 2019, the Brain Tumor Segmentation challenge of MICCAI 2019.

Four co-registered MRI sequences of patients with high- or low-grade glioma, skull-stripped and resampled to
1 mm; necrotic and non-enhancing core, edema and enhancing tumor are outlined.
"""

from medimg.builders import _brats
from medimg.declaration import Citation, Evidence, Overlap, Source
from medimg.join import lines

CONVERSION = "MIC-DKFZ/nnUNet:nnunetv2/dataset_conversion/Dataset043_BraTS19.py@0e495086"
PAGE = "https://www.med.upenn.edu/cbica/brats2019/data.html"
GRADES = {"HGG": "high-grade glioma", "LGG": "low-grade glioma"}

DATASET = _brats.challenge(
    core="necrotic and non-enhancing brain tumor core",
    name="brats2019",
    title="BraTS 2019, Multimodal Brain Tumor Segmentation Challenge",
    aliases=("BraTS19", "Brain2019", "BraTS 2019", "Brain2019"),
    task=("segmentation", "classification", "survival"),
    license="LicenseRef-CBICA-BraTS",
    citation=Citation(
        title="The multimodal brain tumor image segmentation benchmark (BRATS)",
        authors="Menze BH, Jakab A, Bauer S, et al.",
        venue="IEEE Transactions on Medical Imaging 34(10):1993-2024",
        year=2015,
        doi="10.1109/TMI.2014.2377694",
        arxiv=("1811.02629",),
    ),
    access="registration",
    how="Register at https://www.med.upenn.edu/cbica/brats2019/registration.html, download "
    "MICCAI_BraTS_2019_Data_Training.zip and MICCAI_BraTS_2019_Data_Validation.zip, and pass their folder: "
    'medimg.load("brats2019", source="~/BraTS2019").',
    sources=(Source(url=PAGE, kind="page"), Source(url="https://ipp.cbica.upenn.edu/", kind="page")),
    labels=GRADES,
    splits={"train": 335, "validation": 125},
    subject="the folder, BraTS19_<source>_<id>_1",
    overlaps=tuple(
        Overlap(
            dataset=other,
            relation="shared patients",
            evidence=f"openmedlab/Awesome-Medical-Dataset:resources/{page}@81da0eee",
        )
        for other, page in (("brats2021", "BraTS2021.md"), ("msd-brain", "MSD_Brain.md"))
    ),
    keys=(
        "Grade; BraTS_2017_subject_ID; BraTS_2018_subject_ID; TCGA_TCIA_subject_ID; "
        "BraTS_2019_subject_ID; BraTS19ID; Age; Survival; ResectionStatus; Survival_days; "
        "Extent_of_Resection"
    ),
    evidence=Evidence(
        layout=CONVERSION,
        labels=f"http://www.med.upenn.edu/cbica/brats2019/tasks.html; {CONVERSION} (1 NCR/NET, 2 ED, 4 ET)",
        license="https://www.med.upenn.edu/cbica/brats2020/data.html (data usage agreement of a later edition)",
        subject="unverified: one folder is one patient",
    ),
    notes=(
        "Mask values are 1, 2 and 4; there is no 3.",
        "Sequences are stacked along the last axis in the order FLAIR, T1, T1ce, T2.",
        "The label maps of validation and test (166 patients) were never published; test images neither.",
        "name_mapping.csv ties patients to earlier challenges and to TCGA; survival_data.csv has the survival of some.",
    ),
)
TUMOR = tuple(dict.fromkeys(name for names in DATASET.legend.values() for name in names))


def describe(case):
    mapped = case.mapped or {}
    grade = case.grade or mapped.get("Grade")
    train = case.part == "Training" if case.part else "seg" in case.image
    assessed = []
    if grade in GRADES:
        assessed += DATASET.every_label
    if train:
        assessed += TUMOR
    return {
        "split": "train" if train else "validation",
        "classes": DATASET.labels.get(grade, ()),
        "assessed": assessed,
        "source": {"Grade": grade} if grade in GRADES else None,
        "meta": {**mapped, **(case.survival or {})},
    }


rows = _brats.rows(
    r"BraTS19_\w+?",
    describe,
    mapped=lines(r"name_mapping[^/]*\.csv$", "BraTS_2019_subject_ID", key="name"),
    survival=lines(r"survival[^/]*\.csv$", None, key="name"),  # their first column is called in several ways
)


def miniature(make):
    top = "MICCAI_BraTS_2019_Data_Training"
    names = ("HGG/BraTS19_2013_10_1", "HGG/BraTS19_CBICA_ASH_1", "LGG/BraTS19_TCIA13_653_1")
    with make.zip(f"{top}.zip") as inner:  # mirrors double the top folder
        for name in names:
            _brats.patient(inner, f"{top}/{top}/{name}", labels=(2, 1) if name.startswith("LGG") else (2, 1, 4))
        header = "Grade,BraTS_2017_subject_ID,BraTS_2018_subject_ID,TCGA_TCIA_subject_ID,BraTS_2019_subject_ID"
        mapping = [(name[:3], "NA", name[4:].replace("19", "18", 1), "NA", name[4:]) for name in names]
        inner.csv(f"{top}/{top}/name_mapping.csv", header.split(","), mapping)
        inner.csv(
            f"{top}/{top}/survival_data.csv",
            ["BraTS19ID", "Age", "Survival", "ResectionStatus"],
            [("BraTS19_CBICA_ASH_1", 61.5, 421, "GTR")],
        )
    with make.zip("MICCAI_BraTS_2019_Data_Validation.zip") as inner:
        _brats.patient(inner, "MICCAI_BraTS_2019_Data_Validation/BraTS19_CBICA_AAM_1", labels=None)
