"""A second collection source: one line, and one folder with what the protocol asks for (tests/toys)."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import medimg as command

import medimg
from medimg import builders, collections, imports, registry
from medimg.collections import Registered
from medimg.errors import UnknownDatasetError
from medimg.phantom import Phantom

COLLECTIONS = ("hands", "feet")


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The package beside the builders, and its line."""
    shutil.copytree(Path(__file__).parent / "toys", tmp_path / "builders" / "toys")
    with monkeypatch.context() as patched:
        patched.setattr(builders, "__path__", [*builders.__path__, str(tmp_path / "builders")])
        patched.setitem(collections.SOURCES, "toy", Registered("Toy Archive", "medimg.builders.toys"))
        patched.setenv("TOYS", str(tmp_path / "shelf"))
        imports.refresh()
        for name in COLLECTIONS:
            registry.get(f"toy/{name}").miniature(Phantom(tmp_path / "shelf" / name))
        yield
    for name in [name for name in sys.modules if name.startswith("medimg.builders.toys")]:
        del sys.modules[name]
    imports.refresh()


def test_it_is_found_by_any_of_its_names() -> None:
    builder = registry.get("toy/hands")
    assert builder.name == "toy-hands" and builder.address == "toy/hands" and builder.index == "X-ray"
    assert registry.get("toy-hands").dataset == registry.get("TOY/hands").dataset == builder.dataset
    assert registry.entry("toy/hands").declared["title"] == "Toy hands"
    with pytest.raises(UnknownDatasetError, match="toy/hands"):
        registry.get("toy/noses")
    assert "toy-hands" not in medimg.names(), "the roster names builders alone"


def test_it_is_listed(tmp_path: Path) -> None:
    listed = command("list", "--collections", "toy", "--json", cwd=tmp_path).stdout
    assert [one["name"] for one in json.loads(listed)] == ["toy/hands", "toy/feet"]
    narrowed = command("list", "--collections", "toy", "--organ", "hand", cwd=tmp_path).stdout
    assert "toy/hands" in narrowed and "toy/feet" not in narrowed and "(index 3.1)" in narrowed
    assert "one of: idc, toy" in command("list", "--collections", "nobody", cwd=tmp_path).stderr


@pytest.mark.parametrize("source", ["miniature", "official", "toy://hands"])
def test_it_loads(source: str) -> None:
    rows = list(medimg.load("toy/hands", source=source, split="train", streaming=True))
    assert [row["subject"] for row in rows] == ["hands_a", "hands_b"]
    assert {row["dataset"] for row in rows} == {"toy-hands"}


def test_it_is_published_and_unchanged_by_a_second_run(tmp_path: Path) -> None:
    from medimg.hub_sync.hub.serve import EmbeddedHub
    from medimg.hub_sync.pushing.client import Hub
    from medimg.hub_sync.sync import sync

    with EmbeddedHub(tmp_path / "hub") as running:
        hub = Hub(running.url, "toys")
        (result,) = sync(["toy/hands"], hub)
        assert (result.status, result.rows) == ("published", 2)
        assert [one.status for one in sync(["toy-hands"], hub)] == ["unchanged"]


def test_it_is_a_member_of_a_fused_set() -> None:
    rows = medimg.fuse(["toy/hands", "toy/feet"], targets=["fracture"], split="train", source="miniature")
    assert {row["provenance"]["member"] for row in rows} == {"toy-hands", "toy-feet"}
