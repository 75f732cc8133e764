"""ADNI, the Alzheimer's Disease Neuroimaging Initiative: brain MRI and PET over many years.

Persons with normal cognition, mild cognitive impairment and Alzheimer's disease were scanned at repeated visits;
a copy holds what its owner selected in the image archive.
"""

from medimg.builders import _adni
from medimg.declaration import Citation, Dataset, Evidence, Part, Source
from medimg.readers import dicom, tables
from medimg.schema import Row

CODES = "IDOJI/ADNIprep: R/RS.fMRI_1_Data.Selection___Diagnosis.R"
EXPORTS = (
    "Gersha2024/Alzheimer-MRI-Preprocessing-FreeSurfer-SliceSelection-DeepLearning-TransferLearning-EnsembleLearning:"
    "data/manifest_CN.csv@742de01; christiansalvatore/Salvatore-200Longitudinal:data/ids/"
    "AD-04___stable-diagnosis.csv@9c9ea70"
)
DUA = "https://ida.loni.usc.edu/collaboration/access/appApply.jsp?project=ADNI"
FILE = r"(?:^|/)ADNI_(\d{3}_S_\d{4,5})_(MR|PT|PET)_([^/]*)_(I\d+)\.(nii|nii\.gz|dcm)$"
MODALITIES = {"MR": "MRI", "PT": "PET", "PET": "PET"}

DATASET = Dataset(
    name="adni",
    title="ADNI, Alzheimer's Disease Neuroimaging Initiative",
    aliases=("Alzheimer's Disease Neuroimaging Initiative",),
    dimension="3d",
    modality=("MRI", "PET"),
    organ="brain",
    task=("classification", "progression"),
    license="LicenseRef-ADNI-DUA",
    homepage="https://adni.loni.usc.edu/",
    citation=Citation(
        title="Alzheimer's Disease Neuroimaging Initiative (ADNI): clinical characterization",
        authors="Petersen RC, Aisen PS, Beckett LA, et al.",
        venue="Neurology 74(3):201-209",
        year=2010,
        doi="10.1212/WNL.0b013e3181cb3e25",
    ),
    access="application",
    how=f"Apply at {DUA}, download a collection of images with its CSV, and DXSUM_PDXCONV_ADNIALL.csv from the "
    'study data, and pass their folder: medimg.load("adni", source="~/ADNI").',
    sources=(Source(url="https://ida.loni.usc.edu/", kind="page"),),
    parts=(Part(names=_adni.NAMES),),
    splits={"train": 0},
    subject="PTID, ###_S_####",
    keys=(
        "file; Image Data ID; Subject; Group; Sex; Age; Visit; Description; Type; Acq Date; Format; "
        "DXCURREN; DXCHANGE; DIAGNOSIS"
    ),
    evidence=Evidence(
        layout="public ADNI preprocessing code (paths and file names); rordenlab/dcm2niix issue 416",
        labels=f"{CODES} (codes of each phase). Column Group of the image search: {EXPORTS} (CN; Patient, which says "
        "nothing); http://adni-lde.loni.usc.edu/quick-start-guide-asset/cohorts.html (SMC, EMCI, LMCI)",
        license=f"{DUA} (redistribution of participant-level data is prohibited)",
        subject="public ADNI preprocessing code (PTID in path and file name)",
    ),
    notes=(
        "The diagnosis is that of the image's own visit (DXSUM), which the collection's CSV names; else the "
        "research group of that CSV, stated at baseline. Without both it is unknown. CSVs that number the visits "
        "(1, 3, 6), or whose groups are called Patient, do not tell it.",
        "DXCURREN, DXCHANGE and DIAGNOSIS of DXSUM have different codes; `source` has what the table says.",
        "Several processed versions of one visit occur (Scaled, Scaled_2, MPR, MPR-R): each is a row, `meta` "
        "tells them apart.",
        "DICOM series of 019_S_4293, 006_S_6441, 006_S_6277 and 006_S_6243 are known to be irregular.",
        "The data use agreement also forbids AI tools with public interfaces.",
    ),
    bad_files="quarantine",
)


def rows(files):
    images, visits = tables.Lines(files), tables.Lines(files)
    for (table,) in files.match(r"\.csv$"):
        for one in tables.rows(table, pad=True):
            if "Image Data ID" in one:
                number = one["Image Data ID"].strip()
                images.add(f"I{number.removeprefix('I')}" if number else "", one, "Image Data ID")
            elif {"PTID", "VISCODE"} <= set(one) and set(_adni.CODES) & set(one):
                visits.add((one["PTID"].strip(), one["VISCODE"].strip()), one, "PTID")
    if not images:
        files.tell(
            "*.csv", "no list of the image search is in this copy: visits and research groups are not known"
        )
    if not visits:
        files.tell("*.csv", "no DXSUM table is in this copy: diagnoses at the visit are not known")
    series = {}
    for file, subject, modality, description, number, suffix in files.match(FILE):
        series.setdefault((subject, number), []).append((file, modality, description, suffix))
    for (subject, number), parts in series.items():
        file, modality, description, suffix = parts[0]
        if images and number not in images:
            files.tell(
                file, "no list of the image search has a line for it: its visit and group are not known"
            )
        with files.row(*(part[0] for part in parts)):
            about = images.get(number, {})
            visit = visits.get((subject, about.get("Visit", "").strip()), {})
            found = _adni.diagnosis(visit)
            if found is None and visits:
                files.tell(file, "DXSUM has no diagnosis at its visit: the research group stands for it")
            found = found or _adni.group(about)
            name, assessed, said = found or (None, (), None)
            yield Row(
                id=f"{subject}-{number}",
                subject=subject,
                image=dicom.series([part[0] for part in parts]) if suffix == "dcm" else file,
                modality=MODALITIES[modality],
                classes=(name,) if name else (),
                assessed=assessed,
                source=said,
                meta={"file": description, **{key: cell for key, cell in about.items() if cell}},
            )


def miniature(make):
    _adni.miniature(make)
