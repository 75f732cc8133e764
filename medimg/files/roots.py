"""The root of a source: its files as they lie there, archives unopened."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from medimg import collections
from medimg.errors import MedimgError, SourceError
from medimg.files import local, remote
from medimg.files.blobs import Handles, html_error, other_kind
from medimg.files.checksums import Checks, Declared
from medimg.files.file import Item
from medimg.files.limits import Budget
from medimg.files.local import LocalFile
from medimg.files.names import archive_kind, lower_suffix, natural_key, sniff, split_name
from medimg.files.remote import RemoteFile


class Root:
    """A folder, an archive, an address of either, or a dataset's declared sources.

    Attributes:
        dataset: slug, for messages.
        budget: what archives may expand to, and have.
        checks: what the declaration states of the files.
        single: the root is one file.
        notes: (path, reason) of what is there and no file: links to nowhere, devices.
        lock: held while anything is listed.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Sequence[Declared],
        declared: Sequence[Declared],
        dataset: str | None,
        options: Mapping[str, Any],
        budget: Budget,
        checks: Checks,
    ) -> None:
        self.dataset = dataset
        self.budget = budget
        self.checks = checks
        self.single = False
        self.notes: list[tuple[str, str]] = []
        self.lock = threading.RLock()
        self._options = options
        self._handles = Handles()
        self._place: str | Path | None = None
        """None: the declared files."""
        self._items: list[LocalFile | RemoteFile] | None = None
        if isinstance(source, str) and source.startswith("file://"):
            self._place = Path(unquote(urlsplit(source).path))
        elif isinstance(source, str) and ("://" in source or "::" in source):
            self._place = source
        elif isinstance(source, str | os.PathLike):
            self._place = local.expanded(source, dataset)
        elif not isinstance(source, str):
            declared = source
        self._declared = [one for one in declared if one.kind == "file"]
        if self._place is None and not self._declared:
            raise SourceError(
                "declares no file that can be fetched",
                dataset=dataset,
                next_step="see `how` on the dataset's card, and pass your own copy as source=",
            )
        if isinstance(self._place, Path):
            if not local.exists(self._place):
                raise SourceError(
                    "does not exist, or may not be looked at",
                    dataset=dataset,
                    file=str(self._place),
                    next_step="pass the folder or archive that you downloaded, or an address",
                )
            checks.wanted = checks.wanted and not local.is_phantom(self._place)
            if self._declared:
                with self.named():
                    self.items()  # compares sizes before anything is read

    def close(self) -> None:
        """Let go of open files."""
        self._handles.close()

    @contextmanager
    def named(self, file: str | None = None) -> Iterator[None]:
        """Errors within name dataset and file."""
        try:
            yield
        except MedimgError as error:
            root = self._place.name if isinstance(self._place, Path) else None
            raise error.within(dataset=self.dataset, file=file or root) from error.__cause__

    def items(self) -> list[LocalFile | RemoteFile]:
        """All files, in natural order."""
        with self.lock:
            if self._items is None:
                items: list[LocalFile | RemoteFile]
                if self._place is None:
                    items = [item for source in self._declared for item in self._fetched(source)]
                    self.single = False
                else:
                    items = self._at(self._place, "")
                    self._claim(items)
                items.sort(key=lambda item: natural_key(item.path))
                self._items = items
            return self._items

    def states(self) -> list[tuple[str, int | None, str]]:
        """(path, size, token) of all files: what tells cheaply whether any of them changed."""
        return [(item.path, item.size, item.token) for item in self.items()]

    def kind(self, item: Item) -> str | None:
        """Kind of archive of the root's only file; where its name says nothing, its first bytes do."""
        kind = archive_kind(item.path)
        if kind is None and not split_name(item.path)[1]:
            found = sniff(item.blob().read_at(0, 512))
            if found == "html":
                raise html_error()
            if found in ("7z", "rar"):
                raise other_kind(found)
            return found
        return kind

    def _at(self, place: str | Path, path: str) -> list[LocalFile | RemoteFile]:
        """What lies at a place, standing at `path` of the view."""
        if isinstance(place, Path):
            self.single = not place.is_dir()
            if self.single:
                return [local.single(path or place.name, place, self._handles)]
            return list(local.walk(place, lambda *note: self.notes.append(note), self._handles))
        one = remote.single(place, path, self._options, self.budget)
        self.single = one is not None
        return [one] if one is not None else list(remote.below(place, path, self._options, self.budget))

    def _fetched(self, source: Declared) -> list[LocalFile | RemoteFile]:
        path = source.path or remote.last_part(source.url)
        place: str | Path = source.url
        if "://" not in source.url:
            place = local.expanded(source.url, self.dataset)
            if not local.exists(place):
                raise SourceError("does not exist", file=source.url, next_step="pass the file's address or path")
        items = self._at(place, path)
        if len(items) == 1 and items[0].path == path:
            self.checks.state(source, items[0])
        return items

    def _claim(self, items: Sequence[LocalFile | RemoteFile]) -> None:
        by_path = {lower_suffix(item.path): item for item in items}
        by_name = {lower_suffix(item.path.rpartition("/")[2]): item for item in reversed(items)}
        for source in self._declared:
            name = lower_suffix(source.path or remote.last_part(source.url))
            item = by_path.get(name) or by_name.get(name.rpartition("/")[2])
            if item is not None:
                self.checks.state(source, item)

    def collection(self) -> CollectionListing | None:
        """The root where that is a collection (`idc://`) and nothing else."""
        urls = [one.url for one in self._declared] if self._place is None else [str(self._place)]
        if len(urls) != 1 or not collections.of_address(urls[0]):
            return None
        return CollectionListing(*remote.filesystem(urls[0], self._options), urls[0], self)


class CollectionListing(NamedTuple):
    """A tree of folders that is listed folder by folder, as far as it is asked for."""

    fs: Any
    where: str
    url: str
    root: Root

    def version(self) -> str:
        """Changes with what the collection holds."""
        with self.root.named():
            return str(remote.retry(lambda: self.fs.ukey(self.where), self.url))

    def folders(self) -> Iterator[list[RemoteFile]]:
        """The files of each folder that holds any, in natural order."""
        base = self.where
        files, inner = self._entries(base)
        while not files and len(inner) == 1:  # as the view strips what holds everything
            base = inner[0]
            files, inner = self._entries(base)
        yield from self._below(base, base + "/")

    def _below(self, folder: str, base: str) -> Iterator[list[RemoteFile]]:
        files, inner = self._entries(folder)
        if files:
            yield [
                RemoteFile(
                    info["name"].removeprefix(base),
                    info["size"],
                    remote.version(info),
                    self.url,
                    self.fs,
                    info["name"],
                    info,
                    self.root.budget,
                )
                for info in sorted(files, key=lambda one: natural_key(one["name"]))
            ]
        for one in inner:
            yield from self._below(one, base)

    def _entries(self, folder: str) -> tuple[list[dict[str, Any]], list[str]]:
        with self.root.named():
            listed = remote.retry(lambda: self.fs.ls(folder, detail=True), self.url)
        files = [one for one in listed if one["type"] == "file"]
        return files, sorted((one["name"] for one in listed if one["type"] != "file"), key=natural_key)
