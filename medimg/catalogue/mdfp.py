"""Datasets and rows as Project Imaging-X's metadata-driven fusion paradigm (MDFP) writes them.

One object a dataset for `data-meta.jsonl`, with the 16 fields that the paper (arXiv:2603.27460, section 6.1) names; one
object for each row and task for `annotations-<task>.jsonl`, with its four blocks. The paper shows no file and its
repository (uni-medical/Project-Imaging-X@ec70f7b) holds none: what the blocks hold within is told in docs/catalogue.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from medimg import index, licenses, vocab
from medimg.catalogue.entry import Entry

DIMENSIONS = {"2d": "2D", "3d": "3D", "video": "Video"}
_IMAGES = ("registration", "reconstruction", "enhancement", "synthesis", "generation")
"""Tasks whose label is another image."""
_ASKED = {"VQA": "vqa", "captioning": "caption", "report generation": "report"}
"""Task -> kind of the texts that are its labels; others are context."""
_AGE = ("age", "patientage", "age_years")
_SEX = ("sex", "gender", "patientsex")
_SITE = ("site", "center", "centre", "institution", "hospital")


def dataset(entry: Entry, declared: index.IndexEntry | None = None) -> dict[str, Any]:
    """One line of `data-meta.jsonl`. A field that nobody states is None or empty.

    Args:
        entry: of the catalogue. A license that only a list or a mirror states is left out.
        declared: the declaration, where there is a builder: splits and classes.
    """
    primary, secondary = modalities(entry.modality)
    said = declared.declared if declared else None
    return {
        "dataset_name": entry.name,
        "release_date": (said and said["published"]) or str(entry.year or "") or None,
        "homepage_url": entry.links[0] if entry.links else None,
        "organization": entry.organization,
        "challenge_series": None,
        "license": _license(entry),
        "dataset_description": declared.description.split("\n\n")[0] if declared else None,
        "modality_primary": primary,
        "modality_secondary": secondary,
        "anatomical_structure": list(entry.organ),
        "disease": [each for each in entry.structures if each in vocab.finding],
        "data_volume": _volume(entry, said),
        "valid_image_n": entry.count,
        "label_presence": _presence(said) if said else None,
        "task_type": list(entry.task),
        "num_classes_per_task": _classes(said) if said else {},
    }


def _license(entry: Entry) -> str | None:
    """What the source states: whoever reads a license here takes it for one that holds."""
    return entry.license if entry.license_by == "source" and entry.license != licenses.UNKNOWN else None


def modalities(ids: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """(primary, secondary): the widest kinds, and what is said more closely (MRI; FLAIR)."""
    primary: dict[str, None] = {}
    for id_ in ids:
        above = vocab.modality.ancestors(id_, ("is_a",))
        tops = [each for each in above if not vocab.modality[each].is_a] or [id_]
        primary.update(dict.fromkeys(sorted(tops)))
    return list(primary), [id_ for id_ in ids if id_ not in primary]


def _volume(entry: Entry, said: Mapping[str, Any] | None) -> dict[str, int] | None:
    splits: dict[str, int] = {}
    for part in [said, *said["configs"]] if said else []:
        for split, count in part["splits"].items():
            splits[split] = splits.get(split, 0) + count
    if any(splits.values()):
        return {"total": sum(splits.values()), **splits}
    return {"total": entry.count} if entry.count else None


def _presence(said: Mapping[str, Any]) -> str | None:
    """A declaration of labels says that there are some; whether every image has one is the rows' to say."""
    in_parts = any(part["legend"] or part["names"] for part in said["parts"])
    return "labeled" if said["legend"] or said["labels"] or in_parts else None


def _classes(said: Mapping[str, Any]) -> dict[str, int]:
    """Task -> names that its labels may have, of what the declaration maps."""
    drawn = {name for names in said["legend"].values() for name in names}
    drawn |= {name for part in said["parts"] for names in part["legend"].values() for name in names}
    named = {name for names in said["labels"].values() for name in names}
    found = {"segmentation": len(drawn), "classification": len(named)}
    return {task: number for task, number in found.items() if number}


def lines(row: Mapping[str, Any], name: str, split: str, dimension: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(task, line of `annotations-<task>.jsonl`) of a row, for each kind of label that it has.

    Args:
        row: as `medimg.load` gives it; pixels are not looked at, and may be left out.
        name: of the dataset.
        split: that the row is of.
        dimension: "2d", "3d" or "video".
    """
    meta = json.loads(row["meta"] or "{}")
    for task, labels in tasks(row).items():
        kind = next(iter(labels))
        yield (
            task,
            {
                "record": {
                    "dataset_name": name,
                    "image_path": meta.get("source_path"),
                    "sample_id": row["id"],
                    "split": split,
                    "license": row["license"],
                },
                "context": _context(row, meta),
                "media_geometry": {
                    "task_type": task,
                    "leaf_task": [each for each in row["task"] if each == task or _is(each, task)],
                    "annotation_type": kind,
                    "dimension": DIMENSIONS[dimension],
                    "shape": list(row["shape"]),
                    "pixel_spacing": list(row["spacing"]) if row["spacing"] is not None else None,
                    "channels": list(row["sequence"]),
                },
                "tasks": labels,
            },
        )


def _is(task: str, wider: str) -> bool:
    return task in vocab.task and wider in vocab.task.ancestors(task, ("is_a",))


def _context(row: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    """What the row says of its subject, and no more."""
    said = {key.casefold(): value for key, value in meta.items()}

    def first(keys: tuple[str, ...]) -> Any:
        return next((said[key] for key in keys if key in said), None)

    return {
        "subject_id": row["subject"],
        "age": first(_AGE),
        "sex": first(_SEX),
        "site": first(_SITE),
        "modality": row["modality"],
        "anatomy": list(row["organ"]),
        "text": [dict(each) for each in row["label"]["texts"] if each["kind"] not in _ASKED.values()],
        "extra": meta,
    }


def tasks(row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Task -> its labels, of all that a row is labeled with."""
    label = row["label"]
    found: dict[str, dict[str, Any]] = {}
    drawn = {name for each in label["legend"] for name in each["names"]}
    if label.get("mask") is not None or label["legend"] or label["instances"]:
        legend = [{"value": each["value"], "names": list(each["names"])} for each in label["legend"]]
        found["segmentation"] = {
            "masks": legend,
            "instances": bool(label["instances"]),
            "assessed": list(label["assessed"]),
        }
    placed = {each["name"] for kind in ("boxes", "points", "measures") for each in label[kind]}
    if label["classes"] or label["uncertain"] or set(label["assessed"]) - drawn - placed:
        found["classification"] = {key: list(label[key]) for key in ("classes", "uncertain", "assessed")}
    lists = {
        "detection": ("boxes", "boxes"),
        "localization": ("keypoints", "points"),
        "regression": ("values", "measures"),
    }
    for task, (kind, column) in lists.items():
        if label[column]:
            found[task] = {kind: [dict(each) for each in label[column]]}
    for task, kind in _ASKED.items():
        if told := [dict(each) for each in label["texts"] if each["kind"] == kind]:
            found[task] = {"texts": told}
    between = [each for each in row["task"] if each in _IMAGES or any(_is(each, wide) for wide in _IMAGES)]
    for task in between if label.get("target") is not None else []:
        found[task] = {"target": "paired image"}
    return found
