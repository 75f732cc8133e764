"""What was published and may not be any more: found in every revision and every fused copy, shut at once, purged.

A verdict governs every revision that can be reached. Where it turns, sync shuts the repository (readers must be
approved one by one) and leaves a mark, `.medimg/withdrawn.json`, with the gate that was there before. `purge` removes
all but what `main` holds now; then the mark goes, and the gate is as it was.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.errors import HfHubHTTPError

from medimg import licenses, policy, registry
from medimg.declaration import Dataset
from medimg.errors import HubError, UnknownDatasetError
from medimg.fused_manifest import FusedManifest
from medimg.hub_sync import manifests
from medimg.hub_sync.pushing.client import Gate, Hub, Operation
from medimg.hub_sync.pushing.state import MARK_PATH, Published
from medimg.licenses import Verdict
from medimg.manifest import Manifest

SHUT: Gate = "manual"
"""Nobody reads the files whom a maintainer has not approved; the page stays."""


@dataclass(frozen=True)
class Exposed:
    """A revision that holds rows which may not be shown any more.

    Attributes:
        revision: commit id.
        tags: that lead to it.
        rows: why -> rows of it; 0 where no manifest counts them.
    """

    revision: str
    tags: tuple[str, ...]
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Holder:
    """A fused set with rows that may not be shown any more: its name, its page, and why -> rows that it shows now."""

    name: str
    address: str
    now: Mapping[str, int]

    def __str__(self) -> str:
        rows = f"{sum(self.now.values()):,} rows now" if self.now else "earlier revisions only"
        return f"{self.name} ({rows}, {self.address})"


class Retired:
    """Which datasets of the organization were taken back; each is looked at once."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._known: dict[str, bool] = {}

    def __contains__(self, name: object) -> bool:
        name = str(name)
        if name not in self._known:
            text = self._hub.found(name)[1]
            self._known[name] = text is not None and not is_fused(text) and manifests.read(text, name).retired
        return self._known[name]


# what is exposed


def due(dataset: Dataset, state: Published) -> bool:
    """Whether earlier revisions are worth a look: told from what sync reads anyhow."""
    if MARK_PATH in state.files:
        return True
    if state.manifest is not None and policy.forbidden(dataset, state.manifest):
        return True
    return dataset.publish is Verdict.RECIPE and bool(state.tags)


def exposed(
    hub: Hub,
    name: str,
    state: Published,
    *,
    retired: bool = False,
    members: Retired | None = None,
    of: str | None = None,
) -> tuple[Exposed, ...]:
    """Revisions of a repository, the present one included, with rows that may not be shown any more.

    Args:
        name: dataset or fused set.
        retired: it is taken back, so that no row may be shown.
        members: which members of a fused set were.
        of: of a fused set, only rows of this dataset.
    """
    members = members or Retired(hub)
    found = []
    for revision, tags in _revisions(hub, name, state):
        at, text = hub.found(name, revision)
        if rows := withheld(name, at, text, members, retired=retired, of=of):
            found.append(Exposed(revision, tags, rows))
    return tuple(found)


def withheld(
    name: str,
    at: Published,
    text: str | None,
    members: Retired,
    *,
    retired: bool = False,
    of: str | None = None,
) -> dict[str, int]:
    """Why -> rows of one revision that may not be shown any more; see `exposed`."""
    dataset = _dataset(name)
    if text is None:
        unknown = retired or (dataset is not None and dataset.publish is Verdict.RECIPE)
        data = any(path.endswith(".parquet") for path in at.files)
        return {"files without a manifest": 0} if unknown and data else {}
    manifest = parsed(text, name)
    if retired:
        return {"it was retired": manifest.rows} if manifest.rows else {}
    if isinstance(manifest, FusedManifest):
        return withdrawn_rows(manifest, members, of)
    found = policy.forbidden(dataset, manifest) if dataset is not None else {}
    return {f"the license is {id}": rows for id, rows in found.items()}


def withdrawn_rows(manifest: FusedManifest, retired: Retired, of: str | None = None) -> dict[str, int]:
    """Why -> rows of members that may not be shown any more: retired, or under a license that has turned.

    Args:
        of: only rows of this dataset.
    """
    found: Counter[str] = Counter()
    for member in manifest.members:
        rows = sum(member.rows.values())
        if not rows or of not in (None, member.name):
            continue
        if member.name in retired:
            found[f"{member.key} was retired"] += rows
            continue
        dataset = registry.get(member.name).dataset
        declared = policy.declared(dataset, member.config)
        if not licenses.get(declared).per_row:
            if licenses.verdict(declared) is Verdict.RECIPE:
                found[f"{member.key} is under {declared} now"] += rows
            continue
        by_row = f"rows of {member.key}: "
        for key, id in manifest.terms.members.items():
            if key.startswith(by_row) and licenses.verdict(id) is Verdict.RECIPE:
                found[f"some rows of {member.key} are under {id}"] += rows
    return dict(found)


def is_fused(text: str | None) -> bool:
    """Whether a repository's manifest is that of a fused set."""
    return text is not None and '"kind": "fused"' in text


def parsed(text: str, name: str) -> Manifest | FusedManifest:
    """The manifest of a repository. Raises HubError where nobody can read it."""
    return FusedManifest.model_validate_json(text) if is_fused(text) else manifests.read(text, name)


def _dataset(name: str) -> Dataset | None:
    try:
        return registry.get(name).dataset
    except UnknownDatasetError:
        return None


def _revisions(hub: Hub, name: str, state: Published) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every commit that a branch or tag leads to, with its tags; the present one of `main` first."""
    refs = hub.call(name, hub.api.list_repo_refs)
    tags: dict[str, list[str]] = {}
    for tag in refs.tags:
        tags.setdefault(tag.target_commit, []).append(tag.name)
    heads = [branch.target_commit for branch in refs.branches]
    seen: set[str] = set()
    for start in dict.fromkeys([*([state.sha] if state.sha else []), *heads, *tags]):
        if start in seen:
            continue
        for commit in hub.call(name, hub.api.list_repo_commits, revision=start):
            id = commit.commit_id
            if id in seen:
                break
            seen.add(id)
            yield id, tuple(tags.get(id, ()))


# fused sets with copies


def fused_sets(hub: Hub) -> dict[str, tuple[Published, str]]:
    """The fused sets of the organization by name: state and manifest's text. Raises HubError without an answer."""
    found = {}
    for name in sorted(set(hub.datasets("fused sets")) - set(registry.names())):
        state, text = hub.found(name)
        if text is not None and is_fused(text):
            found[name] = state, text
    return found


def holders(hub: Hub, name: str) -> list[Holder]:
    """Fused sets of the organization, in any revision, with rows of a dataset that may not be shown any more.

    Raises:
        HubError: the Hub does not answer.
    """
    members, found = Retired(hub), []
    for fused, (state, text) in fused_sets(hub).items():
        if exposed(hub, fused, state, members=members, of=name):
            now = withheld(fused, state, text, members, of=name)
            found.append(Holder(fused, hub.address(fused), now))
    return found


def shut_holders(hub: Hub, name: str) -> str:
    """Shut the fused sets that hold rows of a dataset which may not be shown any more; a sentence on them.

    Returns:
        Text for the terminal; empty where there is none.
    """
    found = holders(hub, name)
    for holder in found:
        shut(hub, holder.name, hub.found(holder.name)[0])
    if not found:
        return ""
    sets = ", ".join(map(str, found))
    now = [holder.name for holder in found if holder.now]
    step = f"push {' and '.join(now)} again without it (medimg fuse … --push NAME), then " if now else ""
    purged = " and ".join(f"medimg purge {holder.name}" for holder in found)
    return f"fused sets that hold copies of its rows, shut: {sets}; {step}{purged}"


# shut, and open again


def mark(state: Published) -> Gate | None:
    """The gate that a repository had before sync shut it; None where sync has not."""
    if MARK_PATH not in state.files:
        return None
    try:
        before = json.loads(state.read(MARK_PATH) or "").get("gate")
    except (ValueError, AttributeError):
        before = SHUT
    return before if before in ("auto", SHUT, False) else SHUT


def shut(hub: Hub, name: str, state: Published) -> None:
    """Shut a repository at once, and mark it in a commit of its own where it was open until now."""
    before = hub.gate_of(name)
    if before != SHUT:
        hub.gate(name, SHUT)
    if mark(state) is None:
        content = (json.dumps({"gate": before}) + "\n").encode()
        operation = CommitOperationAdd(path_in_repo=MARK_PATH, path_or_fileobj=content)
        hub.commit(name, [operation], "Shut: it holds rows that may not be shown any more", state)


def told(name: str, found: Iterable[Exposed], *, shut: bool = True) -> str:
    """A sentence on revisions that may not be shown any more, with the command that removes them."""
    found = list(found)
    if not found:
        return ""
    why: Counter[str] = Counter()
    for each in found:
        for reason, rows in each.rows.items():
            why[reason] = max(why[reason], rows)
    tags = [tag for each in found for tag in each.tags]
    many = len(found) > 1
    where = f"{len(found)} revisions" if many else "one revision"
    named = f" ({', '.join(tags)})" if tags else ""
    held = ", ".join(f"{rows:,} rows ({reason})" if rows else reason for reason, rows in why.items())
    verb, them = ("hold", "them") if many else ("holds", "it")
    return (
        f"{where}{named} still {verb} {held}; "
        + (f"shut, so that only those read {them} whom a maintainer approves; " if shut else "")
        + f"medimg purge {name} removes {them}"
    )


def settle(hub: Hub, name: str, state: Published) -> tuple[Published, str]:
    """Shut a dataset's repository, and fused sets with copies, while a revision holds what may not be shown.

    Where none does any more, it is opened again.

    Returns:
        The state after it, and a sentence for the terminal, empty where there is nothing to say.
    """
    retired = state.manifest is not None and state.manifest.retired
    found = exposed(hub, name, state, retired=retired)
    before = mark(state)
    if found:
        shut(hub, name, state)
        said = "; ".join(filter(None, (told(name, found), shut_holders(hub, name))))
        return (state if before is not None else hub.published(name)), said
    if before is None:
        return state, ""
    reopen(hub, name, state, before)
    return hub.published(name), "no revision holds what may not be shown: opened again"


def reopen(hub: Hub, name: str, state: Published, before: Gate) -> None:
    """Take the mark away and put the gate back that was there before."""
    drop: list[Operation] = [CommitOperationDelete(path_in_repo=MARK_PATH)]
    hub.commit(name, drop, "Open: every revision may be shown", state)
    hub.gate(name, before)


def problems(hub: Hub, name: str, state: Published) -> list[str]:
    """Earlier revisions of a dataset or fused set that may not be shown any more, for `verify`.

    Those of a retired one are no problem while they are shut: whether to purge them was decided when it was retired.
    """
    retired = (state.hold or {}).get("kind") == "retired"
    earlier = [each for each in exposed(hub, name, state, retired=retired) if each.revision != state.sha]
    if not earlier:
        return []
    if hub.gate_of(name) != SHUT:
        return [told(name, earlier, shut=False), "the repository stands open; `medimg sync` shuts it"]
    return [] if retired else [told(name, earlier)]


# purge


def purge(hub: Hub, name: str, *, note: str = "purged") -> str:
    """Remove everything but the files of `main`: tags, other branches, earlier revisions, stored objects.

    Args:
        note: message of the one commit that is left.

    Returns:
        What was removed, and what the Hub does not let its users remove.

    Raises:
        HubError: there is no such repository, or what `main` holds now may not be shown itself.
    """
    state, text = hub.found(name)
    if state.sha is None:
        raise HubError(f"there is no repository {hub.repo(name)}", dataset=name)
    if bad := withheld(name, state, text, Retired(hub)):
        why = "; ".join(f"{rows:,} rows: {reason}" for reason, rows in bad.items())
        mended = (
            f"push it again without them (medimg fuse … --push {name})"
            if is_fused(text)
            else f"build it without them (medimg sync {name} --source <root>)"
        )
        raise HubError(
            f"what it shows now may not be shown ({why})",
            dataset=name,
            next_step=f"First {mended}, or take it down (medimg retire {name}).",
        )
    manifest = None if text is None else parsed(text, name)
    before = mark(state)
    removed = forget(hub, name, note)
    if before is not None:
        reopen(hub, name, hub.found(name)[0], before)
        _squash(hub, name, note)
    if isinstance(manifest, Manifest) and manifest.rows and manifest.tag:
        hub.tag(name, manifest.tag, str(hub.found(name)[0].sha))
    return removed


def forget(hub: Hub, name: str, note: str) -> str:
    """Keep the files that are at `main` now, and nothing of what was there before.

    Args:
        hub: where, of datasets or of Spaces.
        note: message of the one commit that is left.

    Returns:
        What is gone, and what is left to do by hand.
    """
    refs = hub.call(name, hub.api.list_repo_refs)
    for tag in refs.tags:
        hub.call(name, _unless_gone(hub.api.delete_tag), tag=tag.name)
    for branch in refs.branches:
        if branch.name != "main":
            hub.call(name, _unless_gone(hub.api.delete_branch), branch=branch.name)
    _squash(hub, name, note)
    told = "tags and history are gone"
    try:
        files = hub.ask(name, lambda: list(hub.api.list_lfs_files(hub.repo(name), repo_type=hub.kind)))
        used = set(hub.found(name)[0].files.values())
        unused = [file for file in files if file.file_oid not in used]
        if unused:
            hub.call(name, hub.api.permanently_delete_lfs_files, unused, rewrite_history=False)
        told = f"tags, history and {len(unused)} stored objects are gone"
    except HubError as error:
        told += f", stored objects are not ({error.problem}): delete them in the settings of the repository"
    kept = [ref.ref for ref in (*refs.converts, *(refs.pull_requests or ()))]
    if kept:
        told += f"; the Hub's own copies {', '.join(kept)} are its to renew: look whether they did"
    return told


def _squash(hub: Hub, name: str, note: str) -> None:
    hub.call(name, hub.api.super_squash_history, commit_message=note)


def _unless_gone(delete: Callable[..., None]) -> Callable[..., None]:
    """Delete what may be gone already."""

    def once(*args: Any, **options: Any) -> None:
        try:
            delete(*args, **options)
        except HfHubHTTPError as error:
            if error.response.status_code != 404:
                raise

    return once
