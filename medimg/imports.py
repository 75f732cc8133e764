"""Which files a builder's rows are made with: a walk over the imports that stand in the code, nothing listed by hand.

The walk starts at a module and follows every import of a part of medimg, wherever it stands (also inside functions),
but for three that make no row: `if TYPE_CHECKING:`, what only a builder's declaration or miniature uses (both are
digested by themselves), and the package `medimg` itself, whose `__init__` holds a version and a table of names. A
package's `__init__` counts where a name is taken from it, not where it only stands before the name of a module.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

ROOT = "medimg"
BUILDERS = "medimg.builders"
TABLES = frozenset({"medimg.vocab", "medimg.licenses"})
"""Modules whose data is no input as a whole; see `fingerprint`."""
GENERATED = frozenset({"medimg.index"})
"""Modules whose data is made of the declarations, which count themselves: where builders are, nothing of rows."""
DECLARATION, MINIATURE = "DATASET", "miniature"

_OWN_PLACE = frozenset({"__file__", "__package__", "__spec__", "resources", "get_data"})
"""A module that reads what lies beside it uses one of these names."""


@dataclass(frozen=True)
class Import:
    """One import of a part of medimg: the module or package, the name taken from it ("" for none)."""

    package: str
    name: str


@dataclass(frozen=True)
class ModuleFacts:
    """What the text of a module says.

    Attributes:
        whole: SHA-256 of the code without comments, layout, docstrings and declaration.
        rows: the same, also without miniature.
        strings: every text that stands in the code between quotes.
        imports: parts of medimg that are imported, in the order of the text, and whether more than declaration and
            miniature use them.
        reads_beside: whether it uses a name by which the files of its own package are found.
    """

    whole: str
    rows: str
    strings: frozenset[str]
    imports: tuple[tuple[Import, bool], ...]
    reads_beside: bool

    @classmethod
    def of(cls, module: Module) -> Self:
        """Parse it."""
        tree = ast.parse(module.text)
        strings, imports = _found(module, tree)
        whole = _without(tree, {DECLARATION} if module.of_builder else set())
        rows = _without(tree, {MINIATURE}) if module.of_builder else whole
        return cls(_sha256(whole), _sha256(rows), strings, imports, _reads_beside(module.text))

    @classmethod
    def from_json(cls, text: str, key: str) -> Self | None:
        """What was kept; None where it is of another text, or no such thing."""
        with suppress(ValueError, KeyError, TypeError):
            kept = json.loads(text)
            if kept.pop("key") == key:
                kept["strings"] = frozenset(kept["strings"])
                kept["imports"] = tuple((Import(**one), of_rows) for one, of_rows in kept["imports"])
                return cls(**kept)
        return None

    def to_json(self, key: str) -> str:
        """To be kept."""
        return json.dumps({"key": key, **asdict(self), "strings": sorted(self.strings)})


@dataclass(frozen=True)
class Module:
    """The text of one module, as it was when it was first looked at."""

    name: str
    path: Path
    text: str

    @property
    def of_builder(self) -> bool:
        """Whether it is a builder or a helper of builders."""
        return self.name.startswith(BUILDERS + ".")

    @cached_property
    def facts(self) -> ModuleFacts:
        """What it says, parsed once for each text: it is kept beside the caches of Hugging Face's libraries.

        What is kept may be deleted at any time; where it cannot be, the next process parses it again.
        """
        made_by = (sys.version, code(__name__).text, self.name, self.path.name, self.text)
        key = _sha256("\0".join(made_by))
        kept = _kept_at() / f"{self.name}.json"
        with suppress(OSError):
            if found := ModuleFacts.from_json(kept.read_text("utf-8"), key):
                return found
        made = ModuleFacts.of(self)
        with suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            aside = kept.with_name(f"{kept.name}.{os.getpid()}")
            aside.write_text(made.to_json(key), "utf-8")
            aside.replace(kept)
        return made

    @cached_property
    def taken(self) -> frozenset[str]:
        """Packages, and names in packages, that more than declaration and miniature import."""
        return frozenset(
            text for one in self.imports(miniature=False) for text in (one.package, f"{one.package}.{one.name}")
        )

    def imports(self, *, miniature: bool) -> tuple[Import, ...]:
        """Imports of parts of medimg, in the order of the text.

        Args:
            miniature: also those that nothing but the miniature uses.
        """
        return tuple(one for one, of_rows in self.facts.imports if miniature or of_rows)


def _kept_at() -> Path:
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "medimg" / "code"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def refresh() -> None:
    """Look at the files again: until the next call, every text stays what it is now.

    So a run compares and records the code that it has loaded, also where somebody writes to it meanwhile.
    """
    for each in (code, _content, _reached, _targets, beside, digest, data, place, _folders):
        each.cache_clear()


@functools.cache
def code(name: str) -> Module:
    """The module of this dotted name.

    Raises:
        ModuleNotFoundError: there is none.
    """
    path = place(name)
    if path is None:
        raise ModuleNotFoundError(f"there is no module {name}", name=name)
    status = path.stat()
    return _read(name, path, status.st_mtime_ns, status.st_size)


@functools.cache
def _read(name: str, path: Path, changed: int, size: int) -> Module:
    """Once for each state of a file, so that only what changed is parsed again."""
    return Module(name, path, path.read_text("utf-8"))


def content(path: Path) -> bytes:
    """A data file, as it was when it was first looked at."""
    return _content(path)[0]


def content_digest(path: Path) -> str:
    """Its SHA-256."""
    return _content(path)[1]


@functools.cache
def _content(path: Path) -> tuple[bytes, str]:
    found = path.read_bytes()
    return found, hashlib.sha256(found).hexdigest()


def reached(*names: str, miniature: bool = False) -> tuple[str, ...]:
    """Modules of medimg that these modules import, directly or through others, and they themselves; sorted.

    Args:
        names: dotted names.
        miniature: follow also what only the miniature of a builder uses.
    """
    return tuple(sorted(frozenset().union(*(_reached(name, miniature) for name in names))))


@functools.cache
def _reached(start: str, miniature: bool) -> frozenset[str]:
    found, pending = {start}, [start]
    while pending:
        new = _targets(pending.pop(), miniature) - found
        found |= new
        pending += new
    return frozenset(found)


@functools.cache
def _targets(name: str, miniature: bool) -> frozenset[str]:
    return frozenset(target for one in code(name).imports(miniature=miniature) if (target := _target(one)))


def _target(one: Import) -> str | None:
    """The module that an import brings: the name where it is a module, else what it is taken from."""
    if one.name and place(inner := f"{one.package}.{one.name}"):
        return inner
    return one.package if one.package != ROOT and place(one.package) else None


@functools.cache
def beside(name: str) -> tuple[Path, ...]:
    """Data files that a module reads from its own package.

    Those below its folder that it names, or whose suffix it names; all of them where it names none.
    """
    module = code(name)
    if name in TABLES | GENERATED or not module.facts.reads_beside:
        return ()
    every = data(module.path.parent)
    named = [path for path in every if any(path.name in text for text in module.facts.strings)]
    patterns = [text for text in module.facts.strings if not any(path.name in text for path in named)]
    by_suffix = [path for path in every if path.suffix and any(t.endswith(path.suffix) for t in patterns)]
    return tuple(dict.fromkeys(named + by_suffix)) or every


@functools.cache
def digest(name: str) -> str:
    """Digest of a module as it is written, and of the data that it reads from its own package."""
    found = hashlib.sha256(code(name).text.encode())
    for path in beside(name):
        found.update(f"\0{path.name} {content_digest(path)}".encode())
    return found.hexdigest()


def written(*names: str) -> str:
    """One digest of all that these modules reach, as it is written, data of their packages included."""
    found = hashlib.sha256()
    for name in reached(*names):
        found.update(f"{name} {digest(name)}\n".encode())
        if name in TABLES:
            for path in data(code(name).path.parent):
                found.update(f"{path.name} {content_digest(path)}\n".encode())
    return found.hexdigest()


@functools.cache
def data(folder: Path) -> tuple[Path, ...]:
    """Files below a folder that are no code."""
    every = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(path for path in every if path.suffix not in (".py", ".pyc", ".typed"))


@functools.cache
def place(name: str) -> Path | None:
    """The file of a module, None where there is no such module; nothing is imported but the package that holds it."""
    package, _, last = name.rpartition(".")
    for folder in _folders(package) if package else ():
        for path in (folder / f"{last}.py", folder / last / "__init__.py"):
            if path.is_file():
                return path
    if package == ROOT:  # builders and the like: packages below medimg that lie beside it in a clone
        return next((path for folder in _folders(name) if (path := folder / "__init__.py").is_file()), None)
    return None


@functools.cache
def _folders(package: str) -> list[Path]:
    """Where the modules of a package are; in a clone, builders lie beside the core."""
    module = sys.modules.get(package)
    if module is not None:
        return [Path(each) for each in getattr(module, "__path__", ())]
    spec = importlib.util.find_spec(package)
    return [Path(each) for each in (spec.submodule_search_locations or ())] if spec else []


def _found(module: Module, tree: ast.Module) -> tuple[frozenset[str], tuple[tuple[Import, bool], ...]]:
    """Every text between quotes, and every import of a part of medimg: see `ModuleFacts`."""
    nodes = ast.walk(tree)
    texts = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    aside = [node for node in tree.body if module.of_builder and _named(node) & {DECLARATION, MINIATURE}]
    elsewhere = _names(aside) - _names(node for node in tree.body if node not in aside) if aside else set()
    found = [(one, True) for one in _by_name(tree)] if "import_module" in module.text else []
    for node in _statements(tree.body):
        if isinstance(node, ast.Import):
            found += [(Import(alias.name, ""), True) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                found.append((Import(origin, alias.name), (alias.asname or alias.name) not in elsewhere))
    return frozenset(texts), tuple((one, of_rows) for one, of_rows in found if one.package.split(".")[0] == ROOT)


def _reads_beside(text: str) -> bool:
    """Whether code uses a name by which the files of its own package are found."""
    if not any(word in text for word in _OWN_PLACE):
        return False
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.update(node.name.split("."))
        elif isinstance(node, ast.Attribute) and not node.attr.startswith("__"):
            names.add(node.attr)
    return not _OWN_PLACE.isdisjoint(names)


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Every statement, those inside others too, but for what stands below `if TYPE_CHECKING:`."""
    for node in body:
        yield node
        types = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for block in ("orelse",) if types else ("body", "handlers", "orelse", "finalbody", "cases"):
            yield from _statements(getattr(node, block, ()))


def _by_name(tree: ast.Module) -> Iterator[Import]:
    """Imports of `import_module("medimg.…")`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            for one in node.args[:1]:
                if isinstance(one, ast.Constant):
                    yield Import(str(one.value), "")


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that stand in these parts of the code."""
    return {each.id for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name)}


def _without(tree: ast.Module, dropped: set[str]) -> str:
    """The code without docstrings, comments, layout and what is called like this. The tree is cut."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            node.body = [each for each in node.body if not _is_text(each) and not (_named(each) & dropped)] or [
                ast.Pass()
            ]
    return ast.unparse(tree)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _named(node: ast.stmt) -> set[str]:
    """The name that a statement gives to a function or to its only value."""
    if isinstance(node, ast.FunctionDef):
        return {node.name} - {DECLARATION}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    return names if len(targets) == len(names) == 1 else set()
