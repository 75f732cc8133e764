"""ACRIN-FLT-Breast (ACRIN 6688): FLT-PET/CT of 83 women with breast cancer before and during chemotherapy.

[18F]fluorothymidine shows how fast the tumor grows; up to three sessions were to tell early whether the
treatment works. Dynamic and static PET come with the CT of each session.
"""

from medimg.builders import _tcia, _tcia_phantom
from medimg.declaration import Citation

DATASET = _tcia.declared(
    "acrin-flt-breast",
    title="ACRIN-FLT-Breast (ACRIN 6688)",
    aliases=("ACRIN 6688", "ACRIN 66", "ACRIN 66"),
    modality=("PET", "CT"),
    organ="breast",
    task="treatment response",
    license="CC-BY-3.0",
    citation=Citation(
        title="Data from ACRIN-FLT-Breast",
        authors="Kinahan P, Muzi M, Bialecki B, Coombs L",
        venue="The Cancer Imaging Archive",
        year=2017,
        doi="10.7937/K9/TCIA.2017.ol20zmxg",
    ),
    splits={"train": 0},
    subject="PatientID of the DICOM header (ACRIN-FLT-Breast_001 …); up to three sessions",
    keys="SeriesInstanceUID; SeriesNumber; frame",
    layout_evidence="idc-index-data 25.0.5, collection acrin_flt_breast (series, modalities, descriptions)",
    labels_evidence="idc-index-data 25.0.5, collection acrin_flt_breast: series of PT, CT and OT alone, so nothing is "
    "drawn on the images; the clinical forms are not read",
    license_evidence="the collection's page (CC BY 3.0 for images and clinical data)",
    notes=(
        "Rows are unlabelled. Complete response, Ki-67 and SUV stand in the collection's clinical forms "
        "(Demographic, Follow-Up, Measurement), which are joined by PatientID and are not part of the rows.",
        "A dynamic PET series gives one row for each frame, counted in meta.frame.",
        "Nearly all series are called PET-CT SERIES. Dates are shifted to 1960: only differences mean "
        "something. Three patients have no CT.",
        "Not to be confused with ACRIN 6698 (diffusion MRI of the breast).",
    ),
)


rows = _tcia.rows


def miniature(make):
    # All series have one name, and dates near 1960.
    patient, name = "ACRIN-FLT-Breast_001", "PET-CT SERIES"
    root = "manifest-1549400000000/ACRIN-FLT-Breast"
    study = f"{root}/{patient}/12-23-1959-NA-THORAX-31801"
    day = {"SeriesDescription": name, "StudyDate": "19591223"}
    tags = day | {"SeriesNumber": 2}
    make.dicom_series(f"{study}/2.000000-{name}-77851", 3, patient=patient, tags=tags)
    # Frames of a dynamic series: only the order of InstanceNumber tells them apart. PET scales every slice.
    points = [{"InstanceNumber": n, "RescaleSlope": n / 4, "Units": "BQML"} for n in (1, 2, 3)]
    _tcia_phantom.dynamic(make, f"{study}/{name}-66101", points, patient, modality="PT", **day)
    make.dicom_series(f"{study}/{name}-66102", 4, modality="PT", patient=patient, intercept=0, tags=day)
    capture = day | {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "SeriesInstanceUID": "2.25.8"}
    make.dicom(f"{study}/{name}-88002/1-1.dcm", modality="PT", patient=patient, tags=capture)
    make.dicom(f"{study}/{name}-88003/1-1.dcm", modality="OT", patient=patient, tags=day)
    # A patient without CT.
    patient = "ACRIN-FLT-Breast_029"
    folder = f"{root}/{patient}/01-05-1960-NA-PET-11802/{name}-33101"
    make.dicom_series(folder, 3, modality="PT", patient=patient, intercept=0, tags=day)
