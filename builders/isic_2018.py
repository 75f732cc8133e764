"""ISIC 2018: dermoscopy of skin lesions, for lesion segmentation, attribute detection and diagnosis.

The three tasks of the 2018 challenge of the International Skin Imaging Collaboration, with the answers to
all parts; tasks 1 and 2 share their images, those of task 3 are HAM10000 and its test set.
"""

from medimg.builders import _isic, _isic_2018
from medimg.declaration import Citation, Config, Dataset, Evidence, Overlap, Part

SEGMENTED = {"train": 2594, "validation": 100, "test": 1000}

DATASET = Dataset(
    name="isic-2018",
    title="ISIC 2018, Skin Lesion Analysis Towards Melanoma Detection",
    aliases=("ISIC Challenge 2018", "ISIC2018"),
    dimension="2d",
    modality="dermoscopy",
    organ="skin",
    task=("segmentation", "attribute detection", "classification"),
    license="CC-BY-NC-4.0",
    homepage="https://challenge.isic-archive.com/data/#2018",
    citation=Citation(
        title="Skin Lesion Analysis Toward Melanoma Detection 2018: A Challenge Hosted by the "
        "International Skin Imaging Collaboration (ISIC)",
        authors="Codella N, Rotemberg V, Tschandl P, et al.",
        venue="arXiv:1902.03368",
        year=2019,
        doi="10.48550/arXiv.1902.03368",
    ),
    sources=_isic_2018.SOURCES,
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
        Config(
            name="task3",
            title="Disease classification",
            task="classification",
            splits={"train": 10015, "validation": 193, "test": 1512},
        ),
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


def rows(files):
    yield from _isic_2018.segmented(files)
    yield from _isic_2018.diagnosed(files)


def miniature(make):
    _isic_2018.miniature(make)
