"""RSNA Pneumonia Detection Challenge 2018: chest radiographs of ChestX-ray14 with boxes around lung opacities.

18 radiologists read 30,000 radiographs anew: lung opacity that may be pneumonia, other abnormality, or normal.
"""

from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.join import Join, Lookup, lines
from medimg.readers import dicom, tables
from medimg.schema import Box, Row

PAGE = "https://www.rsna.org/education/ai-resources-and-training/ai-image-challenge"
MAPPING = "https://s3.amazonaws.com/east1.public.rsna.org/AI/2018/pneumonia-challenge-dataset-mappings_2018.json"
KAGGLE = "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge"
KINDS = {
    "Lung Opacity": "lung opacity",
    "No Lung Opacity / Not Normal": "no lung opacity, not normal",
    "Normal": "normal",
}

DATASET = Dataset(
    name="rsna-pneumonia",
    title="RSNA Pneumonia Detection Challenge 2018",
    aliases=("RSNA Pneumonia", "RSNA肺炎检测", "RSNA 分类/检测"),
    dimension="2d",
    modality="X-ray",
    organ="lung",
    task=("detection", "classification"),
    license="LicenseRef-RSNA-Pneumonia-2018",
    homepage=KAGGLE,
    citation=Citation(
        title="Augmenting the National Institutes of Health chest radiograph dataset with expert annotations "
        "of possible pneumonia",
        authors="Shih G, Wu CC, Halabi SS, et al.",
        venue="Radiology: Artificial Intelligence 1(1):e180041",
        year=2019,
        doi="10.1148/ryai.2019180041",
    ),
    sources=(
        Source(url=f"{KAGGLE}/data", kind="page"),
        Source(url=f"{PAGE}/rsna-pneumonia-detection-challenge-2018", kind="page"),
        Source(url=MAPPING, kind="page"),
    ),
    labels=KINDS,
    splits={"train": 26684, "test": 3000},
    shared_subjects="RSNA split images, not patients: its mapping file leads images of both parts to one NIH patient",
    no_subject="patientId is one per image; where RSNA's mapping file (see the sources) lies beside the "
    "images, the row has the patient of ChestX-ray14",
    overlaps=(
        Overlap(dataset="chestx-ray14", relation="subset of", evidence=MAPPING),
        Overlap(dataset="siim-acr-pneumothorax", relation="may share images", evidence="both are NIH's"),
    ),
    keys="patientId; labels; x; y; width; height; Target; class",
    evidence=Evidence(
        layout="mlmed/torchxrayvision:torchxrayvision/datasets.py@00ebc956; public code of the competition",
        labels="mlmed/torchxrayvision 1.5.7, kaggle_stage_2_train_labels.csv.zip (rows counted); "
        "stage_2_detailed_class_info.csv in public code of the competition",
        license=f"{PAGE}/rsna-pneumonia-detection-challenge-2018",
        subject=f"{MAPPING} (img_id is the file's name in ChestX-ray14, subset_img_id the id here)",
    ),
    notes=(
        "Without the mapping file one person may stand in several splits. Images come from both official "
        "lists of ChestX-ray14: never train here and test there.",
        "Boxes are lung opacities that may be pneumonia; no other finding was asked for.",
        "The project on MD.ai, another download which is not read, flags images to exclude. "
        "Some ages are impossible (148 to 155). The labels of the test images are not published.",
    ),
)


def drawn(files):
    """Image -> its lines, one for each box."""
    found = {}
    for line in tables.rows(files.need(r"stage_2_train_labels\.csv$")):
        found.setdefault(line["patientId"], []).append(line)
    return found


def patients(files):
    """Image -> patient of ChestX-ray14."""
    mapping = files.find(r"dataset-mappings_2018\.json$", lost="patients are")
    entries = tables.json_value(mapping) if mapping else ()
    return {entry.get("subset_img_id"): entry["img_id"].partition("_")[0] for entry in entries}


def row(case):
    return Row(
        id=case.name,
        split=case.part,
        subject=case.patient,
        image=dicom.picture(case.image),
        meta={"patientId": case.name},
        **(label(case.boxes, case.kind) if case.boxes else {"assessed": ()}),
    )


def label(stated, kind):
    opacity = stated[0].one_of("Target", {"0": False, "1": True})
    for line in stated[1:]:
        if line["Target"] != stated[0]["Target"]:
            raise line.wrong("Target", f"contradicts line {stated[0].at}, of the same image")
    classes = kind.one_of("class", DATASET.labels) if kind else ["lung opacity"] * opacity
    if opacity != ("lung opacity" in classes):
        raise kind.wrong("class", f"contradicts Target {stated[0]['Target']} in {stated[0].file}")
    return {
        "classes": classes,
        "assessed": DATASET.every_label if kind else ("lung opacity",),
        "boxes": [box(line) for line in stated] if opacity else (),
        "source": {"labels": stated} | ({"class": kind["class"]} if kind else {}),
    }


def box(line):
    x, y, width, height = (line.number(column) for column in ("x", "y", "width", "height"))
    return Box(name="lung opacity", box=(x, y, x + width, y + height))


rows = Join(
    r"stage_2_(?P<part>train|test)_images/(?P<name>[^/]+)\.dcm$",
    row,
    stream=True,
    boxes=Lookup(
        drawn,
        key="name",
        when=lambda case: case.part == "train",
        skip="stage_2_train_labels.csv has no row for it",
    ),
    kind=lines(
        r"stage_2_detailed_class_info\.csv$",
        "patientId",
        key="name",
        lost="images without opacity, normal or not, are",
    ),
    patient=Lookup(patients, key="name"),
)


def miniature(make):
    # Several rows for one image; the classes' table repeats its row for each box.
    names = [f"0004cfab-14fd-4e49-80ba-63a80b6bddd{n}" for n in range(4)]
    boxes = [(names[0], 4, 3, 9, 5, 1), (names[0], "20.0", "10.0", 7, 12.5, 1), (names[1],), (names[2],)]
    table = [row if len(row) > 1 else (*row, None, None, None, None, 0) for row in boxes]
    make.csv("stage_2_train_labels.csv", ["patientId", "x", "y", "width", "height", "Target"], table)
    kinds = [*KINDS][:1] * 2 + [*KINDS][1:]
    rows = [(row[0], kind) for row, kind in zip(table, kinds, strict=True)]
    make.csv("stage_2_detailed_class_info.csv", ["patientId", "class"], rows)
    for n, name in enumerate(names):
        tags = {"ViewPosition": ("AP", "PA")[n % 2], "PatientAge": "155Y", "PixelSpacing": [0.168, 0.168]}
        path = f"stage_2_{'test' if n == 3 else 'train'}_images/{name}.dcm"
        make.dicom(path, (32, 28), modality="CR", patient=name, dtype="uint8", high=255, tags=tags)
    pairs = [{"subset_img_id": name, "img_id": f"0000{n // 2:04d}_00{n}.png"} for n, name in enumerate(names)]
    make.json("pneumonia-challenge-dataset-mappings_2018.json", pairs)
