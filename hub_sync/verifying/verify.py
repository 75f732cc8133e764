"""Compare what a Hub serves with its manifest: through plain `datasets`, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from medimg import layout, policy, registry
from medimg.declaration import Dataset
from medimg.hub_sync import manifests
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.state import Published
from medimg.hub_sync.scratch import scratch
from medimg.hub_sync.withdrawing import withdrawal
from medimg.manifest import Manifest

READBACK = Path(__file__).with_name("readback.py")


class Reader:
    """A process that loads with plain `datasets`; started when it is first asked or will be soon, used with `with`.

    Args:
        hub: where to read.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._process: subprocess.Popen[str] | None = None
        self._stack = contextlib.ExitStack()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def soon(self) -> None:
        """Start it while there is other work: its imports take seconds."""
        if self._process is None:
            self._start()

    def read(self, repo: str, revision: str | None, *, deep: bool) -> dict[str, Any]:
        """What plain `datasets` finds in one repository; {"error": …} where it cannot load it. One asks at a time."""
        with self._lock:
            return self._read(repo, revision, deep)

    def _read(self, repo: str, revision: str | None, deep: bool) -> dict[str, Any]:
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        wish = {"repo": repo, "revision": revision, "deep": deep}
        try:
            process.stdin.write(json.dumps(wish) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        code = process.wait()
        self._log.seek(0)
        said = self._log.read().decode("utf-8", "replace").strip().splitlines() or ["no message"]
        self.close()
        return {"error": f"the reader ended with code {code}: {said[-1]}"}

    def _start(self) -> subprocess.Popen[str]:
        # A folder named like the repository in the current directory would win over the Hub: hence cwd.
        place = self._stack.enter_context(scratch("verify"))
        folder = str(place.path)
        self._log = self._stack.enter_context(tempfile.TemporaryFile())
        environment = {
            **os.environ,
            "HF_ENDPOINT": self._hub.endpoint,
            "HF_HOME": folder,
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "MEDIMG_READBACK_WAIT": str(self._hub.patience.first),
        }
        token = self._hub.api.token
        if isinstance(token, str):
            environment["HF_TOKEN"] = token
        self._process = subprocess.Popen(
            [sys.executable, str(READBACK)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=folder,
            env=environment,
            pass_fds=[place.lock],
        )
        return self._process

    def close(self) -> None:
        """End it; it is started again when it is asked."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None and process.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        self._stack.close()


def verify(
    hub: Hub,
    names: Iterable[str],
    *,
    deep: bool = False,
    history: bool = False,
    reader: Reader | None = None,
) -> dict[str, list[str]]:
    """Problems by dataset; an empty list means that the published revision equals its manifest and may be shown.

    Args:
        hub: where to look.
        names: datasets that should be published.
        deep: read every byte and decode every row, not only the first of each split.
        history: look also for earlier revisions with rows that may not be shown any more.
        reader: one that runs already.
    """
    if reader is None:
        with Reader(hub) as own:
            return verify(hub, names, deep=deep, history=history, reader=own)
    problems: dict[str, list[str]] = {}
    for name in names:
        state = hub.published(name)
        problems[name] = stored(state)
        if history:
            problems[name] += withdrawal.problems(hub, name, state)
        if state.manifest is None or not state.manifest.rows:
            continue
        problems[name] += unlicensed(name, state.manifest)
        if deep:
            problems[name] += digests(hub, name, state)
        report = reader.read(hub.repo(name), state.sha, deep=deep)
        problems[name] += compare(name, state.manifest, report, deep=deep)
    return problems


def unlicensed(name: str, manifest: Manifest) -> list[str]:
    """Published rows that their license does not let out, as the table of licenses stands today."""
    return [
        f"{count:,} rows are published under {id}, which does not allow it; build it again without them "
        f"(medimg sync {name} --source <root>) or take it down (medimg retire {name})"
        for id, count in policy.forbidden(registry.get(name).dataset, manifest).items()
    ]


def digests(hub: Hub, name: str, state: Published) -> list[str]:
    """Files whose bytes are not those of the manifest; every byte is read."""
    assert state.manifest is not None
    expected = {shard.path: shard.sha256 for shard in manifests.shards(state.manifest)} | dict(state.manifest.assets)
    problems = []
    for path, digest in expected.items():
        if path in state.files and (found := hub.digest(name, path, state.sha)) != digest:
            problems.append(f"the bytes of {path} have sha256 {found[:12]}, the manifest says {digest[:12]}")
    return problems


def stored(state: Published) -> list[str]:
    """What is wrong with the files of a repository, without reading them."""
    if state.sha is None:
        return ["there is no such repository"]
    if state.manifest is None:
        return ["there is no manifest"]
    problems = [] if layout.CARD_PATH in state.files else ["there is no card"]
    for shard in manifests.shards(state.manifest):
        digest = state.files.get(shard.path)
        if digest is None:
            problems.append(f"{shard.path} is missing")
        elif len(digest) == 64 and digest != shard.sha256:
            problems.append(f"{shard.path} has sha256 {digest[:12]}, the manifest says {shard.sha256[:12]}")
    listed = {shard.path for shard in manifests.shards(state.manifest)}
    problems += [
        f"{path} is not in the manifest" for path in state.files if path.endswith(".parquet") and path not in listed
    ]
    return problems


def compare(name: str, manifest: Manifest, report: Mapping[str, Any], *, deep: bool) -> list[str]:
    """Differences between what plain `datasets` read and the manifest."""
    if "error" in report:
        return [f"plain datasets cannot load it: {report['error']}"]
    dataset = registry.get(name).dataset
    globs = layout.data_globs(dataset, layout.published(manifest))
    found: Mapping[str, Any] = report["configs"]
    problems = []
    if set(found) != set(globs):
        problems.append(f"configs are {sorted(found)}, expected {sorted(globs)}")
    problems += _metadata_differs(manifest, found.get(layout.METADATA, {}))
    listed = [
        line
        for split in found.get(layout.METADATA, {}).values()
        for line in zip(split["ids"], split["contents"], strict=True)
    ]
    contents = dict(listed)
    if len(contents) != len(listed):
        problems.append("ids are not unique")
    for config, splits in found.items():
        for split, each in splits.items():
            problems += [f"{config}/{split}: {problem}" for problem in _rows_differ(dataset, config, each, contents)]
    return problems or (_counts_differ(manifest, found) if deep else [])


def _metadata_differs(manifest: Manifest, metadata: Mapping[str, Any]) -> list[str]:
    expected: dict[str, int] = {}
    for config in manifest.configs:
        for split, stats in config.splits.items():
            if stats.rows:
                expected[split] = expected.get(split, 0) + stats.rows
    counted = {split: found["rows"] for split, found in metadata.items()}
    return [] if counted == expected else [f"config metadata holds {counted} rows, the manifest {expected}"]


def _rows_differ(dataset: Dataset, config: str, found: Mapping[str, Any], contents: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the rows that were read of one split; `contents` are those of config `metadata` by id."""
    if found["features"] != str(layout.config_features(dataset, config)):
        yield "the features are not the schema's"
    if config != layout.METADATA and not found["decoded"]:
        yield "no image was decoded"
    if config in (layout.METADATA, layout.PREVIEW):
        return
    if strange := set(found["ids"]) - set(contents):
        yield f"ids that config metadata lacks: {sorted(strange)[:3]}"
    elif any(contents[id] != each for id, each in zip(found["ids"], found["contents"], strict=True)):
        yield "content hashes differ from config metadata"


def _counts_differ(manifest: Manifest, found: Mapping[str, Any]) -> list[str]:
    problems = []
    for config in manifest.configs:
        hub_config = config.name if config.name in found else layout.DEFAULT
        for split, stats in config.splits.items():
            seen = found.get(hub_config, {}).get(split, {}).get("rows", 0)
            if stats.rows and seen != stats.rows:
                problems.append(f"{hub_config}/{split}: {seen} rows decoded, the manifest says {stats.rows}")
    return problems
