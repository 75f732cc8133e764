"""Rows of published Parquet shards from any row on, for `mix`: files and row groups before it are not read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from medimg.files import remote
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
            with _Shard(file, self.options) as shard:
                for group, size in enumerate(shard.groups()):
                    if start >= size:
                        start -= size
                        continue
                    table = shard.read(group, self.columns).slice(start)
                    batches = table.to_batches(max_chunksize=BATCH)
                    del table  # only what has not been yielded stays in memory
                    batches.reverse()
                    while batches:
                        yield from batches.pop().to_pylist()
                    start = 0


class _Shard:
    """A Parquet file that is opened again where the connection to it breaks."""

    def __init__(self, file: str, options: Mapping[str, Any]) -> None:
        self._file = file
        self._options = options
        self._open = contextlib.ExitStack()
        self._parquet: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._open.close()

    def groups(self) -> list[int]:
        """Rows of each row group."""
        metadata = self._try(lambda parquet: parquet.metadata)
        return [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]

    def read(self, group: int, columns: Sequence[str] | None) -> pa.Table:
        """One row group."""
        return self._try(lambda parquet: parquet.read_row_group(group, columns=columns))

    def _try(self, action: Callable[[Any], Any]) -> Any:
        def once() -> Any:
            try:
                if self._parquet is None:
                    handle = self._open.enter_context(fsspec.open(self._file, "rb", **self._options))
                    # Reading ahead is done by threads of Arrow that call Python: one that still ends when Python
                    # does ends the whole process ("terminate called without an active exception").
                    self._parquet = self._open.enter_context(pq.ParquetFile(handle, pre_buffer=False))
                return action(self._parquet)
            except Exception:
                self._parquet = None
                with contextlib.suppress(Exception):  # what is broken may not close either
                    self._open.close()
                raise

        return remote.retry(once, self._file) if "://" in self._file else once()


def parquet(
    name: str,
    files: Sequence[str],
    *,
    counts: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
    block: int | None = None,
    expand: Callable[[Item], Iterable[Item]] | None = None,
    finish: Callable[[Item], dict[str, Any] | None] | None = None,
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
        SourceError: nor can an address, after several tries.
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
    with _Shard(file, options) as shard:
        return sum(shard.groups())
