"""QIN-BREAST: PET/CT and MRI of 68 women with breast cancer before, during and after chemotherapy.

Whether the tumor responded completely is known; the two kinds of images come from partly different women.
"""

from medimg.builders import _tcia, _tcia_phantom
from medimg.declaration import Citation
from medimg.readers import tables

RESPONSES = {"pcr": "complete pathologic response", "non-pcr": "no pathologic complete response"}

DATASET = _tcia.declared(
    "qin-breast",
    title="QIN-BREAST",
    aliases=("QIN Breast",),
    modality=("PET", "CT", "MRI"),
    organ="breast",
    task=("treatment response", "classification"),
    license="CC-BY-3.0",
    citation=Citation(
        title="Data From QIN-Breast",
        authors="Li X, Abramson RG, Arlinghaus LR, et al.",
        venue="The Cancer Imaging Archive",
        year=2016,
        doi="10.7937/K9/TCIA.2016.21JUebH0",
    ),
    labels=RESPONSES,
    splits={"train": 0},
    subject="PatientID of the DICOM header (QIN-BREAST-01-0001 … 0068); up to three visits",
    keys="SeriesInstanceUID; TemporalPositionIdentifier; Response",
    layout_evidence="idc-index-data 25.0.5, collection qin_breast; public scripts that read manifest-1542731172463 "
    "with QIN-Breast_TreatmentResponse(2014-12-16).xlsx",
    labels_evidence="public scripts that read columns Patient ID and Response, and map pCR and non-pCR in lower case",
    notes=(
        "43 patients have PET and CT, 41 have MRI, 16 have both.",
        "MR series hold several volumes (time points of contrast, flip angles), which are rows of their own; "
        "meta tells the flip angle, time or frame.",
        "The response is that of the patient, at the end of treatment: all visits carry it.",
        "Masks of others in the IDC were made by programs and are left out.",
    ),
)


def rows(files):
    book = files.find(r"QIN-Breast_TreatmentResponse[^/]*\.xlsx$", lost="responses to treatment are")
    told = {row["Patient ID"].strip(): row["Response"] for row in tables.rows(book)} if book else {}

    def about(tags):
        response = told.get(tags["PatientID"], "").strip()
        if not response:
            return {}
        classes = DATASET.labels[response.lower()]
        return {
            "classes": classes,
            "assessed": tuple(RESPONSES.values()),
            "source": {"Response": response},
        }

    return _tcia.rows(files, about)


def miniature(make):
    root, patient = "manifest-1542731172463/QIN-BREAST", "QIN-BREAST-01-0001"
    study = f"{root}/{patient}/09-09-1991-NA-BREAST-37612"
    flips = [{"FlipAngle": 2.0}, {"FlipAngle": 10.0}]
    _tcia_phantom.dynamic(make, f"{study}/301.000000-multi-flip T1-map-31", flips, patient)
    times = [{"TemporalPositionIdentifier": n} for n in (1, 2, 3)]
    _tcia_phantom.dynamic(make, f"{study}/401.000000-dynamic-41", times, patient)
    # A later visit: this woman has PET and CT, too; the second has no MRI.
    visit = {"patient": patient, "tags": {"StudyInstanceUID": "2.25.2", "StudyDate": "19910926"}}
    make.dicom_series(f"{root}/{patient}/09-26-1991-NA-PETCT-2/2.000000-CTAC-21", 3, **visit)
    patient = "QIN-BREAST-01-0002"
    study = f"{root}/{patient}/10-02-1991-NA-PETCT-11612"
    ct = make.dicom_series(f"{study}/2.000000-CTAC-11", 3, patient=patient)
    make.dicom_series(f"{study}/3.000000-PET AC 3DWB-12", 3, modality="PT", patient=patient)
    _tcia_phantom.segmentation(make, f"{study}/9.0-AIMI-1/1-1.dcm", ct, {"Tumor": [(1, 2, 4)]}, patient)
    people = [("QIN-BREAST-01-0001", "pCR"), ("QIN-BREAST-01-0002", "non-pCR")]
    make.xlsx("QIN-Breast_TreatmentResponse(2014-12-16).xlsx", ["Patient ID", "Response"], people)
