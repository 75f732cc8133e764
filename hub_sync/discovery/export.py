"""`medimg export`: datasets and their rows in the files of other tools."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from medimg import catalogue, collections, loading, registry
from medimg.catalogue import Entry, mdfp
from medimg.errors import UnknownDatasetError
from medimg.layout import METADATA

META = "data-meta.jsonl"


def mdfp_files(
    names: Sequence[str],
    folder: Path,
    *,
    rows: bool = True,
    source: str | None = None,
    namespace: str = "medimg",
) -> dict[str, int]:
    """Write MDFP's files; returns file -> lines.

    Args:
        names: datasets, by id or any name of their builder; empty is the whole catalogue, without rows.
        folder: made where it is not there.
        rows: also one line for each labeled row and task. One row is held at a time.
        source: root with one folder or archive for each dataset, a single dataset's own, "official" or
            "miniature"; None reads what is published.
        namespace: organization on the Hub, where there is no source.

    Raises:
        UnknownDatasetError: a name is unknown, or is of a dataset without a builder whose rows were asked for.
    """
    entries = [find(name) for name in names] or list(catalogue.entries())
    wanted = entries if rows and names else []
    for entry in wanted:
        if entry.loadable == "not yet":
            raise UnknownDatasetError(
                f"nobody has written a builder of {entry.name!r}, so it has no rows",
                next_step="--no-rows exports what the catalogue says of it.",
            )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / META).write_text(data_meta(entries), "utf-8")
    counts = Counter({META: len(entries)})
    with contextlib.ExitStack() as stack:
        files: dict[str, TextIO] = {}
        for entry in wanted:
            for task, line in _annotations(entry, source, len(wanted) == 1, namespace):
                name = f"annotations-{task.replace(' ', '-').lower()}.jsonl"
                if name not in files:
                    files[name] = stack.enter_context((folder / name).open("w", encoding="utf-8"))
                files[name].write(_line(line))
                counts[name] += 1
    return dict(counts)


def data_meta(entries: Iterable[Entry]) -> str:
    """MDFP's `data-meta.jsonl` of these datasets."""
    declared = {each.name: each for each in registry.entries()}
    return "".join(_line(mdfp.dataset(entry, declared.get(entry.id))) for entry in entries)


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def find(name: str) -> Entry:
    """The entry of an id, or of any name that its builder has.

    Raises:
        UnknownDatasetError: there is none; says which are close.
    """
    for each in catalogue.entries():
        if each.id == name:
            return each
    if collections.split(name):
        return catalogue.get(name.split("?")[0])
    return catalogue.get(registry.entry(name).name)


def _annotations(entry: Entry, source: str | None, alone: bool, namespace: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(task, line) of every row that has a label."""
    dataset = registry.get(entry.id).dataset
    for config, split, rows in _rows(entry.id, source, alone, namespace):
        dimension = dataset.dimension if config == METADATA else dataset.config(config).dimension
        for row in rows:
            yield from mdfp.lines(row, entry.name, split, dimension or dataset.dimension)


def _rows(
    name: str, source: str | None, alone: bool, namespace: str
) -> Iterator[tuple[str, str, Iterable[Mapping[str, Any]]]]:
    """(config, split, rows), pixels as they are stored: nothing is decoded for them."""
    if source is None:
        published = loading.load(name, METADATA, streaming=True, namespace=namespace)
        for split, rows in published.items():
            yield METADATA, str(split), rows
        return
    place = source
    if source not in (loading.OFFICIAL, loading.MINIATURE):
        place = loading.locate_source(source, registry.get(name).name) or (source if alone else "")
        if not place:
            raise UnknownDatasetError(
                f"nothing in the source root {source} is called like the dataset",
                dataset=name,
                next_step=f"name its folder or archive {registry.get(name).name}",
            )
    for config in registry.get(name).dataset.config_names:
        for split, rows in loading.load(name, config, source=place, streaming=True).items():
            yield config, str(split), rows.decode(False)
