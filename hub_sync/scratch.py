"""Temporary folders that outlive nobody: what a killed run leaves behind, the next run removes.

Each folder holds a lock file that its process keeps locked. The system lets go of the lock when the process ends,
however it ends, so that a number that another process has got meanwhile, or a clock, cannot mislead.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PREFIX = "medimg-"
LOCK = "in-use.lock"


@dataclass(frozen=True)
class Scratch:
    """A folder in use. `lock` is to be passed on to a process that works in there."""

    path: Path
    lock: int


@contextlib.contextmanager
def scratch(kind: str) -> Iterator[Scratch]:
    """A temporary folder for as long as this lasts.

    Args:
        kind: part of its name.
    """
    root = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{kind}-"))
    descriptor = -1
    try:
        # It gets its name when it is locked: nobody ever finds it free.
        aside = root / "lock.part"
        descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with contextlib.suppress(OSError):  # some network file systems know no locks; then nobody sweeps either
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            aside.rename(root / LOCK)
        (root / "work").mkdir()
        yield Scratch(root / "work", descriptor)
    finally:
        shutil.rmtree(root, ignore_errors=True)
        if descriptor >= 0:
            os.close(descriptor)


def sweep() -> list[Path]:
    """Remove the folders of processes that are gone; those of living ones, and of others, stay."""
    removed = []
    for root in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            status = root.lstat()
            if root.is_symlink() or status.st_uid != os.geteuid():
                continue
            descriptor = os.open(root / LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue  # none of these folders, or gone by now
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(root, ignore_errors=True)
            removed.append(root)
        except OSError:
            continue  # in use
        finally:
            os.close(descriptor)
    return removed
