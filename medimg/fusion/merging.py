"""Merging the labels of proven duplicates: rows of one image (equal `content`, so equal pixels on one grid).

The row that stays is taken at its word. What it leaves open (255 in a mask, -1 in `classes`, boxes and measures that it
does not have) is filled with what the rows say that were left out for it, the preferred ones first. Where they
contradict each other, the word of the row that stays is what `fused` has, and the other's is counted in
`provenance.merged` and in the report. Joined is what the annotators said, before it is encoded, so that an outlined
liver of one row and an outlined tumor of the other give liver, tumor and background as if one person had drawn both.
The row's own `label` is not touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medimg.fusion.facts import IGNORE, classify, single
from medimg.fusion.labels import Harmonizer
from medimg.fusion.report import Contradiction
from medimg.fusion.semantics import ABSENT, PRESENT, UNKNOWN, above
from medimg.fusion.voices import Names, Voice, grid_of, join, place_of, says_of
from medimg.pixels import Array
from medimg.schema import Dimension

# --------------------------------------------------------------------------------------------------- what is told


@dataclass(slots=True)
class Given:
    """What one row gave, and where it contradicts what stands."""

    targets: set[str] = field(default_factory=set)
    contradicts: list[Contradiction] = field(default_factory=list)


def merge(
    harmonizer: Harmonizer, row: Mapping[str, Any], others: Sequence[Mapping[str, Any]], dimension: Dimension
) -> tuple[dict[str, Any], list[Given]]:
    """The column `fused` of a row with what rows of the same image know beside it.

    What is known of the row itself is never changed; nothing is background that nobody looked for.

    Args:
        harmonizer: targets and encoding.
        row: the one that stays, pixels undecoded as {"bytes", "path"}.
        others: those that were left out for it, the preferred ones first; `image` is not needed.
        dimension: "2d" or "3d".

    Returns:
        (`fused`, for each of the others what it gave).

    Raises:
        LabelError: a mask holds a value that is not in its legend.
        FormatError: a mask that is not on the grid of the row.
        FusionError: see `Harmonizer`.
    """
    every = [row, *others]
    maskless = ({**each, "label": {**each["label"], "mask": None, "legend": []}} for each in every)
    fused, *more = (harmonizer(each, dimension) for each in maskless)
    given = [Given() for _ in others]
    targets = harmonizer.targets
    if targets:
        voices = [Voice.of(each, dimension) for each in every]
        shown = _merge_masks(fused, row, voices, given, others, harmonizer, dimension)
        known = [
            classify(voice.facts, None if seen is None else _named(seen), targets, None in (seen or ()))
            for voice, seen in zip(voices, shown, strict=True)
        ]
        fused["classes"] = _merge_classes(known, targets, row, others, given)
        fused["label"] = single(fused["classes"], targets)
    absent = {name for name, state in zip(targets, fused["classes"], strict=True) if state == ABSENT}
    for kind in ("boxes", "measures"):
        for other, found, one in zip(others, more, given, strict=True):
            _merge_list(kind, fused, found, absent, row["id"], other["id"], one)
    return fused, given


def _merge_masks(
    fused: dict[str, Any],
    row: Mapping[str, Any],
    voices: Sequence[Voice],
    given: Sequence[Given],
    others: Sequence[Mapping[str, Any]],
    harmonizer: Harmonizer,
    dimension: Dimension,
) -> list[set[Names] | None]:
    """Write the merged mask into `fused`; returns for each voice what its mask shows somewhere, None without one."""
    if all(voice.mask is None for voice in voices):
        return [None] * len(voices)
    targets, encoding = harmonizer.targets, harmonizer.encoding
    like = grid_of(voices, row, dimension)
    maps, counts = join(voices, targets, encoding)
    if voices[0].mask is not None or (maps != IGNORE).any():
        fused |= like.stored(maps, encoding)
    shown: list[set[Names]] = [set() for _ in voices]
    clashes: list[Counter[str]] = [Counter() for _ in others]
    for numbers, count in counts.items():
        says = says_of(voices, numbers)
        for seen, (_, names) in zip(shown, says, strict=True):
            seen.add(names)
        found = place_of(says, targets, encoding)
        for one, clash, gives, against in zip(given, clashes, found.gives, found.against, strict=True):
            one.targets |= gives
            clash.update(dict.fromkeys(against, count))
    for one, clash, other in zip(given, clashes, others, strict=True):
        one.contradicts += [
            Contradiction(row["id"], other["id"], target, "mask", clash[target]) for target in targets if clash[target]
        ]
    return [seen if voice.mask is not None else None for voice, seen in zip(voices, shown, strict=True)]


def _named(shown: Iterable[Names]) -> frozenset[str]:
    return frozenset(name for names in shown for name in names or ())


# ------------------------------------------------------------------------------------- classes, boxes and measures


def _merge_classes(
    known: Sequence[Sequence[int]],
    targets: Sequence[str],
    row: Mapping[str, Any],
    others: Sequence[Mapping[str, Any]],
    given: Sequence[Given],
) -> list[int]:
    """The image as a whole: what is unknown is taken, but for what is a kind or a part of what they differ in."""
    words = {PRESENT: "present", ABSENT: "absent"}
    merged = list(known[0])
    for theirs, other, one in zip(known[1:], others, given, strict=True):
        clash = [n for n, state in enumerate(theirs) if UNKNOWN not in (state, merged[n]) and state != merged[n]]
        one.contradicts += [
            Contradiction(row["id"], other["id"], targets[n], "classes", 1, words[merged[n]], words[theirs[n]])
            for n in clash
        ]
        related = [targets[n] for n in clash]
        for n, (target, state) in enumerate(zip(targets, theirs, strict=True)):
            if merged[n] != UNKNOWN or state == UNKNOWN:
                continue
            if any(target in above(each) or each in above(target) for each in related):
                continue
            merged[n] = state
            one.targets.add(target)
    return merged


def _merge_list(
    kind: str,
    fused: dict[str, Any],
    found: Mapping[str, Any],
    absent: Collection[str],
    kept: str,
    other: str,
    given: Given,
) -> None:
    """Boxes or measures of names that the row has none of; of names that both have, what differs is told."""
    own, theirs = _by_name(fused[kind]), _by_name(found[kind])
    for name, entries in theirs.items():
        if name not in own:
            if kind == "measures" or name not in absent:
                fused[kind] = [*fused[kind], *entries]
                given.targets.add(name)
        elif not _alike(kind, own[name], entries):
            said, said_other = (_told(kind, each) for each in (own[name], entries))
            given.contradicts.append(Contradiction(kept, other, name, kind, len(entries), said, said_other))


def _by_name(entries: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    named: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        named.setdefault(entry["name"], []).append(entry)
    return named


def _numbers(kind: str, entries: Iterable[Mapping[str, Any]]) -> Array:
    values = sorted(tuple(each["box"]) if kind == "boxes" else (each["value"],) for each in entries)
    return np.array(values, dtype=np.float64)


def _alike(kind: str, one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> bool:
    """Whether two rows state the same numbers (to single precision, in which boxes are stored)."""
    first, second = _numbers(kind, one), _numbers(kind, other)
    units = ({each.get("unit") for each in entries} for entries in (one, other))
    return (
        first.shape == second.shape
        and np.allclose(first, second, rtol=1e-6, atol=1e-6)
        and (kind == "boxes" or next(units) == next(units))
    )


def _told(kind: str, entries: Sequence[Mapping[str, Any]]) -> str:
    if kind == "boxes":
        return f"{len(entries)} box" + ("es" if len(entries) > 1 else "")
    return ", ".join(f"{each['value']:g} {each['unit']}" for each in entries)
