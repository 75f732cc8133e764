"""Fingerprints follow every input: each is changed in a copy of the code, and exactly what depends on it differs."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import medimg
from medimg import imports, kept, registry
from medimg.hub_sync.planning import fingerprint as prints
from medimg.hub_sync.planning.fingerprint import changed, fingerprint
from medimg.manifest import Origin
from medimg.registry import Builder

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "medimg": "medimg",
    "medimg.builders": "builders",
    "medimg.hub_sync": "hub_sync",
    "medimg.cards": "cards",
}
EVERY = frozenset(registry.names())
COMMONS = "idc/c4kc_kits"
ISIC_FEATURES = {"isic-2016", "isic-2017"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in PACKAGES.values():
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(autouse=True)
def read_from_the_copy(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The walk looks at the copy instead of the code that runs."""

    @cache
    def folders(package: str) -> list[Path]:
        for name, folder in sorted(PACKAGES.items(), reverse=True):
            if package == name or package.startswith(f"{name}."):
                place = tree.joinpath(folder, *package.removeprefix(name).split(".")[1:])
                return [place] if place.is_dir() else []
        return []

    monkeypatch.setattr(imports, "_folders", folders)
    imports.refresh()
    yield
    monkeypatch.undo()
    imports.refresh()


def builders() -> list[Builder]:
    pytest.importorskip("idc_index_data")
    return [*registry.builders(), registry.get(COMMONS)]


def every(
    origin: Origin, known: dict[str, dict[str, str]] | None = None, names: frozenset[str] | None = None
) -> dict[str, dict[str, str]]:
    """The fingerprint of every dataset, or of some; of an original, without its source."""
    imports.refresh()
    found = {}
    for builder in builders():
        if names is not None and builder.address not in names:
            continue
        parts = fingerprint(builder, None, origin, (known or {}).get(builder.address))
        if origin != "miniature":
            del parts["source"]
        found[builder.address] = parts
    return found


@cache
def before(origin: Origin) -> dict[str, dict[str, str]]:
    return every(origin)


class Edited:
    """A file of the copy, changed for as long as this lasts."""

    def __init__(self, path: Path, old: str, new: str) -> None:
        self.path, self.old, self.new = path, old, new

    def __enter__(self) -> None:
        self.text = self.path.read_text("utf-8") if self.path.exists() else None
        text = self.text or ""
        assert self.old in text
        self.path.write_text(text.replace(self.old, self.new, 1) if self.old else text + self.new, "utf-8")

    def __exit__(self, *_: object) -> None:
        if self.text is None:
            self.path.unlink()
        else:
            self.path.write_text(self.text, "utf-8")


def rebuilt(origin: Origin, edit: Edited, names: frozenset[str] | None = None) -> dict[str, list[str]]:
    """Datasets that would be built again after an edit, with the parts that differ; of all, or of some."""
    old = before(origin)
    with edit:
        new = every(origin, old, names)
    differing = {name: changed(old[name], new[name]) for name in new}
    return {name: parts for name, parts in differing.items() if parts}


CODE = "\n\nCHANGED = 1\n"
ALL = EVERY | {COMMONS}
SOME = frozenset({"hc18", "lits", "medmnist-v2", "echonet-dynamic", COMMONS})
"""Looked at where all are expected to be built again."""
TCIA = {
    builder.name
    for builder in registry.builders()
    if "_tcia_phantom" in Path(str(builder.module.__file__)).read_text("utf-8")
}

INPUTS: dict[str, frozenset[str] | set[str]] = {
    # one builder, and what builders share
    "builders/hc18.py": {"hc18"},
    "builders/_isic_features.py": ISIC_FEATURES,
    "builders/_isic_2020.py": {"isic-2020", "siim-isic-melanoma"},
    "builders/_lits.py": {"lits", "msd-liver"},
    "builders/idc/series.py": {COMMONS},
    "builders/idc/collection.py": {COMMONS},
    # the core
    "medimg/rows.py": ALL,
    "medimg/schema.py": ALL,
    "medimg/declaration.py": ALL,
    "medimg/pixels.py": ALL,
    "medimg/licenses.py": ALL,
    "medimg/errors.py": ALL,
    "medimg/manifest.py": ALL,
    "medimg/vocab/__init__.py": ALL,
    "medimg/files/view.py": ALL,
    "medimg/files/tree.py": ALL,
    "medimg/files/archives.py": ALL,
    "medimg/readers/__init__.py": ALL,
    "medimg/readers/raster.py": ALL,
    "medimg/readers/volumes.py": ALL,
    "hub_sync/building/build.py": ALL,
    "hub_sync/building/shards.py": ALL,
    "hub_sync/building/gallery.py": ALL,
    "hub_sync/manifests.py": ALL,
    "cards/pictures.py": ALL,
    # readers, and helpers of readers
    "medimg/readers/superpixels.py": ISIC_FEATURES,
    "medimg/readers/lidc.py": {"lidc-idri"},
    "builders/idc/index.py": {COMMONS},
    # what makes no row
    "cards/readme/dataset.py": set(),
    "cards/croissant.py": set(),
    "cards/__init__.py": set(),
    "cards/templates/card.md.j2": set(),
    "cards/readme/fused.py": set(),
    "hub_sync/sync.py": set(),
    "hub_sync/job.py": set(),
    "hub_sync/commands/sync.py": set(),
    "hub_sync/pushing/client.py": set(),
    "hub_sync/discovery/topics.py": set(),
    "medimg/__init__.py": set(),
    "medimg/policy.py": set(),
    "medimg/fused_manifest.py": set(),
    "medimg/fusion/fuse.py": set(),
}


@pytest.mark.parametrize("path", INPUTS)
def test_each_input_rebuilds_what_depends_on_it(tree: Path, path: str) -> None:
    expected = INPUTS[path]
    looked = SOME if expected is ALL else ALL
    assert set(rebuilt("source", Edited(tree / path, "", CODE), looked)) == expected & looked


def test_what_draws_miniatures_counts_for_miniatures_only(tree: Path) -> None:
    assert {"4d-lung", "tcga-lihc"} <= TCIA < EVERY
    phantom = Edited(tree / "medimg" / "phantom.py", "", CODE)
    assert rebuilt("source", phantom) == {}
    assert rebuilt("miniature", phantom) == {name: ["source"] for name in ALL}
    helper = Edited(tree / "builders" / "_tcia_phantom.py", "", CODE)
    assert set(rebuilt("miniature", helper)) == TCIA | {"lidc-idri", COMMONS}, "the helper of LIDC draws with it, too"
    assert not set(rebuilt("source", helper)) & EVERY
    own = Edited(tree / "builders" / "hc18.py", "def miniature(make):\n", "def miniature(make):\n    print(make)\n")
    assert rebuilt("miniature", own) == {"hc18": ["source"]}
    assert rebuilt("source", own) == {}


def test_remarks_docstrings_and_layout_change_nothing(tree: Path) -> None:
    for path in ("medimg/rows.py", "builders/hc18.py", "builders/_isic_features.py"):
        text = (tree / path).read_text("utf-8")
        plain = ast.unparse(ast.parse(text))  # no remark, another layout
        assert plain != text
        assert rebuilt("miniature", Edited(tree / path, text, plain + "\n# a remark\n")) == {}
        docstring = re.search('^"""[^"]+"""', text)
        assert docstring
        assert rebuilt("miniature", Edited(tree / path, docstring[0], '"""Another one."""')) == {}


@pytest.mark.parametrize(
    "line",
    [
        "from medimg.builders._more import NAME",
        "from medimg.builders import _more",
        "from medimg.builders import _more as other",
        "import medimg.builders._more",
        "from ._more import NAME",
        "from . import _more",
        "from medimg.builders._more import *",
        "from medimg.builders import (  # several\n    _msd,\n    _more,\n)",
        "x = 1; from medimg.builders import _more",
        "from medimg.builders import \\\n    _more",
        "def f():\n    from medimg.builders._more import NAME\n    return NAME",
        "def f():\n    import importlib\n    return importlib.import_module('medimg.builders._more')",
        "try:\n    from medimg.builders._more import NAME\nexcept ImportError: from medimg.builders import _msd",
    ],
)
def test_every_form_of_import_is_followed(tree: Path, line: str) -> None:
    """Also where the helper imports a helper of its own."""
    more, deeper = tree / "builders" / "_more.py", tree / "builders" / "_deeper.py"
    builder = tree / "builders" / "kvasir_seg.py"
    more.write_text("from medimg.builders._deeper import NAME\n")
    deeper.write_text("NAME = 1\n")
    text = builder.read_text("utf-8")
    try:
        builder.write_text(f"{text}\n\n{line}\n")
        imports.refresh()
        old = fingerprint(registry.get("kvasir-seg"), None, "source")
        deeper.write_text("NAME = 2222\n")
        imports.refresh()
        assert changed(old, fingerprint(registry.get("kvasir-seg"), None, "source", old)) == [
            "builder",
            "source",
        ]
    finally:
        builder.write_text(text)
        more.unlink()
        deeper.unlink()


def test_imports_for_types_alone_are_not_followed(tree: Path) -> None:
    line = "\nfrom typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from medimg.builders import _msd\n"
    with Edited(tree / "builders" / "_kvasir.py", "", line):
        imports.refresh()
        assert "medimg.builders._msd" not in imports.reached("medimg.builders._kvasir")


def test_what_a_module_says_is_parsed_once_for_each_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "folder", lambda: tmp_path / "kept")
    monkeypatch.setattr(imports, "_WORTH", 100)
    path = tmp_path / "module.py"

    def module(text: str) -> imports.Module:
        return imports.Module("medimg.builders.module", path, text)

    first = "from medimg import join, readers\n\n\ndef miniature(make):\n    readers.make('x')\n" + "#" * 100
    facts = module(first).facts
    assert facts == imports.ModuleFacts.of(module(first)) and facts.strings == {"x"}
    with monkeypatch.context() as patch:
        patch.setattr(imports.ModuleFacts, "of", lambda module: pytest.fail("parsed again"))
        assert module(first).facts == facts
    other = module(first.replace("'x'", "'y'")).facts
    assert other.strings == {"y"} and (other.whole, other.rows) != (facts.whole, facts.rows)
    assert module("X = 1\n").facts.strings == frozenset()
    file = tmp_path / "kept" / "code" / "medimg.builders.module.json"
    assert [*file.parent.iterdir()] == [file], "a short text is parsed as fast as its facts are written"
    for broken in ("", "{", "[]", '{"key": 1}', "[1, 2]"):
        file.write_text(broken)
        assert module(first).facts == facts
    monkeypatch.setattr(kept, "folder", lambda: path / "no-folder")
    path.write_text("")
    assert module(first).facts == facts


def test_the_walk_sees_every_import_that_python_sees() -> None:
    """Held against the syntax tree, over all modules."""
    for package, folder in PACKAGES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join([package, *(part for part in parts if part != "__init__")])
            if name == "medimg":
                continue
            module = imports.code(name)
            tree = ast.parse(path.read_text("utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                    node.body = [ast.Pass()]
            expected = set()
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "medimg":
                    expected |= {(node.module, alias.name) for alias in node.names}
                elif isinstance(node, ast.Import):
                    expected |= {(a.name, "") for a in node.names if a.name.split(".")[0] == "medimg"}
            found = {(one.package, one.name) for one in module.imports(miniature=True)}
            assert expected <= found, name


@pytest.mark.parametrize("name", ["ages.csv", "tables/lists.json"])
def test_data_beside_a_builder_is_an_input_of_it(tree: Path, name: str) -> None:
    data = tree / "builders" / name
    data.parent.mkdir(exist_ok=True)
    data.write_text("1")
    reads = f'\n\nTABLE = __import__("pathlib").Path(__file__).with_name("{name}")\n'
    with Edited(tree / "builders" / "hc18.py", "", reads):
        old = every("source")
        data.write_text("22")
        new = every("source", old)
    data.unlink()
    assert [key for key in new if changed(old[key], new[key])] == ["hc18"]


def test_the_vocabulary_counts_where_its_terms_are_used(tree: Path) -> None:
    """A name that no builder writes changes no row, but where a source's own words are looked up."""
    findings = tree / "medimg" / "vocab" / "finding.toml"
    organs = tree / "medimg" / "vocab" / "organ.toml"
    new = '[terms]\n"a new finding" = { synonyms = ["something new"] }\n'
    assert rebuilt("source", Edited(findings, "[terms]\n", new)) == {COMMONS: ["vocabulary"]}
    gone = rebuilt("source", Edited(findings, '"melanocytic nevus" = ', '"melanocytic naevus of old" = '))
    users = {
        name
        for name in EVERY
        if any(
            "melanocytic nevus" in imports.code(each).text
            for each in prints.modules(registry.get(name), "source")
            if each.startswith("medimg.builders.")
        )
    }
    assert {"ham10000", "isic-2018"} <= users and "hc18" not in users
    assert users <= set(gone) and "hc18" not in gone, "in MedMNIST the name stands in a list of many"
    assert set(map(tuple, gone.values())) == {("vocabulary",)}
    remark = Edited(organs, "[terms]\n", "# a remark\n[terms]\n")
    assert rebuilt("source", remark) == {}


def test_terms_of_licenses_count_where_code_reads_them(tree: Path) -> None:
    table = tree / "medimg" / "licenses.toml"
    reads = {"covid-chestxray", COMMONS}
    closed = Edited(table, "redistribute = true", "redistribute = false")
    assert rebuilt("source", closed) == {name: ["licenses"] for name in reads}
    assert rebuilt("source", Edited(table, "", "\n# a remark\n")) == {}


def test_the_index_of_names_rebuilds_nothing(tree: Path) -> None:
    """It is made of the declarations, which count themselves."""
    assert rebuilt("source", Edited(tree / "medimg" / "index.jsonl", "", "\n")) == {}


def test_a_run_keeps_the_code_that_it_began_with(tree: Path) -> None:
    """What is edited while a run lasts belongs to the next run: the rows are those of the loaded code."""
    prints.refresh(registry.builders())
    old = fingerprint(registry.get("hc18"), None, "miniature")
    with Edited(tree / "builders" / "hc18.py", "", CODE):
        assert fingerprint(registry.get("hc18"), None, "miniature") == old
        prints.refresh(registry.builders())
        assert changed(old, fingerprint(registry.get("hc18"), None, "miniature")) == ["builder", "source"]


def test_what_the_index_says_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("idc_index_data")
    builder = registry.get(COMMONS)
    old = fingerprint(builder, None, "miniature")
    assert "index" in old and "index" not in fingerprint(registry.get("hc18"), None, "miniature")
    monkeypatch.setattr(builder.module, "INDEX", builder.index.replace("CC", "XX", 1))
    assert changed(old, fingerprint(builder, None, "miniature", old)) == ["index"]


def test_the_front_door_holds_no_code_of_rows() -> None:
    """The one module that the walk leaves out."""
    tree = ast.parse(Path(str(medimg.__file__)).read_text("utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert functions == {"__getattr__", "__dir__"}
