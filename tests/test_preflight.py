"""What `medimg preflight` says before the first push, and that it writes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from typer.testing import CliRunner

from medimg import registry
from medimg.errors import HubError
from medimg.hub_sync.commands.app import app
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.planning.preflight import Planned, Preflight, may_write, preflight
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.sync import sync
from medimg.phantom import Phantom

WRITER, READER = "hf_thisoneWRITESeverything", "hf_thisoneREADSonly"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    with EmbeddedHub(tmp_path_factory.mktemp("store"), token=WRITER, reader=READER) as running:
        yield running


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("originals")
    for name in ("hc18", "verse", "chexpert"):
        registry.get(name).miniature(Phantom(root / name))
    return root


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_nothing_is_written_and_all_is_told(server: EmbeddedHub, originals: Path) -> None:
    before = contents(server.store.root)
    hub = Hub(server.url, "new-org", WRITER)
    found = preflight(["hc18", "verse", "chexpert"], hub, root=str(originals), rate=1.0)
    assert contents(server.store.root) == before
    assert found.ready and found.access.role == "write" and not found.access.problem
    told = {each.name: each for each in found.datasets}
    held = {
        name: sum(path.stat().st_size for path in (originals / name).rglob("[!.]*") if path.is_file()) for name in told
    }
    assert (told["hc18"].action, told["hc18"].at, told["hc18"].commits) == ("build", "free", 1)
    assert told["hc18"].bytes == held["hc18"] and told["verse"].bytes == held["verse"]
    assert (told["chexpert"].action, told["chexpert"].bytes, told["chexpert"].commits) == ("card", 0, 1)
    assert found.bytes == held["hc18"] + held["verse"]
    assert found.seconds == pytest.approx(found.bytes / 1e6)
    assert {told[name].gate for name in ("hc18", "verse")} <= {"open", "gated"}


@pytest.mark.parametrize(
    "token, role, problem",
    [
        (READER, "read", "reads only"),
        ("hf_anotherTOKEN", None, "does not know"),
        (None, None, "asks for its token"),
    ],
)
def test_a_token_that_cannot_write_is_told_before_anything_is_tried(
    server: EmbeddedHub,
    originals: Path,
    monkeypatch: pytest.MonkeyPatch,
    token: str | None,
    role: str | None,
    problem: str,
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    found = preflight(["hc18"], Hub(server.url, "new-org", token), root=str(originals))
    assert not found.ready and found.access.role == role
    assert problem in str(found.access.problem)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    arguments = [
        "preflight",
        "hc18",
        "--source",
        str(originals),
        "--hub",
        server.url,
        "--namespace",
        "new-org",
    ]
    done = CliRunner().invoke(app(), arguments)
    assert done.exit_code == 1 and problem in " ".join(done.output.split())
    assert not token or token not in done.output
    with pytest.raises(HubError, match=r"401|403"):
        Hub(server.url, "new-org", token).create("hc18")


def test_a_token_that_reads_opens_what_is_private(server: EmbeddedHub) -> None:
    HfApi(endpoint=server.url, token=WRITER).create_repo("new-org/hidden", private=True, repo_type="dataset")
    assert HfApi(endpoint=server.url, token=READER).dataset_info("new-org/hidden").private
    with pytest.raises(HubError, match="writes"):
        EmbeddedHub(server.store.root, reader=READER)
    with pytest.raises(HubError, match="also"):
        EmbeddedHub(server.store.root, token=READER, reader=READER)


def test_a_name_that_holds_something_else_is_taken_and_stays(server: EmbeddedHub, originals: Path) -> None:
    api = HfApi(endpoint=server.url, token=WRITER)
    api.create_repo("others/hc18", repo_type="dataset")
    api.upload_file(
        path_or_fileobj=b"theirs", path_in_repo="data/train.csv", repo_id="others/hc18", repo_type="dataset"
    )
    hub = Hub(server.url, "others", WRITER)
    found = preflight(["hc18"], hub, root=str(originals))
    assert not found.ready and found.datasets[0].at == "taken"
    assert "data/train.csv" in found.problems[0]
    assert sync(["hc18"], hub, root=str(originals))[0].status == "blocked"
    assert "data/train.csv" in hub.published("hc18").files


def test_what_is_published_is_ours_and_costs_nothing(server: EmbeddedHub, originals: Path) -> None:
    hub = Hub(server.url, "mine", WRITER)
    assert sync(["hc18"], hub, root=str(originals), check=False)[0].status == "published"
    found = preflight(["hc18"], hub, root=str(originals))
    assert [(each.at, each.action, each.bytes) for each in found.datasets] == [("ours", "none", 0)]
    assert found.bytes == 0 and found.seconds == 0


def test_a_source_that_cannot_be_read_is_one_problem_among_others(server: EmbeddedHub, tmp_path: Path) -> None:
    registry.get("hc18").miniature(Phantom(tmp_path / "hc18"))
    (tmp_path / "verse.zip").write_bytes(b"no archive")
    found = preflight(["verse", "hc18"], Hub(server.url, "new-org", WRITER), root=str(tmp_path))
    assert [each.action for each in found.datasets] == ["blocked", "build"]
    assert not found.ready and "verse" in found.problems[0]


@pytest.mark.parametrize("namespace", ["two words", "a/b", "", "-x"])
def test_a_namespace_that_cannot_be_is_told(server: EmbeddedHub, namespace: str) -> None:
    with pytest.raises(HubError, match="cannot be a namespace"):
        Hub(server.url, namespace, WRITER)


def test_the_command_prints_json_and_a_table(
    server: EmbeddedHub, originals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", WRITER)
    arguments = [
        "preflight",
        "hc18",
        "--source",
        str(originals),
        "--hub",
        server.url,
        "--namespace",
        "new-org",
    ]
    plain = CliRunner().invoke(app(), arguments)
    assert plain.exit_code == 0 and "ready" in plain.output and "hc18" in plain.output
    read = json.loads(CliRunner().invoke(app(), [*arguments, "--json"]).output)
    assert read["ready"] and read["datasets"][0]["name"] == "hc18" and read["bytes"] > 0


def who(role: str = "write", scoped: list[Any] | None = None, **orgs: str) -> dict[str, Any]:
    token: dict[str, Any] = {"role": role}
    if scoped is not None:
        token["fineGrained"] = {"scoped": scoped}
    members = [{"name": name, "roleInOrg": member} for name, member in orgs.items()]
    return {"name": "ada", "orgs": members, "auth": {"type": "access_token", "accessToken": token}}


def scope(name: str, *permissions: str) -> dict[str, Any]:
    return {"entity": {"type": "org", "name": name}, "permissions": list(permissions)}


@pytest.mark.parametrize(
    "answer, namespace, problem",
    [
        (who(), "ada", None),
        (who(lab="write"), "lab", None),
        (who(lab="admin"), "lab", None),
        (who(lab="read"), "lab", "may not write in lab"),
        (who(), "lab", "no member of lab"),
        (who("read", lab="admin"), "lab", "reads only"),
        (who("fineGrained", [scope("lab", "repo.content.read", "repo.write")], lab="write"), "lab", None),
        (who("fineGrained", [scope("lab", "repo.content.read")], lab="write"), "lab", "repo.write"),
        (who("fineGrained", [scope("ada", "repo.write")], lab="write"), "lab", "repo.write"),
    ],
)
def test_roles_of_the_public_hub(answer: dict[str, Any], namespace: str, problem: str | None) -> None:
    found = may_write(answer, namespace)
    assert (found.problem is None) if problem is None else (problem in str(found.problem))


def test_a_contributor_is_told_what_may_be_refused() -> None:
    found = may_write(who(lab="contributor"), "lab")
    assert found.problem is None and "others made" in str(found.doubt)


def test_what_the_hub_recommends_is_held_against_the_plan() -> None:
    access = may_write(who(), "ada")
    one = Planned("large", "build", "new", "free", 6 * 10**12, 15_000, 1, "open", ("about 15,000 files of a commit",))
    found = Preflight("https://huggingface.co", "ada", False, access, (one,), 50.0)
    assert any("files of a commit" in each for each in found.doubts)
    assert any("6.0 TB" in each for each in found.doubts)
    assert found.seconds == pytest.approx(6e12 / 50e6)
    slow = Preflight("https://huggingface.co", "ada", False, access, (one,), 1e9)
    assert slow.seconds == 300 * (found.requests // 1000)  # its API takes a thousand requests in five minutes
