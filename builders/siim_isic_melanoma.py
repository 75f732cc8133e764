"""SIIM-ISIC Melanoma Classification: the images of ISIC 2020 as the competition on Kaggle distributes them.

Dermoscopy of skin lesions of 2,056 patients, benign or melanoma, as DICOM, JPEG and TensorFlow records.
"""

from medimg.builders import _isic_2020
from medimg.declaration import Dataset, Evidence, Overlap, Source

HOME = "https://www.kaggle.com/c/siim-isic-melanoma-classification"
SEEN = "public copies of train.csv, test.csv and of the list of files"

DATASET = Dataset(
    name="siim-isic-melanoma",
    title="SIIM-ISIC Melanoma Classification (Kaggle 2020)",
    aliases=("SIIM-ISIC Melanoma", "siim-isic-melanoma-classification"),
    dimension="2d",
    modality="dermoscopy",
    organ="skin",
    task="classification",
    license="LicenseRef-Kaggle-competition",
    homepage=HOME,
    citation=_isic_2020.CITATION,
    access="registration",
    how=f"Sign in at {HOME}/data, accept the rules, download the data (or train.csv, test.csv and the folder "
    "jpeg alone) and pass the folder or the zip; or load isic-2020, the same images without registration.",
    sources=(Source(url=f"{HOME}/data", kind="page"),),
    labels=_isic_2020.LABELS,
    splits={"train": 33126, "test": 10982},
    subject="column patient_id",
    overlaps=(
        Overlap(
            dataset="isic-2020",
            relation="same images",
            evidence="ImageMarkup/stade@cf20329:stade/core/templates/data/2020.html; same file names",
        ),
    ),
    keys=("sex; age_approx; anatom_site_general_challenge; diagnosis; benign_malignant; target; patient_id"),
    evidence=Evidence(
        layout=SEEN,
        labels=f"{SEEN}; mlr-org/mlr3torch:R/TaskClassif_melanoma.R",
        license="unverified: the rules of the competition were not read",
        subject=f"{SEEN}; challenge2020.isic-archive.com (2,056 patients)",
    ),
    notes=(
        "The same images as isic-2020, which may be published: this is only for those who have Kaggle's copy.",
        "The diagnosis is unknown for 27,124 of 33,126 images; that they are no melanoma is known.",
        "Pictures are read from the folder jpeg where it is there, else from the DICOM files.",
    ),
)

rows = _isic_2020.rows


def miniature(make):
    # One image of each split is there in DICOM alone; test.csv lacks the last three columns.
    for split, cases in (("train", _isic_2020.TRAIN), ("test", _isic_2020.TEST)):
        for n, row in enumerate(cases):
            make.dicom(f"{split}/{row[0]}.dcm", (24, 18), modality="XC", patient=row[1], dtype="uint8", high=255)
            if n:
                make.image(f"jpeg/{split}/{row[0]}.jpg", mode="RGB")
        make.bytes(f"tfrecords/{split}00-2071.tfrec", b"\0" * 16)
    header = [*_isic_2020.COLUMNS, "diagnosis", "benign_malignant", "target"]
    make.csv("train.csv", header, _isic_2020.TRAIN)
    make.csv("test.csv", _isic_2020.COLUMNS, _isic_2020.TEST)
    make.csv("sample_submission.csv", ["image_name", "target"], [(row[0], 0) for row in _isic_2020.TEST])
