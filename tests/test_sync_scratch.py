"""What a killed run leaves in the temporary folder, the next run removes; what is in use stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_datasets as tiny
from fault_proxy import FaultProxy, Seen

from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.results import Watcher
from medimg.hub_sync.scratch import LOCK, scratch, sweep
from medimg.hub_sync.sync import sync

NAME = "tiny-0"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of one's own, for this process and those it starts."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    with EmbeddedHub(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def builders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("builders")
    with tiny.builders(folder, 1):
        yield folder


HOLD = """
import sys
from medimg.hub_sync.scratch import scratch
with scratch("build-x") as folder:
    (folder.path / "shard.parquet").write_bytes(b"x")
    print(folder.path, flush=True)
    sys.stdin.read()
"""


def holding() -> tuple[subprocess.Popen[str], Path]:
    """A process with a folder, and the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip()).parent


def test_only_folders_of_ended_processes_go(place: Path) -> None:
    with scratch("mine") as mine:
        living, theirs = holding()
        dead, left = holding()
        dead.kill()
        dead.wait()
        foreign = place / "medimg-foreign"
        foreign.mkdir()
        aim = place / "aim"
        aim.mkdir()
        (aim / LOCK).touch()
        (place / "medimg-link").symlink_to(aim)
        assert sweep() == [left]
        assert not left.exists() and aim.exists() and foreign.exists()
        assert (theirs / "work" / "shard.parquet").exists() and mine.path.exists()
        living.communicate("")
        assert not theirs.exists(), "who ends in order removes what is its own"
    assert sweep() == [] and not mine.path.parent.exists()


PARENT = """
import subprocess, sys
from medimg.hub_sync.scratch import scratch
with scratch("verify") as folder:
    subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], pass_fds=[folder.lock])
    print(folder.path, flush=True)
    sys.stdin.read()
"""


def test_a_child_keeps_the_folder_that_it_works_in(place: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None and parent.stdin is not None
    folder = Path(parent.stdout.readline().strip()).parent
    parent.kill()
    parent.wait()
    assert sweep() == [] and folder.exists()
    parent.stdin.close()  # ends the child
    for _ in range(200):
        if sweep() == [folder]:
            break
        time.sleep(0.05)
    assert not folder.exists()


def test_a_killed_run_is_tidied_up_by_the_next(
    server: EmbeddedHub, builders: Path, place: Path, tmp_path: Path
) -> None:
    root = tiny.originals(tmp_path / "root", NAME, 6)
    script = "import sys, tiny_datasets as t; t.child(*sys.argv[1:5], [sys.argv[5]], sys.argv[6])"
    with FaultProxy(server.url) as proxy:
        arguments = (str(builders), proxy.url, "killed", str(root), NAME, str(tmp_path / "told.json"))
        process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        )

        def hook(seen: Seen, moment: str) -> None:
            if "/preupload/" in seen.kind and moment == "before":
                process.send_signal(signal.SIGKILL)

        proxy.hook = hook
        assert process.wait(60) == -signal.SIGKILL
    left = list(place.glob("medimg-build-*"))
    assert len(left) == 1
    notes: list[str] = []

    class Ear(Watcher):
        def note(self, text: str) -> None:
            notes.append(text)

    (result,) = sync([NAME], Hub(server.url, "killed"), root=str(root), check=False, watcher=Ear())
    assert result.status == "published"
    assert not list(place.glob("medimg-*")) and any(str(left[0]) in note for note in notes)
