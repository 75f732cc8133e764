"""What the archives of one view may expand to, and what they may hold in memory for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from medimg.errors import BombError
from medimg.files.blobs import GiB, KiB, MiB
from medimg.files.decoders import Decoder

CHECKPOINT_BYTES = 48 * KiB
"""What one copied state takes: zlib's 32 KiB window and its tables."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may expand to; beyond it a BombError is raised.

    The defaults let pass what public datasets hold (archives of hundreds of GB, members of 10 GB, label maps
    that compress a thousandfold) and stop what no dataset holds.

    Attributes:
        member_bytes: size of one member.
        total_bytes: sizes of all members of all archives of a view.
        members: number of members of all archives of a view.
        ratio: size over compressed size, asked only of what is larger than `ratio_floor`.
        ratio_floor: bytes below which no ratio is too high.
        depth: archives in archives (1: the outermost only).
        memory: bytes that a view may hold to make random access possible: states of decompressors, and whole
            files of servers that ignore range requests or of archives that allow no random access.
        decoded: bytes that one image (a picture, a volume, a frame of a video) may have once it is decoded.
        pixels: pixels that one picture may have. The stock image feature shows no larger one.
        checked: size of a remote file up to which it is read once in whole, to be held against its declared digest.
    """

    member_bytes: int = 64 * GiB
    total_bytes: int = 8 << 40
    members: int = 10_000_000
    ratio: int = 2000
    ratio_floor: int = 64 * MiB
    depth: int = 3
    memory: int = 256 * MiB
    decoded: int = 3 * GiB
    pixels: int = 178_956_970
    checked: int = GiB

    def check_decoded(self, size: int, what: str, *, pixels: int = 0) -> None:
        """Refuse an image by what its header promises, before anything of it is decoded.

        Args:
            size: bytes that it would have.
            what: what it is, for the message, e.g. "a PNG of 30000 x 30000 pixels".
            pixels: of a picture; 0 for volumes.

        Raises:
            BombError: it is too large.
        """
        if size <= self.decoded and pixels <= self.pixels:
            return
        most = f"{self.decoded:,} bytes" + (f" and {self.pixels:,} pixels" if pixels else "")
        raise BombError(
            f"{what} would take {size:,} bytes once decoded; at most {most} are allowed",
            next_step="if the source is to be trusted, declare its `largest` image in the builder; slides are "
            "read by tiles (readers.slides)",
        )


def too_much(problem: str, limit: str, file: str | None = None) -> BombError:
    """The error for what goes beyond one of the limits."""
    step = f"if the source is to be trusted, raise Limits.{limit}"
    return BombError(problem, file=file, next_step=step)


class Checkpoint(NamedTuple):
    """A copied state: where it stands in the output and in the input, and the sum of what came before."""

    position: int
    offset: int
    decoder: Decoder
    crc: int


class Keeper(Protocol):
    """What keeps checkpoints: a compressed archive."""

    points: list[Checkpoint]
    spacing: int


class Checkpoints:
    """Bounds the memory of all checkpoints: the least recently read archive loses its own first."""

    def __init__(self, limit: int) -> None:
        self._limit = max(8, limit)
        self._owners: OrderedDict[Keeper, None] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def add(self, owner: Keeper, point: Checkpoint) -> None:
        """Keep `point`, which lies behind all other points of `owner`."""
        with self._lock:
            if owner.points and owner.points[-1].position >= point.position:
                return
            owner.points = [*owner.points, point]
            self._count += 1
            self._owners[owner] = None
            self._owners.move_to_end(owner)
            while self._count > self._limit:
                victim = next(iter(self._owners))
                before = len(victim.points)
                if victim is owner:
                    owner.points = owner.points[1::2]
                    owner.spacing *= 2
                else:
                    victim.points = []
                    del self._owners[victim]
                self._count -= before - len(victim.points)


class Budget:
    """Counts what the archives of one view hold together."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.checkpoints = Checkpoints(limits.memory // CHECKPOINT_BYTES)
        self._members = 0
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, name: str, size: int, packed: int | None = None) -> None:
        """Count one member before anything of it is read."""
        limits = self.limits
        with self._lock:
            self._members += 1
            self._bytes += size
            members, total = self._members, self._bytes
        if size > limits.member_bytes:
            raise too_much(
                f"declares {size:,} bytes; at most {limits.member_bytes:,} are allowed", "member_bytes", name
            )
        if packed is not None and size > limits.ratio_floor and size > limits.ratio * packed:
            raise too_much(
                f"declares {size:,} bytes from {packed:,} compressed; at most {limits.ratio}:1 is allowed",
                "ratio",
                name,
            )
        if members > limits.members:
            raise too_much(f"the archives hold more than {limits.members:,} members", "members", name)
        if total > limits.total_bytes:
            raise too_much(f"the archives expand to more than {limits.total_bytes:,} bytes", "total_bytes", name)
