"""The rows of one large source, made by others a portion each: decoded, written to shards, uploaded.

Who leads goes through what the builder yields, too, and puts in its order what the others say of each row; it writes
what belongs to all rows (metadata, counts, card) and makes the one commit. A lost process costs its portion.
"""

from __future__ import annotations

import copy
import hashlib
import pickle
import zlib
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import ClassVar

from huggingface_hub import CommitOperationAdd

from medimg import clients, registry
from medimg.errors import MedimgError, SourceError
from medimg.files import Files
from medimg.hub_sync.building.gallery import Gallery, preview_rows
from medimg.hub_sync.building.sent import written
from medimg.hub_sync.building.shards import PORTION_SHARDS, ShardWriter
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.upload import Upload
from medimg.hub_sync.results import Watcher
from medimg.hub_sync.scratch import scratch
from medimg.hub_sync.verifying.verify import Reader
from medimg.hub_sync.workers.crew import Ask, Crew, Give
from medimg.hub_sync.workers.messages import plain
from medimg.hub_sync.workers.spread import one_pass
from medimg.manifest import Origin, Shard
from medimg.portions import Portion
from medimg.registry import Builder
from medimg.rows import Record, Step, steps

LEAST = 2
"""Portions of a source that is made by others."""
AHEAD = 2
"""Portions that are made ahead, per worker: what comes of them waits here."""
BATCH = 1000
"""Steps that are packed together."""


@dataclass
class Made:
    """What came of a portion.

    Attributes:
        batches: steps, packed.
        ids: digest of those of its rows.
        shards: finished ones, with what the commit needs of each.
        opened: paths that were opened.
        uploaded: bytes.
        error: that ended it.
    """

    portion: Portion
    batches: list[bytes] = field(default_factory=list)
    ids: str = ""
    shards: list[tuple[Shard, CommitOperationAdd]] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)
    uploaded: int = 0
    error: Exception | None = None

    def steps(self) -> Iterator[Step]:
        """Its steps; what has ended it is raised after them."""
        for batch in self.batches:
            yield from pickle.loads(zlib.decompress(batch))
        if self.error is not None:
            raise self.error


@dataclass(frozen=True)
class PortionUnit:
    """A portion that somebody makes.

    Attributes:
        name: of the dataset.
        address: of the builder, for `registry.get`.
        files: the source.
        connect: see `Hub.again`.
    """

    name: str
    address: str
    files: Files
    origin: Origin
    portion: Portion
    shard_bytes: int
    connect: Callable[[], Hub] = field(repr=False)
    reads_back: ClassVar[bool] = False
    spreads: ClassVar[bool] = False

    def answer(self, give: Give, ask: Ask | None = None) -> None:
        """Make it, in another process; nothing is asked."""
        try:
            hub = self.connect()
        except MedimgError as error:
            give(self.lost(error))
        else:
            give(self.done(hub, None, give))

    def done(self, hub: Hub, reader: Reader | None, give: Give, crew: Callable[[], Crew] | None = None) -> Made:
        """Make it, in this process, in any thread, with a view of its own; nothing is read back."""
        hub = hub.telling(lambda text: give(("note", (text,))))
        made = Made(self.portion)
        upload = Upload(hub, self.name)
        try:
            with copy.copy(self.files) as files:
                self._make(files, made, upload, give)
                made.opened = files.opened
        except Exception as error:
            made.error = plain(error)
        made.uploaded = upload.bytes
        return made

    def lost(self, error: MedimgError) -> Made:
        """The result where all that tried were lost."""
        return Made(self.portion, error=error)

    def _make(self, files: Files, made: Made, upload: Upload, give: Give) -> None:
        builder = registry.get(self.address)
        files.checks.wanted = False  # that was done before

        def finished(path: Path, shard: Shard) -> None:
            operation = upload.shard(path)
            if not clients.is_uploaded(operation):  # so small that it goes with the commit
                operation = CommitOperationAdd(path_in_repo=operation.path_in_repo, path_or_fileobj=path.read_bytes())
            made.shards.append((shard, operation))

        with ExitStack() as stack:
            folder = stack.enter_context(scratch(f"portion-{self.name}")).path
            gallery = Gallery(lambda place: preview_rows(builder.dataset))
            writer: ShardWriter | None = None
            held: list[Step] = []
            ids = hashlib.sha256()
            for step in steps(
                builder,
                files,
                origin=self.origin,
                portion_bytes=PORTION_SHARDS * self.shard_bytes,
                mine=lambda number, portion: portion == self.portion,
            ):
                if step.portion != self.portion:
                    if step.portion is not None and _comes_after(step.portion, self.portion):
                        break
                    continue
                ids.update(_line(step))
                record = step.item
                if isinstance(record, Record):
                    tile = None
                    if record.publishable:
                        dimension = builder.dataset.config(record.config).dimension or builder.dataset.dimension
                        writer = writer or stack.enter_context(
                            ShardWriter(folder, dimension, finished, shard_bytes=self.shard_bytes)
                        )
                        writer.add(record.values, record.portion)
                        if (shown := gallery.look(record, self.origin)) is not None:
                            tile = shown.id, shown.caption, shown.png
                        give(("row", (self.name, 1, len(record.values["image"]["bytes"]))))
                    step.item = written(record, tile)
                step.error = step.error and plain(step.error)
                held.append(step)
                if len(held) == BATCH:
                    made.batches.append(_packed(held))
                    held = []
                del step, record
            made.batches.append(_packed(held))
            made.ids = ids.hexdigest()


def _line(step: Step) -> bytes:
    return f"{step.id}\n".encode("utf-8", "surrogatepass")


def _comes_after(one: Portion, other: Portion) -> bool:
    """Whether it is a later portion of the same split."""
    return one[:2] == other[:2] and one.number > other.number


def _packed(held: list[Step]) -> bytes:
    return zlib.compress(pickle.dumps(held, protocol=5), 1)


def many(files: Files, shard_bytes: int, note: Callable[[str], None] = lambda text: None) -> bool:
    """Whether a source is so large that it is made a portion each, and can be.

    It can where it has not to be decoded from its beginning for that, which is said, and is listed at once.
    """
    size, _ = files.size()
    if size < LEAST * PORTION_SHARDS * shard_bytes:
        return False
    if (archive := files.one_pass()) is not None:
        note(one_pass(files, archive))
        return False
    return True


class _Owed:
    """A portion as it is found here, to be compared with what came of it."""

    def __init__(self) -> None:
        self.made: Made | None = None
        self.steps: Iterator[Step] = iter(())
        self._rows = 0
        self._ids = hashlib.sha256()

    def expect(self, step: Step) -> None:
        """One more row."""
        self._rows += 1
        self._ids.update(_line(step))

    def next(self) -> Step | None:
        """The next row; None where others have found other rows."""
        step = next(self.steps, None)
        self._rows -= 1
        if self._rows:
            return step
        more = next(self.steps, None)  # raises what ended it after its last row
        assert self.made is not None
        same, self.made = self.made.ids == self._ids.hexdigest(), Made(self.made.portion)
        return step if more is None and same else None


class Gathered:
    """A source whose portions others make.

    Args:
        crew: the others; they are given a few portions ahead of the one that is wanted.
        upload: gets what was uploaded.
        watcher: told of the progress.
    """

    def __init__(
        self,
        builder: Builder,
        files: Files,
        origin: Origin,
        *,
        shard_bytes: int,
        crew: Crew,
        hub: Hub,
        upload: Upload,
        watcher: Watcher,
    ) -> None:
        self._builder = builder
        self._files = files
        self._origin: Origin = origin
        self._shard_bytes = shard_bytes
        self._crew = crew
        self._connect = hub.again()
        self._upload = upload
        self._watcher = watcher
        self._made: dict[Portion, Made] = {}
        self._owed: dict[Portion, _Owed] = defaultdict(_Owed)
        self._shards: dict[tuple[str, str], list[tuple[Path, Shard]]] = defaultdict(list)

    def shards(self, place: tuple[str, str]) -> list[tuple[Path, Shard]]:
        """Of a split (config and name), for `build`."""
        return self._shards[place]

    def steps(self) -> Generator[Step]:
        """The steps of `medimg.rows.steps`, with rows that are written (`Written`).

        Raises:
            MedimgError: what the builder, a reader or the Hub raised.
            SourceError: others have found other rows than are found here.
            WorkerLostError: processes were lost several times at one portion.
        """
        if self._origin != "miniature":
            self._files.checks.all()
        outline, error = self._outline()
        waiting = iter(list(self._owed))
        ahead = AHEAD * self._crew.size
        for portion, told in outline:
            if portion is None:
                assert told is not None
                yield told
                continue
            owed = self._owed[portion]
            if owed.made is None:
                for following in islice(waiting, ahead):
                    self._give(following)
                    ahead -= 1
                owed.made = self._wait_for(portion)
                owed.steps = owed.made.steps()
                ahead += 1
            step = owed.next()
            if step is None:
                raise SourceError(
                    "the source changed while it was read; nothing was published",
                    dataset=self._builder.name,
                    next_step="Run sync again when nobody writes to it.",
                )
            step.told, step.notes = ([], []) if told is None else (told.told, told.notes)
            yield step
        if error is not None:
            raise error

    def _outline(self) -> tuple[list[tuple[Portion | None, Step | None]], Exception | None]:
        """Of each step the portion of its row, and the step itself where it tells something; what has ended them."""
        outline: list[tuple[Portion | None, Step | None]] = []
        try:
            for step in steps(
                self._builder,
                self._files,
                origin=self._origin,
                portion_bytes=PORTION_SHARDS * self._shard_bytes,
                mine=lambda number, portion: False,
            ):
                if step.portion is not None:
                    self._owed[step.portion].expect(step)
                silent = step.portion is not None and not step.told and not step.notes
                outline.append((step.portion, None if silent else step))
        except Exception as error:  # rows before it may be bad, which is told first
            return outline, error
        return outline, None

    def _give(self, portion: Portion) -> None:
        unit = PortionUnit(
            self._builder.name,
            self._builder.address,
            self._files,
            self._origin,
            portion,
            self._shard_bytes,
            self._connect,
        )
        self._crew.give(unit)

    def _wait_for(self, portion: Portion) -> Made:
        while portion not in self._made:
            made: Made = next(iter(self._crew.done(self._watcher, wait=True)))
            self._made[made.portion] = made
        found = self._made.pop(portion)
        self._files.opened |= found.opened
        self._upload.bytes += found.uploaded
        for shard, operation in found.shards:
            path = Path(*map(str, portion), shard.path)  # no file: what it holds is uploaded
            self._upload.adopt(path, operation)
            self._shards[portion[:2]].append((path, shard))
        return found
