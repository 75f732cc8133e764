"""Sync over a bad line: whatever breaks, what is published equals its manifest, and the next run goes on."""

from __future__ import annotations

import email.utils
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import commands
import huggingface_hub
import pytest
import tiny_datasets as tiny
from fault_proxy import FAULTS, FaultProxy, Seen

from medimg.errors import HubError
from medimg.hub_sync import sync as engine
from medimg.hub_sync.hub.limits import HubLimits
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing import patience
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.patience import Interrupted, Patience, persist
from medimg.hub_sync.results import Result, Watcher
from medimg.hub_sync.sync import sync
from medimg.hub_sync.verifying.verify import Reader, verify
from medimg.hub_sync.workers import portions
from medimg.hub_sync.workers.crew import CrewUnit, EndedError, Inbox
from medimg.hub_sync.workers.process import Process
from medimg.hub_sync.workers.team import Team

pytestmark = pytest.mark.clients

NAME = "tiny-0"
ROWS = 8
BUSY = 600
"""Seconds that a child may take on a machine that is busy with something else: no test is about its speed."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    # Data shards have more than these bytes and go up in two parts; metadata and previews have less.
    limits = HubLimits(multipart_above=15_500, part=9_000)
    with EmbeddedHub(tmp_path_factory.mktemp("store"), limits=limits) as running:
        yield running


@pytest.fixture(scope="module")
def builders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("builders")


@pytest.fixture(scope="module")
def names(builders: Path) -> Iterator[list[str]]:
    with tiny.builders(builders, 10) as found:
        yield found


@pytest.fixture(scope="module")
def processes() -> Any:
    """Processes that start in a moment, since one that has imported everything is forked."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tiny_datasets"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        patch.setenv("TINY_WARM", "1")
        forkserver.ensure_running()
    return context


WHO = ("here", "elsewhere", "portions")


class Kept(Team):
    """A team that goes on from run to run."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.idle = threading.Event()
        self.idle.set()

    def __exit__(self, *details: object) -> None:
        assert self.idle.wait(60)

    def of(self, hub: Hub, reader: Reader) -> Team:
        """For another run."""
        self._hub, self._reader = hub, reader
        return self

    def _follow(self, process: Process, unit: CrewUnit, inbox: Inbox) -> None:
        self.idle.clear()
        try:
            super()._follow(process, unit, inbox)
        except EndedError:  # to start another one takes longer
            while isinstance(process.answer(), tuple):
                pass
        finally:
            self.idle.set()


@pytest.fixture(scope="module")
def team(server: EmbeddedHub) -> Iterator[Kept]:
    hub = Hub(server.url, "team")
    kept = Kept(1, hub, Reader(hub), alone=True)
    yield kept
    Team.__exit__(kept, None, None, None)


@pytest.fixture(params=WHO)
def by(request: pytest.FixtureRequest, team: Kept, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who does what there is to do: this process, a worker, or a worker a portion at a time."""
    if request.param != "here":
        monkeypatch.setattr(engine, "_crew", lambda *given: team.of(*given[-2:]))
    if request.param == "elsewhere":
        monkeypatch.setattr(portions, "LEAST", 1 << 40)
    return str(request.param)


@pytest.fixture
def proxy(server: EmbeddedHub) -> Iterator[FaultProxy]:
    with FaultProxy(server.url) as running:
        yield running


class Watch:
    """Looks at the store whenever the head of a repository has moved."""

    def __init__(self, server: EmbeddedHub, *repos: str) -> None:
        self.server = server
        self.heads: dict[str, str | None] = dict.fromkeys(repos)
        self.problems: list[str] = []

    def __call__(self, seen: Seen, moment: str) -> None:
        self.look(f"{moment} {seen.kind}")

    def look(self, when: str) -> None:
        for repo, known in list(self.heads.items()):
            commit = tiny.head(self.server, repo)
            if commit is not None and commit.id != known:
                self.heads[repo] = commit.id
                try:
                    tiny.consistent(self.server, repo)
                except AssertionError as error:
                    self.problems.append(f"{when}: {repo}: {error}")


def run(hub: Hub, root: Path, **options: Any) -> Result:
    """Sync the one tiny dataset."""
    options = {"check": False, "collections": True, "shard_bytes": tiny.SHARD, **options}
    result, *_ = sync([NAME], hub, root=str(root), **options)
    return result


@dataclass
class Kinds:
    """Kinds of requests: of a run for a new dataset, for a changed one, for an unchanged one, and of reading back."""

    new: list[str]
    changed: list[str]
    idle: list[str]
    reading: list[str]
    start: str = "GET /api/medimg-embedded-hub"


@pytest.fixture(scope="module")
def kinds(server: EmbeddedHub, names: list[str], tmp_path_factory: pytest.TempPathFactory) -> Kinds:
    root = tiny.originals(tmp_path_factory.mktemp("kinds"), NAME, ROWS)
    found = []
    with FaultProxy(server.url) as proxy:
        hub = Hub(proxy.url, "kinds")
        for seed in (0, 1, None):
            if seed is not None:
                tiny.change(root, NAME, 5000 + seed)
            first = len(proxy.seen)
            assert run(hub, root).status == ("unchanged" if seed is None else "published")
            found.append(list(dict.fromkeys(seen.kind for seen in proxy.seen[first:])))
        first = len(proxy.seen)
        with Reader(hub) as reader:
            reader.read(hub.repo(NAME), hub.published(NAME).sha, deep=False)
        found.append(list(dict.fromkeys(seen.kind for seen in proxy.seen[first:])))
    return Kinds(*found)


def test_no_kind_of_request_is_left_out(server: EmbeddedHub, proxy: FaultProxy, kinds: Kinds, tmp_path: Path) -> None:
    expected = (
        "/refs", "/tree/*", "manifest.json", "README.md", "preupload/main", "objects/batch", "PUT /lfs/object/*",
        "PUT /lfs/part-*/*", "POST /lfs/join/*", "/lfs/verify", "/settings", "validate-yaml", "/commit/main", "/tag/*",
        "repos/create", "POST /api/collections", "GET /api/collections", "/items", "PATCH /api/collections/*",
        "GET /api/datasets",
    )  # fmt: skip
    known = {*kinds.new, *kinds.changed, *kinds.idle, *kinds.reading, kinds.start}
    for part in expected:
        assert any(part in kind for kind in known), part
    assert {kind.split(" ")[0] for kind in kinds.reading} == {"GET", "HEAD"}
    # Whatever a maintainer's run does, with everything on, is in the matrix.
    root = tiny.originals(tmp_path, NAME, ROWS, 40)
    hub = Hub(proxy.url, "whole")
    for _ in range(2):
        for expected_status in ("published", "unchanged"):
            assert run(hub, root, check=True).status == expected_status
        tiny.change(root, NAME, 40_500)
    hub.gate(NAME, False)
    assert run(hub, root, check=True).good
    assert {seen.kind for seen in proxy.seen} <= known


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_of_every_kind_in_one_run(
    server: EmbeddedHub, proxy: FaultProxy, kinds: Kinds, tmp_path: Path, fault: str, by: str
) -> None:
    namespace = f"soft-{by}-" + fault.replace(" ", "-")
    seed = 1 + FAULTS.index(fault) + 100 * WHO.index(by)  # a store keeps equal pictures once
    root = tiny.originals(tmp_path, NAME, 36, seed)
    watch = Watch(server, f"{namespace}/{NAME}")
    proxy.hook = watch
    waiting = proxy.arm(fault, kinds.start, *kinds.new)
    hub = Hub(proxy.url, namespace, patience=tiny.QUICK)
    assert run(hub, root).status == "published"
    assert not waiting, "not every kind of request was made"
    assert proxy.uploaded <= 1.1 * tiny.stored_bytes(server, f"{namespace}/{NAME}")
    tiny.change(root, NAME, seed * 1000 + 77)
    waiting = proxy.arm(fault, *kinds.changed)
    result = run(hub, root)
    assert result.status == "published" and result.rows == 37
    assert not waiting
    assert proxy.uploaded <= 1.1 * tiny.stored_bytes(server, f"{namespace}/{NAME}")
    assert watch.problems == []
    before = len(proxy.seen)
    again = run(hub, root)
    assert again.status == "unchanged" and not again.commits and len(proxy.seen) - before <= 4
    waiting = proxy.arm(fault, *kinds.idle)
    again = run(hub, root)
    assert again.status == "unchanged" and not again.commits and not waiting
    assert set(hub.published(NAME).tags) == {"v1.0.0", "v1.0.0-2"}


@pytest.mark.parametrize("fault", ["cut before", "cut midway", "cut after", "500"])
def test_each_fault_ends_a_run_and_the_next_goes_on(
    server: EmbeddedHub, proxy: FaultProxy, kinds: Kinds, tmp_path: Path, fault: str, by: str
) -> None:
    new, changed = kinds.new, kinds.changed
    namespace = f"hard-{by}-" + fault.replace(" ", "-")
    seed = 11 + FAULTS.index(fault) + 100 * WHO.index(by)
    root = tiny.originals(tmp_path, NAME, ROWS, seed)
    watch = Watch(server, f"{namespace}/{NAME}")
    proxy.hook = watch
    hub = Hub(proxy.url, namespace, patience=patience.NONE)
    for kind in [kind for kind in new if kind not in changed]:
        waiting = proxy.arm(fault, kind)
        run(hub, root)
        assert not waiting or kind.startswith(("PATCH", "GET", "POST /api/collections/"))
    result = run(hub, root)
    assert result.status in ("published", "unchanged"), result.reason
    rows = result.rows
    for number, kind in enumerate(changed):
        rows += tiny.change(root, NAME, seed * 1000 + 100 + number)
        waiting = proxy.arm(fault, kind)
        result = run(hub, root)
        assert not waiting, kind
        assert result.status == "failed" or "collections" in kind or kind == "GET /api/datasets", kind
    proxy.choose = lambda seen: None
    rows += tiny.change(root, NAME, seed * 1000 + 99)
    result = run(hub, root)
    assert result.status == "published" and result.rows == rows
    assert watch.problems == []
    assert proxy.uploaded <= 1.1 * sum(proxy.objects.values())
    state = hub.published(NAME)
    assert state.manifest is not None and state.manifest.tag in state.tags
    assert {each.title for each in hub.api.list_collections(owner=namespace)} == {
        "modality: X-ray",
        "organ: chest",
        "task: classification",
    }


def test_every_fault_while_reading_back(server: EmbeddedHub, proxy: FaultProxy, kinds: Kinds, tmp_path: Path) -> None:
    hub = Hub(proxy.url, "reading", patience=tiny.QUICK)
    root = tiny.originals(tmp_path, NAME, 4, 30)
    with Reader(hub) as reader:
        for number, fault in enumerate(FAULTS):
            for half, some in enumerate((kinds.reading[::2], kinds.reading[1::2])):
                # A revision that the reader has not seen: it remembers what it was told about others.
                tiny.picture(root / NAME / "train" / f"more_{number}_{half}.png", 30_100 + 2 * number + half)
                assert run(Hub(server.url, "reading"), root, collections=False).status == "published"
                waiting = proxy.arm(fault, *some)
                assert verify(hub, [NAME], reader=reader) == {NAME: []}, fault
                assert not waiting, "not every kind of request was made"


@pytest.mark.parametrize("refused", [1, 2], ids=["of fused sets", "of datasets"])
def test_verify_says_that_the_hub_refuses_to_list(proxy: FaultProxy, tmp_path: Path, refused: int) -> None:
    listings = []

    def one(seen: Seen) -> str | None:
        listings.extend([seen] if seen.kind == "GET /api/datasets" else [])
        return "403" if seen in listings and len(listings) == refused else None

    proxy.choose = one
    done = commands.medimg("verify", "--hub", proxy.url, "--namespace", "nobody", cwd=tmp_path)
    assert done.returncode == 1 and "the Hub answered 403" in done.stderr and len(listings) == refused


def test_a_lost_answer_to_an_upload_sends_nothing_again(
    server: EmbeddedHub, proxy: FaultProxy, names: list[str], tmp_path: Path, by: str
) -> None:
    root = tiny.originals(tmp_path, NAME, ROWS, 31 + 100 * WHO.index(by))
    proxy.choose = lambda seen: "cut after" if seen.kind == "PUT /lfs/object/*" else None
    assert run(Hub(proxy.url, f"lost-{by}", patience=tiny.QUICK), root).status == "published"
    assert proxy.uploaded == sum(proxy.objects.values()) == tiny.stored_bytes(server, f"lost-{by}/{NAME}")


def test_killed_at_twenty_points(
    server: EmbeddedHub,
    proxy: FaultProxy,
    builders: Path,
    names: list[str],
    processes: Any,
    tmp_path: Path,
) -> None:
    some = names[:5]
    chance = random.Random(5)
    root = tmp_path / "root"
    for number, name in enumerate(some):
        tiny.originals(root, name, ROWS, 50 + number)
    watch = Watch(server, *(f"killed/{name}" for name in some))
    victim: dict[str, Any] = {}

    def hook(seen: Seen, moment: str) -> None:
        watch(seen, moment)
        if victim and victim["moment"] == moment and seen.number >= victim["number"]:
            process = victim.pop("process", None)
            victim.clear()
            os.kill(process.pid, signal.SIGKILL)

    proxy.hook = hook
    killed = 0

    def start() -> Any:
        told = tmp_path / "report.json"
        arguments = (str(builders), proxy.url, "killed", str(root), some, str(told), 1 + killed % 2)
        process = processes.Process(target=tiny.child, args=arguments)
        process.start()
        return process

    while killed < 20:
        victim.clear()
        process = start()
        if killed % 5 == 4:  # some by the clock: between requests, while something is built
            process.join(chance.uniform(0.1, 0.8))
            process.kill()
        else:
            number = len(proxy.seen) + chance.randrange(1, 60)
            victim.update(process=process, number=number, moment=chance.choice(("before", "after")))
        process.join(BUSY)
        if process.exitcode == -signal.SIGKILL:
            killed += 1
        else:
            assert process.exitcode == 0
            for name in some:
                tiny.change(root, name, chance.randrange(10**6, 2 * 10**6))
        watch.look("after a kill")
        assert watch.problems == []
    victim.clear()
    process = start()
    process.join(BUSY)
    assert process.exitcode == 0
    watch.look("at the end")
    assert watch.problems == []
    assert proxy.uploaded <= 1.1 * sum(proxy.objects.values())
    hub = Hub(server.url, "killed")
    results = sync(some, hub, root=str(root), check=False, shard_bytes=tiny.SHARD)
    assert {result.status for result in results} == {"unchanged"}
    assert verify(hub, some) == {name: [] for name in some}


def test_two_processes_at_once(
    server: EmbeddedHub,
    proxy: FaultProxy,
    builders: Path,
    names: list[str],
    processes: Any,
    tmp_path: Path,
) -> None:
    for number, name in enumerate(names):
        tiny.originals(tmp_path / "root", name, 3, 70 + number)
    told = [tmp_path / "first.json", tmp_path / "second.json"]
    started = [
        processes.Process(
            target=tiny.child,
            args=(str(builders), proxy.url, "both", str(tmp_path / "root"), names, str(each)),
        )
        for each in told
    ]
    watch = Watch(server, *(f"both/{name}" for name in names))
    noted: set[str] = set()

    def hook(seen: Seen, moment: str) -> None:
        # Somebody else writes a note between the plan and the commit of whoever comes first.
        watch(seen, moment)
        if moment == "before" and "/preupload/" in seen.kind:
            for name in set(names) - noted:
                if tiny.head(server, f"both/{name}") is not None:
                    noted.add(name)
                    repository = server.store.repository("dataset", f"both/{name}")
                    repository.write("main", "a note", add={"note.txt": server.store.put(name.encode())})

    proxy.hook = hook
    for process in started:
        process.start()
    for process in started:
        process.join(BUSY)
        assert process.exitcode == 0
    assert watch.problems == []
    results = [json.loads(each.read_text())["datasets"] for each in told]
    assert [each for result in results for each in result if each["status"] not in ("published", "unchanged")] == []
    assert sum(each["commits"] for result in results for each in result) == len(names)
    assert noted == set(names)
    for name in names:
        manifest = tiny.consistent(server, f"both/{name}")
        commit = tiny.head(server, f"both/{name}")
        assert manifest is not None and manifest.rows == 3
        assert commit is not None and "note.txt" in commit.files


# how patient


class Answer(Exception):
    """An error as the client raises it."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(f"status {status}")
        self.response = SimpleNamespace(
            status_code=status, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )


def tried(patience: Patience, *errors: Exception) -> tuple[list[float], str | Exception]:
    """The waits, and what came of it."""
    waits: list[float] = []
    coming = iter(errors)

    def call() -> str:
        for error in coming:
            raise error
        return "done"

    try:
        return waits, persist(call, patience, sleep=waits.append)
    except Exception as error:
        return waits, error


def test_waits_grow_with_jitter_and_end() -> None:
    patience = Patience(attempts=5, first=1, longest=4)
    waits, result = tried(patience, *(Answer(503) for _ in range(4)))
    assert result == "done" and len(waits) == 4
    assert all(0.1 * top <= wait <= top for wait, top in zip(waits, (1, 2, 4, 4), strict=True))
    waits, result = tried(patience, *(Answer(503) for _ in range(5)))
    assert isinstance(result, Answer) and len(waits) == 4
    again, _ = tried(patience, *(Answer(503) for _ in range(5)))
    assert waits != again
    waits, result = tried(Patience(attempts=99, first=10, longest=10, total=20), *(Answer(500) for _ in range(99)))
    assert isinstance(result, Answer) and sum(waits) <= 20


def test_the_hub_says_how_long() -> None:
    patience = Patience(first=0.01)
    (wait,), _ = tried(patience, Answer(429, retry_after="30"))
    assert 30 <= wait <= 33
    (wait,), _ = tried(patience, Answer(503, retry_after="7"))
    assert 7 <= wait <= 7.7
    (wait,), _ = tried(patience, Answer(429, ratelimit='"api";r=0;t=55'))
    assert 55 <= wait <= 60.5
    moment = email.utils.formatdate(time.time() + 20, usegmt=True)
    (wait,), _ = tried(patience, Answer(429, retry_after=moment))
    assert 18 <= wait <= 23
    (wait,), _ = tried(patience, Answer(429, retry_after="soon"))
    assert wait <= 0.01
    waits, result = tried(patience, Answer(429, retry_after="86400"))
    assert waits == [] and isinstance(result, Answer), "nobody waits a day"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 413, 422, 507])
def test_refusals_are_final(status: int) -> None:
    waits, result = tried(Patience(), Answer(status))
    assert waits == [] and isinstance(result, Answer)


def test_connection_errors_pass_and_mistakes_do_not() -> None:
    # The client's own HTTP library: httpx, or httpx2 from huggingface_hub 2 on.
    httpx = sys.modules[type(huggingface_hub.get_session()).__module__.partition(".")[0]]
    patience = Patience(first=0.001)
    wrapped = RuntimeError("Error while uploading")
    wrapped.__cause__ = Interrupted("PUT /x", "the connection broke")
    for error in (
        httpx.ReadError("x"),
        httpx.ConnectTimeout("x"),
        ConnectionResetError(),
        TimeoutError(),
        wrapped,
    ):
        assert tried(patience, error)[1] == "done"
    told = HubError("no Hub answers")
    told.__cause__ = ConnectionRefusedError()
    for final in (KeyError("x"), ValueError("x"), RuntimeError("x"), told):
        assert tried(patience, final) == ([], final)


def test_a_silent_hub_is_not_waited_for(server: EmbeddedHub, proxy: FaultProxy) -> None:
    hub = Hub(proxy.url, "silent", patience=Patience(attempts=2, first=0.001, timeout=0.05))
    proxy.choose = lambda seen: "slow"
    began = time.monotonic()
    with pytest.raises(HubError, match="connection broke"):
        hub.published("nothing")
    assert time.monotonic() - began < 5


def test_tokens_and_upload_addresses_are_in_no_message(
    server: EmbeddedHub,
    proxy: FaultProxy,
    names: list[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    token = "hf_" + "SecretSecretSecret"
    root = tiny.originals(tmp_path, NAME, 2, 90)
    notes: list[str] = []

    class Ear(Watcher):
        def note(self, text: str) -> None:
            notes.append(text)

    for kind in ("PUT /lfs/object/*", "GET /api/datasets/*/refs", "POST /api/datasets/*/commit/main"):
        for fault in ("500", "cut before"):
            hub = Hub(proxy.url, "token", token, patience=Patience(attempts=2, first=0.001, longest=0.001))
            proxy.choose = lambda seen, kind=kind, fault=fault: fault if seen.kind == kind else None  # type: ignore[misc]
            (result,) = sync([NAME], hub, root=str(root), check=False, watcher=Ear())
            assert result.status == "failed" and "Next: " in result.reason
            notes.append(result.reason)
    said = "\n".join(notes) + "".join(capfd.readouterr())
    assert token not in said and "signature" not in said and "another try" in said
    assert (
        hub.redacted(f"Bearer {token} at http://x/lfs/object/1?size=3&signature=abc")
        == "Bearer *** at http://x/lfs/object/1"
    )
