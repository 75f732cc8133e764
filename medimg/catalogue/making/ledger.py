"""The ledger: what became of every row, and how much of what the lists say was normalized."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from medimg.catalogue.making.cells import decided
from medimg.catalogue.making.said import Said

FILE = Path(__file__).parents[1] / "ledger.jsonl"
COLUMNS = ("modality", "organ", "task", "license")
"""Columns whose share of normalized values is promised."""
GOALS = {"modality": 0.99, "organ": 0.97, "task": 0.97, "license": 0.95}


def line(row: Said, entry: str | None, how: str, repeats: int | None) -> dict[str, Any]:
    """One row of a list, as the ledger holds it."""
    said: dict[str, Any] = {"list": row.by, "row": row.row, "name": row.name, "entry": entry, "how": how}
    optional = {
        "part": decided()["part"].get(row.key),
        "broken": row.broken,
        "repaired": row.repaired,
        "repeats": repeats,
        "not_taken": row.notes.get("not_taken"),
        "cells": {column: found for column, cell in row.cells.items() if (found := _brief(column, cell.line()))},
    }
    return said | {key: value for key, value in optional.items() if value}


def _brief(column: str, cell: dict[str, Any]) -> dict[str, Any]:
    """Without the values of columns that hold no terms: those stand in the entry."""
    if column in (*COLUMNS, "structures"):
        return cell
    return {key: value for key, value in cell.items() if key != "values"}


def repeated(rows: Iterable[Said]) -> dict[tuple[str, int], int]:
    """(list, row) -> the earlier row of this name that says the same in every column."""
    first: dict[tuple[Any, ...], int] = {}
    found = {}
    for row in rows:
        mark = (row.by, row.key, row.raw)
        if row.raw and mark in first:
            found[row.by, row.row] = first[mark]
        first.setdefault(mark, row.row)
    return found


def shares(lines: Iterable[Mapping[str, Any]], *, repeats: bool = False) -> dict[str, tuple[int, int]]:
    """Column -> (normalized values, values that are there).

    What says nothing ("Not Mention") is not there. A row that repeats another of its list word for word counts once.

    Args:
        lines: of the ledger.
        repeats: count repeated rows, too.
    """
    good: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for each in lines:
        for column, cell in each.get("cells", {}).items():
            if column in COLUMNS and (repeats or "repeats" not in each):
                good[column] += len(cell.get("values", ())) + len(_moved(cell))
                bad[column] += len(cell.get("rejected", ()))
    return {column: (good[column], good[column] + bad[column]) for column in COLUMNS}


def _moved(cell: Mapping[str, Any]) -> list[Any]:
    """What was moved; the organ of a moved finding is no value of its own."""
    return [each for each in cell.get("moved", ()) if each[0] != "organ"]


def read(path: Path = FILE) -> Iterator[dict[str, Any]]:
    """Lines of the ledger."""
    for text in path.read_text("utf-8").splitlines():
        yield json.loads(text)


def dumped(lines: Iterable[Mapping[str, Any]]) -> str:
    """The file."""
    return "".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) + "\n" for each in lines)
