"""Go back to an earlier version, or take a dataset down. Sync respects the mark of both until it is told otherwise."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    DatasetCardData,
)

from medimg import layout, policy, registry
from medimg.cards.readme.markdown import escape, link
from medimg.cards.readme.page import below
from medimg.errors import HubError, UnknownDatasetError, VerifyError
from medimg.fused_manifest import FusedManifest
from medimg.hub_sync import manifests
from medimg.hub_sync.pushing.client import Hub, Operation
from medimg.hub_sync.pushing.state import HOLD_PATH, MARK_PATH, OWNED, Published
from medimg.hub_sync.verifying.verify import Reader, stored, verify
from medimg.hub_sync.withdrawing import withdrawal
from medimg.licenses import Verdict
from medimg.manifest import MANIFEST_PATH, NOTICE, Origin
from medimg.text import clean

RETIRED, ROLLED_BACK = "retired", "rolled back"
_MARKS = (HOLD_PATH, MARK_PATH)
RETIRED_TAG = "medimg-retired"
"""Tag in the YAML of a notice."""


@dataclass(frozen=True)
class Change:
    """What was done: the new revision (None where it was so already) and a sentence for the terminal."""

    revision: str | None
    said: str


def rollback(hub: Hub, name: str, to: str, *, reason: str = "", reader: Reader | None = None) -> Change:
    """A new commit whose data, card and manifest are those of a tag; no byte of data is uploaded.

    Args:
        to: tag (or revision).
        reason: kept in the mark and in the commit message.
        reader: one that runs already.

    Raises:
        HubError: there is no such tag, it holds nothing that sync published, or rows that may not be shown any more.
        MovedError: somebody else committed meanwhile.
        VerifyError: what is published now does not equal its manifest.
    """
    state = _present(hub, name)
    sha = state.tags.get(to)
    if sha is None and not (len(to) == 40 and set(to) <= set("0123456789abcdef")):
        known = ", ".join(sorted(state.tags)) or "none"
        raise HubError(f"there is no tag {to!r}", dataset=name, next_step=f"Tags: {known}.")
    target = hub.published(name, sha or to)
    if target.manifest is None:
        raise HubError(f"{to} holds no manifest, so it was not published by sync", dataset=name)
    problems = stored(target)
    if problems:
        raise HubError(f"{to} does not equal its own manifest: {'; '.join(problems[:2])}", dataset=name)
    dataset = registry.get(name).dataset
    if shut := policy.forbidden(dataset, target.manifest):
        held = ", ".join(f"{count:,} rows under {id}" for id, count in shut.items())
        again = f"medimg sync {name} --source <root> --restore"
        raise HubError(
            f"{to} holds {held}, which may not be published any more",
            dataset=name,
            next_step=f"Remove what is left of it: medimg purge {name}."
            if dataset.publish is Verdict.RECIPE
            else f"Build it again without them: {again}.",
        )
    wanted = {path: digest for path, digest in target.files.items() if _ours(path) and path not in _MARKS}
    hold = _hold(ROLLED_BACK, reason or f"to {to}", to)
    operations: list[Operation] = [
        CommitOperationCopy(src_path_in_repo=path, path_in_repo=path, src_revision=target.sha)
        for path, digest in wanted.items()
        if state.files.get(path) != digest
    ]
    operations += [
        CommitOperationDelete(path_in_repo=path)
        for path in state.files
        if _ours(path) and path not in wanted and path not in _MARKS
    ]
    if not operations and (state.hold or {}).get("to") == to:
        return Change(None, f"{name} is at {to} already")
    operations.append(CommitOperationAdd(path_in_repo=HOLD_PATH, path_or_fileobj=hold))
    revision = hub.commit(name, operations, f"{dataset.title}: back to {to}", state, description=reason)
    withdrawal.settle(hub, name, hub.published(name))
    _verified(hub, name, reader)
    said = f"{name} is at {to} again ({target.manifest.rows} rows)"
    return Change(revision, f"{said}; sync leaves it there until `medimg sync {name} --restore`")


def retire(hub: Hub, name: str, reason: str, *, purge: bool = False, reader: Reader | None = None) -> Change:
    """Replace data, card and manifest by a notice that says why, and shut what still holds its rows.

    That is the earlier revisions, and the fused sets with copies. They stay shut until they are purged.

    Args:
        name: dataset, or fused set.
        reason: shown on the card.
        purge: also remove the history: all tags, all earlier revisions and, where the Hub can, the stored objects.
        reader: one that runs already.

    Raises:
        HubError: nothing is published under this name.
        MovedError: somebody else committed meanwhile.
        VerifyError: what is published now is not the notice.
    """
    reason = clean(reason)
    if not reason:
        raise HubError("a reason is needed", dataset=name, next_step="Say why: --reason TEXT.")
    state, text = hub.found(name)
    if state.sha is None:
        raise HubError(f"there is no repository {hub.repo(name)}", dataset=name)
    subject = _subject(hub, name, text)
    old = None if text is None or withdrawal.is_fused(text) else manifests.read(text, name)
    earlier = withdrawal.exposed(hub, name, state, retired=True)
    if earlier:
        withdrawal.shut(hub, name, state)
        state = hub.found(name)[0]
    origin = subject.origin if old is None else old.origin
    manifest = manifests.made(name, origin, NOTICE)
    content = {
        layout.CARD_PATH: notice(subject, reason).encode(),
        MANIFEST_PATH: manifest.to_json().encode(),
        HOLD_PATH: _hold(RETIRED, reason, ""),
    }
    revision: str | None = None
    if state.hold != json.loads(content[HOLD_PATH]) or old != manifest:
        operations: list[Operation] = [
            CommitOperationAdd(path_in_repo=path, path_or_fileobj=data) for path, data in content.items()
        ]
        operations += [
            CommitOperationDelete(path_in_repo=path)
            for path in state.files
            if _ours(path) and path not in (*content, MARK_PATH)
        ]
        message = f"{subject.title}: retired"
        revision = hub.commit(name, operations, message, state, description=reason)
    left = withdrawal.purge(hub, name, note="retired") if purge else withdrawal.told(name, earlier)
    _verified(hub, name, reader)
    copies = withdrawal.shut_holders(hub, name) if subject.dataset else ""
    return Change(revision, "; ".join(filter(None, (f"{name} is retired", left, copies))))


@dataclass(frozen=True)
class _Subject:
    """What is retired: a dataset, or a fused set of somebody's."""

    name: str
    title: str
    homepage: str
    origin: Origin
    dataset: bool


def _subject(hub: Hub, name: str, text: str | None) -> _Subject:
    with suppress(UnknownDatasetError):
        dataset = registry.get(name).dataset
        return _Subject(dataset.name, dataset.title, dataset.homepage, "source", True)
    if text is not None and withdrawal.is_fused(text):
        fused = FusedManifest.model_validate_json(text)
        return _Subject(name, fused.title, hub.address(name), fused.origin, False)
    raise HubError(f"{hub.repo(name)} is neither a dataset nor a fused set", dataset=name)


def notice(subject: _Subject, reason: str) -> str:
    """The card of what was retired."""
    data = DatasetCardData(
        pretty_name=clean(subject.title) or subject.name,
        license="other",
        license_name="retired",
        license_link=subject.homepage,
        tags=["medical", "medimg", RETIRED_TAG],
        **layout.NO_DATA,
    )
    text = "\n\n".join(
        [
            f"# {escape(subject.title)}",
            "> **RETIRED: this repository holds no data any more.**",
            f"Why: {escape(reason)}",
            "If you have a copy, find out whether you may still use it, and say in your work which version it was.",
            f"The source: {link(subject.homepage, subject.homepage)}",
        ]
    )
    return below(data, text)


def _present(hub: Hub, name: str) -> Published:
    state = hub.published(name)
    if state.sha is None:
        raise HubError(f"there is no repository {hub.repo(name)}", dataset=name)
    return state


def _ours(path: str) -> bool:
    """Whether sync writes this file; others are left alone."""
    return path == layout.CARD_PATH or path.startswith(OWNED)


def _hold(kind: str, reason: str, to: str) -> bytes:
    return (json.dumps({"kind": kind, "reason": reason, "to": to}, ensure_ascii=False, indent=1) + "\n").encode()


def _verified(hub: Hub, name: str, reader: Reader | None) -> None:
    problems = verify(hub, [name], reader=reader)[name]
    if problems:
        raise VerifyError("; ".join(problems[:3]), dataset=name, next_step="Look at the repository's last commits.")
