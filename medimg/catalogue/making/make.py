"""Lists in, `listed.jsonl` and the ledger out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from medimg import collections, index, registry
from medimg.catalogue.entry import FIELDS, Entry, OverlapEdge, Stated
from medimg.catalogue.making import ledger, lists, queue, roster
from medimg.catalogue.making.cells import decided
from medimg.catalogue.making.fill import Filler
from medimg.catalogue.making.join import Group, Known, joined
from medimg.catalogue.making.said import Said
from medimg.catalogue.table import BESIDE, FILE
from medimg.errors import MedimgError
from medimg.text import slug

SOURCES = (
    lists.where,
    lists.imaging_x,
    lists.portal,
    lists.openneuro,
    queue.candidates,
    queue.following,
    queue.torch_em,
)
NO_IMAGES = "no images: a time series"
_REGRESSIONS = ("regression", "estimation", "quantification", "measurement")


class NoListsError(MedimgError):
    """The folder of the lists is not there."""


def make(folder: Path) -> dict[Path, str]:
    """Read all lists below a folder; returns the texts of `listed.jsonl` and the ledger.

    Raises:
        NoListsError: there is no such folder, or a list is missing.
    """
    builders = registry.entries()
    rows = list(read(folder))
    known = Known(builders, [row for row in rows if row.by in collections.SOURCES])
    groups = joined((row for row in rows if not row.broken), known)
    for group in groups:
        spell_reg(group, groups)
    entries, where, told = _fill(groups, builders)
    repeats = ledger.repeated(rows)
    lines = []
    for row in rows:
        entry, how = where.get((row.by, row.row), (None, ""))
        lines.append(ledger.line(row, entry, how, repeats.get((row.by, row.row))))
    return {
        FILE: "".join(f"{each.line()}\n" for each in sorted(entries, key=lambda each: each.id)),
        ledger.FILE: ledger.dumped([*lines, *told]),
    }


def read(folder: Path) -> Iterator[Said]:
    """Every row of every list, the broken ones with their reasons."""
    for name in ("catalogue", "queue", "roster"):
        if not (folder / name).is_dir():
            raise NoListsError(
                f"there is no folder {str(folder / name)!r} with the lists that the catalogue is made of",
                next_step="make catalogue FROM=<folder with catalogue/, queue/ and roster/>",
            )
    rows = list(roster.rows(folder))
    for prefix in collections.SOURCES:
        rows += registry.source(prefix).listed()
    for source in SOURCES:
        rows += map(_checked, source(folder))
    yield from _across(rows)


def _across(rows: list[Said]) -> list[Said]:
    """With what only another row tells: the other half of a name, and that a dataset has no images."""
    whole = {row.links[0]: row.name for row in rows if row.by == lists.PORTAL and row.repaired and row.links}
    for row in rows:
        if split := lists.SPLIT.match(row.name):
            row.links = (split[1], *row.links)
            row.name = whole.get(split[1], split[2].strip())
            row.repaired = row.repaired or "split at the & of its name"
    imageless = {row.key: row.broken for row in rows if row.broken == NO_IMAGES}
    for row in rows:
        row.broken = row.broken or imageless.get(row.key)
    return rows


def _checked(row: Said) -> Said:
    """Marked as broken where it can be of no one dataset of images."""
    queued = row.by in (queue.CANDIDATES, queue.NEXT, queue.TORCH_EM)
    if queued and (several := decided()["several"].get(row.key)):
        row.broken = f"of several datasets at once: {several}"
    modality = row.cells.get("modality")
    if modality and not (modality.values or row.broken) and "Series Data" in modality.rejected:
        row.broken = NO_IMAGES
    return row


def spell_reg(group: Group, groups: Iterable[Group]) -> None:
    """Say what "Reg" means, where another row of the dataset, its name or a decision does."""
    cells = [row.cells["task"] for row in group.rows if "task" in row.cells]
    pending = [cell for cell in cells if "Reg" in cell.rejected]
    if not pending:
        return
    spelled = {task for cell in cells for task in cell.values}
    kinds = {"registration"} & spelled or {"regression"} & {
        "regression" if task in _REGRESSIONS else task for task in spelled
    }
    if "registration" in spelled and spelled & set(_REGRESSIONS):
        kinds = set()
    names = " ".join(f"{row.name} {' '.join(row.links)}".casefold() for row in group.rows)
    if not kinds and re.search(r"learn2reg|registration|regpro|\bdir\b", names):
        kinds = {"registration"}
    if not kinds:
        kinds = {decided()["reg"][row.key] for row in group.rows if row.key in decided()["reg"]}
    if not kinds:
        kinds = _site(group, groups)
    if len(kinds) == 1:
        (kind,) = kinds
        for cell in pending:
            del cell.rejected["Reg"]
            cell.values += [kind] if kind not in cell.values else []


def _site(group: Group, groups: Iterable[Group]) -> set[str]:
    """What "Reg" is for the other datasets of a challenge's own site, where they spell it."""

    def sites(each: Group) -> set[str]:
        found = (re.match(r"https?://([\w-]+\.grand-challenge\.org)", link) for row in each.rows for link in row.links)
        return {match[1] for match in found if match}

    own = sites(group)
    near = [each for each in groups if each is not group and own & sites(each)]
    spelled = {task for each in near for row in each.rows if "task" in row.cells for task in row.cells["task"].values}
    return spelled & {"registration", "regression"}


def _fill(
    groups: list[Group], builders: list[index.IndexEntry]
) -> tuple[list[Entry], dict[tuple[str, int], tuple[str, str]], list[dict[str, Any]]]:
    """(entries, where each row went and how, what entries did not take)."""
    titles = {entry.name: entry.declared["title"] for entry in builders}
    ids = Ids({*titles, *(group.id for group in groups if group.id)})
    entries, where, told = [], {}, []
    for group in groups:
        id_ = group.id or ids.of(group)
        filler = Filler(group)
        entry = filler.entry(id_, titles.get(id_) or _name(group), _edges(id_, builders))
        if id_ in titles:
            entries.append(_beside_declaration(entry))
        else:
            entries.append(entry)
            told += [{"entry": id_, "column": column, "reason": reason} for column, reason in filler.told]
        for row, how in zip(group.rows, group.how, strict=True):
            where[row.by, row.row] = (id_, how)
    return entries, where, sorted(told, key=lambda each: (each["entry"], each["column"]))


def _beside_declaration(entry: Entry) -> Entry:
    """What lists add to a declaration; of all else the declaration is the source, and lists are not asked."""
    kept = {name: getattr(entry, name) for name in ("id", "name", *BESIDE, "verdict")}
    stated = tuple(
        Stated(by, rows, tuple(field for field in facts if field in BESIDE)) for by, rows, facts in entry.stated
    )
    empty = {name: () for name in FIELDS if isinstance(getattr(entry, name), tuple)}
    nothing = dict.fromkeys(FIELDS, None)
    return Entry(**{**nothing, **empty, **kept, "loadable": "builder", "stated": stated})


class Ids:
    """Ids made of names, each once."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = Counter(taken)

    def of(self, group: Group) -> str:
        """The id of a group without one: its name, with a number where that is taken."""
        first = group.rows[0]
        base = slug(first.name) or f"{slug(first.by)}-{first.row}"
        id_, number = base, 1
        while self._taken[id_]:
            number += 1
            id_ = f"{base}-{number}"
        self._taken[id_] += 1
        return id_


def _name(group: Group) -> str:
    """The name that a list of datasets gives, before an accession or the name of a module."""
    order = {lists.WHERE: 1, lists.IMAGING_X: 2, lists.PORTAL: 3}
    order |= dict.fromkeys((lists.OPENNEURO, queue.CANDIDATES, queue.NEXT, queue.TORCH_EM), 4)
    order |= dict.fromkeys(collections.SOURCES, 0)
    return min(group.rows, key=lambda row: order[row.by]).name


def _edges(id_: str, builders: list[index.IndexEntry]) -> tuple[OverlapEdge, ...]:
    """Images in common with a builder's dataset, where that one's declaration says so."""
    found = []
    for entry in builders:
        for each in entry.declared["overlaps"]:
            if id_ in (each["dataset"], f"idc/{each['dataset'].replace('-', '_')}"):
                found.append(OverlapEdge(entry.name, f"named by {entry.name}: {each['relation']}"))
    return tuple(found)


def summary(made: Mapping[Path, str]) -> str:
    """Counts and shares, for a reader."""
    entries = [json.loads(each) for each in made[FILE].splitlines()]
    lines = [json.loads(each) for each in made[ledger.FILE].splitlines()]
    rows = [each for each in lines if "list" in each]
    count = Counter(each["list"] for each in rows)
    broken = sum(1 for each in rows if each.get("broken"))
    text = [f"{len(entries)} datasets listed, from {len(rows)} rows of {len(count)} lists; {broken} rows are broken"]
    text += [f"  {name}: {number} rows" for name, number in count.items()]
    every = ledger.shares(rows, repeats=True)
    for column, (good, there) in ledger.shares(rows).items():
        share, all_share = good / there, every[column][0] / every[column][1]
        text.append(
            f"{column}: {share:.2%} of {there} values normalized (with repeated rows {all_share:.2%} of "
            f"{every[column][1]}); promised {ledger.GOALS[column]:.0%}"
        )
    return "\n".join(text)
