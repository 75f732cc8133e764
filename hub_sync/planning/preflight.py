"""What a run of sync would meet and do on a Hub: may the token write, which names are taken, how much would go there.

Nothing is written, and no file of the source is read.

Facts of the public Hub: roles of tokens and members from its `whoami-v2` answer; what it recommends from
https://huggingface.co/docs/hub/storage-limits, requests from https://huggingface.co/docs/hub/rate-limits (both read in
November 2026). Nobody has run this against the public Hub yet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from huggingface_hub import get_token
from huggingface_hub.errors import HfHubHTTPError

from medimg import licenses, policy, registry
from medimg.errors import HubError, MedimgError
from medimg.hub_sync.building.shards import SHARD_BYTES
from medimg.hub_sync.planning.plan import Action, SyncPlan, make_plan
from medimg.hub_sync.planning.source import DatasetSource
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.state import Published, foreign
from medimg.licenses import Verdict
from medimg.registry import Builder

RATE = 20.0
"""MB/s of an upload, where nobody says better."""
REQUESTS = 1000
"""Requests to its API in five minutes that the public Hub allows a free user; others may make more."""
PER_DATASET, PER_SHARD = 16, 2
"""Requests for one dataset, and for each of its shards more (seen on an embedded Hub; more where some are repeated)."""
TEXTS = 8
"""Files beside the shards: card, Croissant, manifest, preview, pictures."""
BEST = {"files of a repository": 100_000, "files of a commit": 100}
"""What the public Hub recommends not to exceed."""
STORAGE = 5e12
"""Bytes up to which the public Hub usually stores what is public for a free account."""

At = Literal["free", "ours", "taken"]


@dataclass(frozen=True)
class Access:
    """Who the token belongs to, and whether it may write to the namespace; `problem` says why not."""

    user: str | None
    role: str | None
    problem: str | None = None
    doubt: str | None = None


@dataclass(frozen=True)
class Planned:
    """What sync would do with one dataset.

    Attributes:
        action: as in `SyncPlan`.
        at: whether the repository's name is free, holds what medimg published, or something else.
        bytes: about so many would be uploaded: as many as the source has. None is not known.
        files: about so many files of the repository, all in one commit.
        gate: "gated", "open", or "by rows" where the licenses of rows decide.
        notes: what exceeds what the Hub recommends.
    """

    name: str
    action: Action
    reason: str
    at: At
    bytes: int | None
    files: int
    commits: int
    gate: Literal["gated", "open", "by rows"]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preflight:
    """All that was found out. `ready` where sync could begin."""

    hub: str
    namespace: str
    embedded: bool
    access: Access
    datasets: tuple[Planned, ...]
    rate: float

    @property
    def problems(self) -> list[str]:
        """What must be mended first."""
        found = [self.access.problem] if self.access.problem else []
        return found + [f"{each.name}: {each.reason}" for each in self.datasets if each.action == "blocked"]

    @property
    def doubts(self) -> list[str]:
        """What may go wrong, or exceeds what the Hub recommends."""
        found = [self.access.doubt] if self.access.doubt else []
        found += [f"{each.name}: {note}" for each in self.datasets for note in each.notes]
        unknown = [each.name for each in self.datasets if each.bytes is None]
        if unknown:
            found.append(f"nobody tells how large the sources are of {', '.join(unknown)}")
        if self.bytes > STORAGE and not self.embedded:
            found.append(
                f"{self.bytes / 1e12:.1f} TB: above {STORAGE / 1e12:.0f} TB ask datasets@huggingface.co before"
            )
        return found

    @property
    def bytes(self) -> int:
        """To upload, about, as far as the sources tell."""
        return sum(each.bytes or 0 for each in self.datasets)

    @property
    def requests(self) -> int:
        """To the Hub's API, about."""
        shards = sum(each.files for each in self.datasets if each.commits)
        return PER_DATASET * len(self.datasets) + PER_SHARD * shards

    @property
    def seconds(self) -> float:
        """For the upload at `rate`, or for as many requests as the public Hub allows, whichever is longer."""
        waiting = 0.0 if self.embedded else 300.0 * (math.ceil(self.requests / REQUESTS) - 1)
        return max(self.bytes / self.rate / 1e6, waiting)

    @property
    def ready(self) -> bool:
        """Whether nothing must be mended first."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = ("hub", "namespace", "embedded", "ready", "problems", "doubts", "bytes", "requests", "seconds")
        return {
            **{name: getattr(self, name) for name in told},
            "access": asdict(self.access),
            "datasets": [asdict(each) for each in self.datasets],
        }


def preflight(
    names: Sequence[str], hub: Hub, *, root: str | None = None, restore: bool = False, rate: float = RATE
) -> Preflight:
    """Look at all that sync would need, and write nothing.

    Args:
        names: datasets (slugs or aliases); empty means all.
        root, restore: as for `sync`.
        rate: MB/s of an upload.

    Raises:
        UnknownDatasetError: a name is unknown.
        HubError: the Hub does not answer.
    """
    builders = list(dict.fromkeys([registry.get(name) for name in names] if names else registry.builders()))
    access = _access(hub)
    found = [_planned(builder, hub, root, bool(names), restore) for builder in builders]
    kept = tuple(each for each in found if each is not None)
    return Preflight(hub.endpoint, hub.namespace, hub.embedded, access, kept, rate)


# the token


def _access(hub: Hub) -> Access:
    if not hub.api.token and not get_token():
        return Access(None, None, "there is no token: log in with `hf auth login`, or set HF_TOKEN")
    try:
        who = hub.ask("whoami", hub.api.whoami)
    except HubError as error:
        cause = error.__cause__
        while cause is not None and not isinstance(cause, HfHubHTTPError):
            cause = cause.__cause__
        if cause is None or cause.response.status_code != 401:
            raise
        if hub.embedded and hub.api.token == "embedded":
            return Access(None, None, "this Hub asks for its token: set HF_TOKEN to it")
        return Access(None, None, "the Hub does not know this token: `hf auth login`, or another HF_TOKEN")
    return may_write(who, hub.namespace, anywhere=hub.embedded)


def may_write(who: Mapping[str, Any], namespace: str, *, anywhere: bool = False) -> Access:
    """What a token may do in a namespace.

    Args:
        who: the answer of `whoami-v2`.
        anywhere: the Hub asks for no membership.
    """
    user = str(who.get("name", ""))
    token = who.get("auth", {}).get("accessToken", {})
    role = str(token.get("role", "")) or None
    if role == "read":
        return Access(user, role, f"the token of {user} reads only: make one that writes")
    orgs: dict[str, Any] = {str(each.get("name")): each for each in who.get("orgs", [])}
    if namespace != user and namespace not in orgs and not anywhere:
        return Access(
            user,
            role,
            f"{user} is no member of {namespace}: join or create it, or pass --namespace {user}",
        )
    if role == "fineGrained":
        scoped = token.get("fineGrained", {}).get("scoped", [])
        allowed = {
            permission
            for each in scoped
            if each.get("entity", {}).get("name") == namespace
            for permission in each.get("permissions", [])
        }
        if "repo.write" not in allowed:
            return Access(user, role, f"the token may not write to repositories of {namespace} (repo.write)")
    member = None if namespace == user else orgs.get(namespace, {}).get("roleInOrg")
    if member in ("read", "no_access"):
        return Access(user, role, f"{user} may not write in {namespace}: the role there is {member}")
    if member == "contributor":
        doubt = f"{user} is a contributor of {namespace}: repositories that others made there refuse writes"
        return Access(user, role, doubt=doubt)
    return Access(user, role)


# the datasets


def _planned(builder: Builder, hub: Hub, root: str | None, asked: bool, restore: bool) -> Planned | None:
    state, text = hub.found(builder.name)
    try:
        state = hub.published(builder.name) if text is not None else state
    except HubError as error:  # of a manifest that no medimg wrote, or a newer one
        return _nothing(builder, "blocked", error.problem, "taken")
    at: At = "taken" if foreign(state) else "free" if state.sha is None else "ours"
    try:
        with DatasetSource(builder, root) as source:
            plan = make_plan(builder, hub, state, source, asked=asked, restore=restore)
            if plan.action == "absent":
                return None
            if plan.action != "build":
                return _nothing(builder, plan.action, plan.reason, at)
            return _build(builder, plan, state, at, source)
    except (
        MedimgError,
        OSError,
    ) as error:  # one source that cannot be had does not end the look at the others
        return _nothing(builder, "blocked", hub.redacted(str(error)), at)


def _nothing(builder: Builder, action: Action, reason: str, at: At) -> Planned:
    commits = int(action == "card")
    return Planned(builder.name, action, reason, at, 0, TEXTS * commits, commits, _gate(builder, None))


def _build(builder: Builder, plan: SyncPlan, state: Published, at: At, source: DatasetSource) -> Planned:
    known, unknown = source.files().size()
    size = known if not unknown or known else None
    splits = sum(max(1, len(builder.dataset.config(name).splits)) for name in builder.dataset.config_names)
    shards = max(splits, math.ceil((size or 0) / SHARD_BYTES))
    files = shards + splits + TEXTS
    notes = [
        f"about {files:,} {what}; the Hub recommends at most {most:,}" for what, most in BEST.items() if files > most
    ]
    if unknown and known:
        notes.append(f"{unknown} files of the source do not tell their size")
    return Planned(builder.name, plan.action, plan.reason, at, size, files, 1, _gate(builder, state), tuple(notes))


def _gate(builder: Builder, state: Published | None) -> Literal["gated", "open", "by rows"]:
    dataset = builder.dataset
    ids = {dataset.license, *(dataset.config(name).license or "" for name in dataset.config_names)}
    declared = [licenses.get(id) for id in ids - {""}]
    if policy.gates(dataset, state.manifest if state is not None else None):
        return "gated"
    if any(each.publish is Verdict.GATED for each in declared):
        return "gated"
    return "by rows" if any(each.per_row for each in declared) else "open"
