"""ISIC 2017: dermoscopy of skin lesions, for lesion segmentation, feature detection and diagnosis.

The three parts of the challenge of the International Skin Imaging Collaboration at ISBI 2017, with the answers
to all of them: outline of the lesion, four dermoscopic features for each superpixel, and the diagnosis.
"""

from medimg.builders import _isic, _isic_features
from medimg.declaration import Citation, Config, Evidence, Overlap, Part
from medimg.join import Join, Partner, lines
from medimg.readers import masks
from medimg.schema import Row, Skipped

PAGES = f"{_isic.SITE}:stade/core/templates"
SPLITS = {"Training": "train", "Validation": "validation", "Test_v2": "test"}
FEATURES = {
    "network": "pigment network",
    "negative network": "negative network",
    "streaks": "streaks",
    "milia-like cysts": "milia-like cyst",
}
DIAGNOSES = {"melanoma": "melanoma", "seborrheic_keratosis": "seborrheic keratosis"}
NEVUS = "melanocytic nevus"
"""What neither of the two columns says."""
ASSESSED = (*DIAGNOSES.values(), NEVUS)
LEGEND = _isic_features.legend(list(FEATURES.values()))
NAMES = ("Data.zip", "Part1_GroundTruth.zip", "Part2_GroundTruth.zip", "Part3_GroundTruth.csv")
FILES = [f"ISIC-2017_{split}_{name}" for split in SPLITS for name in NAMES]
PART = r"ISIC-2017_(?P<part>Training|Validation|Test_v2)_{}/(?:.*/)?(?P<name>ISIC_\d{{7}}){}$"
TABLE = r"ISIC-2017_(?:Training|Validation|Test_v2){}\.csv$"

DATASET = _isic.challenge(
    2017,
    FILES,
    name="isic-2017",
    title="ISIC 2017, Skin Lesion Analysis Towards Melanoma Detection (ISBI 2017)",
    aliases=("ISBI 2017 ISIC", "ISIC-2017"),
    task=("segmentation", "classification", "attribute detection"),
    license="CC0-1.0",
    citation=Citation(
        title="Skin lesion analysis toward melanoma detection: a challenge at the 2017 International Symposium on "
        "Biomedical Imaging (ISBI), hosted by the International Skin Imaging Collaboration (ISIC)",
        authors="Codella NCF, Gutman D, Celebi ME, et al.",
        venue="IEEE ISBI 2018:168-172",
        year=2018,
        doi="10.1109/ISBI.2018.8363547",
    ),
    labels=DIAGNOSES,
    splits={"train": 2000, "validation": 150, "test": 600},
    configs=(
        Config(
            name="lesion",
            title="Lesion segmentation and diagnosis (parts 1 and 3)",
            task=("segmentation", "classification"),
        ),
        Config(name="features", title="Dermoscopic features (part 2)", task="attribute detection"),
    ),
    parts=(
        Part(config="lesion", legend=_isic.LESION, names=ASSESSED),
        Part(config="features", legend=LEGEND, names=()),
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


def row(case):
    features = case.said and case.tiles
    if not (case.answer or case.outline or features):
        return case.skip("no ground truth of it is in this copy")
    meta = {key: cell for key, cell in (case.person or {}).items() if key != "image_id"}
    shared = {"split": SPLITS[case.part], "image": case.image, "meta": meta}
    found = []
    if case.answer or case.outline:
        found.append(lesion(case, shared))
    if features:
        found.append(featured(case, shared))
    elif case.said or case.tiles:
        reason = "superpixels or their answers, without the other"
        found.append(Skipped(file=case.said or case.tiles, reason=reason))
    return found


def lesion(case, shared):
    classes, assessed, source = [], [], None
    if case.answer:
        classes = _isic.diagnoses(case.answer, DIAGNOSES) or [NEVUS]
        assessed += ASSESSED
        source = {key: cell for key, cell in case.answer.items() if key != "image_id"}
    if case.outline:
        assessed.append("skin lesion")
    return Row(
        id=f"lesion-{case.name}",
        config="lesion",
        **shared,
        mask=masks.mask(case.outline, {0: 0, 255: 1}) if case.outline else None,
        legend=_isic.LESION,
        classes=classes,
        assessed=assessed,
        source=source,
    )


def featured(case, shared):
    answers = _isic_features.answered(case.said, FEATURES)
    return Row(
        id=f"features-{case.name}",
        config="features",
        **shared,
        mask=_isic_features.mask(case.tiles, answers),
        legend=LEGEND,
        source=_isic_features.source(answers),
    )


rows = Join(
    PART.format("Data", r"\.jpg"),
    row,
    answer=lines(
        TABLE.format("_Part3_GroundTruth"),
        "image_id",
        key="name",
        lost="diagnoses (part 3) are",
        tell="its diagnosis (part 3) not in this copy",
        rest="its image is not in this copy",
    ),
    person=lines(
        TABLE.format("_Data_metadata"),
        "image_id",
        key="name",
        lost="age and sex are",
        tell="its age and sex not in this copy",
    ),
    outline=Partner(
        PART.format("Part1_GroundTruth", r"_segmentation\.png"),
        lost="outlines (part 1) are",
        tell="its outline (part 1) not in this copy",
        orphan="a mask whose image is not in this copy",
    ),
    said=Partner(
        PART.format("Part2_GroundTruth", r"(?:_features)?\.json"),
        lost="features (part 2) are",
        tell="its features (part 2) not in this copy",
        orphan="answers whose image is not in this copy",
    ),
    tiles=Partner(
        PART.format("Data", r"_superpixels\.png"),
        when=lambda case: case.said,
        tell="its features (part 2) not in this copy",
        orphan="superpixels whose image is not in this copy",
    ),
)


def miniature(make):
    # Test archives are called Test_v2; an age may be "unknown"; keys of the features hold spaces; ISIC_0000000 is
    # the picture of ISIC 2019's miniature.
    for number, split in enumerate(SPLITS):
        head = f"ISIC-2017_{split}"
        names = [f"ISIC_00{number}000{n}" for n in range(2)]
        with make.zip(f"{head}_Data.zip") as inner:
            for name in names:
                inner.image(f"{head}_Data/{name}.jpg", (60, 45), mode="RGB", seed=name)
                path = f"{head}_Data/{name}_superpixels.png"
                inner.image(path, (60, 45), labels=(1, 2, 3), colors=_isic_features.COLORS)
            table = [(names[0], 55, "female"), (names[1], "unknown", "unknown")]
            inner.csv(f"{head}_Data/{head}_Data_metadata.csv", "image_id,age_approximate,sex", table)
        with make.zip(f"{head}_Part1_GroundTruth.zip") as inner:
            for name in names:
                inner.image(f"{head}_Part1_GroundTruth/{name}_segmentation.png", (60, 45), labels=(255,))
        with make.zip(f"{head}_Part2_GroundTruth.zip") as inner:
            numbers = dict(zip(FEATURES, ((1, 2), (), (258, 2), ()), strict=True))
            for name in names:
                path = f"{head}_Part2_GroundTruth/{name}_features.json"
                inner.json(path, _isic_features.written(259, **numbers))
        answers = [(names[0], 1.0, 0.0), (names[1], 0.0, 0.0)]
        make.csv(f"{head}_Part3_GroundTruth.csv", ["image_id", *DIAGNOSES], answers)
