"""Everything that was drawn on one series, DICOM SEG and RTSTRUCT alike, as one label map with a legend of its own.

Objects overlap as a rule: readers draw one nodule each, a tumor lies in its organ. Every part (a segment, a structure)
has a value; every combination of parts that occurs gets a further one. So nothing of what was drawn is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medimg.errors import MedimgError
from medimg.pixels import Array, Volume
from medimg.readers import dicom, dicom_seg, rtstruct
from medimg.readers.volumes import Grid, Painter, VolumePixels, grid_of, pieces, smallest

if TYPE_CHECKING:
    from medimg.files import File


class Part(NamedTuple):
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


def parts(file: File) -> list[Part]:
    """What an object holds; structures without an area are left out.

    Raises:
        FormatError: it is neither a SEG nor a structure set.
    """
    _, tags = next(dicom.headers([file]))
    if tags.get("Modality") == "RTSTRUCT":
        return [Part(file, one.number, one.name) for one in rtstruct.rois(file) if one.closed]
    return [Part(file, number, one.label, one) for number, one in dicom_seg.segments(file).items()]


@dataclass(frozen=True, eq=False)
class Drawing:
    """See `drawing`. Objects are read when first needed, once; one that cannot be read is left out and told.

    Attributes:
        image: the series.
        objects: SEG and RTSTRUCT files.
        name: the canonical names of a part.
    """

    image: VolumePixels
    objects: tuple[File, ...]
    name: Callable[[Part], tuple[str, ...]]

    @cached_property
    def _painted(self) -> tuple[list[Part], Painter, dict[str, Any], dict[File, str]]:
        failed: dict[File, str] = {}
        grid = grid_of(self.image)
        while True:
            found: list[Part] = []
            notes: dict[str, Any] = {}
            painter = Painter(np.zeros(grid.shape, np.uint16, order="F"))
            for file in self.objects:
                if file in failed:
                    continue
                try:
                    notes |= self._paint(file, painter, grid, found)
                except MedimgError as error:
                    failed[file] = error.problem
                    break  # it may have been painted in part
            else:
                return found, painter, notes, failed

    def _paint(self, file: File, painter: Painter, grid: Grid, found: list[Part]) -> dict[str, Any]:
        held = parts(file)
        values = {one.number: len(found) + n for n, one in enumerate(held, 1)}
        found += held
        if held and held[0].segment is None:
            if not isinstance(self.image, dicom.Series):
                return {}
            return rtstruct.paint_contours(painter, file, self.image, values)
        dicom_seg.paint_segments(painter, file, grid, dicom_seg.first_path(self.image), values)
        return {}

    @property
    def parts(self) -> Sequence[Part]:
        """Every part; part n (from 1 on) has value n where it is alone."""
        return self._painted[0]

    @property
    def failed(self) -> dict[File, str]:
        """Objects that are not in the mask -> why."""
        return self._painted[3]

    @cached_property
    def _values(self) -> dict[int, tuple[int, tuple[int, ...]]]:
        """Combination number of the painter -> (value, parts)."""
        met = {number: tuple(sorted(one)) for number, one in self._painted[1].met().items()}
        more = sorted({one for one in met.values() if len(one) > 1}, key=lambda one: (len(one), one))
        values = {one: n for n, one in enumerate(more, len(self.parts) + 1)}
        return {number: (one[0] if len(one) == 1 else values[one], one) for number, one in met.items()}

    @property
    def combinations(self) -> dict[int, tuple[int, ...]]:
        """Value above the parts' own -> the parts (from 1 on) that meet there."""
        return dict(sorted(one for one in self._values.values() if len(one[1]) > 1))

    @property
    def legend(self) -> dict[int, tuple[str, ...]]:
        """Value -> names, of the values that occur."""
        named = [self.name(part) for part in self.parts]
        return {
            value: tuple(dict.fromkeys(name for one in some for name in named[one - 1]))
            for value, some in sorted(self._values.values())
        }

    @property
    def assessed(self) -> tuple[str, ...]:
        """Names of every part, drawn anywhere or not."""
        return tuple(dict.fromkeys(name for part in self.parts for name in self.name(part)))

    @property
    def mask(self) -> VolumePixels:
        """The label map, on the image's grid."""
        return _Mask(self)


@dataclass(frozen=True)
class _Mask(VolumePixels):
    drawing: Drawing

    def files(self) -> Iterable[File]:
        return self.drawing.objects

    def grid(self) -> Grid:
        return grid_of(self.drawing.image)

    def read(self) -> Volume:
        _, painter, notes, _ = self.drawing._painted
        table: Array = np.zeros(max(self.drawing._values, default=0) + 1, np.int64)
        for number, (value, _) in self.drawing._values.items():
            table[number] = value
        grid = self.grid()
        volume = Volume.empty(grid.shape, smallest(0, int(table.max())), grid.affine, meta=notes)
        for source, target in zip(pieces(painter.array), pieces(volume.array), strict=True):
            target[...] = table[source]
        return volume


def drawing(image: VolumePixels, objects: Sequence[File], name: Callable[[Part], tuple[str, ...]]) -> Drawing:
    """What was drawn on a series as one label map.

    Args:
        image: the series; structure sets need one of single frames.
        objects: SEG and RTSTRUCT files that refer to it.
        name: the canonical names of a part.
    """
    return Drawing(image, tuple(objects), name)
