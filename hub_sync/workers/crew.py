"""Who does parts of a run elsewhere, and what is done there."""

from __future__ import annotations

import contextlib
import queue
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from medimg.errors import MedimgError
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.results import Watcher
from medimg.hub_sync.verifying.verify import Reader

LEADERS = 4
"""Units that many do together, at once."""
Give = Callable[[object], None]
"""Called with (method, arguments) of a `Watcher`, and at last with the result."""
Ask = Callable[[object], Any]
"""Called with a `Reading`."""


class CrewUnit(Protocol):
    """What somebody else does, in one go: a dataset, or a part of one."""

    @property
    def name(self) -> str:
        """Of the dataset."""

    @property
    def reads_back(self) -> bool:
        """Whether what was published is read back."""

    @property
    def spreads(self) -> bool:
        """Whether many do it together, led by a thread of this process."""

    def answer(self, give: Give, ask: Ask | None = None) -> None:
        """Do it, in another process. Without `ask`, what was published is read back from there."""

    def done(self, hub: Hub, reader: Reader, give: Give, crew: Callable[[], Crew] | None = None) -> object:
        """Do it, in this process, in any thread; the result.

        Args:
            hub, reader: of this process.
            give: told of the progress.
            crew: who does parts of it; it is used with `with`.
        """

    def lost(self, error: MedimgError) -> object:
        """The result where all that tried were lost."""


@dataclass(frozen=True)
class Reading:
    """What a worker asks of the process that reads back for all of them."""

    repo: str
    revision: str | None
    deep: bool


class Crew(Protocol):
    """Who does units elsewhere; to be used with `with`."""

    @property
    def size(self) -> int:
        """How many at once."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def give(self, unit: CrewUnit) -> None:
        """Take on a unit."""

    def done(self, watcher: Watcher, *, wait: bool) -> Iterator[Any]:
        """Results that are there by now, or all that are still to come; the watcher is told of the progress."""


class EndedError(BaseException):
    """The run is over, whatever is being done."""


class Inbox:
    """What comes from elsewhere, in the order in which it comes, and how many units still owe a result.

    Attributes:
        ended: nobody waits for anything any more.
    """

    def __init__(self) -> None:
        self.ended = False
        self._open = 0
        self._come: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def expect(self) -> None:
        """One more result will come."""
        self._open += 1

    def put(self, found: object) -> None:
        """Take what has come: (method, arguments) of a watcher, a result, None for none, or an error."""
        self._come.put(found)

    def pass_on(self, found: object) -> None:
        """`put` what a thread of this process says; that thread can be ended nowhere else."""
        if self.ended:
            raise EndedError
        if found is not None:
            self.put(found)

    def over(self) -> None:
        """Whoever waits here, or works for this in a thread, is to end."""
        self.ended = True
        self._come.put(EndedError())

    def done(self, watcher: Watcher, *, wait: bool) -> Iterator[Any]:
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
            if isinstance(found, BaseException):
                raise found
            if found is not None:
                yield found


class LeadingCrew(Inbox, ABC):
    """A crew: each of its workers does one unit after the other, and many together one that spreads.

    Args:
        hub, reader: of this process.
    """

    def __init__(self, hub: Hub, reader: Reader) -> None:
        super().__init__()
        self._hub = hub
        self._reader = reader
        self._branches: list[_Branch] = []
        self._leaders = ThreadPoolExecutor(LEADERS, "leader")

    @property
    @abstractmethod
    def most(self) -> int:
        """How many do the parts of a unit at once."""

    @abstractmethod
    def submit(self, unit: CrewUnit, inbox: Inbox) -> None:
        """Let a worker do it; what it says goes to the inbox."""

    def give(self, unit: CrewUnit) -> None:
        """Take on a unit."""
        self.expect()
        if unit.spreads:
            if unit.reads_back:
                self._reader.soon()
            self._leaders.submit(self._lead, unit)
        else:
            self.submit(unit, self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._hub.stopped.set()
        self.over()
        for branch in self._branches:
            branch.over()
        self._leaders.shutdown(cancel_futures=True)

    def _lead(self, unit: CrewUnit) -> None:
        with contextlib.suppress(EndedError):
            try:
                self.put(unit.done(self._hub, self._reader, self.pass_on, self._branch))
            except Exception as error:
                self.put(error)

    def _branch(self) -> Crew:
        self.pass_on(None)
        self._branches.append(_Branch(self))
        return self._branches[-1]


class _Branch(Inbox):
    """Those of a crew that do the parts of one unit. Results come here; the progress goes to the crew's own inbox."""

    def __init__(self, crew: LeadingCrew) -> None:
        super().__init__()
        self._crew = crew

    @property
    def size(self) -> int:
        return self._crew.most

    def put(self, found: object) -> None:
        if isinstance(found, tuple):
            self._crew.put(found)
        else:
            super().put(found)

    def give(self, unit: CrewUnit) -> None:
        self.expect()
        self._crew.submit(unit, self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over()
