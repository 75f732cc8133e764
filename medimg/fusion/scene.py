"""Geometry on arrays: orientation, resampling, slices. Every step moves labels, boxes and points with the pixels.

Voxel coordinates count from the center of voxel 0, as an affine does; boxes are half-open in voxel edges, so that
edge e lies at e - 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import nibabel as nib
import numpy as np

from medimg.pixels import Array

TOLERANCE = 1e-3
"""Relative difference of spacings, and part of a voxel, that counts as none."""
PLANES = ("sagittal", "coronal", "axial")


@dataclass(frozen=True)
class Scene:
    """Pixels on one grid, and places in them. All axes and coordinates are in the order of the array.

    Attributes:
        shape: voxels along the d = 2 or 3 axes of the grid.
        affine: (d + 1, d + 1) voxel to mm; for d = 3 to RAS+ as in NIfTI. None where nothing is known.
        images: arrays (*shape, ...) that are interpolated.
        labels: arrays (*shape, ...) whose values are never mixed.
        boxes: arrays (n, 2 * d), lower corner, upper corner.
        points: arrays (n, d).
    """

    shape: tuple[int, ...]
    affine: Array | None
    images: Mapping[str, Array] = field(default_factory=dict)
    labels: Mapping[str, Array] = field(default_factory=dict)
    boxes: Mapping[str, Array] = field(default_factory=dict)
    points: Mapping[str, Array] = field(default_factory=dict)

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Mm per voxel along the grid's axes."""
        if self.affine is None:
            return None
        return tuple(float(n) for n in np.linalg.norm(self.affine[:-1, :-1], axis=0))


def oriented(scene: Scene, axes: str) -> Scene:
    """Axes flipped and swapped, nothing resampled, so that they run towards `axes` as closely as possible.

    Args:
        scene: with three axes and an affine.
        axes: e.g. "RAS" (to the right, anterior, superior, as NIfTI's world) or "LPS" (as DICOM's).
    """
    assert scene.affine is not None and len(scene.shape) == 3
    turn = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(scene.affine), nib.orientations.axcodes2ornt(tuple(axes))
    )
    target = turn[:, 0].astype(int)
    flips = turn[:, 1] < 0
    size = np.array(scene.shape)
    order = np.argsort(target)

    def turn_boxes(boxes: Array) -> Array:
        low, high = boxes[:, :3], boxes[:, 3:]
        low, high = np.where(flips, size - high, low), np.where(flips, size - low, high)
        return np.concatenate([low[:, order], high[:, order]], axis=1)

    def turn_points(points: Array) -> Array:
        turned: Array = np.where(flips, size - 1 - points, points)[:, order]
        return turned

    def turn_array(array: Array) -> Array:
        result: Array = nib.orientations.apply_orientation(array, turn)
        return result

    return Scene(
        tuple(int(n) for n in size[order]),
        scene.affine @ nib.orientations.inv_ornt_aff(turn, scene.shape),
        {name: turn_array(array) for name, array in scene.images.items()},
        {name: turn_array(array) for name, array in scene.labels.items()},
        {name: turn_boxes(boxes) for name, boxes in scene.boxes.items()},
        {name: turn_points(points) for name, points in scene.points.items()},
    )


def resampled(scene: Scene, spacing: Sequence[float]) -> Scene:
    """The same field of view with other voxels: images linear, labels nearest.

    The new grid has the old one's center and covers all of it, so it may reach beyond by less than one voxel in
    all, where the outermost voxels are repeated. Boxes and points keep their places in mm. Images keep their
    dtype, integers are rounded. There is no smoothing before larger voxels are made.

    Args:
        scene: with an affine.
        spacing: mm per voxel along each axis.
    """
    old = scene.spacing
    assert scene.affine is not None and old is not None
    steps = [_step(n, a, b) for n, a, b in zip(scene.shape, old, spacing, strict=True)]
    scale = np.array([step.scale for step in steps])
    offset = np.array([step.offset for step in steps])
    shape = tuple(step.size for step in steps)
    change = np.diag([*scale, 1.0])
    change[:-1, -1] = offset

    def move_boxes(boxes: Array) -> Array:
        edges = (boxes.reshape(-1, 2, len(shape)) - 0.5 - offset) / scale + 0.5
        moved: Array = np.clip(edges, 0, shape).reshape(boxes.shape)
        return moved

    def move_points(points: Array) -> Array:
        moved: Array = (points - offset) / scale
        return moved

    return Scene(
        shape,
        scene.affine @ change,
        {name: _linear(array, steps) for name, array in scene.images.items()},
        {name: _nearest(array, steps) for name, array in scene.labels.items()},
        {name: move_boxes(boxes) for name, boxes in scene.boxes.items()},
        {name: move_points(points) for name, points in scene.points.items()},
    )


@dataclass(frozen=True)
class _Step:
    """One axis: new voxel x lies at old voxel scale * x + offset."""

    length: int
    size: int
    scale: float
    offset: float

    def places(self) -> Array:
        """(size,) old coordinates, none outside."""
        found: Array = np.clip(self.scale * np.arange(self.size) + self.offset, 0, self.length - 1)
        return found


def _step(length: int, old: float, new: float) -> _Step:
    scale = new / old
    if abs(scale - 1) < TOLERANCE:
        return _Step(length, length, 1.0, 0.0)
    size = max(1, math.ceil(length / scale - TOLERANCE))
    return _Step(length, size, scale, (length - 1) / 2 - scale * (size - 1) / 2)


def _nearest(array: Array, steps: Sequence[_Step]) -> Array:
    for axis, step in enumerate(steps):
        if step.scale != 1:
            array = array.take(np.floor(step.places() + 0.5).astype(int), axis)
    return array


def _linear(array: Array, steps: Sequence[_Step]) -> Array:
    """Interpolate axis by axis, which is the same as multilinear; one axis that shrinks first costs least."""
    if all(step.scale == 1 for step in steps) or array.dtype == np.bool_:
        return _nearest(array, steps)
    dtype = array.dtype
    work = np.float32 if dtype.itemsize <= 2 or dtype == np.float32 else np.float64
    array = array.astype(work)
    for axis in sorted(range(len(steps)), key=lambda axis: steps[axis].size / steps[axis].length):
        step = steps[axis]
        if step.scale == 1:
            continue
        places = step.places()
        below = np.floor(places).astype(int)
        part = (places - below).astype(work).reshape([-1 if n == axis else 1 for n in range(array.ndim)])
        low, high = array.take(below, axis), array.take(np.minimum(below + 1, step.length - 1), axis)
        high -= low
        high *= part
        high += low
        array = high
    if dtype.kind in "iu":
        np.rint(array, out=array)
        limits = np.iinfo(dtype)
        np.clip(array, limits.min, limits.max, out=array)  # float32 may round up at the very end
    return array.astype(dtype)


def plane_axis(scene: Scene, plane: str | int) -> int:
    """The voxel axis that a plane is cut across: as given, or the one closest to right, anterior or superior."""
    if isinstance(plane, int):
        return plane
    assert scene.affine is not None
    return int(np.argmax(nib.orientations.io_orientation(scene.affine)[:, 0] == PLANES.index(plane)))


def extents(boxes: Array, axis: int, length: int) -> tuple[Array, Array]:
    """First and one past last slice that each box of (n, 6) takes part in: bounds rounded, at least one slice."""
    first = np.clip(np.floor(boxes[:, axis] + 0.5), 0, length - 1).astype(int)
    last = np.clip(np.floor(boxes[:, axis + 3] + 0.5), first + 1, length).astype(int)
    return first, last


def nearest_slice(points: Array, axis: int, length: int) -> Array:
    """The slice that each point of (n, 3) lies in."""
    return np.clip(np.floor(points[:, axis] + 0.5), 0, length - 1).astype(int)


def cut(scene: Scene, axis: int, index: int) -> tuple[Scene, dict[str, Array], dict[str, Array]]:
    """One slice of a volume as a picture: the first axis that is left runs along x, the second along y.

    Returns:
        The picture with axes (y, x), spacing and the boxes and points that lie in the slice; and for each entry of
        `boxes` and of `points`, which of the volume's these are (n,).
    """
    x, y = (n for n in range(3) if n != axis)
    length = scene.shape[axis]
    spacing = scene.spacing
    in_boxes, in_points = {}, {}
    boxes, points = {}, {}
    for name, volume_boxes in scene.boxes.items():
        first, last = extents(volume_boxes, axis, length)
        in_boxes[name] = np.flatnonzero((first <= index) & (index < last))
        boxes[name] = volume_boxes[in_boxes[name]][:, [y, x, y + 3, x + 3]]
    for name, volume_points in scene.points.items():
        in_points[name] = np.flatnonzero(nearest_slice(volume_points, axis, length) == index)
        points[name] = volume_points[in_points[name]][:, [y, x]]

    place = (slice(None),) * axis + (index,)

    def flat(array: Array) -> Array:
        plane: Array = array[place]  # a view: `take` would copy the whole of a volume that is stored column by column
        return plane.swapaxes(0, 1)

    picture = Scene(
        (scene.shape[y], scene.shape[x]),
        None if spacing is None else np.diag([spacing[y], spacing[x], 1.0]),
        {name: flat(array) for name, array in scene.images.items()},
        {name: flat(array) for name, array in scene.labels.items()},
        boxes,
        points,
    )
    return picture, in_boxes, in_points


def windowed(array: Array, center: float, width: float, scaling: tuple[float, float] = (1.0, 0.0)) -> Array:
    """Values from center - width / 2 to center + width / 2 as 0..255, uint8; what lies outside is clipped.

    Args:
        array: stored voxels.
        center: of the window, in the unit of the values (HU).
        width: of the window.
        scaling: (slope, intercept) from stored voxel to value. NaN becomes 0.
    """
    slope, inter = scaling
    gray = array.astype(np.float32)
    gray *= slope * 255 / width
    gray += (inter - center + width / 2) * 255 / width
    np.nan_to_num(gray, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    return np.clip(np.rint(gray, out=gray), 0, 255, out=gray).astype(np.uint8)
