"""Rows of a member: from the Hub's Parquet shards, from a user's own copy, or from its miniature."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from medimg import licenses, registry, vocab
from medimg.declaration import Dataset
from medimg.errors import (
    SOURCE_FAULTS,
    DuplicateIdError,
    EmptySplitError,
    HubError,
    MedimgError,
    MissingExtraError,
    PrivacyError,
    SourceError,
    named,
)
from medimg.fusion.choices import split_fused
from medimg.fusion.donors import Donors, with_donors
from medimg.fusion.facts import Facts
from medimg.fusion.labels import Harmonizer
from medimg.fusion.locating import Manifests
from medimg.fusion.parquet import parquet_rows
from medimg.fusion.plan import Member
from medimg.fusion.report import Report, Told
from medimg.fusion.request import Request
from medimg.fusion.select import kind_of
from medimg.loading import MINIATURE, OFFICIAL, miniature, open_source, plain
from medimg.report import LoadReport
from medimg.rows import drafts, left_out, looked_for, materialize, naming_file, quarantined, take_told
from medimg.schema import Row, Skipped

Shards = Mapping[str, tuple[tuple[str, ...], tuple[int, ...]]]
SHOWN = 4
"""Targets that a reason names."""
Item = tuple[str, "Row | dict[str, Any]"]
"""(the source's split, a row as a builder yields it or as it is stored)."""


@dataclass(frozen=True)
class Rows:
    """`Stream.open`, `expand` and `finish` of one member; picklable.

    Attributes:
        member: of the plan; `request`: what was asked for.
        harmonizer: makes the column `fused`.
        splits: which of them to read, as the source calls them.
        place: source of the rows; None for the Hub.
        storage_options: for fsspec.
        dropped: ids of rows that are left out as duplicates; `donors`: whose labels go into which row.
        told: what is learned while rows are read.
        lenient: a bad row ends nothing, whatever the declaration says.
        shards: split -> (files, rows per file); for the Hub. `metadata`: the same of the files without pixels.
        digest: of the content of the shards.
    """

    member: Member
    request: Request
    harmonizer: Harmonizer
    splits: tuple[str, ...]
    place: str | None
    storage_options: Mapping[str, Any] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    donors: Donors | None = None
    told: Told = field(default_factory=Told, compare=False)
    lenient: bool = False
    shards: Shards = field(default_factory=dict)
    metadata: Shards = field(default_factory=dict)
    digest: str = ""

    @property
    def key(self) -> str:
        """The member's key, as in the plan."""
        return self.member.key

    @property
    def dataset(self) -> Dataset:
        """The declaration."""
        return registry.get(self.member.name).dataset

    @property
    def rows(self) -> int | None:
        """Items of `open(0)`, where the manifest says so."""
        return sum(sum(counts) for _, counts in self.shards.values()) if self.place is None else None

    @property
    def block(self) -> int | None:
        """Rows that may be visited apart from the others when shuffling: the largest shard."""
        return max((count for _, counts in self.shards.values() for count in counts), default=0) or None

    @property
    def every_split(self) -> tuple[str, ...]:
        """All splits that there are, not only the asked ones."""
        return tuple(self.shards) if self.place is None else tuple(self.dataset.config(self.member.config).splits)

    def alone(self) -> Rows:
        """All rows of all splits, to be compared or to be looked up: a bad one ends nothing."""
        return replace(self, splits=self.every_split, dropped=frozenset(), donors=None, told=Told(), lenient=True)

    def without(self, report: Report, donors: Donors) -> Rows:
        """The same without the rows that the report leaves out, but with their labels."""
        return replace(self, dropped=report.keys, donors=donors, told=report.told)

    def open(self, start: int = 0) -> Iterator[Item]:
        """Items from `start` on; what is before it is not decoded.

        Raises:
            MedimgError: the source is not what the declaration says.
        """
        return self._published(start, self.shards) if self.place is None else self._own(start)

    def outlines(self) -> Iterator[Item]:
        """All items without their pixels, as far as the source can tell apart: for the Hub from kilobytes."""
        return self._published(0, self.metadata) if self.place is None else self._own(0)

    def probe(self) -> None:
        """Look for a row that is wanted, without its pixels; seldom more than the first one.

        Raises:
            MedimgError: the source cannot be read, or holds no such row.
        """
        quiet = replace(self, told=Told(), lenient=True)
        for item in quiet.outlines():
            try:
                reason = quiet.refusal(item)
            except MissingExtraError:
                raise
            except (MedimgError, *SOURCE_FAULTS):
                return  # what to do about a bad row is decided where it is read
            if not reason:
                return
            quiet.report.skip(self.id(item), reason)
        if self.place is None and not self.rows:
            raise HubError(
                "the Hub holds no row of it, or none of the splits that were asked for",
                dataset=self.key,
                next_step="look at its page there whether it was retired, or pass source=<folder with the originals>; "
                "or leave it out.",
            )
        if quiet.report.elsewhere and not quiet.report.skipped:
            there = ", ".join(
                f"{config}/{split} {count:,}" for (config, split), count in quiet.report.elsewhere.items()
            )
            raise EmptySplitError(
                f"this copy has no row of {self.member.config}/{' or '.join(self.splits)}; it has rows of {there}",
                dataset=self.key,
                next_step="ask for one of these, pass a source that holds the rest of the download, or leave it out.",
            )
        raise SourceError(
            f"none of its rows is what was asked for ({quiet.report.reasons()})",
            dataset=self.key,
            next_step="ask for something that it has, pass unlabeled=True for rows that say nothing on the targets, "
            "or leave it out.",
        )

    @property
    def remote(self) -> bool:
        """Whether the originals lie elsewhere: nothing of them is fetched before a row is asked for."""
        return self.place is not None and (self.place == OFFICIAL or "://" in self.place)

    def revision(self) -> str:
        """Digest of what the member's rows depend on beside the request and medimg's code.

        Of originals that lie elsewhere it is the address: they are not looked at before a row is asked for.

        Raises:
            MedimgError: the source cannot be read.
        """
        if self.place is None:
            return self.digest
        builder = registry.get(self.member.name)
        if self.remote:
            return f"{self.place} {builder.index}"
        with open_source(builder, self.place, storage_options=dict(self.storage_options) or None) as files:
            return files.fingerprint() + builder.index

    def _published(self, start: int, shards: Shards) -> Iterator[Item]:
        for split in self.splits:
            files, counts = shards[split]
            if start >= sum(counts):
                start -= sum(counts)
                continue
            for row in parquet_rows(files, counts, start, options=self.storage_options):
                yield split, row
            start = 0

    def _own(self, start: int) -> Iterator[Item]:
        builder = registry.get(self.member.name)
        assert self.place is not None
        report = self.report
        report.restart()
        self.told.looked[self.key] = self.told.duplicates[self.key] = 0
        seen: set[str] = set()
        with open_source(builder, self.place, storage_options=dict(self.storage_options) or None) as files:
            files.quarantine = self.lenient or self.dataset.bad_files == "quarantine"
            for row in drafts(builder, files, self.member.config):
                take_told(files, report)
                if isinstance(row, Skipped):
                    report.skip(row.file.path, row.reason)
                    continue
                if row.config != self.member.config or row.split not in self.splits:
                    report.elsewhere[row.config, row.split] += 1
                    continue
                if row.id in seen:
                    self._bad(row, DuplicateIdError(f"two rows have the id {row.id!r}"))
                    continue
                seen.add(row.id)
                if start:
                    start -= 1
                    continue
                yield row.split, row
            take_told(files, report)
            if not seen and not report.elsewhere:
                raise files.barren(report.reasons())
        every = not self.lenient and self.told.looked[self.key] == len(seen)
        if every and seen and not report.rows and not self.told.duplicates[self.key]:
            raise SourceError(
                f"none of its {len(seen):,} rows can be used ({report.reasons()})",
                dataset=self.key,
                next_step="mend the source, or leave the member out.",
            )
        report.finished = True
        self._tell()

    def _tell(self) -> None:
        """Say once what was left out; of several workers only the first one does."""
        torch = sys.modules.get("torch")
        worker = torch.utils.data.get_worker_info() if torch is not None else None
        if not self.lenient and (worker is None or worker.id == 0):
            self.report.warn()

    @property
    def report(self) -> LoadReport:
        """What of the member is no row, as far as it has been read."""
        return self.told.left_out.setdefault(self.key, LoadReport(self.member.name, self.member.config))

    def _bad(self, row: Row, error: Exception) -> None:
        """One bad row: told where the declaration says to go on.

        Raises:
            MedimgError: it says to stop, or reading it needs an extra.
        """
        file = naming_file(row)
        problem = named(error, dataset=self.member.name, file=file.path)
        stop = self.dataset.bad_files == "stop" and not self.lenient and not isinstance(problem, PrivacyError)
        if stop or isinstance(problem, MissingExtraError):  # what is not installed is no fault of a file
            raise problem from error.__cause__ if problem is error else error
        self.report.skip(file.path, quarantined(file, problem).reason)

    def wants(self, item: Item) -> bool:
        """Whether a row belongs to the fused set, told without its pixels."""
        return self.id(item) not in self.dropped and not self.refusal(item)

    def refusal(self, item: Item) -> str:
        """Why a row is not what was asked for, told without its pixels; empty where it is."""
        _, row = item
        about = row if isinstance(row, dict) else self.outline(row)
        modality, terms = about["modality"], about["license"]
        if self.request.modality and modality and not kind_of(modality, self.request.modality, vocab.modality):
            return f"its modality is {modality}, asked for: {', '.join(self.request.modality)}"
        if self.request.license_terms and not licenses.allowed(terms, self.request.license_terms):
            return f"its license {terms} does not meet: {', '.join(self.request.license_terms)}"
        if self.request.unlabeled or self.harmonizer.tells(Facts.of(about["label"]), about["label"]):
            return ""
        targets = (*self.harmonizer.targets, *self.harmonizer.measures)
        if not targets:
            return "has no label of the tasks asked for"
        named = ", ".join(targets) if len(targets) <= SHOWN else f"any of the {len(targets)} targets"
        return f"says nothing on {named}"

    def read(self, row: Row) -> dict[str, Any]:
        """A row of one's own copy as it is stored.

        Raises:
            MedimgError: it cannot be read.
        """
        record = materialize(self.dataset, row, "miniature" if self.request.source == MINIATURE else "source")
        self.report.private.update(dict.fromkeys(record.private, 1))
        for text in (*left_out(record.image), *left_out(record.mask)):
            self.report.lack(naming_file(row).path, text)
        return plain(record.values)

    def expand(self, item: Item) -> Iterator[Item]:
        """The wanted rows that an item becomes, with pixels as they are stored: none, one, or its slices."""
        self.told.looked[self.key] += 1
        row = self._wanted(item)
        if row is not None:
            self.report.rows[item[0]] += 1
        if row is not None and self.request.grid.slices is None:
            yield item[0], row
        elif row is not None:
            for piece in self.request.grid.rows(self._fused(item[0], row), self.member.dimension, self.harmonizer):
                yield item[0], piece
        if self.place is None and self.told.looked[self.key] == self.rows:
            self.report.finished = True
            self._tell()

    def _wanted(self, item: Item) -> dict[str, Any] | None:
        """The row as it is stored, if it belongs to the set and can be read; the report gets the reason if not."""
        if self.place is None and self.report.finished:  # another epoch
            self.report.restart()
            self.told.looked[self.key], self.told.duplicates[self.key] = 1, 0
        if self.id(item) in self.dropped:
            self.told.duplicates[self.key] += 1
            return None
        _, row = item
        try:
            reason = self.refusal(item)
            if not reason:
                stored = row if isinstance(row, dict) else self.read(row)
                reason = self.request.grid.refusal(stored, self.member.dimension)
        except (MedimgError, *SOURCE_FAULTS) as error:
            if isinstance(row, dict):
                raise
            self._bad(row, error)
            return None
        if reason:
            self.report.skip(self.id(item), reason)
            return None
        return stored

    def finish(self, item: Item) -> dict[str, Any] | None:
        """The row with the columns `fused` and `provenance`, on the asked grid; None where the grid drops it."""
        split, row = item
        assert isinstance(row, dict)
        if self.request.grid.slices is not None:
            return row
        return next(self.request.grid.rows(self._fused(split, row), self.member.dimension), None)

    def _fused(self, split: str, row: dict[str, Any]) -> dict[str, Any]:
        targets = ", ".join(self.harmonizer.targets)
        merged: list[dict[str, Any]] = []
        if self.donors is None or not self.donors.of(row["id"]):
            fused, terms = self.harmonizer(row, self.member.dimension), row["license"]
        else:
            fused, merged, terms, contradictions = with_donors(self.donors, self.harmonizer, row, self.member.dimension)
            self.told.contradict(contradictions)
            self.told.unmerged |= {each["id"]: each["problem"] for each in merged if each["problem"]}
        return {
            **row,
            "license": terms,
            "fused": fused,
            "provenance": {
                "member": self.member.name,
                "config": self.member.config,
                "split": split,
                "split_fused": split_fused(split),
                "operations": [f"labels: {self.harmonizer.encoding} of {targets}"] if targets else [],
                "merged": merged,
            },
        }

    def id(self, item: Item) -> str:
        """The id that the row is stored under."""
        _, row = item
        if isinstance(row, dict):
            return str(row["id"])
        return f"{self.member.name}/{row.config}/{row.id}" if self.dataset.configs else f"{self.member.name}/{row.id}"

    def terms(self, item: Item) -> str:
        """License id of a row."""
        _, row = item
        text = row["license"] if isinstance(row, dict) else self.outline(row)["license"]
        return licenses.UNKNOWN if licenses.get(text).per_row else str(text)

    def outline(self, row: Row) -> dict[str, Any]:
        """What the row will be stored as, without its pixels, of which nothing is known."""
        dataset, label = self.dataset, row.label
        legend = {} if label.mask is None else dataset.legend if label.legend is None else label.legend
        return {
            "id": self.id(("", row)),
            "content": "",
            "subject": row.subject,
            "modality": row.modality,
            "license": row.license or self.member.license,
            "label": {
                **label.model_dump(include={"classes", "uncertain", "boxes", "points", "measures", "instances"}),
                "legend": [{"value": value, "names": names} for value, names in legend.items()],
                "assessed": list(looked_for(dataset, label, legend)),
            },
        }


def rows_of(
    member: Member,
    request: Request,
    harmonizer: Harmonizer,
    *,
    manifests: Manifests,
    storage_options: Mapping[str, Any] | None = None,
) -> Rows:
    """How to read a member of a plan.

    Raises:
        MedimgError: the Hub has no such dataset.
    """
    place = miniature(member.name) if request.source == MINIATURE else member.place
    splits = tuple(split.split for split in member.splits)
    rows = Rows(member, request, harmonizer, splits, place, dict(storage_options or {}))
    if place is not None:
        return rows
    manifest = manifests.get(member.name)
    if manifest is None:
        raise HubError(
            f"{manifests.namespace}/{member.name} cannot be read from the Hub",
            dataset=member.name,
            next_step="check the connection and the namespace, or pass source=<root with the originals>.",
        )
    root = f"hf://datasets/{manifests.namespace}/{member.name}"
    config = manifest.config(member.config)
    published = config.splits if config else {}

    def addresses(kind: Literal["shards", "metadata"]) -> Shards:
        found = {split: getattr(stats, kind) for split, stats in published.items()}
        return {
            split: (tuple(f"{root}/{shard.path}" for shard in shards), tuple(shard.rows for shard in shards))
            for split, shards in found.items()
        }

    content = {split: [shard.sha256 for shard in stats.shards] for split, stats in published.items()}
    return replace(
        rows,
        splits=tuple(split for split in splits if split in published),
        shards=addresses("shards"),
        metadata=addresses("metadata"),
        digest=hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
    )
