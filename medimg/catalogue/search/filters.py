"""What was asked for besides words, and why an entry does not meet it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from medimg.catalogue.entry import Entry
from medimg.catalogue.search.index import Index
from medimg.catalogue.search.terms import all_terms, id_of, is_wider
from medimg.catalogue.words import search_data
from medimg.errors import UnknownTermError

LOADABLE = ("builder", "collection", "own copy only", "not yet")
ACCESS = ("open", "registration", "application", "unavailable")
DIMENSIONS = ("2d", "3d", "video")
IMAGES = ("images", "volumes", "videos", "series", "files")
"""Units of a count that are at least one image each; "subjects" may have several."""


class Miss(NamedTuple):
    """What an entry lacks of what was asked for, and whether it comes close."""

    why: str
    close: bool = False


class Test(NamedTuple):
    """One thing that was asked for: the entries that have it, where that is known, and what another lacks."""

    fitting: set[int] | None
    lacks: Callable[[Entry], Miss | None]


@dataclass(frozen=True)
class Filters:
    """What was asked for besides words, as terms ("organ:liver" is "label:liver") and numbers.

    A field is the argument of `medimg.search` of its name, the option of `medimg search`, and what agents ask for; a
    test holds them to it.
    """

    modality: tuple[str, ...] = ()
    organ: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    structures: tuple[str, ...] = ()
    dimension: tuple[str, ...] = ()
    use: tuple[str, ...] = ()
    min_images: int | None = None
    max_images: int | None = None
    min_subjects: int | None = None
    max_bytes: int | None = None
    year: tuple[int | None, int | None] | None = None
    access: tuple[str, ...] = ()
    loadable: tuple[str, ...] = ()

    @classmethod
    def arguments(cls) -> tuple[str, ...]:
        """The fields by name."""
        return tuple(each.name for each in fields(cls))

    @classmethod
    def read(cls, **given: Any) -> Filters:
        """From the arguments of `search`; None is not given.

        Raises:
            UnknownTermError: a word is no term.
        """
        asked = {name: value for name, value in given.items() if value is not None}
        return cls(**{name: _READ[name](value) if name in _READ else value for name, value in asked.items()})

    def tests(self, index: Index) -> Iterator[Test]:
        """One for each thing that was asked for."""
        for name in ("modality", "organ", "task"):
            if asked := getattr(self, name):
                yield Test(index.held(*asked), functools.partial(_other_term, name, asked))
        for term in self.structures:
            yield Test(index.held(term), functools.partial(_not_labeled, term))
        for name in ("dimension", "access", "loadable"):
            if asked := getattr(self, name):
                yield Test(None, functools.partial(_lacks_word, name, asked))
        terms = search_data()["uses"]
        for use in self.use:
            if use in terms:
                yield Test(set(index.holding.get(f"use:{use}", ())), functools.partial(_lacks_use, use))
        if ids := [use for use in self.use if use not in terms]:
            yield Test(None, functools.partial(_lacks_license, ids))
        for asked, lacks in (
            (self.min_images, _too_few),
            (self.max_images, _too_many),
            (self.min_subjects, _few_subjects),
            (self.max_bytes, _too_large),
        ):
            if asked is not None:
                yield Test(None, functools.partial(lacks, asked))
        if self.year is not None:
            yield Test(None, functools.partial(_another_year, self.year))


def _other_term(name: str, asked: tuple[str, ...], entry: Entry) -> Miss:
    space = "label" if name == "organ" else name
    own = getattr(entry, name)
    if not own:
        return Miss(f"nobody says its {name}", close=True)
    for term in asked:
        for id in own:
            if is_wider(f"{space}:{id}", term):
                return Miss(f"{name} is {id}, wider than {id_of(term)}", close=True)
    return Miss(f"{name} is {_and(own)}, not {_or(map(id_of, asked))}")


def _not_labeled(term: str, entry: Entry) -> Miss:
    if not entry.structures:
        return Miss(f"nobody says what it labels, {id_of(term)} or not", close=True)
    for id in entry.structures:
        if is_wider(f"label:{id}", term):
            return Miss(f"it labels {id}, wider than {id_of(term)}", close=True)
    return Miss(f"it does not label {id_of(term)}")


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


def _lacks_license(asked: Sequence[str], entry: Entry) -> Miss | None:
    if entry.license in asked:
        return None if entry.license_by == "source" else _not_the_sources(entry)
    if entry.license is None:
        return Miss("no license is stated", close=True)
    return Miss(f"its license is {entry.license}, not {_or(asked)}")


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


def _another_year(asked: tuple[int | None, int | None], entry: Entry) -> Miss | None:
    first, last = asked
    if entry.year is None:
        return Miss("nobody says its year", close=True)
    if first is not None and entry.year < first:
        return Miss(f"it is of {entry.year}, before {first}", close=entry.year == first - 1)
    if last is not None and entry.year > last:
        return Miss(f"it is of {entry.year}, after {last}", close=entry.year == last + 1)
    return None


def _listed(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _words(known: Sequence[str], name: str, given: str | Iterable[str]) -> tuple[str, ...]:
    listed = tuple(each.lower() for each in _listed(given))
    for each in listed:
        if each not in known:
            raise UnknownTermError(f"{each!r} is no {name}", next_step=f"use one of {', '.join(map(repr, known))}.")
    return listed


def _loadable(given: str | bool | Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, bool):
        return LOADABLE[:3] if given else LOADABLE[3:]
    return _words(LOADABLE, "loadable", given)


def _terms(kinds: Sequence[str], given: str | Iterable[str]) -> tuple[str, ...]:
    return tuple(_resolved(each, kinds) for each in _listed(given))


def _resolved(text: str, kinds: Sequence[str]) -> str:
    term = all_terms().resolve(text, kinds)
    if term is None:
        from medimg import vocab

        vocabulary: vocab.Vocabulary = vocab.label if len(kinds) > 1 else getattr(vocab, kinds[0])
        id = vocabulary.resolve(text)  # the error, with the closest ids
        return f"{'label' if kinds[0] == 'organ' else kinds[0]}:{id}"
    return term


def _uses(given: str | Iterable[str]) -> tuple[str, ...]:
    """Terms of licenses, and license ids as they are written, or as sources write them."""
    known = search_data()
    return tuple(
        each if each in known["uses"] or each in known["licenses"] else _license(each) for each in _listed(given)
    )


def _license(text: str) -> str:
    from medimg import licenses

    named = licenses.normalize(text)
    if named is None:
        licenses.check_terms([text])
    return named or text


_READ: Mapping[str, Callable[[Any], Any]] = {
    "modality": functools.partial(_terms, ("modality",)),
    "organ": functools.partial(_terms, ("organ",)),
    "task": functools.partial(_terms, ("task",)),
    "structures": functools.partial(_terms, ("organ", "structure", "finding")),
    "dimension": functools.partial(_words, DIMENSIONS, "dimension"),
    "use": _uses,
    "year": lambda given: (given, given) if isinstance(given, int) else given,
    "access": functools.partial(_words, ACCESS, "access"),
    "loadable": _loadable,
}
"""Argument -> what makes a field of it; the others are numbers."""


def _and(listed: Iterable[str]) -> str:
    return " and ".join(listed)


def _or(listed: Iterable[str]) -> str:
    return " or ".join(listed)
