"""Kvasir, version 2: endoscopy of the gastrointestinal tract with one of eight classes.

8,000 images, 1,000 of each class: anatomical landmarks, pathological findings, and tissue that was dyed to remove
polyps, collected at Vestre Viken Health Trust in Norway.
"""

from medimg.builders import _kvasir
from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source

PAGE = f"{_kvasir.PAGES} (datasets/kvasir.md)"

DATASET = Dataset(
    name="kvasir-v2",
    title="Kvasir v2",
    aliases=("Kvasir-v2", "kvasir-dataset-v2"),
    dimension="2d",
    modality="endoscopy",
    organ="gastrointestinal tract",
    task="classification",
    license="LicenseRef-Simula",
    homepage="https://datasets.simula.no/kvasir/",
    citation=Citation(**_kvasir.CITATION),
    sources=(
        Source(url=f"{_kvasir.HOST}/kvasir/kvasir-dataset-v2.zip"),
        Source(url="https://datasets.simula.no/kvasir/", kind="page"),
    ),
    labels=_kvasir.LABELS,
    splits={"train": 8000},
    no_subject="patients are not published",
    overlaps=(
        Overlap(
            dataset="kvasir-v1",
            relation="superset of",
            evidence="unverified: all images of the first version",
        ),
        Overlap(
            dataset="kvasir-seg",
            relation="superset of",
            evidence=f"{_kvasir.PAGES} (datasets/kvasir-seg.md): its polyps; there the box is painted black",
        ),
        Overlap(dataset="hyperkvasir", relation="shared images", evidence="unverified: collected there, too"),
    ),
    evidence=Evidence(
        layout=f"{PAGE}; public copies (all eight folders)",
        labels=f"{PAGE} (names of the classes)",
        license=f"{PAGE} (Terms of use)",
        subject=f"{PAGE}: no word of patients",
    ),
    notes=_kvasir.NOTES,
)

rows = _kvasir.rows


def miniature(make):
    _kvasir.miniature(make, "kvasir-dataset-v2.zip", "kvasir-dataset-v2")
