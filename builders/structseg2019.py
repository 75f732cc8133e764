"""StructSeg 2019: organs at risk and gross tumor volumes in planning CT of the head and neck and of the chest.

50 patients with nasopharyngeal carcinoma (tasks 1 and 2) and 50 with lung cancer (tasks 3 and 4).
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Part, Source
from medimg.join import Join, Partner
from medimg.schema import Row

HOME = "https://structseg2019.grand-challenge.org/"
HEAD = (
    "brainstem; left eye; right eye; left lens; right lens; left optic nerve; right optic nerve; optic chiasm; "
    "left temporal lobe; right temporal lobe; pituitary gland; left parotid gland; right parotid gland; "
    "left inner ear; right inner ear; left middle ear; right middle ear; left temporomandibular joint; "
    "right temporomandibular joint; spinal cord; left mandible; right mandible"
)
CHEST = "left lung; right lung; heart; esophagus; trachea; spinal cord"
LEGENDS = {
    "HaN_OAR": {value: (name,) for value, name in enumerate(HEAD.split("; "), 1)},
    "Naso_GTV": {1: ("gross tumor volume", "nasopharyngeal carcinoma")},
    "Thoracic_OAR": {value: (name,) for value, name in enumerate(CHEST.split("; "), 1)},
    "Lung_GTV": {1: ("gross tumor volume", "lung tumor")},
}
ABOUT = {
    "HaN_OAR": ("head and neck", "Task 1: 22 organs at risk of the head and neck"),
    "Naso_GTV": ("head and neck", "Task 2: nasopharyngeal gross tumor volume"),
    "Thoracic_OAR": ("chest", "Task 3: 6 organs at risk of the chest"),
    "Lung_GTV": ("lung", "Task 4: gross tumor volume of lung cancer"),
}
"""Task -> organ, title."""


def slug(task):
    return task.lower().replace("_", "-")


DATASET = Dataset(
    name="structseg2019",
    title="StructSeg 2019, Automatic Structure Segmentation for Radiotherapy Planning Challenge",
    aliases=("StructSeg", "StructSeg 2019"),
    dimension="3d",
    modality="CT",
    organ=("head and neck", "lung", "chest"),
    task="segmentation",
    license="LicenseRef-StructSeg2019",
    access="application",
    how=f"Join the challenge at {HOME}, sign its agreement, download Task1_HaN_OAR.zip to Task4_Lung_GTV.zip and "
    "pass their folder as source=",
    homepage=HOME,
    citation=Citation(
        title="Automatic Structure Segmentation for Radiotherapy Planning Challenge 2019",
        authors="Li H, Zhou J, Deng J, Chen M",
        venue="MICCAI challenge",
        year=2019,
        url=HOME,
    ),
    sources=(
        Source(url=f"{HOME}Download/", kind="page"),
        Source(url="https://dx.doi.org/10.21227/h75x-gt46", kind="page"),
    ),
    configs=tuple(
        Config(name=slug(task), title=title, organ=organ, splits={"train": 50})
        for task, (organ, title) in ABOUT.items()
    ),
    parts=tuple(Part(config=slug(task), legend=legend) for task, legend in LEGENDS.items()),
    splits={"train": 200},
    subject="the folder's number: folders of one number in tasks 1 and 2 (npc-…), and in tasks 3 and 4 "
    "(lung-…), are the same scan",
    evidence=Evidence(
        layout="constantinpape/torch-em:torch_em/data/datasets/medical/structseg.py@641e2dae",
        labels="constantinpape/torch-em:torch_em/data/datasets/medical/structseg.py@641e2dae (task 1 checked "
        "on data; task 3 values 1 to 4 against published volumes, 5 and 6 from the release's readme)",
        license="constantinpape/torch-em:torch_em/data/datasets/medical/structseg.py@641e2dae (agreement "
        "quoted second-hand)",
        subject="constantinpape/torch-em:torch_em/data/datasets/medical/structseg.py@641e2dae",
    ),
    notes=(
        "Lists elsewhere call value 3 of task 3 the spinal cord; it is the heart.",
        "Third-party copies lack structures or are resampled; the agreement forbids them.",
        "The ten test scans of each task were never published.",
    ),
)


FOLDER = r"(?P<task>HaN_OAR|Naso_GTV|Thoracic_OAR|Lung_GTV)/(?P<case>\d+)/"


def row(case):
    scan = "npc" if case.task in ("HaN_OAR", "Naso_GTV") else "lung"
    return Row(
        id=case.case,
        config=slug(case.task),
        subject=f"{scan}-{case.case}",
        image=case.image,
        mask=case.mask,
        legend=LEGENDS[case.task],
    )


rows = Join(
    FOLDER + r"data\.nii(?:\.gz)?$",
    row,
    mask=Partner(
        FOLDER + r"label\.nii(?:\.gz)?$",
        skip="a scan whose label.nii.gz is not in this copy",
        orphan="a label whose scan is not in this copy",
    ),
)


def miniature(make):
    # All cases use the same two names.
    for number, (task, legend) in enumerate(LEGENDS.items(), 1):
        with make.zip(f"Task{number}_{task}.zip") as inner:
            for case in (1, 50):
                seed = f"{'lung' if number > 2 else 'npc'}{case}"
                inner.nifti(f"{task}/{case}/data.nii.gz", (24, 10, 6), seed=seed)
                mask = f"{task}/{case}/label.nii.gz"
                inner.nifti(mask, (24, 10, 6), labels=tuple(legend), nested=False)
