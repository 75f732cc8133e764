"""Harmonization of one row's label: masks, classes, boxes and measures, all in one label space.

The row's own label is not touched; what is made here stands beside it, in the column `fused`. What a row was not
assessed for is never background: 255 in masks, -1 in classes.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from medimg.errors import FormatError, LabelError, MedimgError
from medimg.fusion.choices import Encoding
from medimg.fusion.errors import FusionError
from medimg.fusion.marks import KINDS, Doubt, unplaced
from medimg.fusion.semantics import ABSENT, PRESENT, UNKNOWN, above, below, infer, innermost, may_meet, wholes
from medimg.pixels import Array, Volume
from medimg.readers import grids, volumes
from medimg.schema import Dimension, features

if TYPE_CHECKING:
    from datasets import Features

Output = Literal["mask", "classes", "boxes", "measures"]
OUTPUTS: tuple[Output, ...] = ("mask", "classes", "boxes", "measures")
IGNORE = 255
MOST_TARGETS = 254
Legend = tuple[tuple[int, tuple[str, ...]], ...]


def fused_features(dimension: Dimension) -> Features:
    """The stored schema of a fused row: that of the member, and the columns `fused` and `provenance`."""
    from datasets import Features, Image, List, Nifti, Value

    text = Value("string")
    flat = dimension == "2d"
    columns = features(dimension)
    return Features(
        {
            **columns,
            "fused": {
                "mask": Image() if flat else Nifti(),
                "channels": List(Image()) if flat else Nifti(),
                "classes": List(Value("int8")),
                "label": Value("int32"),
                "boxes": columns["label"]["boxes"],
                "measures": columns["label"]["measures"],
            },
            "provenance": {
                "member": text,
                "config": text,
                "split": text,
                "split_fused": text,
                "operations": List(text),
                "merged": List(
                    {
                        "member": text,
                        "id": text,
                        "split": text,
                        "license": text,
                        "targets": List(text),
                        "contradicts": List(
                            {
                                "target": text,
                                "what": text,
                                "count": Value("int64"),
                                "kept": text,
                                "other": text,
                            }
                        ),
                        "problem": text,
                    }
                ),
            },
        }
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """What a row's label says, without its pixels.

    Attributes:
        legend: (mask value, names) by value; empty without a mask. No names: not annotated there.
        instances: every mask value but 0 has the names of value 1.
        found: names that the row shows somewhere, without a mask that says where (classes, boxes, points).
        doubtful: names that the source marks uncertain.
        assessed: names that the annotators looked for.
        unplaced: what is there though the mask says that it is not: background is not without it (see `marks`).
    """

    legend: Legend
    instances: bool
    found: frozenset[str]
    doubtful: frozenset[str]
    assessed: frozenset[str]
    unplaced: frozenset[Doubt] = frozenset()

    @classmethod
    def of(cls, label: Mapping[str, Any]) -> Facts:
        """The facts of a stored `label`, with or without its pixels: there is a legend where there is a mask."""
        places = (*(label["boxes"] or ()), *(label["points"] or ()))
        return cls(
            legend=tuple((entry["value"], tuple(entry["names"])) for entry in label["legend"] or ()),
            instances=bool(label["instances"]),
            found=frozenset([*(label["classes"] or ()), *(place["name"] for place in places)]),
            doubtful=frozenset(label["uncertain"] or ()),
            assessed=frozenset(label["assessed"] or ()),
        )

    @property
    def outlined(self) -> frozenset[str]:
        """Names that the mask outlines."""
        return frozenset(name for _, names in self.legend for name in names)

    @property
    def nowhere(self) -> frozenset[str]:
        """Names that were looked for in the row, are not outlined and were not found: absent from all of it."""
        somewhere = {wider for name in self.found | self.doubtful for wider in above(name)}
        return self.assessed - self.outlined - somewhere

    def certain(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the names that the source does not doubt, themselves or as what they are a kind of."""
        return frozenset(name for name in names if not above(name, KINDS) & self.doubtful)


@dataclass(frozen=True, slots=True)
class Table:
    """What each mask value becomes.

    Attributes:
        codes: mask value -> what it becomes: one number for `index`, one per target for `channels`.
        other: the same for every value that `codes` does not have (instances); None where there must be none.
    """

    codes: Mapping[int, tuple[int, ...]]
    other: tuple[int, ...] | None

    @property
    def says_nothing(self) -> bool:
        """Whether every value becomes "ignore"."""
        every = [*self.codes.values(), *([self.other] if self.other is not None else [])]
        return all(code == IGNORE for codes in every for code in codes)


@lru_cache(maxsize=4096)
def table(facts: Facts, targets: tuple[str, ...], encoding: Encoding) -> Table:
    """What each mask value becomes under these targets.

    Raises:
        FusionError: `index`, and a value shows two targets of which neither lies inside the other.
    """
    looked = [looked_for(target, facts.outlined, facts.nowhere) for target in targets]

    def codes(names: tuple[str, ...] | None) -> tuple[int, ...]:
        return encoded(known_at(names, facts, targets), looked, targets, encoding)

    named = {value: codes(names or None) for value, names in facts.legend}
    other = named.get(1) if facts.instances and set(named) == {1} else None
    return Table({0: codes(()), **named}, other)


def known_at(names: tuple[str, ...] | None, facts: Facts, targets: tuple[str, ...]) -> tuple[int, ...]:
    """PRESENT, ABSENT or UNKNOWN for each target where the mask shows these names.

    Args:
        names: of the mask value; () is background, None is "not annotated here".
        facts: of the row.
        targets: in question.
    """
    if names is None:
        return (UNKNOWN,) * len(targets)
    certain, absent = facts.certain(names), _not_shown(names, facts)
    known = infer(certain, absent, targets)
    for name, wrong in facts.unplaced:
        doubted = infer(certain, absent - wrong, targets)
        known = tuple(
            other if state == ABSENT and _alike(target, name) else state
            for target, state, other in zip(targets, known, doubted, strict=True)
        )
    return known


def _alike(term: str, name: str) -> bool:
    """Whether one is a kind of the other."""
    return term in above(name, KINDS) or name in above(term, KINDS)


def absent_at(names: Collection[str], facts: Facts) -> frozenset[str]:
    """What the annotators looked for and did not find where the mask shows these names."""
    return _not_shown(names, facts).difference(*(wrong for _, wrong in facts.unplaced))


def _not_shown(names: Collection[str], facts: Facts) -> frozenset[str]:
    """The same by the mask alone, whatever is marked beside it."""
    return (facts.outlined | facts.nowhere) - {wider for name in names for wider in above(name)}


def encoded(
    known: Sequence[int], looked: Sequence[bool], targets: Sequence[str], encoding: Encoding
) -> tuple[int, ...]:
    """What is known at a place as it is stored: one number for `index`, one per target for `channels`.

    Raises:
        FusionError: see `table`.
    """
    if encoding == "index":
        return (_index(known, targets),)
    return tuple(
        1 if state == PRESENT else 0 if state == ABSENT and sought else IGNORE
        for state, sought in zip(known, looked, strict=True)
    )


def looked_for(target: str, outlined: frozenset[str], nowhere: frozenset[str]) -> bool:
    """Whether the annotators looked for the target itself, or for all the parts that make it up."""
    if target in outlined or above(target) & nowhere:
        return True
    return any(all(looked_for(part, outlined, nowhere) for part in way) for way in wholes().get(target, ()))


def _index(known: Sequence[int], targets: Sequence[str]) -> int:
    """One number for a place: the innermost target that it shows; 255 where an unknown one could be inside that."""
    shown = [target for target, state in zip(targets, known, strict=True) if state == PRESENT]
    unknown = [target for target, state in zip(targets, known, strict=True) if state == UNKNOWN]
    if not shown:
        return IGNORE if unknown else 0
    chosen = innermost(shown)
    if chosen is None:
        raise FusionError(
            f"one mask value means {' and '.join(repr(each) for each in shown)}, and neither lies inside the other",
            next_step='one map cannot hold both: pass encoding="channels", or ask for one of them.',
        )
    return IGNORE if any(may_meet(each, chosen) for each in unknown) else targets.index(chosen) + 1


@lru_cache(maxsize=1 << 14)
def classify(
    facts: Facts, shown: frozenset[str] | None, targets: tuple[str, ...], gaps: bool = True
) -> tuple[int, ...]:
    """PRESENT, ABSENT or UNKNOWN for each target in the image as a whole.

    A class follows from another by is_a alone: bacterial pneumonia is pneumonia, but the finding "tumor of the liver"
    says nothing on the class liver. What a mask places is there with everything that it is a part of.

    Args:
        facts: of the row.
        shown: names of the values that occur in the mask; None where nobody has looked at the mask.
        targets: in question.
        gaps: whether a value without names ("not annotated here"), where the legend has one, may occur.
    """
    placed = {wider for name in facts.certain(shown or ()) for wider in above(name)}
    present = facts.found | placed
    implied = {wider for name in present for wider in above(name, KINDS)}
    absent = facts.assessed - facts.doubtful - implied
    if shown is None:
        absent -= facts.outlined
    elif gaps and any(not names for _, names in facts.legend):
        absent -= facts.outlined  # Part of the image was not annotated: it could be there.
    states = infer(frozenset(present), absent, targets, KINDS)
    return tuple(
        UNKNOWN if target in facts.doubtful and state == ABSENT else state
        for target, state in zip(targets, states, strict=True)
    )


def single(known: Sequence[int], targets: Sequence[str]) -> int:
    """The one class, as an index into the targets; -1 where there is none, there are several, or it is unknown."""
    shown = [target for target, state in zip(targets, known, strict=True) if state == PRESENT]
    chosen = innermost(shown) if shown else None
    if chosen is None:
        return -1
    unknown = [target for target, state in zip(targets, known, strict=True) if state == UNKNOWN]
    return -1 if any(may_meet(each, chosen) for each in unknown) else targets.index(chosen)


class Harmonizer:
    """Makes the column `fused` of a row. Can be pickled; knows nothing of other rows but the units of measures.

    Args:
        targets: canonical names of structures and findings, in the asked order.
        measures: names of measures that are asked for; empty keeps all.
        encoding: of masks.
        outputs: what the row must have at least one of.
    """

    def __init__(
        self,
        targets: Sequence[str],
        *,
        measures: Sequence[str] = (),
        encoding: Encoding = "index",
        outputs: Collection[Output] = OUTPUTS,
    ) -> None:
        if len(targets) > MOST_TARGETS and encoding == "index":
            raise FusionError(
                f"{len(targets)} targets are more than one map of 8 bits can hold",
                next_step="ask for fewer targets.",
            )
        self.targets = tuple(targets)
        self.measures = tuple(measures)
        self.encoding = encoding
        self.outputs = tuple(outputs)
        self._units: dict[str, tuple[str, str]] = {}

    def __call__(self, row: Mapping[str, Any], dimension: Dimension) -> dict[str, Any]:
        """The column `fused`. Without targets: boxes and measures as they are, and no mask.

        Args:
            row: with the pixels undecoded, as {"bytes", "path"}.
            dimension: of the row.

        Raises:
            FusionError: see `table`; or a measure has one unit here and another in an earlier row.
            LabelError: the mask holds a value that is not in its legend.
        """
        label = row["label"]
        fused = _nothing()
        fused["measures"] = self._measures(row)
        if not self.targets:
            fused["boxes"] = list(label["boxes"] or ())
            return fused
        facts = Facts.of(label)
        values: set[int] | None = None
        try:
            if facts.legend:
                values = self._encode(row, facts, dimension, fused)
        except MedimgError as error:
            raise error.within(dataset=row["dataset"], file=row["id"]) from None
        fused["boxes"] = self._boxes(label)
        fused["classes"] = self._classes(facts, values)
        fused["label"] = single(fused["classes"], self.targets)
        return fused

    def _encode(
        self, row: Mapping[str, Any], facts: Facts, dimension: Dimension, fused: dict[str, Any]
    ) -> set[int]:
        """Write the mask in the asked encoding into `fused`; returns the values of the source's mask that occur."""
        mask, facts, near, places = read_mask(row, facts, dimension)
        maps, values = remap(mask.flat, mask.scaling, table(facts, self.targets, self.encoding))
        if places is not None:
            told, _ = remap(mask.flat[places], mask.scaling, table(near, self.targets, self.encoding))
            maps = [_overlaid(whole, places, part) for whole, part in zip(maps, told, strict=True)]
        if self.encoding == "index":
            fused["mask"] = mask.stored(maps, None)
        else:
            fused["channels"] = mask.stored(maps, len(maps))
        return values

    def _classes(self, facts: Facts, values: Collection[int] | None) -> list[int]:
        """Classes of an image in whose mask these values occur; None without a mask."""
        if values is None:
            return list(classify(facts, None, self.targets))
        legend = dict(facts.legend)
        gaps = any(value in legend and not legend[value] for value in values)
        return list(classify(facts, _names(values, facts), self.targets, gaps))

    def of_slice(
        self,
        label: Mapping[str, Any],
        values: Collection[int] | None,
        fused: Array | None,
        elsewhere: Collection[str],
    ) -> dict[str, Any]:
        """`classes` and `label` of one slice of a volume, by what the slice shows.

        Args:
            label: the volume's, with what the slice holds: boxes, points, classes and names that were looked for.
            values: of the source's mask in the slice; None without a mask.
            fused: the slice of the fused mask, (height, width) or (height, width, targets); None without one.
            elsewhere: names of points in other slices: how far they reach into this one is not known.
        """
        classes = self._classes(Facts.of(label), values)
        near = {wider for name in elsewhere for wider in above(name, KINDS)}
        for number, target in enumerate(self.targets):
            if classes[number] != ABSENT or not below(target) & {*elsewhere, *near}:
                continue
            plane = fused[..., number] if fused is not None and fused.ndim > 2 else fused
            if plane is None or (plane == IGNORE).any():
                classes[number] = UNKNOWN
        return {"classes": classes, "label": single(classes, self.targets)}

    def tells(self, facts: Facts, label: Mapping[str, Any]) -> bool:
        """Whether a row says anything about any target, by its label without pixels.

        Args:
            facts: of the label.
            label: stored or as a builder yields it.
        """
        measures = any(not self.measures or each["name"] in self.measures for each in label["measures"] or ())
        if not self.targets:
            return not self.measures or measures
        told = {"measures": measures}
        if "mask" in self.outputs:
            told["mask"] = bool(facts.legend) and not table(facts, self.targets, self.encoding).says_nothing
        if "classes" in self.outputs or "boxes" in self.outputs:
            extremes = (frozenset(), facts.outlined) if facts.legend else (None,)
            known = any(UNKNOWN != one for shown in extremes for one in classify(facts, shown, self.targets))
            told["classes"] = told["boxes"] = known
        return any(told.get(output) for output in self.outputs)

    def assessed(self, facts: Facts) -> tuple[str, ...]:
        """The targets that a row was assessed for."""
        nowhere = facts.nowhere
        known = classify(facts, frozenset(), self.targets)
        return tuple(
            target
            for target, state in zip(self.targets, known, strict=True)
            if state != UNKNOWN or looked_for(target, facts.outlined, nowhere)
        )

    def _boxes(self, label: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Boxes of the targets' kinds, each under the innermost target; a box of a part is no box of the whole."""
        found = []
        for box in label["boxes"] or ():
            name = innermost([target for target in self.targets if target in above(box["name"], ("is_a",))])
            if name is not None:
                found.append({"name": name, "box": box["box"]})
        return found

    def _measures(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        kept = [m for m in row["label"]["measures"] or () if not self.measures or m["name"] in self.measures]
        for measure in kept if self.measures else ():
            unit, member = self._units.setdefault(measure["name"], (measure["unit"], row["dataset"]))
            if unit != measure["unit"]:
                raise FusionError(
                    f"{measure['name']!r} means two things: it is in {unit!r} in {member} "
                    f"and in {measure['unit']!r} in {row['dataset']}",
                    next_step="leave one of the two out, or fuse them apart.",
                )
        return kept


def _nothing() -> dict[str, Any]:
    return {"mask": None, "channels": None, "classes": [], "label": -1, "boxes": [], "measures": []}


def _names(values: Collection[int], facts: Facts) -> frozenset[str]:
    """Names of the mask values that occur."""
    legend = dict(facts.legend)
    default = legend[1] if facts.instances and set(legend) == {1} else ()
    return frozenset(name for value in values if value for name in legend.get(value, default))


def read_mask(
    row: Mapping[str, Any], facts: Facts, dimension: Dimension
) -> tuple[Mask, Facts, Facts, Array | None]:
    """A row's mask and what the label says around it.

    Args:
        row: with the mask undecoded, as {"bytes", "path"}.
        facts: of its label.
        dimension: of the row.

    Returns:
        (the mask, the facts of most places, those near something that is marked where the mask has it not, indices
        of the places near; None where there are none).

    Raises:
        FormatError, LabelError: the mask cannot be read.
    """
    mask = Mask(row["label"]["mask"]["bytes"], dimension)

    def known(names: tuple[str, ...] | None, terms: tuple[str, ...]) -> tuple[int, ...]:
        return known_at(names, facts, terms)

    marked = unplaced(row["label"], dict(facts.legend), mask.grid, mask.integers, known, row.get("spacing"))
    most = replace(facts, unplaced=marked.everywhere)
    if marked.region is None:
        return mask, most, most, None
    places = np.flatnonzero(marked.region.reshape(-1, order=mask.order))
    return mask, most, replace(facts, unplaced=marked.everywhere | marked.near), places


class Mask:
    """A stored label map, decoded.

    Attributes:
        flat: (n,) stored values.
        scaling: (slope, intercept) of the stored values.
        grid: the same on the image's grid: (height, width), or (i, j, k).
        order: of the flat values: "C" or "F".
    """

    def __init__(self, data: bytes, dimension: Dimension) -> None:
        self._volume: Volume | None = None
        self.order: Literal["C", "F"] = "C" if dimension == "2d" else "F"
        if dimension == "2d":
            self.grid, self.scaling = _picture(data), (1.0, 0.0)
        else:
            self._volume = Volume(data)
            self.scaling = self._volume.scaling
            self.grid = self._volume.array
        self.flat = self.grid.reshape(-1, order=self.order)
        if self._volume is not None and all(n == 1 for n in self.grid.shape[3:]):
            self.grid = self.grid.reshape(grids.spatial(self.grid.shape), order="F")

    def integers(self, piece: Array) -> Array:
        """Values of stored ones."""
        return volumes.integers(piece, *self.scaling)

    def stored(self, maps: Sequence[bytes], channels: int | None) -> Any:
        """Maps of as many values, as they are stored: one picture or volume, or `channels` of them."""
        if self._volume is not None:
            return {"bytes": _nifti(self._volume, maps, channels), "path": "fused.nii"}
        pictures = [{"bytes": _png(flat, self.grid.shape), "path": "fused.png"} for flat in maps]
        return pictures[0] if channels is None else pictures


def _overlaid(whole: bytes, places: Array, part: bytes) -> bytes:
    """A map with other values at some places."""
    values = np.frombuffer(whole, dtype=np.uint8).copy()
    values[places] = np.frombuffer(part, dtype=np.uint8)
    return values.tobytes()


def remap(flat: Array, scaling: tuple[float, float], codes: Table) -> tuple[list[bytes], set[int]]:
    """Translate label values.

    Args:
        flat: (n,) stored values, of any dtype that holds integers.
        scaling: (slope, intercept) of the stored values.
        codes: value -> one code per map.

    Returns:
        (the maps, each of n bytes, in the order of the codes; the source values that occur).

    Raises:
        LabelError: a value is not in the table.
    """
    width = len(codes.codes[0])
    maps = [bytearray() for _ in range(width)]
    occur: set[int] = set()
    numbers = np.array(sorted(codes.codes), dtype=np.int64)
    lookup = np.array([codes.codes[int(n)] for n in numbers] + [codes.other or (0,) * width], dtype=np.uint8)
    for piece in volumes.pieces(flat):
        values = volumes.integers(piece, *scaling)
        found, position = np.unique(values, return_inverse=True) if values.dtype != np.uint8 else (None, None)
        if found is None:
            raw = values.tobytes()
            here = [n for n in range(256) if raw.find(n) >= 0]
            rows = _rows(np.array(here, dtype=np.int64), numbers, codes)
            for channel, data in enumerate(maps):
                swap = bytearray(256)
                for value, at in zip(here, rows, strict=True):
                    swap[value] = lookup[at, channel]
                data += raw.translate(bytes(swap))
            occur.update(here)
            continue
        rows = _rows(found.astype(np.int64), numbers, codes)
        for channel, data in enumerate(maps):
            data += lookup[rows, channel][position].tobytes()
        occur.update(int(value) for value in found)
    return [bytes(data) for data in maps], occur


def _rows(found: Array, numbers: Array, codes: Table) -> Array:
    """Row of the look-up table for each value found; the last row is that of all other values."""
    rows = np.searchsorted(numbers, found)
    known = numbers[np.minimum(rows, len(numbers) - 1)] == found
    if codes.other is None and not known.all():
        strange = [int(value) for value in found[~known][:10]]
        raise LabelError(f"the mask holds the values {strange}, its legend only {[int(n) for n in numbers]}")
    return np.where(known, rows, len(numbers))


def _picture(data: bytes) -> Array:
    """(height, width) values of a stored 2-D mask."""
    from medimg.readers import raster

    array = np.asarray(raster.open_stored(data))
    if array.ndim != 2:
        raise FormatError("a mask has one channel of integers")
    return array.astype(np.uint8) if array.dtype == np.bool_ else array


def _png(flat: bytes, shape: tuple[int, ...]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.frombytes("L", (shape[1], shape[0]), flat).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _nifti(volume: Volume, maps: Sequence[bytes], channels: int | None) -> bytes:
    """The maps as one uint8 NIfTI on the volume's grid; with `channels` as the last of four axes."""
    header = volume.header.copy()
    shape = volume.shape
    if channels is not None:
        if any(n != 1 for n in shape[3:]):
            raise FormatError(f"a label map of shape {shape} has no room for channels")
        shape = (*grids.spatial(shape), channels)
    header.set_data_dtype(np.uint8)
    header.set_data_shape(shape)
    header.set_slope_inter(None, None)
    header["vox_offset"] = 352
    return b"".join((header.binaryblock, b"\0\0\0\0", *maps))
