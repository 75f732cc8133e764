"""Cards: what a published repository says of itself, for people and for machines."""

from __future__ import annotations

from medimg.cards.card import render
from medimg.cards.croissant import croissant

__all__ = ["croissant", "render"]
