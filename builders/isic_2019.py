"""ISIC 2019: dermoscopy of skin lesions with one of eight diagnoses, made of HAM10000, BCN20000 and MSK.

25,331 images for training and 8,238 for test, with age, sex and anatomic site where they are known.
"""

from medimg.builders import _isic
from medimg.declaration import Citation, Evidence, Overlap
from medimg.join import Join, lines
from medimg.schema import Row

PAGE = f"{_isic.SITE}:stade/core/templates/data/2019.html"
COUNTED = "ToreGore/AI-Health@ed69a65 (copies of the training tables, counted)"
DIAGNOSES = {**_isic.DIAGNOSES_2019, "UNK": "other abnormality"}
NAMES = [
    f"{split}_{rest}" for split in ("Training", "Test") for rest in ("Input.zip", "GroundTruth.csv", "Metadata.csv")
]

DATASET = _isic.challenge(
    2019,
    [f"ISIC_2019_{name}" for name in NAMES],
    name="isic-2019",
    title="ISIC 2019, Skin Lesion Analysis Towards Melanoma Detection",
    aliases=("ISIC Challenge 2019", "ISIC2019"),
    task="classification",
    license="CC-BY-NC-4.0",
    citation=Citation(
        title="BCN20000: Dermoscopic Lesions in the Wild (with HAM10000, doi:10.1038/sdata.2018.161, and "
        "arXiv:1710.05006, which the organizers ask to cite too)",
        authors="Combalia M, Codella NCF, Rotemberg V, et al.",
        venue="arXiv:1908.02288",
        year=2019,
        doi="10.48550/arXiv.1908.02288",
    ),
    labels=DIAGNOSES,
    splits={"train": 25331, "test": 8238},
    no_subject="no patient is named; rows carry the lesion instead, where the table gives one",
    overlaps=(
        Overlap(dataset="ham10000", relation="superset of", evidence="owkin/FLamby@edacf54 (fed_isic2019)"),
        Overlap(dataset="isic-2018", relation="shared images", evidence=_isic.COUNTED_2018_2019),
        Overlap(
            dataset="bcn20000",
            relation="superset of",
            evidence=f"12,413 lesion ids BCN_…: {COUNTED}; file names differ, lesions agree",
        ),
        Overlap(dataset="isic-2017", relation="superset of", evidence=f"2,745 of 2,750 ids: {COUNTED}"),
        Overlap(dataset="isic-2016", relation="shared images", evidence=_isic.COUNTED_2016_2019),
    ),
    keys="age_approx; anatom_site_general; sex; score_weight; validation_weight; lesion_id",
    evidence=Evidence(
        layout=f"{PAGE}; ImageMarkup/isic-challenge-landing@a2701fc (site/data.md); {COUNTED}",
        labels=f"{COUNTED}; {PAGE} (the test answers include the scoring and validation weights, kept in meta)",
        license=f"{PAGE} (CC-BY-NC)",
        subject=f"{COUNTED}: 11,847 lesion ids, 2,084 blank",
    ),
    notes=(
        "2,074 ids end in _downsampled, in the tables and in the file names.",
        "UNK (none of the others) is a class of the test set without an example for training.",
        "Several images show one lesion: split by subject, which is the lesion; each image without one is alone.",
    ),
)


def row(case):
    said = {**(case.person or {}), **case.answer}
    return Row(
        id=case.name,
        split=_isic.SPLITS[case.part],
        subject=said.get("lesion_id"),
        image=case.image,
        classes=_isic.diagnoses(case.answer, DIAGNOSES),
        assessed=DATASET.every_label,
        source={code: case.answer[code] for code in DIAGNOSES},
        meta={key: cell for key, cell in said.items() if key not in ("image", "lesion_id", *DIAGNOSES)},
    )


rows = Join(
    r"ISIC_2019_(?P<part>Training|Test)_Input/(?:.*/)?(?P<name>ISIC_\d{7}(?:_downsampled)?)\.jpg$",
    row,
    answer=lines(
        r"ISIC_2019_(?:Training|Test)_GroundTruth\.csv$",
        "image",
        key="name",
        lost="what the test and training images show is",
        skip="no ground truth in this copy has a row for it",
        rest="its image is not in this copy",
    ),
    person=lines(
        r"ISIC_2019_(?:Training|Test)_Metadata\.csv$",
        "image",
        key="name",
        lost="age, sex, site and lesion are",
        tell="no line of a metadata table is for it: age, sex, site and lesion are not known",
    ),
)


def miniature(make):
    # Cells may be blank; only the test answers know UNK and have weights; pixels of 24306 are those of HAM10000.
    images = {
        "Training": ("ISIC_0000000", "ISIC_0000006_downsampled", "ISIC_0024306"),
        "Test": ("ISIC_0034321", "ISIC_0073253"),
    }
    people = {
        "ISIC_0000000": (55.0, "anterior torso", None, "female"),
        "ISIC_0024306": (45.0, None, "HAM_0000550", "male"),
    }
    for split, names in images.items():
        with make.zip(f"ISIC_2019_{split}_Input.zip") as inner:
            for name in names:
                inner.image(f"ISIC_2019_{split}_Input/{name}.jpg", (60, 45), mode="RGB", seed=name)
        test = split == "Test"
        answers = [
            (name, *(float(n == ((6, 8)[k] if test else 1)) for n in range(9)), *((1.0, 0.0) if test else ()))
            for k, name in enumerate(names)
        ]
        header = ["image", *DIAGNOSES, *(("score_weight", "validation_weight") if test else ())]
        make.csv(f"ISIC_2019_{split}_GroundTruth.csv", header, answers)
        table = [(name, *people.get(name, (None, None, None, None))) for name in names]
        header = "image,age_approx,anatom_site_general,lesion_id,sex"
        make.csv(f"ISIC_2019_{split}_Metadata.csv", header, table)
