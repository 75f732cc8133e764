"""ADNI: the diagnosis, whose column and coding change with the phase of the study."""

NORMAL, IMPAIRED, DEMENTIA, ALZHEIMER = (
    "cognitively normal",
    "mild cognitive impairment",
    "dementia",
    "Alzheimer's disease",
)
CODES = {
    "DIAGNOSIS": {"1": NORMAL, "2": IMPAIRED, "3": DEMENTIA},
    # What a person changed to is what a person has.
    "DXCHANGE": dict(
        zip(
            "123456789",
            (NORMAL, IMPAIRED, DEMENTIA, IMPAIRED, DEMENTIA, DEMENTIA, NORMAL, IMPAIRED, NORMAL),
            strict=True,
        )
    ),
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


def _said(record, column):
    """What a cell says; a code that went through a spreadsheet has a ".0"."""
    return record.get(column, "").strip().removesuffix(".0")


def diagnosis(record):
    """(canonical name, its alternatives, what the source says) of a row of DXSUM; None where it says nothing."""
    for column, codes in CODES.items():
        said = _said(record, column)
        if said not in MISSING:
            if said not in codes:
                raise record.wrong(column, f"is none of the codes {', '.join(codes)}")
            return codes[said], tuple(dict.fromkeys(codes.values())), {column: said}
    return None


def group(record):
    """As `diagnosis`, of the research group in a line of the image search."""
    said = _said(record, "Group")
    if said in (*MISSING, "Patient"):  # some searches do not tell the group
        return None
    if said not in GROUPS:
        raise record.wrong("Group", f"is none of {', '.join(GROUPS)}")
    return GROUPS[said], tuple(dict.fromkeys((NORMAL, IMPAIRED, ALZHEIMER, GROUPS[said]))), {"Group": said}


def miniature(make):
    scaled = "MPR__GradWarp__B1_Correction__N3__Scaled"
    _nifti(make, "002_S_0295", scaled, "S13408", "I45108")
    _nifti(make, "002_S_0295", f"{scaled}_2", "S13408", "I118671")
    _nifti(make, "136_S_0426", "MPR__GradWarp__B1_Correction", "S12345", "I111306")
    # Later downloads call the last folder by the image.
    _nifti(make, "019_S_4293", "MT1__GradWarp__N3m", "S117519", "I305432", folder="I305432")
    _series(make, "011_S_0021", "MP-RAGE", "S17000_I7700", 4)
    # An irregular series: slices are missing in between.
    _series(make, "006_S_6441", "Axial_fcMRI", "S900100_I1234567", 2)
    _series(make, "006_S_6441", "Axial_fcMRI", "S900100_I1234567", 2, start=4)
    header = "Image Data ID,Subject,Group,Sex,Age,Visit,Modality,Description,Type,Acq Date,Format".split(",")
    scans = [("I45108", "002_S_0295", "bl"), ("I118671", "002_S_0295", "m12"), ("I7700", "011_S_0021", "bl")]
    scans.append(("I305432", "019_S_4293", "v06"))
    table = [(*one[:2], "MCI", "M", 84, one[2], "MRI", "MPR", "Processed", "4/18/2006", "") for one in scans]
    # Another search: no I before the number, visits by number, a group that says nothing.
    table.append(
        ("111306", "136_S_0426", "Patient", "M", 82, 6, "MRI", "MPR", "Processed", "6/10/2008", "NiFTI")
    )
    make.csv("ADNI1_Collection.csv", header, table)
    columns = "Phase,PTID,VISCODE,DXCHANGE,DXCURREN,DIAGNOSIS".split(",")
    diagnoses = [("ADNI1", *scans[0][1:], -4, 1, ""), ("ADNI2", *scans[1][1:], 5, "", "")]
    diagnoses.append(("ADNI3", *scans[3][1:], -4, -4, 3))
    make.csv("DXSUM_PDXCONV_ADNIALL.csv", columns, diagnoses)


def _nifti(make, subject, description, series, image, folder=None):
    name = f"ADNI_{subject}_MR_{description}_Br_20070525115203_{series}_{image}.nii"
    path = f"ADNI/{subject}/{description}/2006-04-18_08_20_30.0/{folder or series}/{name}"
    make.nifti(path, (10, 12, 8), low=0)


def _series(make, subject, description, numbers, slices, start=0):
    folder = f"ADNI/{subject}/{description}/2006-08-08_12_00_00.0/{numbers.split('_')[1]}"
    name = f"ADNI_{subject}_MR_{description}_br_raw_2006080812000000{start}_{{}}_{numbers}.dcm"
    tags = {"SeriesInstanceUID": f"2.25.6{subject[:3]}"}
    place = {"origin": (-50.0, -60.0, -70.0 + 2.5 * start), "names": name, "seed": f"{folder}/{start}"}
    make.dicom_series(folder, slices, modality="MR", patient=subject, tags=tags, **place)
