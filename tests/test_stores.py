"""Commands write where they say, and nowhere else: dry runs, and stores that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from medimg.errors import HubError
from medimg.hub_sync.commands.app import app
from medimg.hub_sync.hub import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.sync import sync

PUSH = ["fuse", "lits", "msd-liver", "--target", "liver", "--push", "liver"]
FOR_A_STORE = [
    ["verify"],
    ["verify", "lits"],
    ["rollback", "lits", "--to", "v1.0.0"],
    ["retire", "lits", "--reason", "why"],
    ["purge", "lits"],
    ["fuse", "lits", "msd-liver", "--target", "liver", "--plan"],
    [*PUSH, "--plan"],
    PUSH,
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder; what a command sets in the environment does not outlive its test."""
    for name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app(), arguments)


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder, with its size and time of change."""
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_dry_run_of_a_first_sync_writes_nothing(here: Path) -> None:
    done = run("sync", "hc18", "chexpert", "--dry-run")
    assert done.exit_code == 0 and "would do: build" in done.output and "hc18" in done.output
    assert not list(here.iterdir())
    assert run("sync", "hc18", "--dry-run", "--store", "elsewhere/store").exit_code == 0
    assert not list(here.iterdir())


def test_dry_run_and_verify_leave_a_store_as_it_is(here: Path) -> None:
    with EmbeddedHub(here / "hub-store") as server:
        sync(["hc18"], Hub(server.url, "medimg"), check=False)
    before = everything(here)
    done = run("sync", "hc18", "lits", "--dry-run", "--json")
    assert done.exit_code == 0, done.output
    assert everything(here) == before
    assert run("verify", "hc18").exit_code == 0
    assert everything(here) == before


@pytest.mark.parametrize("arguments", FOR_A_STORE, ids=" ".join)
def test_a_store_that_is_not_there_is_named_and_not_made(here: Path, arguments: list[str]) -> None:
    done = run(*arguments, "--store", "typo")
    assert isinstance(done.exception, HubError), done.output
    assert "typo" in str(done.exception) and "--store" in str(done.exception)
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [["sync", "hc18"], ["sync", "hc18", "--dry-run"], ["hub", "--port", "0"], *FOR_A_STORE],
    ids=" ".join,
)
def test_a_folder_of_something_else_is_no_store(here: Path, arguments: list[str]) -> None:
    (here / "thesis").mkdir()
    (here / "thesis" / "chapter-1.tex").write_text("text", "utf-8")
    before = everything(here)
    done = run(*arguments, "--store", "thesis")
    assert isinstance(done.exception, HubError) and "something else" in str(done.exception), done.output
    assert everything(here) == before
