"""Which builders there are. The one place that looks below `medimg.builders`, by name and only when asked."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from medimg.declaration import SLUG, Dataset
from medimg.errors import DeclarationError, UnknownDatasetError
from medimg.files import Files
from medimg.schema import Row, Skipped

PACKAGE = "medimg.builders"
COMMONS = re.compile(r"idc[/-]", re.IGNORECASE)
"""Start of the names of the collections in the Imaging Data Commons, which one builder makes of its index."""


@dataclass(frozen=True)
class Builder:
    """One builder: its declaration, its rows and its miniature.

    Attributes:
        module: the builder's module; of the Imaging Data Commons, an object with the same names for each collection.
    """

    module: Any

    @property
    def dataset(self) -> Dataset:
        """The frozen declaration."""
        dataset: Dataset = self.module.DATASET
        return dataset

    @property
    def name(self) -> str:
        """The slug."""
        return self.dataset.name

    @property
    def address(self) -> str:
        """The name by which `get` finds this builder again: the slug, or "idc/<collection>[?filters]"."""
        address: str = getattr(self.module, "ADDRESS", self.name)
        return address

    @property
    def description(self) -> str:
        """The module's docstring: the first paragraph of the card."""
        return inspect.cleandoc(self.module.__doc__ or "")

    @property
    def whole(self) -> bool:
        """Whether `rows` covers the whole source, whatever sub-collection is asked for."""
        return inspect.ismodule(self.module)

    def rows(self, files: Files, config: str | None = None) -> Iterator[Row | Skipped]:
        """Rows and skipped files, lazily; rows of other sub-collections than `config` may be among them."""
        hint = () if self.whole else (config,)
        rows: Iterator[Row | Skipped] = self.module.rows(files, *hint)
        return rows

    @property
    def miniature(self) -> Callable[[Any], None]:
        """Writes a phantom copy of the source in its original layout."""
        miniature: Callable[[Any], None] = self.module.miniature
        return miniature

    @property
    def source_module(self) -> str:
        """Dotted name of the module in which the builder is written."""
        own: str = self.module.__name__ if inspect.ismodule(self.module) else type(self.module).__module__
        return own

    @property
    def index(self) -> str:
        """Facts on which rows depend that stand neither in the code nor in the source; "" for most builders."""
        facts: str = getattr(self.module, "INDEX", "")
        return facts


def module_names() -> list[str]:
    """Builder module names; a leading underscore marks a family helper."""
    package = importlib.import_module(PACKAGE)
    return sorted(
        info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_")
    )


@functools.cache
def _load(module_name: str) -> Builder:
    try:
        module = importlib.import_module(f"{PACKAGE}.{module_name}")
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" if one["loc"] else one["msg"]
            for one in error.errors(include_context=False, include_url=False)
        ]
        told = [part for one in problems for part in one.removeprefix("Value error, ").split("; ")]
        raise DeclarationError(
            "the declaration is not complete:"
            + "".join(f"\n  - {one}" for one in dict.fromkeys(told))
            + "\n",
            dataset=slug(module_name),
            next_step="See docs/contributing.md.",
        ) from None
    for part in ("DATASET", "rows", "miniature"):
        if not hasattr(module, part):
            raise DeclarationError(
                f"the builder has no `{part}`",
                dataset=slug(module_name),
                next_step="See docs/contributing.md.",
            )
    return Builder(module)


def module_name(slug: str) -> str:
    """File name of a builder: dashes become underscores; a leading digit gets a `d` in front."""
    name = slug.replace("-", "_")
    return f"d{name}" if name[0].isdigit() else name


def slug(module_name: str) -> str:
    """The slug of a builder's file: the other way round."""
    return re.sub(r"^d(?=\d)", "", module_name).replace("_", "-")


def _key(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def builders() -> list[Builder]:
    """Every builder, by name."""
    return sorted((_load(name) for name in module_names()), key=lambda builder: builder.name)


def get(name: str) -> Builder:
    """The builder of this slug or alias; case, spaces, dashes and underscores do not matter.

    "medimg/<slug>", as on the Hub, is the same.

    "idc/<collection>", narrowed down or not ("idc/nlst?modality=CT"), is any collection of the Imaging Data Commons.

    Raises:
        UnknownDatasetError: with the closest names.
        MissingExtraError: a collection was asked for, and the index of the Commons is not installed.
    """
    name = name.removeprefix("medimg/")
    if COMMONS.match(name):
        return Builder(importlib.import_module(f"{PACKAGE}._idc").find(name))
    if SLUG.fullmatch(name) and importlib.util.find_spec(f"{PACKAGE}.{module_name(name)}"):
        return _load(module_name(name))
    wanted = _key(name)
    known: dict[str, Builder] = {}
    for builder in builders():
        for text in (builder.name, builder.dataset.title, *builder.dataset.aliases):
            known.setdefault(_key(text), builder)
    if wanted in known:
        return known[wanted]
    close = [known[key].name for key in difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)]
    hint = f"did you mean {', '.join(dict.fromkeys(close))}?" if close else "`medimg list` shows every name."
    raise UnknownDatasetError(f"there is no dataset {name!r}", next_step=hint)


def names() -> list[str]:
    """The slugs of all datasets."""
    return [builder.name for builder in builders()]
