"""RSNA Pediatric Bone Age Challenge 2017: hand radiographs of children with their bone age in months.

14,236 radiographs of the left hand from two hospitals in Colorado and California, with the sex of the child.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import tables
from medimg.schema import Measure, Row, Skipped

HOME = "https://www.rsna.org/rsnai/ai-image-challenge/rsna-pediatric-bone-age-challenge-2017"
FILES = ("Training+Set.zip", "Training+Set+Annotations.zip", "Validation+Set.zip", "Test+Set.zip")
KEYS = ("id", "Image ID", "Case ID")
AGES = ("boneage", "Bone Age (months)", "Ground truth bone age (months)")
SPLITS = {"train": "train", "valid": "validation", "test": "test"}
"""Beginnings of what folders and tables are called."""

DATASET = Dataset(
    name="rsna-bone-age",
    title="RSNA Pediatric Bone Age Challenge 2017",
    aliases=("RSNA-Bone-Age", "RSNA Bone Age"),
    dimension="2d",
    modality="X-ray",
    organ="hand",
    task="regression",
    license="LicenseRef-RSNA-BoneAge-2017",
    homepage=HOME,
    citation=Citation(
        title="The RSNA Pediatric Bone Age Machine Learning Challenge",
        authors="Halabi SS, Prevedello LM, Kalpathy-Cramer J, et al.",
        venue="Radiology 290(2):498-503",
        year=2019,
        doi="10.1148/radiol.2018180736",
    ),
    sources=(
        *(Source(url=f"https://s3.amazonaws.com/east1.public.rsna.org/AI/2017/Bone+Age+{name}") for name in FILES),
        Source(url="https://www.kaggle.com/datasets/kmader/rsna-bone-age", kind="page"),
        Source(url="https://stanfordmedicine.app.box.com/s/4r1zwio6z6lrzk7zw3fro7ql5mnoupcv", kind="page"),
    ),
    splits={"train": 12611, "validation": 1425, "test": 200},
    no_subject="one image for each child (unverified); no other key is published",
    keys="Sex; male; Ground truth bone age (months); Bone Age (months); boneage",
    evidence=Evidence(
        layout="public loaders (addresses, folders and tables of all three parts); "
        "https://www.kaggle.com/datasets/kmader/rsna-bone-age for the copy with doubled folders",
        labels="public code that reads the tables: id, boneage, male; Image ID, male, Bone Age (months); Case ID, "
        "Sex, Ground truth bone age (months)",
        license=f"{HOME} (academic research and education, non-commercial); re-hosting is not addressed",
        subject="unverified: one image, one child",
    ),
    notes=(
        "Sex is male True/False for training and validation, Sex M/F for test; it stays in `meta` as it is.",
        "The copy on Kaggle has no validation images and no ages for the test images.",
    ),
)


def rows(files):
    said = stated(files)
    seen = set()
    for image, folder in files.match(r"(?i)(?:^|/)([^/]*(?:train|valid|test)[^/]*)/(?:.*/)?\d+\.png$"):
        key = (part_of(folder), image.stem)
        if key not in said:
            yield Skipped(file=image, reason="no table in this copy has a row for it")
            continue
        seen.add(key)
        with files.row(image):
            yield row(files, image, key[0], said[key])
    for key, lines in said.items():
        if key not in seen:
            files.tell(lines[0].file, "a line of the table is no row: its image is not in this copy")


def stated(files):
    """Part and image -> its lines; there may be one with its age, one with its sex."""
    found = {}
    for (table,) in files.match(r"(?i)(?:^|/)[^/]*(?:train|valid|test|ground truth)[^/]*\.(?:csv|xlsx)$"):
        for line in tables.rows(table):
            column = next((name for name in KEYS if name in line), None)
            if column is None:
                continue
            if not line[column].strip():
                files.tell(table, "a line of the table belongs to nothing: its image is blank")
                continue
            found.setdefault((part_of(table.name), line[column].strip()), []).append(line)
    return found


def row(files, image, part, lines):
    ages = [(line, name) for line in lines for name in AGES if line.get(name, "").strip()]
    if len({line.number(name) for line, name in ages}) > 1:
        raise ages[-1][0].wrong(ages[-1][1], f"is another age than in line {ages[0][0].at}")
    if not ages:
        files.tell(image, "no table in this copy tells its bone age")
    return Row(
        id=image.stem if part == "train" else f"{part}-{image.stem}",
        split=SPLITS[part],
        image=image,
        measures=[Measure(name="bone age", value=line.number(name), unit="mo") for line, name in ages[:1]],
        source={name: line[name] for line, name in ages} or None,
        meta={name: cell for line in lines for name, cell in line.items() if name not in (*KEYS, *AGES)},
    )


def part_of(name):
    return next((part for part in SPLITS if part in name.lower()), "test")


def miniature(make):
    # Every part has other columns; folders of Kaggle's copy are doubled, the validation images lie in zips in a zip.
    with make.zip("boneage-training-dataset.zip") as inner:
        for name in (1377, 1378):
            inner.image(f"boneage-training-dataset/boneage-training-dataset/{name}.png", (36, 48))
    table = [(1377, 180, "False"), (1378, 12, "True")]
    make.csv("boneage-training-dataset.csv", "id,boneage,male", table)
    with make.zip("Bone+Age+Validation+Set.zip") as inner:
        for number, name in ((1, 1386), (2, 9709)):
            with inner.zip(f"Bone Age Validation Set/boneage-validation-dataset-{number}.zip") as images:
                images.image(f"boneage-validation-dataset-{number}/{name}.png", (36, 48))
        table = [(1386, "TRUE", 30.003), (9709, "FALSE", 94.0)]
        inner.csv("Bone Age Validation Set/Validation Dataset.csv", "Image ID,male,Bone Age (months)", table)
    with make.zip("Bone+Age+Test+Set.zip") as inner:
        for name in (4360, 4361):
            inner.image(f"Bone Age Test Set/Test Set Images/{name}.png", (36, 48))
        table = [(4360, "M", 168.93), (4361, "M", 169.64)]
        path = "Bone Age Test Set/Bone age ground truth.xlsx"
        inner.xlsx(path, ["Case ID", "Sex", "Ground truth bone age (months)"], table)
    # Kaggle's copy has no ages for the test set.
    make.csv("boneage-test-dataset.csv", ["Case ID", "Sex"], [(4360, "M"), (4361, "M"), (4362, "F")])
    with make.zip("boneage-test-dataset.zip") as inner:
        inner.image("boneage-test-dataset/boneage-test-dataset/4362.png", (36, 48))
