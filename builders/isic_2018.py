"""ISIC 2018: dermoscopy of skin lesions, for lesion segmentation, attribute detection and diagnosis.

The three tasks of the 2018 challenge of the International Skin Imaging Collaboration, with the answers to
all parts; tasks 1 and 2 share their images, those of task 3 are HAM10000 and its test set.
"""

from medimg.builders import _isic
from medimg.declaration import Citation, Config, Evidence, Overlap, Part, Source
from medimg.join import Join, Partner, lines
from medimg.readers import masks
from medimg.schema import Row, skipped

SEGMENTED = {"train": 2594, "validation": 100, "test": 1000}
PINNED = {
    "Task1-2_Training_Input": "80f98572347a2d7a376227fa9eb2e4f7459d317cb619865b8b9910c81446675f",
    "Task1_Training_GroundTruth": "99f8b2bb3c4d6af483362010715f7e7d5d122d9f6c02cac0e0d15bef77c7604c",
    "Task1-2_Validation_Input": "0ea920fcfe512d12a6e620b50b50233c059f67b10146e1479c82be58ff15a797",
    "Task1_Validation_GroundTruth": "f6911e9c0a64e6d687dd3ca466ca927dd5e82145cb2163b7a1e5b37d7a716285",
    "Task1-2_Test_Input": "e59ae1f69f4ed16f09db2cb1d76c2a828487b63d28f6ab85997f5616869b127d",
    "Task1_Test_GroundTruth": "2e8f6edce454a5bdee52485e39f92bd6eddf357e81f39018d05512175238ef82",
}
OTHERS = (
    *(f"Task2_{part}.zip" for part in ("Training_GroundTruth_v3", "Validation_GroundTruth", "Test_GroundTruth")),
    *(f"Task3_{part}_{kind}.zip" for part in _isic.SPLITS for kind in ("Input", "GroundTruth")),
    "Task3_Training_LesionGroupings.csv",
)
MIRRORED = [Source(url=f"{_isic.OLD_HOST}/2018/ISIC2018_{name}.zip", sha256=sha256) for name, sha256 in PINNED.items()]
"""Sums are those of the copies on the older host."""
PART = r"ISIC2018_{}_(?P<part>Training|Validation|Test)_{}/(?:.*/)?(?P<name>ISIC_\d{{7}}){}$"

DATASET = _isic.challenge(
    2018,
    [f"ISIC2018_{name}" for name in OTHERS],
    mirrored=MIRRORED,
    name="isic-2018",
    title="ISIC 2018, Skin Lesion Analysis Towards Melanoma Detection",
    aliases=("ISIC Challenge 2018", "ISIC2018"),
    task=("segmentation", "attribute detection", "classification"),
    license="CC-BY-NC-4.0",
    citation=Citation(
        title="Skin Lesion Analysis Toward Melanoma Detection 2018: A Challenge Hosted by the "
        "International Skin Imaging Collaboration (ISIC)",
        authors="Codella N, Rotemberg V, Tschandl P, et al.",
        venue="arXiv:1902.03368",
        year=2019,
        doi="10.48550/arXiv.1902.03368",
    ),
    labels=_isic.DIAGNOSES,
    splits={"train": 10015, "validation": 193, "test": 1512},
    configs=(
        Config(
            name="task1",
            title="Lesion segmentation",
            task="segmentation",
            license="CC0-1.0",
            splits=SEGMENTED,
        ),
        Config(
            name="task2",
            title="Attribute detection",
            task="attribute detection",
            license="CC0-1.0",
            splits=SEGMENTED,
        ),
        Config(name="task3", title="Disease classification", task="classification"),
    ),
    parts=(
        Part(config="task1", legend=_isic.LESION, names=()),
        Part(config="task2", legend=_isic.LEGEND, names=()),
    ),
    no_subject="no patient is named anywhere; rows of task 3's training set carry the lesion instead",
    overlaps=(
        Overlap(
            dataset="ham10000",
            relation="superset of",
            evidence=f"{_isic.SITE}:stade/core/templates/landing/2018/47.html (task 3 comes from HAM10000)",
        ),
        Overlap(dataset="isic-2017", relation="shared images", evidence="unverified: tasks 1 and 2"),
        Overlap(dataset="isic-2019", relation="shared images", evidence=_isic.COUNTED_2018_2019),
    ),
    keys="diagnosis_confirm_type",
    evidence=Evidence(
        layout=f"{_isic.SITE}:stade/core/templates/data/2018.html; "
        f"constantinpape/torch-em:torch_em/data/datasets/medical/isic.py@6f71247c (addresses with sums)",
        labels=f"{_isic.SITE}:stade/core/templates/landing/2018/45.html, 46.html, 47.html",
        license=f"{_isic.SITE}:stade/core/templates/data/2018.html (tasks 1 and 2 CC-0, task 3 CC-BY-NC)",
        subject=f"{_isic.SITE}:stade/core/templates/data/2018.html (LesionGroupings)",
    ),
    notes=(
        "Task 2: one label map holds the five attributes as bits, as regions may have several; its values "
        "are in the legend.",
        "Task 3: several images show one lesion; split by subject, which is the lesion.",
        "The size of the validation set of tasks 1 and 2 (100) is from memory; 193 of task 3 were counted.",
    ),
)


def segmented(case):
    """Rows of tasks 1 and 2, which share their images."""
    if not case.outline and not case.attributes:
        return case.skip("neither of its two kinds of ground truth is in this copy")
    shared = {"split": _isic.SPLITS[case.part], "image": case.image}
    found = []
    if case.outline:
        mask = masks.mask(case.outline, {0: 0, 255: 1})
        found.append(Row(id=f"task1-{case.name}", config="task1", mask=mask, legend=_isic.LESION, **shared))
    if set(case.attributes) == set(_isic.ATTRIBUTES):
        drawn = [(case.attributes[name], bit) for name, bit in _isic.BITS.items()]
        mask = masks.union(drawn, overlaps=_isic.MEETING)
        found.append(Row(id=f"task2-{case.name}", config="task2", mask=mask, legend=_isic.LEGEND, **shared))
    else:
        found += skipped(case.attributes.values(), "not all attributes of its image are in this copy")
    return found


def diagnosed(case):
    """Rows of task 3."""
    group = case.group or {}
    return Row(
        id=f"task3-{case.name}",
        config="task3",
        split=_isic.SPLITS[case.part],
        subject=group.get("lesion_id"),
        image=case.image,
        classes=_isic.diagnoses(case.answer),
        assessed=DATASET.every_label,
        source={column: case.answer[column] for column in _isic.DIAGNOSES},
        meta={key: value for key, value in group.items() if key not in ("image", "lesion_id")},
    )


TASKS_1_2 = Join(
    PART.format("Task1-2", "Input", r"\.jpg"),
    segmented,
    outline=Partner(
        PART.format("Task1", "GroundTruth", r"_segmentation\.png"),
        lost="outlines (task 1) are",
        tell="its outline (task 1) is not in this copy",
        orphan="ground truth whose image is not in this copy",
    ),
    attributes=Partner(
        PART.format("Task2", r"GroundTruth(?:_v3)?", r"_attribute_(?P<attribute>\w+)\.png"),
        by="attribute",
        lost="attributes (task 2) are",
        tell="its attributes (task 2) are not in this copy",
        orphan="ground truth whose image is not in this copy",
    ),
)
TASK_3 = Join(
    PART.format("Task3", "Input", r"\.jpg"),
    diagnosed,
    answer=lines(
        r"ISIC2018_Task3_(?:Training|Validation|Test)_GroundTruth\.csv$",
        "image",
        key="name",
        columns=("image", *_isic.DIAGNOSES),
        skip="no ground truth in this copy has a row for it",
        rest="its image is not in this copy",
    ),
    group=lines(
        r"ISIC2018_Task3_Training_LesionGroupings\.csv$",
        "image",
        key="name",
        when=lambda case: case.part == "Training",
        lost="lesions of the training images are",
        tell="no line of the groupings is for it: its lesion is not known",
    ),
)


def rows(files):
    yield from TASKS_1_2(files)
    yield from TASK_3(files)


def miniature(make):
    # Only the training archive of task 2 carries _v3; most attribute masks are empty, two of them meet.
    for number, part in enumerate(_isic.SPLITS):
        names = [f"ISIC_{number:07d}", "ISIC_0000003"][: 2 - bool(number)]
        with make.zip(f"ISIC2018_Task1-2_{part}_Input.zip") as inner:
            inner.text(f"ISIC2018_Task1-2_{part}_Input/LICENSE.txt", "CC-0")
            for name in names:
                inner.image(f"ISIC2018_Task1-2_{part}_Input/{name}.jpg", (48, 40), mode="RGB")
        with make.zip(f"ISIC2018_Task1_{part}_GroundTruth.zip") as inner:
            for name in names:
                path = f"ISIC2018_Task1_{part}_GroundTruth/{name}_segmentation.png"
                inner.image(path, (48, 40), labels=(255,))
        folder = f"ISIC2018_Task2_{part}_GroundTruth" + ("" if number else "_v3")
        with make.zip(f"{folder}.zip") as inner:
            for name in names:
                for attribute in _isic.ATTRIBUTES:
                    labels = {"pigment_network": (255,), "streaks": (0, 255)}.get(attribute, ())
                    inner.image(f"{folder}/{name}_attribute_{attribute}.png", (48, 40), labels=labels)
    # Answers are floats; 24306 and 24307 are two images of one lesion, with the pixels of HAM10000.
    images = {
        "Training": ("ISIC_0024306", "ISIC_0024307", "ISIC_0024323"),
        "Validation": ("ISIC_0034321",),
        "Test": ("ISIC_0034524",),
    }
    for part, names in images.items():
        with make.zip(f"ISIC2018_Task3_{part}_Input.zip") as inner:
            for name in names:
                inner.image(f"ISIC2018_Task3_{part}_Input/{name}.jpg", (60, 45), mode="RGB", seed=name)
        with make.zip(f"ISIC2018_Task3_{part}_GroundTruth.zip") as inner:
            path = f"ISIC2018_Task3_{part}_GroundTruth/ISIC2018_Task3_{part}_GroundTruth.csv"
            melanoma = {"ISIC_0024323"}
            answers = [(name, float(name in melanoma), float(name not in melanoma), *[0.0] * 5) for name in names]
            inner.csv(path, ["image", *_isic.DIAGNOSES], answers)
    groups = [(name, "HAM_0000550", "serial imaging showing no change") for name in images["Training"][:2]]
    groups.append(("ISIC_0024323", "HAM_0003521", "histopathology"))
    make.csv("ISIC2018_Task3_Training_LesionGroupings.csv", "image,lesion_id,diagnosis_confirm_type", groups)
