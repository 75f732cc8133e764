"""OLIVES: the biomarkers' columns, the patients of PRIME, and the miniature."""

from medimg.readers import tables

BIOMARKERS = {
    "Atrophy / thinning of retinal layers": "atrophy of retinal layers",
    "Disruption of EZ": "disruption of ellipsoid zone",
    "DRIL": "disorganization of retinal inner layers",
    "IR hemorrhages": "retinal hemorrhage",
    "IR HRF": "intraretinal hyperreflective foci",
    "Partially attached vitreous face": "partially attached vitreous face",
    "Fully attached vitreous face": "fully attached vitreous face",
    "Preretinal tissue/hemorrhage": "preretinal tissue or hemorrhage",
    "Vitreous debris": "vitreous debris",
    "VMT": "vitreomacular traction",
    "DRT/ME": "macular edema",
    "Fluid (IRF)": "intraretinal fluid",
    "Fluid (SRF)": "subretinal fluid",
    "Disruption of RPE": "disruption of retinal pigment epithelium",
    "PED (serous)": "pigment epithelial detachment",
    "SHRM": "subretinal hyperreflective material",
}
"""Column -> canonical name."""


def people(files):
    """What OCT-DR.xlsx says of each patient of PRIME, by folder; its first row is a title."""
    found = {}
    for row in (row for book, _ in files.match(r"(OCT-DR)\.xlsx$") for row in tables.rows(book, skip=1)):
        told = {" ".join(name.split()): cell for name, cell in row.items() if name and cell.strip()}
        if patient := told.pop("Patient ID", "").strip():
            found[patient] = told
    return found


def miniature(make):
    """Both trials; suffixes that the table has wrong, cells that are empty, scans without a row."""
    scans = ["TREX DME/GILA/0201GOD/V1/OD/TREXJ_00000", "Prime_FULL/01-001/W0/OS/"]
    with make.zip("OLIVES.zip") as inner:
        for number in range(3):
            for stem, suffix in zip(scans, ("tif", "png"), strict=True):
                inner.image(f"OLIVES/{stem}{number}.{suffix}", (32, 24))
        inner.image("OLIVES/TREX DME/Monthly/0115MON/V3/OS/TREXJ_000000.tif", (32, 24))
        inner.image("OLIVES/TREX DME/GILA/0201GOD/V1/OD/fundus_OD.tif", (28, 28))
        inner.image("OLIVES/Prime_FULL/01-001/W0/OS/fundus_W0_OS.png", (28, 28))
        inner.image("OLIVES/Prime_FULL/01-001/W0/OS/2.tif", (32, 24))
    first = "Path (Trial/Arm/Folder/Visit/Eye/Image Name)"
    rest = ["Eye_ID", "BCVA", "CST", "Patient_ID"]
    marks = [n % 2 for n in range(len(BIOMARKERS))]
    table = [
        (f"/{scans[0]}0.tif", 1, *marks, 1, 61, 575, 201),
        (f"/{scans[0]}1.jpg", 2, *marks[:3], "", *marks[4:], 1, 61, 575, 201),
        (f"/{scans[1]}0.tif", 1, *(f"{mark}.0" for mark in marks), 2, 85, 310, 7),
    ]
    make.csv(
        "ml_centric_labels/Biomarker_Clinical_Data_Images.csv",
        [first, "Scan (n/49)", *BIOMARKERS, *rest],
        table,
    )
    make.xlsx(
        "ml_centric_labels/Clinical_Data_Images.xlsx",
        ["File_Path", *rest[1:3], rest[0], rest[3]],
        [(f"/{scans[0]}2.tif", 61, 575, 1, 201), (f"/{scans[1]}1.png", 85, 310, 2, 7)],
    )
    first = ["Patient ID", "Treatment\nArm", "Age", "Baseline HbA1c"]
    make.xlsx("full_labels/OCT-DR.xlsx", ["PRIME"], [first, ("01-001", 1, 61, 8.4), ("01-002", 2, 44, None)])
