"""Fusion: many members, one label space, one stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["Plan", "fuse"]

if TYPE_CHECKING:
    from medimg.fusion.fusing import fuse
    from medimg.fusion.plan import Plan

_HOME = {"Plan": "medimg.fusion.plan", "fuse": "medimg.fusion.fusing"}


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: what only reads a request needs no `datasets`."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)
