"""toy://<collection>/<subject>/image.png, in a folder."""

from __future__ import annotations

import os
from typing import Any

import fsspec
from fsspec.implementations.dirfs import DirFileSystem


class FileSystem(DirFileSystem):  # type: ignore[misc]
    """In the folder that the environment names."""

    protocol = "toy"

    def __init__(self, **options: Any) -> None:
        super().__init__(path=os.environ["TOYS"], fs=fsspec.filesystem("file"))

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(path).removeprefix("toy://").strip("/")
