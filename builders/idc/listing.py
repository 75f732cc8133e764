"""What the catalogue says of each collection: as its declaration, read from the index in one pass."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from medimg import licenses
from medimg.builders.idc import index
from medimg.catalogue.making.cells import Cell
from medimg.catalogue.making.said import Said

_KEYS = ["collection_id", "PatientID", "analysis_result_id", "Modality", "SOPClassUID"]
_KEYS += ["BodyPartExamined", "license_short_name"]


def listed() -> Iterator[Said]:
    """Every public collection. Its row number is its place in the alphabet."""
    held = _held()
    for number, (id_, about) in enumerate(index.collections().items(), 1):
        yield _said(number, about, held.get(id_, []))


def _held() -> dict[str, list[tuple[index.ListedSeries, int]]]:
    """Collection -> series of the same kind, region and license as one, and how many they are.

    Those of a collection with several licenses are kept apart by patient: what is drawn on a patient's images counts.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    columns = [*_KEYS, "instanceCount", "series_size_MB"]
    table = pq.read_table(index.series_file(), columns=columns)
    licensed = table.group_by(["collection_id", "license_short_name"]).aggregate([]).to_pylist()
    count = Counter(row["collection_id"] for row in licensed)
    mixed = pc.is_in(table["collection_id"], value_set=pa.array(sorted(id_ for id_ in count if count[id_] > 1)))
    found: dict[str, list[tuple[index.ListedSeries, int]]] = defaultdict(list)
    for part, keys in (
        (table.filter(pc.invert(mixed)), [key for key in _KEYS if key != "PatientID"]),
        (table.filter(mixed), _KEYS),
    ):
        sums = [("instanceCount", "sum"), ("series_size_MB", "sum"), ("Modality", "count")]
        for row in part.group_by(keys).aggregate(sums).to_pylist():
            one = _as_series(row)
            found[one.collection].append((one, row["Modality_count"]))
    return found


def _as_series(row: dict[str, Any]) -> index.ListedSeries:
    collection, patient, analysis, modality, sop_class, body, terms = (row.get(key) or "" for key in _KEYS)
    return index.ListedSeries(
        collection, analysis, patient, "", "", modality, sop_class, body,
        int(row["instanceCount_sum"] or 0), index.license_id(terms), "", float(row["series_size_MB_sum"] or 0),
    )  # fmt: skip


def _said(number: int, about: index.About, held: list[tuple[index.ListedSeries, int]]) -> Said:
    images = [one for one, _ in held if index.kind(one)]
    drawn = any(one.modality in index.OBJECTS for one, _ in held)
    megabytes = sum(one.megabytes for one, _ in held)
    license_ = index.one_of(_terms([one for one, _ in held]))
    dimensions = sorted({index.DIMENSION[what] for one in images if (what := index.kind(one))})
    cited = re.search(r"\b(?:19|20)\d\d\b", about.sources[0].citation) if about.sources else None
    series = sum(count for one, count in held if index.kind(one))
    no_image = {one.modality: "no image of its own" for one, _ in held if one.modality in index.NO_IMAGES}
    return Said(
        by="idc",
        row=number,
        name=about.title,
        links=(
            index.HOME + about.id,
            *(f"https://doi.org/{part.doi}" for part in about.sources if part.doi),
        ),
        aliases=(about.id,),
        cells={
            "modality": Cell(sorted({index.modality(one) for one in images}), absent=dict(sorted(no_image.items()))),
            "organ": _organs(about, images),
            "task": Cell(["segmentation"] if drawn and images else []),
            "license": Cell([] if license_ == licenses.UNKNOWN else [license_]),
            "dimension": Cell(list(dimensions)),
            "series": Cell([series] if series else []),
            "subjects": Cell([about.subjects] if about.subjects else []),
            "bytes": Cell([round(megabytes * 1e6)] if megabytes else []),
            "year": Cell([int(cited[0])] if cited else []),
            "where": Cell(["Imaging Data Commons"]),
            "access": Cell(["open"]),
        },
        same_as=f"idc/{about.id}",
        notes={"doi": about.sources[0].doi} if about.sources else {},
    )


def _organs(about: index.About, images: list[index.ListedSeries]) -> Cell:
    """Of the series' regions; where they name none, of the sites of the tumors."""
    cell = Cell(sorted({organ for one in images for organ in index.body(one.body_part)}))
    for text in () if cell.values else filter(None, map(str.strip, re.split(r"[,;]", about.locations))):
        found = index.body(text)
        cell.values += [each for each in found if each not in cell.values]
        if not found:
            cell.rejected[text] = "no region of the vocabulary"
    return cell


def _terms(held: list[index.ListedSeries]) -> set[str]:
    """Licenses of the rows: the images', or that of what is drawn on them where this is stricter."""
    found = set()
    for _, group in groupby(sorted(held, key=lambda one: one.patient), key=lambda one: one.patient):
        members = list(group)
        drawings = {one.license for one in members if one.modality in index.OBJECTS}
        for one in members:
            if what := index.kind(one):
                found.add(one.license)
                found |= {index.strictest(one.license, each) for each in drawings} if what == "volumes" else set()
    return found
