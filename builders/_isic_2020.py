"""ISIC 2020, as the archive and as Kaggle distribute it: rows and diagnoses."""

from medimg.readers import tables
from medimg.schema import Row, Skipped

DIAGNOSES = {
    "melanoma": "melanoma",
    "nevus": "melanocytic nevus",
    "seborrheic keratosis": "seborrheic keratosis",
    "lentigo NOS": "lentigo",
    "lichenoid keratosis": "lichenoid keratosis",
    "solar lentigo": "solar lentigo",
    "cafe-au-lait macule": "cafe-au-lait macule",
    "atypical melanocytic proliferation": "atypical melanocytic proliferation",
    "unknown": (),
}
KNOWN = tuple(term for term in DIAGNOSES.values() if term)
ALWAYS = ("melanoma", "benign lesion", "malignant lesion")
"""What every lesion for training was looked at for: those called malignant are the melanomas."""
LABELS = {**DIAGNOSES, "benign": "benign lesion", "malignant": "malignant lesion"}
FOLDER = r"(?:^|/)(?:ISIC_2020_)?([Tt]rain|[Tt]est)(?:ing)?{}/(?:.*/)?(ISIC_\d{{7}})\.{}$"
"""The same pictures lie in up to three archives."""
KINDS = (
    FOLDER.format("[^/]*", "jpg"),
    FOLDER.format("_DICOM_corrected", "dcm"),
    FOLDER.format("[^/]*", "dcm"),
)
TABLES = r"(?:^|/)(?:ISIC_2020_(?:Training_GroundTruth(?:_v2)?|Test_Metadata)|train|test)\.csv$"
IDENTITY = {"image_name": "image", "patient_id": "patient"}
"""Names of columns in the training tables -> in the archive's test table."""


def rows(files):
    said, twins, taken, done = {}, {}, {}, set()
    for (table,) in files.match(TABLES):
        for row in tables.rows(table):
            said.setdefault(_cell(row, "image_name"), {}).update(row)
    for (table,) in files.match(r"ISIC_2020_Training_Duplicates\.csv$"):
        for row in tables.rows(table):
            one, other = row["image_name_1"], row["image_name_2"]
            twins.setdefault(one, []).append(other)
            twins.setdefault(other, []).append(one)
    for kind in KINDS:
        for image, where, name in files.match(kind):
            if image in done:
                continue
            done.add(image)
            row, first = said.get(name), taken.setdefault(name, image)
            if first != image:
                yield Skipped(file=image, reason=f"the same picture is read from {first.path}")
            elif row is None:
                yield Skipped(file=image, reason="no table in this copy has a row for it")
            else:
                meta = {key: cell for key, cell in row.items() if key not in _LABEL}
                yield Row(
                    id=name,
                    split=where.lower(),
                    subject=_cell(row, "patient_id"),
                    image=image,
                    meta=meta | ({"duplicates": twins[name]} if name in twins else {}),
                    **_said(row),
                )
    for (file,) in files.match(r"\.tfrec$"):
        yield Skipped(file=file, reason="the JPEG pictures once more, packed for TensorFlow")


def _cell(row, column):
    return row[column] if column in row else row[IDENTITY[column]]


_LABEL = ("diagnosis", "benign_malignant", "target", *IDENTITY, *IDENTITY.values())


def _said(row):
    if "benign_malignant" not in row:  # the test set
        return {"assessed": ()}
    term = DIAGNOSES[row["diagnosis"]]
    return {
        "classes": [*((term,) if term else ()), LABELS[row["benign_malignant"]]],
        "assessed": tuple(dict.fromkeys((*ALWAYS, *(KNOWN if term else ())))),
        "source": {key: row[key] for key in ("diagnosis", "benign_malignant", "target")},
    }


COLUMNS = ["image_name", "patient_id", "sex", "age_approx", "anatom_site_general_challenge"]
TRAIN = (
    ("ISIC_2637011", "IP_7279968", "male", 45.0, "head/neck", "unknown", "benign", 0),
    ("ISIC_0015719", "IP_3075186", "female", 45.0, "upper extremity", "unknown", "benign", 0),
    ("ISIC_0149568", "IP_0962375", "female", 55.0, "upper extremity", "melanoma", "malignant", 1),
    ("ISIC_0074311", "IP_0962375", None, None, None, "nevus", "benign", 0),
)
TEST = (
    ("ISIC_0052060", "IP_3579794", "male", 70.0, None),
    ("ISIC_0052349", "IP_7782715", "male", 40.0, "torso"),
)
"""Rows of the miniatures; cells may be blank, and most diagnoses are unknown."""
