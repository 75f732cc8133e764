"""FracAtlas: 4,083 radiographs of arms, legs, hips and shoulders from three hospitals in Bangladesh.

Two radiologists and an orthopedist said of each whether a bone is broken, and outlined and boxed every fracture.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, Lookup, lines
from medimg.readers import boxes, tables
from medimg.schema import Box, Row

AUDIT = "BurakKocDev/FractureLens:docs/data_audit_report.md@6ead8ea17685cf9d63c489efe815da0690fe7c09"
CARD = "BurakKocDev/FractureLens:docs/dataset_card.md@6ead8ea17685cf9d63c489efe815da0690fe7c09"
RECORD = "BurakKocDev/FractureLens:configs/data/fracatlas_v7.json@6ead8ea17685cf9d63c489efe815da0690fe7c09"
READER = "dataset-ninja/frac-atlas:src/convert.py@18f16ac765c1949d664d829e3fc51a081a6543d6"

# The columns of dataset.csv, in its order.
REGIONS = {"hand": "upper limb", "leg": "lower limb", "hip": "hip", "shoulder": "shoulder"}
COLUMNS = (
    *REGIONS,
    "mixed",
    "hardware",
    "multiscan",
    "fractured",
    "fracture_count",
    "frontal",
    "lateral",
    "oblique",
)
FOLDERS = {"1": "Fractured", "0": "Non_fractured"}
SPLITS = {"train": "train", "valid": "validation", "test": "test"}

DATASET = Dataset(
    name="fracatlas",
    title="FracAtlas, fractures in musculoskeletal radiographs",
    dimension="2d",
    modality="X-ray",
    organ=tuple(REGIONS.values()),
    task=("classification", "segmentation", "detection"),
    license="CC-BY-4.0",
    homepage="https://figshare.com/articles/dataset/The_dataset/22363012",
    citation=Citation(
        title="FracAtlas: A Dataset for Fracture Classification, Localization and Segmentation of Musculoskeletal "
        "Radiographs",
        authors="Abedeen I, Rahman MA, Prottyasha FZ, Ahmed T, Chowdhury TM, Shatabda S",
        year=2023,
        venue="Scientific Data",
        doi="10.1038/s41597-023-02432-4",
    ),
    sources=(
        Source(
            url="https://ndownloader.figshare.com/files/65518038",
            path="FracAtlas.zip",
            size=338436460,
            md5="fe9da2c7c285915ebee69dfdab8fd396",
            sha256="b67ec2d290a022b3dcf47f78e9a37f7edcc80592c0571f439355bf00bd9f0e23",
        ),
    ),
    legend={1: ("fracture",)},
    labels={"fractured": ("fracture",)},
    splits={"train": 3938, "validation": 82, "test": 63},
    no_subject="the source has no patient ids",
    shared_subjects="the source divides images, not patients, of whom it says nothing",
    frame="shown",
    bad_files="quarantine",
    keys=COLUMNS,
    published="2023",
    notes=(
        "The source divides only the images with a fracture; those without one are in train.",
        "The record's page says 4,073 images and the paper 717 with a fracture; this is version 7 of the record, whose"
        " archive has 4,083 of which 719 are fractured.",
        "79 groups of images have equal pixels, and three of them contradict each other: one copy has a fracture and"
        " another has none.",
        "59 images without a fracture are cut off in the archive; they are left out.",
        "hand and leg of the table are told as upper limb and lower limb: which parts of a limb they mean is not said.",
    ),
    evidence=Evidence(
        layout=f"{READER} (columns, folders); {AUDIT} (counts, doubles, orientation: 25 images state one, and boxes and"
        " outlines fit the turned image)",
        labels=f"https://pmc.ncbi.nlm.nih.gov/articles/PMC10404222 (who annotated what); {READER} (fractured: the only"
        f" category); {AUDIT} (table, outlines and boxes agree); unverified: which parts of a limb hand and leg mean",
        license=f"{RECORD} (as the record 10.6084/m9.figshare.22363012.v7 says)",
        subject=f"{CARD} (no patient identifiers)",
    ),
)


def outlines(files):
    """File name -> what the COCO file says of the image."""
    file = files.find(r"(?:^|/)COCO_fracture_masks\.json$", lost="outlines are")
    return boxes.coco(file).images if file else {}


def splits(files):
    """File name -> split, of the images with a fracture."""
    return {
        tables.file_name(line["image_id"]): SPLITS[part]
        for file, part in files.match(r"Fracture Split/(train|valid|test)\.csv$")
        for line in tables.rows(file, columns=("image_id",))
    }


def row(case):
    line = case.line
    fractured = line.one_of("fractured", {"0": (), "1": DATASET.labels["fractured"]})
    if case.folder != FOLDERS[line["fractured"]]:
        return case.skip("dataset.csv says otherwise of it than its folder; the copy in the other folder counts")
    drawn = case.drawn
    return Row(
        id=case.name,
        split=case.split or "train",
        image=case.image,
        organ=tuple(organ for region, organ in REGIONS.items() if line.integer(region)) or None,
        classes=fractured,
        assessed=DATASET.every_label,
        mask=drawn.mask({"fractured": 1}) if drawn else None,
        boxes=tuple(Box(name=name, box=each.box) for each in drawn.objects for name in DATASET.labels[each.category])
        if drawn
        else (),
        drawn_on=drawn.size if drawn else None,
        source={"fractured": line["fractured"], "fracture_count": line["fracture_count"]},
        meta={column: line[column] for column in COLUMNS if not column.startswith("fracture")},
    )


def broken(case):
    return case.folder == FOLDERS["1"]


rows = Join(
    r"images/(?P<folder>Fractured|Non_fractured)/(?P<name>\w+)\.jpg$",
    row,
    line=lines(
        r"(?:^|/)dataset\.csv$",
        "image_id",
        key="file",
        skip="dataset.csv does not say whether it shows a fracture",
        rest="its image is not in this copy",
    ),
    drawn=Lookup(
        outlines,
        "file",
        tell="the COCO file does not have it: its fractures are not outlined",
        lost="outlines are",
        when=broken,
    ),
    split=Lookup(splits, "file", skip="no table of splits has it", when=broken),
)

# Exif: to be turned by 90 degrees.
TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def miniature(make):
    # name, size as shown, hand to oblique of dataset.csv, polygons
    cases = (
        ("IMG0000019", (48, 40), (0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0), [[10, 10, 20, 10, 20, 22, 10, 22]]),
        (
            "IMG0000025",
            (40, 56),
            (1, 0, 0, 0, 0, 1, 0, 1, 2, 1, 0, 0),
            [[5, 40, 15, 40, 10, 50], [20.5, 8, 30, 8, 30, 18.5]],
        ),
        ("IMG0000058", (48, 40), (0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0), [[2, 2, 12, 2, 12, 9]]),
        ("IMG0003375", (48, 40), (0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1), [[30, 20, 44, 20, 44, 36]]),
        ("IMG0000000", (48, 40), (1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0), []),
        ("IMG0000001", (40, 56), (0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0), []),
    )
    root = "FracAtlas/"
    images, annotations = [], []
    for name, (width, height), said, polygons in cases:
        path = f"{root}images/{FOLDERS[str(said[7])]}/{name}.jpg"
        if (width, height) == (40, 56):
            make.image(path, (height, width), exif=TURNED)
        else:
            make.image(path, (width, height), mode="RGB" if said[6] else "L")
        if polygons:
            images.append({"id": len(images), "width": width, "height": height, "file_name": f"{name}.jpg"})
        for polygon in polygons:
            xs, ys = polygon[::2], polygon[1::2]
            annotations.append(
                {
                    "id": len(annotations),
                    "iscrowd": 0,
                    "image_id": len(images) - 1,
                    "category_id": 1,
                    "segmentation": [polygon],
                    "bbox": [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)],
                    "area": (max(xs) - min(xs)) * (max(ys) - min(ys)),
                }
            )
    make.image(f"{root}images/Non_fractured/IMG0003375.jpg", seed=f"{root}images/Fractured/IMG0003375.jpg")
    make.json(
        f"{root}Annotations/COCO JSON/COCO_fracture_masks.json",
        {
            "info": {},
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1, "name": "fractured"}],
        },
    )
    make.csv(
        f"{root}dataset.csv",
        ("image_id", *COLUMNS),
        [(f"{name}.jpg", *said) for name, _, said, _ in cases],
    )
    parts = (("train", (0, 1)), ("valid", (2,)), ("test", (3,)))
    for part, members in parts:
        make.csv(
            f"{root}Utilities/Fracture Split/{part}.csv",
            ("image_id",),
            [(f"{cases[n][0]}.jpg",) for n in members],
        )
