"""Everything that was drawn on one series, DICOM SEG and RTSTRUCT alike, as one label map with a legend of its own.

Objects overlap as a rule: readers draw one nodule each, a tumor lies in its organ. A part (a segment, a structure) has
a value; every combination of values that occurs gets a further one. So nothing of what was drawn is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medimg.errors import MedimgError
from medimg.pixels import Array, Volume
from medimg.readers import dicom, dicom_seg, rtstruct
from medimg.readers.grids import VolumePixels, VoxelGrid, grid_of, name_of
from medimg.readers.levels import pieces
from medimg.readers.promises import PromisedVolume
from medimg.readers.volumes import Painter, smallest_dtype

if TYPE_CHECKING:
    from medimg.files import File


class DrawnPart(NamedTuple):
    """One segment of a SEG or one structure of a structure set.

    Attributes:
        file: the object.
        number: SegmentNumber or ROINumber.
        name: SegmentLabel or ROIName, verbatim.
        segment: the codes of a segment; None for a structure.
    """

    file: File
    number: int
    name: str
    segment: dicom_seg.Segment | None = None


def parts(file: File) -> list[DrawnPart]:
    """What an object holds; structures without an area are left out.

    Raises:
        FormatError: it is neither a SEG nor a structure set.
    """
    _, tags = next(dicom.headers([file]))
    if tags.get("Modality") == "RTSTRUCT":
        return [DrawnPart(file, one.number, one.name) for one in rtstruct.rois(file) if one.closed]
    return [DrawnPart(file, number, one.label, one) for number, one in dicom_seg.segments(file).items()]


@dataclass(frozen=True, eq=False)
class Drawing:
    """What was drawn on a series as one label map.

    Objects are read when first needed, once; one that cannot be read is left out and told.

    Attributes:
        image: the series, or one object of several frames; structure sets need one that says where its slices are.
        objects: SEG and RTSTRUCT files that refer to it.
        value: the value of a part, from 1 on; parts may share one; None leaves a part out. Without it parts are counted
            from 1, object by object.
        above: combinations of values that occur get values above this one, and above all values of parts.
    """

    image: VolumePixels
    objects: tuple[File, ...]
    value: Callable[[DrawnPart], int | None] | None = None
    above: int = 0

    @cached_property
    def _painted(self) -> tuple[dict[DrawnPart, int], Painter, dict[str, Any], dict[File, str]]:
        failed: dict[File, str] = {}
        grid = grid_of(self.image)
        while True:
            taken: dict[DrawnPart, int] = {}
            notes: dict[str, Any] = {}
            painter = Painter(np.zeros(grid.shape, np.uint16, order="F"))
            for file in self.objects:
                if file in failed:
                    continue
                try:
                    added = self._paint(file, painter, grid, taken)
                except MedimgError as error:
                    failed[file] = error.problem
                    break  # it may have been painted in part
                notes = _joined(notes, added)
            else:
                return taken, painter, notes, failed

    def _paint(self, file: File, painter: Painter, grid: VoxelGrid, taken: dict[DrawnPart, int]) -> dict[str, Any]:
        held = parts(file)
        mine = {
            one: value
            for n, one in enumerate(held, len(taken) + 1)
            if (value := n if self.value is None else self.value(one)) is not None
        }
        taken |= mine
        values = {one.number: value for one, value in mine.items()}
        if not mine:
            return {}
        if held[0].segment is None:
            return rtstruct.paint_contours(painter, file, self.image, values)
        left_out = {one.number: None for one in held if one not in mine}
        return dicom_seg.paint_segments(painter, file, grid, name_of(self.image), {**left_out, **values})

    @property
    def parts(self) -> dict[DrawnPart, int]:
        """The parts that were taken, drawn anywhere or not, with their values."""
        return self._painted[0]

    @property
    def vanished(self) -> tuple[DrawnPart, ...]:
        """Structures with contours of which no voxel is in the mask: whether they are there is not known."""
        shown = {value for some in self.meanings.values() for value in some}
        return tuple(part for part, value in self.parts.items() if part.segment is None and value not in shown)

    @property
    def failed(self) -> dict[File, str]:
        """Objects that are not in the mask -> why."""
        return self._painted[3]

    @cached_property
    def _met(self) -> dict[int, tuple[int, tuple[int, ...]]]:
        """Combination number of the painter -> (value in the mask, values that meet)."""
        met = {number: tuple(sorted(one)) for number, one in self._painted[1].met().items()}
        more = sorted({one for one in met.values() if len(one) > 1}, key=lambda one: (len(one), one))
        first = max(self.above, *self.parts.values(), 0) + 1
        values = {one: n for n, one in enumerate(more, first)}
        return {number: (one[0] if len(one) == 1 else values[one], one) for number, one in met.items()}

    @property
    def meanings(self) -> dict[int, tuple[int, ...]]:
        """Value that occurs in the mask -> the parts' values that meet there."""
        return dict(sorted(self._met.values()))

    def legend(self, names: Mapping[int, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
        """Value that occurs in the mask -> all names of what meets there; `names`: of the parts' values."""
        return {
            value: tuple(dict.fromkeys(name for one in some for name in names[one]))
            for value, some in self.meanings.items()
        }

    @property
    def mask(self) -> VolumePixels:
        """The label map, on the image's grid."""
        return PromisedVolume(self.objects, self.image, _mask, (self,))


def _joined(notes: dict[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    """Notes on several objects: numbers are added up, sentences are listed once, else the last counts."""
    joined = notes | dict(added)
    for key in notes.keys() & added.keys():
        if key == "left_out":
            joined[key] = list(dict.fromkeys([*notes[key], *added[key]]))
        elif key.startswith("contours_"):
            counts = Counter(notes[key]) + Counter(added[key]) if isinstance(notes[key], dict) else None
            joined[key] = dict(counts) if counts is not None else notes[key] + added[key]
    return joined


def _mask(drawing: Drawing) -> Volume:
    _, painter, notes, _ = drawing._painted
    table: Array = np.zeros(max(drawing._met, default=0) + 1, np.int64)
    for number, (value, _) in drawing._met.items():
        table[number] = value
    grid = grid_of(drawing.image)
    volume = grid.empty(smallest_dtype(0, int(table.max())), notes)
    for source, target in zip(pieces(painter.array), pieces(volume.array), strict=True):
        target[...] = table[source]
    return volume
