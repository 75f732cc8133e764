"""Manifests of datasets: made, read, and changed, here alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medimg import __version__
from medimg.errors import HubError
from medimg.manifest import MANIFEST_PATH, Affected, Manifest, Origin, Shard
from medimg.report import OTHER, Reason
from medimg.schema import SCHEMA_VERSION

EXAMPLES = 5
REASONS = 100
"""Different reasons that the manifest keeps apart; rarer ones are counted together."""


def made(name: str, origin: Origin, fingerprint: Mapping[str, str], **found: Any) -> Manifest:
    """A manifest of this version of medimg.

    Args:
        fingerprint: what it was made from.
        found: further fields; without them it holds no data.
    """
    return Manifest(
        name=name,
        medimg=__version__,
        schema_version=SCHEMA_VERSION,
        origin=origin,
        fingerprint=fingerprint,
        **found,
    )


def read(text: str, name: str) -> Manifest:
    """The manifest of a dataset's repository. Raises HubError where it cannot be read."""
    try:
        return Manifest.model_validate_json(text)
    except ValueError as error:
        raise HubError(
            "the published manifest cannot be read; it was written by a newer version, or by hand",
            dataset=name,
            file=MANIFEST_PATH,
            next_step=f"Update medimg; or delete {MANIFEST_PATH} on the Hub, then sync builds anew.",
        ) from error


def with_pictures(manifest: Manifest, preview: Shard, assets: Mapping[str, str]) -> Manifest:
    """With config `preview`, and the card's pictures (path -> sha256)."""
    return manifest.model_copy(update={"preview": preview, "assets": assets})


def tagged(manifest: Manifest, tag: str) -> Manifest:
    """With the version tag of its data."""
    return manifest.model_copy(update={"tag": tag})


def with_texts(manifest: Manifest, texts: Mapping[str, str]) -> Manifest:
    """With the digests of its texts, and of what these were rendered from."""
    return manifest.model_copy(update={"texts": texts})


def placed(shard: Shard, path: str) -> Shard:
    """A file at its place in the repository."""
    return shard.model_copy(update={"path": path})


def by_reason(reasons: Mapping[str, Reason]) -> dict[str, Affected]:
    """Of a report, what a manifest keeps: the commonest reasons, and the others in one."""
    commonest = sorted(reasons.items(), key=lambda one: (one[0] == OTHER, -one[1].count, one[0]))
    apart, rest = commonest[:REASONS], commonest[REASONS:]
    found = {text: Affected(count=one.count, examples=tuple(one.examples[:EXAMPLES])) for text, one in apart}
    if rest:
        examples = [path for _, one in rest for path in one.examples[:1]]
        found[OTHER] = Affected(count=sum(one.count for _, one in rest), examples=tuple(examples[:EXAMPLES]))
    return found


def shards(manifest: Manifest) -> list[Shard]:
    """All Parquet files."""
    return [*([] if manifest.preview is None else [manifest.preview]), *manifest.data]
