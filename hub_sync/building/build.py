"""Build one dataset in one pass: shards, metadata, preview, counts and findings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from medimg import layout, privacy
from medimg.cards import pictures
from medimg.declaration import Dataset
from medimg.errors import MedimgError
from medimg.files import Files
from medimg.hub_sync import manifests
from medimg.hub_sync.building.checks import RowChecks
from medimg.hub_sync.building.counts import Counts
from medimg.hub_sync.building.gallery import Gallery, preview_rows, write_pictures
from medimg.hub_sync.building.sent import Written
from medimg.hub_sync.building.shards import PORTION_SHARDS, SHARD_BYTES, SplitWriter
from medimg.hub_sync.building.splits import SplitFiles
from medimg.manifest import ConfigStats, Finding, Manifest, Origin, Shard
from medimg.registry import Builder
from medimg.report import LoadReport
from medimg.rows import Record, Step, iterate
from medimg.schema import Skipped

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


def build(
    builder: Builder,
    files: Files,
    folder: Path,
    *,
    origin: Origin,
    fingerprint: Mapping[str, str],
    shard_bytes: int = SHARD_BYTES,
    on_shard: Callable[[Path], object] = lambda path: None,
    on_row: Progress = lambda rows, size: None,
    made: Iterable[Step] | None = None,
    elsewhere: Callable[[tuple[str, str]], Sequence[tuple[Path, Shard]]] = lambda place: (),
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
        made: the rows, where they are made elsewhere.
        elsewhere: the shards of a split (config and name) that were written there, too; asked when all rows have come.

    Raises:
        MedimgError: the source is not what the declaration says; nothing is published then.
    """
    dataset = builder.dataset
    checks = RowChecks(dataset)
    words = privacy.Words(builder.source_module)
    counts = {name: Counts() for name in dataset.config_names}
    gallery = Gallery(lambda place: preview_rows(dataset))
    splits: dict[tuple[str, str], SplitFiles] = {}
    report = LoadReport(dataset.name)
    portion_bytes = PORTION_SHARDS * shard_bytes
    with ExitStack() as stack, nullcontext() if made is None else _Behind() as behind:
        for record in iterate(builder, files, origin=origin, report=report, portion_bytes=portion_bytes, made=made):
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
            gallery.look(record, origin)
            if isinstance(record, Written):
                split.writer.tell(record.values)
                continue
            if behind is None:
                split.writer.add(record.values, record.portion)
            else:
                behind.add(split.writer, record)
            on_row(1, len(record.values["image"]["bytes"]))
            del record  # or this row would stay in memory while the next one is read
    for place, split in splits.items():
        split.shards.extend(elsewhere(place))
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


class _Behind(ThreadPoolExecutor):
    """Writes a row while the next one comes: compression takes as long as decoding, which others do then."""

    def __init__(self) -> None:
        super().__init__(1, "write")
        self._last: Future[None] | None = None

    def add(self, writer: SplitWriter, record: Record) -> None:
        """Take a row when the one before it is written; raises what that raised."""
        if self._last is not None:
            self._last.result()
        self._last = self.submit(writer.add, record.values, record.portion)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if kind is None and self._last is not None:
            self._last.result()


def splits_rows(splits: Mapping[tuple[str, str], SplitFiles]) -> dict[tuple[str, str], int]:
    """Rows found per (config, split), published or withheld."""
    return {key: split.rows + split.withheld for key, split in splits.items()}


def _open(
    stack: ExitStack,
    dataset: Dataset,
    key: tuple[str, str],
    folder: Path,
    shard_bytes: int,
    on_shard: Callable[[Path], object],
) -> SplitFiles:
    config, name = key
    declared = dataset.config(config).splits
    if name not in declared:
        raise MedimgError(
            f"the builder yielded split {name!r}, the declaration knows {sorted(declared)}",
            dataset=dataset.name,
        )
    dimension = dataset.config(config).dimension or dataset.dimension
    return SplitFiles.open(stack, folder, key, dimension, on_shard, shard_bytes=shard_bytes)


def _finish(
    dataset: Dataset,
    folder: Path,
    origin: Origin,
    fingerprint: Mapping[str, str],
    splits: Mapping[tuple[str, str], SplitFiles],
    counts: Mapping[str, Counts],
    gallery: Gallery,
    report: LoadReport,
    findings: tuple[Finding, ...],
    told: LoadReport,
) -> Built:
    files: dict[str, Path] = {}
    configs = []
    for name in dataset.config_names:
        stats = {
            each: splits[(name, each)].placed(name, each, files)
            for each in dataset.config(name).splits
            if (name, each) in splits
        }
        if stats:
            dimension = dataset.config(name).dimension or dataset.dimension
            ordered = {key: dict(sorted(each.items())) for key, each in counts[name].values.items()}
            measured = counts[name].measures.result()
            configs.append(ConfigStats(name=name, dimension=dimension, splits=stats, measured=measured, **ordered))
    manifest = manifests.made(
        dataset.name,
        origin,
        fingerprint,
        configs=tuple(configs),
        skipped=manifests.by_reason(report.skipped),
        incomplete=manifests.by_reason(report.incomplete),
        private=dict(sorted(report.private.items())),
        findings=findings,
    )
    if gallery.tiles:
        manifest = _with_pictures(manifest, gallery, folder, files)
    return Built(manifest, files, told)


def _with_pictures(manifest: Manifest, gallery: Gallery, folder: Path, files: dict[str, Path]) -> Manifest:
    drawn = {layout.STATISTICS_PATH: pictures.statistics(manifest)}
    preview, assets = write_pictures(gallery, folder, files, dataset=manifest.name, drawn=drawn)
    return manifests.with_pictures(manifest, preview, assets)
