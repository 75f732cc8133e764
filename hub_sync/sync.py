"""A run of sync over many datasets, one at a time; what goes wrong with one does not stop the others."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from medimg import registry
from medimg.errors import DiskFullError, MedimgError, SourceError, UnknownDatasetError, disk_full
from medimg.hub_sync.building.shards import SHARD_BYTES
from medimg.hub_sync.discovery import catalogue, portal, topics
from medimg.hub_sync.job import Job, Settings
from medimg.hub_sync.planning.fingerprint import refresh
from medimg.hub_sync.pushing.client import Hub, MovedError
from medimg.hub_sync.pushing.state import Published
from medimg.hub_sync.results import Result, Watcher
from medimg.hub_sync.scratch import sweep
from medimg.hub_sync.verifying.verify import Reader
from medimg.loading import ARCHIVES, OFFICIAL
from medimg.registry import Builder

_LOG = logging.getLogger(__name__)

REPLANS = 5
"""How often a dataset is planned anew because somebody else committed meanwhile."""
ROOM_SHARDS = 3
"""Shards that are on disk at once: one is built, while others wait for their upload."""
AHEAD = 16
"""Repositories that are looked at ahead of the one that is worked on."""
_BAD_FILE = 'Compare the file with the original download; bad_files="quarantine" in the declaration goes on without it.'


def sync(
    names: Sequence[str],
    hub: Hub,
    *,
    root: str | None = None,
    dry_run: bool = False,
    check: bool = True,
    watcher: Watcher | None = None,
    restore: bool = False,
    collections: bool = False,
    pages: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> list[Result]:
    """Bring the Hub up to date.

    Args:
        names: datasets (slugs or aliases); empty means all.
        root: folder or URL with one folder or archive per dataset, "official", or None for miniatures.
        dry_run: plan only; nothing is written.
        check: read what was published back through plain `datasets`.
        restore: build also the named datasets that were retired or rolled back.
        collections: keep the topic collections up to date.
        pages: keep the portal up to date and, in a run over all datasets, the published catalogue.
        shard_bytes: size at which a shard ends.

    Raises:
        UnknownDatasetError: a name is unknown; nothing was done.
        SourceError: nothing in the source root is called like a dataset; nothing was done.
    """
    watcher = watcher or Watcher()
    builders = list(dict.fromkeys([registry.get(name) for name in names] if names else registry.builders()))
    if restore and not names:
        raise UnknownDatasetError("--restore needs names", next_step="Name the datasets that shall be published again.")
    _check_root(root)
    refresh(builders)
    watcher.begin([builder.name for builder in builders])
    hub.note = watcher.note
    hub.stopped.clear()
    for folder in [] if dry_run else sweep():
        watcher.note(f"removed what an ended run had left in {folder}")
    if not names:
        _look_below(root, builders, watcher)
    results: list[Result] = []
    try:
        with Reader(hub) as reader, contextlib.closing(_ahead(hub, builders)) as coming:
            run = Settings(hub, root, bool(names), dry_run, restore, check, watcher, reader, shard_bytes, pages)
            for builder, state in coming:
                began = time.monotonic()
                result = _one(run, builder, state)
                if result is None:
                    continue
                result = replace(
                    result,
                    seconds=round(time.monotonic() - began, 2),
                    publish=builder.dataset.publish.value,
                    address=hub.address(builder.name) if result.good else "",
                )
                watcher.end(result)
                results.append(result)
    except KeyboardInterrupt:
        hub.stopped.set()
        raise
    if dry_run:
        return results
    if collections:
        _told(watcher, "the topic collections are", lambda: topics.update(hub, results))
    if pages and not names:
        _told(watcher, "the catalogue is", lambda: catalogue.update(hub))
    if pages:
        _told(watcher, "the portal is", lambda: portal.update(hub, results))
    return results


def _told(watcher: Watcher, what: str, update: Callable[[], object]) -> None:
    """Do what helps to find what is published; that is as it should be without it, so that a failure is only told."""
    try:
        update()
    except MedimgError as error:
        watcher.note(f"{what} not up to date: {error}")


def _check_root(root: str | None) -> None:
    if root is None or root == OFFICIAL or "://" in root or Path(root).expanduser().is_dir():
        return
    raise UnknownDatasetError(
        f"the source root {root} is no folder", next_step="SOURCE is a folder with one folder per dataset."
    )


def _look_below(root: str | None, builders: Sequence[Builder], watcher: Watcher) -> None:
    """Say what lies in a source root and is called like no dataset.

    Raises:
        SourceError: nothing there is called like one, so that the run would do nothing and say nothing.
    """
    if root is None or root == OFFICIAL or "://" in root:
        return
    known = {f"{builder.name}{suffix}" for builder in builders for suffix in ("", *ARCHIVES)}
    every = sorted(path.name for path in Path(root).expanduser().iterdir() if not path.name.startswith("."))
    strange = [name for name in every if name not in known]
    shown = ", ".join(strange[:5]) + (f" and {len(strange) - 5} more" if len(strange) > 5 else "")
    if len(strange) == len(every):
        raise SourceError(
            f"nothing in the source root {root} is called like a dataset ({shown or 'it is empty'})",
            next_step="Name each folder or archive after its dataset, e.g. hc18/ or hc18.zip; see `medimg list`.",
        )
    if strange:
        watcher.note(f"in {root} and called like no dataset: {shown}")


def _ahead(hub: Hub, builders: Sequence[Builder]) -> Generator[tuple[Builder, Callable[[], Published]]]:
    """Each builder with the state of its repository; a few are looked up ahead, several at a time."""
    pool = ThreadPoolExecutor(1 if hub.embedded else 8, thread_name_prefix="look")
    waiting: list[tuple[Builder, Future[Published]]] = []
    rest = iter(builders)
    try:
        while True:
            for builder in rest:
                waiting.append((builder, pool.submit(hub.published, builder.name)))
                if len(waiting) >= AHEAD:
                    break
            if not waiting:
                return
            builder, future = waiting.pop(0)
            yield builder, future.result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who stops a run does not wait for a slow Hub


def _one(run: Settings, builder: Builder, look: Callable[[], Published]) -> Result | None:
    """One dataset; whatever goes wrong with it is its result and does not stop the others."""
    try:
        with Job(run, builder) as job:
            for attempt in range(REPLANS):
                try:
                    return job.attempt(look if attempt == 0 else lambda: run.hub.published(builder.name))
                except MovedError as error:
                    moved = error
                    run.watcher.note(f"{builder.name}: somebody else committed meanwhile; planning anew")
                    time.sleep(random.uniform(0.0, 0.1 * 2**attempt))
            raise moved
    except MedimgError as error:
        error = _full(run, error, builder) or error
        error.within(dataset=builder.name)
        error.next_step = error.next_step or (_BAD_FILE if error.file else "Mend this, then run it again.")
        return Result(builder.name, "failed", run.hub.redacted(str(error)))
    except OSError as error:
        if (full := _full(run, error, builder)) is not None:
            return Result(builder.name, "failed", run.hub.redacted(str(full)))
        what = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        told = f"{builder.name}: {type(error).__name__}: {what}. Next: mend this, then run it again."
        return Result(builder.name, "failed", run.hub.redacted(told))
    except Exception as error:  # a mistake in one builder does not stop a run of a thousand
        _LOG.exception("%s: unexpected error", builder.name)
        told = f"{builder.name}: {type(error).__name__}: {error}. Next: report this; the log has the details."
        return Result(builder.name, "failed", run.hub.redacted(told))


def _full(run: Settings, error: Exception, builder: Builder) -> DiskFullError | None:
    """The error that says how much room a build needs, where a disk is full."""
    full = error if isinstance(error, DiskFullError) else disk_full(error, dataset=builder.name)
    return None if full is None else full.needing(ROOM_SHARDS * run.shard_bytes)
