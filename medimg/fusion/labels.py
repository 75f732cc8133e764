"""Harmonization of one row's label: masks, classes, boxes and measures, all in one label space.

The row's own label is not touched; what is made here stands beside it, in the column `fused`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from medimg.errors import MedimgError
from medimg.fusion.choices import Encoding
from medimg.fusion.errors import FusionError
from medimg.fusion.facts import IGNORE, Facts, classify, looked_for, names_of, recoding, single
from medimg.fusion.maps import read_mask, remap
from medimg.fusion.marks import KINDS
from medimg.fusion.semantics import ABSENT, UNKNOWN, above, below, innermost
from medimg.pixels import Array
from medimg.schema import Dimension, features

if TYPE_CHECKING:
    from datasets import Features


Output = Literal["mask", "classes", "boxes", "measures"]

OUTPUTS: tuple[Output, ...] = ("mask", "classes", "boxes", "measures")

MOST_TARGETS = 254


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
            FusionError: see `recoding`; or a measure has one unit here and another in an earlier row.
            LabelError: the mask holds a value that is not in its legend.
        """
        label = row["label"]
        fused: dict[str, Any] = {"mask": None, "channels": None, "classes": [], "label": -1, "boxes": []}
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

    def _encode(self, row: Mapping[str, Any], facts: Facts, dimension: Dimension, fused: dict[str, Any]) -> set[int]:
        """Write the mask in the asked encoding into `fused`; returns the values of the source's mask that occur."""
        mask, facts, near, places = read_mask(row, facts, dimension)
        maps, values = remap(mask.flat, mask.scaling, recoding(facts, self.targets, self.encoding))
        if places is not None:
            told, _ = remap(mask.flat[places], mask.scaling, recoding(near, self.targets, self.encoding))
            maps[:, places] = told
        fused |= mask.stored(maps, self.encoding)
        return values

    def _classes(self, facts: Facts, values: Collection[int] | None) -> list[int]:
        """Classes of an image in whose mask these values occur; None without a mask."""
        if values is None:
            return list(classify(facts, None, self.targets))
        legend = dict(facts.legend)
        gaps = any(value in legend and not legend[value] for value in values)
        return list(classify(facts, names_of(values, facts), self.targets, gaps))

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
            told["mask"] = bool(facts.legend) and not recoding(facts, self.targets, self.encoding).says_nothing
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
