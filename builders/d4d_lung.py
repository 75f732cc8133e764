"""4D-Lung: respiratory-correlated CT and cone-beam CT of 20 patients with locally advanced lung cancer.

Each acquisition has ten volumes, one per phase of breathing, and was repeated over the weeks of
radiochemotherapy. Tumor, lymph nodes and landmarks are outlined in every phase of part of the CT.
"""

import re
from functools import partial

from medimg.builders import _tcia, _tcia_phantom
from medimg.declaration import Citation, Part
from medimg.schema import Row, skipped

ROIS = {
    "tumor|gtv": ("gross tumor volume", "lung tumor"),
    "ln": ("lymph node",),
    "carina": ("carina",),
    "vertebra": ("vertebra",),
    "(spinal-?)?cord": ("spinal cord",),
    "(lung-?l|l(eft)?-lung)": ("left lung",),
    "(lung-?r|r(ight)?-lung)": ("right lung",),
    "(total-)?lung": ("lung",),
    "heart": ("heart",),
    "o?esoph": ("esophagus",),
    "(gold-?)?(marker|fiducial)": ("fiducial marker",),
}

DATASET = _tcia.declared(
    "4d-lung",
    title="4D-Lung",
    aliases=("4D Lung", "Data from 4D Lung Imaging of NSCLC Patients"),
    modality=("4D CT", "CBCT"),
    organ="lung",
    task=("segmentation", "registration"),
    license="CC-BY-3.0",
    citation=Citation(
        title="A longitudinal four-dimensional computed tomography and cone beam computed tomography dataset "
        "for image-guided radiation therapy research in lung cancer",
        authors="Hugo GD, Weiss E, Sleeman WC, et al.",
        venue="Medical Physics 44(2):762-771",
        year=2017,
        doi="10.1002/mp.12059",
    ),
    legend=_tcia.values(ROIS),
    parts=(Part(modality="CBCT"),),
    splits={"train": 5890},
    subject="PatientID of the DICOM header (100_HM10395 … 119_HM10395)",
    keys="SeriesInstanceUID; SeriesNumber; phase_percent; RTSTRUCT; ROIs; ROINumber; ROIName; contours",
    labels_evidence="constantinpape/torch-em:torch_em/data/datasets/medical/four_d_lung.py@4fa51acf and public readers "
    "(Tumor_c00, LN_c00, Carina_c00, Vertebra_c00, Esophagus_c00; in patient 115 'Tumor_ c00'); "
    "alexprotom/rust-dicom-station:docs/example-data.md@22e8a11e (also cord, lungs, heart and four gold "
    "markers, whose exact names were not read: what no pattern matches goes into no mask)",
    notes=(
        "One row is one phase of one acquisition: keep all rows of a patient in one split.",
        "Only fan-beam CT have contours: one acquisition in patients 100 to 106, four to eight in the others. "
        "A structure that was not outlined is unknown: see `assessed`. Names of structures that go into no "
        "mask are in `label.source`.",
        "The phase is part of SeriesDescription (fan-beam CT) or of SeriesNumber 500 to 509 (cone-beam CT). "
        "Phases of a cone-beam CT lie on one grid, although their frames of reference differ. Ten of them have "
        "2 slices and ten have 98; about 50 are usual.",
        "Dates, which are also in the folders' names, are shifted: only differences between them mean something.",
    ),
)


def labeled(scan, contours):
    image, label = scan.image, {"assessed": ()}
    if contours:
        label, why = _tcia.contoured(contours, image, ROIS)
        if why:
            yield from skipped((*scan.files, *contours), why)
            return
    cone = "varian" in str(scan.tags.get("Manufacturer", "")).lower()
    yield Row(
        id=scan.id,
        subject=scan.patient,
        image=image,
        modality="CBCT" if cone else "4D CT",
        meta=scan.meta | phase(scan.tags),
        **label,
    )


def phase(tags):
    """How far the breath is, in percent, by the description or the number of the series."""
    if said := re.search(r"([\d.]+)\s*%", str(tags.get("SeriesDescription", ""))):
        return {"phase_percent": float(said[1])}
    tenth = tags.get("SeriesNumber", 0) - 500
    return {"phase_percent": tenth * 10.0} if 0 <= tenth <= 9 else {}


rows = partial(_tcia.drawn_on, kind="RTSTRUCT", rows=labeled)


def miniature(make):
    # Every phase has SeriesNumber 1, not all names end in A; cone-beam CT has 2 slices or more.
    for patient, gap, end in (("100_HM10395", "", "A"), ("115_HM10395", " ", "")):
        root = f"manifest-1544130430000/4D-Lung/{patient}"
        for percent in (0, 50):
            name = f"P4^P100^S300^I0, Gated, {percent}.0%{end}"
            tags = {"SeriesNumber": 1, "SeriesDescription": name, "Manufacturer": "ADAC"}
            study = f"{root}/07-02-2003-p4-14571"
            ct = make.dicom_series(f"{study}/1.000000-{name}-{percent}9094", 3, patient=patient, tags=tags)
            rois = {f"Tumor_{gap}c{percent:02d}": [(1, 3, 7)], f"LN_c{percent:02d}": [(1, 6, 9)]}
            rois |= {f"Carina_c{percent:02d}": [(2, 2, 4)], f"PTV_c{percent:02d}": [(1, 2, 8)]}
            rois |= {} if percent else {"Vertebra_c00": [(0, 2, 5)]}
            _tcia_phantom.structures(make, f"{study}/1.000000-{percent}4177/1-1.dcm", ct, rois, patient)
            tags |= {"StudyInstanceUID": f"2.25.79{patient[:3]}"}  # a later week: nothing is outlined
            make.dicom_series(f"{root}/07-16-2003-p4-16571/1-{percent}", 3, patient=patient, tags=tags)
            tags = {"SeriesNumber": 500 + percent // 10, "Manufacturer": "Varian Medical Systems"}
            folder = f"{root}/07-09-2003-p4-15571/{tags['SeriesNumber']}.000000-CBCT-{percent}1"
            tags |= {"FrameOfReferenceUID": f"2.25.77{percent}", "StudyInstanceUID": f"2.25.78{patient[:3]}"}
            make.dicom_series(folder, 5 if percent and gap else 2, patient=patient, tags=tags)
