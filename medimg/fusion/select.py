"""Phase 1, metadata harmonization: which members there are, by criteria over declarations in one vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from medimg import licenses, registry, vocab
from medimg.declaration import Config
from medimg.errors import UnknownDatasetError, UnknownTermError
from medimg.fusion.semantics import below
from medimg.licenses import Verdict
from medimg.registry import Builder
from medimg.schema import Dimension, Frozen
from medimg.vocab import Vocabulary

TERMS = ("commercial", "adapt", "redistribute", "open", "no share-alike", "known")
"""Terms that a selection may ask for, beside license ids; several must hold together."""
_SPLITS = {
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "testing": "test",
    "training": "train",
}


class Criteria(Frozen):
    """What members must be. Empty means: anything.

    Attributes:
        names: slugs or aliases, or `<name>/<config>` for one sub-collection.
        modality, organ, task: vocabulary ids; one of each must fit, wider terms take the narrower ones.
        dimension: "2d", "3d" or "video".
        license_terms: of `TERMS`, or license ids (one of which must be the member's).
        minimum: images that a member must declare at least.
        splits: of the fused set ("train", "validation", "test").
    """

    names: tuple[str, ...] = ()
    modality: tuple[str, ...] = ()
    organ: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    dimension: Dimension | None = None
    license_terms: tuple[str, ...] = ()
    minimum: int = 0
    splits: tuple[str, ...] = ()


class LeftOut(Frozen):
    """A member that fits what was asked for by subject, and is not taken."""

    member: str
    reason: str


@dataclass(frozen=True)
class Candidate:
    """One sub-collection of one dataset (its only one, mostly), with what its declaration says."""

    builder: Builder
    config: Config

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
    def outlined(self) -> frozenset[str]:
        """Names that masks outline, as the declaration's legend has them."""
        return frozenset(name for names in self.builder.dataset.legend.values() for name in names)

    @cached_property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Source label -> names, without those of other sub-collections (`<config>/<label>`)."""
        dataset = self.builder.dataset
        others = {name for name in dataset.config_names if name != self.config.name}
        return {label: names for label, names in dataset.labels.items() if label.split("/")[0] not in others}

    @cached_property
    def named(self) -> frozenset[str]:
        """Names of classes, boxes or points: those of the declared labels that no mask outlines."""
        return frozenset(name for names in self.labels.values() for name in names) - self.outlined

    @cached_property
    def hinted(self) -> frozenset[str]:
        """Where the declaration names no label at all (each row has its own legend): its organs."""
        if self.outlined or self.named:
            return frozenset()
        return frozenset(
            organ for organ in self.config.organ or () if organ not in ("multiple organs", "whole body")
        )

    @property
    def rows(self) -> int:
        """Images that the declaration counts; 0 where the source does not say."""
        return sum(self.config.splits.values())

    def splits(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """The source's names of the wanted splits, in the declared order."""
        return tuple(split for split in self.config.splits if not wanted or split_fused(split) in wanted)


def split_fused(split: str) -> str:
    """The split of the fused set that a source's split belongs to: "val" is "validation"."""
    return _SPLITS.get(split, split)


def terms(given: str | Iterable[str] | None, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Canonical ids of one name or several. Raises UnknownTermError with the closest ones."""
    listed = () if given is None else (given,) if isinstance(given, str) else tuple(given)
    return tuple(dict.fromkeys(vocabulary.resolve(name) for name in listed))


def select(criteria: Criteria) -> tuple[list[Candidate], list[LeftOut]]:
    """Members that fit, in the order in which they are named, else by name; and near misses with the reason.

    Raises:
        UnknownDatasetError: a name is unknown.
        UnknownTermError: a license term is unknown.
    """
    check_terms(criteria.license_terms)
    chosen: dict[str, Candidate] = {}
    left_out: list[LeftOut] = []
    for candidate in _candidates(criteria.names):
        if not _fits_subject(candidate, criteria):
            if criteria.names:
                left_out.append(
                    LeftOut(member=candidate.key, reason="is of another modality, organ, task or dimension")
                )
            continue
        reason = _refused(candidate, criteria)
        if reason:
            left_out.append(LeftOut(member=candidate.key, reason=reason))
        else:
            chosen[candidate.key] = candidate
    return list(chosen.values()), left_out


def _candidates(names: Sequence[str]) -> Iterable[Candidate]:
    for name in names or registry.names():
        # "idc/<collection>" has a slash of its own.
        slug, _, config = registry.COMMONS.sub("idc-", name).partition("/")
        builder = registry.get(slug)
        dataset = builder.dataset
        if config and config not in dataset.config_names:
            raise UnknownDatasetError(
                f"there is no sub-collection {config!r}",
                dataset=dataset.name,
                next_step=f"one of: {', '.join(dataset.config_names)}",
            )
        for each in [config] if config else dataset.config_names:
            yield Candidate(builder, dataset.config(each))


def _fits_subject(candidate: Candidate, criteria: Criteria) -> bool:
    config = candidate.config
    if criteria.dimension and candidate.dimension != criteria.dimension:
        return False
    for asked, own, vocabulary in (
        (criteria.modality, config.modality, vocab.modality),
        (criteria.task, config.task, vocab.task),
    ):
        if asked and not any(kind_of(each, asked, vocabulary) for each in own or ()):
            return False
    if not criteria.organ:
        return True
    places = {place for organ in criteria.organ for place in below(organ)}
    return bool(places & {*(config.organ or ()), *candidate.outlined, *candidate.named})


def kind_of(term: str, asked: Iterable[str], vocabulary: Vocabulary) -> bool:
    """Whether a term is one of those asked for, or a kind of one."""
    return bool({term, *vocabulary.ancestors(term)} & set(asked))


def _refused(candidate: Candidate, criteria: Criteria) -> str | None:
    if criteria.minimum and candidate.rows < criteria.minimum:
        return f"declares {candidate.rows} images, at least {criteria.minimum} were asked for"
    if criteria.splits and not candidate.splits(criteria.splits):
        return f"has no split {' or '.join(criteria.splits)} (only {', '.join(candidate.config.splits)})"
    license = licenses.get(candidate.license)
    if (
        criteria.license_terms
        and not license.per_row
        and not allowed(candidate.license, criteria.license_terms)
    ):
        return f"its license {license.id} does not meet: {', '.join(criteria.license_terms)}"
    return None


def check_terms(asked: Iterable[str]) -> None:
    """Raises UnknownTermError for what is neither of `TERMS` nor a license id."""
    for term in asked:
        if term not in TERMS and term not in licenses.known():
            raise UnknownTermError(
                f"{term!r} is no license term",
                next_step=f"use one of {', '.join(map(repr, TERMS))}, or a license id such as 'CC-BY-4.0'.",
            )


def allowed(id_: str, asked: Sequence[str]) -> bool:
    """Whether a license meets all the terms asked for; what is not known is not met."""
    license = licenses.get(id_)
    met = {
        "commercial": bool(license.commercial),
        "adapt": bool(license.adapt),
        "redistribute": bool(license.redistribute),
        "open": license.publish is Verdict.OPEN and not license.per_row,
        "no share-alike": not license.share_alike,
        "known": license.id != licenses.UNKNOWN,
    }
    ids = [term for term in asked if term not in TERMS]
    return all(met[term] for term in asked if term in TERMS) and (not ids or license.id in ids)
