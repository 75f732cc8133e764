"""KiTS19: kidneys and kidney tumors in arterial-phase CT, of the 2019 Kidney Tumor Segmentation Challenge.

300 patients who underwent nephrectomy at the University of Minnesota; kidney and tumor are outlined in 210,
and clinical data come with each of these.
"""

from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.join import Join, Lookup, Partner
from medimg.readers import tables
from medimg.schema import Row

REPOSITORY = "neheller/kits19@456b293"
LABELED = 210

DATASET = Dataset(
    name="kits19",
    title="KiTS19, Kidney Tumor Segmentation Challenge 2019",
    aliases=("KiTS 2019", "C4KC-KiTS", "C4KC-KiTS"),
    dimension="3d",
    modality="CT",
    organ="kidney",
    task="segmentation",
    license="CC-BY-NC-SA-4.0",
    homepage="https://kits19.grand-challenge.org/",
    citation=Citation(
        title="The state of the art in kidney and kidney tumor segmentation in contrast-enhanced CT "
        "imaging: Results of the KiTS19 challenge",
        authors="Heller N, Isensee F, Maier-Hein KH, et al.",
        venue="Medical Image Analysis 67:101821",
        year=2021,
        doi="10.1016/j.media.2020.101821",
    ),
    how="Clone https://github.com/neheller/kits19, run `python -m starter_code.get_imaging` in it, and pass the clone.",
    sources=(
        Source(url="https://github.com/neheller/kits19", kind="page"),
        Source(url="https://huggingface.co/datasets/neheller/KiTS-Challenge-Imaging", kind="page"),
        Source(url="https://www.cancerimagingarchive.net/collection/c4kc-kits/", kind="page"),
    ),
    legend={1: ("kidney",), 2: ("kidney", "kidney tumor")},
    splits={"train": 210, "test": 90},
    subject="the case number",
    overlaps=(
        Overlap(
            dataset="abdomenct-1k",
            relation="subset of",
            evidence="JunMa11/AbdomenCT-1K:README.md@06f0f04 (reference 1); "
            "constantinpape/torch-em:torch_em/data/datasets/medical/abdomenct_1k.py@641e2dae",
        ),
    ),
    keys=(
        "age_at_nephrectomy; gender; malignant; voxel_spacing; x_spacing; y_spacing; z_spacing; "
        "body_mass_index; comorbidities; myocardial_infarction; congestive_heart_failure; "
        "peripheral_vascular_disease; cerebrovascular_disease; dementia; copd; "
        "connective_tissue_disease; peptic_ulcer_disease; *diabetes_mellitus*; "
        "chronic_kidney_disease; hemiplegia_from_stroke; leukemia; malignant_lymphoma; "
        "*_solid_tumor; *_liver_disease; aids; smoking_history; age_when_quit_smoking; pack_years; "
        "chewing_tobacco_use; alcohol_use; intraoperative_complications; blood_transfusion; "
        "injury_to_surrounding_organ; cardiac_event; hospitalization; ischemia_time; pathology_*; "
        "tumor_*; pathologic_size; radiographic_size; positive_resection_margins; vital_status; "
        "vital_days_after_surgery; surgery_type; surgical_*; operative_time; cytoreductive; "
        "estimated_blood_loss; *_egfr; value; days_before_nephrectomy; days_after_nephrectomy"
    ),
    evidence=Evidence(
        layout=f"{REPOSITORY} (README.md, starter_code/get_imaging.py, data/)",
        labels=f"{REPOSITORY} (README.md: 1 kidney, 2 tumor; starter_code/evaluation.py counts tumor as kidney)",
        license=f"{REPOSITORY} (data/LICENSE: CC BY-NC-SA 4.0)",
        subject=f"{REPOSITORY} (data/kits.json: one entry per patient)",
    ),
    notes=(
        "The first axis counts slices: the affine has its spacing off the diagonal, as the source stores it.",
        "case_00160 has 512 x 796 pixels per slice.",
        "Slices of another contrast phase were cut from cases 22, 61 and 117 in April 2019, and labels of "
        "15, 23, 37 and 125 corrected in December: older copies differ (changelog.md).",
        "The 210 labeled patients are also C4KC-KiTS of The Cancer Imaging Archive, as DICOM under CC BY 3.0.",
    ),
)


def clinical(files):
    found = files.find(r"(?:^|/)kits\.json$", lost="clinical data are")
    return tables.objects_by(found, "case_id") if found else {}


def labeled(case):
    return int(case.number) < LABELED


def row(case):
    return Row(
        id=case.name,
        split="train" if labeled(case) else "test",
        subject=case.name,
        image=case.image,
        mask=case.mask if labeled(case) else None,
        meta={key: value for key, value in (case.clinical or {}).items() if key != "case_id"},
    )


rows = Join(
    r"(?:^|/)(?P<name>case_(?P<number>\d{5}))(?:/imaging)?\.nii(?:\.gz)?$",
    row,
    mask=Partner(
        r"(?:^|/)(?P<name>case_\d{5})/segmentation\.nii(?:\.gz)?$",
        when=labeled,
        skip="a training volume whose segmentation is not in this copy",
        orphan="a segmentation whose volume was not downloaded (get_imaging)",
    ),
    clinical=Lookup(
        clinical,
        "name",
        when=labeled,
        tell="kits.json has no entry for it: its clinical data are not known",
        lost="clinical data are",
    ),
)


def miniature(make):
    # Slices come first; case 160 is wider; case 1 was cloned without its volume; case 210 is of the test set.
    affine = [[0, 0, -0.92, 0], [0, -0.92, 0, 0], [-3, 0, 0, 0], [0, 0, 0, 1]]
    cases = {0: (6, 12, 10), 160: (6, 12, 16), 210: (6, 12, 10), 1: None}
    for case, shape in cases.items():
        if shape:
            make.nifti(f"data/case_{case:05d}/imaging.nii.gz", shape, affine=affine, dtype="float32", high=300)
        if case < LABELED:
            mask = f"data/case_{case:05d}/segmentation.nii.gz"
            make.nifti(mask, shape or (6, 12, 10), affine=affine, labels=(1, 2))
    spacing = {"x_spacing": 0.92, "y_spacing": 0.92, "z_spacing": 3.0}
    clinical = {"age_at_nephrectomy": 49, "gender": "male", "malignant": True, "voxel_spacing": spacing}
    entries = [{"case_id": f"case_{case:05d}"} | clinical for case in cases if case < LABELED]
    make.json("data/kits.json", entries)
