"""What was published can be withdrawn, in every revision; `huggingface_hub` alone is the witness."""

from __future__ import annotations

import functools
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import commands
import pytest
import tiny_datasets as tiny
from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RevisionNotFoundError
from tiny_datasets import verdict

from medimg import licenses, registry
from medimg.errors import HubError
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.hub.store import Store
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.state import MARK_PATH
from medimg.hub_sync.results import Result
from medimg.hub_sync.sync import sync
from medimg.hub_sync.verifying.verify import verify
from medimg.hub_sync.withdrawing import history, withdrawal
from medimg.schema import Row

NAME, TOKEN, SPACE = "tiny-1", "hf_onlyfortests", "gone"
REPO = f"{SPACE}/{NAME}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedHub]:
    with EmbeddedHub(tmp_path / "store", token=TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    with tiny.builders(tmp_path_factory.mktemp("builders"), 3) as found:
        yield found


@pytest.fixture
def hub(server: EmbeddedHub, names: list[str]) -> Hub:
    return Hub(server.url, SPACE, TOKEN, patience=tiny.QUICK)


def run(hub: Hub, root: Path, **options: Any) -> Result:
    (result,) = sync([NAME], hub, root=str(root), shard_bytes=tiny.SHARD, **{"check": False, **options})
    return result


def two_versions(hub: Hub, root: Path) -> list[str]:
    """Publish three rows, then four; returns the revisions, the last one first."""
    tiny.originals(root, NAME, 3, 1)
    assert run(hub, root).rows == 3
    tiny.change(root, NAME, 1_500)
    assert run(hub, root).rows == 4
    return [each.commit_id for each in hub.api.list_repo_commits(REPO, repo_type="dataset")][:2]


class Witness:
    """Somebody with `huggingface_hub`, with or without the token."""

    def __init__(self, server: EmbeddedHub, token: str | bool, cache: Path) -> None:
        self.api = HfApi(endpoint=server.url, token=token)
        cache.mkdir(exist_ok=True)
        self.cache = cache

    def data(self, revision: str) -> list[str]:
        """Paths of the Parquet files of a revision."""
        every = self.api.list_repo_files(REPO, repo_type="dataset", revision=revision)
        return [path for path in every if path.endswith(".parquet")]

    def read(self, revision: str, path: str) -> bytes:
        """One file, never from a cache."""
        with tempfile.TemporaryDirectory(dir=self.cache) as cache:
            found = self.api.hf_hub_download(REPO, path, repo_type="dataset", revision=revision, cache_dir=cache)
            return Path(found).read_bytes()


def objects(server: EmbeddedHub) -> set[str]:
    return {path.parent.name + path.name for path in (server.store.root / "objects").glob("*/*")}


def test_a_license_that_turns_shuts_every_revision_and_purge_removes_them(
    server: EmbeddedHub, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    second, first = two_versions(hub, root)
    nobody, somebody = Witness(server, False, tmp_path / "c1"), Witness(server, TOKEN, tmp_path / "c2")
    shards = {revision: somebody.data(revision) for revision in (first, second, "v1.0.0", "v1.0.0-2")}
    assert all(shards.values()) and nobody.read(first, shards[first][0])
    before = objects(server)

    verdict(monkeypatch, tiny.OPEN, open=False)
    planned = run(hub, root, dry_run=True)
    assert "would shut" in planned.reason and hub.gate_of(NAME) is False
    gone = run(hub, root, check=True)
    assert (gone.status, gone.rows) == ("card-only", 0) and gone.good
    assert "v1.0.0, " in gone.reason or "v1.0.0-2, " in gone.reason
    assert f"(the license is {tiny.OPEN})" in gone.reason and f"medimg purge {NAME} removes them" in gone.reason
    for revision, paths in shards.items():
        with pytest.raises(GatedRepoError):
            nobody.read(revision, paths[0])
        assert somebody.read(revision, paths[0]), "what is said to be reachable is"
    assert not somebody.data("main")
    with pytest.raises(HubError, match=f"v1.0.0 holds .* rows under {tiny.OPEN}.*medimg purge {NAME}"):
        history.rollback(hub, NAME, "v1.0.0")
    (problem,) = verify(hub, [NAME], history=True)[NAME]
    assert f"medimg purge {NAME}" in problem and "shut" in problem
    again = run(hub, root)
    assert (again.status, again.commits) == ("card-only", 0) and f"medimg purge {NAME}" in again.reason
    hub.gate(NAME, False)
    assert "stands open" in verify(hub, [NAME], history=True)[NAME][-1]
    run(hub, root)
    assert hub.gate_of(NAME) == "manual", "whoever opened it"

    assert "stored objects are gone" in withdrawal.purge(hub, NAME)
    assert hub.gate_of(NAME) is False and MARK_PATH not in hub.published(NAME).files
    assert b"recipe" in nobody.read("main", "README.md").lower()
    assert verify(hub, [NAME], history=True) == {NAME: []}
    assert run(hub, root).commits == 0
    left = objects(server)
    assert not any(tiny.is_parquet(server, digest) for digest in left) and left < before | left
    with EmbeddedHub(server.store.root, token=TOKEN) as restarted:
        later = Witness(restarted, TOKEN, tmp_path / "c3")
        for revision, paths in shards.items():
            with pytest.raises(RevisionNotFoundError):
                later.read(revision, paths[0])
        assert not list(later.api.list_lfs_files(REPO, repo_type="dataset"))
        assert restarted.store.check(deep=True) == []


def test_rows_whose_license_turns_are_purged_and_the_others_stay(
    server: EmbeddedHub, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turning = "CC-BY-4.0"

    def rows(files: Any) -> Iterator[Row]:
        for image, split, case in files.match(r"(train|test)/(\w+)\.png$"):
            terms = turning if split == "train" else tiny.OPEN
            yield Row(id=f"{split}-{case}", split=split, image=image, license=terms)

    module = registry.get(NAME).module
    monkeypatch.setattr(module, "rows", rows)
    monkeypatch.setattr(module, "DATASET", module.DATASET.model_copy(update={"license": licenses.PER_ROW}))
    root = tiny.originals(tmp_path / "root", NAME, 8, 3)
    assert run(hub, root).rows == 8
    with monkeypatch.context() as patch:
        verdict(patch, turning, open=False)
        result = run(hub, root)
        assert (result.status, result.rows) == ("published", 2) and f"medimg purge {NAME}" in result.reason
        assert hub.gate_of(NAME) == "manual"
        withdrawal.purge(hub, NAME)
        state = hub.published(NAME)
        assert hub.gate_of(NAME) is False and state.manifest is not None and state.manifest.rows == 2
        assert state.tags == {state.manifest.tag: state.sha}, "the version that is left keeps its tag"
        assert verify(hub, [NAME], history=True, deep=True) == {NAME: []}
        assert run(hub, root).commits == 0
        nobody = Witness(server, False, tmp_path / "cache")
        assert nobody.read("main", nobody.data("main")[0])
    assert run(hub, root).rows == 8
    with monkeypatch.context() as patch:
        verdict(patch, turning, open=False)
        assert run(hub, root).rows == 2 and hub.gate_of(NAME) == "manual"
    assert run(hub, root).rows == 8 and hub.gate_of(NAME) is False, "the verdict has turned back"


def test_what_cannot_be_built_anew_is_shut_all_the_same(
    server: EmbeddedHub, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = registry.get(NAME).module
    original = module.rows

    def rows(files: Any) -> Iterator[Row]:
        for row in original(files):
            yield row.model_copy(update={"license": "CC-BY-4.0"})

    monkeypatch.setattr(module, "rows", rows)
    monkeypatch.setattr(module, "DATASET", module.DATASET.model_copy(update={"license": licenses.PER_ROW}))
    run(hub, tiny.originals(tmp_path / "root", NAME, 2, 4))
    verdict(monkeypatch, "CC-BY-4.0", open=False)
    (tmp_path / "empty").mkdir()
    (idle,) = sync([NAME], hub, root=None, check=False)
    assert idle.status == "blocked" and hub.gate_of(NAME) == "manual"
    with pytest.raises(HubError, match=f"what it shows now may not be shown .*medimg retire {NAME}"):
        withdrawal.purge(hub, NAME)


def test_a_retired_dataset_is_shut_and_opened_when_it_comes_back(server: EmbeddedHub, hub: Hub, tmp_path: Path) -> None:
    root = tmp_path / "root"
    second, first = two_versions(hub, root)
    nobody = Witness(server, False, tmp_path / "cache")
    paths = nobody.data(first)
    said = history.retire(hub, NAME, "consent withdrawn").said
    assert f"medimg purge {NAME} removes them" in said and "v1.0.0" in said
    for revision in (first, second, "v1.0.0"):
        with pytest.raises(GatedRepoError):
            nobody.read(revision, paths[0])
    assert verify(hub, [NAME], history=True) == {NAME: []}, "that it is not purged was decided"
    assert run(hub, root).reason.startswith("retired: consent")
    assert run(hub, root, restore=True).rows == 4 and hub.gate_of(NAME) is False
    assert nobody.read("v1.0.0", paths[0])
    history.retire(hub, NAME, "consent withdrawn", purge=True)
    assert hub.gate_of(NAME) is False and b"RETIRED" in nobody.read("main", "README.md")
    with pytest.raises(RevisionNotFoundError):
        Witness(server, TOKEN, tmp_path / "cache").read(second, paths[0])
    assert "removes" not in history.retire(hub, NAME, "consent withdrawn").said, "nothing is left to shut"
    assert hub.gate_of(NAME) is False


def test_the_gate_that_a_person_had_shut_is_shut_afterwards(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tiny.originals(tmp_path / "root", NAME, 2, 5)
    run(hub, root)
    hub.gate(NAME, "auto")
    verdict(monkeypatch, tiny.OPEN, open=False)
    run(hub, root)
    assert hub.gate_of(NAME) == "manual"
    withdrawal.purge(hub, NAME)
    assert hub.gate_of(NAME) == "auto"


def test_purge_goes_on_where_it_was_interrupted(
    server: EmbeddedHub, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    two_versions(hub, root)
    verdict(monkeypatch, tiny.OPEN, open=False)
    run(hub, root)
    for stage in ("super_squash_history", "permanently_delete_lfs_files", "create_commit"):
        with monkeypatch.context() as patch:

            def stop(*given: Any, **options: Any) -> None:
                raise KeyboardInterrupt

            patch.setattr(HfApi, stage, stop)
            with pytest.raises(KeyboardInterrupt):
                withdrawal.purge(hub, NAME)
        assert hub.gate_of(NAME) == "manual", stage
    withdrawal.purge(hub, NAME)
    assert hub.gate_of(NAME) is False and not list(hub.api.list_lfs_files(REPO, repo_type="dataset"))
    assert verify(hub, [NAME], history=True) == {NAME: []}


# what the embedded Hub does for the client's own calls


def test_large_files_are_deleted_here_and_kept_elsewhere(server: EmbeddedHub, tmp_path: Path) -> None:
    api = HfApi(endpoint=server.url, token=TOKEN)
    shared, own = b"shared" * 1000, b"own" * 1000
    for repo in ("a/one", "a/two"):
        api.create_repo(repo, repo_type="dataset")
        api.upload_file(path_or_fileobj=shared, path_in_repo="s.bin", repo_id=repo, repo_type="dataset")
    api.upload_file(path_or_fileobj=own, path_in_repo="o.bin", repo_id="a/one", repo_type="dataset")
    api.create_tag("a/one", tag="v1", repo_type="dataset")
    api.delete_file("o.bin", "a/one", repo_type="dataset")
    listed = {each.filename: each for each in api.list_lfs_files("a/one", repo_type="dataset")}
    assert {name: each.size for name, each in listed.items()} == {"s.bin": len(shared), "o.bin": len(own)}

    def read(repo: str, path: str, revision: str = "main") -> bytes:
        with tempfile.TemporaryDirectory(dir=tmp_path) as cache:
            found = api.hf_hub_download(repo, path, repo_type="dataset", revision=revision, cache_dir=cache)
            return Path(found).read_bytes()

    assert read("a/one", "o.bin", "v1") == own
    api.permanently_delete_lfs_files("a/one", [listed["o.bin"]], rewrite_history=False, repo_type="dataset")
    with pytest.raises(EntryNotFoundError, match="deleted for good"):
        read("a/one", "o.bin", "v1")
    assert listed["o.bin"].file_oid not in objects(server) and server.store.check(deep=True) == []
    api.permanently_delete_lfs_files("a/one", [listed["s.bin"]], repo_type="dataset")
    assert api.list_repo_files("a/one", repo_type="dataset") == [".gitattributes"], "history is rewritten"
    assert "s.bin" not in api.list_repo_files("a/one", repo_type="dataset", revision="v1")
    assert read("a/two", "s.bin") == shared and not list(api.list_lfs_files("a/one", repo_type="dataset"))
    api.upload_file(path_or_fileobj=own, path_in_repo="o.bin", repo_id="a/one", repo_type="dataset")
    assert read("a/one", "o.bin") == own, "who uploads it again has it again"
    with EmbeddedHub(server.store.root, token=TOKEN) as restarted:
        assert restarted.store.check(deep=True) == []


def test_garbage_is_collected_beside_uploads(server: EmbeddedHub, tmp_path: Path) -> None:
    api = HfApi(endpoint=server.url, token=TOKEN)
    for name in ("kept", "left"):
        api.create_repo(f"a/{name}", repo_type="dataset")
        content = name.encode() * 999
        api.upload_file(path_or_fileobj=content, path_in_repo="x.bin", repo_id=f"a/{name}", repo_type="dataset")
    api.delete_repo("a/left", repo_type="dataset")
    store = server.store
    waiting = tmp_path / "waiting.bin"
    waiting.write_bytes(b"waiting" * 999)
    from huggingface_hub import CommitOperationAdd

    operation = CommitOperationAdd("w.bin", waiting)
    api.preupload_lfs_files("a/kept", [operation], repo_type="dataset")
    (store.root / "tmp" / "incoming-dead").write_bytes(b"x")
    assert store.collect(grace=3600).objects == 0, "everything is younger"
    old = time.time() - 7200
    for path in [*(store.root / "objects").glob("*/*"), store.root / "tmp" / "incoming-dead"]:
        os.utime(path, (old, old))
    again = CommitOperationAdd("w.bin", waiting)
    api.preupload_lfs_files("a/kept", [again], repo_type="dataset")
    found = store.collect(grace=3600)
    assert (found.objects, found.bytes, found.unfinished) == (1, len(b"left") * 999, 1)
    api.create_commit("a/kept", [again], commit_message="w", repo_type="dataset")
    assert store.check(deep=True) == []
    assert store.collect(grace=0).objects == 0


def test_command_line(server: EmbeddedHub, tmp_path: Path) -> None:
    medimg = functools.partial(commands.medimg, cwd=tmp_path)

    assert medimg("sync", "hc18", "--no-verify", "--no-collections").returncode == 0
    assert medimg("retire", "hc18", "--reason", "a test").returncode == 0
    done = medimg("purge", "hc18")
    assert done.returncode == 0 and "stored objects are gone" in " ".join(done.stdout.split()), done.stderr
    assert Store(tmp_path / "hub-store").check(deep=True) == []
    done = medimg("hub", "--gc", "--grace", "0", "--store", "hub-store")
    assert done.returncode == 0 and "objects" in done.stdout, done.stderr
    done = medimg("hub", "--gc", "--store", "typo")
    assert (
        done.returncode == 1
        and "there is no store at typo" in " ".join(done.stderr.split())
        and not (tmp_path / "typo").exists()
    )
    done = medimg("purge", "no-such-thing")
    assert done.returncode == 1 and "there is no repository" in " ".join(done.stderr.split())
