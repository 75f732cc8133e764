"""Kvasir, version 2: endoscopy of the gastrointestinal tract with one of eight classes.

8,000 images, 1,000 of each class: anatomical landmarks, pathological findings, and tissue that was dyed to remove
polyps, collected at Vestre Viken Health Trust in Norway.
"""

from medimg.builders import _kvasir
from medimg.declaration import Overlap

DATASET = _kvasir.version(
    "kvasir-dataset-v2",
    name="kvasir-v2",
    title="Kvasir v2",
    aliases=("Kvasir-v2", "kvasir-dataset-v2"),
    splits={"train": 8000},
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
)

rows = _kvasir.rows


def miniature(make):
    _kvasir.miniature(make, "kvasir-dataset-v2")
