"""Comparing signatures: how alike two are, and the index that finds those of one image among many."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cache
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from medimg.fusion.signatures import TERMS, THRESHOLD, Float, Signature, ball, radii
from medimg.pixels import Array

RESOLVED = 0.3
"""Terms per pixel along an axis that a copy on another grid still has in common with the original."""

LEAST_TERMS = 200
"""Images on different grids are compared only where they have this many terms in common."""

Index = npt.NDArray[np.int64]


def similarity(one: Signature, other: Signature) -> float:
    """Correlation of two signatures, 0 to 1, the largest over flips, exchanged axes and inversion.

    Where the grids differ, terms that one of them does not resolve are left out. 0 for a picture and a volume, and
    where one is blank.
    """
    if one.axes != other.axes or one.blank or other.blank:
        return 0.0
    axes = one.axes
    first, second = (
        (np.frombuffer(each.data, np.int8)[None], np.array([each.shape], np.uint16)) for each in (one, other)
    )
    return float(_correlate(axes, *first, *second)[0])


# comparing spectra


def _limits(shapes: Array, others: Array, axes: int) -> Array:
    """(n, axes) shapes of the pairs -> (n, axes) float: terms along each axis that both grids resolve.

    On one grid these are all that it holds. Across grids, the highest depend on how the copy was resampled; where
    too few of the others are left, there are none.
    """
    smaller = np.minimum(shapes, others).astype(np.float32)
    same = (shapes == others).all(axis=1)
    limits: Array = np.where(same[:, None], smaller, np.ceil(RESOLVED * smaller)).clip(max=TERMS[axes])
    limits[~same & (limits.prod(axis=1) < LEAST_TERMS)] = 0
    return limits


@cache
def _layout(axes: int) -> tuple[Array, dict[tuple[int, ...], Index], Index, Float]:
    """How to compare packed terms.

    Returns:
        (held, axes) frequencies, sorted by which of them are odd; for each order of the axes, where the packed terms
        of an image with its axes in that order are found; where each class of odd axes starts;
        (classes, flips) signs.
    """
    position = np.full(ball(axes).shape, -1)
    position[ball(axes)] = np.arange(int(ball(axes).sum()))
    frequencies = np.argwhere(ball(axes))
    odd = (frequencies % 2) @ (1 << np.arange(axes))
    frequencies = frequencies[np.argsort(odd, kind="stable")]
    turns = {
        order: position[tuple(frequencies[:, order.index(axis)] for axis in range(axes))]
        for order in permutations(range(axes))
    }
    starts = np.searchsorted(np.sort(odd), np.arange(1 << axes))
    both = np.bitwise_count(np.arange(1 << axes)[:, None] & np.arange(1 << axes))
    return frequencies, turns, starts, np.where(both % 2, -1, 1).astype(np.float32)


def _correlate(axes: int, data: Array, shapes: Array, others: Array, other_shapes: Array) -> Float:
    """Largest absolute correlation of each pair over flips and exchanged axes.

    Args:
        axes: 2 or 3.
        data, others: (n, held) int8, packed terms; pair i is data[i] with others[i].
        shapes, other_shapes: (n, axes).

    Returns:
        (n,) float32.
    """
    frequencies, turns, starts, signs = _layout(axes)
    one = np.take(data, turns[tuple(range(axes))], axis=1).astype(np.float32)
    norm = np.einsum("nt,nt->n", one, one)
    best = np.zeros(len(data), np.float32)
    for order, turn in turns.items():
        other = np.take(others, turn, axis=1).astype(np.float32)
        joint = one * other
        norms = norm * np.einsum("nt,nt->n", other, other)
        limits = _limits(shapes, other_shapes[:, order], axes)
        part = np.flatnonzero((limits < TERMS[axes]).any(axis=1))
        if part.size:
            mask = np.logical_and.reduce([f < limits[part, axis, None] for axis, f in enumerate(frequencies.T)])
            joint[part] *= mask
            squares = (np.square(each[part]) for each in (one, other))
            norms[part] = np.prod([np.einsum("nt,nt->n", square, mask) for square in squares], axis=0)
        # Sums over the terms of each class, then all sums of these with the signs that a flip gives them.
        top = np.abs(np.add.reduceat(joint, starts, axis=1) @ signs).max(axis=1)
        best = np.maximum(best, top / np.sqrt(np.maximum(norms, 1e-12)))
    return best


# the index

TABLES = 32
"""Hash tables; each sorts the entries by another 32-bit hash."""

BAND: Mapping[int, tuple[float, float]] = {2: (0.5, 10.5), 3: (0.5, 6.5)}
"""Frequencies from which the hashes are made."""

UNLIKE = 0.3
"""Share of differing hash bits from which a candidate is not compared further; unrelated images differ in half."""

NEIGHBORS = {"find": 64, "pairs": 24}
"""Entries before and after in each table that are candidates."""

CHUNK: Mapping[int, int] = {2: 1024, 3: 256}


@cache
def _orbits(axes: int) -> tuple[Index, ...]:
    """Positions in the packed terms of frequencies that exchanging axes maps to each other, by orbit size."""
    position = np.full(ball(axes).shape, -1)
    position[ball(axes)] = np.arange(int(ball(axes).sum()))
    radius = radii(axes)
    low, high = BAND[axes]
    by_size: dict[int, list[list[int]]] = {}
    for frequency in product(range(TERMS[axes]), repeat=axes):
        if tuple(sorted(frequency)) == frequency and low < radius[frequency] < high:
            orbit = [int(position[each]) for each in sorted(set(permutations(frequency)))]
            by_size.setdefault(len(orbit), []).append(orbit)
    return tuple(np.array(orbits) for _, orbits in sorted(by_size.items()))


def _invariants(axes: int, data: Array) -> Float:
    """(n, held) -> (n, d) of unit norm: magnitudes, sorted where axes may be exchanged; no flip changes them.

    Sorting and magnitudes never move two vectors apart, so signatures that are close have close invariants.
    """
    magnitude = np.abs(data.astype(np.float32))
    out = np.concatenate(
        [np.sort(magnitude[:, orbits], axis=2).reshape(len(data), -1) for orbits in _orbits(axes)], axis=1
    )
    norms = np.linalg.norm(out, axis=1, keepdims=True)
    unit: Float = out / np.maximum(norms, 1e-6).astype(np.float32)
    return unit


@cache
def _cuts(axes: int) -> Float:
    """(d, tables * 32) random directions; the side of each on which the invariants lie is a bit."""
    size = sum(orbits.size for orbits in _orbits(axes))
    return np.random.default_rng(axes).standard_normal((size, TABLES * 32)).astype(np.float32)


class _Table:
    """All signatures of one number of axes.

    Hashes of like images agree in most bits. Sorted by one of them, an image stands beside those that agree in its
    first bits: the denser the entries, the more bits that is, so no number of bits needs choosing.
    """

    def __init__(self, axes: int) -> None:
        self.axes = axes
        self.keys: list[Hashable] = []
        self.data: Array = np.empty((64, int(ball(axes).sum())), np.int8)
        self.shapes: Array = np.empty((64, axes), np.uint16)
        self.center: Float = np.zeros(_cuts(axes).shape[0], np.float32)
        self.codes: Array = np.empty((0, TABLES), np.uint32)
        self.order: list[Array] = []

    def add(self, key: Hashable, signature: Signature) -> None:
        count = len(self.keys)
        if count == len(self.data):
            self.data, self.shapes = (_longer(each, count + count // 2) for each in (self.data, self.shapes))
        self.data[count] = np.frombuffer(signature.data, np.int8)
        self.shapes[count] = signature.shape
        self.keys.append(key)

    def build(self, slack: int) -> None:
        """Hash all entries; sort them too where more than `slack` are not sorted yet."""
        count = len(self.keys)
        sorted_ = len(self.order[0]) if self.order else 0
        if count - sorted_ > slack:
            chosen = np.random.default_rng(count).choice(count, min(count, 8192), replace=False)
            if count >= 64:
                self.center = _invariants(self.axes, self.data[np.sort(chosen)]).mean(axis=0)
            self.codes = self.hash(self.data[:count])
            self.order = [np.argsort(column, kind="stable").astype(np.uint32) for column in self.codes.T]
        elif count > len(self.codes):
            self.codes = np.concatenate([self.codes, self.hash(self.data[len(self.codes) : count])])

    def hash(self, data: Array) -> Array:
        """(n, held) -> (n, tables) uint32."""
        out = np.empty((len(data), TABLES), np.uint32)
        for start in range(0, len(data), 4096):
            features = _invariants(self.axes, data[start : start + 4096]) - self.center
            bits = np.packbits(features @ _cuts(self.axes) > 0, axis=1)
            out[start : start + 4096] = bits.view(">u4")
        return out

    def find(self, signature: Signature, thresholds: tuple[float, float]) -> list[tuple[Hashable, float]]:
        sorted_ = len(self.order[0]) if self.order else 0
        self.build(slack=max(64, min(sorted_ // 4, 16384)))
        data = np.frombuffer(signature.data, np.int8)[None]
        code = self.hash(data)
        found = [np.arange(len(self.order[0]) if self.order else 0, len(self.keys), dtype=np.uint32)]
        for table, order in enumerate(self.order):
            value = int(code[0, table])
            key = self.codes[:, table].item
            left = bisect_left(order, value, key=key)
            right = bisect_right(order, value, lo=left, key=key)
            found.append(order[max(0, left - NEIGHBORS["find"]) : right + NEIGHBORS["find"]])
        near = np.unique(np.concatenate(found).astype(np.int64))
        near = near[_alike(self.codes[near].view(np.uint64).T, code.view(np.uint64).T)]
        shapes = np.broadcast_to(np.array(signature.shape, np.uint16), (len(near), self.axes))
        scores, alike = self.verify(np.broadcast_to(data, (len(near), data.shape[1])), shapes, near, thresholds)
        hits = zip(near[alike].tolist(), scores[alike].tolist(), strict=True)
        return [(self.keys[index], score) for index, score in sorted(hits, key=lambda hit: (-hit[1], hit[0]))]

    def verify(
        self, data: Array, shapes: Array, others: Index, thresholds: tuple[float, float]
    ) -> tuple[Float, npt.NDArray[np.bool_]]:
        """Correlation of each pair, and whether that is enough."""
        scores = np.empty(len(others), np.float32)
        for start in range(0, len(others), CHUNK[self.axes]):
            part = slice(start, start + CHUNK[self.axes])
            index = others[part]
            scores[part] = _correlate(self.axes, data[part], shapes[part], self.data[index], self.shapes[index])
        one_grid = (np.sort(shapes, axis=1) == np.sort(self.shapes[others], axis=1)).all(axis=1)
        return scores, scores >= np.where(one_grid, *thresholds)

    def pairs(self, thresholds: tuple[float, float]) -> Iterator[tuple[int, int, float]]:
        self.build(slack=0)
        found = np.unique(np.concatenate([np.empty(0, np.int64), *self.candidates()]))
        size = CHUNK[self.axes]
        for start in range(0, len(found), size):
            first, second = np.divmod(found[start : start + size], len(self.keys))
            scores, alike = self.verify(self.data[first], self.shapes[first], second, thresholds)
            kept = (each[alike].tolist() for each in (first, second, scores))
            yield from zip(*kept, strict=True)

    def candidates(self) -> Iterator[Index]:
        """Neighbors in a table whose hashes agree, as first * number of entries + second."""
        count = len(self.keys)
        for order in self.order:
            words = np.ascontiguousarray(self.codes[order].view(np.uint64).T)
            for lag in range(1, min(NEIGHBORS["pairs"], count - 1) + 1):
                at = np.flatnonzero(_alike(words[:, :-lag], words[:, lag:]))
                one, other = order[at].astype(np.int64), order[at + lag].astype(np.int64)
                yield np.minimum(one, other) * count + np.maximum(one, other)


def _longer(array: Array, more: int) -> Array:
    out = np.empty((len(array) + more, array.shape[1]), array.dtype)
    out[: len(array)] = array
    return out


def _alike(words: Array, others: Array) -> npt.NDArray[np.bool_]:
    """(m, n) with (m, n or 1) uint64 -> (n,): whether enough bits of each column agree."""
    differing = np.zeros(words.shape[1], np.uint16)
    for one, other in zip(words, others, strict=True):
        differing += np.bitwise_count(one ^ other)
    like: npt.NDArray[np.bool_] = differing < UNLIKE * 64 * len(words)
    return like


class Matcher:
    """Finds which of many signatures are of the same image. Pictures are never compared with volumes.

    Two stages: hash tables over invariants of the signature give candidates, `similarity` decides. Adding is
    cheap; the tables are built when first asked, and anew when a quarter, or 16384, of the entries are new.

    Args:
        thresholds: for 2 and 3 axes, the least similarity on the same grid and across grids.
    """

    def __init__(self, thresholds: Mapping[int, tuple[float, float]] = THRESHOLD) -> None:
        self.thresholds = dict(thresholds)
        self._tables = {axes: _Table(axes) for axes in TERMS}

    def __len__(self) -> int:
        return sum(len(table.keys) for table in self._tables.values())

    def add(self, key: Hashable, signature: Signature | None) -> None:
        """Enter a signature; a blank one, or none, is left out since it matches nothing."""
        if signature is not None and not signature.blank:
            self._tables[signature.axes].add(key, signature)

    def extend(self, items: Iterable[tuple[Hashable, Signature | None]]) -> None:
        """`add` for many."""
        for key, each in items:
            self.add(key, each)

    def matches(self, signature: Signature | None) -> list[Hashable]:
        """Keys of the same image, the most similar first; an entry matches itself."""
        return [key for key, _ in self.scored(signature)]

    def scored(self, signature: Signature | None) -> list[tuple[Hashable, float]]:
        """`matches` with the similarities."""
        if signature is None or signature.blank:
            return []
        return self._tables[signature.axes].find(signature, self.thresholds[signature.axes])

    def pairs(self) -> Iterator[tuple[Hashable, Hashable, float]]:
        """All pairs of entries that are of the same image, each once, in the order of entry, with the similarity.

        Of a crowd (dozens of entries that are all alike) not every pair is given, but enough to connect it.
        """
        for axes, table in self._tables.items():
            for first, second, score in table.pairs(self.thresholds[axes]):
                yield table.keys[first], table.keys[second], score
