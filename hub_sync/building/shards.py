"""One pass from records to Parquet shards: deterministic, memory bounded by the largest row.

The settings are the measured ones: 3-D pixels are raw NIfTI in ZSTD columns, one volume per row group (small ones
share a group up to 32 MB); 2-D bytes are stored as they are, in groups of 16 MB; shards end at about 400 MB, and
with each portion of the source (`medimg.portions`), so that portions can be written by whoever has time;
dictionary, statistics and page index on the metadata columns only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from medimg.errors import FormatError
from medimg.manifest import Shard
from medimg.schema import PIXEL_COLUMNS, Dimension, features

if TYPE_CHECKING:
    from datasets import Features

SHARD_BYTES = 400 * 2**20
PORTION_SHARDS = 5
"""Bytes of a portion of the source, in shards."""
PORTION_BYTES = PORTION_SHARDS * SHARD_BYTES
GROUP_BYTES: Mapping[Dimension, int] = {"2d": 16 * 2**20, "3d": 32 * 2**20, "video": 32 * 2**20}
METADATA_GROUP_ROWS = 50_000
VALUE_BYTES = 2**31 - 2**20
"""Parquet readers hold a column of a row group below 2 GiB."""
ZSTD_LEVEL = 3

METADATA_FILE = "metadata.parquet"

Done = Callable[[Path, Shard], None]
"""Called with each finished file and its description; the file may be deleted afterwards."""


class Table:
    """An open Parquet file that takes rows one at a time and cuts row groups by bytes or rows."""

    def __init__(self, path: Path, schema: pa.Schema, group_bytes: int, group_rows: int, pixel_codec: str) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = pa.OSFile(str(path), "wb")
        self.rows = 0
        self.raw_bytes = 0
        self._schema = schema
        self._group_bytes = group_bytes
        self._group_rows = group_rows
        self._pending: list[Mapping[str, Any]] = []
        self._pending_bytes = 0
        leaves = list(_leaves(schema))
        # All binary leaves hold pixels.
        heavy = {leaf for leaf in leaves if leaf.endswith(".bytes")}
        light = [leaf for leaf in leaves if leaf not in heavy]
        self._writer = pq.ParquetWriter(
            self.file,
            schema,
            compression={leaf: pixel_codec if leaf in heavy else "ZSTD" for leaf in leaves},
            compression_level={leaf: ZSTD_LEVEL for leaf in leaves if leaf not in heavy or pixel_codec == "ZSTD"},
            use_dictionary=light,
            write_statistics=light,
            write_page_index=True,
            # Version 2 pages are compressed in place; version 1 needs one more copy of each value.
            data_page_version="2.0",
        )

    def add(self, values: Mapping[str, Any]) -> None:
        """Add one row; earlier rows are written out first where the group would grow too large."""
        size = pixel_bytes(values)
        if size > VALUE_BYTES:
            raise FormatError(
                f"the row {values['id']!r} has {size / 2**30:.1f} GiB of pixels; Parquet readers hold less than 2 GiB",
                next_step="Let the builder split the volume along its slowest axis into rows that say so.",
            )
        size += 512 + len(values.get("meta") or "")
        if self._pending and (self._pending_bytes + size > self._group_bytes or len(self._pending) >= self._group_rows):
            self.flush()
        self._pending.append(values)
        self._pending_bytes += size
        self.rows += 1
        self.raw_bytes += size
        if self._pending_bytes >= self._group_bytes:
            self.flush()

    def flush(self) -> None:
        """Write the pending rows as one row group."""
        if self._pending:
            columns = [to_array([row[field.name] for row in self._pending], field.type) for field in self._schema]
            self._pending = []
            self._pending_bytes = 0
            self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> Shard:
        """Finish the file and describe it."""
        self.flush()
        self._writer.close()
        self.file.close()
        with self.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        size = self.path.stat().st_size
        return Shard(path=self.path.name, rows=self.rows, bytes=size, raw_bytes=self.raw_bytes, sha256=digest)

    def discard(self) -> None:
        """Remove the unfinished file."""
        self._pending = []
        with suppress(OSError, pa.ArrowException):
            self._writer.close()
            self.file.close()
        self.path.unlink(missing_ok=True)


class ShardWriter:
    """Writes the data shards of one split of one config.

    Args:
        folder: for the files being written; each is handed to `done` when it is finished.
        dimension: decides the schema and the row groups.
        done: called with each finished shard; its path is a local name, the caller knows the final one when it knows
            the number of shards.
        shard_bytes: a shard ends when it has reached this size.
        schema: stored features, where rows have more columns than the schema of their dimension.
    """

    def __init__(
        self,
        folder: Path,
        dimension: Dimension,
        done: Done,
        *,
        shard_bytes: int = SHARD_BYTES,
        schema: Features | None = None,
    ) -> None:
        self._folder = folder
        self._dimension = dimension
        self._done = done
        self._shard_bytes = shard_bytes
        self._schema = (schema or features(dimension)).arrow_schema
        self._table: Table | None = None
        self._count = 0
        self._portion = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def add(self, values: Mapping[str, Any], portion: int = 0) -> None:
        """Add one record's values (see `medimg.rows.Record`), of this portion of the source."""
        if portion != self._portion:
            self._finish()
            self._portion = portion
        if self._table is None:
            codec = "NONE" if self._dimension == "2d" else "ZSTD"
            path = self._folder / f"data-{self._count:05d}.parquet"
            group = min(GROUP_BYTES[self._dimension], self._shard_bytes)
            self._table = Table(path, self._schema, group, 10_000, codec)
            self._count += 1
        self._table.add(values)
        if self._table.file.tell() >= self._shard_bytes:
            self._finish()

    def close(self) -> None:
        """Finish the last shard."""
        self._finish()

    def discard(self) -> None:
        """Remove what is unfinished."""
        if self._table is not None:
            self._table.discard()

    def _finish(self) -> None:
        if self._table is not None:
            table, self._table = self._table, None
            self._done(table.path, table.close())


class SplitWriter(ShardWriter):
    """Writes the data shards and the metadata file of one split of one config.

    Args:
        folder, dimension, shard_bytes, schema: see `ShardWriter`.
        done: called once with the metadata file, too, at last.
        pixels: columns that the metadata file leaves out.
    """

    def __init__(
        self,
        folder: Path,
        dimension: Dimension,
        done: Done,
        *,
        shard_bytes: int = SHARD_BYTES,
        schema: Features | None = None,
        pixels: Collection[str] = PIXEL_COLUMNS,
    ) -> None:
        super().__init__(folder, dimension, done, shard_bytes=shard_bytes, schema=schema)
        stored = features(dimension) if schema is None else schema
        self._pixels = pixels
        self._metadata = Table(
            folder / METADATA_FILE,
            type(stored)(without_pixels(stored, pixels)).arrow_schema,
            2**30,
            METADATA_GROUP_ROWS,
            "ZSTD",
        )

    def add(self, values: Mapping[str, Any], portion: int = 0) -> None:
        """Add one record's values, also to the metadata."""
        super().add(values, portion)
        self.tell(values)

    def tell(self, values: Mapping[str, Any]) -> None:
        """Add what one record says to the metadata; its pixels are in a shard that somebody else has written."""
        self._metadata.add(without_pixels(values, self._pixels))

    def close(self) -> None:
        """Finish the last shard and the metadata file."""
        super().close()
        self._done(self._metadata.path, self._metadata.close())

    def discard(self) -> None:
        """Remove what is unfinished."""
        super().discard()
        self._metadata.discard()


def without_pixels(
    values: Mapping[str, Any], pixels: Collection[str] = PIXEL_COLUMNS, prefix: str = ""
) -> dict[str, Any]:
    """A row or a schema for config `metadata`: without the columns named in `pixels` ("image", "label.mask", …)."""
    inner = {name.partition(".")[0] for name in pixels if "." in name}
    return {
        key: without_pixels(value, pixels, f"{key}.") if key in inner and not prefix else value
        for key, value in values.items()
        if prefix + key not in pixels
    }


def pixel_bytes(value: Any) -> int:
    """Bytes of all pixels in a stored row."""
    if isinstance(value, bytes | bytearray | memoryview):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(pixel_bytes, value.values()))
    return sum(map(pixel_bytes, value)) if isinstance(value, list) else 0


def write_table(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> Shard:
    """Write a small Parquet file whole (config `preview`)."""
    table = Table(path, schema, 16 * 2**20, 1000, "NONE")
    for row in rows:
        table.add(row)
    return table.close()


def to_array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """An Arrow array of Python values; a lone large buffer is wrapped, not copied."""
    if pa.types.is_struct(kind):
        present = [value is not None for value in values]
        children = [
            to_array([None if value is None else value.get(field.name) for value in values], field.type)
            for field in kind
        ]
        mask = None if all(present) else pa.array([not each for each in present])
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)
    if pa.types.is_binary(kind):
        if len(values) == 1 and values[0] is not None:
            buffer = pa.py_buffer(values[0])
            offsets = pa.array([0, buffer.size], pa.int32()).buffers()[1]
            return pa.Array.from_buffers(kind, 1, [None, offsets, buffer])
        return pa.array([None if value is None else bytes(value) for value in values], kind)
    return pa.array(values, kind)


def _leaves(schema: pa.Schema) -> list[str]:
    """Parquet column paths, e.g. `image.bytes`, `label.legend.list.element.value`."""

    def walk(name: str, kind: pa.DataType) -> list[str]:
        if pa.types.is_struct(kind):
            return [leaf for field in kind for leaf in walk(f"{name}.{field.name}", field.type)]
        if pa.types.is_list(kind):
            return walk(f"{name}.list.element", kind.value_type)
        return [name]

    return [leaf for field in schema for leaf in walk(field.name, field.type)]
