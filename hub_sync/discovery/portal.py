"""The portal on a Hub: a static Space, rebuilt where what it shows has changed.

Its state lies beside it: a digest of all that the pages are made from, and for each dataset which shard its pictures
were taken from, so that a run reads pixels of changed datasets only. Pictures of what may not be shown any more leave
its history, too.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from medimg import __version__, index, policy, registry
from medimg.errors import HubError, MedimgError
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.state import MARK_PATH, Published
from medimg.hub_sync.pushing.upload import Upload
from medimg.hub_sync.withdrawing import withdrawal
from medimg.manifest import Manifest

if TYPE_CHECKING:
    from medimg.cards.portal.previews import Preview
    from medimg.hub_sync.results import Result

NAME = "portal"
STATE_PATH = ".medimg/portal.json"
_NEW = {".gitattributes", "README.md"}
"""What a Hub puts into a Space that it has just made."""
_CARD = """---
title: medimg portal
emoji: 🩻
colorFrom: blue
colorTo: gray
sdk: static
app_file: index.html
pinned: true
license: apache-2.0
tags: [medimg, medimg-portal]
---

# medimg portal

Browse, compare and fuse medical imaging datasets. Made by `medimg sync`; changes by hand are lost with its next run.
"""


def update(hub: Hub, results: Iterable[Result]) -> bool:
    """Bring the portal of the namespace up to date after a run; returns whether anything was pushed.

    A run over some datasets that changed nothing does not even look.
    """
    results = list(results)
    known = registry.names()
    if {result.name for result in results} >= set(known):
        return push(hub, {each.name: each.manifest for each in results if each.manifest is not None})
    if not any(result.commits for result in results):
        return False
    return push(hub, look(hub))


def refresh(hub: Hub) -> bool:
    """Bring the portal up to date where there is one, e.g. after a dataset was taken down."""
    if hub.spaces().found(NAME)[0].sha is None:
        return False
    return push(hub, look(hub))


def look(hub: Hub) -> dict[str, Manifest]:
    """What is published of each dataset, without those that are shut."""
    there = sorted(set(hub.datasets(NAME)) & set(registry.names()))
    with ThreadPoolExecutor(1 if hub.embedded else 8, thread_name_prefix="look") as pool:
        states = pool.map(hub.published, there)
        found = [shown(state) for state in states]
    return {each.name: each for each in found if each is not None}


def shown(state: Published) -> Manifest | None:
    """The manifest of a repository whose rows may be shown; None where it was shut, or holds nothing."""
    return None if MARK_PATH in state.files else state.manifest


def push(hub: Hub, manifests: Mapping[str, Manifest]) -> bool:
    """Publish the portal; returns whether anything differed.

    Args:
        manifests: dataset -> what is published of it.

    Raises:
        HubError: the Hub refuses or does not answer, or the Space of this name is somebody's own.
    """
    from medimg.cards import portal

    spaces = hub.spaces()
    state = spaces.found(NAME)[0]
    inputs = _inputs(hub, manifests)
    before = _read(state)
    if before.get("inputs") == inputs:
        return False
    if STATE_PATH not in state.files and not set(state.files) <= _NEW:
        raise HubError(
            f"the Space {hub.repo(NAME)} holds what medimg did not put there; it stays as it is",
            next_step="move it, or publish under another namespace",
        )
    if state.sha is None:
        spaces.create(NAME)
        state = spaces.found(NAME)[0]
    pictures, kept = _pictures(hub, manifests, before.get("pictures", {}), state)
    # An embedded Hub is served at another address each time: its pages are beside the portal.
    address = "/" if hub.embedded else hub.endpoint
    site = portal.files(manifests=manifests, pictures=pictures, namespace=hub.namespace, hub=address)
    described = {name: _described(each, manifests[name]) for name, each in pictures.items()}
    site["README.md"] = _CARD.encode()
    noted = {"inputs": inputs, "pictures": described}
    site[STATE_PATH] = f"{json.dumps(noted, ensure_ascii=False, indent=1, sort_keys=True)}\n".encode()
    left = {path: content for path, content in site.items() if path not in kept}
    parent = replace(state, files={path: each for path, each in state.files.items() if path not in kept})
    upload = Upload(spaces, NAME)
    revision = upload.commit(cast("Mapping[str, Path | bytes]", left), parent, "portal", owned=("",))
    if set(before.get("pictures", {})) - set(pictures):
        hub.note(f"portal: {withdrawal.forget(spaces, NAME, 'portal')}")
    return revision is not None


def pictures(hub: Hub, manifests: Mapping[str, Manifest]) -> dict[str, Preview]:
    """Pictures of all that is published and may be shown, read anew."""
    return _pictures(hub, manifests, {}, Published(None, None))[0]


def _inputs(hub: Hub, manifests: Mapping[str, Manifest]) -> str:
    """Digest of all that the pages are made from."""
    digest = hashlib.sha256(f"{__version__}\n{hub.namespace}\n{hub.embedded or hub.endpoint}\n".encode())
    digest.update(index.text(registry.entries()).encode())
    for package, suffixes in (("medimg.cards.portal", ()), ("medimg.catalogue", (".jsonl",))):
        for path, content in _files(resources.files(package)):
            if not suffixes or path.endswith(suffixes):
                digest.update(f"{path}\0".encode() + hashlib.sha256(content).digest())
    for name in sorted(manifests):
        digest.update(manifests[name].to_json().encode())
    return digest.hexdigest()


def _files(folder: Any, prefix: str = "") -> Iterable[tuple[str, bytes]]:
    for each in sorted(folder.iterdir(), key=lambda one: str(one.name)):
        if each.is_dir() and each.name in ("site", "vendor"):
            yield from _files(each, f"{each.name}/")
        elif each.is_file():
            yield prefix + each.name, each.read_bytes()


def _read(state: Published) -> dict[str, Any]:
    """What an earlier run wrote down; empty where there was none, or another version wrote it."""
    text = state.read(STATE_PATH) if STATE_PATH in state.files else None
    try:
        read = json.loads(text or "{}")
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _pictures(
    hub: Hub, manifests: Mapping[str, Manifest], before: Mapping[str, Any], state: Published
) -> tuple[dict[str, Preview], set[str]]:
    """Pictures of what may be shown, and the files in the Space that stay as they are.

    Pictures that stay are described, and have no bytes here.
    """
    from medimg.cards import portal
    from medimg.cards.portal.previews import preview

    found: dict[str, Preview] = {}
    kept: set[str] = set()
    for name, manifest in sorted(manifests.items()):
        dataset = registry.get(name).dataset
        if not policy.may_show(dataset, manifest):
            continue
        old = before.get(name)
        if old is not None and old["of"] == _of(manifest):
            described = _revived(old)
            paths = set(portal.picture_files(name, described))
            if paths <= set(state.files):
                found[name] = described
                kept |= paths
                continue
        try:
            made = preview(dataset, manifest, lambda path, name=name: _opened(hub, name, path))  # type: ignore[misc]
        except HubError:
            raise
        except (MedimgError, OSError, ValueError) as error:
            hub.note(f"portal: no picture of {name}: {error}")
            continue
        if made is not None:
            found[name] = made
    return found, kept


def _of(manifest: Manifest) -> str:
    """Digest of the rows that pictures are taken from."""
    shards = [
        shard.sha256 for config in manifest.configs for split in config.splits.values() for shard in split.shards[:1]
    ]
    return hashlib.sha256(f"{__version__} {manifest.origin} {' '.join(shards)}".encode()).hexdigest()


def _described(made: Preview, manifest: Manifest) -> dict[str, Any]:
    samples = [{**each._asdict(), "image": "", "mask": None if each.mask is None else ""} for each in made.samples]
    return {"of": _of(manifest), "alt": made.alt, "samples": samples}


def _revived(described: Mapping[str, Any]) -> Preview:
    from medimg.cards.portal.previews import Preview, Sample

    samples = []
    for each in described["samples"]:
        legend = tuple((value, tuple(names)) for value, names in each["legend"])
        mask = None if each["mask"] is None else b""
        samples.append(Sample(**{**each, "image": b"", "mask": mask, "legend": legend}))
    return Preview(b"", described["alt"], tuple(samples))


def _opened(hub: Hub, name: str, path: str) -> IO[bytes]:
    """A published file, read as far as it is asked for."""
    from huggingface_hub import HfFileSystem

    system = HfFileSystem(endpoint=hub.endpoint, token=hub.api.token, skip_instance_cache=True)
    opened = hub.ask(name, lambda: system.open(f"datasets/{hub.repo(name)}/{path}", block_size=1 << 20))
    return cast("IO[bytes]", io.BufferedReader(opened))
