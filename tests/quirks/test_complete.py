"""Every quirk of the roster is tested, refuted with evidence, or said to be in no file."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

from medimg import registry

HERE = Path(__file__).parent
ROSTER = HERE.parents[1].parent / "shared" / "roster"


@pytest.mark.parametrize("name", registry.names())
def test_every_quirk_is_accounted_for(name: str) -> None:
    path = ROSTER / f"{name}.yaml"
    if not path.is_file():
        pytest.skip("the roster (../shared/roster) is not here")
    quirks = yaml.safe_load(path.read_text("utf-8")).get("quirks") or []
    module_name = f"test_{registry.module_name(name)}"
    if not quirks and not (HERE / f"{module_name}.py").exists():
        return
    module = importlib.import_module(module_name)
    tested = {
        number
        for value in vars(module).values()
        for mark in getattr(value, "pytestmark", [])
        if mark.name == "quirk"
        for number in mark.args
    }
    told = {**getattr(module, "REFUTED", {}), **getattr(module, "NOT_IN_FILES", {})}
    assert not tested & told.keys(), "tested and told away"
    assert all(len(reason) > 20 for reason in told.values()), "a reason, with its evidence"
    assert tested | told.keys() == set(range(1, len(quirks) + 1))
