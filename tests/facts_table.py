"""What is known from outside the builders: of each dataset `facts/<slug>.yaml`, of licenses `facts/_licenses.yaml`.

Builders and this table have different authors and sources; neither imports the other. `test_facts.py` holds the
builders against it, and says what each key means.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "facts"


class _Strict(yaml.SafeLoader):
    """A key that comes twice is an error: of two facts one would be lost."""


def _mapping(loader: _Strict, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    assert not twice, f"{node.start_mark}: {twice} twice"
    return {
        key: loader.construct_object(value, deep=True)
        for key, (_, value) in zip(keys, node.value, strict=True)
    }


_Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(path: Path) -> Any:
    """One file of facts."""
    return yaml.load(path.read_text("utf-8"), Loader=_Strict)


FACTS: dict[str, dict[str, Any]] = {path.stem: load(path) for path in sorted(FOLDER.glob("[!_]*.yaml"))}
"""Slug -> facts."""
LICENSES: dict[str, dict[str, Any]] = load(FOLDER / "_licenses.yaml")
"""License id -> verdict and terms."""
