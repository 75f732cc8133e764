"""Compare what a Hub serves with its manifest: through plain `datasets`, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from medimg import layout, registry
from medimg.hub_sync.publish import Hub, Published
from medimg.manifest import Manifest, Shard

READBACK = Path(__file__).with_name("readback.py")


def verify(hub: Hub, names: Iterable[str], *, deep: bool = False) -> dict[str, list[str]]:
    """Problems by dataset; an empty list means that the published revision equals its manifest.

    Args:
        hub: where to look.
        names: datasets that should be published.
        deep: decode every row, not only the first of each split.
    """
    problems: dict[str, list[str]] = {}
    wishes: dict[str, dict[str, Any]] = {}
    found: dict[str, Published] = {}
    for name in names:
        state = hub.published(name)
        problems[name] = stored(state)
        if state.manifest is not None and state.manifest.rows:
            wishes[hub.repo(name)] = {"revision": state.sha, "deep": deep}
            found[name] = state
    report = _read_back(hub, wishes) if wishes else {}
    for name, state in found.items():
        assert state.manifest is not None
        problems[name] += compare(
            name, state.manifest, report.get(hub.repo(name), {"error": "no answer"}), deep=deep
        )
    return problems


def stored(state: Published) -> list[str]:
    """What is wrong with the files of a repository, without reading them."""
    if state.sha is None:
        return ["there is no such repository"]
    if state.manifest is None:
        return ["there is no manifest"]
    problems = [] if state.card else ["there is no card"]
    for shard in shards(state.manifest):
        digest = state.files.get(shard.path)
        if digest is None:
            problems.append(f"{shard.path} is missing")
        elif len(digest) == 64 and digest != shard.sha256:
            problems.append(f"{shard.path} has sha256 {digest[:12]}, the manifest says {shard.sha256[:12]}")
    listed = {shard.path for shard in shards(state.manifest)}
    problems += [
        f"{path} is not in the manifest"
        for path in state.files
        if path.endswith(".parquet") and path not in listed
    ]
    return problems


def shards(manifest: Manifest) -> list[Shard]:
    """All Parquet files of a manifest."""
    every = [] if manifest.preview is None else [manifest.preview]
    for config in manifest.configs:
        for split in config.splits.values():
            every += [*split.shards, *split.metadata]
    return every


def compare(name: str, manifest: Manifest, report: Mapping[str, Any], *, deep: bool) -> list[str]:
    """Differences between what plain `datasets` read and the manifest."""
    if "error" in report:
        return [f"plain datasets cannot load it: {report['error']}"]
    dataset = registry.get(name).dataset
    globs = layout.data_globs(dataset, layout.published(manifest))
    problems = []
    if set(report["configs"]) != set(globs):
        problems.append(f"configs are {sorted(report['configs'])}, expected {sorted(globs)}")
    expected: dict[str, int] = {}
    for config in manifest.configs:
        for split, stats in config.splits.items():
            if stats.rows:
                expected[split] = expected.get(split, 0) + stats.rows
    metadata = report["configs"].get(layout.METADATA, {})
    counted = {split: found["rows"] for split, found in metadata.items()}
    if counted != expected:
        problems.append(f"config metadata holds {counted} rows, the manifest {expected}")
    ids = [each for found in metadata.values() for each in found["ids"]]
    if len(set(ids)) != len(ids):
        problems.append("ids are not unique")
    for config_name, splits in report["configs"].items():
        for split, found in splits.items():
            if found["features"] != str(layout.config_features(dataset, config_name)):
                problems.append(f"{config_name}/{split}: the features are not the schema's")
            if config_name != layout.METADATA and not found["decoded"]:
                problems.append(f"{config_name}/{split}: no image was decoded")
            if config_name not in (layout.METADATA, layout.PREVIEW):
                strange = set(found["ids"]) - set(ids)
                if strange:
                    problems.append(
                        f"{config_name}/{split}: ids that config metadata lacks: {sorted(strange)[:3]}"
                    )
    if deep and not problems:
        for config in manifest.configs:
            hub_config = config.name if config.name in report["configs"] else layout.DEFAULT
            for split, stats in config.splits.items():
                seen = report["configs"].get(hub_config, {}).get(split, {}).get("rows", 0)
                if stats.rows and seen != stats.rows:
                    problems.append(
                        f"{hub_config}/{split}: {seen} rows decoded, the manifest says {stats.rows}"
                    )
    return problems


def _read_back(hub: Hub, wishes: Mapping[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="medimg-verify-") as folder:
        environment = {
            **os.environ,
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": folder,
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        token = hub.api.token
        if isinstance(token, str):
            environment["HF_TOKEN"] = token
        # A folder named like the repository in the current directory would win over the Hub: hence cwd.
        done = subprocess.run(
            [sys.executable, str(READBACK)],
            input=json.dumps({"repos": wishes}),
            capture_output=True,
            text=True,
            cwd=folder,
            env=environment,
            check=False,
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        return {
            repo: {"error": f"the reader ended with code {done.returncode}: {lines[-1]}"} for repo in wishes
        }
    report: dict[str, Any] = json.loads(done.stdout)
    return report
