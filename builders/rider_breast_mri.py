"""RIDER Breast MRI: diffusion MRI of five women with breast cancer, twice within 15 minutes.

The two scans ("coffee break" exams) tell how far repeated ADC measurements agree. The tumor is outlined in
the first of them.
"""

import re

from medimg.builders import _tcia
from medimg.declaration import Citation
from medimg.readers import votes

DATASET = _tcia.declared(
    "rider-breast-mri",
    title="RIDER Breast MRI",
    aliases=("RIDER Breast",),
    modality="MRI",
    organ="breast",
    task=("repeatability", "segmentation"),
    license="CC-BY-3.0",
    citation=Citation(
        title="Data From RIDER Breast MRI",
        authors="Meyer CR, Chenevert TL, Galbán CJ, et al.",
        venue="The Cancer Imaging Archive",
        year=2015,
        doi="10.7937/K9/TCIA.2015.H1SXNUXL",
    ),
    legend={1: ("breast tumor",)},
    splits={"train": 35},
    subject="PatientID of the DICOM header (RIDER-1125105682)",
    keys="SeriesInstanceUID; exam; mask; series; ADC factor",
    layout_evidence="idc-index-data 25.0.5, collection rider_breast_mri; public readers that tell series by "
    "SeriesDescription ('reference VOI mask', 'early anatomical reference', 'B0')",
    labels_evidence="unverified: that all values of the mask but 0 are tumor. Read: idc-index-data 25.0.5 (the mask is "
    "an MR series of the first exam); two public programs take it whole as the mask of that exam",
    notes=(
        "The mask goes with every series of its own exam that lies on its grid. The second exam has none.",
        "All studies carry one date (1880-09-09); the study's description tells t+0 from t+15 minutes (meta.exam).",
        "ADC are scaled integers: meta has the factor as the header writes it.",
        "There are no labels of treatment response.",
    ),
)


def rows(files):
    scans = list(_tcia.folders(files))
    masks = {scan.tags.get("StudyInstanceUID"): scan for scan in scans if is_mask(scan)}
    used = set()
    for scan in scans:
        if scan in masks.values():
            continue
        if reason := _tcia.no_image(scan.tags):
            yield from scan.skip(reason)
            continue
        study, label = scan.tags.get("StudyInstanceUID"), {}
        if study in masks:
            drawn = masks[study]
            mask = votes.count([drawn.image])
            if _tcia.alike(scan.image, mask):
                used.add(study)
                label = {"mask": mask, "assessed": None, "source": {"mask": drawn.files[0].parent}}
        yield from _tcia.series_rows(scan, meta=described(scan.tags), **label)
    for study, scan in masks.items():
        if study not in used:
            yield from scan.skip("a mask on whose grid no series of its exam lies")


def is_mask(scan):
    return "reference voi mask" in str(scan.tags.get("SeriesDescription", "")).lower()


def described(tags):
    """Of the descriptions, free text that is not told: which exam, one of few kinds of series, the factor of ADC."""
    text, told = str(tags.get("SeriesDescription", "")), {}
    if exam := re.search(r"t\+\d+ mins", str(tags.get("StudyDescription", ""))):
        told["exam"] = exam[0]
    if kind := re.match(r"B\d+|ADC|early anatomical reference", text):
        told["series"] = kind[0]
    if factor := re.search(r"x ([\d.]+E-?\d+) \(units: ([\w^/ -]+)\)", text):
        told["ADC factor"] = f"{factor[1]} (units: {factor[2]})"
    return told


def miniature(make):
    patient = "RIDER-1125105682"
    adc = "ADC = short int value x 0.2E-06 (units: 10E-03 mm^2/s)"
    for minutes in (0, 15):
        study = f"RIDER Breast MRI/{patient}/09-09-1880-1-CONTRAST coffee break exam - t+{minutes} mins-56554"
        names = [
            "B0",
            "B800",
            adc,
            *(() if minutes else ("early anatomical reference", "reference VOI mask")),
        ]
        for number, name in enumerate(names):
            tags = {
                "SeriesDescription": name,
                "StudyInstanceUID": f"2.25.{minutes + 1}",
                "StudyDate": "18800909",
            }
            tags["StudyDescription"] = f"CONTRAST  coffee break exam - t+{minutes} mins"
            place = {"spacing": (0.5, 0.5, 2.5)} if name.startswith("early") else {}
            folder = f"{study}/{number}.000000-{name.replace('/', '')}-1850{number}"
            if number == 4:
                write_mask(make, folder, patient, tags)
                continue
            more = {"modality": "MR", "patient": patient, "intercept": 0, "tags": tags}
            make.dicom_series(folder, 4, names="1-{:02d}.dcm", **more, **place)


def write_mask(make, folder, patient, tags):
    # Ordinary images whose pixels are 0 outside of the tumor.
    for k in range(4):
        place = {"ImagePositionPatient": [-50, -60, -70 + 2.5 * k], "PixelSpacing": [0.7, 0.7]}
        place |= {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "SliceThickness": 2.5}
        tags = tags | place | {"SeriesInstanceUID": "2.25.4"}
        path = f"{folder}/1-{k + 1:02d}.dcm"
        make.dicom(path, modality="MR", patient=patient, tags=tags, low=-1 if 0 < k < 3 else 0, high=k % 3 * 2)
