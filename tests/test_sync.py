"""The main job: originals in, `load_dataset` out; what changed is rebuilt, what did not is left alone."""

from __future__ import annotations

import functools
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import commands
import pytest
import yaml
from huggingface_hub.utils import get_session

import medimg.builders
from medimg import clients, layout, registry
from medimg.errors import HubError
from medimg.files import Files
from medimg.files.tree import Tree
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing import client
from medimg.hub_sync.pushing.client import Hub, MovedError
from medimg.hub_sync.pushing.upload import Upload
from medimg.hub_sync.results import Result
from medimg.hub_sync.sync import sync
from medimg.hub_sync.verifying.verify import verify
from medimg.hub_sync.withdrawing import history
from medimg.licenses import Verdict
from medimg.manifest import MANIFEST_PATH
from medimg.phantom import Phantom

PLAIN = """
import json, sys, numpy as np
from datasets import load_dataset, get_dataset_config_names
repo = sys.argv[1]
seen = {}
for config in get_dataset_config_names(repo):
    for streaming in (True, False):
        for split, rows in load_dataset(repo, config, streaming=streaming).items():
            ids = []
            for row in rows:
                ids.append(row["id"])
                if config != "metadata":
                    image = row["image"]
                    assert np.asarray(getattr(image, "dataobj", image)).size > 0
            seen[f"{config}/{split}/{streaming}"] = ids
print(json.dumps(seen))
"""

NOTHING = """
import json, sys
from datasets import get_dataset_config_names, load_dataset
ways = {
    "streaming": lambda repo: load_dataset(repo, streaming=True),
    "whole": lambda repo: load_dataset(repo),
    "a split": lambda repo: load_dataset(repo, split="train", streaming=True),
    "a config": lambda repo: load_dataset(repo, "metadata"),
    "configs": lambda repo: get_dataset_config_names(repo),
}
said = {}
for number, repo in enumerate(sys.argv[1:]):
    for way in list(ways)[: 2 if number else None]:
        try:
            said[f"{repo} {way}"] = f"LOADED {ways[way](repo)}"
        except Exception as error:
            said[f"{repo} {way}"] = f"{type(error).__name__}: {error}"
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    with EmbeddedHub(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def everything(server: EmbeddedHub) -> dict[str, Result]:
    """All miniatures, published once."""
    results = sync([], Hub(server.url, "all"))
    return {result.name: result for result in results}


@pytest.fixture(scope="module")
def recipes(server: EmbeddedHub) -> dict[str, Result]:
    """All recipes, published once in a namespace of their own."""
    names = [each.name for each in registry.builders() if each.dataset.publish is Verdict.RECIPE]
    return {result.name: result for result in sync(names, Hub(server.url, "recipes"), check=False)}


def phantoms(root: Path, *names: str) -> Path:
    """Miniatures as if they were somebody's originals."""
    for name in names:
        registry.get(name).miniature(Phantom(root / name))
    return root


def plain(server: EmbeddedHub, repo: str, cwd: Path) -> dict[str, Any]:
    """Load everything of a repository with plain `datasets`, in a neutral folder."""
    return said(server, cwd, PLAIN, repo)


def said(server: EmbeddedHub, cwd: Path, code: str, *repos: str) -> dict[str, Any]:
    """What a program with plain `datasets` prints of repositories."""
    environment = {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(cwd / "hf")}
    done = subprocess.run(
        [sys.executable, "-c", code, *repos],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def test_every_miniature_is_published_or_is_a_card(everything: dict[str, Result]) -> None:
    assert set(everything) == set(registry.names())
    for name, result in everything.items():
        verdict = registry.get(name).dataset.publish
        expected = "card-only" if verdict is Verdict.RECIPE else "published"
        assert result.status == expected, (name, result.reason)


def test_plain_datasets_reads_what_was_published(
    server: EmbeddedHub, everything: dict[str, Result], tmp_path: Path
) -> None:
    for name in ("lits", "hc18", "medmnist-v2"):
        seen = plain(server, f"all/{name}", tmp_path)
        assert {key.split("/")[0] for key in seen} >= {"default", "metadata", "preview"}
        for key, ids in seen.items():
            config, split, _ = key.split("/")
            assert ids
            assert ids == seen[f"{config}/{split}/True"]


def test_a_visitor_of_a_volume_sees_pictures(server: EmbeddedHub, everything: dict[str, Result]) -> None:
    """The Hub's own viewer refuses large row groups: hence a preview and a contact sheet for every 3-D dataset."""
    hub = Hub(server.url, "all")
    volumes = [
        each.name
        for each in registry.builders()
        if "3d" in {each.dataset.dimension, *(config.dimension for config in each.dataset.configs)}
        and each.dataset.publish is not Verdict.RECIPE
    ]
    assert len(volumes) > 15
    for name in volumes:
        state = hub.published(name)
        assert state.manifest is not None and state.manifest.preview is not None, name
        assert 0 < state.manifest.preview.rows <= 64 and state.manifest.preview.raw_bytes < 16 << 20, name
        assert {layout.PREVIEW_PATH, layout.CONTACT_SHEET_PATH} <= set(state.files), name
        assert f"]({layout.CONTACT_SHEET_PATH})" in (state.card or "") and "config_name: preview" in (state.card or "")


def test_second_run_does_nothing(server: EmbeddedHub, everything: dict[str, Result]) -> None:
    hub = Hub(server.url, "all")
    before = {name: hub.published(name).sha for name in everything}
    results = sync([], hub, check=False)
    assert [result for result in results if result.commits or result.uploaded_bytes] == []
    assert {name: hub.published(name).sha for name in everything} == before


def test_recipe_datasets_have_no_data_file_whatever_is_asked(
    server: EmbeddedHub, recipes: dict[str, Result], tmp_path: Path
) -> None:
    assert {"chexpert", "echonet-dynamic"} <= set(recipes)
    root = phantoms(tmp_path / "root", *recipes)
    hub = Hub(server.url, "recipes")
    for results in (
        recipes.values(),
        *(sync(list(recipes), hub, root=source, check=False) for source in (str(root), "official")),
    ):
        for result in results:
            assert result.status == "card-only", result.reason
            assert not result.rows
            files = hub.published(result.name).files
            assert not [path for path in files if path.endswith((".parquet", ".png"))]
            assert "README.md" in files


@pytest.mark.clients
def test_a_repository_without_data_ends_in_an_error_that_names_it(
    server: EmbeddedHub, recipes: dict[str, Result], tmp_path: Path
) -> None:
    """Recipes and what was retired: nothing that lies there is taken for rows."""
    hub = Hub(server.url, "recipes")
    sync(["hc18"], hub, check=False)
    history.retire(hub, "hc18", "The source withdrew consent.", purge=True)
    # What a maintainer adds, and what earlier versions of sync wrote, is no row either.
    for path in ("croissant.json", "notes/terms.csv", "figure.png"):
        hub.api.upload_file(
            repo_id=hub.repo("chexpert"),
            path_or_fileobj=io.BytesIO(b'{"a": 1}'),
            path_in_repo=path,
            repo_type="dataset",
        )
    repos = [hub.repo(name) for name in ("chexpert", "hc18", *recipes)]
    found = said(server, tmp_path, NOTHING, *dict.fromkeys(repos))
    assert len(found) == 3 + 2 * (len(recipes) + 1) and len(recipes) > 30
    for asked, answer in found.items():
        repo = asked.split(" ")[0]
        assert answer == f"DataFilesNotFoundError: No (supported) data files found in {repo}", asked
        page = get_session().get(f"{server.url}/datasets/{repo}").text
        assert "load_dataset" not in page and "This repository holds no data" in page
        assert ("medimg.load" in page) == (repo != hub.repo("hc18")) == ("How to load it from" in page)
    sync(["chexpert"], hub, check=False)
    left = hub.published("chexpert").files
    assert "croissant.json" not in left and {layout.CROISSANT_PATH, "figure.png"} <= set(left)


@pytest.mark.clients
def test_source_is_built_changed_and_shrunk(server: EmbeddedHub, tmp_path: Path) -> None:
    root = phantoms(tmp_path / "root", "lits")
    hub = Hub(server.url, "source")
    first, *_ = sync(["lits"], hub, root=str(root))
    assert first.status == "published" and first.rows == 4
    again, *_ = sync(["lits"], hub, root=str(root))
    assert again.status == "unchanged" and not again.commits
    for path in root.rglob("*-1.nii"):
        path.unlink()
    smaller, *_ = sync(["lits"], hub, root=str(root))
    assert smaller.status == "published" and smaller.rows == 3 and "source" in smaller.reason
    state = hub.published("lits")
    assert state.manifest is not None and state.manifest.rows == 3
    assert not [p for f in verify(hub, ["lits"], deep=True).values() for p in f]
    tags = {ref.name for ref in hub.api.list_repo_refs("source/lits", repo_type="dataset").tags}
    assert tags == {"v1.0.0", "v1.0.0-2"}
    assert '"miniature":true' not in (state.card or "")


def test_phantoms_never_replace_originals(server: EmbeddedHub, tmp_path: Path) -> None:
    root = phantoms(tmp_path / "root", "hc18")
    hub = Hub(server.url, "originals")
    sync(["hc18"], hub, root=str(root), check=False)
    before = hub.published("hc18").sha
    result, *_ = sync(["hc18"], hub)
    assert result.status == "unchanged" and "never replace" in result.reason
    assert hub.published("hc18").sha == before


def test_phantoms_are_refused_by_another_hub(server: EmbeddedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_is_embedded", lambda endpoint: False)
    hub = Hub(server.url, "outside", token="x")
    result, *_ = sync(["lits"], hub)
    assert result.status == "blocked" and "phantoms" in result.reason
    assert hub.published("lits").sha is None


def test_an_unread_license_stays_on_embedded_hubs(
    server: EmbeddedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = next(
        each.name
        for each in registry.builders()
        if "license" in each.dataset.evidence.unverified and each.dataset.publish is not Verdict.RECIPE
    )
    root = phantoms(tmp_path / "root", name)
    inside = Hub(server.url, "unread-inside")
    assert sync([name], inside, root=str(root), check=False)[0].status == "published"
    monkeypatch.setattr(client, "_is_embedded", lambda endpoint: False)
    outside = Hub(server.url, "unread-outside", token="x")
    result, *_ = sync([name], outside, root=str(root))
    assert result.status == "blocked" and "nobody has read its license" in result.reason
    assert outside.published(name).sha is None


def test_an_archive_is_a_source_and_gives_the_same_shards(server: EmbeddedHub, tmp_path: Path) -> None:
    root = phantoms(tmp_path / "root", "verse")
    packed = tmp_path / "packed"
    packed.mkdir()
    shutil.make_archive(str(packed / "verse"), "zip", root, "verse")
    shutil.make_archive(str(tmp_path / "verse"), "gztar", root, "verse")
    hub = Hub(server.url, "archive")
    sync(["verse"], hub, root=str(root), check=False)
    expected = {p: d for p, d in hub.published("verse").files.items() if p.endswith(".parquet")}
    for suffix in (".zip", ".tar.gz"):
        if suffix == ".tar.gz":
            (packed / "verse.zip").unlink()
            shutil.move(tmp_path / "verse.tar.gz", packed / "verse.tar.gz")
        sync(["verse"], hub, root=str(packed), check=False)
        assert {p: d for p, d in hub.published("verse").files.items() if p.endswith(".parquet")} == expected


def test_a_source_is_opened_once(server: EmbeddedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For its fingerprint, for its rows, to see whether it changed, and where it is planned anew."""
    root = phantoms(tmp_path / "root", "verse", "hc18")
    shutil.make_archive(str(root / "verse"), "zip", root, "verse")
    shutil.rmtree(root / "verse")
    listed: list[Tree] = []
    original, commit, moved = Tree.listed, Upload.commit, iter([True])

    def counted(self: Tree) -> Any:
        listed.append(self)
        return original(self)

    def once_moved(self: Any, files: Any, parent: Any, message: str) -> Any:
        if next(moved, False):
            raise MovedError("somebody else committed")
        return commit(self, files, parent, message)

    monkeypatch.setattr(Tree, "listed", counted)
    monkeypatch.setattr(Upload, "commit", once_moved)
    results = sync(["verse", "hc18"], Hub(server.url, "opens"), root=str(root), check=False)
    assert [each.status for each in results] == ["published", "published"]
    assert len(listed) == 2, "one view of each is listed, archives and all"


def test_an_error_leaves_the_published_revision_as_it_was(server: EmbeddedHub, tmp_path: Path) -> None:
    root = phantoms(tmp_path / "root", "lits", "hc18")
    hub = Hub(server.url, "errors")
    sync(["lits", "hc18"], hub, root=str(root), check=False)
    before = hub.published("lits")
    victim = next(root.rglob("volume-1.nii"))
    victim.write_bytes(victim.read_bytes()[:400])
    results = {result.name: result for result in sync(["lits", "hc18"], hub, root=str(root), check=False)}
    assert results["lits"].status == "failed"
    assert "lits" in results["lits"].reason and "volume-1.nii" in results["lits"].reason
    assert results["hc18"].status == "unchanged", "the others go on"
    assert hub.published("lits").sha == before.sha


def test_a_moved_main_is_never_overwritten(
    server: EmbeddedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = phantoms(tmp_path / "root", "lits")
    hub = Hub(server.url, "moved")
    sync(["lits"], hub, root=str(root), check=False)
    original = Upload.commit
    notes = iter(range(100))

    def interfering(self: Any, files: Any, parent: Any, message: str) -> Any:
        hub.api.upload_file(
            path_or_fileobj=b"hi %d" % next(notes),
            path_in_repo="note.txt",
            repo_id="moved/lits",
            repo_type="dataset",
        )
        return original(self, files, parent, message)

    monkeypatch.setattr(Upload, "commit", interfering)
    next(root.rglob("test-volume-0.nii")).unlink()
    result, *_ = sync(["lits"], hub, root=str(root), check=False)
    assert result.status == "failed" and "run it again" in result.reason
    assert 1 < next(notes) < 10, "planned anew, and not for ever"
    monkeypatch.undo()
    result, *_ = sync(["lits"], hub, root=str(root), check=False)
    assert result.status == "published"
    assert "note.txt" in hub.published("lits").files, "files of others stay"


def test_verify_finds_a_tampered_repository(server: EmbeddedHub, tmp_path: Path) -> None:
    hub = Hub(server.url, "tampered")
    sync(["lits"], hub, check=False)
    assert verify(hub, ["lits"]) == {"lits": []}
    state = hub.published("lits")
    shard = next(path for path in state.files if path.startswith("data/"))
    hub.api.delete_file(shard, "tampered/lits", repo_type="dataset")
    assert any("is missing" in problem for problem in verify(hub, ["lits"])["lits"])


def test_dry_run_writes_nothing(server: EmbeddedHub) -> None:
    hub = Hub(server.url, "dry")
    result, *_ = sync(["lits"], hub, dry_run=True)
    assert "build" in result.reason
    assert hub.published("lits").sha is None


def test_withheld_rows_are_counted_and_not_published(server: EmbeddedHub, everything: dict[str, Result]) -> None:
    state = Hub(server.url, "all").published("covid-chestxray")
    assert state.manifest is not None
    withheld = sum(split.withheld for config in state.manifest.configs for split in config.splits.values())
    assert withheld, "the miniature has rows without a license"
    licenses = {key for config in state.manifest.configs for key in config.license}
    assert "LicenseRef-unknown" not in licenses


def test_command_line_end_to_end(tmp_path: Path) -> None:
    run = functools.partial(commands.medimg, cwd=tmp_path)
    process = [str(Path(sys.executable).with_name("medimg")), "sync", "lits", "chexpert", "--json"]
    done = subprocess.run(process, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = {each["name"]: each for each in json.loads(done.stdout)["datasets"]}
    assert rows["lits"]["status"] == "published" and rows["chexpert"]["status"] == "card-only"
    assert set(rows["lits"]) >= {"name", "status", "reason", "commits", "rows", "uploaded_bytes", "seconds"}
    assert run("sync", "no-such-thing").returncode == 1
    said = run("sync", "lit").stderr
    assert "did you mean" in said or "medimg list" in said
    shown = run("sync", "lits")
    assert shown.returncode == 0 and "load_dataset" in shown.stdout and "unchanged" in shown.stdout
    assert run("verify", "lits").returncode == 0
    listed = json.loads(run("list", "--json").stdout)
    keys = {
        "name",
        "aliases",
        "title",
        "dimension",
        "modality",
        "organ",
        "task",
        "license",
        "publish",
        "configs",
        "splits",
    }
    assert all(keys <= set(each) for each in listed)
    assert json.loads(run("show", "LiTS17", "--json").stdout)["name"] == "lits"
    assert "LiTS" in run("show", "lits").stdout
    for name in ("sync", "hub", "list", "show", "verify", "new"):
        text = run(name, "--help").stdout
        assert re.search("Examples?:", text), name


def test_a_maintainer_sees_what_a_source_lacks(tmp_path: Path) -> None:
    """A table is missing, one volume is cut off: the first is told, the second fails, the third goes on."""
    root = phantoms(tmp_path / "root", "hc18", "dsb2018", "lits")
    tables = [path for path in (root / "hc18").rglob("*.csv")]
    assert tables
    for table in tables:
        table.unlink()
    victim = next(root.rglob("volume-1.nii"))
    victim.write_bytes(victim.read_bytes()[:400])
    command = ("sync", "hc18", "lits", "dsb2018", "--source", str(root))
    run = functools.partial(commands.medimg, *command, cwd=tmp_path)

    done = run("--json")
    assert done.returncode == 1
    told = {each["name"]: each for each in json.loads(done.stdout)["datasets"]}
    assert {name: each["status"] for name, each in told.items()} == {
        "hc18": "published",
        "lits": "failed",
        "dsb2018": "published",
    }
    (reason, left), *_ = told["hc18"]["incomplete"].items()
    assert "circumference" in reason and left["count"] >= 1
    assert re.match(r"lits: .*volume-1\.nii: .*Next: ", told["lits"]["reason"])
    shown = run()
    assert shown.returncode == 1
    head, *lines = (line for line in shown.stdout.splitlines() if line.strip())
    assert head.split()[:7] == ["dataset", "status", "rows", "left", "out", "withheld", "incomplete"]
    cells = {line.split()[0]: line.split() for line in lines}
    assert cells["hc18"][1] == "unchanged" and int(cells["hc18"][5]) == sum(
        each["count"] for each in told["hc18"]["incomplete"].values()
    )
    assert cells["lits"][1] == "failed" and "volume-1.nii" in shown.stdout
    report = json.loads((tmp_path / "hub-store" / "sync-report.json").read_text())
    assert report["finished"] and [each["name"] for each in report["datasets"]] == [
        "hc18",
        "lits",
        "dsb2018",
    ]
    with EmbeddedHub(tmp_path / "hub-store") as running:
        state = Hub(running.url, "medimg").published("hc18")
        card = state.card or ""
    assert state.manifest is not None and reason in state.manifest.incomplete
    finding = next(each for each in state.manifest.findings if each.check == "incomplete")
    assert reason in finding.message and finding.count == left["count"]
    assert "circumference" in card.split("## Data quality")[1]


def test_reading_back_parses_a_card_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def parse(text: str) -> dict[str, list[str]]:
        parsed.append(text)
        return {"configs": [text]}

    monkeypatch.setattr(yaml, "safe_load", parse)
    clients.parse_cards_once()
    yaml.safe_load("a")["configs"].clear()
    assert [yaml.safe_load(each) for each in "aba"] == [{"configs": [each]} for each in "aba"]
    assert parsed == ["a", "b"], "and who changes an answer changes no other"


def test_new_dataset_skeleton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medimg.errors import DeclarationError
    from medimg.hub_sync.commands.new import scaffold

    path = scaffold("my-dataset", tmp_path)
    assert path.name == "my_dataset.py" and 'name="my-dataset"' in path.read_text()
    monkeypatch.setattr(medimg.builders, "__path__", [*medimg.builders.__path__, str(tmp_path)])
    with pytest.raises(DeclarationError) as caught:
        registry.get("my-dataset")
    told = str(caught.value)
    for missing in ("title", "homepage", "citation.title", "sources.url", "evidence.layout", "subject"):
        assert f"- {missing} is not filled in" in told
    for kind in ("modality", "organ", "task", "label"):
        assert f"'TODO' is not in the {kind} vocabulary" in told
    with pytest.raises(DeclarationError, match="already"):
        scaffold("my-dataset", tmp_path)
    with pytest.raises(DeclarationError, match="slug"):
        scaffold("My Dataset", tmp_path)
    skeleton: dict[str, Any] = {}
    exec(path.read_text().replace("DATASET = Dataset(", "DATASET = dict("), skeleton)  # the facts are not filled in
    skeleton["miniature"](Phantom(tmp_path / "copy"))
    with Files.open(tmp_path / "copy") as files:
        (row,) = skeleton["rows"](files)
    assert (row.id, row.image.path, row.label.mask.path) == ("case1", "images/case1.png", "masks/case1.png")


def test_no_hub_at_the_address() -> None:
    with pytest.raises(HubError, match="no Hub answers"):
        Hub("http://127.0.0.1:9", "x")


def test_manifest_is_part_of_the_repository(server: EmbeddedHub, everything: dict[str, Result]) -> None:
    state = Hub(server.url, "all").published("lits")
    assert MANIFEST_PATH in state.files and state.manifest is not None
    assert state.manifest.origin == "miniature"
    assert "phantom" in (state.card or "").lower()
