"""The view a builder sees. (To be completed.)"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO


class File:
    """One file of the source."""

    def __init__(self, path: str, opener: Callable[[], BinaryIO], size: int | None = None) -> None:
        self.path = path
        self.size = size
        self._opener = opener

    def open(self) -> BinaryIO:
        """A seekable binary stream."""
        return self._opener()

    def read(self) -> bytes:
        """The whole content."""
        with self.open() as stream:
            return stream.read()


class Files:
    """All files of one source."""

    def match(self, pattern: str) -> Iterator[Any]:
        """See the design."""
        raise NotImplementedError
