"""The files of a local folder. It is the user's own: its links are followed, wherever they lead."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from medimg.errors import MedimgError, SourceError, UnsafePathError
from medimg.files.blobs import Blob, Handles, LocalBlob
from medimg.files.names import PHANTOM, is_junk, safe_path

_ANNEX = re.compile(r"(?:^|/)annex/objects/")
_CACHE = re.compile(r"(?:^|/)blobs/[^/]+$")
_POINTER = 1024
"""Bytes below which a file may be a pointer to content that was not fetched."""


class LocalFile(NamedTuple):
    """A file: its path in the view, its size in bytes, its time of change, and where it lies."""

    path: str
    size: int
    token: str
    where: str
    handles: Handles

    def blob(self) -> Blob:
        """The content, to be read as an archive."""
        return LocalBlob(Path(self.where), self.size, self.handles)

    def stream(self, blame: Callable[[MedimgError], MedimgError]) -> BinaryIO:
        """The content, to be read as a file."""
        return io.BufferedReader(LocalStream(self.where, self.size, blame))


def single(path: str, where: Path, handles: Handles) -> LocalFile:
    """The file at `where`, standing at `path` of the view.

    Raises:
        SourceError: it cannot be looked at.
    """
    with _told(path, "looked at"):
        status = where.stat()
        return LocalFile(readable(path), status.st_size, str(status.st_mtime_ns), str(where), handles)


def walk(root: Path, note: Callable[[str, str], None], handles: Handles) -> Iterator[LocalFile]:
    """All files below a folder, in no order.

    A link to a folder around itself ends there, so that loops end.

    Args:
        root: the folder; it may be a link itself.
        note: called with path and reason of what is no file: links to nothing, devices.
        handles: what bounds the number of open files.

    Raises:
        SourceError: a folder or a file cannot be looked at.
    """
    pending: list[tuple[str, str, tuple[str, ...]]] = [("", str(root), (os.path.realpath(root),))]
    while pending:
        prefix, folder, above = pending.pop()
        with _told(prefix or str(root), "listed"):
            entries = list(os.scandir(folder))
        for entry in entries:
            if is_junk(entry.name):
                continue
            path = prefix + readable(entry.name)
            with _told(path, "looked at"):
                below = (*above, str(Path(above[-1], entry.name)))
                if entry.is_symlink():
                    target = os.path.realpath(entry.path)
                    if not exists(Path(target)):
                        note(path, lost_link(path, str(Path(entry.path).readlink())))
                        continue
                    if any(target == one or one.startswith(target.rstrip("/") + "/") for one in above):
                        note(path, "a link to a folder around it, which is in the view already")
                        continue
                    below = (*above, target)
                if entry.is_dir():
                    pending.append((path + "/", entry.path, below))
                elif entry.is_file():
                    status = entry.stat()
                    changed = str(status.st_mtime_ns)
                    yield LocalFile(path, status.st_size, changed, entry.path, handles)
                else:
                    note(path, "a device or a pipe")


def expanded(path: str | os.PathLike[str], dataset: str | None = None) -> Path:
    """The path with `~` replaced.

    Raises:
        SourceError: `~` stands for nobody's folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise SourceError(
            "begins with ~, and whose folder that is cannot be told",
            dataset=dataset,
            file=os.fspath(path),
            next_step="write the path without ~",
        ) from error


def exists(path: Path) -> bool:
    """Whether there is something that may be looked at."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_phantom(root: Path) -> bool:
    """Whether this folder, or the folder of this file, was written by a `Phantom`, which says so itself."""
    return any(exists(folder / PHANTOM) for folder in (root, root.parent))


@contextmanager
def _told(path: str, doing: str) -> Iterator[None]:
    """Names the path in an error of the system."""
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"cannot be {doing}: {error.strerror or error}",
            file=path,
            next_step="check the permissions of the folder, and that its disk is connected",
        ) from error


def readable(name: str) -> str:
    """A name as text: bytes that are no UTF-8 as Latin-1; backslashes, left by an archive of Windows, as folders."""
    try:
        name.encode()
    except UnicodeEncodeError:
        name = os.fsencode(name).decode("latin-1")
    if os.sep == "/" and "\\" in name:
        try:
            return safe_path(name) or name
        except UnsafePathError:
            return name
    return name


def lost_link(path: str, target: str) -> str:
    """Why a link leads nowhere, and what brings its content."""
    if _ANNEX.search(target):
        return f'its content was not fetched (git-annex): run `datalad get "{path}"` in the dataset and load again'
    if _CACHE.search(target):
        return "its content is not in the cache of the Hub: run `hf download` again and load again"
    return f"a link to {target!r}, which is not there: connect that disk, or put the file itself there"


def pointer(data: bytes) -> str | None:
    """What to run where a file holds not its content but where that is kept; None for other files."""
    if data.startswith(b"version https://git-lfs.github.com/spec/"):
        return "its content was not fetched (Git LFS): run `git lfs pull` in the repository"
    if re.match(rb"(?:\.git|[/\\])annex[/\\]objects[/\\][^\n]+\s*$", data):
        return "its content was not fetched (git-annex): run `datalad get` on it"
    return None


class LocalStream(io.FileIO):
    """A local file whose errors while reading are named."""

    def __init__(self, where: str, size: int, blame: Callable[[MedimgError], MedimgError]) -> None:
        self._blame = blame
        try:
            super().__init__(where, "rb")
            short = size < _POINTER and hasattr(os, "pread")
            told = pointer(os.pread(self.fileno(), _POINTER, 0)) if short else None
        except OSError as error:
            raise self._named(error) from error
        if told:
            self.close()
            problem, _, step = told.partition(": ")
            raise blame(SourceError(problem, next_step=step))

    def _named(self, error: OSError) -> MedimgError:
        return self._blame(
            SourceError(
                f"cannot be read: {error.strerror or error}",
                next_step="check the file, its permissions and its disk",
            )
        )

    def readinto(self, buffer) -> int | None:  # type: ignore[no-untyped-def]
        """See io.RawIOBase."""
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise self._named(error) from error

    def readall(self) -> bytes:
        """See io.RawIOBase."""
        try:
            return super().readall()
        except OSError as error:
            raise self._named(error) from error
