"""CAMUS: echocardiography of 500 patients of the University Hospital of Saint-Etienne in two views.

The left ventricle, its myocardium and the left atrium are outlined at end-diastole and end-systole, and in
every frame between; ejection fraction and image quality are stated for each view.
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Source
from medimg.readers import tables
from medimg.schema import Measure, Row, Skipped

HOST = "https://humanheart-project.creatis.insa-lyon.fr/database"
LOADER = "constantinpape/torch-em:torch_em/data/datasets/medical/camus.py@6f71247c"
CONFIG = "ThierryJudge/CRISP-uncertainty:vital/vital/data/camus/config.py@5ab8e88"
SPLITS = {"training": "train", "validation": "validation", "testing": "test"}
PART = r"(?:(?:^|/)(training|testing)/)?"
CASE = PART + r"(?:patient\d{4}/)?(patient\d{4}_[24]CH_(?:E[DS]|(?:half_)?sequence))"
MEASURES = {
    "EF": ("ejection fraction", "%"),
    "LVef": ("ejection fraction", "%"),
    "LVedv": ("left ventricular end-diastolic volume", "mL"),
    "LVesv": ("left ventricular end-systolic volume", "mL"),
}


DATASET = Dataset(
    name="camus",
    title="CAMUS, Cardiac Acquisitions for Multi-structure Ultrasound Segmentation",
    aliases=("Cardiac Acquisitions for Multi-structure Ultrasound Segmentation",),
    dimension="3d",
    modality="echocardiography",
    organ="heart",
    task=("segmentation", "regression"),
    license="CC-BY-NC-SA-4.0",
    homepage="https://www.creatis.insa-lyon.fr/Challenge/camus/",
    citation=Citation(
        title="Deep learning for segmentation using an open large-scale dataset in 2D echocardiography",
        authors="Leclerc S, Smistad E, Pedrosa J, et al.",
        venue="IEEE Transactions on Medical Imaging 38(9):2198-2210",
        year=2019,
        doi="10.1109/TMI.2019.2900516",
    ),
    sources=(
        Source(url=f"{HOST}/api/v1/folder/63fde55f73e9f004868fb7ac/download", path="CAMUS_public.zip"),
        Source(url=f"{HOST}/#collection/6373703d73e9f0047faa1bc8", kind="page"),
    ),
    legend={1: ("left ventricle cavity",), 2: ("left ventricle myocardium",), 3: ("left atrium",)},
    splits={"train": 1600, "validation": 200, "test": 200},
    configs=(
        Config(
            name="frames",
            title="End-diastole and end-systole",
            splits={"train": 1600, "validation": 200, "test": 200},
        ),
        Config(
            name="sequences",
            title="All frames from end-diastole to end-systole",
            splits={"train": 800, "validation": 100, "test": 100},
        ),
    ),
    subject="the folder, patient####; testing-patient#### in the older release, which counts anew",
    keys="view; phase; ED; ES; NbFrame; Sex; Age; ImageQuality; FrameRate; EF; LVef; LVedv; LVesv",
    evidence=Evidence(
        layout=f"{LOADER}; the split files and the keys of Info_*.cfg as public code reads them",
        labels=f"{CONFIG} (1 left ventricle, 2 myocardium, 3 left atrium)",
        license="gavkujo/CAMUS_TransUNet_test:jupyter/LICENSE_TERMS.md (the official terms: CC BY-NC-SA 4.0)",
        subject=LOADER,
    ),
    notes=(
        "The zip is built on request: its checksum differs each time.",
        "Frames are two-dimensional NIfTI files; the last axis of sequences is time.",
        "ED and ES differ between the two views of a patient: `meta` has those of the row's own view.",
        "The older release in MetaImage (450 patients with outlines, 50 without) is read too; its sequences "
        "are not outlined.",
    ),
)


def rows(files):
    # The older release counts the patients of training and testing from 1 each.
    cases = files.index(CASE + r"\.(?:nii(?:\.gz)?|mhd)$", key=(1, 2))
    masks = files.index(CASE + r"_gt\.(?:nii(?:\.gz)?|mhd)$", key=(1, 2))
    about = files.index(PART + r"(patient\d{4})/Info_([24]CH)\.cfg$", key=(1, 2, 3))
    listed = {
        line: SPLITS[part]
        for file, part in files.match(r"subgroup_(training|validation|testing)\.txt$")
        for line in tables.lines(file)
    }
    for (part, name), image in cases.items():
        patient, view, kind = name.split("_", 2)
        split = SPLITS[part] if part else listed.get(patient)
        prefix = "testing-" if part == "testing" else ""
        if (part, name) not in masks and split != "test" and kind != "sequence":
            yield Skipped(file=image, reason="its outlines are not in this copy")
            continue
        key = (part, patient, view)
        if split is None:
            for file in filter(None, (image, masks.get((part, name)))):
                yield Skipped(
                    file=file, reason="neither a folder nor a list of this copy says of which split it is"
                )
            continue
        if masks and (part, name) not in masks:
            files.tell(image, "no outlines of it are in this copy: it comes without a mask")
        if about and key not in about:
            files.tell(image, "its Info.cfg is not in this copy: measures, age and sex are not known")
        with files.row(image):
            yield Row(
                id=prefix + name,
                config="sequences" if kind.endswith("sequence") else "frames",
                split=split,
                subject=prefix + patient,
                image=image,
                mask=masks.get((part, name)),
                **told(about.get(key), {"view": view, "phase": kind}),
            )
    for key, mask in masks.items():
        if key not in cases:
            yield Skipped(file=mask, reason="outlines whose image is not in this copy")


def told(file, meta):
    """What a case's Info.cfg says; nothing where there is none."""
    info = tables.key_values(file) if file else {}
    stated = tables.Line({key: info[key] for key in MEASURES if key in info}, file.path if file else "")
    return {
        "measures": [
            Measure(name=MEASURES[key][0], value=stated.number(key), unit=MEASURES[key][1]) for key in stated
        ],
        "source": stated or None,
        "meta": meta | {key: value for key, value in info.items() if key not in stated},
    }


def miniature(make):
    older(make)
    with make.zip("CAMUS_public.zip") as inner:
        for part, patient in zip(SPLITS, ("patient0001", "patient0002", "patient0500"), strict=True):
            inner.text(f"CAMUS_public/database_split/subgroup_{part}.txt", f"{patient}\n")
            for view, last in (("2CH", 4), ("4CH", 3)):
                stem = f"CAMUS_public/database_nifti/{patient}"
                said = ["ED: 1", f"ES: {last}", f"NbFrame: {last}", "Sex: F", "Age: 56", "ImageQuality: Good"]
                said += ["EF: 51", "FrameRate: 54.6"]
                inner.text(f"{stem}/Info_{view}.cfg", "\n".join(said))
                for kind, shape in (("ED", (14, 12)), ("ES", (14, 12)), ("half_sequence", (14, 12, last))):
                    image = {"spacing": (0.3, 0.3, 1), "dtype": "uint8"}
                    inner.nifti(f"{stem}/{patient}_{view}_{kind}.nii.gz", shape, low=0, high=255, **image)
                    mask = f"{stem}/{patient}_{view}_{kind}_gt.nii.gz"
                    inner.nifti(mask, shape, labels=(3, 2, 1), **image)


def older(make):
    """The release in MetaImage: testing counts from 1 again and has no outlines."""
    for part, patient, last in (("training", "patient0450", 5), ("testing", "patient0001", 3)):
        stem = f"{part}/{patient}"
        for view in ("2CH", "4CH"):
            said = ["ED: 1", f"ES: {last}", f"NbFrame: {last}", "Sex: M", "Age: 68", "ImageQuality: Medium"]
            said += ["LVedv: 94.6", "LVesv: 48.2", "LVef: 49.0"] if part == "training" else []
            make.text(f"{stem}/Info_{view}.cfg", "\n".join(said) + "\n")
            for kind, depth in (("ED", 1), ("ES", 1), ("sequence", last)):
                image = {"shape": (14, 12, depth), "spacing": (0.3, 0.15, 1), "dtype": "uint8"}
                make.metaimage(f"{stem}/{patient}_{view}_{kind}.mhd", low=0, high=255, **image)
                if part == "training" and depth == 1:
                    make.metaimage(f"{stem}/{patient}_{view}_{kind}_gt.mhd", labels=(3, 2, 1), **image)
