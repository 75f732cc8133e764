"""Rows of published Parquet shards from any row on, for `mix`: files and row groups before it are not read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import fsspec
import pyarrow.parquet as pq

from medimg.fusion.mix import Item, Stream

BATCH = 16
"""Rows that become Python objects at once."""


@dataclass(frozen=True)
class ParquetRows:
    """`Stream.open` over the shards of one split.

    Attributes:
        files: paths or fsspec URLs (`hf://datasets/...`), in order.
        counts: rows per file.
        columns: top-level or nested columns to read; None reads all.
        options: for fsspec.
    """

    files: tuple[str, ...]
    counts: tuple[int, ...]
    columns: tuple[str, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, start: int = 0) -> Iterator[dict[str, Any]]:
        """Rows from `start` on; pixels as {"bytes", "path"}."""
        for file, count in zip(self.files, self.counts, strict=True):
            if start >= count:
                start -= count
                continue
            with fsspec.open(file, "rb", **self.options) as handle, pq.ParquetFile(handle) as parquet:
                for group in range(parquet.num_row_groups):
                    size = parquet.metadata.row_group(group).num_rows
                    if start >= size:
                        start -= size
                        continue
                    table = parquet.read_row_group(group, columns=self.columns).slice(start)
                    batches = table.to_batches(max_chunksize=BATCH)
                    del table  # only what has not been yielded stays in memory
                    batches.reverse()
                    while batches:
                        yield from batches.pop().to_pylist()
                    start = 0


def parquet(
    name: str,
    files: Sequence[str],
    *,
    counts: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
    block: int | None = None,
    expand: Callable[[Item], Iterable[Item]] | None = None,
    finish: Callable[[Item], dict[str, Any]] | None = None,
) -> Stream:
    """A member of `mix` that is read from Parquet.

    Args:
        name: of the member.
        files: paths or fsspec URLs, in order.
        counts: rows per file (the manifest knows them); None reads every file's footer now.
        columns: see `ParquetRows`.
        options: for fsspec.
        block: see `Stream`; None takes the rows of the largest file, so that shuffling visits files at random.
        expand: see `Stream`.
        finish: see `Stream`.

    Raises:
        OSError: a file cannot be read.
    """
    options = dict(options or {})
    if counts is None:
        counts = [_count(file, options) for file in files]
    rows = ParquetRows(tuple(files), tuple(counts), None if columns is None else tuple(columns), options)
    return Stream(
        name,
        rows,
        rows=sum(counts),
        block=block or max(counts, default=0) or None,
        expand=expand,
        finish=finish,
    )


def _count(file: str, options: Mapping[str, Any]) -> int:
    with fsspec.open(file, "rb", **options) as handle:
        return int(pq.read_metadata(handle).num_rows)
