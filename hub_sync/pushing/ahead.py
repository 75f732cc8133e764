"""The states of many repositories: looked up ahead of the one that is worked on, or told from one listing of all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from medimg import kept
from medimg.errors import MedimgError
from medimg.hub_sync import manifests
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.state import Published
from medimg.registry import Builder

AHEAD = 16
"""Repositories that are looked at ahead of the one that is worked on."""
LISTED = 32
"""Datasets for which one listing is asked for: a page of it names a thousand repositories and their head commits."""
_KEPT = "published"


def many(builders: Sequence[Builder]) -> bool:
    """Whether one listing is asked for."""
    return len(builders) >= LISTED


def ahead(hub: Hub, builders: Sequence[Builder]) -> Generator[tuple[Builder, Callable[[], Published]]]:
    """Each builder with the state of its repository; a few are looked up ahead, several at a time.

    Of many, one listing says which there are, and which are as they were when they were looked at last: those are not
    asked for again (see `Published.listed`).
    """
    heads = _heads(hub) if many(builders) else None
    pool = ThreadPoolExecutor(1 if hub.embedded else 8, thread_name_prefix="look")
    waiting: list[tuple[Builder, Future[Published]]] = []
    rest = iter(builders)
    try:
        while True:
            for builder in rest:
                waiting.append((builder, pool.submit(_state, hub, builder.name, heads)))
                if len(waiting) >= AHEAD:
                    break
            if not waiting:
                return
            builder, future = waiting.pop(0)
            yield builder, future.result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who stops a run does not wait for a slow Hub


def _heads(hub: Hub) -> Mapping[str, str] | None:
    try:
        return hub.heads()
    except MedimgError as error:
        hub.note(f"each repository is asked for by itself, since they cannot be listed: {error}")
        return None


def _state(hub: Hub, name: str, heads: Mapping[str, str] | None) -> Published:
    if heads is None:
        return hub.published(name)
    if name not in heads:
        return Published(None, None, listed=True)
    if told := kept.read(_KEPT, _file(hub, name), heads[name]):
        manifest = manifests.read(told["manifest"], name)
        read = partial(hub.text, name, revision=heads[name])
        return Published(heads[name], manifest, None, told["files"], told["tags"], read, listed=True)
    state = hub.published(name)
    keep(hub, name, state)
    return state


def keep(hub: Hub, name: str, state: Published) -> None:
    """Keep what a repository holds, for as long as a listing names the same commit; not where a tag is due."""
    if state.sha and state.manifest and (not state.manifest.tag or state.manifest.tag in state.tags):
        told = {"files": dict(state.files), "tags": dict(state.tags), "manifest": state.manifest.to_json()}
        kept.write(_KEPT, _file(hub, name), state.sha, told)


def _file(hub: Hub, name: str) -> str:
    place = "embedded" if hub.embedded else hub.endpoint  # an embedded Hub has another port each time
    return hashlib.sha256(f"{place}\0{hub.kind}\0{hub.repo(name)}".encode()).hexdigest()[:32]
