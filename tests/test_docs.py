"""The examples in the docs run, and the docs name every command."""

from __future__ import annotations

import functools
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import environments
import pytest
import typer

from medimg import registry
from medimg.hub_sync.commands.app import COMMANDS, app
from medimg.hub_sync.docs import tables
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.sync import sync
from medimg.phantom import Phantom

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```python(?: needs=([\w,]+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
"""An example, and the extras (or `FOREIGN`) that must be installed for it; without any, a base install runs it."""
FOREIGN = ("torch", "torchdata")
"""What no wheel of ours brings."""
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
SERVED = "http://127.0.0.1:8765"
"""Where the README's Hub is."""


def lines(page: Path) -> list[str]:
    """Lines for a shell that a base install runs: those that begin with medimg, python, or where python's Hub is."""
    found = [line for block in CONSOLE.findall(page.read_text("utf-8")) for line in block.splitlines()]
    run = re.compile(r"^\$ ((?:HF_ENDPOINT=\S+ )?(?:\.venv/bin/)?(?:medimg|python) .*)")
    return [match[1] for line in found if (match := run.match(line))]


LINES = lines(ROOT / "README.md")


def blocks(page: Path) -> list[tuple[tuple[str, ...], str]]:
    """What an example needs, and its code."""
    found = FENCE.findall(page.read_text("utf-8"))
    return [(tuple(needs.split(",")) if needs else (), code) for needs, code in found]


def examples() -> dict[tuple[str, tuple[str, ...]], list[str]]:
    """(page, what they need) -> the code of its examples: they run one after another, each as if it were alone."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for page in PAGES:
        for needs, code in blocks(page):
            found.setdefault((page.name, needs), []).append(code)
    return found


EXAMPLES = [pytest.param(needs, codes, id="-".join((page, *needs))) for (page, needs), codes in examples().items()]
RUN = """
import json, sys
for number, code in enumerate(json.load(sys.stdin)):
    print(f"--- example {number}", flush=True)
    exec(compile(code, f"<example {number}>", "exec"), {"__name__": "__main__"})
"""
"""One process: most of what an example takes is the import of the libraries."""


def published() -> set[str]:
    """Datasets that an example or a line names, so that it may take them from a Hub."""
    shown = [*LINES, *(code for page in PAGES for _, code in blocks(page))]
    named = {name for text in shown for name in re.findall(r"[\w-]+", text)}
    return named & set(registry.names())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with a copy of LiTS (phantoms), and a Hub with the miniatures that the pages name."""
    folder = tmp_path_factory.mktemp("docs")
    registry.get("lits").miniature(Phantom(folder / "LiTS"))
    with EmbeddedHub(folder / "store") as server:
        sync(sorted(published()), Hub(server.url, "medimg"), check=False)
        (folder / "cwd").mkdir()
        (folder / "LiTS").rename(folder / "cwd" / "LiTS")
        yield folder / "cwd", {"HF_ENDPOINT": server.url, "HF_HOME": str(folder / "hf")}


@pytest.fixture(scope="module")
def pythons(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[str, ...]], Path]:
    """Python of an environment with the built wheel and exactly these extras."""

    @functools.cache
    def python(extras: tuple[str, ...]) -> Path:
        return environments.environment(tmp_path_factory.mktemp("env"), wheel, extras)

    return python


@pytest.mark.parametrize("needs, codes", EXAMPLES)
def test_examples_run_with_exactly_what_they_need(
    needs: tuple[str, ...],
    codes: list[str],
    place: tuple[Path, dict[str, str]],
    pythons: Callable[[tuple[str, ...]], Path],
) -> None:
    cwd, environment = place
    if foreign := [name for name in needs if name in FOREIGN]:
        for name in foreign:
            pytest.importorskip(name)
        python = Path(sys.executable)
    else:
        python = pythons(needs)
    done = environments.run(python, [str(python), "-c", RUN], cwd, environment, json.dumps(codes))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.count("--- example") == len(codes)


@pytest.mark.parametrize("line", LINES)
def test_lines_of_the_readme_run_as_printed(
    line: str, place: tuple[Path, dict[str, str]], pythons: Callable[[tuple[str, ...]], Path]
) -> None:
    cwd, environment = place
    line = line.replace(".venv/bin/", "").replace(SERVED, environment["HF_ENDPOINT"])
    python = pythons(())
    done = environments.run(python, ["bash", "-euc", line], cwd, {"HF_HOME": environment["HF_HOME"]})
    assert done.returncode == 0 and done.stdout, f"{line}\n{done.stderr}"


def test_pages_say_what_their_examples_need() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        for extra in {extra for needs, _ in blocks(page) for extra in needs}:
            said = extra if extra in FOREIGN else f"medimg[{extra}]"
            assert said in FENCE.sub("", text), f"{page.name} has an example that needs {extra}"


def test_make_lines_name_targets() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in PAGES:
        for block in CONSOLE.findall(page.read_text("utf-8")):
            asked = re.findall(r"^\$ make (\w+)", block, re.MULTILINE)
            assert set(asked) <= targets, f"{page.name}: make {asked}"


def commands(page: Path) -> list[list[str]]:
    """Arguments of each `medimg …` in blocks for a shell."""
    text = page.read_text("utf-8")
    found = re.findall(r"^```(?:sh|console|bash)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in found for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("medimg ")]


SHELL = [pytest.param(each, id=f"{page.name}-{' '.join(each)}") for page in PAGES for each in commands(page)]


def parse(arguments: list[str]) -> None:
    """Parse a command line without running it; what is wrong with it raises."""
    group = typer.main.get_command(app())
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


@pytest.mark.parametrize("wrong", ["lisst", "list --organs liver", "rollback lits", "sync --worker many"])
def test_a_command_line_that_medimg_does_not_take_would_be_noticed(wrong: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|missing|invalid"):
        parse(wrong.split())


def test_readme_has_examples() -> None:
    assert len(blocks(ROOT / "README.md")) >= 2 and len(LINES) >= 3
    assert not [needs for needs, _ in blocks(ROOT / "README.md") if needs], "a base install runs the README"


def test_docs_name_every_command() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    for name in COMMANDS:
        assert f"medimg {name}" in text, f"no page says what `medimg {name}` does"


def test_generated_tables_are_current() -> None:
    assert not tables.stale(ROOT), "run `make docs`"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
