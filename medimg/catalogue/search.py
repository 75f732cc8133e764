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

import functools
import itertools
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, overload

from medimg.catalogue.entry import Entry
from medimg.catalogue.table import entries
from medimg.catalogue.words import in_pairs, is_cjk, numbered, search_data, singular, words_of
from medimg.errors import UnknownTermError

NAME, BEGINS = 16, 8
TERM = {"modality": 12, "organ": 12, "task": 12, "structures": 10, "dimension": 6, "use": 6}
FOCUS, UNFOCUSED = 5, 3
"""Up to so many terms of a kind are what a dataset is about; one of more counts so many points less."""
BELOW, BY_WORD, BY_BEGINNING, OTHER, WIDER = 10, 6, 4, 4, 3
WHOLE_QUERY, PART_OF_QUERY = 100, 40
LONGEST_TERM, LONGEST_QUERY, LONGEST_JOIN = 8, 40, 3
"""Words of a term's name, of a query, and of a name that is written as one."""
CORRECTIONS = 3
RARE = 2
"""A word of so few datasets, and of no term, may be a slip where little is found."""
LOADABLE = ("builder", "collection", "own copy only", "not yet")
ACCESS = ("open", "registration", "application", "unavailable")
DIMENSIONS = ("2d", "3d", "video")
IMAGES = ("images", "volumes", "videos", "series", "files")
"""Units of a count that are at least one image each; "subjects" may have several."""
EVERYWHERE = ("multiple organs", "whole body")
_PARTS = re.compile(r"[,:;()（），：；]")


@dataclass(frozen=True)
class Hit:
    """One dataset that was found.

    Attributes:
        entry: the dataset.
        score: points; they compare within one search.
        why: empty for a strict match; of a near one, the one thing that it misses.
    """

    entry: Entry
    score: int
    why: str = ""

    @property
    def near(self) -> bool:
        """Whether it misses something that was asked for."""
        return bool(self.why)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: the entry's fields, and beside them `score` and `why`."""
        return {**self.entry.to_dict(), "score": self.score, "why": self.why}


@dataclass(frozen=True)
class Hits(Sequence[Hit]):
    """What a search found: strict matches first, best first, then near ones.

    Attributes:
        hits: as many as `limit` lets through.
        strict, near: how many there are of each, shown or not.
        closest: names of terms and datasets that are spelled almost as what matches nothing.
    """

    hits: tuple[Hit, ...]
    strict: int
    near: int
    closest: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]

    def __len__(self) -> int:
        return len(self.hits)

    def __repr__(self) -> str:
        lines = [f"{each.entry.id}: {each.entry.name}" + f" ({each.why})" * each.near for each in self.hits]
        return "\n".join([f"<{self.strict} strict, {self.near} near>", *lines])


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
    asked = Filters.read(
        modality=modality,
        organ=organ,
        task=task,
        structures=structures,
        dimension=dimension,
        use=use,
        min_images=min_images,
        max_images=max_images,
        min_subjects=min_subjects,
        max_bytes=max_bytes,
        year=year,
        access=access,
        loadable=loadable,
    )
    return search_in(_index_of(entries()), text, asked, limit=limit)


# spelling


def distance(one: str, other: str, most: int) -> int:
    """Letters to insert, drop, replace or swap with the next; `most + 1` where it is more than `most`."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one):
        row = [i + 1]
        for j, its in enumerate(other):
            cost = min(last[j] + (letter != its), last[j + 1] + 1, row[j] + 1)
            if i and j and letter == other[j - 1] and one[i - 1] == its:
                cost = min(cost, before[j - 1] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        before, last = last, row
    return min(last[-1], most + 1)


# the index


class _Terms:
    """The vocabularies, by the words of their names. A term is "kind:id"; organ, structure and finding are "label"."""

    def __init__(self, terms: Iterable[Mapping[str, Any]]) -> None:
        self.named: dict[str, list[str]] = {}
        self.singular: dict[str, list[str]] = {}
        self.by_word: dict[str, list[str]] = {}
        self.up: dict[str, list[str]] = {}
        self.kinds: dict[str, str] = {}
        down: dict[str, list[str]] = {}
        for each in terms:
            space = "label" if each["kind"] in ("organ", "structure", "finding") else each["kind"]
            term = f"{space}:{each['id']}"
            self.kinds[term] = each["kind"]
            self.up[term] = [f"{space}:{id}" for id in each["up"]]
            for wider in self.up[term]:
                down.setdefault(wider, []).append(term)
            for key in each["keys"]:
                self.named.setdefault(key, []).append(term)
            for key in (*each["keys"], *each["singular"]):
                self.singular.setdefault(key, []).append(term)
            for word in each["words"]:
                self.by_word.setdefault(word, []).append(term)
        self.above = functools.cache(lambda term: _reach(term, self.up))
        """All that a term is a kind or a part of, the nearest first."""
        self.below = functools.cache(lambda term: _reach(term, down))
        """All that is a kind or a part of a term."""

    def of(self, words: Sequence[str]) -> list[str]:
        """The terms that these words name."""
        return self.named.get("".join(words)) or self.singular.get("".join(map(singular, words))) or []

    def resolve(self, text: str, kinds: Sequence[str]) -> str | None:
        """The term of a name, of these kinds."""
        for term in self.of(words_of(text)):
            if self.kinds[term] in kinds:
                return term
        return None


def _reach(start: str, edges: Mapping[str, Sequence[str]]) -> list[str]:
    found: list[str] = []
    seen = {start}
    todo = [start]
    while todo:
        for each in edges.get(todo.pop(0), ()):
            if each not in seen:
                seen.add(each)
                found.append(each)
                todo.append(each)
    return found


@functools.cache
def _terms() -> _Terms:
    return _Terms(search_data()["terms"])


_SPACES = (
    ("modality", "modality:"),
    ("organ", "label:"),
    ("task", "task:"),
    ("structures", "label:"),
    ("dimension", "dimension:"),
)
"""Fields of an entry, and the kind of their terms."""


@functools.cache
def _words_again(text: str) -> tuple[str, ...]:
    """Words of what many datasets share: hosts, licenses, years."""
    return tuple(in_pairs(words_of(text)))


class Index:
    """Entries by their words and terms."""

    def __init__(self, listed: Sequence[Entry]) -> None:
        self.entries = listed
        self.terms = _terms()
        self.keys: dict[str, dict[int, None]] = {}
        self.named: dict[str, dict[int, None]] = {}
        self.joined: dict[str, dict[int, None]] = {}
        self.other: dict[str, dict[int, None]] = {}
        self.holding: dict[str, dict[int, str]] = {}
        self.unfocused: dict[str, set[int]] = {}
        for number, entry in enumerate(listed):
            self._name(number, entry)
            self._tell(number, entry)
        self.sorted = sorted({*self.named, *self.terms.by_word})

    @functools.cached_property
    def _by_length(self) -> dict[int, list[tuple[int, str]]]:
        """Length -> the words that a misspelled one may stand for, with a bit for each of their letters."""
        found: dict[int, list[tuple[int, str]]] = {}
        for word in self.sorted:
            if len(word) > 2 and not is_cjk(word):
                found.setdefault(len(word), []).append((_mask(word), word))
        return found

    def _name(self, number: int, entry: Entry) -> None:
        named, joined, keys = self.named, self.joined, self.keys
        last = entry.id.rpartition("/")[2]
        for name in {entry.id: 0, entry.name: 0, **dict.fromkeys(entry.aliases), last: 0}:
            whole = words_of(name)
            keys.setdefault("".join(whole), {})[number] = None
            if _PARTS.search(name):
                for part in _PARTS.split(name):
                    keys.setdefault("".join(words_of(part)), {})[number] = None
            before = ""
            for word in in_pairs(whole):
                if word not in named:
                    named[word] = {}
                named[word][number] = None
                for part in numbered(word):
                    named.setdefault(part, {})[number] = None
                if before and not is_cjk(word) and not is_cjk(before):
                    joined.setdefault(before + word, {})[number] = None
                before = word
        keys.pop("", None)

    def _tell(self, number: int, entry: Entry) -> None:
        said = (entry.organization, entry.where, entry.license, entry.year and str(entry.year))
        for text in filter(None, said):
            for word in _words_again(text):
                self.other.setdefault(word, {})[number] = None
        for field_, space in _SPACES:
            ids = getattr(entry, field_)
            if len(ids) > FOCUS:
                self.unfocused.setdefault(field_, set()).add(number)
            for id in ids:
                self.holding.setdefault(space + id, {}).setdefault(number, field_)
        for use in usable(entry):
            self.holding.setdefault(f"use:{use}", {}).setdefault(number, "use")

    def knows(self, word: str) -> bool:
        """Whether a word stands in a name or a term."""
        return any(word in each for each in (self.named, self.terms.by_word, self.joined, self.other))

    def beginning(self, word: str) -> list[str]:
        """Words that begin with this one and are longer; none for a very short one."""
        if len(word) < 3 and not is_cjk(word):
            return []
        found = []
        for position in range(bisect_left(self.sorted, word), len(self.sorted)):
            if not self.sorted[position].startswith(word):
                break
            if self.sorted[position] != word:
                found.append(self.sorted[position])
        return found

    def corrections(self, word: str) -> list[str]:
        """The words that a misspelled one may stand for, the likeliest first."""
        if len(word) < 4 or is_cjk(word) or word.isdigit():
            return []
        mask = _mask(word)
        for most in (1, 2) if len(word) >= 8 and not re.search("[0-9]", word) else (1,):
            found = [
                other
                for length in range(len(word) - most, len(word) + most + 1)
                for its, other in self._by_length.get(length, ())
                if (mask ^ its).bit_count() <= 2 * most
                and other != word
                and distance(word, other, most) <= most
            ]
            if found:
                return sorted(found, key=lambda other: self._likely(word, other))[:CORRECTIONS]
        return []

    def _likely(self, word: str, other: str) -> tuple[bool, bool, int, str]:
        return (other not in self.terms.by_word, other[0] != word[0], -self.spread(other), other)

    def spread(self, word: str) -> int:
        """Datasets with this word in a name, or under a term with this word."""
        held = sum(len(self.holding.get(term, ())) for term in self.terms.by_word.get(word, ()))
        return len(self.named.get(word, ())) + held

    def held(self, *terms: str) -> set[int]:
        """The entries with one of these terms, or one below."""
        return {
            number
            for term in terms
            for each in (term, *self.terms.below(term))
            for number in self.holding.get(each, ())
        }

    def closest(self, word: str) -> list[str]:
        """Three known words that have most pairs of letters in common with this one."""
        own = _letter_pairs(word)
        near = []
        for _, other in itertools.chain.from_iterable(self._by_length.values()):
            its = _letter_pairs(other)
            if both := len(own & its):
                near.append((-2000 * both // (len(own) + len(its)), other))
        return [each for _, each in sorted(near)[:3]]


def _letter_pairs(word: str) -> set[str]:
    return {word[place : place + 2] for place in range(len(word) - 1)}


def _mask(word: str) -> int:
    """A bit for each letter: words at distance d differ in at most 2 d of them."""
    mask = 0
    for letter in word:
        mask |= 1 << ord(letter) % 31
    return mask


_kept: tuple[tuple[Entry, ...], Index] | None = None


def _index_of(listed: tuple[Entry, ...]) -> Index:
    """The index of the catalogue, made once."""
    global _kept
    if _kept is None or _kept[0] is not listed:
        _kept = (listed, Index(listed))
    return _kept[1]


def usable(entry: Entry) -> list[str]:
    """What an entry's license is known to allow, of `medimg.licenses.TERMS`: nothing where only a list states it."""
    if entry.license_by != "source" or entry.license is None:
        return []
    met = search_data()["licenses"].get(entry.license, [])
    found = [term for term in met if term not in ("commercial", "open")]
    if entry.commercial:
        found.append("commercial")
    if entry.verdict == "open" and "open" in met:
        found.append("open")
    return found


# filters


class Miss(NamedTuple):
    """What an entry lacks of what was asked for, and whether it comes close."""

    why: str
    close: bool = False


class _Test(NamedTuple):
    """One thing that was asked for: the entries that have it, where that is known, and what another lacks."""

    fitting: set[int] | None
    lacks: Callable[[Entry], Miss | None]


@dataclass(frozen=True)
class Filters:
    """What was asked for, as terms ("organ:liver" is "label:liver") and numbers."""

    modality: tuple[str, ...] = ()
    organ: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    structures: tuple[str, ...] = ()
    dimension: tuple[str, ...] = ()
    use: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    min_images: int | None = None
    max_images: int | None = None
    min_subjects: int | None = None
    max_bytes: int | None = None
    year: tuple[int | None, int | None] | None = None
    access: tuple[str, ...] = ()
    loadable: tuple[str, ...] = ()

    @classmethod
    def read(cls, **given: Any) -> Filters:
        """From the arguments of `search`.

        Raises:
            UnknownTermError: a word is no term.
        """
        terms: dict[str, Any] = {
            name: tuple(_resolved(each, kinds) for each in _listed(given.get(name)))
            for name, kinds in (
                ("modality", ("modality",)),
                ("organ", ("organ",)),
                ("task", ("task",)),
                ("structures", ("organ", "structure", "finding")),
            )
        }
        use = _listed(given.get("use"))
        words = tuple(each for each in use if each in search_data()["uses"])
        year = given.get("year")
        loadable = given.get("loadable")
        loadable = LOADABLE[:3] if loadable is True else LOADABLE[3:] if loadable is False else loadable
        return cls(
            **terms,
            dimension=_of(given.get("dimension"), DIMENSIONS, "dimension"),
            use=words,
            licenses=tuple(_license(each) for each in use if each not in words),
            year=(year, year) if isinstance(year, int) else year,
            access=_of(given.get("access"), ACCESS, "access"),
            loadable=_of(loadable, LOADABLE, "loadable"),
            min_images=given.get("min_images"),
            max_images=given.get("max_images"),
            min_subjects=given.get("min_subjects"),
            max_bytes=given.get("max_bytes"),
        )

    def tests(self, index: Index) -> Iterator[_Test]:
        """One for each thing that was asked for."""
        for name in ("modality", "organ", "task"):
            if asked := getattr(self, name):
                yield _Test(index.held(*asked), functools.partial(_other_term, name, asked))
        for term in self.structures:
            yield _Test(index.held(term), functools.partial(_not_labeled, term))
        for name in ("dimension", "access", "loadable"):
            if asked := getattr(self, name):
                yield _Test(None, functools.partial(_lacks_word, name, asked))
        for use in self.use:
            yield _Test(set(index.holding.get(f"use:{use}", ())), functools.partial(_lacks_use, use))
        if self.licenses:
            yield _Test(None, self._lacks_license)
        for asked, lacks in (
            (self.min_images, _too_few),
            (self.max_images, _too_many),
            (self.min_subjects, _few_subjects),
            (self.max_bytes, _too_large),
        ):
            if asked is not None:
                yield _Test(None, functools.partial(lacks, asked))
        if self.year is not None:
            yield _Test(None, self._another_year)

    def _lacks_license(self, entry: Entry) -> Miss | None:
        if entry.license in self.licenses:
            return None if entry.license_by == "source" else _not_the_sources(entry)
        if entry.license is None:
            return Miss("no license is stated", close=True)
        return Miss(f"its license is {entry.license}, not {_or(self.licenses)}")

    def _another_year(self, entry: Entry) -> Miss | None:
        first, last = self.year or (None, None)
        if entry.year is None:
            return Miss("nobody says its year", close=True)
        if first is not None and entry.year < first:
            return Miss(f"it is of {entry.year}, before {first}", close=entry.year == first - 1)
        if last is not None and entry.year > last:
            return Miss(f"it is of {entry.year}, after {last}", close=entry.year == last + 1)
        return None


def _other_term(name: str, asked: tuple[str, ...], entry: Entry) -> Miss:
    space = "label" if name == "organ" else name
    own = getattr(entry, name)
    if not own:
        return Miss(f"nobody says its {name}", close=True)
    for term in asked:
        for id in own:
            if is_wider(f"{space}:{id}", term):
                return Miss(f"{name} is {id}, wider than {_id(term)}", close=True)
    return Miss(f"{name} is {_and(own)}, not {_or(map(_id, asked))}")


def _not_labeled(term: str, entry: Entry) -> Miss:
    if not entry.structures:
        return Miss(f"nobody says what it labels, {_id(term)} or not", close=True)
    for id in entry.structures:
        if is_wider(f"label:{id}", term):
            return Miss(f"it labels {id}, wider than {_id(term)}", close=True)
    return Miss(f"it does not label {_id(term)}")


def is_wider(held: str, asked: str) -> bool:
    """Whether a term that an entry holds is wider than the one asked for, so that it may be meant."""
    terms = _terms()
    above = terms.above(asked)
    if held in above:
        return True
    own = terms.above(held)
    everywhere = [f"label:{id}" for id in EVERYWHERE]
    if terms.kinds.get(asked) != "organ" or not (held in everywhere or set(own) & set(everywhere)):
        return False
    places = [each for each in own if each not in everywhere]
    return not places or any(each in above for each in places)


def _listed(given: str | Iterable[str] | None) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)


def _of(given: str | Iterable[str] | None, known: Sequence[str], name: str) -> tuple[str, ...]:
    listed = tuple(each.lower() for each in _listed(given))
    for each in listed:
        if each not in known:
            raise UnknownTermError(
                f"{each!r} is no {name}", next_step=f"use one of {', '.join(map(repr, known))}."
            )
    return listed


def _resolved(text: str, kinds: Sequence[str]) -> str:
    term = _terms().resolve(text, kinds)
    if term is None:
        from medimg import vocab

        vocabulary: vocab.Vocabulary = vocab.label if len(kinds) > 1 else getattr(vocab, kinds[0])
        id = vocabulary.resolve(text)  # the error, with the closest ids
        return f"{'label' if kinds[0] == 'organ' else kinds[0]}:{id}"
    return term


def _license(text: str) -> str:
    """A license id as it is written, or as sources write it."""
    if text in search_data()["licenses"]:
        return text
    from medimg import licenses

    named = licenses.normalize(text)
    if named is None:
        licenses.check_terms([text])
    return named or text


def _id(term: str) -> str:
    return term.partition(":")[2]


def _and(listed: Iterable[str]) -> str:
    return " and ".join(listed)


def _or(listed: Iterable[str]) -> str:
    return " or ".join(listed)


def _lacks_word(name: str, asked: tuple[str, ...], entry: Entry) -> Miss | None:
    own = getattr(entry, name)
    listed = own if isinstance(own, tuple) else (own,) if own else ()
    if set(listed) & set(asked):
        return None
    if not listed:
        return Miss(f"nobody says its {name}", close=True)
    return Miss(f"{name} is {_and(listed)}, not {_or(asked)}")


def _not_the_sources(entry: Entry) -> Miss:
    return Miss(f"its license ({entry.license}) is only stated by a {entry.license_by}", close=True)


def _lacks_use(use: str, entry: Entry) -> Miss:
    if entry.license is None:
        return Miss("no license is stated", close=True)
    if entry.license_by != "source":
        return _not_the_sources(entry)
    if entry.license == "LicenseRef-unknown":
        return Miss("its license is not known", close=True)
    if entry.license == "LicenseRef-per-row":
        return Miss("each of its rows has a license of its own", close=True)
    what = {"commercial": "commercial use", "open": "publishing it for all"}.get(use, use)
    if use == "commercial" and entry.commercial is None:
        return Miss(f"its license ({entry.license}) does not say whether commercial use is allowed")
    return Miss(f"its license ({entry.license}) does not meet: {what}")


def _too_few(asked: int, entry: Entry) -> Miss | None:
    if entry.count is None:
        return Miss("nobody says how many images it has", close=True)
    if entry.count >= asked:
        return None
    if entry.unit not in IMAGES:
        return Miss(f"it counts {entry.count} {entry.unit}, and nobody says how many images", close=True)
    return Miss(f"{asked - entry.count} {entry.unit} fewer than asked", close=4 * entry.count >= 3 * asked)


def _too_many(asked: int, entry: Entry) -> Miss | None:
    if entry.count is None:
        return Miss("nobody says how many images it has", close=True)
    if entry.count > asked:
        return Miss(f"{entry.count - asked} {entry.unit} more than asked", close=4 * entry.count <= 5 * asked)
    if entry.unit not in IMAGES:
        return Miss(f"it counts {entry.count} {entry.unit}, and nobody says how many images", close=True)
    return None


def _few_subjects(asked: int, entry: Entry) -> Miss | None:
    subjects = entry.count if entry.subjects is None and entry.unit == "subjects" else entry.subjects
    if subjects is None:
        return Miss("nobody says how many subjects it has", close=True)
    if subjects >= asked:
        return None
    return Miss(f"{asked - subjects} subjects fewer than asked", close=4 * subjects >= 3 * asked)


def _too_large(asked: int, entry: Entry) -> Miss | None:
    if entry.bytes is None:
        return Miss("nobody says how large it is", close=True)
    if entry.bytes <= asked:
        return None
    return Miss(f"{entry.bytes - asked} bytes larger than asked", close=4 * entry.bytes <= 5 * asked)


# the search


_Reading = tuple[str, tuple[str, ...]]
"""What a word may stand for, and that once more where it is a correction."""


class _Option(NamedTuple):
    """One reading of a unit: its words, the terms that they name, and which of them are corrected."""

    words: tuple[str, ...]
    terms: tuple[str, ...]
    fixed: tuple[str, ...]


@dataclass
class _Unit:
    """Words of a query that belong together.

    Attributes:
        start, end: of the words in the query.
        options: readings, the likeliest first.
        points: entry -> points and the corrected words that they rest on.
        wider: entry -> why it is close.
    """

    start: int
    end: int
    options: list[_Option]
    points: dict[int, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    wider: dict[int, str] = field(default_factory=dict)


def search_in(index: Index, text: str, asked: Filters, *, limit: int | None = 20) -> Hits:
    """`search` in other entries than the catalogue's."""
    words = words_of(text)[:LONGEST_QUERY]
    runs = _runs(index, words)
    strict, near = _found(index, words, runs, asked, frozenset())
    if len(strict) <= RARE and (rare := _rare(index, words, runs)):
        seen = {number for number, _ in (*strict, *near)}
        again = _found(index, words, runs, asked, rare)[1]
        near += [(number, hit) for number, hit in again if number not in seen]
    hits = [*_sorted(strict), *_sorted(near)]
    unknown = [] if hits else [word for word in words if word not in _ignored()]
    closest = dict.fromkeys(each for word in unknown for each in index.closest(word))
    return Hits(tuple(hits[:limit]), len(strict), len(near), tuple(closest))


def _sorted(found: list[tuple[int, Hit]]) -> list[Hit]:
    return [hit for _, hit in sorted(found, key=lambda each: order(each[1]))]


def order(hit: Hit) -> tuple[int, int, int, str]:
    """What hits of one kind are sorted by."""
    entry = hit.entry
    return (-hit.score, LOADABLE.index(entry.loadable), -(entry.count or 0), entry.id)


@functools.cache
def _ignored() -> frozenset[str]:
    return frozenset(search_data()["ignored"])


class _Run(NamedTuple):
    """Consecutive words of a query that stand together in a name of an entry, and their points."""

    start: int
    end: int
    points: int


def _runs(index: Index, words: Sequence[str]) -> dict[int, list[_Run]]:
    """Entry -> the runs of words that are the whole of one of its names, or one word there ("total segmentator")."""
    found: dict[int, list[_Run]] = {}
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            joined = "".join(words[start:end])
            points = WHOLE_QUERY if end - start == len(words) else PART_OF_QUERY
            for number in index.keys.get(joined, ()):
                found.setdefault(number, []).append(_Run(start, end, points))
            if 1 < end - start <= LONGEST_JOIN and not is_cjk(joined):
                for number in index.named.get(joined, ()):
                    found.setdefault(number, []).append(_Run(start, end, NAME * (end - start)))
    return found


def _rare(index: Index, words: Sequence[str], runs: Mapping[int, Sequence[_Run]]) -> frozenset[int]:
    """Places of known words that may be slips all the same."""
    named = _places(runs)
    return frozenset(
        place
        for place, word in enumerate(words)
        if place not in named
        and not any(letter.isdigit() for letter in word)
        and word not in index.terms.by_word
        and word not in _ignored()
        and index.spread(word) <= RARE
    )


def _places(runs: Mapping[int, Sequence[_Run]]) -> set[int]:
    """Places of words that stand in runs."""
    return {place for listed in runs.values() for run in listed for place in range(run.start, run.end)}


def _found(
    index: Index,
    words: Sequence[str],
    runs: Mapping[int, Sequence[_Run]],
    asked: Filters,
    rare: frozenset[int],
) -> tuple[list[tuple[int, Hit]], list[tuple[int, Hit]]]:
    """Strict and near hits; with `rare`, the words at these places are taken for misspelled."""
    units = _units(index, words, runs, rare)
    for unit in units:
        _match(index, unit)
    tests = list(asked.tests(index))
    strict: list[tuple[int, Hit]] = []
    near: list[tuple[int, Hit]] = []
    silent = [Miss(f"nothing of it says {_said(words, unit)}") for unit in units]
    for number in _related(units, runs) if units else range(len(index.entries)):
        entry = index.entries[number]
        own = runs.get(number, ())
        score = max((run.points for run in own), default=0)
        has = bool(units)
        misses: list[Miss | Callable[[Entry], Miss | None]] = []
        fixed: list[str] = []
        for unit, nothing in zip(units, silent, strict=True):
            points = unit.points.get(number)
            if points is not None:
                score += points[0]
                fixed += points[1]
            elif any(run.start <= unit.start and unit.end <= run.end for run in own):
                continue
            elif number in unit.wider:
                score += WIDER
                misses.append(Miss(unit.wider[number], close=True))
            else:
                misses.append(nothing)
            if len(misses) > 1:
                break
        for test in tests if len(misses) < 2 else ():
            miss: Miss | Callable[[Entry], Miss | None] | None = test.lacks
            if test.fitting is None:
                miss = test.lacks(entry)
            elif number in test.fitting:
                miss = None
            if miss is None:
                has = True
            else:
                misses.append(miss)
                if len(misses) > 1:
                    break
        if fixed:
            misses.append(Miss(f"misspelled: {', '.join(dict.fromkeys(fixed))}"))
        if not misses:
            strict.append((number, Hit(entry, score)))
        elif len(misses) == 1:
            only = misses[0] if isinstance(misses[0], Miss) else misses[0](entry)
            if only is not None and (has or only.close):
                near.append((number, Hit(entry, score, only.why)))
    return strict, near


def _related(units: Sequence[_Unit], runs: Mapping[int, Any]) -> list[int]:
    """The entries that match a unit, or come close."""
    found = set(runs)
    for unit in units:
        found |= unit.points.keys() | unit.wider.keys()
    return sorted(found)


def _said(words: Sequence[str], unit: _Unit) -> str:
    said = words[unit.start : unit.end]
    return "".join(said) if is_cjk(said[0]) else " ".join(said)


def _units(
    index: Index, words: Sequence[str], runs: Mapping[int, Sequence[_Run]], rare: frozenset[int]
) -> list[_Unit]:
    named = _places(runs)
    readings: list[list[_Reading]] = [
        [(word, ())] if place in named else _readings(index, word, place in rare)
        for place, word in enumerate(words)
    ]
    found: list[_Unit] = []
    position = 0
    while position < len(words):
        unit = _term_at(index, words, readings, position)
        if unit is None and words[position] in _ignored():
            position += 1
            continue
        if unit is None:
            end = position + 1
            if is_cjk(words[position]):
                while end < len(words) and is_cjk(words[end]) and not _term_at(index, words, readings, end):
                    end += 1
                pairs = tuple(in_pairs(words[position:end]))
                unit = _Unit(position, end, [_Option(pairs, (), ())])
            else:
                unit = _Unit(position, end, [_Option((each,), (), fix) for each, fix in readings[position]])
        found.append(unit)
        position = unit.end
    if not found and words:  # nothing but words that say nothing
        return [_Unit(at, at + 1, [_Option((word,), (), ())]) for at, word in enumerate(words)]
    return found


def _readings(index: Index, word: str, rare: bool) -> list[_Reading]:
    """What a word may stand for, the likeliest first."""
    if not rare:
        if is_cjk(word) or word in _ignored() or index.knows(word):
            return [(word, ())]
        if index.knows(singular(word)):
            return [(singular(word), ())]
        if index.beginning(word):
            return [(word, ())]
        if _numbered_names(index, word):
            return [(word, ())]
    return [(each, (each,)) for each in index.corrections(word)] or [(word, ())]


def _term_at(
    index: Index, words: Sequence[str], readings: Sequence[list[_Reading]], start: int
) -> _Unit | None:
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
                options.append(_Option(said, tuple(terms), fixed))
        if end == start + 1 and options:
            options = [_Option((word,), tuple(index.terms.of((word,))), fix) for word, fix in readings[start]]
        if options:
            return _Unit(start, end, options[:CORRECTIONS])
    return None


def _within_chinese(words: Sequence[str], at: int) -> bool:
    """Whether a Chinese character has another beside it: alone it names no term then."""
    beside = words[max(at - 1, 0) : at] + words[at + 1 : at + 2]  # type: ignore[operator]
    return is_cjk(words[at]) and any(map(is_cjk, beside))


def _match(index: Index, unit: _Unit) -> None:
    """Fill a unit's points."""
    for place, option in enumerate(unit.options):
        times = sum(not is_cjk(word) for word in option.words) + any(map(is_cjk, option.words))
        for number, points in _points(index, option).items():
            points = points * times // (place + 1)
            if number not in unit.points or points > unit.points[number][0]:
                unit.points[number] = (points, option.fixed)
    _match_wider(index, unit)


def _points(index: Index, option: _Option) -> dict[int, int]:
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
        own |= dict.fromkeys(_numbered_names(index, word), NAME)
        own |= dict.fromkeys(index.joined.get(word, ()), NAME)
        own |= dict.fromkeys(index.named.get(word, ()), NAME)
        found = own if found is None else {each: min(found[each], own[each]) for each in found if each in own}
    return found or {}


def _numbered_names(index: Index, word: str) -> list[int]:
    """Entries whose names hold both parts of a word such as "isic2019"."""
    parts = numbered(word)
    if not parts:
        return []
    numbers = index.named.get(parts[1], {})
    return [each for each in index.named.get(parts[0], ()) if each in numbers]


def _by_term(index: Index, option: _Option) -> dict[int, int]:
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


def _match_wider(index: Index, unit: _Unit) -> None:
    """Entries that hold a wider term than a unit's, or its words apart."""
    option = unit.options[0]
    for term in option.terms:
        around = [*index.terms.above(term), *(f"label:{id}" for id in EVERYWHERE)]
        around += [each for id in EVERYWHERE for each in index.terms.below(f"label:{id}")]
        for held in around:
            if not is_wider(held, term):
                continue
            for number, field_ in index.holding.get(held, {}).items():
                unit.wider.setdefault(number, f"{field_} is {_id(held)}, wider than {_id(term)}")
    if len(option.words) < 2 or not option.terms or any(map(is_cjk, option.words)):
        return
    for word in option.words:
        alone = _Option((word,), tuple(index.terms.of((word,))), ())
        for number in _points(index, alone):
            unit.wider.setdefault(number, f"it says {word}, not {' '.join(option.words)}")
