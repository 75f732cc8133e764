"""Data Science Bowl 2017: low-dose chest CT of 2,101 persons, of whom some got lung cancer within a year."""

from medimg.builders import _tcia
from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import dicom, tables
from medimg.schema import Row

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
    citation=Citation(
        title="Data Science Bowl 2017", authors="Booz Allen Hamilton, Kaggle", year=2017, url=KAGGLE
    ),
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
    told = tables.Lines(files)
    for table, name in files.match(r"(stage[12]_(?:labels|solution))\.csv$"):
        for row in tables.rows(table):
            told.add(row["id"].strip(), tables.Line({**row, "table": name}, row.file, row.at), "id")
    here = {line["table"] for line in told.values()}
    # Patients of stage 1 are for training or testing: without a second table, the first one leaves the others.
    complement = "stage1_labels" in here and "stage1_solution" not in here
    if "stage1_labels" not in here:
        files.tell(
            "stage1_labels.csv", "it is not in this copy: which patients are for training is not known"
        )
    people = {}
    for file, stage, person in files.match(r"(stage1|stage2|sample_images)/([0-9a-f]{32})/[^/]+\.dcm$"):
        people.setdefault(person, {}).setdefault(stage, []).append(file)
    for person, stages in people.items():
        stage = next(name for name in ("stage1", "stage2", "sample_images") if name in stages)
        for other, members in stages.items():
            if other != stage:
                yield from _tcia.skipped(members, f"the same images as in {stage}")
        if person not in told:
            files.tell(
                stages[stage][0],
                "no table in this copy has a line for the patient: the diagnosis is not known",
            )
            if stage != "stage2" and not complement:
                reason = "no table in this copy says whether the patient is for training or for testing"
                yield from _tcia.skipped(stages[stage], reason)
                continue
        with files.row(*stages[stage]):
            yield from _scans(person, stage, stages[stage], told.get(person))
    told.tell_rest("no image of the patient is in this copy")


def _scans(person, stage, members, said):
    for apart, part in _tcia.frames(members):
        yield Row(
            id="_".join([person, *(f"{key}-{value}" for key, value in apart.items())]),
            split="train" if said and said["table"] == "stage1_labels" else "test",
            subject=person,
            image=dicom.series(part, allow_gaps=True),
            classes=said.one_of("cancer", DATASET.labels) if said else (),
            assessed=("lung cancer",) if said else (),
            source=said,
            meta={"stage": stage} | apart,
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
