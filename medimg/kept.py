"""What is kept on this computer so that it need not be asked for or made again.

It lies beside the caches of Hugging Face's libraries. All of it may be deleted at any time, and any number of processes
may write it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


def folder() -> Path:
    """Where it is."""
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "medimg"


def read(kind: str, name: str, key: str) -> Any:
    """What was kept under a name; None where nothing was, or it was kept under another key.

    Args:
        kind: folder of its own.
        name: of a file.
        key: says of what it was made.
    """
    with suppress(OSError, ValueError):
        found = json.loads(_path(kind, name).read_text("utf-8"))
        if isinstance(found, list) and len(found) == 2 and found[0] == key:
            return found[1]
    return None


def write(kind: str, name: str, key: str, value: object) -> None:
    """Keep it, instead of what was kept under this name; where that cannot be done, it is made again."""
    path = _path(kind, name)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        aside.write_text(json.dumps([key, value]), "utf-8")
        aside.replace(path)


def _path(kind: str, name: str) -> Path:
    return folder() / kind / f"{name}.json"
