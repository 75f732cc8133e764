"""Duplicates and leakage: which rows of a fused set show the same image or the same person, and which of them stay.

Three sources of knowledge, in the order of their cost: overlaps that the declarations state, equal `content`, and
signatures that survive re-saving (`medimg.fusion.signatures`). All decisions are in one `Report`.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from medimg.declaration import Dataset
from medimg.fusion.choices import OnDuplicate
from medimg.fusion.entries import Scanned, preference
from medimg.fusion.errors import FusionError
from medimg.fusion.matching import pairs
from medimg.fusion.report import DeclaredOverlap, Drop, ImageGroup, Reason, Report
from medimg.fusion.signatures import Signature

SPLITS = ("test", "validation", "train")
"""Splits whose rows stay, first to last, where one image or person stands in several."""

Within = Literal["keep", "exact", "near"]


class DuplicateError(FusionError):
    """Duplicates or leakage were found and `on_duplicate="error"` was asked for."""


Prefer = Callable[[Scanned], Any]
"""A sort key: the entry with the lowest one stays."""


def declared_overlaps(datasets: Iterable[Dataset]) -> tuple[DeclaredOverlap, ...]:
    """Overlaps that the declarations of these datasets state among each other, each once, whoever states it."""
    members = {dataset.name: dataset for dataset in datasets}
    seen: dict[frozenset[str], DeclaredOverlap] = {}
    for name, dataset in members.items():
        for overlap in dataset.overlaps:
            if overlap.dataset in members and overlap.dataset != name:
                declared = DeclaredOverlap(name, overlap.dataset, overlap.relation, overlap.evidence)
                seen.setdefault(frozenset((name, overlap.dataset)), declared)
    return tuple(seen.values())


def find_duplicates(
    entries: Iterable[Scanned],
    *,
    on_duplicate: OnDuplicate = "drop",
    within: Within = "exact",
    prefer: Prefer = preference,
    splits: Sequence[str] | None = SPLITS,
    overlaps: Iterable[DeclaredOverlap] = (),
    refusal: Callable[[Scanned, Scanned], str] | None = None,
) -> Report:
    """Which rows of a fused set to leave out, so that no image comes twice and no image or person leaks.

    First the splits are made disjoint. Rows belong together where they show one image (equal content, or signatures
    that agree) or one subject of one dataset, and where they are linked so over further rows: a person who has two
    names in two datasets is known by a shared image. Of rows that belong together, those of the first split stay: an
    evaluation stays what its authors published, and training gives way.

    Then, within each split, entries are taken in the order of `prefer` (and of `entries` where that is equal), and one
    is left out if it shows the same image as one that was taken. So no two rows that stay are of one image, every row
    that goes is directly the same image as one that stays and is preferred to it, and the order of the entries decides
    nothing but ties.

    Args:
        entries: of all members.
        on_duplicate: "drop"; "keep" leaves duplicates within a split alone (splits still become disjoint); "error"
            raises where anything would be left out; "ignore" leaves nothing out.
        within: which duplicates inside one member and split go: none ("keep"), those with equal pixels ("exact"),
            or near ones too ("near"; frames of a video are near duplicates of each other).
        prefer: the entry with the lowest key stays.
        splits: which split keeps its rows, first to last; others come after these, by name. None lets images and
            persons stand in several splits.
        overlaps: what the declarations state (`declared_overlaps`), to be compared with what is found.
        refusal: why the labels of a row cannot be merged into one with equal pixels, empty where they can; None: they
            never can.

    Raises:
        DuplicateError: see `on_duplicate`.
        ValueError: two entries have one key.
    """
    every = list(entries)
    _unique(every)
    links = _Links(every)
    leaks = {} if splits is None or on_duplicate == "ignore" else _leaks(every, links, splits)
    staying = [number for number in range(len(every)) if number not in leaks]
    copies = {} if on_duplicate in ("keep", "ignore") else _copies(every, links, staying, within, prefer)
    dropped = tuple(drop for _, drop in sorted((leaks | copies).items()))
    if dropped and on_duplicate == "error":
        shown = "; ".join(drop.why for drop in dropped[:3])
        raise DuplicateError(
            f"{len(dropped)} of {len(every)} rows are duplicates or leak into another split: {shown}"
            + ("; ..." if len(dropped) > 3 else "."),
            next_step='on_duplicate="drop" leaves them out and reports each.',
        )
    overlaps, warnings = _compare(list(overlaps), every, links)
    return Report(
        rows=len(every),
        hashed=sum(bool(entry.content) for entry in every),
        signed=sum(entry.signature is not None and not entry.signature.blank for entry in every),
        groups=links.groups(),
        dropped=_labels(dropped, every, refusal),
        overlaps=overlaps,
        warnings=warnings,
    )


# who shows the same image


class _Links:
    """Entries by image: `image[i]` is the number of entry i's content; `near[image]` are images like it."""

    def __init__(self, entries: Sequence[Scanned]) -> None:
        self.entries = entries
        numbers: dict[str | int, int] = {}
        self.image = [numbers.setdefault(entry.content or place, len(numbers)) for place, entry in enumerate(entries)]
        self.members: list[list[int]] = [[] for _ in numbers]
        self.near: dict[int, dict[int, float]] = defaultdict(dict)
        signatures: list[Signature | None] = [None] * len(numbers)
        for number, (image, entry) in enumerate(zip(self.image, entries, strict=True)):
            self.members[image].append(number)
            signatures[image] = signatures[image] or entry.signature
        for first, second, score in pairs(signatures):
            self.near[first][second] = self.near[second][first] = score

    def alike(self, image: int) -> Iterator[tuple[int, float | None]]:
        """The image itself, then those near it, the most similar first."""
        yield image, None
        yield from sorted(self.near.get(image, {}).items(), key=lambda item: (-item[1], item[0]))

    def groups(self) -> tuple[ImageGroup, ...]:
        sets = _Sets(len(self.members))
        for image, others in self.near.items():
            for other in others:
                sets.join(image, other)
        found = []
        for images in sets.groups():
            keys = tuple(
                self.entries[number].key for number in sorted(n for image in images for n in self.members[image])
            )
            if len(keys) > 1:
                found.append(ImageGroup("exact" if len(images) == 1 else "near", keys))
        return tuple(sorted(found, key=lambda group: -len(group.keys)))


class _Sets:
    """Disjoint sets of the numbers below `count`."""

    def __init__(self, count: int) -> None:
        self.parent = list(range(count))

    def root(self, number: int) -> int:
        while self.parent[number] != number:
            self.parent[number] = number = self.parent[self.parent[number]]
        return number

    def join(self, one: int, other: int) -> None:
        one, other = self.root(one), self.root(other)
        self.parent[max(one, other)] = min(one, other)

    def groups(self) -> Iterable[list[int]]:
        groups: dict[int, list[int]] = defaultdict(list)
        for number in range(len(self.parent)):
            groups[self.root(number)].append(number)
        return groups.values()


def _unique(entries: Sequence[Scanned]) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry.key in seen:
            raise ValueError(f"two entries have the key {entry.key!r}")
        seen.add(entry.key)


def _person(entry: Scanned) -> Hashable:
    return (entry.dataset, entry.subject) if entry.subject and entry.subject.strip() else None


# what goes


def _leaks(entries: Sequence[Scanned], links: _Links, splits: Sequence[str]) -> dict[int, Drop]:
    rank = {split: number for number, split in enumerate(splits)}
    sets = _Sets(len(entries))
    people: dict[Hashable, int] = {}
    for number, entry in enumerate(entries):
        for image, _ in links.alike(links.image[number]):
            sets.join(number, links.members[image][0])
        if (person := _person(entry)) is not None:
            sets.join(number, people.setdefault(person, number))
    dropped: dict[int, Drop] = {}
    for linked in sets.groups():
        present = {entries[number].split for number in linked}
        if len(present) < 2:
            continue
        first = min(present, key=lambda split: (rank.get(split, len(rank)), split))
        staying = [number for number in linked if entries[number].split == first]
        by_image = {links.image[number]: number for number in reversed(staying)}
        by_person = {_person(entries[number]): number for number in reversed(staying)}
        by_person.pop(None, None)
        for number in linked:
            if entries[number].split != first:
                dropped[number] = _leak(number, entries, links, by_image, by_person, staying[0])
    return dropped


def _leak(
    number: int,
    entries: Sequence[Scanned],
    links: _Links,
    by_image: Mapping[int, int],
    by_person: Mapping[Hashable, int],
    otherwise: int,
) -> Drop:
    entry = entries[number]
    for image, score in links.alike(links.image[number]):
        if image in by_image:
            other = entries[by_image[image]]
            return _drop(entry, other, "leak: image", score, f"the same image stands in {other.split} as {other.key}")
    if (person := _person(entry)) in by_person:
        other = entries[by_person[person]]
        told = f"its subject {entry.subject} stands in {other.split} with {other.key}"
        return _drop(entry, other, "leak: subject", None, told)
    other = entries[otherwise]
    told = f"shared images and subjects of further rows link it to {other.key} in {other.split}"
    return _drop(entry, other, "leak: linked", None, told)


def _copies(
    entries: Sequence[Scanned], links: _Links, staying: Iterable[int], within: Within, prefer: Prefer
) -> dict[int, Drop]:
    dropped: dict[int, Drop] = {}
    # (split, image) -> member -> its first row that stays
    taken: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    for number in sorted(staying, key=lambda number: (prefer(entries[number]), number)):
        entry, image = entries[number], links.image[number]
        for like, score in links.alike(image):
            own = within == "near" or (within == "exact" and score is None)
            others = [n for member, n in taken[entry.split, like].items() if own or member != entry.source]
            if others:
                other = entries[others[0]]
                how: Reason = "exact duplicate" if score is None else "near duplicate"
                told = "the same pixels as" if score is None else f"the same image (correlation {score:.3f}) as"
                dropped[number] = _drop(entry, other, how, score, f"{told} {other.key}, which stays")
                break
        else:
            taken[entry.split, image].setdefault(entry.source, number)
    return dropped


def _drop(entry: Scanned, other: Scanned, reason: Reason, score: float | None, why: str) -> Drop:
    return Drop(
        key=entry.key,
        member=entry.source,
        split=entry.split,
        reason=reason,
        of=other.key,
        of_member=other.source,
        of_split=other.split,
        similarity=None if score is None else round(score, 4),
        why=f"{entry.key} ({entry.split}): {why}",
    )


def _labels(
    dropped: Sequence[Drop], entries: Sequence[Scanned], refusal: Callable[[Scanned, Scanned], str] | None
) -> tuple[Drop, ...]:
    """The same with what becomes of each row's labels."""
    if not dropped:
        return ()
    known = {entry.key: entry for entry in entries}
    instead = {drop.key: drop.of for drop in dropped}
    told = []
    for drop in dropped:
        of = drop.of
        while of in instead:  # a leak names a row of the other split, which may be a copy itself
            of = instead[of]
        entry, kept = known[drop.key], known[of]
        alike = drop.reason in ("exact duplicate", "near duplicate", "leak: image")
        labels = tuple(name for name in entry.assessed if not alike or name not in kept.assessed)
        into, apart = "", ""
        if alike and entry.content and entry.content == kept.content and entry.assessed:
            apart = "" if refusal is None else refusal(kept, entry)
            into = kept.key if refusal is not None and not apart else ""
        elif labels and drop.reason == "near duplicate":
            apart = "near duplicates differ in pixels or grid"
        told.append(dataclasses.replace(drop, labels=labels, into=into, apart=apart))
    return tuple(told)


def _compare(
    declared: Sequence[DeclaredOverlap], entries: Sequence[Scanned], links: _Links
) -> tuple[tuple[DeclaredOverlap, ...], tuple[str, ...]]:
    """DeclaredOverlap overlaps with the number of images found in both, and what does not fit."""
    datasets = [{entries[number].dataset for number in numbers} for numbers in links.members]
    common: dict[frozenset[str], set[int]] = defaultdict(set)
    for image, own in enumerate(datasets):
        reached = own.union(*(datasets[other] for other in links.near.get(image, ())))
        for one in own:
            for other in reached - {one}:
                common[frozenset((one, other))].add(min(image, *links.near.get(image, ()), image))
    hashed = {entry.dataset for entry in entries if entry.content}
    signed = {entry.dataset for entry in entries if entry.signature is not None}
    found, warnings = [], []
    for each in declared:
        pair = frozenset((each.dataset, each.other))
        number = len(common.pop(pair, ()))
        blind, exact = sorted(pair - hashed), sorted(pair - signed)
        if blind and not number:
            why = f"declared, not compared: there are no pixels of {' and '.join(blind)} to compare"
            found.append(dataclasses.replace(each, limits=why))
            continue
        limits = ""
        if exact:
            limits = (
                f"by equal pixels only, as there are no signatures of {' and '.join(exact)}: copies with another "
                "encoding, dtype or grid are declared, not compared"
            )
        found.append(dataclasses.replace(each, found=number, limits=limits))
        if number == 0:
            warnings.append(
                f"{each.dataset} declares an overlap with {each.other} ({each.relation}), but no image of these rows "
                "was found in both: other splits, cropped or otherwise changed copies"
                + (" (near=True compares copies in another encoding)" if exact else "")
            )
    for pair, images in sorted(common.items(), key=lambda item: sorted(item[0])):
        one, other = sorted(pair)
        warnings.append(f"{one} and {other} share {len(images)} images, which neither declares")
    return tuple(found), tuple(warnings)
