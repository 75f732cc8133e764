"""ISIC 2017: dermoscopy of skin lesions, for lesion segmentation, feature detection and diagnosis.

The three parts of the challenge of the International Skin Imaging Collaboration at ISBI 2017, with the answers
to all of them: outline of the lesion, four dermoscopic features for each superpixel, and the diagnosis.
"""

from medimg.builders import _isic, _isic_2017
from medimg.declaration import Citation, Config, Dataset, Evidence, Overlap, Part, Source

PAGES = f"{_isic.SITE}:stade/core/templates"
SPLITS = {"train": 2000, "validation": 150, "test": 600}

DATASET = Dataset(
    name="isic-2017",
    title="ISIC 2017, Skin Lesion Analysis Towards Melanoma Detection (ISBI 2017)",
    aliases=("ISBI 2017 ISIC", "ISIC-2017"),
    dimension="2d",
    modality="dermoscopy",
    organ="skin",
    task=("segmentation", "classification", "attribute detection"),
    license="CC0-1.0",
    homepage="https://challenge.isic-archive.com/data/#2017",
    citation=Citation(
        title="Skin lesion analysis toward melanoma detection: a challenge at the 2017 International Symposium on "
        "Biomedical Imaging (ISBI), hosted by the International Skin Imaging Collaboration (ISIC)",
        authors="Codella NCF, Gutman D, Celebi ME, et al.",
        venue="IEEE ISBI 2018:168-172",
        year=2018,
        doi="10.1109/ISBI.2018.8363547",
    ),
    sources=(
        *_isic_2017.SOURCES,
        Source(url="https://challenge.isic-archive.com/data/#2017", kind="page"),
    ),
    labels=_isic_2017.DIAGNOSES,
    splits=SPLITS,
    configs=(
        Config(
            name="lesion",
            title="Lesion segmentation and diagnosis (parts 1 and 3)",
            task=("segmentation", "classification"),
            splits=SPLITS,
        ),
        Config(
            name="features", title="Dermoscopic features (part 2)", task="attribute detection", splits=SPLITS
        ),
    ),
    parts=(
        Part(config="lesion", legend=_isic.LESION, names=_isic_2017.ASSESSED),
        Part(config="features", legend=_isic_2017.LEGEND, names=()),
    ),
    no_subject="no patient is named",
    overlaps=(
        Overlap(dataset="isic-2016", relation="shared images", evidence=_isic.COUNTED_2016_2017),
        Overlap(dataset="isic-2018", relation="shared images", evidence="unverified: tasks 1 and 2"),
        Overlap(
            dataset="isic-2019",
            relation="subset of",
            evidence="ToreGore/AI-Health@ed69a65 and walidbousseta/image_mining (lists compared: all train and "
            "validation ids and 595 of 600 test ids are in its training set)",
        ),
    ),
    keys="age_approximate; sex; superpixels; network; negative network; streaks; milia-like cysts",
    evidence=Evidence(
        layout=f"{PAGES}/data/2017.html; {PAGES}/landing/2017/42.html, 43.html, 44.html; a script by Kitware that "
        "reads ISIC-2017_Training_Part2_GroundTruth/ISIC_*_features.json (the page says .json; both are read)",
        labels=f"{PAGES}/landing/2017/43.html; part 3 read in public copies; "
        "openmedlab/Awesome-Medical-Dataset:resources/ISIC2017.md@81da0eee",
        license=f"{PAGES}/data/2017.html (CC-0)",
        subject=f"{PAGES}/data/2017.html",
    ),
    notes=(
        "A feature marks whole superpixels: it is somewhere inside, and need not fill them.",
        "A lesion that is neither melanoma nor seborrheic keratosis is a nevus.",
        "ISIC 2019 holds nearly all images, those of the test set too: combining the two leaks.",
    ),
)


def rows(files):
    yield from _isic_2017.rows(files)


def miniature(make):
    _isic_2017.miniature(make)
