"""The error that only fusion knows."""

from __future__ import annotations

from medimg.errors import MedimgError


class FusionError(MedimgError):
    """What was asked for cannot be fused; the message names the members and the target."""
