"""The rows of one source, decoded by several processes, in the builder's order and so to the same bytes.

Each process goes through what the builder yields, which decodes nothing, and decodes some of the rows: blocks in turn.
A process that is ahead waits until its turn comes, so that each holds two blocks at most. One that is lost is replaced
by another, which begins at the block that the lost one owed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

from medimg import registry
from medimg.files import Files
from medimg.hub_sync.building.sent import packed
from medimg.hub_sync.building.shards import PORTION_BYTES
from medimg.hub_sync.workers.messages import plain
from medimg.hub_sync.workers.process import LOSSES, Process, WorkerLostError
from medimg.manifest import Origin
from medimg.portions import Portion
from medimg.registry import Builder
from medimg.rows import Record, Step, steps

LEAST = 64 << 20
"""Bytes of a source that is decoded before other processes have started."""
PICTURES = 8
"""Rows of a block, where all of them are pictures; a volume or a video is a block of its own."""


@dataclass
class Block:
    """Steps that came one after the other.

    Attributes:
        last: whether there are no more of them; `error` says why, where it is not the end of the source.
        opened: paths that were opened for them.
    """

    steps: list[Step] = field(default_factory=list)
    last: bool = False
    error: Exception | None = None
    opened: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Share:
    """What one process is asked for: of every `of` blocks the one with this number, from block `first` on."""

    address: str
    files: Files
    origin: Origin
    portion_bytes: int
    rows: int
    number: int
    of: int
    first: int = 0

    def answer(self, give: Callable[[object], None], ask: object = None) -> None:
        """Make the blocks; `give` waits until somebody takes one. Nothing is asked."""
        held = Block()
        try:
            self.files.checks.wanted = False  # that was done before
            builder = registry.get(self.address)
            made = steps(builder, self.files, origin=self.origin, portion_bytes=self.portion_bytes, mine=self._mine)
            for number, step in enumerate(made):
                if self._mine(number):
                    if isinstance(step.item, Record):
                        step.item = packed(step.item)
                    step.error = step.error and plain(step.error)
                    held.steps.append(step)
                    if (number + 1) % self.rows == 0:
                        give(self._done(held))
                        held = Block()
                del step
        except Exception as error:
            held.error = plain(error)
        held.last = True
        give(self._done(held))

    def _mine(self, number: int, portion: Portion | None = None) -> bool:
        block = number // self.rows
        return block >= self.first and block % self.of == self.number

    def _done(self, block: Block) -> Block:
        block.opened = self.files.opened.copy()
        self.files.opened.clear()
        return block


def worth(files: Files, note: Callable[[str], None]) -> bool:
    """Whether a source takes so long that several processes decode it sooner, and whether they can."""
    size, unsized = files.size()
    if size < LEAST and not unsized:
        return False
    if (archive := files.one_pass()) is not None:
        note(one_pass(files, archive))
        return False
    return True


def one_pass(files: Files, archive: str) -> str:
    """Why only one process decodes a source."""
    return f"{files.dataset}: {archive} can only be read in one pass: one process decodes it"


def spread(
    builder: Builder,
    files: Files,
    origin: Origin,
    processes: int,
    *,
    portion_bytes: int = PORTION_BYTES,
    note: Callable[[str], None] = lambda text: None,
) -> Generator[Step]:
    """The steps of `medimg.rows.steps`, made by several processes.

    Raises:
        MedimgError: what the builder or a reader raised over there.
        WorkerLostError: processes were lost several times at the same rows.
    """
    if origin != "miniature":
        files.checks.all()
    yield Step(told=files.told.copy())
    files.told.clear()
    files.notes.clear()  # whoever makes the first block tells them
    dataset = builder.dataset
    flat = all((dataset.config(name).dimension or dataset.dimension) == "2d" for name in dataset.config_names)
    whole = Share(builder.address, files, origin, portion_bytes, PICTURES if flat else 1, 0, processes)
    team = [_Member(replace(whole, number=number), note) for number in range(processes)]
    try:
        turn, last = 0, False
        while not last:
            block = team[turn % processes].block(turn)
            files.opened |= block.opened
            for step in block.steps:
                yield step
                del step
            if block.error is not None:
                raise block.error
            turn, last = turn + 1, block.last
        for number, member in enumerate(team):
            if number != (turn - 1) % processes:
                files.opened |= member.block(turn).opened
    finally:
        for member in team:
            member.end()


class _Member:
    """A process with its share; another one takes over where it is lost."""

    def __init__(self, share: Share, note: Callable[[str], None]) -> None:
        self._share = share
        self._note = note
        self._process = Process()
        self._process.ask(share)

    def block(self, turn: int) -> Block:
        """Its next block, which is that of this turn."""
        for tried in range(LOSSES):
            try:
                found: Block = self._process.answer()
                return found
            except WorkerLostError as error:
                self.end()
                lost = error
                if tried + 1 < LOSSES:
                    self._note(f"{self._share.files.dataset}: {error.problem}; another one goes on from there")
                    self._process = Process()
                    self._process.ask(replace(self._share, first=turn))
        raise lost

    def end(self) -> None:
        self._process.end()
