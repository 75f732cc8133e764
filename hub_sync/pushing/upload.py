"""The files of one coming commit: shards go up as they are built, ONE commit makes all of them visible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import huggingface_hub
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete

from medimg import clients
from medimg.hub_sync.pushing.client import Hub, digests
from medimg.hub_sync.pushing.patience import TRAFFIC
from medimg.hub_sync.pushing.state import OWNED, Published


class Upload:
    """The files of one coming commit."""

    def __init__(self, hub: Hub, name: str) -> None:
        self._hub = hub
        self._name = name
        self._ready: dict[Path, CommitOperationAdd] = {}
        self.bytes = 0

    def shard(self, path: Path) -> CommitOperationAdd:
        """Upload a finished data shard now and free its disk space; it becomes visible with the commit."""
        # The final name needs the number of shards; only the suffix matters for how the Hub stores it.
        operation = CommitOperationAdd(path_in_repo=f"data/{path.name}", path_or_fileobj=path)
        self._send([operation])
        self._ready[path] = operation
        if clients.is_uploaded(operation):
            path.unlink()
        return operation

    def adopt(self, path: Path, operation: CommitOperationAdd) -> None:
        """Take a shard that somebody else has uploaded; `path` stands for it."""
        self._ready[path] = operation

    def _send(self, operations: list[CommitOperationAdd]) -> None:
        """Upload what goes through LFS. Each try asks first which objects the Hub has."""
        before = TRAFFIC.uploaded
        self._hub.call(self._name, self._hub.api.preupload_lfs_files, operations)
        self.bytes += TRAFFIC.uploaded - before
        if not huggingface_hub.constants.HF_HUB_DISABLE_XET:  # its own connections are not counted
            self.bytes += sum(each.upload_info.size for each in operations if clients.is_uploaded(each))

    def commit(
        self,
        files: Mapping[str, Path | bytes | CommitOperationCopy],
        parent: Published,
        message: str,
        owned: tuple[str, ...] = OWNED,
    ) -> str | None:
        """Make everything visible at once.

        Args:
            files: path in the repository -> local file, content or copy within the Hub; all that the repository
                shall hold below `owned`.
            parent: the state that was planned against; a moved `main` is an error, nothing is overwritten.
            owned: how paths begin that may be deleted.

        Returns:
            The new revision, or None where nothing differs.

        Raises:
            MovedError: `main` is elsewhere.
        """
        additions: list[CommitOperationAdd] = []
        copies = [content for content in files.values() if isinstance(content, CommitOperationCopy)]
        for target, content in files.items():
            if isinstance(content, CommitOperationCopy):
                continue
            operation = self._ready.get(content) if isinstance(content, Path) else None
            if operation is not None:
                operation.path_in_repo = target
            else:
                operation = CommitOperationAdd(path_in_repo=target, path_or_fileobj=content)
            if parent.files.get(target) not in digests(operation):
                additions.append(operation)
        stale = [path for path in parent.files if path.startswith(owned) and path not in files]
        deletions = [CommitOperationDelete(path_in_repo=path) for path in stale]
        if not additions and not deletions and not copies:
            return None
        waiting = [each for each in additions if not clients.is_uploaded(each)]
        if waiting:
            self._send(waiting)
        revision = self._hub.commit(self._name, [*copies, *additions, *deletions], message, parent)
        self.bytes += sum(each.upload_info.size for each in additions if clients.upload_mode(each) == "regular")
        return revision


def next_tag(version: str, taken: Iterable[str]) -> str:
    """`v<version>`, or `v<version>-2`, `-3` … where the data changed within one version."""
    taken = set(taken)
    tag = f"v{version}"
    number = 2
    while tag in taken:
        tag = f"v{version}-{number}"
        number += 1
    return tag
