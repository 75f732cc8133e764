"""Many repositories are told from one listing, and that hides nothing which a look at each of them would show."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tiny_datasets as tiny
from fault_proxy import FaultProxy, Seen
from huggingface_hub import HfApi
from worker_watching import Ear

from medimg import kept
from medimg.hub_sync.hub import repositories
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing import ahead
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.results import Result
from medimg.hub_sync.sync import sync
from medimg.hub_sync.withdrawing import history

pytestmark = pytest.mark.clients

COUNT = 4
LISTING, REFS = "GET /api/datasets", "GET /api/datasets/*/refs"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    with EmbeddedHub(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(server: EmbeddedHub) -> Iterator[FaultProxy]:
    with FaultProxy(server.url) as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("builders")


@pytest.fixture(scope="module")
def names(folder: Path) -> Iterator[list[str]]:
    with tiny.builders(folder, COUNT) as found:
        yield found


@contextmanager
def edited(builder: Path) -> Iterator[None]:
    """One picture more, meanwhile."""
    text = builder.read_text()
    builder.write_text(text.replace("range(2)", "range(3)"))
    try:
        yield
    finally:
        builder.write_text(text)


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ahead, "LISTED", COUNT)
    monkeypatch.setattr(kept, "folder", lambda: tmp_path / "kept")


def run(
    proxy: FaultProxy, names: list[str], namespace: str, *, dry_run: bool = False, workers: int = 1
) -> tuple[list[Result], Counter[str]]:
    """Results, and how many requests of each kind there were."""
    before = len(proxy.seen)
    hub = Hub(proxy.url, namespace, patience=tiny.QUICK)
    results = sync(names, hub, check=False, dry_run=dry_run, workers=workers)
    return results, Counter(seen.kind for seen in proxy.seen[before:])


def unchanged(results: list[Result]) -> bool:
    return [(each.status, each.commits) for each in results] == [("unchanged", 0)] * COUNT


def test_what_did_not_change_is_not_asked_for_again(
    server: EmbeddedHub, proxy: FaultProxy, names: list[str], folder: Path
) -> None:
    planned, asked = run(proxy, names, "first", dry_run=True)
    assert {each.reason for each in planned} == {"would do: build, new"}
    assert asked[LISTING] == 1 and not asked[REFS], "nothing is there to be looked at"
    published, asked = run(proxy, names, "first")
    assert {each.status for each in published} == {"published"} and asked[REFS] >= COUNT
    for options in ({}, {"dry_run": True}, {"workers": 2}):
        results, asked = run(proxy, names, "first", **options)
        assert unchanged(results) and (asked[LISTING], asked[REFS]) == (1, 0)
    shutil.rmtree(kept.folder())
    planned = [run(proxy, names, "first", dry_run=True)[1][REFS] for _ in range(2)]
    assert planned == [COUNT, 0], "the first time, this computer has seen none"
    # few are asked for one by one
    assert run(proxy, names[:2], "first")[1][LISTING] == 0
    # somebody else commits to one
    hub = Hub(server.url, "first")
    HfApi(server.url, token="x").upload_file(
        path_or_fileobj=b"theirs", path_in_repo="note.txt", repo_id="first/tiny-2", repo_type="dataset"
    )
    results, asked = run(proxy, names, "first")
    assert unchanged(results) and asked[REFS] == 1 and hub.published("tiny-2").files["note.txt"]
    # one builder changes
    with edited(folder / "tiny_1.py"):
        results, asked = run(proxy, names, "first")
    assert [each.commits for each in results] == [0, 1, 0, 0] and asked[REFS] <= 3


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_listing_does_not_name_yet_is_not_published_again(
    proxy: FaultProxy, names: list[str], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    namespace = f"late-{workers}"
    run(proxy, names, namespace)
    hub = Hub(proxy.url, namespace)
    history.retire(hub, names[3], "its authors asked for it")
    before = {name: hub.published(name).sha for name in names}
    monkeypatch.setattr(Hub, "heads", lambda self: {})
    results, _ = run(proxy, names, namespace, workers=workers)
    assert [each.commits for each in results] == [0] * COUNT
    assert "retired: its authors asked for it" in results[3].reason
    assert {name: hub.published(name).sha for name in names} == before


def test_an_old_listing_loses_nothing(
    proxy: FaultProxy, names: list[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    run(proxy, names, "old")
    hub = Hub(proxy.url, "old")
    heads = hub.heads()
    history.retire(hub, names[1], "its authors asked for it")
    monkeypatch.setattr(Hub, "heads", lambda self: heads)
    shut = hub.published(names[1]).sha
    results, _ = run(proxy, names, "old")
    assert unchanged(results) and hub.published(names[1]).sha == shut, "it is seen the next time"
    with edited(folder / "tiny_1.py"):
        results, _ = run(proxy, names, "old")
    assert "retired" in results[1].reason and hub.published(names[1]).sha == shut, "it is looked at before it is built"


def test_a_license_that_was_turned_is_seen_in_what_was_kept(
    proxy: FaultProxy, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(proxy, names, "turned")
    assert run(proxy, names, "turned")[1][REFS] == 0
    tiny.verdict(monkeypatch, tiny.OPEN, open=False)
    results, asked = run(proxy, names, "turned")
    assert asked[REFS] >= COUNT - 1
    assert "unchanged" not in {each.status for each in results[1:]}
    hub = Hub(proxy.url, "turned")
    for name in names[1:]:
        manifest = hub.published(name).manifest
        assert manifest is not None and not manifest.rows


def test_what_was_kept_may_be_spoiled(proxy: FaultProxy, names: list[str], tmp_path: Path) -> None:
    run(proxy, names, "spoiled")
    files = sorted((tmp_path / "kept" / "published").iterdir())
    assert len(files) == COUNT
    for file, text in zip(files, ("", "{", "[1, 2]", "[]"), strict=True):
        file.write_text(text)
    results, asked = run(proxy, names, "spoiled")
    assert unchanged(results) and asked[REFS] == COUNT
    assert run(proxy, names, "spoiled")[1][REFS] == 0


def test_where_nothing_can_be_listed_each_is_asked_for(proxy: FaultProxy, names: list[str]) -> None:
    run(proxy, names, "unlisted")

    def refused(seen: Seen) -> str | None:
        return "403" if seen.kind == LISTING else None

    proxy.choose = refused
    ear = Ear()
    try:
        hub = Hub(proxy.url, "unlisted", patience=tiny.QUICK)
        results = sync(names, hub, check=False, watcher=ear)
    finally:
        proxy.choose = lambda seen: None
    assert unchanged(results)
    assert any("cannot be listed" in note and "403" in note for note in ear.notes)


def test_a_listing_has_pages(proxy: FaultProxy, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run(proxy, names, "paged")
    monkeypatch.setattr(repositories, "PAGE", 3)
    before = len(proxy.seen)
    hub = Hub(proxy.url, "paged")
    assert hub.heads() == {name: hub.published(name).sha for name in names}
    assert Counter(seen.kind for seen in proxy.seen[before:])[LISTING] == 2
    found = list(hub.api.list_datasets(author="paged", expand=["sha", "gated", "tags"]))
    assert [bool(repo.gated) for repo in found] == [True, False, False, False]
    assert all("medical" in repo.tags and repo.last_modified is None for repo in found)
    assert len(list(hub.api.list_datasets(author="paged", filter="medical"))) == COUNT
