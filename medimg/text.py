"""Text from strangers, made fit to be shown; and spelling."""

from __future__ import annotations

import unicodedata

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


def clean(text: str) -> str:
    """One line of visible characters: no line ends, control or direction characters, no lone surrogates."""
    return "".join(c for c in " ".join(text.split()) if unicodedata.category(c)[0] != "C").strip()
