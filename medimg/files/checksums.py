"""What was found equal to its declared digest is remembered, so that each file is read for it once."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Progress = Callable[[str, int, int | None], None]
"""Called with path, bytes done and bytes in all."""
PIECE = 4 << 20
"""Bytes that are read at once."""
SHOWN_AFTER = 2.0
"""Seconds after which a terminal shows how far it is."""


def folder() -> Path:
    """Where it is remembered: beside the caches of Hugging Face's libraries. It may be deleted at any time."""
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "medimg" / "checksums"


def key(address: str, size: int | None, version: str, digests: dict[str, str]) -> str | None:
    """The name under which it is remembered; None where nothing tells whether the file has changed."""
    if not version:
        return None
    stated = " ".join(f"{name}:{value}" for name, value in sorted(digests.items()))
    return hashlib.sha256(f"{address}\0{size}\0{version}\0{stated}".encode()).hexdigest()


def known(name: str | None) -> bool:
    """Whether this very file was found equal before."""
    try:
        return name is not None and (folder() / name).exists()
    except OSError:
        return False


def remember(name: str | None) -> None:
    """The file was found equal. An empty file says so, which any number of processes may write at once.

    A cache that cannot be written costs the next reading alone.
    """
    if name is None:
        return
    try:
        folder().mkdir(parents=True, exist_ok=True)
        (folder() / name).touch()
    except OSError:
        return


@contextmanager
def bar() -> Iterator[Progress]:
    """Progress on stderr, where that is a terminal and it takes long; Hugging Face's switches turn it off."""
    from huggingface_hub.utils.tqdm import tqdm

    make: Any = tqdm
    bars: dict[str, Any] = {}

    def show(path: str, done: int, total: int | None) -> None:
        if path not in bars:
            bars[path] = make(
                desc=f"comparing {path} with its checksum",
                total=total,
                unit="B",
                unit_scale=True,
                delay=SHOWN_AFTER,
                disable=None,
                leave=False,
                file=sys.stderr,
            )
        bars[path].update(done - bars[path].n)

    try:
        yield show
    finally:
        for each in bars.values():
            each.close()
