"""Comparing signatures: how alike two are, and the index that finds those of one image among many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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

NEIGHBORS = 24
"""Entries after each in every table that are candidates."""

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


def _hashes(axes: int, data: Array) -> Array:
    """(n, held) -> (n, tables) uint32; hashes of like images agree in most bits."""
    count = len(data)
    center: Float = np.zeros(1, np.float32)
    if count >= 64:
        chosen = np.random.default_rng(count).choice(count, min(count, 8192), replace=False)
        center = _invariants(axes, data[np.sort(chosen)]).mean(axis=0)
    out = np.empty((count, TABLES), np.uint32)
    for start in range(0, count, 4096):
        features = _invariants(axes, data[start : start + 4096]) - center
        bits = np.packbits(features @ _cuts(axes) > 0, axis=1)
        out[start : start + 4096] = bits.view(">u4")
    return out


def _candidates(codes: Array) -> Index:
    """Neighbors in a table whose hashes agree, as first * number of entries + second.

    Sorted by one of its hashes, an image stands beside those that agree in its first bits: the denser the entries, the
    more bits that is, so no number of bits needs choosing.
    """
    count = len(codes)
    found = [np.empty(0, np.int64)]
    for column in codes.T:
        order = np.argsort(column, kind="stable").astype(np.uint32)
        words = np.ascontiguousarray(codes[order].view(np.uint64).T)
        for lag in range(1, min(NEIGHBORS, count - 1) + 1):
            at = np.flatnonzero(_alike(words[:, :-lag], words[:, lag:]))
            one, other = order[at].astype(np.int64), order[at + lag].astype(np.int64)
            found.append(np.minimum(one, other) * count + np.maximum(one, other))
    return np.unique(np.concatenate(found))


def _alike(words: Array, others: Array) -> npt.NDArray[np.bool_]:
    """(m, n) with (m, n) uint64 -> (n,): whether enough bits of each column agree."""
    differing = np.zeros(words.shape[1], np.uint16)
    for one, other in zip(words, others, strict=True):
        differing += np.bitwise_count(one ^ other)
    like: npt.NDArray[np.bool_] = differing < UNLIKE * 64 * len(words)
    return like


def pairs(
    signatures: Sequence[Signature | None], thresholds: Mapping[int, tuple[float, float]] = THRESHOLD
) -> Iterator[tuple[int, int, float]]:
    """All pairs that are of the same image, each once, as places in the sequence, with the similarity.

    Two stages: hash tables over invariants of the signature give candidates, `similarity` decides. A blank signature,
    or none, matches nothing; pictures are never compared with volumes. Of a crowd (dozens of entries that are all
    alike) not every pair is given, but enough to connect it.

    Args:
        signatures: of the images.
        thresholds: for 2 and 3 axes, the least similarity on the same grid and across grids.
    """
    for axes in TERMS:
        held = [(n, each) for n, each in enumerate(signatures) if each and each.axes == axes and not each.blank]
        data = np.frombuffer(b"".join(each.data for _, each in held), np.int8).reshape(len(held), int(ball(axes).sum()))
        shapes = np.array([each.shape for _, each in held], np.uint16).reshape(-1, axes)
        found = _candidates(_hashes(axes, data))
        for start in range(0, len(found), CHUNK[axes]):
            first, second = np.divmod(found[start : start + CHUNK[axes]], len(held))
            scores = _correlate(axes, data[first], shapes[first], data[second], shapes[second])
            one_grid = (np.sort(shapes[first], axis=1) == np.sort(shapes[second], axis=1)).all(axis=1)
            alike = scores >= np.where(one_grid, *thresholds[axes])
            for one, other, score in zip(first[alike], second[alike], scores[alike].tolist(), strict=True):
                yield held[one][0], held[other][0], score
