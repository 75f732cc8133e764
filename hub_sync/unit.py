"""One dataset of a run, from its plan to its result, here or in another process."""

from __future__ import annotations

import atexit
import logging
import pickle
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from medimg import registry
from medimg.errors import DiskFullError, MedimgError, disk_full
from medimg.hub_sync.job import GivenAwayError, Job, Settings, Wishes
from medimg.hub_sync.planning.plan import SyncPlan
from medimg.hub_sync.pushing.client import Hub, MovedError
from medimg.hub_sync.pushing.state import Published
from medimg.hub_sync.results import Result, Watcher
from medimg.hub_sync.verifying.verify import Reader
from medimg.hub_sync.workers.crew import Ask, Crew, Give, Reading
from medimg.registry import Builder

_LOG = logging.getLogger(__name__)

REPLANS = 5
"""How often a dataset is planned anew because somebody else committed meanwhile."""
ROOM_SHARDS = 3
"""Shards that are on disk at once: one is built, while others wait for their upload."""
_BAD_FILE = 'Compare the file with the original download; bad_files="quarantine" in the declaration goes on without it.'


def one(
    run: Settings, builder: Builder, look: Callable[[], Published], known: Mapping[str, str] | None = None
) -> Result | None:
    """One dataset; whatever goes wrong with it is its result and does not stop the others.

    Args:
        look: gives the state of its repository.
        known: see `make_plan`.

    Returns:
        None where the source root has nothing that is called like it, and nobody asked for it.

    Raises:
        GivenAwayError: there is work to do, and the run wants that done elsewhere (`Settings.away`).
    """
    began = time.monotonic()
    result = _done(run, builder, look, known)
    if result is None:
        return None
    return replace(
        result,
        seconds=round(time.monotonic() - began, 2),
        publish=builder.dataset.publish.value,
        address=run.hub.address(builder.name) if result.good else "",
    )


def _done(
    run: Settings, builder: Builder, look: Callable[[], Published], known: Mapping[str, str] | None
) -> Result | None:
    try:
        with Job(run, builder, known) as job:
            for attempt in range(REPLANS):
                try:
                    return job.attempt(look if attempt == 0 else lambda: run.hub.published(builder.name))
                except MovedError as error:
                    moved = error
                    run.watcher.note(f"{builder.name}: somebody else committed meanwhile; planning anew")
                    time.sleep(random.uniform(0.0, 0.1 * 2**attempt))
            raise moved
    except GivenAwayError:
        raise
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


@dataclass(frozen=True)
class WorkUnit:
    """One dataset that somebody else does.

    Attributes:
        name: of the dataset.
        address: of the builder, for `registry.get`.
        connect: see `Hub.again`.
        known: see `make_plan`.
        spreads: see `CrewUnit.spreads`.
    """

    name: str
    address: str
    connect: Callable[[], Hub] = field(repr=False)
    wishes: Wishes
    known: Mapping[str, str]
    spreads: bool = False

    @property
    def reads_back(self) -> bool:
        """Whether what was published is read back."""
        return self.wishes.check

    def answer(self, give: Give, ask: Ask | None = None) -> None:
        """Do it, in another process; see `CrewUnit.answer`."""
        try:
            hub, reader = _desk(self.connect, ask)
            give(self.done(hub, reader, give))
        except MedimgError as error:
            give(self.lost(error))

    def done(self, hub: Hub, reader: Reader, give: Give, crew: Callable[[], Crew] | None = None) -> Result | None:
        """Do it, in this process, in any thread; see `CrewUnit.done`."""
        watcher = _Telling(give)
        hub = hub.telling(watcher.note)
        run = Settings(**vars(self.wishes), hub=hub, watcher=watcher, reader=reader, crew=crew)
        return one(run, registry.get(self.address), lambda: hub.published(self.name), self.known)

    def lost(self, error: MedimgError) -> Result:
        """The result where all that tried were lost."""
        return Result(self.name, "failed", str(error.within(dataset=self.name)))


class _Lent(Reader):
    """The reader of the one who has given the work."""

    def __init__(self, hub: Hub, ask: Ask) -> None:
        super().__init__(hub)
        self._ask = ask

    def soon(self) -> None:
        """It runs already."""

    def read(self, repo: str, revision: str | None, *, deep: bool) -> dict[str, Any]:
        """What plain `datasets` finds there."""
        found: dict[str, Any] = self._ask(Reading(repo, revision, deep))
        return found


_here = threading.local()


def _desk(connect: Callable[[], Hub], ask: Ask | None) -> tuple[Hub, Reader]:
    """The Hub and who reads back from it, of this thread; both go on for the next dataset."""
    if getattr(_here, "connect", None) != pickle.dumps(connect):
        hub = connect()
        reader = Reader(hub) if ask is None else _Lent(hub, ask)
        _here.desk = hub, reader
        _here.connect = pickle.dumps(connect)
        atexit.register(reader.close)
    found: tuple[Hub, Reader] = _here.desk
    return found


class _Telling(Watcher):
    """Passes on what it is told."""

    def __init__(self, give: Give) -> None:
        self._give = give

    def start(self, plan: SyncPlan) -> None:
        self._give(("start", (plan,)))

    def row(self, name: str, rows: int, size: int) -> None:
        self._give(("row", (name, rows, size)))

    def note(self, text: str) -> None:
        self._give(("note", (text,)))
