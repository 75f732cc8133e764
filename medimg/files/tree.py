"""The tree of a source: archives expanded in place, doubled folders and the one that holds everything stripped."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from medimg.errors import ArchiveError
from medimg.files import remote
from medimg.files.archives import Archive, open_archive
from medimg.files.blobs import Blob
from medimg.files.file import Item
from medimg.files.names import archive_kind, split_name
from medimg.files.remote import RemoteFile
from medimg.files.roots import Root

_ROOT = "//"
"""Stands for the path of the root where the root is an archive."""


class Found(NamedTuple):
    """A file of the tree: how many archives it lies in, and the path of the innermost."""

    path: str
    item: Item
    depth: int
    holder: str


class _Opened:
    """An archive of the view; `item` is kept so that its id stays its own."""

    def __init__(self, item: Item, blob: Blob, archive: Archive) -> None:
        self.item = item
        self.blob = blob
        self.archive = archive
        self.doubled: bool | None = None
        self.noted = False


class Tree:
    """All files of a root and of the archives in it.

    Attributes:
        strip: folders that hold everything and are no part of any path; None while that is not known.
    """

    def __init__(self, root: Root) -> None:
        self.root = root
        self.strip: list[str] | None = None
        self._archives: dict[int, _Opened] = {}

    def close(self) -> None:
        """Let go of open files. Reading on opens them again."""
        self.root.close()
        for opened in self._archives.values():
            opened.blob.close()

    def listed(self) -> list[Found]:
        """All files, in the archives' order; what lies there unpacked, too, is taken from the unpacked ones.

        Raises:
            ArchiveError: two archives hold a file of one path.
        """
        found: dict[str, Found] = {}
        for one in self._walk(once=False):
            old = found.get(one.path)
            if old is None or one.depth < old.depth:
                found[one.path] = one
            elif one.depth == old.depth:
                raise ArchiveError(
                    f"comes from both {old.holder!r} and {one.holder!r}",
                    file=one.path,
                    next_step="pass only one of the two archives",
                )
        strip = _common(found)
        if self.strip is None:
            self.strip = strip
        elif self.strip != strip:
            self.root.notes.append(("/".join(self.strip), f"taken for the root in one pass; it is {'/'.join(strip)!r}"))
        return list(found.values())

    def once(self) -> Iterator[Found] | None:
        """The same in one pass, if there are compressed tars that are not listed yet."""
        with self.root.named():
            lazy = self._guess()
        return self._first_of_each() if lazy else None

    def _first_of_each(self) -> Iterator[Found]:
        seen: set[str] = set()
        for found in self._walk(once=True):
            if found.path not in seen:
                seen.add(found.path)
                yield found

    def path(self, found: Found) -> str:
        """Its path, without what is stripped."""
        lead = "/".join(self.strip or ()) + "/"
        return found.path.removeprefix(lead) if len(lead) > 1 else found.path

    def fingerprint(self) -> str:
        """Digest over the files of the root: paths, sizes and versions; of a zip the sums of its members."""
        digest = hashlib.sha256()
        for item in sorted(self.root.items(), key=lambda one: one.path):
            single, token = self.root.single, item.token
            if (self.root.kind(item) if single else archive_kind(item.path)) == "zip":
                members = hashlib.sha256()
                for member in self._open(item, item.path, 1).archive:
                    members.update(f"{member.path}\0{member.size}\0{member.token}\n".encode())
                token = members.hexdigest()
            digest.update(f"{'' if single else item.path}\0{item.size}\0{token}\n".encode())
        return digest.hexdigest()

    def _open(self, item: Item, path: str, depth: int) -> _Opened:
        with self.root.lock:
            if (opened := self._archives.get(id(item))) is None:
                if depth > self.root.budget.limits.depth:
                    raise ArchiveError(
                        f"archives are nested more than {self.root.budget.limits.depth} deep",
                        file=path,
                        next_step="unpack the outer archive once and pass the folder",
                    )
                kind = archive_kind(path) or self.root.kind(item)
                assert kind is not None
                if isinstance(item, RemoteFile):
                    remote.refuse_page(item.path, item.info)
                blob = item.blob()
                opened = _Opened(item, blob, open_archive(blob, kind, self.root.budget))
                opened.archive.version = item.token
                self._archives[id(item)] = opened
            return opened

    def _expand(self, item: Item, path: str, depth: int, once: bool) -> Iterator[Found]:
        """Files of the archive at `path`; `once` takes decisions without listing compressed tars."""
        prefix = "" if path == _ROOT else split_name(path)[0]
        stem = prefix.rpartition("/")[2] + "/"
        with self.root.named(item.path if path == _ROOT else path):
            self.root.checks.check(item)
            opened = self._open(item, item.path if path == _ROOT else path, depth)
            archive = opened.archive
            if opened.doubled is None:
                if path == _ROOT:
                    opened.doubled = False
                elif once and archive.lazy and not archive.complete:
                    first = next(iter(archive), None)
                    opened.doubled = first is not None and first.path.startswith(stem)
                else:
                    opened.doubled = all(member.path.startswith(stem) for member in archive)
        members = iter(archive)
        while True:
            with self.root.named(item.path if path == _ROOT else path):
                member = next(members, None)
            if member is None:
                break
            inner = member.path.removeprefix(stem) if opened.doubled else member.path
            place = f"{prefix}/{inner}" if prefix else inner
            if archive_kind(place):
                yield from self._expand(member, place, depth + 1, once)
            else:
                yield Found(place, member, depth, path)
        if not opened.noted:
            opened.noted = True
            if opened.doubled and not all(member.path.startswith(stem) for member in archive):
                self.root.notes.append((path, f"not all of it lies in {stem}, as its beginning made believe"))
            self.root.notes.extend((f"{prefix}/{name}" if prefix else name, reason) for name, reason in archive.notes)

    def _walk(self, once: bool) -> Iterator[Found]:
        items = self.root.items()
        if self.root.single:
            (item,) = items
            with self.root.named(item.path):
                kind = self.root.kind(item)
            if kind:
                yield from self._expand(item, _ROOT, 1, once)
                return
        for item in items:
            if archive_kind(item.path):
                yield from self._expand(item, item.path, 1, once)
            else:
                yield Found(item.path, item, 0, "")

    def _guess(self) -> bool:
        """Whether there are compressed tars not listed yet; if so, decide what the root is without that."""
        places: list[str] = []
        lazy: list[tuple[Item, str, int]] = []

        def look(item: Item, path: str, depth: int) -> None:
            self.root.checks.check(item)
            opened = self._open(item, item.path if path == _ROOT else path, depth)
            prefix = "" if path == _ROOT else split_name(path)[0]
            if opened.archive.lazy and not opened.archive.complete:
                lazy.append((item, path, depth))
                places.append(f"{prefix}//" if prefix else "/")
                return
            stem = prefix.rpartition("/")[2] + "/"
            doubled = path != _ROOT and all(member.path.startswith(stem) for member in opened.archive)
            for member in opened.archive:
                inner = member.path.removeprefix(stem) if doubled else member.path
                place = f"{prefix}/{inner}" if prefix else inner
                if archive_kind(place):
                    look(member, place, depth + 1)
                else:
                    places.append(place)

        items = self.root.items()
        for item in items:
            if self.root.single and self.root.kind(item):
                look(item, _ROOT, 1)
            elif archive_kind(item.path):
                look(item, item.path, 1)
            else:
                places.append(item.path)
        if lazy and self.strip is None:
            self.strip = _common(places)
            if places == ["/"]:
                first = next(iter(self._open(*lazy[0]).archive), None)
                stem = split_name(items[0].path)[0]
                self.strip = [stem] if first and first.path.startswith(stem + "/") else []
        return bool(lazy)


def _common(paths: Iterable[str]) -> list[str]:
    """The folders that all paths lie in."""
    folders = {path.rpartition("/")[0] for path in paths}
    return [part for part in posixpath.commonpath(folders or [""]).split("/") if part]
