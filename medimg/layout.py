"""Where the files of a published repository stand, and the globs and features that its card declares.

The writer and the card agree because both ask here. A dataset without sub-collections has the configs
`default`, `metadata` and `preview`; one with sub-collections has one config each besides, and `default` joins
those that share the dataset's dimension and license.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medimg.declaration import Dataset
from medimg.errors import DeclarationError
from medimg.manifest import Manifest
from medimg.schema import features, metadata_features

if TYPE_CHECKING:
    from datasets import Features

CARD_PATH = "README.md"
CROISSANT_PATH = ".medimg/croissant.json"
"""In a hidden folder, which `load_dataset` never takes for data."""
FORMER_PATHS = ("croissant.json",)
"""What earlier versions wrote elsewhere, and nothing writes any more."""
PREVIEW_PATH = "preview/train.parquet"
PREVIEW_SPLIT = "train"
CONTACT_SHEET_PATH = "assets/contact_sheet.png"
STATISTICS_PATH = "assets/statistics.png"

DEFAULT = "default"
METADATA = "metadata"
PREVIEW = "preview"
NO_DATA: Mapping[str, Any] = {
    "configs": [{"config_name": DEFAULT, "data_files": []}],
    "viewer": False,
}
"""In the YAML of a card: the repository holds no data, whatever other files lie in it.

`load_dataset` then ends with `DataFilesNotFoundError: No (supported) data files found in <repository>`. Without it,
any JSON, text or picture in the repository would be taken for rows.
"""
RESERVED = (DEFAULT, METADATA, PREVIEW)
"""Hub configs that every dataset has; no sub-collection may take their names."""

Holding = Mapping[str, Sequence[str]]
"""Sub-collection (`default` where there are none) -> its splits that hold at least one published row."""

_CONFIG = re.compile(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*")
_SPLIT = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


def is_multi(dataset: Dataset) -> bool:
    """Whether the dataset has sub-collections."""
    return bool(dataset.configs)


def _folder(root: str, config: str, split: str) -> str:
    """`root` or `root/config`; both names are safe in a path, in a glob and for `load_dataset`.

    Raises:
        DeclarationError: a name would leave the folder, act as a glob or clash with `RESERVED`.
    """
    if not _SPLIT.fullmatch(split) or split == "all":
        raise DeclarationError(
            f"{split!r} cannot be the name of a split",
            next_step="Use letters, digits and underscores; not `all`.",
        )
    if config == DEFAULT:
        return root
    if not _CONFIG.fullmatch(config) or config in RESERVED:
        raise DeclarationError(
            f"{config!r} cannot be the name of a sub-collection",
            next_step=f"Use letters, digits and single . _ - between them; not {', '.join(RESERVED)}.",
        )
    return f"{root}/{config}"


def shard_path(config: str, split: str, index: int, count: int) -> str:
    """Path of one data shard, e.g. `data/train-00000-of-00012.parquet` or `data/<config>/train-…`."""
    return f"{_folder('data', config, split)}/{split}-{index:05d}-of-{count:05d}.parquet"


def shard_glob(config: str, split: str) -> str:
    """Glob that matches exactly the data shards of one split."""
    return f"{_folder('data', config, split)}/{split}-*"


def metadata_path(config: str, split: str) -> str:
    """Path of one metadata file, e.g. `metadata/train.parquet` or `metadata/<config>/train.parquet`."""
    return f"{_folder('metadata', config, split)}/{split}.parquet"


def published(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """Sub-collections and splits that hold at least one published row."""
    found = {
        config.name: tuple(split for split, stats in config.splits.items() if stats.rows) for config in manifest.configs
    }
    return {name: splits for name, splits in found.items() if splits}


def default_members(dataset: Dataset, holding: Holding) -> tuple[str, ...]:
    """Sub-collections that config `default` joins: those of the dataset's own dimension and license."""
    return tuple(
        name
        for name in dataset.config_names
        if name in holding
        and dataset.config(name).dimension == dataset.dimension
        and dataset.config(name).license == dataset.license
    )


def data_globs(dataset: Dataset, holding: Holding, *, preview: bool = True) -> dict[str, dict[str, list[str]]]:
    """Hub config -> split -> globs, in the order of the card; `default` first where there is one.

    Args:
        dataset: the declaration.
        holding: what is published; empty for a recipe, which has no configs at all.
        preview: whether there is a preview file.
    """
    names = [name for name in dataset.config_names if name in holding]

    def join(members: Sequence[str], path: str) -> dict[str, list[str]]:
        splits = list(dict.fromkeys(split for name in members for split in holding[name]))
        place = shard_glob if path == "data" else metadata_path
        return {split: [place(name, split) for name in members if split in holding[name]] for split in splits}

    globs: dict[str, dict[str, list[str]]] = {}
    if members := default_members(dataset, holding):
        globs[DEFAULT] = join(members, "data")
    if is_multi(dataset):
        globs |= {name: join([name], "data") for name in names}
    if names:
        globs[METADATA] = join(names, "metadata")
        if preview:
            globs[PREVIEW] = {PREVIEW_SPLIT: [PREVIEW_PATH]}
    return globs


def default_config(dataset: Dataset, holding: Holding) -> str | None:
    """What `load_dataset(repo)` takes: `default`, else the first sub-collection; None for a recipe."""
    return next(iter(data_globs(dataset, holding)), None)


def config_features(dataset: Dataset, hub_config: str) -> Features:
    """Stored features of one Hub config."""
    if hub_config == PREVIEW:
        return preview_features()
    if hub_config == METADATA:
        return metadata_features(dataset.dimension)  # equal for all dimensions: they differ in pixels alone
    if hub_config == DEFAULT:
        return features(dataset.dimension)
    return features(dataset.config(hub_config).dimension or dataset.dimension)


def preview_features() -> Features:
    """Stored features of config `preview`: one thumbnail per row, with the labels drawn on it."""
    from datasets import Features, Image, Value

    text = Value("string")
    return Features({"id": text, "dataset": text, "image": Image(), "caption": text})
