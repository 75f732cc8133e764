"""iSeg-2019: T1- and T2-weighted brain MRI of infants six months old, from several sites.

White matter, gray matter and cerebrospinal fluid are outlined; at this age the two tissues have almost the
same intensity.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import axes, nifti, volumes
from medimg.schema import Row, Skipped

PAGE = "https://iseg2019.web.unc.edu/"
OPENMEDLAB = "openmedlab/Awesome-Medical-Dataset:resources/iSeg.md@81da0eee"

DATASET = Dataset(
    name="iseg2019",
    title="iSeg-2019, 6-month infant brain MRI segmentation from multiple sites",
    aliases=("iSeg-2019",),
    dimension="3d",
    modality="MRI",
    organ="brain",
    task="segmentation",
    license="LicenseRef-iSeg2019",
    homepage=PAGE,
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


def rows(files):
    headers = files.index(r"subject-(\d+)-(T1|T2|label)\.hdr$", key=(1, 2))
    parts = {
        file.path: part for file, part in files.match(r"iSeg-2019-(Training|Validation|Testing)/.*\.hdr$")
    }
    for case in dict.fromkeys(case for case, _ in headers):
        found = {kind: headers[case, kind] for kind in ("T1", "T2", "label") if (case, kind) in headers}
        part = parts.get(next(iter(found.values())).path)
        train = part == "Training" if part else "label" in found
        if {"T1", "T2", *(["label"] if train else [])} - set(found):
            reason = f"subject {case} is not complete in this copy: {', '.join(found)}"
            yield from (Skipped(file=file, reason=reason) for file in found.values())
            continue
        late = part == "Testing" if part else int(case) > 23
        yield Row(
            id=f"subject-{case}",
            split="train" if train else "test" if late else "validation",
            subject=case,
            image=volumes.stack([nifti.volume(found["T1"]), nifti.volume(found["T2"])]),
            mask=axes.squeezed(volumes.mask(nifti.volume(found["label"]))) if train else None,
            sequence=("T1", "T2"),
        )
    for file, case, kind in files.match(r"subject-(\d+)-(T1|T2|label)\.img$"):
        if (case, kind) not in headers:
            yield Skipped(file=file, reason="voxels whose header is not in this copy")


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
                    inner.analyze(f"{top}/{top}/subject-{case}-{kind}.hdr", size, labels=tissues)
                if part == "Training":
                    mask = {"labels": (10, 150, 250), "dtype": "uint8"}
                    inner.analyze(f"{top}/{top}/subject-{case}-label.hdr", size, **mask)
