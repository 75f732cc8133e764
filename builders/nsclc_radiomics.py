"""NSCLC-Radiomics (Lung1): planning CT of 422 patients with non-small cell lung cancer.

A radiation oncologist outlined the gross tumor volume and organs at risk; survival, stage and histology are
known. Which organs are outlined differs between patients.
"""

from functools import partial

from medimg.builders import _tcia, _tcia_phantom
from medimg.declaration import Citation
from medimg.readers import tables
from medimg.schema import Measure, Row, skipped

ROIS = {
    "gtv-?1$": ("gross tumor volume", "lung tumor"),
    "gtv": ("gross tumor volume",),
    "lung-left": ("left lung",),
    "lung-right": ("right lung",),
    "lung": ("lung",),
    "heart": ("heart",),
    "esophagus": ("esophagus",),
    "spinal-?cord": ("spinal cord",),
}
KINDS = {
    "adenocarcinoma": "lung adenocarcinoma",
    "large cell": "large cell lung carcinoma",
    "squamous cell carcinoma": "lung squamous cell carcinoma",
}
LOADER = "constantinpape/torch-em:torch_em/data/datasets/medical/nsclc_radiomics.py@3db1c5ef"
NSCLC = "non-small cell lung carcinoma"

DATASET = _tcia.declared(
    "nsclc-radiomics",
    title="NSCLC-Radiomics (Lung1)",
    aliases=("Lung1", "NSCLC Radiomics"),
    modality="CT",
    organ=("lung", "heart", "esophagus", "spinal cord"),
    task=("segmentation", "survival", "classification"),
    license="CC-BY-NC-3.0",
    citation=Citation(
        title="Decoding tumour phenotype by noninvasive imaging using a quantitative radiomics approach",
        authors="Aerts HJWL, Velazquez ER, Leijenaar RTH, et al.",
        venue="Nature Communications 5:4006",
        year=2014,
        doi="10.1038/ncomms5006",
    ),
    legend=_tcia.values(ROIS),
    labels=KINDS | {"nos": NSCLC, "NA": (), "": ()},
    splits={"train": 422},
    subject="PatientID of the DICOM header (LUNG1-001 … LUNG1-422)",
    keys=(
        "SeriesInstanceUID; PatientID; age; clinical.T.Stage; Clinical.N.Stage; Overall.Stage; "
        "Histology; gender; Survival.time; RTSTRUCT; ROIs; ROINumber; ROIName; contours; "
        "Clinical.M.Stage; deadstatus.event"
    ),
    layout_evidence=f"{LOADER}; idc-index-data 25.0.5, collection nsclc_radiomics",
    labels_evidence=f"{LOADER} (names of the contours and how many patients have each); public scripts that read "
    "columns Histology, Survival.time and deadstatus.event",
    notes=(
        "A structure that was not outlined is unknown, not absent: see `assessed`. The heart is outlined in "
        "127 patients, the esophagus in 355, lungs and spinal cord in 411.",
        "GTV-1 is the primary tumor; further volumes, mostly lymph nodes, are gross tumor volume alone.",
        "Masks are made of the RTSTRUCT, which all 422 patients have. The DICOM SEG of the collection (421) "
        "hold the same contours, those of others in the IDC were made by programs; both are left out.",
    ),
)


def rows(files):
    table, lost = r"NSCLC.Radiomics.Lung1\.clinical.*\.csv$", "histology, stage and survival are"
    people = tables.lines_by(files, table, "PatientID", lost=lost)
    cavities = [file for file, _ in files.match(r"_(thor_cav|effusion)[^/]*\.nii(?:\.gz)?$")]
    yield from skipped(cavities, "PleThora: drawn by others, along other axes than the CT")
    reasons = {"SEG": "the contours of the RTSTRUCT, or a program's"}
    yield from _tcia.drawn_on(files, "RTSTRUCT", partial(labeled, people), reasons=reasons)


def labeled(people, scan, contours):
    image, said = scan.image, people.get(scan.patient, {})
    label, why = _tcia.contoured(contours, image, ROIS)
    if why:
        yield from skipped((*scan.files, *contours), why)
        return
    kind, days = said.get("Histology", ""), said.get("Survival.time", "")
    looked = KINDS.values() if kind in KINDS else ()
    yield Row(
        id=scan.id,
        subject=scan.patient,
        image=image,
        classes=tuple(dict.fromkeys((NSCLC, *DATASET.labels[kind]))),
        assessed=(NSCLC, *looked, *label.pop("assessed")),
        measures=[Measure(name="survival time", value=float(days), unit="d")] if days else (),
        meta=scan.meta | said,
        **label,
    )


def miniature(make):
    root = "manifest-1603198545583/NSCLC-Radiomics"
    first = {"GTV-1": [(1, 3, 6), (2, 3, 6)], "Lung-Left": [(1, 1, 9), (2, 1, 9), (2, 4, 5)]}
    first |= {"Spinal_Cord": [(1, 8, 10)], "patient": [(0, 0, 11)], "iso": [(0, 4, 4)]}
    second = {"GTV-1": [(0, 2, 4)], "gtv_10_r": [(1, 5, 8)], "Lungs-Total": [(1, 1, 9)], "Heart": []}
    for patient, drawn in (("LUNG1-001", first), ("LUNG1-128", second)):
        # Series are called by UID or by number and description, which is empty.
        study, tags = f"{root}/{patient}/09-18-2008-StudyID-NA-69331", {"SeriesDescription": ""}
        ct = make.dicom_series(f"{study}/0.000000-NA-82046", 4, patient=patient, tags=tags)
        _tcia_phantom.structures(make, f"{study}/2.25.{patient[-3:]}/1-1.dcm", ct, drawn, patient)
        if patient == "LUNG1-128":
            continue
        # Beside the collection's own SEG what others made: a program (in the IDC), and PleThora.
        for series in ("300.000000-Seg-9.554", "42.0-nnU-Net-1"):
            _tcia_phantom.segmentation(make, f"{study}/{series}/1-1.dcm", ct, {"Neoplasm": [(1, 3, 6)]}, patient)
        _tcia_phantom.report(make, f"{study}/43.0-nnU-Net-2/1-1.dcm", ct, patient)
        make.nifti(
            f"Thoracic_Cavities/{patient}_thor_cav_primary_reviewer.nii.gz",
            (16, 12, 4),
            labels=(1,),
            dtype="int16",
        )
    header = "PatientID,age,clinical.T.Stage,Clinical.N.Stage,Overall.Stage,Histology,gender,Survival.time"
    people = [("LUNG1-001", 78.7515, 2, 3, "IIIb", "large cell", "male", 2165)]
    people += [("LUNG1-128", 64.1, 2, 2, "IIIa", "NA", "female", 155)]
    make.csv("NSCLC-Radiomics-Lung1.clinical-version3-Oct-2019.csv", header, people)
