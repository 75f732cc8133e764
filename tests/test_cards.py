from __future__ import annotations

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import datasets
import mlcroissant
import numpy as np
import PIL.Image
import pytest
import yaml
from huggingface_hub import DatasetCard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from medimg import layout, licenses, policy, registry, vocab
from medimg.cards import human
from medimg.cards.croissant import croissant
from medimg.cards.readme import citation, declared, markdown, metadata
from medimg.cards.readme.dataset import render
from medimg.declaration import Citation, Config, Dataset, Evidence, Overlap, Source
from medimg.errors import DeclarationError, LicenseError, MedimgError
from medimg.manifest import ConfigStats, Finding, Manifest, Measured, Shard, SplitStats, Spread
from medimg.pixels import Volume
from medimg.schema import Dimension, features
from medimg.text import clean

# fixtures


def declare(**changes: Any) -> Dataset:
    fields: dict[str, Any] = {
        "name": "lits",
        "title": "LiTS, Liver Tumor Segmentation Challenge",
        "dimension": "3d",
        "modality": "CT",
        "organ": "liver",
        "task": "segmentation",
        "license": "CC-BY-4.0",
        "homepage": "https://competitions.codalab.org/competitions/17094",
        "citation": Citation(
            title="The Liver Tumor Segmentation Benchmark",
            authors="Bilic P, Christ P, Li HB, et al.",
            year=2023,
            venue="Medical Image Analysis",
            doi="10.1016/j.media.2022.102680",
        ),
        "sources": [Source(url="https://example.org/a_b.zip", sha256="a" * 64, size=123_456_789)],
        "splits": {"train": 131, "test": 70},
        "evidence": Evidence(
            layout="https://github.com/x/y", labels="unverified: from memory", license="https://example.org/l"
        ),
        "legend": {1: ["liver"], 2: ["liver", "liver tumor"]},
        "labels": {"lesion": "liver tumor"},
        "subject": "the case number",
        "overlaps": [Overlap(dataset="msd-liver", relation="same 131 cases", evidence="https://example.org/o")],
        "notes": ["Some masks are float64."],
    }
    return Dataset(**(fields | changes))


def several(**changes: Any) -> Dataset:
    return declare(
        name="medmnist-v2",
        dimension="2d",
        modality=["histopathology", "X-ray"],
        organ=["colon", "chest"],
        task="classification",
        legend={},
        labels={},
        splits={},
        configs=[
            Config(name="pathmnist", title="PathMNIST", modality="histopathology", splits={"train": 2, "val": 1}),
            Config(name="chestmnist", title="ChestMNIST", modality="X-ray", splits={"train": 2, "test": 1}),
            Config(name="dermamnist", title="DermaMNIST", license="CC-BY-NC-4.0", splits={"train": 2}),
            Config(name="organmnist3d", title="OrganMNIST3D", dimension="3d", modality="CT", splits={"train": 1}),
        ],
        **changes,
    )


def row(dataset: Dataset, config: str, number: int, dimension: Dimension) -> dict[str, Any]:
    picture = io.BytesIO()
    PIL.Image.fromarray(np.full((6, 5), number, np.uint16)).save(picture, format="PNG")
    volume = bytes(Volume.from_array(np.full((4, 3, 2), number, np.int16), np.diag([1, 1, 2, 1])).nifti)
    pixels = {"bytes": volume, "path": f"{number}.nii"}
    if dimension == "2d":
        pixels = {"bytes": picture.getvalue(), "path": f"{number}.png"}
    return {
        "id": f"{dataset.name}/{config}/{number}",
        "dataset": dataset.name,
        "image": pixels,
        "modality": dataset.modality[0],
        "organ": list(dataset.organ),
        "task": list(dataset.task),
        "label": {
            "classes": [],
            "uncertain": [],
            "assessed": ["liver"],
            "mask": None if number % 2 else pixels,
            "legend": [{"value": 1, "names": ["liver"]}],
            "instances": False,
            "boxes": [{"name": "liver", "box": [0.0, 0.0, 1.0, 1.0]}],
            "points": [],
            "measures": [{"name": "age", "value": 3.5, "unit": "a"}],
            "texts": [],
            "target": None,
            "source": "{}",
        },
        "subject": str(number),
        "sequence": [],
        "shape": [4, 3, 2],
        "spacing": [1.0, 1.0, 2.0],
        "content": str(number),
        "license": dataset.license,
        "meta": "{}",
    }


def store(root: Path, path: str, rows: list[dict[str, Any]], schema: datasets.Features) -> Shard:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_list(rows, features=schema).to_parquet(file)
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return Shard(path=path, rows=len(rows), bytes=len(data), raw_bytes=2 * len(data), sha256=digest)


def without_pixels(each: dict[str, Any]) -> dict[str, Any]:
    label = {key: value for key, value in each["label"].items() if key not in ("mask", "target")}
    return {key: value for key, value in each.items() if key != "image"} | {"label": label}


def publish(root: Path, dataset: Dataset, **changes: Any) -> Manifest:
    """A local repository in the layout, with two rows per shard."""
    configs = []
    shown: list[dict[str, Any]] = []
    for name in dataset.config_names:
        config = dataset.config(name)
        dimension = config.dimension or dataset.dimension
        splits = {}
        for place, split in enumerate(config.splits):
            groups = [[row(dataset, name, 10 * place + k, dimension) for k in ks] for ks in ((0, 1), (2,))]
            rows = [each for group in groups for each in group]
            shards = tuple(
                store(root, layout.shard_path(name, split, index, 2), group, features(dimension))
                for index, group in enumerate(groups)
            )
            path = layout.metadata_path(name, split)
            schema = layout.config_features(dataset, layout.METADATA)
            metadata = (store(root, path, [without_pixels(each) for each in rows], schema),)
            splits[split] = SplitStats(rows=3, subjects=3, shards=shards, metadata=metadata)
            shown += rows
        counts = {each.license: 3 * len(splits)} if (each := config) and each.license else {}
        configs.append(
            ConfigStats(
                name=name,
                dimension=dimension,
                splits=splits,
                license=counts,
                structures={"liver": 3, "liver tumor": 1},
                classes={"pneumonia": 2},
            )
        )
    picture = io.BytesIO()
    PIL.Image.new("RGB", (4, 4)).save(picture, format="PNG")
    thumbnail = {"bytes": picture.getvalue(), "path": None}
    previews = [{"id": each["id"], "dataset": dataset.name, "image": thumbnail, "caption": "c"} for each in shown]
    fields: dict[str, Any] = {
        "name": dataset.name,
        "medimg": "0.1.0",
        "schema_version": "1",
        "origin": "official",
        "fingerprint": {},
        "configs": configs,
        "preview": store(root, layout.PREVIEW_PATH, previews, layout.preview_features()),
        "assets": {layout.CONTACT_SHEET_PATH: "0" * 64},
    }
    manifest = Manifest(**(fields | changes))
    (root / layout.CARD_PATH).write_text(render(dataset, "One.\n\nTwo.", manifest), encoding="utf-8")
    return manifest


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset, Manifest]:
    root = tmp_path_factory.mktemp("single")
    dataset = declare()
    return root, dataset, publish(root, dataset)


@pytest.fixture(scope="module")
def multi(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset, Manifest]:
    root = tmp_path_factory.mktemp("multi")
    dataset = several()
    return root, dataset, publish(root, dataset)


def built(dataset: Dataset, **changes: Any) -> Manifest:
    """A manifest without files."""

    def shard(path: str) -> Shard:
        return Shard(path=path, rows=3, bytes=3000, raw_bytes=6000, sha256="b" * 64)

    configs = [
        ConfigStats(
            name=name,
            dimension=dataset.config(name).dimension or dataset.dimension,
            splits={
                split: SplitStats(
                    rows=3,
                    subjects=3,
                    shards=(shard(layout.shard_path(name, split, 0, 1)),),
                    metadata=(shard(layout.metadata_path(name, split)),),
                )
                for split in dataset.config(name).splits
            },
        )
        for name in dataset.config_names
    ]
    fields: dict[str, Any] = {
        "name": dataset.name,
        "medimg": "0.1.0",
        "schema_version": "1",
        "origin": "official",
        "fingerprint": {},
        "configs": configs,
        "preview": shard(layout.PREVIEW_PATH),
    }
    return Manifest(**(fields | changes))


# layout


def test_paths_and_globs() -> None:
    assert layout.shard_path("default", "train", 0, 12) == "data/train-00000-of-00012.parquet"
    assert layout.shard_path("pathmnist", "test", 3, 4) == "data/pathmnist/test-00003-of-00004.parquet"
    assert layout.metadata_path("default", "train") == "metadata/train.parquet"
    assert layout.metadata_path("pathmnist", "train") == "metadata/pathmnist/train.parquet"
    assert not layout.is_multi(declare()) and layout.is_multi(several())
    assert layout.data_globs(declare(), {"default": ("train",)}) == {
        "default": {"train": ["data/train-*"]},
        "metadata": {"train": ["metadata/train.parquet"]},
        "preview": {"train": [layout.PREVIEW_PATH]},
    }
    assert layout.data_globs(declare(), {}) == {}


def test_default_joins_only_alike_sub_collections() -> None:
    dataset = several()
    holding = {name: tuple(dataset.config(name).splits) for name in dataset.config_names}
    globs = layout.data_globs(dataset, holding)
    assert list(globs) == ["default", *dataset.config_names, "metadata", "preview"]
    assert globs["default"] == {
        "train": ["data/pathmnist/train-*", "data/chestmnist/train-*"],
        "val": ["data/pathmnist/val-*"],
        "test": ["data/chestmnist/test-*"],
    }
    assert len(globs["metadata"]["train"]) == 4
    only = {"organmnist3d": ("train",)}
    assert "default" not in layout.data_globs(dataset, only)
    assert layout.default_config(dataset, only) == "organmnist3d"


@pytest.mark.parametrize("config", ["metadata", "preview", "../x", "a*", "a/b", "", "a b", "[a]"])
def test_unsafe_sub_collection_names(config: str) -> None:
    with pytest.raises(DeclarationError):
        layout.shard_path(config, "train", 0, 1)


@pytest.mark.parametrize("split", ["train-1", "all", "", "../x", "a*", "a b"])
def test_unsafe_split_names(split: str) -> None:
    with pytest.raises(DeclarationError):
        layout.metadata_path("default", split)


# what plain `datasets` makes of the card


@pytest.mark.parametrize("config", [None, "default", "metadata", "preview"])
def test_single_loads(single: tuple[Path, Dataset, Manifest], tmp_path: Path, config: str | None) -> None:
    root, dataset, manifest = single
    got = datasets.load_dataset(str(root), config, cache_dir=str(tmp_path))
    streamed = datasets.load_dataset(str(root), config, streaming=True)
    splits = ["train"] if config == "preview" else ["train", "test"]
    assert list(got) == list(streamed) == splits
    expected = layout.config_features(dataset, config or "default")
    for split in splits:
        assert got[split].features == streamed[split].features == expected
        ids = [each["id"] for each in streamed[split]]
        assert got[split]["id"] == ids and len(ids) == (6 if config == "preview" else 3)
    if config != "preview":
        assert manifest.rows == sum(len(got[split]) for split in splits)


def test_nested_volumes_decode(single: tuple[Path, Dataset, Manifest]) -> None:
    rows = list(datasets.load_dataset(str(single[0]), split="test", streaming=True))
    assert np.asarray(rows[0]["image"].dataobj).shape == (4, 3, 2)
    assert np.asarray(rows[0]["label"]["mask"].dataobj).max() == 10
    assert rows[1]["label"]["mask"] is None


def test_metadata_filter(single: tuple[Path, Dataset, Manifest]) -> None:
    def count(modality: str) -> int:
        wanted = [("modality", "==", modality)]
        table = datasets.load_dataset(str(single[0]), "metadata", split="train", filters=wanted, streaming=True)
        return len(list(table))

    assert (count("CT"), count("MRI")) == (3, 0)


def test_sub_collections_load(multi: tuple[Path, Dataset, Manifest], tmp_path: Path) -> None:
    root, dataset, manifest = multi
    names = datasets.get_dataset_config_names(str(root))
    assert set(names) == {"default", "metadata", "preview", *dataset.config_names}
    assert datasets.get_dataset_default_config_name(str(root)) == "default"
    joined = datasets.load_dataset(str(root), cache_dir=str(tmp_path))
    assert {split: len(rows) for split, rows in joined.items()} == {"train": 6, "val": 3, "test": 3}
    for name in dataset.config_names:
        rows = datasets.load_dataset(str(root), name, split="train", streaming=True)
        assert rows.features == features(dataset.config(name).dimension or "2d")
        assert {each["id"].split("/")[1] for each in rows} == {name}
    table = datasets.load_dataset(str(root), "metadata", cache_dir=str(tmp_path))
    assert sum(len(rows) for rows in table.values()) == manifest.rows


def test_wrong_counts_are_noticed(single: tuple[Path, Dataset, Manifest], tmp_path: Path) -> None:
    root, dataset, manifest = single
    first = manifest.configs[0].splits["train"]
    wrong = first.shards[0].model_copy(update={"rows": 7})
    split = first.model_copy(update={"shards": (wrong, *first.shards[1:])})
    config = manifest.configs[0].model_copy(update={"splits": manifest.configs[0].splits | {"train": split}})
    other = tmp_path / "other"
    other.mkdir()
    for folder in ("data", "metadata", "preview"):
        (other / folder).symlink_to(root / folder)
    text = render(dataset, "", manifest.model_copy(update={"configs": (config,)}))
    (other / layout.CARD_PATH).write_text(text, encoding="utf-8")
    with pytest.raises(datasets.exceptions.NonMatchingSplitsSizesError):
        datasets.load_dataset(str(other), cache_dir=str(tmp_path / "cache"))


# YAML


def front(text: str) -> dict[str, Any]:
    data: dict[str, Any] = DatasetCard(text).data.to_dict()
    return data


def test_yaml_fields() -> None:
    dataset = declare()
    data = front(render(dataset, "", built(dataset)))
    assert data["license"] == "cc-by-4.0" and "license_name" not in data
    assert data["pretty_name"] == dataset.title
    assert data["task_categories"] == ["image-segmentation"]
    assert data["task_ids"] == ["semantic-segmentation"]
    assert data["size_categories"] == ["n<1K"]
    assert {"medical", "medimg", "medical-modality:ct", "organ:liver", "3d"} <= set(data["tags"])
    assert not [tag for tag in data["tags"] if tag.startswith("modality:")], "a facet of the Hub's own"
    assert [config["config_name"] for config in data["configs"]] == ["default", "metadata", "preview"]
    assert data["configs"][0]["default"] is True
    sizes = {info["config_name"]: info["download_size"] for info in data["dataset_info"]}
    assert sizes == {"default": 6000, "metadata": 6000, "preview": 3000}
    assert "extra_gated_prompt" not in data and "source_datasets" not in data
    assert "&id" not in render(dataset, "", built(dataset)).split("\n---\n")[0]


def test_without_preview() -> None:
    dataset = declare()
    data = front(render(dataset, "", built(dataset, preview=None)))
    assert [config["config_name"] for config in data["configs"]] == ["default", "metadata"]


HUB_CATEGORIES = set(
    "image-classification object-detection image-segmentation image-to-text image-to-image image-to-video "
    "unconditional-image-generation video-classification depth-estimation zero-shot-image-classification "
    "mask-generation image-feature-extraction keypoint-detection visual-question-answering "
    "tabular-regression tabular-classification other".split()
)
HUB_IDS = set(
    "multi-label-image-classification multi-class-image-classification instance-segmentation "
    "semantic-segmentation panoptic-segmentation super-resolution image-captioning "
    "visual-question-answering".split()
)


@pytest.mark.parametrize("task", vocab.task.ids)
def test_every_task_has_its_place_on_the_hub(task: str) -> None:
    categories, ids = metadata.hub_tasks([task])
    assert len(categories) >= 1 and set(categories) <= HUB_CATEGORIES and set(ids) <= HUB_IDS
    known = {task, *vocab.task.ancestors(task, ["is_a"])}
    assert known & set(metadata.HUB_TASKS), f"{task} has no Hub category: add it to HUB_TASKS"


def test_tasks_are_joined() -> None:
    assert metadata.hub_tasks(["grading"]) == (["image-classification"], [])
    assert metadata.hub_tasks(["survival", "segmentation"])[0] == ["image-segmentation"]
    assert metadata.hub_tasks(["survival"])[0] == ["other"]
    assert set(metadata.HUB_TASKS) <= set(vocab.task.ids)


@pytest.mark.parametrize(
    ("rows", "category"),
    [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**6, "1M<n<10M"), (10**12, "n>1T")],
)
def test_size_category(rows: int, category: str) -> None:
    assert metadata.size_category(rows) == category


@pytest.mark.parametrize("id_", licenses.known())
def test_every_license_gives_a_card(id_: str) -> None:
    dataset = declare(license=id_)
    license = licenses.get(id_)
    manifest = None if license.publish is licenses.Verdict.RECIPE else built(dataset)
    text = render(dataset, "", manifest)
    data = front(text)
    assert data["license"] == license.hub
    if license.hub == "other":
        assert re.fullmatch(r"[a-z0-9-]+", data["license_name"]) and data["license_link"].startswith("http")
    assert ("extra_gated_prompt" in data) == (license.publish is licenses.Verdict.GATED)
    assert (data["configs"] == layout.NO_DATA["configs"]) == (manifest is None)
    assert f"| **Published as** | {license.publish.value} |" in text
    assert ("what the license allows.**" in text) == ("unverified" in license.evidence.lower())


def test_gate_of_one_sub_collection_gates_the_repository() -> None:
    gated = next(id_ for id_ in licenses.known() if licenses.get(id_).publish is licenses.Verdict.GATED)
    dataset = several()
    manifest = built(dataset)
    assert policy.gates(dataset, manifest) == ()
    configs = (manifest.configs[0].model_copy(update={"license": {gated: 3}}), *manifest.configs[1:])
    manifest = manifest.model_copy(update={"configs": configs})
    assert [license.id for license in policy.gates(dataset, manifest)] == [gated]
    data = front(render(dataset, "", manifest))
    assert data["extra_gated_fields"]["Country"] == "country"
    assert "checkbox" in data["extra_gated_fields"].values()


def test_unpublishable_data_gets_no_card() -> None:
    closed = next(id_ for id_ in licenses.known() if licenses.get(id_).publish is licenses.Verdict.RECIPE)
    dataset = declare(license=closed)
    with pytest.raises(LicenseError):
        render(dataset, "", built(dataset))
    with pytest.raises(LicenseError):
        croissant(dataset, "", built(dataset))
    assert "MINIATURE" in render(dataset, "", built(dataset, origin="miniature"))


def test_per_row_licenses() -> None:
    dataset = declare(license="LicenseRef-per-row")
    manifest = built(dataset)
    counts = {"CC-BY-4.0": 4, "CC0-1.0": 2}
    config = manifest.configs[0].model_copy(update={"license": counts})
    text = render(dataset, "", manifest.model_copy(update={"configs": (config,)}))
    assert front(text)["license"] == ["cc-by-4.0", "cc0-1.0"]
    assert "each row has a license of its own" in text
    assert re.search(r"Attribution 4\.0 International\].*\| 4 \| open \|", text)


# text


def test_sections() -> None:
    dataset = declare(how="Register at https://example.org/reg_now and fetch `a.zip`.")
    manifest = built(
        dataset,
        assets={layout.CONTACT_SHEET_PATH: "0" * 64, layout.STATISTICS_PATH: "0" * 64},
        findings=[Finding(level="warning", check="spacing", message="differs", count=3, examples=["lits/1"])],
        skipped=[(f"notes{n}.pdf", "no image") for n in range(9)] + [("x.txt", "empty")],
    )
    text = render(dataset, "First paragraph.\n\nSecond one.", manifest)
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == [
        "Who may use it",
        "How to load it",
        "Columns",
        "Labels",
        "Counts",
        "Where it comes from",
        "Known overlaps",
        "Good to know",
        "Data quality",
        "Citation",
    ]
    for part in (
        "First paragraph.\n\nSecond one.",
        'load_dataset("medimg/lits", split="train", streaming=True)',
        'load_dataset("medimg/lits", "metadata", split="train", filters=[("modality", "==", "CT")])',
        'medimg.load("lits", source="…", streaming=True)',
        "| 2 | liver (SCT 10200004), liver tumor",
        "| `lesion` | liver tumor",
        "**Not verified: labels.**",
        "a" * 64,
        "`msd-liver`",
        "<https://example.org/reg_now> and fetch `a.zip`",
        "| no image | 9 | `notes0.pdf`, `notes1.pdf`, `notes2.pdf` |",
        "| warning | spacing | differs | 3 | `lits/1` |",
        "(assets/contact_sheet.png)",
        "(assets/statistics.png)",
        "https://doi.org/10.1016/j.media.2022.102680",
        "author = {Bilic, P and Christ, P and Li, HB and others}",
    ):
        assert part in text, part
    assert "MINIATURE" not in text and "RECIPE" not in text


def test_columns_are_all_explained() -> None:
    for dimension in ("2d", "3d", "video"):
        names = [
            name if name != "label" else f"label.{inner}"
            for name, feature in features(dimension).items()
            for inner in (feature if name == "label" else [""])
        ]
        assert names == list(declared.COLUMNS)


def test_recipe() -> None:
    dataset = declare(
        name="chexpert",
        license="LicenseRef-Stanford-RUA",
        access="registration",
        how="Register with Stanford, then download `CheXpert-v1.0-small.zip`.",
    )
    for manifest in (None, built(dataset, configs=[], preview=None)):
        text = render(dataset, "X-rays.", manifest)
        data = front(text)
        assert "dataset_info" not in data and data["license"] == "other"
        assert data["configs"] == [{"config_name": "default", "data_files": []}] and data["viewer"] is False
        assert 'medimg.load("chexpert", source="…", streaming=True)' in text
        assert "Register with Stanford, then download `CheXpert-v1.0-small.zip`." in text
        assert "RECIPE" in text and "load_dataset" not in text and "assets/" not in text
        assert "| `default` | `train` | 131 |" in text


def test_a_card_without_data_does_not_say_that_the_data_is_there() -> None:
    for dataset in (declare(), declare(license="LicenseRef-per-row")):
        text = render(dataset, "", None)
        assert "this repository holds no data" in text and "none of its rows may be published" in text
        assert "the data is in this repository" not in text and "open" not in text.split("Published as")[1][:60]
    assert "the data is in this repository" in render(declare(), "", built(declare()))


def test_miniature_banner() -> None:
    dataset = declare()
    text = render(dataset, "", built(dataset, origin="miniature"))
    assert "phantom rows, not patient data; for testing only" in text


def test_sub_collections_in_text() -> None:
    text = render(several(), "", built(several()))
    assert 'load_dataset("medimg/medmnist-v2", "pathmnist", split="train", streaming=True)' in text
    assert 'medimg.load("medmnist-v2", "pathmnist", source="…", streaming=True)' in text
    assert "joins `pathmnist`, `chestmnist`." in text
    assert "| `organmnist3d` | OrganMNIST3D | 3d | CT |" in text
    assert "`Image` or `Nifti`" in text


def test_namespace() -> None:
    assert 'load_dataset("my-org/lits"' in render(declare(), "", built(declare()), namespace="my-org")
    with pytest.raises(ValueError):
        render(declare(), "", None, namespace='x"); import os; ("')


def test_deterministic_and_without_traces() -> None:
    dataset = several()
    text = render(dataset, "One.", built(dataset))
    assert text == render(several(), "One.", built(several()))
    assert str(Path.cwd()) not in text and not re.search(r"20\d\d-\d\d-\d\d", text)
    assert text.endswith("\n") and "\r" not in text and "\n\n\n" not in text


# the hand-written block

HUMAN = "Ask **us** before you use `x`.\n\n\n---\n| kept | as it is |\n<b>html too</b>\n"


def test_human_block_survives() -> None:
    dataset = declare()
    text = render(dataset, "One.", built(dataset))
    empty = f"{human.START}\n{human.END}"
    assert text.count(empty) == 1
    edited = text.replace(empty, f"{human.START}\n{HUMAN}{human.END}")
    again = render(dataset, "Two.", built(dataset), previous=edited)
    assert f"{human.START}\n{HUMAN}{human.END}" in again and "Two." in again
    assert render(dataset, "Two.", built(dataset), previous=again) == again
    windows = edited.replace("\n", "\r\n")
    assert render(dataset, "Two.", built(dataset), previous=windows) == again
    assert HUMAN in render(dataset, "Two.", None, previous=again)
    assert front(again) == front(text)


def test_half_a_human_block_is_not_lost() -> None:
    text = render(declare(), "", None)
    with pytest.raises(MedimgError, match="markers"):
        render(declare(), "", None, previous=text.replace(human.END, ""))
    assert render(declare(), "", None, previous="an old card without a block") == text


# hostile text

NASTY = (
    "a | b `c` *d* _e_ [f](javascript:alert(1)) <script>alert(1)</script> ![g](http://evil/x.png) "
    "&lt; \\( $$ ~~s~~\n---\nlicense: mit\n---\n# heading\n```\n"
    f"{human.START}\nowned\n{human.END}\n"
    "- item\n1. one\n{{ 7 * 7 }} {% raw %} \u202e\u2028\x00\x85\ud800 end"
)


def hostile(text: str) -> tuple[Dataset, Manifest]:
    dataset = declare(
        title=text,
        homepage=text,
        aliases=[text],
        how=text,
        notes=[text],
        labels={text: "liver"},
        subject=text,
        shared_subjects=text,
        version=text,
        overlaps=[Overlap(dataset=text, relation=text, evidence=text)],
        evidence=Evidence(layout=text, labels=text, license=text, subject=text),
        sources=[Source(url=text, path=text), Source(url=f"https://example.org/{text}", kind="page")],
        citation=Citation(title=text, authors=text, year=2020, venue=text, doi=text, url=text),
    )
    manifest = built(
        dataset,
        findings=[Finding(level="error", check=text, message=text, examples=[text])],
        skipped=[(text, text)],
    )
    counts = {text: 1}
    kinds = ("modality", "organ", "task", "classes", "structures", "boxes", "points", "measures", "texts")
    config = manifest.configs[0].model_copy(update={kind: counts for kind in kinds})
    return dataset, manifest.model_copy(update={"configs": (config,)})


HEADINGS = (
    "Who may use it",
    "How to load it",
    "Columns",
    "Labels",
    "Counts",
    "Where it comes from",
    "Known overlaps",
    "Good to know",
    "Data quality",
    "Citation",
)


FOLD = r"<details>\n<summary>\d+ rows: [\w ,&;#-]+</summary>|</details>"


def check_hostile(text: str) -> None:
    dataset, manifest = hostile(text)
    card = render(dataset, text, manifest)
    assert card == render(dataset, text, manifest, previous=card)
    card.encode("utf-8")

    # The YAML block is what was meant, for both of its readers.
    block = card.split("\n---\n", 1)[0].removeprefix("---\n")
    assert yaml.safe_load(block) == metadata.card_data(dataset, manifest).to_dict() == front(card)
    from datasets.utils.metadata import _split_yaml_from_readme

    assert yaml.safe_load(_split_yaml_from_readme(card)[0]) == front(card)
    assert front(card)["license"] == "cc-by-4.0"

    # The text has our headings and no others, no HTML but ours, no pictures and no dangerous links.
    body = DatasetCard(card).text
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body)
    titles = [
        (token.tag, tokens[place + 1].content) for place, token in enumerate(tokens) if token.type == "heading_open"
    ]
    assert [tag for tag, _ in titles].count("h1") <= 1
    assert [title for tag, title in titles if tag != "h1"] == [
        title for title in HEADINGS if title != "Good to know" or clean(text)
    ]
    html = [token.content.strip() for token in tokens if token.type == "html_block"]
    folds = [each for each in html if re.fullmatch(FOLD, each)]
    assert [each for each in html if each not in folds] == [human.START, human.END]
    assert 2 * len([each for each in folds if each.startswith("<details>")]) == len(folds)
    for token in tokens:
        for child in token.children or ():
            assert child.type not in ("image", "s_open", "hardbreak")
            if child.type == "html_inline":
                assert child.content in ("<code>", "</code>")
            if child.type == "link_open":
                assert re.match(r"https?://|/spaces/medimg/portal#/dataset/lits$", str(child.attrs["href"]))
    fences = [token for token in tokens if token.type == "fence"]
    assert [fence.info for fence in fences] == ["python", "python", "python", "text", "bibtex"]
    for kind, count in (("table_open", 19), ("hr", 0), ("blockquote_open", 0), ("ordered_list_open", 0)):
        assert sum(token.type == kind for token in tokens) == count, kind
    items = 3 if clean(text) else 1
    assert sum(token.type == "list_item_open" for token in tokens) == items
    json.dumps(croissant(dataset, text, manifest), ensure_ascii=False).encode("utf-8")


def test_hostile_text() -> None:
    check_hostile(NASTY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "---",
        "- x",
        "+ x",
        "1. x",
        "1) x",
        "# x",
        "===",
        "    code",
        "`",
        "``` x",
        "x`y",
        "http://a.b/`c`",
        "x\n\n---",
    ],
)
def test_short_hostile_text(text: str) -> None:
    check_hostile(text)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.one_of(st.characters(), st.sampled_from("\n\r\t|`*_[]()<>#-+=~\\&!:'\"{}%1.")), max_size=60))
def test_any_text(text: str) -> None:
    check_hostile(text)


@pytest.mark.parametrize(
    "text", ["plain", "a|b", "`x`", "<b>", "a_b*c", "- x", "1. x", "3-D", "1.0.0", "C#", "$x$", "\\"]
)
def test_escaped_text_shows_itself(text: str) -> None:
    for shown in (
        markdown.escape(text),
        markdown.code(text),
        markdown.table(["h"], [[text]]),
        markdown.link(text, "https://a.org/"),
    ):
        html = MarkdownIt("commonmark").enable("table").render(str(shown))
        import html as entities

        assert text in entities.unescape(re.sub(r"<[^>]*>", "", html)), (text, shown)


def test_prose_keeps_code_and_addresses() -> None:
    text = str(markdown.prose("See `a_b.nii`, https://a.org/x_y?z=1&w=2. Then <i> a_b"))
    assert text == r"See `a_b.nii`, <https://a.org/x_y?z=1&w=2>. Then &lt;i&gt; a\_b"


@pytest.mark.parametrize(
    ("authors", "expected"),
    [
        ("Bilic P, Christ P, et al.", "Bilic, P and Christ, P and others"),
        ("Patrick Bilic, Patrick Christ and Hongwei Li", "Patrick Bilic and Patrick Christ and Hongwei Li"),
        ("Bilic, P.; Christ, P.", "Bilic, P. and Christ, P."),
        ("Bilic, P., Christ, P.", "{Bilic, P., Christ, P.}"),
        ("The {Cancer} Archive", "The Cancer Archive"),
    ],
)
def test_authors(authors: str, expected: str) -> None:
    dataset = declare(citation=Citation(title="T", authors=authors, year=2020))
    assert f"author = {{{expected}}}" in citation.bibtex(dataset)


# Croissant


def validated(document: dict[str, Any]) -> mlcroissant.Dataset:
    checked = mlcroissant.Dataset(json.loads(json.dumps(document)))
    assert not checked.metadata.ctx.issues.errors
    return checked


def test_croissant_validates() -> None:
    for dataset in (declare(), several()):
        manifest = built(dataset)
        document = croissant(dataset, "Text.", manifest)
        validated(document)
        assert [each["@id"] for each in document["recordSet"]] == list(
            layout.data_globs(dataset, layout.published(manifest))
        )
        objects = {each["@id"]: each for each in document["distribution"]}
        shard = manifest.configs[0].splits["train"].shards[0]
        assert objects[shard.path]["sha256"] == shard.sha256
        assert objects[shard.path]["contentUrl"].endswith(f"/datasets/medimg/{dataset.name}/resolve/main/{shard.path}")
    fields = {each["@id"]: each for each in document["recordSet"][1]["field"]}
    names = [each["@id"] for each in fields["pathmnist/label"]["subField"]]
    assert "pathmnist/label/mask" in names and "pathmnist/label/boxes" in names


def test_croissant_says_when_data_was_published_where_that_is_known() -> None:
    paper = declare().citation
    archive = paper.model_copy(update={"doi": "10.7937/K9/TCIA.2015.X", "year": 2015})
    for changes, date in (
        ({}, None),
        ({"published": "2017-04"}, "2017-04"),
        ({"citation": archive}, "2015"),
        ({"citation": archive, "published": "2014-01-31"}, "2014-01-31"),
    ):
        document = croissant(declare(**changes), "Text.", None)
        assert document.get("datePublished") == date
        validated(document)
    with pytest.raises(ValueError, match="published"):
        declare(published="spring of 2017")


def test_papers_at_arxiv_are_linked_where_an_id_is_given() -> None:
    paper = declare().citation
    assert "arxiv.org" not in render(declare(), "", None)
    for changes, ids in (
        ({"doi": "10.48550/arXiv.1712.06957"}, ["1712.06957"]),
        ({"venue": "MIDL / arXiv:1712.06957", "arxiv": ("1901.04056",)}, ["1712.06957", "1901.04056"]),
        ({"authors": "A B (and arXiv:1710.05006)", "arxiv": ("1710.05006",)}, ["1710.05006"]),
    ):
        text = render(declare(citation=Citation(**{**dict(paper), **changes})), "", None)
        assert re.findall(r"\(https://arxiv\.org/abs/([\d.]+)\)", text) == ids
    with pytest.raises(ValueError, match="arxiv"):
        Citation(**{**dict(paper), "arxiv": ("arXiv:1",)})
    assert registry.get("msd-liver").dataset.citation.preprints == ("1902.09063",)


def test_croissant_of_a_recipe_names_the_originals() -> None:
    document = croissant(declare(), "Text.", None)
    validated(document)
    assert [each["sha256"] for each in document["distribution"]] == ["a" * 64]
    assert "recordSet" not in document
    validated(croissant(declare(sources=[Source(url="https://example.org/", kind="page")]), "", None))


def test_croissant_reads_the_files(single: tuple[Path, Dataset, Manifest]) -> None:
    root, dataset, manifest = single
    document = croissant(dataset, "Text.", manifest)
    checked = mlcroissant.Dataset(document, mapping={"repo": root})
    ids = {f"lits/default/{n}".encode() for n in (0, 1, 2, 10, 11, 12)}
    assert {each["metadata/id"] for each in checked.records("metadata")} == ids
    rows = {each["default/id"]: each for each in checked.records("default")}
    assert set(rows) == ids
    row = rows[b"lits/default/10"]
    assert row["default/image"][344:347] == row["default/label"]["default/label/mask"][344:347] == b"n+1"
    assert rows[b"lits/default/11"]["default/label"]["default/label/mask"] is None
    assert [each["preview/image"].size for each in checked.records("preview")] == [(4, 4)] * 6


def test_the_license_in_one_sentence() -> None:
    said = {id_: licenses.get(id_).sentence for id_ in licenses.known()}
    assert said["CC-BY-4.0"] == (
        "You may pass it on, change it and pass that on and use it commercially if you name the source."
    )
    assert said["CC-BY-SA-4.0"].endswith("if you name the source and keep this license for changed versions.")
    assert "you may not pass on changed versions or use it commercially" in said["CC-BY-NC-ND-4.0"]
    assert "not known: ask the source" in said[licenses.UNKNOWN]
    assert "column license" in said[licenses.PER_ROW]
    for id_, text in said.items():
        license = licenses.get(id_)
        if license.per_row:
            continue
        assert ("use it commercially" in text.partition("may not")[0]) is (license.commercial is True), id_
        assert text[0].isupper() and text.endswith(".") and "None" not in text


def test_a_card_says_how_large_images_are_and_what_share_a_class_has() -> None:
    split = SplitStats(rows=4, subjects=3, shards=(), metadata=())
    spread = {"smallest": 256, "median": 512, "largest": 512}
    measured = Measured(
        size=(Spread(**spread), Spread(**spread), Spread(smallest=74, median=120, largest=987)),
        spacing=(Spread(smallest=0.55, median=0.7, largest=1.0),) * 3,
        unsized=1,
        types={"int16": 4},
        lowest=-1024,
        highest=3071,
        mean=-500.25,
        deviation=480,
    )
    config = ConfigStats(
        name="default", dimension="3d", splits={"train": split}, structures={"liver": 3}, measured=measured
    )
    made = Manifest(name="lits", medimg="0", schema_version="1", origin="official", fingerprint={}, configs=(config,))
    card = render(registry.get("lits").dataset, "LiTS.", made)
    assert "| voxels along k | 74 | 120 | 987 |" in card
    assert "| mm along i | 0.55 | 0.7 | 1 |" in card and "1 row without a spacing" in card
    assert "| values | -1,024 | -500.2 ± 480 (mean) | 3,071 |" in card
    assert re.search(r"\| liver[^|]*\| 3 \| 75 % \|", card)
    assert "| **Subjects** | 3 over all splits |" in card
    assert "(/spaces/medimg/portal#/dataset/lits)" in card
    tree = card.partition("```text\n")[2].partition("```")[0].splitlines()
    assert tree[0] == "lits" and len(tree) == 1 + len(registry.get("lits").dataset.overlaps)
    assert all("──>" in line for line in tree[1:])
