"""What follows from what the annotators said, by the vocabulary's is_a and part_of edges.

A place (a voxel, or a whole image) either shows a term or does not. Showing a term implies showing everything that
it is a kind or a part of: a voxel of a liver tumor is a voxel of the liver. So where there is no liver there is no
liver tumor, while inside the liver nothing follows. A few wholes are the sum of their parts (`wholes`): where there
is neither left nor right kidney there is no kidney, and a kidney that is not the left one is the right one.
Everything else stays unknown, which is not the same as absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain

from medimg import vocab

ABSENT, PRESENT, UNKNOWN = 0, 1, -1
EDGES = ("is_a", "part_of")
SUMS: Mapping[str, tuple[str, ...]] = {
    "hippocampus": ("anterior hippocampus", "posterior hippocampus"),
    "left lung": ("upper lobe of left lung", "lower lobe of left lung"),
    "right lung": ("upper lobe of right lung", "middle lobe of right lung", "lower lobe of right lung"),
    "left ventricle": ("left ventricle cavity", "left ventricle myocardium"),
    "optic disc": ("optic cup", "neuroretinal rim"),
    "whole brain tumor": ("brain tumor core", "peritumoral edema"),
}
"""Wholes that their parts fill, beside the paired organs. Whoever outlines all the parts has outlined the whole."""


@cache
def above(term: str, relations: tuple[str, ...] = EDGES) -> frozenset[str]:
    """`term` and everything that it is a kind or a part of. Raises UnknownTermError."""
    return vocab.label.ancestors(term, relations) | {term}


@cache
def below(term: str) -> frozenset[str]:
    """`term` and all its kinds and parts. Raises UnknownTermError."""
    return vocab.label.descendants(term) | {term}


@cache
def wholes() -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """Whole -> its partitions: `SUMS`, and left and right of every paired organ or structure."""
    found: dict[str, list[tuple[str, ...]]] = {whole: [parts] for whole, parts in SUMS.items()}
    for left in vocab.label:
        whole = left.removeprefix("left ")
        right = f"right {whole}"
        if whole == left or whole in vocab.finding or right not in vocab.label:
            continue
        if whole in vocab.label[left].is_a and whole in vocab.label[right].is_a:
            found.setdefault(whole, []).append((left, right))
    return {whole: tuple(partitions) for whole, partitions in found.items()}


@lru_cache(maxsize=1 << 14)
def infer(
    present: frozenset[str],
    absent: frozenset[str],
    wanted: tuple[str, ...],
    relations: tuple[str, ...] = EDGES,
) -> tuple[int, ...]:
    """What is known of the wanted terms at one place, or in one image.

    Args:
        present: terms that the place shows.
        absent: terms that it does not show. What a present term implies is present, whatever is said here.
        wanted: terms in question.
        relations: edges to follow. Wholes are the sum of their parts whatever edges are followed.

    Returns:
        PRESENT, ABSENT or UNKNOWN for each wanted term.
    """
    sums = True
    known = {*present, *absent, *wanted}
    terms = {each for term in known for each in above(term, relations)}
    grown = True
    while grown:
        parts = {p for whole in terms for way in wholes().get(whole, ()) for p in way} - terms
        terms |= {each for part in parts for each in above(part, relations)}
        grown = bool(parts)
    implied = {each for term in present for each in above(term, relations)}
    facts = dict.fromkeys(absent, False) | dict.fromkeys(implied, True)
    settled = _propagate(facts, terms, relations, sums)
    if settled is None:  # A kidney that is neither the left nor the right one: the sums do not hold in this source.
        sums = False
        settled = _propagate(facts, terms, relations, sums) or facts
    result = []
    for term in wanted:
        truth = settled.get(term)
        if truth is None and sums and _propagate({**settled, term: False}, terms, relations, sums) is None:
            truth = True
        result.append(UNKNOWN if truth is None else int(truth))
    return tuple(result)


def _propagate(
    facts: Mapping[str, bool], terms: Iterable[str], relations: tuple[str, ...], sums: bool
) -> dict[str, bool] | None:
    """All that follows step by step from the facts; None where they contradict each other."""
    truth = dict(facts)
    news = list(truth.items())
    seen: set[tuple[str, bool]] = set()
    while news:
        fact = news.pop()
        if fact in seen:
            continue
        seen.add(fact)
        for term, value in chain(_implied(*fact, terms, relations), _summed(truth, terms) if sums else ()):
            if truth.setdefault(term, value) != value:
                return None
            news.append((term, value))
    return truth


def _implied(term: str, value: bool, terms: Iterable[str], relations: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """What is there is all that is wider; what is not there is nothing that is narrower."""
    if value:
        return ((wider, True) for wider in above(term, relations))
    return ((narrower, False) for narrower in terms if term in above(narrower, relations))


def _summed(truth: Mapping[str, bool], terms: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """A whole without any part is not there; one that is there without all parts but one has that one."""
    for whole, ways in wholes().items():
        for way in ways if whole in terms else ():
            left = [part for part in way if truth.get(part) is not False]
            if not left:
                yield whole, False
            elif len(left) == 1 and truth.get(whole):
                yield left[0], True


@cache
def inside(inner: str, outer: str) -> bool:
    """Whether a place of `inner` lies in `outer` as the narrower term of the two.

    So it is for kinds and parts (liver tumor in liver, left kidney in kidney), and for a part of something that
    `outer` is a kind of (kidney tumor in left kidney).
    """
    return inner != outer and _within(inner, outer) and not _within(outer, inner)


def _within(inner: str, outer: str) -> bool:
    if outer in above(inner):
        return True
    containers = {part for kind in above(inner, ("is_a",)) for part in above(kind, ("part_of",))}
    return bool(above(outer, ("is_a",)) & (containers - above(inner, ("is_a",))))


@cache
def may_meet(term: str, other: str) -> bool:
    """Whether `term` could be found where `other` is: inside it, or as something that is both (liver + tumor)."""
    return inside(term, other) or bool(below(term) & below(other))


def innermost(terms: Sequence[str]) -> str | None:
    """The one term that lies inside all the others; None where there is none."""
    for term in terms:
        if all(term == other or inside(term, other) for other in terms):
            return term
    return None
