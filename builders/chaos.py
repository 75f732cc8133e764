"""CHAOS: healthy abdominal organs in CT and MRI of the Dokuz Eylul University Hospital, Izmir.

CT of 40 potential liver donors in the portal venous phase, and MRI of 40 other persons with the sequences
T1-DUAL (in and out of phase) and T2-SPIR. Half of each is outlined: the liver in CT; liver, kidneys and
spleen in MRI.
"""

from medimg.declaration import Citation, Dataset, Evidence, Part, Source
from medimg.errors import LabelError
from medimg.readers import dicom, masks, raster, volumes
from medimg.schema import Row, skipped

ZENODO = "https://zenodo.org/records/3431873"
CT = {1: ("liver",)}
MRI = {1: ("liver",), 2: ("right kidney",), 3: ("left kidney",), 4: ("spleen",)}
CASE = r"(?:(Train|Test)_Sets/)?(CT|MR)/(\d+)/(?:(T1DUAL|T2SPIR)/)?"
PAIRED = "slices and ground truth pair by the order of their file names; PNG files state no geometry"
# MRI: the gray value of each organ may lie in a range around 63, 126, 189 or 252.
RANGES = {0: (0,), 1: range(55, 71), 2: range(110, 136), 3: range(175, 201), 4: range(240, 256)}
GRAYS = {gray: value for value, grays in RANGES.items() for gray in grays}

DATASET = Dataset(
    name="chaos",
    title="CHAOS, Combined (CT-MR) Healthy Abdominal Organ Segmentation",
    aliases=("CHAOS challenge", "Combined Healthy Abdominal Organ Segmentation"),
    dimension="3d",
    modality=("CT", "MRI"),
    organ=("liver", "kidney", "spleen"),
    task="segmentation",
    license="CC-BY-NC-SA-4.0",
    homepage="https://chaos.grand-challenge.org/",
    citation=Citation(
        title="CHAOS Challenge - combined (CT-MR) healthy abdominal organ segmentation",
        authors="Kavur AE, Gezer NS, Barış M, et al.",
        venue="Medical Image Analysis 69:101950",
        year=2021,
        doi="10.1016/j.media.2020.101950",
    ),
    sources=(
        Source(
            url=f"{ZENODO}/files/CHAOS_Train_Sets.zip",
            sha256="535f7d3417a0e0f0d9133fb3d962423d2a9cf3f103e4f09a3d8a1daf87d5d2fc",
        ),
        Source(
            url=f"{ZENODO}/files/CHAOS_Test_Sets.zip",
            sha256="80e9e4d4c4e363f142de4570e9b698e3f92dcb5140cc25a9c1cf4963e5ae7541",
        ),
        Source(url=ZENODO, kind="page"),
    ),
    legend=MRI,
    parts=(Part(modality="CT", legend=CT),),
    splits={"train": 80, "test": 80},
    subject="the folder's number with its modality: CT and MR are numbered apart and are of different persons",
    keys="sequence; phase",
    evidence=Evidence(
        layout="constantinpape/torch-em:torch_em/data/datasets/medical/chaos.py@0053265; "
        "jonasteuwen/chaos-challenge:build_chaos_dataset.py (masks against the order of slices); "
        "zhaoziheng/SAT-DS@492df0e (processor.py)",
        labels="https://chaos.grand-challenge.org/Data/; zhaoziheng/SAT-DS@492df0e (processor.py: gray "
        "values with their ranges, one ground truth for both phases)",
        license="https://zenodo.org/records/3431873 (CC BY-NC-SA 4.0)",
        subject="https://chaos.grand-challenge.org/Data/ (CT and MR are acquired from different patients)",
    ),
    notes=(
        "The challenge's older terms of use say that sharing is not allowed; the organizers' own Zenodo "
        "record says CC BY-NC-SA 4.0.",
        "One ground truth serves both phases of T1-DUAL, which are registered. Each MRI person has three rows.",
        "The ground truth of the test sets was never published.",
    ),
    bad_files="quarantine",
)


def rows(files):
    series, drawn, used = {}, {}, set()
    for file, *case in files.match(CASE + r"DICOM_anon/(?:(InPhase|OutPhase)/)?[^/]+\.dcm$"):
        series.setdefault(tuple(case), []).append(file)
    for file, *case in files.match(CASE + r"Ground/[^/]+\.png$"):
        drawn.setdefault(tuple(case), []).append(file)
    for (*case, phase), slices in series.items():
        part, modality, number, sequence = case
        truths = drawn.get(tuple(case))
        # The ground truth of T1-DUAL is named as the slices in phase.
        named = series.get((*case, "InPhase")) if phase == "OutPhase" else slices
        if (part == "Train" and not truths) or (truths and not named):
            yield from skipped(slices, "no ground truth in this copy that it pairs with")
            continue
        used.add(tuple(case))
        ct, subject = modality == "CT", f"{modality}-{number}".lower()
        image, mask = dicom.series(slices), None
        with files.row(*slices, *(truths or ())):
            if truths:
                mask = volumes.on_grid(ground_truth(named, truths, ct), image, reason=PAIRED)
            yield Row(
                id="-".join(filter(None, (subject, sequence, phase))).lower(),
                split="train" if truths else "test",
                subject=subject,
                image=image,
                modality="CT" if ct else "MRI",
                organ=("liver",) if ct else None,
                mask=mask,
                legend=CT if ct else None,
                meta={"sequence": sequence, "phase": phase} if sequence else {},
            )
    for case, truths in drawn.items():
        if case not in used:
            yield from skipped(truths, "ground truth whose slices are not in this copy")


def ground_truth(named, truths, ct):
    """The ground truth, in the order in which the slices that name it lie in space."""
    if len(named) != len(truths):
        raise LabelError(f"{len(named)} slices, but {len(truths)} files of ground truth", file=named[0].path)
    of = dict(zip(named, truths, strict=True))
    ordered = [of[item.file] for item in dicom.series(named).plan.slices]
    return raster.stack([masks.threshold(file, 1) if ct else masks.mask(file, GRAYS) for file in ordered])


def miniature(make):
    # File names count against space and differ between cases; those out of phase are numbered in between.
    usual, other, even, odd = "i{:04d},0000b", "IMG-0002-{:05d}", "IMG-0004-{:04d}2", "IMG-0004-{:04d}1"
    scans = (("CT/1", usual, 255), ("CT/21", other, 255), ("MR/1/T1DUAL", even, 0), ("MR/1/T2SPIR", other, 0))
    with make.zip("CHAOS_Train_Sets.zip") as inner:
        for case, names, gray in scans:
            scan(inner, f"Train_Sets/{case}", names, "/InPhase" if case.endswith("DUAL") else "")
            for rank in range(4):
                # The first is empty, as ground truth is beyond an organ; that of CT has one bit and other names.
                # Grays of MRI lie in ranges.
                grays = (70, 110, 200, 240) if case.endswith("SPIR") else (63, 126, 189, 252)
                labels = () if not rank else (gray,) if gray else grays
                name = f"liver_GT_{rank:03d}" if gray else names.format(rank + 1)
                mask = {"labels": labels, "mode": "1" if gray else "L", "nested": not rank}
                inner.image(f"Train_Sets/{case}/Ground/{name}.png", (16, 12), **mask)
        scan(inner, "Train_Sets/MR/1/T1DUAL", odd, "/OutPhase")
    with make.zip("CHAOS_Test_Sets.zip") as inner:
        for case, names, phase in (
            ("CT/3", usual, ""),
            ("MR/4/T1DUAL", even, "/InPhase"),
            ("MR/4/T2SPIR", even, ""),
        ):
            scan(inner, f"Test_Sets/{case}", names, phase)


def scan(make, case, names, phase):
    modality = case.split("/")[1]
    more = {"modality": modality, "patient": case, "names": names + ".dcm"}
    if modality == "MR":
        more |= {"intercept": 0, "tags": {"EchoTime": 2.3 if phase == "/OutPhase" else 4.6}}
    make.dicom_series(f"{case}/DICOM_anon{phase}", **more)
