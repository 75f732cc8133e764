"""Text from strangers, made fit to be shown."""

from __future__ import annotations

import unicodedata


def clean(text: str) -> str:
    """One line of visible characters: no line ends, control or direction characters, no lone surrogates."""
    return "".join(c for c in " ".join(text.split()) if unicodedata.category(c)[0] != "C").strip()
