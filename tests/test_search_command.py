"""`medimg search` and `medimg show` of what has no builder: tables, JSON, exit codes; text stays text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import hostile_entries
import pytest

from medimg.catalogue import table
from medimg.hub_sync import start
from medimg.hub_sync.discovery import search


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["medimg", *arguments])
    with pytest.raises(SystemExit) as ended:
        start.main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


@pytest.fixture
def medimg(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The catalogue has the hostile entries, and the builders."""
    monkeypatch.setattr(table, "FILE", hostile_entries.listed(tmp_path / "listed.jsonl"))
    table.entries.cache_clear()
    yield
    table.entries.cache_clear()


def test_a_table_says_what_it_is_who_may_use_it_and_how_it_loads(medimg: Any) -> None:
    code, out, err = medimg("search", "liver", "tumor", "CT", "--limit", "30")
    assert code == 0 and not err
    header, *rows = out.splitlines()
    assert header.split() == ["name", "title", "modality", "organ", "task", "count", "license", "load"]
    lits = next(row for row in rows if row.startswith("lits "))
    for part in ("LiTS, Liver Tumor", "CT", "liver", "segmentation", "201 volumes", "CC-BY-NC-ND-4.0 (open)"):
        assert part in lits
    assert lits.rstrip().endswith("from the Hub, or your own copy")


def test_near_matches_stand_under_their_own_heading_with_the_reason(medimg: Any) -> None:
    code, out, _ = medimg("search", "livr", "--modality", "CT", "--limit", "3")
    assert code == 0
    assert out.splitlines()[0] == "Nothing has all of it; near matches"
    assert out.count("misspelled: liver") == 3
    _, out, _ = medimg("search", "LiTS", "liver", "--limit", "5")
    strict, near = out.split("\nNear matches\n")
    assert "lits" in strict and "nothing of it says" in near


def test_what_only_a_list_says_is_never_shown_as_usable(medimg: Any) -> None:
    _, out, _ = medimg("search", "segthor")
    row = next(line for line in out.splitlines() if line.startswith("segthor "))
    assert "(a mirror says so, not verified)" in row or "(a list says so, not verified)" in row
    assert row.rstrip().endswith("not yet")
    _, out, _ = medimg("search", "segthor", "--use", "known", "--json")
    found = json.loads(out)
    assert found["strict"] == 0 and "is only stated by a" in found["hits"][0]["why"]
    assert found["hits"][0]["license_verified"] is False


def test_json_holds_the_entry_the_reason_and_the_code(medimg: Any) -> None:
    code, out, err = medimg("search", "LiTS", "--json", "--limit", "1")
    assert code == 0 and not err
    [hit] = json.loads(out)["hits"]
    assert (hit["id"], hit["why"], hit["license_verified"]) == ("lits", "", True)
    assert 'load_dataset("medimg/lits", split="train", streaming=True)' in hit["load"]


def test_nothing_found_exits_with_1_and_tells_the_closest_words(medimg: Any) -> None:
    code, out, err = medimg("search", "hepatoscintigram")
    assert code == 1 and not out
    assert "nothing is found; closest words: " in err and "medimg vocab" in err
    code, out, _ = medimg("search", "hepatoscintigram", "--json")
    assert code == 1 and json.loads(out)["hits"] == [] and json.loads(out)["closest"]


def test_an_unknown_term_is_an_error_that_says_the_closest(medimg: Any) -> None:
    code, out, err = medimg("search", "--organ", "livver")
    assert code == 1 and not out
    assert "'livver' is not in the organ vocabulary" in err and "'liver'" in err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--max-bytes", "big"], "is no size"),
        (["--year", "soon"], "is no year"),
        (["--min-images", "-1"], "is no number"),
        (["--organs", "liver"], "unrecognized arguments"),
        (["--limit"], "expected one argument"),
    ],
)
def test_a_wrong_option_exits_with_2(medimg: Any, wrong: list[str], said: str) -> None:
    code, out, err = medimg("search", *wrong)
    assert code == 2 and not out and said in err


def test_options_are_read() -> None:
    asked = search.parser().parse_args(["--max-bytes", "1.5GB", "--year", "2018-", "--year=-2020"])
    assert (asked.max_bytes, asked.year) == (1_500_000_000, (None, 2020))


def test_help_has_examples(medimg: Any) -> None:
    code, out, _ = medimg("search", "--help")
    assert code == 0 and out.count("\n  medimg search ") == 4


def test_the_command_is_listed_with_the_others_and_answers_through_them(medimg: Any) -> None:
    _, out, _ = medimg("--help")
    assert re.search(r"search +Find datasets", out)
    code = subprocess.run(
        [sys.executable, "-m", "medimg.hub_sync.start", "search", "chexpert", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(code.stdout)["hits"][0]["id"] == "chexpert"


def test_show_knows_what_has_no_builder(medimg: Any) -> None:
    code, out, _ = medimg("show", "SegTHOR")
    assert code == 0
    for part in (
        "Nobody has written a builder for it yet",
        "not verified",
        "ask the source",
        "imaging-x, line",
    ):
        assert part in out
    code, out, _ = medimg("show", "segthor", "--json")
    assert json.loads(out)["loadable"] == "not yet" and json.loads(out)["load"]["code"] is None
    code, _, err = medimg("show", "no-such-dataset-anywhere")
    assert code == 1 and "there is no dataset" in err


@pytest.mark.usefixtures("hostile")
def test_hostile_text_stays_text_in_tables_pages_and_json(medimg: Any) -> None:
    code, out, err = medimg("search", "liver", "--modality", "CT", "--loadable", "not yet", "--limit", "100")
    assert code == 0 and not err
    pages = [out]
    for each in hostile_entries.ENTRIES:
        assert sum(line.startswith(each.id) for line in out.splitlines()) == 1, "one line each"
        pages.append(medimg("show", each.id)[1])
    for shown in pages:
        assert not [c for c in shown if unicodedata.category(c)[0] == "C" and c != "\n"]
        assert max(map(len, shown.splitlines())) < 1000
    assert "[bold red]" in out and "<script>" in out
    code, out, _ = medimg("search", "liver", "--loadable", "not yet", "--limit", "100", "--json")
    assert not [c for c in out if unicodedata.category(c)[0] == "C" and c != "\n"]
    hits = {hit["id"]: hit["name"] for hit in json.loads(out)["hits"]}
    assert {each.id: each.name for each in hostile_entries.ENTRIES}.items() <= hits.items(), "nothing is lost"


@pytest.mark.usefixtures("hostile")
def test_hostile_questions_are_answered(medimg: Any) -> None:
    for text in hostile_entries.NAMES.values():
        code, out, err = medimg("search", text, "--organ", f"x{text[:50]}")
        assert code == 1 and "is not in the organ vocabulary" in err
        assert not [c for c in out + err if unicodedata.category(c)[0] == "C" and c != "\n"]
        code, out, err = medimg("search", f"xyzzy{text}", "--json")
        assert json.loads(out)["strict"] == 0
