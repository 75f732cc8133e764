"""RSNA Intracranial Hemorrhage Detection 2019: head CT slices, each labeled with five kinds of hemorrhage.

Sixty neuroradiologists labeled 25,000 head CT of three institutions slice by slice.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, Lookup
from medimg.readers import dicom, tables
from medimg.schema import Row

KAGGLE = "https://www.kaggle.com/c/rsna-intracranial-hemorrhage-detection"
KINDS = {
    "epidural": "epidural hemorrhage",
    "intraparenchymal": "intraparenchymal hemorrhage",
    "intraventricular": "intraventricular hemorrhage",
    "subarachnoid": "subarachnoid hemorrhage",
    "subdural": "subdural hemorrhage",
    "any": "intracranial hemorrhage",
}
PLACE = "StudyInstanceUID SeriesInstanceUID ImagePositionPatient ImageOrientationPatient".split()
UNCLEAR = -1

DATASET = Dataset(
    name="rsna-intracranial-hemorrhage",
    title="RSNA Intracranial Hemorrhage Detection 2019",
    aliases=("RSNA ICH", "RSNA Intracranial Hemorrhage"),
    dimension="2d",
    modality="CT",
    organ="brain",
    task="classification",
    license="LicenseRef-RSNA-Hemorrhage-2019",
    access="registration",
    how=f"Register at Kaggle, accept the rules, download the data of {KAGGLE}/data and pass the archive or its "
    "folder as source=",
    homepage=KAGGLE,
    citation=Citation(
        title="Construction of a machine learning dataset through collaboration: the RSNA 2019 brain CT "
        "hemorrhage challenge",
        authors="Flanders AE, Prevedello LM, Shih G, et al.",
        venue="Radiology: Artificial Intelligence 2(3):e190211",
        year=2020,
        doi="10.1148/ryai.2020190211",
    ),
    sources=(Source(url=f"{KAGGLE}/data", kind="page"),),
    labels=KINDS,
    splits={"train": 752803, "test": 121232},
    subject="PatientID of the DICOM header (ID_…); a patient may have several studies",
    keys="ImagePositionPatient; ImageOrientationPatient",
    evidence=Evidence(
        layout="public code and notes of the competition (stage_2_train, stage_2_train.csv)",
        labels="https://github.com/RSNA/AI-Challenge-Data/wiki/RSNA-Intracranial-Hemorrhage-Detection; public "
        "notes: 4,516,842 rows, four images twice, one file with truncated pixels",
        license="https://github.com/RSNA/AI-Challenge-Data/wiki/RSNA-Intracranial-Hemorrhage-Detection",
        subject="https://pmc.ncbi.nlm.nih.gov/articles/PMC8082297",
    ),
    notes=(
        "Rows are slices. StudyInstanceUID, SeriesInstanceUID and ImagePositionPatient in meta rebuild scans.",
        "ID_6431af929.dcm is truncated and left out. The labels of the test slices are not published.",
        "Pixels are the stored ones: Hounsfield units follow from RescaleSlope and RescaleIntercept in meta.",
    ),
    bad_files="quarantine",
)


def answers(files):
    """Image -> a number of twelve bits (the table has 4.5 million lines): which kinds are there, which were asked.

    Lines may come twice; an image of which two contradict each other has `UNCLEAR`.
    """
    found, kinds = {}, {kind: n for n, kind in enumerate(KINDS)}
    for line in tables.rows(files.need(r"(?:^|/)stage_[12]_train\.csv$")):
        name, _, kind = line["ID"].strip().rpartition("_")
        if kind not in kinds:
            raise line.wrong("ID", "is no image and kind of bleeding")
        if line["Label"].strip() not in ("0", "1"):
            raise line.wrong("Label", "is neither 0 nor 1")
        known, there = found.get(name, 0), line["Label"].strip() == "1"
        n, asked = kinds[kind], 1 << (kinds[kind] + len(kinds))
        if known == UNCLEAR or (known & asked and (known >> n & 1) != there):
            found[name] = UNCLEAR
        else:
            found[name] = known | there << n | asked
    return found


def row(case):
    _, tags = next(dicom.headers([case.image]))
    classes, assessed, source = [], [], None
    if case.part == "train":
        if case.answer == UNCLEAR:
            return case.skip("two lines of the table contradict each other on it")
        asked = case.answer >> len(KINDS)
        source = {kind: case.answer >> n & 1 for n, kind in enumerate(KINDS) if asked >> n & 1}
        classes = [KINDS[kind] for kind in source if source[kind]]
        assessed = [KINDS[kind] for kind in source]
        if len(source) < len(KINDS):
            case.tell("the table lacks lines for it: not every kind of bleeding is known")
    return Row(
        id=case.name,
        split=case.part,
        subject=tags["PatientID"],
        image=dicom.picture(case.image),
        classes=classes,
        assessed=assessed,
        source=source,
        meta={key: tags[key] for key in PLACE if key in tags},
    )


rows = Join(
    r"stage_[12]_(?P<part>train|test)(?:_images)?/(?P<name>ID_\w+)\.dcm$",
    row,
    stream=True,
    answer=Lookup(answers, key="name", when=lambda case: case.part == "train", skip="the table has no row for it"),
)


def miniature(make):
    root, rows = "rsna-intracranial-hemorrhage-detection", []
    names = ("ID_63eb1e259", "ID_2669954a7", "ID_6431af929", "ID_52c9913b1")
    for number, name in enumerate(names):
        part = "test" if number == 3 else "train"
        place = {"ImagePositionPatient": [-125, -141, 5.0 * number], "PixelSpacing": [0.488, 0.488]}
        place |= {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "RescaleIntercept": -1024, "RescaleSlope": 1}
        # One file promises more pixels than it holds.
        place |= {"Rows": 500} if name == "ID_6431af929" else {}
        # The second slice is of another study of the same patient.
        place |= {"StudyInstanceUID": "2.25.81"} if number == 1 else {}
        patient = f"ID_{number // 3}df0ab2"
        make.dicom(f"{root}/stage_2_{part}/{name}.dcm", patient=patient, tags=place, low=-500)
        present = ("subdural", "any") if number == 0 else ()
        if part == "train":
            rows += [(f"{name}_{kind}", int(kind in present)) for kind in KINDS]
    make.csv(f"{root}/stage_2_train.csv", ["ID", "Label"], [*rows, *rows[6:12]])
    head = [(f"{names[3]}_{kind}", 0.5) for kind in KINDS]
    make.csv(f"{root}/stage_2_sample_submission.csv", ["ID", "Label"], head)
