"""DRIVE: fundus photographs of a diabetic retinopathy screening program in the Netherlands.

40 photographs with the field of view; the retinal vessels are outlined by one observer, in the test set of
older releases by two.
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Overlap, Part, Source
from medimg.join import Join, Partner
from medimg.readers import masks
from medimg.schema import Row

OBSERVERS = {"1": "first-observer", "2": "second-observer"}
# The second observer's files are palettes of two colors that are not quite black and white.
DRAWN = {(0, 0, 0): 0, (4, 2, 4): 0, (252, 254, 252): 1, (255, 255, 255): 1}
VIEW = {1: ("field of view",)}
BOTH = {**VIEW, 2: ("retinal vessel",), 3: ("field of view", "retinal vessel")}
COPY = "mipple1986/data@92b9449 (DRIVE/datasets, a whole copy with both observers, opened)"

DATASET = Dataset(
    name="drive",
    title="DRIVE, Digital Retinal Images for Vessel Extraction",
    aliases=("Digital Retinal Images for Vessel Extraction",),
    dimension="2d",
    modality="fundus photography",
    organ="retina",
    task="segmentation",
    license="LicenseRef-DRIVE",
    homepage="https://drive.grand-challenge.org/",
    citation=Citation(
        title="Ridge-based vessel segmentation in color images of the retina",
        authors="Staal J, Abràmoff MD, Niemeijer M, Viergever MA, van Ginneken B",
        venue="IEEE Transactions on Medical Imaging 23(4):501-509",
        year=2004,
        doi="10.1109/TMI.2004.825627",
    ),
    access="registration",
    how="Sign in at https://drive.grand-challenge.org/, download training.zip and test.zip, and pass the "
    "folder that holds them.",
    sources=(Source(url="https://drive.grand-challenge.org/Download/", kind="page"),),
    legend=BOTH,
    parts=(Part(legend=BOTH), Part(legend=VIEW)),
    splits={"train": 20, "test": 20},
    configs=(
        Config(name="first-observer", title="Vessels outlined by the first observer"),
        Config(name="second-observer", title="Vessels outlined by the second observer", splits={"test": 20}),
    ),
    subject="the number in the file name: one photograph per patient",
    overlaps=(Overlap(dataset="rite", relation="same images", evidence="https://medicine.uiowa.edu/eye/rite-dataset"),),
    evidence=Evidence(
        layout=f"constantinpape/torch-em:torch_em/data/datasets/medical/drive.py@6f71247c; {COPY}",
        labels=f"{COPY}; open-mmlab/mmsegmentation:tools/dataset_converters/drive.py",
        license="https://drive.grand-challenge.org/ (copying and redistribution are prohibited)",
        subject="unverified: one photograph per patient; a copy of the page (easymed.ai, NHuber/DigitalRetinalImages) "
        "says that forty photographs were drawn at random from a screening of 400 persons",
    ),
    notes=(
        "Newer releases hold no vessels for the test set: its rows then have the field of view alone.",
        "Photographs of the test set are in both sub-collections where there is a second observer.",
    ),
)


def row(case):
    test = case.part == "test"
    if test and not case.first:
        case.tell("the vessels of observer 1 are not in this copy")
    drawn = {"1": case.first, "2": case.second}
    for observer, config in OBSERVERS.items():
        vessels = drawn[observer]
        if vessels is None and observer == "2":
            continue
        parts = [(masks.mask(case.view, DRAWN), 1)]
        if vessels:
            parts.append((masks.mask(vessels, DRAWN), 2))
        yield Row(
            id=f"{case.number}-manual{observer}",
            config=config,
            split="test" if test else "train",
            subject=case.number,
            image=case.image,
            mask=masks.union(parts, overlaps={(1, 2): 3}),
            legend=BOTH if vessels else VIEW,
        )


LACKS = "its vessel map or its field of view is not in this copy"

rows = Join(
    r"(?:^|/)(?P<number>\d\d)_(?P<part>training|test)\.tif$",
    row,
    view=Partner(r"(?:^|/)(?P<number>\d\d)_(?:training|test)_mask\.gif$", skip=LACKS),
    first=Partner(
        r"(?:^|/)(?P<number>\d\d)_manual1\.gif$",
        when=lambda case: case.part == "training",
        skip=LACKS,
    ),
    second=Partner(
        r"(?:^|/)(?P<number>\d\d)_manual2\.gif$",
        when=lambda case: case.part == "test",
        tell="the vessels of observer 2 are not in this copy",
    ),
)


def miniature(make):
    # An old release, with both observers of the test set; the second one's files are palettes.
    with make.zip("training.zip") as inner:
        for number in (21, 40):
            inner.image(f"training/images/{number}_training.tif", (45, 46), mode="RGB")
            inner.image(f"training/1st_manual/{number}_manual1.gif", (45, 46), labels=(0, 255), optimize=False)
            inner.image(f"training/mask/{number}_training_mask.gif", (45, 46), labels=(255,), optimize=False)
    with make.zip("test.zip") as inner:
        for number in ("01", "02"):
            inner.image(f"test/images/{number}_test.tif", (45, 46), mode="RGB")
            inner.image(f"test/mask/{number}_test_mask.gif", (45, 46), labels=(255,), optimize=False)
        inner.image("test/1st_manual/01_manual1.gif", (45, 46), labels=(0, 255), optimize=False)
        colors = {0: (4, 2, 4), 1: (252, 254, 252)}
        inner.image("test/2nd_manual/01_manual2.gif", (45, 46), labels=(0, 1), colors=colors)
