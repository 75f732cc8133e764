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
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar, cast

from medimg import kept

P = ParamSpec("P")
T = TypeVar("T")

ROOT = "medimg"
BUILDERS = "medimg.builders"
TABLES = frozenset({"medimg.vocab", "medimg.licenses"})
"""Modules whose data is no input as a whole; see `fingerprint`."""
GENERATED = frozenset({"medimg.index"})
"""Modules whose data is made of the declarations, which count themselves: where builders are, nothing of rows."""
DECLARATION, MINIATURE = "DATASET", "miniature"

_OWN_PLACE = frozenset({"__file__", "__package__", "__spec__", "resources", "get_data"})
"""A module that reads what lies beside it uses one of these names."""
_WORTH = 4 << 10
"""Characters; what is shorter is parsed faster than what it says is written to a file."""
_UNTIL_REFRESH: list[functools._lru_cache_wrapper[Any]] = []
_WITH_BODY = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


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
        parts = [_Part.of(node, of_builder=of_builder(module.name)) for node in ast.parse(module.text).body]
        words = frozenset().union(*(part.words for part in parts))
        reads_beside = not _OWN_PLACE.isdisjoint(words)
        strings = frozenset().union(*(part.strings for part in parts))
        imports = _imports(module, parts)  # before anything is taken out of them
        written = [(part, part.written()) for part in parts if part.named != DECLARATION]
        whole = _module(text for _, text in written)
        rows = _module(part.written(MINIATURE) if part.draws else text for part, text in written)
        return cls(_sha256(whole), _sha256(rows), strings, imports, reads_beside)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """The same again, from `to_json`."""
        imports = tuple((Import(**one), of_rows) for one, of_rows in told["imports"])
        return cls(**{**told, "strings": frozenset(told["strings"]), "imports": imports})

    def to_json(self) -> dict[str, Any]:
        """To be kept."""
        imports = [(vars(one), of_rows) for one, of_rows in self.imports]
        return {**vars(self), "strings": sorted(self.strings), "imports": imports}


@dataclass(frozen=True)
class Module:
    """The text of one module, as it was when it was first looked at."""

    name: str
    path: Path
    text: str

    @cached_property
    def facts(self) -> ModuleFacts:
        """What it says, parsed once for each text: it is kept."""
        if len(self.text) < _WORTH:
            return ModuleFacts.of(self)
        made_by = (sys.version, code(__name__).text, self.name, self.path.name, self.text)
        key = _sha256("\0".join(made_by))
        if found := kept.read("code", self.name, key):
            return ModuleFacts.from_json(found)
        made = ModuleFacts.of(self)
        kept.write("code", self.name, key, made.to_json())
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


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def refresh() -> None:
    """Look at the files again: until the next call, every text stays what it is now.

    So a run compares and records the code that it has loaded, also where somebody writes to it meanwhile.
    """
    for each in _UNTIL_REFRESH:
        each.cache_clear()


def until_refresh(function: Callable[P, T]) -> Callable[P, T]:
    """Keep every answer of a function until the files are looked at again."""
    cached = functools.cache(function)
    _UNTIL_REFRESH.append(cached)
    return cast("Callable[P, T]", cached)


@until_refresh
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


@until_refresh
def _content(path: Path) -> tuple[bytes, str]:
    found = path.read_bytes()
    return found, hashlib.sha256(found).hexdigest()


def of_builder(name: str) -> bool:
    """Whether a module is a builder or a helper of builders."""
    return name.startswith(f"{BUILDERS}.")


def reached(*names: str, miniature: bool = False) -> tuple[str, ...]:
    """Modules of medimg that these modules import, directly or through others, and they themselves; sorted.

    Args:
        names: dotted names.
        miniature: follow also what only the miniature of a builder uses.
    """
    return tuple(sorted(frozenset().union(*(_reached(name, miniature) for name in names))))


@until_refresh
def _reached(start: str, miniature: bool) -> frozenset[str]:
    found, pending = {start}, [start]
    while pending:
        new = _targets(pending.pop(), miniature) - found
        found |= new
        pending += new
    return frozenset(found)


@until_refresh
def _targets(name: str, miniature: bool) -> frozenset[str]:
    return frozenset(target for one in code(name).imports(miniature=miniature) if (target := _target(one)))


def _target(one: Import) -> str | None:
    """The module that an import brings: the name where it is a module, else what it is taken from."""
    if one.name and place(inner := f"{one.package}.{one.name}"):
        return inner
    return one.package if one.package != ROOT and place(one.package) else None


@until_refresh
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


@until_refresh
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


@until_refresh
def data(folder: Path) -> tuple[Path, ...]:
    """Files below a folder that are no code."""
    every = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(path for path in every if path.suffix not in (".py", ".pyc", ".typed"))


@until_refresh
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


@until_refresh
def _folders(package: str) -> list[Path]:
    """Where the modules of a package are; in a clone, builders lie beside the core."""
    module = sys.modules.get(package)
    if module is not None:
        return [Path(each) for each in getattr(module, "__path__", ())]
    spec = importlib.util.find_spec(package)
    return [Path(each) for each in (spec.submodule_search_locations or ())] if spec else []


@dataclass(frozen=True)
class _Part:
    """A statement of a module that stands in nothing else.

    Attributes:
        node: it.
        named: `DECLARATION` or `MINIATURE` where it is that of a builder, else "".
        draws: whether it is the miniature of a builder, or has one in it.
        strings: every text between quotes.
        names: every name of a variable, function or class that it uses or gives.
        words: these, and every other name: attributes, what is imported.
    """

    node: ast.stmt
    named: str
    draws: bool
    strings: frozenset[str]
    names: frozenset[str]
    words: frozenset[str]

    @classmethod
    def of(cls, node: ast.stmt, *, of_builder: bool) -> Self:
        """Look at all that is in it, once."""
        strings: set[str] = set()
        names: set[str] = set()
        others: set[str] = set()
        named = _named(node) if of_builder else ""
        draws = named == MINIATURE
        for each in ast.walk(node):
            if isinstance(each, ast.Name):
                names.add(each.id)
            elif isinstance(each, ast.Constant):
                if isinstance(each.value, str):
                    strings.add(each.value)
            elif isinstance(each, ast.Attribute):
                if not each.attr.startswith("__"):
                    others.add(each.attr)
            elif isinstance(each, ast.alias):
                others.update(each.name.split("."))
            elif isinstance(each, ast.FunctionDef):
                draws = draws or (of_builder and each.name == MINIATURE)
        return cls(node, named, draws, frozenset(strings), frozenset(names), frozenset(names | others))

    def written(self, without: str | None = None) -> str:
        """Its code without docstrings, comments, layout and what is called like this. The node is cut."""
        if _is_text(self.node) or self.named == without:
            return ""
        for each in (self.node, *_statements(self.node)):
            if isinstance(each, _WITH_BODY):
                each.body = [one for one in each.body if not _is_text(one) and _named(one) != without] or [ast.Pass()]
        # as `ast.unparse` of a module has it: an empty line before each
        return ("\n" if isinstance(self.node, _WITH_BODY) else "") + ast.unparse(self.node)


def _module(parts: Iterable[str]) -> str:
    """The code of a module."""
    return "\n".join(filter(None, parts)).removeprefix("\n") or "pass"


def _imports(module: Module, parts: Sequence[_Part]) -> tuple[tuple[Import, bool], ...]:
    """Every import of a part of medimg: see `ModuleFacts`."""
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    aside = frozenset().union(*(part.names for part in parts if part.named))
    elsewhere = aside.difference(*(part.names for part in parts if not part.named))
    by_name = "import_module" in module.text
    found = [(one, True) for part in parts if by_name for one in _by_name(part.node)]
    for part in parts:
        for node in (part.node, *_statements(part.node, types=False)):
            if isinstance(node, ast.Import):
                found += [(Import(alias.name, ""), True) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                for alias in node.names:
                    found.append((Import(origin, alias.name), (alias.asname or alias.name) not in elsewhere))
    return tuple((one, of_rows) for one, of_rows in found if one.package.split(".")[0] == ROOT)


def _statements(node: ast.AST, *, types: bool = True) -> Iterator[ast.AST]:
    """Every statement inside another, those in these too.

    Args:
        types: also what stands below `if TYPE_CHECKING:`.
    """
    for_types = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    for block in ("orelse",) if for_types and not types else ("body", "handlers", "orelse", "finalbody", "cases"):
        for each in getattr(node, block, ()):
            yield each
            yield from _statements(each, types=types)


def _by_name(node: ast.AST) -> Iterator[Import]:
    """Imports of `import_module("medimg.…")`."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and ast.unparse(each.func).endswith("import_module"):
            for one in each.args[:1]:
                if isinstance(one, ast.Constant):
                    yield Import(str(one.value), "")


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _named(node: ast.stmt) -> str:
    """Which of a builder's own two names a statement gives to a function or to its only value; "" for none."""
    if isinstance(node, ast.FunctionDef):
        return node.name if node.name == MINIATURE else ""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return names[0] if len(targets) == len(names) == 1 and names[0] in (DECLARATION, MINIATURE) else ""
