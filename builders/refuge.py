"""REFUGE: fundus photographs for glaucoma assessment, of the 2018 Retinal Fundus Glaucoma Challenge.

Optic disc and optic cup are outlined, the fovea is located, and each photograph is labeled as glaucomatous
or not.
"""

from medimg.declaration import Citation, Dataset, Evidence, Overlap, Part, Source
from medimg.join import Join, Partner, lines
from medimg.readers import masks
from medimg.schema import Point, Row

DISC = {1: ("optic disc",), 2: ("optic disc", "optic cup")}
SPLITS = {"g": "train", "n": "train", "V": "validation", "T": "test"}
READ = "public loaders of the official archives (column names of the three workbooks)"
GLAUCOMA = ("Label(Glaucoma=1)", "Glaucoma Label")
"""Columns of the test set's and of the validation set's workbook."""

DATASET = Dataset(
    name="refuge",
    title="REFUGE, Retinal Fundus Glaucoma Challenge",
    aliases=("REFUGE Challenge", "REFUGE 2018", "iChallenge-GON"),
    dimension="2d",
    modality="fundus photography",
    organ=("retina", "optic disc"),
    task=("segmentation", "classification", "landmark localization"),
    license="LicenseRef-unknown",
    citation=Citation(
        title="REFUGE Challenge: A unified framework for evaluating automated methods for glaucoma "
        "assessment from fundus photographs",
        authors="Orlando JI, Fu H, Barbosa Breda J, et al.",
        venue="Medical Image Analysis 59:101570",
        year=2020,
        doi="10.1016/j.media.2019.101570",
    ),
    access="registration",
    how="Sign in at https://refuge.grand-challenge.org/, download the training, validation and test "
    "archives with their ground truth, and pass the folder that holds them.",
    sources=(
        Source(url="https://refuge.grand-challenge.org/", kind="page"),
        Source(url="https://www.kaggle.com/datasets/victorlemosml/refuge2", kind="page"),
    ),
    labels={"0": "no glaucoma", "1": "glaucoma"},
    legend=DISC,
    splits={"train": 400, "validation": 400, "test": 400},
    parts=(Part(legend=DISC, names=("glaucoma", "no glaucoma", "fovea")),),
    no_subject="patients are not published",
    overlaps=(
        Overlap(dataset="refuge2", relation="subset of", evidence="unverified: REFUGE2 adds images to these 1,200"),
    ),
    keys="file name; ID; ImgName; Label(Glaucoma=1); Fovea_X; Fovea_Y; Glaucoma Label",
    evidence=Evidence(
        layout=f"constantinpape/torch-em:torch_em/data/datasets/medical/refuge.py@e38c9cf9; {READ}",
        labels=f"https://refuge.grand-challenge.org/Details/ (128 disc, 0 cup, 255 rest); {READ}",
        license="none stated by the organizers",
        subject="https://refuge.grand-challenge.org/ (no word of patients)",
    ),
    notes=(
        "Masks of the source are inverted: 0 is the cup, 128 the rest of the disc, 255 the background.",
        "Training photographs are of another camera (2124 x 2056) than the others (1634 x 1634).",
        "The folder of the copy on Kaggle is called REFUGE2, but holds the photographs of 2018, without workbooks.",
    ),
)


def row(case):
    line = case.line
    # The training set says it by name, the others in their workbooks.
    column = next((key for key in GLAUCOMA if line and key in line), None)
    known = {"g": "1", "n": "0"}.get(case.letter) or (line[column] if column else None)
    classes, assessed, points = (), ["optic disc", "optic cup"], []
    if known:
        classes = DATASET.labels[known]
        assessed = ["glaucoma", "no glaucoma", *assessed]
    if line:
        assessed.append("fovea")
        points.append(Point(name="fovea", point=[line.number(f"Fovea_{axis}") for axis in "XY"]))
    return Row(
        id=case.name,
        split=SPLITS[case.letter],
        image=case.image,
        mask=masks.mask(case.mask, {0: 2, 128: 1, 255: 0}),
        classes=classes,
        assessed=assessed,
        points=points,
        source=line or {"file name": case.letter},
    )


rows = Join(
    r"(?:^|/)(?P<name>(?P<letter>[gnVT])\d{4})\.jpg$",
    row,
    mask=Partner(
        r"(?:^|/)(?P<name>[gnVT]\d{4})\.(?:bmp|png)$",
        skip="a photograph whose mask is not in this copy",
    ),
    line=lines(
        r"Fovea_locations?\.xlsx$",
        "ImgName",
        key="name",
        named=lambda text: text.rpartition(".")[0],
        tell="no workbook in this copy has a line for it: its fovea is not known",
    ),
)


def miniature(make):
    # Six archives; every workbook has another name or other columns; masks of the test set lie in folders G and N.
    train = (("Glaucoma", "g0001"), ("Non-Glaucoma", "n0001"))
    with make.zip("REFUGE-Training400.zip") as inner:
        for folder, name in train:
            inner.image(f"Training400/{folder}/{name}.jpg", (53, 51), mode="RGB")
    with make.zip("Annotation-Training400.zip") as inner:
        for folder, name in train:
            write_mask(inner, f"Annotation-Training400/Disc_Cup_Masks/{folder}/{name}.bmp", (53, 51))
        table = [(n, f"{name}.jpg", 25.5, 24.25) for n, (_, name) in enumerate(train, 1)]
        inner.xlsx("Annotation-Training400/Fovea_location.xlsx", ["ID", "ImgName", "Fovea_X", "Fovea_Y"], table)
    test, validation = GLAUCOMA
    rest = (
        ("Validation400", "Validation400-GT", "V0001", "Fovea_locations", validation, 0),
        ("Test400", "Test-GT", "G/T0001", "Glaucoma_label_and_Fovea_location", test, 1),
    )
    for images, truth, mask, workbook, column, value in rest:
        images, truth, name = f"REFUGE-{images}", f"REFUGE-{truth}", mask.rpartition("/")[2]
        with make.zip(f"{images}.zip") as inner:
            inner.image(f"{images}/{name}.jpg", (41, 41), mode="RGB")
        with make.zip(f"{truth}.zip") as inner:
            write_mask(inner, f"{truth}/Disc_Cup_Masks/{mask}.bmp", (41, 41))
            header = ["ID", "ImgName", column, "Fovea_X", "Fovea_Y"]
            inner.xlsx(f"{truth}/{workbook}.xlsx", header, [(1, f"{name}.jpg", value, 20.5, 19.75)])
    # Kaggle's copy: a folder called REFUGE2, no workbooks, masks as PNG for the validation set alone.
    for part, name, suffix in (("train", "n0002", "bmp"), ("val", "V0002", "png"), ("test", "T0002", "bmp")):
        size = (53, 51) if part == "train" else (41, 41)
        make.image(f"REFUGE2/{part}/images/{name}.jpg", size, mode="RGB")
        write_mask(make, f"REFUGE2/{part}/mask/{name}.{suffix}", size)


def write_mask(make, path, size):
    make.image(path, size, labels=(1, 2, 3), colors={0: 255, 1: 255, 2: 128, 3: 0})
