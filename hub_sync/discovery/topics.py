"""Topic collections on the Hub: one per modality, organ and task, each with the datasets that say so.

The description of a collection ends with a digest of its members, so that one listing tells whether anything is to do.
It is written last: what a crash left half done is done by the next run. Items that people added are left alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from medimg import registry
from medimg.hub_sync.pushing.client import Hub

if TYPE_CHECKING:
    from medimg.hub_sync.results import Result

KINDS = ("modality", "organ", "task")
_STAMP = re.compile(r"\[(\d+), ([0-9a-f]{8})\]$")


def wanted(names: Iterable[str]) -> dict[str, list[str]]:
    """Title -> datasets, both sorted."""
    found: dict[str, set[str]] = {}
    for name in names:
        dataset = registry.get(name).dataset
        for kind in KINDS:
            for term in dataset.every(kind):
                found.setdefault(f"{kind}: {term}"[:60], set()).add(name)
    return {title: sorted(found[title]) for title in sorted(found)}


def update(hub: Hub, results: Iterable[Result]) -> int:
    """Bring the collections of the namespace up to date; returns how many were changed.

    A run over some datasets that changed nothing does not even look.
    """
    results = list(results)
    known = set(registry.names())
    there = {result.name for result in results if result.good}
    if there != known:
        if not any(result.commits for result in results):
            return 0
        # Retired datasets of the namespace say so in their tags.
        there |= known & {name for name, tags in hub.datasets("collections").items() if "medimg-retired" not in tags}
    held = {result.name for result in results if result.reason.startswith("retired")}
    lists = hub.ask("collections", lambda: list(hub.api.list_collections(owner=hub.namespace)))
    present = {collection.title: collection for collection in lists}
    goal = wanted(there - held)
    changed = 0
    for title in sorted({*goal, *(title for title, each in present.items() if _STAMP.search(each.description or ""))}):
        members = goal.get(title, [])
        description = _description(hub, title, members)
        old = present.get(title)
        if old is not None and old.description == description:
            continue
        _bring(hub, title, old.slug if old is not None else None, members, known, description)
        changed += 1
    return changed


def _description(hub: Hub, title: str, members: list[str]) -> str:
    digest = hashlib.sha256("\n".join([hub.namespace, *members]).encode()).hexdigest()[:8]
    kind, _, term = title.partition(": ")
    return f"Medical imaging datasets in one schema, {kind} {term}. [{len(members)}, {digest}]"


def _bring(hub: Hub, title: str, slug: str | None, members: list[str], known: set[str], description: str) -> None:
    """Make one collection hold these datasets."""
    create = partial(hub.api.create_collection, title, namespace=hub.namespace, exists_ok=True)
    place = slug or str(hub.ask("collections", create).slug)
    listed = hub.ask("collections", lambda: hub.api.get_collection(place))
    items = {item.item_id: item.item_object_id for item in listed.items if item.item_type == "dataset"}
    for name in members:
        if hub.repo(name) not in items:
            add = partial(hub.api.add_collection_item, place, hub.repo(name), "dataset", exists_ok=True)
            hub.ask("collections", add)
    for repo, item in items.items():
        namespace, _, name = repo.partition("/")
        if namespace == hub.namespace and name in known and name not in members:
            hub.ask("collections", partial(hub.api.delete_collection_item, place, item, missing_ok=True))
    hub.ask("collections", lambda: hub.api.update_collection_metadata(place, description=description))
