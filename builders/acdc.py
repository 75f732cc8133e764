"""ACDC: cine cardiac MRI of 150 patients of the University Hospital of Dijon, in five groups.

The right ventricle, the myocardium and the left ventricle are outlined at end-diastole and end-systole;
each patient has a diagnosis.
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Part, Source
from medimg.errors import SourceError
from medimg.join import Join, Lookup, Partner
from medimg.readers import tables
from medimg.schema import Row

COPY = "omare137/Medical_AI:MRI/ACDC/database/LICENSE_TERMS.md"
SPLITS = {"training": "train", "testing": "test"}
GROUPS = {
    "NOR": "normal",
    "MINF": "myocardial infarction",
    "DCM": "dilated cardiomyopathy",
    "HCM": "hypertrophic cardiomyopathy",
    "RV": "abnormal right ventricle",
}


DATASET = Dataset(
    name="acdc",
    title="ACDC, Automated Cardiac Diagnosis Challenge",
    aliases=("ACDC 2017", "Automated Cardiac Diagnosis Challenge"),
    dimension="3d",
    modality="cardiac MRI",
    organ="heart",
    task=("segmentation", "classification"),
    license="CC-BY-NC-SA-4.0",
    homepage="https://www.creatis.insa-lyon.fr/Challenge/acdc/",
    citation=Citation(
        title="Deep Learning Techniques for Automatic MRI Cardiac Multi-Structures Segmentation and "
        "Diagnosis: Is the Problem Solved?",
        authors="Bernard O, Lalande A, Zotti C, et al.",
        venue="IEEE Transactions on Medical Imaging 37(11):2514-2525",
        year=2018,
        doi="10.1109/TMI.2018.2837502",
    ),
    sources=(
        Source(
            url="https://humanheart-project.creatis.insa-lyon.fr/database/api/v1/collection/637218c173e9f0047faa00fb/download",
            path="ACDC.zip",
            sha256="2787e08b0d3525cbac710fc3bdf69ee7c5fd7446472e49db8bc78548802f6b5e",
        ),
        Source(url="https://humanheart-project.creatis.insa-lyon.fr/database/", kind="page"),
    ),
    labels=GROUPS,
    legend={1: ("right ventricle cavity",), 2: ("left ventricle myocardium",), 3: ("left ventricle cavity",)},
    splits={"train": 200, "test": 100},
    configs=(
        Config(name="frames", title="End-diastole and end-systole, outlined"),
        Config(name="cine", title="The whole cardiac cycle, not outlined", splits={"train": 100, "test": 50}),
    ),
    parts=(Part(config="cine"),),
    subject="the folder, patient###",
    keys="ED; ES; Height; NbFrame; Weight; phase; Group",
    evidence=Evidence(
        layout="constantinpape/torch-em:torch_em/data/datasets/medical/acdc.py@6f71247c; "
        "zhaoziheng/SAT-DS@492df0e (data/jsonl/ACDC.jsonl: 300 volumes)",
        labels="openmedlab/Awesome-Medical-Dataset:resources/ACDC.md@81da0eee",
        license=f"{COPY} (official terms: CC BY-NC-SA 4.0)",
        subject="zhaoziheng/SAT-DS@492df0e (data/jsonl/ACDC.jsonl)",
    ),
    notes=(
        "The sform of many files has 1 mm voxels, against their qform and pixdim: `spacing` here is "
        "pixdim's, world coordinates that a reader takes from the sform are wrong (MIC-DKFZ/nnUNet issue "
        "2741).",
        "The annotated frames differ between patients; `meta` says which is end-diastole (ED) and which "
        "end-systole (ES).",
        "The last axis of config cine is time. Its volumes hold the frames of config frames, too.",
    ),
)


def infos(files):
    """Patient -> what Info.cfg says."""
    found = files.match(r"(?:^|/)(patient\d{3})/Info\.cfg$")
    return {patient: tables.key_values(file) for file, patient in found}


def row(case):
    if case.info is None:
        raise SourceError(f"no Info.cfg for {case.patient}", file=case.image.path, next_step="pass the complete folder")
    meta = dict(case.info)
    group = meta.pop("Group", None)
    classes, assessed = (), []
    if group:
        classes, assessed = DATASET.labels[group], [*GROUPS.values()]
    if case.frame:
        phases = {int(meta[phase]): phase for phase in ("ED", "ES")}
        meta["phase"] = phases.get(int(case.frame))
        assessed += [name for names in DATASET.legend.values() for name in names]
    return Row(
        id=case.name,
        config="frames" if case.frame else "cine",
        split=SPLITS[case.part],
        subject=case.patient,
        image=case.image,
        task=None if case.frame else ("classification",),
        mask=case.mask,
        classes=classes,
        assessed=assessed,
        source={"Group": group} if group else None,
        meta=meta,
    )


rows = Join(
    r"(?P<part>training|testing)/(?:patient\d{3}/)?"
    r"(?P<name>(?P<patient>patient\d{3})_(?:4d|frame(?P<frame>\d+)))\.nii(?:\.gz)?$",
    row,
    mask=Partner(
        r"(?:^|/)(?P<name>patient\d{3}_frame\d+)_gt\.nii(?:\.gz)?$",
        when=lambda case: case.frame,
        skip="a frame whose outlines are not in this copy",
        orphan="outlines whose frame is not in this copy",
    ),
    info=Lookup(infos, "patient"),
)


def miniature(make):
    # The sform lies; end-diastole is mostly the first frame; the last patient has no group.
    patients = (
        ("training/patient001", 1, 12, "DCM"),
        ("training/patient090", 11, 4, "MINF"),
        ("testing/patient101", 1, 14, None),
    )
    image = {"spacing": (1.3, 1.3, 10), "sform": [[-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0]], "low": 0}
    with make.zip("ACDC.zip") as inner:
        for folder, diastole, systole, group in patients:
            stem = f"ACDC/database/{folder}/{folder.rpartition('/')[2]}"
            stated = {
                "ED": diastole,
                "ES": systole,
                "Group": group,
                "Height": 184.0,
                "NbFrame": 3,
                "Weight": 95.0,
            }
            lines = [f"{key}: {value}" for key, value in stated.items() if value is not None]
            inner.text(f"ACDC/database/{folder}/Info.cfg", "\n".join(lines))
            inner.nifti(f"{stem}_4d.nii.gz", (12, 10, 4, 3), **image)
            for frame in (diastole, systole):
                inner.nifti(f"{stem}_frame{frame:02d}.nii.gz", (12, 10, 4), **image)
                inner.nifti(f"{stem}_frame{frame:02d}_gt.nii.gz", (12, 10, 4), labels=(1, 2, 3), **image)
