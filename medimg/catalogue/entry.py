"""One line of the catalogue."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

Loadable = Literal["builder", "collection", "own copy only", "not yet"]
"""builder: published, or from any copy; collection: of the Imaging Data Commons, streamed from there; own copy only:
there is a builder, and the license lets nothing be published; not yet: nobody has written a builder."""
Unit = Literal["images", "volumes", "videos", "series", "files", "subjects"]
Stand = Literal["source", "list", "mirror"]
"""Whose word it is: the official source's (or the declaration's, which cites it), a list's that read it somewhere, or
that of somebody who uploaded the data again."""


class OverlapEdge(NamedTuple):
    """Images in common with another dataset; `relation` is said from this one's side ("superset of")."""

    dataset: str
    relation: str


class Stated(NamedTuple):
    """Where facts were read.

    Attributes:
        by: "declaration", "idc", "openneuro", "imaging-x", "imaging-x portal", or the name of another list.
        rows: lines of that list, counted from 1 without the header; empty for a declaration.
        fields: names of the facts that were taken from it.
    """

    by: str
    rows: tuple[int, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One dataset.

    Attributes:
        id: unique: slug of the builder, `idc/<collection>`, `openneuro/<accession>`, else made of the name.
        name: its title.
        aliases: other names, as lists write them (Chinese ones too).
        modality, organ, task: vocabulary ids.
        structures: vocabulary ids of all that labels name, or that a list says is labeled.
        dimension: of "2d", "3d", "video".
        count: images in `unit`; None where nobody says.
        subjects: patients; bytes: of the download or the published shards; year: of the first release.
        license: SPDX id or LicenseRef-…; None where none is stated.
        verdict: open, gated, recipe; "unknown" where the license is not stated by the source.
        commercial: whether commercial use is allowed; None where that is not known.
        license_by: whose word the license is; None where there is none.
        access: open, registration, application, unavailable; None where nobody says.
        where: who holds the data ("TCIA", "Zenodo", "Kaggle", …).
        links: addresses, the official one first.
        organization: who made it; None where nobody says.
        overlaps: images in common with others.
        loadable: how it can be had here.
        stated: where the facts were read.
    """

    id: str
    name: str
    aliases: tuple[str, ...]
    modality: tuple[str, ...]
    organ: tuple[str, ...]
    task: tuple[str, ...]
    structures: tuple[str, ...]
    dimension: tuple[str, ...]
    count: int | None
    unit: Unit | None
    subjects: int | None
    bytes: int | None
    year: int | None
    license: str | None
    verdict: str
    commercial: bool | None
    license_by: Stand | None
    access: str | None
    where: str | None
    links: tuple[str, ...]
    organization: str | None
    overlaps: tuple[OverlapEdge, ...]
    loadable: Loadable
    stated: tuple[Stated, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            **vars(self),
            "overlaps": [each._asdict() for each in self.overlaps],
            "stated": [each._asdict() for each in self.stated],
        }

    def line(self) -> str:
        """As `listed.jsonl` holds it: JSON without what is empty, so that reading 2,000 of them is quick."""
        said = {name: value for name in FIELDS if (value := getattr(self, name)) not in (None, ())}
        return json.dumps(said, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of_line(cls, said: dict[str, Any]) -> Entry:
        """What `line` holds, read as JSON."""
        values = dict(_EMPTY, **said)
        for name in _LISTS:
            values[name] = tuple(values[name])
        values["overlaps"] = tuple([OverlapEdge(*each) for each in values["overlaps"]])
        values["stated"] = tuple([Stated(by, tuple(rows), tuple(facts)) for by, rows, facts in values["stated"]])
        made = object.__new__(cls)  # `cls(**values)` sets each field through object.__setattr__: thrice the time
        made.__dict__.update(values)
        return made


FIELDS = tuple(each.name for each in fields(Entry))
"""Names of the columns."""
_LISTS = ("aliases", "modality", "organ", "task", "structures", "dimension", "links")
_EMPTY = {name: () if name in (*_LISTS, "overlaps", "stated") else None for name in FIELDS}
