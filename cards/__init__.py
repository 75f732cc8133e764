"""Cards: what a published repository says of itself, for people and for machines."""

from __future__ import annotations

from medimg.errors import need

need("hub", "rendering cards", "jinja2", "markupsafe")

from medimg.cards.card import render  # noqa: E402
from medimg.cards.croissant import croissant  # noqa: E402

__all__ = ["croissant", "render"]
