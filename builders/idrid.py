"""IDRiD: fundus photographs of diabetic retinopathy from an eye clinic in Nanded, India.

The three sub-challenges of 2018: lesions and optic disc outlined in 81 photographs, retinopathy and macular
edema graded in 516, and optic disc and fovea located in the same 516.
"""

from medimg.builders import _idrid
from medimg.declaration import Citation, Config, Dataset, Evidence, Part, Source

HOME = "https://idrid.grand-challenge.org/"
PORT = "https://ieee-dataport.org/open-access/indian-diabetic-retinopathy-image-dataset-idrid"
COPY = "huggingface.co/datasets/amin-nejad/idrid-disease-grading"
GRADED = {"train": 413, "test": 103}

DATASET = Dataset(
    name="idrid",
    title="IDRiD, Indian Diabetic Retinopathy Image Dataset",
    aliases=("Indian Diabetic Retinopathy Image Dataset",),
    dimension="2d",
    modality="fundus photography",
    organ="retina",
    task=("segmentation", "grading", "landmark localization"),
    license="CC-BY-4.0",
    homepage=HOME,
    citation=Citation(
        title="Indian Diabetic Retinopathy Image Dataset (IDRiD): A Database for Diabetic Retinopathy Screening "
        "Research",
        authors="Porwal P, Pachade S, Kamble R, et al.",
        venue="Data 3(3):25",
        year=2018,
        doi="10.3390/data3030025",
    ),
    access="registration",
    how=f"Sign in at {PORT}, download the three zip files (A. Segmentation, B. Disease Grading, C. Localization), "
    "and pass the folder that holds them.",
    sources=(
        Source(url=PORT, kind="page"),
        Source(
            url="https://www.kaggle.com/datasets/aaryapatel98/indian-diabetic-retinopathy-image-dataset",
            kind="page",
        ),
    ),
    labels=_idrid.GRADES,
    legend=_idrid.LEGEND,
    splits=GRADED,
    configs=(
        Config(
            name="segmentation",
            title="A. Segmentation",
            task="segmentation",
            splits={"train": 54, "test": 27},
        ),
        Config(name="grading", title="B. Disease grading", task="grading", splits=GRADED),
        Config(name="localization", title="C. Localization", task="landmark localization", splits=GRADED),
    ),
    parts=(
        Part(config="segmentation", legend=_idrid.LEGEND, names=()),
        Part(config="grading", names=(*_idrid.GRADES.values(), *_idrid.RISKS.values())),
        Part(config="localization", names=tuple(_idrid.CENTER.values())),
    ),
    no_subject="patients are not published",
    keys="Retinopathy grade; Risk of macular edema; OD; Fovea",
    evidence=Evidence(
        layout=f"{HOME}Data/; constantinpape/torch-em:torch_em/data/datasets/medical/idrid.py@6f71247c; public "
        "loaders (names of the tables of C)",
        labels=f"{HOME}Data/; erfanvaredi/diabetic-retinal-classification@b7d7885b (both tables of B); {COPY}",
        license=f"{COPY} (LICENSE.txt of the archive: CC BY 4.0, Porwal, Pachade, Kokare)",
        subject=f"{HOME}Data/: no word of patients",
    ),
    notes=(
        "A numbers its photographs on its own (two digits); B and C hold the same photographs under the same numbers "
        "(three digits), which begin anew in the test set.",
        "A lesion without a file is absent from that photograph: soft exudates have 40 files for 81 photographs.",
        "The label map holds the five structures as bits, as they may meet; its values are in the legend.",
    ),
)


def rows(files):
    yield from _idrid.rows(files)


def miniature(make):
    _idrid.miniature(make)
