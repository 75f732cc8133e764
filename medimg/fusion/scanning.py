"""One pass over all members for duplicates, before the stream begins; what it learns of the pixels is kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medimg import __version__, kept, licenses, registry
from medimg.errors import SOURCE_FAULTS, FormatError, MedimgError
from medimg.files import File
from medimg.fusion.choices import OnDuplicate, split_fused
from medimg.fusion.donors import Donor, Donors, refusal
from medimg.fusion.duplicates import declared_overlaps, find_duplicates
from medimg.fusion.entries import Scanned, preference
from medimg.fusion.facts import Facts
from medimg.fusion.locating import Look, look
from medimg.fusion.report import Report, Unread
from medimg.fusion.signatures import VERSION, Signature, signature
from medimg.fusion.sources import Item, Rows
from medimg.schema import Row

DELAY = 2
"""Seconds after which a comparison shows its progress."""


class Cache:
    """Texts by key in one file that processes share; it may be deleted at any time.

    Args:
        path: of the file; its folder is made. Where it cannot be written, or is damaged, what is learned is forgotten.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._store = self._opened(path)
        except (OSError, sqlite3.Error):
            self._store = self._opened(":memory:")
        self.close = self._store.close

    @staticmethod
    def _opened(path: Path | str) -> sqlite3.Connection:
        store = sqlite3.connect(path, timeout=60, isolation_level=None)
        store.execute("PRAGMA synchronous = OFF")
        store.execute("CREATE TABLE IF NOT EXISTS known (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
        store.execute("INSERT OR REPLACE INTO known VALUES ('', '')")  # fails here where nothing can be written
        return store

    def get(self, key: str) -> str | None:
        """The text; None where there is none."""
        found = self._store.execute("SELECT value FROM known WHERE key = ?", (key,)).fetchone()
        return None if found is None else str(found[0])

    def __setitem__(self, key: str, value: str) -> None:
        self._store.execute("INSERT OR REPLACE INTO known VALUES (?, ?)", (key, value))


def cache_path() -> Path:
    """Where signatures are kept."""
    return kept.folder() / f"signatures-{VERSION}.sqlite"


def find(
    members: Sequence[Rows],
    *,
    on_duplicate: OnDuplicate,
    near: bool | None,
    ranks: Mapping[str, int],
) -> tuple[Report, Donors]:
    """Which rows of the members are duplicates or leak into another split, and whose labels go into which row.

    All splits of all members are compared, also where only one split was asked for: so the train part of a fused
    set never shows an image or a person of its test part, even if the two are made by two calls. How much of a
    member is looked at, `look` decides. A row that cannot be read is not compared, and the report says so; whether it
    ends the stream is decided when it is read there.

    Args:
        members: as they are going to be read.
        on_duplicate: see `find_duplicates`; "ignore" compares nothing.
        near: compare signatures of the pixels, too; None: where the originals are on this computer.
        ranks: member -> place in the order of those whose rows stay; the others come after them.

    Raises:
        DuplicateError: there are some, and `on_duplicate` is "error".
        MedimgError: a source cannot be read.
    """
    entries: list[Scanned] = []
    unread: list[Unread] = []
    not_compared: dict[str, str] = {}
    looks = {member.key: _look(member, members, on_duplicate, near) for member in members}
    with contextlib.closing(Cache(cache_path())) as cache:
        for member in members:
            if (how := looks[member.key]) == "nothing":
                not_compared[member.key] = _why_not(member, members, on_duplicate)
                continue
            if how == "subjects":
                not_compared[member.key] = (
                    'images: near=False and on_duplicate="keep" read no pixels before the first row; '
                    "subjects were compared"
                )
            entries += _entries(member.alone(), how, cache, unread)
    names = dict.fromkeys(each.member.name for each in members)
    by_key = {member.key: member for member in members}

    def prefer(entry: Scanned) -> tuple[int, ...]:
        return (ranks.get(entry.source, len(ranks)), *preference(entry))

    def apart(kept: Scanned, other: Scanned) -> str:
        if "video" in (by_key[kept.source].member.dimension, by_key[other.source].member.dimension):
            return "labels of videos are not merged"
        return refusal(kept.license or licenses.UNKNOWN, other.license or licenses.UNKNOWN)

    report = find_duplicates(
        entries,
        on_duplicate=on_duplicate,
        prefer=prefer,
        overlaps=declared_overlaps(registry.get(name).dataset for name in names),
        refusal=apart,
    )
    report = replace(report, not_compared=not_compared, unread=tuple(unread))
    return report, _donors(report, entries, by_key, prefer)


def _look(member: Rows, members: Sequence[Rows], on_duplicate: OnDuplicate, near: bool | None) -> Look:
    if len(members) == 1 and len(member.every_split) == 1:
        return "nothing"
    how = look(member.place, on_duplicate, near)
    splits = {split_fused(split) for each in members for split in each.every_split}
    alone = on_duplicate == "keep" and len(splits) == 1 and not near
    return "nothing" if alone and member.place is not None else how


def _why_not(member: Rows, members: Sequence[Rows], on_duplicate: OnDuplicate) -> str:
    if on_duplicate == "ignore":
        return 'on_duplicate="ignore": images and persons may come twice, also in two splits'
    if look(member.place, on_duplicate, None) == "nothing":
        return (
            "it is not on this computer, and comparing would download all of it (near=True does): its images and "
            "persons may come twice, also in two splits"
        )
    one = "one split" if len(members) > 1 else "one member with one split"
    return f"there is {one}, in which duplicates are {'kept' if len(members) > 1 else 'left alone'}"


def _donors(
    report: Report, entries: Sequence[Scanned], members: Mapping[str, Rows], prefer: Callable[[Scanned], Any]
) -> Donors:
    """Whose labels go into which row, the preferred ones first."""
    merged = {drop.key: drop.into for drop in report.dropped if drop.into}
    given = [(prefer(entry), number) for number, entry in enumerate(entries) if entry.key in merged]
    of: dict[str, list[Donor]] = {}
    for _, number in sorted(given):
        entry = entries[number]
        of.setdefault(merged[entry.key], []).append(Donor(entry.source, entry.place[0], entry.key, entry.place[1]))
    needed = {donor.member for donors in of.values() for donor in donors}
    return Donors({key: member.alone() for key, member in members.items() if key in needed}, of)


# the rows of one member


def _entries(rows: Rows, how: Look, cache: Cache, unread: list[Unread]) -> Iterator[Scanned]:
    """What is known of each row that is wanted; `unread` gets those that could not be read."""
    near = how == "pixels" and rows.member.dimension != "video"
    items = rows.open(0) if rows.place is not None or near else rows.outlines()
    count: Counter[str] = Counter()
    seen: set[str] = set()
    for item in _shown(items, rows):
        split, row = item
        place = (split, count[split])
        count[split] += 1
        try:
            if not rows.wants(item):
                continue
            if (id_ := rows.id(item)) in seen:
                unread.append(Unread(id_, rows.key, split, "two rows have this id"))
                continue
            seen.add(id_)
            if isinstance(row, dict):
                known, signed = row, signature_of(row, cache) if near else None
            elif how == "subjects":
                known, signed = rows.outline(row), None
            else:
                known, signed = _own(rows, row, cache, near=near)
        except (MedimgError, *SOURCE_FAULTS) as error:
            unread.append(Unread(rows.id(item), rows.key, split, str(error)))
            if not isinstance(row, dict):
                continue
            known, signed = row, None
        yield Scanned(
            key=known["id"],
            content=known["content"],
            signature=signed,
            subject=known["subject"],
            split=split_fused(split),
            member=rows.key,
            assessed=_assessed(rows, known),
            license=known["license"] or "",
            place=place,
            name=rows.member.name,
        )
    for text, reason in rows.report.skipped.items():
        if text.startswith("quarantined: "):
            more = reason.count - len(reason.examples)
            told = text.removeprefix("quarantined: ") + (f" (and {more} more)" if more else "")
            unread += [Unread(path, rows.key, "", told) for path in reason.examples]


def _shown(items: Iterator[Item], rows: Rows) -> Iterable[Item]:
    """The items, with progress on a terminal where it takes long."""
    from datasets.utils import tqdm

    shown: Iterable[Item] = tqdm(
        items,
        total=rows.rows,
        desc=f"comparing images of {rows.key}",
        unit=" rows",
        delay=DELAY,
        leave=False,
        disable=not sys.stderr.isatty(),
    )
    return shown


def _own(rows: Rows, row: Row, cache: Cache, *, near: bool) -> tuple[dict[str, Any], Signature | None]:
    """What is known of a row of one's own copy, and its signature where `near`.

    It is decoded only where this has never been done with these files.
    """
    key = _key(rows, row)
    content = cache.get(key) if key else None
    text = cache.get(content) if near and content is not None else None
    if content is not None and (not near or text is not None):
        return {**rows.outline(row), "content": content}, Signature.from_text(text) if text else None
    stored = rows.read(row)
    signed = signature_of(stored, cache) if near else None
    if key:
        cache[key] = stored["content"]
    return stored, signed


def signature_of(row: Mapping[str, Any], cache: Cache) -> Signature:
    """The signature of a stored row; `cache` (content -> its text) is read and filled: equal pixels have one.

    Raises:
        FormatError: the pixels cannot be decoded; names the row.
    """
    content = row["content"]
    known = cache.get(content)
    if known is not None:
        try:
            return Signature.from_text(known)
        except ValueError:
            pass  # of an earlier version: made anew below
    try:
        made = signature(row["image"])
    except FormatError as error:
        raise error.within(file=row["id"]) from error
    cache[content] = made.to_text()
    return made


def _key(rows: Rows, row: Row) -> str | None:
    """Says which pixels a row has, by the versions of its files; None where a file has no version."""
    label = row.label
    parts = [part for part in (row.image, label.mask, label.target) if part is not None]
    files = {file.path: file for part in parts for file in ([part] if isinstance(part, File) else part.files())}
    versions = [f"{path}\0{file.size}\0{file.version}" for path, file in sorted(files.items())]
    if not all(file.version for file in files.values()):
        return None
    digest = hashlib.sha256("\n".join(versions).encode()).hexdigest()
    return f"{__version__}/{rows.member.name}/{row.config}/{row.id}/{digest}"


def _assessed(rows: Rows, row: Mapping[str, Any]) -> tuple[str, ...]:
    """The targets that a row says something of; without targets all that it was assessed for. And its measures."""
    label, harmonizer = row["label"], rows.harmonizer
    found = harmonizer.assessed(Facts.of(label)) if harmonizer.targets else tuple(label["assessed"] or ())
    measures = (each["name"] for each in label["measures"] or ())
    return (*found, *dict.fromkeys(name for name in measures if name in (harmonizer.measures or (name,))))
