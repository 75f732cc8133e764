"""Kvasir-SEG: colonoscopy images with polyps, taken from the polyp class of the Kvasir dataset.

1,000 images in which the polyps are outlined, with their boxes.
"""

from medimg.builders import _kvasir
from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source

PAGE = "simula/datasets.simula.no@baf1760 (datasets/kvasir-seg.md)"

DATASET = Dataset(
    name="kvasir-seg",
    title="Kvasir-SEG",
    aliases=("KvasirSEG", "Kvasir SEG", "Kvasir-Sessile"),
    dimension="2d",
    modality="endoscopy",
    organ="colon",
    task=("segmentation", "detection"),
    license="LicenseRef-Simula",
    citation=Citation(
        title="Kvasir-SEG: A Segmented Polyp Dataset",
        authors="Jha D, Smedsrud PH, Riegler MA, et al.",
        venue="MultiMedia Modeling 2020, LNCS 11962:451-462",
        year=2020,
        doi="10.1007/978-3-030-37734-2_37",
    ),
    sources=(
        Source(
            url="https://datasets.simula.no/downloads/kvasir-seg.zip",
            sha256="03b30e21d584e04facf49397a2576738fd626815771afbbf788f74a7153478f7",
        ),
        Source(url="https://datasets.simula.no/kvasir-seg/", kind="page"),
    ),
    labels={"polyp": "colon polyp"},
    legend={1: ("colon polyp",)},
    splits={"train": 1000},
    no_subject="patients are not published",
    overlaps=(
        Overlap(
            dataset="kvasir-v2",
            relation="subset of",
            evidence=f"{PAGE}: the polyp class; the picture of the position marker is painted black here, "
            f"so pixels differ",
        ),
        Overlap(
            dataset="hyperkvasir",
            relation="subset of",
            evidence="simula/datasets.simula.no@baf1760 (datasets/hyper-kvasir.md): its segmented images",
        ),
    ),
    keys="kavsir_bboxes.json; height; width; bbox; label; xmin; ymin; xmax; ymax",
    evidence=Evidence(
        layout=f"{PAGE}; constantinpape/torch-em:torch_em/data/datasets/medical/kvasir.py@6f71247c",
        labels=f"{PAGE} (polyp tissue is white); boxes: "
        f"openmedlab/Awesome-Medical-Dataset:resources/Kvasir-SEG.md@81da0eee",
        license=f"{PAGE} (Terms of use)",
        subject=f"{PAGE}: no word of patients",
    ),
    notes=(
        "Masks are JPEG files, blurred by compression; brightness from 128 of 255 on counts as polyp here, "
        "some loaders ask for 240.",
        "Boxes are as the source states them.",
        "There is no official split; 880 for training and 120 for test were used in MediaEval.",
    ),
)

rows = _kvasir.segmented(r"(?:^|/)", r"(?:^|/)kavsir_bboxes\.json$")


def miniature(make):
    # The table's name really is misspelled; masks have three channels and sizes vary; one image has two polyps.
    names = ("cju0qkwl35piu0993l0dewei2", "cju0qoxqj9q6s0835b43399p4", "cju0qx73cjw570799j4n5cjze")
    first = {"label": "polyp", "xmin": 8, "ymin": 5, "xmax": 30, "ymax": 40}
    second = {"label": "polyp", "xmin": 33, "ymin": 21, "xmax": 50, "ymax": 35}
    with make.zip("kvasir-seg.zip") as inner:
        for n, name in enumerate(names):
            size = (62 - 4 * n, 53 + n)
            inner.image(f"Kvasir-SEG/images/{name}.jpg", size, mode="RGB")
            inner.image(f"Kvasir-SEG/masks/{name}.jpg", size, mode="RGB", labels=(255,), quality=75)
        table = {
            name: {"height": 53 + n, "width": 62 - 4 * n, "bbox": [first, second][: 1 + n % 2]}
            for n, name in enumerate(names)
        }
        inner.json("Kvasir-SEG/kavsir_bboxes.json", table)
