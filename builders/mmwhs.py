"""MM-WHS 2017, Multi-Modality Whole Heart Segmentation: 60 cardiac CT angiographies and 60 cardiac MRI.

Four chambers, the myocardium of the left ventricle, the ascending aorta and the pulmonary artery are outlined in
20 volumes of each modality.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, Partner
from medimg.readers import nifti, volumes
from medimg.schema import Row

PAGE = "https://zmiclab.github.io/zxh/0/mmwhs/"
SATDS = "zhaoziheng/SAT-DS@492df0e"
LEGEND = {
    205: ("left ventricle myocardium",),
    420: ("left atrium cavity",),
    500: ("left ventricle cavity",),
    550: ("right atrium cavity",),
    600: ("right ventricle cavity",),
    820: ("ascending aorta",),
    850: ("pulmonary artery",),
}
MENDED = {value: value for value in LEGEND} | {421: 420}
MODALITIES = {"ct": "CT", "mr": "cardiac MRI"}

DATASET = Dataset(
    name="mmwhs",
    title="MM-WHS 2017, Multi-Modality Whole Heart Segmentation",
    aliases=("MM-WHS", "MM-WHS 2017"),
    dimension="3d",
    modality=tuple(MODALITIES.values()),
    organ="heart",
    task="segmentation",
    license="LicenseRef-unknown",
    homepage=PAGE,
    citation=Citation(
        title="Evaluation of algorithms for multi-modality whole heart segmentation: an open-access grand challenge",
        authors="Zhuang X, Li L, Payer C, et al.",
        venue="Medical Image Analysis 58:101537",
        year=2019,
        doi="10.1016/j.media.2019.101537",
    ),
    sources=(
        Source(url="https://mega.nz/folder/UNMF2YYI#1cqJVzo4p_wESv9P_pc8uA", kind="page"),
        Source(url=PAGE, kind="page"),
    ),
    legend=LEGEND,
    splits={"train": 40, "test": 80},
    subject="modality and number: CT and MR of one number are different patients",
    evidence=Evidence(
        layout="openmedlab/Awesome-Medical-Dataset:resources/MM-WHS.md@81da0eee; "
        f"{SATDS} (data/jsonl/MM_WHS_CT.jsonl, MM_WHS_MRI.jsonl)",
        labels="http://www.zmic.org.cn/care_2024/track5/ (the values with their names, successor challenge); "
        f"{SATDS} (loader.py)",
        license="none is published: the organizers ask for a signed agreement, and users say that it bars passing the "
        "data on (hritam-98/ICT-MedSeg issue 2; a public list of sources). unverified: its text",
        subject="openmedlab/Awesome-Medical-Dataset:resources/MM-WHS.md@81da0eee",
    ),
    notes=(
        "Mask values are the source's own and run to 850: eight bits do not hold them.",
        "One training mask holds 421 where 420, the left atrium, is meant: it is read as 420.",
        "The labels of the test volumes were only published encrypted.",
    ),
)


def row(case):
    return Row(
        id=case.name,
        split=case.part,
        subject=case.name,
        image=case.image,
        modality=MODALITIES[case.modality],
        mask=volumes.mask(nifti.volume(case.mask), MENDED) if case.mask else None,
    )


rows = Join(
    r"(?P<name>(?P<modality>ct|mr)_(?P<part>train|test)_\d+)_image\.nii(?:\.gz)?$",
    row,
    mask=Partner(
        r"(?P<name>(?:ct|mr)_train_\d+)_label\.nii(?:\.gz)?$",
        when=lambda case: case.part == "train",
        skip="a training volume whose label map is not in this copy",
        orphan="a label map whose volume is not in this copy",
    ),
    left=[(r"_label_encrypt[^/]*\.nii(?:\.gz)?$", "an encrypted label map")],
)


def miniature(make):
    for modality in MODALITIES:
        for part, number, values in (
            ("train", 1001, tuple(LEGEND)),
            ("train", 1010, (421, 500, 600)),  # the wrong value of one training label
            ("test", 2001, None),
        ):
            stem = f"MM-WHS 2017 Dataset/{modality}_{part}/{modality}_{part}_{number}"
            image = {"shape": (14, 12, 8), "spacing": (0.4, 0.4, 0.6)}
            make.nifti(f"{stem}_image.nii.gz", low=0, high=1200, **image)
            if values:
                mask = {"labels": values, "nested": False, "dtype": "int16"}
                make.nifti(f"{stem}_label.nii.gz", **mask, **image)
            elif modality == "ct":
                make.nifti(f"{stem}_label_encrypt_1mm.nii.gz", (4, 4, 4))
