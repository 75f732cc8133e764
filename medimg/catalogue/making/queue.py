"""The queue: candidates that programs found, and what the modules of torch-em say of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medimg import vocab
from medimg.catalogue.making import cells
from medimg.catalogue.making.cells import Cell
from medimg.catalogue.making.lists import SPLIT, table
from medimg.catalogue.making.said import Said, addresses

CANDIDATES, NEXT, TORCH_EM = "candidates", "next", "torch-em"
_CUT = 40
"""Letters after which the list cuts."""


def candidates(folder: Path) -> Iterator[Said]:
    """candidates.csv; modality, organ and counts come from regular expressions."""
    for number, row in enumerate(table(folder / "queue" / "candidates.csv"), 1):
        yield _said(CANDIDATES, number, row)


def following(folder: Path) -> Iterator[Said]:
    """next.csv: the first of them, with a caution where a copy's terms differ from the source's."""
    for number, row in enumerate(table(folder / "queue" / "next.csv"), 1):
        said = _said(NEXT, number, row)
        said.notes["caution"] = bool(row["caution"])
        yield said


def _said(by: str, number: int, row: dict[str, str]) -> Said:
    split = SPLIT.match(row["name"])
    if split:
        row = row | {"modality": row["organ"], "organ": "", "task": "", "dim": row["modality"]}
    return Said(
        by=by,
        row=number,
        name=row["name"] if split else cells.plain(row["name"]),
        links=tuple(each for each in addresses(row["url"]) if "{" not in each),
        cells={
            "modality": cells.terms(vocab.modality, row["modality"]),
            "organ": _words(row["organ"]),
            "task": cells.terms(vocab.task, row["task"]),
            "license": cells.license(row["license"]),
            "dimension": cells.dimension(row["dim"].replace("WSI", "2D")),
            "count": cells.count(row["count"]),
        },
        raw=tuple(row[key] for key in ("modality", "organ", "task", "dim", "count", "license")),
    )


def _words(text: str) -> Cell:
    """Organs. The list strings the words of several rows together and cuts at 40 letters ("Chest Lung (Thor")."""
    cell = cells.terms(vocab.organ, text)
    if not cell.rejected:
        return cell
    joined = Cell()
    for part in re.split(r"[/,;]", re.sub(r"\([^()]*(?:\)|$)", " ", text)):
        words = part.split()
        cut = text.endswith(part) and (len(text) >= _CUT or _half(words))
        _match(words, joined, cut=cut)
    return joined


def _half(words: list[str]) -> bool:
    """Whether the last word is the beginning of an earlier one."""
    return any(word != words[-1] and word.startswith(words[-1]) for word in words[:-1])


def _match(words: list[str], cell: Cell, *, cut: bool) -> None:
    """Take the longest runs of words that name something."""
    while words:
        for length in range(len(words), 0, -1):
            found = cells.terms(vocab.organ, " ".join(words[:length]))
            if not found.rejected:
                break
        else:
            length, found = 1, cells.terms(vocab.organ, words[0])
            if cut and len(words) <= 2:
                length, found = len(words), Cell(absent={" ".join(words): "cut off in the table"})
        cell.values += [each for each in found.values if each not in cell.values]
        cell.moved += [each for each in found.moved if each not in cell.moved]
        cell.absent |= found.absent
        cell.rejected |= found.rejected
        words = words[length:]


def torch_em(folder: Path) -> Iterator[Said]:
    """torch_em.jsonl: addresses of what its modules read."""
    lines = (folder / "queue" / "torch_em.jsonl").read_text("utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        row = json.loads(line)
        links = [link for text in row["links"] for link in addresses(text) if "{" not in link]
        yield Said(
            by=TORCH_EM,
            row=number,
            name=row["name"],
            links=tuple(dict.fromkeys(links)),
            cells={
                "modality": Cell(["histopathology"] if row["family"] == "histopathology" else []),
                "task": Cell(["segmentation"] if row.get("labels") or row.get("legend") else []),
                "structures": _labels(row.get("labels", {})),
            },
        )


def _labels(labels: dict[str, Any]) -> Cell:
    """What the label values of a module are called, where the vocabulary has the whole name."""
    cell = Cell()
    names = [name for each in labels.values() for name in (each if isinstance(each, list | dict) else ())]
    for name in dict.fromkeys(each for each in names if isinstance(each, str)):
        parsed = vocab.label.parse(name)
        if len(parsed.ids) != 1 or parsed.rejected or parsed.unknown:
            cell.rejected[name] = "no label of the vocabulary"
            continue
        (found,) = parsed.ids
        if found == "background":
            cell.absent[name] = "no structure"
        elif found not in cell.values:
            cell.values.append(found)
    return cell
