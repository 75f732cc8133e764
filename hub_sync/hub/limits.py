"""Sizes and times that the embedded Hub enforces."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HubLimits:
    """Sizes in bytes and times in seconds that a store and its server enforce."""

    regular_file: int = 10 << 20  # larger files go through LFS
    object: int = 50 << 30
    body: int = 256 << 20  # one commit, read line by line
    multipart_above: int = 512 << 20
    part: int = 256 << 20
    path: int = 1024
    stale_after: float = 24 * 3600.0
    connections: int = 0  # at once; 0: half of the files that the process may open, at most 512
    header_seconds: float = 20.0  # from the beginning of a request, or of its connection, to the end of its header
    body_seconds: float = 30.0  # within which a body brings `body_rate` bytes a second
    body_rate: float = 512.0
    answer_seconds: float = 600.0  # without taking anything of an answer
