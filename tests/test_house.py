"""The picture in docs/architecture.md is that of the code: every module has one room, every arrow is an import."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
FOLDERS = ("medimg", "builders", "cards", "hub_sync")


@functools.cache
def modules() -> dict[str, Path]:
    """Dotted name, as it is imported -> file."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = [*path.relative_to(ROOT).with_suffix("").parts]
            if parts[-1] == "__init__":
                parts.pop()
            found[".".join(parts if folder == "medimg" else ["medimg", *parts])] = path
    return found


@functools.cache
def rooms() -> dict[str, str]:
    """Room -> what the page says of where it is, in the order of the page."""
    return dict(re.findall(r"^\| \*\*([\w ]+)\*\* \| (.+?) \|", PAGE, re.M))


@functools.cache
def room_of() -> dict[str, str]:
    """Module -> its room. A folder is all below it that no other line names."""
    places: dict[str, str] = {}
    for room, where in rooms().items():
        for place in re.findall(r"`([\w/.]+)`", where):
            assert (ROOT / place).exists(), f"{place} of the room {room} is not there"
            assert places.setdefault(place.rstrip("/"), room) == room, f"{place} is in two rooms"
    found = {}
    for name, path in modules().items():
        own = path.relative_to(ROOT).as_posix()
        inside = [place for place in places if own == place or own.startswith(f"{place}/")]
        assert inside, f"{own} is in no room of docs/architecture.md"
        found[name] = places[max(inside, key=len)]
    return found


def imports(path: Path) -> set[str]:
    """Modules of medimg that a module names in an import, at the top, within functions or for types."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in modules()}
        elif isinstance(node, ast.ImportFrom) and node.module in modules():
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & modules().keys()) or {node.module}
    return found


@functools.cache
def arrows() -> frozenset[tuple[str, str]]:
    """(room, room that it imports)."""
    every = room_of()
    return frozenset(
        (every[name], every[target])
        for name, path in modules().items()
        if name != "medimg"
        for target in imports(path) - {"medimg"}
        if every[name] != every[target]
    )


def below(room: str, edges: frozenset[tuple[str, str]]) -> set[str]:
    found: set[str] = set()
    new = {target for source, target in edges if source == room}
    while new:
        found |= new
        new = {target for source, target in edges if source in new} - found
    return found


def test_rooms_have_no_circle() -> None:
    assert not [room for room in rooms() if room in below(room, arrows())]


def test_modules_have_no_circle() -> None:
    edges = {name: imports(path) - {name} for name, path in modules().items()}
    leaves = {name for name, targets in edges.items() if not targets}
    while leaves:
        edges = {name: targets - leaves for name, targets in edges.items() if name not in leaves}
        leaves = {name for name, targets in edges.items() if not targets}
    assert not edges, f"in a circle, or above one: {sorted(edges)}"


def test_the_picture_is_that_of_the_imports() -> None:
    """The picture leaves out arrows that others imply: A -> C where there are A -> B and B -> C."""
    real = arrows()
    needed = {
        (room, target)
        for room, target in real
        if not any(target in below(other, real) for source, other in real if source == room and other != target)
    }
    drawn = {(a.replace("_", " "), b.replace("_", " ")) for a, b in re.findall(r"^ +(\w+) --> (\w+)$", PAGE, re.M)}
    assert drawn == needed, f"to add: {sorted(needed - drawn)}; to remove: {sorted(drawn - needed)}"


def test_the_page_names_what_is_there() -> None:
    """Functions of the walks, as a file and a name, are where the page says."""
    for where, name in re.findall(r"`((?:medimg|builders|cards|hub_sync)/[\w/]+\.py)` `([\w.]+)`", PAGE):
        tree = ast.parse((ROOT / where).read_text("utf-8"))
        first, *rest = name.split(".")
        found = [n for n in tree.body if getattr(n, "name", None) == first]
        assert found, f"{where} has no {first}"
        if rest:
            assert any(getattr(n, "name", None) == rest[0] for n in found[0].body), f"{where} has no {name}"
