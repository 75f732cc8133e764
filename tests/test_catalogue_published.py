"""The catalogue on a Hub, and in the files of MDFP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd

import medimg
from medimg import catalogue, index, registry
from medimg.catalogue import Entry, mdfp
from medimg.errors import MedimgError, UnknownDatasetError
from medimg.hub_sync.discovery import catalogue as published
from medimg.hub_sync.discovery import export, portal
from medimg.hub_sync.hub import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.results import Watcher
from medimg.hub_sync.sync import sync

ENTRIES = catalogue.entries()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with EmbeddedHub(tmp_path_factory.mktemp("store")) as running:
        yield Hub(running.url, "medimg")


@pytest.fixture(scope="module")
def first(hub: Hub) -> str:
    revision = published.update(hub)
    assert revision is not None
    return revision


def commits(hub: Hub) -> list[str]:
    return [each.commit_id for each in hub.api.list_repo_commits(hub.repo("catalogue"), repo_type="dataset")]


def test_a_second_run_commits_nothing(hub: Hub, first: str) -> None:
    before = commits(hub)
    assert published.update(hub) is None
    assert commits(hub) == before
    assert before[0] == first


def test_load_dataset_gives_the_entries(hub: Hub, first: str, tmp_path: Path) -> None:
    """Plain `datasets`, with nothing of ours, in a process of its own."""
    code = (
        "import datasets, json; rows = datasets.load_dataset('medimg/catalogue', split='train'); "
        "print(json.dumps([rows[0], list(rows['id']), rows.features._to_yaml_list()]))"
    )
    environment = os.environ | {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path), "HF_TOKEN": "embedded"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    row, ids, features = json.loads(done.stdout)
    assert ids == [each.id for each in ENTRIES]
    assert row == json.loads(json.dumps(ENTRIES[0].to_dict()))
    assert tuple(row) == catalogue.entry.FIELDS
    card = hub.published("catalogue").card
    assert card is not None
    assert _head(card)["dataset_info"]["features"] == features
    listed = json.loads(hub._text("medimg/catalogue", published.JSON, "main"))
    assert listed == json.loads(json.dumps([each.to_dict() for each in ENTRIES]))


def _head(card: str) -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = yaml.safe_load(card.split("---")[1])
    return found


def test_files_are_the_same_bytes_each_time_and_the_hand_written_block_stays(hub: Hub) -> None:
    once = published.files(ENTRIES[:50], "medimg")
    assert once == published.files(ENTRIES[:50], "medimg")
    card = once["README.md"].decode()
    by_hand = card.replace("<!-- medimg:human -->\n", "<!-- medimg:human -->\nAsk us.\n")
    assert "Ask us." in published.card(ENTRIES[:50], "medimg", by_hand)
    assert "Ask us." not in card


def test_a_datasets_repository_is_never_overwritten(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    state, _ = hub.found("catalogue")
    monkeypatch.setattr(Hub, "found", lambda self, name: (state, "{}"))
    with pytest.raises(MedimgError, match="holds a dataset"):
        published.update(hub)


def test_a_repository_of_somebody_else_stays_as_it_is(hub: Hub) -> None:
    theirs = Hub(hub.endpoint, "theirs")
    theirs.create(published.NAME)
    add = [CommitOperationAdd("README.md", b"# mine")]
    theirs.api.create_commit("theirs/catalogue", add, commit_message="mine", repo_type="dataset")
    before = theirs.found(published.NAME)[0].files
    with pytest.raises(MedimgError, match="did not put there"):
        published.update(theirs)
    assert theirs.found(published.NAME)[0].files == before


@pytest.mark.parametrize(
    ("names", "asked", "times"), [((), {"pages": True}, 1), (("hc18",), {"pages": True}, 0), ((), {}, 0)]
)
def test_only_a_run_over_all_datasets_publishes_it(
    names: tuple[str, ...], asked: dict[str, Any], times: int, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Hub] = []
    monkeypatch.setattr(registry, "builders", list)
    monkeypatch.setattr(published, "update", calls.append)
    monkeypatch.setattr(portal, "update", lambda hub, results: None)
    sync(names, hub, check=False, **asked)
    assert len(calls) == times
    sync(names, hub, dry_run=True, **asked)
    assert len(calls) == times


def test_what_the_hub_refuses_is_told_and_no_failure(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(hub: Hub) -> None:
        raise MedimgError("no")

    notes: list[str] = []
    watcher = Watcher()
    monkeypatch.setattr(watcher, "note", notes.append, raising=False)
    monkeypatch.setattr(registry, "builders", list)
    monkeypatch.setattr(published, "update", refuse)
    monkeypatch.setattr(portal, "update", lambda hub, results: None)
    assert sync([], hub, pages=True, watcher=watcher) == []
    assert any("the catalogue is not up to date: no" in note for note in notes)


# MDFP

FIELDS = tuple(
    "dataset_name release_date homepage_url organization challenge_series license dataset_description "
    "modality_primary modality_secondary anatomical_structure disease data_volume valid_image_n label_presence "
    "task_type num_classes_per_task".split()
)
"""As the paper names them (arXiv:2603.27460, section 6.1)."""


def declared(name: str) -> index.IndexEntry:
    return registry.entry(name)


def test_the_16_fields_of_a_dataset() -> None:
    told = mdfp.dataset(catalogue.get("lits"), declared("lits"))
    assert tuple(told) == FIELDS
    assert len(FIELDS) == 16
    assert told["data_volume"] == {"total": 201, "train": 131, "test": 70}
    assert (told["valid_image_n"], told["task_type"]) == (201, ["segmentation"])
    assert (told["anatomical_structure"], told["disease"]) == (["liver"], ["liver tumor"])
    assert told["num_classes_per_task"] == {"segmentation": 2}
    assert told["label_presence"] == "labeled"
    assert told["dataset_description"].startswith("LiTS")


def test_modalities_are_the_widest_and_what_is_said_more_closely() -> None:
    assert mdfp.modalities(("CT",)) == (["CT"], [])
    assert mdfp.modalities(("FLAIR", "T1-weighted MRI")) == (["MRI"], ["FLAIR", "T1-weighted MRI"])
    assert mdfp.modalities(("PET/CT",)) == (["CT", "PET"], ["PET/CT"])


def test_a_license_that_only_a_list_states_is_not_exported() -> None:
    listed = next(each for each in ENTRIES if each.license_by in ("list", "mirror"))
    assert listed.license is not None
    assert mdfp.dataset(listed)["license"] is None
    assert mdfp.dataset(replace(listed, license_by="source"))["license"] == listed.license


def test_the_whole_catalogue_is_one_file(tmp_path: Path) -> None:
    assert export.mdfp_files([], tmp_path) == {"data-meta.jsonl": len(ENTRIES)}
    lines = [json.loads(line) for line in (tmp_path / "data-meta.jsonl").read_text("utf-8").split("\n")[:-1]]
    assert [line["dataset_name"] for line in lines] == [each.name for each in ENTRIES]
    assert all(tuple(line) == FIELDS for line in lines)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]


def test_rows_have_one_line_for_each_task_that_they_are_labeled_for(tmp_path: Path) -> None:
    told = export.mdfp_files(["hc18", "fire", "PathVQA"], tmp_path, source="miniature")
    assert set(told) == {
        "data-meta.jsonl",
        *(f"annotations-{task}.jsonl" for task in ("segmentation", "regression", "vqa")),
        *(f"annotations-{task}.jsonl" for task in ("localization", "registration")),
    }
    rows = {
        row["id"]: row for row in medimg.load("hc18", source="miniature", split="train", streaming=True).decode(False)
    }
    lines = read(tmp_path / "annotations-segmentation.jsonl")
    assert {line["record"]["sample_id"] for line in lines} == set(rows)
    for line in lines:
        assert tuple(line) == ("record", "context", "media_geometry", "tasks")
        row = rows[line["record"]["sample_id"]]
        meta = json.loads(row["meta"])
        assert line["record"]["image_path"] == meta["source_path"]
        assert line["record"]["split"] == "train"
        assert line["context"]["subject_id"] == row["subject"]
        assert line["context"]["extra"] == meta
        assert line["media_geometry"]["pixel_spacing"] == row["spacing"]
        assert line["media_geometry"]["dimension"] == "2D"
        assert line["tasks"]["masks"] == row["label"]["legend"]
    measured = read(tmp_path / "annotations-regression.jsonl")
    assert measured[0]["media_geometry"]["leaf_task"] == ["measurement"]
    assert measured[0]["tasks"]["values"] == rows[measured[0]["record"]["sample_id"]]["label"]["measures"]
    pairs = read(tmp_path / "annotations-registration.jsonl")
    assert {line["record"]["dataset_name"] for line in pairs} == {catalogue.get("fire").name}


def test_rows_of_the_hub_are_read_without_their_pixels(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The metadata config has no masks: the legend says that there is one."""
    asked: list[Any] = []
    row = next(iter(medimg.load("hc18", source="miniature", split="train", streaming=True).decode(False)))
    for column in ("mask", "target"):
        del row["label"][column]
    del row["image"]

    def load(name: str, config: str, **how: Any) -> dict[str, list[Any]]:
        asked.append((name, config, how))
        return {"train": [row]}

    monkeypatch.setattr(export.loading, "load", load)
    told = list(export._annotations(catalogue.get("hc18"), None, True, "medimg"))
    assert asked == [("hc18", "metadata", {"streaming": True, "namespace": "medimg"})]
    assert [task for task, _ in told] == ["segmentation", "regression"]


def test_one_row_is_held_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal alive
        for number in range(5):
            written = list(tmp_path.glob("annotations-*.jsonl"))
            assert bool(written) == (number > 0)
            alive += 1
            yield {
                "id": f"x/{number}", "organ": ["skin"], "modality": "dermoscopy", "task": ["classification"],
                "shape": [1, 1], "spacing": None, "sequence": [], "subject": None, "license": "CC0-1.0", "meta": "",
                "label": {"classes": ["nevus"], "uncertain": [], "assessed": ["nevus"], "legend": [],
                          "instances": False, "boxes": [], "points": [], "measures": [], "texts": []},
            }  # fmt: skip

    monkeypatch.setattr(export, "_rows", lambda *how: [("default", "train", rows())])
    told = export.mdfp_files(["hc18"], tmp_path, source="miniature")
    assert told["annotations-classification.jsonl"] == alive == 5


def test_a_dataset_without_a_builder_has_no_rows(tmp_path: Path) -> None:
    listed = next(each for each in ENTRIES if each.loadable == "not yet")
    with pytest.raises(UnknownDatasetError, match="nobody has written a builder") as caught:
        export.mdfp_files([listed.id], tmp_path / "out")
    assert "--no-rows" in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert export.mdfp_files([listed.id], tmp_path / "out", rows=False) == {"data-meta.jsonl": 1}


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from medimg.hub_sync.commands.app import app

    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    done = runner.invoke(app(), ["export", "hc18", "--source", "miniature", "--out", "mdfp", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["folder"] == "mdfp"
    assert told["lines"]["data-meta.jsonl"] == 1
    assert (tmp_path / "mdfp" / "annotations-segmentation.jsonl").exists()
    wrong = runner.invoke(app(), ["export", "--format", "zork"])
    assert isinstance(wrong.exception, MedimgError)
    assert "use --format mdfp" in str(wrong.exception)
    root = tmp_path / "root"
    root.mkdir()
    empty = runner.invoke(app(), ["export", "hc18", "lits", "--source", str(root)])
    assert isinstance(empty.exception, UnknownDatasetError)


def test_every_entry_can_be_exported() -> None:
    by_name = {each.name: each for each in registry.entries()}
    for each in ENTRIES:
        told = mdfp.dataset(each, by_name.get(each.id))
        assert told["dataset_name"]
        assert told["modality_primary"] or not each.modality
    assert isinstance(ENTRIES[0], Entry)
