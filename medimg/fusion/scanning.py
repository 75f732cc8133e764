"""One pass over all members for duplicates, before the stream begins; what it learns of the pixels is kept on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medimg import __version__, registry
from medimg.fusion.duplicates import Entry, OnDuplicate, Report, declared_overlaps, find_duplicates, scan
from medimg.fusion.labels import Facts
from medimg.fusion.select import split_fused
from medimg.fusion.signatures import VERSION, Signature
from medimg.fusion.sources import Item, Rows
from medimg.loading import open_source


class Cache(MutableMapping[str, str]):
    """Texts by key in one file that processes share; it may be deleted at any time.

    Args:
        path: of the file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._store = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._store.execute("PRAGMA synchronous = OFF")
        self._store.execute(
            "CREATE TABLE IF NOT EXISTS known (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID"
        )

    def __getitem__(self, key: str) -> str:
        found = self._store.execute("SELECT value FROM known WHERE key = ?", (key,)).fetchone()
        if found is None:
            raise KeyError(key)
        value: str = found[0]
        return value

    def __setitem__(self, key: str, value: str) -> None:
        self._store.execute("INSERT OR REPLACE INTO known VALUES (?, ?)", (key, value))

    def __delitem__(self, key: str) -> None:
        self._store.execute("DELETE FROM known WHERE key = ?", (key,))

    def __iter__(self) -> Iterator[str]:
        return (key for (key,) in self._store.execute("SELECT key FROM known"))

    def __len__(self) -> int:
        count: int = self._store.execute("SELECT count(*) FROM known").fetchone()[0]
        return count

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()


def cache_path() -> Path:
    """Where signatures are kept: beside the caches of Hugging Face's libraries."""
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "medimg" / f"signatures-{VERSION}.sqlite"


def find(members: Sequence[Rows], *, on_duplicate: OnDuplicate, near: bool | None) -> Report:
    """Which rows of the members are duplicates or leak into another split.

    All splits of all members are compared, also where only one split was asked for: so the train part of a fused
    set never shows an image or a person of its test part, even if the two are made by two calls.

    Args:
        members: as they are going to be read.
        on_duplicate: see `find_duplicates`.
        near: compare signatures of the pixels, too; None: where the pixels are at hand, so not for the Hub.

    Raises:
        DuplicateError: there are some, and `on_duplicate` is "error".
        MedimgError: a source cannot be read.
    """
    cache = Cache(cache_path())
    try:
        entries: list[Entry] = []
        for member in members:
            every = replace(member, splits=member.every_split, dropped=frozenset())
            entries += _entries(every, cache, near=member.place is not None if near is None else near)
    finally:
        cache.close()
    names = dict.fromkeys(member.name for member in members)
    overlaps = declared_overlaps(registry.get(name).dataset for name in names)
    return find_duplicates(entries, on_duplicate=on_duplicate, overlaps=overlaps)


def _entries(member: Rows, cache: MutableMapping[str, str], *, near: bool) -> Iterator[Entry]:
    if member.place is None:
        items = member.open(0) if near else member.outlines()
        for split, row in items:
            if isinstance(row, dict) and member.wants((split, row)):
                yield from _scanned(member, split, row, cache, near=near)
        return
    builder = registry.get(member.name)
    with open_source(builder, member.place, storage_options=dict(member.storage_options) or None) as files:
        state = files.fingerprint()
    for item in member.open(0):
        if member.wants(item):
            yield from _own(
                member, item, f"{__version__}/{state}/{member.name}/{member.config}", cache, near=near
            )


def _own(
    member: Rows, item: Item, place: str, cache: MutableMapping[str, str], *, near: bool
) -> Iterator[Entry]:
    """The entry of a row of one's own copy; it is decoded only where this has never been done."""
    split, row = item
    assert not isinstance(row, dict)
    about = member.outline(row)
    key = f"{place}/{about['id']}"
    content = cache.get(key)
    if content is None or (near and content not in cache):
        stored = member.decode(item)
        if stored is None:
            return
        cache[key] = stored["content"]
        yield from _scanned(member, split, stored, cache, near=near)
        return
    yield Entry(
        key=about["id"],
        content=content,
        signature=Signature.from_text(cache[content]) if near and cache[content] else None,
        subject=row.subject,
        split=split_fused(split),
        member=member.key,
        assessed=member.harmonizer.assessed(Facts.of(about["label"])),
        license=about["license"],
    )


def _scanned(
    member: Rows, split: str, row: dict[str, Any], cache: MutableMapping[str, str], *, near: bool
) -> Iterator[Entry]:
    return scan(
        [row],
        split=split_fused(split),
        member=member.key,
        targets=lambda one: member.harmonizer.assessed(Facts.of(one["label"])),
        cache=cache,
        near=near and member.dimension != "video",
    )
