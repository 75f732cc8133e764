"""A run of sync over many datasets; what goes wrong with one does not stop the others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from medimg import registry
from medimg.errors import MedimgError, SourceError, UnknownDatasetError
from medimg.hub_sync.building.shards import SHARD_BYTES
from medimg.hub_sync.discovery import catalogue, portal, topics
from medimg.hub_sync.job import GivenAwayError, Settings, Wishes
from medimg.hub_sync.planning.fingerprint import refresh
from medimg.hub_sync.pushing.ahead import ahead, many
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.state import Published
from medimg.hub_sync.results import Result, Watcher
from medimg.hub_sync.scratch import sweep
from medimg.hub_sync.unit import WorkUnit, one
from medimg.hub_sync.verifying.verify import Reader
from medimg.hub_sync.workers.crew import Crew
from medimg.hub_sync.workers.team import Team
from medimg.loading import ARCHIVES, OFFICIAL, locate_source
from medimg.registry import Builder

PHANTOMS = 16
"""Miniatures that are built while a process starts."""


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
    workers: int = 1,
    scheduler: str | None = None,
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
        workers: processes that build: several datasets at once, or the rows of one.
        scheduler: address of a Dask scheduler, whose workers build the datasets then, each with `workers` processes.

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
    worth = 1 if dry_run else _worth(builders, root, named=bool(names))
    try:
        with contextlib.ExitStack() as stack:
            reader = stack.enter_context(Reader(hub))
            coming = stack.enter_context(contextlib.closing(ahead(hub, builders)))
            crew = None if dry_run else _crew(min(workers, worth), workers, scheduler, hub, reader)
            wishes = Wishes(
                root=root,
                asked=bool(names),
                dry_run=dry_run,
                restore=restore,
                check=check,
                shard_bytes=shard_bytes,
                pages=pages,
                many=many(builders),
                processes=workers if scheduler or crew is None else workers // crew.size,
            )
            run = Settings(**vars(wishes), hub=hub, watcher=watcher, reader=reader, away=crew is not None)
            if crew is not None:
                stack.enter_context(crew)
            for result in _results(run, wishes, coming, crew):
                watcher.end(result)
                results.append(result)
    except KeyboardInterrupt:
        hub.stopped.set()
        raise
    order = {builder.name: number for number, builder in enumerate(builders)}
    results.sort(key=lambda result: order[result.name])
    if dry_run:
        return results
    if collections:
        _told(watcher, "the topic collections are", lambda: topics.update(hub, results))
    if pages and not names:
        _told(watcher, "the catalogue is", lambda: catalogue.update(hub))
    if pages:
        _told(watcher, "the portal is", lambda: portal.update(hub, results))
    return results


def _worth(builders: Sequence[Builder], root: str | None, *, named: bool) -> int:
    """How many datasets may be worth a process: each has to start. Phantoms are made in a moment."""
    if root is None:
        return len(builders) // PHANTOMS
    if named or root == OFFICIAL or "://" in root:
        return len(builders)
    return sum(locate_source(root, builder.name) is not None for builder in builders)


def _crew(size: int, most: int, scheduler: str | None, hub: Hub, reader: Reader) -> Crew | None:
    """Who builds: a cluster, several processes of this computer, or, where that is not worth it, nobody else.

    Args:
        size: datasets at once.
        most: processes that make the portions of a large one.
    """
    if scheduler is not None:
        from medimg.hub_sync.workers.cluster import Cluster

        return Cluster(scheduler, hub, reader)
    return Team(size, hub, reader, most=most) if size > 1 else None


def _results(
    run: Settings,
    wishes: Wishes,
    coming: Iterator[tuple[Builder, Callable[[], Published]]],
    crew: Crew | None,
) -> Iterator[Result]:
    """The result of each dataset when it is there. What there is to do is planned here and done by the crew."""
    for builder, state in coming:
        try:
            result = one(run, builder, state)
        except GivenAwayError as due:
            assert crew is not None
            unit = WorkUnit(
                builder.name, builder.address, run.hub.again(), wishes, due.fingerprint, spreads=due.spreads
            )
            crew.give(unit)
        else:
            if result is not None:
                yield result
        if crew is not None:
            yield from crew.done(run.watcher, wait=False)
    if crew is not None:
        yield from crew.done(run.watcher, wait=True)


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
