"""The embedded Hub, through the clients that people use."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
)
from huggingface_hub.errors import (
    BadRequestError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import get_session

from medimg.errors import HubError
from medimg.hub_sync.hub import EmbeddedHub, HubLimits, HubRefusal, Store, serve
from medimg.hub_sync.hub.commits import GITATTRIBUTES
from medimg.hub_sync.hub.pages import parse_card, render_markdown
from medimg.hub_sync.hub.refusals import check_path
from medimg.hub_sync.hub.repository import Repository

pytestmark = pytest.mark.clients

LIMITS = HubLimits(multipart_above=300_000, part=100_000, regular_file=50_000, body=2_000_000)
DATASET: dict[str, Any] = {"repo_type": "dataset"}


@pytest.fixture(autouse=True)
def _plain_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    # The client alone decides between Xet and LFS for uploads; it looks here at each upload.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    with EmbeddedHub(tmp_path_factory.mktemp("hub"), limits=LIMITS) as running:
        yield running


@pytest.fixture
def api(hub: EmbeddedHub) -> HfApi:
    return HfApi(endpoint=hub.url, token="x")


@pytest.fixture
def repo(api: HfApi, request: pytest.FixtureRequest) -> str:
    digest = hashlib.sha1(request.node.nodeid.encode()).hexdigest()[:12]
    return str(api.create_repo(f"medimg/r-{digest}", **DATASET).repo_id)


def noise(size: int, seed: int = 0) -> bytes:
    return hashlib.shake_256(str(seed).encode()).digest(size)


def request(method: str, url: str, **kwargs: Any) -> Any:
    return get_session().request(method, url, **kwargs)


def head(api: HfApi, repo: str, revision: str = "main") -> str:
    return str(api.repo_info(repo, revision=revision, **DATASET).sha)


# ---- pushing


def test_create_delete_move(hub: EmbeddedHub, api: HfApi) -> None:
    url = api.create_repo("medimg/made", **DATASET)
    assert (url, url.repo_id) == (f"{hub.url}/datasets/medimg/made", "medimg/made")
    assert api.create_repo("medimg/made", exist_ok=True, **DATASET) == url
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_repo("medimg/made", **DATASET)
    assert api.list_repo_files("medimg/made", **DATASET) == [".gitattributes"]
    api.move_repo("medimg/made", "other/moved", **DATASET)
    assert api.dataset_info("other/moved").id == "other/moved"
    assert not api.repo_exists("medimg/made", **DATASET)
    api.delete_repo("other/moved", **DATASET)
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info("other/moved")
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo("other/moved", **DATASET)
    api.delete_repo("other/moved", missing_ok=True, **DATASET)
    assert api.create_repo("unowned", **DATASET).repo_id == "medimg/unowned"
    assert api.create_repo("medimg/a-model").repo_id == "medimg/a-model"
    api.upload_file(path_or_fileobj=noise(2000), path_in_repo="a.bin", repo_id="medimg/a-model")
    assert Path(api.hf_hub_download("medimg/a-model", "a.bin", local_dir=hub.store.root / "x")).stat().st_size == 2000
    assert api.whoami()["name"] == "medimg"
    assert request("GET", f"{hub.url}/api/medimg-embedded-hub").json()["embedded"] is True


def test_upload_modes_and_no_op(api: HfApi, repo: str) -> None:
    contents = {
        "README.md": b"# A card\n",
        ".medimg/manifest.json": b"{}",
        "empty": b"",
        "utf8.txt": "é".encode() * 400,  # the sample ends within a character
        "data/train.parquet": b"text, but a parquet by name",
        "long.txt": b"x" * 60_000,
        "binary": b"\0\1\2",
        "latin.txt": b"\xe9 latin",
    }

    def push() -> str:
        operations = [CommitOperationAdd(path, content) for path, content in contents.items()]
        return str(api.create_commit(repo, operations, commit_message="all", **DATASET).oid)

    first = push()
    files = {file.path: file for file in api.list_repo_tree(repo, recursive=True, **DATASET) if hasattr(file, "lfs")}
    lfs = {path for path, file in files.items() if file.lfs}
    assert lfs == {"data/train.parquet", "long.txt", "binary", "latin.txt"}
    for path in lfs:
        assert files[path].lfs.sha256 == hashlib.sha256(contents[path]).hexdigest()
    assert files["README.md"].blob_id == hashlib.sha1(b"blob 9\0# A card\n").hexdigest()
    assert push() == first == head(api, repo)
    contents["README.md"] += b"more"
    assert push() != first


@pytest.mark.parametrize("size", [1, 100_000, 300_000, 300_001, 400_000, 455_555])
def test_preupload_then_one_commit(hub: EmbeddedHub, api: HfApi, repo: str, size: int, tmp_path: Path) -> None:
    before = head(api, repo)
    data = noise(size, 1)
    operations = [CommitOperationAdd("data/a.parquet", data), CommitOperationAdd("data/b.parquet", noise(7))]
    for operation in operations:
        api.preupload_lfs_files(repo, [operation], **DATASET)
        assert operation.path_or_fileobj == b""
    assert head(api, repo) == before
    operations.append(CommitOperationAdd("README.md", b"card"))
    made = api.create_commit(repo, operations, commit_message="one", parent_commit=before, **DATASET)
    assert head(api, repo) == made.oid
    local = api.hf_hub_download(repo, "data/a.parquet", cache_dir=tmp_path, **DATASET)
    assert Path(local).read_bytes() == data
    assert not list((hub.store.root / "uploads").iterdir()) and not list((hub.store.root / "tmp").iterdir())


def test_upload_folder_and_file_objects(api: HfApi, repo: str, tmp_path: Path) -> None:
    for name in ("a.txt", "data/b.bin", "data/deep/c.nii.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(noise(999))
    api.upload_folder(repo_id=repo, folder_path=tmp_path, **DATASET)
    api.upload_file(path_or_fileobj=io.BytesIO(noise(5000)), path_in_repo="d.bin", repo_id=repo, **DATASET)
    names = {".gitattributes", "a.txt", "d.bin", "data/b.bin", "data/deep/c.nii.gz"}
    assert set(api.list_repo_files(repo, **DATASET)) == names


def test_stale_parent_is_refused(api: HfApi, repo: str) -> None:
    parent = head(api, repo)

    def push(name: str, parent: str) -> str:
        add = [CommitOperationAdd(name, name.encode())]
        return str(api.create_commit(repo, add, commit_message=name, parent_commit=parent, **DATASET).oid)

    first = push("one", parent)
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as error:
        push("two", parent)
    assert error.value.response.status_code == 412
    assert set(api.list_repo_files(repo, **DATASET)) == {".gitattributes", "one"}
    push("two", first[:7])


def test_concurrent_writers_lose_nothing(api: HfApi, repo: str) -> None:
    def write(number: int) -> int:
        refused = 0
        while True:
            parent = head(api, repo)
            try:
                add = [CommitOperationAdd(f"{number}.txt", str(number).encode())]
                api.create_commit(repo, add, commit_message=str(number), parent_commit=parent, **DATASET)
                return refused
            except HfHubHTTPError as error:
                assert error.response.status_code == 412
                refused += 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(16)))
    assert set(api.list_repo_files(repo, **DATASET)) == {".gitattributes", *(f"{n}.txt" for n in range(16))}
    assert len(api.list_repo_commits(repo, **DATASET)) == 17


def test_processes_share_a_store(tmp_path: Path) -> None:
    Store(tmp_path).create("dataset", "a/b")
    code = """
        import sys
        from medimg.hub_sync.hub.store import Store
        repository = Store(sys.argv[1]).repository("dataset", "a/b")
        for number in range(15):
            repository.write("main", "m", add={f"{sys.argv[2]}-{number}": repository.store.put(b"x")})
    """
    args = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    running = [subprocess.Popen([*args, str(number)]) for number in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    store = Store(tmp_path)
    assert len(store.repository("dataset", "a/b").commit().files) == 31
    assert store.check(deep=True) == []


def test_deleting(api: HfApi, repo: str) -> None:
    names = ["keep.txt", "data/a.txt", "data/b.txt", "old.txt"]
    api.create_commit(repo, [CommitOperationAdd(name, b"x") for name in names], commit_message="m", **DATASET)
    api.delete_file("old.txt", repo_id=repo, **DATASET)
    replace = [CommitOperationDelete("data/"), CommitOperationAdd("data/c.txt", b"y")]
    api.create_commit(repo, replace, commit_message="m", **DATASET)
    assert set(api.list_repo_files(repo, **DATASET)) == {".gitattributes", "keep.txt", "data/c.txt"}
    with pytest.raises(RemoteEntryNotFoundError, match="A file with this name doesn't exist"):
        api.delete_file("old.txt", repo_id=repo, **DATASET)
    api.delete_folder("data", repo_id=repo, **DATASET)
    with pytest.raises(RemoteEntryNotFoundError):
        api.delete_folder("data", repo_id=repo, **DATASET)
    with pytest.raises(BadRequestError, match="both a file and the folder"):
        api.upload_file(path_or_fileobj=b"z", path_in_repo="keep.txt/z", repo_id=repo, **DATASET)


def test_tags_branches_and_history(api: HfApi, repo: str) -> None:
    first = head(api, repo)
    api.create_tag(repo, tag="v1", tag_message="one", **DATASET)
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_tag(repo, tag="v1", **DATASET)
    api.create_tag(repo, tag="v1", exist_ok=True, **DATASET)
    api.create_branch(repo, branch="feature/x", revision="v1", **DATASET)
    api.create_branch(repo, branch="feature/x", exist_ok=True, **DATASET)
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_branch(repo, branch="feature/x", **DATASET)
    upload: dict[str, Any] = {"repo_id": repo, **DATASET}
    made = api.upload_file(
        path_or_fileobj="é".encode(),
        path_in_repo="data/ü x%#.txt",
        revision="feature/x",
        commit_message="t\n\nd",
        **upload,
    )
    assert head(api, repo) == first and head(api, repo, "feature/x") == made.oid == head(api, repo, made.oid)
    assert head(api, repo, "refs/heads/feature/x") == made.oid
    refs = api.list_repo_refs(repo, include_pull_requests=True, **DATASET)
    assert [(ref.name, ref.ref, ref.target_commit) for ref in refs.tags] == [("v1", "refs/tags/v1", first)]
    assert {ref.name: ref.target_commit for ref in refs.branches} == {"main": first, "feature/x": made.oid}
    paths = [item.path for item in api.list_repo_tree(repo, "data", revision="feature/x", **DATASET)]
    assert paths == ["data/ü x%#.txt"]
    assert api.file_exists(repo, "data/ü x%#.txt", revision="feature/x", **DATASET)
    commits = api.list_repo_commits(repo, revision="feature/x", **DATASET)
    assert [commit.title for commit in commits] == ["t\n\nd", "initial commit"]
    assert (
        HfFileSystem(endpoint=api.endpoint, token="x").read_text(f"datasets/{repo}@feature%2Fx/data/ü x%#.txt") == "é"
    )
    for revision in ("nope", "0" * 40, "refs/pr/1"):
        with pytest.raises(RevisionNotFoundError):
            api.dataset_info(repo, revision=revision)
    with pytest.raises(RevisionNotFoundError):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="x", revision="v1", **upload)
    api.delete_tag(repo, tag="v1", **DATASET)
    api.delete_branch(repo, branch="feature/x", **DATASET)
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(repo, tag="v1", **DATASET)
    with pytest.raises(HfHubHTTPError, match="403"):
        api.delete_branch(repo, branch="main", **DATASET)
    for bad in ("../x", "a..b", "a" * 81, "0" * 40, "-x", "refs/x", "a b", ""):
        with pytest.raises(HfHubHTTPError):
            api.create_tag(repo, tag=bad, **DATASET)


def test_super_squash(api: HfApi, repo: str) -> None:
    for number in range(3):
        api.upload_file(path_or_fileobj=str(number).encode(), path_in_repo="x", repo_id=repo, **DATASET)
    api.create_tag(repo, tag="before", **DATASET)
    files = api.list_repo_files(repo, **DATASET)
    api.super_squash_history(repo, commit_message="squashed", **DATASET)
    assert [commit.title for commit in api.list_repo_commits(repo, **DATASET)] == ["squashed"]
    assert api.list_repo_files(repo, **DATASET) == files
    assert len(api.list_repo_commits(repo, revision="before", **DATASET)) == 4


def test_copy_across_repositories(
    hub: EmbeddedHub, api: HfApi, repo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = api.create_repo("medimg/source", **DATASET).repo_id
    add = [CommitOperationAdd("data/s.parquet", noise(3000)), CommitOperationAdd("note.md", b"note")]
    revision = api.create_commit(source, add, commit_message="m", **DATASET).oid
    copies = [
        CommitOperationCopy(path, f"from/{path}", src_repo_id=source, src_repo_type="dataset", src_revision=revision)
        for path in ("data/s.parquet", "note.md")
    ]
    api.create_commit(repo, copies, commit_message="fused", **DATASET)
    assert Path(api.hf_hub_download(repo, "from/note.md", cache_dir=tmp_path, **DATASET)).read_bytes() == b"note"
    # The hash that makes the client copy must not make a client with Xet download by it.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", False)
    for expand in (False, True):
        files = HfFileSystem(endpoint=hub.url, token="x", expand_info=expand, skip_instance_cache=True)
        files.get_file(f"datasets/{repo}/from/data/s.parquet", str(tmp_path / "got"))
        assert (tmp_path / "got").read_bytes() == noise(3000)
    for _ in range(2):
        folder = Path(api.snapshot_download(repo, cache_dir=tmp_path / "snapshot", **DATASET))
    assert (folder / "from/data/s.parquet").read_bytes() == noise(3000)
    local = api.hf_hub_download(repo, "from/data/s.parquet", cache_dir=tmp_path / "other", **DATASET)
    assert Path(local).read_bytes() == noise(3000)


# ---- reading


def test_tree_paths_and_pages_of_results(api: HfApi, repo: str) -> None:
    add = [CommitOperationAdd(f"many/{number:04}.txt", b"x") for number in range(1100)]
    add.append(CommitOperationAdd("data/deep/a.txt", b"y"))
    api.create_commit(repo, add, commit_message="m", **DATASET)
    assert len(list(api.list_repo_tree(repo, recursive=True, **DATASET))) == 1100 + 5
    top = {item.path: type(item).__name__ for item in api.list_repo_tree(repo, **DATASET)}
    assert top == {".gitattributes": "RepoFile", "data": "RepoFolder", "many": "RepoFolder"}
    assert [item.path for item in api.list_repo_tree(repo, "data", **DATASET)] == ["data/deep"]
    expanded = list(api.list_repo_tree(repo, "many", expand=True, **DATASET))
    assert len(expanded) == 1100 and {item.last_commit.title for item in expanded} == {"m"}
    infos = api.get_paths_info(repo, ["data", "data/deep/a.txt", "nope"], expand=True, **DATASET)
    assert [info.path for info in infos] == ["data", "data/deep/a.txt"]
    for path in ("nope", "data/deep/a.txt"):
        with pytest.raises(RemoteEntryNotFoundError):
            list(api.list_repo_tree(repo, path, **DATASET))


def test_listing_and_card_data(api: HfApi, repo: str) -> None:
    yaml = "license: cc-by-4.0\ntask_categories: [image-segmentation]\ntags: [medical]\nday: 2020-01-02\n"
    card = f"---\n{yaml}---\n# x\n"
    api.upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id=repo, **DATASET)
    info = api.dataset_info(repo, files_metadata=True)
    assert info.card_data.license == "cc-by-4.0" and info.card_data["day"] == "2020-01-02"
    assert info.tags == ["license:cc-by-4.0", "task_categories:image-segmentation", "medical"]
    assert info.siblings is not None
    assert {file.rfilename: file.size for file in info.siblings}["README.md"] == len(card)
    assert info.gated is False and info.private is False and info.last_modified is not None
    listed = api.list_datasets(author="medimg", search=repo.split("/")[1], full=True)
    assert [found.id for found in listed] == [repo]
    assert repo in [found.id for found in api.list_datasets(filter=["license:cc-by-4.0", "medical"])]
    assert repo not in [found.id for found in api.list_datasets(filter="license:mit")]
    assert [found.id for found in api.list_datasets(author="nobody")] == []
    assert len(list(api.list_datasets(limit=1))) == 1


def test_bad_cards(api: HfApi, repo: str) -> None:
    with pytest.raises(ValueError, match="Invalid metadata"):
        api.upload_file(path_or_fileobj=b"---\na: [\n---\n", path_in_repo="README.md", repo_id=repo, **DATASET)
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "too many values" in parse_card(f"---\n{bomb}---\n").problem
    assert parse_card("---\na: &a [*a]\n---\n").problem
    assert "not a mapping" in parse_card("---\n- x\n---\ntext").problem
    assert parse_card("---\nx: .nan\n---\ny").data == {"x": "nan"}
    assert parse_card("no yaml\n---\nmore").text == "no yaml\n---\nmore"
    assert "!!python" in parse_card("---\nx: !!python/object/apply:os.system [ls]\n---\n").problem.replace(
        "tag:yaml.org,2002:", "!!"
    )


def test_ranges(hub: EmbeddedHub, api: HfApi, repo: str) -> None:
    data = noise(1000)
    sha = api.upload_file(path_or_fileobj=data, path_in_repo="x.bin", repo_id=repo, **DATASET).oid
    api.upload_file(path_or_fileobj=b"", path_in_repo="empty.txt", repo_id=repo, **DATASET)
    url = f"{hub.url}/datasets/{repo}/resolve/{sha}/x.bin"

    def get(spec: str, method: str = "GET") -> Any:
        return request(method, url, headers={"Range": spec})

    cases = {
        "bytes=0-0": data[:1],
        "bytes=0-999": data,
        "bytes=10-19": data[10:20],
        "bytes=990-": data[990:],
        "bytes=990-5000": data[990:],
        "bytes=-7": data[-7:],
        "bytes=-5000": data,
    }
    for spec, expected in cases.items():
        answer = get(spec)
        assert (answer.status_code, answer.content) == (206, expected), spec
        start = len(data) - len(expected) if spec != "bytes=10-19" else 10
        start = 0 if spec == "bytes=0-0" else start
        assert answer.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/1000"
    for spec in ("bytes=1000-", "bytes=1000-1001", "bytes=-0"):
        answer = get(spec)
        assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */1000")
    assert get("bytes=5-2").status_code == 400
    assert get("bytes=0-1,5-6").status_code in (200, 206)
    whole = request("GET", url)
    assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, data, "bytes")
    tag = f'"{hashlib.sha256(data).hexdigest()}"'
    described = request("HEAD", url)
    expected_headers = {"etag": tag, "x-linked-etag": tag, "x-linked-size": "1000", "content-length": "1000"}
    assert expected_headers.items() <= dict(described.headers).items() and described.headers["x-repo-commit"] == sha
    assert not {"x-xet-hash", "link"} & set(described.headers)
    assert get("bytes=0-1", "HEAD").headers["content-length"] == "2"
    assert request("GET", url, headers={"If-None-Match": f'"other", {tag}'}).status_code == 304
    stale = request("GET", url, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (stale.status_code, stale.content) == (200, data)
    assert request("GET", url.replace(f"{sha}/x.bin", "main/empty.txt")).content == b""
    missing = request("HEAD", url.replace("x.bin", "y.bin"))
    assert (missing.status_code, missing.headers["x-error-code"]) == (404, "EntryNotFound")
    assert missing.headers["x-repo-commit"] == sha


def test_small_reads_do_not_wait(hub: EmbeddedHub, api: HfApi, repo: str) -> None:
    api.upload_file(path_or_fileobj=noise(5000), path_in_repo="x.bin", repo_id=repo, **DATASET)
    url = f"{hub.url}/datasets/{repo}/resolve/main/x.bin"
    times = []
    for number in range(20):
        started = time.perf_counter()
        span = {"Range": f"bytes={number}-{number + 9}"}
        assert request("GET", url, headers=span).status_code == 206
        times.append(time.perf_counter() - started)
    assert min(times) < 0.035  # 0.04 and more wherever the socket delays small packets


def test_names_without_namespace_are_unknown(api: HfApi) -> None:
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info("squad")
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download("squad", "README.md", **DATASET)


def test_downloads_and_file_system(hub: EmbeddedHub, api: HfApi, repo: str, tmp_path: Path) -> None:
    data = noise(400_000)
    add = [CommitOperationAdd("data/x.bin", data), CommitOperationAdd("README.md", b"card")]
    api.create_commit(repo, add, commit_message="m", **DATASET)
    folder = Path(api.snapshot_download(repo, cache_dir=tmp_path, **DATASET))
    assert (folder / "data/x.bin").read_bytes() == data and (folder / "README.md").read_bytes() == b"card"
    files = HfFileSystem(endpoint=hub.url, token="x", skip_instance_cache=True)
    assert sorted(files.glob(f"datasets/{repo}/**/*.bin")) == [f"datasets/{repo}/data/x.bin"]
    with files.open(f"datasets/{repo}/data/x.bin", block_size=1000) as file:
        file.seek(250_000)
        assert file.read(10) == data[250_000:250_010]
        file.seek(-5, 2)
        assert file.read() == data[-5:]
    assert files.cat_file(f"datasets/{repo}/data/x.bin", start=3, end=9) == data[3:9]
    with files.open(f"datasets/{repo}/data/x.bin", "rb", block_size=0) as stream:
        assert stream.read() == data
    with files.open(f"datasets/{repo}/new.txt", "w") as file:
        file.write("new")
    assert files.read_text(f"datasets/{repo}/new.txt") == "new"
    files.rm(f"datasets/{repo}/new.txt")
    assert not files.exists(f"datasets/{repo}/new.txt") and files.isdir(f"datasets/{repo}/data")
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download(repo, "nope", cache_dir=tmp_path, **DATASET)
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download("medimg/nope", "nope", cache_dir=tmp_path, **DATASET)


def test_gated_and_private(hub: EmbeddedHub, api: HfApi, repo: str, tmp_path: Path) -> None:
    anonymous = HfApi(endpoint=hub.url, token=False)
    api.upload_file(path_or_fileobj=noise(50), path_in_repo="x.bin", repo_id=repo, **DATASET)
    api.update_repo_settings(repo, gated="auto", **DATASET)
    assert anonymous.dataset_info(repo).gated == "auto"
    with pytest.raises(GatedRepoError):
        anonymous.hf_hub_download(repo, "x.bin", cache_dir=tmp_path / "a", **DATASET)
    with pytest.raises(GatedRepoError):
        anonymous.auth_check(repo, **DATASET)
    assert request("GET", f"{hub.url}/datasets/{repo}/blob/main/x.bin").status_code == 403
    api.auth_check(repo, **DATASET)
    assert Path(api.hf_hub_download(repo, "x.bin", cache_dir=tmp_path / "b", **DATASET)).read_bytes() == noise(50)
    api.update_repo_settings(repo, gated=False, private=True, **DATASET)
    with pytest.raises(RepositoryNotFoundError):
        anonymous.dataset_info(repo)
    with pytest.raises(RepositoryNotFoundError):
        anonymous.hf_hub_download(repo, "x.bin", cache_dir=tmp_path / "c", **DATASET)
    assert repo not in [info.id for info in anonymous.list_datasets()]
    assert repo in [info.id for info in api.list_datasets()]
    for page in ("", "/tree/main", "/blob/main/x.bin", "/commits/main"):
        assert request("GET", f"{hub.url}/datasets/{repo}{page}").status_code == 404
    assert repo not in request("GET", hub.url).text
    assert api.dataset_info(repo).private is True


def test_collections(hub: EmbeddedHub, api: HfApi, repo: str) -> None:
    made = api.create_collection("Liver CT & more", namespace="medimg", description="All of it")
    assert made.slug.startswith("medimg/liver-ct-more-") and made.items == []
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_collection("Liver CT & more", namespace="medimg")
    assert api.create_collection("Liver CT & more", namespace="medimg", exists_ok=True).slug == made.slug
    other = api.create_repo("medimg/in-collection", **DATASET).repo_id
    api.add_collection_item(made.slug, repo, "dataset", note="first")
    with pytest.raises(HfHubHTTPError, match="409"):
        api.add_collection_item(made.slug, repo, "dataset")
    api.add_collection_item(made.slug, repo, "dataset", exists_ok=True)
    with pytest.raises(RepositoryNotFoundError):
        api.add_collection_item(made.slug, "medimg/nope", "dataset")
    got = api.add_collection_item(made.slug, other, "dataset")
    assert [(item.item_id, item.note) for item in got.items] == [(repo, "first"), (other, None)]
    api.update_collection_item(made.slug, got.items[1].item_object_id, position=0, note="now first")
    api.delete_collection_item(made.slug, got.items[0].item_object_id)
    api.delete_collection_item(made.slug, got.items[0].item_object_id, missing_ok=True)
    assert [(item.item_id, item.note) for item in api.get_collection(made.slug).items] == [(other, "now first")]
    assert api.update_collection_metadata(made.slug, title="New").title == "New"
    assert [found.slug for found in api.list_collections(owner="medimg", item=f"datasets/{other}")] == [made.slug]
    assert "now first" in request("GET", made.url).text and made.slug in request("GET", hub.url).text
    api.delete_collection(made.slug)
    with pytest.raises(HfHubHTTPError, match="404"):
        api.get_collection(made.slug)


def test_discussions(api: HfApi, repo: str) -> None:
    made = api.create_discussion(repo, "Known limits", description="Some", **DATASET)
    assert (made.num, made.title, made.events[0].content) == (1, "Known limits", "Some")  # type: ignore[attr-defined]
    assert api.create_discussion(repo, "Another", **DATASET).num == 2
    assert [found.num for found in api.get_repo_discussions(repo, **DATASET)] == [2, 1]
    assert api.comment_discussion(repo, 1, "More", **DATASET).content == "More"
    assert api.rename_discussion(repo, 1, "Limits", **DATASET).new_title == "Limits"
    assert api.change_discussion_status(repo, 1, "closed", comment="Done", **DATASET).new_status == "closed"
    details = api.get_discussion_details(repo, 1, **DATASET)
    assert (details.title, details.status) == ("Limits", "closed")
    assert [event.type for event in details.events] == [
        "comment", "comment", "title-change", "status-change", "comment",
    ]  # fmt: skip
    for call in (
        lambda: api.comment_discussion(repo, 1, " ", **DATASET),
        lambda: api.rename_discussion(repo, 1, "x", **DATASET),
        lambda: api.comment_discussion(repo, 9, "x", **DATASET),
    ):
        with pytest.raises(HfHubHTTPError):
            call()
    with pytest.raises(BadRequestError, match="no pull requests"):
        api.create_pull_request(repo, "A change", **DATASET)
    with pytest.raises(BadRequestError, match="no pull requests"):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo, create_pr=True, **DATASET)


def test_an_upload_works_or_says_what_to_set(hub: EmbeddedHub, api: HfApi, repo: str, tmp_path: Path) -> None:
    """`hf upload` with Xet: the newest clients do not fall back, and show the address of a refusal only."""
    pytest.importorskip("hf_xet")
    (tmp_path / "x.bin").write_bytes(b"\0" * 100)
    code = "import sys; from huggingface_hub.cli.hf import main; sys.argv[0] = 'hf'; main()"
    command = [
        sys.executable,
        "-c",
        code,
        "upload",
        repo,
        str(tmp_path / "x.bin"),
        "x.bin",
        "--repo-type",
        "dataset",
    ]
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_DISABLE_XET"}
    environment |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": "x"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 or "HF_HUB_DISABLE_XET=1" in done.stderr
    done = subprocess.run(
        command, env={**environment, "HF_HUB_DISABLE_XET": "1"}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert api.file_exists(repo, "x.bin", **DATASET)


# ---- hostile and broken requests


def lfs_links(hub: EmbeddedHub, repo: str, data: bytes) -> dict[str, Any]:
    oid = hashlib.sha256(data).hexdigest()
    body = {
        "operation": "upload",
        "transfers": ["basic", "multipart"],
        "objects": [{"oid": oid, "size": len(data)}],
    }
    answer = request("POST", f"{hub.url}/datasets/{repo}.git/info/lfs/objects/batch", json=body)
    actions: dict[str, Any] = answer.json()["objects"][0]["actions"]
    return actions


def test_wrong_content_is_not_stored(hub: EmbeddedHub, repo: str) -> None:
    data = noise(5000, 77)
    oid = hashlib.sha256(data).hexdigest()
    href = lfs_links(hub, repo, data)["upload"]["href"]
    for wrong in (b"", data[:-1], data + b"x", b"x" * 5000):
        assert 400 <= request("PUT", href, content=wrong).status_code < 500
    other = "0" * 64
    assert request("PUT", href.replace(oid, other), content=data).status_code == 403
    assert request("PUT", href.replace("size=5000", "size=5001"), content=data + b"x").status_code == 403
    assert request("PUT", href.split("?")[0], content=data).status_code == 403
    assert hub.store.object_size(oid) is None and not list((hub.store.root / "tmp").iterdir())
    line = {"key": "lfsFile", "value": {"path": "x", "algo": "sha256", "oid": oid, "size": 5000}}
    lines = "\n".join(json.dumps(item) for item in ({"key": "header", "value": {"summary": "s"}}, line))
    refused = request("POST", f"{hub.url}/api/datasets/{repo}/commit/main", content=lines)
    assert refused.status_code == 400 and "does not exist" in refused.json()["error"]
    assert request("PUT", href, content=data).status_code == 200
    assert hub.store.object_size(oid) == 5000


def test_multipart_errors(hub: EmbeddedHub, repo: str) -> None:
    data = noise(350_000, 78)
    oid = hashlib.sha256(data).hexdigest()
    upload = lfs_links(hub, repo, data)["upload"]
    header = upload["header"]
    assert set(header) == {"chunk_size", "1", "2", "3", "4"}
    assert request("PUT", header["4"], content=data[:100_000]).status_code == 413
    assert request("PUT", header["1"], content=data[:99_999]).status_code == 400
    slices = {number: data[(number - 1) * 100_000 : number * 100_000] for number in range(1, 5)}
    tags = {n: request("PUT", header[str(n)], content=part).headers["etag"] for n, part in slices.items()}

    def join(tags: dict[int, str]) -> int:
        parts = [{"partNumber": number, "etag": tag} for number, tag in tags.items()]
        return int(request("POST", upload["href"], json={"oid": oid, "parts": parts}).status_code)

    assert join({**tags, 2: f'"{"0" * 64}"'}) == 400  # a part that never came
    assert join({1: "../../../etc/passwd"}) == 422
    assert join({**tags, 2: tags[2]}) == 200
    assert join(tags) == 200  # asked again after a lost answer
    assert hub.store.object_size(oid) == len(data)
    # parts that are not the whole
    other = noise(350_000, 79)
    upload = lfs_links(hub, repo, other)["upload"]
    tags = {n: request("PUT", upload["header"][str(n)], content=part).headers["etag"] for n, part in slices.items()}
    assert join(tags) == 400
    assert hub.store.object_size(hashlib.sha256(other).hexdigest()) is None


def test_cut_upload_leaves_nothing(hub: EmbeddedHub, repo: str) -> None:
    data = noise(200_000, 80)
    href = lfs_links(hub, repo, data)["upload"]["href"]
    start = f"PUT {href.removeprefix(hub.url)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 200000\r\n\r\n"

    def wait_for(count: int) -> None:
        deadline = time.monotonic() + 10
        while len(list((hub.store.root / "tmp").iterdir())) != count and time.monotonic() < deadline:
            time.sleep(0.01)

    with socket.create_connection(("127.0.0.1", hub.port)) as raw:
        raw.sendall(start.encode() + data[:99_000])
        wait_for(1)
    wait_for(0)
    assert not list((hub.store.root / "tmp").iterdir())
    assert hub.store.object_size(hashlib.sha256(data).hexdigest()) is None


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "a/./b",
        ".git/config",
        "a\\b",
        "a\0b",
        "a\nb",
        "a" * 256,
        "",
        "é/" * 600,
    ],
)
def test_unsafe_paths_are_refused(hub: EmbeddedHub, repo: str, path: str) -> None:
    with pytest.raises(HubRefusal):
        check_path(path)
    before = hub.store.repository("dataset", repo).commit()
    value = {"path": path, "content": "eA==", "encoding": "base64"}
    lines = [{"key": "header", "value": {"summary": "s"}}, {"key": "file", "value": value}]
    content = "\n".join(map(json.dumps, lines))
    assert request("POST", f"{hub.url}/api/datasets/{repo}/commit/main", content=content).status_code == 400
    files = {"files": [{"path": path, "size": 1, "sample": ""}]}
    assert request("POST", f"{hub.url}/api/datasets/{repo}/preupload/main", json=files).status_code == 400
    assert hub.store.repository("dataset", repo).commit() == before


def test_odd_addresses(hub: EmbeddedHub, repo: str) -> None:
    with socket.create_connection(("127.0.0.1", hub.port)) as raw:
        raw.sendall(
            f"GET /datasets/{repo}/resolve/main/../../../../../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        assert b"404" in raw.makefile("rb").read().split(b"\r\n")[0]
    for path in (
        f"/datasets/{repo}/resolve/main/..%2F..%2F..%2Frepo.json",
        f"/datasets/{repo}/resolve/..%2F..%2Frepo/x",
        "/api/datasets/..%2F..%2Fx/y",
        "/api/datasets/%2E%2E/%2E%2E",
        "/api/nothing/medimg/x",
        "/datasets/squad/resolve/main/README.md",
        "/parquet?dataset=x",
        "/info?dataset=x",
        "/api/datasets/squad",
        "/api/collections/%2E%2E/x",
        "/%FF%00",
    ):
        started = time.monotonic()
        assert request("GET", f"{hub.url}{path}").status_code in (400, 404), path
        assert time.monotonic() - started < 2
    for name in ("../x", "a/b", ".x", "x.git", "a--b", "", "a" * 97, None, 3, ["x"]):
        body = {"name": name, "organization": "medimg", "type": "dataset"}
        assert request("POST", f"{hub.url}/api/repos/create", json=body).status_code == 400, name
    assert request("POST", f"{hub.url}/api/repos/create", json={"name": "x", "type": "../x"}).status_code == 400


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b'{"key": "header", "value": 3}', b'{"key": "x", "value": {}}']
)
def test_bad_bodies(hub: EmbeddedHub, repo: str, body: bytes) -> None:
    for path in ("commit/main", "preupload/main", "lfs-files/duplicate", "discussions", "tag/main"):
        assert request("POST", f"{hub.url}/api/datasets/{repo}/{path}", content=body).status_code in (
            400,
            404,
        ), path
    assert request("POST", f"{hub.url}/api/datasets/{repo}/commit/main", content=b"x" * 2_000_001).status_code == 413


def test_other_sites_cannot_write_or_rebind(hub: EmbeddedHub) -> None:
    body = {"name": "evil", "type": "dataset"}
    refused = request("POST", f"{hub.url}/api/repos/create", json=body, headers={"Origin": "http://evil.example"})
    assert refused.status_code == 403
    assert request("GET", hub.url, headers={"Host": "evil.example"}).status_code == 421
    assert request("GET", hub.url, headers={"Host": f"localhost:{hub.port}"}).status_code == 200
    assert request("GET", hub.url, headers={"Host": f"datasets-server.localhost:{hub.port}"}).status_code == 200


def test_token(tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    secret = "hf_sEcReTtOkEn"
    with pytest.raises(HubError, match="needs a token"):
        EmbeddedHub(tmp_path, host="0.0.0.0")
    with pytest.raises(HubError, match="needs a token"):
        serve(tmp_path, host="0.0.0.0")
    with pytest.raises(HubError, match="empty"):
        EmbeddedHub(tmp_path, token=" ")
    with EmbeddedHub(tmp_path, host="0.0.0.0", token=secret) as hub:
        url = f"http://127.0.0.1:{hub.port}"
        owner, stranger = HfApi(endpoint=url, token=secret), HfApi(endpoint=url, token="wrong")
        for token in ("wrong", False):
            with pytest.raises(HfHubHTTPError, match="401"):
                HfApi(endpoint=url, token=token).create_repo("medimg/x", **DATASET)
        owner.create_repo("medimg/x", private=True, **DATASET)
        owner.upload_file(path_or_fileobj=noise(99), path_in_repo="x.bin", repo_id="medimg/x", **DATASET)
        with pytest.raises(RepositoryNotFoundError):
            stranger.dataset_info("medimg/x")
        owner.update_repo_settings("medimg/x", private=False, **DATASET)
        assert stranger.dataset_info("medimg/x").id == "medimg/x"  # reading does not mind a foreign token
        for write in (
            lambda: stranger.upload_file(path_or_fileobj=b"x", path_in_repo="y", repo_id="medimg/x", **DATASET),
            lambda: stranger.delete_repo("medimg/x", **DATASET),
            lambda: stranger.create_tag("medimg/x", tag="v1", **DATASET),
            lambda: stranger.create_collection("x"),
            lambda: stranger.update_repo_settings("medimg/x", private=True, **DATASET),
            lambda: stranger.super_squash_history("medimg/x", **DATASET),
        ):
            with pytest.raises(HfHubHTTPError) as error:
                write()
            assert error.value.response.status_code == 401 and secret not in str(error.value)
        with pytest.raises(HfHubHTTPError, match="Invalid user token"):
            stranger.whoami()
        assert owner.whoami()["auth"]["accessToken"]["role"] == "write"
    out, err = capfd.readouterr()
    assert secret not in caplog.text + out + err
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


# ---- pages


def test_pages_escape_a_hostile_card(hub: EmbeddedHub, api: HfApi, repo: str) -> None:
    card = textwrap.dedent(
        """\
        ---
        license: "<script>alert(1)</script>"
        tags: ["<img src=x onerror=alert(2)>"]
        dataset_info: {splits: [{name: train, num_examples: 1234}]}
        ---
        # Title <script>alert(3)</script>
        <img src=x onerror=alert(4)>

        [a](javascript:alert(5)) [b](JaVaScRiPt:alert(6)) [c](data:text/html,x) [d](docs/more.md) [e](../../x)
        ![f](assets/sheet.png) ![g](javascript:alert(7)) [h](https://example.org) ![i]("onerror="alert(8))

        | t | u |
        |---|---|
        | `<b>` | **v** |
        """
    )
    name = "\"><svg onload=alert(9)>'.txt"
    add = [
        CommitOperationAdd("README.md", card.encode()),
        CommitOperationAdd(name, b"</pre><script>alert(10)</script>"),
    ]
    add.append(CommitOperationAdd("page.html", b"<script>alert(11)</script>"))
    api.create_commit(repo, add, commit_message="<script>alert(12)</script>", **DATASET)
    base = f"{hub.url}/datasets/{repo}"
    urls = [
        hub.url,
        f"{hub.url}/?q=<script>alert(13)</script>",
        f"{hub.url}/?q={repo}",
        base,
        f"{base}/tree/main",
    ]
    urls += [
        f"{base}/commits/main",
        f"{base}/blob/main/page.html",
        f"{base}/blob/main/%22%3E%3Csvg%20onload=alert(9)%3E'.txt",
    ]
    urls += [f"{base}/blob/main/<script>alert(14)</script>", f"{hub.url}/datasets/medimg/<script>x"]
    for url in urls:
        answer = request("GET", url)
        assert answer.status_code in (200, 404)
        assert "script" not in answer.headers["content-security-policy"].replace("default-src 'none'", "")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        lowered = answer.text.lower()
        assert "<script" not in lowered and "<svg" not in lowered and "<img src=x" not in lowered, url
        assert 'href="javascript' not in lowered and 'src="javascript' not in lowered and "style=" not in lowered, url
        assert '"onerror=' not in lowered and 'href="data:' not in lowered, url
    text = request("GET", base).text
    assert f'src="/datasets/{repo}/resolve/main/assets/sheet.png"' in text
    assert f'href="/datasets/{repo}/blob/main/docs/more.md"' in text and "1,234 rows" in text
    assert "<table>" in text and "&lt;b&gt;" in text and 'rel="nofollow noopener noreferrer"' in text
    raw = request("GET", f"{base}/resolve/main/page.html")
    assert raw.headers["content-type"].startswith("text/plain") and "sandbox" in raw.headers["content-security-policy"]
    assert raw.headers["x-content-type-options"] == "nosniff"
    style = text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in request("GET", base).headers["content-security-policy"]


def test_markdown_links() -> None:
    html = render_markdown(
        "[a](x/../y.md#z) [b](/top) [c](#here) [d](../../../x)\n\n# A <b> Title\n", links="L", images="I"
    )
    assert 'href="L/y.md"' in html and 'href="/top"' in html and 'href="#here"' in html and 'href="#"' in html
    assert '<h1 id="card-a-b-title">' in html


# ---- the store


def test_restart_keeps_everything(tmp_path: Path) -> None:
    with EmbeddedHub(tmp_path / "hub") as hub:
        api = HfApi(endpoint=hub.url, token="x")
        api.create_repo("medimg/kept", **DATASET)
        made = api.upload_file(path_or_fileobj=noise(4000), path_in_repo="x.bin", repo_id="medimg/kept", **DATASET)
        api.create_tag("medimg/kept", tag="v1", **DATASET)
        api.update_repo_settings("medimg/kept", gated="auto", **DATASET)
        slug = api.create_collection("Kept", namespace="medimg").slug
        api.create_discussion("medimg/kept", "Kept too", **DATASET)
    with EmbeddedHub(tmp_path / "hub") as hub:
        api = HfApi(endpoint=hub.url, token="x")
        info = api.dataset_info("medimg/kept", revision="v1")
        assert (info.sha, info.gated) == (made.oid, "auto")
        local = api.hf_hub_download("medimg/kept", "x.bin", cache_dir=tmp_path / "cache", **DATASET)
        assert Path(local).read_bytes() == noise(4000)
        assert api.get_collection(slug).title == "Kept"
        assert api.get_discussion_details("medimg/kept", 1, **DATASET).title == "Kept too"
        assert hub.store.check(deep=True) == []


@pytest.mark.parametrize("step", ["write_commit", "write_ref"])
def test_crash_in_a_commit_leaves_the_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    store = Store(tmp_path)
    repository = store.create("dataset", "a/b")
    before = repository.commit()

    def crash(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Repository, step, crash)
        with pytest.raises(KeyboardInterrupt):
            repository.write("main", "m", add={"x": store.put(b"x")})
    assert Store(tmp_path).repository("dataset", "a/b").commit() == before
    assert store.check(deep=True) == []
    assert repository.write("main", "m", add={"x": store.put(b"x")}).parent == before.id


def test_crash_in_a_creation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)

    def crash(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Repository, "write_ref", crash)
        with pytest.raises(KeyboardInterrupt):
            store.create("dataset", "a/b")
    with pytest.raises(HubRefusal):
        store.repository("dataset", "a/b")
    assert store.create("dataset", "a/b").commit().message == "initial commit"


def test_check_finds_damage(tmp_path: Path) -> None:
    store = Store(tmp_path)
    repository = store.create("dataset", "a/b")
    file = store.put(b"content")
    commit = repository.write("main", "m", add={"x": file, "y": store.put(b"other")})
    assert store.check(deep=True) == []
    store.object_path(file.sha256).write_bytes(b"CONTENT")
    assert len(store.check()) == 0 and "sha256" in store.check(deep=True)[0]
    store.object_path(file.sha256).unlink()
    assert any("is missing" in problem for problem in store.check())
    path = repository.path / "commits" / f"{commit.id}.json"
    path.write_text(path.read_text().replace('"m"', '"changed"'))
    assert any("was changed" in problem for problem in store.check())
    path.unlink()
    assert any("does not exist" in problem for problem in store.check())


def test_stale_files_are_removed_at_start(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old, fresh = tmp_path / "uploads/old", tmp_path / "uploads/fresh"
    for folder in (old, fresh):
        folder.mkdir()
        (folder / "1-x").write_bytes(b"x")
    (tmp_path / "tmp/incoming-old").write_bytes(b"x")
    (tmp_path / "tmp/incoming-fresh").write_bytes(b"x")
    long_ago = time.time() - 2 * store.limits.stale_after
    for path in (old / "1-x", old, tmp_path / "tmp/incoming-old"):
        os.utime(path, (long_ago, long_ago))
    Store(tmp_path)
    assert not old.exists() and (fresh / "1-x").exists()
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["incoming-fresh"]


def test_store_units(tmp_path: Path) -> None:
    store = Store(tmp_path)
    repository = store.create("dataset", "a/b")
    git = hashlib.sha1(b"blob %d\0" % len(GITATTRIBUTES) + GITATTRIBUTES.encode()).hexdigest()
    assert repository.commit().files[".gitattributes"].oid == git
    head = repository.commit()
    assert repository.write("main", "same", add={".gitattributes": store.put(GITATTRIBUTES.encode())}) == head
    with pytest.raises(HubRefusal) as refusal:
        repository.write("main", "m", parent="", add={"x": store.put(b"x")})
    assert refusal.value.status == 412
    assert isinstance(refusal.value, HubError)
    with store.locked("a", "b"):
        done = threading.Event()

        def wait() -> None:
            with store.locked("b"):
                done.set()

        thread = threading.Thread(target=wait)
        thread.start()
        assert not done.wait(0.05)
    thread.join(5)
    assert done.is_set()


# ---- as users run it


def environment(tmp_path: Path, url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    switches = {
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    return {**kept, **switches, "HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "home")}


def test_load_dataset(hub: EmbeddedHub, api: HfApi, tmp_path: Path) -> None:
    table = pa.table({"id": list(range(50)), "blob": [noise(2000, n) for n in range(50)]})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=10)
    card = textwrap.dedent(
        """\
        ---
        license: mit
        configs:
        - config_name: default
          default: true
          data_files: [{split: train, path: data/train-*}]
        dataset_info:
          config_name: default
          features: [{name: id, dtype: int64}, {name: blob, dtype: binary}]
          splits: [{name: train, num_bytes: 1, num_examples: 50}]
        ---
        # LiTS
        """
    )
    shard = CommitOperationAdd("data/train-00000-of-00001.parquet", buffer.getvalue())
    api.create_repo("medimg/lits", **DATASET)
    add = [shard, CommitOperationAdd("README.md", card.encode())]
    api.create_commit("medimg/lits", add, commit_message="m", **DATASET)
    api.create_tag("medimg/lits", tag="v1", **DATASET)
    code = """
        from datasets import load_dataset
        rows = list(load_dataset("medimg/lits", split="train", streaming=True))
        assert [row["id"] for row in rows] == list(range(50)), rows
        whole = load_dataset("medimg/lits", split="train", revision="v1")
        assert whole.num_rows == 50 and len(whole[3]["blob"]) == 2000
        whole.select(range(3)).push_to_hub("medimg/pushed", token="x")
        whole.select(range(4)).push_to_hub("medimg/pushed", token="x")
        assert load_dataset("medimg/pushed", split="train").num_rows == 4
        try:
            load_dataset("medimg/missing")
        except Exception as error:
            print(type(error).__name__)
    """
    # Reads work with hf_xet and without a token; only push_to_hub needs Xet off.
    for extra, lines in (({}, code.split("whole.select")[0]), ({"HF_HUB_DISABLE_XET": "1"}, code)):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(lines)],
            env={**environment(tmp_path, hub.url), **extra},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "DatasetNotFoundError"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_serve_until_interrupted(tmp_path: Path) -> None:
    code = "import sys; from medimg.hub_sync.hub import serve; serve(sys.argv[1], port=int(sys.argv[2]))"
    args = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen([*args, "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        url = lines[2].strip().removeprefix("export HF_ENDPOINT=")
        assert request("GET", f"{url}/api/medimg-embedded-hub").json()["embedded"]
        port = url.rsplit(":", 1)[1]
        with pytest.raises(HubError, match=rf"port {port} .*--port"):
            serve(tmp_path / "other", port=int(port))
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        assert process.stderr is not None and process.stderr.read() == ""
