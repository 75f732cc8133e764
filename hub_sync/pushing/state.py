"""What a repository holds now, and which of its files are sync's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from medimg import layout
from medimg.cards import human
from medimg.manifest import Manifest

HOLD_PATH = ".medimg/hold.json"
"""Present where sync leaves a repository alone: it was retired or rolled back."""
MARK_PATH = ".medimg/withdrawn.json"
"""Present where sync has shut a repository, because revisions of it hold rows that may not be shown any more."""
OWNED = ("data/", "metadata/", "preview/", "assets/", ".medimg/", *layout.FORMER_PATHS)
"""What sync writes and therefore may delete; other files in the repository are left alone."""


@dataclass(frozen=True)
class Published:
    """What a repository holds now."""

    sha: str | None
    manifest: Manifest | None
    text: str | None = None
    """README.md where it was read already; see `card`."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Path -> SHA-256 of LFS files and git blob id of the others."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tag -> revision."""
    read: Callable[[str], str | None] = lambda path: None
    """Text of a file at `sha`."""
    listed: bool = False
    """Told from a listing, and from what was kept of an earlier look at the same commit. Tags may be others now, and a
    repository that the listing does not name may be there; to see that there is nothing to do, it is enough."""

    @cached_property
    def card(self) -> str | None:
        """README.md, read when it is asked for."""
        if self.text is not None or layout.CARD_PATH not in self.files:
            return self.text
        return self.read(layout.CARD_PATH)

    @cached_property
    def hold(self) -> dict[str, str] | None:
        """Why sync leaves the repository alone, None where it does not: {"kind", "reason", "to"}."""
        text = self.read(HOLD_PATH) if HOLD_PATH in self.files else None
        if text is None:
            return None
        try:
            held = json.loads(text)
        except ValueError:
            held = None
        if not isinstance(held, dict):
            return {"kind": "held", "reason": f"{HOLD_PATH} cannot be read"}
        return {str(key): str(value) for key, value in held.items()}


def foreign(state: Published) -> list[str]:
    """Files where sync writes that medimg did not put there: no manifest tells of them, nor is the card ours."""
    theirs = [path for path in state.files if path.startswith(OWNED)]
    return theirs if state.manifest is None and human.START not in (state.card or "") else []
