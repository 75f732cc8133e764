"""`medimg.search`: datasets by what they hold, what they are called and who may use them.

The portal's page searches with a translation of this module (`cards/portal/site/search.js`), which a test holds equal
to it. So the algorithm is small, and nothing of it is left to a library:

1. **Words.** Text is decomposed (NFKD), stripped of its accents and lowercased; a word is a run of letters and
   digits, or one Chinese character. British spelling becomes American ("tumour": "tumor"). What the catalogue says in
   Chinese is indexed by pairs of neighboring characters.
2. **Known words.** A word of the query that is no word of a name or a term, begins none, and is none without its
   plural ending or apart from its number ("isic2019"), is misspelled: it is taken for the words at the least distance
   (letters inserted, dropped, replaced or swapped: one from four letters on, two from eight on), at most three, those
   of the vocabularies and of many datasets first.
3. **Units.** From left to right the longest run of words that names a term of a vocabulary is one unit ("kidney
   tumor", "肺结节"); what names none is a unit of its own. Words that say nothing ("dataset", "of") are passed over.
4. **Matches.** A dataset matches a unit by its names (all words; the beginning of a word counts less), by its terms
   (the term itself, less for one below it: a kind or a part of it, least where only a word of the term's name is
   given, and less where it is one of many), by its organization, host, license or year. Points add up over these and
   over the units, times the words of a unit. Consecutive words that are together the whole of a name score above all
   that.
5. **Strict or near.** A dataset that matches every unit and meets every filter, with the words as they stand, is a
   strict match. One that misses exactly one thing is a near match, with the reason: of several units one; or a filter,
   if it matches the text or meets another filter, or comes close (a wider term, a number within a quarter, something
   that nobody states). A wider term than a unit's, and being found by a corrected word, are such things, too. All
   others are out.
6. **Order.** Strict before near; then by points, by how it can be loaded (builder, collection, own copy only, not
   yet), the larger first, by id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from medimg.catalogue.entry import Entry
from medimg.catalogue.search.filters import ACCESS, DIMENSIONS, LOADABLE, Filters, Miss, Test
from medimg.catalogue.search.hits import Hit, Hits, order
from medimg.catalogue.search.index import Index
from medimg.catalogue.search.query import (
    LONGEST_QUERY,
    RARE,
    Run,
    Unit,
    ignored,
    rare_places,
    runs_of,
    units_of,
)
from medimg.catalogue.search.scoring import WIDER, match
from medimg.catalogue.table import entries
from medimg.catalogue.words import is_cjk, words_of

__all__ = ["ACCESS", "DIMENSIONS", "LOADABLE", "Filters", "Hit", "Hits", "Index", "search", "search_in"]


def search(
    text: str = "",
    *,
    modality: str | Iterable[str] | None = None,
    organ: str | Iterable[str] | None = None,
    task: str | Iterable[str] | None = None,
    structures: str | Iterable[str] | None = None,
    dimension: str | Iterable[str] | None = None,
    use: str | Iterable[str] | None = None,
    min_images: int | None = None,
    max_images: int | None = None,
    min_subjects: int | None = None,
    max_bytes: int | None = None,
    year: int | tuple[int | None, int | None] | None = None,
    access: str | Iterable[str] | None = None,
    loadable: str | bool | Iterable[str] | None = None,
    limit: int | None = 20,
) -> Hits:
    """Datasets of the catalogue, loadable or not, by free text and filters.

    Args:
        text: words in English or Chinese: names of datasets, structures, organs, modalities, tasks, organizations,
            years; misspelled ones are corrected.
        modality, organ, task: names of vocabulary terms; one of each must fit, wider terms take the narrower ones.
        structures: names of labels (organs, structures, findings); all of them must be labeled.
        dimension: "2d", "3d", "video"; one must fit.
        use: what the license has to allow, all of it, of `medimg.licenses.TERMS` ("commercial", "adapt",
            "redistribute", "open", "no share-alike", "known"), or license ids, one of which must be the dataset's. A
            license that only a list or a mirror states allows nothing.
        min_images, max_images: images, volumes, videos, series or files, as the dataset counts.
        min_subjects: patients.
        max_bytes: of the download or the published shards.
        year: of the first release, or (first, last) with None for an open end.
        access: "open", "registration", "application", "unavailable"; one must fit.
        loadable: "builder", "collection", "own copy only", "not yet"; one must fit. True is any but the last.
        limit: hits at most; None for all.

    Raises:
        UnknownTermError: a filter holds a word that is none of its terms; the message has the closest.
    """
    given = locals()
    asked = Filters.read(**{name: given[name] for name in Filters.arguments()})
    return search_in(_index_of(entries()), text, asked, limit=limit)


_Lack = Miss | Callable[[Entry], Miss | None]
"""What an entry misses, or what will say it."""

_kept: tuple[tuple[Entry, ...], Index] | None = None


def _index_of(listed: tuple[Entry, ...]) -> Index:
    """The index of the catalogue, made once."""
    global _kept
    if _kept is None or _kept[0] is not listed:
        _kept = (listed, Index(listed))
    return _kept[1]


def search_in(index: Index, text: str, asked: Filters, *, limit: int | None = 20) -> Hits:
    """`search` in other entries than the catalogue's."""
    words = words_of(text)[:LONGEST_QUERY]
    runs = runs_of(index, words)
    strict, near = _found(index, words, runs, asked, frozenset())
    if len(strict) <= RARE and (rare := rare_places(index, words, runs)):
        seen = {number for number, _ in (*strict, *near)}
        again = _found(index, words, runs, asked, rare)[1]
        near += [(number, hit) for number, hit in again if number not in seen]
    hits = [*_sorted(strict), *_sorted(near)]
    unknown = [] if hits else [word for word in words if word not in ignored()]
    closest = dict.fromkeys(each for word in unknown for each in index.closest(word))
    return Hits(tuple(hits[:limit]), len(strict), len(near), tuple(closest))


def _sorted(found: list[tuple[int, Hit]]) -> list[Hit]:
    return [hit for _, hit in sorted(found, key=lambda each: order(each[1]))]


def _found(
    index: Index,
    words: Sequence[str],
    runs: Mapping[int, Sequence[Run]],
    asked: Filters,
    rare: frozenset[int],
) -> tuple[list[tuple[int, Hit]], list[tuple[int, Hit]]]:
    """Strict and near hits; with `rare`, the words at these places are taken for misspelled."""
    units = units_of(index, words, runs, rare)
    for unit in units:
        match(index, unit)
    tests = list(asked.tests(index))
    strict: list[tuple[int, Hit]] = []
    near: list[tuple[int, Hit]] = []
    silent = [Miss(f"nothing of it says {_said(words, unit)}") for unit in units]
    for number in _related(units, runs) if units else range(len(index.entries)):
        entry = index.entries[number]
        score, fixed, misses = _by_units(number, units, silent, runs.get(number, ()))
        met, lacking = _by_filters(number, entry, tests, 1 - len(misses))
        misses += lacking
        if fixed:
            misses.append(Miss(f"misspelled: {', '.join(dict.fromkeys(fixed))}"))
        if not misses:
            strict.append((number, Hit(entry, score)))
        elif len(misses) == 1:
            only = misses[0] if isinstance(misses[0], Miss) else misses[0](entry)
            if only is not None and (units or met or only.close):
                near.append((number, Hit(entry, score, only.why)))
    return strict, near


def _by_units(
    number: int, units: Sequence[Unit], silent: Sequence[Miss], runs: Sequence[Run]
) -> tuple[int, list[str], list[_Lack]]:
    """Points of an entry, the corrected words that they rest on, and what of the text it misses: two at most."""
    score = max((run.points for run in runs), default=0)
    fixed: list[str] = []
    misses: list[_Lack] = []
    for unit, nothing in zip(units, silent, strict=True):
        points = unit.points.get(number)
        if points is not None:
            score += points[0]
            fixed += points[1]
        elif any(run.start <= unit.start and unit.end <= run.end for run in runs):
            continue
        elif number in unit.wider:
            score += WIDER
            misses.append(Miss(unit.wider[number], close=True))
        else:
            misses.append(nothing)
        if len(misses) > 1:
            break
    return score, fixed, misses


def _by_filters(number: int, entry: Entry, tests: Sequence[Test], most: int) -> tuple[bool, list[_Lack]]:
    """Whether an entry meets a filter, and those that it does not: no more than one beyond `most`."""
    met = False
    misses: list[_Lack] = []
    for test in tests:
        if len(misses) > most:
            break
        miss: _Lack | None = test.lacks
        if test.fitting is None:
            miss = test.lacks(entry)
        elif number in test.fitting:
            miss = None
        if miss is None:
            met = True
        else:
            misses.append(miss)
    return met, misses


def _related(units: Sequence[Unit], runs: Mapping[int, Any]) -> list[int]:
    """The entries that match a unit, or come close."""
    found = set(runs)
    for unit in units:
        found |= unit.points.keys() | unit.wider.keys()
    return sorted(found)


def _said(words: Sequence[str], unit: Unit) -> str:
    said = words[unit.start : unit.end]
    return "".join(said) if is_cjk(said[0]) else " ".join(said)
