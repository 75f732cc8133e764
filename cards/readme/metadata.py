"""The YAML of a card, by which the Hub finds, filters, gates and loads a repository."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from huggingface_hub import DatasetCardData

from medimg import layout, licenses, policy, vocab
from medimg.declaration import Dataset
from medimg.licenses import License, Verdict
from medimg.manifest import Manifest, Shard, SplitStats
from medimg.text import clean, slug

if TYPE_CHECKING:
    from datasets import Features
    from datasets.info import DatasetInfosDict

    from medimg.fused_manifest import FusedManifest

Globs = Mapping[str, Mapping[str, Sequence[str]]]
"""Hub config -> split -> globs of its files; the first config is what `load_dataset` takes without a name."""

_SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")

HUB_TASKS: Mapping[str, tuple[str, str | None]] = {
    "segmentation": ("image-segmentation", "semantic-segmentation"),
    "instance segmentation": ("image-segmentation", "instance-segmentation"),
    "nuclear segmentation": ("image-segmentation", "instance-segmentation"),
    "detection": ("object-detection", None),
    "localization": ("object-detection", None),
    "landmark localization": ("keypoint-detection", None),
    "tracking": ("object-detection", None),
    "attention": ("other", None),
    "classification": ("image-classification", None),
    "multi-label classification": ("image-classification", "multi-label-image-classification"),
    "video classification": ("video-classification", None),
    "regression": ("other", None),
    "prediction": ("other", None),
    "longitudinal": ("other", None),
    "radiomics": ("image-feature-extraction", None),
    "repeatability": ("other", None),
    "genomics": ("other", None),
    "registration": ("image-to-image", None),
    "reconstruction": ("image-to-image", None),
    "stereo matching": ("depth-estimation", None),
    "enhancement": ("image-to-image", None),
    "super-resolution": ("image-to-image", "super-resolution"),
    "generation": ("unconditional-image-generation", None),
    "synthesis": ("image-to-image", None),
    "quality assessment": ("image-classification", None),
    "atlas construction": ("image-to-image", None),
    "VQA": ("visual-question-answering", "visual-question-answering"),
    "captioning": ("image-to-text", "image-captioning"),
    "retrieval": ("image-feature-extraction", None),
    "domain adaptation": ("other", None),
    "domain generalization": ("other", None),
}
"""Task of the vocabulary -> the Hub's task category and task id.

The Hub's values stand in huggingface/huggingface.js:packages/tasks/src/pipelines.ts. A task that is not here
takes its nearest ancestor's. The Hub has no category for regression on images, nor for prognosis: `other`.
"""

HUB_MODALITIES: Mapping[str, str] = {"2d": "image", "3d": "3d", "video": "video"}
"""Dimension -> tag from which the Hub makes a modality of its own."""
TOPIC_TAGS: Mapping[str, str] = {"modality": "medical-modality", "organ": "organ", "task": "task"}
"""Kind of vocabulary -> the first part of its tags. The Hub keeps `modality:` for its facet: image, text, tabular …"""

GATE_FIELDS: Mapping[str, str] = {
    "Name": "text",
    "Affiliation": "text",
    "Country": "country",
    "Intended use": "text",
    "I have read the license and agree to its terms": "checkbox",
}


def card_data(dataset: Dataset, manifest: Manifest | None) -> DatasetCardData:
    """The YAML of a dataset's card; of a recipe's where nothing is published."""
    holding = layout.published(manifest) if manifest is not None else {}
    globs: Globs = {}
    rows = sum(dataset.splits.values())
    if manifest is not None and holding:
        globs = layout.data_globs(dataset, holding, preview=manifest.preview is not None)
        rows = manifest.rows
    terms = {kind: dataset.every(kind) for kind in TOPIC_TAGS}
    data = _data(
        title=clean(dataset.title) or dataset.name,
        tags=[*(HUB_MODALITIES[dimension] for dimension in dataset.dimensions), *_topic_tags(terms)],
        tasks=terms["task"],
        rows=rows,
        license=_license(_stated(dataset, manifest), dataset.homepage),
        gate=_gate(f"{clean(dataset.title)} is published under", policy.gates(dataset, manifest), "source's"),
        globs=globs,
    )
    if manifest is not None and holding:
        stored = {
            config.name: {split: config.splits[split] for split in holding.get(config.name, ())}
            for config in manifest.configs
        }
        features = {name: layout.config_features(dataset, name) for name in globs}
        members = {name: _members(dataset, name, holding) for name in globs}
        previews = [manifest.preview] if manifest.preview else []
        _infos(globs, features, stored, members, previews).to_dataset_card_data(data)
    return data


def fused_card_data(manifest: FusedManifest, features: Mapping[str, Features]) -> DatasetCardData:
    """The YAML of a fused set's card.

    Args:
        manifest: what is published.
        features: stored features of each Hub config.
    """
    globs = fused_globs(manifest)
    terms = {kind: manifest.every(kind) for kind in TOPIC_TAGS}
    targets = [f"target:{slug(name)}" for name in manifest.targets]
    held = manifest.terms.members.values()
    gated = policy.gated(held) if manifest.terms.publish is Verdict.GATED else ()
    data = _data(
        title=clean(manifest.title),
        tags=["fused", HUB_MODALITIES[manifest.dimension], *_topic_tags(terms), *targets],
        tasks=manifest.plan["blueprint"]["task"] or terms["task"],
        rows=manifest.rows,
        # One adapted work carries the strictest terms; copies side by side each keep their own.
        license=_license({manifest.terms.strictest} if manifest.mode == "remapped" else set(held)),
        gate=_gate(f"{clean(manifest.title)} holds data under", gated, "sources'"),
        globs=globs,
    )
    every = tuple(manifest.configs)
    members = {name: every if name in (layout.DEFAULT, layout.METADATA) else (name,) for name in globs}
    infos = _infos(globs, features, manifest.configs, members, manifest.previews)
    infos.to_dataset_card_data(data)
    return data


def fused_globs(manifest: FusedManifest) -> dict[str, dict[str, list[str]]]:
    """Hub config -> split -> globs of a fused set's files; `default` joins all members."""
    found: dict[str, dict[str, list[str]]] = {layout.DEFAULT: {}}
    metadata: dict[str, list[str]] = {}
    for config, splits in manifest.configs.items():
        for split, stats in splits.items():
            found[layout.DEFAULT].setdefault(split, []).append(layout.shard_glob(config, split))
            metadata.setdefault(split, []).extend(shard.path for shard in stats.metadata)
            if config != layout.DEFAULT:
                found.setdefault(config, {})[split] = [layout.shard_glob(config, split)]
    previews = [shard.path for shard in manifest.previews]
    shown = {layout.PREVIEW: {layout.PREVIEW_SPLIT: previews}} if previews else {}
    return {**found, layout.METADATA: metadata, **shown}


def _data(
    *,
    title: str,
    tags: Iterable[str],
    tasks: Iterable[str],
    rows: int,
    license: Mapping[str, Any],
    gate: Mapping[str, Any],
    globs: Globs,
) -> DatasetCardData:
    categories, ids = hub_tasks(tasks)
    configs = [
        {
            "config_name": name,
            **({} if number else {"default": True}),
            "data_files": [
                {"split": split, "path": paths[0] if len(paths) == 1 else paths} for split, paths in splits.items()
            ],
        }
        for number, (name, splits) in enumerate(globs.items())
    ]
    return DatasetCardData(
        pretty_name=title,
        tags=list(dict.fromkeys(["medical", "medimg", *tags])),
        task_categories=categories,
        task_ids=ids or None,
        size_categories=[size_category(rows)] if rows else None,
        **license,
        **gate,
        **({"configs": configs} if configs else layout.NO_DATA),
    )


def hub_tasks(tasks: Iterable[str]) -> tuple[list[str], list[str]]:
    """The Hub's task categories and task ids; `other` only where there is nothing else."""
    categories: dict[str, None] = {}
    ids: dict[str, None] = {}
    for task in tasks:
        nearest: list[str] = [task]
        while nearest and not any(each in HUB_TASKS for each in nearest):
            nearest = [parent for each in nearest for parent in vocab.task[each].is_a]
        for each in nearest:
            category, id_ = HUB_TASKS.get(each, ("other", None))
            categories[category] = None
            if id_:
                ids[id_] = None
    if len(categories) > 1:
        categories.pop("other", None)
    return list(categories), list(ids)


def size_category(rows: int) -> str:
    """The Hub's size category."""
    place = len(str(rows)) - 3
    if place < 1:
        return "n<1K"
    return f"{_SIZES[place - 1]}<n<{_SIZES[place]}" if place < len(_SIZES) else "n>1T"


def _topic_tags(terms: Mapping[str, Iterable[str]]) -> list[str]:
    """Tags of modalities, organs and tasks, e.g. `medical-modality:ct`."""
    return [f"{TOPIC_TAGS[kind]}:{slug(name)}" for kind, names in terms.items() for name in names]


def _stated(dataset: Dataset, manifest: Manifest | None) -> set[str]:
    """Ids of the licenses of a repository: of its rows where these state their own and the Hub knows all of them."""
    if licenses.get(dataset.license).per_row and manifest is not None:
        of_rows = {id_ for config in manifest.configs for id_ in config.license}
        if of_rows and all(licenses.get(id_).hub != "other" for id_ in of_rows):
            return of_rows
    return {dataset.license}


def _license(ids: set[str], homepage: str | None = None) -> dict[str, Any]:
    hub = sorted({licenses.get(id_).hub for id_ in ids})
    if "other" not in hub:
        return {"license": hub[0] if len(hub) == 1 else hub}
    if len(ids) > 1:
        return {"license": "other", "license_name": "terms-of-the-members"}
    license = licenses.get(*ids)
    url = license.url or homepage
    named = {"license": "other", "license_name": slug(license.id.removeprefix("LicenseRef-"))}
    return named | ({"license_link": url} if url else {})


def _gate(opening: str, terms: Sequence[License], whose: str) -> dict[str, Any]:
    """What the Hub asks readers to agree to; nothing where there are no terms."""
    if not terms:
        return {}
    named = " and ".join(f"{clean(license.name)}{f' ({license.url})' if license.url else ''}" for license in terms)
    prompt = (
        f"{opening} {named}. By asking for access you agree to these terms; they are the {whose} and win over "
        "what is said here."
    )
    return {"extra_gated_prompt": prompt, "extra_gated_fields": dict(GATE_FIELDS)}


def _members(dataset: Dataset, hub_config: str, holding: layout.Holding) -> tuple[str, ...]:
    """Sub-collections whose rows a Hub config holds."""
    if hub_config == layout.DEFAULT:
        return layout.default_members(dataset, holding)
    return tuple(holding) if hub_config in (layout.METADATA, layout.PREVIEW) else (hub_config,)


def _infos(
    globs: Globs,
    features: Mapping[str, Features],
    stored: Mapping[str, Mapping[str, SplitStats]],
    members: Mapping[str, Sequence[str]],
    previews: Sequence[Shard],
) -> DatasetInfosDict:
    """`dataset_info` of every Hub config; `members`: configs of the declaration whose rows each of these holds."""
    from datasets import DatasetInfo, SplitDict, SplitInfo
    from datasets.info import DatasetInfosDict

    def shards(config: str, split: str) -> Sequence[Shard]:
        if config == layout.PREVIEW:
            return previews
        found = [stored[name][split] for name in members[config] if split in stored[name]]
        return [shard for each in found for shard in (each.metadata if config == layout.METADATA else each.shards)]

    infos = DatasetInfosDict()
    for config, splits in globs.items():
        files = {split: shards(config, split) for split in splits}
        sizes = {split: sum(shard.raw_bytes for shard in each) for split, each in files.items()}
        infos[config] = DatasetInfo(
            features=features[config],
            splits=SplitDict(
                {
                    split: SplitInfo(name=split, num_bytes=sizes[split], num_examples=sum(shard.rows for shard in each))
                    for split, each in files.items()
                }
            ),
            download_size=sum(shard.bytes for each in files.values() for shard in each),
            dataset_size=sum(sizes.values()),
        )
    return infos
