"""The examples in the docs run, and the docs name every command."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from medimg import registry
from medimg.hub_sync import tables
from medimg.hub_sync.cli import app
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.publish import Hub
from medimg.hub_sync.sync import sync
from medimg.phantom import Phantom

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NEEDS = {"torch": r"^\s*(?:import torch|from torch)"}


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


EXAMPLES = [
    pytest.param(code, id=f"{page.name}-{n}") for page in PAGES for n, code in enumerate(blocks(page))
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with a copy of LiTS (phantoms) and a Hub where all miniatures are published."""
    folder = tmp_path_factory.mktemp("docs")
    registry.get("lits").miniature(Phantom(folder / "LiTS"))
    with EmbeddedHub(folder / "store") as server:
        sync([], Hub(server.url, "medimg"), check=False)
        (folder / "cwd").mkdir()
        (folder / "LiTS").rename(folder / "cwd" / "LiTS")
        yield folder / "cwd", {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(folder / "hf")}


@pytest.mark.parametrize("code", EXAMPLES)
def test_example_runs(code: str, place: tuple[Path, dict[str, str]]) -> None:
    for module, pattern in NEEDS.items():
        if re.search(pattern, code, re.MULTILINE):
            pytest.importorskip(module)
    cwd, environment = place
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{code}\n{done.stderr}"


def commands(page: Path) -> list[list[str]]:
    """Arguments of each `medimg …` in blocks for a shell."""
    text = page.read_text("utf-8")
    found = re.findall(r"^```(?:sh|console|bash)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in found for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("medimg ")]


SHELL = [pytest.param(each, id=f"{page.name}-{' '.join(each)}") for page in PAGES for each in commands(page)]


def parse(arguments: list[str]) -> None:
    """Parse a command line without running it; what is wrong with it raises."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    name, *rest = arguments
    command = group.commands.get(name)
    if command is None:
        raise LookupError(f"no such command: {name}")
    with command.make_context(name, rest):
        pass


@pytest.mark.parametrize("arguments", SHELL)
def test_command_lines_are_ones_that_medimg_takes(arguments: list[str]) -> None:
    parse(arguments)


@pytest.mark.parametrize("wrong", ["lisst", "list --organs liver", "rollback lits", "sync --workers many"])
def test_a_command_line_that_medimg_does_not_take_would_be_noticed(wrong: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|missing|invalid"):
        parse(wrong.split())


def test_readme_has_examples() -> None:
    assert len(blocks(ROOT / "README.md")) >= 2


def test_docs_name_every_command() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    for command in app.registered_commands:
        name = command.name or command.callback.__name__  # type: ignore[union-attr]
        assert f"medimg {name}" in text, f"no page says what `medimg {name}` does"


def test_generated_tables_are_current() -> None:
    assert not tables.stale(ROOT), "run `make docs`"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
