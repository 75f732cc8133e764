"""Processes of this computer that do one unit after the other; this one is among them."""

from __future__ import annotations

import queue
import threading
from types import TracebackType

from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.verifying.verify import Reader
from medimg.hub_sync.workers.crew import CrewUnit, EndedError, Inbox, LeadingCrew, Reading
from medimg.hub_sync.workers.process import LOSSES, Process, WorkerLostError


class Team(LeadingCrew):
    """Each member has a thread here, which takes the next unit when it is free.

    The first member is this process: it has imported everything, while others must start. What they publish is read
    back by its reader.

    Args:
        size: members; one is started when there is something to do for it.
        hub, reader: of this process.
        most: members where a unit is done by many together; None: as many.
        alone: also the first member is another process.
    """

    def __init__(self, size: int, hub: Hub, reader: Reader, *, most: int | None = None, alone: bool = False) -> None:
        super().__init__(hub, reader)
        self.size = size
        self._most = size if most is None else most
        self._alone = alone
        self._units: queue.SimpleQueue[tuple[CrewUnit, Inbox] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._processes: set[Process] = set()
        self._lock = threading.Lock()

    @property
    def most(self) -> int:
        """How many do the parts of a unit at once."""
        return self._most

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        for _ in self._threads:
            self._units.put(None)
        while alive := [thread for thread in self._threads if thread.is_alive()]:
            for process in list(self._processes):
                process.stop()
            alive[0].join(0.1)

    def submit(self, unit: CrewUnit, inbox: Inbox) -> None:
        """Let a member do it; what it says goes to the inbox."""
        if unit.reads_back:
            self._reader.soon()
        self._units.put((unit, inbox))
        with self._lock:
            if len(self._threads) < (self.size if inbox is self else self.most):
                work = self._listen if self._threads or self._alone else self._work
                self._threads.append(threading.Thread(target=work, name="worker", daemon=True))
                self._threads[-1].start()

    def _work(self) -> None:
        """The member that is this process."""
        while (item := self._units.get()) is not None and not self.ended:
            unit, inbox = item
            try:
                inbox.pass_on(None)
                inbox.put(unit.done(self._hub, self._reader, inbox.pass_on))
            except EndedError:
                continue
            except Exception as error:
                inbox.put(error)

    def _listen(self) -> None:
        """A member that is another process."""
        process = None
        while (item := self._units.get()) is not None and not self.ended:
            unit, inbox = item
            for tried in range(LOSSES):
                if inbox.ended:
                    break
                process = process or self._start()
                try:
                    self._follow(process, unit, inbox)
                    break
                except EndedError:
                    self._end(process)
                    process = None
                except WorkerLostError as error:
                    self._end(process)
                    process = None
                    if self.ended:
                        return
                    if tried + 1 < LOSSES:
                        inbox.put(("note", (f"{unit.name}: {error.problem}; another one begins anew",)))
                    else:
                        inbox.put(unit.lost(error))
                except Exception as error:
                    inbox.put(error)
                    return
        if process is not None:
            self._end(process)

    def _follow(self, process: Process, unit: CrewUnit, inbox: Inbox) -> None:
        """Pass on what a process says of a unit, to its result, as long as somebody waits for it."""
        process.ask(unit)
        while True:
            found = process.answer()
            if inbox.ended and isinstance(found, tuple):
                raise EndedError
            if isinstance(found, Reading):
                process.ask(self._reader.read(found.repo, found.revision, deep=found.deep))
                continue
            inbox.put(found)
            if not isinstance(found, tuple):
                return

    def _start(self) -> Process:
        process = Process()
        self._processes.add(process)
        return process

    def _end(self, process: Process) -> None:
        process.end()
        self._processes.discard(process)
