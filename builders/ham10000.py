"""HAM10000: dermoscopy of common pigmented skin lesions, collected over 20 years in Vienna and Queensland.

10,015 images of 7,470 lesions with one of seven diagnoses, how it was made, and an outline of the lesion.
"""

from medimg.builders import _isic
from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.join import Join, Partner, lines
from medimg.readers import masks
from medimg.schema import Row

README = "ptschandl/HAM10000_dataset:README.md"
SEEN = "owkin/FLamby@edacf54 (flamby/datasets/fed_isic2019/HAM10000_metadata, 10,015 rows counted)"

DATASET = Dataset(
    name="ham10000",
    title="HAM10000, Human Against Machine with 10000 training images",
    aliases=("HAM 10000", "Human Against Machine with 10000 training images"),
    dimension="2d",
    modality="dermoscopy",
    organ="skin",
    task=("classification", "segmentation"),
    license="CC-BY-NC-4.0",
    citation=Citation(
        title="The HAM10000 dataset, a large collection of multi-source dermatoscopic images of common "
        "pigmented skin lesions",
        authors="Tschandl P, Rosendahl C, Kittler H",
        venue="Scientific Data 5:180161",
        year=2018,
        doi="10.1038/sdata.2018.161",
    ),
    how="Download the image parts, HAM10000_metadata and the segmentations from the Dataverse, and pass "
    "the folder that holds them.",
    sources=(
        Source(url="https://dataverse.harvard.edu/dataset.xhtml?persistentId=doi:10.7910/DVN/DBW86T", kind="page"),
        Source(url="https://www.kaggle.com/datasets/kmader/skin-cancer-mnist-ham10000", kind="page"),
        Source(url="https://www.kaggle.com/datasets/tschandl/ham10000-lesion-segmentations", kind="page"),
    ),
    labels={code.lower(): name for code, name in _isic.DIAGNOSES.items()},
    legend={1: ("skin lesion",)},
    splits={"train": 10015, "test": 1511},
    no_subject="no patient is named; rows carry the lesion instead, where the table gives one",
    overlaps=(
        Overlap(
            dataset="isic-2018",
            relation="subset of",
            evidence=f"{_isic.SITE}:stade/core/templates/landing/2018/47.html (task 3 comes from HAM10000)",
        ),
        Overlap(dataset="isic-2019", relation="subset of", evidence="owkin/FLamby@edacf54 (fed_isic2019)"),
        Overlap(
            dataset="medmnist-v2",
            relation="source of",
            evidence="MedMNIST/MedMNIST:medmnist/info.py (DermaMNIST)",
        ),
    ),
    keys="age; sex; localization; dataset; dx; dx_type",
    evidence=Evidence(
        layout=f"{SEEN}; {README}; scripts that read the Dataverse's ISIC2018_Task3_Test_Images.zip and _GroundTruth",
        labels=f"{README}; {SEEN}",
        license=f"{README} (CC BY-NC 4.0)",
        subject=f"{SEEN}: 7,470 values of lesion_id",
    ),
    notes=(
        "Several images show one lesion: split by subject, which is the lesion. DermaMNIST does not.",
        "The copy on Kaggle lacks the column `dataset`. The test images are those of ISIC 2018, task 3.",
    ),
)


def row(case):
    line, assessed = case.line, [*DATASET.every_label]
    if case.outline:
        assessed.append("skin lesion")
    return Row(
        id=case.name,
        split="test" if case.test else "train",
        subject=line.get("lesion_id"),
        image=case.image,
        mask=masks.mask(case.outline, {0: 0, 255: 1}) if case.outline else None,
        classes=line.one_of("dx", DATASET.labels) if "dx" in line else _isic.diagnoses(line),
        assessed=assessed,
        source={key: line[key] for key in line if key.startswith("dx") or key in _isic.DIAGNOSES},
        meta={key: line[key] for key in ("age", "sex", "localization", "dataset") if key in line},
    )


rows = Join(
    r"^(?:(?P<test>.*Task3_Test[^/]*)/)?(?:.*/)?(?P<name>ISIC_\d{7})\.jpg$",
    row,
    # Tables of the training and of the test images differ in columns.
    line=lines(
        r"(?:HAM10000_metadata|ISIC2018_Task3_Test_GroundTruth)(?:\.csv|\.tab)?$",
        ("image_id", "image"),
        key="name",
        named=lambda text: text.removesuffix(".jpg"),
        skip="no table in this copy has a row for it",
        rest="its image is not in this copy",
    ),
    outline=Partner(
        r"(?:^|/)(?P<name>ISIC_\d{7})_segmentation\.png$",
        when=lambda case: not case.test,
        lost="outlines of the lesions are",
        tell="its outline is not in this copy",
        orphan="an outline whose image is not in this copy",
    ),
)


def miniature(make):
    # The table has no suffix; pixels are those of the ISIC 2018 miniature, but for 34320.
    parts = {1: ("ISIC_0024306", "ISIC_0024307"), 2: ("ISIC_0034320",)}
    for part, names in parts.items():
        with make.zip(f"HAM10000_images_part_{part}.zip") as inner:
            for name in names:
                inner.image(f"{name}.jpg", (60, 45), mode="RGB", seed=name)
    header = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset"]
    nevus = ("nv", "follow_up", 45.0, "male", "trunk", "vidir_molemax")
    other = ("HAM_0003521", "ISIC_0034320", "mel", "histo", None, "unknown", "back", "rosendahl")
    make.csv("HAM10000_metadata", header, [*(("HAM_0000550", name, *nevus) for name in parts[1]), other])
    folder = "HAM10000_segmentations_lesion_tschandl"
    with make.zip(f"{folder}.zip") as inner:
        for name in (*parts[1], *parts[2]):
            inner.image(f"{folder}/{name}_segmentation.png", (60, 45), labels=(255,))
    with make.zip("ISIC2018_Task3_Test_Images.zip") as inner:
        inner.image("ISIC2018_Task3_Test_Images/ISIC_0034524.jpg", (60, 45), mode="RGB", seed="ISIC_0034524")
    make.csv("ISIC2018_Task3_Test_GroundTruth.csv", header, [("HAMTEST_0000000", "ISIC_0034524", *nevus)])
