"""RETOUCH: retinal OCT volumes of three vendors, with three kinds of fluid outlined.

Macular volumes of patients with age-related macular degeneration or retinal vein occlusion, of Cirrus,
Spectralis and Topcon scanners.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.schema import Row, Skipped

PAGE = "https://retouch.grand-challenge.org/"
LOADER = "constantinpape/torch-em:torch_em/data/datasets/medical/retouch.py@efdcd445"
RANGES = {"TRAIN": (24, 48), "TEST": (14, 28)}
"""The last numbers of Cirrus and of Spectralis."""

DATASET = Dataset(
    name="retouch",
    title="RETOUCH, Retinal OCT Fluid Detection and Segmentation",
    aliases=("RETOUCH 2017",),
    dimension="3d",
    modality="OCT",
    organ="retina",
    task=("segmentation", "detection"),
    license="LicenseRef-RETOUCH",
    citation=Citation(
        title="RETOUCH: the retinal OCT fluid detection and segmentation benchmark and challenge",
        authors="Bogunović H, Venhuizen F, Klimscha S, et al.",
        venue="IEEE Transactions on Medical Imaging 38(8):1858-1874",
        year=2019,
        doi="10.1109/TMI.2019.2901398",
    ),
    access="application",
    how=f"Sign the confidentiality agreement at {PAGE}, download the six archives "
    "(RETOUCH-TrainingSet-Cirrus.zip and so on) and pass their folder: "
    'medimg.load("retouch", source="~/RETOUCH").',
    sources=(Source(url=PAGE, kind="page"),),
    legend={1: ("intraretinal fluid",), 2: ("subretinal fluid",), 3: ("pigment epithelial detachment",)},
    splits={"train": 70, "test": 42},
    subject="the folder, TRAIN### or TEST###; that each is another patient is not stated",
    keys="vendor",
    evidence=Evidence(
        layout=f"{LOADER}; {PAGE}Details/ (oct.mhd with oct.raw)",
        labels=f"{PAGE}Details/ (1 intraretinal fluid, 2 subretinal fluid, 3 pigment epithelium detachments); {LOADER}",
        license=f"{PAGE} (agreement of data confidentiality)",
        subject="unverified: one volume is one patient",
    ),
    notes=(
        "Volumes differ in size with the vendor: 512 x 1024 x 128, 512 x 496 x 49, 512 x 885 x 128.",
        "The references of the test volumes were never published.",
    ),
)


def rows(files):
    references = files.index(r"((?:TRAIN|TEST)\d{3})/reference\.mhd$")
    vendors = {file.path: vendor for file, vendor in files.match(r"(Cirrus|Spectralis|Topcon)[^/]*/(?:.*/)?oct\.mhd$")}
    for image, case, part, number in files.match(r"((TRAIN|TEST)(\d{3}))/oct\.mhd$"):
        reference = references.pop(case, None)
        if part == "TRAIN" and reference is None:
            yield Skipped(file=image, reason="a training volume whose reference is not in this copy")
            yield from voxels_of(image)
            continue
        first, second = (int(number) > last for last in RANGES[part])
        yield Row(
            id=case,
            split=part.lower(),
            subject=case,
            image=image,
            mask=reference,
            meta={"vendor": vendors.get(image.path) or ("Cirrus", "Spectralis", "Topcon")[first + second]},
        )
    for reference in references.values():
        yield Skipped(file=reference, reason="a reference whose volume is not in this copy")
        yield from voxels_of(reference)


def voxels_of(header):
    raw = header.sibling(f"{header.stem}.raw")
    return [Skipped(file=raw, reason=f"the voxels of {header.path}")] if raw else []


def miniature(make):
    sets = (
        ("Cirrus", (12, 20, 6), 1, 1),
        ("Spectralis", (12, 10, 4), 25, 15),
        ("Topcon", (12, 18, 6), 70, 42),
    )
    for vendor, shape, train, test in sets:
        image = {"spacing": (0.0117, 0.002, 0.047), "dtype": "uint8"}
        with make.zip(f"RETOUCH-TrainingSet-{vendor}.zip") as inner:
            folder = f"RETOUCH-TrainingSet-{vendor}/TRAIN{train:03d}"
            inner.metaimage(f"{folder}/oct.mhd", shape, low=0, high=255, **image)
            inner.metaimage(f"{folder}/reference.mhd", shape, labels=(1, 2, 3), nested=False, **image)
            if vendor == "Cirrus":
                partial = f"RETOUCH-TrainingSet-{vendor}/TRAIN024/oct.mhd"
                inner.metaimage(partial, shape, low=0, high=255, **image)
        with make.zip(f"RETOUCH-TestSet-{vendor}.zip") as inner:
            folder = f"RETOUCH-TestSet-{vendor}/TEST{test:03d}"
            inner.metaimage(f"{folder}/oct.mhd", shape, low=0, high=255, **image)
