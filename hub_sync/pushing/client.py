"""A Hub and the organization to publish under: what a repository holds, and guarded commits to it."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeVar

import huggingface_hub
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    get_session,
    hf_hub_url,
    hf_raise_for_status,
)
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError
from huggingface_hub.utils import build_hf_headers, validate_repo_id  # type: ignore[attr-defined]
from huggingface_hub.utils.tqdm import disable_progress_bars

from medimg import clients
from medimg.errors import HubError, MedimgError
from medimg.hub_sync import manifests
from medimg.hub_sync.digests import git_oid
from medimg.hub_sync.pushing.patience import Interrupted, Patience, persist, trouble_of
from medimg.hub_sync.pushing.state import Published
from medimg.manifest import MANIFEST_PATH

T = TypeVar("T")

OFFICIAL_HUB = "https://huggingface.co"
Gate = Literal["auto", "manual", False]
"""Who reads the files: whoever accepts the terms, whom a maintainer approves, everybody."""
Kind = Literal["dataset", "space"]
Operation = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete


class MovedError(HubError):
    """Somebody else committed since the state that was planned against; nothing was overwritten."""


class Hub:
    """A Hub and the organization to publish under.

    Args:
        endpoint: address, e.g. https://huggingface.co or that of an embedded Hub.
        token: None takes the one of `hf auth login` or HF_TOKEN.
        patience: how often requests are repeated.
    """

    def __init__(
        self, endpoint: str, namespace: str, token: str | None = None, *, patience: Patience | None = None
    ) -> None:
        try:
            validate_repo_id(f"{namespace}/name")
        except HFValidationError as error:
            raise HubError(
                f"{namespace!r} cannot be a namespace: letters, digits, '-', '_' and '.' make one",
                next_step="Pass the name of your organization or user on the Hub.",
            ) from error
        self.endpoint = endpoint.rstrip("/")
        self.namespace = namespace
        self.patience = patience or Patience()
        self.kind: Kind = "dataset"
        self.note: Callable[[str], None] = lambda text: None
        self.stopped = threading.Event()
        """Set: nobody waits for another try any more."""
        try:
            self.embedded = persist(lambda: _is_embedded(self.endpoint), self.patience)
        except Interrupted as error:
            raise HubError(error.problem, next_step="Look whether the address is right.") from error
        if self.embedded:
            # An embedded Hub speaks LFS, not Xet; the client decides this by itself, for the whole process.
            huggingface_hub.constants.HF_HUB_DISABLE_XET = True
            token = token or os.environ.get("HF_TOKEN") or "embedded"
        disable_progress_bars()  # sync shows its own
        self.api = HfApi(endpoint=self.endpoint, token=token, library_name="medimg")

    def again(self) -> Callable[[], Hub]:
        """Connects to the same Hub and organization, in another process, too; it holds the token."""
        token = self.api.token if isinstance(self.api.token, str) else None
        return functools.partial(Hub, self.endpoint, self.namespace, token, patience=self.patience)

    def telling(self, note: Callable[[str], None]) -> Hub:
        """The same Hub, which tells somebody else of its waits."""
        hub = copy.copy(self)
        hub.note = note
        return hub

    def spaces(self) -> Hub:
        """The same Hub and organization, for the static Spaces there."""
        hub = copy.copy(self)
        hub.kind = "space"
        return hub

    def repo(self, name: str) -> str:
        """Repository id of a dataset (or Space)."""
        return f"{self.namespace}/{name}"

    def address(self, name: str) -> str:
        """Page of a dataset (or Space)."""
        return f"{self.endpoint}/{self.kind}s/{self.repo(name)}"

    def ask(self, name: str, call: Callable[[], T]) -> T:
        """Call the Hub, again where that may help.

        Args:
            call: may be called several times.

        Raises:
            MovedError: the branch is not where the call expects it.
            HubError: any other refusal, or no answer; tokens and upload addresses are not in the message.
        """
        try:
            return persist(call, self.patience, note=lambda text: self.note(f"{name}: {text}"), sleep=self._sleep)
        except MedimgError:
            raise
        except Exception as error:
            if (told := _meant(name, error, self.patience.attempts)) is None:
                raise
            told.problem = self.redacted(told.problem)
            raise told from error

    def call(self, name: str, method: Callable[..., T], *args: Any, **options: Any) -> T:
        """`ask` for a method of `api` that is about one repository."""
        return self.ask(name, lambda: method(self.repo(name), *args, repo_type=self.kind, **options))

    def datasets(self, about: str) -> dict[str, list[str]]:
        """Names of the organization's datasets, with the tags that the Hub lists of each; `about` is for messages."""
        repos = self.ask(about, lambda: list(self.api.list_datasets(author=self.namespace)))
        return {repo.id.split("/", 1)[1]: repo.tags or [] for repo in repos}

    def heads(self) -> dict[str, str]:
        """The head commit of `main` of each of the organization's datasets, by name, from one listing.

        A page of it names up to a thousand; whether the public Hub lists a new commit at once is not documented.
        """
        repos = self.ask(self.namespace, lambda: list(self.api.list_datasets(author=self.namespace, expand=["sha"])))
        return {repo.id.split("/", 1)[1]: repo.sha for repo in repos if repo.sha}

    def published(self, name: str, revision: str | None = None) -> Published:
        """The state of the repository at `main`, or at another revision; empty where there is none."""
        state, text = self.found(name, revision)
        return state if text is None else replace(state, manifest=manifests.read(text, name))

    def _sleep(self, seconds: float) -> None:
        if self.stopped.wait(seconds):
            raise HubError("the run was stopped")

    def found(self, name: str, revision: str | None = None) -> tuple[Published, str | None]:
        """`published` without its manifest, and the manifest's text, which need not be a dataset's."""

        def look() -> tuple[Published, str | None]:
            if revision is not None:
                return self._tree(name, revision, {})
            try:
                refs = self.api.list_repo_refs(self.repo(name), repo_type=self.kind)
            except RepositoryNotFoundError:
                return Published(None, None), None
            sha = next((ref.target_commit for ref in refs.branches if ref.name == "main"), None)
            tags = {ref.name: ref.target_commit for ref in refs.tags}
            return self._tree(name, sha, tags)

        return self.ask(name, look)

    def _tree(self, name: str, revision: str | None, tags: Mapping[str, str]) -> tuple[Published, str | None]:
        repo = self.repo(name)
        files = self._files(repo, revision)
        text = self._text(repo, MANIFEST_PATH, revision) if MANIFEST_PATH in files else None

        return Published(revision, None, None, files, tags, functools.partial(self.text, name, revision=revision)), text

    def _files(self, repo: str, revision: str | None) -> dict[str, str]:
        files = {}
        for entry in self.api.list_repo_tree(repo, recursive=True, revision=revision, repo_type=self.kind):
            if isinstance(entry, huggingface_hub.hf_api.RepoFile):
                files[entry.path] = entry.lfs.sha256 if entry.lfs else entry.blob_id
        return files

    def _address(self, repo: str, path: str, revision: str | None) -> dict[str, Any]:
        """Where a file is read, as arguments of the client's session."""
        url = hf_hub_url(repo, path, repo_type=self.kind, revision=revision, endpoint=self.endpoint)
        return {"url": url, "headers": build_hf_headers(token=self.api.token, library_name="medimg")}

    def text(self, name: str, path: str, revision: str | None) -> str:
        """A text file of a repository."""
        return self.ask(name, lambda: self._text(self.repo(name), path, revision))

    def _text(self, repo: str, path: str, revision: str | None) -> str:
        response = get_session().get(**self._address(repo, path, revision))
        hf_raise_for_status(response)
        return str(response.content, "utf-8")

    def digest(self, name: str, path: str, revision: str | None) -> str:
        """SHA-256 of a file's bytes, read through."""

        def read() -> str:
            digest = hashlib.sha256()
            with get_session().stream("GET", **self._address(self.repo(name), path, revision)) as response:
                hf_raise_for_status(response)
                for chunk in response.iter_bytes():
                    digest.update(chunk)
            return digest.hexdigest()

        return self.ask(name, read)

    def create(self, name: str) -> None:
        """Create the repository where there is none."""
        sdk = "static" if self.kind == "space" else None
        self.call(name, self.api.create_repo, space_sdk=sdk, exist_ok=True)

    def gate_of(self, name: str) -> Gate:
        """Who may read the files now."""
        found = self.call(name, self.api.repo_info).gated
        return found if found in ("auto", "manual") else False

    def gated(self, name: str) -> bool:
        """Whether only those who accepted terms, or were approved, may read the files now."""
        return bool(self.gate_of(name))

    def gate(self, name: str, gated: Gate = "auto") -> None:
        """Say who may read the files, of all revisions; to be called before any data is there."""
        self.call(name, self.api.update_repo_settings, gated=gated)

    def tag(self, name: str, tag: str, revision: str) -> None:
        """Tag a revision; a tag that is there already stays where it is."""
        self.call(name, self.api.create_tag, tag=tag, revision=revision, exist_ok=True)

    def commit(
        self,
        name: str,
        operations: Iterable[Operation],
        message: str,
        parent: Published,
        *,
        description: str = "",
    ) -> str:
        """One commit, guarded by the state that was planned against.

        Raises:
            MovedError: `main` is elsewhere; nothing was overwritten.
        """
        operations = list(operations)
        repo = self.repo(name)
        tries = 0

        def push() -> str:
            nonlocal tries
            if tries and (revision := self._landed(repo, operations, parent)):
                return revision  # only the answer was lost
            tries += 1
            info = self.api.create_commit(
                repo,
                operations,
                commit_message=message,
                commit_description=description,
                repo_type=self.kind,
                parent_commit=parent.sha,
            )
            oid: str = info.oid
            return oid

        try:
            return self.ask(name, push)
        except MovedError:
            # An earlier try may have been taken after we had looked.
            if tries > 1 and (revision := self.ask(name, lambda: self._landed(repo, operations, parent))):
                return revision
            raise

    def _landed(self, repo: str, operations: Iterable[Operation], parent: Published) -> str | None:
        """The head of `main`, if it is what this commit makes of its parent."""
        sha = self.api.repo_info(repo, repo_type=self.kind).sha
        if sha is None or sha == parent.sha:
            return None
        expected = dict(parent.files)
        for operation in operations:
            if isinstance(operation, CommitOperationDelete):
                expected.pop(operation.path_in_repo, None)
        loose: dict[str, set[str]] = {}
        for operation in operations:
            if isinstance(operation, CommitOperationAdd):
                loose[operation.path_in_repo] = digests(operation)
            elif isinstance(operation, CommitOperationCopy):
                origin = self._files(operation.src_repo_id or repo, operation.src_revision)
                loose[operation.path_in_repo] = {origin.get(operation.src_path_in_repo, "")}
        found = self._files(repo, sha)
        if {*expected, *loose} != set(found):
            return None
        same = all(found[path] in loose.get(path, {expected.get(path, "")}) for path in found)
        return sha if same else None

    def redacted(self, text: str) -> str:
        """Text without the token and without the queries of addresses, which carry signatures."""
        for token in {self.api.token, os.environ.get("HF_TOKEN")}:
            if isinstance(token, str) and len(token) > 7:
                text = text.replace(token, "***")
        text = re.sub(r"\bhf_[A-Za-z0-9]{16,}", "***", text)
        return re.sub(r"(https?://[^\s?'\"]+)\?[^\s'\"]+", r"\1", text)


def _meant(name: str, error: Exception, tries: int) -> HubError | None:
    """The client's error as one that names the dataset; None where it has nothing to do with the Hub."""
    trouble = trouble_of(error)
    again = "Run it again; what was uploaded is not uploaded twice."
    if trouble is not None:
        if trouble.status == 429:
            again = "The Hub asks to slow down; run it again later, it resumes."
        after = f" {tries} times" if tries > 1 else ""
        return HubError(f"{trouble.problem}{after}", dataset=name, next_step=again)
    if not isinstance(error, HfHubHTTPError):
        if isinstance(error, RuntimeError) and isinstance(error.__cause__, HfHubHTTPError):
            return _meant(name, error.__cause__, tries)  # from an upload thread
        return None
    status = error.response.status_code if error.response is not None else None
    steps: dict[Any, str] = {
        401: "Log in with `hf auth login` or set HF_TOKEN.",
        403: "Ask for write access to the organization, or set NAMESPACE to your own.",
        412: "Somebody else committed meanwhile; run it again, it plans anew.",
        507: "The Hub's disk is full; make room there, then run it again.",
    }
    kind = MovedError if status == 412 else HubError
    said = error.server_message or type(error).__name__
    return kind(f"the Hub answered {status}: {said}", dataset=name, next_step=steps.get(status, again))


def digests(operation: CommitOperationAdd) -> set[str]:
    """How the Hub may name a file: SHA-256 through LFS, git blob id otherwise."""
    found = {operation.upload_info.sha256.hex()}
    if clients.upload_mode(operation) != "lfs" and operation.upload_info.size <= 10 * 2**20:
        with operation.as_file() as stream:
            found.add(git_oid(stream.read()))
    return found


def _is_embedded(endpoint: str) -> bool:
    if endpoint == OFFICIAL_HUB:
        return False
    try:
        with urllib.request.urlopen(f"{endpoint}/api/medimg-embedded-hub", timeout=30) as answer:
            return json.load(answer).get("embedded") is True
    except urllib.error.HTTPError as error:
        if error.code in (429, 500, 502, 503, 504):
            problem = f"the Hub answered {error.code}"
            raise Interrupted("GET /api/medimg-embedded-hub", problem, status=error.code) from error
        return False
    except (OSError, ValueError) as error:
        if isinstance(getattr(error, "reason", error), ConnectionRefusedError):
            raise HubError(
                f"no Hub answers at {endpoint} ({type(error).__name__})",
                next_step="Start one with `medimg hub`, or leave --hub out: sync serves its own store while it runs.",
            ) from error
        raise Interrupted("GET /api/medimg-embedded-hub", f"no Hub answers at {endpoint}") from error
