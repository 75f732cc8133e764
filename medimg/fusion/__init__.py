"""Fusion: many members, one label space, one stream."""

from medimg.fusion.fuse import fuse
from medimg.fusion.plan import Plan

__all__ = ["Plan", "fuse"]
