"""The reference for builders has all that builders use, and `medimg vocab` finds what things are called."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medimg import licenses, vocab
from medimg.hub_sync.commands.app import app
from medimg.phantom import Phantom
from medimg.schema import Label, Row

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "reference.md").read_text("utf-8")


def test_every_reader_that_a_builder_calls_is_explained(page: str) -> None:
    readers = {path.stem for path in (ROOT / "medimg" / "readers").glob("*.py")}
    missing = set()
    for path in (ROOT / "builders").rglob("*.py"):
        text = path.read_text("utf-8")
        imported = set(re.findall(r"^from medimg\.readers import (.+)$", text, re.MULTILINE))
        names = {name.strip() for line in imported for name in line.split(",") if " as " not in name}
        for module, call in re.findall(r"\b(\w+)\.([a-z]\w*)\(", text):
            if module in names & readers and f"#### `{module}.{call}`" not in page:
                reader = importlib.import_module(f"medimg.readers.{module}")
                missing |= {f"{module}.{call}"} if hasattr(reader, call) else set()  # else a variable
    assert missing == set()


def test_every_phantom_field_license_and_name_is_there(page: str) -> None:
    for name in vars(Phantom):
        assert name.startswith("_") or not callable(getattr(Phantom, name)) or f"#### `make.{name}`" in page
    for model in (Row, Label):
        section = page.split(f"### `{model.__name__}`\n")[1].split("\n### ")[0]
        lines = dict(re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", section, re.MULTILINE))
        assert set(lines) == set(model.model_fields)
        assert [name for name, said in lines.items() if not said and name != "label"] == []
    assert all(f"| `{id}` |" in page for id in licenses.known())
    for kind in ("modality", "organ", "task", "structure", "finding"):
        section = page.split(f"### {kind} (")[1].split("\n### ")[0]
        assert all(id in section for id in getattr(vocab, kind).ids)


def test_calls_are_shown_as_a_builder_writes_them(page: str) -> None:
    shown = page.split("#### `tables.lines_by`")[1].split("####")[0]
    assert "tables.lines_by(files: Files, pattern: str" in shown and "Raises:" in shown
    assert "self" not in page.split("#### `make.image`")[1].split("####")[0].split("\n\n")[1].split(",")[0]
    assert "#### `line.number`" in page


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app(), ["vocab", *arguments])
    return done.exit_code, done.output


def test_vocab_finds_a_term_by_any_of_its_names() -> None:
    code, shown = run("hepatic")
    assert code == 0 and "liver" in shown
    code, shown = run("TUMOUR", "--kind", "finding")
    assert code == 0 and "tumor" in shown
    code, shown = run("liver", "--json")
    found = json.loads(shown)
    assert code == 0 and found[0] == {"kind": "organ", **vocab.organ["liver"].model_dump(mode="json")}
    code, shown = run("--kind", "modality")
    assert code == 0 and all(id in shown for id in vocab.modality.ids)


def test_vocab_says_what_is_closest_where_nothing_is_called_so() -> None:
    code, shown = run("kidny", "--kind", "organ")
    assert code == 1 and "kidney" in shown
    assert run("kidney", "--kind", "organs")[0] == 2


def test_search_takes_equal_names_first() -> None:
    assert vocab.organ.search("liver")[0] == "liver"
    assert vocab.label.search("zzz") == [] and vocab.label.search("") == []
