"""The 14 observations of CheXpert's labeler, as CheXpert and the collections after it write them."""

from medimg.readers import tables

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


def read(row):
    """The label's fields of one row: 1 is present, 0 absent, -1 uncertain, blank not mentioned.

    Args:
        row: line of the table; columns that are not there count as blank.
    """
    found = {"1": [], "0": [], "-1": []}
    for column, name in LABELS.items():
        if value := row.get(column, "").strip().removesuffix(".0"):
            if value not in found:
                raise row.wrong(column, "is not 1, 0, -1 or blank")
            found[value].append(name)
    return {
        "classes": found["1"],
        "uncertain": found["-1"],
        "assessed": found["1"] + found["0"] + found["-1"],
    }


def key(path):
    r"""patient/study/view of an image: what all releases and tables agree on, whatever stands in front.

    Tables that were saved on Windows have "\" between the parts.
    """
    return tables.file_name("/".join(path.strip().replace("\\", "/").split("/")[-3:]))


def packed(row):
    """The cells of all observations in one string: tables have as many rows as the training set."""
    return "|".join(row.get(column, "") for column in LABELS)


def unpacked(text):
    """Column -> cell of a string of `packed`."""
    return dict(zip(LABELS, text.split("|"), strict=True))


def answers(table):
    """Image -> `packed` row of a table of other labels; nothing where there is no table."""
    return {key(row["Path"]): packed(row) for row in tables.rows(table)} if table else {}


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
    valid = (
        f"{one}/valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP,0.0,1.0,1.0,1.0{',0.0' * 10}"
    )
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
