"""ISIC 2016: dermoscopy of skin lesions, for lesion segmentation, feature detection and diagnosis.

The parts of the first challenge of the International Skin Imaging Collaboration, at ISBI 2016. Parts 1, 3 and
3B share their images, and so do 2 and 2B; each image is one row here.
"""

from medimg.builders import _isic, _isic_2016
from medimg.declaration import Citation, Config, Dataset, Evidence, Overlap, Part, Source

PAGE = f"{_isic.SITE}:stade/core/templates/data/2016.html"
DATASET = Dataset(
    name="isic-2016",
    title="ISIC 2016, Skin Lesion Analysis Towards Melanoma Detection (ISBI 2016)",
    aliases=("ISBI2016_ISIC", "ISBI 2016", "ISIC 2016"),
    dimension="2d",
    modality="dermoscopy",
    organ="skin",
    task=("segmentation", "classification", "attribute detection"),
    license="CC0-1.0",
    homepage="https://challenge.isic-archive.com/data/#2016",
    citation=Citation(
        title="Skin lesion analysis toward melanoma detection: a challenge at the International Symposium on "
        "Biomedical Imaging (ISBI) 2016, hosted by the International Skin Imaging Collaboration (ISIC)",
        authors="Gutman D, Codella NCF, Celebi E, et al.",
        venue="arXiv:1605.01397",
        year=2016,
        doi="10.48550/arXiv.1605.01397",
    ),
    sources=(
        *_isic_2016.SOURCES,
        Source(url="https://challenge.isic-archive.com/data/#2016", kind="page"),
    ),
    labels=_isic_2016.LABELS,
    splits={"train": 900, "test": 379},
    configs=(
        Config(
            name="lesion",
            title="Lesion segmentation and diagnosis (parts 1, 3, 3B)",
            task=("segmentation", "classification"),
            splits={"train": 900, "test": 379},
        ),
        Config(
            name="features",
            title="Dermoscopic features (parts 2, 2B)",
            task="attribute detection",
            splits={"train": 807, "test": 335},
        ),
    ),
    parts=(
        Part(config="lesion", legend=_isic.LESION),
        Part(config="features", legend=_isic_2016.LEGEND, names=()),
    ),
    no_subject="no patient is named",
    overlaps=(
        Overlap(dataset="isic-2017", relation="shared images", evidence=_isic.COUNTED_2016_2017),
        Overlap(dataset="isic-2018", relation="shared images", evidence="unverified: tasks 1 and 2"),
        Overlap(dataset="isic-2019", relation="shared images", evidence=_isic.COUNTED_2016_2019),
    ),
    keys="superpixels; globules; streaks",
    evidence=Evidence(
        layout=f"{PAGE}; {_isic.SITE}:stade/core/templates/landing/2016/37.html to 41.html (names in all parts)",
        labels=f"{_isic.SITE}:stade/core/templates/landing/2016/38.html (superpixels), 39.html (benign, malignant); "
        "Gabrie1Xia/CIS-519-Project@38b538c (test answers of part 3: 379 lines of 0.0 and 1.0)",
        license=f"{PAGE} (CC-0)",
        subject=PAGE,
    ),
    notes=(
        "A feature marks whole superpixels: it is somewhere inside, and need not fill them.",
        "Parts 1, 3 and 3B hold the same 900 and 379 images: archives of the same size.",
        "Older scripts take the archives from isic-challenge-data.s3.amazonaws.com/2016/.",
    ),
)


def rows(files):
    yield from _isic_2016.rows(files)


def miniature(make):
    _isic_2016.miniature(make)
