"""Fused rows to Parquet, with the settings of `medimg.hub_sync.shards`; every binary column holds pixels here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from medimg.errors import FormatError
from medimg.fusion.labels import fused_features
from medimg.hub_sync.shards import (
    GROUP_BYTES,
    METADATA_GROUP_ROWS,
    SHARD_BYTES,
    VALUE_BYTES,
    ZSTD_LEVEL,
    Done,
    to_array,
)
from medimg.manifest import Shard
from medimg.schema import PIXEL_COLUMNS, Dimension

if TYPE_CHECKING:
    from datasets import Features

PIXELS = (*PIXEL_COLUMNS, "fused.mask", "fused.channels")
METADATA_FILE = "metadata.parquet"


def metadata_features(dimension: Dimension) -> Features:
    """`fused_features` without the pixel columns."""
    from datasets import Features

    kept: Any = _without_pixels(fused_features(dimension))
    return Features(kept)


def _without_pixels(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return {
        key: _without_pixels(value, f"{key}.") if key in ("label", "fused") and not prefix else value
        for key, value in values.items()
        if prefix + key not in PIXELS
    }


def pixel_bytes(value: Any) -> int:
    """Bytes of all pixels in a stored row."""
    if isinstance(value, bytes | bytearray | memoryview):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(pixel_bytes, value.values()))
    return sum(map(pixel_bytes, value)) if isinstance(value, list) else 0


class _Table:
    """An open Parquet file that takes rows one at a time and cuts row groups by bytes or rows."""

    def __init__(self, path: Path, schema: pa.Schema, group_bytes: int, group_rows: int, codec: str) -> None:
        self.path = path
        self.rows = 0
        self.raw_bytes = 0
        self._schema = schema
        self._limits = group_bytes, group_rows
        self._pending: list[Mapping[str, Any]] = []
        self._pending_bytes = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = pa.OSFile(str(path), "wb")
        leaves = [column.path for column in pq.ParquetFile(_empty(schema)).schema]
        light = [leaf for leaf in leaves if not leaf.endswith(".bytes")]
        self._writer = pq.ParquetWriter(
            self.file,
            schema,
            compression={leaf: "ZSTD" if leaf in light else codec for leaf in leaves},
            compression_level={leaf: ZSTD_LEVEL for leaf in leaves if leaf in light or codec == "ZSTD"},
            use_dictionary=light,
            write_statistics=light,
            write_page_index=True,
            data_page_version="2.0",
        )

    def add(self, values: Mapping[str, Any]) -> None:
        size = pixel_bytes(values)
        if size > VALUE_BYTES:
            raise FormatError(
                f"the row {values['id']!r} has {size / 2**30:.1f} GiB of pixels; Parquet readers hold less than 2 GiB",
                next_step='cut volumes into pictures: grid={"slices": "axial"}.',
            )
        size += 512 + len(values["meta"] or "")
        group_bytes, group_rows = self._limits
        if self._pending and (self._pending_bytes + size > group_bytes or len(self._pending) >= group_rows):
            self.flush()
        self._pending.append(values)
        self._pending_bytes += size
        self.rows += 1
        self.raw_bytes += size
        if self._pending_bytes >= group_bytes:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            columns = [
                to_array([row[field.name] for row in self._pending], field.type) for field in self._schema
            ]
            self._pending, self._pending_bytes = [], 0
            self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> Shard:
        self.flush()
        self._writer.close()
        self.file.close()
        with self.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        size = self.path.stat().st_size
        return Shard(path=self.path.name, rows=self.rows, bytes=size, raw_bytes=self.raw_bytes, sha256=digest)

    def discard(self) -> None:
        self._pending = []
        with suppress(OSError, pa.ArrowException):
            self._writer.close()
            self.file.close()
        self.path.unlink(missing_ok=True)


def _empty(schema: pa.Schema) -> pa.BufferReader:
    """An empty file of the schema: Parquet itself says what it calls the leaves."""
    sink = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), sink)
    return pa.BufferReader(sink.getvalue())


class SplitWriter:
    """Writes the data shards and the metadata file of one split of a fused set.

    Args:
        folder: for the files being written.
        dimension: decides the schema and the row groups.
        done: called with each finished file; it may be deleted afterwards.
        shard_bytes: a shard ends when it has reached this size.
    """

    def __init__(
        self, folder: Path, dimension: Dimension, done: Done, *, shard_bytes: int = SHARD_BYTES
    ) -> None:
        self._folder, self._dimension, self._done, self._shard_bytes = folder, dimension, done, shard_bytes
        self._schema = fused_features(dimension).arrow_schema
        self._count = 0
        self._data: _Table | None = None
        self._metadata = _Table(
            folder / METADATA_FILE,
            metadata_features(dimension).arrow_schema,
            2**30,
            METADATA_GROUP_ROWS,
            "ZSTD",
        )

    def __enter__(self) -> SplitWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
            self._done(self._metadata.path, self._metadata.close())
            return
        for table in (self._data, self._metadata):
            if table is not None:
                table.discard()

    def add(self, row: Mapping[str, Any]) -> None:
        """Add one stored row; its pixels are {"bytes", "path"}."""
        if self._data is None:
            path = self._folder / f"data-{self._count:05d}.parquet"
            codec = "NONE" if self._dimension == "2d" else "ZSTD"
            self._data = _Table(path, self._schema, GROUP_BYTES[self._dimension], 10_000, codec)
            self._count += 1
        self._data.add(row)
        self._metadata.add(_without_pixels(row))
        if self._data.file.tell() >= self._shard_bytes:
            self._finish()

    def _finish(self) -> None:
        if self._data is not None:
            table, self._data = self._data, None
            self._done(table.path, table.close())
