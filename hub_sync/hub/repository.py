"""One repository of the embedded Hub: commits, movable refs, large files, discussions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Literal

from medimg.hub_sync.hub.commits import Commit, CommittedFile, commit_id, load_commit
from medimg.hub_sync.hub.objects import Objects, now
from medimg.hub_sync.hub.refusals import HubRefusal, Json, check_path, entry_not_found

RefKind = Literal["heads", "tags"]
MAIN = "main"
_REF = re.compile(r"(?!.*(?:\.\.|//|/\.|\.lock$))[A-Za-z0-9_](?:[A-Za-z0-9._+/-]{0,78}[A-Za-z0-9_+-])?")
_COMMIT_ID = re.compile(r"[0-9a-f]{40}")
_REF_KINDS: tuple[RefKind, RefKind] = ("heads", "tags")


class Repository:
    """One repository of a store.

    Args:
        type: dataset, model or space.
    """

    def __init__(self, store: Objects, type: str, id: str) -> None:
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
        return {path.name.removesuffix(".json").replace("%2F", "/"): self.store.read_json(path) for path in found}

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

    def file(self, commit: Commit, path: str) -> CommittedFile:
        """Return a file of a commit; refuses one that is not there, or was deleted for good."""
        file = commit.file(path)
        if file.lfs and file.sha256 in self.deleted():
            raise entry_not_found(f"{path} (it was deleted for good)", commit.id)
        return file

    def _head(self, branch: str) -> Commit:
        target = self.ref("heads", branch)
        if target is None:
            raise HubRefusal(404, f"Invalid rev id: {branch}", code="RevisionNotFound")
        return self._commit(target)

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
            for path in [path for path in missing if parent is None or _below(current, path) != _below(parent, path)]:
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
            return load_commit(path, status.st_mtime_ns, status.st_ino)
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
        add: Mapping[str, CommittedFile] | None = None,
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
            branch = branch.removeprefix("refs/heads/")
            head = self._head(branch)
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
            self.write_ref("heads", branch, commit.id)
        return commit

    def squash(self, branch: str, message: str) -> tuple[Commit, set[str]]:
        """Replace a branch's history by one commit with its present files.

        Returns:
            The commit, and digests of regular files of revisions that are gone now.
        """
        with self.store.locked(self.lock):
            commit = self.write_commit(None, message, "", self._head(branch).files)
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
                            new = self.write_commit(parent, commit.message, commit.description, left, time=commit.time)
                            made[commit.id] = new.id
                    parent = made[commit.id]
                if parent is not None and parent != ref["target"]:
                    self.write_ref(kind, name, parent, ref["message"])
        self._prune()

    def _uploaded_again(self, added: Mapping[str, CommittedFile]) -> None:
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
        files: Mapping[str, CommittedFile],
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
        id = commit_id(value)
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
            if commit_id(value) != id:
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


def _below(commit: Commit, path: str) -> dict[str, str]:
    if path in commit.files:
        return {path: commit.files[path].oid}
    return {name: file.oid for name, file in commit.files.items() if name.startswith(f"{path}/")}
