"""BCNB: core-needle biopsies of early breast cancer, before any treatment, of 1,058 patients in Beijing.

Whole-slide images as tiles of tissue, with outlined tumor, and the patches of the paper; each patient has receptor
status, molecular subtype and the state of the axillary lymph nodes.
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Part, Source
from medimg.readers import masks, slides, tables
from medimg.schema import Row, Skipped

REPOSITORY = "bupt-ai-cz/BALNMP"
PAGE = "https://bupt-ai-cz.github.io/BCNB/"
SPLITS = {"train": "train", "val": "validation", "test": "test"}
SIZE, LEVEL = 256, 1
LABELS = {
    "ER": {"Positive": "ER positive", "Negative": "ER negative"},
    "PR": {"Positive": "PR positive", "Negative": "PR negative"},
    "HER2": {"Positive": "HER2 positive", "Negative": "HER2 negative"},
    "HER2 Expression": {mark: f"HER2 expression {mark}" for mark in ("0", "1+", "2+", "3+")},
    "Molecular subtype": {
        "Luminal A": "luminal A breast cancer",
        "Luminal B": "luminal B breast cancer",
        "HER2(+)": "HER2-enriched breast cancer",
        "Triple negative": "triple-negative breast cancer",
    },
    "ALN status": {
        "N0": "no lymph node metastasis",
        "N+(1-2)": "one or two lymph node metastases",
        "N+(>2)": "more than two lymph node metastases",
    },
}
"""Column -> value -> canonical name."""

DATASET = Dataset(
    name="bcnb",
    title="BCNB, Early Breast Cancer Core-Needle Biopsy WSI Dataset",
    aliases=("Early Breast Cancer Core-Needle Biopsy",),
    dimension="2d",
    modality="H&E histopathology",
    organ=("breast", "lymph node"),
    task=("classification", "segmentation"),
    license="LicenseRef-BCNB",
    citation=Citation(
        title="Predicting axillary lymph node metastasis in early breast cancer using deep learning on primary tumor "
        "biopsy slides",
        authors="Xu F, Zhu C, Tang W, et al.",
        venue="Frontiers in Oncology 11:759007",
        year=2021,
        doi="10.3389/fonc.2021.759007",
    ),
    access="registration",
    how="Sign in at https://bcnb.grand-challenge.org/, accept the license, download the archive and "
    'paper_patches.zip, and pass their folder: medimg.load("bcnb", source="~/BCNB").',
    sources=(Source(url=PAGE, kind="page"), Source(url="https://bcnb.grand-challenge.org/", kind="page")),
    labels={f"{column}/{value}": name for column, names in LABELS.items() for value, name in names.items()},
    legend={1: ("breast cancer",), 255: ()},
    splits=dict.fromkeys(SPLITS.values(), 0),
    configs=(
        Config(name="tiles", title="Tiles of the slides", splits=dict.fromkeys(SPLITS.values(), 0)),
        Config(
            name="patches",
            title="Patches of outlined tumor, as in the paper",
            task="classification",
            splits=dict.fromkeys(SPLITS.values(), 0),
        ),
    ),
    parts=(Part(config="patches"),),
    subject="the slide's number, 1 to 1058",
    keys=(
        "slide; level; x; y; downsample; tissue; Patient ID; Age(years); Tumour Size(cm); "
        "Tumour Type; ER; PR; HER2; HER2 Expression; Histological grading; Surgical; Ki67; "
        "Molecular subtype; Number of lymph node metastases; ALN status; region"
    ),
    evidence=Evidence(
        layout=f"{REPOSITORY}@578e70e (README, dataset-splitting, paper_patches)",
        labels=f"{REPOSITORY}@578e70e; public source files (columns of patient-clinical-data.xlsx, values of the "
        "subtypes)",
        license="ptoyip/BCNB-Dataset:README.txt@443f480 (clause 2: no distribution, modified or not)",
        subject=f"{REPOSITORY}@578e70e",
    ),
    largest=2 << 30,
    notes=(
        f"Tiles of {SIZE} pixels at half resolution (level {LEVEL}); `meta` has slide, position and level.",
        "Slides are plain JPEG files, not pyramids: each is decoded once, at the scale of the level.",
        "`classes` are facts about the patient, the same for all tiles and patches.",
        "Outside the outlined tumor masks hold 255, not annotated: nobody states that all tumor was outlined.",
        "1,058 slides, 76,578 patches. Six-digit slides on GitHub are other samples, and not read.",
    ),
)


PATCH = r"(?:^|/)patches/(\d{1,4})/(\d+_(\d+)_(-?\d+)_(-?\d+))\.jpg$"


def rows(files):
    parts = {}
    about = tables.lines_by(
        files,
        r"(?:^|/)patient-clinical-data\.xlsx$",
        "Patient ID",
        lost="receptors and other findings are",
        named=lambda text: text.removesuffix(".0"),
    )
    for file, part in files.match(r"(?:^|/)(train|val|test)_id\.txt$"):
        parts |= dict.fromkeys(tables.lines(file), SPLITS[part])
    outlines = files.index(r"(?:^|/)WSIs/(\d{1,4})\.json$", lost="outlines of the tumors are")
    for image, patient, *place in (*files.match(r"(?:^|/)WSIs/(\d{1,4})\.jpg$"), *files.match(PATCH)):
        if patient not in parts:
            reason = "no list of this copy (train_id.txt, val_id.txt, test_id.txt) names its patient"
            yield Skipped(file=image, reason=reason)
            continue
        if outlines and not place and patient not in outlines:
            files.tell(image, "its tumors are not outlined in this copy")
        if about and patient not in about:
            unknown = "receptors and other findings are not known"
            files.tell(image, f"the clinical table has no line for its patient: {unknown}")
        with files.row(image):
            line = {column: cell for column, cell in about.get(patient, {}).items() if column and cell}
            present, assessed = findings(line)
            shared = {
                "split": parts[patient],
                "subject": patient,
                "classes": present,
                "source": {column: line[column] for column in LABELS if column in line} or None,
            }
            if place:
                name, region, x, y = place
                meta = {"slide": patient, "region": int(region), "x": int(x), "y": int(y), "level": 0, **line}
                yield Row(id=name, config="patches", image=image, assessed=assessed, meta=meta, **shared)
            else:
                yield from tiles(image, patient, outlines.get(patient), line, assessed, shared)
    for image, *_ in files.match(r"(?:^|/)(\d{6})(?:_\w+)?\.jpg$"):
        yield Skipped(file=image, reason="a sample slide of the repository, none of 1 to 1058")


def tiles(file, patient, outline, line, assessed, shared):
    drawn = tables.json_value(outline).get("positive", []) if outline else []
    if drawn:
        assessed.append("breast cancer")
    for tile, place in slides.tiles(file, SIZE, LEVEL):
        yield Row(
            id=f"{patient}-{place.level}-{place.x}-{place.y}",
            config="tiles",
            image=tile,
            mask=tumor(drawn, place, outline) if drawn else None,
            assessed=assessed,
            meta={"slide": patient, **place.meta, **line},
            **shared,
        )


def findings(line):
    """(names that are true of the patient, all that were assessed); an empty cell is unknown."""
    present, assessed = [], []
    for column, names in LABELS.items():
        if value := line.get(column, "").strip():
            present.append(names[value])
            assessed += names.values()
    return present, assessed


def tumor(drawn, place, file):
    scale = place.downsample
    shapes = [(1, [(x / scale - place.x, y / scale - place.y) for x, y in one["vertices"]]) for one in drawn]
    return masks.mask(masks.polygons(shapes, (place.height, place.width), file=file), {0: 255, 1: 1})


def miniature(make):
    """Slides of three patients, of one without outlines; patches of the paper."""
    splits = {"train": 1, "val": 2, "test": 1058}
    columns = [
        "Patient ID",
        "Age(years)",
        "Tumour Size(cm)",
        "Tumour Type",
        "ER",
        "PR",
        "HER2",
        "HER2 Expression",
    ]
    columns += ["Histological grading", "Surgical", "Ki67", "Molecular subtype"]
    columns += ["Number of lymph node metastases", "ALN status"]
    vertices = [[300, 120], [900, 130], [880, 420], [310.5, 400]]
    with make.zip("BCNB.zip") as inner:
        for part, patient in splits.items():
            inner.text(f"BCNB/dataset-splitting/{part}_id.txt", f"{patient}\n")
            colors = {0: (250, 250, 252), 1: (225, 160, 200), 2: (150, 80, 160)}
            inner.image(
                f"BCNB/WSIs/{patient}.jpg",
                (1200 + patient % 50, 560),
                labels=(1, 2),
                colors=colors,
                quality=80,
            )
            drawn = {"name": str(patient), "vertices": vertices}
            inner.json(f"BCNB/WSIs/{patient}.json", {"positive": [drawn] if patient != 2 else [], "negative": []})
        cells = ("Negative", "Positive", "Negative", "2+", 2, "Mastectomy", 0.3, "Luminal B", 1, "N+(1-2)")
        table = [(patient, 50 + patient % 9, 2.1, "Invasive ductal carcinoma", *cells) for patient in (1, 2)]
        cells = ("Negative", "Negative", "Negative", 0, "", "", "", "Triple negative", 0, "N0")
        table.append((1058, 61, 1.5, "Other type", *cells))
        inner.xlsx("BCNB/patient-clinical-data.xlsx", columns, table)
        inner.text("BCNB/README.txt", "Thanks for your interest in our BCNB\n")
    # Of the repository: a sample slide, which is none of 1 to 1058, and a table of standardized numbers.
    make.image("BALNMP/WSI Samples/N+(＞2)/351899/351899.jpg", (60, 40), mode="RGB")
    standard = ["p_id", "age", "tumor_size", "is_er_negative", "is_pr_negative", "is_her2_negative"]
    make.xlsx("BALNMP/code/dataset/clinical_data/preprocessed-type-0.xlsx", standard, [(1, -0.7, 0.2, 1, 0, 1)])
    with make.zip("paper_patches.zip") as inner:
        for patient in splits.values():
            for x in (300, 556):
                inner.image(f"patches/{patient}/{patient}_0_{x}_130.jpg", (64, 64), mode="RGB")
