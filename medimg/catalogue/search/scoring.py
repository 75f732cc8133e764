"""Points of entries for a unit of a query: by their names, their terms, and all else that they say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from medimg.catalogue.search.index import UNFOCUSED, Index
from medimg.catalogue.search.query import BEGINS, NAME, Option, Unit
from medimg.catalogue.search.terms import EVERYWHERE, id_of, is_wider
from medimg.catalogue.words import is_cjk

TERM = {"modality": 12, "organ": 12, "task": 12, "structures": 10, "dimension": 6, "use": 6}
BELOW, BY_WORD, BY_BEGINNING, OTHER, WIDER = 10, 6, 4, 4, 3


def match(index: Index, unit: Unit) -> None:
    """Fill a unit's points."""
    for place, option in enumerate(unit.options):
        times = sum(not is_cjk(word) for word in option.words) + any(map(is_cjk, option.words))
        for number, points in _points(index, option).items():
            points = points * times // (place + 1)
            if number not in unit.points or points > unit.points[number][0]:
                unit.points[number] = (points, option.fixed)
    _match_wider(index, unit)


def _points(index: Index, option: Option) -> dict[int, int]:
    points: dict[int, int] = {}
    for part in (_by_name(index, option.words), _by_term(index, option), _by_other(index, option.words)):
        for number, more in part.items():
            points[number] = points.get(number, 0) + more
    return points


def _by_name(index: Index, words: Sequence[str]) -> dict[int, int]:
    """Entries whose names hold all the words; the word that fits least counts."""
    found: dict[int, int] | None = None
    for word in words:
        own: dict[int, int] = {}
        known = word in index.named
        if not known or len(word) > 3:
            for longer in index.beginning(word):
                own |= dict.fromkeys(index.named.get(longer, ()), BEGINS)
        own |= dict.fromkeys(index.numbered_names(word), NAME)
        own |= dict.fromkeys(index.joined.get(word, ()), NAME)
        own |= dict.fromkeys(index.named.get(word, ()), NAME)
        found = own if found is None else {each: min(found[each], own[each]) for each in found if each in own}
    return found or {}


def _by_term(index: Index, option: Option) -> dict[int, int]:
    found: dict[int, int] = {}

    def hold(terms: Iterable[str], points: int | None) -> None:
        for term in terms:
            for number, field_ in index.holding.get(term, {}).items():
                less = UNFOCUSED if number in index.unfocused.get(field_, ()) else 0
                found[number] = max(found.get(number, 0), (points or TERM[field_]) - less)

    for term in option.terms:
        hold([term], None)
        hold(index.terms.below(term), BELOW)
    if option.terms or len(option.words) != 1:
        return found
    word = option.words[0]
    by_word = index.terms.by_word.get(word, ())
    for term in by_word:
        hold([term, *index.terms.below(term)], BY_WORD)
    for longer in index.beginning(word) if not by_word else ():
        for term in index.terms.by_word.get(longer, ()):
            hold([term, *index.terms.below(term)], BY_BEGINNING)
    return found


def _by_other(index: Index, words: Sequence[str]) -> dict[int, int]:
    return {
        number: OTHER
        for number in index.other.get(words[0], ())
        if all(number in index.other.get(word, ()) for word in words[1:])
    }


def _match_wider(index: Index, unit: Unit) -> None:
    """Entries that hold a wider term than a unit's, or its words apart."""
    option = unit.options[0]
    for term in option.terms:
        around = [*index.terms.above(term), *(f"label:{id}" for id in EVERYWHERE)]
        around += [each for id in EVERYWHERE for each in index.terms.below(f"label:{id}")]
        for held in around:
            if not is_wider(held, term):
                continue
            for number, field_ in index.holding.get(held, {}).items():
                unit.wider.setdefault(number, f"{field_} is {id_of(held)}, wider than {id_of(term)}")
    if len(option.words) < 2 or not option.terms or any(map(is_cjk, option.words)):
        return
    for word in option.words:
        alone = Option((word,), tuple(index.terms.of((word,))), ())
        for number in _points(index, alone):
            unit.wider.setdefault(number, f"it says {word}, not {' '.join(option.words)}")
