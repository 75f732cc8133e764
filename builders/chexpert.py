"""CheXpert: 224,316 chest radiographs of 65,240 patients of Stanford Hospital with 14 observations each.

Observations of the training part were read from the reports by rules, those of the validation and test parts
were set by radiologists. Present, absent and uncertain are told apart.
"""

from medimg.builders import _chexpert
from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import tables
from medimg.schema import Row, Skipped

HOME = "https://stanfordmlgroup.github.io/competitions/chexpert/"
AIMI = "https://stanfordaimi.azurewebsites.net/datasets"
LOADER = "mlmed/torchxrayvision:torchxrayvision/datasets.py@f4087a0b CheX_Dataset"
TABLES = {"train": "train", "valid": "validation", "val_labels": "validation", "test_labels": "test"}
AUTOMATIC = ("train_cheXbert", "train_visualCheXbert")

DATASET = Dataset(
    name="chexpert",
    title="CheXpert",
    aliases=("CheXpert-v1.0", "CheXpert-v1.0-small"),
    dimension="2d",
    modality="X-ray",
    organ=("lung", "heart", "chest"),
    task="classification",
    license="LicenseRef-Stanford-RUA",
    homepage=HOME,
    citation=Citation(
        title="CheXpert: a large chest radiograph dataset with uncertainty labels and expert comparison",
        authors="Irvin J, Rajpurkar P, Ko M, et al.",
        venue="AAAI 33:590-597",
        year=2019,
        doi="10.1609/aaai.v33i01.3301590",
    ),
    access="registration",
    how=f"Register at {AIMI}/8cbd9ed4-2eb9-4565-affc-111cf4f7ebe2, accept the agreement, download the "
    "four batches (or CheXpert-v1.0-small.zip) and, for the test images, the folder CheXpert of "
    'CheXlocalize; pass the folder that holds them: medimg.load("chexpert", source="~/CheXpert").',
    sources=(
        Source(url=f"{AIMI}/8cbd9ed4-2eb9-4565-affc-111cf4f7ebe2", kind="page"),
        Source(url=f"{AIMI}/23c56a0d-15de-405b-87c8-99c30138950c", kind="page"),
    ),
    labels=_chexpert.LABELS,
    splits={"train": 223414, "validation": 234, "test": 668},
    subject="patient<number> of the path",
    keys=(
        "Path; Sex; Age; Frontal/Lateral; AP/PA; test_labels.csv; val_labels.csv; train.csv; "
        "train_cheXbert.csv"
    ),
    evidence=Evidence(
        layout="openmedlab/Awesome-Medical-Dataset:resources/CheXpert.md@81da0eee; "
        "rajpurkarlab/cheXlocalize:README.md@2a79492 (CheXpert/val, test, val_labels.csv, test_labels.csv); "
        "mlmed/torchxrayvision issue 192 (test_labels.csv lacks Sex, Age, Frontal/Lateral and AP/PA); "
        "rajpurkarlab/cheXpert-test-set-labels:groundtruth.csv@a03eb34 (the 14 observations)",
        labels=f"{LOADER} (1.0, 0.0, -1.0, blank)",
        license=f"{HOME} (Stanford University Dataset Research Use Agreement)",
        subject=LOADER,
    ),
    notes=(
        "A blank is an observation that the report does not mention: it is not in `assessed`. Taking it for "
        "absent is a choice of the model's author.",
        "Training labels are a program's reading of the reports; those of CheXbert and VisualCheXbert, where "
        "the copy has them, stand beside them in `label.source`.",
        "CheXpert Plus, a later release of the same hospital, holds these images again.",
        "The segmentations of CheXlocalize are not loaded.",
        "AP/PA is blank for lateral views; three rows have age 0 and one has sex Unknown, as in the source.",
    ),
)


def rows(files):
    images = {}
    for image, key in files.match(r"(patient\d+/study\d+/view\d+_\w+\.(?:jpg|png))$"):
        if key in images:  # CheXlocalize has the validation part again
            yield Skipped(file=image, reason=f"a second copy of {images[key].path}")
        else:
            images[key] = image
    others = {f"{n}.csv": _chexpert.answers(files.find(rf"(?:^|/){n}\.csv$")) for n in AUTOMATIC}
    book = files.find(r"CHEXPERT DEMO\.xlsx$")
    people = {person["PATIENT"]: person for person in tables.rows(book)} if book else {}
    seen = set()
    for table, name in files.match(rf"(?:^|/)({'|'.join(TABLES)})\.csv$"):
        for row in tables.rows(table):
            key = _chexpert.key(row["Path"])
            image = images.pop(key, None)
            if image is None:
                again = (
                    "another table had a line for its image"
                    if key in seen
                    else "its image is not in this copy"
                )
                files.tell(table, f"a line of the table is no row: {again}")
                continue
            seen.add(key)
            patient, study, view = key.split("/")
            source = {other: _chexpert.unpacked(rest[key]) for other, rest in others.items() if key in rest}
            meta = {column: cell for column, cell in row.items() if column not in DATASET.labels}
            with files.row(image):
                yield Row(
                    id=f"{patient}-{study}-{view.rpartition('.')[0]}",
                    split=TABLES[name],
                    subject=patient,
                    image=image,
                    source={table.name: _chexpert.unpacked(_chexpert.packed(row))} | source,
                    meta=meta | ({book.name: people[patient]} if patient in people else {}),
                    **_chexpert.read(row),
                )
    for image in images.values():
        yield Skipped(file=image, reason="no table of this copy (train.csv, valid.csv, …) has a row for it")


def miniature(make):
    _chexpert.miniature(make)
