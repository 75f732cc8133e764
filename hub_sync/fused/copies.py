"""Copies of the members' shards, made within the Hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from huggingface_hub import CommitOperationCopy

from medimg import layout, licenses
from medimg.errors import LicenseError
from medimg.fused_manifest import FusedManifest, FusedMember
from medimg.fusion.choices import split_fused
from medimg.fusion.errors import FusionError
from medimg.fusion.report import Report
from medimg.hub_sync import manifests
from medimg.hub_sync.fused.terms import refuse_no_derivatives
from medimg.hub_sync.fused.work import Work, order
from medimg.hub_sync.pushing.state import Published
from medimg.manifest import ConfigStats, Manifest, Shard, SplitStats


def refuse_duplicates(report: Report, request: Mapping[str, Any]) -> None:
    """Raises FusionError where files that are copied whole would hold rows that are to be left out."""
    if report.dropped and request.get("on_duplicate", "drop") != "keep":
        raise FusionError(
            f"{len(report.dropped)} rows are duplicates or stand in two splits (e.g. {report.dropped[0].why}), and "
            "files that are copied whole cannot leave them out",
            next_step="push without --verbatim, or with --on-duplicate keep: then the card lists them.",
        )


# copies


def copied(
    work: Work, members: Iterable[FusedMember], head: Mapping[str, Any], state: Published
) -> tuple[FusedManifest, dict[str, CommitOperationCopy]]:
    """Every shard of the members' asked splits, under `data/<member>/`; no byte passes through here."""
    files: dict[str, CommitOperationCopy] = {}
    configs: dict[str, dict[str, SplitStats]] = {}
    told = []
    previews: list[Shard] = []
    wanted = {member.key: {split.split for split in member.splits} for member in work.plan.members}

    def copy(member: FusedMember, shard: Shard, target: str) -> Shard:
        if state.files.get(target) != shard.sha256:
            files[target] = CommitOperationCopy(
                src_path_in_repo=shard.path,
                path_in_repo=target,
                src_revision=member.revision,
                src_repo_id=member.repo,
                src_repo_type="dataset",
            )
        return manifests.placed(shard, target)

    def copies(member: FusedMember, kind: str, split: str, shards: Sequence[Shard]) -> tuple[Shard, ...]:
        paths = (layout.shard_path(member.key.replace("/", "."), split, n, len(shards)) for n in range(len(shards)))
        return tuple(
            copy(member, shard, path.replace("data/", f"{kind}/", 1)) for shard, path in zip(shards, paths, strict=True)
        )

    for member in members:
        name = member.key.replace("/", ".")
        manifest = _manifest(work, member)
        found: dict[str, list[SplitStats]] = {}
        for split, stats in _config(manifest, member).splits.items():
            if split in wanted[member.key] and stats.rows:
                found.setdefault(split_fused(split), []).append(stats)
        splits = {}
        for split in sorted(found, key=order):
            splits[split] = SplitStats(
                rows=sum(stats.rows for stats in found[split]),
                subjects=sum(stats.subjects for stats in found[split]),
                shards=copies(member, "data", split, [shard for stats in found[split] for shard in stats.shards]),
                metadata=copies(
                    member, "metadata", split, [shard for stats in found[split] for shard in stats.metadata]
                ),
            )
        if splits:
            configs[name] = splits
        if manifest.preview is not None and _is_whole(manifest, member.config, found):
            previews.append(copy(member, manifest.preview, f"preview/{name}.parquet"))
        rows = {split: stats.rows for split, stats in splits.items()}
        told.append(member.model_copy(update={"rows": rows}))
    if not configs:
        raise FusionError("the members have no published rows", next_step="look at the plan.")
    made = FusedManifest(**head, members=tuple(told), configs=configs, previews=tuple(previews))
    return made, files


def _manifest(work: Work, member: FusedMember) -> Manifest:
    """What is published of a member, whose files may be copied. Raises FusionError, LicenseError."""
    published, manifest = work.read(member.name)
    if published.sha != member.revision:
        raise FusionError(f"{member.key} changed meanwhile", next_step="push again.")
    for id in _config(manifest, member).license:
        refuse_no_derivatives(member.key, id)
        if (asked := work.plan.request.license_terms) and not licenses.allowed(id, asked):
            raise LicenseError(
                f"{member.key} has rows under {id}, which is not what was asked for, and files are copied whole.",
                next_step="push without --verbatim.",
            )
    return manifest


def _config(manifest: Manifest, member: FusedMember) -> ConfigStats:
    config = manifest.config(member.config)
    assert config is not None  # a plan has no member without it
    return config


def _is_whole(manifest: Manifest, config: str, taken: Mapping[str, Sequence[SplitStats]]) -> bool:
    """Whether all rows of a dataset are taken, so that none is in its preview that is not in the set."""
    rows = sum(stats.rows for each in taken.values() for stats in each)
    return rows == manifest.rows and all(each.name == config for each in manifest.configs if each.rows)
