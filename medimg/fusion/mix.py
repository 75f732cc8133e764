"""Mixing: many members, one plain `datasets.IterableDataset`.

Stock `datasets` interleaves and shuffles too, but loses rows when it resumes behind a shuffle buffer, drops or
repeats rows where shards do not divide evenly, and resumes a generator by generating everything again. Here the
state is a position in each member and a counter, all random numbers are functions of (seed, epoch, part,
counter), and members are opened at the row where reading goes on. So a state is small, holds no rows, and the
rest of the stream after it is exactly the rest of the stream.

Every row of every member comes exactly once per epoch, over all nodes and workers together. The weights say in
which order, not how often: a member that has ended leaves the draw and the others go on (sampling without
replacement until all are exhausted). Only `repeat=True` starts ended members again.
"""

from __future__ import annotations

import hashlib
import random
from bisect import bisect, bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import Any

import datasets
import numpy as np

from medimg import clients
from medimg.errors import SourceError
from medimg.fusion.choices import Weights
from medimg.fusion.errors import StateError
from medimg.fusion.weights import check, shares

Item = Any
"""What a member yields: a row, or something smaller that `Stream.finish` makes a row of."""

SHARDS = 960
"""At most so many nodes times workers can share a mixture: a multiple of the usual numbers of nodes."""
DRAWS = 1024
_END = object()


@dataclass(frozen=True)
class Stream:
    """One member. All callables must be picklable (functions of a module, `functools.partial` of them).

    Attributes:
        name: unique within the mixture.
        open: `open(n)` iterates over the items from item n on, always in the same order. It should skip cheaply:
            whole files and row groups of Parquet, undecoded files of a source.
        rows: how many items `open(0)` yields, where that is known. Nodes and workers then read ranges of their
            own; otherwise each walks over all items and keeps its share before `expand` and `finish`.
        block: where `open(n)` is cheap at multiples of this many items: shuffling then also visits blocks in
            random order. Needs `rows`.
        expand: item -> items, before the shuffle buffer: none drops it, many are e.g. the slices of a volume.
        finish: item -> row, after the shuffle buffer, so that the buffer may hold items that are not yet decoded. None
            drops the item.
    """

    name: str
    open: Callable[[int], Iterator[Item]]
    rows: int | None = None
    block: int | None = None
    expand: Callable[[Item], Iterable[Item]] | None = None
    finish: Callable[[Item], dict[str, Any] | None] | None = None


def mix(
    streams: Sequence[Stream],
    *,
    features: datasets.Features,
    weights: Weights = "concatenate",
    repeat: bool = False,
    shuffle: int = 0,
    seed: int = 0,
    split: str | None = None,
    identity: str = "",
) -> datasets.IterableDataset:
    """One stream of all members' rows.

    `set_epoch`, `state_dict`, `load_state_dict`, `split_dataset_by_node`, `shard` and a torch `DataLoader` with
    workers do what `datasets` documents for them, without its exceptions for shuffle buffers and uneven shards.
    The order depends on seed, epoch and the split over nodes and workers only.

    Args:
        streams: the members; their order matters for "concatenate" and "interleave".
        features: of the rows; pixels are decoded by them.
        weights: "concatenate": one after another. "interleave": in turns. The rest draw the member of each row at
            random among those that have not ended: "uniform": all alike; "proportional": by their `rows`;
            {"temperature": T}: by rows ** (1 / T), so that 1 is proportional and infinity is uniform;
            {name: weight}: as said, for every member.
        repeat: start ended members again until each has been seen in full (with several nodes or workers: until
            each has seen its own share in full). Not for "concatenate".
        shuffle: rows are permuted within windows of this many; 0 keeps the order. As many items stand in memory;
            a state that was saved within a window reads the window again. Members' `block`s also come in random
            order.
        seed: of the draws and of shuffling; the epoch is mixed in by `set_epoch`.
        split: name of the split of the result.
        identity: of all that the rows depend on beside these arguments (what is behind `open`, `expand` and `finish`);
            a state that was saved under another one is refused.

    Raises:
        RequestError: no members, two of one name, weights that do not fit the members or need unknown `rows`.
        StateError: (while iterating) the state that was loaded is of another stream.
        SourceError: (while iterating) a member has more or fewer items than its `rows`.
    """
    check(weights, [stream.name for stream in streams])
    order, drawn = shares(weights, {stream.name: stream.rows for stream in streams})
    recipe = _Recipe(tuple(streams), order, drawn, repeat, shuffle, seed, identity)
    return datasets.IterableDataset(
        Mixture(recipe, SHARDS),
        info=datasets.DatasetInfo(features=features),
        split=None if split is None else datasets.NamedSplit(split),
    )


@dataclass(frozen=True)
class _Recipe:
    """What was asked for: see `mix`."""

    streams: tuple[Stream, ...]
    order: str
    shares: tuple[float, ...]
    repeat: bool
    shuffle: int
    seed: int
    identity: str = ""

    def digest(self) -> str:
        """Of all that the order and the rows depend on, beside epoch and part."""
        members = [(stream.name, stream.rows, stream.block) for stream in self.streams]
        asked = (self.order, self.shares, self.repeat, self.shuffle, self.seed, self.identity)
        return hashlib.sha256(repr((members, asked)).encode()).hexdigest()[:16]

    def random(self, *key: object) -> random.Random:
        """Random numbers that depend on the seed and `key` only; Python guarantees them across versions."""
        return random.Random(repr((self.seed, *key)))


class Mixture(clients.examples_iterable()):  # type: ignore[misc]
    """The examples iterable behind `mix`: recipe, epoch, part and state, in the protocol of `datasets` 5.

    State: `positions`: per member [pass, items taken, pieces of the next item taken], pass -1 where it has ended;
    `turn`: counter of the order; with shuffling both as of the start of the window, `window`: its number,
    `skip`: items of it that were taken; `mixture`: digest of all that a state depends on; `part`: the epoch, and
    which part of how many it is of.
    """

    def __init__(
        self,
        recipe: _Recipe,
        shards: int,
        epoch: tuple[int, ...] = (),
        parts: tuple[tuple[int, int], ...] = (),
    ) -> None:
        super().__init__()
        self._state_dict: dict[str, Any] | None = None
        self._recipe = recipe
        self._shards = shards
        self._epoch = epoch
        self._parts = parts
        self._sleep_on_threads_shutdown = False

    def __copy__(self) -> Mixture:
        return Mixture(self._recipe, self._shards, self._epoch, self._parts)

    @property
    def num_shards(self) -> int:
        """Into how many parts this one can be split further."""
        return self._shards

    def shuffle_data_sources(self, generator: np.random.Generator) -> Mixture:
        """Another epoch: same rows, other draws."""
        epoch = int(deepcopy(generator).integers(1 << 62))
        return Mixture(self._recipe, self._shards, (*self._epoch, epoch), self._parts)

    def shard_data_sources(self, num_shards: int, index: int, contiguous: bool = True) -> Mixture:
        """Part `index` of `num_shards`; all parts together have each row once, however uneven the division."""
        count = min(num_shards, self._shards)
        shards = len(self.split_shard_indices_by_worker(num_shards, index, contiguous=contiguous))
        return Mixture(self._recipe, shards, self._epoch, (*self._parts, (count, index)))

    def reshard_data_sources(self) -> Mixture:
        """Itself: it already can be split as finely as needed."""
        return self

    def _init_state_dict(self) -> dict[str, Any]:
        fresh: dict[str, Any] = {
            "positions": (),  # no list: `datasets` would keep its length when it loads a state
            "turn": 0,
            "window": 0,
            "skip": 0,
            "mixture": self._recipe.digest(),
            "part": self._part(),
            "type": type(self).__name__,
        }
        # One dictionary for good: datasets before 5.2 goes on reporting the one that it got first.
        if self._state_dict is None:
            self._state_dict = fresh
        else:
            self._state_dict.clear()
            self._state_dict.update(fresh)
        return self._state_dict

    def _part(self) -> str:
        """Epoch and part as text: `epoch 12; 0 of 2; 1 of 3;`. That of the whole begins that of its parts."""
        parts = "".join(f" {index} of {count};" for count, index in self._parts)
        return f"epoch {'.'.join(map(str, self._epoch)) or 0};{parts}"

    def _check(self, state: Mapping[str, Any]) -> None:
        """Refuse the state of another stream. Raises StateError."""
        untouched = not any(any(position) for position in state["positions"]) and state["skip"] == 0
        # A worker that has not begun reports the state of the whole of which it will read its part.
        begins = untouched and state["turn"] == 0 and self._part().startswith(state["part"])
        same = state["mixture"] == self._recipe.digest()
        if same and (state["part"] == self._part() or begins):
            return
        what = "request, seed or members (one may have changed)" if not same else "epoch, node or worker"
        raise StateError(
            f"this state is of another mixture: its {what} differ from this stream's",
            next_step="resume with the arguments, members, epoch and numbers of nodes and workers that it was saved "
            "with, or start anew without it.",
        )

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        state = self._init_state_dict() if self._state_dict is None else self._state_dict
        self._check(state)
        state["part"] = self._part()
        number = 0
        for member, item in self._items(state):
            finish = self._recipe.streams[member].finish
            row = item if finish is None else finish(item)
            if row is not None:
                yield number, row
                number += 1

    def _items(self, state: dict[str, Any]) -> Iterator[tuple[int, Item]]:
        """(member, item) pairs in their order; the state is moved before each is given."""
        run = _Run(self._recipe, self._epoch, self._parts, state["positions"], state["turn"])
        if not self._recipe.shuffle:
            state["positions"] = run.positions
            for pair in run:
                state["turn"] = run.turn
                yield pair
            return
        window, skip = state["window"], state["skip"]
        while True:
            state.update(positions=deepcopy(run.positions), turn=run.turn, window=window, skip=skip)
            items: list[Any] = list(islice(run, self._recipe.shuffle))
            if not items:
                return
            lots = self._recipe.random(self._epoch, self._parts, "window", window)
            keys = [lots.random() for _ in items]
            order = sorted(range(len(items)), key=keys.__getitem__)
            for place in range(skip, len(items)):
                pair = items[order[place]]
                items[order[place]] = None  # it leaves the memory with the row
                state["skip"] = place + 1
                yield pair
            window, skip = window + 1, 0


class _Run:
    """The unshuffled stream of (member, item) pairs from given positions on; both attributes follow it."""

    def __init__(
        self,
        recipe: _Recipe,
        epoch: tuple[int, ...],
        parts: tuple[tuple[int, int], ...],
        positions: Sequence[Sequence[int]],
        turn: int,
    ) -> None:
        self.positions = [list(each) for each in positions] or [[0, 0, 0] for _ in recipe.streams]
        self.turn = turn
        self._recipe = recipe
        self._key = (epoch, parts)
        self._parts = parts
        self._sources: dict[int, Iterator[Item]] = {}
        self._unseen = {member for member, position in enumerate(self.positions) if position[0] == 0}
        self._alive = [member for member, position in enumerate(self.positions) if position[0] >= 0]
        if any(index >= count for count, index in parts) or (recipe.repeat and not self._unseen):
            self._alive = []
        self._draws: tuple[int, list[float]] = (-1, [])
        self._bounds: list[float] = []
        self._weigh()

    def __iter__(self) -> _Run:
        return self

    def __next__(self) -> tuple[int, Item]:
        while self._alive:
            member = self._pick()
            source = self._sources.get(member)
            if source is None:
                source = self._sources[member] = self._pieces(member)
            item = next(source, _END)
            if item is not _END:
                return member, item
            self._ended(member)
        raise StopIteration

    def _pick(self) -> int:
        """Whose turn it is, in time independent of the number of members (but for one bisection)."""
        alive = self._alive
        if self._recipe.order == "concatenate":
            return alive[0]
        if self._recipe.order == "interleave":
            place = bisect_left(alive, self.turn)
            member = alive[place if place < len(alive) else 0]
            self.turn = member + 1
            return member
        block, offset = divmod(self.turn, DRAWS)
        if block != self._draws[0]:
            lots = self._recipe.random(*self._key, "draws", block)
            self._draws = (block, [lots.random() for _ in range(DRAWS)])
        self.turn += 1
        bounds = self._bounds
        return alive[min(bisect(bounds, self._draws[1][offset] * bounds[-1]), len(alive) - 1)]

    def _ended(self, member: int) -> None:
        del self._sources[member]
        position = self.positions[member]
        self._unseen.discard(member)
        if self._recipe.repeat and position[1:] != [0, 0]:  # it had at least one row
            self.positions[member] = [position[0] + 1, 0, 0]
        else:
            self.positions[member] = [-1, 0, 0]
            self._alive.remove(member)
            self._weigh()
        if self._recipe.repeat and not self._unseen:
            self._alive = []

    def _weigh(self) -> None:
        if self._recipe.shares:
            self._bounds = list(accumulate(self._recipe.shares[member] for member in self._alive))

    def _pieces(self, member: int) -> Iterator[Item]:
        """What the member gives from its position on; the position is moved before each piece is given."""
        expand = self._recipe.streams[member].expand
        turn, taken, pieces = self.positions[member]
        for item in self._items(member, turn, taken):
            if expand is not None:
                for piece in islice(expand(item), pieces, None):
                    pieces += 1
                    self.positions[member] = [turn, taken, pieces]
                    yield piece
                taken, pieces = taken + 1, 0
            else:
                taken += 1
                self.positions[member] = [turn, taken, 0]
                yield item

    def _items(self, member: int, turn: int, taken: int) -> Iterator[Item]:
        """The items of this part of a member in the order of pass `turn`, without the first `taken`."""
        stream = self._recipe.streams[member]
        for low, high, step in self._segments(member, turn):
            if high is None:
                yield from islice(stream.open(low + taken * step), None, None, step)
                return
            if taken >= high - low:
                taken -= high - low
                continue
            missing = high - low - taken
            items = iter(stream.open(low + taken))
            for item in islice(items, missing):
                missing -= 1
                yield item
            if missing or (high == stream.rows and next(items, _END) is not _END):
                raise SourceError(
                    f"the member was said to have {stream.rows} rows and has {'fewer' if missing else 'more'}",
                    dataset=stream.name,
                    next_step="build the plan anew: the member has changed since",
                )
            taken = 0

    def _segments(self, member: int, turn: int) -> list[tuple[int, int | None, int]]:
        """(from, to, step) of the items that are this part's, in reading order."""
        stream = self._recipe.streams[member]
        low, high, step = 0, stream.rows, 1
        for count, index in self._parts:
            # Each member deals from another place on, or small ones would all go to the same worker.
            lot, member = (index + member) % count, member // count
            if high is None:
                low, step = low + step * lot, step * count
            else:
                low, high = low + (high - low) * lot // count, low + (high - low) * (lot + 1) // count
        if high is None or stream.block is None or not self._recipe.shuffle:
            return [(low, high, step)]
        cuts = [low, *range((low // stream.block + 1) * stream.block, high, stream.block), high]
        segments: list[tuple[int, int | None, int]] = [(a, b, 1) for a, b in pairwise(cuts) if a < b]
        self._recipe.random(*self._key, "blocks", stream.name, turn).shuffle(segments)
        return segments
