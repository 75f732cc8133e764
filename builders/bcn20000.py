"""BCN20000: dermoscopy of skin lesions in the wild, collected at Hospital Clínic de Barcelona from 2010 to 2016.

18,946 images with one of eight diagnoses for those for training, and age, sex and anatomic site; lesions on
nails and mucosa, and those that are hard to segment, are among them.
"""

from medimg.builders import _isic
from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.join import Join, lines
from medimg.schema import Row

RECORD = "https://figshare.com/articles/journal_contribution/BCN20000_Dermoscopic_Lesions_in_the_Wild/24140028/1"
AUTHORS = "imatge-upc/BCN20000:preparation/dataset_functions.py@19658f9"

DATASET = Dataset(
    name="bcn20000",
    title="BCN20000, Dermoscopic Lesions in the Wild",
    aliases=("BCN 20000", "Dermoscopic Lesions in the Wild"),
    dimension="2d",
    modality="dermoscopy",
    organ="skin",
    task="classification",
    license="CC-BY-4.0",
    citation=Citation(
        title="BCN20000: dermoscopic lesions in the wild",
        authors="Hernández-Pérez C, Combalia M, Podlipnik S, et al.",
        venue="Scientific Data 11:641",
        year=2024,
        doi="10.1038/s41597-024-03387-w",
        arxiv=("1908.02288",),
    ),
    how="Download BCN_20k_train.zip, BCN_20k_test.zip and the two tables from figshare, and pass the folder.",
    sources=(Source(url=RECORD, kind="page"),),
    labels={**_isic.DIAGNOSES_2019, "OOD": "other abnormality"},
    splits={"train": 0, "test": 0},
    no_subject="no patient is named; rows carry the lesion instead",
    overlaps=(
        Overlap(
            dataset="isic-2019",
            relation="subset of",
            evidence="its training part, 12,413 images with lesion ids BCN_…; file names differ, lesions agree: "
            "ToreGore/AI-Health@ed69a65 (tables counted)",
        ),
    ),
    keys="age_approx; anatom_site_general; capture_date; sex; split",
    evidence=Evidence(
        layout=f"figshare 24140028 version 1; {AUTHORS}; public loaders (nested folders, two tables)",
        labels=f"{AUTHORS} (eight codes); doi:10.1038/s41597-024-03387-w (abstract: a ninth class OOD of the test "
        "set, lesions that could not be classified as any of the others)",
        license="figshare 24140028 (CC BY 4.0); the part inside ISIC 2019 is CC BY-NC 4.0",
        subject=f"{AUTHORS} (splits by lesion_id)",
    ),
    notes=(
        "Diagnoses of the test images are not in the public table, as loaders read it.",
        "18,946 images in the data descriptor of 2024, 19,424 in the preprint of 2019.",
        "Several images show one lesion: split by subject, which is the lesion.",
    ),
)


def row(case):
    split, code = case.part.lower(), case.line.get("diagnosis")
    assessed = ()
    if code:
        # Lesions of the test set that are none of the eight are OOD; nobody looked for them in the training set.
        assessed = DATASET.every_label if split == "test" else tuple(_isic.DIAGNOSES_2019.values())
    return Row(
        id=case.stem,
        split=split,
        subject=case.line["lesion_id"],
        image=case.image,
        classes=case.line.one_of("diagnosis", DATASET.labels) if code else (),
        assessed=assessed,
        source=code or None,
        meta={key: cell for key, cell in case.line.items() if key not in ("bcn_filename", "diagnosis", "lesion_id")},
    )


rows = Join(
    r"(?i)bcn_20k_(?P<part>train|test)/(?:.*/)?[^/]+\.jpe?g$",
    row,
    # Spellings of names differ in case.
    line=lines(
        r"(?i)(?:^|/)bcn_20k_(?:train|test)\.csv$",
        "bcn_filename",
        key=lambda case: case.stem.lower(),
        named=lambda text: text.lower().removesuffix(".jpg"),
        columns=("bcn_filename", "lesion_id"),
        skip="no table in this copy has a row for it",
        rest="its image is not in this copy",
    ),
)


def miniature(make):
    # Folders are nested twice, in two spellings, and so are names of tables; cells may be blank.
    header = [
        "bcn_filename",
        "age_approx",
        "anatom_site_general",
        "diagnosis",
        "lesion_id",
        "capture_date",
        "sex",
    ]
    train = [
        ("BCN_0000000001.jpg", 55.0, "anterior torso", "MEL", "BCN_0003884", "2012-05-16", "male", "train"),
        ("BCN_0000000003.jpg", 50.0, "anterior torso", "MEL", "BCN_0003884", "2015-07-07", "female", "train"),
        ("BCN_0000000004.jpg", None, None, "SCC", "BCN_0000019", "2014-02-16", None, "train"),
    ]
    test = [("BCN_0000000002.jpg", 85.0, "head/neck", "BCN_0003883", "2011-09-20", "female", "test")]
    make.csv("bcn_20k_train.csv", [*header, "split"], train)
    make.csv("BCN_20k_test.csv", [*header[:3], *header[4:], "split"], test)
    for split, cases in (("train", train), ("test", test)):
        with make.zip(f"BCN_20k_{split}.zip") as inner:
            for row in cases:
                inner.image(f"BCN_20k_{split}/bcn_20k_{split}/{row[0]}", mode="RGB")
