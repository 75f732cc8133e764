"""PANDA: prostate biopsies of Radboud University Medical Center and Karolinska Institute, graded for cancer.

Whole-slide images of the challenge's training part, as tiles of tissue; each biopsy has its ISUP grade and Gleason
score, most have an outlined mask.
"""

from medimg.declaration import Citation, Dataset, Evidence, Part, Source
from medimg.join import Join, Partner, lines
from medimg.readers import masks, slide_files, slides
from medimg.schema import Measure, Row, Skipped

KAGGLE = "https://www.kaggle.com/c/prostate-cancer-grade-assessment/data"
POST = "https://wouterbulten.nl/posts/improve-prostate-cancer-diagnosis-panda-challenge"
SIZE, LEVEL = 256, 1
UNKNOWN = {0: ()}
"""No tissue, or tissue that nobody named: the masks do not tell the two apart."""
LEGENDS = {
    "radboud": {
        **UNKNOWN,
        1: ("stroma",),
        2: ("healthy epithelium",),
        3: ("Gleason pattern 3",),
        4: ("Gleason pattern 4",),
        5: ("Gleason pattern 5",),
    },
    "karolinska": {**UNKNOWN, 1: ("benign tissue",), 2: ("cancerous tissue",)},
}
GRADES = {str(grade): f"ISUP grade {grade}" for grade in range(6)}

DATASET = Dataset(
    name="panda",
    title="PANDA, Prostate cANcer graDe Assessment",
    aliases=("Prostate cancer grade assessment 2020", "Prostate cANcer graDe Assessment"),
    dimension="2d",
    modality="H&E histopathology",
    organ="prostate",
    task=("grading", "segmentation"),
    license="CC-BY-NC-SA-4.0",
    homepage="https://panda.grand-challenge.org/",
    citation=Citation(
        title="Artificial intelligence for diagnosis and Gleason grading of prostate cancer: the PANDA challenge",
        authors="Bulten W, Kartasalo K, Chen PHC, et al.",
        venue="Nature Medicine 28:154-163",
        year=2022,
        doi="10.1038/s41591-021-01620-2",
    ),
    access="registration",
    how=f"Accept the rules at {KAGGLE}, download prostate-cancer-grade-assessment.zip (about 411 GB) and pass it "
    'or its folder: medimg.load("panda", source="~/prostate-cancer-grade-assessment.zip").',
    sources=(Source(url=KAGGLE, kind="page"),),
    labels=GRADES,
    parts=(*(Part(legend=legend) for legend in LEGENDS.values()), Part()),
    splits={"train": 0},
    subject="image_id: one biopsy; a patient has several, which the source does not tell",
    keys="slide; level; x; y; downsample; tissue; data_provider; isup_grade; gleason_score",
    evidence=Evidence(
        layout="https://kaiko-ai.github.io/eva/dev/datasets/panda (names, columns)",
        labels=f"{POST} (masks); notebooks of the competition (0 to 5 for Radboud, 0 to 2 for Karolinska)",
        license=f"{POST} (CC BY-NC-SA 4.0, as the organizer says)",
        subject=KAGGLE,
    ),
    notes=(
        f"Tiles of {SIZE} pixels at level {LEVEL}, a quarter of the full resolution; `meta` has slide, position and "
        "level.",
        "10,616 slides. The ISUP grade in `classes` is that of the whole biopsy: a tile may show no cancer.",
        "The two providers' masks have different values; Radboud's were made half automatically and are noisy.",
        "Mask value 0 is background, or unknown tissue, so nothing is absent there. Some slides have no mask.",
        "Patients have several biopsies, some scanned twice: compare pixels before splitting.",
    ),
)


def tiles(case):
    line, mask = case.line or {}, case.mask
    classes, assessed, measures, legend = (), [], [], None
    if line.get("isup_grade"):
        classes = line.one_of("isup_grade", DATASET.labels)
        assessed += GRADES.values()
        measures.append(Measure(name="ISUP grade", value=line.number("isup_grade"), unit="1"))
    if mask and not line.get("data_provider"):
        reason = "its values depend on the provider, which no table of this copy tells"
        yield Skipped(file=mask, reason=reason)
        mask = None
    if mask:
        legend = line.one_of("data_provider", LEGENDS)
        assessed += [name for names in legend.values() for name in names]
    with slides.Slide(case.image) as slide:
        truth = slides.Slide(mask, fill=0) if mask else None
        for tile, place in slide.tiles(SIZE, LEVEL):
            yield Row(
                id=f"{case.name}-{place.level}-{place.x}-{place.y}",
                subject=case.name,
                image=tile,
                # The label is in the red channel alone.
                mask=masks.mask(truth.tile(place), channel=0) if truth else None,
                legend=legend,
                classes=classes,
                assessed=assessed,
                measures=measures,
                source={key: line[key] for key in ("isup_grade", "gleason_score") if key in line} or None,
                meta={"slide": case.name, **place.meta, "data_provider": line.get("data_provider")},
            )


rows = Join(
    r"train_images/(?P<name>[^/]+)\.tiff$",
    tiles,
    line=lines(
        r"(?:^|/)train\.csv$",
        "image_id",
        key="name",
        tell="no line of train.csv is for it: its grade is not known",
        lost="grades and providers are",
        rest="its slide is not in this copy",
    ),
    mask=Partner(
        r"train_label_masks/(?P<name>[^/]+)_mask\.tiff$",
        tell="its mask is not in this copy (about 100 slides of the source have none)",
        lost="masks are",
    ),
)


def miniature(make):
    header = ["image_id", "data_provider", "isup_grade", "gleason_score"]
    table = [
        ("0005f7aaab2800f6170c399693a96917", "karolinska", 0, "0+0"),
        ("0018ae58b01bdadc8e347995b69f99aa", "radboud", 4, "4+4"),
        ("001d865e65ef5d2579c190a0e0350d8f", "radboud", 0, "negative"),
    ]
    make.csv("train.csv", header, table)
    shades = {n: (200 - 12 * n, 110 + 8 * n, 160) for n in range(1, 6)} | {0: (255, 255, 255)}
    for number, (name, provider, *_) in enumerate(table):
        values = tuple(value for value in LEGENDS[provider] if value)
        inner = type(make)()
        for path, colors in (("slide", shades), ("mask", {value: (value, 0, 0) for value in (0, *values)})):
            inner.image(f"{path}.png", (1200 + 16 * number, 600), labels=values, colors=colors)
        slide = slide_files.pyramid(inner.files["slide.png"], tile=256, micrometers=0.48)
        make.bytes(f"train_images/{name}.tiff", slide)
        if name != table[2][0]:
            mask = slide_files.pyramid(inner.files["mask.png"], tile=256, packed="deflate")
            make.bytes(f"train_label_masks/{name}_mask.tiff", mask)
