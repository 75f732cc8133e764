"""Harmonization of one row's label: masks, classes, boxes and measures, all in one label space.

The row's own label is not touched; what is made here stands beside it, in the column `fused`. What a row was not
assessed for is never background: 255 in masks, -1 in classes.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from medimg.errors import FormatError, LabelError, MedimgError
from medimg.fusion.errors import FusionError
from medimg.fusion.semantics import ABSENT, PRESENT, UNKNOWN, above, infer, innermost, may_meet, wholes
from medimg.pixels import Array, Volume
from medimg.readers import volumes
from medimg.schema import Dimension, features

if TYPE_CHECKING:
    from datasets import Features

Encoding = Literal["index", "channels"]
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
    """

    legend: Legend
    instances: bool
    found: frozenset[str]
    doubtful: frozenset[str]
    assessed: frozenset[str]

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
    return infer(frozenset(names), absent_at(names, facts), targets)


def absent_at(names: Collection[str], facts: Facts) -> frozenset[str]:
    """What the annotators looked for and did not find where the mask shows these names."""
    return (facts.outlined | facts.nowhere) - frozenset(wider for name in names for wider in above(name))


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
def classify(facts: Facts, shown: frozenset[str] | None, targets: tuple[str, ...]) -> tuple[int, ...]:
    """PRESENT, ABSENT or UNKNOWN for each target in the image as a whole.

    Only is_a counts: bacterial pneumonia is pneumonia, but a tumor of the liver says nothing on the class liver.

    Args:
        facts: of the row.
        shown: names of the values that occur in the mask; None where nobody has looked at the mask.
        targets: in question.
    """
    kinds = ("is_a",)
    present = facts.found | (shown or frozenset())
    implied = {wider for name in present for wider in above(name, kinds)}
    absent = facts.assessed - facts.doubtful - implied
    if shown is None:
        absent -= facts.outlined
    elif any(not names for _, names in facts.legend):
        absent -= facts.outlined  # Part of the image was not annotated: it could be there.
    states = infer(present, absent, targets, kinds)
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
        shown: frozenset[str] | None = None
        try:
            if facts.legend:
                codes = table(facts, self.targets, self.encoding)
                shown = _names(_encode(label["mask"], codes, dimension, fused, self.encoding), facts)
        except MedimgError as error:
            raise error.within(dataset=row["dataset"], file=row["id"]) from None
        fused["boxes"] = self._boxes(label)
        fused["classes"] = list(classify(facts, shown, self.targets))
        fused["label"] = single(fused["classes"], self.targets)
        return fused

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


def _encode(
    mask: Mapping[str, Any], codes: Table, dimension: Dimension, fused: dict[str, Any], encoding: Encoding
) -> set[int]:
    """Write the mask's new encoding into `fused`; returns the source values that occur."""
    place = "mask" if encoding == "index" else "channels"
    if dimension == "2d":
        array = _picture(mask["bytes"])
        maps, values = remap(array.reshape(-1), (1.0, 0.0), codes)
        pictures = [{"bytes": _png(flat, array.shape), "path": "fused.png"} for flat in maps]
        fused[place] = pictures[0] if encoding == "index" else pictures
        return values
    volume = Volume(mask["bytes"])
    maps, values = remap(volume.array.reshape(-1, order="F"), volume.scaling, codes)
    channels = len(maps) if encoding == "channels" else None
    fused[place] = {"bytes": _nifti(volume, maps, channels), "path": "fused.nii"}
    return values


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
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        array = np.asarray(image)
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
        shape = (*volumes.spatial(shape), channels)
    header.set_data_dtype(np.uint8)
    header.set_data_shape(shape)
    header.set_slope_inter(None, None)
    header["vox_offset"] = 352
    return b"".join((header.binaryblock, b"\0\0\0\0", *maps))
