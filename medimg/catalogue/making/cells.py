"""One cell of a list: what it says in our vocabularies, and what it says that is none of their terms."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medimg import licenses, vocab
from medimg.vocab import Vocabulary

_SILENT = re.compile(r"blank|says\b")
_YEAR = re.compile(r"(?<!\d)(?:19[5-9]|20[0-3])\d(?!\d)")
_NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s*([kKM]?)\+?(?:\s*images\b.*)?")
_FACTOR = {"": 1, "k": 1000, "K": 1000, "M": 1_000_000}
_UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
_DIMENSION = {"2d": "2d", "3d": "3d", "4d": "3d", "video": "video"}
NOTHING = frozenset({"", "na", "n/a", "none", "null", "-", "not mention", "no"})
"""Cells that say nothing, in lower case."""


@dataclass
class Cell:
    """What was read in one cell.

    Attributes:
        values: vocabulary ids, numbers or license ids.
        moved: (column, value) of what belongs into another column.
        absent: parts that say nothing ("Not Mention"), with the reason.
        rejected: parts that say something for which there is no term, with the reason.
    """

    values: list[Any] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)

    def line(self) -> dict[str, Any]:
        """As the ledger holds it, without what is empty."""
        said = {**vars(self), "moved": [list(each) for each in self.moved]}
        return {key: value for key, value in said.items() if value}

    @property
    def silent(self) -> bool:
        """Whether nothing was taken and nothing was there to be taken."""
        return not (self.values or self.moved or self.rejected)


@functools.cache
def decided() -> Mapping[str, Any]:
    """`decided.toml`: what a reader decided where no rule can, each with its evidence."""
    return tomllib.loads(Path(__file__).with_name("decided.toml").read_text("utf-8"))


def terms(vocabulary: Vocabulary, texts: str | Iterable[str] | None) -> Cell:
    """Terms of a cell, or of a list of cells.

    A value of another column (a disease or a modality among organs) is moved there. "Pet_Ct" and the like are
    one term; "US/ CT/ MR/ PET" are four.
    """
    cell = Cell()
    for text in [texts] if isinstance(texts, str) else texts or ():
        parsed = vocabulary.parse(plain(text))
        cell.values += [id_ for id_ in parsed.ids if id_ not in cell.values]
        unknown = dict.fromkeys(parsed.unknown, f"not in the {vocabulary.name} vocabulary")
        for part, reason in {**parsed.rejected, **unknown}.items():
            if _SILENT.match(reason) or part == "...":
                cell.absent[part] = reason
            elif found := _elsewhere(vocabulary, part):
                cell.moved += [each for each in found if each not in cell.moved]
            else:
                cell.rejected[part] = reason
    return cell


def _elsewhere(vocabulary: Vocabulary, part: str) -> list[tuple[str, str]]:
    """What a part of an organ cell says in another vocabulary; where a finding lies is said by its own edges."""
    if vocabulary is not vocab.organ:
        return []
    labels = vocab.label.parse(part)
    if labels.ids and not labels.rejected and not labels.unknown:
        places = [("organ", organ) for id_ in labels.ids for organ in organs_of(id_)]
        return [("structures", id_) for id_ in labels.ids] + places
    return [("modality", id_) for id_ in vocab.modality.parse(part).ids]


def organs_of(label: str) -> list[str]:
    """The nearest organs of which a structure or finding is a part, or a kind of a part, as the vocabulary has it."""
    todo = [label]
    found: dict[str, None] = {}
    while todo:
        term = vocab.label[todo.pop(0)]
        for parent in (*term.part_of, *term.is_a):
            if parent in vocab.organ:
                found[parent] = None
            elif parent not in todo:
                todo.append(parent)
    return list(found)


def plain(text: str) -> str:
    """Without what LaTeX and copying left in it: backslashes, zero-width marks, doubled space."""
    return " ".join(re.sub(r"[\\\u200b-\u200f\u2060\ufeff]+", "", text).split())


def license(text: str | None) -> Cell:
    """The license that a list names. A text in several parts counts where they agree."""
    cell = Cell()
    text = plain(text or "")
    said = decided()["license"]
    parts = [text] if _license(text, said) else [part.strip() for part in re.split(r"[,;，；]", text)]
    for part in dict.fromkeys(parts):
        key = part.casefold()
        if key in NOTHING:
            cell.absent[part] = "blank" if not part else "says: not available"
        elif found := _license(part, said):
            cell.values += [found] if found not in cell.values else []
        elif key in said["absent"]:
            cell.absent[part] = said["absent"][key]
        else:
            cell.rejected[part] = said["rejected"].get(key, "names no license of the table")
    if len(cell.values) > 1:
        cell.rejected[text] = "names several licenses"
        cell.values = []
    return cell


def _license(text: str, said: Mapping[str, Any]) -> str | None:
    return licenses.normalize(text) or said["names"].get(text.casefold())


def dimension(text: str | None) -> Cell:
    """Of "2d", "3d", "video"; a volume in time ("4D") is 3d."""
    cell = Cell()
    for part in filter(None, map(str.strip, re.split(r"[/,+]", plain(text or "")))):
        key = part.casefold().split("(")[0].strip()
        if key in _DIMENSION:
            value = _DIMENSION[key]
            cell.values += [value] if value not in cell.values else []
        elif key in NOTHING:
            cell.absent[part] = "says: not available"
        elif key == "text" or ")" in key:
            cell.absent[part] = "no dimension of an image"
        else:
            cell.rejected[part] = "no dimension"
    return cell


def year(*texts: Any) -> Cell:
    """The first year that one of several cells has ("2020-06", "2008年")."""
    cell = Cell()
    for text in texts:
        said = plain(str(text if text is not None else ""))
        if found := _YEAR.search(said):
            cell.values = [int(found[0])]
            return cell
        if said.casefold() not in NOTHING:
            cell.rejected[said] = "no year"
        elif said:
            cell.absent[said] = "says: not available"
    return cell


def count(text: Any) -> Cell:
    """A number such as 60, "1,993", "2.7k", "200+"; 0 says that nobody counted."""
    cell = Cell()
    said = plain(str(text if text is not None else ""))
    if found := _NUMBER.fullmatch(said):
        number = round(float(found[1].replace(",", "")) * _FACTOR[found[2]])
        if number:
            cell.values = [number]
        else:
            cell.absent[said] = "says: nothing was counted"
    elif said.casefold() in NOTHING:
        cell.absent |= {said: "says: not available"} if said else {}
    else:
        cell.rejected[said] = "no number"
    return cell


def rounding(text: Any) -> int:
    """How far the number in a cell may be from what was counted: 50 for "2.7k", 0 for 60."""
    found = _NUMBER.fullmatch(plain(str(text)))
    if not found or not found[2]:
        return 0
    decimals = len(found[1].partition(".")[2])
    return int(_FACTOR[found[2]] // 10**decimals)


def size(text: str | None) -> Cell:
    """Bytes of "2.2 GB" (in powers of ten)."""
    cell = Cell()
    number, _, unit = plain(text or "").partition(" ")
    if unit in _UNITS and re.fullmatch(r"\d+(?:\.\d+)?", number):
        cell.values = [round(float(number) * _UNITS[unit])]
    elif text:
        cell.rejected[text] = "no size"
    return cell
