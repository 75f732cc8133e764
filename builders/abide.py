"""ABIDE I: resting-state fMRI of persons with autism spectrum disorder and of controls, preprocessed.

The Preprocessed Connectomes Project ran four pipelines with four strategies each on the scans of 17 sites.
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Source
from medimg.join import Join, lines
from medimg.schema import Row

BUCKET = "https://s3.amazonaws.com/fcp-indi/data/Projects/ABIDE_Initiative"
SCRIPT = "preprocessed-connectomes-project/abide: download_abide_preproc.py"
GROUPS = {"1": "autism spectrum disorder", "2": "healthy control"}

DATASET = Dataset(
    name="abide",
    title="ABIDE I, preprocessed (Autism Brain Imaging Data Exchange)",
    aliases=("ABIDE I", "ABIDE Preprocessed"),
    dimension="3d",
    modality="fMRI",
    organ="brain",
    task="classification",
    license="CC-BY-NC-SA-3.0",
    homepage="http://preprocessed-connectomes-project.org/abide/",
    citation=Citation(
        title="The autism brain imaging data exchange: towards a large-scale evaluation of the intrinsic brain "
        "architecture in autism",
        authors="Di Martino A, Yan CG, Li Q, et al.",
        venue="Molecular Psychiatry 19:659-667",
        year=2014,
        doi="10.1038/mp.2013.78",
    ),
    sources=(
        Source(url=f"{BUCKET}/Phenotypic_V1_0b_preprocessed1.csv"),
        Source(url="http://preprocessed-connectomes-project.org/abide/download.html", kind="page"),
    ),
    labels=GROUPS,
    splits={"train": 0},
    configs=(
        Config(name="functional", title="Preprocessed time series (func_preproc)", splits={"train": 0}),
        Config(name="derivatives", title="Maps derived from the time series", splits={"train": 0}),
    ),
    subject="SUB_ID, the last five digits of FILE_ID",
    keys=(
        "FILE_ID; pipeline; strategy; derivative; SUB_ID; SITE_ID; DX_GROUP; DSM_IV_TR; AGE_AT_SCAN; "
        "SEX; FIQ; func_mean_fd; HANDEDNESS_*; VIQ; PIQ; *_TEST_TYPE; ADI_*; ADOS_*; SRS_*; SCQ_*; "
        "AQ_*; COMORBIDITY; CURRENT_MED_STATUS; OFF_STIMULANTS_AT_SCAN; VINELAND_*; WISC_*; "
        "EYE_STATUS_AT_SCAN; AGE_AT_MPRAGE; BMI; anat_*; func_*; qc_*"
    ),
    evidence=Evidence(
        layout=f"{SCRIPT}; {BUCKET}/Phenotypic_V1_0b_preprocessed1.csv (1,112 rows counted)",
        labels=f"{SCRIPT} (DX_GROUP: 1 autism, 2 control)",
        license="MedARC-AI/brainmarks-smri:scripts/abide1/README.md@590d4c0 (field License of each site's "
        "dataset_description.json in the bucket, and the project page: CC BY-NC-SA 3.0); the usage agreement is "
        "quoted by dfsp-spirit/abide_preproc_smri_freesurfer6:README.md@1e1ff29 as BY-NC-SA",
        subject=f"{BUCKET}/Phenotypic_V1_0b_preprocessed1.csv",
    ),
    notes=(
        "The last axis of config functional is time. Each pipeline and strategy of the 1,035 persons with "
        "preprocessed data is a row.",
        "77 of the 1,112 rows of the table have the FILE_ID no_filename: they have no image.",
        "Cells that say -9999 are missing values; `meta` leaves them out. DSM_IV_TR stands in `source`.",
        "The official script loads only persons with a mean framewise displacement below 0.2.",
        "Time series of regions (.1D), FreeSurfer's output and raw scans are not loaded.",
    ),
)


def row(case):
    line = case.line or {}
    said = {key: cell for key, cell in line.items() if cell not in ("", "-9999", "-9999.0") and key}
    classes, assessed = (), ()
    if "DX_GROUP" in said:
        classes, assessed = line.one_of("DX_GROUP", DATASET.labels), tuple(GROUPS.values())
    path = {key: getattr(case, key) for key in ("pipeline", "strategy", "derivative")}
    return Row(
        id=f"{case.name}-{case.pipeline}-{case.strategy}-{case.derivative}",
        config="functional" if case.derivative == "func_preproc" else "derivatives",
        subject=case.number.lstrip("0"),
        image=case.image,
        classes=classes,
        assessed=assessed,
        source={key: said[key] for key in ("DX_GROUP", "DSM_IV_TR") if key in said} or None,
        meta={"FILE_ID": case.name} | path | said,
    )


rows = Join(
    r"(?P<pipeline>cpac|dparsf|ccs|niak)/(?P<strategy>(?:no)?filt_(?:no)?global)/(?:\w+/)?"
    r"(?P<name>[A-Za-z]+(?:_\w)?_(?P<number>\d{7}))_(?P<derivative>[a-z_]+)\.nii(?:\.gz)?$",
    row,
    line=lines(
        r"Phenotypic_V1_0b_preprocessed\w*\.csv$",
        "FILE_ID",
        key="name",
        tell="the table has no line for it: diagnosis, age and sex are not known",
        lost="diagnoses, age and sex are",
    ),
    left=[
        (r"\.(?:nii|nii\.gz)$", "no output of the four pipelines (a raw scan, a mask, an atlas)"),
    ],
)


def miniature(make):
    header = ["", *"SUB_ID SITE_ID FILE_ID DX_GROUP DSM_IV_TR AGE_AT_SCAN SEX FIQ func_mean_fd".split()]
    table = [
        (1, 50002, "PITT", "no_filename", 1, 1, 16.77, 1, 103, ""),
        (9, 50005, "PITT", "no_filename", 2, 0, 13.73, 2, 113, ""),
        (2, 50003, "PITT", "Pitt_0050003", 1, 1, 24.45, 1, 124, 0.11),
        (3, 50642, "CMU", "CMU_a_0050642", 2, 0, 31, 1, -9999, 0.09),
        (4, 50682, "LEUVEN_1", "Leuven_1_0050682", 2, 0, 22, 2, -9999, 0.31),
    ]
    make.csv("Phenotypic_V1_0b_preprocessed1.csv", header, table)
    grid = {"spacing": (3, 3, 3), "dtype": "float32", "low": 0, "high": 9000}
    for row in table[2:]:
        for pipeline, strategy in (("cpac", "filt_noglobal"), ("niak", "nofilt_global")):
            for derivative, shape in (("func_preproc", (6, 7, 6, 4)), ("reho", (6, 7, 6))):
                name = f"Outputs/{pipeline}/{strategy}/{derivative}/{row[3]}_{derivative}.nii.gz"
                make.nifti(name, shape, **grid)
        make.text(f"Outputs/cpac/filt_noglobal/rois_cc200/{row[3]}_rois_cc200.1D", "#1\t#2\n0.1\t0.2\n")
    # As nilearn stores it; a raw scan.
    make.nifti("ABIDE_pcp/cpac/nofilt_noglobal/Pitt_0050003_func_preproc.nii.gz", (6, 7, 6, 4), **grid)
    make.nifti("RawData/Pitt/0050003/session_1/anat_1/mprage.nii.gz", (6, 7, 6), **grid)
