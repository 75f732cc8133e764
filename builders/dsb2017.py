"""Data Science Bowl 2017: low-dose chest CT of 2,101 persons, of whom some got lung cancer within a year."""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import dicom, dicom_stacks, table_lines, tables
from medimg.schema import Row, skipped

KAGGLE = "https://www.kaggle.com/c/data-science-bowl-2017"

DATASET = Dataset(
    name="dsb2017",
    title="Data Science Bowl 2017",
    aliases=("Data Science Bowl 2017", "DSB 2017", "Kaggle DSB3", "DSB17 肺癌预测", "Kaggle DSB17"),
    dimension="3d",
    modality="CT",
    organ="lung",
    task="classification",
    license="LicenseRef-Kaggle-competition",
    access="unavailable",
    how=f"{KAGGLE}/data no longer has the images. With a copy of your own: unpack stage1.7z and stage2.7z with "
    "the password of data_password.txt.zip, put the CSV files beside them and pass the folder as source=",
    homepage=KAGGLE,
    citation=Citation(title="Data Science Bowl 2017", authors="Booz Allen Hamilton, Kaggle", year=2017, url=KAGGLE),
    sources=(Source(url=f"{KAGGLE}/data", kind="page"),),
    labels={"1": "lung cancer", "0": ()},
    splits={"train": 1397, "test": 704},
    subject="the folder's name, a hash, which also is the PatientID",
    keys="stage; AcquisitionNumber; id; cancer; table; Usage",
    evidence=Evidence(
        layout="public code of the competition (stage1/<hash>/<uid>.dcm, stage1_labels.csv, stage1_solution.csv, "
        "stage2/<hash>, stage2_solution.csv); 3-musketeers/kaggle-dsb:README.md (quotes the page of the data)",
        labels="public code of the competition (id, cancer); astoc/kaggle_dsb2017:README.md (diagnosed within "
        "one year of the scan)",
        license="unverified: rules to be accepted, for the competition only; the text was not read",
        subject="public code of the competition",
    ),
    notes=(
        "Train is what stage1_labels.csv lists; the folder stage1 also holds the 198 test persons of stage 1. "
        "Test rows have a class where the copy has the solution files.",
        "b8bb02d229361a623a4dc57aa0e5c485 has two overlapping acquisitions in one folder, which are two rows.",
        "Of the persons 08528b88…, 6a145c28… and 5fe048f3… half of the lung is missing.",
        "sample_images repeats persons of stage1.",
    ),
    bad_files="quarantine",
)


def rows(files):
    told, complement = listed(files)
    people = {}
    for file, stage, person in files.match(r"(stage1|stage2|sample_images)/([0-9a-f]{32})/[^/]+\.dcm$"):
        people.setdefault(person, {}).setdefault(stage, []).append(file)
    for person, stages in people.items():
        stage = next(name for name in ("stage1", "stage2", "sample_images") if name in stages)
        members = stages.pop(stage)
        for others in stages.values():
            yield from skipped(others, f"the same images as in {stage}")
        if person not in told:
            reason = "no table in this copy has a line for the patient: the diagnosis is not known"
            files.tell(members[0], reason)
        with files.row(*members):
            line = told.get(person)
            if split := split_of(stage, line, complement):
                yield from scans(person, stage, split, members, line)
            else:
                reason = "no table in this copy says whether the patient is for training or for testing"
                yield from skipped(members, reason)
    told.tell_rest("no image of the patient is in this copy")


def listed(files):
    """Person -> line of the tables; and whether who of stage 1 has none is for testing."""
    told, tables_here = table_lines.Lines(files), set()
    for table, name in files.match(r"(stage[12]_(?:labels|solution))\.csv$"):
        for line in tables.rows(table):
            tables_here.add(name)
            told.add(line["id"].strip(), table_lines.Line({**line, "table": name}, line.file, line.at), "id")
    if "stage1_labels" not in tables_here:
        files.tell("stage1_labels.csv", "it is not in this copy: which patients are for training is not known")
    # Patients of stage 1 are for training or testing: without a second table, the first one leaves the others.
    return told, "stage1_labels" in tables_here and "stage1_solution" not in tables_here


def split_of(stage, line, complement):
    """None where no table says it."""
    if line is not None:
        return "train" if line["table"] == "stage1_labels" else "test"
    return "test" if stage == "stage2" or complement else None


def scans(person, stage, split, members, line):
    classes, assessed = (), ()
    if line:
        classes, assessed = line.one_of("cancer", DATASET.labels), ("lung cancer",)
    for stack in dicom_stacks.stacks(members):
        yield Row(
            id=stack.name(person),
            split=split,
            subject=person,
            image=dicom.series(stack.files, allow_gaps=True),
            classes=classes,
            assessed=assessed,
            source=line,
            meta={"stage": stage} | stack.apart,
        )


def miniature(make):
    # The second person has two acquisitions in one folder; of the third, half of the lung is missing.
    healthy, twice, sick, later = ("0015ceb8", "b8bb02d2", "08528b88", "1aa1bb2c")
    names = {one: one + "29361a623a4dc57aa0e5c485" for one in (healthy, twice, sick, later)}
    for short, stage in ((healthy, "stage1"), (twice, "stage1"), (sick, "stage1"), (later, "stage2")):
        person = names[short]
        scan = {"patient": person, "names": "{:032x}.dcm"}
        if short != twice:
            make.dicom_series(f"{stage}/{person}", 2 if short == sick else 4, **scan)
            continue
        for number, names_of in ((1, "a{:031x}.dcm"), (2, "b{:031x}.dcm")):
            tags = {"SeriesInstanceUID": "2.25.6", "AcquisitionNumber": number}
            more = {"seed": f"{person}{number}", "tags": tags, "origin": (-50, -60, -70 + 0.8 * number)}
            make.dicom_series(f"{stage}/{person}", 4, **scan | {"names": names_of}, **more)
    make.dicom_series(f"sample_images/{names[healthy]}", 4, patient=names[healthy], names="{:032x}.dcm")
    make.bytes("stage1.7z", b"7z\xbc\xaf\x27\x1c")  # what was unpacked, if it is still there
    make.csv("stage1_labels.csv", ["id", "cancer"], [(names[healthy], 0), (names[twice], 1)])
    make.csv("stage1_solution.csv", ["id", "cancer", "Usage"], [(names[sick], 1, "Public")])
    make.csv("stage2_sample_submission.csv", ["id", "cancer"], [(names[later], 0.5)])
