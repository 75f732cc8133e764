"""medimg: every public medical imaging dataset one `load_dataset` away, and any set of them one `fuse` away.

    import medimg

    medimg.names()                                        # every dataset that has a builder
    medimg.search("liver tumor CT")                       # every dataset that is known, loadable or not
    medimg.get("lits").dataset                            # its declaration
    medimg.load("lits", source="~/LiTS", streaming=True)  # rows from one's own copy
    medimg.fuse(modality="CT", targets=["liver"])         # many members in one label space

Importing this package opens no file and no connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "fuse", "get", "load", "names", "search"]

if TYPE_CHECKING:
    from medimg.catalogue.search import search
    from medimg.fusion.fusing import fuse
    from medimg.loading import load
    from medimg.registry import get, names

_HOME = {
    "fuse": "medimg.fusion",
    "get": "medimg.registry",
    "load": "medimg.loading",
    "names": "medimg.registry",
    "search": "medimg.catalogue.search",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
