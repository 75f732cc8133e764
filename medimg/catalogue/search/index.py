"""What a search looks words and terms up in: entries by their names, terms and other words; and spelling."""

from __future__ import annotations

import functools
import itertools
import re
from bisect import bisect_left
from collections.abc import Sequence

from medimg.catalogue.entry import Entry
from medimg.catalogue.search.terms import all_terms
from medimg.catalogue.words import in_pairs, is_cjk, numbered, search_data, words_of

FOCUS, UNFOCUSED = 5, 3
"""Up to so many terms of a kind are what a dataset is about; one of more counts so many points less."""
CORRECTIONS = 3
_PARTS = re.compile(r"[,:;()（），：；]")
_SPACES = (
    ("modality", "modality:"),
    ("organ", "label:"),
    ("task", "task:"),
    ("structures", "label:"),
    ("dimension", "dimension:"),
)
"""Fields of an entry, and the kind of their terms."""


class Index:
    """Entries by their words and terms."""

    def __init__(self, listed: Sequence[Entry]) -> None:
        self.entries = listed
        self.terms = all_terms()
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
                if (mask ^ its).bit_count() <= 2 * most and other != word and distance(word, other, most) <= most
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

    def numbered_names(self, word: str) -> list[int]:
        """Entries whose names hold both parts of a word such as "isic2019"."""
        parts = numbered(word)
        if not parts:
            return []
        numbers = self.named.get(parts[1], {})
        return [each for each in self.named.get(parts[0], ()) if each in numbers]

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


def _letter_pairs(word: str) -> set[str]:
    return {word[place : place + 2] for place in range(len(word) - 1)}


def _mask(word: str) -> int:
    """A bit for each letter: words at distance d differ in at most 2 d of them."""
    mask = 0
    for letter in word:
        mask |= 1 << ord(letter) % 31
    return mask


@functools.cache
def _words_again(text: str) -> tuple[str, ...]:
    """Words of what many datasets share: hosts, licenses, years."""
    return tuple(in_pairs(words_of(text)))


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
