"""MHIST: colorectal polyps under the microscope, hyperplastic polyp or sessile serrated adenoma.

3,152 tiles of 224 x 224 pixels from 328 slides, stained with hematoxylin and eosin, each judged by seven
pathologists at Dartmouth-Hitchcock Medical Center.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, Lookup
from medimg.readers import tables
from medimg.schema import Measure, Row

HOME = "https://bmirds.github.io/MHIST/"
PAGE = "https://kaiko-ai.github.io/eva/dev/datasets/mhist"
VOTES = "Number of Annotators who Selected SSA (Out of 7)"

DATASET = Dataset(
    name="mhist",
    title="MHIST, Minimalist Histopathology Image Analysis Dataset",
    aliases=("Minimalist Histopathology",),
    dimension="2d",
    modality="H&E histopathology",
    organ="colon",
    task="classification",
    license="LicenseRef-MHIST",
    homepage=HOME,
    citation=Citation(
        title="A petri dish for histopathology image analysis",
        authors="Wei J, Suriawinata A, Ren B, et al.",
        venue="AIME 2021, LNCS 12721:11-24",
        year=2021,
        doi="10.1007/978-3-030-77211-6_2",
    ),
    access="registration",
    how=f"Fill in the form at {HOME}#accessing-dataset, accept the research use agreement, download images.zip "
    "and annotations.csv, and pass the folder that holds both.",
    sources=(Source(url=f"{HOME}#accessing-dataset", kind="page"),),
    labels={"HP": "hyperplastic polyp", "SSA": "sessile serrated adenoma"},
    splits={"train": 2175, "test": 977},
    no_subject="not published: tiles of 328 slides",
    keys="Partition; Majority Vote Label; Number of Annotators who Selected SSA (Out of 7)",
    evidence=Evidence(
        layout=f"{PAGE}; openmedlab/Awesome-Medical-Dataset:resources/MHIST.md@81da0eee",
        labels="openmedlab/Awesome-Medical-Dataset:resources/MHIST.md@81da0eee",
        license=f"{PAGE} (Dataset Research Use Agreement); unverified: its clauses",
        subject=f"{PAGE}: no key from tiles to slides",
    ),
    notes=("The label is the majority of seven votes; how many chose SSA is a measure of each row.",),
)


def row(case):
    line = case.line
    return Row(
        id=case.stem,
        split=line.one_of("Partition", {split: split for split in DATASET.splits}),
        image=case.image,
        classes=line.one_of("Majority Vote Label", DATASET.labels),
        assessed=DATASET.every_label,
        measures=[Measure(name=VOTES, value=line.number(VOTES), unit="1")],
        source={key: line[key] for key in ("Majority Vote Label", VOTES)},
        meta={"Partition": line["Partition"]},
    )


def annotations(files):
    table = r"(?:^|/)annotations\.csv$"
    files.need(table)
    return tables.lines_by(files, table, "Image Name", columns=("Image Name", VOTES, "Partition"))


rows = Join(
    r"(?:^|/)MHIST_\w+\.png$",
    row,
    line=Lookup(
        annotations,
        "file",
        skip="annotations.csv has no row for it",
        rest="its image is not in this copy",
    ),
)


def miniature(make):
    cases = [("aaa", "SSA", 6, "train"), ("aab", "HP", 0, "train"), ("aac", "SSA", 5, "test")]
    with make.zip("images.zip") as inner:
        for name, *_ in cases:
            inner.image(f"images/MHIST_{name}.png", (28, 28), mode="RGB")
    header = ["Image Name", "Majority Vote Label", VOTES, "Partition"]
    make.csv("annotations.csv", header, [(f"MHIST_{name}.png", *rest) for name, *rest in cases])
    make.text("MD5SUMs.txt", "")
