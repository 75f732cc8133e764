"""Other processes do parts of a run: the same bytes, whoever does them, and whatever becomes of a process."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_datasets as tiny
from PIL import Image
from worker_watching import Ear, kill_a_worker

from medimg import registry
from medimg.errors import FormatError, MedimgError, MissingExtraError
from medimg.files import Files
from medimg.hub_sync import sync as engine
from medimg.hub_sync.building.build import build
from medimg.hub_sync.commands import sync as command
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.results import Result
from medimg.hub_sync.sync import sync
from medimg.hub_sync.verifying.verify import Reader
from medimg.hub_sync.workers import cluster, process, spread
from medimg.hub_sync.workers.messages import plain, receive, send
from medimg.hub_sync.workers.team import Team
from medimg.phantom import Phantom

ALIKE = (
    "hc18", "lits", "camus", "busi", "echonet-dynamic", "dsb2018", "lidc-idri", "brats2021", "medmnist-v1", "idrid",
    "isic-2018", "siim-acr-pneumothorax", "stare", "chaos",
)  # fmt: skip
"""Pictures, volumes, videos, DICOM, tables, several configs, files that are left out."""


class Same:
    """A process that is none: it answers in this one, over the same kind of messages."""

    def __init__(self) -> None:
        self.wish: Any = None

    def ask(self, wish: Any) -> None:
        self.wish = passed(wish)
        self.given: list[Any] = []
        self.wish.answer(lambda message: self.given.append(passed(message)), None)

    def answer(self) -> Any:
        return self.given.pop(0)

    def end(self) -> None: ...


class Line(io.BytesIO):
    """Stands for both ends of a socket."""

    sendall = io.BytesIO.write

    def recv_into(self, buffer: Any, size: int, flags: int) -> int:
        return self.readinto(buffer)


def passed(message: object) -> Any:
    """A message as it arrives."""
    line: Any = Line()
    send(line, message)
    line.seek(0)
    return receive(line)


def made(name: str, root: Path, folder: Path, processes: int) -> dict[str, object]:
    """All that a build gives: digests of files, the manifest, the report, the files that no row has opened."""
    builder = registry.get(name)
    with Files.open(str(root), dataset=name) as files:
        steps = None if processes == 1 else spread.spread(builder, files, "source", processes)
        built = build(builder, files, folder, origin="source", fingerprint={}, made=steps)
        opened = files.opened
    digests = {path: hashlib.sha256(Path(file).read_bytes()).hexdigest() for path, file in built.files.items()}
    return {"files": digests, "manifest": built.manifest, "report": built.report.to_json(), "opened": opened}


@pytest.mark.parametrize("name", ALIKE)
def test_the_same_bytes_whoever_decodes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "Process", Same)
    monkeypatch.setattr(spread, "PICTURES", 3)
    root = tmp_path / "source"
    registry.get(name).miniature(Phantom(root))
    alone = made(name, root, tmp_path / "alone", 1)
    for processes in (2, 3):
        assert made(name, root, tmp_path / str(processes), processes) == alone


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    with tiny.builders(tmp_path_factory.mktemp("builders"), 4) as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    with EmbeddedHub(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spread the rows of sources of any size, a few at a time."""
    monkeypatch.setattr(spread, "LEAST", 0)
    monkeypatch.setattr(spread, "PICTURES", 2)


def published(hub: Hub, names: list[str]) -> dict[str, Any]:
    """Path -> digest of what is published, by dataset."""
    return {name: hub.published(name).files for name in names}


def run(server: EmbeddedHub, space: str, root: Path, names: list[str], **options: Any) -> tuple[Hub, list[Result]]:
    hub = Hub(server.url, space, patience=tiny.QUICK)
    return hub, sync(names, hub, root=str(root), check=False, **options)


def test_rows_of_one_dataset_and_a_lost_process(
    server: EmbeddedHub, names: list[str], small: None, tmp_path: Path
) -> None:
    root = tiny.originals(tmp_path, names[1], 30)
    random = np.random.default_rng(0)
    for picture in root.rglob("*.png"):  # so large that no process can be done before it was listened to
        Image.fromarray(random.integers(0, 256, (400, 400), np.uint8)).save(picture)
    hub, (alone,) = run(server, "rows-1", root, names[1:2])
    expected = published(hub, names[1:2])
    for space, at_row in (("rows-2", lambda number: None), ("rows-3", lambda n: kill_a_worker() if n == 9 else None)):
        ear = Ear(at_row)
        hub, (result,) = run(server, space, root, names[1:2], workers=2, watcher=ear)
        assert (result.status, result.rows, ear.rows) == ("published", 30, 30)
        found = published(hub, names[1:2])
        same = {path: digest for path, digest in found[names[1]].items() if path.endswith((".parquet", ".png"))}
        assert same == {path: expected[names[1]][path] for path in same} and len(same) > 3
    assert len([note for note in ear.notes if "ended by SIGKILL; another one goes on from there" in note]) == 1
    assert alone.rows == 30


def test_a_process_that_is_lost_again_and_again(
    server: EmbeddedHub, names: list[str], small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MODULE", "this")  # it says something and ends
    root = tiny.originals(tmp_path, names[1], 4)
    _, (result,) = run(server, "again", root, names[1:2], workers=2)
    assert result.status == "failed" and "a worker process ended with code 0" in result.reason
    assert "fewer workers" in result.reason
    root = tiny.originals(tmp_path, names[2], 4)
    ear = Ear()
    _, results = run(server, "again", root, names[1:3], workers=2, watcher=ear)
    lost = [result for result in results if result.status == "failed"]
    assert all("a worker process ended with code 0" in result.reason for result in lost)
    assert len([note for note in ear.notes if "another one begins anew" in note]) == len(lost) == 1


def test_a_bad_file_is_told_as_by_one_process(
    server: EmbeddedHub, names: list[str], small: None, tmp_path: Path
) -> None:
    root = tiny.originals(tmp_path, names[1], 12)
    (root / names[1] / "train" / "9.png").write_bytes(b"<html>please log in</html>")
    _, (alone,) = run(server, "bad", root, names[1:2])
    _, (result,) = run(server, "bad", root, names[1:2], workers=2)
    assert result.status == "failed" and "HTML page" in result.reason
    assert result.reason == alone.reason


def test_errors_cross_over_with_where_they_were_raised(names: list[str], tmp_path: Path) -> None:
    class OddError(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    for error in (FormatError("no picture", file="a.png", next_step="look"), OddError(1, 2)):
        try:
            raise error
        except Exception as raised:
            crossed = plain(raised)
        assert str(error) in str(crossed) and "test_workers.py" in "".join(crossed.__notes__)
    assert isinstance(plain(FormatError("x", file="a.png")), FormatError)


def test_what_one_pass_reads_stays_with_one_process(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "images.tar.gz").write_bytes(b"")
    notes: list[str] = []
    with Files.open(str(folder), dataset="x") as files:
        assert files.one_pass() == "images.tar.gz"
        files.size = lambda: (10**9, 0)  # type: ignore[method-assign]
        assert not spread.worth(files, notes.append) and "one pass" in notes[0]
    (folder / "images.tar.gz").rename(folder / "images.zip")
    with Files.open(str(folder), dataset="x") as files:
        assert files.one_pass() is None and not spread.worth(files, notes.append)


def test_several_datasets_at_once(server: EmbeddedHub, names: list[str], tmp_path: Path) -> None:
    for number, name in enumerate(names):
        tiny.originals(tmp_path, name, 6, 200 + number)
    hub, alone = run(server, "team-1", tmp_path, names)
    ear = Ear()
    other, results = run(server, "team-2", tmp_path, names, workers=2, watcher=ear)
    plain = [dataclasses.replace(each, seconds=0, address="", uploaded_bytes=0) for each in results]
    assert plain == [dataclasses.replace(each, seconds=0, address="", uploaded_bytes=0) for each in alone]
    assert ear.rows == 24 and other.note == ear.note, "the Hub tells this run of its waits, whoever it worked for"

    def data(hub: Hub) -> dict[str, Any]:
        return {n: {p: d for p, d in f.items() if p.endswith(".parquet")} for n, f in published(hub, names).items()}

    assert data(other) == data(hub)
    began = time.monotonic()
    _, results = run(server, "team-2", tmp_path, names, workers=2, watcher=ear)
    assert {result.status for result in results} == {"unchanged"} and ear.rows == 24
    assert time.monotonic() - began < 60


def test_a_lost_process_costs_its_dataset_alone(
    server: EmbeddedHub, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(names):
        tiny.originals(tmp_path, name, 6, 300 + number)
    killed: list[int] = []

    def at_row(number: int) -> None:
        if not killed:
            kill_a_worker()
            killed.append(number)

    ear = Ear(at_row)
    _, results = run(server, "lost", tmp_path, names, workers=2, watcher=ear)
    assert {(result.status, result.rows) for result in results} == {("published", 6)}
    assert killed and len([note for note in ear.notes if "another one begins anew" in note]) <= 1


INTERRUPTED = """
import sys, tiny_datasets as t
from pathlib import Path
from medimg.hub_sync.sync import sync
from medimg.hub_sync.verifying.verify import Reader
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.results import Watcher
t.register(Path(sys.argv[1]))
class Ear(Watcher):
    def start(self, plan):
        print("begun", flush=True)
try:
    hub = Hub(sys.argv[2], "interrupted")
    sync(sys.argv[4:], hub, root=sys.argv[3], check=False, workers=2, watcher=Ear(), shard_bytes=1)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("count", [1, 4])
def test_ctrl_c_leaves_no_process_and_no_folder(
    server: EmbeddedHub, names: list[str], tmp_path: Path, count: int
) -> None:
    names = names[:count]
    place = tmp_path / "scratch"
    place.mkdir()
    folder = next(path for path in registry.places() if Path(path, "tiny_0.py").exists())
    for number, name in enumerate(names):
        tiny.originals(tmp_path / "root", name, 60, 400 + 10 * count + number)
    command = [sys.executable, "-c", INTERRUPTED, folder, server.url, str(tmp_path / "root"), *names]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "TMPDIR": str(place)}
    running = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, start_new_session=True)
    assert running.stdout is not None and running.stdout.readline() == b"begun\n"
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(60) == 130
    listed = subprocess.run(["ps", "-o", "args=", "-s", str(running.pid)], capture_output=True, text=True).stdout
    assert process.MODULE not in listed
    assert not list(place.glob("medimg-*")), "a folder was left"
    _, results = run(server, "interrupted", tmp_path / "root", names)
    assert {result.status for result in results} <= {"published", "unchanged"}


def test_who_asked_is_gone(names: list[str], tmp_path: Path) -> None:
    root = tiny.originals(tmp_path, names[1], 40)
    script = (
        "import os, sys, tiny_datasets as t; from pathlib import Path; t.register(Path(sys.argv[1]))\n"
        "from medimg import registry; from medimg.files import Files\n"
        "from medimg.hub_sync.workers import spread; spread.PICTURES = 1\n"
        "steps = spread.spread(registry.get(sys.argv[3]), Files.open(sys.argv[2], dataset=sys.argv[3]), 'source', 2)\n"
        "next(steps), next(steps); print('ready', flush=True); sys.stdin.read()\n"
    )
    folder = next(path for path in registry.places() if Path(path, "tiny_0.py").exists())
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    asking = subprocess.Popen(
        [sys.executable, "-c", script, folder, str(root / names[1]), names[1]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True,
    )  # fmt: skip
    assert asking.stdout is not None and asking.stdout.readline() == b"ready\n"
    asking.kill()
    asking.wait()
    for _ in range(200):
        listed = subprocess.run(["ps", "-o", "args=", "-s", str(asking.pid)], capture_output=True, text=True).stdout
        if process.MODULE not in listed:
            return
        time.sleep(0.1)
    raise AssertionError("workers go on for nobody")


def test_when_processes_are_worth_it(server: EmbeddedHub, tmp_path: Path) -> None:
    some = registry.builders()[:40]
    assert engine._worth(some[:15], None, named=True) == 0
    assert engine._worth(some, None, named=True) == 2
    assert engine._worth(some, "s3://bucket/originals", named=False) == 40
    for name in (some[0].name, some[1].name, "something-else"):
        (tmp_path / name).mkdir()
    assert engine._worth(some, str(tmp_path), named=False) == 2
    hub, reader = Hub(server.url, "worth"), Reader(Hub(server.url, "worth"))
    assert engine._crew(1, 3, None, hub, reader) is None
    crew = engine._crew(3, 4, None, hub, reader)
    assert isinstance(crew, Team) and (crew.size, crew.most) == (3, 4)


def test_cores_are_counted_where_the_system_does_not_tell_which(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= command._cores() <= (os.cpu_count() or 1)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert command._cores() == (os.cpu_count() or 1)


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as running:
        yield running


def test_the_same_bytes_from_a_cluster(dask: Any, server: EmbeddedHub, names: list[str], tmp_path: Path) -> None:
    for number, name in enumerate(names):
        tiny.originals(tmp_path, name, 6, 500 + number)
    hub, _ = run(server, "cluster-1", tmp_path, names)
    killed: list[int] = []

    def at_row(number: int) -> None:
        if not killed:
            victim = next(iter(dask.workers.values()))
            killed.append(victim.pid)
            os.kill(victim.pid, signal.SIGKILL)

    ear = Ear(at_row)
    other, results = run(server, "cluster-2", tmp_path, names, scheduler=dask.scheduler_address, watcher=ear)
    assert {(result.status, result.rows) for result in results} == {("published", 6)}
    assert killed and ear.rows >= 24

    def data(hub: Hub) -> dict[str, Any]:
        return {n: {p: d for p, d in f.items() if p.endswith(".parquet")} for n, f in published(hub, names).items()}

    assert data(other) == data(hub)


def test_a_cluster_that_cannot_be_used(dask: Any, server: EmbeddedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(server.url, "unusable")
    reader = Reader(hub)
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with pytest.raises(cluster.ClusterError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        cluster.Cluster("tcp://127.0.0.1:9", hub, reader)
    monkeypatch.setattr(cluster, "PATIENCE", 30)
    versions = {**cluster._versions(), "pyarrow": "1.0"}
    monkeypatch.setattr(cluster, "_versions", lambda: versions)
    with monkeypatch.context() as patch:
        patch.setattr(cluster.Cluster, "_found", lambda self: {"tcp://w": {**versions, "pyarrow": "2.0"}})
        with pytest.raises(cluster.ClusterError, match=r"tcp://w has pyarrow 2\.0 instead of 1\.0"):
            cluster.Cluster(dask.scheduler_address, hub, reader)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "distributed", None)
        with pytest.raises(MissingExtraError, match=r"medimg\[cluster\]"):
            cluster.Cluster(dask.scheduler_address, hub, reader)
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None) as empty,
        pytest.raises(cluster.ClusterError, match="has no worker"),
    ):
        cluster.Cluster(empty.scheduler_address, hub, reader)


def test_pictures_are_decoded_again_for_thumbnails_alone(tmp_path: Path) -> None:
    from medimg.hub_sync.building.sent import decoded, packed, written
    from medimg.rows import Record, iterate

    registry.get("dsb2018").miniature(Phantom(tmp_path))
    with Files.open(str(tmp_path), dataset="dsb2018") as files:
        for record in iterate(registry.get("dsb2018"), files):
            if isinstance(record, Record):
                sent = passed(packed(record))
                beside = len(pickle.dumps(packed(record), protocol=5, buffer_callback=lambda buffer: False))
                assert beside < 20_000 and len(pickle.dumps(written(record, None))) < 20_000, "no pixel crosses twice"
                image, mask = decoded(sent)
                assert (image.array == record.image.array).all()
                assert (mask is None) == (record.mask is None)
                assert mask is None or (mask.array == record.mask.array).all()
                assert sent.image.array.size == 0 and sent.mask_values == record.mask_values
                Image.open(io.BytesIO(sent.values["image"]["bytes"])).load()


def test_errors_of_a_run_are_results(server: EmbeddedHub, names: list[str], tmp_path: Path) -> None:
    for name in names[:2]:
        tiny.originals(tmp_path, name, 3)
    (tmp_path / names[0] / "train" / "0.png").write_bytes(b"nothing")
    _, results = run(server, "errors", tmp_path, names[:2], workers=2)
    assert [result.status for result in results] == ["failed", "published"]
    assert isinstance(MedimgError("x"), Exception) and "Next: " in results[0].reason
