"""ODIR-5K: fundus photographs of both eyes of 5,000 patients, with diagnostic keywords for each eye.

Collected by Shanggong Medical Technology from hospitals in China, with cameras of several makers; eight classes
are stated for each patient.
"""

from medimg.builders import _odir
from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import tables
from medimg.schema import Row, Skipped

HOME = "https://odir2019.grand-challenge.org"
COPY = "https://www.kaggle.com/datasets/andrewmvd/ocular-disease-recognition-odir5k"
COUNTED = "MinsuChae/Ocular-Disease-Recognition:full_df.csv@28a36191"

DATASET = Dataset(
    name="odir-5k",
    title="ODIR-5K, Ocular Disease Intelligent Recognition",
    aliases=("ODIR", "ODIR-2019", "Ocular Disease Recognition"),
    dimension="2d",
    modality="fundus photography",
    organ=("retina", "eye"),
    task="multi-label classification",
    license="LicenseRef-unknown",
    homepage=f"{HOME}/dataset/",
    citation=Citation(
        title="A Benchmark of Ocular Disease Intelligent Recognition: One Shot for Multi-disease Detection",
        authors="Li N, Li T, Hu C, Wang K, Kang H",
        venue="Bench 2020, LNCS 12614:177-193",
        year=2021,
        doi="10.1007/978-3-030-71058-3_11",
        arxiv=("2102.07978",),
    ),
    access="registration",
    how=f"Sign in at {HOME}/dataset/ or {COPY}, download the images and the workbook (data.xlsx, or "
    "ODIR-5K_Training_Annotations(Updated)_V2.xlsx), and pass the folder or the zip.",
    sources=(Source(url=f"{HOME}/dataset/", kind="page"), Source(url=COPY, kind="page")),
    labels=_odir.LABELS,
    splits={"train": 7000, "test": 1000},
    subject="number before _left or _right in the file name",
    keys="eye; keywords; patient; N; D; G; C; A; H; M; O",
    evidence=Evidence(
        layout=f"{COUNTED}; openmedlab/Awesome-Medical-Dataset:resources/ODIR-5K.md@81da0eee; "
        "HossamBalaha/Medical-Datasets-for-Artificial-Intelligence (tree of the copy on Kaggle); "
        "JordiCorbilla/ocular-disease-intelligent-recognition-deep-learning:README.md@0011acb (the challenge's own "
        "names: ODIR-5K_Training_Dataset, ODIR-5K_Testing_Images, ODIR-5K_Training_Annotations(Updated)_V2.xlsx)",
        labels=f"{COUNTED} (94 keywords of 3,358 patients counted, compared with the classes); "
        "nkicsl/OIA-ODIR:README@08e515c",
        license="none stated: neither on the copy nor in OIA-ODIR; the challenge's terms were not read",
        subject=f"{COUNTED}: one row, two eyes",
    ),
    notes=(
        "The eight classes (N, D, G, C, A, H, M, O) are of the patient, both eyes together; they are in "
        "`label.source`. The labels of a row come from the keywords of its own eye.",
        "Keywords without a canonical name of their own are `other abnormality`, the source's class O; verbatim in "
        "`label.source`.",
        "Remarks such as lens dust or low image quality say nothing of the eye: with nothing else there are no labels.",
        "Test images are those of the off-site test, without labels.",
    ),
)


def rows(files):
    books = [book for (book,) in files.match(r"(?:^|/)(?:data|ODIR[^/]*Annotation[^/]*)\.xlsx$")]
    table = books[0] if books else files.find(r"(?:^|/)full_df\.csv$")
    people = {row["ID"]: row for row in tables.rows(table)} if table else {}
    for image, part, patient, side in files.match(
        r"(Train|Test)ing[ _](?:Images|Dataset)/(?:.*/)?(\d+)_(left|right)\.jpg$"
    ):
        row = people.get(patient) if part == "Train" else None
        shared = {"id": image.stem, "split": part.lower(), "subject": patient, "image": image}
        if part == "Test":
            yield Row(**shared, assessed=(), meta={"eye": side})
            continue
        if row is None:
            yield Skipped(file=image, reason="no table in this copy has a row for it")
            continue
        keywords = row[f"{side.title()}-Diagnostic Keywords"]
        stated = {key: row[key] for key in list(row)[7:15]}
        yield Row(
            **shared,
            **_odir.said(keywords),
            source={"keywords": keywords, "patient": stated},
            meta={"eye": side, **{key: row[key] for key in ("Patient Age", "Patient Sex")}},
        )
    for (image,) in files.match(r"(?:^|/)preprocessed_images/[^/]+\.jpg$"):
        yield Skipped(file=image, reason="a cropped copy of 512 x 512 pixels")


def miniature(make):
    _odir.miniature(make)
