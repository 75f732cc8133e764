"""`medimg.load`: the same rows from the user's own copy, or from the Hub."""

from __future__ import annotations

import atexit
import functools
import glob
import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medimg import __version__, hub, imports, registry
from medimg.declaration import BadFiles, Dataset
from medimg.errors import (
    EmptySplitError,
    HubError,
    MedimgError,
    SourceError,
    SourceRequiredError,
    UnknownDatasetError,
    disk_full,
)
from medimg.files import Files, Limits
from medimg.files.names import lower_suffix
from medimg.licenses import Verdict
from medimg.manifest import Origin
from medimg.phantom import Phantom
from medimg.pixels import Image
from medimg.registry import Builder
from medimg.report import LoadReport, MedimgWarning
from medimg.rows import encoded, iterate
from medimg.schema import Skipped, features

if TYPE_CHECKING:
    import datasets

NAMESPACE = "medimg"
OFFICIAL = "official"
MINIATURE = "miniature"
MINIATURE_BYTES = 20 << 20
"""Room that any phantom copy fits into."""
REPORT = "medimg-report.json"
"""What a load left out, beside the rows in the `datasets` cache."""
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def load(
    name: str,
    config: str | None = None,
    *,
    source: str | os.PathLike[str] | None = None,
    split: str | None = None,
    streaming: bool = False,
    namespace: str = NAMESPACE,
    storage_options: dict[str, Any] | None = None,
    bad_files: BadFiles | None = None,
    **kwargs: Any,
) -> datasets.Dataset | datasets.IterableDataset | datasets.DatasetDict | datasets.IterableDatasetDict:
    """Load a dataset in the one schema.

    With a source, the result has the attribute `report`, a `medimg.report.LoadReport`: rows by split, files that are no
    row and rows that lack something, with counts by reason. With `streaming` it fills while the rows are read (in the
    process that reads them) and is complete at the end; without, it is complete at once and lies beside the cache. A
    dictionary of splits has one on each split. What was left out is also told once, as a `MedimgWarning`.

    Args:
        name: slug or alias; `medimg.names()` lists the slugs.
        config: sub-collection, e.g. "pathmnist" of medmnist-v2; None takes the only one or the Hub's default.
        source: the original files: a folder, an archive, or an fsspec URL of either; "official" takes the declared
            addresses, "miniature" phantoms in the original layout. None loads the published Parquet from the Hub
            through plain `datasets`.
        split: e.g. "train", "train+test" or (without `streaming`) "train[:5]"; None gives all splits as a dictionary.
        streaming: rows on the fly. Without it the rows are written to the `datasets` cache once.
        namespace: organization on the Hub, where no source is given.
        storage_options: for fsspec, where the source is a URL.
        bad_files: "quarantine" leaves rows out that cannot be read, and tells; "stop" raises. None takes the
            declaration's.
        kwargs: passed on to `datasets.load_dataset`, where no source is given.

    Raises:
        UnknownDatasetError: no such dataset, config or split.
        SourceRequiredError: the data may not be redistributed, so a source is needed; says where to get it.
        HubError: no source is given, and the Hub does not answer.
        SourceError: the source has no row of what was asked for; says why (with `streaming`, when it is read).
    """
    builder = registry.get(name)
    dataset = builder.dataset
    if source is None:
        if dataset.publish is Verdict.RECIPE:
            raise source_required(dataset)
        hub.check()
        import datasets
        from datasets.exceptions import DataFilesNotFoundError

        repo = f"{namespace}/{dataset.name}"
        try:
            return datasets.load_dataset(repo, config, split=split, streaming=streaming, **kwargs)
        except DataFilesNotFoundError as error:
            raise HubError(
                f"the repository {repo} holds no data",
                dataset=dataset.name,
                next_step=f"its page says why. {_passed(dataset)}",
            ) from error
    if kwargs:
        raise TypeError(f"unexpected arguments with a source: {', '.join(kwargs)}")
    if bad_files not in (None, "stop", "quarantine"):
        raise ValueError(f'bad_files is "stop" or "quarantine", not {bad_files!r}')
    if config is None and len(dataset.config_names) > 1:
        raise UnknownDatasetError(
            f"{dataset.name} has {len(dataset.config_names)} configs",
            dataset=dataset.name,
            next_step=f"name one: {', '.join(dataset.config_names)}",
        )
    config = config or dataset.config_names[0]
    if config not in dataset.config_names:
        raise UnknownDatasetError(
            f"there is no config {config!r}",
            dataset=dataset.name,
            next_step=f"one of: {', '.join(dataset.config_names)}",
        )
    call = _Call(builder, config, os.fspath(source), storage_options, bad_files)
    call.check()
    splits = list(dataset.config(config).splits)
    if split is not None:
        return call.some(split, splits, streaming)
    return call.every(splits, streaming)


@dataclass(frozen=True)
class _Call:
    """One `load` from a source."""

    builder: Builder
    config: str
    source: str
    storage_options: dict[str, Any] | None
    bad_files: BadFiles | None

    @property
    def dataset(self) -> Dataset:
        return self.builder.dataset

    @property
    def features(self) -> datasets.Features:
        return features(self.dataset.config(self.config).dimension or self.dataset.dimension)

    def check(self) -> None:
        """Refuse a source that is not there."""
        with open_source(self.builder, self.source, storage_options=self.storage_options):
            return

    def some(self, split: str, known: list[str], streaming: bool) -> Any:
        """The rows of a split, or of what `datasets` makes of several splits and slices."""
        if split in known:
            return self.one(split, streaming)
        import datasets

        try:
            spec = datasets.ReadInstruction.from_spec(split)
            asked = [part.splitname for part in spec.to_absolute(dict.fromkeys(known, 1))]
        except (AssertionError, ValueError) as error:
            raise UnknownDatasetError(
                f"there is no split {split!r}",
                dataset=self.dataset.name,
                next_step=f"one of: {', '.join(known)}",
            ) from error
        if streaming:
            if "[" in split:
                raise UnknownDatasetError(
                    f"streaming cannot slice ({split!r}), as rows are not counted",
                    dataset=self.dataset.name,
                    next_step='use .take(n) and .skip(n) of the rows of split="..."',
                )
            return _joined([self.one(name, True) for name in asked])
        whole = {name: self.one(name, False) for name in dict.fromkeys(asked)}
        parts = []
        for part in spec.to_absolute({name: len(rows) for name, rows in whole.items()}):
            rows = whole[part.splitname]
            parts.append(_with_report(rows.select(range(part.from_, part.to)), rows.report))
        return _joined(parts)

    def every(self, splits: list[str], streaming: bool) -> Any:
        """All splits; without streaming, those that have rows."""
        import datasets

        if streaming:
            return datasets.IterableDatasetDict({split: self.one(split, True) for split in splits})
        found: dict[str, datasets.Dataset] = {}
        empty: list[SourceError] = []
        for split in splits:
            try:
                found[split] = self.one(split, False)
            except EmptySplitError as error:
                empty.append(error)
        if not found:
            raise empty[0]
        for problem in empty:
            warnings.warn(str(problem), MedimgWarning, stacklevel=1)
        return datasets.DatasetDict(found)

    def one(self, split: str, streaming: bool) -> Any:
        """The rows of one split."""
        report = LoadReport(self.dataset.name, self.config)
        arguments = {
            "name": self.builder.address,
            "config": self.config,
            "source": self.source,
            "split": split,
            "storage_options": self.storage_options,
            "bad_files": self.bad_files,
            "report": report,
        }
        return _with_report(self._stream(arguments) if streaming else self._store(arguments), report)

    def _stream(self, arguments: dict[str, Any]) -> datasets.IterableDataset:
        import datasets

        from medimg import held

        return datasets.IterableDataset.from_generator(
            generate,
            features=held.Features(self.features),
            gen_kwargs={**arguments, "hold": True},
            split=datasets.NamedSplit(arguments["split"]),
        )

    def _store(self, arguments: dict[str, Any]) -> datasets.Dataset:
        """Written to the cache once for a source, the code that reads it and the arguments."""
        import datasets
        from datasets.exceptions import DatasetGenerationError

        report: LoadReport = arguments["report"]
        with open_source(self.builder, self.source, storage_options=self.storage_options) as files:
            state = [files.fingerprint(), __version__, self.builder.index, self.bad_files, arguments["split"]]
        state.append(imports.written(self.builder.source_module, "medimg.rows"))
        state += [self.builder.address, self.config]
        key = hashlib.sha256(json.dumps(state).encode()).hexdigest()[:32]
        try:
            rows = datasets.Dataset.from_generator(
                generate,
                features=self.features,
                gen_kwargs=arguments,
                split=datasets.NamedSplit(arguments["split"]),
                fingerprint=key,
                # The stock writer buffers 1000 examples, whatever their size.
                writer_batch_size=64 if self.features["image"] == datasets.Image() else 1,
            )
        except (DatasetGenerationError, OSError) as error:
            if isinstance(error.__cause__, MedimgError):
                raise error.__cause__ from None
            cache = Path(datasets.config.HF_DATASETS_CACHE)
            full = disk_full(error, dataset=self.builder.name, folder=cache)
            if full is None:
                raise
            full.next_step = (
                f"Make room there, or set HF_DATASETS_CACHE (now {cache}) to a folder on a disk that has room for all "
                "decoded rows; streaming=True needs none."
            )
            raise full from error
        kept = Path(rows.cache_files[0]["filename"]).parent / REPORT
        if report.finished:
            kept.write_text(json.dumps(report.to_json()), "utf-8")
        elif kept.exists():
            vars(report).update(vars(LoadReport.from_json(json.loads(kept.read_text("utf-8")))))
            report.told = False
            report.warn()
        return rows


def _with_report(rows: Any, report: LoadReport | list[LoadReport]) -> Any:
    rows.report = report
    return rows


def _joined(parts: list[Any]) -> Any:
    """Rows one after the other; the report of several is a list."""
    if len(parts) == 1:
        return parts[0]
    import datasets

    return _with_report(datasets.concatenate_datasets(parts), [part.report for part in parts])


def open_source(
    builder: Builder, source: str | os.PathLike[str], *, storage_options: dict[str, Any] | None = None
) -> Files:
    """The view on a source: folder, archive, URL, "official" for the declared addresses, "miniature" for phantoms.

    Files of a declared digest are compared with it before they are used, once; phantoms are not (`Files.checks`).

    Raises:
        SourceRequiredError: "official" was asked for and the declaration has no address that can be fetched.
        SourceError: the source is not there or not readable.
    """
    dataset = builder.dataset
    if str(source) == OFFICIAL:
        declared = [each for each in dataset.sources if each.kind == "file"]
        if not declared:
            raise source_required(dataset)
        return Files.open(
            declared,
            dataset=dataset.name,
            storage_options=storage_options,
            limits=limits_of(dataset),
            verify=True,
        )
    if str(source) == MINIATURE:
        return Files.open(miniature(builder.address), dataset=dataset.name, limits=limits_of(dataset))
    return Files.open(
        os.fspath(source),
        dataset=dataset.name,
        storage_options=storage_options,
        limits=limits_of(dataset),
        sources=dataset.sources,
        verify=True,
    )


def limits_of(dataset: Dataset) -> Limits:
    """What the files of a dataset may expand to: more where the declaration says how large its images are."""
    if dataset.largest is None:
        return Limits()
    return Limits(decoded=max(dataset.largest, Limits().decoded), pixels=max(dataset.largest, Limits().pixels))


def origin_of(source: str) -> Origin:
    """What rows of this source are: of phantoms, of the declared addresses, or of somebody's copy."""
    return "miniature" if source == MINIATURE else "official" if source == OFFICIAL else "source"


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="medimg-miniatures-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def miniature(name: str) -> str:
    """A phantom copy of a dataset in a temporary folder that lives as long as this process.

    Its files are as old as its code says, so that what was learned of them holds in the next process.
    """
    builder = registry.get(name)
    try:
        folder = _folder() / builder.name
        builder.miniature(Phantom(folder))
    except OSError as error:
        full = disk_full(error, dataset=builder.name)
        raise error if full is None else full.needing(MINIATURE_BYTES) from error
    age = int(imports.written(builder.source_module, "medimg.phantom")[:7], 16)
    for file in folder.rglob("*"):
        os.utime(file, (age, age))
    return str(folder)


def locate_source(root: str, name: str) -> str | None:
    """The dataset's place below a source root: a folder or an archive of that name; None where there is none."""
    if "://" in root:
        return f"{root.rstrip('/')}/{name}"
    base = Path(root).expanduser()
    for candidate in (base / name, *(base / f"{name}{suffix}" for suffix in ARCHIVES)):
        if candidate.exists():
            return str(candidate)
    wanted = {f"{name}{suffix}" for suffix in ARCHIVES}
    found = [each for each in base.glob(f"{glob.escape(name)}.*") if lower_suffix(each.name) in wanted]
    return str(found[0]) if len(found) == 1 else None


def source_required(dataset: Dataset) -> SourceRequiredError:
    """The error that says where to register, what to download and what to pass."""
    why = (
        f"its license ({dataset.license}) does not allow redistribution"
        if dataset.publish is Verdict.RECIPE
        else "it has no address that can be fetched without a person"
    )
    how = (dataset.how or "Download the original").strip().rstrip(".")
    if "http" not in how:
        how = f"{how}: {dataset.homepage}"
    return SourceRequiredError(
        f"this dataset is not downloaded for you: {why}.",
        dataset=dataset.name,
        next_step=f"{how}. {_passed(dataset)}",
    )


def _passed(dataset: Dataset) -> str:
    """How one's own copy is loaded."""
    own = f', "{dataset.config_names[0]}"' if dataset.configs else ""
    return f'Your own copy is passed so: medimg.load("{dataset.name}"{own}, source="<folder or archive>").'


def generate(
    name: str,
    config: str,
    source: str,
    split: str,
    storage_options: dict[str, Any] | None = None,
    bad_files: BadFiles | None = None,
    report: LoadReport | None = None,
    hold: bool = False,
) -> Iterator[dict[str, Any]]:
    """Rows of one split as plain dictionaries; the generator behind `load`.

    Pictures are bytes, or with `hold` what `medimg.held.Features` makes pictures of.
    """
    if hold:
        from medimg import held
    builder = registry.get(name)
    report = LoadReport(builder.name, config) if report is None else report
    with open_source(builder, source, storage_options=storage_options) as files:
        for record in iterate(
            builder,
            files,
            origin=origin_of(source),
            config=config,
            splits=[split],
            report=report,
            bad_files=bad_files,
            encode=held.held if hold else _stored,
        ):
            if isinstance(record, Skipped):
                continue
            row = dict(record.values)
            yield row
            if hold:
                held.let_go(row)
    report.warn()


def plain(values: Any) -> dict[str, Any]:
    """A record's values with pixel buffers as `bytes`, which is what `datasets` encodes."""
    label = {key: _pixels(value) if key in ("mask", "target") else value for key, value in values["label"].items()}
    return {**values, "image": _pixels(values["image"]), "label": label}


def _pixels(value: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else {"bytes": bytes(value["bytes"]), "path": value["path"]}


def _stored(image: Image, name: str) -> dict[str, Any]:
    """Pixels as `datasets` encodes them. Without a path, as the stock features would read a file of that name."""
    return {"bytes": bytes(encoded(image, name)["bytes"]), "path": None}
