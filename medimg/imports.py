"""Which files a builder's rows are made with: a walk over the imports that stand in the code, nothing listed by hand.

The walk starts at a module and follows every import of a part of medimg, wherever it stands (also inside functions),
but for three that make no row: `if TYPE_CHECKING:`, what only a builder's declaration or miniature uses (both are
digested by themselves), and the package `medimg` itself, whose `__init__` holds a version and a table of names. A
package's `__init__` counts where a name is taken from it, not where it only stands before the name of a module.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = "medimg"
BUILDERS = "medimg.builders"
TABLES = frozenset({"medimg.vocab", "medimg.licenses"})
"""Modules whose data is no input as a whole; see `fingerprint`."""
GENERATED = frozenset({"medimg.index"})
"""Modules whose data is made of the declarations, which count themselves: where builders are, nothing of rows."""
DECLARATION, MINIATURE = "DATASET", "miniature"

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<package>[.\w]+)[ \t]+import[ \t]*(?P<names>\([^)]*\)|[^\n#]*)"
    r"|import[ \t]+(?P<modules>[^\n#]+))",
    re.MULTILINE,
)
_BY_NAME = re.compile(r"""import_module\(\s*["'](medimg[.\w]*)["']""")
_ODD = re.compile(r"[;:][ \t]*(?:from|import)[ \t]+[.\w]|^[ \t]*(?:from|import)\b.*\\$")
"""A line with an import behind another statement, or with one that goes on without brackets."""
_TYPES = re.compile(r"^[ \t]*if (?:typing\.)?TYPE_CHECKING\b[^\n]*:")
_MINIATURE = re.compile(r"^[ \t]*def miniature\b")
_DECLARATION = re.compile(r"^DATASET\b")
_WORD = re.compile(r"[^\W\d]\w*")
_OWN_PLACE = frozenset({"__file__", "__package__", "__spec__", "resources", "get_data"})
"""A module that reads what lies beside it uses one of these names."""


@dataclass(frozen=True)
class Import:
    """One import of a part of medimg: the module or package, the name taken from it ("" for none), and as what."""

    package: str
    name: str
    bound: str


@dataclass(frozen=True)
class Module:
    """The text of one module, as it was when it was first looked at."""

    name: str
    path: Path
    text: str
    stamp: tuple[int, int] | None

    @property
    def of_builder(self) -> bool:
        """Whether it is a builder or a helper of builders."""
        return self.name.startswith(BUILDERS + ".")

    @cached_property
    def tree(self) -> ast.Module:
        """The text, parsed."""
        return ast.parse(self.text, str(self.path))

    @cached_property
    def rows(self) -> str:
        """The code without comments, layout, docstrings, declaration and miniature."""
        return _code(self.text, without={DECLARATION, MINIATURE} if self.of_builder else ())

    @cached_property
    def whole(self) -> str:
        """The code without comments, layout, docstrings and declaration."""
        return _code(self.text, without={DECLARATION} if self.of_builder else ())

    @cached_property
    def strings(self) -> frozenset[str]:
        """Every text that stands in the code between quotes."""
        nodes = ast.walk(self.tree)
        return frozenset(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))

    @cached_property
    def reads_beside(self) -> bool:
        """Whether it uses a name by which the files of its own package are found."""
        if _OWN_PLACE.isdisjoint(_WORD.findall(self.text)):
            return False
        names: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.alias):
                names.update(node.name.split("."))
            elif isinstance(node, ast.Attribute) and not node.attr.startswith("__"):
                names.add(node.attr)
        return not _OWN_PLACE.isdisjoint(names)

    def imports(self, *, miniature: bool) -> tuple[Import, ...]:
        """Imports of parts of medimg, in the order of the text.

        Args:
            miniature: also those that nothing but the miniature uses.
        """
        return self._every if miniature or not self.of_builder else self._of_rows

    @cached_property
    def _every(self) -> tuple[Import, ...]:
        return tuple(_imports(self, miniature=True))

    @cached_property
    def _of_rows(self) -> tuple[Import, ...]:
        return tuple(_imports(self, miniature=False))


_CODE: dict[Path, Module] = {}
_CONTENTS: dict[Path, tuple[bytes, str]] = {}
_PLACES: dict[str, Path | None] = {}
_TARGETS: dict[tuple[str, bool], tuple[str, ...]] = {}
_REACHED: dict[tuple[str, bool], frozenset[str]] = {}
_DATA: dict[Path, tuple[Path, ...]] = {}
_BESIDE: dict[str, tuple[Path, ...]] = {}
_WRITTEN: dict[str, str] = {}
_LOOKED: dict[Path, tuple[int, int] | None] = {}
"""Files and folders that all of this comes from, with time of change and size."""
_PACKAGES: dict[str, list[Path]] = {}


def refresh() -> None:
    """Look at the files again: until the next call, every text stays what it is now.

    So a run compares and records the code that it has loaded, also where somebody writes to it meanwhile.
    """
    same = all(_stamp(path) == stamp for path, stamp in _LOOKED.items())
    if same and all(_folders(package) == folders for package, folders in _PACKAGES.items()):
        return
    for held in (_CONTENTS, _PLACES, _TARGETS, _REACHED, _DATA, _BESIDE, _WRITTEN, _LOOKED, _PACKAGES):
        held.clear()
    for path, code in list(_CODE.items()):
        if _stamp(path) == code.stamp:
            _LOOKED[path] = code.stamp
        else:
            del _CODE[path]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _look(path: Path) -> tuple[int, int] | None:
    """Remember how a file or a folder is before it is read."""
    if path not in _LOOKED:
        _LOOKED[path] = _stamp(path)
    return _LOOKED[path]


def code(name: str) -> Module:
    """The module of this dotted name.

    Raises:
        ModuleNotFoundError: there is none.
    """
    path = place(name)
    if path is None:
        raise ModuleNotFoundError(f"there is no module {name}", name=name)
    if path not in _CODE:
        stamp = _look(path)
        _CODE[path] = Module(name, path, path.read_text("utf-8"), stamp)
    return _CODE[path]


def content(path: Path) -> bytes:
    """A data file, as it was when it was first looked at."""
    return _content(path)[0]


def content_digest(path: Path) -> str:
    """Its SHA-256."""
    return _content(path)[1]


def _content(path: Path) -> tuple[bytes, str]:
    if path not in _CONTENTS:
        _look(path)
        data = path.read_bytes()
        _CONTENTS[path] = data, hashlib.sha256(data).hexdigest()
    return _CONTENTS[path]


def reached(*names: str, miniature: bool = False) -> tuple[str, ...]:
    """Modules of medimg that these modules import, directly or through others, and they themselves; sorted.

    Args:
        names: dotted names.
        miniature: follow also what only the miniature of a builder uses.
    """
    found: set[str] = set()
    for name in names:
        if (name, miniature) not in _REACHED:
            _REACHED[name, miniature] = frozenset(_walk(name, miniature=miniature))
        found |= _REACHED[name, miniature]
    return tuple(sorted(found))


def _walk(start: str, *, miniature: bool) -> set[str]:
    found, pending = {start}, [start]
    while pending:
        name = pending.pop()
        if (name, miniature) not in _TARGETS:
            every = code(name).imports(miniature=miniature)
            _TARGETS[name, miniature] = tuple(dict.fromkeys(target for one in every for target in _targets(one)))
        new = set(_TARGETS[name, miniature]) - found
        found |= new
        pending += new
    return found


def _targets(one: Import) -> Iterator[str]:
    """The module that an import brings: the name where it is a module, else what it is taken from."""
    if one.name and place(inner := f"{one.package}.{one.name}"):
        yield inner
    elif one.package != ROOT and place(one.package):
        yield one.package


def beside(name: str) -> tuple[Path, ...]:
    """Data files that a module reads from its own package.

    Those below its folder that it names, or whose suffix it names; all of them where it names none.
    """
    if name not in _BESIDE:
        _BESIDE[name] = () if name in TABLES | GENERATED else _beside(code(name))
    return _BESIDE[name]


def _beside(module: Module) -> tuple[Path, ...]:
    if not module.reads_beside:
        return ()
    every = _data(module.path.parent)
    named = [path for path in every if any(path.name in text for text in module.strings)]
    patterns = [text for text in module.strings if not any(path.name in text for path in named)]
    by_suffix = [path for path in every if path.suffix and any(t.endswith(path.suffix) for t in patterns)]
    return tuple(dict.fromkeys(named + by_suffix)) or every


def digest(name: str) -> str:
    """Digest of a module as it is written, and of the data that it reads from its own package."""
    if name not in _WRITTEN:
        found = hashlib.sha256(code(name).text.encode())
        for path in beside(name):
            found.update(f"\0{path.name} {content_digest(path)}".encode())
        _WRITTEN[name] = found.hexdigest()
    return _WRITTEN[name]


def written(*names: str) -> str:
    """One digest of all that these modules reach, as it is written, data of their packages included."""
    found = hashlib.sha256()
    for name in reached(*names):
        found.update(f"{name} {digest(name)}\n".encode())
        if name in TABLES:
            for path in _data(code(name).path.parent):
                found.update(f"{path.name} {content_digest(path)}\n".encode())
    return found.hexdigest()


def _data(folder: Path) -> tuple[Path, ...]:
    """Files below a folder that are no code."""
    if folder not in _DATA:
        for each in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            _look(each)
        every = sorted(path for path in folder.rglob("*") if path.is_file())
        _DATA[folder] = tuple(path for path in every if path.suffix not in (".py", ".pyc", ".typed"))
    return _DATA[folder]


def place(name: str) -> Path | None:
    """The file of a module, None where there is no such module; nothing is imported but the package that holds it."""
    if name not in _PLACES:
        _PLACES[name] = next(_candidates(name), None)
    return _PLACES[name]


def _candidates(name: str) -> Iterator[Path]:
    package, _, last = name.rpartition(".")
    for folder in _places(package) if package else ():
        for path in (folder / f"{last}.py", folder / last / "__init__.py"):
            if _look(path.parent) and path.is_file():
                yield path
    if package == ROOT:  # builders and the like: packages below medimg that lie beside it in a clone
        yield from (path for folder in _places(name) if (path := folder / "__init__.py").is_file())


def _places(package: str) -> list[Path]:
    if package not in _PACKAGES:
        _PACKAGES[package] = _folders(package)
    return _PACKAGES[package]


def _folders(package: str) -> list[Path]:
    """Where the modules of a package are; in a clone, builders lie beside the core."""
    module = sys.modules.get(package)
    if module is not None:
        return [Path(each) for each in getattr(module, "__path__", ())]
    spec = importlib.util.find_spec(package)
    return [Path(each) for each in (spec.submodule_search_locations or ())] if spec else []


def _imports(module: Module, *, miniature: bool) -> Iterator[Import]:
    text = module.text
    if any("import" in line and _ODD.search(line) for line in text.splitlines()):
        text = ast.unparse(module.tree)  # one statement to a line
    if "TYPE_CHECKING" in text:
        text, _ = _without(text, _TYPES)
    every = list(_every(text, _package(module)))
    if miniature:
        yield from every
        return
    rest, drawn = _without(_IMPORT.sub("", text), _MINIATURE)
    rest, declared = _without(rest, _DECLARATION)
    used = set(_WORD.findall(rest))
    elsewhere = {MINIATURE, *_WORD.findall(drawn), *_WORD.findall(declared)} - used
    yield from (one for one in every if one.bound not in elsewhere)


def _every(text: str, package: str) -> Iterator[Import]:
    for found in _IMPORT.finditer(text):
        if found["package"]:
            origin = _absolute(found["package"], package)
            if origin.split(".")[0] != ROOT:
                continue
            for part in re.sub(r"#[^\n]*", "", found["names"]).strip("() \t\n").split(","):
                name, _, alias = (each.strip() for each in part.partition(" as "))
                if name == "*":
                    yield Import(origin, "", "")
                elif name:
                    yield Import(origin, name, alias or name)
        else:
            for part in found["modules"].split(","):
                name = part.strip().partition(" ")[0]
                if name.split(".")[0] == ROOT:
                    yield Import(name, "", "")
    for found in _BY_NAME.finditer(text):
        yield Import(found[1], "", "")


def _package(module: Module) -> str:
    return module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]


def _absolute(name: str, package: str) -> str:
    """Without leading dots."""
    dots = len(name) - len(name.lstrip("."))
    if not dots:
        return name
    parts = package.split(".")
    above = parts[: len(parts) - dots + 1]
    return ".".join([*above, *([name[dots:]] if name[dots:] else [])])


def _without(text: str, head: re.Pattern[str]) -> tuple[str, str]:
    """The text without the statements whose first line `head` matches, and these statements."""
    kept: list[str] = []
    taken: list[str] = []
    inside: int | None = None
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        if inside is not None and line.strip():
            closing = depth == inside and line.lstrip()[0] in ")]}"
            if depth <= inside and not closing:
                inside = None
        if inside is None and head.match(line):
            inside = depth
        (kept if inside is None else taken).append(line)
    return "\n".join(kept), "\n".join(taken)


def _code(source: str, *, without: Iterable[str]) -> str:
    """The code without docstrings, comments, layout, and the functions and assignments of these names."""
    dropped = set(without)
    tree = ast.parse(source)
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
