"""The errors that only fusion knows."""

from __future__ import annotations

from medimg.errors import MedimgError


class FusionError(MedimgError):
    """What was asked for cannot be fused; the message names the members and the target."""


class RequestError(FusionError, ValueError):
    """An argument of `fuse`, `mix` or `Grid`, or a field of a blueprint, has a value that makes no sense."""


class StateError(FusionError, ValueError):
    """A state is of another stream than the one that it was loaded into."""
