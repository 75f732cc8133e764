"""What people wrote on a card: a block between two markers, kept whatever is published over it."""

from __future__ import annotations

import re

from medimg import layout
from medimg.errors import MedimgError

START = "<!-- medimg:human -->"
"""Stands on every card of ours, and so tells ours from others'."""
END = "<!-- /medimg:human -->"

_BLOCK = re.compile(rf"^{re.escape(START)}[ \t]*\n(.*?)^{re.escape(END)}[ \t]*$", re.DOTALL | re.MULTILINE)
_MARKER = re.compile(rf"^({re.escape(START)}|{re.escape(END)})[ \t]*$", re.MULTILINE)


def block(previous: str | None) -> str:
    """The block with its markers, as it stands on the published card; an empty one where there is none.

    Raises:
        MedimgError: a marker is there without its partner, so that the text would be lost.
    """
    text = (previous or "").replace("\r\n", "\n").replace("\r", "\n")
    found = _BLOCK.search(text)
    if found is None and _MARKER.search(text):
        raise MedimgError(
            "the hand-written block of the published card lacks one of its two markers",
            file=layout.CARD_PATH,
            next_step=f"put {START} and {END} on lines of their own around it, then sync again.",
        )
    return f"{START}\n{found[1] if found else ''}{END}"
