"""Folders of the embedded Hub: which is one, and which commands may begin one."""

from __future__ import annotations

from pathlib import Path

from medimg.errors import HubError


def is_store(folder: Path) -> bool:
    """Whether an embedded Hub has kept its repositories there."""
    return (folder / "repos").is_dir() and (folder / "objects").is_dir()


def check_store(folder: Path, *, new: bool) -> None:
    """Refuse a folder that is no store, before anything is written there.

    Args:
        new: a store may be begun, where there is nothing yet.

    Raises:
        HubError: there is none, or the folder holds something else.
    """
    if is_store(folder):
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise HubError(
            f"{folder} is no store of an embedded Hub, it holds something else",
            next_step="pass --store with the folder that `medimg sync` wrote, or with a new one.",
        )
    if not new:
        raise HubError(
            f"there is no store at {folder}, so nothing is published there",
            next_step="pass --store with the folder that `medimg sync` wrote, or --hub with the address of a Hub.",
        )
