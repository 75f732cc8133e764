"""What is known from outside the builders: of each dataset `facts/<slug>.yaml`, of licenses `facts/_licenses.yaml`.

Builders and this table have different authors and sources; neither imports the other. `test_facts.py` holds the
builders against it, and says what each key means.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "facts"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Strict(_Loader):  # type: ignore[misc]
    """A key that comes twice is an error: of two facts one would be lost."""


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    assert not twice, f"{node.start_mark}: {twice} twice"
    values = [loader.construct_object(value, deep=True) for _, value in node.value]
    return dict(zip(keys, values, strict=True))


_Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


@functools.cache
def load(path: Path) -> Any:
    """One file of facts."""
    return yaml.load(path.read_text("utf-8"), Loader=_Strict)


class _Table(Mapping[str, dict[str, Any]]):
    """Slug -> facts; each file is read when it is asked for."""

    def __getitem__(self, slug: str) -> dict[str, Any]:
        path = FOLDER / f"{slug}.yaml"
        if slug.startswith("_") or not path.is_file():
            raise KeyError(slug)
        found: dict[str, Any] = load(path)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(path.stem for path in FOLDER.glob("[!_]*.yaml")))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def having(self, key: str) -> list[str]:
        """Slugs in whose file the key stands, without reading them all as YAML."""
        return [slug for slug in self if f"{key}:" in (FOLDER / f"{slug}.yaml").read_text("utf-8")]


FACTS = _Table()
LICENSES: dict[str, dict[str, Any]] = load(FOLDER / "_licenses.yaml")
"""License id -> verdict and terms."""
