"""State of a fused repository: `.medimg/manifest.json`, in a form of its own beside `medimg.manifest`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from medimg.licenses import Combined
from medimg.manifest import Origin, Shard, SplitStats
from medimg.schema import Dimension, Frozen

Mode = Literal["remapped", "verbatim"]
"""remapped: own shards with masks in one label space; verbatim: copies of the members' shards."""


class FusedMember(Frozen):
    """One member as it was read.

    Attributes:
        key: `<name>`, or `<name>/<config>`.
        license: SPDX id or LicenseRef-….
        origin: of the member's rows.
        repo, revision: what was read from a Hub; None for a source of one's own.
        state: digest of everything that the member's rows depend on.
        rows: split of the fused set -> rows in this repository.
        withheld: rows that stayed out because their own license does not let them be passed on.
    """

    key: str
    name: str
    config: str
    license: str
    origin: Origin
    state: str
    repo: str | None = None
    revision: str | None = None
    rows: Mapping[str, int] = Field(default_factory=dict)
    withheld: int = 0


class Duplicates(Frozen):
    """What the search for equal images and shared subjects found.

    Attributes:
        compared: rows; `signed`: of those, how many were also compared by their pixels.
        counts: (member, member that stays, reason, rows).
        examples: sentences, one per row, the first of them only.
        dropped: whether these rows were left out; False: files were copied whole, and they are still here.
        merged, lost: target -> rows that got a statement on it from a copy, and copies whose statement went with them.
        not_compared: member -> what of it was not compared, and why.
        warnings: what a person should look at.
    """

    compared: int
    signed: int
    counts: tuple[tuple[str, str, str, int], ...] = ()
    examples: tuple[str, ...] = ()
    dropped: bool = True
    merged: Mapping[str, int] = Field(default_factory=dict)
    lost: Mapping[str, int] = Field(default_factory=dict)
    not_compared: Mapping[str, str] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class FusedManifest(Frozen):
    """The whole. Equal `fingerprint`: nothing is built again.

    Attributes:
        configs: Hub config -> split -> files. Remapped: `default` alone; verbatim: one per member.
        plan: `Plan.to_dict()`, without addresses of this computer.
        terms: license of the set.
        duplicates: None where there was nothing to compare.
        previews: files of config `preview`.
        assets: path -> sha256 of the card's pictures.
    """

    kind: Literal["fused"] = "fused"
    name: str
    title: str
    medimg: str
    schema_version: str
    mode: Mode
    origin: Origin
    dimension: Dimension
    fingerprint: Mapping[str, str]
    members: tuple[FusedMember, ...]
    configs: Mapping[str, Mapping[str, SplitStats]]
    plan: Mapping[str, Any]
    terms: Combined
    duplicates: Duplicates | None = None
    previews: tuple[Shard, ...] = ()
    assets: Mapping[str, str] = Field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Published rows."""
        return sum(stats.rows for splits in self.configs.values() for stats in splits.values())

    @property
    def targets(self) -> list[str]:
        """The label space; copies have none."""
        return [] if self.mode == "verbatim" else list(self.plan["semantic_alignment"]["targets"].values())

    def every(self, kind: str) -> list[str]:
        """Terms of one kind (`modality`, `organ`, `task`) of all members, each once."""
        members = self.plan["metadata_harmonization"]["members"].values()
        return list(dict.fromkeys(name for member in members for name in member[kind]))

    @property
    def files(self) -> list[Shard]:
        """All Parquet files."""
        every = [stats for splits in self.configs.values() for stats in splits.values()]
        return [*(shard for stats in every for shard in (*stats.shards, *stats.metadata)), *self.previews]

    def to_json(self) -> str:
        """Stable JSON text."""
        return self.model_dump_json(indent=1) + "\n"
