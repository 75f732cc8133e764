"""Lung Nodule Malignancy: 6,691 CT patches of 64 x 64 pixels around lung nodules of LUNA16, benign or malignant.

Made by K. S. Mader at Kaggle from LUNA16 and the ratings of malignancy in LIDC-IDRI.
"""

from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.errors import FormatError
from medimg.readers import hdf5
from medimg.schema import Row, skipped

KAGGLE = "https://www.kaggle.com/kmader/lungnodemalignancy"
KINDS = {"0": "benign lung nodule", "1": "malignant lung nodule"}

DATASET = Dataset(
    name="lung-nodule-malignancy",
    title="Lung Nodule Malignancy",
    aliases=("lungnodemalignancy",),
    dimension="2d",
    modality="CT",
    organ="lung",
    task="classification",
    license="CC-BY-4.0",
    access="registration",
    how=f"Register at Kaggle, download {KAGGLE} and pass the archive or its folder as source=",
    citation=Citation(title="Lung Nodule Malignancy", authors="Mader KS", venue="Kaggle", year=2017, url=KAGGLE),
    sources=(Source(url=KAGGLE, kind="page"),),
    labels=KINDS,
    splits={"train": 6691},
    no_subject="patches carry no patient: the same nodule and patient may occur several times",
    overlaps=(
        Overlap(dataset="luna16", relation="derived from", evidence=KAGGLE),
        Overlap(dataset="lidc-idri", relation="derived from", evidence=KAGGLE),
    ),
    keys="index; slice_class",
    evidence=Evidence(
        layout="ten public scripts that read all_patches.hdf5 (ct_slices of 6691 x 64 x 64, slice_class of "
        "6691 x 1); linhandev/dataset:README.md@03debac (4165 and 2526 files of the format tif)",
        labels="the author's own notebook (slice_class above 0.5 is malignant)",
        license="https://easymed.ai/datasets/GeorgeSullivan/LungNoduleMalignancy, a copy of the author's text: "
        "the same policy as LUNA16, which is CC BY 4.0",
        subject="public scripts: the file holds no ids",
    ),
    notes=(
        "Splits by patient are not possible, so leakage cannot be excluded.",
        "4,165 patches are benign, 2,526 malignant. Pixels are Hounsfield units.",
    ),
)


def rows(files):
    book = files.need(r"all_patches\.hdf5$")
    classes = hdf5.values(book, "slice_class")
    if (count := hdf5.length(book, "ct_slices")) != len(classes):
        raise FormatError(
            f"ct_slices has {count} patches, slice_class {len(classes)} classes",
            file=book.path,
            next_step="Take the file of the original download: which class is whose is not known of this one.",
        )
    for number, (image, told) in enumerate(zip(hdf5.items(book, "ct_slices"), classes, strict=True)):
        kind = told[0] if isinstance(told, list) else told
        yield Row(
            id=f"{number:04d}",
            image=image,
            classes=DATASET.labels[str(int(kind > 0.5))],
            assessed=tuple(KINDS.values()),
            source={"slice_class": kind},
            meta={"index": number},
        )
    yield from skipped((file for file, *_ in files.match(r"\.tiff?$")), "a patch that all_patches.hdf5 holds too")


def miniature(make):
    make.hdf5("all_patches.hdf5", ct_slices=((4, 64, 64), "int16"), slice_class=[[0], [1], [0], [1]])
    make.csv("malignancy.csv", ["patch", "malignancy"], [("ND0001", 1)])
    make.image("ND0001/ND0001.tif", (64, 64), mode="I;16")
