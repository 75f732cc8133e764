"""CheXpert: 224,316 chest radiographs of 65,240 patients of Stanford Hospital with 14 observations each.

Observations of the training part were read from the reports by rules, those of the validation and test parts
were set by radiologists. Present, absent and uncertain are told apart.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import tables
from medimg.schema import Row, Skipped, skipped

HOME = "https://stanfordmlgroup.github.io/competitions/chexpert/"
AIMI = "https://stanfordaimi.azurewebsites.net/datasets"
LOADER = "mlmed/torchxrayvision:torchxrayvision/datasets.py@f4087a0b CheX_Dataset"
TABLES = {"train": "train", "valid": "validation", "val_labels": "validation", "test_labels": "test"}
AUTOMATIC = ("train_cheXbert", "train_visualCheXbert")
LABELS = {
    "No Finding": "no finding",
    "Enlarged Cardiomediastinum": "enlarged cardiomediastinum",
    "Cardiomegaly": "cardiomegaly",
    "Lung Opacity": "lung opacity",
    "Lung Lesion": "lung lesion",
    "Edema": "pulmonary edema",
    "Consolidation": "consolidation",
    "Pneumonia": "pneumonia",
    "Atelectasis": "atelectasis",
    "Pneumothorax": "pneumothorax",
    "Pleural Effusion": "pleural effusion",
    "Pleural Other": "other pleural abnormality",
    "Fracture": "fracture",
    "Support Devices": "support device",
}
"""Column -> canonical name, in the tables' order."""


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
    labels=LABELS,
    splits={"train": 223414, "validation": 234, "test": 668},
    subject="patient<number> of the path",
    keys=("Path; Sex; Age; Frontal/Lateral; AP/PA; test_labels.csv; val_labels.csv; train.csv; train_cheXbert.csv"),
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
    for image, view in files.match(r"(patient\d+/study\d+/view\d+_\w+\.(?:jpg|png))$"):
        if view in images:  # CheXlocalize has the validation part again
            yield Skipped(file=image, reason=f"a second copy of {images[view].path}")
        else:
            images[view] = image
    programs = {f"{name}.csv": answers(files.find(rf"(?:^|/){name}\.csv$")) for name in AUTOMATIC}
    book = files.find(r"CHEXPERT DEMO\.xlsx$")
    people = {person["PATIENT"]: {book.name: person} for person in tables.rows(book)} if book else {}
    seen = set()
    for table, part in files.match(rf"(?:^|/)({'|'.join(TABLES)})\.csv$"):
        for line in tables.rows(table):
            view = view_of(line["Path"])
            if view not in images:
                again = "another table had a line for its image"
                missing = "its image is not in this copy"
                files.tell(table, f"a line of the table is no row: {again if view in seen else missing}")
                continue
            seen.add(view)
            image = images.pop(view)
            patient, study, name = view.split("/")
            with files.row(image):
                yield Row(
                    id=f"{patient}-{study}-{name.rpartition('.')[0]}",
                    split=TABLES[part],
                    subject=patient,
                    image=image,
                    source={table.name: unpacked(packed(line))}
                    | {program: unpacked(said[view]) for program, said in programs.items() if view in said},
                    meta={column: cell for column, cell in line.items() if column not in LABELS}
                    | people.get(patient, {}),
                    **read(line),
                )
    yield from skipped(images.values(), "no table of this copy (train.csv, valid.csv, …) has a row for it")


def read(line):
    """The label's fields of one row: 1 is present, 0 absent, -1 uncertain, blank not mentioned.

    Args:
        line: of the table; columns that are not there count as blank.
    """
    found = {"1": [], "0": [], "-1": []}
    for column, name in LABELS.items():
        if value := line.get(column, "").strip().removesuffix(".0"):
            if value not in found:
                raise line.wrong(column, "is not 1, 0, -1 or blank")
            found[value].append(name)
    return {
        "classes": found["1"],
        "uncertain": found["-1"],
        "assessed": found["1"] + found["0"] + found["-1"],
    }


def view_of(path):
    r"""patient/study/view of an image: what all releases and tables agree on, whatever stands in front.

    Tables that were saved on Windows have "\" between the parts.
    """
    return tables.file_name("/".join(path.strip().replace("\\", "/").split("/")[-3:]))


def packed(line):
    """The cells of all observations in one string: tables have as many rows as the training set."""
    return "|".join(line.get(column, "") for column in LABELS)


def unpacked(text):
    """Column -> cell of a string of `packed`."""
    return dict(zip(LABELS, text.split("|"), strict=True))


def answers(table):
    """Image -> `packed` row of a table of other labels; nothing where there is no table."""
    return {view_of(line["Path"]): packed(line) for line in tables.rows(table)} if table else {}


def miniature(make):
    """Two batches of CheXpert, and the validation and test part of CheXlocalize."""
    head = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(LABELS)}"
    one, first, second = (
        "CheXpert-v1.0",
        "CheXpert-v1.0 batch 1 (validate & csv)",
        "CheXpert-v1.0 batch 2 (train 1)",
    )
    train = (
        f"{one}/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,,,,,,,,,,,,,1.0",
        f"{one}/train/patient00002/study2/view1_frontal.jpg,Female,0,Frontal,LL,,,1.0,-1.0,0.0,-1.0,,,,,,,,",
        # The prefix of the small copy, a lateral view; and an image that this copy lacks.
        f"{one}-small/train/patient00002/study1/view2_lateral.jpg,Unknown,87,Lateral,,,,,,,,,,,,,,,",
        f"{one}/train/patient43017/study1/view1_frontal.jpg,Male,41,Frontal,PA,,,,,,,,,,,,,,1.0",
    )
    valid = f"{one}/valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP,0.0,1.0,1.0,1.0{',0.0' * 10}"
    test = f"test/patient64741/study1/view1_frontal.jpg{',0.0' * 13},1.0"
    with make.zip(f"{first}.zip") as inner:
        inner.text(f"{first}/train.csv", "\n".join((head, *train)))
        inner.text(f"{first}/valid.csv", f"{head}\n{valid}\n")
        inner.image(f"{first}/valid/patient64541/study1/view1_frontal.jpg")
    with make.zip(f"{second}.zip") as inner:
        for name in ("1/study1/view1_frontal", "2/study2/view1_frontal", "2/study1/view2_lateral"):
            inner.image(f"{second}/patient0000{name}.jpg")
        inner.image(f"{second}/patient00003/study1/view1_frontal.jpg")
    make.text("train_cheXbert.csv", f"{head}\n{train[0]}\n")
    make.text("CheXpert/test_labels.csv", f"Path,{','.join(LABELS)}\n{test}\n")
    make.image("CheXpert/test/patient64741/study1/view1_frontal.jpg")
    # CheXlocalize has the validation part, too.
    make.text("CheXpert/val_labels.csv", f"{head}\n{valid}\n".replace("CheXpert-v1.0/valid", "val"))
    make.image("CheXpert/val/patient64541/study1/view1_frontal.jpg", seed="another encoding")
