"""One dataset in one run of sync: plan, build, check, push, verify; one commit or none."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medimg import layout, policy
from medimg.declaration import Dataset
from medimg.files import Files, checksums
from medimg.hub_sync import manifests
from medimg.hub_sync.building import texts
from medimg.hub_sync.building.build import Built, build
from medimg.hub_sync.building.shards import PORTION_SHARDS
from medimg.hub_sync.discovery import portal
from medimg.hub_sync.planning.plan import RECIPE, SyncPlan, by_license, make_plan
from medimg.hub_sync.planning.source import DatasetSource
from medimg.hub_sync.pushing.ahead import keep
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.state import MARK_PATH, OWNED, Published
from medimg.hub_sync.pushing.upload import Upload, next_tag
from medimg.hub_sync.results import Result, Status, Watcher
from medimg.hub_sync.scratch import scratch
from medimg.hub_sync.verifying.verify import Reader, verify
from medimg.hub_sync.withdrawing import withdrawal
from medimg.hub_sync.workers.crew import Crew
from medimg.hub_sync.workers.portions import Gathered, many
from medimg.hub_sync.workers.spread import spread, worth
from medimg.hub_sync.workers.team import Team
from medimg.licenses import Verdict
from medimg.manifest import Manifest, Origin
from medimg.registry import Builder

LONG = 1 << 28
"""Bytes of a file that take so long to be compared with its checksum that it is said."""
GATE_KEY = "\nextra_gated_prompt:"
"""In the YAML of a card: readers are asked to accept terms."""
_MEND = {
    "subjects": "say in the declaration why they are (`shared_subjects`), or mend the splits",
    "identifiers": "let the builder leave it out",
}


class GivenAwayError(Exception):
    """There is work to do with this dataset, which somebody else shall do.

    Attributes:
        fingerprint: that of its plan.
        spreads: whether it is so large that many do it together.
    """

    def __init__(self, fingerprint: Mapping[str, str], spreads: bool) -> None:
        super().__init__()
        self.fingerprint = fingerprint
        self.spreads = spreads


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is wanted of all datasets of one run; see `medimg.hub_sync.sync.sync`.

    Attributes:
        asked: whether the datasets were named.
        processes: that decode the rows of one dataset.
        many: whether one listing tells of the repositories; see `ahead`.
    """

    root: str | None
    asked: bool
    dry_run: bool
    restore: bool
    check: bool
    shard_bytes: int
    pages: bool
    processes: int
    many: bool


@dataclass(frozen=True, kw_only=True)
class Settings(Wishes):
    """With what it is done.

    Attributes:
        away: whether work shall be done elsewhere: `Job.attempt` then raises GivenAwayError instead of doing it.
        crew: who makes the portions of a large dataset; else as many processes as are wished do.
    """

    hub: Hub
    watcher: Watcher
    reader: Reader
    away: bool = False
    crew: Callable[[], Crew] | None = None


def _unheard(text: str) -> None:
    """A note that somebody else gives."""


class Job(contextlib.ExitStack):
    """One dataset in one run. What was built is kept until it is published, also where it is planned anew."""

    def __init__(self, run: Settings, builder: Builder, known: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.run = run
        self.known = known
        self.hub = run.hub
        self.builder = builder
        self.name = builder.name
        self.upload = Upload(run.hub, builder.name)
        self.built: Built | None = None
        self._plan: tuple[Published, SyncPlan] | None = None
        self.source = self.enter_context(DatasetSource(builder, run.root))

    def attempt(self, look: Callable[[], Published]) -> Result | None:
        """Plan and do.

        Raises:
            MovedError: somebody else committed in between.
            GivenAwayError: see `Settings.away`.
        """
        state, said = self._settled(self._looked(look))
        result = self._attempt(state)
        if result is not None and result.commits and MARK_PATH in state.files:
            _, said = withdrawal.settle(self.hub, self.name, self.hub.published(self.name))
        if result is not None and said:
            result = replace(result, reason=f"{result.reason}; {said}")
        if result is None:
            return None
        now = state
        if result.commits and (self.run.pages or self.run.many):
            now = self.hub.published(self.name)
            keep(self.hub, self.name, now)
        if self.run.pages:
            result = replace(result, manifest=portal.shown(now))
        if self.built is not None:
            return result.told(self.built.manifest, self.built.report)
        return result if state.manifest is None else result.told(state.manifest)

    def _looked(self, look: Callable[[], Published]) -> Published:
        """The state of the repository. What a listing tells of it is enough where nothing is to be done here."""
        state = look()
        if not state.listed:
            return state
        if not withdrawal.due(self.builder.dataset, state):
            if self.run.dry_run or self.run.away or self._planned(state).action not in ("build", "card", "gate"):
                return state
        return self.hub.published(self.name)

    def _planned(self, state: Published) -> SyncPlan:
        """The plan for a state; the last one is kept."""
        if self._plan is not None and self._plan[0] is state:
            return self._plan[1]
        plan = make_plan(
            self.builder,
            self.hub,
            state,
            self.source,
            asked=self.run.asked,
            restore=self.run.restore,
            known=self.known,
        )
        self._plan = state, plan
        return plan

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
        plan = self._planned(state)
        if plan.action == "absent":
            return None
        if run.away and plan.action in ("build", "card"):
            told = run.watcher.note if run.processes == 1 else _unheard  # else who builds it says so
            raise GivenAwayError(plan.fingerprint, plan.action == "build" and self._many(told))
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
            manifest = manifests.made(name, "source", RECIPE)
        assert manifest is not None
        return self._card(state, manifest, plan)

    def _build(self, state: Published, plan: SyncPlan) -> Result:
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
        manifest = manifests.tagged(manifest, self._tag(state, manifest))
        manifest, rendered = texts.rendered(self.builder, manifest, self.hub.namespace, state.card)
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

    def _built(self, plan: SyncPlan) -> Built:
        if self.run.check:
            self.run.reader.soon()
        folder = self.enter_context(scratch(f"build-{self.name}")).path
        files = self.source.files()
        files.checks.progress = self._comparing
        with contextlib.ExitStack() as stack:
            built = build(
                self.builder,
                files,
                folder,
                origin=plan.origin,
                fingerprint=plan.fingerprint,
                shard_bytes=self.run.shard_bytes,
                on_shard=self.upload.shard,
                on_row=lambda rows, size: self.run.watcher.row(self.name, rows, size),
                **self._elsewhere(files, plan.origin, stack),
            )
        self.source.check_unchanged(plan.fingerprint["source"])
        return built

    def _many(self, note: Callable[[str], None] = _unheard) -> bool:
        """Whether the source is made by many, a portion each."""
        return self.source.origin != "miniature" and many(self.source.files(), self.run.shard_bytes, note)

    def _elsewhere(self, files: Files, origin: Origin, stack: contextlib.ExitStack) -> dict[str, Any]:
        """Who else makes the rows, as arguments of `build`; the stack ends them."""
        run = self.run
        if (run.crew or run.processes > 1) and self._many():
            crew = run.crew() if run.crew else Team(run.processes, run.hub, run.reader)
            gathered = Gathered(
                self.builder,
                files,
                origin,
                shard_bytes=run.shard_bytes,
                crew=stack.enter_context(crew),
                hub=run.hub,
                upload=self.upload,
                watcher=run.watcher,
            )
            made = stack.enter_context(contextlib.closing(gathered.steps()))
            return {"made": made, "elsewhere": gathered.shards}
        if run.processes > 1 and worth(files, run.watcher.note):
            size = PORTION_SHARDS * run.shard_bytes
            rows = spread(self.builder, files, origin, run.processes, portion_bytes=size, note=run.watcher.note)
            return {"made": stack.enter_context(contextlib.closing(rows))}
        return {}

    def _tag(self, state: Published, manifest: Manifest) -> str:
        """The version tag of this data: the published one where neither version nor data differ."""
        old = state.manifest.tag if state.manifest is not None else None
        version = self.builder.dataset.version
        if old and re.fullmatch(rf"v{re.escape(version)}(-\d+)?", old):
            now = {shard.path: shard.sha256 for shard in manifest.data}
            before = {path: digest for path, digest in state.files.items() if path.startswith(("data/", "metadata/"))}
            if now == before:
                return old
        return next_tag(version, state.tags)

    def _no_rows(self, state: Published, plan: SyncPlan, manifest: Manifest) -> Result:
        """All rows are withheld: a card, and no data any more. A source without any row is an error before this."""
        why = f"no row is published: {by_license(manifest.withheld)} are withheld"
        return replace(self._card(state, manifest, plan), reason=why)

    def _card(self, state: Published, manifest: Manifest, plan: SyncPlan) -> Result:
        """Update the texts; data files stay as they are. A recipe keeps no data file."""
        dataset = self.builder.dataset
        kept = {MARK_PATH}
        if dataset.publish is not Verdict.RECIPE and manifest.rows:
            kept |= {path for path in state.files if path not in (*texts.PATHS, *layout.FORMER_PATHS)}
            self._gate(state, manifest)
            manifest = manifests.tagged(manifest, self._tag(state, manifest))
        previous = state.manifest.texts if state.manifest is not None else {}
        manifest, rendered = texts.rendered(self.builder, manifest, self.hub.namespace, state.card)
        content: dict[str, Path | bytes] = dict(rendered)
        if (
            manifests.with_texts(manifest, previous) == state.manifest
            and all(state.files.get(path) == manifest.texts[path] for path in texts.PATHS[:2])
            and not [path for path in state.files if path.startswith(OWNED) and path not in (*texts.PATHS, *kept)]
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
        result = Result(self.name, "card-only", reason, commits=1, rows=manifest.rows, uploaded_bytes=self.upload.bytes)
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
