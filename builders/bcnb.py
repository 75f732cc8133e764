"""BCNB: core-needle biopsies of early breast cancer, before any treatment, of 1,058 patients in Beijing.

Whole-slide images as tiles of tissue, with outlined tumor, and the patches of the paper; each patient has receptor
status, molecular subtype and the state of the axillary lymph nodes.
"""

from medimg.builders import _bcnb
from medimg.declaration import Citation, Config, Dataset, Evidence, Part, Source
from medimg.readers import masks, slides, tables
from medimg.schema import Row, Skipped

REPOSITORY = "bupt-ai-cz/BALNMP"
PAGE = "https://bupt-ai-cz.github.io/BCNB/"
SPLITS = {"train": "train", "val": "validation", "test": "test"}
SIZE, LEVEL = 256, 1

DATASET = Dataset(
    name="bcnb",
    title="BCNB, Early Breast Cancer Core-Needle Biopsy WSI Dataset",
    aliases=("Early Breast Cancer Core-Needle Biopsy",),
    dimension="2d",
    modality="H&E histopathology",
    organ=("breast", "lymph node"),
    task=("classification", "segmentation"),
    license="LicenseRef-BCNB",
    homepage=PAGE,
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
    labels={
        f"{column}/{value}": name for column, names in _bcnb.LABELS.items() for value, name in names.items()
    },
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


UNLISTED = "no list of this copy (train_id.txt, val_id.txt, test_id.txt) names its patient"
NOBODY = "the clinical table has no line for its patient: receptors and other findings are not known"


def rows(files):
    about, parts = tables.Lines(files), {}
    for (table,) in files.match(
        r"(?:^|/)patient-clinical-data\.xlsx$", lost="receptors and other findings are"
    ):
        for line in tables.rows(table):
            about.add(line["Patient ID"].strip().removesuffix(".0"), line, "Patient ID")
    for file, part in files.match(r"(?:^|/)(train|val|test)_id\.txt$"):
        parts |= dict.fromkeys(tables.lines(file), SPLITS[part])
    outlines = files.index(r"(?:^|/)WSIs/(\d{1,4})\.json$", lost="outlines of the tumors are")
    for file, patient in files.match(r"(?:^|/)WSIs/(\d{1,4})\.jpg$"):
        if patient not in parts:
            yield Skipped(file=file, reason=UNLISTED)
            continue
        if outlines and patient not in outlines:
            files.tell(file, "its tumors are not outlined in this copy")
        if about and patient not in about:
            files.tell(file, NOBODY)
        with files.row(file):
            yield from _tiles(file, patient, parts[patient], about.get(patient, {}), outlines.get(patient))
    pattern = r"(?:^|/)patches/(\d{1,4})/(\d+_(\d+)_(-?\d+)_(-?\d+))\.jpg$"
    for image, patient, name, region, x, y in files.match(pattern):
        if patient not in parts:
            yield Skipped(file=image, reason=UNLISTED)
            continue
        if about and patient not in about:
            files.tell(image, NOBODY)
        with files.row(image):
            where = {"region": int(region), "x": int(x), "y": int(y), "level": 0}
            said, assessed = _said(patient, parts[patient], about.get(patient, {}), where)
            yield Row(id=name, config="patches", image=image, assessed=assessed, **said)
    for image, _ in files.match(r"(?:^|/)(\d{6})(?:_\w+)?\.jpg$"):
        yield Skipped(file=image, reason="a sample slide of the repository, none of 1 to 1058")


def _tiles(file, patient, split, line, outline):
    drawn = tables.json_value(outline).get("positive", []) if outline else []
    for tile, place in slides.tiles(file, SIZE, LEVEL):
        said, assessed = _said(patient, split, line, place.meta)
        yield Row(
            id=f"{patient}-{place.level}-{place.x}-{place.y}",
            config="tiles",
            image=tile,
            mask=_mask(drawn, place, outline) if drawn else None,
            assessed=(*assessed, *(["breast cancer"] if drawn else [])),
            **said,
        )


def _said(patient, split, line, where):
    """The fields that all images of a patient share, and what was looked for."""
    said = {column: cell for column, cell in line.items() if column and cell}
    present, assessed = _bcnb.classes(said)
    return {
        "split": split,
        "subject": patient,
        "classes": present,
        "source": {column: said[column] for column in _bcnb.LABELS if column in said} or None,
        "meta": {"slide": patient, **where, **said},
    }, assessed


def _mask(drawn, place, file):
    scale = place.downsample
    shapes = [(1, [(x / scale - place.x, y / scale - place.y) for x, y in one["vertices"]]) for one in drawn]
    return masks.mask(masks.polygons(shapes, (place.height, place.width), file=file), {0: 255, 1: 1})


def miniature(make):
    _bcnb.miniature(make)
