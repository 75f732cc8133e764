"""ADNI, the Alzheimer's Disease Neuroimaging Initiative: brain MRI and PET over many years.

Persons with normal cognition, mild cognitive impairment and Alzheimer's disease were scanned at repeated visits;
a copy holds what its owner selected in the image archive.
"""

from medimg.declaration import Citation, Dataset, Evidence, Part, Source
from medimg.readers import dicom, table_lines, tables
from medimg.schema import Row

PREP = "IDOJI/ADNIprep: R/RS.fMRI_1_Data.Selection___Diagnosis.R"
EXPORTS = (
    "Gersha2024/Alzheimer-MRI-Preprocessing-FreeSurfer-SliceSelection-DeepLearning-TransferLearning-EnsembleLearning:"
    "data/manifest_CN.csv@742de01; christiansalvatore/Salvatore-200Longitudinal:data/ids/"
    "AD-04___stable-diagnosis.csv@9c9ea70"
)
DUA = "https://ida.loni.usc.edu/collaboration/access/appApply.jsp?project=ADNI"
FILE = r"(?:^|/)ADNI_(\d{3}_S_\d{4,5})_(MR|PT|PET)_([^/]*)_(I\d+)\.(nii|nii\.gz|dcm)$"
MODALITIES = {"MR": "MRI", "PT": "PET", "PET": "PET"}
NORMAL, IMPAIRED = "cognitively normal", "mild cognitive impairment"
DEMENTIA, ALZHEIMER = "dementia", "Alzheimer's disease"
CODES = {
    "DIAGNOSIS": {"1": NORMAL, "2": IMPAIRED, "3": DEMENTIA},
    # What a person changed to is what a person has.
    "DXCHANGE": {
        "1": NORMAL,
        "2": IMPAIRED,
        "3": DEMENTIA,
        "4": IMPAIRED,
        "5": DEMENTIA,
        "6": DEMENTIA,
        "7": NORMAL,
        "8": IMPAIRED,
        "9": NORMAL,
    },
    "DXCURREN": {"1": NORMAL, "2": IMPAIRED, "3": ALZHEIMER},
}
"""Column of DXSUM -> code -> canonical name: ADNI 3, ADNI GO and 2, ADNI 1."""
GROUPS = {
    "CN": NORMAL,
    "NL": NORMAL,
    "MCI": IMPAIRED,
    "EMCI": "early mild cognitive impairment",
    "LMCI": "late mild cognitive impairment",
    "SMC": "significant memory concern",
    "AD": ALZHEIMER,
    "Dementia": DEMENTIA,
}
"""Research group of the image search, and DX of ADNIMERGE -> canonical name."""
NAMES = tuple(dict.fromkeys(name for codes in (*CODES.values(), GROUPS) for name in codes.values()))
MISSING = ("", "-4", "-1", "NA")

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
    parts=(Part(names=NAMES),),
    splits={"train": 0},
    subject="PTID, ###_S_####",
    keys=(
        "file; Image Data ID; Subject; Group; Sex; Age; Visit; Description; Type; Acq Date; Format; "
        "DXCURREN; DXCHANGE; DIAGNOSIS"
    ),
    evidence=Evidence(
        layout="public ADNI preprocessing code (paths and file names); rordenlab/dcm2niix issue 416",
        labels=f"{PREP} (codes of each phase). Column Group of the image search: {EXPORTS} (CN; Patient, which says "
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
    images, visits = listed(files)
    series = {}
    for file, subject, modality, description, number, suffix in files.match(FILE):
        series.setdefault((subject, number), []).append((file, modality, description, suffix))
    for (subject, number), parts in series.items():
        members = [part[0] for part in parts]
        file, modality, description, suffix = parts[0]
        if images and number not in images:
            reason = "no list of the image search has a line for it: its visit and group are not known"
            files.tell(file, reason)
        with files.row(*members):
            about = images.get(number, {})
            found = diagnosis(visits.get((subject, about.get("Visit", "").strip()), {}))
            if found is None and visits:
                files.tell(file, "DXSUM has no diagnosis at its visit: the research group stands for it")
            name, assessed, said = found or group(about) or (None, (), None)
            yield Row(
                id=f"{subject}-{number}",
                subject=subject,
                image=dicom.series(members) if suffix == "dcm" else file,
                modality=MODALITIES[modality],
                classes=(name,) if name else (),
                assessed=assessed,
                source=said,
                meta={"file": description} | {key: cell for key, cell in about.items() if cell},
            )


def listed(files):
    """Lines of the image search by the image, and of DXSUM by the person and the visit."""
    images, visits = table_lines.Lines(files), table_lines.Lines(files)
    for (table,) in files.match(r"\.csv$"):
        for line in tables.rows(table, pad=True):
            if "Image Data ID" in line:
                number = line["Image Data ID"].strip()
                images.add(f"I{number.removeprefix('I')}" if number else "", line, "Image Data ID")
            elif {"PTID", "VISCODE"} <= set(line) and set(CODES) & set(line):
                visits.add((line["PTID"].strip(), line["VISCODE"].strip()), line, "PTID")
    if not images:
        files.tell("*.csv", "no list of the image search is in this copy: visits and research groups are not known")
    if not visits:
        files.tell("*.csv", "no DXSUM table is in this copy: diagnoses at the visit are not known")
    return images, visits


def diagnosis(record):
    """(canonical name, its alternatives, what the source says) of a row of DXSUM; None where it says nothing."""
    for column, codes in CODES.items():
        said = cell_of(record, column)
        if said not in MISSING:
            if said not in codes:
                raise record.wrong(column, f"is none of the codes {', '.join(codes)}")
            return codes[said], tuple(dict.fromkeys(codes.values())), {column: said}
    return None


def group(record):
    """As `diagnosis`, of the research group in a line of the image search."""
    said = cell_of(record, "Group")
    if said in (*MISSING, "Patient"):  # some searches do not tell the group
        return None
    if said not in GROUPS:
        raise record.wrong("Group", f"is none of {', '.join(GROUPS)}")
    return GROUPS[said], tuple(dict.fromkeys((NORMAL, IMPAIRED, ALZHEIMER, GROUPS[said]))), {"Group": said}


def cell_of(record, column):
    """What a cell says; a code that went through a spreadsheet has a ".0"."""
    return record.get(column, "").strip().removesuffix(".0")


def miniature(make):
    scaled = "MPR__GradWarp__B1_Correction__N3__Scaled"
    write_nifti(make, "002_S_0295", scaled, "S13408", "I45108")
    write_nifti(make, "002_S_0295", f"{scaled}_2", "S13408", "I118671")
    write_nifti(make, "136_S_0426", "MPR__GradWarp__B1_Correction", "S12345", "I111306")
    # Later downloads call the last folder by the image.
    write_nifti(make, "019_S_4293", "MT1__GradWarp__N3m", "S117519", "I305432", folder="I305432")
    write_series(make, "011_S_0021", "MP-RAGE", "S17000_I7700", 4)
    # An irregular series: slices are missing in between.
    write_series(make, "006_S_6441", "Axial_fcMRI", "S900100_I1234567", 2)
    write_series(make, "006_S_6441", "Axial_fcMRI", "S900100_I1234567", 2, start=4)
    header = "Image Data ID,Subject,Group,Sex,Age,Visit,Modality,Description,Type,Acq Date,Format"
    scans = [("I45108", "002_S_0295", "bl"), ("I118671", "002_S_0295", "m12"), ("I7700", "011_S_0021", "bl")]
    scans.append(("I305432", "019_S_4293", "v06"))
    table = [(*one[:2], "MCI", "M", 84, one[2], "MRI", "MPR", "Processed", "4/18/2006", "") for one in scans]
    # Another search: no I before the number, visits by number, a group that says nothing.
    table.append(("111306", "136_S_0426", "Patient", "M", 82, 6, "MRI", "MPR", "Processed", "6/10/2008", "NiFTI"))
    make.csv("ADNI1_Collection.csv", header, table)
    diagnoses = [("ADNI1", *scans[0][1:], -4, 1, ""), ("ADNI2", *scans[1][1:], 5, "", "")]
    diagnoses.append(("ADNI3", *scans[3][1:], -4, -4, 3))
    make.csv("DXSUM_PDXCONV_ADNIALL.csv", "Phase,PTID,VISCODE,DXCHANGE,DXCURREN,DIAGNOSIS", diagnoses)


def write_nifti(make, subject, description, series, image, folder=None):
    name = f"ADNI_{subject}_MR_{description}_Br_20070525115203_{series}_{image}.nii"
    path = f"ADNI/{subject}/{description}/2006-04-18_08_20_30.0/{folder or series}/{name}"
    make.nifti(path, (10, 12, 8), low=0)


def write_series(make, subject, description, numbers, slices, start=0):
    folder = f"ADNI/{subject}/{description}/2006-08-08_12_00_00.0/{numbers.split('_')[1]}"
    name = f"ADNI_{subject}_MR_{description}_br_raw_2006080812000000{start}_{{}}_{numbers}.dcm"
    tags = {"SeriesInstanceUID": f"2.25.6{subject[:3]}"}
    place = {"origin": (-50.0, -60.0, -70.0 + 2.5 * start), "names": name, "seed": f"{folder}/{start}"}
    make.dicom_series(folder, slices, modality="MR", patient=subject, tags=tags, **place)
