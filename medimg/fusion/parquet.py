"""Rows of published Parquet shards from any row on: files and row groups before it are not read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import fsspec
import pyarrow as pa
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
            for group, size in enumerate(shard.groups()):
                if start >= size:
                    start -= size
                    continue
                table = shard.read(group, columns).slice(start)
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
