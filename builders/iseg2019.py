"""iSeg-2019: T1- and T2-weighted brain MRI of infants six months old, from several sites.

White matter, gray matter and cerebrospinal fluid are outlined; at this age the two tissues have almost the
same intensity.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join
from medimg.readers import nifti, volumes
from medimg.schema import Row

PAGE = "https://iseg2019.web.unc.edu/"
OPENMEDLAB = "openmedlab/Awesome-Medical-Dataset:resources/iSeg.md@81da0eee"
SPLITS = {"Training": "train", "Validation": "validation", "Testing": "test"}

DATASET = Dataset(
    name="iseg2019",
    title="iSeg-2019, 6-month infant brain MRI segmentation from multiple sites",
    aliases=("iSeg-2019",),
    dimension="3d",
    modality="MRI",
    organ="brain",
    task="segmentation",
    license="LicenseRef-iSeg2019",
    citation=Citation(
        title="Multi-site infant brain segmentation algorithms: the iSeg-2019 challenge",
        authors="Sun Y, Gao K, Wu Z, et al.",
        venue="IEEE Transactions on Medical Imaging 40(5):1363-1376",
        year=2021,
        doi="10.1109/TMI.2021.3055428",
    ),
    access="registration",
    how=f"Register at {PAGE}, download iSeg-2019-Training.zip, iSeg-2019-Validation.zip and "
    'iSeg-2019-Testing.zip, and pass their folder: medimg.load("iseg2019", source="~/iSeg-2019").',
    sources=(Source(url=PAGE, kind="page"),),
    legend={10: ("cerebrospinal fluid",), 150: ("gray matter",), 250: ("white matter",)},
    splits={"train": 10, "validation": 13, "test": 16},
    subject="the number in subject-<n>-T1.hdr",
    evidence=Evidence(
        layout=f"{OPENMEDLAB}; public iSeg-2017 and -2019 code of several groups (names, shapes; the test "
        "archive holds subject-24 to subject-39)",
        labels=f"{OPENMEDLAB}; the same code (values 0, 10, 150, 250)",
        license=f"{PAGE}rules/ (confidentiality agreement; not to be redistributed)",
        subject=OPENMEDLAB,
    ),
    notes=(
        "T1 and T2 are stacked along the last axis. The files have a fourth axis of length one.",
        "Mask values are the source's own: 10, 150 and 250.",
        "Images are skull-stripped: T1 is not zero exactly in the brain.",
        "iSeg-2017 shares the subjects of training and validation.",
    ),
)


def row(case):
    found = case.image
    part = case.part or part_by_number(case)
    needed = {"T1", "T2", "label"} if part == "Training" else {"T1", "T2"}
    if needed - set(found):
        return case.skip(f"subject {case.number} is not complete in this copy: {', '.join(found)}")
    drawn = None
    if part == "Training":
        drawn = volumes.squeezed(volumes.mask(nifti.volume(found["label"])))
    return Row(
        id=f"subject-{case.number}",
        split=SPLITS[part],
        subject=case.number,
        image=volumes.stack([nifti.volume(found["T1"]), nifti.volume(found["T2"])]),
        mask=drawn,
        sequence=("T1", "T2"),
    )


def part_by_number(case):
    """Of a copy whose folders do not tell it."""
    if "label" in case.image:
        return "Training"
    return "Testing" if int(case.number) > 23 else "Validation"


rows = Join(
    r"(?:iSeg-2019-(?P<part>Training|Validation|Testing)/(?:.*/)?)?subject-(?P<number>\d+)-(?P<kind>T1|T2|label)\.hdr$",
    row,
    by="kind",
    left=[(r"subject-\d+-(?:T1|T2|label)\.img$", "voxels whose header is not in this copy")],
)


def miniature(make):
    for part, cases, shape in (
        ("Training", (1, 10), (12, 14, 10, 1)),
        ("Validation", (11, 23), (12, 14, 10, 1)),
        ("Testing", (24,), (12, 14, 10, 1)),
    ):
        top = f"iSeg-2019-{part}"
        with make.zip(f"{top}.zip") as inner:
            inner.bytes(f"__MACOSX/{top}/._subject-{cases[0]}-T1.hdr", b"\x00\x05\x16\x07Mac OS X")
            for case in cases:
                size = (14, *shape[1:]) if case == 23 else shape
                # Nothing but the brain is above zero, and its two tissues look almost the same.
                for kind, seen in {"T1": (300, 500, 520), "T2": (900, 610, 600)}.items():
                    tissues = [value + case for value in seen]
                    inner.analyze(f"{top}/{top}/subject-{case}-{kind}.hdr", size, labels=tissues, dtype="int16")
                if part == "Training":
                    inner.analyze(f"{top}/{top}/subject-{case}-label.hdr", size, labels=(10, 150, 250))
