"""Contents by digest, locks and JSON files of the embedded Hub, on disk."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from medimg.hub_sync.digests import git_oid
from medimg.hub_sync.hub.commits import CommittedFile, lfs_pointer
from medimg.hub_sync.hub.limits import HubLimits
from medimg.hub_sync.hub.refusals import HubRefusal, Json, check_sha256, lost

_LOG = logging.getLogger(__name__)


def now() -> str:
    """Return the time in the one format that Hub clients parse."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Incoming:
    """A file on its way into the store: hashed as it is written, gone unless it is kept."""

    def __init__(self, store: Objects, limit: int) -> None:
        descriptor, name = tempfile.mkstemp(dir=store.root / "tmp", prefix="incoming-")
        self._file = os.fdopen(descriptor, "wb")
        self._path = Path(name)
        self._store = store
        self._limit = limit
        self._hash = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            with suppress(OSError):  # of a full disk: what is left in the buffer cannot be written, either
                self._file.close()
        finally:
            self._path.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        """The digest of what was written so far."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Append; refuses content beyond the limit as soon as it is passed."""
        self.size += len(data)
        if self.size > self._limit:
            raise HubRefusal(413, f"The content is larger than the {self._limit} bytes announced or allowed.")
        self._hash.update(data)
        self._file.write(data)

    def keep(self, target: Path) -> None:
        """Flush to disk and move to its place, replacing what was there."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        target.parent.mkdir(parents=True, exist_ok=True)
        self._path.replace(target)
        sync_folder(target.parent)

    def keep_object(self, sha256: str, size: int) -> None:
        """Keep as an object; refuses content that is not the announced one."""
        if (self.sha256, self.size) != (sha256, size):
            raise HubRefusal(
                400,
                f"The content has sha256 {self.sha256} and {self.size} bytes, not {sha256} and {size} bytes.",
            )
        self.keep(self._store.object_path(sha256))


class Objects:
    """A directory with contents, locks and JSON files.

    Args:
        root: the directory; made if it does not exist.
    """

    def __init__(self, root: str | os.PathLike[str], limits: HubLimits | None = None) -> None:
        self.root = Path(root).resolve()
        self.limits = limits or HubLimits()
        for name in ("objects", "repos", "collections", "tmp", "uploads", "locks"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        self.clean()

    def clean(self, age: float | None = None) -> int:
        """Remove temporary files and parts of uploads that nobody has touched for `age` seconds; returns how many."""
        oldest = time.time() - (self.limits.stale_after if age is None else age)
        removed = 0
        for path in [*(self.root / "tmp").iterdir(), *(self.root / "uploads").iterdir()]:
            try:
                newest = max(item.stat().st_mtime for item in (path, *path.rglob("*")))
            except FileNotFoundError:  # another process finished it
                continue
            if newest < oldest:
                remove(path)
                removed += 1
        return removed

    @contextmanager
    def locked(self, *names: str) -> Iterator[None]:
        """Hold locks that exclude every other thread and process; several are taken in one order."""
        with ExitStack() as held:
            for name in sorted(set(names)):
                path = self.root / "locks" / f"{name.replace('/', '+')}.lock"
                fcntl.flock(held.enter_context(path.open("ab")), fcntl.LOCK_EX)
            yield

    @contextmanager
    def keeping_objects(self) -> Iterator[None]:
        """As long as this lasts, no content is deleted: between looking for it and the commit that holds it."""
        with (self.root / "locks" / "objects.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield

    def secret(self) -> bytes:
        """Return the key that signs upload links; made once and kept."""
        path = self.root / "secret"
        with self.locked("secret"):
            if not path.exists():
                self._write(path, secrets.token_bytes(32))
        return path.read_bytes()

    # ---- objects

    def wanted(self, sha256: str) -> int | None:
        """`object_size`, and the object counts as new: somebody is about to make a commit with it."""
        size = self.object_size(sha256)
        if size is not None:
            with suppress(FileNotFoundError):
                os.utime(self.object_path(sha256))
        return size

    def object_path(self, sha256: str) -> Path:
        """Return where an object is kept, whether it exists or not."""
        return self.root / "objects" / check_sha256(sha256)[:2] / sha256[2:]

    def object_size(self, sha256: str) -> int | None:
        """Return the size of an object, or None if the store does not have it."""
        try:
            return self.object_path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, file: CommittedFile, path: str) -> bytes:
        """Return the content of a file; `path` is its name in what is said where it is lost."""
        try:
            return self.object_path(file.sha256).read_bytes()
        except FileNotFoundError:
            raise lost(path) from None

    def incoming(self, limit: int | None = None) -> Incoming:
        """Open a file to be filled and kept, used with `with`."""
        return Incoming(self, self.limits.object if limit is None else limit)

    def put(self, data: bytes) -> CommittedFile:
        """Keep a content and return it as a regular file of a commit."""
        sha256 = hashlib.sha256(data).hexdigest()
        if self.object_size(sha256) != len(data):
            with self.incoming() as file:
                file.write(data)
                file.keep_object(sha256, len(data))
        return CommittedFile(sha256, len(data), False, git_oid(data))

    def lfs_file(self, sha256: str, size: int | None = None) -> CommittedFile:
        """Return an object as an LFS file of a commit; refuses an object that was never uploaded."""
        kept = self.object_size(sha256)
        if kept is None or (size is not None and kept != size):
            raise HubRefusal(
                400,
                f"LFS pointer pointed to a file that does not exist: {sha256}. Upload it before the commit.",
            )
        return CommittedFile(sha256, kept, True, git_oid(lfs_pointer(sha256, kept)))

    def keep_part(self, sha256: str, size: int, number: int, part: Incoming) -> str:
        """Keep one part of a large file and return its tag."""
        part.keep(self._upload(sha256, size) / f"{number}-{part.sha256}")
        return part.sha256

    def join_parts(self, sha256: str, size: int, tags: Sequence[str]) -> None:
        """Make an object of its parts; may be asked again after a lost answer."""
        folder = self._upload(sha256, size)
        with self.locked(f"upload-{sha256}"):
            if self.object_size(sha256) == size:
                remove(folder)
                return
            with self.incoming(size) as whole:
                for number, tag in enumerate(tags, 1):
                    try:
                        part = (folder / f"{number}-{check_sha256(tag)}").open("rb")
                    except FileNotFoundError:
                        raise HubRefusal(400, f"Part {number} was not uploaded.") from None
                    with part:
                        while chunk := part.read(1 << 20):
                            whole.write(chunk)
                try:
                    whole.keep_object(sha256, size)
                finally:
                    remove(folder)

    def _upload(self, sha256: str, size: int) -> Path:
        return self.root / "uploads" / f"{check_sha256(sha256)}-{int(size)}"

    # ---- JSON

    def read_json(self, path: Path) -> Json:
        """Return a JSON object of the store; one that is damaged is named."""
        try:
            found = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise HubRefusal(500, f"The store's file {path.relative_to(self.root)} is damaged.")
        return found

    def write_json(self, path: Path, value: Json) -> None:
        """Replace a JSON file as a whole."""
        self._write(path, json.dumps(value, ensure_ascii=False, sort_keys=True).encode())

    def _write(self, path: Path, data: bytes) -> None:
        with self.incoming() as file:
            file.write(data)
            file.keep(path)


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk, so that what was moved into it stays there."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
