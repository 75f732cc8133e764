"""Which builders and collection sources there are. The one place that looks below `medimg.builders`, when asked."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, cast

from medimg import collections, imports, index
from medimg.collections import Holding
from medimg.errors import DeclarationError, UnknownDatasetError
from medimg.index import IndexEntry

if TYPE_CHECKING:
    from medimg.declaration import Dataset
    from medimg.files import Files
    from medimg.schema import Row, Skipped

PACKAGE = "medimg.builders"
_PLAIN = re.compile(r"[a-z0-9][a-z0-9-]*")


class Collection(Protocol):
    """One collection of a source, in the place of a builder's module.

    Attributes:
        ADDRESS: `<prefix>/<collection>[?filters]`.
        DATASET: its declaration.
        INDEX: facts on which rows depend that stand neither in the code nor in what is read.
    """

    ADDRESS: str
    DATASET: Dataset
    INDEX: str

    def rows(self, files: Files, config: str | None) -> Iterator[Row | Skipped]:
        """Rows and skipped files of one config, or of all."""

    def miniature(self, make: Any) -> None:
        """Write a phantom copy in the original layout."""


class CollectionSource(Protocol):
    """The package of a collection source."""

    def find(self, name: str) -> Collection:
        """The collection of a name without the prefix; an UnknownDatasetError names the closest."""

    def holdings(self) -> Iterable[Holding]:
        """Every collection."""

    def version(self) -> str:
        """Of the index."""

    def listed(self) -> Iterable[Any]:
        """What the catalogue says of each collection (`medimg.catalogue.making.said.Said`)."""


@dataclass(frozen=True)
class Builder:
    """One builder: its declaration, its rows and its miniature.

    Attributes:
        module: the builder's module, or a collection.
    """

    module: ModuleType | Collection

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
        """The name by which `get` finds this builder again: the slug, or `<prefix>/<collection>[?filters]`."""
        address: str = getattr(self.module, "ADDRESS", self.name)
        return address

    @property
    def description(self) -> str:
        """The module's docstring: the first paragraph of the card."""
        return inspect.cleandoc(self.module.__doc__ or "")

    @property
    def whole(self) -> bool:
        """Whether `rows` covers the whole source, whatever config is asked for."""
        return inspect.ismodule(self.module)

    def rows(self, files: Files, config: str | None = None) -> Iterator[Row | Skipped]:
        """Rows and skipped files, lazily; rows of other configs than `config` may be among them."""
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


def places() -> list[str]:
    """The folders in which builders are looked for."""
    return list(importlib.import_module(PACKAGE).__path__)


def look_in(folders: Iterable[str]) -> None:
    """Look for builders in these folders, too."""
    path = importlib.import_module(PACKAGE).__path__
    path.extend(folder for folder in folders if folder not in path)


def module_names() -> list[str]:
    """Builder module names; a leading underscore marks a helper, a package is a collection source."""
    package = importlib.import_module(PACKAGE)
    found = pkgutil.iter_modules(package.__path__)
    return sorted(info.name for info in found if not info.ispkg and not info.name.startswith("_"))


@functools.cache
def _load(module_name: str) -> Builder:
    from pydantic import ValidationError

    try:
        module = importlib.import_module(f"{PACKAGE}.{module_name}")
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" if one["loc"] else one["msg"]
            for one in error.errors(include_context=False, include_url=False)
        ]
        told = [part for one in problems for part in one.removeprefix("Value error, ").split("; ")]
        raise DeclarationError(
            "the declaration is not complete:" + "".join(f"\n  - {one}" for one in dict.fromkeys(told)) + "\n",
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


def entries() -> list[IndexEntry]:
    """Every dataset at a glance, by name: from the index, or from the builder where that says something else by now."""
    return sorted((_entry(module) for module in module_names()), key=lambda entry: entry.name)


def unlisted() -> list[str]:
    """Datasets that the index does not have as their builders say: for them, each run imports the builder."""
    written = index.written()
    return sorted(
        slug(module) for module in module_names() if module not in written or written[module].mark != _mark(module)
    )


def entry_of(builder: Builder) -> IndexEntry:
    """A dataset at a glance."""
    from medimg import licenses

    dataset = builder.dataset
    module = builder.source_module.removeprefix(f"{PACKAGE}.")
    ids = dict.fromkeys([dataset.license, *(each.license for each in dataset.configs if each.license)])
    terms = (licenses.get(id_) for id_ in ids)
    return IndexEntry(
        module=module,
        mark=_mark(module),
        description=builder.description,
        declared=dataset.model_dump(mode="json"),
        publish=dataset.publish.value,
        licenses={
            each.id: {
                **each.model_dump(mode="json", exclude={"id", "evidence"}),
                "publish": each.publish.value,
            }
            for each in terms
        },
    )


def _entry(module: str) -> IndexEntry:
    written = index.written().get(module)
    if written is not None and written.mark == _mark(module):
        return written
    return entry_of(_load(module))


@functools.cache
def _mark(module: str) -> str:
    return index.mark(module, _text)


@functools.cache
def _text(module: str) -> str | None:
    """The text of a module of builders; None where there is no such file."""
    path = imports.place(f"{PACKAGE}.{module}")
    return None if path is None else path.read_text("utf-8")


def source(prefix: str) -> CollectionSource:
    """The collection source of this prefix."""
    return cast(CollectionSource, importlib.import_module(collections.SOURCES[prefix].package))


def get(name: str) -> Builder:
    """The builder of this slug or alias; case, spaces, dashes and underscores do not matter.

    "medimg/<slug>", as on the Hub, is the same.

    "idc/<collection>", narrowed down or not ("idc/nlst?modality=CT"), is any collection of a collection source.

    Raises:
        UnknownDatasetError: with the closest names.
        MissingExtraError: a collection was asked for, and the index of its source is not installed.
    """
    name = name.removeprefix("medimg/")
    if found := collections.split(name):
        return Builder(source(found[0]).find(found[1]))
    if _PLAIN.fullmatch(name) and importlib.util.find_spec(f"{PACKAGE}.{module_name(name)}"):
        return _load(module_name(name))
    return _load(_find(name).module)


def entry(name: str) -> IndexEntry:
    """A dataset at a glance, by what `get` takes, and with its errors."""
    name = name.removeprefix("medimg/")
    if collections.split(name):
        return entry_of(get(name))
    if _PLAIN.fullmatch(name) and importlib.util.find_spec(f"{PACKAGE}.{module_name(name)}"):
        return _entry(module_name(name))
    return _find(name)


def _find(name: str) -> IndexEntry:
    """The dataset of this alias or title."""
    wanted = _key(name)
    known: dict[str, IndexEntry] = {}
    for each in entries():
        for text in each.called():
            known.setdefault(_key(text), each)
    if wanted in known:
        return known[wanted]
    close = [known[key].name for key in difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)]
    hint = f"did you mean {', '.join(dict.fromkeys(close))}?" if close else "`medimg list` shows every name."
    raise UnknownDatasetError(f"there is no dataset {name!r}", next_step=hint)


def names() -> list[str]:
    """The slugs of all datasets."""
    return [each.name for each in entries()]
