"""Blood cells (BCCD, and "Blood Cell Images" on Kaggle): photographs of stained blood smears with boxes around red cells,
white cells and platelets, and augmented copies of them sorted by the kind of white cell."""

from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.readers import tables
from medimg.readers.annotations import voc
from medimg.schema import Box, Row, Skipped

CELLS = {"RBC": "red blood cell", "WBC": "white blood cell", "Platelets": "platelet"}
KINDS = ("eosinophil", "lymphocyte", "monocyte", "neutrophil", "basophil")
SPLITS = {"train": "train", "val": "validation", "test": "test"}

DATASET = Dataset(
    name="blood-cells",
    title="Blood Cell Images and BCCD",
    aliases=("BCCD", "Blood Cell Images", "血细胞涂片分类"),
    dimension="2d",
    modality="cytology",
    organ="blood",
    task=("classification", "detection"),
    license="MIT",
    homepage="https://github.com/Shenggan/BCCD_Dataset",
    citation=Citation(
        title="BCCD Dataset; Blood Cell Images",
        authors="Shenggan; cosmicad; akshaylamba; Mooney P",
        year=2018,
        url="https://github.com/Shenggan/BCCD_Dataset",
    ),
    access="registration",
    how="BCCD is open: clone https://github.com/Shenggan/BCCD_Dataset. The augmented pictures need a Kaggle account: "
    "https://www.kaggle.com/paultimothymooney/blood-cells. Pass the folder or the zip, or a folder with both: "
    'medimg.load("blood-cells", source="~/BCCD_Dataset").',
    sources=(
        Source(url="https://github.com/Shenggan/BCCD_Dataset", kind="page"),
        Source(url="https://www.kaggle.com/paultimothymooney/blood-cells", kind="page"),
    ),
    labels={**CELLS, **{kind.upper(): kind for kind in KINDS}},
    splits={"train": 10162, "validation": 87, "test": 2630},
    no_subject="no patient is named, and the first number of _<n>_<random>.jpeg is the place in the shuffled "
    "generator that wrote the copies, not the photograph: pictures with one number show different cells",
    shared_subjects="The augmented pictures are copies of BCCD's photographs under another split: a photograph of "
    "BCCD's training part may have its copies in TEST. Names do not tell which. TEST_SIMPLE holds the 71 "
    "photographs that TEST was made from",
    overlaps=(
        Overlap(dataset="medmnist-v2", relation="different", evidence="BloodMNIST is of Acevedo et al. 2020"),
    ),
    evidence=Evidence(
        layout="Shenggan/BCCD_Dataset:README.md@d272fb1; dhruvp/wbc-classification@0b22eb20 (all file names of TRAIN, "
        "TEST and TEST_SIMPLE, and labels.csv)",
        labels="Shenggan/BCCD_Dataset:README.md@d272fb1; dhruvp/wbc-classification:labels.csv@0b22eb20",
        license="Shenggan/BCCD_Dataset:LICENSE@d272fb1 (MIT); that the Kaggle set derives from it is said there",
        subject="dhruvp/wbc-classification@0b22eb20 (pictures compared); keras-team/keras:"
        "keras/preprocessing/image.py of 2017 (DirectoryIterator names copies current_index + i)",
    ),
    notes=(
        "TRAIN was made from 75 + 27 + 16 + 159 photographs and TEST from 13 + 6 + 4 + 48 others: numbers in the two "
        "folders are counted separately and mean nothing across them.",
        "A box of no extent (BloodImage_00338 and 00343 have one each) is kept in label.source only.",
        "Photographs that show no or several kinds of white cell have none or several categories in labels.csv.",
    ),
)


def rows(files):
    listed = files.match(r"ImageSets/Main/(train|val|test)\.txt$")
    split = {name: SPLITS[part] for file, part in listed for name in tables.lines(file)}
    kinds = {
        int(one["Image"]): one["Category"]
        for file, in files.match(r"(?:^|/)labels\.csv$")
        for one in tables.rows(file)
    }
    drawn = files.index(r"(dataset-master/)?Annotations/(BloodImage_\d+)\.xml$", (1, 2))
    for image, kaggle, name in files.match(r"(dataset-master/)?JPEGImages/(BloodImage_\d+)\.jpe?g$"):
        outline, kind = drawn.pop((kaggle, name), None), kinds.get(int(name[-5:]), "") if kaggle else ""
        if outline is None and not kaggle:
            yield Skipped(file=image, reason="a photograph whose annotation is not in this copy")
            continue
        objects = voc(outline).objects if outline else ()
        whole = [one for one in objects if not one.empty]
        found = [DATASET.labels[one.strip()][0] for one in kind.split(",") if one.strip()]
        found += [DATASET.labels[one.name][0] for one in objects]
        yield Row(
            id=f"kaggle-{name}" if kaggle else name,
            split=split.get(name, "train") if not kaggle else "train",
            image=image,
            classes=tuple(dict.fromkeys(found)),
            assessed=((*KINDS,) if kind else ()) + ((*CELLS.values(),) if outline else ()),
            boxes=[Box(name=DATASET.labels[one.name][0], box=one.box) for one in whole],
            source=({"object": [one.raw for one in objects]} if outline else {})
            | ({"Category": kind} if kind else {})
            or None,
            meta={"boxes_without_extent": len(objects) - len(whole)} if len(whole) < len(objects) else {},
        )
    for outline in drawn.values():
        yield Skipped(file=outline, reason="an annotation whose photograph is not in this copy")
    for image, part, kind in files.match(r"(TRAIN|TEST|TEST_SIMPLE)/([A-Z]+)/[^/]+\.jpe?g$"):
        yield Row(
            id=f"{part}-{kind}-{image.stem}",
            split="train" if part == "TRAIN" else "test",
            image=image,
            classes=DATASET.labels[kind],
            assessed=KINDS,
            source=kind,
            meta={"folder": part},
        )


def miniature(make):
    def annotate(path, objects):
        box = "".join(f"<{edge}>%d</{edge}>" for edge in ("xmin", "ymin", "xmax", "ymax"))
        text = f"<object><name>%s</name><pose>Unspecified</pose><bndbox>{box}</bndbox></object>"
        inner = "".join(text % one for one in objects)
        make.text(path, f"<annotation><size><width>48</width><height>36</height></size>{inner}</annotation>")

    cells = [("WBC", 5, 6, 20, 22), ("RBC", 25, 3, 40, 15), ("Platelets", 30, 20, 33, 24)]
    for number, objects in ((0, cells), (2, cells[1:]), (7, cells[:2]), (338, [*cells, ("RBC", 9, 9, 9, 14)])):
        make.image(f"BCCD/JPEGImages/BloodImage_{number:05d}.jpg", (48, 36), mode="RGB")
        annotate(f"BCCD/Annotations/BloodImage_{number:05d}.xml", objects)
    for part, numbers in (("train", (0, 338)), ("val", (2,)), ("trainval", (0, 338, 2)), ("test", (7,))):
        make.text(f"BCCD/ImageSets/Main/{part}.txt", "".join(f"BloodImage_{n:05d}\n" for n in numbers))
    make.csv("test.csv", ["filename", "cell_type", "xmin", "xmax", "ymin", "ymax"], [("BloodImage_00000.jpg", "WBC", 5, 20, 6, 22)])
    folder = "dataset-master/dataset-master"
    for number in (8, 10, 25):
        make.image(f"{folder}/JPEGImages/BloodImage_{number:05d}.jpg", (48, 36), mode="RGB")
    annotate(f"{folder}/Annotations/BloodImage_00010.xml", cells)
    table = [(None, 8, "BASOPHIL"), (None, 10, "NEUTROPHIL, EOSINOPHIL"), (None, 25, None)]
    for path in (folder, "dataset2-master/dataset2-master"):
        make.csv(f"{path}/labels.csv", ["", "Image", "Category"], table, newline="\r\n")
    for part, kind, name in (
        ("TRAIN", "EOSINOPHIL", "_0_187"),
        ("TRAIN", "LYMPHOCYTE", "_0_204"),
        ("TEST", "NEUTROPHIL", "_0_1966"),
        ("TEST", "MONOCYTE", "_0_5239"),
        ("TEST_SIMPLE", "MONOCYTE", "_0_5239"),
    ):
        path = f"dataset2-master/dataset2-master/images/{part}/{kind}/{name}.jpeg"
        make.image(path, (40, 30), mode="RGB")
