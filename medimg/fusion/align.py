"""Phase 2, semantic alignment: what each member can say about each target, from its declaration alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from medimg import vocab
from medimg.errors import UnknownTermError
from medimg.fusion.errors import FusionError
from medimg.fusion.labels import IGNORE, OUTPUTS, Encoding, Facts, Output, Table, looked_for, table
from medimg.fusion.select import Candidate, kind_of
from medimg.fusion.semantics import above, below, innermost
from medimg.schema import Frozen

Kind = Literal["direct", "narrower", "wider", "none"]
MASK_TASKS = ("segmentation",)
BOX_TASKS = ("detection", "localization")
MEASURE_TASKS = ("regression",)


class Alignment(Frozen):
    """What one member can say about one target.

    Attributes:
        target: canonical name.
        mask: by its masks. direct: it outlines the target, or all the parts that make it up. narrower: only some
            kinds or parts, so that the rest is 255. wider: only something that contains the target, so that the
            inside of that is 255. none: nothing.
        label: the same by classes, boxes or points of the whole image.
        via: the member's own names that it follows from.
    """

    target: str
    mask: Kind
    label: Kind
    via: tuple[str, ...]

    def kind(self, outputs: Collection[Output]) -> Kind:
        """The best that there is for these outputs; classes also follow from masks."""
        order: tuple[Kind, ...] = ("direct", "narrower", "wider", "none")
        if set(outputs) == {"mask"}:
            return self.mask
        if "mask" not in outputs and self.mask == "wider":  # where an outline ends says nothing on classes
            return self.label
        return min(self.mask, self.label, key=order.index)


def wanted(targets: Sequence[str], outputs: Collection[Output]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(structures and findings by their canonical names, names of measures).

    Raises:
        UnknownTermError: a target is not in the vocabulary, and no task asks for measures.
    """
    names: dict[str, None] = {}
    measures: dict[str, None] = {}
    for target in targets:
        try:
            names[vocab.label.resolve(target)] = None
        except UnknownTermError:
            if "measures" not in outputs or set(outputs) == set(OUTPUTS):
                raise
            measures[target] = None
    return tuple(names), tuple(measures)


def outputs_of(tasks: Sequence[str]) -> tuple[Output, ...]:
    """What a row must have for these tasks; all where no task is given, or one that no output belongs to."""
    found: list[Output] = []
    for task in tasks:
        if kind_of(task, MASK_TASKS, vocab.task):
            found.append("mask")
        elif kind_of(task, BOX_TASKS, vocab.task):
            found.append("boxes")
        elif kind_of(task, MEASURE_TASKS, vocab.task):
            found.append("measures")
        elif kind_of(task, ("classification",), vocab.task):
            found.append("classes")
        else:
            return OUTPUTS
    return tuple(dict.fromkeys(found)) or OUTPUTS


def align(candidate: Candidate, targets: Sequence[str]) -> tuple[Alignment, ...]:
    """What the member can say about each target."""
    outlined = candidate.outlined | candidate.hinted
    return tuple(
        Alignment(
            target=target,
            mask=_kind(target, outlined, looked_for(target, outlined, frozenset())),
            label=_kind(target, candidate.named, target in candidate.named, ("is_a",)),
            via=tuple(sorted(_related(target, outlined | candidate.named))),
        )
        for target in targets
    )


def _kind(
    target: str, names: frozenset[str], direct: bool, edges: tuple[str, ...] = ("is_a", "part_of")
) -> Kind:
    if direct:
        return "direct"
    if any(target in above(name, edges) for name in names):
        return "narrower"
    return "wider" if above(target, edges) & names else "none"


def _related(target: str, names: frozenset[str]) -> frozenset[str]:
    return (names & below(target)) or (names & above(target))


def label_map(candidate: Candidate, targets: tuple[str, ...], encoding: Encoding) -> dict[int, str]:
    """Mask value of the declared legend -> what it becomes, in words; empty where there is no legend.

    Raises:
        FusionError: `index`, and a value shows two targets of which neither lies inside the other.
    """
    legend = candidate.builder.dataset.legend
    if not legend or not targets:
        return {}
    facts = Facts(
        legend=tuple((value, tuple(names)) for value, names in sorted(legend.items())),
        instances=False,
        found=frozenset(),
        doubtful=frozenset(),
        assessed=candidate.outlined,
    )
    try:
        made: Table = table(facts, targets, encoding)
    except FusionError as error:
        raise error.within(dataset=candidate.key) from None
    return {value: _words(codes, targets, encoding) for value, codes in sorted(made.codes.items())}


def _words(codes: Sequence[int], targets: Sequence[str], encoding: Encoding) -> str:
    if encoding == "index":
        (code,) = codes
        return (
            "ignore (255)"
            if code == IGNORE
            else "background (0)"
            if code == 0
            else f"{targets[code - 1]} ({code})"
        )
    words = {0: "no", 1: "yes", IGNORE: "ignore"}
    return ", ".join(f"{target}: {words[code]}" for target, code in zip(targets, codes, strict=True))


def class_map(candidate: Candidate, targets: Sequence[str]) -> dict[str, str]:
    """Source label -> target that it stands for, for labels of classes, boxes and points."""
    found = {}
    for label, names in candidate.labels.items():
        kinds = {wider for name in names if name in candidate.named for wider in above(name, ("is_a",))}
        target = innermost([target for target in targets if target in kinds])
        if target is not None:
            found[label] = target
    return found


def check(
    aligned: dict[str, tuple[Alignment, ...]],
    targets: Sequence[str],
    outputs: Collection[Output],
    *,
    growing: bool = False,
) -> list[str]:
    """Refuse targets that cannot be fused; returns warnings about those that can be in part.

    Args:
        aligned: member -> its alignments.
        targets: asked for.
        outputs: what the rows are needed for.
        growing: a target that no member has yet is a warning (the label space of a blueprint stays as it is).

    Raises:
        FusionError: no member has a target (any target, where `growing`), or it means different things in two members.
    """
    warnings: list[str] = []
    unknown: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for number, target in enumerate(targets):
        kinds = {member: each[number].kind(outputs) for member, each in aligned.items()}
        having = [member for member, kind in kinds.items() if kind in ("direct", "narrower")]
        if not having:
            wider = [
                f"{member} has {_listed(aligned[member][number].via)}"
                for member in kinds
                if kinds[member] == "wider"
            ]
            problem = f"no member has {target!r}" + (
                f", only something wider: {'; '.join(wider)}" if wider else ""
            )
            if growing:
                warnings.append(problem)
                continue
            raise FusionError(
                problem,
                next_step="ask for something that a member declares: " + _offers(aligned),
            )
        narrower = [member for member in having if kinds[member] == "narrower"]
        if len(narrower) == len(having):
            for first in narrower:
                for second in narrower:
                    if first < second and not _share(aligned[first][number].via, aligned[second][number].via):
                        raise FusionError(
                            f"{target!r} means different things: {_listed(aligned[first][number].via)} in {first}, "
                            f"{_listed(aligned[second][number].via)} in {second}, and no member has all of it",
                            next_step="name those instead, or fuse the two members apart.",
                        )
        for member in narrower:
            warnings.append(
                f"{member} has only {_listed(aligned[member][number].via)} of {target!r}: there it is known to be "
                "present, elsewhere it is unknown"
            )
        for member, kind in kinds.items():
            if kind == "wider":
                unknown.setdefault((member, aligned[member][number].via), []).append(target)
    warnings += [
        f"{member} has only {_listed(via)}: inside that, {_listed(names)} is unknown"
        for (member, via), names in unknown.items()
    ]
    return warnings


def _share(one: Sequence[str], other: Sequence[str]) -> bool:
    return any(b in above(a) or a in above(b) for a in one for b in other)


def _listed(names: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _offers(aligned: dict[str, tuple[Alignment, ...]]) -> str:
    return f"the members are {_listed(sorted(aligned), 8)}; `medimg show <name>` shows their labels."
