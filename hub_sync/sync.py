"""Plan, build, check, push, verify. One dataset at a time; each becomes visible in one commit or not at all."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from medimg import __version__, cards, layout, registry
from medimg.cards.card import gates
from medimg.errors import MedimgError, SourceRequiredError, UnknownDatasetError
from medimg.files import Files
from medimg.hub_sync.build import Built, build
from medimg.hub_sync.fingerprint import changed, fingerprint
from medimg.hub_sync.publish import Hub, Published, Upload
from medimg.hub_sync.verify import verify
from medimg.licenses import Verdict
from medimg.loading import OFFICIAL, locate_source, open_source
from medimg.manifest import MANIFEST_PATH, Manifest, Origin
from medimg.phantom import Phantom
from medimg.registry import Builder
from medimg.schema import SCHEMA_VERSION

Status = Literal["published", "unchanged", "card-only", "blocked", "failed"]


@dataclass(frozen=True)
class Plan:
    """What sync would do with one dataset.

    `action` is build, card (text only), none, blocked (license or source), or absent (not in the source, and all
    datasets were asked for).
    """

    name: str
    action: Literal["build", "card", "none", "blocked", "absent"]
    reason: str
    origin: Origin
    source: str | None = None
    fingerprint: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What sync did with one dataset."""

    name: str
    status: Status
    reason: str = ""
    commits: int = 0
    rows: int = 0
    uploaded_bytes: int = 0
    seconds: float = 0.0
    publish: str = ""
    address: str = ""

    @property
    def good(self) -> bool:
        """Whether this is no reason for a non-zero exit code."""
        return self.status in ("published", "unchanged", "card-only")


class Watcher:
    """Told about progress; the terminal overrides it."""

    def start(self, plan: Plan) -> None:
        """A dataset begins."""

    def row(self, name: str, rows: int, size: int) -> None:
        """Rows were built."""

    def end(self, result: Result) -> None:
        """A dataset is done."""


@contextlib.contextmanager
def opened(plan: Plan, builder: Builder) -> Iterator[Files]:
    """The source of a plan; a miniature is written to a temporary folder first."""
    if plan.origin == "miniature":
        with tempfile.TemporaryDirectory(prefix=f"medimg-{plan.name}-") as folder:
            builder.miniature(Phantom(Path(folder)))
            with Files.open(folder, dataset=plan.name) as files:
                yield files
    else:
        assert plan.source is not None
        with open_source(builder, plan.source) as files:
            yield files


def make_plan(builder: Builder, hub: Hub, state: Published, source: str | None, *, asked: bool) -> Plan:
    """Compare the source's fingerprint with the published manifest.

    Args:
        builder: the dataset.
        hub: where to publish.
        state: what is published now.
        source: root folder of originals, "official", or None for the miniature.
        asked: the dataset was named by the user, so that a missing source is an error.
    """
    dataset = builder.dataset
    origin: Origin = "miniature" if source is None else "official" if source == OFFICIAL else "source"

    def plan(
        action: Literal["build", "card", "none", "blocked", "absent"], reason: str, place: str | None = None
    ) -> Plan:
        return Plan(dataset.name, action, reason, origin, place)

    if dataset.publish is Verdict.RECIPE:
        return plan("card", f"recipe only: {dataset.license} does not allow redistribution")
    if origin == "miniature":
        if not hub.embedded:
            return plan(
                "blocked",
                "phantoms are published on an embedded Hub only; pass SOURCE=<root> or SOURCE=official",
            )
        if state.manifest is not None and state.manifest.origin != "miniature" and state.manifest.rows:
            return plan("none", f"holds rows of the {state.manifest.origin}; phantoms never replace them")
        prints = fingerprint(builder, None, origin)
        place = None
    else:
        place = OFFICIAL if origin == "official" else locate_source(str(source), dataset.name)
        if place is None:
            step = f"put the original below {Path(str(source)) / dataset.name}"
            return plan(
                "blocked" if asked else "absent",
                f"no source: {step}" + (f" ({dataset.how})" if dataset.how else ""),
            )
        try:
            with open_source(builder, place) as files:
                prints = fingerprint(builder, files, origin)
        except SourceRequiredError as error:
            return plan("blocked" if asked else "absent", str(error))
    old = dict(state.manifest.fingerprint) if state.manifest is not None else {}
    differs = changed(old, prints)
    missing = state.manifest is not None and any(
        shard.path not in state.files
        for config in state.manifest.configs
        for s in config.splits.values()
        for shard in s.shards
    )
    if not differs and not missing:
        return replace(plan("card", "unchanged", place), fingerprint=prints)
    reason = "new" if not old else "files are missing" if missing else f"changed: {', '.join(differs)}"
    return replace(plan("build", reason, place), fingerprint=prints)


def sync(
    names: Sequence[str],
    hub: Hub,
    *,
    source: str | None = None,
    dry_run: bool = False,
    check: bool = True,
    watcher: Watcher | None = None,
) -> list[Result]:
    """Bring the Hub up to date.

    Args:
        names: datasets (slugs or aliases); empty means all.
        hub: where to publish.
        source: root folder or URL with one folder or archive per dataset, "official", or None for miniatures.
        dry_run: plan only; nothing is written.
        check: read everything back through plain `datasets` afterwards.
        watcher: progress.

    Raises:
        UnknownDatasetError: a name is unknown; nothing was done.
    """
    watcher = watcher or Watcher()
    builders = [registry.get(name) for name in names] if names else registry.builders()
    if (
        source is not None
        and source != OFFICIAL
        and "://" not in source
        and not Path(source).expanduser().is_dir()
    ):
        raise UnknownDatasetError(
            f"the source root {source} is no folder",
            next_step="SOURCE is a folder with one folder per dataset.",
        )
    results: list[Result] = []
    for builder in dict.fromkeys(builders):
        began = time.monotonic()
        try:
            result = _one(builder, hub, source, bool(names), dry_run, watcher)
        except MedimgError as error:
            result = Result(builder.name, "failed", str(error))
        if result is None:
            continue
        address = hub.address(builder.name) if result.good else ""
        result = replace(
            result,
            seconds=round(time.monotonic() - began, 2),
            publish=builder.dataset.publish.value,
            address=address,
        )
        results.append(result)
        watcher.end(result)
    if check and not dry_run:
        return _verified(hub, results)
    return results


def _one(
    builder: Builder, hub: Hub, source: str | None, asked: bool, dry_run: bool, watcher: Watcher
) -> Result | None:
    name = builder.name
    state = hub.published(name)
    plan = make_plan(builder, hub, state, source, asked=asked)
    if plan.action == "absent":
        return None
    watcher.start(plan)
    if plan.action == "blocked":
        return Result(name, "blocked", plan.reason)
    if dry_run or plan.action == "none":
        status: Status = "unchanged" if plan.action in ("none", "card") else "published"
        rows = state.manifest.rows if state.manifest is not None else 0
        return Result(
            name, status, f"would do: {plan.action}, {plan.reason}" if dry_run else plan.reason, rows=rows
        )
    hub.create(name)
    if state.sha is None:
        state = hub.published(name)
    if plan.action == "build":
        return _build(builder, hub, state, plan, watcher)
    manifest = state.manifest
    if builder.dataset.publish is Verdict.RECIPE:
        manifest = Manifest(
            name=name,
            medimg=__version__,
            schema_version=SCHEMA_VERSION,
            origin="source",
            fingerprint={"recipe": "1"},
        )
    assert manifest is not None
    return _card(builder, hub, state, manifest, plan)


def _build(builder: Builder, hub: Hub, state: Published, plan: Plan, watcher: Watcher) -> Result:
    name = builder.name
    upload = Upload(hub, name)
    with (
        tempfile.TemporaryDirectory(prefix=f"medimg-build-{name}-") as folder,
        opened(plan, builder) as files,
    ):
        built = build(
            builder,
            files,
            Path(folder),
            origin=plan.origin,
            fingerprint=plan.fingerprint,
            on_shard=upload.shard,
            on_row=lambda rows, size: watcher.row(name, rows, size),
        )
        errors = [finding for finding in built.manifest.findings if finding.level == "error"]
        if errors:
            first = errors[0]
            return Result(name, "failed", f"{first.check}: {first.message} ({', '.join(first.examples)})")
        if not built.manifest.rows:
            return _no_rows(builder, hub, state, plan, built)
        if gates(builder.dataset, built.manifest):
            hub.gate(name)
        content: dict[str, Path | bytes] = {
            **built.files,
            **texts(builder, built.manifest, hub.namespace, state.card),
        }
        kept = sum(path.stat().st_size for path in built.files.values() if path.exists())
        message = f"{builder.dataset.title}: {built.manifest.rows} rows ({plan.reason})"
        revision = upload.commit(content, state, message)
    if revision is None:
        return Result(name, "unchanged", "the build gave the same bytes", rows=built.manifest.rows)
    upload.tag(builder.dataset.version, revision)
    return Result(
        name,
        "published",
        plan.reason,
        commits=1,
        rows=built.manifest.rows,
        uploaded_bytes=upload.bytes + kept,
    )


def _no_rows(builder: Builder, hub: Hub, state: Published, plan: Plan, built: Built) -> Result:
    """A source without one publishable row: a card that says so, unless that would take published rows away."""
    manifest = built.manifest
    withheld = sum(split.withheld for config in manifest.configs for split in config.splits.values())
    reasons = [f"{path}: {reason}" for path, reason in manifest.skipped[:3]]
    why = "; ".join(reasons) or (
        f"{withheld} rows are withheld by their own license" if withheld else "no file matches"
    )
    if state.manifest is not None and state.manifest.rows:
        return Result(
            builder.name, "failed", f"the source holds no publishable row, the published ones stay: {why}"
        )
    result = _card(builder, hub, state, manifest, plan)
    return replace(result, reason=f"no row in this source: {why}")


def _card(builder: Builder, hub: Hub, state: Published, manifest: Manifest, plan: Plan) -> Result:
    """Update the texts; data files stay as they are. A recipe keeps no data file."""
    name = builder.name
    content: dict[str, Path | bytes] = dict(texts(builder, manifest, hub.namespace, state.card))
    kept: set[str] = set()
    if builder.dataset.publish is not Verdict.RECIPE and manifest.rows:
        kept = {path for path in state.files if path not in content}
    remaining = replace(
        state, files={path: digest for path, digest in state.files.items() if path not in kept}
    )
    revision = Upload(hub, name).commit(content, remaining, f"{builder.dataset.title}: card")
    commits = int(revision is not None)
    if not manifest.rows:
        return Result(name, "card-only", plan.reason, commits=commits)
    size = sum(len(each) for each in content.values() if isinstance(each, bytes))
    if commits:
        return Result(name, "published", "card", commits=1, rows=manifest.rows, uploaded_bytes=size)
    return Result(name, "unchanged", plan.reason, rows=manifest.rows)


def texts(builder: Builder, manifest: Manifest, namespace: str, previous: str | None) -> dict[str, bytes]:
    """Card, Croissant and manifest as files of the repository."""
    dataset = builder.dataset
    card = cards.render(dataset, builder.description, manifest, namespace=namespace, previous=previous)
    croissant = cards.croissant(dataset, builder.description, manifest, namespace)
    return {
        layout.CARD_PATH: card.encode(),
        layout.CROISSANT_PATH: (json.dumps(croissant, indent=1, ensure_ascii=False) + "\n").encode(),
        MANIFEST_PATH: manifest.to_json().encode(),
    }


def _verified(hub: Hub, results: Iterable[Result]) -> list[Result]:
    results = list(results)
    problems = verify(hub, [result.name for result in results if result.good])
    return [
        replace(result, status="failed", reason=f"verify: {'; '.join(problems[result.name][:3])}")
        if problems.get(result.name)
        else result
        for result in results
    ]


def report(results: Iterable[Result]) -> str:
    """The run as JSON."""
    keys = ("name", "status", "reason", "commits", "rows", "uploaded_bytes", "seconds", "publish", "address")
    return json.dumps({"datasets": [{key: asdict(each)[key] for key in keys} for each in results]}, indent=1)


__all__ = ["Plan", "Result", "Watcher", "make_plan", "report", "sync", "verify"]
