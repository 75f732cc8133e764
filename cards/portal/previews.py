"""What a published dataset lets the portal show of itself."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["image", "volume"]


class Sample(NamedTuple):
    """One row that the viewer opens.

    Attributes:
        id: the row's id.
        kind: an image (PNG, JPEG or WebP bytes) or a volume (`.nii.gz` bytes).
        caption: what it is, and how it was made smaller.
        image: the bytes; suffix: of their file, with its dot.
        mask: label map on the image's grid: a PNG whose gray values are the labels, or `.nii.gz`; None without one.
        legend: value -> names.
        instances: values count instances.
    """

    id: str
    kind: Kind
    caption: str
    image: bytes
    suffix: str
    mask: bytes | None = None
    legend: tuple[tuple[int, tuple[str, ...]], ...] = ()
    instances: bool = False


class Preview(NamedTuple):
    """Pictures of one dataset.

    Attributes:
        thumbnail: WebP bytes, with the labels drawn on.
        alt: what the thumbnail shows, for those who do not see it.
        samples: rows for the viewer.
    """

    thumbnail: bytes
    alt: str
    samples: tuple[Sample, ...] = ()
