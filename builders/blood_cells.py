"""Blood Cell Images and BCCD: photographs of stained blood smears.

BCCD has boxes around red cells, white cells and platelets; the Kaggle set has augmented copies of such
photographs, sorted by the kind of white cell.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import table_lines, tables
from medimg.readers.boxes import voc
from medimg.schema import Box, Row, Skipped, skipped

REPO, COPY = "Shenggan/BCCD_Dataset", "dhruvp/wbc-classification"
BCCD = f"https://github.com/{REPO}"
KAGGLE = "https://www.kaggle.com/paultimothymooney/blood-cells"
CELLS = {"RBC": "red blood cell", "WBC": "white blood cell", "Platelets": "platelet"}
KINDS = ("eosinophil", "lymphocyte", "monocyte", "neutrophil", "basophil")
SPLITS = {"train": "train", "val": "validation", "test": "test", None: "train"}
"""What no list names is for training: three lists name all others."""

DATASET = Dataset(
    name="blood-cells",
    title="Blood Cell Images and BCCD",
    aliases=("BCCD", "Blood Cell Images", "血细胞涂片分类"),
    dimension="2d",
    modality="cytology",
    organ="blood",
    task=("classification", "detection"),
    license="MIT",
    citation=Citation(
        title="BCCD Dataset; Blood Cell Images",
        authors="Shenggan; cosmicad; akshaylamba; Mooney P",
        year=2018,
    ),
    access="registration",
    how=f"Clone {BCCD} (open); for the augmented pictures register and download at {KAGGLE}. Pass the clone, "
    'the zip, or a folder with both: medimg.load("blood-cells", source="~/BCCD_Dataset").',
    sources=(Source(url=BCCD, kind="page"), Source(url=KAGGLE, kind="page")),
    labels={**CELLS, **{kind.upper(): kind for kind in KINDS}},
    splits={"train": 10572, "validation": 87, "test": 2630},
    no_subject="no patient is named; the first number in _<n>_<random>.jpeg counts what a shuffled generator "
    "wrote, it is no photograph: pictures with one number show different cells",
    shared_subjects="the augmented pictures are copies of the photographs in BCCD and dataset-master under "
    "another split: a training photograph may have copies in TEST, and names do not tell which",
    keys=("ImageSets; boxes_without_extent; folder; object; name; pose; bndbox; xmin; ymin; xmax; ymax; Category"),
    evidence=Evidence(
        layout=f"{REPO}:README.md@d272fb1; {COPY}@0b22eb20 (all file names)",
        labels=f"{REPO}:README.md@d272fb1; {COPY}:labels.csv@0b22eb20",
        license=f"{REPO}:LICENSE@d272fb1 (MIT); the Kaggle set is said to derive from it",
        subject=f"{COPY}@0b22eb20 (pictures compared); DirectoryIterator of Keras 2.0 (current_index + i)",
    ),
    notes=(
        "TRAIN was made from 75 + 27 + 16 + 159 photographs, TEST from the 71 others in TEST_SIMPLE.",
        "Boxes are as in the XML; one without extent (BloodImage_00338, 00343) is only in label.source.",
    ),
)


def rows(files):
    lists = list(files.match(r"ImageSets/Main/(train|val|test)\.txt$"))
    listed = {name: part for file, part in lists for name in tables.lines(file)}
    kinds = kinds_of(files)
    drawn = files.index(r"(dataset-master/)?Annotations/(BloodImage_\d+)\.xml$", (1, 2))
    for image, folder, name in files.match(r"(dataset-master/)?JPEGImages/(BloodImage_\d+)\.jpe?g$"):
        kaggle, part = bool(folder or (kinds and not listed)), listed.get(name)
        outline = drawn.pop((folder, name), None)
        if outline is None and not kaggle:
            yield Skipped(file=image, reason="a photograph whose annotation is not in this copy")
            continue
        if not kaggle and part is None and len(lists) < 3:
            yield Skipped(file=image, reason="the lists of this copy (train, val, test) do not name it")
            continue
        if outline is None:
            files.tell(image, "its annotation is not in this copy: boxes are not known")
        with files.row(image):
            if kaggle:
                line = kinds.get(int(name[-5:]))
                kind = line["Category"] if line else ""
                if not kind.strip():
                    files.tell(image, "labels.csv does not say of what kind its cells are")
                yield photograph(files, image, f"kaggle-{name}", "train", outline, kind, {})
            else:
                yield photograph(files, image, name, SPLITS[part], outline, "", {"ImageSets": part})
    yield from skipped(drawn.values(), "an annotation whose photograph is not in this copy")
    yield from augmented(files)


def photograph(files, image, id, split, outline, kind, about):
    annotation = voc(outline) if outline else None
    objects = annotation.objects if annotation else ()
    whole = [one for one in objects if not one.empty]
    if len(whole) < len(objects):
        files.tell(image, "a box has no extent: it is in label.source alone")
        about = {"boxes_without_extent": len(objects) - len(whole), **about}
    found = [one.strip() for one in kind.split(",") if one.strip()] + [one.name for one in objects]
    assessed = []
    if kind:
        assessed += KINDS
    if outline:
        assessed += CELLS.values()
    source = {"object": [one.raw for one in objects], "Category": kind}
    return Row(
        id=id,
        split=split,
        image=image,
        classes=tuple(dict.fromkeys(DATASET.labels[one][0] for one in found)),
        assessed=assessed,
        boxes=[Box(name=DATASET.labels[one.name][0], box=one.box) for one in whole],
        drawn_on=annotation.size if annotation else None,
        source={key: value for key, value in source.items() if value},
        meta=about,
    )


def augmented(files):
    """The Kaggle set's pictures, which lie in folders of their kind."""
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


def kinds_of(files):
    """Number of the photograph -> line of labels.csv, of which the Kaggle set has two equal ones."""
    found = table_lines.Lines(files)
    for (table,) in files.match(r"(?:^|/)labels\.csv$"):
        for line in tables.rows(table):
            found.add(line.integer("Image"), line, "Image")
    return found


def miniature(make):
    def annotate(path, *objects):
        box = "".join(f"<{edge}>%d</{edge}>" for edge in ("xmin", "ymin", "xmax", "ymax"))
        text = f"<object><name>%s</name><pose>Unspecified</pose><bndbox>{box}</bndbox></object>"
        make.text(path, f"<annotation>{''.join(text % one for one in objects)}</annotation>")

    white, red, plate = ("WBC", 5, 6, 20, 22), ("RBC", 25, 3, 40, 15), ("Platelets", 30, 20, 33, 24)
    drawn = {0: [white, red, plate], 2: [red], 7: [white, plate], 338: [red, ("RBC", 9, 9, 9, 14)]}
    for n, objects in drawn.items():
        make.image(f"BCCD/JPEGImages/BloodImage_{n:05d}.jpg", (48, 36), mode="RGB")
        annotate(f"BCCD/Annotations/BloodImage_{n:05d}.xml", *objects)
    for part, numbers in (("train", (0, 338)), ("val", (2,)), ("trainval", (0, 338, 2)), ("test", (7,))):
        make.text(f"BCCD/ImageSets/Main/{part}.txt", "".join(f"BloodImage_{n:05d}\n" for n in numbers))
    make.text("test.csv", "filename,cell_type,xmin,xmax,ymin,ymax\nBloodImage_00007.jpg,WBC,5,20,6,22\n")
    table = [(None, 8, "BASOPHIL"), (None, 10, "NEUTROPHIL, EOSINOPHIL"), (None, 25, None)]
    for folder in ("dataset-master/dataset-master", "dataset2-master/dataset2-master"):
        make.csv(f"{folder}/labels.csv", ["", "Image", "Category"], table, newline="\r\n")
    for n in (8, 10, 25):
        make.image(f"dataset-master/dataset-master/JPEGImages/BloodImage_{n:05d}.jpg", (48, 36), mode="RGB")
    annotate("dataset-master/dataset-master/Annotations/BloodImage_00010.xml", white, red)
    names = ("TRAIN/EOSINOPHIL/_0_187", "TRAIN/LYMPHOCYTE/_0_204", "TEST/NEUTROPHIL/_0_1966")
    for name in (*names, "TEST/MONOCYTE/_0_5239", "TEST_SIMPLE/MONOCYTE/_0_5239"):
        make.image(f"dataset2-master/dataset2-master/images/{name}.jpeg", (40, 30), mode="RGB")
