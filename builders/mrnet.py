"""MRNet: 1,370 knee MRI exams of Stanford University Medical Center, three planes each.

Every exam says whether the knee is abnormal and whether there is a tear of the anterior cruciate ligament or of a
meniscus.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, lines
from medimg.readers import arrays
from medimg.schema import Row

PAGE = "https://stanfordmlgroup.github.io/competitions/mrnet/"
FINDINGS = {"abnormal": "knee abnormality", "acl": "ACL tear", "meniscus": "meniscal tear"}
ANSWERS = {"0": False, "1": True}
SPLITS = {"train": "train", "valid": "validation"}

DATASET = Dataset(
    name="mrnet",
    title="MRNet v1.0, knee MRI",
    aliases=("MRNet v1.0",),
    dimension="3d",
    modality="MRI",
    organ="knee",
    task=("classification", "multi-label classification"),
    license="LicenseRef-Stanford-MRNet",
    citation=Citation(
        title="Deep-learning-assisted diagnosis for knee magnetic resonance imaging: Development and "
        "retrospective validation of MRNet",
        authors="Bien N, Rajpurkar P, Ball RL, et al.",
        venue="PLoS Medicine 15(11):e1002699",
        year=2018,
        doi="10.1371/journal.pmed.1002699",
    ),
    access="registration",
    how=f'Apply at {PAGE}, download MRNet-v1.0.zip and pass it: medimg.load("mrnet", source="~/MRNet-v1.0.zip").',
    sources=(Source(url=PAGE, kind="page"),),
    labels=FINDINGS,
    splits={"train": 3390, "validation": 360},
    subject="the exam's number, which the three planes share; patients (1,312 of 1,370 exams) are not told, "
    "but are in one split each",
    keys="plane",
    evidence=Evidence(
        layout=f"{PAGE} (splits); ahmedbesbes/mrnet:dataloader.py@0e79738 (train/<plane>/, train-<finding>.csv with no "
        "header, slices first); six public readmes with the whole tree",
        labels=f"{PAGE} (abnormality, ACL tear, meniscal tear)",
        license=f"{PAGE} (personal, non-commercial research use only)",
        subject=f"{PAGE} (patients per split)",
    ),
    notes=(
        "Each exam has three rows: its axial, coronal and sagittal series.",
        "Arrays are stored as they are, (slices, rows, columns), and state neither spacing nor orientation.",
        "The test set (120 exams) was never published.",
    ),
)


def said(case):
    """Finding -> its line, of the tables that have one of the exam."""
    return {finding: line for finding in FINDINGS if (line := getattr(case, finding)) is not None}


def row(case):
    stated = said(case)
    if not stated:
        return case.skip("no table of this copy has a label of its exam")
    found = {finding: line.one_of("value", ANSWERS) for finding, line in stated.items()}
    return Row(
        id=f"{case.exam}-{case.plane}",
        split=SPLITS[case.part],
        subject=case.exam,
        image=arrays.npy(case.image, kind="volume"),
        spacing=(),
        classes=[FINDINGS[finding] for finding, there in found.items() if there],
        assessed=[FINDINGS[finding] for finding in found],
        source={finding: line["value"].strip() for finding, line in stated.items()},
        meta={"plane": case.plane},
    )


def table(finding):
    return lines(
        rf"(?:^|/)(train|valid)-{finding}\.csv$",
        "exam",
        key=("part", "exam"),
        when=said,
        tell=f"the table of {finding} has no line for its exam: not known",
        lost=f"{finding} is",
        rest="no image of its exam is in this copy",
        header=False,
        columns=("exam", "value"),
    )


rows = Join(
    r"(?:^|/)(?P<part>train|valid)/(?P<plane>axial|coronal|sagittal)/(?P<exam>\d{4})\.npy$",
    row,
    **{finding: table(finding) for finding in FINDINGS},
)


def miniature(make):
    with make.zip("MRNet-v1.0.zip") as inner:
        for part, exams in (("train", ("0000", "0001", "1129")), ("valid", ("1130", "1249"))):
            for number, finding in enumerate(FINDINGS):
                table = [(exam, int(n == number if number else exam != "1130")) for n, exam in enumerate(exams)]
                inner.csv(f"MRNet-v1.0/{part}-{finding}.csv", None, table)
            # Planes and exams differ in their number of slices.
            for n, exam in enumerate(exams):
                for slices, plane in enumerate(("axial", "coronal", "sagittal"), 3 + n):
                    inner.npy(f"MRNet-v1.0/{part}/{plane}/{exam}.npy", (slices, 24, 24))
        inner.npy("MRNet-v1.0/train/axial/1130.npy", (3, 24, 24))
