"""What a row's label says of a place and of the whole image, without its pixels; and what that becomes.

What a row was not assessed for is never background: 255 in masks, -1 in classes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from medimg.fusion.choices import Encoding
from medimg.fusion.errors import FusionError
from medimg.fusion.marks import KINDS, Doubt
from medimg.fusion.semantics import ABSENT, PRESENT, UNKNOWN, above, infer, innermost, may_meet, wholes

IGNORE = 255

Legend = tuple[tuple[int, tuple[str, ...]], ...]


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
    instances: bool = False
    found: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()
    assessed: frozenset[str] = frozenset()
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
class Recoding:
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
def recoding(facts: Facts, targets: tuple[str, ...], encoding: Encoding) -> Recoding:
    """What each mask value becomes under these targets.

    Raises:
        FusionError: `index`, and a value shows two targets of which neither lies inside the other.
    """
    looked = [looked_for(target, facts.outlined, facts.nowhere) for target in targets]

    def codes(names: tuple[str, ...] | None) -> tuple[int, ...]:
        return encoded(known_at(names, facts, targets), looked, targets, encoding)

    named = {value: codes(names or None) for value, names in facts.legend}
    other = named.get(1) if facts.instances and set(named) == {1} else None
    return Recoding({0: codes(()), **named}, other)


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
        FusionError: see `recoding`.
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
    if not shown:
        return IGNORE if UNKNOWN in known else 0
    if innermost(shown) is None:
        raise FusionError(
            f"one mask value means {' and '.join(repr(each) for each in shown)}, and neither lies inside the other",
            next_step='one map cannot hold both: pass encoding="channels", or ask for one of them.',
        )
    number = single(known, targets)
    return IGNORE if number == -1 else number + 1


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


def names_of(values: Collection[int], facts: Facts) -> frozenset[str]:
    """Names of the mask values that occur."""
    legend = dict(facts.legend)
    default = legend[1] if facts.instances and set(legend) == {1} else ()
    return frozenset(name for value in values if value for name in legend.get(value, default))
