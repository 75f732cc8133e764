"""What sync does on a Hub besides publishing: replan, hold still, roll back, retire, collect, report."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import commands
import jinja2
import pytest
import tiny_datasets as tiny
from fault_proxy import FaultProxy
from tiny_datasets import verdict

from medimg import licenses, registry
from medimg.cards import human
from medimg.cards.readme import page
from medimg.errors import HubError, MedimgError, SourceError
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing import patience
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.state import HOLD_PATH, MARK_PATH
from medimg.hub_sync.results import Result, Watcher, report
from medimg.hub_sync.sync import sync
from medimg.hub_sync.verifying.verify import Reader, verify
from medimg.hub_sync.withdrawing import history
from medimg.hub_sync.workers import cluster
from medimg.licenses import Verdict
from medimg.manifest import MANIFEST_PATH
from medimg.privacy import identifying

pytestmark = pytest.mark.clients

NAME = "tiny-0"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    with EmbeddedHub(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    with tiny.builders(tmp_path_factory.mktemp("builders"), 10) as found:
        yield found


@pytest.fixture
def proxy(server: EmbeddedHub) -> Iterator[FaultProxy]:
    with FaultProxy(server.url) as running:
        yield running


@pytest.fixture(scope="module")
def reader(server: EmbeddedHub) -> Iterator[Reader]:
    with Reader(Hub(server.url, "shared")) as running:
        yield running


def run(hub: Hub, root: Path | None, *names: str, **options: Any) -> dict[str, Result]:
    source = None if root is None else str(root)
    results = sync(names, hub, **{"root": source, "check": False, **options})
    return {result.name: result for result in results}


def two_versions(hub: Hub, root: Path, seed: int) -> tuple[str, str]:
    """Publish four rows, then five; returns the revisions."""
    tiny.originals(root, NAME, 4, seed)
    assert run(hub, root, NAME, shard_bytes=tiny.SHARD)[NAME].status == "published"
    first = hub.published(NAME).sha
    tiny.change(root, NAME, seed * 1000 + 77)
    assert run(hub, root, NAME, shard_bytes=tiny.SHARD)[NAME].rows == 5
    second = hub.published(NAME).sha
    assert first and second and first != second
    return first, second


# what is rebuilt


def test_a_source_that_changes_while_it_is_read(
    server: EmbeddedHub, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tiny.originals(tmp_path, NAME, 4, 1)
    hub = Hub(server.url, "restless")
    iterate = sys.modules["medimg.hub_sync.building.build"].iterate  # type: ignore[attr-defined]

    def disturbed(*given: Any, **options: Any) -> Iterator[Any]:
        for record in iterate(*given, **options):
            yield record
            tiny.picture(root / NAME / "train" / "0.png", 4242)

    with monkeypatch.context() as patch:
        patch.setattr("medimg.hub_sync.building.build.iterate", disturbed)
        result = run(hub, root, NAME)[NAME]
    assert result.status == "failed" and "changed while it was read" in result.reason
    assert hub.published(NAME).manifest is None
    assert run(hub, root, NAME)[NAME].status == "published"


def test_a_changed_template_commits_texts_only(
    server: EmbeddedHub,
    proxy: FaultProxy,
    names: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number, name in enumerate(names[:3]):
        tiny.originals(tmp_path, name, 3, 10 + number)
    hub = Hub(proxy.url, "template")
    assert {each.status for each in run(hub, tmp_path, *names[:3]).values()} == {"published"}
    before = {name: dict(hub.published(name).files) for name in names[:3]}
    uploaded = proxy.uploaded
    environment = page.environment()
    loader = environment.loader
    assert loader is not None
    text = loader.get_source(environment, "card.md.j2")[0].replace("## Who may use it", "## Who may use this")
    changed = environment.overlay(loader=jinja2.DictLoader({"card.md.j2": text}))
    monkeypatch.setattr(page, "environment", lambda: changed)
    for name, result in run(hub, tmp_path, *names[:3]).items():
        assert (result.status, result.commits, result.reason) == ("card-only", 1, "card")
        after = dict(hub.published(name).files)
        differing = {path for path in after if after[path] != before[name].get(path)}
        assert differing == {"README.md", MANIFEST_PATH} and set(after) == set(before[name])
        assert "Who may use this" in (hub.published(name).card or "")
    assert proxy.uploaded == uploaded
    assert {each.commits for each in run(hub, tmp_path, *names[:3]).values()} == {0}
    assert hub.published(NAME).tags == {"v1.0.0": hub.published(NAME).tags["v1.0.0"]}


def test_a_changed_builder_rebuilds_its_dataset_only(server: EmbeddedHub, names: list[str]) -> None:
    hub = Hub(server.url, "builder")
    first = run(hub, None, *names[:4])
    assert {each.status for each in first.values()} == {"published"}, first
    paths = {name: Path(registry.get(name).module.__file__) for name in names[:4]}
    before = {name: path.read_text() for name, path in paths.items()}
    try:
        for name, path in paths.items():
            said = "EXTRA = 1" if name == "tiny-2" else "# a remark"
            path.write_text(before[name].replace("def rows(files):", f"{said}\n\n\ndef rows(files):"))
        results = run(hub, None, *names[:4])
        told = {name: (result.status, result.reason) for name, result in results.items()}
        assert {name for name, result in results.items() if result.commits} == {"tiny-2"}, told
        assert "builder" in results["tiny-2"].reason
        assert list(hub.published("tiny-2").tags) == ["v1.0.0"], "the same data is no new version"
        assert not any(each.commits for each in run(hub, None, *names[:4]).values())
    finally:
        for name, path in paths.items():
            path.write_text(before[name])


def test_a_removed_row_disappears_in_one_commit(server: EmbeddedHub, names: list[str], tmp_path: Path) -> None:
    hub = Hub(server.url, "removed")
    root = tiny.originals(tmp_path, NAME, 8, 20)
    run(hub, root, NAME, shard_bytes=tiny.SHARD)
    (root / NAME / "train" / "1.png").unlink()
    result = run(hub, root, NAME, shard_bytes=tiny.SHARD, check=True)[NAME]
    assert (result.status, result.commits, result.rows) == ("published", 1, 7)
    manifest = tiny.consistent(server, f"removed/{NAME}")
    assert manifest is not None
    assert {split: each.rows for split, each in manifest.configs[0].splits.items()} == {"train": 5, "test": 2}
    assert "num_examples: 5" in (hub.published(NAME).card or "")


def test_hands_on_a_card_are_kept_and_cost_no_commit(server: EmbeddedHub, names: list[str], tmp_path: Path) -> None:
    hub = Hub(server.url, "hands")
    root = tiny.originals(tmp_path, NAME, 3, 25)
    run(hub, root, NAME)
    text = hub.published(NAME).card or ""
    written = text.replace(human.START + "\n", human.START + "\nWritten by hand.\n")
    hub.api.upload_file(
        path_or_fileobj=written.encode(),
        path_in_repo="README.md",
        repo_id=f"hands/{NAME}",
        repo_type="dataset",
    )
    assert run(hub, root, NAME)[NAME].commits == 0
    tiny.change(root, NAME, 25_500)
    assert run(hub, root, NAME)[NAME].commits == 1
    assert "\nWritten by hand.\n" in (hub.published(NAME).card or "")


def test_an_unverified_revision_is_read_back_and_tagged_later(
    server: EmbeddedHub, proxy: FaultProxy, names: list[str], tmp_path: Path
) -> None:
    root = tiny.originals(tmp_path, NAME, 3, 27)
    proxy.choose = lambda seen: "cut before" if "/tag/" in seen.kind else None
    result = run(Hub(proxy.url, "untagged", patience=patience.NONE), root, NAME)[NAME]
    assert result.status == "failed"
    hub = Hub(server.url, "untagged")
    assert tiny.consistent(server, f"untagged/{NAME}") is not None and not hub.published(NAME).tags
    result = run(hub, root, NAME, check=True)[NAME]
    assert (result.status, result.commits) == ("unchanged", 0)
    assert set(hub.published(NAME).tags) == {"v1.0.0"}


def test_a_mistake_in_one_builder_does_not_stop_the_others(
    server: EmbeddedHub, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = registry.get("tiny-1").module

    def broken(files: Any) -> Iterator[Any]:
        raise ZeroDivisionError("a mistake")
        yield

    def full(files: Any) -> Iterator[Any]:
        raise OSError(28, "No space left on device")
        yield

    for failing, said in ((broken, "ZeroDivisionError: a mistake"), (full, "is full")):
        monkeypatch.setattr(module, "rows", failing)
        results = run(Hub(server.url, "mistake"), None, *names[:3])
        assert results["tiny-1"].status == "failed" and said in results["tiny-1"].reason
        assert {results[name].good for name in ("tiny-0", "tiny-2")} == {True}


# checks


def test_what_identifies_a_person() -> None:
    def names_in(value: Any) -> set[str]:
        return identifying(json.dumps(value))

    assert names_in({"PatientName": "Doe^Jane"}) == {"PatientName"}
    assert names_in({"source_header": {"Patient's Birth Date": "1960-01-01"}}) == {"Patient's Birth Date"}
    assert names_in([{"(0010,0010)": "x y"}, {"00100030": "1960"}]) == {"(0010,0010)", "00100030"}
    assert names_in({"(0009,1001)": "private"}) == {"(0009,1001)"}
    assert names_in({"dob": "1960", "patient_name": "Jane"}) == {"dob", "patient_name"}
    assert names_in({"OtherPatientIDsSequence": [{"PatientID": "7"}]}) == {"OtherPatientIDsSequence"}
    harmless = {
        "PatientName": "",
        "Patient Name": "Anonymous",
        "dob": "0000-00-00",
        "PatientBirthDate": None,
        "file_name": "volume-1.nii",
        "PatientID": "LIDC-IDRI-0001",
        "PatientAge": "061Y",
        "deadbee1": "digest",
        "name": "polyp",
        "(0018,0050)": 1.5,
    }
    assert names_in(harmless) == set()
    assert identifying(None) == set() == identifying("[1]")


def test_identifying_rows_stop_the_dataset(
    server: EmbeddedHub, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medimg.schema import Row

    def rows(files: Any) -> Iterator[Row]:
        for image, case in files.match(r"train/(\w+)\.png$"):
            yield Row(id=case, image=image, meta={"PatientName": "Doe^Jane"})

    module = registry.get(NAME).module
    monkeypatch.setattr(module, "rows", rows)
    monkeypatch.setattr(module, "DATASET", module.DATASET.model_copy(update={"keys": ("PatientName",)}))
    hub = Hub(server.url, "person")
    result = run(hub, tiny.originals(tmp_path, NAME, 2, 30), NAME)[NAME]
    assert result.status == "failed" and "identifiers" in result.reason and "PatientName (2)" in result.reason
    assert "Doe" not in result.reason
    assert hub.published(NAME).manifest is None


def tried(root: Path, hub: str, store: Path) -> dict[str, dict[str, list[str]]]:
    """For every command that may publish: how to try each of its options. A new option has to be added here."""
    common = {
        "--source": [str(root), "official", ""],
        "--hub": [hub],
        "--namespace": ["flags", "other"],
        "--store": [str(store)],
        "--json": [],
    }
    return {
        "sync": {
            **common,
            "--dry-run": [],
            "--no-verify": [],
            "--restore": [],
            "--no-collections": [],
            "--report": [str(store / "report.json")],
            "--workers": ["2"],
            "--scheduler": ["tcp://127.0.0.1:9"],
        },
        "fuse": {
            **common,
            "--modality": ["X-ray"],
            "--organ": ["chest"],
            "--task": ["classification"],
            "--target": ["cardiomegaly"],
            "--dimension": ["2d", "video"],
            "--license": ["open", "commercial"],
            "--split": ["train"],
            "--source": [str(root), "official", "miniature"],
            "--weights": ["interleave"],
            "--on-duplicate": ["keep", "drop"],
            "--encoding": ["index", "channels"],
            "--blueprint": ["chest-xray-findings", "liver-ct"],
            "--seed": ["1"],
            "--plan": [],
            "--push": ["a-set"],
            "--verbatim": [],
            "--limit": ["1"],
            "--grid": ["spacing=2"],
            "--minimum": ["1"],
            "--near": [],
            "--no-near": [],
            "--prefer": ["hc18"],
            "--repeat": [],
            "--shuffle-buffer": ["2"],
            "--streaming": [],
            "--no-streaming": [],
            "--storage-option": ["anon=true"],
            "--unlabeled": [],
        },
        "rollback": {"--to": ["v1.0.0"], "--reason": ["x"], **common},
        "retire": {"--reason": ["x"], "--purge": [], **common},
        "purge": common,
    }


HARMLESS = {"--hub", "--namespace", "--store", "--json", "--report"}
"""Options of sync that are not tried in pairs."""
READS_ONLY = {
    "hub",
    "list",
    "export",
    "show",
    "verify",
    "new",
    "search",
    "mcp",
    "catalogue",
    "portal",
    "preflight",
    "vocab",
}
"""Commands that write nothing to a Hub."""


def test_no_flag_of_any_command_publishes_a_recipe(
    server: EmbeddedHub, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer
    from typer.testing import CliRunner

    from medimg.hub_sync.commands.app import app
    from medimg.phantom import Phantom

    recipes = [each.name for each in registry.builders() if each.dataset.publish is Verdict.RECIPE]
    name = "chexpert"
    assert name in recipes
    registry.get(name).miniature(Phantom(tmp_path / "root" / name))
    registry.get("hc18").miniature(Phantom(tmp_path / "root" / "hc18"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster, "PATIENCE", 0.1)
    for name_ in ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_DISABLE_TELEMETRY"):  # the command sets them
        monkeypatch.setenv(name_, os.environ.get(name_, ""))
    options = tried(tmp_path / "root", proxy.url, tmp_path / "store")
    commands = typer.main.get_command(app()).commands  # type: ignore[attr-defined]
    assert set(commands) - READS_ONLY == set(options), "a new command: may it publish?"
    runner = CliRunner()
    ran = 0
    for command, known in options.items():
        params = [each for each in commands[command].params if each.param_type_name == "option"]
        flags = {flag for each in params for flag in (*each.opts, *each.secondary_opts)} - {"--help"}
        assert flags <= set(known), f"new options of `medimg {command}`: say here how to try them"
        needed = [each.opts[0] for each in params if each.required]
        given = [
            [flag, *([value] if value is not None else [])] for flag in sorted(flags) for value in known[flag] or [None]
        ]  # type: ignore[list-item]
        always = [[flag, known[flag][0]] for flag in needed]
        if command == "fuse":
            always += [["--push", "a-set"], ["--source", str(tmp_path / "root")]]
        whole = [
            part
            for one in {each[0]: each for each in given if each[0] not in ("--dry-run", "--plan")}.values()
            for part in one
        ]
        tries = [
            [],
            *given,
            *(a + b for a, b in combinations(given, 2) if command == "sync" and not {a[0], b[0]} & HARMLESS),
            whole,
        ]
        for one in tries:
            base = [part for each in always if each[0] not in one for part in each]
            to = [] if "--hub" in one else ["--hub", proxy.url]
            # With an open one beside it; whose declared address is not asked.
            both = command == "fuse" and "official" not in one
            for names in ([name], [name, "hc18"]) if both else ([name],):
                before = proxy.uploaded
                result = runner.invoke(app(), [command, *names, *base, *to, *one])
                if len(names) == 1:
                    assert proxy.uploaded == before, (command, one)
                ran += 1
                assert result.exception is None or isinstance(result.exception, SystemExit | MedimgError), (
                    command,
                    one,
                    result.exception,
                )
    assert ran > 80
    # Criteria may leave the recipe out of a fused set: then the open one alone is pushed.
    for repository in server.store.repositories("dataset"):
        if repository.id.startswith(("flags/", "other/", "medimg/")):
            for commit in repository.history(repository.commit()):
                large = [path for path, file in commit.files.items() if file.lfs]
                if repository.id.endswith("/a-set") and MANIFEST_PATH in commit.files:
                    digest = commit.files[MANIFEST_PATH].sha256
                    told = json.loads(server.store.object_path(digest).read_bytes())
                    assert [member["name"] for member in told["members"]] == ["hc18"]
                else:
                    assert not large, repository.id


def test_no_recipe_of_all_has_data(server: EmbeddedHub, proxy: FaultProxy, tmp_path: Path) -> None:
    recipes = [each.name for each in registry.builders() if each.dataset.publish is Verdict.RECIPE]
    hub = Hub(proxy.url, "recipes")
    assert {each.status for each in sync(recipes, hub, check=False)} == {"card-only"}
    assert proxy.uploaded == 0
    for name in recipes:
        assert all(len(digest) == 40 for digest in hub.published(name).files.values())


# gates


def declared(monkeypatch: pytest.MonkeyPatch, name: str, **changes: Any) -> None:
    """Change a declaration."""
    builder = registry.get(name)
    dataset = builder.dataset.model_copy(update=changes)
    monkeypatch.setattr(builder.module, "DATASET", dataset)


def test_the_gate_follows_the_declaration(
    server: EmbeddedHub, proxy: FaultProxy, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(proxy.url, "gates")
    root = tiny.originals(tmp_path, NAME, 3, 60)
    assert run(hub, root, NAME)[NAME].publish == "gated" and hub.gated(NAME)
    # Somebody opens it by hand: it is shut again, without a commit.
    hub.gate(NAME, False)
    dry = run(hub, root, NAME, dry_run=True)[NAME]
    assert "gate" in dry.reason and not hub.gated(NAME)
    again = run(hub, root, NAME)[NAME]
    assert (again.status, again.commits) == ("unchanged", 0) and "gate" in again.reason and hub.gated(NAME)
    # The license turns out to be an open one.
    with monkeypatch.context() as patch:
        declared(patch, NAME, license=tiny.OPEN)
        assert run(hub, root, NAME, dry_run=True)[NAME].reason.startswith("would do: build") and hub.gated(NAME)
        opened = run(hub, root, NAME)[NAME]
        assert (opened.status, opened.publish) == ("published", "open") and not hub.gated(NAME)
        assert "extra_gated_prompt" not in (hub.published(NAME).card or "")
        assert run(hub, root, NAME)[NAME].commits == 0
        # A person may be stricter: what sync did not shut it does not open.
        hub.gate(NAME)
        tiny.change(root, NAME, 60_500)
        assert run(hub, root, NAME)[NAME].status == "published" and hub.gated(NAME)
        hub.gate(NAME, False)
    # And back: it is shut before data is there.
    proxy.hook = lambda seen, moment: shut.append(hub_gated(server)) if "/commit/" in seen.kind else None
    shut: list[bool] = []
    assert run(hub, root, NAME)[NAME].publish == "gated"
    assert shut and all(shut)


def hub_gated(server: EmbeddedHub) -> bool:
    return bool(server.store.repository("dataset", f"gates/{NAME}").settings()["gated"])


def test_a_gate_stays_while_earlier_revisions_need_it(
    server: EmbeddedHub, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where rows state their own licenses, taking the gated ones out says nothing about those in history."""
    from medimg.schema import Row

    per_row = next(id for id in licenses.known() if licenses.get(id).per_row)
    rights = {"license": tiny.GATED}

    def rows(files: Any) -> Iterator[Row]:
        for image, case in files.match(r"train/(\w+)\.png$"):
            yield Row(id=case, split="train", image=image, license=rights["license"])

    monkeypatch.setattr(registry.get(NAME).module, "rows", rows)
    declared(monkeypatch, NAME, license=per_row)
    hub = Hub(server.url, "history")
    root = tiny.originals(tmp_path, NAME, 3, 65)
    assert run(hub, root, NAME)[NAME].status == "published" and hub.gated(NAME)
    rights["license"] = tiny.OPEN
    tiny.change(root, NAME, 65_500)
    assert run(hub, root, NAME)[NAME].status == "published" and hub.gated(NAME)


# licenses whose verdict turns


TURNING = "CC-BY-4.0"


def of_two_licenses(monkeypatch: pytest.MonkeyPatch, name: str = NAME) -> None:
    """Rows of the training split under one license, the others under another."""
    from medimg.schema import Row

    def rows(files: Any) -> Iterator[Row]:
        for image, split, case in files.match(r"(train|test)/(\w+)\.png$"):
            terms = TURNING if split == "train" else tiny.OPEN
            yield Row(id=f"{split}-{case}", split=split, image=image, license=terms)

    monkeypatch.setattr(registry.get(name).module, "rows", rows)
    declared(monkeypatch, name, license=licenses.PER_ROW)


def test_rows_go_and_come_as_their_license_turns(
    server: EmbeddedHub, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Reader
) -> None:
    of_two_licenses(monkeypatch)
    hub = Hub(server.url, "turns")
    root = tiny.originals(tmp_path, NAME, 8, 70)
    assert run(hub, root, NAME)[NAME].rows == 8
    assert run(hub, root, NAME)[NAME].commits == 0
    verdict(monkeypatch, TURNING, open=False)
    problems = verify(hub, [NAME], reader=reader)[NAME]
    assert len(problems) == 1 and f"6 rows are published under {TURNING}" in problems[0]
    assert f"medimg retire {NAME}" in problems[0]
    shut = run(hub, root, NAME, check=True)[NAME]
    assert (shut.status, shut.commits, shut.rows, dict(shut.withheld)) == ("published", 1, 2, {TURNING: 6})
    assert f"6 rows under {TURNING} may not be published any more" in shut.reason
    assert f"6 rows withheld under {TURNING}" in shut.left_out
    manifest = tiny.consistent(server, f"turns/{NAME}")
    assert manifest is not None and set(manifest.configs[0].license) == {tiny.OPEN}
    card = hub.published(NAME).card or ""
    assert "license does not allow it: 6 rows" in card and "Creative Commons Attribution 4.0" in card
    assert not [path for path in hub.published(NAME).files if "train" in path and path.startswith("data/")]
    assert verify(hub, [NAME], reader=reader) == {NAME: []}
    again = run(hub, root, NAME)[NAME]
    assert (again.status, again.commits, dict(again.withheld)) == ("unchanged", 0, {TURNING: 6})
    verdict(monkeypatch, TURNING, open=True)
    back = run(hub, root, NAME, check=True)[NAME]
    assert (back.commits, back.rows, dict(back.withheld)) == (1, 8, {})
    assert f"6 rows under {TURNING} may be published now" in back.reason
    assert run(hub, root, NAME)[NAME].commits == 0


def test_all_rows_may_turn(
    server: EmbeddedHub, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_two_licenses(monkeypatch)
    hub = Hub(server.url, "turn-all")
    root = tiny.originals(tmp_path, NAME, 3, 71)
    assert run(hub, root, NAME)[NAME].rows == 3
    verdict(monkeypatch, TURNING, open=False)
    gone = run(hub, root, NAME, check=True)[NAME]
    assert (gone.status, gone.rows, dict(gone.withheld)) == ("card-only", 0, {TURNING: 3})
    assert f"3 rows under {TURNING} are withheld" in gone.reason
    assert not [path for path in hub.published(NAME).files if path.endswith((".parquet", ".png"))]
    card = hub.published(NAME).card or ""
    assert "states a license of its own that does not let it be published" in card and "| 3 |" in card
    assert run(hub, root, NAME)[NAME].commits == 0
    verdict(monkeypatch, TURNING, open=True)
    assert run(hub, root, NAME)[NAME].rows == 3


def test_a_license_that_leaves_the_table_lets_nothing_out(
    server: EmbeddedHub, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Reader
) -> None:
    of_two_licenses(monkeypatch)
    hub = Hub(server.url, "turn-away")
    run(hub, tiny.originals(tmp_path, NAME, 4, 72), NAME)
    table = {id: each for id, each in licenses._table().items() if id != TURNING}
    monkeypatch.setattr(licenses, "_table", lambda: table)
    assert "3 rows are published under" in verify(hub, [NAME], reader=reader)[NAME][0]
    idle = run(hub, None, NAME)[NAME]
    assert idle.status == "blocked" and not idle.good


def test_what_may_not_be_shown_is_told_where_nothing_can_be_built(
    server: EmbeddedHub, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Reader
) -> None:
    """Without the source, without being asked for, and rolled back."""
    of_two_licenses(monkeypatch)
    hub = Hub(server.url, "turn-idle")
    two_versions(hub, tmp_path, 73)
    history.rollback(hub, NAME, "v1.0.0", reader=reader)
    with monkeypatch.context() as patch:
        verdict(patch, TURNING, open=False)
        held = run(hub, tmp_path, NAME)[NAME]
        assert (held.status, held.rows) == ("blocked", 4) and not held.good
        assert f"3 rows under {TURNING}" in held.reason and "rolled back" in held.reason
        assert f"Next: medimg sync {NAME} --source <root> --restore" in held.reason
        before = hub.published(NAME).sha
        with pytest.raises(HubError, match=f"v1.0.0-2 holds . rows under {TURNING}.*--restore"):
            history.rollback(hub, NAME, "v1.0.0-2", reader=reader)
        assert hub.published(NAME).sha == before
        assert run(hub, tmp_path, NAME, restore=True)[NAME].rows == 1
    assert run(hub, tmp_path, NAME)[NAME].rows == 5
    verdict(monkeypatch, TURNING, open=False)
    for root, others in ((None, ()), (tmp_path / "empty", ())):
        if root is not None:
            root.mkdir()
        idle = run(hub, root, NAME, *others)[NAME]
        assert idle.status == "blocked" and f"4 rows under {TURNING} may not be published" in idle.reason
    elsewhere = tiny.originals(tmp_path / "elsewhere", "tiny-1", 2, 74)
    monkeypatch.setattr(registry, "builders", lambda: [registry.get(each) for each in names[:2]])
    everything = run(hub, elsewhere)
    assert everything["tiny-1"].good and everything[NAME].status == "blocked", "nobody asked for it"


def test_a_whole_license_that_turns_takes_a_rolled_back_dataset_down(
    server: EmbeddedHub, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Reader
) -> None:
    hub = Hub(server.url, "turn-whole")
    name = "tiny-1"
    tiny.originals(tmp_path, name, 3, 75)
    run(hub, tmp_path, name)
    tiny.change(tmp_path, name, 75_500)
    run(hub, tmp_path, name)
    history.rollback(hub, name, "v1.0.0", reader=reader)
    verdict(monkeypatch, tiny.OPEN, open=False)
    assert "3 rows are published under CC0-1.0" in verify(hub, [name], reader=reader)[name][0]
    gone = run(hub, tmp_path, name, check=True)[name]
    assert (gone.status, gone.commits, gone.rows) == ("card-only", 1, 0)
    assert not [path for path in hub.published(name).files if path.endswith(".parquet")]


# what is left out


def test_what_is_left_out_is_told(
    server: EmbeddedHub, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medimg.schema import Row, Skipped

    def rows(files: Any) -> Iterator[Row | Skipped]:
        for image, case in files.match(r"train/(\w+)\.png$"):
            if case == "0":
                yield Skipped(file=image, reason="no mask in this copy")
                continue
            files.tell(image, "no table has a line for it: the spacing is not known")
            yield Row(id=case, split="train", image=image)

    monkeypatch.setattr(registry.get(NAME).module, "rows", rows)
    hub = Hub(server.url, "left-out")
    root = tiny.originals(tmp_path, NAME, 4, 80)
    for result in (run(hub, root, NAME)[NAME], run(hub, root, NAME)[NAME]):
        assert result.good and result.rows == 2
        assert {reason: left.count for reason, left in result.skipped.items()} == {
            "no mask in this copy": 1,
            "no rule of this builder covers it": 1,
        }
        incomplete = result.incomplete["no table has a line for it: the spacing is not known"]
        assert (incomplete.count, incomplete.examples) == (2, ("train/1.png", "train/2.png"))
        assert "1 left out: no mask in this copy (e.g. train/0.png)" in result.left_out
        assert "2 incomplete: no table has a line for it" in result.left_out
        listed = json.loads(report([result]))["datasets"][0]
        assert listed["skipped"]["no mask in this copy"] == {"count": 1, "examples": ["train/0.png"]}
        assert [each["count"] for each in listed["incomplete"].values()] == [2] and listed["withheld"] == {}
    manifest = hub.published(NAME).manifest
    assert manifest is not None
    found = {finding.check: finding for finding in manifest.findings}
    assert found["incomplete"].count == 2 and "the spacing is not known" in found["incomplete"].message
    assert found["skipped files"].count == 2
    assert (found["unread files"].count, len(found["unread files"].examples)) == (1, 1)
    card = hub.published(NAME).card or ""
    assert "no mask in this copy | 1 | `train/0.png`" in card and "the spacing is not known" in card


def test_a_source_without_a_row_is_an_error_and_the_others_go_on(
    server: EmbeddedHub, names: list[str], tmp_path: Path
) -> None:
    hub = Hub(server.url, "barren")
    for number, name in enumerate(names[:3]):
        tiny.originals(tmp_path, name, 3, 81 + number)
    first = run(hub, tmp_path, *names[:3])
    assert {each.status for each in first.values()} == {"published"}
    shutil.move(tmp_path / "tiny-1" / "train", tmp_path / "tiny-1" / "training")
    results = run(hub, tmp_path, *names[:3])
    failed = results["tiny-1"]
    assert failed.status == "failed" and not failed.good
    assert failed.reason.startswith("tiny-1: ") and "0.png" in failed.reason and "Next: " in failed.reason
    assert {results[name].status for name in ("tiny-0", "tiny-2")} == {"unchanged"}
    published = hub.published("tiny-1").manifest
    assert published is not None and published.rows == 3, "what was published stays"


def test_sub_collections_without_a_row(server: EmbeddedHub, tmp_path: Path) -> None:
    from medimg.phantom import Phantom

    name = "medmnist-v1"
    registry.get(name).miniature(Phantom(tmp_path / name))
    gone = next((tmp_path / name).rglob("pathmnist*"))
    held = gone.read_bytes()
    gone.unlink()
    hub = Hub(server.url, "sub")
    result = run(hub, tmp_path, name)[name]
    assert result.status == "published"
    manifest = hub.published(name).manifest
    assert manifest is not None
    finding = next(each for each in manifest.findings if each.check == "sub-collections")
    assert (finding.level, finding.count, finding.examples) == ("warning", 1, ("pathmnist",))
    gone.write_bytes(held)
    whole = run(hub, tmp_path, name)[name]
    assert whole.status == "published" and whole.rows > result.rows
    gone.unlink()
    failed = run(hub, tmp_path, name)[name]
    assert failed.status == "failed" and "no row of pathmnist" in failed.reason and "Next: " in failed.reason
    published = hub.published(name).manifest
    assert published is not None and published.rows == whole.rows


def test_a_manifest_stays_small_whatever_is_left_out() -> None:
    from medimg.hub_sync.manifests import REASONS, by_reason
    from medimg.report import LoadReport

    report = LoadReport("lits")
    for number in range(200_000):
        report.skip(f"folder/{number}.png", "no mask" if number % 2 else f"quarantined: {number} is odd")
    kept = by_reason(report.skipped)
    assert len(kept) <= REASONS + 1
    assert sum(left.count for left in kept.values()) == 200_000
    assert kept["no mask"].count == 100_000 and len(kept["no mask"].examples) == 5
    assert next(iter(kept)) == "no mask", "the commonest first"


def test_manifests_of_earlier_versions_are_read() -> None:
    from medimg.manifest import Manifest

    old = {"name": "lits", "medimg": "0.1.0", "schema_version": "1", "origin": "source", "fingerprint": {}}
    old |= {"skipped": [["a.pdf", "no image"], ["b.pdf", "no image"], ["c.txt", "empty"]]}
    manifest = Manifest.model_validate_json(json.dumps(old))
    assert {reason: left.count for reason, left in manifest.skipped.items()} == {"no image": 2, "empty": 1}
    assert Manifest.model_validate_json(manifest.to_json()) == manifest


def test_a_source_root_of_strange_names(server: EmbeddedHub, names: list[str], tmp_path: Path) -> None:
    hub = Hub(server.url, "strange")
    (tmp_path / "HC-18").mkdir()
    with pytest.raises(SourceError, match=r"HC-18.*medimg list"):
        run(hub, tmp_path)
    tiny.originals(tmp_path, "tiny-3", 2, 90)
    watcher = Watcher()
    notes: list[str] = []
    watcher.note = notes.append  # type: ignore[method-assign]
    results = run(hub, tmp_path, watcher=watcher)
    assert [name for name, result in results.items() if result.rows] == ["tiny-3"], "else recipes alone"
    assert [note for note in notes if "called like no dataset: HC-18" in note]


# back and away


def test_rollback(server: EmbeddedHub, proxy: FaultProxy, names: list[str], reader: Reader, tmp_path: Path) -> None:
    hub = Hub(proxy.url, "back")
    first, _ = two_versions(hub, tmp_path, 40)
    hub.api.upload_file(path_or_fileobj=b"kept", path_in_repo="note.txt", repo_id=f"back/{NAME}", repo_type="dataset")
    with pytest.raises(HubError, match=r"no tag 'v9'.*v1\.0\.0-2"):
        history.rollback(hub, NAME, "v9")
    with pytest.raises(HubError, match="no repository"):
        history.rollback(hub, "tiny-9", "v1.0.0")
    uploaded = proxy.uploaded
    change = history.rollback(hub, NAME, "v1.0.0", reason="shifted masks", reader=reader)
    state = hub.published(NAME)
    assert change.revision == state.sha and "4 rows" in change.said
    before = dict(hub.published(NAME, first).files)
    now = {path: digest for path, digest in state.files.items() if path not in (HOLD_PATH, "note.txt")}
    assert now == before, "the tagged tree, card and manifest included"
    assert "note.txt" in state.files, "files of others stay"
    assert proxy.uploaded == uploaded
    assert tiny.consistent(server, f"back/{NAME}") is not None
    assert history.rollback(hub, NAME, "v1.0.0", reader=reader).revision is None
    # Sync leaves it there.
    held = run(hub, tmp_path, NAME)[NAME]
    assert (held.status, held.commits, held.rows) == ("unchanged", 0, 4)
    assert "rolled back: shifted masks" in held.reason and "--restore" in held.reason
    history.rollback(hub, NAME, "v1.0.0-2", reader=reader)
    assert hub.published(NAME).manifest.rows == 5  # type: ignore[union-attr]
    restored = run(hub, tmp_path, NAME, restore=True, shard_bytes=tiny.SHARD)[NAME]
    assert restored.rows == 5 and restored.good
    state = hub.published(NAME)
    assert HOLD_PATH not in state.files and set(state.tags) == {"v1.0.0", "v1.0.0-2"}
    assert run(hub, tmp_path, NAME)[NAME].commits == 0


def test_retire(server: EmbeddedHub, proxy: FaultProxy, names: list[str], reader: Reader, tmp_path: Path) -> None:
    hub = Hub(proxy.url, "away")
    two_versions(hub, tmp_path, 45)
    run(hub, tmp_path, NAME, collections=True)
    for empty in ("", " \n"):
        with pytest.raises(HubError, match="reason"):
            history.retire(hub, NAME, empty)
    why = "Consent was <b>withdrawn</b> | by the source"
    change = history.retire(hub, NAME, why, reader=reader)
    state = hub.published(NAME)
    assert change.revision == state.sha and f"medimg purge {NAME}" in change.said
    assert set(state.files) == {".gitattributes", "README.md", MANIFEST_PATH, HOLD_PATH, MARK_PATH}
    text = state.card or ""
    assert "RETIRED" in text and "withdrawn" in text and "<b>" not in text
    assert verify(hub, [NAME], reader=reader) == {NAME: []}
    assert history.retire(hub, NAME, why, reader=reader).revision is None
    held = run(hub, tmp_path, NAME)[NAME]
    assert (held.status, held.commits) == ("card-only", 0) and held.reason.startswith("retired: Consent")
    assert hub.published(NAME, state.tags["v1.0.0"]).manifest is not None, "history is still there"
    history.retire(hub, NAME, why, purge=True, reader=reader)
    state = hub.published(NAME)
    assert state.tags == {} and state.hold and state.hold["kind"] == "retired"
    assert len(hub.api.list_repo_commits(hub.repo(NAME), repo_type="dataset")) == 1
    with pytest.raises(HubError, match="--restore needs names"):
        raise_unknown(hub)
    restored = run(hub, tmp_path, NAME, restore=True, shard_bytes=tiny.SHARD)[NAME]
    assert (restored.status, restored.rows) == ("published", 5)
    assert HOLD_PATH not in hub.published(NAME).files


def raise_unknown(hub: Hub) -> None:
    try:
        sync([], hub, restore=True)
    except Exception as error:
        raise HubError(str(error)) from error


# collections


def items(hub: Hub) -> dict[str, set[str]]:
    found = {}
    for each in hub.api.list_collections(owner=hub.namespace):
        listed = hub.api.get_collection(each.slug).items
        found[each.title] = {item.item_id.split("/")[1] for item in listed}
    return found


def test_topic_collections(
    server: EmbeddedHub, proxy: FaultProxy, names: list[str], reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(proxy.url, "topics")
    some = ["hc18", "tiny-0", "tiny-1", "chexpert"]
    monkeypatch.setattr(registry, "names", lambda: sorted(some))
    run(hub, None, "hc18", "tiny-0", collections=True)
    assert items(hub)["modality: X-ray"] == {"tiny-0"}
    assert items(hub)["modality: ultrasound"] == {"hc18"}
    run(hub, None, *some, collections=True)
    found = items(hub)
    assert found["organ: chest"] == {"tiny-0", "tiny-1", "chexpert"}, "recipes are found there, too"
    before = len(proxy.seen)
    run(hub, None, *some, collections=True)
    asked = [seen.kind for seen in proxy.seen[before:] if "collections" in seen.kind]
    assert asked == ["GET /api/collections"], "one look where nothing changed"
    before = len(proxy.seen)
    run(hub, None, "hc18", collections=True)
    assert not [seen for seen in proxy.seen[before:] if "collections" in seen.kind]
    slug = next(each.slug for each in hub.api.list_collections(owner="topics") if each.title == "organ: chest")
    hub.api.add_collection_item(slug, "topics/hc18", "dataset")
    hub.api.create_repo("topics/other", repo_type="dataset")
    hub.api.add_collection_item(slug, "topics/other", "dataset")
    history.retire(hub, "tiny-1", "test", reader=reader)
    run(hub, None, *some, collections=True)
    assert items(hub)["organ: chest"] == {"tiny-0", "chexpert", "other"}, "what people added stays"


# cost, report


def test_unchanged_datasets_cost_three_requests_and_no_row(
    server: EmbeddedHub, proxy: FaultProxy, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are; a gated one costs a fourth request."""
    hub = Hub(proxy.url, "requests")
    run(hub, None, *names)

    def read(*given: Any, **options: Any) -> Iterator[Any]:
        raise AssertionError("a row of an unchanged dataset is read")

    monkeypatch.setattr("medimg.hub_sync.building.build.iterate", read)
    before, uploaded = len(proxy.seen), proxy.uploaded
    results = run(hub, None, *names, check=True, collections=True)
    assert {(each.status, each.commits, each.uploaded_bytes) for each in results.values()} == {("unchanged", 0, 0)}
    assert proxy.uploaded == uploaded
    asked = [seen.kind for seen in proxy.seen[before:]]
    gated = sum(licenses.get(registry.get(name).dataset.license).publish is Verdict.GATED for name in names)
    assert gated and len(asked) == 3 * len(names) + gated, asked


def test_command_line(names: list[str], tmp_path: Path) -> None:
    """Report file, rollback and retire, as a maintainer types them."""
    medimg = functools.partial(commands.medimg, cwd=tmp_path)
    done = medimg("sync", "hc18", "chexpert")
    assert done.returncode == 0, done.stderr
    assert "[2/2]" in done.stderr
    report = json.loads((tmp_path / "hub-store" / "sync-report.json").read_text())
    assert report["finished"] is True and report["namespace"] == "medimg"
    assert {each["name"]: each["status"] for each in report["datasets"]} == {
        "hc18": "published",
        "chexpert": "card-only",
    }
    assert medimg("retire", "hc18", "--reason", "a test").returncode == 0
    done = medimg("sync", "hc18", "--json", "--report", "mine.json")
    assert done.returncode == 0 and list(json.loads(done.stdout)) == ["datasets"]
    assert "retired" in done.stdout and (tmp_path / "mine.json").exists()
    done = medimg("rollback", "hc18", "--to", "v1.0.0")
    assert done.returncode == 0 and "v1.0.0" in done.stdout, done.stderr
    done = medimg("rollback", "hc18", "--to", "v7")
    assert done.returncode == 1 and "no tag" in done.stderr
    done = medimg("sync", "hc18", "--restore", "--no-collections", "--json")
    assert json.loads(done.stdout)["datasets"][0]["commits"] == 1
    shutil.rmtree(tmp_path / "hub-store")


def test_ctrl_c_says_how_to_go_on_and_leaves_nothing_half_done(
    server: EmbeddedHub, proxy: FaultProxy, tmp_path: Path
) -> None:
    """In the middle of a run, while requests wait for their answers and others for another try."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (tmp_path / "run").mkdir()
    command = [str(Path(sys.executable).with_name("medimg")), "sync", "hc18", "lits", "verse"]
    command += ["--hub", proxy.url, "--namespace", "stopped"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    pipe = subprocess.PIPE

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(command, cwd=tmp_path / "run", env=environment, stdout=pipe, stderr=pipe, text=True)

    refused = 0
    for stuck in ("PUT /lfs/object/*", "POST /api/datasets/*/commit/main", "GET /api/datasets/*/refs"):
        proxy.choose = lambda seen, stuck=stuck: "503" if seen.kind == stuck else None  # type: ignore[misc]
        first = len(proxy.seen)
        process = start()
        deadline = time.monotonic() + 60
        while not [seen for seen in proxy.seen[first:] if seen.kind == stuck]:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert time.monotonic() - began < 10
        assert process.returncode == 130, said
        assert "stopped" in said and "same command again" in said and "Traceback" not in said
        report = json.loads((tmp_path / "run" / "sync-report.json").read_text())
        assert report["finished"] is False
        assert not list(temporary.glob("medimg-*")), "its temporary folders are gone"
        for name in ("hc18", "lits", "verse"):
            tiny.consistent(server, f"stopped/{name}")
        if stuck.startswith("PUT"):
            refused = proxy.uploaded  # how often, in the time that it had, is chance
    proxy.choose = lambda seen: None
    process = start()
    assert process.wait(90) == 0
    for name in ("hc18", "lits", "verse"):
        assert tiny.consistent(server, f"stopped/{name}") is not None
    assert proxy.uploaded - refused <= 1.1 * sum(proxy.objects.values())


def test_bars_show_rows_bytes_and_time_left() -> None:
    import io

    from rich.console import Console

    from medimg.hub_sync.commands.progress import bars
    from medimg.hub_sync.planning.plan import SyncPlan

    shown = io.StringIO()
    with bars(Console(file=shown, force_terminal=True, width=140)) as watcher:
        watcher.begin(["lits", "hc18"])
        watcher.start(SyncPlan("hc18", "build", "new", "source"))
        for _ in range(5):
            watcher.row("hc18", 100, 10**6)
            time.sleep(0.15)
        watcher.end(Result("hc18", "published", rows=500))
    text = shown.getvalue()
    for part in (
        r"hc18: build",
        r"500/\d+ rows +5\.0 MB",
        r"0/2 datasets, 500 rows +5\.0 MB",
        r"1/2 datasets",
    ):
        assert re.search(part, text), part
    assert re.search(r"\d:\d\d:\d\d.*\d:\d\d:\d\d", text), "time spent and time left"
    assert "hc18: published, 500 rows" in text
