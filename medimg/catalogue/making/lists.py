"""The lists, row by row: the two of Imaging-X, where its names live, and OpenNeuro's table."""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medimg import vocab
from medimg.catalogue.making import cells
from medimg.catalogue.making.cells import Cell
from medimg.catalogue.making.said import Said, addresses

IMAGING_X, PORTAL, WHERE, OPENNEURO = "imaging-x", "imaging-x portal", "imaging-x where", "openneuro"
SPLIT = re.compile(r"(https?://[^}]+)\}\{(.*?)\\?$")
"""A name that was split at its "&", with the address of its LaTeX link in front."""
_SECTIONS = re.compile(r"^3D |\s*Datasets$|\u200d")
_DATATYPES = {
    "anat": "MRI",
    "func": "fMRI",
    "dwi": "diffusion-weighted MRI",
    "fmap": "MRI",
    "perf": "arterial spin labeling MRI",
    "pet": "PET",
}
"""BIDS datatypes that hold images (bids-standard/bids-specification, "Modality specific files")."""
_NO_IMAGES = {
    **dict.fromkeys(("eeg", "ieeg", "meg", "nirs", "motion"), "a signal, not an image"),
    "beh": "behavior, not an image",
}
_PLACES = {
    "no URL": None,
    "IDC": "Imaging Data Commons",
    "roster": None,
    "LONI/OASIS (application)": "LONI/OASIS",
}


def imaging_x(folder: Path) -> Iterator[Said]:
    """imaging_x.json: the table of Project Imaging-X."""
    rows = json.loads((folder / "catalogue" / "imaging_x.json").read_text("utf-8"))
    for number, row in enumerate(rows, 1):
        row, repaired = _unsplit(row)
        modality = cells.terms(vocab.modality, row["modality"])
        if modality.silent:
            section = cells.terms(vocab.modality, _SECTIONS.sub("", row["section"]).strip())
            modality.values = section.values
        yield Said(
            by=IMAGING_X,
            row=number,
            name=cells.plain(row["name"]),
            links=addresses(row["url"]),
            cells={
                "modality": modality,
                "organ": cells.terms(vocab.organ, row["structure"]),
                "task": cells.terms(vocab.task, row["task"]),
                "structures": _findings(row["diseases"]),
                "dimension": cells.dimension(row["dim"]),
                "count": cells.count(row["samples"]),
                "year": cells.year(row["year"]),
            },
            repaired=repaired,
            raw=tuple(str(row[key]) for key in ("modality", "structure", "task", "dim", "samples", "year")),
            notes={"within": cells.rounding(row["samples"])},
        )


def _unsplit(row: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """A row whose "Head & Neck" was split at the "&" of its LaTeX, so that the rest stands one column to the right."""
    if row["samples"] == "Neck" and row["structure"].startswith("Head"):
        return row | {"structure": "Head and Neck", "samples": "", "task": ""}, (
            "split at the & of Head & Neck: the columns after it are those of their neighbors"
        )
    return row, None


def _findings(text: str) -> Cell:
    """Findings and structures among the diseases of a row; words for several or for health are none."""
    cell = cells.terms(vocab.label, text)
    for part in list(cell.rejected):
        if part.casefold() in cells.NOTHING:
            cell.absent[part] = "says: not available"
            del cell.rejected[part]
    return cell


def portal(folder: Path) -> Iterator[Said]:
    """imaging_x_portal.json: the manifest behind Imaging-X's portal."""
    rows = json.loads((folder / "catalogue" / "imaging_x_portal.json").read_text("utf-8"))
    for number, row in enumerate(rows, 1):
        row, repaired = _shifted_back(row)
        modality = cells.terms(vocab.modality, row["modality"])
        second = cells.terms(vocab.modality, row["modality_secondary"])
        modality.values += [each for each in second.values if each not in modality.values]
        modality.absent |= second.absent
        modality.rejected |= second.rejected
        yield Said(
            by=PORTAL,
            row=number,
            name=cells.plain(row["name"]),
            links=addresses(row["link"]),
            cells={
                "modality": modality,
                "organ": cells.terms(vocab.organ, row["organ"]),
                "task": cells.terms(vocab.task, row["task"]),
                "license": cells.license(row["license"]),
                "dimension": cells.dimension(row["dimension"]),
                "count": cells.count(row["images_valid"]),
                "year": cells.year(row["release_date"], row["year"]),
                "organization": Cell([row["organization"].strip()] if row["organization"] else []),
            },
            repaired=repaired,
            raw=tuple(json.dumps(row[key]) for key in row if key != "name"),
        )


def _shifted_back(row: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """A row that was split at the "&" of its name: the name runs on in the next column, and all others follow."""
    if row["organ"] == "Head \\" and row["task"] == ["No"]:
        return row | {"organ": "Head and Neck", "task": []}, "split at the & of Head & Neck"
    found = SPLIT.match(row["name"])
    if not (found and re.fullmatch(r"\d{4}", row["dimension"] or "")):
        return row, None
    gap = " " if found[2].endswith(" ") else ""
    fixed = {
        "name": f"{found[2].strip()}{gap}&{gap}{row['release_date']}",
        "link": found[1],
        "release_date": row["dimension"],
        "year": int(row["dimension"]),
        "dimension": row["modality"][0],
        "modality": [row["organ"]],
        "organ": None,
        "task": [],
        "has_labels": row["task"] == ["Yes"],
    }
    return row | fixed, "split at the & of its name: every column stood one to the right"


def where(folder: Path) -> Iterator[Said]:
    """imaging_x_where.csv: where each name of both lists lives, and which builder or collection it is."""
    for number, row in enumerate(table(folder / "queue" / "imaging_x_where.csv"), 1):
        place = _PLACES.get(row["where"], row["where"])
        yield Said(
            by=WHERE,
            row=number,
            name=row["name"] if SPLIT.match(row["name"]) else cells.plain(row["name"]),
            links=addresses(row["urls"]),
            cells={"license": cells.license(row["license_class"]), "where": Cell([place] if place else [])},
            same_as=row["roster"] or (f"idc/{row['idc']}" if row["idc"] else None),
            notes={"torch_em": row["torch_em"], "openmedlab": row["openmedlab"]},
        )


def openneuro(folder: Path) -> Iterator[Said]:
    """openneuro.tsv: BIDS datasets; all are neuroimaging, and the license is that of dataset_description.json."""
    rows = table(folder / "catalogue" / "openneuro.tsv", "\t")
    for number, row in enumerate(rows, 1):
        modality, signals = Cell(), Cell()
        for datatype in ast.literal_eval(row["datatypes"]):
            if found := _DATATYPES.get(datatype):
                modality.values += [found] if found not in modality.values else []
            else:
                signals.absent[datatype] = _NO_IMAGES.get(datatype, "no datatype of BIDS that holds images")
        yield Said(
            by=OPENNEURO,
            row=number,
            name=row["name"],
            links=(f"https://openneuro.org/datasets/{row['name']}",),
            cells={
                "modality": modality,
                "datatypes": signals,
                "organ": Cell(["brain"] if modality.values else []),
                "license": cells.license(row["license"]),
                "dimension": Cell(["3d"] if modality.values else []),
                "subjects": cells.count(row["nb_subjects"]),
                "bytes": cells.size(row["size"]),
                "year": cells.year(row["created_on"]),
                "where": Cell(["OpenNeuro"]),
                "access": Cell(["open"]),
            },
            same_as=f"openneuro/{row['name']}",
            broken=None if modality.values else f"no images: only {', '.join(signals.absent) or 'nothing'}",
        )


def table(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a file with one header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))
