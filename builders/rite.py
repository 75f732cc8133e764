"""RITE: arteries and veins in the fundus photographs of DRIVE.

Each of the 40 photographs has a vessel map and a map of arteries, veins, their crossings, and vessels of
uncertain kind.
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Overlap, Part, Source
from medimg.join import Join, Partner
from medimg.readers import masks
from medimg.schema import Row

PAGE = "https://medicine.uiowa.edu/eye/rite-dataset"
COLORS = {(0, 0, 0): 0, (255, 0, 0): 1, (0, 0, 255): 2, (0, 255, 0): 3, (255, 255, 255): 4}
NAMES = {
    1: ("retinal vessel", "retinal artery"),
    2: ("retinal vessel", "retinal vein"),
    3: ("retinal vessel", "retinal artery", "retinal vein", "retinal vessel crossing"),
    4: ("retinal vessel", "uncertain retinal vessel"),
}
VESSEL = {1: ("retinal vessel",)}

DATASET = Dataset(
    name="rite",
    title="RITE, Retinal Images vessel Tree Extraction",
    aliases=("AV-DRIVE", "Retinal Images vessel Tree Extraction"),
    dimension="2d",
    modality="fundus photography",
    organ="retina",
    task="segmentation",
    license="LicenseRef-DRIVE",
    citation=Citation(
        title="Automated separation of binary overlapping trees in low-contrast color retinal images",
        authors="Hu Q, Abràmoff MD, Garvin MK",
        venue="MICCAI 2013, LNCS 8150:436-443",
        year=2013,
        doi="10.1007/978-3-642-40763-5_54",
    ),
    access="registration",
    how=f"Fill in the form at {PAGE}, download AV_groundTruth.zip and pass it.",
    sources=(Source(url=PAGE, kind="page"),),
    legend=NAMES,
    parts=(Part(config="vessel", legend=VESSEL),),
    splits={"train": 20, "test": 20},
    configs=(
        Config(name="artery-vein", title="Arteries, veins, crossings and uncertain vessels"),
        Config(name="vessel", title="All vessels"),
    ),
    subject="the number in the file name, which is that of DRIVE",
    overlaps=(Overlap(dataset="drive", relation="same images", evidence=PAGE),),
    evidence=Evidence(
        layout=f"{PAGE} (stored page); openmedlab/Awesome-Medical-Dataset:resources/RITE.md@81da0eee",
        labels=f"{PAGE} (red arteries, blue veins, green overlap, white uncertain)",
        license="https://drive.grand-challenge.org/ (the photographs are DRIVE's); RITE states none",
        subject=PAGE,
    ),
    notes=(
        "Vessel maps: those of the training set are a modified 1st_manual of DRIVE, those of the test set "
        "its 2nd_manual.",
        "Each photograph is in both sub-collections.",
    ),
)


def row(case):
    shared = {
        "split": "test" if case.part == "test" else "train",
        "subject": case.number,
        "image": case.image,
    }
    yield Row(id=f"{case.number}-av", config="artery-vein", mask=masks.mask(case.av, COLORS), **shared)
    vessels = masks.threshold(case.vessel)
    yield Row(id=f"{case.number}-vessel", config="vessel", mask=vessels, legend=VESSEL, **shared)


LACKS = "one of its two maps is not in this copy"

rows = Join(
    r"(?:^|/)images/(?P<number>\d\d)_(?P<part>training|test)\.tif$",
    row,
    av=Partner(r"(?:^|/)av/(?P<number>\d\d)_(?:training|test)\.png$", skip=LACKS),
    vessel=Partner(r"(?:^|/)vessel/(?P<number>\d\d)_(?:training|test)\.png$", skip=LACKS),
)


def miniature(make):
    # The pixels of the DRIVE miniature, seed by seed, as the source holds DRIVE's own files.
    colors = {value: color for color, value in COLORS.items() if value}
    with make.zip("AV_groundTruth.zip") as inner:
        inner.text("AV_groundTruth/read_me.txt", "Red: arteries. Blue: veins.")
        for part, number in (("training", "21"), ("training", "40"), ("test", "01")):
            folder, name = f"AV_groundTruth/{part}", f"{number}_{part}"
            inner.image(f"{folder}/images/{name}.tif", (45, 46), mode="RGB", seed=f"{part}/images/{name}.tif")
            av = {"mode": "RGB", "labels": (1, 2, 3, 4), "nested": False, "colors": colors}
            inner.image(f"{folder}/av/{name}.png", (45, 46), **av)
            inner.image(f"{folder}/vessel/{name}.png", (45, 46), labels=(255,))
