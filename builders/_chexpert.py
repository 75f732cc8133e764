"""The 14 observations of CheXpert's labeler, as CheXpert and the collections after it write them."""

from medimg.errors import LabelError
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


def read(row, table):
    """The label's fields of one row: 1 is present, 0 absent, -1 uncertain, blank not mentioned.

    Args:
        row: cells by column; columns that are not there count as blank.
        table: the file, for error messages.
    """
    found = {"1": [], "0": [], "-1": []}
    for column, name in LABELS.items():
        if value := row.get(column, "").strip().removesuffix(".0"):
            if value not in found:
                raise LabelError(f"{column} is {value}, not 1, 0, -1 or blank", file=table.path)
            found[value].append(name)
    return {
        "classes": found["1"],
        "uncertain": found["-1"],
        "assessed": found["1"] + found["0"] + found["-1"],
    }


def key(path):
    """patient/study/view of an image: what all releases and tables agree on, whatever stands in front."""
    return "/".join(path.split("/")[-3:])


def packed(row):
    """The cells of all observations in one string: tables have as many rows as the training set."""
    return "|".join(row.get(column, "") for column in LABELS)


def unpacked(text):
    """Column -> cell of a string of `packed`."""
    return dict(zip(LABELS, text.split("|"), strict=True))


def answers(table):
    """Image -> `packed` row of a table of other labels; nothing where there is no table."""
    return {key(row["Path"]): packed(row) for row in tables.rows(table)} if table else {}
