"""The one row: what a builder yields (`Row`, `Label`) and what is stored (`features`).

The stored schema is the same, to the byte, for every dataset of one dimension. Axis order: `shape` and `spacing` follow
the array (2-D: height, width; 3-D: i, j, k of NIfTI; video: frames, height, width). Boxes and points are x, y
for 2-D (x = column) and i, j, k for 3-D.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from medimg.files import File
from medimg.pixels import Pixels

if TYPE_CHECKING:
    from datasets import Features

SCHEMA_VERSION = "1"
Dimension = Literal["2d", "3d", "video"]
PIXEL_COLUMNS = ("image", "label.mask", "label.target")
"""Columns that hold pixels; config `metadata` is everything else."""


class Frozen(BaseModel):
    """Base of declarations and rows: no unknown fields, no later change."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _finite(what: str, numbers: tuple[float, ...]) -> None:
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{what} {list(numbers)} is not finite")


class Box(Frozen):
    """A named box, half-open: [x0, y0, x1, y1] in pixels or [i0, j0, k0, i1, j1, k1] in voxel indices of `image`.

    Numbers are finite, and each upper bound exceeds its lower one: corners are never swapped.
    """

    name: str
    box: tuple[float, ...]

    @field_validator("box")
    @classmethod
    def _extent(cls, box: tuple[float, ...]) -> tuple[float, ...]:
        half = len(box) // 2
        if len(box) not in (4, 6):
            raise ValueError(f"a box has 4 (2-D) or 6 (3-D) numbers, not {len(box)}")
        _finite("box", box)
        if any(not low < high for low, high in zip(box[:half], box[half:], strict=True)):
            raise ValueError(f"box {list(box)} is empty: each upper bound must exceed its lower bound")
        return box


class Point(Frozen):
    """A named landmark or centroid: [x, y] in pixels or [i, j, k] in voxel indices of `image`, finite."""

    name: str
    point: tuple[float, ...]

    @field_validator("point")
    @classmethod
    def _place(cls, point: tuple[float, ...]) -> tuple[float, ...]:
        if len(point) not in (2, 3):
            raise ValueError(f"a point has 2 (2-D) or 3 (3-D) numbers, not {len(point)}")
        _finite("point", point)
        return point


class Measure(Frozen):
    """A named number with its unit (UCUM where there is one: "mm", "%", "mo", "1"); it is finite."""

    name: str
    value: float
    unit: str

    @field_validator("value")
    @classmethod
    def _number(cls, value: float) -> float:
        _finite("measure", (value,))
        return value


class Text(Frozen):
    """A VQA pair, a report or a caption."""

    kind: Literal["vqa", "report", "caption"]
    question: str | None = None
    answer: str


class Label(Frozen):
    """Everything that is known about one image.

    Attributes:
        classes: image-level findings that are present (canonical names).
        uncertain: marked uncertain by the source.
        assessed: every class or structure that the annotators looked for. In it and not in `classes`: absent. Not in
            it: unknown. `Dataset.every_label` is all that a declaration's labels can say. None means the names of
            the legend of the mask; a row that has classes, or no mask though the declaration has labels, must say it.
        mask: label map on the image's own grid.
        legend: what each mask value means; None takes the declaration's. An empty tuple of names is "not annotated
            here" (ignore). Value 0 is background and needs no entry.
        instances: mask values count instances; `legend` then needs only entry 1, the kind of every instance.
        boxes, points: named places in the image's own pixels or voxels.
        measures: named numbers with units.
        texts: questions with answers, reports, captions.
        target: the paired image of registration, reconstruction or synthesis.
        drawn_on: (height, width) of the picture in which boxes and points stand, where the source says so: one of
            another size is refused.
        source: the label exactly as the source gives it (anything that json can hold).
    """

    classes: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    assessed: tuple[str, ...] | None = None
    mask: File | Pixels | None = None
    legend: Mapping[int, tuple[str, ...]] | None = None
    instances: bool = False
    boxes: tuple[Box, ...] = ()
    points: tuple[Point, ...] = ()
    drawn_on: tuple[int, int] | None = None
    measures: tuple[Measure, ...] = ()
    texts: tuple[Text, ...] = ()
    target: File | Pixels | None = None
    source: Any = None


class Row(Frozen):
    """One image as a builder yields it. Fields of `Label` may be given directly: `Row(..., mask=file)`.

    Attributes:
        id: stable within the dataset; stored as `<dataset>/<id>` (`<dataset>/<config>/<id>` where there are configs).
        image: a file, which takes the reader by its suffix, or what a reader gives.
        split: split name, e.g. "train".
        config: sub-collection, for datasets that declare `configs`.
        subject: patient id in the source; a blank one is None. None only where the declaration's `no_subject` says why.
        modality, organ, task: None takes the declaration's (modality: its only one).
        sequence: channel names where co-registered images are stacked into one 4-D volume, e.g. ("FLAIR", "T1").
        spacing: mm per pixel or voxel where the image file does not say and the source does; () where the file names a
            spacing that means nothing.
        license: None takes the declaration's.
        meta: all else that the source says of this row, under the source's own names.
    """

    id: str
    image: File | Pixels
    split: str = "train"
    config: str = "default"
    subject: str | None = None
    modality: str | None = None
    organ: tuple[str, ...] | None = None
    task: tuple[str, ...] | None = None
    sequence: tuple[str, ...] = ()
    spacing: tuple[float, ...] | None = None
    license: str | None = None
    meta: Mapping[str, Any] = Field(default_factory=dict)
    label: Label = Field(default_factory=Label)

    @property
    def placed(self) -> bool:
        """Whether numbers of the row mean places in its image: boxes, points, a spacing that differs along the axes."""
        return bool(self.label.boxes or self.label.points or len({*(self.spacing or ())}) > 1)

    @field_validator("id")
    @classmethod
    def _no_blank_id(cls, id: str) -> str:
        if not id.strip():
            raise ValueError("the id is blank")
        return id

    @field_validator("subject")
    @classmethod
    def _blank_is_nobody(cls, subject: str | None) -> str | None:
        """A blank cell names no patient: rows that share it are not of one person."""
        return subject if subject and subject.strip() else None

    @model_validator(mode="before")
    @classmethod
    def _gather_label(cls, values: dict[str, Any]) -> dict[str, Any]:
        inner = {key: values[key] for key in values if key in Label.model_fields}
        if not inner:
            return values
        if "label" in values:
            raise ValueError("give either label=Label(...) or the label's fields, not both")
        return {key: values[key] for key in values if key not in inner} | {"label": Label(**inner)}


class Skipped(Frozen):
    """A source file that is no row, yielded by a builder with the reason, so that nothing is dropped silently."""

    file: File
    reason: str


def skipped(files: Iterable[File], reason: str) -> Iterator[Skipped]:
    """Every one of some files with one reason."""
    return (Skipped(file=file, reason=reason) for file in files)


def features(dimension: Dimension) -> Features:
    """The stored schema of one dimension, for the stock `datasets` library."""
    from datasets import Features, Image, List, Nifti, Value, Video

    image = {"2d": Image, "3d": Nifti, "video": Video}[dimension]()
    # A video's mask and target are volumes (width, height, frames): one label map over all frames.
    other = Image if dimension == "2d" else Nifti
    text = Value("string")
    return Features(
        {
            "id": text,
            "dataset": text,
            "image": image,
            "modality": text,
            "organ": List(text),
            "task": List(text),
            "label": {
                "classes": List(text),
                "uncertain": List(text),
                "assessed": List(text),
                "mask": other(),
                "legend": List({"value": Value("int32"), "names": List(text)}),
                "instances": Value("bool"),
                "boxes": List({"name": text, "box": List(Value("float32"))}),
                "points": List({"name": text, "point": List(Value("float32"))}),
                "measures": List({"name": text, "value": Value("float64"), "unit": text}),
                "texts": List({"kind": text, "question": text, "answer": text}),
                "target": other(),
                "source": text,
            },
            "subject": text,
            "sequence": List(text),
            "shape": List(Value("int32")),
            "spacing": List(Value("float32")),
            "content": text,
            "license": text,
            "meta": text,
        }
    )


def metadata_features(dimension: Dimension) -> Features:
    """`features` without the pixel columns."""
    from datasets import Features

    full = features(dimension)
    label = {key: value for key, value in full["label"].items() if f"label.{key}" not in PIXEL_COLUMNS}
    return Features(
        {key: label if key == "label" else value for key, value in full.items() if key not in PIXEL_COLUMNS}
    )
