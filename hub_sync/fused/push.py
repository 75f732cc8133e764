"""Publish a fused set: own shards in one label space, or copies of the members' shards, in one commit each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import CommitOperationAdd, CommitOperationCopy

from medimg import licenses, registry
from medimg.errors import HubError, VerifyError
from medimg.fused_manifest import FusedManifest
from medimg.fusion import fuse
from medimg.fusion.errors import FusionError
from medimg.fusion.plan import Plan
from medimg.hub_sync.building.build import Progress
from medimg.hub_sync.building.shards import SHARD_BYTES
from medimg.hub_sync.fused.copies import copied, refuse_duplicates
from medimg.hub_sync.fused.rows import built
from medimg.hub_sync.fused.stored import missing, published, verify
from medimg.hub_sync.fused.terms import check_terms, refuse_unread, row_licenses
from medimg.hub_sync.fused.work import Work, origin_of
from medimg.hub_sync.pushing.client import Hub, MovedError
from medimg.hub_sync.pushing.state import MARK_PATH, Published
from medimg.hub_sync.pushing.upload import Upload
from medimg.hub_sync.scratch import scratch, sweep
from medimg.licenses import Combined, Verdict

NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")

MAX_NAME = 96


@dataclass(frozen=True)
class Pushed:
    """What a push did."""

    name: str
    status: Literal["published", "unchanged"]
    rows: int
    commits: int
    uploaded_bytes: int
    publish: str
    address: str
    collection: str


def push(
    name: str,
    request: Mapping[str, Any],
    hub: Hub,
    *,
    verbatim: bool = False,
    check: bool = True,
    shard_bytes: int = SHARD_BYTES,
    on_row: Progress = lambda rows, size: None,
) -> Pushed:
    """Publish a fused set as `<namespace>/<name>`; nothing is uploaded before its licenses allow it.

    Args:
        name: of the repository; no dataset's.
        request: arguments of `medimg.fuse`. Without `source`, members are read from the Hub of HF_ENDPOINT.
        verbatim: copy the members' shards within the Hub, as they are, instead of fusing labels.
        check: read everything back through plain `datasets` afterwards.
        shard_bytes: size at which a shard ends.

    Raises:
        LicenseError: the set may not be passed on; names the members that stand in the way.
        FusionError: the name is not free, or the request cannot be fused or copied.
        HubError: the Hub refused, or phantoms were to leave an embedded Hub.
        VerifyError: what was published does not read back as what was meant.
    """
    check_name(name)
    sweep()
    asked = {"namespace": hub.namespace, **request}
    if asked.get("repeat"):
        raise FusionError("a set that repeats its rows has no end", next_step="push it without repeat.")
    plan: Plan = fuse(**asked, plan=True)
    terms = check_terms(plan, verbatim=verbatim)
    refuse_unread(plan, hub)
    by_row = not verbatim and any(licenses.get(member.license).per_row for member in plan.members)
    stream = None
    if by_row:
        stream = fuse(**asked)
        terms = check_terms(plan, verbatim=False, rows=row_licenses(stream))
    work = Work(name, asked, plan, terms, hub, "verbatim" if verbatim else "remapped")
    members = work.members()
    state, old = published(hub, name)
    origin = origin_of(members, hub, old)
    prints = work.fingerprint(members)
    if old is not None and old.fingerprint == prints and not missing(old, state):
        if terms.publish is Verdict.GATED and not hub.gated(name):
            hub.gate(name)
        upload, manifest = Upload(hub, name), old
        revision = _commit(work, upload, manifest, {}, state)
    else:
        stream = fuse(**asked) if stream is None else stream
        head = work.head(origin, prints, stream.report)
        upload = _LateUpload(hub, name, terms)
        with scratch("fuse") as folder:
            files: Mapping[str, Path | CommitOperationCopy]
            if verbatim:
                refuse_duplicates(stream.report, asked)
                manifest, files = copied(work, members, head, state)
                upload.prepare()
            else:
                manifest, files = built(work, stream, members, head, folder.path, upload, shard_bytes, on_row)
                if [each.state for each in work.members()] != [each.state for each in members]:
                    raise FusionError(
                        "a member changed while it was read", next_step="push again; nothing was published."
                    )
            state = _made(hub, name, state)
            revision = _commit(work, upload, manifest, files, state)
    collection = _collect(hub, work, manifest)
    if check:
        problems = verify(hub, name)
        if problems:
            raise VerifyError("; ".join(problems[:3]), dataset=name, next_step="push again.")
    return Pushed(
        name=name,
        status="unchanged" if revision is None else "published",
        rows=manifest.rows,
        commits=int(revision is not None),
        uploaded_bytes=upload.bytes,
        publish=terms.publish.value,
        address=hub.address(name),
        collection=collection,
    )


def check_name(name: str) -> None:
    """Refuse names that are not safe as a repository, or that a dataset has.

    Raises:
        FusionError: as said.
    """
    if not NAME.fullmatch(name) or len(name) > MAX_NAME or name.endswith(".git"):
        raise FusionError(
            f"{name[:MAX_NAME]!r} cannot be the name of a repository",
            next_step=f"use at most {MAX_NAME} small letters and digits, with single . _ - between them.",
        )
    taken = {known.casefold() for builder in registry.builders() for known in (builder.name, *builder.dataset.aliases)}
    if name.casefold() in taken:
        raise FusionError(f"{name!r} is a dataset", next_step="give the fused set a name of its own.")


# own shards


def _made(hub: Hub, name: str, state: Published) -> Published:
    """The state that a commit is guarded by, now that there is a repository."""
    if state.sha is not None:
        return state
    state, manifest = published(hub, name)
    if manifest is not None:
        raise MovedError("somebody else published it meanwhile", dataset=name, next_step="Run it again, it plans anew.")
    return state


class _LateUpload(Upload):
    """An upload that makes the repository when the first file is there."""

    def __init__(self, hub: Hub, name: str, terms: Combined) -> None:
        super().__init__(hub, name)
        self._terms: Combined | None = terms

    def prepare(self) -> None:
        """Make the repository, closed to those who have not accepted the terms where there are some.

        One that is shut, because earlier revisions hold what may not be shown, stays so.
        """
        terms, self._terms = self._terms, None
        if terms is not None:
            self._hub.create(self._name)
            if terms.publish is Verdict.GATED and not self._hub.gated(self._name):
                self._hub.gate(self._name)

    def shard(self, path: Path) -> CommitOperationAdd:
        """See `Upload.shard`."""
        self.prepare()
        return super().shard(path)


def _commit(
    work: Work,
    upload: Upload,
    manifest: FusedManifest,
    files: Mapping[str, Path | CommitOperationCopy],
    state: Published,
) -> str | None:
    """All in one commit; None where nothing differs. What the manifest lists and `files` has not stays as it is."""
    listed = {MARK_PATH, *manifest.assets, *(shard.path for shard in manifest.files)}
    rest = {path: digest for path, digest in state.files.items() if path not in listed or path in files}
    title = f"{manifest.title}: {manifest.rows} rows of {', '.join(m.key for m in manifest.members)}"
    try:
        return upload.commit({**files, **work.texts(manifest, state.card)}, replace(state, files=rest), title[:200])
    except (ValueError, NotImplementedError) as error:
        if manifest.mode == "remapped":
            raise
        raise HubError(
            f"the Hub cannot copy the members' files: {error}",
            dataset=work.name,
            next_step="push without --verbatim.",
        ) from error


def _collect(hub: Hub, work: Work, manifest: FusedManifest) -> str:
    """A Hub Collection of the fused set and those of its members that are on the Hub; returns its slug."""
    members = list(dict.fromkeys(work.members_hub.repo(member.name) for member in manifest.members))
    collection = hub.ask(
        work.name,
        lambda: hub.api.create_collection(
            title=work.name[:59],
            namespace=hub.namespace,
            description=f"{manifest.title} and its members"[:150],
            exists_ok=True,
        ),
    )
    there = {item.item_id for item in collection.items}
    for repo in [hub.repo(work.name), *members]:
        if repo not in there:
            note = "the fused set" if repo == hub.repo(work.name) else "a member"
            if hub.ask(work.name, partial(hub.api.repo_exists, repo, repo_type="dataset")):
                add = partial(hub.api.add_collection_item, collection.slug, repo, "dataset")
                hub.ask(work.name, partial(add, note=note, exists_ok=True))
    return str(collection.slug)
