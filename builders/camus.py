"""CAMUS: echocardiography of 500 patients of the University Hospital of Saint-Etienne in two views.

The left ventricle, its myocardium and the left atrium are outlined at end-diastole and end-systole, and in
every frame between; ejection fraction and image quality are stated for each view.
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Source
from medimg.join import Join, Lookup, Partner
from medimg.readers import table_lines, tables
from medimg.schema import Measure, Row

HOST = "https://humanheart-project.creatis.insa-lyon.fr/database"
LOADER = "constantinpape/torch-em:torch_em/data/datasets/medical/camus.py@6f71247c"
CONFIG = "ThierryJudge/CRISP-uncertainty:vital/vital/data/camus/config.py@5ab8e88"
SPLITS = {"training": "train", "validation": "validation", "testing": "test"}
PART = r"(?:(?:^|/)(?P<part>training|testing)/)?"
CASE = (
    PART + r"(?:patient\d{4}/)?"
    r"(?P<name>(?P<patient>patient\d{4})_(?P<view>[24]CH)_(?P<phase>E[DS]|(?:half_)?sequence))"
)
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
        Config(name="frames", title="End-diastole and end-systole"),
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


def listed(files):
    """Patient -> split."""
    lists = files.match(r"subgroup_(training|validation|testing)\.txt$")
    return {patient: SPLITS[part] for file, part in lists for patient in tables.lines(file)}


def infos(files):
    """(part, patient, view) -> its Info.cfg."""
    pattern = PART + r"(patient\d{4})/Info_([24]CH)\.cfg$"
    return files.index(pattern, key=(1, 2, 3), lost="measures, age and sex are")


def split_of(case):
    return SPLITS[case.part] if case.part else case.listed


def outlined(case):
    """The whole sequences of the older release and its testing part were published without outlines."""
    return case.phase != "sequence" and split_of(case) != "test"


def row(case):
    split = split_of(case)
    if split is None:
        return case.skip("neither a folder nor a list of this copy says of which split it is")
    if case.mask is None:
        case.tell("no outlines of it are in this copy: it comes without a mask")
    # The older release counts the patients of training and testing from 1 each.
    prefix = "testing-" if case.part == "testing" else ""
    info = tables.key_values(case.info) if case.info else {}
    place = case.info.path if case.info else ""
    stated = table_lines.Line({key: info.pop(key) for key in MEASURES if key in info}, place)
    measured = [(*MEASURES[key], stated.number(key)) for key in stated]
    return Row(
        id=prefix + case.name,
        config="sequences" if case.phase.endswith("sequence") else "frames",
        split=split,
        subject=prefix + case.patient,
        image=case.image,
        mask=case.mask,
        measures=[Measure(name=name, value=value, unit=unit) for name, unit, value in measured],
        source=stated or None,
        meta={"view": case.view, "phase": case.phase} | info,
    )


rows = Join(
    CASE + r"\.(?:nii(?:\.gz)?|mhd)$",
    row,
    mask=Partner(
        CASE + r"_gt\.(?:nii(?:\.gz)?|mhd)$",
        when=outlined,
        skip="its outlines are not in this copy",
        orphan="outlines whose image is not in this copy",
    ),
    listed=Lookup(listed, "patient"),
    info=Lookup(
        infos,
        ("part", "patient", "view"),
        tell="its Info.cfg is not in this copy: measures, age and sex are not known",
        lost="measures, age and sex are",
    ),
)


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
