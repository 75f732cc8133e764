"""Common grids for training: orientation, voxel size, CT window, slices. All off unless asked for.

`Grid.rows` takes a row (a member's, or a fused one) with stored pixels and gives the row on the asked grid. Image,
mask, paired image, `fused` masks, boxes and points move together; `shape` and `spacing` follow; each step that
changed something is told in `provenance.operations`. What the source said of the row stays as it was, with it
`content`, which is the hash of the source's pixels.
"""

from __future__ import annotations

import difflib
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import nibabel as nib
import numpy as np

from medimg.errors import GeometryError, MedimgError
from medimg.fusion import scene as geometry
from medimg.fusion.errors import RequestError
from medimg.fusion.facts import IGNORE, Facts, names_of, single
from medimg.fusion.labels import Harmonizer
from medimg.fusion.scene import PLANES, Scene
from medimg.fusion.scene_rows import (
    FUSED_CHANNELS,
    FUSED_MASK,
    IMAGE,
    MASK,
    TARGET,
    Scalings,
    Values,
    at,
    changed,
    read_picture,
    read_volume,
    target_aside,
    write_picture,
    write_volume,
)
from medimg.fusion.semantics import above
from medimg.pixels import Array
from medimg.readers import depth
from medimg.schema import Dimension

Plane = Literal["sagittal", "coronal", "axial"] | int


@dataclass(frozen=True)
class Grid:
    """The asked grid. Steps are done in the order of the attributes.

    Attributes:
        orientation: where the voxel axes i, j, k shall run: "RAS", "LPS" or any such code. Axes are flipped and
            swapped, never interpolated: an oblique volume stays oblique. Pictures have none and stay.
        spacing: mm per voxel, one number for all axes or one per axis (volumes i, j, k; pictures height, width).
            Images linear (without smoothing), label maps nearest.
        window: (center, width) in HU. CT volumes become uint8, 0 to 255; other rows stay, and pictures, which do
            not state HU.
        slices: cut volumes into pictures across this axis: a plane (the voxel axis closest to it) or a voxel axis
            0, 1, 2. The first axis that is left runs along x, the second along y: with orientation "LPS", axial
            slices are as radiologists see them. A volume with channels gives one picture per channel.
        empty: what becomes of slices without a labeled pixel, box or point (background and 255 only): "keep",
            "drop", or the fraction of them that is kept, the same ones at each run. Rows without masks, boxes and
            points keep all.
        unknown_spacing: what becomes of rows that are to be resampled and whose source states no spacing, or a wrong
            one (20 volumes of LiTS), or whose slices are unevenly apart (a series that lacks some): "error" or "drop".
    """

    orientation: str | None = None
    spacing: float | tuple[float, ...] | None = None
    window: tuple[float, float] | None = None
    slices: Plane | None = None
    empty: Literal["keep", "drop"] | float = "keep"
    unknown_spacing: Literal["error", "drop"] = "error"

    def __post_init__(self) -> None:
        for name in ("spacing", "window"):
            if isinstance(value := getattr(self, name), list):  # from JSON or TOML
                object.__setattr__(self, name, tuple(value))
        axes = self.orientation
        if axes is not None and not (isinstance(axes, str) and len(axes) == 3 and {*axes} in _AXES):
            raise RequestError(f"{axes!r} is no orientation", next_step="use e.g. RAS or LPS.")
        spacing = self.spacing if isinstance(self.spacing, tuple) else (self.spacing,)
        if self.spacing is not None and not (1 <= len(spacing) <= 3 and all(map(_positive, spacing))):
            raise RequestError(
                f"a spacing is positive, not {self.spacing!r}",
                next_step="give mm per voxel: one number, or one for each axis.",
            )
        if self.window is not None and not _is_window(self.window):
            raise RequestError(
                f"a window is (center, width) with a positive width, not {self.window!r}",
                next_step="give two numbers in HU, e.g. (40, 400).",
            )
        if self.slices is not None and not _is_plane(self.slices):
            raise RequestError(
                f"slices are {', '.join(PLANES)} or a voxel axis 0, 1, 2, not {self.slices!r}",
                next_step='use e.g. grid={"slices": "axial"}.',
            )
        if self.empty not in ("keep", "drop") and not _is_fraction(self.empty):
            raise RequestError(f'`empty` is "keep", "drop" or a fraction from 0 to 1, not {self.empty!r}')
        if self.unknown_spacing not in ("error", "drop"):
            raise RequestError(f'`unknown_spacing` is "error" or "drop", not {self.unknown_spacing!r}')

    @classmethod
    def of(cls, given: Grid | Mapping[str, Any] | None) -> Grid:
        """The grid of an argument: itself, its fields, or none.

        Raises:
            RequestError: there is no such field, or it has a value that makes no sense.
        """
        if isinstance(given, Grid):
            return given
        known = [field.name for field in fields(cls)]
        if given is not None and not isinstance(given, Mapping):
            raise RequestError(
                f"a grid is a dictionary of its fields, not {given!r}",
                next_step=f'use {", ".join(known)}, e.g. grid={{"slices": "axial"}}.',
            )
        for name in given or ():
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
                raise RequestError(
                    f"a grid has no field {name!r}" + (f", do you mean {near[0]!r}?" if near else ""),
                    next_step=f"use {', '.join(known)}.",
                )
        return cls(**given or {})

    @property
    def idle(self) -> bool:
        """Whether no step was asked for."""
        return self == Grid(empty=self.empty, unknown_spacing=self.unknown_spacing)

    def refusal(self, row: Mapping[str, Any], dimension: Dimension) -> str:
        """Why `rows` gives nothing for a row that cannot be resampled and is to be dropped; empty where it does."""
        if self.spacing is None or self.unknown_spacing != "drop" or dimension == "video":
            return ""
        if not row.get("spacing"):
            return "it states no spacing, so it cannot be resampled"
        reason = uneven(row)
        return f"its slices are unevenly apart, so it cannot be resampled ({reason})" if reason else ""

    def rows(
        self, row: Mapping[str, Any], dimension: Dimension, harmonizer: Harmonizer | None = None
    ) -> Iterator[Values]:
        """The row on this grid: one row, or one per kept slice (and channel). Videos stay as they are.

        A slice shows what it shows: classes of the volume that its mask does not place are unknown in a slice
        (not in `classes`, not in `assessed`, -1 in `fused`). Measures and texts stay those of the whole volume.
        Slices are stored as PNG, as TIFF where values are negative or fractions; float64 becomes float32.

        Args:
            row: pixels as {"bytes", "path"}, volumes as uncompressed NIfTI-1; `fused` and `provenance` may be absent.
            dimension: of the row.
            harmonizer: that made `fused`; it says which classes a slice shows. Without it only the pixels of `fused`
                do, and a whole that its part may hide is unknown.

        Raises:
            GeometryError: the row states no spacing, has slices that are unevenly apart, or has another number of axes
                than `spacing`.
            FormatError: pixels that cannot be read, or a slice that no picture can hold.
        """
        if self.idle or dimension == "video":
            yield dict(row)
            return
        if self.refusal(row, dimension):
            return
        try:
            yield from self._volume(row, harmonizer) if dimension == "3d" else self._picture(row)
        except MedimgError as error:
            raise error.within(dataset=row["dataset"], file=row["id"]) from error

    def _volume(self, row: Mapping[str, Any], harmonizer: Harmonizer | None) -> Iterator[Values]:
        scene, scalings = read_volume(row)
        assert scene.affine is not None
        across = scene.affine[:3, 2] / np.linalg.norm(scene.affine[:3, 2]) if uneven(row) else None
        aside = target_aside(row, scene)
        operations: list[str] = []
        scene = self._moved(row, scene, operations)
        if aside is not None:
            aside = self._moved(row, aside, [])
        if self.window is not None and row["modality"] == "CT":
            center, width = self.window
            image = geometry.windowed(scene.images[IMAGE], center, width, scalings[IMAGE])
            scene = replace(scene, images={**scene.images, IMAGE: image})
            scalings = {**scalings, IMAGE: (1.0, 0.0)}
            operations.append(f"window: center {center:g}, width {width:g} as uint8 0..255")
        if self.slices is not None:
            if aside is not None:
                operations.append("target: left out, it has another grid")
            yield from self._cut(row, scene, scalings, operations, harmonizer, across)
        elif operations:
            yield write_volume(row, scene, scalings, aside, operations)
        else:
            yield dict(row)

    def _picture(self, row: Mapping[str, Any]) -> Iterator[Values]:
        operations: list[str] = []
        if self.spacing is not None:
            moved = self._moved(row, read_picture(row), operations)
        yield write_picture(row, moved, operations) if operations else dict(row)

    def _moved(self, row: Mapping[str, Any], scene: Scene, operations: list[str]) -> Scene:
        if self.orientation is not None and len(scene.shape) == 3:
            before = "".join(nib.aff2axcodes(scene.affine))
            if before != self.orientation:
                scene = geometry.oriented(scene, self.orientation)
                operations.append(f"orientation: {self.orientation}, was {before}")
        if self.spacing is not None:
            axes = len(scene.shape)
            wanted = self.spacing if isinstance(self.spacing, tuple) else (float(self.spacing),) * axes
            if len(wanted) != axes:
                raise GeometryError(
                    f"a spacing of {len(wanted)} numbers does not fit an image with {axes} axes",
                    next_step="give one number for all axes",
                )
            # A volume's header always has numbers; the column says whether they mean anything.
            if scene.spacing is None or not row.get("spacing"):
                raise GeometryError(
                    "the row states no spacing, so it cannot be resampled",
                    next_step=_LEAVE,
                )
            if reason := uneven(row):
                raise GeometryError(
                    f"the slices are unevenly apart, so the row cannot be resampled as if they were even ({reason})",
                    next_step=_LEAVE,
                )
            if not np.allclose(scene.spacing, wanted, rtol=geometry.TOLERANCE, atol=0):
                was = _numbers(scene.spacing)
                scene = geometry.resampled(scene, wanted)
                operations.append(f"spacing: {_numbers(wanted)} mm, was {was}; image linear, labels nearest")
        return scene

    def _cut(
        self,
        row: Mapping[str, Any],
        scene: Scene,
        scalings: Scalings,
        operations: Sequence[str],
        harmonizer: Harmonizer | None,
        across: Array | None,
    ) -> Iterator[Values]:
        """`across`: the direction in which the row's slices are unevenly apart, None where they are even."""
        assert self.slices is not None and scene.affine is not None
        axis = geometry.plane_axis(scene, self.slices)
        # Pictures that hold rows of several uneven slices have no spacing.
        stacked = axis if across is None else int(np.argmax(np.abs(across @ scene.affine[:3, :3])))
        sized = bool(row.get("spacing")) and stacked == axis
        filled = None if self.empty == "keep" else _filled(scene, axis)
        share = 0.0 if isinstance(self.empty, str) else self.empty
        channels = scene.images[IMAGE].shape[3:]
        for index in range(scene.shape[axis]):
            name = f"{row['id']}/{'ijk'[axis]}{index:04d}"
            if filled is not None and not filled[index] and random.Random(name).random() >= share:
                continue
            picture, in_boxes, in_points = geometry.cut(scene, axis, index)
            picture = picture if sized else replace(picture, affine=None)
            step = f"slice: {self.slices if isinstance(self.slices, str) else 'voxel'} {'ijk'[axis]}={index}"
            flat = _sliced_row(row, picture, scalings, in_boxes, in_points, harmonizer)
            flat["id"] = name
            for channel in np.ndindex(channels):
                number = "-".join(map(str, channel))
                one = flat if not channels else _one_channel(row, flat, picture, channel, number)
                told = [*operations, step, *([f"channel: {number}"] if channels else [])]
                yield write_picture(one, _plain(picture, channel, scalings), told)


def uneven(row: Mapping[str, Any]) -> str | None:
    """What the header of the row's source says of slices that are missing or unevenly apart; None for even ones."""
    text = row.get("meta")
    if not text or '"uneven"' not in text:
        return None
    return _noted(json.loads(text).get("source_header"))


def _noted(header: Any) -> str | None:
    """The note in a header, or in those of the volumes that it was stacked of."""
    if isinstance(header, Mapping) and header.get("uneven"):
        return str(header["uneven"])
    inner = header.values() if isinstance(header, Mapping) else header if isinstance(header, list) else ()
    return next((note for one in inner if (note := _noted(one))), None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)


def _positive(value: object) -> bool:
    return _is_number(value) and value > 0  # type: ignore[operator]


def _is_fraction(value: object) -> bool:
    return _is_number(value) and 0 <= value <= 1  # type: ignore[operator]


def _is_plane(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value in (*PLANES, 0, 1, 2)


def _is_window(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and _is_number(value[0]) and _positive(value[1])


_LEAVE = 'drop such rows (grid={..., "unknown_spacing": "drop"}), or leave the voxels as they are'
_AXES = [{a, b, c} for a in "RL" for b in "AP" for c in "SI"]


def _numbers(values: Sequence[float]) -> str:
    return " x ".join(f"{value:.4g}" for value in values)


def _filled(scene: Scene, axis: int) -> Array | None:
    """(slices,) bool: whether a slice shows something labeled. None where the volume has no such labels at all."""
    length = scene.shape[axis]
    labels = {place: array for place, array in scene.labels.items() if place != MASK} or scene.labels
    if not labels and not any(map(len, scene.boxes.values())) and not any(map(len, scene.points.values())):
        return None
    filled = np.zeros(length, dtype=bool)
    for place, array in labels.items():
        shown = array != 0 if place == MASK else (array != 0) & (array != IGNORE)
        filled |= shown.any(axis=tuple(n for n in range(array.ndim) if n != axis))
    for boxes in scene.boxes.values():
        for first, last in zip(*geometry.extents(boxes, axis, length), strict=True):
            filled[first:last] = True
    for points in scene.points.values():
        filled[geometry.nearest_slice(points, axis, length)] = True
    return filled


def _plain(picture: Scene, channel: tuple[int, ...], scalings: Scalings) -> Scene:
    """The picture with values instead of stored voxels, of one channel, label maps in their smallest dtype."""
    images = {}
    for place, array in picture.images.items():
        slope, inter = scalings[place]
        for number in channel if array.ndim > 2 else ():
            array = array[:, :, number]
        if (slope, inter) != (1.0, 0.0):
            array = (array * slope + inter).astype(np.float32)
        images[place] = array.astype(np.float32) if array.dtype == np.float64 else array
    labels = {}
    for place, array in picture.labels.items():
        slope, inter = scalings[place]
        labels[place] = depth.narrowed(array if (slope, inter) == (1.0, 0.0) else array * slope + inter)
    return replace(picture, images=images, labels=labels)


def _one_channel(row: Mapping[str, Any], flat: Values, picture: Scene, channel: tuple[int, ...], number: str) -> Values:
    names = row.get("sequence") or ()
    known = len(channel) == 1 and len(names) == picture.images[IMAGE].shape[2]
    name = names[channel[0]] if known else number
    return {**flat, "id": f"{flat['id']}/{name}", "sequence": [name] if known else []}


def _sliced_row(
    row: Mapping[str, Any],
    picture: Scene,
    scalings: Scalings,
    in_boxes: Mapping[str, Array],
    in_points: Mapping[str, Array],
    harmonizer: Harmonizer | None,
) -> Values:
    """The row with only what the slice shows; pixels and coordinates are still to be written."""
    kept = {**in_boxes, **in_points}
    changes: Values = {place: [at(row, place)[n] for n in numbers] for place, numbers in kept.items()}
    if TARGET not in picture.images:
        changes[TARGET] = None
    flat = changed(row, changes)
    label = flat["label"]
    seen = {entry["name"] for key in ("boxes", "points") for entry in label.get(key) or ()}
    placed: frozenset[str] = frozenset()
    values: set[int] | None = None
    if MASK in picture.labels:
        slope, inter = scalings[MASK]
        values = {int(value) for value in np.unique(picture.labels[MASK]) * slope + inter}
        facts = Facts.of(label)
        seen |= names_of(values, facts)
        placed = facts.outlined
    # How far a point reaches is not said: what is marked in another slice may be in this one.
    pointed = {entry["name"] for entry in row["label"].get("points") or ()} - seen
    told = {*(label.get("classes") or ()), *(label.get("uncertain") or ()), *pointed}
    elsewhere = told - placed - seen
    changes = {
        "label.classes": [name for name in label.get("classes") or () if name in seen],
        "label.uncertain": [name for name in label.get("uncertain") or () if name in placed & seen],
        "label.assessed": [name for name in label.get("assessed") or () if name not in elsewhere],
    }
    flat = changed(flat, changes)
    if flat.get("fused") is None:
        return flat
    if harmonizer is None or not harmonizer.targets:
        return changed(flat, _fused_classes(flat["fused"], picture))
    plane = picture.labels.get(FUSED_CHANNELS, picture.labels.get(FUSED_MASK))
    found = harmonizer.of_slice(flat["label"], values, plane, pointed)
    if (row.get("provenance") or {}).get("merged"):  # the slice's own label does not know what others said
        others = _merged_classes(flat["fused"], picture, harmonizer.targets)
        classes = [one if one != -1 else other for one, other in zip(found["classes"], others, strict=True)]
        found = {"classes": classes, "label": single(classes, harmonizer.targets)}
    return changed(flat, {f"fused.{name}": value for name, value in found.items()})


def _merged_classes(fused: Mapping[str, Any], picture: Scene, targets: Sequence[str]) -> list[int]:
    """Classes of a slice by its fused pixels, where the volume's are known."""
    classes: list[int] = _fused_classes(fused, picture)["fused.classes"]
    mask = picture.labels.get(FUSED_MASK)
    codes = set() if mask is None else set(np.unique(mask).tolist())
    if mask is None or IGNORE in codes:
        return classes
    shown = {wider for code in codes - {0} for wider in above(targets[code - 1])}
    return [
        int(target in shown) if known == 1 and here == -1 else here
        for target, known, here in zip(targets, fused["classes"], classes, strict=True)
    ]


def _fused_classes(fused: Mapping[str, Any], picture: Scene) -> Values:
    """Classes of a slice: absent where the volume has none, else only what the slice's own pixels say."""
    channels, mask = picture.labels.get(FUSED_CHANNELS), picture.labels.get(FUSED_MASK)
    bare = mask is not None and not mask.any()
    classes = []
    for target, known in enumerate(fused.get("classes") or ()):
        here = -1
        if channels is not None:
            plane = channels[..., target]
            here = 1 if (plane == 1).any() else -1 if (plane == IGNORE).any() else 0
        elif mask is not None:
            here = 1 if (mask == target + 1).any() else 0 if bare else -1  # a part may hide the whole
        classes.append(0 if known == 0 else here if known == 1 or here == 1 else -1)
    present = [target for target, known in enumerate(classes) if known == 1]
    single = present[0] if len(present) == 1 and -1 not in classes else -1
    return {"fused.classes": classes, "fused.label": single}
