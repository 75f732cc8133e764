"""The index that names datasets without importing a builder: what it says is true, or is not used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from medimg import index, registry
from medimg.errors import UnknownDatasetError
from medimg.hub_sync.discovery import show
from medimg.hub_sync.docs import tables
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.sync import sync
from medimg.licenses import Verdict

ROOT = Path(__file__).parents[1]
HEAVY = ("datasets", "huggingface_hub", "torch", "pandas", "pyarrow", "nibabel", "numpy", "scipy", "PIL")
ASK = """
import sys
sys.argv = ["medimg", *{arguments!r}]
from medimg.hub_sync.commands.app import main
code = 0
try:
    main()
except SystemExit as error:
    code = error.code
heavy = set({heavy!r}) & set(sys.modules)
built = [name for name in sys.modules if name.startswith("medimg.builders.")]
print(sorted(heavy), built, file=sys.stderr)
sys.exit(code)
"""
BUILDER = '''"""A set that nobody has listed."""
from medimg.declaration import Citation, Dataset, Evidence, Source

DATASET = Dataset(
    name="brand-new", title="Brand New Set", aliases=("BNS",), dimension="2d", modality="X-ray", organ="hand",
    task="classification", license="CC0-1.0", homepage="https://example.org",
    citation=Citation(title="t", authors="a", year=2026),
    sources=(Source(url="https://example.org/a.zip"),), splits={"train": 1}, no_subject="phantoms only",
    evidence=Evidence(layout="page", labels="page", license="page"),
)


def rows(files):
    yield from ()


def miniature(make):
    make.png("a.png")
'''


def run(code: str, *, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    more = "" if path is None else f"import medimg.builders; medimg.builders.__path__.append({str(path)!r})\n"
    return subprocess.run(
        [sys.executable, "-c", more + code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--organ", "liver"],
        ["list", "--json"],
        ["show", "lits"],
        ["show", "LiTS17", "--json"],
    ],
    ids=" ".join,
)
def test_listing_and_showing_import_neither_builders_nor_what_reads_pixels(arguments: list[str]) -> None:
    done = run(ASK.format(arguments=arguments, heavy=HEAVY))
    assert done.returncode == 0, done.stderr
    assert "lits" in done.stdout
    assert done.stderr.splitlines()[-1] == "[] []"


def test_names_import_no_builder_and_are_all_names() -> None:
    code = (
        "import sys, medimg; print(*medimg.names());"
        f"print(set({HEAVY!r}) & set(sys.modules), [n for n in sys.modules if n.startswith('medimg.builders.')])"
    )
    names, heavy = run(code).stdout.splitlines()
    assert names.split() == sorted(registry.slug(module) for module in registry.module_names())
    assert heavy == "set() []"


def test_a_builder_that_is_not_in_the_index_is_found_and_told(tmp_path: Path) -> None:
    (tmp_path / "brand_new.py").write_text(BUILDER, "utf-8")
    done = run(ASK.format(arguments=["list", "--json"], heavy=()), path=tmp_path)
    listed = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert listed["brand-new"]["title"] == "Brand New Set"
    assert {"lits", "brand-new"} <= set(listed)
    assert "brand-new" in done.stderr and "make docs" in done.stderr
    done = run("import medimg; print(medimg.get('bns').name, 'brand-new' in medimg.names())", path=tmp_path)
    assert done.stdout.split() == ["brand-new", "True"]


def test_a_builder_that_is_gone_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    left = [module for module in registry.module_names() if module != "lits"]
    monkeypatch.setattr(registry, "module_names", lambda: left)
    assert "lits" not in registry.names() and "chaos" in registry.names()


def test_a_declaration_that_was_changed_speaks_for_itself(tmp_path: Path) -> None:
    changed = (ROOT / "builders" / "hc18.py").read_text("utf-8").replace('title="', 'title="Newer ', 1)
    (tmp_path / "hc18.py").write_text(changed, "utf-8")
    code = (
        f"import medimg.builders; medimg.builders.__path__.insert(0, {str(tmp_path)!r})\n"
        "from medimg import registry; print(registry.entry('hc18').declared['title'], registry.unlisted())"
    )
    assert run(code).stdout.startswith("Newer ") and "['hc18']" in run(code).stdout


def reads(texts: dict[str, str]) -> str:
    return index.mark("a", texts.get)


def test_a_mark_follows_what_the_declaration_is_made_of() -> None:
    head = '"""Doc."""\nfrom medimg.builders import _b\n'
    builder = head + "\nDATASET = _b.declare(1)\n\n\ndef rows(files):\n    yield 1\n"
    texts = {"a": builder, "_b": "from medimg.builders import _c\n", "_c": "x = 1\n"}
    old = reads(texts)
    assert reads(texts | {"a": builder.replace("yield 1", "yield 2")}) == old, "rows() declares nothing"
    for name, text in (
        ("a", builder.replace("declare(1)", "declare(2)")),
        ("a", builder.replace("Doc.", "Another.")),
        ("_b", texts["_b"] + "y = 2\n"),
        ("_c", "x = 2\n"),
    ):
        assert reads(texts | {name: text}) != old, (name, text)
    unused = builder.replace("_b.declare(1)", "1")
    assert reads({"a": unused, "_b": "x = 1\n"}) == reads({"a": unused, "_b": "x = 2\n"})


def test_check_fails_where_the_index_says_what_no_declaration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (ROOT / tables.INDEX).read_text("utf-8").splitlines(keepends=True)
    monkeypatch.setattr(tables, "PAGES", {tables.INDEX: lambda: "".join(lines)})
    file = tmp_path / tables.INDEX
    file.parent.mkdir()

    def wrong(text: str) -> list[Path]:
        file.write_text(text, "utf-8")
        return tables.stale(tmp_path)

    assert wrong("".join(lines)) == []
    assert wrong("".join(lines[1:])) == [tables.INDEX], "a dataset is missing"
    assert wrong("".join(lines).replace('"publish":"open"', '"publish":"recipe"', 1)) == [tables.INDEX]
    mark = json.loads(lines[0])["mark"]
    assert wrong("".join(lines).replace(mark, "0" * 16, 1)) == [], "an old mark costs an import and no truth"


def test_names_in_any_spelling_are_found_and_near_ones_are_told() -> None:
    for name in ("lits", "LiTS17", "medimg/lits", "LiTS, Liver Tumor Segmentation Challenge"):
        assert registry.entry(name).name == registry.get(name).name == "lits"
    with pytest.raises(UnknownDatasetError, match="did you mean"):
        registry.entry("lits-17-liver")


def shown(name: str, **how: str) -> str:
    return show.page(registry.entry(name), "medimg", **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("verdict", list(Verdict), ids=str)
def test_what_is_shown_follows_the_verdict_of_the_license(verdict: Verdict) -> None:
    of_it = [entry for entry in registry.entries() if entry.publish == verdict]
    assert of_it
    for entry in of_it:
        text = shown(entry.name)
        assert show.MAY_BE[verdict] in " ".join(text.split())
        assert [other for other in show.MAY_BE.values() if other in " ".join(text.split())] == [show.MAY_BE[verdict]]
        assert "was not asked" in " ".join(text.split()), "nobody asked a Hub"
        assert (f'load_dataset("medimg/{entry.name}"' in text) == (verdict is not Verdict.RECIPE)
        assert f'medimg.load("{entry.name}"' in text and "source=" in text
        assert "holds no data" not in text


def test_every_dataset_can_be_shown_whole_in_lines_of_a_terminal() -> None:
    for entry in registry.entries():
        text = shown(entry.name, width=80)  # type: ignore[arg-type]
        folded = [line for line in text.splitlines() if not line.startswith(show.CODE) and " " in line.strip("- ")]
        assert max(map(len, folded)) <= 80, entry.name
        for section in ("Who may use it", "How to load it", "Good to know", "Citation"):
            assert f"\n{section}\n" in text


def test_show_asks_a_hub_only_when_one_is_named(hub: str) -> None:
    def asked(*more: str) -> str:
        done = run(ASK.format(arguments=["show", "lits", *more], heavy=()))
        assert done.returncode == 0, done.stderr
        return " ".join(done.stdout.split())

    nobody = "nobody-published-here"
    assert f"there is nothing at {hub}/datasets/{nobody}/lits" in asked("--hub", hub, "--namespace", nobody)
    sync(["lits"], Hub(hub, "shown"), check=False)
    there = asked("--hub", hub, "--namespace", "shown")
    assert f"{hub}/datasets/shown/lits holds" in there and "phantoms, not patients" in there
    assert "was not asked" not in there
    assert 'load_dataset("shown/lits"' in there
