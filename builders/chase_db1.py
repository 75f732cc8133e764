"""CHASE_DB1: fundus photographs of both eyes of 14 children, of the Child Heart and Health Study in England.

The retinal vessels are outlined by two observers.
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Source
from medimg.readers import masks
from medimg.schema import Row, Skipped

OBSERVERS = {"1st": "first-observer", "2nd": "second-observer"}
COPY = "mipple1986/data@92b9449 (CHASEDB1, a whole copy: 84 files opened)"

DATASET = Dataset(
    name="chase-db1",
    title="CHASE_DB1",
    aliases=("CHASE DB1", "CHASEDB1", "Child Heart and Health Study in England"),
    dimension="2d",
    modality="fundus photography",
    organ="retina",
    task="segmentation",
    license="CC-BY-4.0",
    citation=Citation(
        title="An ensemble classification-based approach applied to retinal blood vessel segmentation",
        authors="Fraz MM, Remagnino P, Hoppe A, et al.",
        venue="IEEE Transactions on Biomedical Engineering 59(9):2538-2548",
        year=2012,
        doi="10.1109/TBME.2012.2205687",
    ),
    sources=(
        Source(url="https://researchdata.kingston.ac.uk/96/1/CHASEDB1.zip"),
        Source(url="https://researchdata.kingston.ac.uk/96/", kind="page"),
    ),
    legend={1: ("retinal vessel",)},
    splits={"train": 28},
    configs=(
        Config(name="first-observer", title="Vessels outlined by the first observer"),
        Config(name="second-observer", title="Vessels outlined by the second observer"),
    ),
    subject="the number in the file name: one child, both eyes",
    keys="eye; observer",
    evidence=Evidence(
        layout=f"constantinpape/torch-em:torch_em/data/datasets/medical/chase_db1.py@3e161f1e; {COPY}",
        labels=COPY,
        license="https://researchdata.kingston.ac.uk/96/ (CC BY 4.0)",
        subject="openmedlab/Awesome-Medical-Dataset:resources/CHASE.md@81da0eee (28 images of 14 children)",
    ),
    notes=(
        "Each photograph is in both sub-collections: take one observer per experiment.",
        "There is no official split; the first 20 images for training and the last 8 for test are customary.",
    ),
)


def rows(files):
    drawn = files.index(r"(?:^|/)Image_(\d\d[LR])_(1st|2nd)HO\.png$", key=(1, 2))
    images = files.index(r"(?:^|/)Image_(\d\d[LR])\.jpg$")
    for observer, config in OBSERVERS.items():
        for name, image in images.items():
            if (name, observer) in drawn:
                yield Row(
                    id=f"{name}-{observer}HO",
                    config=config,
                    subject=name[:2],
                    image=image,
                    mask=masks.threshold(drawn[name, observer]),
                    meta={"eye": name[2], "observer": observer},
                )
    for name, image in images.items():
        missing = [config for observer, config in OBSERVERS.items() if (name, observer) not in drawn]
        if len(missing) == len(OBSERVERS):
            yield Skipped(file=image, reason="a photograph whose vessel maps are not in this copy")
            continue
        for config in missing:
            files.tell(image, f"the vessel map of the {config.replace('-', ' ')} is not in this copy")
    for (name, _), mask in drawn.items():
        if name not in images:
            yield Skipped(file=mask, reason="a vessel map whose photograph is not in this copy")


def miniature(make):
    # The archive has no folder inside; vessel maps have one bit.
    with make.zip("CHASEDB1.zip") as inner:
        for name in ("01L", "01R", "14R"):
            inner.image(f"Image_{name}.jpg", (50, 48), mode="RGB")
            for observer in OBSERVERS:
                inner.image(f"Image_{name}_{observer}HO.png", (50, 48), mode="1", labels=(255,))
