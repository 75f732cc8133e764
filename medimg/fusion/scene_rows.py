"""Rows to scenes and back: stored pixels, boxes and points of a row as arrays on one grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from medimg.errors import FormatError, GeometryError
from medimg.fusion import scene as geometry
from medimg.fusion.scene import Scene
from medimg.pixels import Array, Picture, Volume
from medimg.readers import raster
from medimg.readers.grids import VoxelGrid

IMAGE, TARGET, MASK = "image", "label.target", "label.mask"
FUSED_MASK, FUSED_CHANNELS = "fused.mask", "fused.channels"
BOXES = ("label.boxes", "fused.boxes")
POINTS = ("label.points",)

Values = dict[str, Any]
Scalings = Mapping[str, tuple[float, float]]
Order = Callable[[list[float]], list[float]]


def at(row: Mapping[str, Any], place: str) -> Any:
    """The value at `column` or `column.field`; None where the column is absent."""
    value: Any = row
    for part in place.split("."):
        value = value.get(part) if value is not None else None
    return value


def changed(row: Mapping[str, Any], changes: Mapping[str, Any]) -> Values:
    """A copy of the row with other values at some places."""
    result = dict(row)
    for place, value in changes.items():
        column, _, inner = place.partition(".")
        result[column] = {**result[column], inner: value} if inner else value
    return result


def read_volume(row: Mapping[str, Any]) -> tuple[Scene, Scalings]:
    """A 3-D row's scene, arrays as views on the stored bytes, and the scaling of each.

    Raises:
        GeometryError: the header's geometry is unusable, or a label map has another shape than the image.
        FormatError: pixels that are no uncompressed NIfTI-1.
    """
    image = Volume(row["image"]["bytes"])
    shape = image.shape[:3]
    if len(shape) < 3:
        raise FormatError(f"a volume has three axes, not the shape {image.shape}")
    affine = image.affine
    stated = row.get("spacing")
    if stated:
        # The row knows more than the header where the source states the spacing elsewhere.
        ratio = np.array(stated[:3]) / np.linalg.norm(affine[:3, :3], axis=0)
        if np.abs(ratio - 1).max() > geometry.TOLERANCE:
            affine[:3, :3] *= ratio
    images: dict[str, Array] = {}
    labels: dict[str, Array] = {}
    scalings = {}
    for place, found in (
        (IMAGE, images),
        (TARGET, images),
        (MASK, labels),
        (FUSED_MASK, labels),
        (FUSED_CHANNELS, labels),
    ):
        pixels = at(row, place)
        if pixels is None:
            continue
        volume = Volume(pixels["bytes"])
        if place == TARGET and VoxelGrid.of(image).differs(VoxelGrid.of(volume)):
            continue
        if volume.shape[:3] != shape:
            raise GeometryError(f"{place} has the shape {volume.shape}, the image {image.shape}")
        found[place] = volume.array
        scalings[place] = volume.scaling
    boxes = {place: _corners(at(row, place), "box", 6) for place in BOXES if at(row, place)}
    points = {place: _corners(at(row, place), "point", 3) for place in POINTS if at(row, place)}
    return Scene(shape, affine, images, labels, boxes, points), scalings


def target_aside(row: Mapping[str, Any], scene: Scene) -> Scene | None:
    """The paired image where it has a grid of its own."""
    pixels = at(row, TARGET)
    if pixels is None or TARGET in scene.images:
        return None
    volume = Volume(pixels["bytes"])
    return Scene(volume.shape[:3], volume.affine, {TARGET: volume.array})


def write_volume(
    row: Mapping[str, Any], scene: Scene, scalings: Scalings, aside: Scene | None, operations: Sequence[str]
) -> Values:
    """The row with the scene's pixels, places, shape and spacing; `operations` added to its provenance."""
    assert scene.affine is not None and scene.spacing is not None
    changes: Values = {}
    for place, array in (*scene.images.items(), *scene.labels.items()):
        changes[place] = _nifti(row, place, array, scene.affine, scalings[place])
    if aside is not None and aside.affine is not None:
        scaling = Volume(at(row, TARGET)["bytes"]).scaling
        changes[TARGET] = _nifti(row, TARGET, aside.images[TARGET], aside.affine, scaling)
    changes["shape"] = list(scene.images[IMAGE].shape)
    changes["spacing"] = list(scene.spacing) if row.get("spacing") else row.get("spacing")
    changes |= _places(row, scene, lambda corner: corner)
    return _told(changed(row, changes), operations)


def _nifti(row: Mapping[str, Any], place: str, array: Array, affine: Array, scaling: tuple[float, float]) -> Values:
    slope, inter = (None, None) if scaling == (1.0, 0.0) else scaling
    volume = Volume.from_array(array, affine, slope=slope, inter=inter)
    return {"bytes": bytes(volume.nifti), "path": at(row, place)["path"]}


def read_picture(row: Mapping[str, Any]) -> Scene:
    """A 2-D row's scene, axes (height, width).

    Raises:
        GeometryError: a label map or paired image has another shape than the image.
    """
    image = decoded(row["image"])
    shape = tuple(int(n) for n in image.shape[:2])
    images, labels = {IMAGE: image}, {}
    target = at(row, TARGET)
    if target is not None:
        images[TARGET] = decoded(target)
    for place in (MASK, FUSED_MASK):
        if at(row, place) is not None:
            labels[place] = decoded(at(row, place))
    if at(row, FUSED_CHANNELS):
        labels[FUSED_CHANNELS] = np.stack([decoded(one) for one in at(row, FUSED_CHANNELS)], axis=-1)
    for place, array in (*images.items(), *labels.items()):
        if array.shape[:2] != shape:
            raise GeometryError(f"{place} has the shape {array.shape}, the image {image.shape}")
    swap = [1, 0, 3, 2]
    boxes = {place: _corners(at(row, place), "box", 4)[:, swap] for place in BOXES if at(row, place)}
    points = {place: _corners(at(row, place), "point", 2)[:, ::-1] for place in POINTS if at(row, place)}
    spacing = row.get("spacing")
    affine = np.diag([*spacing, 1.0]) if spacing else None
    return Scene(shape, affine, images, labels, boxes, points)


def decoded(pixels: Mapping[str, Any]) -> Array:
    """(height, width[, channels]); palette colors as RGB, since indices cannot be interpolated."""
    image = raster.open_stored(pixels["bytes"], str(pixels.get("path") or ""))
    return np.asarray(image.convert("RGB") if image.mode == "P" else image)


def write_picture(row: Mapping[str, Any], scene: Scene, operations: Sequence[str]) -> Values:
    """See `write_volume`; PNG, or TIFF for negative values and fractions."""
    changes: Values = {}
    for place, array in (*scene.images.items(), *scene.labels.items()):
        if place == FUSED_CHANNELS:
            changes[place] = [_png(array[..., n], "fused") for n in range(array.shape[-1])]
        else:
            changes[place] = _png(array, _stem(at(row, place), place))
    changes["shape"] = list(scene.shape)
    changes["spacing"] = None if scene.spacing is None else list(scene.spacing)
    changes |= _places(row, scene, lambda corner: corner[::-1])
    return _told(changed(row, changes), operations)


def _png(array: Array, stem: str) -> Values:
    data, suffix = raster.encode(Picture(np.ascontiguousarray(array)))
    return {"bytes": data, "path": stem + suffix}


def _stem(pixels: Mapping[str, Any] | None, place: str) -> str:
    name = ((pixels or {}).get("path") or place).rsplit("/", 1)[-1]
    return name.removesuffix(".gz").rsplit(".", 1)[0] or place


def _corners(entries: Sequence[Mapping[str, Any]], key: str, width: int) -> Array:
    return np.array([entry[key] for entry in entries], dtype=np.float64).reshape(-1, width)


def _places(row: Mapping[str, Any], scene: Scene, order: Order) -> Values:
    """Boxes and points of the row with the scene's coordinates; `order` turns a corner into the row's order."""
    changes: Values = {}
    axes = len(scene.shape)
    for place, boxes in scene.boxes.items():
        changes[place] = [
            {**entry, "box": [*order(box[:axes].tolist()), *order(box[axes:].tolist())]}
            for entry, box in zip(at(row, place), boxes, strict=True)
        ]
    for place, points in scene.points.items():
        changes[place] = [
            {**entry, "point": order(point.tolist())} for entry, point in zip(at(row, place), points, strict=True)
        ]
    return changes


def _told(row: Values, operations: Sequence[str]) -> Values:
    if row.get("provenance") is None:
        return row
    return changed(row, {"provenance.operations": [*(row["provenance"].get("operations") or ()), *operations]})
