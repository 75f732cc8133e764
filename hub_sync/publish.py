"""Put one dataset on a Hub: shards as they are built, then ONE commit that makes everything visible."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars

from medimg import layout
from medimg.errors import HubError
from medimg.manifest import MANIFEST_PATH, Manifest

OFFICIAL_HUB = "https://huggingface.co"
OWNED = ("data/", "metadata/", "preview/", "assets/", ".medimg/", layout.CROISSANT_PATH)
"""What sync writes and therefore may delete; other files in the repository are left alone."""


@dataclass(frozen=True)
class Published:
    """What a repository holds now."""

    sha: str | None
    manifest: Manifest | None
    card: str | None
    files: Mapping[str, str]
    """Path -> SHA-256 of LFS files and git blob id of the others."""


class Hub:
    """A Hub and the organization to publish under.

    Args:
        endpoint: address, e.g. https://huggingface.co or that of an embedded Hub.
        namespace: organization or user.
        token: None takes the one of `huggingface-cli login` or HF_TOKEN.
    """

    def __init__(self, endpoint: str, namespace: str, token: str | None = None) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.namespace = namespace
        self.embedded = _is_embedded(self.endpoint)
        if self.embedded:
            # An embedded Hub speaks LFS, not Xet; the client decides this by itself, for the whole process.
            huggingface_hub.constants.HF_HUB_DISABLE_XET = True
            token = token or os.environ.get("HF_TOKEN") or "embedded"
        disable_progress_bars()  # sync shows its own
        self.api = HfApi(endpoint=self.endpoint, token=token, library_name="medimg")

    def repo(self, name: str) -> str:
        """Repository id of a dataset."""
        return f"{self.namespace}/{name}"

    def address(self, name: str) -> str:
        """Page of a dataset."""
        return f"{self.endpoint}/datasets/{self.repo(name)}"

    def published(self, name: str) -> Published:
        """The state of the repository at `main`; empty where there is none."""
        repo = self.repo(name)
        with _told(name):
            try:
                sha = self.api.repo_info(repo, repo_type="dataset").sha
            except RepositoryNotFoundError:
                return Published(None, None, None, {})
            files = {}
            for entry in self.api.list_repo_tree(repo, recursive=True, revision=sha, repo_type="dataset"):
                if isinstance(entry, huggingface_hub.hf_api.RepoFile):
                    files[entry.path] = entry.lfs.sha256 if entry.lfs else entry.blob_id
            manifest = self._text(repo, MANIFEST_PATH, sha) if MANIFEST_PATH in files else None
            card = self._text(repo, layout.CARD_PATH, sha) if layout.CARD_PATH in files else None
        return Published(
            sha, None if manifest is None else Manifest.model_validate_json(manifest), card, files
        )

    def _text(self, repo: str, path: str, revision: str | None) -> str:
        with tempfile.TemporaryDirectory(prefix="medimg-read-") as folder:
            local = self.api.hf_hub_download(
                repo, path, repo_type="dataset", revision=revision, cache_dir=folder
            )
            return Path(local).read_text("utf-8")

    def create(self, name: str) -> None:
        """Create the repository where there is none."""
        with _told(name):
            self.api.create_repo(self.repo(name), repo_type="dataset", exist_ok=True)

    def gate(self, name: str) -> None:
        """Let only those read the files who accepted the terms; to be called before any data is there."""
        with _told(name):
            self.api.update_repo_settings(self.repo(name), repo_type="dataset", gated="auto")


class Upload:
    """The files of one coming commit.

    Args:
        hub: where to.
        name: dataset.
    """

    def __init__(self, hub: Hub, name: str) -> None:
        self._hub = hub
        self._name = name
        self._ready: dict[Path, CommitOperationAdd] = {}
        self.bytes = 0

    def shard(self, path: Path) -> None:
        """Upload a finished data shard now and free its disk space; it becomes visible with the commit."""
        # The final name needs the number of shards; only the suffix matters for how the Hub stores it.
        operation = CommitOperationAdd(path_in_repo=f"data/{path.name}", path_or_fileobj=path)
        size = path.stat().st_size
        with _told(self._name):
            self._hub.api.preupload_lfs_files(self._hub.repo(self._name), [operation], repo_type="dataset")
        self._ready[path] = operation
        if operation._is_uploaded:
            self.bytes += size
            path.unlink()

    def commit(self, files: Mapping[str, Path | bytes], parent: Published, message: str) -> str | None:
        """Make everything visible at once.

        Args:
            files: path in the repository -> local file or content; all that the repository shall hold below `OWNED`.
            parent: the state that was planned against; a moved `main` is an error, nothing is overwritten.
            message: commit message.

        Returns:
            The new revision, or None where nothing differs.
        """
        operations: list[CommitOperationAdd | CommitOperationDelete] = []
        for target, content in files.items():
            operation = self._ready.get(content) if isinstance(content, Path) else None
            if operation is not None:
                operation.path_in_repo = target
            else:
                operation = CommitOperationAdd(path_in_repo=target, path_or_fileobj=content)
            if parent.files.get(target) not in (operation.upload_info.sha256.hex(), _blob_id(operation)):
                operations.append(operation)
        stale = [path for path in parent.files if path.startswith(OWNED) and path not in files]
        operations += [CommitOperationDelete(path_in_repo=path) for path in stale]
        if not operations:
            return None
        with _told(self._name):
            info = self._hub.api.create_commit(
                self._hub.repo(self._name),
                operations,
                commit_message=message,
                repo_type="dataset",
                parent_commit=parent.sha
                or self._hub.api.repo_info(self._hub.repo(self._name), repo_type="dataset").sha,
            )
        return info.oid

    def tag(self, version: str, revision: str) -> str:
        """Tag a revision `v<version>`, or `v<version>-2`, `-3` … where the data changed within one version."""
        repo = self._hub.repo(self._name)
        with _told(self._name):
            taken = {ref.name for ref in self._hub.api.list_repo_refs(repo, repo_type="dataset").tags}
            tag = f"v{version}"
            number = 2
            while tag in taken:
                tag = f"v{version}-{number}"
                number += 1
            self._hub.api.create_tag(repo, tag=tag, revision=revision, repo_type="dataset")
        return tag


def _blob_id(operation: CommitOperationAdd) -> str | None:
    """Git blob id of a small file, which is how the Hub names regular files."""
    if operation.upload_info.size > 10 * 2**20:
        return None
    import hashlib

    with operation.as_file() as stream:
        data = stream.read()
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()


def _is_embedded(endpoint: str) -> bool:
    if endpoint == OFFICIAL_HUB:
        return False
    import json
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"{endpoint}/api/medimg-embedded-hub", timeout=10) as answer:
            return json.load(answer).get("embedded") is True
    except urllib.error.HTTPError:
        return False
    except (OSError, ValueError) as error:
        raise HubError(
            f"no Hub answers at {endpoint} ({type(error).__name__})",
            next_step="Start one with `medimg hub`, or leave --hub out: sync serves its own store while it runs.",
        ) from error


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn the client's errors into ones that name the dataset."""
    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        steps: dict[Any, str] = {
            401: "Log in with `hf auth login` or set HF_TOKEN.",
            403: "Ask for write access to the organization, or set NAMESPACE to your own.",
            412: "Somebody else committed meanwhile; run sync again, it plans anew.",
            429: "The Hub asks to slow down; run sync again later, it resumes.",
        }
        raise HubError(
            f"the Hub answered {status}: {error.server_message or type(error).__name__}",
            dataset=name,
            next_step=steps.get(status, "Run sync again; what was uploaded is not uploaded twice."),
        ) from error
