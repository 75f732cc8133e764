"""What the embedded Hub keeps on disk: objects by content, repositories as commits and movable refs.

```
objects/ab/cdef...                  content, named by its sha256
repos/<type>/<namespace>/<name>/    repo.json, commits/<id>.json, refs/{heads,tags}/<name>.json, discussions/,
                                    large.json (large files of revisions that are gone, and deleted ones)
collections/<namespace>/<slug>.json
tmp/ uploads/ locks/ secret         unfinished files, parts of large files, lock files, key for upload links
```

Every file is written aside, flushed and moved into place, and a commit's objects and JSON come before its
ref: whatever happens, a commit is there as a whole or not at all. Writers of one repository wait for each
other through a lock file, so several threads and processes may share one store. Who makes a commit shares the
lock `objects`; who deletes contents has it alone (`medimg.hub_sync.hub.collect`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Literal, Self

from medimg.errors import HubError
from medimg.hub_sync.digests import git_oid

_LOG = logging.getLogger(__name__)
Json = dict[str, Any]
RefKind = Literal["heads", "tags"]
REPO_TYPES = ("dataset", "model", "space")
MAIN = "main"

_NAME = re.compile(r"(?!.*(?:--|\.\.))(?!.*\.git$)[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
_REF = re.compile(r"(?!.*(?:\.\.|//|/\.|\.lock$))[A-Za-z0-9_](?:[A-Za-z0-9._+/-]{0,78}[A-Za-z0-9_+-])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT_ID = re.compile(r"[0-9a-f]{40}")
_GITATTRIBUTES_LFS = (
    "*.7z *.arrow *.avro *.bin *.bz2 *.ckpt *.dcm *.feather *.ftz *.gz *.h5 *.hdf5 *.jpeg *.jpg *.joblib "
    "*.lz4 *.mha *.mp3 *.mp4 *.msgpack *.nii *.nrrd *.npy *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl "
    "*.png *.pt *.pth *.rar *.safetensors *.svs *.tar *.tgz *.tif *.tiff *.wav *.webm *.webp *.xz *.zip *.zst"
).split()
GITATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in _GITATTRIBUTES_LFS)
LFS_SUFFIXES = frozenset(pattern.removeprefix("*") for pattern in _GITATTRIBUTES_LFS)


class HubRefusal(HubError):
    """A request the embedded Hub refuses, with what the HTTP answer needs.

    Args:
        status: HTTP status.
        problem: what is wrong, in one sentence.
        code: the `X-Error-Code` that Hub clients turn into their own exceptions.
        headers: further headers of the answer.
        extra: further fields of the JSON answer.
    """

    def __init__(
        self,
        status: int,
        problem: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Json | None = None,
    ) -> None:
        super().__init__(problem)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        self.extra = extra or {}


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes and times in seconds that a store and its server enforce."""

    regular_file: int = 10 << 20  # larger files go through LFS
    object: int = 50 << 30
    body: int = 256 << 20  # one commit, read line by line
    multipart_above: int = 512 << 20
    part: int = 256 << 20
    path: int = 1024
    stale_after: float = 24 * 3600.0
    connections: int = 0  # at once; 0: half of the files that the process may open, at most 512
    header_seconds: float = (
        20.0  # from the beginning of a request, or of its connection, to the end of its header
    )
    body_seconds: float = 30.0  # within which a body brings `body_rate` bytes a second
    body_rate: float = 512.0
    answer_seconds: float = 600.0  # without taking anything of an answer


@dataclass(frozen=True)
class File:
    """One file of a commit. `oid` is the git blob id: of the content, or of the pointer for LFS files."""

    sha256: str
    size: int
    lfs: bool
    oid: str

    @property
    def pointer(self) -> Json:
        """Sizes of an LFS file, as clients expect them."""
        return {"size": self.size, "pointerSize": len(lfs_pointer(self.sha256, self.size))}


@dataclass(frozen=True)
class Entry:
    """One line of a listing: a file, or a folder where `file` is None."""

    path: str
    oid: str
    file: File | None


@dataclass(frozen=True)
class Commit:
    """An immutable revision: every file with its content's digest."""

    id: str
    parent: str | None
    message: str
    description: str
    time: str
    files: Mapping[str, File] = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())

    def file(self, path: str) -> File:
        """Return a file; refuses a path that does not exist."""
        if path not in self.files:
            raise entry_not_found(path, self.id)
        return self.files[path]

    def listing(self, folder: str = "", *, recursive: bool = False) -> list[Entry]:
        """List files and folders below a folder, sorted by path; refuses a folder that does not exist."""
        prefix = f"{folder}/" if folder else ""
        found: dict[str, Entry] = {}
        below: dict[str, list[str]] = {}
        for path, file in self.files.items():
            if not path.startswith(prefix):
                continue
            parts = path[len(prefix) :].split("/")
            for depth in range(1, len(parts) if recursive else min(2, len(parts))):
                below.setdefault(prefix + "/".join(parts[:depth]), []).append(f"{path}\0{file.oid}")
            if recursive or len(parts) == 1:
                found[path] = Entry(path, file.oid, file)
        if folder and not found and not below:
            raise entry_not_found(folder, self.id)
        for path, lines in below.items():
            found[path] = Entry(path, hashlib.sha1("\n".join(sorted(lines)).encode()).hexdigest(), None)
        return [found[path] for path in sorted(found)]


def entry_not_found(path: str, commit: str) -> HubRefusal:
    """Build the refusal for a path that a commit does not have."""
    return HubRefusal(
        404, f"Entry not found: {path}", code="EntryNotFound", headers={"X-Repo-Commit": commit}
    )


def lost(path: str) -> HubRefusal:
    """Build the refusal for a file whose content is not in the store any more."""
    return HubRefusal(500, f"The store has lost the content of {path}.")


def now() -> str:
    """Return the time in the one format that Hub clients parse."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def lfs_pointer(sha256: str, size: int) -> bytes:
    """Return the LFS pointer file that stands for a content."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def check_path(path: object, limit: int = 1024) -> str:
    """Return the path if it is a clean relative path; refuse it otherwise."""
    if not isinstance(path, str) or not path or len(path.encode(errors="replace")) > limit:
        raise HubRefusal(400, f"A path must be a text of 1 to {limit} bytes, not {str(path)[:80]!r}.")
    parts = path.split("/")
    bad = "\\" in path or any(
        ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in path
    )
    if bad or any(part in ("", ".", "..", ".git") or len(part.encode()) > 255 for part in parts):
        raise HubRefusal(400, f"The path {path!r} is not a clean relative path.")
    return path


def check_sha256(oid: object) -> str:
    """Return the digest if it is a sha256 in lower-case hexadecimal; refuse it otherwise."""
    if not isinstance(oid, str) or not _SHA256.fullmatch(oid):
        raise HubRefusal(422, "An object id must be a sha256 in hexadecimal.")
    return oid


def check_name(name: object) -> str:
    """Return a namespace or repository name if Hub clients accept it; refuse it otherwise."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise HubRefusal(
            400, f"The name {str(name)[:120]!r} is not valid: letters, digits, '-', '_', '.', at most 96."
        )
    return name


class Incoming:
    """A file on its way into the store: hashed as it is written, gone unless it is kept."""

    def __init__(self, store: Store, limit: int) -> None:
        descriptor, name = tempfile.mkstemp(dir=store.root / "tmp", prefix="incoming-")
        self._file = os.fdopen(descriptor, "wb")
        self._path = Path(name)
        self._store = store
        self._limit = limit
        self._hash = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
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
        _sync_folder(target.parent)

    def keep_object(self, sha256: str, size: int) -> None:
        """Keep as an object; refuses content that is not the announced one."""
        if (self.sha256, self.size) != (sha256, size):
            raise HubRefusal(
                400,
                f"The content has sha256 {self.sha256} and {self.size} bytes, not {sha256} and {size} bytes.",
            )
        self.keep(self._store.object_path(sha256))


class Store:
    """A directory with objects, repositories and collections.

    Args:
        root: the directory; made if it does not exist.
        limits: sizes that are enforced.
    """

    def __init__(self, root: str | os.PathLike[str], limits: Limits | None = None) -> None:
        self.root = Path(root).resolve()
        self.limits = limits or Limits()
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
                _remove(path)
                removed += 1
        return removed

    @contextmanager
    def locked(self, *names: str) -> Iterator[None]:
        """Hold locks that exclude every other thread and process; several are taken in one order."""
        files = [
            (self.root / "locks" / f"{name.replace('/', '+')}.lock").open("ab") for name in sorted(set(names))
        ]
        try:
            for file in files:
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            for file in files:
                file.close()

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

    def read(self, file: File, path: str) -> bytes:
        """Return the content of a file; `path` is its name in what is said where it is lost."""
        try:
            return self.object_path(file.sha256).read_bytes()
        except FileNotFoundError:
            raise lost(path) from None

    def incoming(self, limit: int | None = None) -> Incoming:
        """Open a file to be filled and kept, used with `with`."""
        return Incoming(self, self.limits.object if limit is None else limit)

    def put(self, data: bytes) -> File:
        """Keep a content and return it as a regular file of a commit."""
        sha256 = hashlib.sha256(data).hexdigest()
        if self.object_size(sha256) != len(data):
            with self.incoming() as file:
                file.write(data)
                file.keep_object(sha256, len(data))
        return File(sha256, len(data), False, git_oid(data))

    def lfs_file(self, sha256: str, size: int | None = None) -> File:
        """Return an object as an LFS file of a commit; refuses an object that was never uploaded."""
        kept = self.object_size(sha256)
        if kept is None or (size is not None and kept != size):
            raise HubRefusal(
                400,
                f"LFS pointer pointed to a file that does not exist: {sha256}. Upload it before the commit.",
            )
        return File(sha256, kept, True, git_oid(lfs_pointer(sha256, kept)))

    def keep_part(self, sha256: str, size: int, number: int, part: Incoming) -> str:
        """Keep one part of a large file and return its tag."""
        part.keep(self._upload(sha256, size) / f"{number}-{part.sha256}")
        return part.sha256

    def join_parts(self, sha256: str, size: int, tags: Sequence[str]) -> None:
        """Make an object of its parts; may be asked again after a lost answer."""
        folder = self._upload(sha256, size)
        with self.locked(f"upload-{sha256}"):
            if self.object_size(sha256) == size:
                _remove(folder)
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
                    _remove(folder)

    def _upload(self, sha256: str, size: int) -> Path:
        return self.root / "uploads" / f"{check_sha256(sha256)}-{int(size)}"

    # ---- repositories

    def repository(self, kind: str, id: str) -> Repository:
        """Return an existing repository; refuses names that do not exist."""
        repository = self._repository(kind, id)
        repository.settings()
        return repository

    def repositories(self, kind: str) -> list[Repository]:
        """Return all repositories of a type, sorted by name."""
        found = (self.root / "repos" / kind).glob("*/*/repo.json")
        return [
            Repository(self, kind, f"{path.parent.parent.name}/{path.parent.name}") for path in sorted(found)
        ]

    def create(self, kind: str, id: str, *, private: bool = False) -> Repository:
        """Create a repository with a first commit; refuses (409) one that exists."""
        if kind not in REPO_TYPES:
            raise HubRefusal(
                400, f"The repository type must be one of {', '.join(REPO_TYPES)}, not {kind[:40]!r}."
            )
        namespace, _, name = id.partition("/")
        repository = Repository(self, kind, f"{check_name(namespace)}/{check_name(name)}")
        with self.keeping_objects(), self.locked(repository.lock):
            if (repository.path / "repo.json").exists():
                raise HubRefusal(409, f"You already created this {kind} repo: {id}")
            _remove(repository.path)  # what a crash left before there was a repo.json
            first = {".gitattributes": self.put(GITATTRIBUTES.encode())}
            repository.write_ref("heads", MAIN, repository.write_commit(None, "initial commit", "", first).id)
            settings = {"type": kind, "id": id, "private": private, "gated": False, "created": now()}
            self.write_json(repository.path / "repo.json", settings)
        return repository

    def delete(self, kind: str, id: str) -> None:
        """Delete a repository with its history; its contents go with the next collection."""
        repository = self.repository(kind, id)
        with self.locked(repository.lock):
            grave = Path(tempfile.mkdtemp(dir=self.root / "tmp", prefix="deleted-"))
            repository.path.replace(grave)
            _sync_folder(repository.path.parent)
        _remove(grave)

    def move(self, kind: str, old: str, new: str) -> None:
        """Rename a repository."""
        namespace, _, name = new.partition("/")
        target = Repository(self, kind, f"{check_name(namespace)}/{check_name(name)}")
        source = self.repository(kind, old)
        with self.locked(source.lock, target.lock):
            settings = source.settings()
            if target.path.exists():
                raise HubRefusal(409, f"There is a {kind} repo {new} already.")
            target.path.parent.mkdir(parents=True, exist_ok=True)
            source.path.replace(target.path)
            self.write_json(target.path / "repo.json", {**settings, "id": new})

    def _repository(self, kind: str, id: str) -> Repository:
        namespace, _, name = id.partition("/")
        if kind not in REPO_TYPES or not _NAME.fullmatch(namespace) or not _NAME.fullmatch(name):
            raise HubRefusal(404, "Repository not found", code="RepoNotFound")
        return Repository(self, kind, id)

    # ---- collections

    def collections(self) -> list[Json]:
        """Return all collections, sorted by slug."""
        found = []
        for path in sorted((self.root / "collections").glob("*/*.json")):
            try:
                found.append(_collection(self.read_json(path)))
            except (HubRefusal, OSError) as error:
                _LOG.warning("A collection is not listed: %s", error)
        return found

    def collection(self, slug: str) -> Json:
        """Return one collection; refuses a slug that does not exist."""
        path = self._collection(slug)
        if not path.is_file():
            raise HubRefusal(404, f"Collection not found: {slug}")
        return _collection(self.read_json(path))

    def save_collection(self, collection: Json) -> Json:
        """Replace a collection, with the time of the change; the caller holds the lock `collections`."""
        collection = {**collection, "lastUpdated": now()}
        self.write_json(self._collection(collection["slug"]), collection)
        return collection

    def delete_collection(self, slug: str) -> None:
        """Delete a collection, not the repositories in it."""
        with self.locked("collections"):
            self.collection(slug)
            self._collection(slug).unlink()

    def _collection(self, slug: str) -> Path:
        namespace, _, name = slug.partition("/")
        return self.root / "collections" / check_name(namespace) / f"{check_name(name)}.json"

    # ---- files

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

    def check(self, *, deep: bool = False) -> list[str]:
        """List what is wrong in the store.

        Args:
            deep: also read every object and compare it with its digest.
        """
        problems = []
        for path in sorted((self.root / "objects").glob("*/*")) if deep else []:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != path.parent.name + path.name:
                problems.append(f"object {path.parent.name}{path.name}: the content has sha256 {digest}")
        for kind in REPO_TYPES:
            for repository in self.repositories(kind):
                problems += [f"{kind} {repository.id}: {problem}" for problem in repository.check()]
        return problems


class Repository:
    """One repository of a store.

    Args:
        store: the store it is in.
        type: dataset, model or space.
        id: namespace and name.
    """

    def __init__(self, store: Store, type: str, id: str) -> None:
        self.store = store
        self.type = type
        self.id = id
        self.path = store.root / "repos" / type / id
        self.lock = f"{type}/{id}"
        self.namespace = id.split("/")[0]

    @property
    def url(self) -> str:
        """The path of the repository's page."""
        return f"/{self.id}" if self.type == "model" else f"/{self.type}s/{self.id}"

    def settings(self) -> Json:
        """Return type, id, private, gated and created; refuses a repository that does not exist."""
        try:
            found = self.store.read_json(self.path / "repo.json")
        except (FileNotFoundError, NotADirectoryError):
            raise HubRefusal(404, "Repository not found", code="RepoNotFound") from None
        if not {"private", "gated", "created"} <= found.keys():
            raise HubRefusal(500, f"The settings of {self.type} {self.id} are damaged.")
        return found

    def update(self, **changes: object) -> Json:
        """Change settings and return them all."""
        with self.store.locked(self.lock):
            settings = {**self.settings(), **changes}
            self.store.write_json(self.path / "repo.json", settings)
        return settings

    # ---- reading

    def refs(self, kind: RefKind) -> dict[str, Json]:
        """Return branches (heads) or tags by name: target, time and message."""
        found = sorted((self.path / "refs" / kind).glob("*.json"))
        return {
            path.name.removesuffix(".json").replace("%2F", "/"): self.store.read_json(path) for path in found
        }

    def ref(self, kind: RefKind, name: str) -> str | None:
        """Return the commit that a branch or tag points to, or None."""
        try:
            path = self._ref(kind, name)
        except HubRefusal:
            return None
        try:
            target = self.store.read_json(path).get("target")
        except FileNotFoundError:
            return None
        if not isinstance(target, str) or not _COMMIT_ID.fullmatch(target):
            raise HubRefusal(500, f"refs/{kind}/{name} of {self.type} {self.id} is damaged.")
        return target

    def commit(self, revision: str = MAIN) -> Commit:
        """Return a commit by branch, tag, full ref or full id."""
        name = revision
        for kind in _REF_KINDS:
            name = name.removeprefix(f"refs/{kind}/")
        for kind in _REF_KINDS:
            if revision in (name, f"refs/{kind}/{name}") and (target := self.ref(kind, name)):
                return self._commit(target)
        if _COMMIT_ID.fullmatch(revision):
            return self._commit(revision)
        raise HubRefusal(404, f"Invalid rev id: {revision}", code="RevisionNotFound")

    def history(self, commit: Commit | None) -> Iterator[Commit]:
        """Yield a commit and its parents, last first."""
        while commit:
            yield commit
            commit = self._commit(commit.parent) if commit.parent else None

    def last_commits(self, commit: Commit, paths: Iterable[str]) -> dict[str, Commit]:
        """Return for each path (file or folder) the last commit that changed it."""
        found: dict[str, Commit] = {}
        missing = set(paths)
        chain = self.history(commit)
        current = next(chain)
        while missing:
            parent = next(chain, None)
            for path in [
                path for path in missing if parent is None or _below(current, path) != _below(parent, path)
            ]:
                found[path] = current
                missing.remove(path)
            if parent is not None:
                current = parent
        return found

    def _commit(self, id: str) -> Commit:
        path = self.path / "commits" / f"{id}.json"
        try:
            status = path.stat()
        except FileNotFoundError:
            raise HubRefusal(404, f"Invalid rev id: {id}", code="RevisionNotFound") from None
        try:
            return _load_commit(path, status.st_mtime_ns, status.st_ino)
        except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
            raise HubRefusal(500, f"The commit {id} of {self.type} {self.id} is damaged.") from None

    # ---- writing

    def write(
        self,
        branch: str,
        message: str,
        description: str = "",
        *,
        parent: str | None = None,
        add: Mapping[str, File] | None = None,
        delete: Iterable[str] = (),
        delete_folders: Iterable[str] = (),
    ) -> Commit:
        """Add a commit to a branch; returns the branch's head unchanged where nothing changes.

        Args:
            branch: an existing branch.
            message: first line.
            description: the rest of the message.
            parent: refuse (412) unless this is the head of the branch; at least 7 characters of its id.
            add: files to add or replace.
            delete: files to delete before.
            delete_folders: folders to delete before.
        """
        with self.store.locked(self.lock):
            self.settings()
            target = self.ref("heads", branch.removeprefix("refs/heads/"))
            if target is None:
                raise HubRefusal(404, f"Invalid rev id: {branch}", code="RevisionNotFound")
            head = self._commit(target)
            if parent is not None and (len(parent) < 7 or not head.id.startswith(parent)):
                raise HubRefusal(412, "A commit has happened since. Please refresh and try again.")
            files = dict(head.files)
            for path in delete:
                if files.pop(path, None) is None:
                    raise self._nothing_to_delete("file", path, head)
            for folder in delete_folders:
                below = [path for path in files if path.startswith(f"{folder.rstrip('/')}/")]
                if not below:
                    raise self._nothing_to_delete("folder", folder, head)
                for path in below:
                    del files[path]
            for path, file in (add or {}).items():
                files[check_path(path, self.store.limits.path)] = file
            for path in files:
                for above in map(str, PurePosixPath(path).parents):
                    if above in files:
                        raise HubRefusal(400, f"{above} cannot be both a file and the folder of {path}.")
            if files == head.files:
                return head
            self._uploaded_again(add or {})
            commit = self.write_commit(head.id, message, description, files)
            self.write_ref("heads", branch.removeprefix("refs/heads/"), commit.id)
        return commit

    def squash(self, branch: str, message: str) -> tuple[Commit, set[str]]:
        """Replace a branch's history by one commit with its present files.

        Returns:
            The commit, and digests of regular files of revisions that are gone now.
        """
        with self.store.locked(self.lock):
            target = self.ref("heads", branch)
            if target is None:
                raise HubRefusal(404, f"Invalid rev id: {branch}", code="RevisionNotFound")
            commit = self.write_commit(None, message, "", self._commit(target).files)
            self.write_ref("heads", branch, commit.id)
            return commit, self._prune()

    def _prune(self) -> set[str]:
        """Forget commits that no branch or tag leads to; their large files stay listed until somebody deletes them.

        Returns:
            Digests of their regular files.
        """
        reached: set[str] = set()
        for kind in _REF_KINDS:
            for ref in self.refs(kind).values():
                reached |= {commit.id for commit in self.history(self._commit(ref["target"]))}
        gone = [commit for commit in self.commits() if commit.id not in reached]
        ledger = self._ledger()
        for commit in gone:
            for path, file in commit.files.items():
                if file.lfs and file.sha256 not in ledger["deleted"]:
                    ledger["unlinked"][file.sha256] = {"path": path, "size": file.size, "time": commit.time}
        if gone:
            self._write_ledger(ledger)
        for commit in gone:
            (self.path / "commits" / f"{commit.id}.json").unlink(missing_ok=True)
        return {file.sha256 for commit in gone for file in commit.files.values() if not file.lfs}

    def create_ref(self, kind: RefKind, name: str, revision: str, message: str = "") -> None:
        """Create a branch or tag; refuses (409) one that exists."""
        if not _REF.fullmatch(name) or _COMMIT_ID.fullmatch(name) or name.startswith("refs/"):
            raise HubRefusal(400, f"The name {name[:100]!r} is not valid for a branch or tag.")
        with self.store.locked(self.lock):
            if self._ref(kind, name).exists():
                raise HubRefusal(409, f"The {'branch' if kind == 'heads' else 'tag'} {name} exists already.")
            self.write_ref(kind, name, self.commit(revision).id, message)

    def delete_ref(self, kind: RefKind, name: str) -> None:
        """Delete a branch or tag."""
        if kind == "heads" and name == MAIN:
            raise HubRefusal(403, f"The branch {MAIN} cannot be deleted.")
        with self.store.locked(self.lock):
            if self.ref(kind, name) is None:
                raise HubRefusal(404, f"Invalid rev id: {name}", code="RevisionNotFound")
            self._ref(kind, name).unlink()
            self._prune()

    # ---- large files

    def commits(self) -> list[Commit]:
        """Return all revisions, in no order."""
        return [self._commit(path.stem) for path in (self.path / "commits").glob("*.json")]

    def large_files(self) -> dict[str, Json]:
        """Return what the repository ever held through LFS and nobody deleted: sha256 -> path, size and time."""
        ledger = self._ledger()
        found: dict[str, Json] = dict(ledger["unlinked"])
        for commit in self.commits():
            for path, file in commit.files.items():
                if file.lfs and file.sha256 not in ledger["deleted"]:
                    found[file.sha256] = {"path": path, "size": file.size, "time": commit.time}
        return found

    def deleted(self) -> set[str]:
        """Return large files that revisions name and that were deleted: nobody gets them from here."""
        return set(self._ledger()["deleted"])

    def delete_large(self, digests: Iterable[str], *, rewrite: bool) -> None:
        """Take large files out of the repository, whatever revision holds them.

        Args:
            digests: sha256 of each.
            rewrite: make all revisions anew without them; otherwise revisions name files that are not there.
        """
        digests = set(digests)
        with self.store.locked(self.lock):
            if rewrite:
                self._rewrite(digests)
            ledger = self._ledger()
            held = {file.sha256 for commit in self.commits() for file in commit.files.values() if file.lfs}
            unlinked = {oid: about for oid, about in ledger["unlinked"].items() if oid not in digests}
            deleted = sorted({*ledger["deleted"], *(digests & held)})
            self._write_ledger({"unlinked": unlinked, "deleted": deleted})

    def _rewrite(self, digests: set[str]) -> None:
        made: dict[str, str] = {}
        for kind in _REF_KINDS:
            for name, ref in self.refs(kind).items():
                parent: str | None = None
                for commit in reversed(list(self.history(self._commit(ref["target"])))):
                    if commit.id not in made:
                        left = {
                            path: file
                            for path, file in commit.files.items()
                            if not (file.lfs and file.sha256 in digests)
                        }
                        if parent == commit.parent and len(left) == len(commit.files):
                            made[commit.id] = commit.id
                        else:
                            new = self.write_commit(
                                parent, commit.message, commit.description, left, time=commit.time
                            )
                            made[commit.id] = new.id
                    parent = made[commit.id]
                if parent is not None and parent != ref["target"]:
                    self.write_ref(kind, name, parent, ref["message"])
        self._prune()

    def _uploaded_again(self, added: Mapping[str, File]) -> None:
        ledger, again = self._ledger(), {file.sha256 for file in added.values() if file.lfs}
        if again & set(ledger["deleted"]):
            self._write_ledger({**ledger, "deleted": sorted(set(ledger["deleted"]) - again)})

    def _ledger(self) -> Json:
        try:
            found: Json = json.loads((self.path / "large.json").read_bytes())
        except FileNotFoundError:
            return {"unlinked": {}, "deleted": []}
        return found

    def _write_ledger(self, ledger: Json) -> None:
        self.store.write_json(self.path / "large.json", ledger)

    def write_commit(
        self,
        parent: str | None,
        message: str,
        description: str,
        files: Mapping[str, File],
        *,
        time: str | None = None,
    ) -> Commit:
        """Write a commit's JSON; nothing points to it yet, and the caller holds the lock."""
        value: Json = {
            "parent": parent,
            "message": message,
            "description": description,
            "time": time or now(),
            "files": {path: asdict(file) for path, file in sorted(files.items())},
        }
        id = _commit_id(value)
        self.store.write_json(self.path / "commits" / f"{id}.json", value)
        return self._commit(id)

    def write_ref(self, kind: RefKind, name: str, target: str, message: str = "") -> None:
        """Point a branch or tag to a commit; the caller holds the lock."""
        self.store.write_json(self._ref(kind, name), {"target": target, "time": now(), "message": message})

    def _ref(self, kind: RefKind, name: str) -> Path:
        if not _REF.fullmatch(name):
            raise HubRefusal(404, f"Invalid rev id: {name[:100]}", code="RevisionNotFound")
        return self.path / "refs" / kind / f"{name.replace('/', '%2F')}.json"

    def _nothing_to_delete(self, kind: str, path: str, head: Commit) -> HubRefusal:
        refusal = entry_not_found(path, head.id)
        refusal.problem = f"A {kind} with this name doesn't exist: {path}"
        return refusal

    # ---- discussions

    def discussions(self) -> list[Json]:
        """Return all discussions, last first."""
        found = [self.store.read_json(path) for path in (self.path / "discussions").glob("*.json")]
        return sorted(found, key=lambda discussion: -int(discussion["num"]))

    def discussion(self, number: int) -> Json:
        """Return one discussion; refuses a number that does not exist."""
        for discussion in self.discussions():
            if discussion["num"] == number:
                return discussion
        raise HubRefusal(404, f"Discussion not found: {number}")

    def save_discussion(self, discussion: Json) -> None:
        """Replace a discussion; the caller holds the lock."""
        self.store.write_json(self.path / "discussions" / f"{int(discussion['num'])}.json", discussion)

    def check(self) -> list[str]:
        """List what is wrong: refs or parents without a commit, changed commits, missing or cut objects."""
        problems = []
        deleted = self.deleted()
        ids = {path.stem for path in (self.path / "commits").glob("*.json")}
        for kind in _REF_KINDS:
            for name, ref in self.refs(kind).items():
                if ref["target"] not in ids:
                    problems.append(f"refs/{kind}/{name} points to {ref['target']}, which does not exist")
        if self.ref("heads", MAIN) is None:
            problems.append(f"there is no branch {MAIN}")
        for id in sorted(ids):
            value = json.loads((self.path / "commits" / f"{id}.json").read_bytes())
            if _commit_id(value) != id:
                problems.append(f"commit {id} was changed after it was made")
            if value["parent"] and value["parent"] not in ids:
                problems.append(f"commit {id} has the parent {value['parent']}, which does not exist")
            for path, file in value["files"].items():
                size = self.store.object_size(file["sha256"])
                if file["lfs"] and file["sha256"] in deleted:
                    continue
                if size != file["size"]:
                    state = "is missing" if size is None else f"has {size} bytes, not {file['size']}"
                    problems.append(f"commit {id}: {path}: object {file['sha256']} {state}")
        return problems


_REF_KINDS: tuple[RefKind, RefKind] = ("heads", "tags")


@lru_cache(maxsize=64)
def _load_commit(path: Path, changed: int, inode: int) -> Commit:
    value = json.loads(path.read_bytes())
    files = {name: File(**file) for name, file in value.pop("files").items()}
    return Commit(id=path.stem, files=files, **value)


def _collection(value: Json) -> Json:
    items = value.get("items")
    if not {"slug", "title", "owner", "private"} <= value.keys() or not isinstance(items, list):
        raise HubRefusal(500, "A collection of the store is damaged.")
    if not all(isinstance(item, dict) and {"type", "id", "_id"} <= item.keys() for item in items):
        raise HubRefusal(500, "A collection of the store is damaged.")
    return value


def _commit_id(value: Json) -> str:
    return hashlib.sha1(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _below(commit: Commit, path: str) -> dict[str, str]:
    if path in commit.files:
        return {path: commit.files[path].oid}
    return {name: file.oid for name, file in commit.files.items() if name.startswith(f"{path}/")}


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
