"""ISIC 2020: dermoscopy of skin lesions of 2,056 patients, benign or melanoma.

33,126 images for training with the patient, age, sex and anatomic site of each, and 10,982 images of the test
set without answers.
"""

from medimg.builders import _isic, _isic_2020
from medimg.declaration import Evidence, Overlap

PAGE = f"{_isic.SITE}:stade/core/templates/data/2020.html"
COUNTED = "ToreGore/AI-Health@ed69a65 (copies of the training tables, counted)"
FILES = (
    "Training_JPEG.zip",
    "Training_GroundTruth_v2.csv",
    "Training_Duplicates.csv",
    "Test_JPEG.zip",
    "Test_Metadata.csv",
)

DATASET = _isic.challenge(
    2020,
    [f"ISIC_2020_{name}" for name in FILES],
    name="isic-2020",
    title="ISIC 2020, SIIM-ISIC Melanoma Classification",
    aliases=("ISIC Challenge 2020", "ISIC2020"),
    task="classification",
    license="CC-BY-NC-4.0",
    homepage="https://challenge2020.isic-archive.com/",
    citation=_isic_2020.CITATION,
    labels=_isic_2020.LABELS,
    splits={"train": 33126, "test": 10982},
    subject="column patient_id (in the test table: patient)",
    overlaps=(
        Overlap(dataset="siim-isic-melanoma", relation="same images", evidence=f"{PAGE}; same file names"),
        Overlap(dataset="isic-2019", relation="shared patients possible, no shared image id", evidence=COUNTED),
    ),
    keys=(
        "sex; age_approx; anatom_site_general; anatom_site_general_challenge; lesion_id; duplicates; "
        "diagnosis; benign_malignant; target; patient_id"
    ),
    evidence=Evidence(
        layout=f"{PAGE}; mlr-org/mlr3torch:R/TaskClassif_melanoma.R (columns of both tables); "
        "public scripts that read ISIC_2020_Train_DICOM_corrected/train/*.dcm",
        labels=f"{COUNTED}; openmedlab/Awesome-Medical-Dataset:resources/ISIC2020.md@81da0eee",
        license=f"{PAGE} (CC-BY-NC 4.0, doi:10.34970/2020-ds01)",
        subject=f"{PAGE}; {COUNTED}: 2,056 patients",
    ),
    notes=(
        "425 pairs of duplicates (one patient and one target each) are kept; `meta.duplicates` names the others: "
        "drop one of each.",
        "The diagnosis is unknown for 27,124 of 33,126 images; that they are no melanoma is known.",
        "Pictures are read from JPEG where it is there, else from the corrected DICOM files, else from the first.",
        "Attribution: International Skin Imaging Collaboration. SIIM-ISIC 2020 Challenge Dataset, "
        "doi:10.34970/2020-ds01; images of Hospital Clínic de Barcelona, Medical University of Vienna, Memorial "
        "Sloan Kettering Cancer Center, Melanoma Institute Australia, the University of Queensland, and the "
        "University of Athens Medical School.",
    ),
)

rows = _isic_2020.rows


def miniature(make):
    # Three archives hold one picture; 0074311 is in DICOM alone; the test table names its columns differently.
    columns, train, test = _isic_2020.COLUMNS, _isic_2020.TRAIN, _isic_2020.TEST
    with make.zip("ISIC_2020_Training_JPEG.zip") as inner:
        for row in train[:3]:
            inner.image(f"train/{row[0]}.jpg", mode="RGB")
    for archive in ("Training_Dicom", "Train_DICOM_corrected"):
        with make.zip(f"ISIC_2020_{archive}.zip") as inner:
            for row in train[2:]:
                inner.dicom(f"train/{row[0]}.dcm", (24, 18), modality="XC", patient=row[1], dtype="uint8", high=255)
    with make.zip("ISIC_2020_Test_JPEG.zip") as inner:
        for row in test:
            inner.image(f"ISIC_2020_Test_Input/{row[0]}.jpg", mode="RGB")
    header = [*columns, "diagnosis", "benign_malignant", "target"]
    make.csv("ISIC_2020_Training_GroundTruth.csv", header, train)
    second = [(*row[:2], f"IL_{n:07d}", *row[2:]) for n, row in enumerate(train)]
    make.csv("ISIC_2020_Training_GroundTruth_v2.csv", [*header[:2], "lesion_id", *header[2:]], second)
    pair = [(train[2][0], train[3][0])]
    make.csv("ISIC_2020_Training_Duplicates.csv", ["image_name_1", "image_name_2"], pair)
    make.csv("ISIC_2020_Test_Metadata.csv", "image,patient,sex,age_approx,anatom_site_general", test)
