"""What was built from what: `.medimg/manifest.json` of a published repository. State lives here, on the Hub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from medimg.schema import Dimension, Frozen

MANIFEST_PATH = ".medimg/manifest.json"
NOTICE: Mapping[str, str] = {"retired": "1"}
"""Fingerprint of the notice that stands where a dataset was."""
Origin = Literal["miniature", "source", "official"]
"""miniature: phantoms in the original layout; source: somebody's copy; official: the declared addresses."""


class Affected(Frozen):
    """Files under one reason: how many, and the first few paths."""

    count: int
    examples: tuple[str, ...] = ()


class Shard(Frozen):
    """One Parquet file: path in the repository, rows, bytes on disk, bytes before compression, digest."""

    path: str
    rows: int
    bytes: int
    raw_bytes: int
    sha256: str


class SplitStats(Frozen):
    """One split of one config."""

    rows: int
    subjects: int
    shards: tuple[Shard, ...]
    metadata: tuple[Shard, ...]
    withheld: int = 0
    """Rows that were built but not published, because their own license does not allow it."""

    @property
    def bytes(self) -> int:
        """Bytes of the data shards."""
        return sum(shard.bytes for shard in self.shards)


class Spread(Frozen):
    """How a number differs between images."""

    smallest: float
    median: float
    largest: float


class Measured(Frozen):
    """Sizes and values of the images of one sub-collection.

    Attributes:
        size: pixels or voxels, per axis as in the column `shape`.
        spacing: mm, per axis as in the column `spacing`; empty where no image states any.
        unsized: images that state none.
        types: of the stored values -> images.
        lowest, highest, mean, deviation: of the values (scaled as the header says), from evenly spaced samples of each
            image; None where nothing was decoded (videos).
    """

    size: tuple[Spread, ...]
    spacing: tuple[Spread, ...] = ()
    unsized: int = 0
    types: Mapping[str, int] = Field(default_factory=dict)
    lowest: float | None = None
    highest: float | None = None
    mean: float | None = None
    deviation: float | None = None


class ConfigStats(Frozen):
    """One sub-collection: counts by value, over all splits.

    `classes` counts rows per image-level class; `structures` rows whose mask holds that structure or finding (by the
    values that really occur in the mask); `boxes`, `points`, `measures`, `texts` count entries by name.
    """

    name: str
    dimension: Dimension
    splits: Mapping[str, SplitStats]
    modality: Mapping[str, int] = Field(default_factory=dict)
    organ: Mapping[str, int] = Field(default_factory=dict)
    task: Mapping[str, int] = Field(default_factory=dict)
    license: Mapping[str, int] = Field(default_factory=dict)
    classes: Mapping[str, int] = Field(default_factory=dict)
    uncertain: Mapping[str, int] = Field(default_factory=dict)
    structures: Mapping[str, int] = Field(default_factory=dict)
    boxes: Mapping[str, int] = Field(default_factory=dict)
    points: Mapping[str, int] = Field(default_factory=dict)
    measures: Mapping[str, int] = Field(default_factory=dict)
    texts: Mapping[str, int] = Field(default_factory=dict)
    withheld: Mapping[str, int] = Field(default_factory=dict)
    """License -> rows that were built but not published, because it does not allow it."""
    measured: Measured | None = None

    @property
    def rows(self) -> int:
        """Published rows over all splits."""
        return sum(split.rows for split in self.splits.values())


def counted(configs: Iterable[ConfigStats], kind: str) -> dict[str, int]:
    """Counts of one kind (`modality`, `classes`, `license`, …) over several configs, the commonest first."""
    total: Counter[str] = Counter()
    for config in configs:
        total.update(getattr(config, kind))
    return dict(sorted(total.items(), key=lambda one: (-one[1], one[0])))


class Finding(Frozen):
    """One result of the checks before publishing, shown in the card's data-quality section."""

    level: Literal["error", "warning", "note"]
    check: str
    message: str
    count: int = 1
    examples: tuple[str, ...] = ()


class Manifest(Frozen):
    """The whole. `fingerprint` says what the build depends on; equal fingerprints mean that nothing is rebuilt."""

    name: str
    medimg: str
    schema_version: str
    origin: Origin
    fingerprint: Mapping[str, str]
    configs: tuple[ConfigStats, ...] = ()
    preview: Shard | None = None
    assets: Mapping[str, str] = Field(default_factory=dict)
    """Path -> sha256 of the card's pictures."""
    skipped: Mapping[str, Affected] = Field(default_factory=dict)
    """Reason -> files of the source that are no row."""
    incomplete: Mapping[str, Affected] = Field(default_factory=dict)
    """Reason -> files whose row lacks something that the source is expected to say."""
    private: Mapping[str, int] = Field(default_factory=dict)
    """Keys and places in files of what the source says and no row may tell -> rows; never a value."""
    findings: tuple[Finding, ...] = ()
    tag: str | None = None
    """Version tag of this data. It is set when the revision was read back: without it, nobody has verified it yet."""
    texts: Mapping[str, str] = Field(default_factory=dict)
    """What the texts were rendered from (`inputs`), and path -> git blob id: equal ones are not rendered anew."""

    @field_validator("skipped", mode="before")
    @classmethod
    def _by_reason(cls, value: Any) -> Any:
        """Manifests of 0.1 list every file with its reason."""
        if isinstance(value, Mapping):
            return value
        found: dict[str, list[str]] = {}
        for path, reason in value:
            found.setdefault(reason, []).append(path)
        return {reason: Affected(count=len(paths), examples=tuple(paths[:5])) for reason, paths in found.items()}

    def config(self, name: str) -> ConfigStats | None:
        """What is published of a sub-collection; None where nothing is."""
        return next((each for each in self.configs if each.name == name), None)

    @property
    def retired(self) -> bool:
        """Whether it is the notice of a dataset that was taken back."""
        return dict(self.fingerprint) == dict(NOTICE)

    @property
    def rows(self) -> int:
        """Published rows over all configs."""
        return sum(config.rows for config in self.configs)

    @property
    def data(self) -> list[Shard]:
        """Files of the rows."""
        splits = [split for config in self.configs for split in config.splits.values()]
        return [shard for split in splits for shard in (*split.shards, *split.metadata)]

    @property
    def withheld(self) -> dict[str, int]:
        """License -> rows that were built but not published, over all configs."""
        found: Counter[str] = Counter()
        for config in self.configs:
            found.update(config.withheld)
        return dict(found)

    def to_json(self) -> str:
        """Stable JSON text."""
        return self.model_dump_json(indent=1) + "\n"
