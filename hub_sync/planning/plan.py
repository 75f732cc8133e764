"""What sync would do with one dataset: its source and licenses against what is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from medimg import policy
from medimg.declaration import Dataset
from medimg.errors import SourceRequiredError
from medimg.hub_sync.building import texts
from medimg.hub_sync.planning.fingerprint import changed, fingerprint
from medimg.hub_sync.planning.source import DatasetSource
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.state import HOLD_PATH, MARK_PATH, OWNED, Published, foreign
from medimg.hub_sync.verifying.verify import stored
from medimg.licenses import Verdict
from medimg.manifest import Manifest, Origin
from medimg.registry import Builder

RECIPE = {"recipe": "1"}
"""Fingerprint of a repository without data."""
Action = Literal["build", "card", "gate", "none", "held", "blocked", "absent"]


@dataclass(frozen=True)
class SyncPlan:
    """What sync would do with one dataset.

    `action` is build, card (texts only), gate (only the repository's setting), none, held (retired or rolled back),
    blocked (license or source), or absent (not in the source, and all datasets were asked for).
    """

    name: str
    action: Action
    reason: str
    origin: Origin
    fingerprint: dict[str, str] = field(default_factory=dict)


def make_plan(
    builder: Builder,
    hub: Hub,
    state: Published,
    source: DatasetSource,
    *,
    asked: bool,
    restore: bool = False,
    known: Mapping[str, str] | None = None,
) -> SyncPlan:
    """Compare the source's fingerprint, and the licenses of its rows, with the published manifest.

    Rows that are published and that no license lets out any more are never left where they are without a word: where
    they cannot be built anew now, the plan is blocked and says what to do.

    Args:
        source: of the dataset; opened where its fingerprint is wanted, and left open.
        asked: the dataset was named by the user, so that a missing source is an error.
        restore: build also what was retired or rolled back.
        known: its fingerprint, where it was taken a moment ago; see `fingerprint`.
    """
    plan = _Planning(builder, hub, state, source, asked, restore, known).plan()
    if plan.action == "build" or state.manifest is None:
        return plan
    shut = policy.forbidden(builder.dataset, state.manifest)
    if not shut or (plan.action == "card" and builder.dataset.publish is Verdict.RECIPE):
        return plan
    name = builder.name
    again = f"medimg sync {name} --source <root>" + (" --restore" if plan.action == "held" else "")
    told = f"{by_license(shut)} may not be published any more"
    step = f"Next: {again} builds it without them; medimg retire {name} takes all of it down."
    return replace(plan, action="blocked", reason=f"{told}, and it is not built now ({plan.reason}). {step}")


def by_license(rows: Mapping[str, int]) -> str:
    """License -> rows, in words."""
    return ", ".join(f"{count:,} rows under {id}" for id, count in sorted(rows.items()))


def _turned(dataset: Dataset, manifest: Manifest) -> list[str]:
    """Rows whose license allows something else now than when they were built."""
    shut, free = policy.forbidden(dataset, manifest), policy.freed(manifest)
    found = [f"{by_license(shut)} may not be published any more"] if shut else []
    return found + ([f"{by_license(free)} may be published now"] if free else [])


@dataclass(frozen=True)
class _Planning:
    """One plan in the making."""

    builder: Builder
    hub: Hub
    state: Published
    source: DatasetSource
    asked: bool
    restore: bool
    known: Mapping[str, str] | None

    @property
    def dataset(self) -> Dataset:
        return self.builder.dataset

    @property
    def manifest(self) -> Manifest | None:
        return self.state.manifest

    def of(self, action: Action, reason: str) -> SyncPlan:
        return SyncPlan(self.dataset.name, action, reason, self.source.origin)

    def plan(self) -> SyncPlan:
        """Whether anything stands in the way, else what differs."""
        return self._kept() or self._not_allowed() or self._by_source()

    def _kept(self) -> SyncPlan | None:
        """What somebody else published, or a maintainer took back, stays as it is."""
        if others := foreign(self.state):
            return self.of(
                "blocked",
                f"{self.hub.repo(self.dataset.name)} holds what medimg did not publish ({', '.join(others[:3])}); it "
                "stays as it is. Next: move it, or publish under another namespace",
            )
        rows = self.manifest.rows if self.manifest is not None else 0
        closed = self.dataset.publish is Verdict.RECIPE and rows > 0
        if HOLD_PATH in self.state.files and not self.restore and not closed:
            hold = self.state.hold or {}
            told = f"{hold.get('kind', 'held')}: {hold.get('reason', '')}"
            return self.of("held", f"{told}; sync leaves it alone, --restore builds it again")
        return None

    def _not_allowed(self) -> SyncPlan | None:
        """A card at most, or nothing, where the license says so or nobody has read it; phantoms stay at home."""
        if self.dataset.publish is Verdict.RECIPE:
            reason = f"recipe only: {self.dataset.license} does not allow redistribution"
            return self.of("none" if self._recipe_is_there() else "card", reason)
        if "license" in self.dataset.evidence.unverified and not self.hub.embedded:
            return self.of(
                "blocked",
                "nobody has read its license (the declaration says unverified): read it at the source and write where, "
                "before this is published beyond an embedded Hub",
            )
        if self.source.origin != "miniature":
            return None
        if not self.hub.embedded:
            return self.of(
                "blocked",
                "phantoms are published on an embedded Hub only; pass SOURCE=<root> or SOURCE=official",
            )
        if self.manifest is not None and self.manifest.origin != "miniature" and self.manifest.rows:
            return self.of("none", f"holds rows of the {self.manifest.origin}; phantoms never replace them")
        return None

    def _recipe_is_there(self) -> bool:
        more = [path for path in self.state.files if path.startswith(OWNED) and path not in (*texts.PATHS, MARK_PATH)]
        return (
            self.manifest is not None
            and self.manifest.fingerprint == RECIPE
            and not more
            and texts.are_fresh(self.builder, self.hub.namespace, self.state)
        )

    def _by_source(self) -> SyncPlan:
        """Build where the source, or what is made of it, differs from what was published."""
        old = dict(self.manifest.fingerprint) if self.manifest is not None else {}
        if not self.source.there:
            step = f"put the original below {Path(str(self.source.root)) / self.dataset.name}"
            how = f" ({self.dataset.how})" if self.dataset.how else ""
            return self.of("blocked" if self.asked else "absent", f"no source: {step}{how}")
        try:
            files = None if self.source.origin == "miniature" else self.source.files()
            prints = fingerprint(self.builder, files, self.source.origin, self.known or old)
        except SourceRequiredError as error:
            return self.of("blocked" if self.asked else "absent", str(error))
        differs = changed(old, prints)
        manifest = self.manifest
        problems = [*_turned(self.dataset, manifest), *stored(self.state)] if manifest is not None else []
        if not differs and not problems and HOLD_PATH not in self.state.files:
            return replace(self._unchanged(), fingerprint=prints)
        reason = "new"
        if old:
            turned = [f"changed: {', '.join(differs)}"] if differs else []
            reason = "; ".join([*turned, *problems][:2]) or "restored"
        return replace(self.of("build", reason), fingerprint=prints)

    def _unchanged(self) -> SyncPlan:
        """The data stays; texts and gate may be due."""
        if not texts.are_fresh(self.builder, self.hub.namespace, self.state):
            return self.of("card", "the texts may differ")
        manifest = self.manifest
        gated = manifest is not None and manifest.rows and policy.gates(self.dataset, manifest)
        if gated and not self.hub.gated(self.builder.name):
            return self.of("gate", "its gate stands open")
        return self.of("none", "unchanged")
