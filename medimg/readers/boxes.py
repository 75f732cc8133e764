"""Annotation formats of computer vision: Pascal VOC and COCO, exactly as their files say.

Nothing is shifted or clipped on reading. `half_open` of a VOC object is the explicit step to this project's
boxes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from medimg.errors import FormatError, LabelError
from medimg.files import File
from medimg.files.names import lower_suffix
from medimg.pixels import Picture, Pixels
from medimg.readers.contours import rasterize
from medimg.readers.depth import label_picture
from medimg.readers.masks import no_objects, numbered
from medimg.readers.promises import Promised, damaged, naming
from medimg.readers.tables import json_value, xml

BoxValues = tuple[float, float, float, float]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class VocObject:
    """One object of a Pascal VOC file.

    Attributes:
        name: class, as in the file.
        box: (xmin, ymin, xmax, ymax), as in the file.
        raw: the whole element: text, dicts for nested elements, lists for repeated ones.
    """

    name: str
    box: BoxValues
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """The box has no extent: xmin = xmax or ymin = ymax, as a click without a drag leaves it."""
        return self.box[0] == self.box[2] or self.box[1] == self.box[3]

    def half_open(self, first: int = 1) -> BoxValues:
        """The box [x0, y0, x1, y1) with the first pixel at 0.

        Args:
            first: 1 for files that count pixels from 1 and include the last (the VOC standard), 0 for files
                that count from 0 and whose maxima already are exclusive. Look at the data: which extremes
                occur?
        """
        x0, y0, x1, y1 = self.box
        return (x0 - first, y0 - first, x1, y1)


@dataclass(frozen=True, slots=True)
class VocAnnotation:
    """A Pascal VOC file: the image's name and size as it says (None where it does not), and the objects."""

    filename: str | None
    width: int | None
    height: int | None
    objects: tuple[VocObject, ...]

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width), for `Label.drawn_on`; None where the file does not say."""
        return (self.height, self.width) if self.height and self.width else None


def corners(cells: Mapping[str, Any], names: Sequence[str], *, file: File, place: str) -> BoxValues:
    """Four numbers of a JSON object, in the order of `names`.

    Args:
        cells: field -> value.
        names: the four fields.
        file: that holds the object, and `place` in it, for messages.

    Raises:
        FormatError: a field is not there, or no finite number.
    """
    found = []
    for name in names:
        value = cells.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise FormatError(
                f"{place}: {name!r} is {value!r}, no finite number" if name in cells else f"{place} has no {name!r}",
                file=file.path,
                next_step="Mend the file, or take that of the original download.",
            )
        found.append(float(value))
    x0, y0, x1, y1 = found
    return x0, y0, x1, y1


def size(cells: Mapping[str, Any]) -> tuple[int, int] | None:
    """(height, width) as the fields "height" and "width" state it, for `Label.drawn_on`; None where they do not."""
    stated = cells.get("height"), cells.get("width")
    return stated if all(isinstance(one, int) and one > 0 for one in stated) else None  # type: ignore[return-value]


def voc(file: File) -> VocAnnotation:
    """Read a Pascal VOC file.

    Raises:
        FormatError: no XML, no <annotation>, or an object without name or finite box, or with swapped corners.
    """
    root = xml(file)
    with naming(file.path):
        if root.tag != "annotation":
            raise FormatError(f"the root element is <{root.tag}>, not <annotation>")
        objects = tuple(_voc_object(number, one) for number, one in enumerate(root.findall("object"), 1))
        width, height = (_whole(root.findtext(f"size/{side}")) for side in ("width", "height"))
        return VocAnnotation(_stripped(root.findtext("filename")), width, height, objects)


def _voc_object(number: int, element: Element) -> VocObject:
    name = _stripped(element.findtext("name"))
    corners = [element.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
    if not name or None in corners:
        raise FormatError(f"object {number} has no name or no complete <bndbox>")
    try:
        box = tuple(float(corner or "") for corner in corners)
    except ValueError as error:
        raise FormatError(f"object {number}: a corner is no number ({error})") from error
    if not all(map(math.isfinite, box)):
        raise FormatError(f"object {number}: a corner is not finite: {box}")
    if box[0] > box[2] or box[1] > box[3]:
        raise FormatError(f"object {number}: the corners of its box are swapped: {box}")
    raw = _tree(element)
    return VocObject(name, (box[0], box[1], box[2], box[3]), raw if isinstance(raw, dict) else {})


def _tree(element: Element) -> Any:
    if not len(element):
        return (element.text or "").strip()
    out: dict[str, Any] = {}
    for child in element:
        value = _tree(child)
        if child.tag in out:
            before = out[child.tag]
            out[child.tag] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            out[child.tag] = value
    return out


def _stripped(text: str | None) -> str | None:
    return text.strip() or None if text is not None else None


def _whole(text: str | None) -> int | None:
    """A positive size; VOC files write 0 where they do not know."""
    try:
        return int(float(text or "")) or None
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class CocoObject:
    """One annotation of a COCO file.

    Attributes:
        id: annotation id.
        category: name of its category.
        box: half-open (x0, y0, x1, y1), from COCO's [x, y, width, height]; None where there is none.
        segmentation: as in the file: polygons, run lengths, or None.
        raw: the whole annotation.
    """

    id: int | str
    category: str
    box: BoxValues | None
    segmentation: Any
    raw: Mapping[str, Any]

    def inside(self, shape: tuple[int, int]) -> Bools:
        """The segmentation on a grid of (height, width).

        Polygons follow the rule of `masks.polygons` and are united; run lengths, plain or compressed, are
        exact.

        Raises:
            LabelError: no segmentation, or one that does not fit the grid.
        """
        parts = self.segmentation
        if isinstance(parts, Mapping):
            return _run_lengths(parts, shape)
        out = np.zeros(shape, dtype=np.bool_)
        if not isinstance(parts, Sequence) or isinstance(parts, str) or not parts:
            raise LabelError(f"annotation {self.id} has no segmentation")
        for part in parts:
            if len(part) % 2 or len(part) < 6:
                raise LabelError(f"annotation {self.id} has a polygon of {len(part)} numbers")
            top, left, inside = rasterize(list(zip(part[::2], part[1::2], strict=True)), shape)
            out[top : top + inside.shape[0], left : left + inside.shape[1]] |= inside
        return out


@dataclass(frozen=True, slots=True)
class CocoImage:
    """One image of a COCO file with its annotations, in the file's order."""

    id: int | str
    filename: str
    width: int
    height: int
    objects: tuple[CocoObject, ...]
    raw: Mapping[str, Any]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), for `Label.drawn_on`."""
        return self.height, self.width

    def mask(self, values: Mapping[str, int] | None = None, file: File | None = None) -> Pixels:
        """The segmentations as a label map; a later object covers an earlier one.

        Args:
            values: category -> label value, total. None numbers the objects from 1: a map of instances.
            file: the COCO file, for error messages.

        Raises (on `read`):
            LabelError: an object without segmentation, a category without value, or an instance that is
                hidden.
        """
        name = file.path if file else self.filename
        return Promised((file,) if file else (), _coco_mask, (self, values, name))


@dataclass(frozen=True, slots=True)
class Coco:
    """A COCO file.

    Attributes:
        images: by the file name that the COCO file gives.
        categories: id -> name.
        raw: everything else in it (info, licenses).
    """

    images: Mapping[str, CocoImage]
    categories: Mapping[int | str, str]
    raw: Mapping[str, Any]


def coco(file: File) -> Coco:
    """Read a COCO file of instances.

    Raises:
        FormatError: no COCO, or annotations of images or categories that the file does not list.
    """
    value = json_value(file)
    with naming(file.path), damaged("not a COCO file of instances"):
        return _coco(value)


def _coco(value: Mapping[str, Any]) -> Coco:
    categories = {one["id"]: str(one["name"]) for one in value["categories"]}
    images = {one["id"]: one for one in value["images"]}
    if len(images) < len(value["images"]) or len(categories) < len(value["categories"]):
        raise FormatError("two images or categories have one id")
    objects: dict[int | str, list[CocoObject]] = {number: [] for number in images}
    for one in value["annotations"]:
        if one["image_id"] not in objects or one["category_id"] not in categories:
            raise FormatError(f"annotation {one['id']} is of an image or category that the file does not list")
        box = None
        if one.get("bbox"):
            x, y, width, height = (float(number) for number in one["bbox"])
            if not all(map(math.isfinite, (x, y, width, height))):
                raise FormatError(f"annotation {one['id']} has a box that is not finite")
            box = (x, y, x + width, y + height)
        objects[one["image_id"]].append(
            CocoObject(one["id"], categories[one["category_id"]], box, one.get("segmentation") or None, one)
        )
    found = {
        lower_suffix(str(one["file_name"])): CocoImage(
            number, str(one["file_name"]), int(one["width"]), int(one["height"]), tuple(objects[number]), one
        )
        for number, one in images.items()
    }
    if len(found) < len(images):
        raise FormatError("two images have one file name")
    rest = {key: one for key, one in value.items() if key not in ("images", "annotations", "categories")}
    return Coco(found, categories, rest)


def _run_lengths(value: Mapping[str, Any], shape: tuple[int, int]) -> Bools:
    """COCO's run lengths: turns of background and object down the columns."""
    if tuple(value.get("size") or ()) != shape:
        raise LabelError(f"run lengths of an image of {value.get('size')} on one of {list(shape)}")
    counts = value.get("counts")
    numbers = _uncompressed(counts) if isinstance(counts, str) else counts
    if not isinstance(numbers, Sequence) or not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise LabelError("run lengths must be whole numbers from 0")
    if sum(numbers) != shape[0] * shape[1]:
        raise LabelError(f"run lengths of {sum(numbers)} pixels for an image of {shape[0]} x {shape[1]}")
    turns = np.arange(len(numbers)) % 2 == 1
    return np.repeat(turns, numbers).reshape(shape, order="F")


def _uncompressed(text: str) -> list[int]:
    """COCO's compressed form: 5 bits a letter; from the fourth number on, differences to two before."""
    numbers: list[int] = []
    number = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or shift > 60:
            raise LabelError("damaged compressed run lengths")
        number |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            number -= 1 << shift
        numbers.append(number + numbers[-2] if len(numbers) > 2 else number)
        number = shift = 0
    if shift:
        raise LabelError("truncated compressed run lengths")
    return numbers


def _coco_mask(image: CocoImage, values: Mapping[str, int] | None, name: str) -> Picture:
    with naming(name):
        if values is None:
            drawn = (one.inside(image.size) for one in image.objects)
            return numbered(drawn, len(image.objects)) if image.objects else no_objects(image.size)
        out = np.zeros(image.size, dtype=np.int64)
        for one in image.objects:
            if one.category not in values:
                raise LabelError(f"category {one.category!r} has no label value")
            out[one.inside(image.size)] = values[one.category]
        return label_picture(out)
