"""Canonical names: modality, organ, task, structure and finding, with synonyms, codes and edges.

Each vocabulary is one TOML file beside this module, read on first use. `label` joins organ, structure and
finding: all that a legend value, class, box or point may be named. Terms are only ever added; an id never
changes its meaning.
"""

from __future__ import annotations

import difflib
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib import resources
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from medimg.errors import DeclarationError, UnknownTermError
from medimg.text import SPELLINGS

__all__ = [
    "Parsed",
    "Term",
    "Vocabulary",
    "finding",
    "label",
    "modality",
    "normalize",
    "organ",
    "structure",
    "task",
]

EDGES = ("is_a", "part_of")
_SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015\u2212'\u2018\u2019]+")
_LIST = re.compile(r"[/,;|+]")
_QUALIFIER = re.compile(r"^(?P<term>[^(:]+?)\s*(?:\([^()]*\)|:.*)$")


def normalize(text: str) -> str:
    """The key under which `text` is looked up.

    Case, space, hyphen, underscore, apostrophe and British spelling do not count.
    """
    key = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text).casefold())
    for british, american in SPELLINGS:
        key = key.replace(british, american)
    return key


class Term(BaseModel):
    """One term of a vocabulary.

    Attributes:
        id: the canonical name, as rows carry it.
        synonyms: other names that resolve to it.
        snomed: SNOMED CT code, None where it was not verified.
        radlex: RadLex id, None where it was not verified.
        dicom: DICOM modality code (modality terms only).
        is_a: ids of the wider terms.
        part_of: ids of the terms that spatially contain it.
        definition: said where the name alone is not enough.
        largest: mm that something of this name measures at most, where that is part of what the name means.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    synonyms: tuple[str, ...] = ()
    snomed: str | None = None
    radlex: str | None = None
    dicom: str | None = None
    is_a: tuple[str, ...] = ()
    part_of: tuple[str, ...] = ()
    definition: str | None = None
    largest: float | None = None


class Parsed(BaseModel):
    """What a cell of a dirty table holds.

    Attributes:
        ids: canonical ids, in order, without repeats.
        rejected: parts that are known to be no term, with the reason.
        unknown: parts that nobody has seen yet.
    """

    model_config = ConfigDict(frozen=True)

    ids: tuple[str, ...] = ()
    rejected: Mapping[str, str] = {}
    unknown: tuple[str, ...] = ()


class Vocabulary:
    """A set of terms with lookup by synonym and by edge.

    Args:
        name: what a term of it is called in messages.
        files: the TOML files it joins, without suffix.
    """

    def __init__(self, name: str, *files: str) -> None:
        self.name = name
        self._files = files or (name,)

    def __repr__(self) -> str:
        return f"<Vocabulary {self.name}>"

    @cached_property
    def _loaded(self) -> tuple[dict[str, Term], dict[str, str]]:
        terms: dict[str, Term] = {}
        rejected: dict[str, str] = {}
        for name in self._files:
            file = f"{name}.toml"
            tables = tomllib.loads((resources.files(__package__) / file).read_text(encoding="utf-8"))
            for id_, fields in tables["terms"].items():
                if id_ in terms:
                    raise DeclarationError(f"the {self.name} vocabulary has {id_!r} twice", file=file)
                terms[id_] = Term(id=id_, **fields)
            if len(self._files) == 1:
                rejected.update(tables.get("not_a_term", {}))
        return terms, rejected

    @property
    def _terms(self) -> dict[str, Term]:
        return self._loaded[0]

    @cached_property
    def _index(self) -> dict[str, str]:
        index: dict[str, str] = {}
        for term in self._terms.values():
            for name in (term.id, *term.synonyms):
                other = index.setdefault(normalize(name), term.id)
                if other != term.id:
                    both = f"{other!r} and {term.id!r}"
                    raise DeclarationError(f"{name!r} names both {both} in the {self.name} vocabulary")
        return index

    @cached_property
    def _reasons(self) -> dict[str, str]:
        return {normalize(text): reason for text, reason in self.rejected.items()}

    @cached_property
    def rejected(self) -> Mapping[str, str]:
        """Values met in the wild that are no term of this vocabulary, each with the reason."""
        return MappingProxyType(self._loaded[1])

    @property
    def ids(self) -> tuple[str, ...]:
        """All canonical ids, in the order of the file."""
        return tuple(self._terms)

    def __contains__(self, id: object) -> bool:
        return id in self._terms

    def __getitem__(self, id: str) -> Term:
        try:
            return self._terms[id]
        except KeyError:
            raise self._unknown(id) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._terms)

    def __len__(self) -> int:
        return len(self._terms)

    def resolve(self, text: str) -> str:
        """The canonical id of an id or a synonym.

        Raises:
            UnknownTermError: nothing has this name; the message suggests the closest ids.
        """
        found = self._index.get(normalize(text))
        if found is None:
            raise self._unknown(text)
        return found

    def parse(self, text: str) -> Parsed:
        """What a cell such as "US/ CT/ MR/ PET" names, without repeats, and the parts that are no term.

        The whole text is tried first ("PET/CT" is a term), then its parts, then each part without a qualifier
        in parentheses or after a colon ("Lung (Thorax)", "CT:Pelvic").
        """
        ids: dict[str, None] = {}
        rejected: dict[str, str] = {}
        unknown: dict[str, None] = {}
        whole = self._lookup(text)
        for part in [text] if whole else filter(None, map(str.strip, _LIST.split(text))):
            found = self._lookup(part)
            if found is None and (qualified := _QUALIFIER.match(part.removesuffix("..."))):
                found = self._lookup(qualified["term"])
            if found is None and part.endswith("..."):
                found = self._lookup(part.removesuffix("..."))
            if isinstance(found, str):
                ids[found] = None
            elif found:
                rejected[part] = found[0]
            else:
                unknown[part] = None
        return Parsed(ids=tuple(ids), rejected=rejected, unknown=tuple(unknown))

    def ancestors(self, id: str, relations: Iterable[str] = EDGES) -> frozenset[str]:
        """Everything that `id` is a kind or a part of, transitively, without itself.

        Edges may leave the vocabulary: the left kidney (structure) is a kidney (organ).

        Raises:
            UnknownTermError: `id` is not in the vocabulary.
        """
        return _reach(self[id].id, self._up, tuple(relations))

    def descendants(self, id: str, relations: Iterable[str] = EDGES) -> frozenset[str]:
        """Everything that is a kind or a part of `id`, transitively, without itself.

        Edges may leave the vocabulary: the left kidney (structure) is a kidney (organ).

        Raises:
            UnknownTermError: `id` is not in the vocabulary.
        """
        return _reach(self[id].id, self._down, tuple(relations))

    @cached_property
    def _up(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        return {term.id: {"is_a": term.is_a, "part_of": term.part_of} for term in self._graph._terms.values()}

    @cached_property
    def _down(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        children: dict[str, dict[str, list[str]]] = {id_: {edge: [] for edge in EDGES} for id_ in self._up}
        for id_, edges in self._up.items():
            for edge, parents in edges.items():
                for parent in parents:
                    children[parent][edge].append(id_)
        return {id_: {edge: tuple(ids) for edge, ids in edges.items()} for id_, edges in children.items()}

    @property
    def _graph(self) -> Vocabulary:
        """Where the edges live: organ, structure and finding share one graph."""
        return label if set(self._files) <= set(label._files) else self

    def _lookup(self, text: str) -> str | tuple[str] | None:
        """The id; or, in a tuple, the reason why `text` is no term; or None."""
        key = normalize(text)
        if key in self._index:
            return self._index[key]
        return (self._reasons[key],) if key in self._reasons else None

    def search(self, text: str) -> list[str]:
        """Ids of terms by a part of any of their names, best first: equal, beginning so, holding it.

        Empty where no name holds the text.
        """
        key = normalize(text)
        ranks: dict[str, tuple[int, int]] = {}
        for name, id_ in self._index.items():
            if key and key in name:
                rank = (0 if name == key else 1 if name.startswith(key) else 2, len(name))
                ranks[id_] = min(rank, ranks.get(id_, rank))
        return sorted(ranks, key=lambda id_: (ranks[id_], id_))

    def _closest(self, text: str) -> list[str]:
        key = normalize(text)
        matcher = difflib.SequenceMatcher(b=key)
        scores: dict[str, float] = {}
        for name, id_ in self._index.items():
            matcher.set_seq1(name)
            score = matcher.ratio() + (0.5 if len(key) > 2 and key in name else 0)
            scores[id_] = max(score, scores.get(id_, 0))
        return sorted(scores, key=lambda id_: (-scores[id_], id_))[:3]

    def _unknown(self, text: str) -> UnknownTermError:
        if reason := self._reasons.get(normalize(text)):
            return UnknownTermError(f"{text!r} is not a term of the {self.name} vocabulary: {reason}.")
        return UnknownTermError(
            f"{text!r} is not in the {self.name} vocabulary.",
            next_step=f"use one of the closest ids: {', '.join(map(repr, self._closest(text)))}.",
        )


def _reach(
    start: str, edges: Mapping[str, Mapping[str, tuple[str, ...]]], relations: tuple[str, ...]
) -> frozenset[str]:
    seen: set[str] = set()
    todo = [start]
    while todo:
        outgoing = edges[todo.pop()]
        for relation in relations:
            new = [id_ for id_ in outgoing[relation] if id_ not in seen]
            seen.update(new)
            todo.extend(new)
    return frozenset(seen - {start})


modality = Vocabulary("modality")
organ = Vocabulary("organ")
task = Vocabulary("task")
structure = Vocabulary("structure")
finding = Vocabulary("finding")
label = Vocabulary("label", "organ", "structure", "finding")
