"""OLIVES: OCT and near-infrared fundus images of 96 eyes that were treated for at least two years.

Two clinical trials, PRIME (diabetic retinopathy) and TREX-DME (diabetic macular edema); biomarkers are marked in
9,408 B-scans of the first and the last visit, visual acuity and retinal thickness at each visit.
"""

import re

from medimg.declaration import Citation, Config, Dataset, Evidence, Source
from medimg.readers import table_lines, tables
from medimg.schema import Measure, Row, Skipped

REPOSITORY = "olivesgatech/OLIVES_Dataset"
TABLE = "rdharini2001/ECE_8803_Final_Project:labels/Biomarker_Clinical_Data_Images.csv@6219f36"
PATH = (
    r"(Prime_FULL|TREX[ _]DME)/(?:(GILA|TREX|Monthly)/)?([^/]+)/([^/]+)/(O[DS])/([^/]+)\."
    r"(?:png|tiff?|jpe?g)$"
)
DISEASES = {"Prime_FULL": "diabetic retinopathy", "TREX DME": "diabetic macular edema"}
MEASURES = {
    "BCVA": ("best corrected visual acuity", "{letters}"),
    "CST": ("central subfield thickness", "um"),
}
BIOMARKERS = {
    "Atrophy / thinning of retinal layers": "atrophy of retinal layers",
    "Disruption of EZ": "disruption of ellipsoid zone",
    "DRIL": "disorganization of retinal inner layers",
    "IR hemorrhages": "retinal hemorrhage",
    "IR HRF": "intraretinal hyperreflective foci",
    "Partially attached vitreous face": "partially attached vitreous face",
    "Fully attached vitreous face": "fully attached vitreous face",
    "Preretinal tissue/hemorrhage": "preretinal tissue or hemorrhage",
    "Vitreous debris": "vitreous debris",
    "VMT": "vitreomacular traction",
    "DRT/ME": "macular edema",
    "Fluid (IRF)": "intraretinal fluid",
    "Fluid (SRF)": "subretinal fluid",
    "Disruption of RPE": "disruption of retinal pigment epithelium",
    "PED (serous)": "pigment epithelial detachment",
    "SHRM": "subretinal hyperreflective material",
}
"""Column -> canonical name."""
MARKS = {"1": True, "0": False, "1.0": True, "0.0": False}
TABLES = {
    "Biomarker_Clinical_Data_Images": "biomarkers of the scans are",
    "Clinical_Data_Images": "visual acuity and thickness of scans without biomarkers are",
}
"""Table -> what is not known without it."""

DATASET = Dataset(
    name="olives",
    title="OLIVES, Ophthalmic Labels for Investigating Visual Eye Semantics",
    aliases=("Ophthalmic Labels for Investigating Visual Eye Semantics",),
    dimension="2d",
    modality=("OCT", "near-infrared fundus photography"),
    organ="retina",
    task=("classification", "multi-label classification", "biomarker detection", "prognosis"),
    license="CC-BY-4.0",
    homepage=f"https://github.com/{REPOSITORY}",
    citation=Citation(
        title="OLIVES dataset: ophthalmic labels for investigating visual eye semantics",
        authors="Prabhushankar M, Kokilepersaud K, Logan Y, et al.",
        venue="NeurIPS Datasets and Benchmarks",
        year=2022,
    ),
    sources=(
        Source(url="https://zenodo.org/records/7105232", kind="page"),
        Source(url="https://huggingface.co/datasets/gOLIVES/OLIVES_Dataset", kind="page"),
    ),
    labels=BIOMARKERS | DISEASES,
    splits={"train": 0},
    configs=(
        Config(name="oct", title="B-scans", modality="OCT", splits={"train": 78185}),
        Config(
            name="fundus",
            title="Near-infrared fundus images",
            modality="near-infrared fundus photography",
            task="classification",
            splits={"train": 1268},
        ),
    ),
    subject="Patient_ID of the tables (87 patients, 9 with both eyes), else the patient's folder",
    keys=(
        "trial; arm; folder; visit; eye; Scan (n/49); Eye_ID; Patient_ID; OCT-DR; Treatment Arm; "
        "Age; Baseline HbA1c; BCVA; CST; Gender; Sex; Race; Ethnicity; BMI; *Diabetes*; DRSS*; "
        "*HbA1c*; Leakage Index*; Fluid*"
    ),
    evidence=Evidence(
        layout=f"{REPOSITORY}@30f239a (loaders); {TABLE} (paths)",
        labels=f"{TABLE} (22 columns, 9,408 rows read)",
        license=f"unverified: CC BY 4.0 on Zenodo. Read: MIT, {REPOSITORY}:LICENSE@d975acf and the tag on Hugging Face",
        subject=TABLE,
    ),
    notes=(
        "The disease is that of the trial; whether the other one is there too was not assessed.",
        "Suffixes in the tables often are not the files': they are compared without.",
        "Public loaders take columns by place, from a table of 26 columns; here they go by name. The copy on "
        "Hugging Face is packed anew, at first with six of the biomarkers (B1 to B6); it is not read.",
    ),
)


def rows(files):
    stated, patients = lines_of(files)
    prime, seen = people(files), set()
    for image, trial, *rest in files.match(PATH):
        key = (trial.replace("_DME", " DME"), *rest)
        if key in seen:
            yield Skipped(file=image, reason="a second file of one scan, with another suffix")
            continue
        seen.add(key)
        with files.row(image):
            about = table_lines.Line()
            for lines in stated:
                if (line := lines.get(key)) is not None:
                    about = table_lines.Line({**about, **line}, line.file, line.at)
            yield scan(image, key, about, patients.get(key[:3]), prime)


def scan(image, key, about, patient, prime):
    trial, arm, folder, visit, eye, name = key
    marks = {column: about[column].removesuffix(".0") for column in BIOMARKERS if about.get(column)}
    numbers = {column: about[column] for column in MEASURES if about.get(column)}
    found = [BIOMARKERS[column] for column in marks if about.one_of(column, MARKS)]
    meta = {"trial": trial, "arm": arm, "folder": folder, "visit": visit, "eye": eye}
    meta |= {name: cell for name, cell in about.items() if name not in marks | numbers and cell}
    if folder in prime:
        meta["OCT-DR"] = prime[folder]
    return Row(
        id="-".join(part.replace(" ", "_") for part in key if part),
        config="fundus" if name.lower().startswith("fundus") else "oct",
        subject=patient or folder,
        image=image,
        classes=(DISEASES[trial], *found),
        assessed=(DISEASES[trial], *(BIOMARKERS[column] for column in marks)),
        measures=[
            Measure(name=MEASURES[column][0], value=about.number(column), unit=MEASURES[column][1])
            for column in numbers
        ],
        source=marks | numbers or None,
        meta=meta,
    )


def lines_of(files):
    """(lines of each table by the scan's path, patient by trial, arm and folder)."""
    found, patients = [], {}
    for name, lost in TABLES.items():
        lines = table_lines.Lines(files)
        found.append(lines)
        for (table,) in files.match(rf"(?:^|/){name}\.(?:csv|xlsx)$", lost=lost):
            for one in tables.rows(table):
                column = next(name for name in one if "path" in name.lower())
                path = re.search(PATH, tables.file_name(one[column]))
                if path is None:
                    reason = "a line of the table belongs to nothing: its path is not one of an image"
                    files.tell(table, reason)
                    continue
                trial, *rest = path.groups()
                key = (trial.replace("_DME", " DME"), *rest)
                cells = {name: cell for name, cell in one.items() if name != column}
                lines.add(key, table_lines.Line(cells, one.file, one.at), column)
                if one.get("Patient_ID", "").strip():
                    patients.setdefault(key[:3], one["Patient_ID"].strip())
    return found, patients


def people(files):
    """What OCT-DR.xlsx says of each patient of PRIME, by folder; its first row is a title."""
    found = {}
    for (book,) in files.match(r"OCT-DR\.xlsx$"):
        for row in tables.rows(book, skip=1):
            told = {" ".join(name.split()): cell for name, cell in row.items() if name and cell.strip()}
            if patient := told.pop("Patient ID", "").strip():
                found[patient] = told
    return found


def miniature(make):
    """Both trials; suffixes that the table has wrong, cells that are empty, scans without a row."""
    scans = ["TREX DME/GILA/0201GOD/V1/OD/TREXJ_00000", "Prime_FULL/01-001/W0/OS/"]
    with make.zip("OLIVES.zip") as inner:
        for number in range(3):
            for stem, suffix in zip(scans, ("tif", "png"), strict=True):
                inner.image(f"OLIVES/{stem}{number}.{suffix}", (32, 24))
        inner.image("OLIVES/TREX DME/Monthly/0115MON/V3/OS/TREXJ_000000.tif", (32, 24))
        inner.image("OLIVES/TREX DME/GILA/0201GOD/V1/OD/fundus_OD.tif", (28, 28))
        inner.image("OLIVES/Prime_FULL/01-001/W0/OS/fundus_W0_OS.png", (28, 28))
        inner.image("OLIVES/Prime_FULL/01-001/W0/OS/2.tif", (32, 24))
    first = "Path (Trial/Arm/Folder/Visit/Eye/Image Name)"
    rest = ["Eye_ID", "BCVA", "CST", "Patient_ID"]
    marks = [n % 2 for n in range(len(BIOMARKERS))]
    table = [
        (f"/{scans[0]}0.tif", 1, *marks, 1, 61, 575, 201),
        (f"/{scans[0]}1.jpg", 2, *marks[:3], "", *marks[4:], 1, 61, 575, 201),
        (f"/{scans[1]}0.tif", 1, *(f"{mark}.0" for mark in marks), 2, 85, 310, 7),
    ]
    make.csv(
        "ml_centric_labels/Biomarker_Clinical_Data_Images.csv",
        [first, "Scan (n/49)", *BIOMARKERS, *rest],
        table,
    )
    make.xlsx(
        "ml_centric_labels/Clinical_Data_Images.xlsx",
        ["File_Path", *rest[1:3], rest[0], rest[3]],
        [(f"/{scans[0]}2.tif", 61, 575, 1, 201), (f"/{scans[1]}1.png", 85, 310, 2, 7)],
    )
    first = ["Patient ID", "Treatment\nArm", "Age", "Baseline HbA1c"]
    make.xlsx("full_labels/OCT-DR.xlsx", ["PRIME"], [first, ("01-001", 1, 61, 8.4), ("01-002", 2, 44, None)])
