"""Collection sources: indexes of which many datasets are made, each called `<prefix>/<collection>[?filters]`.

A source is one line in `SOURCES` and one package, with the names of `registry.CollectionSource` and a module `files`,
whose class `FileSystem` opens `<prefix>://<collection>/…` for fsspec.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Registered(NamedTuple):
    """A collection source: its title, as in a sentence behind "the", and its package."""

    title: str
    package: str


SOURCES = {"idc": Registered("Imaging Data Commons", "medimg.builders.idc")}
"""By the prefix of its names, which is the extra with what it needs, too."""


class Holding(NamedTuple):
    """What a source holds of one collection.

    Attributes:
        name: `<prefix>/<collection>`.
        modalities: as the source writes them.
        organs: as the source writes them, or places of tumors.
        licenses: SPDX ids.
    """

    name: str
    title: str
    series: int
    images: int
    gigabytes: float
    modalities: tuple[str, ...]
    licenses: tuple[str, ...]
    subjects: int
    organs: tuple[str, ...]


def split(name: str) -> tuple[str, str] | None:
    """(prefix, collection with its filters) of `<prefix>/<collection>` or of a slug; None for other datasets."""
    prefix, *rest = re.split("[/-]", name, maxsplit=1)
    return (prefix.lower(), rest[0]) if rest and prefix.lower() in SOURCES else None


def without_slash(name: str) -> str:
    """The name with its prefix as in a slug: what follows the next slash is a sub-collection."""
    found = split(name)
    return "-".join(found) if found else name


def of_address(url: str) -> str | None:
    """The prefix of an address below a collection source; None for all others."""
    scheme, mark, _ = url.partition("://")
    return scheme if mark and scheme in SOURCES else None


def files_module(prefix: str) -> str:
    """Dotted name of the module with the file system of a source."""
    return f"{SOURCES[prefix].package}.files"
