"""Text from strangers, made fit to be shown; and spelling."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

SPELLINGS = (
    ("tumour", "tumor"),
    ("oesoph", "esoph"),
    ("oedema", "edema"),
    ("aem", "em"),
    ("grey", "gray"),
    ("colour", "color"),
    ("centre", "center"),
    ("isation", "ization"),
    ("leucocyt", "leukocyt"),
    ("foet", "fet"),
    ("fibre", "fiber"),
    ("coeliac", "celiac"),
    ("naev", "nev"),
    ("labell", "label"),
    ("caec", "cec"),
)
"""British parts of words, and American ones."""


def slug(text: str) -> str:
    """Lower case, with single hyphens for all that is neither letter nor digit."""
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")


def clean(text: str) -> str:
    """One line of visible characters: no line ends, control or direction characters, no lone surrogates."""
    return visible(" ".join(text.split())).strip()


def visible(text: str) -> str:
    """Text without control and direction characters, and lone surrogates; spaces stay as they are."""
    return text if text.isascii() and text.isprintable() else "".join(filter(_is_visible, text))


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] != "C"


def cut(text: str, most: int) -> str:
    """One line of at most so many visible characters."""
    shown = clean(text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def size_text(count: int) -> str:
    """Bytes in decimal units."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{count} B" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} TB"


def cleaned(value: Any, most: int | None = None) -> Any:
    """Clean text in whatever lists and mappings hold it; with `most`, each cut to so many characters."""
    if isinstance(value, str):
        return clean(value) if most is None else cut(value, most)
    if isinstance(value, Mapping):
        return {cleaned(str(key), most): cleaned(each, most) for key, each in value.items()}
    return [cleaned(each, most) for each in value] if isinstance(value, list | tuple) else value


def as_json(value: Any, indent: int | None = None) -> str:
    """JSON that may be shown in a terminal, too: what `visible` takes out stands there escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else "".join(map(_escaped, line)) for line in lines)


def _escaped(character: str) -> str:
    return character if _is_visible(character) else json.dumps(character)[1:-1]
