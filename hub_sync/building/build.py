"""Build one dataset in one pass: shards, metadata, preview, counts and findings."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from medimg import __version__, layout, privacy
from medimg.cards import pictures
from medimg.cards.pictures import Legend
from medimg.declaration import Dataset
from medimg.errors import MedimgError
from medimg.files import Files
from medimg.hub_sync.building.measure import Measures
from medimg.hub_sync.building.shards import METADATA_FILE, SHARD_BYTES, SplitWriter, write_table
from medimg.manifest import ConfigStats, Finding, LeftOut, Manifest, Origin, Shard, SplitStats
from medimg.registry import Builder
from medimg.report import OTHER, UNCOVERED, LoadReport, Reason
from medimg.rows import Record, iterate
from medimg.schema import SCHEMA_VERSION, Box, Point, Skipped

PREVIEW_ROWS = 32
CONTACT_TILES = 12
EXAMPLES = 5
REASONS = 100
"""Different reasons that the manifest keeps apart; rarer ones are counted together."""

Progress = Callable[[int, int], None]
"""Called after each row with (rows, bytes) of that row."""


@dataclass
class Built:
    """A finished build.

    Attributes:
        manifest: as it is published.
        files: path in the repository -> local file that still waits to be published.
        report: what was left out, with names of files that the manifest may not tell.
    """

    manifest: Manifest
    files: dict[str, Path]
    report: LoadReport


@dataclass
class _Split:
    writer: SplitWriter
    shards: list[tuple[Path, Shard]] = field(default_factory=list)
    metadata: list[tuple[Path, Shard]] = field(default_factory=list)
    subjects: set[str] = field(default_factory=set)
    rows: int = 0
    withheld: int = 0

    def finished(self, path: Path, shard: Shard, upload: Callable[[Path], None]) -> None:
        if path.name == METADATA_FILE:
            self.metadata.append((path, shard))
        else:
            self.shards.append((path, shard))
            upload(path)


@dataclass
class _Counts:
    values: dict[str, Counter[str]] = field(
        default_factory=lambda: {
            name: Counter()
            for name in (
                "modality", "organ", "task", "license", "classes", "uncertain",
                "structures", "boxes", "points", "measures", "texts", "withheld",
            )
        }
    )  # fmt: skip
    measures: Measures = field(default_factory=Measures)

    def add(self, record: Record) -> None:
        self.measures.add(record)
        values, label = record.values, record.values["label"]
        named = {entry["value"]: entry["names"] for entry in label["legend"]}
        if label["instances"] and set(named) == {1}:
            present = named[1] if any(record.mask_values) else []
        else:
            present = [name for value in record.mask_values if value for name in named.get(value, [])]
        for key, names in (
            ("modality", [values["modality"]]),
            ("organ", values["organ"]),
            ("task", values["task"]),
            ("license", [values["license"]]),
            ("classes", label["classes"]),
            ("uncertain", label["uncertain"]),
            ("structures", sorted(set(present))),
            ("boxes", [box["name"] for box in label["boxes"]]),
            ("points", [point["name"] for point in label["points"]]),
            ("measures", [measure["name"] for measure in label["measures"]]),
            ("texts", [text["kind"] for text in label["texts"]]),
        ):
            self.values[key].update(names)


def build(
    builder: Builder,
    files: Files,
    folder: Path,
    *,
    origin: Origin,
    fingerprint: Mapping[str, str],
    shard_bytes: int = SHARD_BYTES,
    on_shard: Callable[[Path], None] = lambda path: None,
    on_row: Progress = lambda rows, size: None,
) -> Built:
    """Read the source once and write everything that is published but the card.

    Args:
        builder: what to build.
        files: the source.
        folder: empty folder for the output; a shard that `on_shard` has taken away is not missed.
        origin: miniature, source or official.
        fingerprint: kept in the manifest.
        shard_bytes: size at which a shard ends.
        on_shard: called with each finished data shard, while the next one is being built.
        on_row: progress.

    Raises:
        MedimgError: the source is not what the declaration says; nothing is published then.
    """
    dataset = builder.dataset
    checks = Checks(dataset)
    words = privacy.Words(builder.source_module)
    counts = {name: _Counts() for name in dataset.config_names}
    gallery = Gallery(lambda place: _preview_rows(dataset))
    splits: dict[tuple[str, str], _Split] = {}
    report = LoadReport(dataset.name)
    with ExitStack() as stack:
        for record in iterate(builder, files, origin=origin, report=report):
            if isinstance(record, Skipped):
                continue
            key = (record.config, record.split)
            if key not in splits:
                splits[key] = _open(stack, dataset, key, folder, shard_bytes, on_shard)
            split = splits[key]
            checks.row(record)
            if not record.publishable:
                split.withheld += 1
                counts[record.config].values["withheld"][record.license] += 1
                continue
            split.rows += 1
            words.learn(json.loads(record.values["meta"])["source_path"])
            if record.values["subject"] is not None:
                split.subjects.add(record.values["subject"])
            counts[record.config].add(record)
            subject = record.values["subject"] or record.values["id"]
            legend: Legend = () if origin == "miniature" else shown_legend(record)
            gallery.add(key, subject, _labelled(record), partial(_drawn, record, origin), legend)
            split.writer.add(record.values)
            on_row(1, len(record.values["image"]["bytes"]))
            del record  # or this row would stay in memory while the next one is read
    public = words.report(report)
    return _finish(
        dataset,
        folder,
        origin,
        fingerprint,
        splits,
        counts,
        gallery,
        public,
        checks.findings(splits_rows(splits), public),
        report,
    )


def splits_rows(splits: Mapping[tuple[str, str], _Split]) -> dict[tuple[str, str], int]:
    """Rows found per (config, split), published or withheld."""
    return {key: split.rows + split.withheld for key, split in splits.items()}


def _open(
    stack: ExitStack,
    dataset: Dataset,
    key: tuple[str, str],
    folder: Path,
    shard_bytes: int,
    on_shard: Callable[[Path], None],
) -> _Split:
    config, name = key
    declared = dataset.config(config).splits
    if name not in declared:
        raise MedimgError(
            f"the builder yielded split {name!r}, the declaration knows {sorted(declared)}",
            dataset=dataset.name,
        )
    layout.shard_path(config, name, 0, 1)  # refuses names that are unsafe in a path
    split: _Split

    def done(path: Path, shard: Shard) -> None:
        split.finished(path, shard, on_shard)

    dimension = dataset.config(config).dimension or dataset.dimension
    writer = stack.enter_context(
        SplitWriter(folder / config / name, dimension, done, shard_bytes=shard_bytes)
    )
    split = _Split(writer)
    return split


def by_reason(reasons: Mapping[str, Reason]) -> dict[str, LeftOut]:
    """Of a report, what a manifest keeps: the commonest reasons, and the others in one."""
    commonest = sorted(reasons.items(), key=lambda one: (one[0] == OTHER, -one[1].count, one[0]))
    apart, rest = commonest[:REASONS], commonest[REASONS:]
    found = {text: LeftOut(count=one.count, examples=tuple(one.examples[:EXAMPLES])) for text, one in apart}
    if rest:
        examples = [path for _, one in rest for path in one.examples[:1]]
        found[OTHER] = LeftOut(count=sum(one.count for _, one in rest), examples=tuple(examples[:EXAMPLES]))
    return found


# preview


@dataclass(frozen=True)
class Tile:
    """The thumbnail of a row.

    Attributes:
        id, caption, png: as stored in config `preview`.
        place: sub-collection and split.
        subject: the patient; the row's id where nobody knows.
        labelled: whether the row has a label that can be seen: a class, a mask, a box or a point.
        order: number of the row.
        legend: mask value and names of what is drawn on it; empty where colors mean nothing that has a name.
    """

    id: str
    caption: str
    png: bytes
    place: tuple[str, str]
    subject: str
    labelled: bool
    order: int
    legend: Legend = ()


def ranked(tiles: Sequence[Tile]) -> list[Tile]:
    """Those that say most first: labelled before others, one of each subject before the next, then as they come."""
    seen: Counter[str] = Counter()
    keys: dict[int, tuple[bool, int]] = {}
    for tile in sorted(tiles, key=lambda each: not each.labelled):
        keys[tile.order] = (not tile.labelled, seen[tile.subject])
        seen[tile.subject] += 1
    return sorted(tiles, key=lambda each: keys[each.order])


class Gallery:
    """The rows that the pictures of a card show, so many of each split, found in one pass.

    A later row takes the place of one that says less. Thumbnails are drawn of rows that are taken, and no others.
    """

    def __init__(self, room: Callable[[tuple[str, str]], int]) -> None:
        self._room = room
        self._kept: dict[tuple[str, str], list[Tile]] = {}
        self._count = 0

    def add(
        self,
        place: tuple[str, str],
        subject: str,
        labelled: bool,
        draw: Callable[[], tuple[str, str, bytes]],
        legend: Legend = (),
    ) -> None:
        """Look at a row.

        Args:
            place: sub-collection and split.
            subject: the patient.
            labelled: whether it has a label that can be seen.
            draw: gives its id, caption and thumbnail (PNG).
            legend: mask value and names of what is drawn on it.
        """
        self._count += 1
        kept = self._kept.setdefault(place, [])
        if len(kept) >= self._room(place):
            new = Tile("", "", b"", place, subject, labelled, self._count)
            worst = ranked([*kept, new])[-1]
            if worst is new:
                return
            kept.remove(worst)
        id, caption, png = draw()
        kept.append(Tile(id, caption, png, place, subject, labelled, self._count, legend))

    @property
    def tiles(self) -> list[Tile]:
        """What was kept, as it came."""
        return sorted((tile for kept in self._kept.values() for tile in kept), key=lambda each: each.order)

    def chosen(self, count: int) -> list[Tile]:
        """The best ones, from all splits in turn, as they came."""
        turns = zip_longest(*(ranked(kept) for kept in self._kept.values()))
        dealt = [tile for turn in turns for tile in turn if tile is not None]
        return sorted(ranked(dealt)[:count], key=lambda each: each.order)


def _preview_rows(dataset: Dataset) -> int:
    """Rows per split that get a thumbnail."""
    splits = sum(len(dataset.config(name).splits) for name in dataset.config_names)
    return max(1, PREVIEW_ROWS // max(1, splits))


def _labelled(record: Record) -> bool:
    label = record.values["label"]
    return bool(label["classes"] or label["boxes"] or label["points"] or any(record.mask_values))


def shown_legend(record: Record) -> Legend:
    """Mask value and names of what a thumbnail draws; empty where values count instances."""
    label = record.values["label"]
    if label["instances"]:
        return ()
    present = set(record.mask_values)
    return tuple(
        (entry["value"], tuple(entry["names"]))
        for entry in label["legend"]
        if entry["value"] in present and entry["value"]
    )


def _drawn(record: Record, origin: Origin) -> tuple[str, str, bytes]:
    """Id, caption and thumbnail. What a miniature shows is words: its pixels are drawn, too, but to try that out."""
    values, label = record.values, record.values["label"]
    thumbnail = pictures.thumbnail(
        record.image,
        record.mask,
        boxes=[Box(**box) for box in label["boxes"]],
        points=[Point(**point) for point in label["points"]],
        modality=values["modality"],
        organ=values["organ"],
        instances=label["instances"],
    )
    names = [*label["classes"]] or sorted({name for entry in label["legend"] for name in entry["names"]})
    case = values["id"].split("/", 1)[1]
    if origin == "miniature":
        thumbnail = pictures.phantom(", ".join([values["modality"], *values["organ"][:1]]))
    return values["id"], " - ".join([f"{record.split}/{case}", *names[:3]]), pictures.png(thumbnail)


def _finish(
    dataset: Dataset,
    folder: Path,
    origin: Origin,
    fingerprint: Mapping[str, str],
    splits: Mapping[tuple[str, str], _Split],
    counts: Mapping[str, _Counts],
    gallery: Gallery,
    report: LoadReport,
    findings: tuple[Finding, ...],
    told: LoadReport,
) -> Built:
    files: dict[str, Path] = {}
    configs = []
    for name in dataset.config_names:
        stats: dict[str, SplitStats] = {}
        order = [each for each in dataset.config(name).splits if (name, each) in splits]
        for split_name in order:
            split = splits[(name, split_name)]
            shards = []
            for index, (path, shard) in enumerate(split.shards):
                target = layout.shard_path(name, split_name, index, len(split.shards))
                files[target] = path
                shards.append(shard.model_copy(update={"path": target}))
            metadata = []
            if split.rows:
                for path, shard in split.metadata:
                    target = layout.metadata_path(name, split_name)
                    files[target] = path
                    metadata.append(shard.model_copy(update={"path": target}))
            stats[split_name] = SplitStats(
                rows=split.rows,
                subjects=len(split.subjects),
                shards=tuple(shards),
                metadata=tuple(metadata),
                withheld=split.withheld,
            )
        if stats:
            dimension = dataset.config(name).dimension or dataset.dimension
            ordered = {key: dict(sorted(each.items())) for key, each in counts[name].values.items()}
            measured = counts[name].measures.result()
            configs.append(
                ConfigStats(name=name, dimension=dimension, splits=stats, measured=measured, **ordered)
            )
    manifest = Manifest(
        name=dataset.name,
        medimg=__version__,
        schema_version=SCHEMA_VERSION,
        origin=origin,
        fingerprint=fingerprint,
        configs=tuple(configs),
        skipped=by_reason(report.skipped),
        incomplete=by_reason(report.incomplete),
        private=dict(sorted(report.private.items())),
        findings=findings,
    )
    if gallery.tiles:
        manifest = _with_pictures(manifest, gallery, folder, files)
    return Built(manifest, files, told)


def _with_pictures(manifest: Manifest, gallery: Gallery, folder: Path, files: dict[str, Path]) -> Manifest:
    preview = write_preview(gallery, folder, manifest.name)
    files[layout.PREVIEW_PATH] = folder / layout.PREVIEW_PATH
    drawn = {layout.CONTACT_SHEET_PATH: sheet(gallery), layout.STATISTICS_PATH: pictures.statistics(manifest)}
    assets = {}
    for target, data in drawn.items():
        if data is not None:
            files[target] = folder / target
            files[target].parent.mkdir(parents=True, exist_ok=True)
            files[target].write_bytes(data)
            assets[target] = hashlib.sha256(data).hexdigest()
    return manifest.model_copy(update={"preview": preview, "assets": assets})


def write_preview(gallery: Gallery, folder: Path, dataset: str | None = None) -> Shard:
    """Write config `preview` below a folder.

    Args:
        gallery: the thumbnails.
        folder: the output, in the layout of the repository.
        dataset: its name; None takes that of each row, which is the first part of its id.
    """
    path = folder / layout.PREVIEW_PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = [
        {
            "id": tile.id,
            "dataset": dataset or tile.id.split("/", 1)[0],
            "image": {"bytes": tile.png, "path": tile.id.replace("/", "_") + ".png"},
            "caption": tile.caption,
        }
        for tile in gallery.tiles
    ]
    shard = write_table(path, rows, layout.preview_features().arrow_schema)
    return shard.model_copy(update={"path": layout.PREVIEW_PATH})


def sheet(gallery: Gallery) -> bytes:
    """The contact sheet (PNG)."""
    from PIL import Image

    shown = gallery.chosen(CONTACT_TILES)
    legend = [entry for tile in shown for entry in tile.legend]
    return pictures.contact_sheet(
        [(Image.open(io.BytesIO(tile.png)), tile.caption) for tile in shown], legend
    )


_PERSON = frozenset(
    "".join(character for character in name.casefold() if character.isalnum())
    for name in (
        "PatientName", "Patient's Name", "PatientsName", "Name of patient", "OtherPatientNames", "PatientBirthName",
        "PatientMotherBirthName", "PatientBirthDate", "Patient's Birth Date", "PatientBirthTime", "Birth date",
        "Date of birth", "DOB", "PatientAddress", "PatientTelephoneNumbers", "PatientTelecomInformation",
        "OtherPatientIDs", "OtherPatientIDsSequence", "MedicalRecordLocator", "Medical record number", "MRN", "SSN",
        "Social security number", "MilitaryRank", "PatientReligiousPreference", "ResponsiblePerson", "PersonName",
        "PersonAddress", "PersonTelephoneNumbers", "ReferringPhysicianName", "ReferringPhysicianAddress",
        "ReferringPhysicianTelephoneNumbers", "PerformingPhysicianName", "NameOfPhysiciansReadingStudy",
        "PhysiciansOfRecord", "RequestingPhysician", "ConsultingPhysicianName", "OperatorsName",
    )
)  # fmt: skip
"""What names a person, without case and punctuation: attributes of DICOM's Basic Application Level Confidentiality
Profile (PS3.15, annex E), and what tables call the same."""
_PERSON_TAGS = frozenset(
    "00100010 00101001 00101005 00101060 00100030 00100032 00101040 00102154 00102155 00101000 00101002 00101090 "
    "00101080 001021f0 00102297 0040a123 00080090 00080092 00080094 00081050 00081060 00081048 00321032 0008009c "
    "00081070".split()
)
_TAG = re.compile(r"\(?([0-9a-f]{4})[,|]? ?([0-9a-f]{4})\)?", re.IGNORECASE)
_WORTH_A_LOOK = re.compile(
    r"name|birth|dob|address|tele|otherpatient|record|physician|rank|person|relig|mrn|ssn|security"
    r'|"\(?[0-9a-f]{4}[,|]? ?[0-9a-f]{4}\)?"',
    re.IGNORECASE,
)
_NOBODY = frozenset(
    {"", "anonymous", "anonymized", "anonymised", "anon", "none", "null", "na", "nan", "unknown"}
)


def identifying(text: str | None) -> set[str]:
    """Names in a JSON text under which a person's identity stands: DICOM keywords and tags, and private tags.

    Names without a value, or with one that says that it was removed, do no harm.
    """
    if not text or not _WORTH_A_LOOK.search(text):
        return set()
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                if _names_a_person(name) and _says_something(inner):
                    found.add(name)
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(json.loads(text))
    return found


def _names_a_person(name: str) -> bool:
    tag = _TAG.fullmatch(name.strip())
    if tag and len(name.strip()) > 8:  # with punctuation: no digest or number looks like that
        return int(tag[1], 16) % 2 == 1 or (tag[1] + tag[2]).lower() in _PERSON_TAGS
    key = "".join(character for character in name.casefold() if character.isalnum())
    return key in _PERSON or key in _PERSON_TAGS


def _says_something(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(_says_something(each) for each in (value.values() if isinstance(value, dict) else value))
    text = "".join(character for character in str(value).casefold() if character.isalnum())
    return value is not None and text not in _NOBODY and bool(text.strip("x0"))


def _found(rows: Mapping[tuple[str, str], int], config: str) -> int:
    return sum(count for (name, _), count in rows.items() if name == config)


class Checks:
    """What is looked at across rows; errors inside one row are raised by `medimg.rows` already."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._split_of: dict[tuple[str, str], str] = {}
        self._crossing: dict[str, tuple[str, str]] = {}
        self._by_content: dict[tuple[str, int], str] = {}
        self._twins: list[tuple[str, str]] = []
        self._identifying: Counter[str] = Counter()
        self._identified: list[str] = []

    def row(self, record: Record) -> None:
        """Look at one row."""
        names = identifying(record.values["meta"]) | identifying(record.values["label"]["source"])
        if names:
            self._identifying.update(names)
            self._identified.append(record.values["id"])
        subject = record.values["subject"]
        if subject is not None:
            first = self._split_of.setdefault((record.config, subject), record.split)
            if first != record.split:
                self._crossing.setdefault(subject, (first, record.split))
        content = (record.config, int(record.values["content"][:16], 16))
        twin = self._by_content.setdefault(content, record.values["id"])
        if twin != record.values["id"]:
            self._twins.append((twin, record.values["id"]))

    def findings(self, rows: Mapping[tuple[str, str], int], report: LoadReport) -> tuple[Finding, ...]:
        """What was seen, most serious first.

        Args:
            rows: found per (config, split), published or withheld.
            report: of the pass over the source.
        """
        return tuple(self._all(rows, report))

    def _all(self, rows: Mapping[tuple[str, str], int], report: LoadReport) -> Iterator[Finding]:
        dataset = self._dataset
        if self._identified:
            under = ", ".join(
                f"{name} ({count})" for name, count in sorted(self._identifying.items())[:EXAMPLES]
            )
            yield Finding(
                level="error",
                check="identifiers",
                message=f"rows carry what identifies a person: {under}; the builder has to leave it out",
                count=len(self._identified),
                examples=tuple(self._identified[:EXAMPLES]),
            )
        if self._crossing:
            examples = tuple(
                f"{subject}: {a} and {b}" for subject, (a, b) in list(self._crossing.items())[:EXAMPLES]
            )
            reason = dataset.shared_subjects
            yield Finding(
                level="note" if reason else "error",
                check="subjects",
                message="the same subjects are in more than one split" + (f": {reason}" if reason else ""),
                count=len(self._crossing),
                examples=examples,
            )
        if self._twins:
            yield Finding(
                level="warning",
                check="duplicates",
                message="rows hold exactly the same pixels",
                count=len(self._twins),
                examples=tuple(f"{a} = {b}" for a, b in self._twins[:EXAMPLES]),
            )
        bare = [name for name in dataset.config_names if not _found(rows, name)]
        if bare and len(dataset.config_names) > 1:
            yield Finding(
                level="warning",
                check="sub-collections",
                message="the source holds no row of these sub-collections",
                count=len(bare),
                examples=tuple(bare),
            )
        for text, left in by_reason(report.incomplete).items():
            yield Finding(
                level="warning",
                check="incomplete",
                message=f"rows came without something: {text}",
                count=left.count,
                examples=left.examples,
            )
        if lost := report.skipped.get(UNCOVERED):
            yield Finding(
                level="warning",
                check="unread files",
                message="pixel files of the source are neither part of a row nor skipped by the builder",
                count=lost.count,
                examples=tuple(lost.examples),
            )
        if report.skipped:
            yield Finding(
                level="note",
                check="skipped files",
                message="files were left out, each with its reason",
                count=report.left_out,
            )
        for name in dataset.config_names:
            for split, declared in dataset.config(name).splits.items():
                found = rows.get((name, split), 0)
                if declared and found != declared:
                    yield Finding(
                        level="note",
                        check="counts",
                        message=f"{split if name == 'default' else f'{name} {split}'}: {found} of {declared} images",
                        count=declared - found if declared > found else found - declared,
                    )
