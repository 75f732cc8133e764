"""Lung-PET-CT-Dx: CT and PET of 355 patients with lung cancer of four kinds, with boxes around the tumor."""

from medimg.builders import _tcia, _tcia_phantom
from medimg.declaration import Citation
from medimg.readers import tables
from medimg.readers.boxes import voc
from medimg.schema import Box, Row, skipped

KINDS = {
    "A": "lung adenocarcinoma",
    "B": "small cell lung carcinoma",
    "E": "large cell lung carcinoma",
    "G": "lung squamous cell carcinoma",
}

DATASET = _tcia.declared(
    "lung-pet-ct-dx",
    title="Lung-PET-CT-Dx",
    aliases=("Lung PET-CT Dx",),
    modality=("CT", "PET"),
    organ="lung",
    task=("detection", "classification"),
    license="CC-BY-4.0",
    citation=Citation(
        title="A large-scale CT and PET/CT dataset for lung cancer diagnosis",
        authors="Li P, Wang S, Li T, Lu J, HuangFu Y, Wang D",
        venue="The Cancer Imaging Archive",
        year=2020,
        doi="10.7937/TCIA.2020.NNC2-0461",
    ),
    labels=KINDS,
    splits={"train": 1295},
    subject="PatientID of the DICOM header (Lung_Dx-A0001); the annotations' folders are called A0001",
    keys=(
        "SeriesInstanceUID; No.; NewPatientID; Sex; Age; weight (kg); T-Stage; "
        "Histopathological grading; SOPInstanceUID; name; box; N-Stage; M-Stage; Smoking History"
    ),
    layout_evidence="idc-index-data 25.0.5, collection lung_pet_ct_dx; public code that reads "
    "manifest-1608669183333 and Annotations-XML-Files-rev12222020",
    labels_evidence="the collection's page (letter of the PatientID; it prints C for large cell, the ids use E); "
    "deepakri201/SR_for_Lung_PET_CT_Dx@8a277c1 (30,776 boxes as DICOM reports of the cloud copy, found by "
    "SOPInstanceUID, with xmin to ymax as image coordinates: from the first pixel's corner)",
    notes=(
        "A box belongs to the series that holds its slice, and is one slice thick. Other reconstructions of "
        "the study and PET have none, although the tumor is there.",
        "The kind of cancer is that of the patient. Kinds are unbalanced: 251 A, 38 B, 5 E, 61 G.",
        "Use the annotations rev12222020, not those of October; where a copy has both, the later count.",
    ),
)


def rows(files):
    # In natural order the later revision comes last.
    found = {uid: file for file, uid in files.match(r"([\d.]{20,})\.xml$")}
    people = tables.lines_by(files, r"statistics-clinical-\d+\.xlsx$", "NewPatientID")
    used = set()
    for scan in _tcia.folders(files):
        if reason := _tcia.no_image(scan.tags):
            yield from scan.skip(reason)
            continue
        modality, letter = scan.tags["Modality"], scan.patient.rpartition("-")[2]
        with files.row(*scan.files):
            yield Row(
                id=scan.id,
                subject=scan.patient,
                image=scan.image,
                modality=_tcia.MODALITIES[modality],
                classes=(KINDS[letter[0]],),
                assessed=tuple(KINDS.values()),
                meta=scan.meta | people.get(letter, {}),
                **(boxes(scan.image, found, used) if modality == "CT" else {}),
            )
    lost = (file for uid, file in found.items() if uid not in used)
    yield from skipped(lost, "a box on a slice that is not in this copy")


def boxes(image, found, used):
    """Boxes of one CT, with what their files say."""
    drawn, source = [], []
    for k, one in enumerate(image.plan.slices):
        if one.uid not in found:
            continue
        used.add(one.uid)
        for thing in voc(found[one.uid]).objects:
            source.append({"SOPInstanceUID": one.uid, "name": thing.name, "box": thing.box})
            if not thing.empty:
                x0, y0, x1, y1 = thing.half_open(0)
                drawn.append(Box(name=KINDS[thing.name.strip().upper()], box=(x0, y0, k, x1, y1, k + 1)))
    return {"boxes": drawn, "source": source or None}


def miniature(make):
    root, xml = "manifest-1608669183333/Lung-PET-CT-Dx", "Lung-PET-CT-Dx-Annotations-XML-Files-rev"
    box = "<bndbox><xmin>3</xmin><ymin>2</ymin><xmax>{}</xmax><ymax>8</ymax></bndbox>"
    page = f"<annotation><object><name>{{}}</name>{box}</object></annotation>"
    slices = {}  # A0024 has no boxes
    for patient in ("Lung_Dx-A0001", "Lung_Dx-E0002", "Lung_Dx-A0024"):
        study = f"{root}/{patient}/04-04-2007-NA-Chest-07990"
        slices[patient] = make.dicom_series(f"{study}/2.000000-5mm-40805", 4, patient=patient)
        make.dicom_series(f"{study}/3.000000-1mm-40806", 4, patient=patient)
    _tcia_phantom.report(make, f"{root}/Lung_Dx-A0001/SR/1.dcm", slices["Lung_Dx-A0001"], "Lung_Dx-A0001")
    pet = {"modality": "PT", "patient": "Lung_Dx-A0001", "slope": 0.5, "intercept": 0}
    make.dicom_series(f"{root}/Lung_Dx-A0001/04-04-2007-NA-Chest-07990/4.0-PET WB-1", 3, **pet)
    for revision, right in (("10152020", 9), ("12222020", 10)):
        with make.zip(f"{xml}{revision}.zip") as inner:
            for patient, one in ((name, one) for name, ct in [*slices.items()][:2] for one in ct[1:3]):
                path = f"Annotation/{patient[-5:]}/{one['SOPInstanceUID']}.xml"
                inner.text(path, page.format(patient[-5], right))
    head = ["No.", "NewPatientID", "Sex", "Age", "weight (kg)", "T-Stage", "Histopathological grading"]
    make.xlsx("statistics-clinical-20201221.xlsx", head, [(1, "A0001", "F", 63, 61.5, "2a", None)])
