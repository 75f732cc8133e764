"""What is on the Hub of a fused set: its manifest, its features, and whether they agree with what is read there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from medimg import layout, schema
from medimg.fused_manifest import FusedManifest
from medimg.fusion.errors import FusionError
from medimg.fusion.labels import fused_features
from medimg.hub_sync.building.shards import without_pixels
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.state import Published
from medimg.hub_sync.verifying.verify import Reader
from medimg.hub_sync.withdrawing import withdrawal
from medimg.schema import PIXEL_COLUMNS

if TYPE_CHECKING:
    from datasets import Features


PIXELS = (*PIXEL_COLUMNS, "fused.mask", "fused.channels")
"""Columns of a fused row that hold pixels."""


def verify(hub: Hub, name: str) -> list[str]:
    """What is wrong with a published fused set, as plain `datasets` reads it; empty where nothing is."""
    state, manifest = published(hub, name)
    if manifest is None:
        return ["there is no fused set"]
    problems = [f"{path} is missing" for path in missing(manifest, state)]
    problems += [
        f"{rows:,} rows are shown that may not be any more: {reason}"
        for reason, rows in withdrawal.withdrawn_rows(manifest, withdrawal.Retired(hub)).items()
    ]
    problems += withdrawal.problems(hub, name, state)
    with Reader(hub) as reader:
        report = reader.read(hub.repo(name), state.sha, deep=False)
    if "error" in report:
        return [*problems, f"plain datasets cannot load it: {report['error']}"]
    expected = features(manifest)
    if set(report["configs"]) != set(expected):
        problems.append(f"configs are {sorted(report['configs'])}, expected {sorted(expected)}")
        return problems
    counted: Counter[str] = Counter()
    for splits in manifest.configs.values():
        counted.update({split: stats.rows for split, stats in splits.items()})
    metadata = report["configs"][layout.METADATA]
    if {split: found["rows"] for split, found in metadata.items()} != dict(counted):
        problems.append("config metadata does not hold the rows that the manifest counts")
    ids = [each for found in metadata.values() for each in found["ids"]]
    if len(set(ids)) != len(ids):
        problems.append("ids are not unique")
    for config, found in report["configs"].items():
        for split, each in found.items():
            if each["features"] != str(expected[config]):
                problems.append(f"{config}/{split}: the features are not the schema's")
            if config != layout.METADATA and (not each["decoded"] or set(each["ids"]) - set(ids)):
                problems.append(f"{config}/{split}: no image was decoded, or rows are not in config metadata")
    return problems


def features(manifest: FusedManifest) -> dict[str, Features]:
    """Stored features of every Hub config."""
    dimension = manifest.dimension
    shown = {layout.PREVIEW: layout.preview_features()} if manifest.previews else {}
    if manifest.mode == "remapped":
        fused = fused_features(dimension)
        return {layout.DEFAULT: fused, layout.METADATA: type(fused)(without_pixels(fused, PIXELS)), **shown}
    own = {name: schema.features(dimension) for name in (layout.DEFAULT, *manifest.configs)}
    return {**own, layout.METADATA: schema.metadata_features(dimension), **shown}


# what is on the Hub


def published(hub: Hub, name: str) -> tuple[Published, FusedManifest | None]:
    """The state of the repository; refuses one that this module has not written.

    Raises:
        FusionError: the repository holds something else.
    """
    state, found = hub.found(name)
    fused = withdrawal.is_fused(found)
    foreign = [path for path in state.files if path not in (".gitattributes", layout.CARD_PATH)]
    if not fused and (found is not None or foreign):
        raise FusionError(
            f"{hub.repo(name)} holds something else than a fused set (e.g. {foreign[0]})",
            next_step="take another name.",
        )
    return state, FusedManifest.model_validate_json(found) if found is not None else None


def missing(manifest: FusedManifest, state: Published) -> list[str]:
    """Files of the manifest that are not there, or are others."""
    return [shard.path for shard in manifest.files if state.files.get(shard.path) != shard.sha256]
