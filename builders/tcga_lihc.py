"""TCGA-LIHC: CT and MRI of 97 patients with hepatocellular carcinoma of The Cancer Genome Atlas.

Images of clinical routine, unlabelled; genomics, pathology and survival of the same patients are in the
Genomic Data Commons.
"""

import re

from medimg.builders import _tcia, _tcia_phantom
from medimg.declaration import Citation, Config, Part

DATASET = _tcia.declared(
    "tcga-lihc",
    title="TCGA-LIHC",
    aliases=("The Cancer Genome Atlas Liver Hepatocellular Carcinoma",),
    modality=("CT", "MRI", "PET", "whole-slide image"),
    organ="liver",
    task=("genomics", "survival"),
    license="CC-BY-3.0",
    citation=Citation(
        title="Data from The Cancer Genome Atlas Liver Hepatocellular Carcinoma (TCGA-LIHC) collection",
        authors="Erickson BJ, Kirk S, Lee Y, et al.",
        venue="The Cancer Imaging Archive",
        year=2016,
        doi="10.7937/K9/TCIA.2016.IMMQW8UQ",
    ),
    splits={"train": 1688},
    configs=(
        Config(name="volumes", title="CT, MRI and PET"),
        Config(
            name="slides",
            title="Tiles of the pathology slides",
            dimension="2d",
            modality="whole-slide image",
            splits={"train": 0},
        ),
    ),
    subject="PatientID of the DICOM header: the TCGA barcode (TCGA-BC-4073)",
    parts=(Part(names="hepatocellular carcinoma"),),
    keys="SeriesInstanceUID; level; x; y; downsample; tissue; phase",
    labels_evidence="none: every patient of the collection has hepatocellular carcinoma (the collection's page)",
    notes=(
        "Every patient has hepatocellular carcinoma, which is said in `classes`; nothing is outlined, and a "
        "single series need not show the tumor.",
        "Phases, sequences and scanners are very mixed, and there is no official choice: see "
        "meta.phase, where the header says it.",
        "Series of fewer than five images and localizers are left out; so are the masks that programs made for the "
        "IDC.",
        "Slides are those that the IDC converted to DICOM (870): tiles with tissue, of the finest resolution that "
        "has at most 1,024 tiles. The SVS files of the GDC are not read.",
        "Clinical and genomic data: https://portal.gdc.cancer.gov, by the barcode.",
    ),
)


def rows(files):
    known = {
        "classes": ("hepatocellular carcinoma",),
        "assessed": ("hepatocellular carcinoma",),
        "config": "volumes",
    }

    def about(tags):
        phase = re.search("|".join(PHASES), str(tags.get("SeriesDescription", "")), re.IGNORECASE)
        return known | ({"meta": {"phase": phase[0].upper()}} if phase else {})

    return _tcia.rows(files, about, least=5, slides="slides")


PHASES = ("PORTAL VENOUS", "ARTERIAL", "VENOUS", "DELAYED", "PRE CONTRAST", "NON CONTRAST")
"""What the description of a series, free text that is not told, may say of the contrast agent."""


def miniature(make):
    root, patient = "manifest-1549400000001/TCGA-LIHC", "TCGA-BC-4073"
    study = f"{root}/{patient}/08-20-2001-NA-CT ABDOMEN-59213"
    for number, phase in ((3, "PORTAL VENOUS"), (2, "ARTERIAL")):
        tags = {"SeriesDescription": phase}
        ct = make.dicom_series(f"{study}/{number}.000000-{phase}-8101{number}", 5, patient=patient, tags=tags)
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesInstanceUID": "2.25.3"}
    make.dicom(f"{study}/1.000000-SCOUT-81010/1-1.dcm", patient=patient, tags=scout)
    make.dicom_series(f"{study}/9.000000-TOPOGRAM-81019", 2, patient=patient)
    _tcia_phantom.segmentation(make, f"{study}/77.0-TIL-1/1-1.dcm", ct, {"Liver": [(1, 2, 4)]}, patient)
    patient = "TCGA-DD-A114"
    study = f"{root}/{patient}/2.25.1001"
    _tcia_phantom.dynamic(make, f"{study}/2.25.1002", [{"EchoTime": 2.2}, {"EchoTime": 4.4}], patient, slices=5)
    make.dicom_series(f"{study}/2.25.1003", 5, modality="PT", patient=patient)
    slide = {"SeriesInstanceUID": "2.25.1004"}
    for scale in (1, 2):
        _tcia_phantom.slide(make, f"{study}/2.25.1004/{scale}.dcm", patient, (72 // scale, 40 // scale), **slide)
