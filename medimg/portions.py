"""Portions of a source: runs of files of one split, cut by the sizes of the files alone.

Nothing is decoded to know them, so that everybody who goes through the same source cuts it alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from medimg.files import File
from medimg.schema import Row


class Portion(NamedTuple):
    """The portion with this number, from 0 on, of one split of one config."""

    config: str
    split: str
    number: int


@dataclass
class _Run:
    number: int = 0
    bytes: int = 0
    paths: set[str] = field(default_factory=set)


class Portions:
    """Tells of one row after the other to which portion it belongs.

    A portion ends when its files have so many bytes. Files of unknown size count nothing, and one of which several rows
    of a portion are made counts once.

    Args:
        size: bytes of a portion; None: each split is one.
    """

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._runs: dict[tuple[str, str], _Run] = {}

    def of(self, row: Row) -> Portion:
        """The portion of the next row, in the builder's order."""
        run = self._runs.setdefault((row.config, row.split), _Run())
        if self._size is not None:
            new = [file for file in files_of(row) if file.path not in run.paths]
            if new and run.bytes >= self._size:
                run = self._runs[(row.config, row.split)] = _Run(run.number + 1)
            run.paths.update(file.path for file in new)
            run.bytes += sum(file.size or 0 for file in new)
        return Portion(row.config, row.split, run.number)


def files_of(row: Row) -> Iterator[File]:
    """Of which its image, mask and target are made."""
    for part in (row.image, row.label.mask, row.label.target):
        if isinstance(part, File):
            yield part
        elif part is not None:
            yield from part.files()
