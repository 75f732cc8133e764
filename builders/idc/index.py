"""The index of the Imaging Data Commons: which series each public collection holds, where, and under which license.

Read from the tables in the package idc-index-data (extra `idc`), which the Commons publishes with each of its versions;
idc-index itself reads the same tables through pandas and DuckDB. No network is touched.
"""

from __future__ import annotations

import difflib
import functools
import html
import importlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from medimg import licenses, vocab
from medimg.collections import Holding
from medimg.errors import UnknownDatasetError, UnknownTermError, need
from medimg.text import slug

HOME = "https://portal.imaging.datacommons.cancer.gov/explore/filters/?collection_id="
FILTERS = ("modality", "body_part", "license", "patient", "series", "drawings")
"""What narrows a collection down: Modality, BodyPartExamined, SPDX id, PatientID, SeriesInstanceUID; whose SEG and
RTSTRUCT are taken ("own", "none", or the id of an analysis result)."""
OBJECTS = frozenset({"SEG", "RTSTRUCT"})
"""Modalities that are drawn on the images of others."""
NO_IMAGES = OBJECTS | {
    "SR", "ANN", "M3D", "PR", "KO", "REG", "RWV", "RTDOSE", "RTPLAN", "OT", "FUSION",
}  # fmt: skip
"""Modalities that are no images, or whose pixels are derived from those of others."""
_COLUMNS = (
    "collection_id analysis_result_id PatientID StudyInstanceUID Modality SOPClassUID BodyPartExamined "
    "license_short_name SeriesInstanceUID instanceCount series_aws_url series_size_MB"
).split()
_UNIQUE = _COLUMNS.index("SeriesInstanceUID")
"""Columns from here on differ from row to row."""
_BATCH = 1 << 16

CAPTURE, RAW = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.66"
TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"
CINES = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.(3\.1|7\.[1-4]|12\.[12]|12\.1\.1|13\.1\.[45]|20)")
"""Multi-frame ultrasound and captures, angiography and fluoroscopy, tomosynthesis projections, nuclear medicine."""
DIMENSION = {"volumes": "3d", "images": "2d", "cines": "3d", "slides": "2d"}
"""Of each kind of series that becomes rows."""
REGIONS = {
    "CHESTABDPELVIS": ("chest", "abdomen", "pelvis"),
    "CHESTABDOMEN": ("chest", "abdomen"),
    "ABDOMENPELVIS": ("abdomen", "pelvis"),
    "NECKCHESTABDPELV": ("neck", "chest", "abdomen", "pelvis"),
    "NECKCHESTABDOMEN": ("neck", "chest", "abdomen"),
    "NECKCHEST": ("neck", "chest"),
}
"""DICOM's terms for several regions (PS3.16 annex L)."""


class ListedSeries(NamedTuple):
    """One DICOM series.

    Attributes:
        analysis: id of the analysis result that added it to the collection; "" for the collection's own.
        license: SPDX id, or a LicenseRef-… of `medimg.licenses`.
        address: folder in the public bucket, s3://<bucket>/<uuid>; a revised series gets another uuid.
        images: files.
        megabytes: size of all files.
    """

    collection: str
    analysis: str
    patient: str
    study: str
    uid: str
    modality: str
    sop_class: str
    body_part: str
    images: int
    license: str
    address: str
    megabytes: float

    @property
    def folder(self) -> str:
        """Folder below the collection, as idc-index lays out what it downloads."""
        patient = self.patient.replace("/", "_")
        return f"{patient}/{self.study}/{self.modality}_{self.uid}"


class Reference(NamedTuple):
    """A source of a collection: its images, or an analysis result."""

    title: str
    doi: str
    citation: str


@dataclass(frozen=True)
class About:
    """What the Commons says of one collection.

    Attributes:
        id: collection_id.
        locations: sites of tumors, as the Commons writes them.
        sources: by DOI.
    """

    id: str
    title: str
    locations: str
    subjects: int
    description: str
    sources: tuple[Reference, ...] = field(repr=False)


class Selection(NamedTuple):
    """A collection, perhaps narrowed down."""

    collection: str
    filters: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """`<collection>` or `<collection>?<filters>`, as in names and addresses."""
        if not self.filters:
            return self.collection
        return f"{self.collection}?{urlencode(self.filters, quote_via=quote)}"


def parse(text: str) -> Selection:
    """A selection from "nlst", "nlst?modality=CT&license=CC-BY-4.0", or the slug "nlst-license-cc-by-4-0-modality-ct".

    Case and punctuation of ids and values do not count.

    Raises:
        UnknownDatasetError: no such collection or filter; names the closest.
    """
    name, _, query = text.partition("?")
    known = collections()
    pairs = parse_qsl(query, keep_blank_values=True)
    wanted = slug(name)
    if not query and wanted.replace("-", "_") not in known:
        wanted, *rest = re.split(rf"-({'|'.join(slug(key) for key in FILTERS)})-", wanted)
        pairs = [(key.replace("-", "_"), value) for key, value in zip(rest[::2], rest[1::2], strict=True)]
    wanted = wanted.replace("-", "_")
    if wanted not in known:
        close = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(f'idc/{one}' for one in close)}?" if close else ""
        raise UnknownDatasetError(
            f"the Imaging Data Commons (index {version()}) has no collection {name!r}",
            next_step=hint or "`medimg list --idc` shows every collection.",
        )
    for key, _ in pairs:
        if key not in FILTERS:
            raise UnknownDatasetError(
                f"a collection cannot be narrowed down by {key!r}", next_step=f"one of: {', '.join(FILTERS)}"
            )
    return Selection(wanted, tuple(sorted((key, slug(value)) for key, value in pairs)))


def version() -> str:
    """Version of the index; its first number is that of the Commons' data release."""
    from importlib.metadata import version

    _data()
    return version("idc-index-data")


@functools.cache
def _data() -> Path:
    need("idc", "a collection of the Imaging Data Commons", "idc_index_data")
    return Path(str(importlib.import_module("idc_index_data").__file__)).parent


def series_file() -> Path:
    """The table of all series."""
    return _data() / "idc_index.parquet"


@functools.cache
def collections() -> Mapping[str, About]:
    """Every public collection by id."""
    import pyarrow.parquet as pq

    found = {}
    for row in pq.read_table(_data() / "collections_index.parquet").to_pylist():
        parts = tuple(
            Reference(_plain(one["source_title"]), one["source_doi"] or "", _plain(one["citation"]))
            for one in row["sources"] or ()
        )
        found[row["collection_id"]] = About(
            id=row["collection_id"],
            title=_plain(row["collection_name"]),
            locations=row["tumor_locations"] or "",
            subjects=int(row["subjects"] or 0),
            description=_plain(row["description"]),
            sources=parts,
        )
    return dict(sorted(found.items()))


def _plain(text: str | None) -> str:
    """Without markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text or "")).split())


@functools.cache
def _places() -> Mapping[str, tuple[int, int]]:
    """Collection -> numbers of its first row in the index and of the row behind its last."""
    import numpy as np
    import pyarrow.parquet as pq

    column = ["collection_id"]
    table = pq.read_table(series_file(), columns=column, read_dictionary=column)
    ids = table.column(0).unify_dictionaries().combine_chunks()
    codes = np.asarray(ids.indices)
    found, first = np.unique(codes, return_index=True)
    last = len(codes) - np.unique(codes[::-1], return_index=True)[1]
    names = ids.dictionary.take(found).to_pylist()
    return dict(zip(names, zip(first.tolist(), last.tolist(), strict=True), strict=True))


@functools.lru_cache(maxsize=4)
def series(selection: Selection) -> Sequence[ListedSeries]:
    """The images of a selection and what is drawn on them, by patient, study, modality and UID.

    Series without either (reports, plans, presentation states) are left out. Segmentations and structure sets are
    kept where `modality`, `body_part` or `series` name the images: what is drawn on others is no row's.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = dict(selection.filters)
    first, last = _places().get(selection.collection, (0, 0))
    without = pa.array(sorted(NO_IMAGES - OBJECTS), pa.large_string())
    found = []
    with pq.ParquetFile(series_file(), read_dictionary=_COLUMNS[:_UNIQUE]) as file:
        batches = file.iter_batches(batch_size=_BATCH, columns=_COLUMNS)
        for batch in islice(batches, first // _BATCH, -(-last // _BATCH)):
            kept = batch.filter(pc.equal(batch["collection_id"], selection.collection))
            kept = kept.filter(pc.invert(pc.is_in(kept["Modality"], value_set=without)))
            if kept.num_rows:
                found.append(kept)
    if not found:
        return ()
    table = pa.Table.from_batches(found)
    rows = zip(*(table[name].to_pylist() for name in _COLUMNS), strict=True)
    every = (_series(dict(zip(_COLUMNS, row, strict=True))) for row in rows)
    chosen = [one for one in every if not wanted or _selected(one, wanted)]
    return tuple(sorted(chosen, key=lambda one: (one.patient, one.study, one.modality, one.uid)))


def _series(row: Mapping[str, Any]) -> ListedSeries:
    same = {key: sys.intern(row[key] or "") for key in _COLUMNS[:_UNIQUE]}  # most rows share these
    return ListedSeries(
        same["collection_id"],
        same["analysis_result_id"],
        same["PatientID"],
        same["StudyInstanceUID"],
        row["SeriesInstanceUID"],
        same["Modality"],
        same["SOPClassUID"],
        same["BodyPartExamined"],
        int(row["instanceCount"] or 0),
        license_id(same["license_short_name"]),
        row["series_aws_url"].removesuffix("*").rstrip("/"),
        float(row["series_size_MB"] or 0),
    )


@functools.cache
def license_id(text: str) -> str:
    """SPDX id of a license as the index names it; LicenseRef-unknown for what `medimg.licenses` does not know."""
    return licenses.normalize(text) or licenses.UNKNOWN


def _selected(one: ListedSeries, wanted: Mapping[str, str]) -> bool:
    """Whether a series has the wanted values, which are slugs."""
    said = {"patient": one.patient, "license": one.license}
    if one.modality in OBJECTS:
        said["drawings"] = one.analysis or "own"
    else:
        said |= {"modality": one.modality, "body_part": one.body_part, "series": one.uid}
    return all(slug(text) == wanted[key] for key, text in said.items() if key in wanted)


def kind(series: ListedSeries) -> str | None:
    """volumes, images, cines or slides; None for what is no image of its own."""
    if series.modality in NO_IMAGES or series.sop_class == RAW:
        return None
    if series.modality == "SM":
        return "slides"
    if CINES.fullmatch(series.sop_class):
        return "cines"
    if series.modality in ("CT", "MR", "PT"):
        return None if series.sop_class.startswith(CAPTURE) else "volumes"
    return "volumes" if series.sop_class == TOMOSYNTHESIS else "images"


def modality(series: ListedSeries) -> str:
    """Vocabulary id of a series' modality."""
    if series.sop_class == TOMOSYNTHESIS:
        return "digital breast tomosynthesis"
    return vocab.modality.resolve("whole-slide image" if series.modality == "SM" else series.modality)


@functools.cache
def body(region: str) -> tuple[str, ...]:
    """Vocabulary ids of a body part; () where it is none."""
    if region.upper() in REGIONS:
        return REGIONS[region.upper()]
    try:
        return (vocab.organ.resolve(region),) if region else ()
    except UnknownTermError:
        return ()


@functools.cache
def strictest(one: str, other: str) -> str:
    """The license that restricts more; what is not published restricts most."""
    if one == other:
        return one
    return licenses.combine([one, other], adapted=False, pushed=False).strictest


def one_of(ids: Set[str]) -> str:
    """The only license, or that every row states its own."""
    return next(iter(ids)) if len(ids) == 1 else licenses.PER_ROW if ids else licenses.UNKNOWN


@functools.cache
def holdings() -> tuple[Holding, ...]:
    """Every collection with the number of its series (all modalities), files, size, modalities and licenses."""
    import pyarrow.parquet as pq

    columns = ["collection_id", "Modality", "license_short_name", "instanceCount", "series_size_MB"]
    table = pq.read_table(series_file(), columns=columns)
    keys = ["collection_id", "Modality", "license_short_name"]
    sums = [("instanceCount", "sum"), ("series_size_MB", "sum"), ("Modality", "count")]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in table.group_by(keys).aggregate(sums).to_pylist():
        groups.setdefault(row["collection_id"], []).append(row)
    return tuple(
        Holding(
            f"idc/{one.id}",
            one.title,
            sum(row["Modality_count"] for row in rows),
            sum(row["instanceCount_sum"] for row in rows),
            round(sum(row["series_size_MB_sum"] for row in rows) / 1000, 2),
            tuple(sorted({row["Modality"] for row in rows})),
            tuple(sorted({license_id(row["license_short_name"]) for row in rows})),
            one.subjects,
            tuple(map(str.strip, one.locations.split(","))),
        )
        for one in collections().values()
        for rows in [groups.get(one.id, [])]
    )


def patients(all_series: Sequence[ListedSeries]) -> Iterator[tuple[str, list[ListedSeries]]]:
    """(PatientID, series) in order."""
    for patient, held in groupby(all_series, key=lambda one: one.patient):
        yield patient, list(held)
