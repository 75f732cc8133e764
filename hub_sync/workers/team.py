"""Processes of this computer that do one dataset after the other; this one is among them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Protocol, Self

from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.results import Result, Watcher
from medimg.hub_sync.unit import Reading, WorkUnit
from medimg.hub_sync.verifying.verify import Reader
from medimg.hub_sync.workers.process import LOSSES, Process, WorkerLostError


class Crew(Protocol):
    """Who does datasets elsewhere; to be used with `with`.

    Attributes:
        size: how many at once.
    """

    size: int

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def give(self, unit: WorkUnit) -> None:
        """Take on a dataset."""

    def done(self, watcher: Watcher, *, wait: bool) -> Iterator[Result]:
        """Results that are there by now, or all that are still to come; the watcher is told of the progress."""


class Inbox:
    """What comes from other processes, in the order in which it comes, and how many units still owe a result."""

    def __init__(self) -> None:
        self._open = 0
        self._come: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.put = self._come.put

    def expect(self) -> None:
        """One more result will come."""
        self._open += 1

    def done(self, watcher: Watcher, *, wait: bool) -> Iterator[Result]:
        """See `Crew.done`."""
        while self._open:
            try:
                found = self._come.get(block=wait)
            except queue.Empty:
                return
            if isinstance(found, tuple):
                method, arguments = found
                getattr(watcher, method)(*arguments)
                continue
            self._open -= 1
            if isinstance(found, Exception):
                raise found
            if found is not None:
                yield found


class EndedError(BaseException):
    """The run is over, whatever is being done."""


class Team(Inbox):
    """Each member has a thread here, which takes the next dataset when it is free.

    The first member is this process: it has imported everything, while others must start. What they publish is read
    back by its reader.

    Args:
        size: members; one is started when there is something to do for it.
        hub, reader: of this process.
        alone: also the first member is another process.
    """

    def __init__(self, size: int, hub: Hub, reader: Reader, *, alone: bool = False) -> None:
        super().__init__()
        self.size = size
        self._hub = hub
        self._reader = reader
        self._alone = alone
        self._units: queue.SimpleQueue[WorkUnit | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._processes: set[Process] = set()
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        if error is not None:
            self._hub.stopped.set()
        for _ in self._threads:
            self._units.put(None)
        while alive := [thread for thread in self._threads if thread.is_alive()]:
            for process in list(self._processes):
                process.stop()
            alive[0].join(0.1)

    def give(self, unit: WorkUnit) -> None:
        """Take on a dataset."""
        self.expect()
        self._units.put(unit)
        if unit.wishes.check:
            self._reader.soon()
        if len(self._threads) < self.size:
            work = self._listen if self._threads or self._alone else self._work
            self._threads.append(threading.Thread(target=work, name="worker", daemon=True))
            self._threads[-1].start()

    def _work(self) -> None:
        """The member that is this process."""
        with contextlib.suppress(EndedError):
            while (unit := self._units.get()) is not None:
                self._pass_on(None)
                try:
                    self.put(unit.done(self._hub, self._reader, self._pass_on))
                except Exception as error:
                    self.put(error)

    def _pass_on(self, found: object) -> None:
        """Tell of the progress; what is done in a thread can be ended nowhere else."""
        if self._ended:
            raise EndedError
        if found is not None:
            self.put(found)

    def _listen(self) -> None:
        """A member that is another process."""
        process = None
        while (unit := self._units.get()) is not None and not self._ended:
            for tried in range(LOSSES):
                process = process or self._start()
                try:
                    self._follow(process, unit)
                    break
                except WorkerLostError as error:
                    self._end(process)
                    process = None
                    if self._ended:
                        return
                    if tried + 1 < LOSSES:
                        self.put(("note", (f"{unit.name}: {error.problem}; another one begins anew",)))
                    else:
                        self.put(Result(unit.name, "failed", str(error.within(dataset=unit.name))))
                except Exception as error:
                    self.put(error)
                    return
        if process is not None:
            self._end(process)

    def _follow(self, process: Process, unit: WorkUnit) -> None:
        """Pass on what a process says of a dataset, to its result."""
        process.ask(unit)
        while True:
            found = process.answer()
            if isinstance(found, Reading):
                process.ask(self._reader.read(found.repo, found.revision, deep=found.deep))
                continue
            self.put(found)
            if not isinstance(found, tuple):
                return

    def _start(self) -> Process:
        process = Process()
        self._processes.add(process)
        return process

    def _end(self, process: Process) -> None:
        process.end()
        self._processes.discard(process)
