"""ISIC 2016: dermoscopy of skin lesions, for lesion segmentation, feature detection and diagnosis.

The parts of the first challenge of the International Skin Imaging Collaboration, at ISBI 2016. Parts 1, 3 and
3B share their images, and so do 2 and 2B; each image is one row here.
"""

from medimg.builders import _isic, _isic_features
from medimg.declaration import Citation, Config, Dataset, Evidence, Overlap, Source
from medimg.readers import masks, tables
from medimg.schema import Row, Skipped

PAGE = f"{_isic.SITE}:stade/core/templates/data/2016.html"
FEATURES = ("globules", "streaks")
FILES = (
    *(f"Part{part}_{split}_{kind}.zip" for part in ("1", "2B") for split in ("Training", "Test")
      for kind in ("Data", "GroundTruth")),
    "Part3_Training_GroundTruth.csv",
    "Part3_Test_GroundTruth.csv",
)

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
        *(Source(url=f"{_isic.HOST}/2016/ISBI2016_ISIC_{name}") for name in FILES),
        Source(url="https://challenge.isic-archive.com/data/#2016", kind="page"),
    ),
    labels={
        "benign": "benign lesion", "malignant": "malignant lesion",
        "0.0": "benign lesion", "1.0": "malignant lesion", "0": "benign lesion", "1": "malignant lesion",
    },
    splits={"train": 900, "test": 379},
    configs=(
        Config(name="lesion", title="Lesion segmentation and diagnosis (parts 1, 3, 3B)",
               task=("segmentation", "classification"), splits={"train": 900, "test": 379}),
        Config(name="features", title="Dermoscopic features (parts 2, 2B)", task="attribute detection",
               splits={"train": 807, "test": 335}),
    ),
    no_subject="no patient is named",
    overlaps=(
        Overlap(dataset="isic-2017", relation="shared images", evidence="unverified"),
        Overlap(dataset="isic-2018", relation="shared images", evidence="unverified: tasks 1 and 2"),
        Overlap(dataset="isic-2019", relation="shared images", evidence="unverified: images of its MSK part"),
    ),
    evidence=Evidence(
        layout=f"{PAGE}; {_isic.SITE}:stade/core/templates/landing/2016/38.html; "
        "unverified: names of the masks of part 2B",
        labels=f"{_isic.SITE}:stade/core/templates/landing/2016/38.html; part 3 read in public copies; "
        "unverified: how the test answers of part 3 are written (0.0 and 1.0 or by name, both are read)",
        license=f"{PAGE} (CC-0)",
        subject=PAGE,
    ),
    notes=(
        "A feature marks whole superpixels: it is somewhere inside, and need not fill them.",
        "Parts 1, 3 and 3B hold the same 900 and 379 images: archives of the same size.",
    ),
)
PART = r"ISBI2016_ISIC_Part{}_(Training|Test)_{}/(?:.*/)?(ISIC_\d{{7}}){}$"


def rows(files):
    for config, parts in (("lesion", ("1", "3", "3B")), ("features", ("2B", "2"))):
        images = {}
        for part in parts:
            for image, where, name in files.match(PART.format(part, "Data", r"\.jpg")):
                if (where, name) in images:
                    yield Skipped(file=image, reason=f"also in part {images[where, name][1]}, read from there")
                images.setdefault((where, name), (image, part))
        shared = {key: {"id": key[1], "config": config, "split": _isic.SPLITS[key[0]], "image": image}
                  for key, (image, _) in images.items()}
        yield from _lesions(files, shared) if config == "lesion" else _features(files, shared)


def _lesions(files, shared):
    answers = {
        row["image"]: row["answer"]
        for (table,) in files.match(r"ISBI2016_ISIC_Part3B?_(?:Training|Test)_GroundTruth\.csv$")
        for row in tables.rows(table, header=False, columns=("image", "answer"))
    }
    drawn = files.index(PART.format("1", "GroundTruth", r"_[Ss]egmentation\.png"), key=(1, 2))
    for mask, where, name in files.match(PART.format("3B", "Data", r"_[Ss]egmentation\.png")):
        if drawn.setdefault((where, name), mask) is not mask:
            yield Skipped(file=mask, reason="also in part 1, read from there")
    for (where, name), row in shared.items():
        answer, mask = answers.get(name), drawn.pop((where, name), None)
        if answer is None and mask is None:
            yield Skipped(file=row["image"], reason="neither mask nor diagnosis is in this copy")
            continue
        known = ("benign lesion", "malignant lesion") if answer else ()
        yield Row(**row, classes=DATASET.labels[answer] if answer else (), source=answer,
                  mask=masks.index(mask, {0: 0, 255: 1}) if mask else None, legend={1: ("skin lesion",)},
                  assessed=(*known, *(("skin lesion",) if mask else ())))
    for mask in drawn.values():
        yield Skipped(file=mask, reason="a mask whose image is not in this copy")
