"""Words of a query: which of them belong together, and what each may stand for."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from medimg.catalogue.search.index import CORRECTIONS, Index
from medimg.catalogue.words import in_pairs, is_cjk, search_data, singular

NAME, BEGINS = 16, 8
WHOLE_QUERY, PART_OF_QUERY = 100, 40
LONGEST_TERM, LONGEST_QUERY, LONGEST_JOIN = 8, 40, 3
"""Words of a term's name, of a query, and of a name that is written as one."""
RARE = 2
"""A word of so few datasets, and of no term, may be a slip where little is found."""
_Reading = tuple[str, tuple[str, ...]]
"""What a word may stand for, and that once more where it is a correction."""


class Option(NamedTuple):
    """One reading of a unit: its words, the terms that they name, and which of them are corrected."""

    words: tuple[str, ...]
    terms: tuple[str, ...]
    fixed: tuple[str, ...]


@dataclass
class Unit:
    """Words of a query that belong together.

    Attributes:
        start, end: of the words in the query.
        options: readings, the likeliest first.
        points: entry -> points and the corrected words that they rest on.
        wider: entry -> why it is close.
    """

    start: int
    end: int
    options: list[Option]
    points: dict[int, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    wider: dict[int, str] = field(default_factory=dict)


class Run(NamedTuple):
    """Consecutive words of a query that stand together in a name of an entry, and their points."""

    start: int
    end: int
    points: int


def runs_of(index: Index, words: Sequence[str]) -> dict[int, list[Run]]:
    """Entry -> the runs of words that are the whole of one of its names, or one word there ("total segmentator")."""
    found: dict[int, list[Run]] = {}
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            joined = "".join(words[start:end])
            points = WHOLE_QUERY if end - start == len(words) else PART_OF_QUERY
            for number in index.keys.get(joined, ()):
                found.setdefault(number, []).append(Run(start, end, points))
            if 1 < end - start <= LONGEST_JOIN and not is_cjk(joined):
                for number in index.named.get(joined, ()):
                    found.setdefault(number, []).append(Run(start, end, NAME * (end - start)))
    return found


def rare_places(index: Index, words: Sequence[str], runs: Mapping[int, Sequence[Run]]) -> frozenset[int]:
    """Places of known words that may be slips all the same."""
    named = places(runs)
    return frozenset(
        place
        for place, word in enumerate(words)
        if place not in named
        and not any(letter.isdigit() for letter in word)
        and word not in index.terms.by_word
        and word not in ignored()
        and index.spread(word) <= RARE
    )


def places(runs: Mapping[int, Sequence[Run]]) -> set[int]:
    """Places of words that stand in runs."""
    return {place for listed in runs.values() for run in listed for place in range(run.start, run.end)}


def units_of(index: Index, words: Sequence[str], runs: Mapping[int, Sequence[Run]], rare: frozenset[int]) -> list[Unit]:
    """The units of a query, with what each may stand for; `rare` words are taken for misspelled."""
    named = places(runs)
    readings: list[list[_Reading]] = [
        [(word, ())] if place in named else _readings(index, word, place in rare) for place, word in enumerate(words)
    ]
    found: list[Unit] = []
    position = 0
    while position < len(words):
        unit = _term_at(index, words, readings, position)
        if unit is None and words[position] in ignored():
            position += 1
            continue
        if unit is None:
            end = position + 1
            if is_cjk(words[position]):
                while end < len(words) and is_cjk(words[end]) and not _term_at(index, words, readings, end):
                    end += 1
                pairs = tuple(in_pairs(words[position:end]))
                unit = Unit(position, end, [Option(pairs, (), ())])
            else:
                unit = Unit(position, end, [Option((each,), (), fix) for each, fix in readings[position]])
        found.append(unit)
        position = unit.end
    if not found and words:  # nothing but words that say nothing
        return [Unit(at, at + 1, [Option((word,), (), ())]) for at, word in enumerate(words)]
    return found


def _readings(index: Index, word: str, rare: bool) -> list[_Reading]:
    """What a word may stand for, the likeliest first."""
    if not rare:
        if is_cjk(word) or word in ignored() or index.knows(word):
            return [(word, ())]
        if index.knows(singular(word)):
            return [(singular(word), ())]
        if index.beginning(word):
            return [(word, ())]
        if index.numbered_names(word):
            return [(word, ())]
    return [(each, (each,)) for each in index.corrections(word)] or [(word, ())]


def _term_at(index: Index, words: Sequence[str], readings: Sequence[list[_Reading]], start: int) -> Unit | None:
    """The longest run of words from here that names a term."""
    for end in range(min(start + LONGEST_TERM, len(words)), start, -1):
        if end == start + 1 and _within_chinese(words, start):
            return None
        options = []
        likeliest = CORRECTIONS if end - start <= LONGEST_JOIN else 1
        for reading in itertools.product(*(each[:likeliest] for each in readings[start:end])):
            said = tuple(word for word, _ in reading)
            if terms := index.terms.of(said):
                fixed = tuple(word for _, fix in reading for word in fix)
                options.append(Option(said, tuple(terms), fixed))
        if end == start + 1 and options:
            options = [Option((word,), tuple(index.terms.of((word,))), fix) for word, fix in readings[start]]
        if options:
            return Unit(start, end, options[:CORRECTIONS])
    return None


def _within_chinese(words: Sequence[str], at: int) -> bool:
    """Whether a Chinese character has another beside it: alone it names no term then."""
    beside = words[max(at - 1, 0) : at] + words[at + 1 : at + 2]  # type: ignore[operator]
    return is_cjk(words[at]) and any(map(is_cjk, beside))


@functools.cache
def ignored() -> frozenset[str]:
    """Words that say nothing."""
    return frozenset(search_data()["ignored"])
