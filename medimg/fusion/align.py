"""Phase 2, semantic alignment: what each member can say about each target, from its declaration alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from medimg import vocab
from medimg.errors import UnknownTermError
from medimg.fusion.choices import Encoding
from medimg.fusion.errors import FusionError
from medimg.fusion.facts import IGNORE, Facts, Recoding, classify, looked_for, recoding
from medimg.fusion.labels import OUTPUTS, Output
from medimg.fusion.select import DeclaredMember, DeclaredRows, kind_of
from medimg.fusion.semantics import ABSENT, above, below, innermost
from medimg.schema import Frozen

Kind = Literal["direct", "narrower", "wider", "none"]
KINDS: tuple[Kind, ...] = ("direct", "narrower", "wider", "none")
TASKS: Mapping[Output, tuple[str, ...]] = {
    "mask": ("segmentation",),
    "boxes": ("detection", "localization"),
    "measures": ("regression",),
    "classes": ("classification",),
}


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
        if set(outputs) == {"mask"}:
            return self.mask
        if "mask" not in outputs and self.mask == "wider":  # where an outline ends says nothing on classes
            return self.label
        return min(self.mask, self.label, key=KINDS.index)


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
        output = next((output for output, kinds in TASKS.items() if kind_of(task, kinds, vocab.task)), None)
        if output is None:
            return OUTPUTS
        found.append(output)
    return tuple(dict.fromkeys(found)) or OUTPUTS


def align(member: DeclaredMember, targets: Sequence[str]) -> tuple[Alignment, ...]:
    """What the member can say about each target, in the kind of its rows that says most."""
    named = member.named
    every = member.outlined | member.hinted | named
    outlined = [member.hinted] if member.hinted else [part.outlined for part in member.parts]
    return tuple(
        Alignment(
            target=target,
            mask=min((_outlines(target, each) for each in outlined), key=KINDS.index, default="none"),
            label=_kind(target, named, target in named, ("is_a",)),
            via=tuple(sorted((every & below(target)) or (every & above(target)))),
        )
        for target in targets
    )


def _outlines(target: str, outlined: frozenset[str]) -> Kind:
    return _kind(target, outlined, looked_for(target, outlined, frozenset()))


def partly(member: DeclaredMember, targets: Sequence[str]) -> list[str]:
    """What only some of the member's modalities are outlined for, in words."""
    by: dict[str, set[str]] = {}
    for part in member.parts:
        for modality in part.modality:
            by.setdefault(modality, set()).update(t for t in targets if _outlines(t, part.outlined) != "none")
    told: dict[tuple[str, ...], list[str]] = {}
    for target in targets:
        where = tuple(modality for modality, having in by.items() if target in having)
        if where and len(where) < len(by):
            told.setdefault(where, []).append(target)
    return [f"{member.key} outlines {_listed(names)} in {_listed(where)} alone" for where, names in told.items()]


def _kind(target: str, names: frozenset[str], direct: bool, edges: tuple[str, ...] = ("is_a", "part_of")) -> Kind:
    if direct:
        return "direct"
    if any(target in above(name, edges) for name in names):
        return "narrower"
    return "wider" if above(target, edges) & names else "none"


def facts_of(part: DeclaredRows) -> Facts:
    """What a row of this kind says that shows nothing beside its mask, and was assessed for all that there is."""
    return Facts(
        legend=tuple((value, tuple(names)) for value, names in sorted(part.legend.items())),
        assessed=part.outlined | part.named,
    )


def label_map(member: DeclaredMember, targets: tuple[str, ...], encoding: Encoding) -> dict[int | str, str]:
    """Mask value of the declared legends -> what it becomes, in words; empty where there is no legend.

    Where rows of several kinds say different things, the key is a text: "CT: 1", or "1 (liver, liver tumor)" where
    one modality has several legends.

    Raises:
        FusionError: `index`, and a value shows two targets of which neither lies inside the other.
    """
    parts = [part for part in member.parts if part.legend]
    if not targets:
        return {}
    found: dict[int | str, str] = {}
    several = len({part.modality for part in parts}) > 1
    for part in parts:
        try:
            made: Recoding = recoding(facts_of(part), targets, encoding)
        except FusionError as error:
            raise error.within(dataset=member.key) from None
        same = [other for other in parts if other.modality == part.modality]
        for value, codes in sorted(made.codes.items()):
            key: int | str = value
            if len(same) > 1:
                key = f"{value} ({', '.join(part.legend.get(value, ())) or 'background'})"
            found[f"{', '.join(part.modality)}: {key}" if several else key] = _words(codes, targets, encoding)
    return found


@dataclass(frozen=True)
class Reach:
    """Which targets can be present and absent somewhere, by the declarations.

    Attributes:
        present, absent: targets of which the members' masks (or classes) say so at least somewhere.
    """

    present: frozenset[str]
    absent: frozenset[str]

    def both(self, target: str) -> bool:
        """Whether a model could learn it."""
        return target in self.present and target in self.absent


def in_masks(members: Iterable[DeclaredMember], targets: tuple[str, ...], encoding: Encoding) -> Reach:
    """What voxels become. In `index` a target is absent where the map has background (0)."""
    present, absent = set(), set()
    for part in (part for each in members for part in each.parts if part.legend):
        for codes in recoding(facts_of(part), targets, encoding).codes.values():
            if encoding == "index":
                (code,) = codes
                present |= {targets[code - 1]} if 0 < code < IGNORE else set()
                absent |= set(targets) if code == 0 else set()
            else:
                present |= {target for target, code in zip(targets, codes, strict=True) if code == 1}
                absent |= {target for target, code in zip(targets, codes, strict=True) if code == 0}
    return Reach(frozenset(present), frozenset(absent))


def in_classes(members: Iterable[DeclaredMember], targets: tuple[str, ...]) -> Reach:
    """What images become as a whole."""
    present, absent = set(), set()
    for part in (part for each in members for part in each.parts):
        places = {wider for name in part.outlined for wider in above(name)}
        kinds = {wider for name in part.named for wider in above(name, ("is_a",))}
        present |= (places | kinds) & set(targets)
        known = classify(facts_of(part), frozenset(), targets)
        absent |= {target for target, state in zip(targets, known, strict=True) if state == ABSENT}
    return Reach(frozenset(present), frozenset(absent))


def useless(
    members: Sequence[DeclaredMember],
    targets: tuple[str, ...],
    encoding: Encoding,
    outputs: Collection[Output],
) -> list[str]:
    """Warnings on targets that would never be present, or never absent: nothing can be learned of them.

    Args:
        members: by their declarations.
        targets: in order.
        encoding: of masks.
        outputs: what the rows are needed for.
    """
    if not targets or any(each.undeclared for each in members):
        return []  # rows with legends of their own may say anything
    alignments = [align(each, targets) for each in members]

    def has(number: int, where: Literal["mask", "label"]) -> bool:
        return any(getattr(each[number], where) in ("direct", "narrower") for each in alignments)

    in_mask = [target for number, target in enumerate(targets) if "mask" in outputs and has(number, "mask")]
    other = [
        target
        for number, target in enumerate(targets)
        if target not in in_mask
        and {"classes", "boxes"} & set(outputs)
        and (has(number, "label") or has(number, "mask"))
    ]
    warnings = []
    if in_mask:
        warnings += _useless_masks(members, targets, encoding, in_mask)
    if other:
        made = in_classes(members, targets)
        if names := [each for each in other if each not in made.present]:
            warnings.append(f"no image is known to have {_listed(names)}")
        if names := [each for each in other if each not in made.absent]:
            warnings.append(f"no image is known to be without {_listed(names)}: there are no negatives")
    return warnings


def _useless_masks(
    members: Sequence[DeclaredMember], targets: tuple[str, ...], encoding: Encoding, asked: Sequence[str]
) -> list[str]:
    made = in_masks(members, targets, encoding)
    never = [target for target in asked if target not in made.present]
    always = [target for target in asked if target not in made.absent]
    if not never and not always:
        return []
    channels = in_masks(members, targets, "channels")
    mends = [target for target in (*never, *always) if not made.both(target) and channels.both(target)]
    advice = '; encoding="channels" has both for ' + _listed(list(dict.fromkeys(mends)), 8) if mends else ""
    warnings = []
    if never:
        why = "it" if len(never) == 1 else "them"
        warnings.append(
            f"no voxel becomes {_listed(never, 8)}: where a member shows {why}, another target that lies inside is "
            f"shown too, or was not looked for{advice}"
        )
    if always:
        problem = f"no voxel is known to be without {_listed(always, 8)}"
        if encoding == "index":
            problem = "no voxel becomes background: no member looked for all of the targets"
        warnings.append(problem if never else problem + advice)
    for target in asked:
        if channels.both(target):
            continue
        kinds = [
            name
            for each in members
            for name in sorted(each.outlined)
            if name != target and target in above(name) and in_masks(members, (name,), "channels").both(name)
        ]
        if kinds:
            warnings.append(
                f"of {target} members outline kinds or parts alone: ask for {_listed(list(dict.fromkeys(kinds)))}"
            )
    return warnings


def _words(codes: Sequence[int], targets: Sequence[str], encoding: Encoding) -> str:
    if encoding == "index":
        (code,) = codes
        return "ignore (255)" if code == IGNORE else "background (0)" if code == 0 else f"{targets[code - 1]} ({code})"
    words = {0: "no", 1: "yes", IGNORE: "ignore"}
    return ", ".join(f"{target}: {words[code]}" for target, code in zip(targets, codes, strict=True))


def class_map(member: DeclaredMember, targets: Sequence[str]) -> dict[str, str]:
    """Source label -> target that it stands for, for labels of classes, boxes and points."""
    found = {}
    for label, names in member.labels.items():
        kinds = {wider for name in names if name in member.named for wider in above(name, ("is_a",))}
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
                f"{member} has {_listed(aligned[member][number].via)}" for member in kinds if kinds[member] == "wider"
            ]
            problem = f"no member has {target!r}" + (f", only something wider: {'; '.join(wider)}" if wider else "")
            if growing:
                warnings.append(problem)
                continue
            raise FusionError(
                problem,
                next_step=f"ask for something that a member declares: the members are {_listed(sorted(aligned), 8)}; "
                "`medimg show <name>` shows their labels.",
            )
        narrower = [member for member in having if kinds[member] == "narrower"]
        if len(narrower) == len(having):
            for first, second in product(narrower, repeat=2):
                one, other = aligned[first][number].via, aligned[second][number].via
                if first < second and not any(b in above(a) or a in above(b) for a in one for b in other):
                    raise FusionError(
                        f"{target!r} means different things: {_listed(one)} in {first}, {_listed(other)} in {second}, "
                        "and no member has all of it",
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


def _listed(names: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
