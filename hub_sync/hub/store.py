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
lock `objects`; who deletes contents has it alone.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from medimg.hub_sync.hub.commits import GITATTRIBUTES
from medimg.hub_sync.hub.objects import Objects, now, remove, sync_folder
from medimg.hub_sync.hub.refusals import NAME, HubRefusal, Json, check_name
from medimg.hub_sync.hub.repository import MAIN, Repository

_LOG = logging.getLogger(__name__)
REPO_TYPES = ("dataset", "model", "space")
GRACE = 24 * 3600.0
"""Seconds for which a content that nobody holds stays: its commit may be on the way."""


class Collected(NamedTuple):
    """What was removed: objects with their bytes, and files and parts of uploads that nobody went on with."""

    objects: int
    bytes: int
    unfinished: int


class Store(Objects):
    """A directory with objects, repositories and collections.

    Args:
        root: the directory; made if it does not exist.
    """

    # ---- repositories

    def repository(self, kind: str, id: str) -> Repository:
        """Return an existing repository; refuses names that do not exist."""
        namespace, _, name = id.partition("/")
        if kind not in REPO_TYPES or not NAME.fullmatch(namespace) or not NAME.fullmatch(name):
            raise HubRefusal(404, "Repository not found", code="RepoNotFound")
        repository = Repository(self, kind, id)
        repository.settings()
        return repository

    def repositories(self, kind: str) -> list[Repository]:
        """Return all repositories of a type, sorted by name."""
        found = (self.root / "repos" / kind).glob("*/*/repo.json")
        return [Repository(self, kind, f"{path.parent.parent.name}/{path.parent.name}") for path in sorted(found)]

    def create(self, kind: str, id: str, *, private: bool = False) -> Repository:
        """Create a repository with a first commit; refuses (409) one that exists."""
        if kind not in REPO_TYPES:
            raise HubRefusal(400, f"The repository type must be one of {', '.join(REPO_TYPES)}, not {kind[:40]!r}.")
        namespace, _, name = id.partition("/")
        repository = Repository(self, kind, f"{check_name(namespace)}/{check_name(name)}")
        with self.keeping_objects(), self.locked(repository.lock):
            if (repository.path / "repo.json").exists():
                raise HubRefusal(409, f"You already created this {kind} repo: {id}")
            remove(repository.path)  # what a crash left before there was a repo.json
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
            sync_folder(repository.path.parent)
        remove(grave)

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

    # ---- contents that no revision holds

    def collect(self, grace: float = GRACE) -> Collected:
        """Remove contents that no revision holds and nobody has asked for within `grace` seconds.

        Uploads may go on meanwhile: what was uploaded, or asked for by somebody who uploads, is younger than that.
        """
        oldest = time.time() - grace
        objects = size = 0
        with self.locked("objects"):
            held = self._held()
            for path in sorted((self.root / "objects").glob("*/*")):
                status = path.stat()
                if path.parent.name + path.name not in held and status.st_mtime <= oldest:
                    path.unlink()
                    objects, size = objects + 1, size + status.st_size
        return Collected(objects, size, self.clean(grace))

    def drop(self, digests: Iterable[str]) -> None:
        """Remove these contents at once where no revision of any repository holds them."""
        with self.locked("objects"):
            for digest in set(digests) - self._held():
                self.object_path(digest).unlink(missing_ok=True)

    def _held(self) -> set[str]:
        held: set[str] = set()
        for repository in (each for kind in REPO_TYPES for each in self.repositories(kind)):
            deleted = repository.deleted()
            for commit in repository.commits():
                held |= {file.sha256 for file in commit.files.values() if not (file.lfs and file.sha256 in deleted)}
        return held

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


def _collection(value: Json) -> Json:
    items = value.get("items")
    if not {"slug", "title", "owner", "private"} <= value.keys() or not isinstance(items, list):
        raise HubRefusal(500, "A collection of the store is damaged.")
    if not all(isinstance(item, dict) and {"type", "id", "_id"} <= item.keys() for item in items):
        raise HubRefusal(500, "A collection of the store is damaged.")
    return value
