"""Rows of published Parquet shards from any row on: files and row groups before it are not read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import methodcaller
from typing import Any

import fsspec
import pyarrow.parquet as pq

from medimg.files import remote

BATCH = 16
"""Rows that become Python objects at once."""


def parquet_rows(
    files: Sequence[str],
    counts: Sequence[int],
    start: int = 0,
    *,
    columns: Sequence[str] | None = None,
    options: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """Rows of one split from `start` on; pixels as {"bytes", "path"}.

    Args:
        files: paths or fsspec URLs (`hf://datasets/...`), in order.
        counts: rows per file.
        start: the first row that is read.
        columns: top-level or nested columns to read; None reads all.
        options: for fsspec.

    Raises:
        OSError: a file cannot be read.
        SourceError: nor can an address, after several tries.
    """
    for file, count in zip(files, counts, strict=True):
        if start >= count:
            start -= count
            continue
        with _Shard(file, options) as shard:
            metadata = shard.ask(lambda parquet: parquet.metadata)
            for group in range(metadata.num_row_groups):
                size = metadata.row_group(group).num_rows
                if start >= size:
                    start -= size
                    continue
                read = methodcaller("read_row_group", group, columns=columns)
                table = shard.ask(read).slice(start)
                batches = table.to_batches(max_chunksize=BATCH)
                del table  # only what has not been yielded stays in memory
                batches.reverse()
                while batches:
                    yield from batches.pop().to_pylist()
                start = 0


class _Shard(contextlib.ExitStack):
    """A Parquet file that is opened again where the connection to it breaks."""

    def __init__(self, file: str, options: Mapping[str, Any]) -> None:
        super().__init__()
        self._file = file
        self._options = options
        self._parquet: Any = None

    def ask(self, action: Callable[[pq.ParquetFile], Any]) -> Any:
        """What the action gives for the opened file."""

        def once() -> Any:
            try:
                if self._parquet is None:
                    handle = self.enter_context(fsspec.open(self._file, "rb", **self._options))
                    # Reading ahead is done by threads of Arrow that call Python: one that still ends when Python
                    # does ends the whole process ("terminate called without an active exception").
                    self._parquet = self.enter_context(pq.ParquetFile(handle, pre_buffer=False))
                return action(self._parquet)
            except Exception:
                self._parquet = None
                with contextlib.suppress(Exception):  # what is broken may not close either
                    self.close()
                raise

        return remote.retry(once, self._file) if "://" in self._file else once()
