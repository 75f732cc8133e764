"""ISIC 2016: dermoscopy of skin lesions, for lesion segmentation, feature detection and diagnosis.

The parts of the first challenge of the International Skin Imaging Collaboration, at ISBI 2016. Parts 1, 3 and
3B share their images, and so do 2 and 2B; each image is one row here.
"""

from medimg.builders import _isic, _isic_features
from medimg.declaration import Citation, Config, Evidence, Overlap, Part
from medimg.readers import masks, tables
from medimg.schema import Row, Skipped, skipped

PAGE = f"{_isic.SITE}:stade/core/templates/data/2016.html"
FEATURES = ("globules", "streaks")
LEGEND = _isic_features.legend(FEATURES)
LABELS = {
    "benign": "benign lesion",
    "0": "benign lesion",
    "0.0": "benign lesion",
    "malignant": "malignant lesion",
    "1": "malignant lesion",
    "1.0": "malignant lesion",
}
FILES = (
    *(
        f"ISBI2016_ISIC_Part{part}_{split}_{kind}.zip"
        for part in ("1", "2B")
        for split in ("Training", "Test")
        for kind in ("Data", "GroundTruth")
    ),
    *(f"ISBI2016_ISIC_Part3_{split}_GroundTruth.csv" for split in ("Training", "Test")),
)
"""Without the archives that hold the same images again."""
PART = r"ISBI2016_ISIC_Part{}_(Training|Test)_{}/(?:.*/)?(ISIC_\d{{7}}){}$"

DATASET = _isic.challenge(
    2016,
    FILES,
    name="isic-2016",
    title="ISIC 2016, Skin Lesion Analysis Towards Melanoma Detection (ISBI 2016)",
    aliases=("ISBI2016_ISIC", "ISBI 2016", "ISIC 2016"),
    task=("segmentation", "classification", "attribute detection"),
    license="CC0-1.0",
    citation=Citation(
        title="Skin lesion analysis toward melanoma detection: a challenge at the International Symposium on "
        "Biomedical Imaging (ISBI) 2016, hosted by the International Skin Imaging Collaboration (ISIC)",
        authors="Gutman D, Codella NCF, Celebi E, et al.",
        venue="arXiv:1605.01397",
        year=2016,
        doi="10.48550/arXiv.1605.01397",
    ),
    labels=LABELS,
    splits={"train": 900, "test": 379},
    configs=(
        Config(
            name="lesion",
            title="Lesion segmentation and diagnosis (parts 1, 3, 3B)",
            task=("segmentation", "classification"),
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
        Part(config="features", legend=LEGEND, names=()),
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
    for config, parts in (("lesion", ("1", "3", "3B")), ("features", ("2B", "2"))):
        images = {}
        for part in parts:
            for image, where, name in files.match(PART.format(part, "Data", r"\.jpg")):
                if (where, name) in images:
                    yield Skipped(file=image, reason=f"read from part {images[where, name][1]}, the same image")
                images.setdefault((where, name), (image, part))
        shared = {
            (where, name): {
                "id": f"{config}-{name}",
                "config": config,
                "split": _isic.SPLITS[where],
                "image": image,
            }
            for (where, name), (image, _) in images.items()
        }
        yield from (lesions if config == "lesion" else features)(files, shared)


def lesions(files, shared):
    answers = tables.lines_by(
        files,
        r"ISBI2016_ISIC_Part3B?_(?:Training|Test)_GroundTruth\.csv$",
        "image",
        lost="diagnoses are",
        header=False,
        columns=("image", "answer"),
    )
    pattern = PART.format("1", "GroundTruth", r"_[Ss]egmentation\.png")
    drawn = files.index(pattern, key=(1, 2))
    for mask, where, name in files.match(PART.format("3B", "Data", r"_[Ss]egmentation\.png")):
        if drawn.setdefault((where, name), mask) is not mask:
            yield Skipped(file=mask, reason="read from part 1, the same mask")
    if shared and not drawn:
        files.tell(pattern, "no outline is in this copy: masks are not known")
    outlined, diagnosed = bool(drawn), bool(answers)
    for place, row in shared.items():
        mask = drawn.pop(place, None)
        if mask is None and place[1] not in answers:
            yield Skipped(file=row["image"], reason="neither its mask nor its diagnosis is in this copy")
            continue
        if outlined and mask is None:
            files.tell(row["image"], "its outline is not in this copy")
        if diagnosed and place[1] not in answers:
            files.tell(row["image"], "no table in this copy has a line for it: its diagnosis is not known")
        with files.row(row["image"]):
            yield lesion(row, answers.get(place[1]), mask)
    yield from skipped(drawn.values(), "a mask whose image is not in this copy")
    answers.tell_rest("its image is not in this copy")


def lesion(row, line, mask):
    assessed = []
    if line:
        assessed += ["benign lesion", "malignant lesion"]
    if mask:
        assessed.append("skin lesion")
    return Row(
        **row,
        classes=(line.one_of("answer", LABELS),) if line else (),
        assessed=assessed,
        source=line["answer"] if line else None,
        mask=masks.mask(mask, {0: 0, 255: 1}) if mask else None,
        legend=_isic.LESION,
    )


def features(files, shared):
    drawn = files.index(PART.format("2B", "GroundTruth", r"_(globules|streaks)\.png"), key=(1, 2, 3))
    tiles = files.index(PART.format("2", "Data", r"_superpixels\.png"), key=(1, 2))
    said = files.index(PART.format("2", "GroundTruth", r"\.json"), key=(1, 2))
    for place, row in shared.items():
        image = row["image"]
        pair = [drawn.pop((*place, feature), None) for feature in FEATURES]
        if not all(pair) and not (place in said and place in tiles):
            yield Skipped(file=image, reason="the answers to its features are not in this copy")
            yield from skipped(filter(None, pair), "a mask whose image, or whose partner, is not in this copy")
            continue
        if all(pair) and said and place not in said:
            files.tell(image, "its answers by superpixel are not in this copy")
        with files.row(image):
            answers = _isic_features.answered(said[place], FEATURES) if place in said else None
            if all(pair):
                mask = masks.union(zip(pair, (1, 2), strict=True), overlaps={(1, 2): 3})
            else:
                mask = _isic_features.mask(tiles.pop(place), answers)
            source = _isic_features.source(answers) if answers else None
            yield Row(**row, mask=mask, legend=LEGEND, source=source)
    yield from skipped(drawn.values(), "a mask whose image, or whose partner, is not in this copy")
    yield from skipped(tiles.values(), "superpixels: part 2B draws the features, or nothing here answers for them")


def miniature(make):
    # 0 and 1 share the archives of parts 1, 3 and 3B; 2 has superpixels alone, 3 has superpixels and masks.
    head, answers = "ISBI2016_ISIC_Part", {"Training": ("benign", "malignant"), "Test": ("0.0", "1.0")}
    for first, split in enumerate(answers):
        names = [f"ISIC_00000{first}{n}" for n in range(4)]
        for part in ("1", "3", "3B"):
            with make.zip(f"{head}{part}_{split}_Data.zip") as inner:
                for name in names[:2]:
                    inner.image(f"{head}{part}_{split}_Data/{name}.jpg", mode="RGB", seed=name)
                    if part == "3B":
                        path = f"{head}3B_{split}_Data/{name}_Segmentation.png"
                        inner.image(path, labels=(255,), seed=name)
            if part == "1":
                with make.zip(f"{head}1_{split}_GroundTruth.zip") as inner:
                    for name in names[:2]:
                        path = f"{head}1_{split}_GroundTruth/{name}_Segmentation.png"
                        inner.image(path, labels=(255,), seed=name)
            else:
                table = list(zip(names, answers[split], strict=False))
                make.csv(f"{head}{part}_{split}_GroundTruth.csv", None, table)
        with make.zip(f"{head}2_{split}_Data.zip") as inner:
            for name in names[2:]:
                inner.image(f"{head}2_{split}_Data/{name}.jpg", mode="RGB", seed=name)
                path = f"{head}2_{split}_Data/{name}_superpixels.png"
                inner.image(path, labels=(1, 2, 3), colors=_isic_features.COLORS)
        with make.zip(f"{head}2_{split}_GroundTruth.zip") as inner:
            value = _isic_features.written(259, globules=(1, 258), streaks=(258,))
            for name in names[2:]:
                inner.json(f"{head}2_{split}_GroundTruth/{name}.json", value)
        with make.zip(f"{head}2B_{split}_Data.zip") as inner:
            inner.image(f"{head}2B_{split}_Data/{names[3]}.jpg", mode="RGB", seed=names[3])
        with make.zip(f"{head}2B_{split}_GroundTruth.zip") as inner:
            for feature, labels in (("globules", (255,)), ("streaks", (0, 255))):
                inner.image(f"{head}2B_{split}_GroundTruth/{names[3]}_{feature}.png", labels=labels)
