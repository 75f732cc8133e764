"""An archive-agnostic view of a dataset's original files, over fsspec."""

from __future__ import annotations

from medimg.files.file import File
from medimg.files.limits import Limits
from medimg.files.view import Files

__all__ = ["File", "Files", "Limits"]
