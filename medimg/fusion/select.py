"""Phase 1, metadata harmonization: which members there are, by criteria over declarations in one vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from medimg import collections, licenses, registry, vocab
from medimg.declaration import Config
from medimg.errors import UnknownDatasetError
from medimg.fusion.choices import split_fused
from medimg.fusion.errors import FusionError
from medimg.fusion.request import Request
from medimg.fusion.semantics import below
from medimg.registry import Builder
from medimg.schema import Dimension, Frozen
from medimg.vocab import Vocabulary


class LeftOut(Frozen):
    """A member that fits what was asked for by subject, and is not taken."""

    member: str
    reason: str


@dataclass(frozen=True)
class DeclaredRows:
    """What rows of one kind of a member say, by the declaration.

    Attributes:
        modality: of these rows.
        legend: mask value -> names; empty where they have no masks.
        named: names of their classes, boxes and points that no mask of theirs outlines.
    """

    modality: tuple[str, ...]
    legend: Mapping[int, tuple[str, ...]]
    named: frozenset[str]

    @property
    def outlined(self) -> frozenset[str]:
        """Names that their masks outline."""
        return frozenset(name for names in self.legend.values() for name in names)


@dataclass(frozen=True)
class DeclaredMember:
    """A member by its declaration alone: a dataset, or one of its sub-collections (`config` in code).

    Attributes:
        builder, config: which one.
        modality: ids that were asked for: only rows of these count. Empty is all.
    """

    builder: Builder
    config: Config
    modality: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """`lits`, or `medmnist-v2/pathmnist`."""
        name = self.builder.name
        return f"{name}/{self.config.name}" if self.builder.dataset.configs else name

    @property
    def dimension(self) -> Dimension:
        """The sub-collection's, else the dataset's."""
        return self.config.dimension or self.builder.dataset.dimension

    @property
    def license(self) -> str:
        """License id of the sub-collection."""
        return self.config.license or self.builder.dataset.license

    @cached_property
    def parts(self) -> tuple[DeclaredRows, ...]:
        """What its rows say, once for each kind of row that says something else."""
        found: dict[tuple[object, ...], DeclaredRows] = {}
        for modality in self.config.modality or ():
            if self.modality and not kind_of(modality, self.modality, vocab.modality):
                continue
            for part in self.builder.dataset.parts_of(self.config.name, modality):
                outlined = {name for names in part.legend.values() for name in names}
                every = part.names
                if every is None:
                    every = tuple(name for names in self.labels.values() for name in names)
                named = frozenset(every) - outlined
                key = (*sorted(part.legend.items()), named)
                old = found.get(key)
                found[key] = DeclaredRows((*(old.modality if old else ()), modality), part.legend, named)
        return tuple(found.values())

    @cached_property
    def outlined(self) -> frozenset[str]:
        """Names that masks outline, as the declared legends have them."""
        return frozenset(name for part in self.parts for name in part.outlined)

    @cached_property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Source label -> names, without those of other sub-collections (`<config>/<label>`)."""
        dataset = self.builder.dataset
        others = {name for name in dataset.config_names if name != self.config.name}
        return {label: names for label, names in dataset.labels.items() if label.split("/")[0] not in others}

    @cached_property
    def named(self) -> frozenset[str]:
        """Names of classes, boxes or points that no mask outlines."""
        return frozenset(name for part in self.parts for name in part.named) - self.outlined

    @property
    def undeclared(self) -> bool:
        """Whether the declaration names no label at all: each row says its own."""
        dataset = self.builder.dataset
        return not dataset.legend and not dataset.labels and not dataset.parts

    @cached_property
    def hinted(self) -> frozenset[str]:
        """Where the declaration names no label at all (each row has its own legend): its organs."""
        if not self.undeclared:
            return frozenset()
        return frozenset(organ for organ in self.config.organ or () if organ not in ("multiple organs", "whole body"))

    @property
    def rows(self) -> int:
        """Images that the declaration counts; 0 where the source does not say."""
        return sum(self.config.splits.values())

    def splits(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """The source's names of the wanted splits, in the declared order."""
        return tuple(split for split in self.config.splits if not wanted or split_fused(split) in wanted)


def select(request: Request) -> tuple[list[DeclaredMember], list[LeftOut]]:
    """Members that fit, in the order in which they are named, else by name; and near misses with the reason.

    Raises:
        UnknownDatasetError: a name is unknown.
        FusionError: a member that was named does not fit.
    """
    chosen: dict[str, DeclaredMember] = {}
    left_out: list[LeftOut] = []
    for name in request.names or registry.names():
        fits, missed = [], []
        for member in declared(name, request.modality):
            subject, other = _of_another_subject(member, request), _refused(member, request)
            if subject and not request.names:
                continue
            reason = subject or other
            if reason is None:
                fits.append(member)
            else:
                missed.append(LeftOut(member=member.key, reason=reason))
        if request.names and not fits:
            raise unfit(name, missed)
        chosen |= {each.key: each for each in fits}
        left_out += missed
    return list(chosen.values()), left_out


def unfit(name: str, missed: Sequence[LeftOut]) -> FusionError:
    """The error of a member that was named and cannot be taken: no set is smaller than what was asked for."""
    reasons: dict[str, list[str]] = {}
    for each in missed:
        reasons.setdefault(each.reason, []).append(each.member)
    told = [
        reason if len(reasons) == 1 else f"{', '.join(members[:3])}{' …' if len(members) > 3 else ''}: {reason}"
        for reason, members in list(reasons.items())[:3]
    ]
    return FusionError(
        f"{name} was named, but {'; '.join(told)}",
        dataset=name,
        next_step="leave it out of the names, or ask for what it has.",
    )


def declared(name: str, modality: tuple[str, ...] = ()) -> Iterable[DeclaredMember]:
    """The sub-collections that a name means. Raises UnknownDatasetError."""
    slug, _, config = collections.without_slash(name).partition("/")
    builder = registry.get(slug)
    dataset = builder.dataset
    if config and config not in dataset.config_names:
        raise UnknownDatasetError(
            f"there is no sub-collection {config!r}",
            dataset=dataset.name,
            next_step=f"one of: {', '.join(dataset.config_names)}",
        )
    for each in [config] if config else dataset.config_names:
        yield DeclaredMember(builder, dataset.config(each), modality)


def _of_another_subject(member: DeclaredMember, request: Request) -> str | None:
    """Which criterion of what it is about the member does not meet; None where it meets all."""
    config = member.config
    if request.dimension and member.dimension != request.dimension:
        return f"its dimension is {member.dimension}, not {request.dimension}"
    for kind, asked, own, vocabulary in (
        ("modality", request.modality, config.modality, vocab.modality),
        ("task", request.task, config.task, vocab.task),
    ):
        if asked and not any(kind_of(each, asked, vocabulary) for each in own or ()):
            return f"its {kind} is {' and '.join(own or ('unknown',))}, not {' or '.join(asked)}"
    if not request.organ:
        return None
    places = {place for organ in request.organ for place in below(organ)}
    if places & {*(config.organ or ()), *member.outlined, *member.named}:
        return None
    return f"its organ is {' and '.join(config.organ or ('unknown',))}, not {' or '.join(request.organ)}"


def kind_of(term: str, asked: Iterable[str], vocabulary: Vocabulary) -> bool:
    """Whether a term is one of those asked for, or a kind of one."""
    return bool({term, *vocabulary.ancestors(term)} & set(asked))


def _refused(member: DeclaredMember, request: Request) -> str | None:
    if request.minimum and member.rows < request.minimum:
        return f"declares {member.rows} images, at least {request.minimum} were asked for"
    if request.split and not member.splits(request.split):
        return f"has no split {' or '.join(request.split)} (only {', '.join(member.config.splits)})"
    license = licenses.get(member.license)
    if request.license_terms and not license.per_row and not licenses.allowed(member.license, request.license_terms):
        return f"its license {license.id} does not meet: {', '.join(request.license_terms)}"
    return None
