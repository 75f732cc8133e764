"""What the store of an embedded Hub may forget: contents that no revision of any repository holds."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from medimg.hub_sync.hub.store import REPO_TYPES, Store

GRACE = 24 * 3600.0
"""Seconds for which a content that nobody holds stays: its commit may be on the way."""


@dataclass(frozen=True)
class Collected:
    """What was removed: objects with their bytes, and files and parts of uploads that nobody went on with."""

    objects: int
    bytes: int
    unfinished: int


def collect(store: Store, grace: float = GRACE) -> Collected:
    """Remove contents that no revision holds and nobody has asked for within `grace` seconds.

    Uploads may go on meanwhile: what was uploaded, or asked for by somebody who uploads, is younger than that.
    """
    oldest = time.time() - grace
    objects = size = 0
    with store.locked("objects"):
        held = _held(store)
        for folder in sorted((store.root / "objects").iterdir()):
            for path in sorted(folder.iterdir()):
                status = path.stat()
                if folder.name + path.name not in held and status.st_mtime <= oldest:
                    path.unlink()
                    objects, size = objects + 1, size + status.st_size
    return Collected(objects, size, store.clean(grace))


def drop(store: Store, digests: Iterable[str]) -> int:
    """Remove these contents at once where no revision of any repository holds them; returns how many."""
    removed = 0
    with store.locked("objects"):
        for digest in set(digests) - _held(store):
            path = store.object_path(digest)
            if path.exists():
                path.unlink()
                removed += 1
    return removed


def _held(store: Store) -> set[str]:
    held: set[str] = set()
    for kind in REPO_TYPES:
        for repository in store.repositories(kind):
            deleted = repository.deleted()
            for commit in repository.commits():
                held |= {
                    file.sha256 for file in commit.files.values() if not (file.lfs and file.sha256 in deleted)
                }
    return held
