"""Duplicates and leakage: which rows of a fused set show the same image or the same person, and which of them stay.

Three sources of knowledge, in the order of their cost: overlaps that the declarations state, equal `content`, and
signatures that survive re-saving (`medimg.fusion.signatures`). All decisions are in one `Report`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, NamedTuple

from medimg import licenses
from medimg.declaration import Dataset
from medimg.errors import FormatError
from medimg.fusion.choices import OnDuplicate
from medimg.fusion.errors import FusionError
from medimg.fusion.signatures import THRESHOLD, Matcher, Signature, signature, similarity
from medimg.report import LoadReport

__all__ = [
    "Declared",
    "Drop",
    "DuplicateError",
    "Entry",
    "Group",
    "Matcher",
    "Report",
    "Signature",
    "declared_overlaps",
    "disjoint",
    "find_duplicates",
    "scan",
    "signature",
    "similarity",
]

SPLITS = ("test", "validation", "train")
"""Splits whose rows stay, first to last, where one image or person stands in several."""
Within = Literal["keep", "exact", "near"]
Reason = Literal["exact duplicate", "near duplicate", "leak: image", "leak: subject", "leak: linked"]


class DuplicateError(FusionError):
    """Duplicates or leakage were found and `on_duplicate="error"` was asked for."""


class Entry(NamedTuple):
    """What must be known of a row to find its duplicates.

    Attributes:
        key: the row's id, `<dataset>/<case>`.
        content: the row's hash of the decoded pixels; empty where nobody has looked, and then it equals no other's.
        signature: None where only `content` is to be compared.
        subject: patient id, which is only meaningful within the row's dataset. A blank one is nobody's.
        split: the split of the fused set that the row would stand in.
        member: the fused set's name for where the row comes from; empty takes the dataset.
        assessed: which of the asked-for targets the row was assessed for.
        license: the row's license id.
        place: the source's split, and the row's number among the published rows of it.
        name: of the dataset; empty takes what stands before the key's first slash.
    """

    key: str
    content: str
    signature: Signature | None = None
    subject: str | None = None
    split: str = "train"
    member: str = ""
    assessed: tuple[str, ...] = ()
    license: str = ""
    place: tuple[str, int] = ("", 0)
    name: str = ""

    @property
    def dataset(self) -> str:
        """The dataset that the row belongs to."""
        return self.name or self.key.partition("/")[0]

    @property
    def source(self) -> str:
        """The member's name."""
        return self.member or self.dataset


Prefer = Callable[[Entry], Any]
"""A sort key: the entry with the lowest one stays."""


@dataclass(frozen=True, slots=True)
class Drop:
    """One row that is left out.

    Attributes:
        key, member, split: of the row.
        reason: one of `Reason`.
        of: the row that stays instead (for a leak, a row of the split that it leaks into).
        of_member, of_split: where that row stands.
        similarity: of the two signatures, where that decided.
        why: the same in a sentence.
        labels: targets that it was assessed for, and the row that stays for it was not.
        into: the row that stays and gets its labels; empty where none does, and then `labels` are lost.
        apart: why labels of equal pixels were not merged.
    """

    key: str
    member: str
    split: str
    reason: Reason
    of: str
    of_member: str
    of_split: str
    similarity: float | None
    why: str
    labels: tuple[str, ...] = ()
    into: str = ""
    apart: str = ""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two rows of one image that say different things of one target; what `kept` says stands.

    Attributes:
        kept, other: ids of the rows.
        target: what they differ in.
        what: "mask", "classes", "boxes" or "measures".
        count: pixels (mask), or statements.
        said, said_other: what each says; empty for masks.
    """

    kept: str
    other: str
    target: str
    what: str
    count: int
    said: str = ""
    said_other: str = ""


class Told:
    """What is learned while the rows are read, in the process that reads them; a copy in another one starts empty.

    Attributes:
        contradictions: by (kept, other, target, what), each once however often the rows are read.
        unmerged: row that was left out -> why its labels could not be had.
        left_out: member -> what of it is no row.
        looked, duplicates: member -> rows that were looked at in this pass, and those of them that are duplicates.
    """

    def __init__(self) -> None:
        self.contradictions: dict[tuple[str, str, str, str], Contradiction] = {}
        self.unmerged: dict[str, str] = {}
        self.left_out: dict[str, LoadReport] = {}
        self.looked: Counter[str] = Counter()
        self.duplicates: Counter[str] = Counter()

    def __reduce__(self) -> tuple[Any, ...]:
        return Told, ()

    def __deepcopy__(self, memo: Any) -> Told:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Told) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def contradict(self, found: Iterable[Contradiction]) -> None:
        """Take note."""
        for each in found:
            self.contradictions[each.kept, each.other, each.target, each.what] = each


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that could not be read for the comparison, so that it was not compared, and the reason.

    `key` is its id; the file's path where the builder itself made no row of it.
    """

    key: str
    member: str
    split: str
    reason: str


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one image. `kind` is "exact" where all have one content, else "near" (linked, maybe over a third row)."""

    kind: Literal["exact", "near"]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declared:
    """An overlap that a declaration states between two datasets of the set.

    Attributes:
        dataset, other, relation, evidence: as declared.
        found: images that both hold; None where they were not compared.
        limits: what was not compared; empty where both were compared by equal pixels and by signatures.
    """

    dataset: str
    other: str
    relation: str
    evidence: str
    found: int | None = None
    limits: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was compared, what was found, what is left out and why, and what became of its labels.

    Attributes:
        rows: number of entries; `hashed` and `signed`: of those, how many had a hash of their pixels, and a signature,
            that could be compared. The others were compared by subject alone.
        groups: rows of one image, the largest groups first.
        dropped: rows to leave out, in the order of the entries.
        overlaps: what the declarations state, with what was found.
        warnings: what a person should look at.
        not_compared: member -> what of it was not compared, and why.
        unread: rows that could not be read for the comparison.
        told: what is learned while the rows are read.
    """

    rows: int
    signed: int
    groups: tuple[Group, ...] = ()
    dropped: tuple[Drop, ...] = ()
    overlaps: tuple[Declared, ...] = ()
    warnings: tuple[str, ...] = ()
    hashed: int = 0
    not_compared: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[Unread, ...] = ()
    told: Told = field(default_factory=Told)

    @property
    def keys(self) -> frozenset[str]:
        """Ids of the rows to leave out."""
        return frozenset(drop.key for drop in self.dropped)

    @property
    def counts(self) -> dict[tuple[str, str, Reason], int]:
        """(member, member that stays, reason) -> rows left out."""
        counts: dict[tuple[str, str, Reason], int] = defaultdict(int)
        for drop in self.dropped:
            counts[drop.member, drop.of_member, drop.reason] += 1
        return dict(sorted(counts.items()))

    @property
    def lost(self) -> dict[str, int]:
        """Target -> rows that were left out and whose statement on it no row that stays has."""
        return dict(
            sorted(Counter(name for drop in self.dropped if not drop.into for name in drop.labels).items())
        )

    @property
    def merged(self) -> dict[str, int]:
        """Target -> rows that stay and get a statement on it from a row that was left out."""
        gained = {(drop.into, name) for drop in self.dropped if drop.into for name in drop.labels}
        return dict(sorted(Counter(name for _, name in gained).items()))

    @property
    def contradictions(self) -> tuple[Contradiction, ...]:
        """Statements of merged rows that differ; known once the rows have been read."""
        return tuple(self.told.contradictions.values())

    @property
    def left_out(self) -> Mapping[str, LoadReport]:
        """Member -> `medimg.report.LoadReport` of what is no row; filled while the rows are read."""
        return self.told.left_out

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dictionaries, strings and numbers."""

        def plain(values: Iterable[Any]) -> list[dict[str, Any]]:
            return [dataclasses.asdict(value) for value in values]

        return {
            "rows": self.rows,
            "hashed": self.hashed,
            "signed": self.signed,
            "groups": plain(self.groups),
            "dropped": plain(self.dropped),
            "labels_merged": self.merged,
            "labels_lost": self.lost,
            "contradictions": plain(self.contradictions),
            "overlaps": plain(self.overlaps),
            "warnings": list(self.warnings),
            "not_compared": dict(self.not_compared),
            "unread": plain(self.unread),
            "unmerged": dict(self.told.unmerged),
            "left_out": {member: report.to_json() for member, report in self.left_out.items()},
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield (
            f"{self.rows} rows compared ({self.hashed} by equal pixels, {self.signed} by signature), "
            f"{len(self.dropped)} left out"
        )
        for (member, other, reason), number in self.counts.items():
            yield f"  {number} of {member}: {reason} ({other} stays)"
        for name, numbers in (("merged", self.merged), ("lost", self.lost)):
            if numbers:
                yield f"  labels {name}: " + ", ".join(
                    f"{target} {number} row{'s'[: number > 1]}" for target, number in numbers.items()
                )
        apart = Counter(drop.apart for drop in self.dropped if drop.apart)
        yield from (f"  not merged: {why} ({number})" for why, number in apart.items())
        yield from (f"  not merged: {key}: {why}" for key, why in self._some(self.told.unmerged.items()))
        for each in self._some(self.contradictions):
            how = f"{each.count} pixels" if each.what == "mask" else f"{each.said} against {each.said_other}"
            yield f"  contradiction: {each.kept} and {each.other} on {each.target} ({each.what}: {how})"
        for each in self.overlaps:
            found = "" if each.found is None else f" ({each.found} images found in both)"
            yield f"  declared: {each.dataset} / {each.other}: {each.relation}{found}" + (
                f"; {each.limits}" if each.limits else ""
            )
        yield from (f"  not compared: {member}: {why}" for member, why in self.not_compared.items())
        yield from (f"  not read: {row.key}: {row.reason}" for row in self._some(self.unread))
        for report in self.left_out.values():
            yield from (f"  {line}" for line in str(report).splitlines() if report)
        yield from (f"  warning: {warning}" for warning in self.warnings)

    @staticmethod
    def _some(items: Iterable[Any], most: int = 20) -> Iterator[Any]:
        """The first few; `to_json` has all."""
        return islice(items, most)


def preference(entry: Entry) -> tuple[int, ...]:
    """The default for who stays: more assessed targets, then the more permissive license."""
    license = licenses.get(entry.license or licenses.UNKNOWN)
    terms = (
        license.commercial is not True,
        license.adapt is not True,
        license.share_alike,
        license.attribution,
    )
    return (-len(entry.assessed), license.publish.rank, *map(int, terms))


def scan(
    rows: Iterable[Mapping[str, Any]],
    *,
    split: str,
    member: str = "",
    targets: Callable[[Mapping[str, Any]], Sequence[str]] | None = None,
    cache: MutableMapping[str, str] | None = None,
    near: bool = True,
) -> Iterator[Entry]:
    """Entries of one member's rows.

    Args:
        rows: in the one schema; `image` as {"bytes", "path"} (cheapest) or as the stock features decode it.
        split: the split of the fused set that they would stand in.
        member: its name in the fused set.
        targets: which of the asked-for targets a row was assessed for; None takes all of `label.assessed`.
        cache: content -> text of the signature, read and filled: equal pixels have one signature.
        near: whether to make signatures at all. Without them `image` is not touched, so that rows of the config
            `metadata` suffice.

    Raises:
        FormatError: a row's pixels cannot be decoded; names the row.
    """
    for row in rows:
        assessed = targets(row) if targets else (row["label"] or {}).get("assessed") or ()
        yield Entry(
            key=row["id"],
            content=row["content"],
            signature=_signature(row, {} if cache is None else cache) if near else None,
            subject=row["subject"],
            split=split,
            member=member,
            assessed=tuple(assessed),
            license=row["license"] or "",
        )


def _signature(row: Mapping[str, Any], cache: MutableMapping[str, str]) -> Signature | None:
    content = row["content"]
    known = cache.get(content)
    if known is not None:
        try:
            return Signature.from_text(known) if known else None
        except ValueError:
            pass  # of an earlier version: made anew below
    try:
        made = signature(row["image"])
    except FormatError as error:
        raise error.within(file=row["id"]) from error
    cache[content] = made.to_text() if made else ""
    return made


def declared_overlaps(datasets: Iterable[Dataset]) -> tuple[Declared, ...]:
    """Overlaps that the declarations of these datasets state among each other, each once, whoever states it."""
    members = {dataset.name: dataset for dataset in datasets}
    seen: dict[frozenset[str], Declared] = {}
    for name, dataset in members.items():
        for overlap in dataset.overlaps:
            if overlap.dataset in members and overlap.dataset != name:
                declared = Declared(name, overlap.dataset, overlap.relation, overlap.evidence)
                seen.setdefault(frozenset((name, overlap.dataset)), declared)
    return tuple(seen.values())


def find_duplicates(
    entries: Iterable[Entry],
    *,
    on_duplicate: OnDuplicate = "drop",
    within: Within = "exact",
    prefer: Prefer = preference,
    splits: Sequence[str] | None = SPLITS,
    overlaps: Iterable[Declared] = (),
    thresholds: Mapping[int, tuple[float, float]] = THRESHOLD,
    refusal: Callable[[Entry, Entry], str] | None = None,
) -> Report:
    """Which rows of a fused set to leave out, so that no image comes twice and no image or person leaks.

    First the splits are made disjoint (`disjoint`). Then, within each split, entries are taken in the order of
    `prefer` (and of `entries` where that is equal), and one is left out if it shows the same image as one that was
    taken. So no two rows that stay are of one image, every row that goes is directly the same image as one that
    stays and is preferred to it, and the order of the entries decides nothing but ties.

    Args:
        entries: of all members.
        on_duplicate: "drop"; "keep" leaves duplicates within a split alone (splits still become disjoint); "error"
            raises where anything would be left out; "ignore" leaves nothing out.
        within: which duplicates inside one member and split go: none ("keep"), those with equal pixels ("exact"),
            or near ones too ("near"; frames of a video are near duplicates of each other).
        prefer: the entry with the lowest key stays.
        splits: which split keeps its rows, first to last; other splits come after these. None lets images and
            persons stand in several splits.
        overlaps: what the declarations state (`declared_overlaps`), to be compared with what is found.
        thresholds: see `Matcher`.
        refusal: why the labels of a row cannot be merged into one with equal pixels, empty where they can; None: they
            never can.

    Raises:
        DuplicateError: see `on_duplicate`.
        ValueError: two entries have one key.
    """
    every = list(entries)
    _unique(every)
    links = _Links(every, thresholds)
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


def disjoint(
    entries: Iterable[Entry],
    *,
    splits: Sequence[str] = SPLITS,
    thresholds: Mapping[int, tuple[float, float]] = THRESHOLD,
) -> tuple[Drop, ...]:
    """Which rows to leave out so that no image and no person stands in two splits.

    Rows belong together where they show one image (equal content, or signatures that agree) or one subject of one
    dataset, and where they are linked so over further rows: a person who has two names in two datasets is known by
    a shared image. Of rows that belong together, those of the first split in `splits` stay. By default that is
    test, then validation, then train, then others by name: an evaluation stays what its authors published, and
    training gives way.

    Raises:
        ValueError: two entries have one key.
    """
    every = list(entries)
    _unique(every)
    return tuple(drop for _, drop in sorted(_leaks(every, _Links(every, thresholds), splits).items()))


# who shows the same image


class _Links:
    """Entries by image: `image[i]` is the number of entry i's content; `near[image]` are images like it."""

    def __init__(self, entries: Sequence[Entry], thresholds: Mapping[int, tuple[float, float]]) -> None:
        self.entries = entries
        numbers: dict[str | int, int] = {}
        self.image = [
            numbers.setdefault(entry.content or place, len(numbers)) for place, entry in enumerate(entries)
        ]
        self.members: list[list[int]] = [[] for _ in numbers]
        self.near: dict[int, dict[int, float]] = defaultdict(dict)
        matcher = Matcher(thresholds)
        signed: set[int] = set()
        for number, (image, entry) in enumerate(zip(self.image, entries, strict=True)):
            self.members[image].append(number)
            if entry.signature is not None and image not in signed:
                signed.add(image)
                matcher.add(image, entry.signature)
        for first, second, score in matcher.pairs():
            assert isinstance(first, int) and isinstance(second, int)
            self.near[first][second] = self.near[second][first] = score

    def alike(self, image: int) -> Iterator[tuple[int, float | None]]:
        """The image itself, then those near it, the most similar first."""
        yield image, None
        yield from sorted(self.near.get(image, {}).items(), key=lambda item: (-item[1], item[0]))

    def groups(self) -> tuple[Group, ...]:
        sets = _Sets(len(self.members))
        for image, others in self.near.items():
            for other in others:
                sets.join(image, other)
        found = []
        for images in sets.groups():
            keys = tuple(
                self.entries[number].key
                for number in sorted(n for image in images for n in self.members[image])
            )
            if len(keys) > 1:
                found.append(Group("exact" if len(images) == 1 else "near", keys))
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


def _unique(entries: Sequence[Entry]) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry.key in seen:
            raise ValueError(f"two entries have the key {entry.key!r}")
        seen.add(entry.key)


def _person(entry: Entry) -> Hashable:
    return (entry.dataset, entry.subject) if entry.subject and entry.subject.strip() else None


# what goes


def _leaks(entries: Sequence[Entry], links: _Links, splits: Sequence[str]) -> dict[int, Drop]:
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
    entries: Sequence[Entry],
    links: _Links,
    by_image: Mapping[int, int],
    by_person: Mapping[Hashable, int],
    otherwise: int,
) -> Drop:
    entry = entries[number]
    for image, score in links.alike(links.image[number]):
        if image in by_image:
            other = entries[by_image[image]]
            return _drop(
                entry, other, "leak: image", score, f"the same image stands in {other.split} as {other.key}"
            )
    if (person := _person(entry)) in by_person:
        other = entries[by_person[person]]
        return _drop(
            entry,
            other,
            "leak: subject",
            None,
            f"its subject {entry.subject} stands in {other.split} with {other.key}",
        )
    other = entries[otherwise]
    return _drop(
        entry,
        other,
        "leak: linked",
        None,
        f"shared images and subjects of further rows link it to {other.key} in {other.split}",
    )


def _copies(
    entries: Sequence[Entry], links: _Links, staying: Iterable[int], within: Within, prefer: Prefer
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
                told = (
                    "the same pixels as" if score is None else f"the same image (correlation {score:.3f}) as"
                )
                dropped[number] = _drop(entry, other, how, score, f"{told} {other.key}, which stays")
                break
        else:
            taken[entry.split, image].setdefault(entry.source, number)
    return dropped


def _drop(entry: Entry, other: Entry, reason: Reason, score: float | None, why: str) -> Drop:
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
    dropped: Sequence[Drop], entries: Sequence[Entry], refusal: Callable[[Entry, Entry], str] | None
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
    declared: Sequence[Declared], entries: Sequence[Entry], links: _Links
) -> tuple[tuple[Declared, ...], tuple[str, ...]]:
    """Declared overlaps with the number of images found in both, and what does not fit."""
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
