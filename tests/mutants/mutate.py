"""Small changes of a Python source, each of which some test should notice.

They are those that a hand makes by mistake: two legend values swapped, a number off by one or in another unit, a
comparison turned round, a check or a keyword lost. What is prose or provenance (titles, notes, evidence, addresses),
the code that writes miniatures, and type hints are left alone.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

PROSE = {
    "title", "aliases", "homepage", "citation", "sources", "how", "overlaps", "evidence", "notes", "version", "url",
    "doi", "venue", "authors", "year", "next_step", "reason", "problem",
}  # fmt: skip
"""Keyword arguments and names whose values no program acts on."""
UNITS = {"mm": "cm", "%": "1", "mL": "L", "um": "mm", "mo": "a", "d": "mo", "1": "%", "{letters}": "1"}
SPLITS = {"train": "test", "test": "train", "validation": "test"}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*", ast.Mod: "+", ast.BitAnd: "|",
    ast.BitOr: "&",
}  # fmt: skip
TYPES = {"Literal", "Callable", "Mapping", "Sequence", "tuple", "list", "dict", "set", "frozenset"}
MINIATURE = {"make", "inner"}
"""First parameters of functions that write a miniature."""


@dataclass(frozen=True)
class Mutant:
    """One changed source.

    Attributes:
        file: path of the source below the repository.
        name: `<file>::<where>::<what>`, the same as long as neither that place nor its like before it change.
        line: where it stands today.
        source: the whole text with the change.
    """

    file: str
    name: str
    line: int
    source: str

    @property
    def digest(self) -> str:
        """Of the changed text."""
        return hashlib.sha256(self.source.encode()).hexdigest()


@dataclass(frozen=True)
class _Change:
    start: int
    end: int
    text: str
    what: str
    line: int
    where: str


def mutants(file: str, text: str) -> list[Mutant]:
    """Every mutant of a source, in the order of their places."""
    data = text.encode()
    seen: Counter[str] = Counter()
    found, texts = [], set()
    for change in sorted(_Walk(text).changes(), key=lambda one: (one.start, one.end, one.what)):
        changed = (data[: change.start] + change.text.encode() + data[change.end :]).decode()
        if changed == text or changed in texts:
            continue
        texts.add(changed)
        label = f"{file}::{change.where}::{change.what}"
        seen[label] += 1
        name = label if seen[label] == 1 else f"{label} ({seen[label]})"
        found.append(Mutant(file, name, change.line, changed))
    return found


class _Walk:
    """Finds the changes of one source."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self.data = text.encode()
        self.starts = [0]
        for line in self.data.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def changes(self) -> Iterator[_Change]:
        for statement in self.tree.body:
            yield from self.visit(statement, _named(statement))

    def visit(self, node: ast.AST, where: str) -> Iterator[_Change]:
        if _left_alone(node):
            return
        yield from self.at(node, where)
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "type_comment", "bases"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.keyword):
                    if child.arg not in PROSE:
                        yield from self.visit(child.value, where)
                elif isinstance(child, ast.AST):
                    yield from self.visit(
                        child, f"{where}.{child.name}" if isinstance(child, ast.FunctionDef) else where
                    )

    def at(self, node: ast.AST, where: str) -> Iterator[_Change]:
        """Changes of this very node."""

        def change(place: ast.expr | ast.stmt, text: str, what: str) -> _Change:
            start, end = self.span(place)
            return _Change(start, end, text, what, place.lineno, where)

        def between(first: ast.expr, last: ast.expr, text: str, what: str) -> _Change:
            start, end = self.span(first)[0], self.span(last)[1]
            return _Change(start, end, text, what, first.lineno, where)

        if isinstance(node, ast.Dict) and len(node.values) > 1:
            yield from self.swapped(node.values, [_short(key) for key in node.keys], where)
        if isinstance(node, ast.Tuple | ast.List | ast.Set) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            if len(node.elts) > 1 and not any(isinstance(one, ast.Starred) for one in node.elts):
                for one, other in pairwise(node.elts):
                    kept = [self.segment(each) for each in node.elts if each is not one]
                    if not isinstance(one, ast.Constant) or isinstance(one.value, str):
                        yield between(node.elts[0], node.elts[-1], self.joined(node, kept), f"drop {_short(one)}")
                    if ast.dump(one) != ast.dump(other) and isinstance(node, ast.Tuple | ast.List):
                        yield from self.swapped([one, other], [_short(one), _short(other)], where)
        if isinstance(node, ast.Constant):
            for text, what in _constants(node.value):
                yield change(node, text, what)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = self.segment(node.left), self.segment(node.comparators[0])
            sign = COMPARISONS[type(node.ops[0])]
            yield change(node, f"({left} {sign} {right})", f"compare {_short(node)} by {sign}")
        if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC and not _of_text(node):
            sign = ARITHMETIC[type(node.op)]
            text = f"({self.segment(node.left)} {sign} {self.segment(node.right)})"
            yield change(node, text, f"{_short(node)} by {sign}")
        if isinstance(node, ast.BoolOp):
            sign = " or " if isinstance(node.op, ast.And) else " and "
            yield change(
                node,
                f"({sign.join(f'({self.segment(one)})' for one in node.values)})",
                f"{_short(node)} by{sign}",
            )
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
            yield change(node, self.segment(node.operand), f"{_short(node)} without its sign")
        if isinstance(node, ast.IfExp):
            text = f"({self.segment(node.orelse)} if {self.segment(node.test)} else {self.segment(node.body)})"
            yield change(node, text, f"swap {_short(node)}")
        if isinstance(node, ast.If | ast.While) and not isinstance(node.test, ast.Constant | ast.Compare | ast.UnaryOp):
            yield change(node.test, f"not ({self.segment(node.test)})", f"not {_short(node.test)}")
        if isinstance(node, ast.Raise | ast.Continue):
            yield change(node, "pass", f"drop {_short(node)}")
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield change(node, "pass", f"drop {_short(node)}")
        if isinstance(node, ast.Call):
            yield from self.call(node, where)

    def call(self, node: ast.Call, where: str) -> Iterator[_Change]:
        """Keywords lost, and arguments swapped."""
        told = [one for one in node.keywords if one.arg and one.arg not in PROSE]
        for keyword in told:
            if _callee(node) in ("Row", "Label", "Config", "Dataset") and not (
                _callee(node) == "Dataset"
                and keyword.arg in ("name", "dimension", "modality", "organ", "task", "splits")
            ):
                start, end = self.keyword(keyword)
                after = self.data[end:]
                end += len(after) - len(after.lstrip(b", \n"))
                yield _Change(start, end, "", f"drop {_callee(node)}({keyword.arg})", keyword.value.lineno, where)
        plain = [one for one in node.args if not isinstance(one, ast.Starred)]
        for one, other in pairwise(plain):
            if isinstance(one, ast.Name) and isinstance(other, ast.Name) and one.id != other.id:
                yield from self.swapped([one, other], [one.id, other.id], where)

    def joined(self, node: ast.Tuple | ast.List | ast.Set, kept: list[str]) -> str:
        """Elements in a row; a tuple of one keeps its comma."""
        after = self.data[self.span(node.elts[-1])[1] :].lstrip()
        single = isinstance(node, ast.Tuple) and len(kept) == 1 and not after.startswith(b",")
        return ", ".join(kept) + "," * single

    def swapped(self, nodes: list[ast.expr], names: list[str], where: str) -> Iterator[_Change]:
        """Neighbors change places."""
        for (one, name), (other, next_name) in pairwise(zip(nodes, names, strict=True)):
            (start, middle), (again, end) = self.span(one), self.span(other)
            if start >= again or self.segment(one) == self.segment(other):
                continue
            between = self.data[middle:again].decode()
            text = f"{self.segment(other)}{between}{self.segment(one)}"
            yield _Change(start, end, text, f"swap {name} and {next_name}", one.lineno, where)

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """First and last byte of a node, with the parentheses that `ast` does not count."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def keyword(self, node: ast.keyword) -> tuple[int, int]:
        """First and last byte of `name=value`."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def segment(self, node: ast.expr) -> str:
        start, end = self.span(node)
        text = self.data[start:end].decode()
        return f"({text})" if isinstance(node, ast.NamedExpr) else text


def _constants(value: object) -> Iterable[tuple[str, str]]:
    """Other constants, with what the change is called."""
    if isinstance(value, bool):
        yield repr(not value), f"{value} to {not value}"
    elif isinstance(value, int):
        yield repr(value + 1), f"{value} to {value + 1}"
    elif isinstance(value, float):
        yield repr(value * 1000), f"{value} to {value * 1000}"
    elif isinstance(value, str) and value in UNITS:
        yield repr(UNITS[value]), f"unit {value!r} to {UNITS[value]!r}"
    elif isinstance(value, str) and value in SPLITS:
        yield repr(SPLITS[value]), f"split {value!r} to {SPLITS[value]!r}"


def _left_alone(node: ast.AST) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # a docstring
    if isinstance(node, ast.FunctionDef):
        first = node.args.args[0].arg if node.args.args else ""
        return node.name == "miniature" or first in MINIATURE
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    if isinstance(node, ast.Call) and _callee(node) in (
        "Source",
        "Citation",
        "Evidence",
        "Overlap",
        "TypeVar",
    ):
        return True
    return isinstance(node, ast.Assign) and (
        _is_type(node.value) or any(_name(one).isupper() and _is_prose(node.value) for one in node.targets)
    )


def _of_text(node: ast.BinOp) -> bool:
    """Whether strings or dicts are joined: another sign fails whatever comes in."""
    kinds = (ast.JoinedStr, ast.Dict, ast.DictComp)
    return any(isinstance(one, kinds) or _is_prose(one) for one in (node.left, node.right))


def _is_type(node: ast.expr) -> bool:
    """Whether this names a type (`Literal["a", "b"]`, `tuple[float, ...]`): types are for the checker."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _is_type(node.left) or _is_type(node.right)
    return isinstance(node, ast.Subscript) and _name(node.value) in TYPES


def _is_prose(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _callee(node: ast.Call) -> str:
    return _name(node.func)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _named(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return _name(targets[0]) if targets else "module"


def _short(node: ast.AST | None) -> str:
    text = " ".join(ast.unparse(node).split()) if node is not None else "**"
    return text if len(text) <= 60 else f"{text[:45]}…{hashlib.sha256(text.encode()).hexdigest()[:6]}"
