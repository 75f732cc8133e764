"""ISIC 2020, as the archive and as Kaggle distribute it: rows and diagnoses."""

from medimg.declaration import Citation
from medimg.readers import table_lines, tables
from medimg.schema import Row, Skipped

CITATION = Citation(
    title="A patient-centric dataset of images and metadata for identifying melanomas using clinical context",
    authors="Rotemberg V, Kurtansky N, Betz-Stablein B, et al.",
    venue="Scientific Data 8:34",
    year=2021,
    doi="10.1038/s41597-021-00815-z",
)
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


def rows(files):
    said, twins, taken, done = {}, _twins(files), {}, set()
    for (table,) in files.match(TABLES):
        column = None
        for line in tables.rows(table):
            column = column or next(name for name in ("image_name", "image") if name in line or name == "image")
            name = line[column].strip().removesuffix(".jpg").removesuffix(".dcm")
            if not name:
                files.tell(table, "a line of the table belongs to nothing: its image is blank")
            said.setdefault(name, []).append(line)
    for kind in KINDS:
        for image, where, name in files.match(kind):
            if image in done:
                continue
            done.add(image)
            first = taken.setdefault(name, image)
            if first != image:
                yield Skipped(file=image, reason="the same picture is read from another archive")
            elif name not in said:
                yield Skipped(file=image, reason="no table in this copy has a row for it")
            else:
                with files.row(image):
                    yield _row(name, where.lower(), image, said[name], twins.get(name))
    for image, *_ in files.match(r"\.tfrec$"):
        yield Skipped(file=image, reason="the JPEG pictures once more, packed for TensorFlow")
    for name, held in said.items():
        if name and name not in taken:
            files.tell(held[0].file, "a line of the table is no row: its image is not in this copy")


def _twins(files):
    """Image -> the images that are the same lesion's picture again, as the list of duplicates says."""
    twins = {}
    for (table,) in files.match(r"ISIC_2020_Training_Duplicates\.csv$"):
        for line in tables.rows(table):
            pair = [line["image_name_1"].strip(), line["image_name_2"].strip()]
            if not all(pair):
                files.tell(table, "a line of the duplicates names one image only")
                continue
            for one, other in (pair, reversed(pair)):
                twins.setdefault(one, []).append(other)
    return twins


def _row(name, split, image, lines, twins):
    """The row of an image; its lines (up to two tables of the archive) must not contradict each other."""
    said = {}
    for line in lines:
        for column, cell in line.items():
            if said.setdefault(column, cell) != cell:
                raise line.wrong(column, f"is another than in line {lines[0].at} of {lines[0].file}")
    line = table_lines.Line(said, lines[-1].file, lines[-1].at)
    meta = {key: cell for key, cell in said.items() if key not in _LABEL}
    if twins:
        meta["duplicates"] = twins
    classes, assessed, source = [], [], None
    if "benign_malignant" in line:  # not in the test set
        if term := line.one_of("diagnosis", DIAGNOSES):
            classes.append(term)
            assessed += KNOWN
        classes.append(line.one_of("benign_malignant", LABELS))
        assessed = dict.fromkeys((*ALWAYS, *assessed))
        source = {key: line[key] for key in ("diagnosis", "benign_malignant", "target")}
    return Row(
        id=name,
        split=split,
        subject=line["patient_id" if "patient_id" in line else "patient"],
        image=image,
        classes=classes,
        assessed=tuple(assessed),
        source=source,
        meta=meta,
    )


_LABEL = ("diagnosis", "benign_malignant", "target", "image_name", "patient_id", "image", "patient")
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
