"""The terms of the vocabularies, by the words of their names."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medimg.catalogue.words import search_data, singular, words_of

EVERYWHERE = ("multiple organs", "whole body")
"""Organs that may be meant where any other is asked for."""


class Terms:
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
def all_terms() -> Terms:
    """All of them, read once."""
    return Terms(search_data()["terms"])


def is_wider(held: str, asked: str) -> bool:
    """Whether a term that an entry holds is wider than the one asked for, so that it may be meant."""
    terms = all_terms()
    above = terms.above(asked)
    if held in above:
        return True
    own = terms.above(held)
    everywhere = [f"label:{id}" for id in EVERYWHERE]
    if terms.kinds.get(asked) != "organ" or not (held in everywhere or set(own) & set(everywhere)):
        return False
    places = [each for each in own if each not in everywhere]
    return not places or any(each in above for each in places)


def id_of(term: str) -> str:
    """The id of a term, without its kind."""
    return term.partition(":")[2]
