"""The files of one split: how they are written, and their places in the repository."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medimg import layout
from medimg.hub_sync import manifests
from medimg.hub_sync.building.shards import METADATA_FILE, SplitWriter
from medimg.manifest import Shard, SplitStats
from medimg.schema import Dimension


@dataclass
class SplitFiles:
    """A split that is being written.

    Attributes:
        writer: of its rows.
        shards, metadata: finished files.
        subjects: of its rows.
        rows, withheld: how many are published, and how many may not be.
    """

    writer: SplitWriter
    shards: list[tuple[Path, Shard]] = field(default_factory=list)
    metadata: list[tuple[Path, Shard]] = field(default_factory=list)
    subjects: set[Hashable] = field(default_factory=set)
    rows: int = 0
    withheld: int = 0

    @classmethod
    def open(
        cls,
        stack: ExitStack,
        folder: Path,
        place: tuple[str, str],
        dimension: Dimension,
        on_shard: Callable[[Path], object],
        **wishes: Any,
    ) -> SplitFiles:
        """Begin a split.

        Args:
            stack: closes the writer.
            folder: of all splits.
            place: config and split.
            dimension: of the rows.
            on_shard: called with each finished data shard.
            wishes: for `SplitWriter`.
        """
        config, name = place
        layout.shard_path(config, name, 0, 1)  # refuses names that are unsafe in a path
        made: SplitFiles

        def done(path: Path, shard: Shard) -> None:
            if path.name == METADATA_FILE:
                made.metadata.append((path, shard))
            else:
                made.shards.append((path, shard))
                on_shard(path)

        made = cls(stack.enter_context(SplitWriter(folder / config / name, dimension, done, **wishes)))
        return made

    def placed(self, config: str, name: str, files: dict[str, Path]) -> SplitStats:
        """The split with places in the repository; these are added to `files`."""
        count = len(self.shards)
        shards = [(layout.shard_path(config, name, index, count), *each) for index, each in enumerate(self.shards)]
        metadata = [(layout.metadata_path(config, name), *each) for each in self.metadata if self.rows]
        files |= {target: path for target, path, _ in (*shards, *metadata)}
        return SplitStats(
            rows=self.rows,
            subjects=len(self.subjects),
            shards=tuple(manifests.placed(shard, target) for target, _, shard in shards),
            metadata=tuple(manifests.placed(shard, target) for target, _, shard in metadata),
            withheld=self.withheld,
        )
