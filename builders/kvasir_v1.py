"""Kvasir, version 1: endoscopy of the gastrointestinal tract with one of eight classes.

4,000 images, 500 of each class: anatomical landmarks, pathological findings, and tissue that was dyed to remove
polyps, collected at Vestre Viken Health Trust in Norway.
"""

from medimg.builders import _kvasir
from medimg.declaration import Overlap

DATASET = _kvasir.version(
    "kvasir-dataset",
    name="kvasir-v1",
    title="Kvasir v1",
    aliases=("Kvasir-v1", "kvasir-dataset"),
    splits={"train": 4000},
    overlaps=(
        Overlap(dataset="kvasir-v2", relation="subset of", evidence="unverified: all images of the first version"),
        Overlap(dataset="hyperkvasir", relation="shared images", evidence="unverified: collected there, too"),
    ),
)

rows = _kvasir.rows


def miniature(make):
    _kvasir.miniature(make, "kvasir-dataset")
