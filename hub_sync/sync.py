"""Plan, build, check, push, verify. One dataset at a time; each becomes visible in one commit or not at all."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from medimg import __version__, layout, policy, registry
from medimg.cards import croissant as croissants
from medimg.cards import human
from medimg.cards.readme.dataset import render
from medimg.declaration import Dataset
from medimg.errors import (
    DiskFullError,
    MedimgError,
    SourceError,
    SourceRequiredError,
    UnknownDatasetError,
    disk_full,
)
from medimg.files import Files, checksums
from medimg.hub_sync.building.build import Built, build, by_reason
from medimg.hub_sync.building.shards import SHARD_BYTES
from medimg.hub_sync.discovery import catalogue, portal, topics
from medimg.hub_sync.planning.fingerprint import changed, fingerprint, refresh, same_texts
from medimg.hub_sync.planning.fingerprint import texts as texts_digest
from medimg.hub_sync.pushing.publish import (
    HOLD_PATH,
    MARK_PATH,
    OWNED,
    Hub,
    MovedError,
    Published,
    Upload,
    blob_id,
    next_tag,
)
from medimg.hub_sync.scratch import scratch, sweep
from medimg.hub_sync.verifying.verify import Reader, stored, verify
from medimg.hub_sync.withdrawing import withdrawal
from medimg.licenses import Verdict
from medimg.loading import ARCHIVES, OFFICIAL, limits_of, locate_source, open_source
from medimg.manifest import MANIFEST_PATH, LeftOut, Manifest, Origin
from medimg.phantom import Phantom
from medimg.registry import Builder
from medimg.report import LoadReport
from medimg.schema import SCHEMA_VERSION

_LOG = logging.getLogger(__name__)

REPLANS = 5
"""How often a dataset is planned anew because somebody else committed meanwhile."""
ROOM_SHARDS = 3
"""Shards that are on disk at once: one is built, while others wait for their upload."""
AHEAD = 16
"""Repositories that are looked at ahead of the one that is worked on."""
LONG = 1 << 28
"""Bytes of a file that take so long to be compared with its checksum that it is said."""
GATE_KEY = "\nextra_gated_prompt:"
"""In the YAML of a card: readers are asked to accept terms."""
SHOWN = 3
"""Reasons that are named in one line."""
_BAD_FILE = 'Compare the file with the original download; bad_files="quarantine" in the declaration goes on without it.'
RECIPE = {"recipe": "1"}
"""Fingerprint of a repository without data."""

Status = Literal["published", "unchanged", "card-only", "blocked", "failed"]
Action = Literal["build", "card", "gate", "none", "held", "blocked", "absent"]


@dataclass(frozen=True)
class Plan:
    """What sync would do with one dataset.

    `action` is build, card (texts only), gate (only the repository's setting), none, held (retired or rolled back),
    blocked (license or source), or absent (not in the source, and all datasets were asked for).
    """

    name: str
    action: Action
    reason: str
    origin: Origin
    source: str | None = None
    fingerprint: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What sync did with one dataset.

    Attributes:
        rows: published.
        skipped: reason -> files of the source that are no row.
        withheld: license -> rows that were built but not published, because it does not allow it.
        incomplete: reason -> files whose row lacks something that the source is expected to say.
        manifest: what is published now and may be shown; None where nobody asked for the portal.
    """

    name: str
    status: Status
    reason: str = ""
    commits: int = 0
    rows: int = 0
    uploaded_bytes: int = 0
    seconds: float = 0.0
    publish: str = ""
    address: str = ""
    skipped: Mapping[str, LeftOut] = field(default_factory=dict)
    withheld: Mapping[str, int] = field(default_factory=dict)
    incomplete: Mapping[str, LeftOut] = field(default_factory=dict)
    manifest: Manifest | None = field(default=None, repr=False)

    def told(self, manifest: Manifest, report: LoadReport | None = None) -> Result:
        """With what the build of a manifest left out; its own report has names of files that no manifest tells."""
        skipped = manifest.skipped if report is None else by_reason(report.skipped)
        incomplete = manifest.incomplete if report is None else by_reason(report.incomplete)
        return replace(self, skipped=skipped, withheld=manifest.withheld, incomplete=incomplete)

    @property
    def left_out(self) -> str:
        """The commonest reasons why files are no row, rows are not published or lack something, in one line."""
        parts = [f"{count:,} rows withheld under {id}" for id, count in self.withheld.items()]
        for reasons, kind in ((self.skipped, "left out"), (self.incomplete, "incomplete")):
            commonest = sorted(reasons.items(), key=lambda one: -one[1].count)
            parts += [
                f"{left.count:,} {kind}: {reason}" + (f" (e.g. {left.examples[0]})" if left.examples else "")
                for reason, left in commonest[:SHOWN]
            ]
            if rest := commonest[SHOWN:]:
                parts.append(f"{sum(left.count for _, left in rest):,} {kind} for {len(rest)} other reasons")
        return "; ".join(parts)

    @property
    def good(self) -> bool:
        """Whether this is no reason for a non-zero exit code."""
        return self.status in ("published", "unchanged", "card-only")


class Watcher:
    """Told about progress; the terminal overrides it."""

    def begin(self, names: Sequence[str]) -> None:
        """The run begins."""

    def start(self, plan: Plan) -> None:
        """A dataset begins."""

    def row(self, name: str, rows: int, size: int) -> None:
        """Rows were built."""

    def note(self, text: str) -> None:
        """Something went on that a reader of a log wants to know, such as a wait."""

    def end(self, result: Result) -> None:
        """A dataset is done."""


@contextlib.contextmanager
def opened(plan: Plan, builder: Builder) -> Iterator[Files]:
    """The source of a plan; a miniature is written to a temporary folder first."""
    if plan.origin == "miniature":
        with scratch(f"miniature-{plan.name}") as folder:
            builder.miniature(Phantom(folder.path))
            with Files.open(str(folder.path), dataset=plan.name, limits=limits_of(builder.dataset)) as files:
                yield files
    else:
        assert plan.source is not None
        with open_source(builder, plan.source) as files:
            yield files


def make_plan(
    builder: Builder,
    hub: Hub,
    state: Published,
    source: str | None,
    *,
    asked: bool,
    restore: bool = False,
) -> Plan:
    """Compare the source's fingerprint, and the licenses of its rows, with the published manifest.

    Rows that are published and that no license lets out any more are never left where they are without a word: where
    they cannot be built anew now, the plan is blocked and says what to do.

    Args:
        builder: the dataset.
        hub: where to publish.
        state: what is published now.
        source: root folder of originals, "official", or None for the miniature.
        asked: the dataset was named by the user, so that a missing source is an error.
        restore: build also what was retired or rolled back.
    """
    plan = _plan(builder, hub, state, source, asked=asked, restore=restore)
    if plan.action == "build" or state.manifest is None:
        return plan
    shut = policy.forbidden(builder.dataset, state.manifest)
    if not shut or (plan.action == "card" and builder.dataset.publish is Verdict.RECIPE):
        return plan
    name = builder.name
    again = f"medimg sync {name} --source <root>" + (" --restore" if plan.action == "held" else "")
    told = f"{_by_license(shut)} may not be published any more"
    step = f"Next: {again} builds it without them; medimg retire {name} takes all of it down."
    return replace(plan, action="blocked", reason=f"{told}, and it is not built now ({plan.reason}). {step}")


def _by_license(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} rows under {id}" for id, count in sorted(rows.items()))


def _turned(dataset: Dataset, manifest: Manifest) -> list[str]:
    """Rows whose license allows something else now than when they were built."""
    shut, free = policy.forbidden(dataset, manifest), policy.freed(manifest)
    found = [f"{_by_license(shut)} may not be published any more"] if shut else []
    return found + ([f"{_by_license(free)} may be published now"] if free else [])


def _plan(
    builder: Builder, hub: Hub, state: Published, source: str | None, *, asked: bool, restore: bool
) -> Plan:
    dataset = builder.dataset
    origin: Origin = "miniature" if source is None else "official" if source == OFFICIAL else "source"

    def plan(action: Action, reason: str, place: str | None = None) -> Plan:
        return Plan(dataset.name, action, reason, origin, place)

    manifest = state.manifest
    if others := foreign(state):
        return plan(
            "blocked",
            f"{hub.repo(dataset.name)} holds what medimg did not publish ({', '.join(others[:3])}); it stays as it "
            "is. Next: move it, or publish under another namespace",
        )
    closed = dataset.publish is Verdict.RECIPE and manifest is not None and manifest.rows > 0
    if HOLD_PATH in state.files and not restore and not closed:
        hold = state.hold or {}
        told = f"{hold.get('kind', 'held')}: {hold.get('reason', '')}"
        return plan("held", f"{told}; sync leaves it alone, --restore builds it again")
    if dataset.publish is Verdict.RECIPE:
        reason = f"recipe only: {dataset.license} does not allow redistribution"
        fresh = (
            manifest is not None
            and manifest.fingerprint == RECIPE
            and not [
                path for path in state.files if path.startswith(OWNED) and path not in (*_TEXTS, MARK_PATH)
            ]
            and fresh_texts(builder, hub.namespace, state)
        )
        return plan("none" if fresh else "card", reason)
    if "license" in dataset.evidence.unverified and not hub.embedded:
        return plan(
            "blocked",
            "nobody has read its license (the declaration says unverified): read it at the source and write where, "
            "before this is published beyond an embedded Hub",
        )
    old = dict(manifest.fingerprint) if manifest is not None else {}
    if origin == "miniature":
        if not hub.embedded:
            return plan(
                "blocked",
                "phantoms are published on an embedded Hub only; pass SOURCE=<root> or SOURCE=official",
            )
        if manifest is not None and manifest.origin != "miniature" and manifest.rows:
            return plan("none", f"holds rows of the {manifest.origin}; phantoms never replace them")
        prints = fingerprint(builder, None, origin, old)
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
                prints = fingerprint(builder, files, origin, old)
        except SourceRequiredError as error:
            return plan("blocked" if asked else "absent", str(error))
    differs = changed(old, prints)
    problems = [*_turned(dataset, manifest), *stored(state)] if manifest is not None else []
    if not differs and not problems and HOLD_PATH not in state.files:
        if not fresh_texts(builder, hub.namespace, state):
            done = plan("card", "the texts may differ", place)
        elif (
            manifest is not None
            and manifest.rows
            and policy.gates(dataset, manifest)
            and not hub.gated(builder.name)
        ):
            done = plan("gate", "its gate stands open", place)
        else:
            done = plan("none", "unchanged", place)
        return replace(done, fingerprint=prints)
    reason = "new"
    if old:
        turned = [f"changed: {', '.join(differs)}"] if differs else []
        reason = "; ".join([*turned, *problems][:2]) or "restored"
    return replace(plan("build", reason, place), fingerprint=prints)


def foreign(state: Published) -> list[str]:
    """Files where sync writes that medimg did not put there: no manifest tells of them, nor is the card ours."""
    theirs = [path for path in state.files if path.startswith(OWNED)]
    return theirs if state.manifest is None and human.START not in (state.card or "") else []


_TEXTS = (layout.CARD_PATH, layout.CROISSANT_PATH, MANIFEST_PATH)


def fresh_texts(builder: Builder, namespace: str, state: Published) -> bool:
    """Whether the published texts are what would be rendered now, told without rendering or reading them."""
    known = {} if state.manifest is None else dict(state.manifest.texts)
    inputs = known.pop("inputs", "")
    if not same_texts(inputs, texts_digest(builder, namespace, inputs)):
        return False
    return bool(known) and all(state.files.get(path) == digest for path, digest in known.items())


def texts(
    builder: Builder, manifest: Manifest, namespace: str, previous: str | None
) -> tuple[Manifest, dict[str, bytes]]:
    """Card, Croissant and manifest as files of the repository; the manifest says what they were rendered from."""
    dataset = builder.dataset
    card = render(dataset, builder.description, manifest, namespace=namespace, previous=previous)
    croissant = croissants.croissant(dataset, builder.description, manifest, namespace)
    content = {
        layout.CARD_PATH: card.encode(),
        layout.CROISSANT_PATH: (json.dumps(croissant, indent=1, ensure_ascii=False) + "\n").encode(),
    }
    digests = {"inputs": texts_digest(builder, namespace)}
    digests |= {path: blob_id(data) for path, data in content.items()}
    manifest = manifest.model_copy(update={"texts": digests})
    return manifest, {**content, MANIFEST_PATH: manifest.to_json().encode()}


def sync(
    names: Sequence[str],
    hub: Hub,
    *,
    source: str | None = None,
    dry_run: bool = False,
    check: bool = True,
    watcher: Watcher | None = None,
    restore: bool = False,
    collections: bool = False,
    pages: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> list[Result]:
    """Bring the Hub up to date.

    Args:
        names: datasets (slugs or aliases); empty means all.
        hub: where to publish.
        source: root folder or URL with one folder or archive per dataset, "official", or None for miniatures.
        dry_run: plan only; nothing is written.
        check: read what was published back through plain `datasets`.
        watcher: progress.
        restore: build also the named datasets that were retired or rolled back.
        collections: keep the topic collections up to date.
        pages: keep the portal up to date and, in a run over all datasets, the published catalogue.
        shard_bytes: size at which a shard ends.

    Raises:
        UnknownDatasetError: a name is unknown; nothing was done.
        SourceError: nothing in the source root is called like a dataset; nothing was done.
    """
    watcher = watcher or Watcher()
    builders = list(dict.fromkeys([registry.get(name) for name in names] if names else registry.builders()))
    if restore and not names:
        raise UnknownDatasetError(
            "--restore needs names", next_step="Name the datasets that shall be published again."
        )
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
    refresh(builders)
    watcher.begin([builder.name for builder in builders])
    hub.note = watcher.note
    hub.stopped.clear()
    for folder in [] if dry_run else sweep():
        watcher.note(f"removed what an ended run had left in {folder}")
    if not names:
        _look_below(source, builders, watcher)
    results: list[Result] = []
    try:
        with Reader(hub) as reader, contextlib.closing(_ahead(hub, builders)) as coming:
            run = _Run(hub, source, bool(names), dry_run, restore, check, watcher, reader, shard_bytes, pages)
            for builder, state in coming:
                began = time.monotonic()
                result = run.one(builder, state)
                if result is None:
                    continue
                result = replace(
                    result,
                    seconds=round(time.monotonic() - began, 2),
                    publish=builder.dataset.publish.value,
                    address=hub.address(builder.name) if result.good else "",
                )
                watcher.end(result)
                results.append(result)
    except KeyboardInterrupt:
        hub.stopped.set()
        raise
    if collections and not dry_run:
        try:
            topics.update(hub, results)
        except MedimgError as error:
            # They help to find what is published; what is published is as it should be without them.
            watcher.note(f"the topic collections are not up to date: {error}")
    if pages and not names and not dry_run:
        try:
            catalogue.update(hub)
        except MedimgError as error:
            watcher.note(f"the catalogue is not up to date: {error}")
    if pages and not dry_run:
        try:
            portal.update(hub, results)
        except MedimgError as error:
            watcher.note(f"the portal is not up to date: {error}")
    return results


def _look_below(source: str | None, builders: Sequence[Builder], watcher: Watcher) -> None:
    """Say what lies in a source root and is called like no dataset.

    Raises:
        SourceError: nothing there is called like one, so that the run would do nothing and say nothing.
    """
    if source is None or source == OFFICIAL or "://" in source:
        return
    known = {f"{builder.name}{suffix}" for builder in builders for suffix in ("", *ARCHIVES)}
    every = sorted(path.name for path in Path(source).expanduser().iterdir() if not path.name.startswith("."))
    strange = [name for name in every if name not in known]
    shown = ", ".join(strange[:5]) + (f" and {len(strange) - 5} more" if len(strange) > 5 else "")
    if len(strange) == len(every):
        raise SourceError(
            f"nothing in the source root {source} is called like a dataset ({shown or 'it is empty'})",
            next_step="Name each folder or archive after its dataset, e.g. hc18/ or hc18.zip; see `medimg list`.",
        )
    if strange:
        watcher.note(f"in {source} and called like no dataset: {shown}")


def _ahead(hub: Hub, builders: Sequence[Builder]) -> Generator[tuple[Builder, Callable[[], Published]]]:
    """Each builder with the state of its repository; a few are looked up ahead, several at a time."""
    pool = ThreadPoolExecutor(1 if hub.embedded else 8, thread_name_prefix="look")
    waiting: list[tuple[Builder, Future[Published]]] = []
    rest = iter(builders)
    try:
        while True:
            for builder in rest:
                waiting.append((builder, pool.submit(hub.published, builder.name)))
                if len(waiting) >= AHEAD:
                    break
            if not waiting:
                return
            builder, future = waiting.pop(0)
            yield builder, future.result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who stops a run does not wait for a slow Hub


@dataclass(frozen=True)
class _Run:
    """What is the same for all datasets of one run."""

    hub: Hub
    source: str | None
    asked: bool
    dry_run: bool
    restore: bool
    check: bool
    watcher: Watcher
    reader: Reader
    shard_bytes: int
    pages: bool

    def one(self, builder: Builder, look: Callable[[], Published]) -> Result | None:
        """One dataset; whatever goes wrong with it is its result and does not stop the others."""
        try:
            with _Job(self, builder) as job:
                for attempt in range(REPLANS):
                    try:
                        return job.attempt(look if attempt == 0 else lambda: self.hub.published(builder.name))
                    except MovedError as error:
                        moved = error
                        self.watcher.note(f"{builder.name}: somebody else committed meanwhile; planning anew")
                        time.sleep(random.uniform(0.0, 0.1 * 2**attempt))
                raise moved
        except MedimgError as error:
            error = self._full(error, builder) or error
            error.within(dataset=builder.name)
            error.next_step = error.next_step or (
                _BAD_FILE if error.file else "Mend this, then run it again."
            )
            return Result(builder.name, "failed", self.hub.redacted(str(error)))
        except OSError as error:
            if (full := self._full(error, builder)) is not None:
                return Result(builder.name, "failed", self.hub.redacted(str(full)))
            what = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
            told = f"{builder.name}: {type(error).__name__}: {what}. Next: mend this, then run it again."
            return Result(builder.name, "failed", self.hub.redacted(told))
        except Exception as error:  # a mistake in one builder does not stop a run of a thousand
            _LOG.exception("%s: unexpected error", builder.name)
            told = f"{builder.name}: {type(error).__name__}: {error}. Next: report this; the log has the details."
            return Result(builder.name, "failed", self.hub.redacted(told))

    def _full(self, error: Exception, builder: Builder) -> DiskFullError | None:
        """The error that says how much room a build needs, where a disk is full."""
        full = error if isinstance(error, DiskFullError) else disk_full(error, dataset=builder.name)
        return None if full is None else full.needing(ROOM_SHARDS * self.shard_bytes)


class _Job(contextlib.AbstractContextManager["_Job"]):
    """One dataset in one run. What was built is kept until it is published, also where it is planned anew."""

    def __init__(self, run: _Run, builder: Builder) -> None:
        self.run = run
        self.hub = run.hub
        self.builder = builder
        self.name = builder.name
        self.upload = Upload(run.hub, builder.name)
        self.built: Built | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def attempt(self, look: Callable[[], Published]) -> Result | None:
        """Plan and do. Raises MovedError where somebody else committed in between."""
        state, said = self._settled(look())
        result = self._attempt(state)
        if result is not None and result.commits and MARK_PATH in state.files:
            _, said = withdrawal.settle(self.hub, self.name, self.hub.published(self.name))
        if result is not None and said:
            result = replace(result, reason=f"{result.reason}; {said}")
        if result is None:
            return None
        if self.run.pages:
            now = self.hub.published(self.name) if result.commits else state
            result = replace(result, manifest=portal.shown(now))
        if self.built is not None:
            return result.told(self.built.manifest, self.built.report)
        return result if state.manifest is None else result.told(state.manifest)

    def _settled(self, state: Published) -> tuple[Published, str]:
        """Shut what may not be shown any more, before anything is planned."""
        if not withdrawal.due(self.builder.dataset, state):
            return state, ""
        if self.run.dry_run:
            found = withdrawal.exposed(self.hub, self.name, state)
            return state, f"would shut: {withdrawal.told(self.name, found, shut=False)}" if found else ""
        return withdrawal.settle(self.hub, self.name, state)

    def _attempt(self, state: Published) -> Result | None:
        run, name = self.run, self.name
        plan = make_plan(self.builder, self.hub, state, run.source, asked=run.asked, restore=run.restore)
        if plan.action == "absent":
            return None
        run.watcher.start(plan)
        rows = state.manifest.rows if state.manifest is not None else 0
        if plan.action == "blocked":
            return Result(name, "blocked", plan.reason, rows=rows)
        idle: Status = "unchanged" if rows else "card-only"
        if run.dry_run:
            status = "published" if plan.action == "build" else idle
            return Result(name, status, f"would do: {plan.action}, {plan.reason}", rows=rows)
        if plan.action in ("none", "held"):
            # A revision without its tag was published by a run that died before it had read it back.
            if state.sha and state.manifest and state.manifest.tag and state.manifest.tag not in state.tags:
                return self._finished(Result(name, idle, plan.reason, rows=rows), state.manifest, state.sha)
            return Result(name, idle, plan.reason, rows=rows)
        if plan.action == "gate":
            self.hub.gate(name)
            return Result(name, idle, f"{plan.reason}; shut again", rows=rows)
        if state.sha is None:
            self.hub.create(name)
            state = self.hub.published(name)
        if plan.action == "build":
            return self._build(state, plan)
        manifest = state.manifest
        if self.builder.dataset.publish is Verdict.RECIPE:
            manifest = Manifest(
                name=name,
                medimg=__version__,
                schema_version=SCHEMA_VERSION,
                origin="source",
                fingerprint=RECIPE,
            )
        assert manifest is not None
        return self._card(state, manifest, plan)

    def _build(self, state: Published, plan: Plan) -> Result:
        dataset = self.builder.dataset
        if self.built is None or dict(self.built.manifest.fingerprint) != plan.fingerprint:
            self.built = self._built(plan)
        manifest = self.built.manifest
        errors = [finding for finding in manifest.findings if finding.level == "error"]
        if errors:
            first = errors[0]
            told = f"{self.name}: {first.check}: {first.message} ({', '.join(first.examples)})."
            return Result(self.name, "failed", f"{told} Next: {_MEND.get(first.check, 'mend the builder')}.")
        if not manifest.rows:
            return self._no_rows(state, plan, manifest)
        if gone := _gone(dataset, state.manifest, manifest):
            told = f"{self.name}: no row of {', '.join(gone)}, of which rows are published; these stay."
            step = "Next: pass a source that holds them, or retire the dataset and publish it again."
            return Result(self.name, "failed", f"{told} {step}")
        self._gate(state, manifest)
        manifest = manifest.model_copy(update={"tag": self._tag(state, manifest)})
        manifest, rendered = texts(self.builder, manifest, self.hub.namespace, state.card)
        content: dict[str, Path | bytes] = {**self.built.files, **rendered}
        message = f"{dataset.title}: {manifest.rows} rows ({plan.reason})"
        revision = self.upload.commit(content, _without(state, {MARK_PATH}), message)
        if revision is None:
            return Result(self.name, "unchanged", "the build gave the same bytes", rows=manifest.rows)
        result = Result(
            self.name,
            "published",
            plan.reason,
            commits=1,
            rows=manifest.rows,
            uploaded_bytes=self.upload.bytes,
        )
        return self._finished(result, manifest, revision)

    def _gate(self, state: Published, manifest: Manifest) -> None:
        """Let the repository's setting follow what is declared, before anything is committed.

        What sync has never shut (its card asks nobody to accept terms) was shut by a person, and stays shut.
        """
        if MARK_PATH in state.files:
            return  # shut, whatever is declared
        if policy.gates(self.builder.dataset, manifest):
            self.hub.gate(self.name)
        elif state.manifest is not None and state.manifest.rows and GATE_KEY in (state.card or ""):
            if holding := policy.held(self.builder.dataset, state.manifest):
                self.run.watcher.note(
                    f"{self.name}: the gate stays, since earlier revisions hold rows under {', '.join(holding)}"
                )
            else:
                self.hub.gate(self.name, False)

    def _comparing(self, path: str, done: int, total: int | None) -> None:
        """Say that a large file is being compared with its checksum, at its first piece."""
        if done <= checksums.PIECE and total and total > LONG:
            self.run.watcher.note(f"{self.name}: comparing {path} ({total / 1e9:.1f} GB) with its checksum")

    def _built(self, plan: Plan) -> Built:
        folder = self._stack.enter_context(scratch(f"build-{self.name}")).path
        with opened(plan, self.builder) as files:
            files.progress = self._comparing
            built = build(
                self.builder,
                files,
                folder,
                origin=plan.origin,
                fingerprint=plan.fingerprint,
                shard_bytes=self.run.shard_bytes,
                on_shard=self.upload.shard,
                on_row=lambda rows, size: self.run.watcher.row(self.name, rows, size),
            )
        if plan.origin != "miniature":
            with opened(plan, self.builder) as files:
                if files.fingerprint() != plan.fingerprint["source"]:
                    raise SourceError(
                        "the source changed while it was read; nothing was published",
                        dataset=self.name,
                        next_step="Run sync again when nobody writes to it.",
                    )
        return built

    def _tag(self, state: Published, manifest: Manifest) -> str:
        """The version tag of this data: the published one where neither version nor data differ."""
        old = state.manifest.tag if state.manifest is not None else None
        version = self.builder.dataset.version
        if old and re.fullmatch(rf"v{re.escape(version)}(-\d+)?", old):
            now = {shard.path: shard.sha256 for shard in _data(manifest)}
            before = {
                path: digest
                for path, digest in state.files.items()
                if path.startswith(("data/", "metadata/"))
            }
            if now == before:
                return old
        return next_tag(version, state.tags)

    def _no_rows(self, state: Published, plan: Plan, manifest: Manifest) -> Result:
        """All rows are withheld: a card, and no data any more. A source without any row is an error before this."""
        why = f"no row is published: {_by_license(manifest.withheld)} are withheld"
        return replace(self._card(state, manifest, plan), reason=why)

    def _card(self, state: Published, manifest: Manifest, plan: Plan) -> Result:
        """Update the texts; data files stay as they are. A recipe keeps no data file."""
        dataset = self.builder.dataset
        kept = {MARK_PATH}
        if dataset.publish is not Verdict.RECIPE and manifest.rows:
            kept |= {path for path in state.files if path not in (*_TEXTS, *layout.FORMER_PATHS)}
            self._gate(state, manifest)
            manifest = manifest.model_copy(update={"tag": self._tag(state, manifest)})
        previous = state.manifest.texts if state.manifest is not None else {}
        manifest, rendered = texts(self.builder, manifest, self.hub.namespace, state.card)
        content: dict[str, Path | bytes] = dict(rendered)
        if (
            manifest.model_copy(update={"texts": previous}) == state.manifest
            and all(state.files.get(path) == manifest.texts[path] for path in _TEXTS[:2])
            and not [path for path in state.files if path.startswith(OWNED) and path not in (*_TEXTS, *kept)]
        ):
            content = {}  # what differs is only what the texts were rendered from
            revision = None
        else:
            revision = self.upload.commit(content, _without(state, kept), f"{dataset.title}: card")
        if revision is None:
            status: Status = "unchanged" if manifest.rows else "card-only"
            reason = "unchanged" if manifest.rows else plan.reason
            return Result(self.name, status, reason, rows=manifest.rows)
        reason = "card" if manifest.rows else plan.reason
        result = Result(
            self.name, "card-only", reason, commits=1, rows=manifest.rows, uploaded_bytes=self.upload.bytes
        )
        return self._finished(result, manifest, revision)

    def _finished(self, result: Result, manifest: Manifest, revision: str) -> Result:
        """Read back, then tag: a version tag says that its revision was verified."""
        if self.run.check:
            problems = verify(self.hub, [self.name], reader=self.run.reader)[self.name]
            if problems:
                told = self.hub.redacted("; ".join(problems[:3]))
                return replace(result, status="failed", reason=f"verify: {told}")
        if manifest.rows and manifest.tag:
            self.hub.tag(self.name, manifest.tag, revision)
        return result


_MEND = {
    "subjects": "say in the declaration why they are (`shared_subjects`), or mend the splits",
    "identifiers": "let the builder leave it out",
}


def _gone(dataset: Dataset, old: Manifest | None, new: Manifest) -> list[str]:
    """Sub-collections with published rows of which the source holds none now, withheld ones included.

    Rows that must go anyhow, and phantoms that originals replace, are not missed.
    """
    if old is None or policy.forbidden(dataset, old) or (old.origin == "miniature" != new.origin):
        return []
    found = {config.name for config in new.configs if config.rows or config.withheld}
    published = [config.name for config in old.configs if config.rows]
    return [name for name in published if name in dataset.config_names and name not in found]


def _without(state: Published, kept: Set[str]) -> Published:
    """The state that a commit is planned against, without files that stay whatever it holds."""
    return replace(state, files={path: digest for path, digest in state.files.items() if path not in kept})


def _data(manifest: Manifest) -> list[Any]:
    return [
        shard
        for config in manifest.configs
        for split in config.splits.values()
        for shard in (*split.shards, *split.metadata)
    ]


def report(results: Iterable[Result], about: Mapping[str, Any] | None = None) -> str:
    """The run as JSON.

    Args:
        results: by dataset.
        about: further facts of the run, before the datasets.
    """
    keys = ("name", "status", "reason", "commits", "rows", "uploaded_bytes", "seconds", "publish", "address")
    listed = [
        {
            **{key: getattr(each, key) for key in keys},
            "skipped": {reason: left.model_dump(mode="json") for reason, left in each.skipped.items()},
            "withheld": dict(each.withheld),
            "incomplete": {reason: left.model_dump(mode="json") for reason, left in each.incomplete.items()},
        }
        for each in results
    ]
    return json.dumps({**(about or {}), "datasets": listed}, indent=1)


__all__ = ["Plan", "Result", "Watcher", "make_plan", "report", "sync", "verify"]
