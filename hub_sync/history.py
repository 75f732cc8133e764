"""Go back to an earlier version, or take a dataset down. Sync respects the mark of both until it is told otherwise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    DatasetCard,
    DatasetCardData,
)
from huggingface_hub.errors import HfHubHTTPError

from medimg import __version__, layout, registry
from medimg.cards.card import clean, escape, forbidden, link
from medimg.declaration import Dataset
from medimg.errors import HubError, VerifyError
from medimg.hub_sync import holders
from medimg.hub_sync.publish import HOLD_PATH, OWNED, Hub, Operation, Published
from medimg.hub_sync.verify import Reader, stored, verify
from medimg.manifest import MANIFEST_PATH, NOTICE, Manifest
from medimg.registry import Builder
from medimg.schema import SCHEMA_VERSION

RETIRED, ROLLED_BACK = "retired", "rolled back"
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
        hub: where.
        name: dataset.
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
    target = hub.at(name, sha or to)
    if target.manifest is None:
        raise HubError(f"{to} holds no manifest, so it was not published by sync", dataset=name)
    problems = stored(target)
    if problems:
        raise HubError(f"{to} does not equal its own manifest: {'; '.join(problems[:2])}", dataset=name)
    if shut := forbidden(registry.get(name).dataset, target.manifest):
        held = ", ".join(f"{count:,} rows under {id}" for id, count in shut.items())
        raise HubError(
            f"{to} holds {held}, which may not be published any more",
            dataset=name,
            next_step=f"Build it again without them: medimg sync {name} --source <root> --restore.",
        )
    wanted = {path: digest for path, digest in target.files.items() if _ours(path) and path != HOLD_PATH}
    hold = _hold(ROLLED_BACK, reason or f"to {to}", to)
    operations: list[Operation] = [
        CommitOperationCopy(src_path_in_repo=path, path_in_repo=path, src_revision=target.sha)
        for path, digest in wanted.items()
        if state.files.get(path) != digest
    ]
    operations += [
        CommitOperationDelete(path_in_repo=path)
        for path in state.files
        if _ours(path) and path not in wanted and path != HOLD_PATH
    ]
    if not operations and (state.hold or {}).get("to") == to:
        return Change(None, f"{name} is at {to} already")
    operations.append(CommitOperationAdd(path_in_repo=HOLD_PATH, path_or_fileobj=hold))
    title = registry.get(name).dataset.title
    revision = hub.commit(name, operations, f"{title}: back to {to}", state, description=reason)
    _verified(hub, name, reader)
    said = f"{name} is at {to} again ({target.manifest.rows} rows)"
    return Change(revision, f"{said}; sync leaves it there until `medimg sync {name} --restore`")


def retire(hub: Hub, name: str, reason: str, *, purge: bool = False, reader: Reader | None = None) -> Change:
    """Replace data, card and manifest by a notice that says why; says which fused sets still hold copies of its rows.

    Args:
        hub: where.
        name: dataset.
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
    builder = registry.get(name)
    state = _present(hub, name)
    manifest = Manifest(
        name=name,
        medimg=__version__,
        schema_version=SCHEMA_VERSION,
        origin=state.manifest.origin if state.manifest is not None else "source",
        fingerprint=NOTICE,
    )
    content = {
        layout.CARD_PATH: notice(builder, reason).encode(),
        MANIFEST_PATH: manifest.to_json().encode(),
        HOLD_PATH: _hold(RETIRED, reason, ""),
    }
    revision: str | None = None
    if state.hold != json.loads(content[HOLD_PATH]) or state.manifest != manifest:
        operations: list[Operation] = [
            CommitOperationAdd(path_in_repo=path, path_or_fileobj=data) for path, data in content.items()
        ]
        operations += [
            CommitOperationDelete(path_in_repo=path)
            for path in state.files
            if _ours(path) and path not in content
        ]
        message = f"{builder.dataset.title}: retired"
        revision = hub.commit(name, operations, message, state, description=reason)
    left = (
        _purge(hub, name, state) if purge else "earlier revisions still hold the data; --purge removes them"
    )
    _verified(hub, name, reader)
    copies = holders.told(hub, name)
    return Change(revision, f"{name} is retired; {left}" + (f"; {copies}" if copies else ""))


def notice(builder: Builder, reason: str) -> str:
    """The card of a retired dataset."""
    dataset: Dataset = builder.dataset
    data = DatasetCardData(
        pretty_name=clean(dataset.title) or dataset.name,
        license="other",
        license_name="retired",
        license_link=dataset.homepage,
        tags=["medical", "medimg", RETIRED_TAG],
    )
    text = "\n\n".join(
        [
            f"# {escape(dataset.title)}",
            "> **RETIRED: this repository holds no data any more.**",
            f"Why: {escape(reason)}",
            "If you have a copy, find out whether you may still use it, and say in your work which version it was.",
            f"The source: {link(dataset.homepage, dataset.homepage)}",
        ]
    )
    card = DatasetCard.from_template(data, template_str="---\n{{ card_data }}\n---\n\n{{ text }}", text=text)
    return str(card).rstrip("\n") + "\n"


def _purge(hub: Hub, name: str, state: Published) -> str:
    """Remove tags and history; the objects themselves where the Hub lets its users do that."""
    repo = hub.repo(name)
    for tag in state.tags:

        def drop(tag: str = tag) -> None:
            try:
                hub.api.delete_tag(repo, tag=tag, repo_type="dataset")
            except HfHubHTTPError as error:
                if error.response.status_code != 404:
                    raise

        hub.ask(name, drop)
    hub.ask(name, lambda: hub.api.super_squash_history(repo, repo_type="dataset", commit_message="retired"))
    kept: Sequence[object] = ()
    try:
        files = hub.ask(name, lambda: list(hub.api.list_lfs_files(repo, repo_type="dataset")))
        used = {digest for digest in hub.published(name).files.values() if len(digest) == 64}
        kept = files = [file for file in files if file.file_oid not in used]
        if files:
            hub.ask(
                name,
                lambda: hub.api.permanently_delete_lfs_files(
                    repo, files, rewrite_history=False, repo_type="dataset"
                ),
            )
    except HubError as error:
        why = "an embedded Hub keeps objects in its store" if hub.embedded else error.problem
        return f"tags and history are gone, stored objects are not ({why})"
    return f"tags, history and {len(kept)} stored objects are gone"


def _present(hub: Hub, name: str) -> Published:
    state = hub.published(name)
    if state.sha is None:
        raise HubError(f"there is no repository {hub.repo(name)}", dataset=name)
    return state


def _ours(path: str) -> bool:
    """Whether sync writes this file; others are left alone."""
    return path == layout.CARD_PATH or path.startswith(OWNED)


def _hold(kind: str, reason: str, to: str) -> bytes:
    return (
        json.dumps({"kind": kind, "reason": reason, "to": to}, ensure_ascii=False, indent=1) + "\n"
    ).encode()


def _verified(hub: Hub, name: str, reader: Reader | None) -> None:
    problems = verify(hub, [name], reader=reader)[name]
    if problems:
        raise VerifyError(
            "; ".join(problems[:3]), dataset=name, next_step="Look at the repository's last commits."
        )
