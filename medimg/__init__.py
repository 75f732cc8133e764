"""medimg: every public medical imaging dataset one `load_dataset` away, and any set of them one `fuse` away.

    import medimg

    medimg.names()                                        # every dataset
    medimg.get("lits").dataset                            # its declaration
    medimg.load("lits", source="~/LiTS", streaming=True)  # rows from one's own copy

Importing this package opens no file and no connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "get", "load", "names"]

if TYPE_CHECKING:
    from medimg.loading import load
    from medimg.registry import get, names

_HOME = {"load": "medimg.loading", "get": "medimg.registry", "names": "medimg.registry"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
