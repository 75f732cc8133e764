"""`medimg mcp` with the official client over standard input and output."""

from __future__ import annotations

import inspect
import json
import sys
import unicodedata
from pathlib import Path
from typing import Any

import anyio
import hostile_entries
import pytest
from mcp import Client, StdioServerParameters

import medimg
from medimg.catalogue.search import Filters
from medimg.hub_sync.discovery import search

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "search": ("search", {"text": "livr tumr", "modality": "CT", "limit": 3}),
    "usable": ("search", {"text": "liver", "use": ["commercial"], "loadable": ["builder"]}),
    "nothing": ("search", {"text": "hepatoscintigram"}),
    "hostile": ("search", {"text": "liver", "loadable": "not yet", "limit": 50}),
    "unknown term": ("search", {"organ": "livver"}),
    "show": ("show", {"name": "KiTS19"}),
    "show hostile": ("show", {"name": "hostile-escapes"}),
    "unknown": ("show", {"name": "litts"}),
    "snippet": ("load_snippet", {"name": "lits"}),
    "own copy": ("load_snippet", {"name": "chexpert"}),
    "not yet": ("load_snippet", {"name": "hostile-script"}),
    "plan": ("plan", {"names": ["lits", "msd-spleen"], "targets": ["liver", "spleen"]}),
    "no plan": ("plan", {"names": ["lits"], "targets": ["lever"]}),
    "wrong": ("plan", {"source": "/etc"}),
}
SERVE = """
import socket, sys
from pathlib import Path
from medimg.catalogue import table
from medimg.hub_sync.start import main

def refused(*_): raise AssertionError("no network here")

table.FILE = Path(sys.argv.pop())
socket.socket.connect = refused
main()
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One server, and what it says: its tools, its instructions, and the answer to each of `CALLS`."""
    listed = hostile_entries.listed(tmp_path_factory.mktemp("catalogue") / "listed.jsonl")
    server = StdioServerParameters(command=sys.executable, args=["-c", SERVE, "mcp", str(listed)])

    async def ask() -> dict[str, Any]:
        async with Client(server) as client:
            said: dict[str, Any] = {"tools": (await client.list_tools()).tools}
            for key, (tool, arguments) in CALLS.items():
                said[key] = await client.call_tool(tool, arguments)
            return said

    return anyio.run(ask)


def told(answer: Any) -> dict[str, Any]:
    assert not answer.is_error, answer.content[0].text
    found: dict[str, Any] = json.loads(answer.content[0].text)
    return found


def test_four_tools_that_only_read_with_examples(answers: dict[str, Any]) -> None:
    assert {tool.name for tool in answers["tools"]} == {"search", "show", "load_snippet", "plan"}
    for tool in answers["tools"]:
        assert tool.annotations.read_only_hint
        assert "Example" in tool.description and tool.input_schema["properties"]


def test_function_command_and_tool_take_the_same_filters(answers: dict[str, Any]) -> None:
    names = {*Filters.arguments(), "text", "limit"}
    assert set(inspect.signature(medimg.search).parameters) == names
    assert set(vars(search.parser().parse_args([]))) == names | {"namespace", "json"}
    (tool,) = (each for each in answers["tools"] if each.name == "search")
    assert set(tool.input_schema["properties"]) == names - {"year"} | {"first_year", "last_year"}


def test_search_corrects_filters_and_says_why(answers: dict[str, Any]) -> None:
    hits = told(answers["search"])["hits"]
    assert hits[0]["id"] == "lits" and hits[0]["why"] == "misspelled: liver, tumor"
    for hit in told(answers["usable"])["hits"]:
        assert hit["why"] or (hit["commercial"] and hit["license_verified"])
    nothing = told(answers["nothing"])
    assert nothing["hits"] == [] and nothing["closest"] and nothing["next"]


def test_show_has_the_entry_and_the_declaration(answers: dict[str, Any]) -> None:
    shown = told(answers["show"])
    assert shown["entry"]["id"] == shown["declaration"]["name"] == "kits19"
    assert shown["declaration"]["legend"]
    assert told(answers["show hostile"])["declaration"] is None


def test_snippets_or_why_there_is_none(answers: dict[str, Any]) -> None:
    assert 'load_dataset("medimg/lits", split="train", streaming=True)' in told(answers["snippet"])["code"]
    own = told(answers["own copy"])
    assert own["code"] is None and 'medimg.load("chexpert"' in own["own_copy"] and "own copy" in own["how"]
    later = told(answers["not yet"])
    assert later["code"] is later["own_copy"] is None and "builder" in later["how"]


def test_the_plan_is_that_of_fuse(answers: dict[str, Any]) -> None:
    import medimg

    made = medimg.fuse(["lits", "msd-spleen"], targets=["liver", "spleen"], source="miniature", plan=True)
    plan = told(answers["plan"])
    assert plan["semantic_alignment"] == json.loads(made.to_json())["semantic_alignment"]
    assert plan.keys() == made.to_dict().keys()


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("unknown term", "closest ids: 'liver'"),
        ("unknown", "did you mean"),
        ("no plan", "lever"),
        ("wrong", "miniature"),
    ],
)
def test_errors_say_the_next_step(answers: dict[str, Any], key: str, said: str) -> None:
    assert answers[key].is_error
    assert said in answers[key].content[0].text and "Traceback" not in answers[key].content[0].text


def test_hostile_text_is_clean_and_short(answers: dict[str, Any]) -> None:
    def texts(value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return [text for each in inner for text in texts(each)]

    ids = {hit["id"] for hit in told(answers["hostile"])["hits"]}
    assert {each.id for each in hostile_entries.ENTRIES} <= ids
    for key in ("hostile", "show hostile", "not yet"):
        for text in texts(told(answers[key])):
            assert len(text) <= 2000
            assert "\n" not in text or key == "not yet"
            assert not [c for c in text if unicodedata.category(c)[0] == "C"]


def test_without_the_extra_the_command_says_what_adds_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import importlib.util

    from medimg.hub_sync import start

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "mcp" else find(name, *rest))
    monkeypatch.setattr(sys, "argv", ["medimg", "mcp"])
    with pytest.raises(SystemExit) as ended:
        start.main()
    assert ended.value.code == 1 and 'pip install "medimg[mcp]"' in capsys.readouterr().err
