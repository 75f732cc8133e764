"""`medimg.load`: the same rows from the user's own copy, or from the Hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medimg import registry
from medimg.declaration import Dataset
from medimg.errors import SourceRequiredError, UnknownDatasetError
from medimg.files import Files
from medimg.licenses import Verdict
from medimg.registry import Builder
from medimg.rows import iterate
from medimg.schema import Skipped, features

if TYPE_CHECKING:
    import datasets

NAMESPACE = "medimg"
OFFICIAL = "official"
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
    **kwargs: Any,
) -> datasets.Dataset | datasets.IterableDataset | datasets.DatasetDict | datasets.IterableDatasetDict:
    """Load a dataset in the one schema.

    Args:
        name: slug or alias; `medimg.names()` lists the slugs.
        config: sub-collection, e.g. "pathmnist" of medmnist-v2; None takes the only one or the Hub's default.
        source: the original files: a folder, an archive, or an fsspec URL of either; "official" takes the declared
            addresses. None loads the published Parquet from the Hub through plain `datasets`.
        split: e.g. "train"; None gives all splits as a dictionary.
        streaming: rows on the fly. Without it the rows are written to the `datasets` cache once.
        namespace: organization on the Hub, where no source is given.
        storage_options: for fsspec, where the source is a URL.
        kwargs: passed on to `datasets.load_dataset`, where no source is given.

    Raises:
        UnknownDatasetError: no such dataset, config or split.
        SourceRequiredError: the data may not be redistributed, so a source is needed; says where to get it.
    """
    builder = registry.get(name)
    dataset = builder.dataset
    if source is None:
        if dataset.publish is Verdict.RECIPE:
            raise source_required(dataset)
        import datasets

        return datasets.load_dataset(
            f"{namespace}/{dataset.name}", config, split=split, streaming=streaming, **kwargs
        )
    if kwargs:
        raise TypeError(f"unexpected arguments with a source: {', '.join(kwargs)}")
    if config is None and len(dataset.config_names) > 1:
        raise UnknownDatasetError(
            f"{dataset.name} has {len(dataset.config_names)} sub-collections",
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
    splits = list(dataset.config(config).splits)
    if split is not None and split not in splits:
        raise UnknownDatasetError(
            f"there is no split {split!r}", dataset=dataset.name, next_step=f"one of: {', '.join(splits)}"
        )
    arguments = {
        "name": builder.address,
        "config": config,
        "source": str(source),
        "storage_options": storage_options,
        "fingerprint": "",
    }
    with open_source(builder, source, storage_options=storage_options) as files:
        if not streaming:
            arguments["fingerprint"] = files.fingerprint()
    make = _stream if streaming else _download
    if split is not None:
        return make(dataset, arguments, split)
    import datasets

    every = {each: make(dataset, arguments, each) for each in splits}
    return datasets.IterableDatasetDict(every) if streaming else datasets.DatasetDict(every)


def open_source(
    builder: Builder, source: str | os.PathLike[str], *, storage_options: dict[str, Any] | None = None
) -> Files:
    """The view on a source: folder, archive, URL, or "official" for the declared addresses.

    Raises:
        SourceRequiredError: "official" was asked for and the declaration has no address that can be fetched.
        SourceError: the source is not there or not readable.
    """
    dataset = builder.dataset
    if str(source) == OFFICIAL:
        declared = [each for each in dataset.sources if each.kind == "file"]
        if not declared:
            raise source_required(dataset)
        return Files.open(declared, dataset=dataset.name, storage_options=storage_options)
    text = os.fspath(source)
    if "://" not in text and "::" not in text:
        text = str(Path(text).expanduser())
    return Files.open(text, dataset=dataset.name, storage_options=storage_options, sources=dataset.sources)


def locate_source(root: str, name: str) -> str | None:
    """The dataset's place below a source root: a folder or an archive of that name; None where there is none."""
    if "://" in root:
        return f"{root.rstrip('/')}/{name}"
    base = Path(root).expanduser()
    for candidate in (base / name, *(base / f"{name}{suffix}" for suffix in ARCHIVES)):
        if candidate.exists():
            return str(candidate)
    return None


def source_required(dataset: Dataset) -> SourceRequiredError:
    """The error that says where to register, what to download and what to pass."""
    why = (
        f"its license ({dataset.license}) does not allow redistribution"
        if dataset.publish is Verdict.RECIPE
        else "it has no address that can be fetched without a person"
    )
    how = dataset.how or (
        f"Download the original from {dataset.homepage} and pass it: "
        f'medimg.load("{dataset.name}", source="<folder or archive>").'
    )
    return SourceRequiredError(
        f"this dataset is not downloaded for you: {why}.", dataset=dataset.name, next_step=how
    )


def generate(
    name: str,
    config: str,
    source: str,
    split: str,
    storage_options: dict[str, Any] | None = None,
    fingerprint: str = "",
) -> Iterator[dict[str, Any]]:
    """Rows of one split as plain dictionaries; the generator behind `load`."""
    builder = registry.get(name)
    with open_source(builder, source, storage_options=storage_options) as files:
        for record in iterate(builder, files, config=config, splits=[split]):
            if not isinstance(record, Skipped):
                yield _pathless(plain(record.values))


def plain(values: Any) -> dict[str, Any]:
    """A record's values with pixel buffers as `bytes`, which is what `datasets` encodes."""
    label = {
        key: _pixels(value) if key in ("mask", "target") else value for key, value in values["label"].items()
    }
    return {**values, "image": _pixels(values["image"]), "label": label}


def _pathless(row: dict[str, Any]) -> dict[str, Any]:
    """Without paths: the stock features would read a file of that name in the working folder instead of the bytes."""
    for holder in (row, row["label"]):
        for key in ("image", "mask", "target"):
            if holder.get(key) is not None:
                holder[key] = {**holder[key], "path": None}
    return row


def _pixels(value: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else {"bytes": bytes(value["bytes"]), "path": value["path"]}


def _stream(dataset: Dataset, arguments: dict[str, Any], split: str) -> datasets.IterableDataset:
    import datasets

    dimension = dataset.config(arguments["config"]).dimension or dataset.dimension
    return datasets.IterableDataset.from_generator(
        generate,
        features=features(dimension),
        gen_kwargs={**arguments, "split": split},
        split=datasets.NamedSplit(split),
    )


def _download(dataset: Dataset, arguments: dict[str, Any], split: str) -> datasets.Dataset:
    import datasets

    dimension = dataset.config(arguments["config"]).dimension or dataset.dimension
    return datasets.Dataset.from_generator(
        generate,
        features=features(dimension),
        gen_kwargs={**arguments, "split": split},
        split=datasets.NamedSplit(split),
        # The stock writer buffers 1000 examples, whatever their size.
        writer_batch_size=64 if dimension == "2d" else 1,
    )
