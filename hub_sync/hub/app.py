"""The embedded Hub's HTTP side: the part of the Hub's protocol that its Python clients use.

Not supported, and refused with a clear answer: pull requests, git, Xet. Paths are matched undecoded, because
clients send revisions and paths with an escaped slash as one segment.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import errno
import hashlib
import hmac
import inspect
import ipaddress
import json
import logging
import mimetypes
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from math import ceil
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from medimg.hub_sync.hub import pages
from medimg.hub_sync.hub.store import (
    LFS_SUFFIXES,
    MAIN,
    REPO_TYPES,
    Commit,
    Entry,
    File,
    HubRefusal,
    Incoming,
    Json,
    RefKind,
    Repository,
    Store,
    check_name,
    check_path,
    check_sha256,
    entry_not_found,
    lfs_pointer,
    now,
)

_LOG = logging.getLogger(__name__)
_LINK_SECONDS = 24 * 3600
_CHUNK = 1 << 20
_EVERY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_PLURALS = {f"{kind}s": kind for kind in REPO_TYPES}
_NO_SCRIPT = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}
_SHOWN_TYPES = {"image/png", "image/jpeg", "image/gif", "image/webp"}


@dataclass(frozen=True)
class Call:
    """One request: decoded path parameters and the whole body."""

    request: Request
    args: dict[str, str]
    body: bytes = b""

    def json(self) -> Json:
        """Return the body as a JSON object; refuses anything else."""
        try:
            value = json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
            raise HubRefusal(400, "The body is not JSON.") from None
        if not isinstance(value, dict):
            raise HubRefusal(400, "The body is not a JSON object.")
        return value

    def flag(self, name: str) -> bool:
        """Return a query parameter as a truth value."""
        return self.request.query_params.get(name, "").lower() in ("1", "true")


Handler = Callable[[Call], Response]
AsyncHandler = Callable[[Call], Awaitable[Response]]


class Hub:
    """Handlers of all requests.

    Args:
        store: what is served.
        token: where given, writes, private and gated repositories need it; else any token opens the latter.
        base_url: the address in links; where not given, the one the client used.
        user: the name that owns repositories created without a namespace.
    """

    def __init__(self, store: Store, token: str | None, base_url: str | None, user: str) -> None:
        self.store = store
        self.token = token
        self.base_url = base_url
        self.user = user

    # ---- who may do what

    def knows(self, request: Request) -> bool:
        """Return whether the request carries the token, or any token where none is set."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            return False
        return self.token is None or secrets.compare_digest(given.strip().encode(), self.token.encode())

    def must_write(self, request: Request) -> None:
        """Refuse a write without the token, and writes that a browser sends for another site."""
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            raise HubRefusal(403, "Writes from other sites are refused.")
        if self.token is not None and not self.knows(request):
            raise HubRefusal(401, "Invalid credentials in Authorization header")

    def repository(self, call: Call) -> Repository:
        """Return the repository that the path names, if the request may see it."""
        kind = _PLURALS.get(call.args.get("kind", "models"), "")
        repository = self.store.repository(kind, f"{call.args['ns']}/{call.args['name']}")
        if repository.settings()["private"] and not self.knows(call.request):
            raise HubRefusal(404, "Repository not found", code="RepoNotFound")
        return repository

    def gate(self, call: Call, repository: Repository) -> None:
        """Refuse the files of a gated repository to requests without a token."""
        if repository.settings()["gated"] and not self.knows(call.request):
            problem = f"Access to {repository.type} {repository.id} is restricted. You must be authenticated."
            raise HubRefusal(403, problem, code="GatedRepo")

    def base(self, request: Request) -> str:
        """Return the address for links, without a slash at the end."""
        return (self.base_url or str(request.base_url)).rstrip("/")

    def url(self, call: Call, repository: Repository) -> str:
        """Return the address of a repository."""
        return self.base(call.request) + pages.repository_url(repository)

    # ---- the Hub itself

    def embedded(self, call: Call) -> Response:
        """Tell that this is an embedded Hub."""
        return JSONResponse({"embedded": True, "version": _version()})

    def whoami(self, call: Call) -> Response:
        """Name the user."""
        if not self.knows(call.request):
            raise HubRefusal(401, "Invalid credentials in Authorization header")
        spaces = {
            repository.id.split("/")[0] for kind in REPO_TYPES for repository in self.store.repositories(kind)
        }
        orgs = [{"type": "org", "name": name, "fullname": name} for name in sorted(spaces - {self.user})]
        role = {"displayName": "embedded", "role": "write"}
        auth = {"type": "access_token", "accessToken": role}
        user = {"type": "user", "id": self.user, "name": self.user, "fullname": self.user, "isPro": False}
        return JSONResponse({**user, "orgs": orgs, "auth": auth})

    def validate_yaml(self, call: Call) -> Response:
        """Check a card's YAML as far as this can be done without the Hub's rules."""
        read = pages.parse_card(str(call.json().get("content", "")))
        if read.problem:
            return JSONResponse({"errors": [{"message": read.problem}], "warnings": []}, 400)
        missing = [] if read.data else [{"message": "empty or missing yaml metadata in repo card"}]
        return JSONResponse({"errors": [], "warnings": missing})

    # ---- repositories

    def create_repo(self, call: Call) -> Response:
        """Create a repository; 409 with its address where it exists."""
        body = call.json()
        kind, id = self._named(body)
        private = body.get("visibility") == "private" or body.get("private") is True
        try:
            repository = self.store.create(kind, id, private=private)
        except HubRefusal as refusal:
            if refusal.status == 409:
                refusal.extra["url"] = self.url(call, Repository(self.store, kind, id))
            raise
        return JSONResponse({"url": self.url(call, repository), "name": id, "id": id})

    def delete_repo(self, call: Call) -> Response:
        """Delete a repository."""
        body = call.json()
        self.store.delete(*self._named(body))
        return Response()

    def _named(self, body: Json) -> tuple[str, str]:
        namespace, name = check_name(body.get("organization") or self.user), check_name(body.get("name"))
        return str(body.get("type") or "model"), f"{namespace}/{name}"

    def move_repo(self, call: Call) -> Response:
        """Rename a repository."""
        body = call.json()
        self.store.move(str(body.get("type") or "model"), str(body.get("fromRepo")), str(body.get("toRepo")))
        return Response()

    def settings(self, call: Call) -> Response:
        """Change visibility and gating."""
        body, changes = call.json(), dict[str, object]()
        if "gated" in body:
            if body["gated"] not in ("auto", "manual", False):
                raise HubRefusal(400, "gated must be auto, manual or false.")
            changes["gated"] = body["gated"]
        if "visibility" in body or "private" in body:
            changes["private"] = body.get("visibility") == "private" or body.get("private") is True
        return JSONResponse(self.repository(call).update(**changes))

    def list_repos(self, call: Call) -> Response:
        """List repositories by author, search words and tags."""
        query = call.request.query_params
        found = []
        for repository in self.store.repositories(_kind(call)):
            settings = repository.settings()
            words = [word.lower() for word in query.getlist("search")]
            if query.get("author", repository.id.split("/")[0]) != repository.id.split("/")[0]:
                continue
            if (settings["private"] and not self.knows(call.request)) or any(
                w not in repository.id.lower() for w in words
            ):
                continue
            info = self._info(repository, repository.commit())
            wanted = [tag for text in query.getlist("filter") for tag in text.split(",")]
            if set(wanted) <= set(info["tags"]) and (
                "gated" not in query or call.flag("gated") == bool(info["gated"])
            ):
                found.append(info)
        key = query.get("sort", "id")
        found.sort(key=lambda info: str(info.get(key, "")), reverse=key in ("lastModified", "createdAt"))
        limit = query.get("limit", "")
        return JSONResponse(found[: int(limit)] if limit.isdigit() else found)

    def info(self, call: Call) -> Response:
        """Describe a repository at a revision."""
        repository = self.repository(call)
        commit = repository.commit(call.args.get("rev", MAIN))
        return JSONResponse(self._info(repository, commit, blobs=call.flag("blobs")))

    def _info(self, repository: Repository, commit: Commit, *, blobs: bool = False) -> Json:
        settings = repository.settings()
        read = pages.card(repository, commit)
        siblings: list[Json] = [{"rfilename": path} for path in commit.files]
        if blobs:
            for sibling, file in zip(siblings, commit.files.values(), strict=True):
                sibling.update(size=file.size, blobId=file.oid)
                if file.lfs:
                    sibling["lfs"] = {**_lfs(file), "sha256": file.sha256}
        size = sum(file.size for file in commit.files.values())
        return {
            "_id": hashlib.sha1(f"{repository.type}/{repository.id}".encode()).hexdigest()[:24],
            "id": repository.id,
            "author": repository.id.split("/")[0],
            "sha": commit.id,
            "createdAt": settings["created"],
            "lastModified": commit.time,
            "private": settings["private"],
            "gated": settings["gated"],
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": read.tags,
            "cardData": read.data,
            "siblings": siblings,
            "usedStorage": size,
        }

    # ---- reading

    def refs(self, call: Call) -> Response:
        """List branches and tags."""
        repository = self.repository(call)

        def described(kind: RefKind) -> list[Json]:
            refs = repository.refs(kind).items()
            return [
                {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": ref["target"]}
                for name, ref in refs
            ]

        return JSONResponse(
            {"branches": described("heads"), "tags": described("tags"), "converts": [], "pullRequests": []}
        )

    def commits(self, call: Call) -> Response:
        """List the commits of a revision, last first."""
        repository = self.repository(call)
        found = [
            {
                "id": commit.id,
                "title": commit.message,
                "message": commit.description,
                "date": commit.time,
                "authors": [{"user": self.user, "avatar": ""}],
            }
            for commit in repository.history(repository.commit(call.args["rev"]))
        ]
        return self._paged(call, found, 1000)

    def tree(self, call: Call) -> Response:
        """List a folder."""
        repository = self.repository(call)
        commit = repository.commit(call.args["rev"])
        entries = commit.listing(call.args.get("path", "").strip("/"), recursive=call.flag("recursive"))
        expand = call.flag("expand")
        response = self._paged(
            call, entries, 50 if expand else 1000, lambda e: _described(repository, commit, e, expand)
        )
        response.headers["X-Repo-Commit"] = commit.id
        return response

    def paths_info(self, call: Call) -> Response:
        """Describe the given paths, without those that do not exist."""
        repository = self.repository(call)
        commit = repository.commit(call.args["rev"])
        if "json" in call.request.headers.get("content-type", ""):
            body = call.json()
            paths, expand = body.get("paths", []), body.get("expand") is True
        else:
            form = parse_qs(call.body.decode("utf-8", "replace"))
            paths, expand = form.get("paths", []), form.get("expand", [""])[0].lower() == "true"
        every = {entry.path: entry for entry in commit.listing(recursive=True)}
        wanted = [every[path] for path in (str(path).rstrip("/") for path in paths) if path in every]
        found = _described(repository, commit, wanted, expand)
        for item in found:
            # A client copies a file to another repository only if it has a Xet hash. This one is no Xet hash
            # and is shown nowhere else, so that no client with Xet tries to download by it.
            if "lfs" in item and not expand:
                item["xetHash"] = f"embedded:{item['lfs']['oid']}"
        return JSONResponse(found)

    def _paged(
        self, call: Call, items: Sequence[Any], size: int, describe: Callable[[Any], list[Json]] = list
    ) -> Response:
        query = dict(call.request.query_params)
        cursor, limit = query.get("cursor", "0"), query.get("limit", "")
        start = int(cursor) if cursor.isdecimal() else 0
        size = max(1, min(int(limit), size)) if limit.isdecimal() else size
        response = JSONResponse(describe(items[start : start + size]))
        if start + size < len(items):
            here = f"{self.base(call.request)}{call.request.scope['path']}"
            response.headers["Link"] = f'<{here}?{urlencode({**query, "cursor": start + size})}>; rel="next"'
        return response

    def resolve(self, call: Call) -> Response:
        """Give a file, as a whole or a range of it."""
        repository = self.repository(call)
        self.gate(call, repository)
        commit = repository.commit(call.args["rev"])
        file = commit.files.get(call.args["path"])
        if file is None:
            raise entry_not_found(call.args["path"], commit.id)
        tag = f'"{file.sha256 if file.lfs else file.oid}"'
        headers = {**_NO_SCRIPT, "ETag": tag, "X-Repo-Commit": commit.id}
        if file.lfs:
            headers |= {"X-Linked-Etag": tag, "X-Linked-Size": str(file.size)}
        if tag in (known.strip() for known in call.request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        guess = mimetypes.guess_type(call.args["path"])[0] or ""
        text = guess.startswith("text/") or guess == "application/json"
        shown = "text/plain" if text else guess if guess in _SHOWN_TYPES else "application/octet-stream"
        path = self.store.object_path(file.sha256)
        try:
            status = path.stat()
        except FileNotFoundError:
            raise HubRefusal(500, f"The store has lost the content of {call.args['path']}.") from None
        name = call.args["path"].split("/")[-1] if call.flag("download") else None
        return _Object(path, headers=headers, media_type=shown, filename=name, stat_result=status)

    def auth_check(self, call: Call) -> Response:
        """Tell whether the files may be read."""
        self.gate(call, self.repository(call))
        return Response()

    # ---- writing

    def preupload(self, call: Call) -> Response:
        """Tell for each file whether it goes through LFS, and which content is there now."""
        _no_pull_request(call)
        commit = self.repository(call).commit(call.args["rev"])
        answers = []
        for asked in _objects(call.json().get("files")):
            path = check_path(asked.get("path"), self.store.limits.path)
            lfs = self._is_lfs(path, _whole(asked.get("size")), str(asked.get("sample", "")))
            answer: Json = {"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
            kept = commit.files.get(path)
            if kept is not None and kept.lfs == lfs:
                answer["oid"] = kept.sha256 if lfs else kept.oid
            answers.append(answer)
        return JSONResponse({"files": answers})

    def _is_lfs(self, path: str, size: int, sample: str) -> bool:
        if size == 0:
            return False  # clients send empty files as regular ones
        if size > self.store.limits.regular_file or f".{path.rsplit('.', 1)[-1].lower()}" in LFS_SUFFIXES:
            return True
        try:
            head = base64.b64decode(sample)
        except (binascii.Error, ValueError):
            raise HubRefusal(400, "The sample is not base64.") from None
        try:
            codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
        except UnicodeDecodeError:
            return True
        return b"\0" in head

    def commit(self, call: Call) -> Response:
        """Add one commit from lines of JSON."""
        _no_pull_request(call)
        repository = self.repository(call)
        header: Json = {}
        added: dict[str, File] = {}
        deleted: list[str] = []
        folders: list[str] = []
        for line in filter(None, (line.strip() for line in call.body.split(b"\n"))):
            try:
                item = json.loads(line)
                key, value = item["key"], dict(item["value"])
                path = "" if key == "header" else str(value["path"]).rstrip("/")
            except (ValueError, KeyError, TypeError, RecursionError):
                raise HubRefusal(400, "A line of the commit is not an object with key and value.") from None
            if key == "header":
                header = value
                continue
            check_path(path, self.store.limits.path)
            if key == "file":
                added[path] = self._regular_file(path, value)
            elif key == "lfsFile":
                size = value.get("size")
                added[path] = self.store.lfs_file(
                    check_sha256(value.get("oid")), None if size is None else _whole(size)
                )
            elif key in ("deletedFile", "deletedFolder"):
                (deleted if key == "deletedFile" else folders).append(path)
            else:
                raise HubRefusal(400, f"The operation {str(key)[:40]!r} is not supported.")
        summary = header.get("summary")
        if not isinstance(summary, str) or not summary.strip():
            raise HubRefusal(400, "The commit has no summary.")
        parent = header.get("parentCommit")
        made = repository.write(
            call.args["rev"],
            summary,
            str(header.get("description") or ""),
            parent=None if parent is None else str(parent),
            add=added,
            delete=deleted,
            delete_folders=folders,
        )
        return JSONResponse(
            {
                "success": True,
                "commitOid": made.id,
                "commitUrl": f"{self.url(call, repository)}/commit/{made.id}",
            }
        )

    def _regular_file(self, path: str, value: Json) -> File:
        content = value.get("content")
        if not isinstance(content, str):
            raise HubRefusal(400, f"{path} has no content.")
        try:
            data = (
                base64.b64decode(content, validate=True)
                if value.get("encoding") == "base64"
                else content.encode()
            )
        except (binascii.Error, ValueError):
            raise HubRefusal(400, f"The content of {path} is not base64.") from None
        if len(data) > self.store.limits.regular_file:
            raise HubRefusal(413, f"{path} is too large for a regular file: upload it through LFS.")
        return self.store.put(data)

    def squash(self, call: Call) -> Response:
        """Replace a branch's history by one commit."""
        message = str(call.json().get("message") or f"Super-squash branch {call.args['rev']}")
        return JSONResponse({"commitOid": self.repository(call).squash(call.args["rev"], message).id})

    def create_tag(self, call: Call) -> Response:
        """Tag a revision."""
        body = call.json()
        message = str(body.get("message") or "")
        self.repository(call).create_ref("tags", str(body.get("tag", "")), call.args["rev"], message)
        return Response()

    def delete_tag(self, call: Call) -> Response:
        """Delete a tag."""
        self.repository(call).delete_ref("tags", call.args["rev"])
        return Response()

    def create_branch(self, call: Call) -> Response:
        """Create a branch."""
        start = str(call.json().get("startingPoint") or MAIN)
        self.repository(call).create_ref("heads", call.args["rev"], start)
        return Response()

    def delete_branch(self, call: Call) -> Response:
        """Delete a branch."""
        self.repository(call).delete_ref("heads", call.args["rev"])
        return Response()

    # ---- large files

    def lfs_batch(self, call: Call) -> Response:
        """Tell where to upload each object that the store does not have."""
        self.repository(call)
        body = call.json()
        if body.get("operation") != "upload":
            raise HubRefusal(400, "Only uploads are supported here; files are read at their resolve address.")
        base, limits, answers = self.base(call.request), self.store.limits, []
        for asked in _objects(body.get("objects")):
            oid, size = check_sha256(asked.get("oid")), _whole(asked.get("size"))
            answer: Json = {"oid": oid, "size": size}
            if size > limits.object:
                answer["error"] = {"code": 422, "message": f"Files are limited to {limits.object} bytes."}
            elif self.store.object_size(oid) != size:
                verify = {"href": f"{base}/lfs/verify"}
                upload: Json = {"href": self._signed(base, "object", oid, size)}
                if size > limits.multipart_above and "multipart" in body.get("transfers", []):
                    numbers = range(1, ceil(size / limits.part) + 1)
                    parts = {
                        str(number): self._signed(base, f"part-{number}", oid, size) for number in numbers
                    }
                    header = {"chunk_size": str(limits.part), **parts}
                    upload = {"href": self._signed(base, "join", oid, size), "header": header}
                answer["actions"] = {"upload": upload, "verify": verify}
            answers.append(answer)
        return JSONResponse(
            {"transfer": "basic", "objects": answers}, media_type="application/vnd.git-lfs+json"
        )

    def _signed(self, base: str, action: str, oid: str, size: int) -> str:
        until = int(time.time()) + _LINK_SECONDS
        query = {
            "size": size,
            "until": until,
            "signature": self._signature(action, oid, str(size), str(until)),
        }
        return f"{base}/lfs/{action}/{oid}?{urlencode(query)}"

    def _signature(self, *parts: str) -> str:
        return hmac.new(self.store.secret(), ":".join(parts).encode(), "sha256").hexdigest()

    def _upload(self, call: Call, action: str) -> tuple[str, int]:
        oid, query = call.args["oid"], call.request.query_params
        size, until, given = query.get("size", ""), query.get("until", ""), query.get("signature", "")
        if not hmac.compare_digest(given.encode(), self._signature(action, oid, size, until).encode()):
            raise HubRefusal(403, "The upload address is not valid.")
        if int(until) < time.time():
            raise HubRefusal(403, "The upload address has expired: ask for a new one.")
        return oid, int(size)

    async def put_object(self, call: Call) -> Response:
        """Take one object; keep it only if it is the announced one."""
        oid, size = self._upload(call, "object")
        with self.store.incoming(size) as file:
            await _receive(call.request, file)
            await run_in_threadpool(file.keep_object, oid, size)
        return Response()

    async def put_part(self, call: Call) -> Response:
        """Take one part of an object."""
        number = call.args["number"]
        oid, size = self._upload(call, f"part-{number}")
        whole = self.store.limits.part
        expected = min(whole, size - (int(number) - 1) * whole)
        with self.store.incoming(expected) as file:
            await _receive(call.request, file)
            if file.size != expected:
                raise HubRefusal(400, f"Part {number} has {file.size} bytes, not {expected}.")
            tag = await run_in_threadpool(self.store.keep_part, oid, size, int(number), file)
        return Response(headers={"ETag": f'"{tag}"'})

    def join_parts(self, call: Call) -> Response:
        """Make an object of its parts."""
        oid, size = self._upload(call, "join")
        parts = sorted(_objects(call.json().get("parts")), key=lambda part: _whole(part.get("partNumber")))
        self.store.join_parts(oid, size, [str(part.get("etag", "")).strip('"') for part in parts])
        return Response()

    def lfs_verify(self, call: Call) -> Response:
        """Confirm that the store has an object."""
        body = call.json()
        self.store.lfs_file(check_sha256(body.get("oid")), _whole(body.get("size")))
        return Response()

    def duplicate(self, call: Call) -> Response:
        """Let another repository have files of this one: objects are shared, so only look."""
        repository = self.repository(call)
        self.gate(call, repository)
        body = call.json()
        target = body.get("target")
        target = target if isinstance(target, dict) else {}
        self.store.repository(str(target.get("type")), str(target.get("name")))
        failed = []
        for file in _objects(body.get("files")):
            oid = file.get("sha256")
            if self.store.object_size(check_sha256(oid)) is None:
                failed.append({"sha256": oid, "error": "This file does not exist."})
        return JSONResponse({"failed": failed})

    # ---- collections

    def list_collections(self, call: Call) -> Response:
        """List collections by owner and item."""
        query, found = call.request.query_params, []
        for collection in self.store.collections():
            names = {f"{item['type']}s/{item['id']}" for item in collection["items"]}
            if query.get("owner", collection["owner"]) != collection["owner"]:
                continue
            if query.get("item", next(iter(names), None)) in names | {None} and self._sees(call, collection):
                found.append({key: value for key, value in collection.items() if key != "position"})
        return JSONResponse(found)

    def create_collection(self, call: Call) -> Response:
        """Create a collection; 409 with its slug where there is one with this title."""
        body = call.json()
        title, owner = str(body.get("title") or "").strip(), str(body.get("namespace") or self.user)
        if not title:
            raise HubRefusal(400, "A collection needs a title.")
        words = "-".join(re.findall(r"[a-z0-9]+", title.lower()))[:60].strip("-") or "collection"
        slug = f"{owner}/{words}-{hashlib.sha1(f'{owner}/{title}'.encode()).hexdigest()[:24]}"
        with self.store.locked("collections"):
            if any(collection["slug"] == slug for collection in self.store.collections()):
                raise HubRefusal(
                    409, f"There is a collection with this title already: {slug}", extra={"slug": slug}
                )
            made: Json = {
                "slug": slug,
                "title": title,
                "description": body.get("description"),
                "owner": owner,
                "items": [],
                "position": 0,
                "private": body.get("private") is True,
                "theme": "blue",
                "upvotes": 0,
            }
            return JSONResponse(self.store.save_collection(made))

    def get_collection(self, call: Call) -> Response:
        """Give a collection."""
        return JSONResponse(self._collection(call))

    def update_collection(self, call: Call) -> Response:
        """Change title, description, position, visibility or theme."""
        with self.store.locked("collections"):
            collection, body = self._collection(call), call.json()
            known = ("title", "description", "position", "private", "theme")
            collection |= {key: body[key] for key in known if key in body}
            return JSONResponse({"data": self.store.save_collection(collection)})

    def delete_collection(self, call: Call) -> Response:
        """Delete a collection."""
        self.store.delete_collection(_slug(call))
        return Response()

    def add_item(self, call: Call) -> Response:
        """Add a repository to a collection; 409 where it is in there."""
        body = call.json()
        asked = body.get("item")
        kind, id = (str(asked.get("type")), str(asked.get("id"))) if isinstance(asked, dict) else ("", "")
        self.store.repository(kind, id)
        with self.store.locked("collections"):
            collection = self._collection(call)
            items = collection["items"]
            if any((item["type"], item["id"]) == (kind, id) for item in items):
                raise HubRefusal(409, f"The collection has {id} already.")
            item = {"_id": secrets.token_hex(12), "id": id, "type": kind, "position": len(items)}
            items.append({**item, **_note(body)})
            return JSONResponse(self.store.save_collection(collection))

    def update_item(self, call: Call) -> Response:
        """Change an item's note or place."""
        with self._item(call) as (items, item):
            body = call.json()
            item.update(_note(body))
            if "position" in body:
                items.remove(item)
                items.insert(_whole(body["position"]), item)
        return Response()

    def delete_item(self, call: Call) -> Response:
        """Take an item out of a collection."""
        with self._item(call) as (items, item):
            items.remove(item)
        return Response()

    @contextmanager
    def _item(self, call: Call) -> Iterator[tuple[list[Json], Json]]:
        with self.store.locked("collections"):
            collection = self._collection(call)
            items: list[Json] = collection["items"]
            item = next((item for item in items if item["_id"] == call.args["item"]), None)
            if item is None:
                raise HubRefusal(404, "The collection has no such item.")
            yield items, item
            for position, kept in enumerate(items):
                kept["position"] = position
            self.store.save_collection(collection)

    def _collection(self, call: Call) -> Json:
        collection = self.store.collection(_slug(call))
        if not self._sees(call, collection):
            raise HubRefusal(404, f"Collection not found: {_slug(call)}")
        return collection

    def _sees(self, call: Call, collection: Json) -> bool:
        return not collection["private"] or self.knows(call.request)

    # ---- discussions

    def list_discussions(self, call: Call) -> Response:
        """List discussions."""
        found = self.repository(call).discussions()
        return JSONResponse({"discussions": found, "count": len(found), "start": 0})

    def create_discussion(self, call: Call) -> Response:
        """Open a discussion."""
        repository, body = self.repository(call), call.json()
        if body.get("pullRequest"):
            raise HubRefusal(400, "The embedded Hub has no pull requests: commit to a branch.")
        title = str(body.get("title") or "").strip()
        if not 3 <= len(title) <= 200:
            raise HubRefusal(400, "A title has 3 to 200 characters.")
        with self.store.locked(repository.lock):
            discussion = {
                "num": max((int(known["num"]) for known in repository.discussions()), default=0) + 1,
                "title": title,
                "author": {"name": self.user},
                "createdAt": now(),
                "status": "open",
                "isPullRequest": False,
                "repo": {"name": repository.id, "type": repository.type},
                "events": [self._comment(str(body.get("description") or ""))],
            }
            repository.save_discussion(discussion)
        return JSONResponse(discussion)

    def get_discussion(self, call: Call) -> Response:
        """Give a discussion with its comments."""
        return JSONResponse(self.repository(call).discussion(_whole(call.args["number"])))

    def _comment(self, text: str) -> Json:
        data = {"edited": False, "hidden": False, "latest": {"raw": text}}
        event = {"id": secrets.token_hex(12), "type": "comment", "createdAt": now(), "data": data}
        return {**event, "author": {"name": self.user}}

    # ---- pages

    def index_page(self, call: Call) -> Response:
        """Show all repositories that the request may see."""
        every = [repository for kind in REPO_TYPES for repository in self.store.repositories(kind)]
        seen = [known for known in every if not known.settings()["private"] or self.knows(call.request)]
        return pages.index(self.store, seen, call.request.query_params.get("q", ""))

    def card_page(self, call: Call) -> Response:
        """Show a card."""
        return pages.show_card(self.repository(call), self.base(call.request))

    def tree_page(self, call: Call) -> Response:
        """Show a folder."""
        folder = call.args.get("path", "").strip("/")
        return pages.show_tree(self.repository(call), call.args["rev"], folder, self.base(call.request))

    def file_page(self, call: Call) -> Response:
        """Show a file."""
        repository = self.repository(call)
        self.gate(call, repository)
        return pages.show_file(repository, call.args["rev"], call.args["path"], self.base(call.request))

    def commits_page(self, call: Call) -> Response:
        """Show the commits."""
        return pages.show_commits(self.repository(call), call.args["rev"], self.base(call.request))

    def collection_page(self, call: Call) -> Response:
        """Show a collection."""
        return pages.show_collection(self._collection(call))

    def nothing(self, call: Call) -> Response:
        """Refuse any other address at once."""
        path = call.request.scope["path"]
        if "/xet-" in path:
            problem = "The embedded Hub has no Xet storage: set HF_HUB_DISABLE_XET=1 where you upload."
            _LOG.warning(problem)
            raise HubRefusal(404, problem)
        repository = "/resolve/" in path or path.startswith(tuple(f"/api/{plural}/" for plural in _PLURALS))
        raise HubRefusal(
            404, "The embedded Hub has nothing here.", code="RepoNotFound" if repository else None
        )

    # ---- routes

    def routes(self) -> list[Route]:
        """Return all routes."""
        read, write, nothing = self._reads, self._writes, self._endpoint(self.nothing)
        repo, discussion = "/api/{kind}/{ns}/{name}", "/api/{kind}/{ns}/{name}/discussions"
        collection, browse = "/api/collections/{ns}/{slug}", "/{kind}/{ns}/{name}"
        routes = [
            read("/", self.index_page, page=True),
            read("/api/medimg-embedded-hub", self.embedded),
            read("/api/whoami-v2", self.whoami),
            # These are posts, but change nothing.
            Route("/api/validate-yaml", self._endpoint(self.validate_yaml), methods=["POST"]),
            Route(f"{repo}/paths-info/{{rev}}", self._endpoint(self.paths_info), methods=["POST"]),
            # Upload addresses carry a signature instead of a token.
            Route("/lfs/object/{oid}", self._endpoint(self.put_object), methods=["PUT"]),
            Route("/lfs/part-{number:int}/{oid}", self._endpoint(self.put_part), methods=["PUT"]),
            Route("/lfs/join/{oid}", self._endpoint(self.join_parts), methods=["POST"]),
            write("POST", "/lfs/verify", self.lfs_verify),
            write("POST", "/api/repos/create", self.create_repo),
            write("DELETE", "/api/repos/delete", self.delete_repo),
            write("POST", "/api/repos/move", self.move_repo),
            read("/api/collections", self.list_collections),
            write("POST", "/api/collections", self.create_collection),
            read(collection, self.get_collection),
            write("PATCH", collection, self.update_collection),
            write("DELETE", collection, self.delete_collection),
            write("POST", f"{collection}/items", self.add_item),
            write("PATCH", f"{collection}/items/{{item}}", self.update_item),
            write("DELETE", f"{collection}/items/{{item}}", self.delete_item),
            *(read(f"/api/{plural}", self.list_repos) for plural in _PLURALS),
            read(repo, self.info),
            read(f"{repo}/revision/{{rev}}", self.info),
            read(f"{repo}/refs", self.refs),
            read(f"{repo}/commits/{{rev}}", self.commits),
            read(f"{repo}/tree/{{rev}}", self.tree),
            read(f"{repo}/tree/{{rev}}/{{path:path}}", self.tree),
            read(f"{repo}/auth-check", self.auth_check),
            write("GET", f"{repo}/auth-check/write", self.auth_check),
            write("PUT", f"{repo}/settings", self.settings),
            write("POST", f"{repo}/preupload/{{rev}}", self.preupload),
            write("POST", f"{repo}/commit/{{rev}}", self.commit),
            write("POST", f"{repo}/super-squash/{{rev}}", self.squash),
            write("POST", f"{repo}/tag/{{rev}}", self.create_tag),
            write("DELETE", f"{repo}/tag/{{rev}}", self.delete_tag),
            write("POST", f"{repo}/branch/{{rev}}", self.create_branch),
            write("DELETE", f"{repo}/branch/{{rev}}", self.delete_branch),
            write("POST", f"{repo}/lfs-files/duplicate", self.duplicate),
            read(discussion, self.list_discussions),
            write("POST", discussion, self.create_discussion),
            read(f"{discussion}/{{number:int}}", self.get_discussion),
            Route("/api/{path:path}", nothing, methods=_EVERY),
            read("/collections/{ns}/{slug}", self.collection_page, page=True),
        ]
        for prefix in (browse, "/{ns}/{name}"):  # the second is for models
            routes += [
                write("POST", f"{prefix}.git/info/lfs/objects/batch", self.lfs_batch),
                read(f"{prefix}/resolve/{{rev}}/{{path:path}}", self.resolve),
                read(f"{prefix}/blob/{{rev}}/{{path:path}}", self.file_page, page=True),
                read(f"{prefix}/tree/{{rev}}", self.tree_page, page=True),
                read(f"{prefix}/tree/{{rev}}/{{path:path}}", self.tree_page, page=True),
                read(f"{prefix}/commits/{{rev}}", self.commits_page, page=True),
                read(prefix, self.card_page, page=True),
            ]
        return [*routes, Route("/{path:path}", nothing, methods=_EVERY)]

    def _reads(self, path: str, handler: Handler, *, page: bool = False) -> Route:
        return Route(path, self._endpoint(handler, page=page), methods=["GET"])  # and HEAD

    def _writes(self, method: str, path: str, handler: Handler) -> Route:
        return Route(path, self._endpoint(handler, write=True), methods=[method])

    def _endpoint(
        self, handler: Handler | AsyncHandler, *, write: bool = False, page: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        async def run(request: Request) -> Response:
            try:
                call = Call(
                    request, {name: unquote(str(value)) for name, value in request.path_params.items()}
                )
                if write:
                    self.must_write(request)
                if inspect.iscoroutinefunction(handler):
                    taken: Response = await handler(call)
                    return taken
                call = Call(request, call.args, await _body(request, self.store.limits.body))
                return await run_in_threadpool(handler, call)  # type: ignore[arg-type]
            except HubRefusal as refusal:
                return pages.show_refusal(refusal) if page else _refused(refusal)
            except ClientDisconnect:
                return Response(status_code=400)
            except OSError as error:
                _LOG.exception("request failed: %s %s", request.method, request.scope["path"])
                full = error.errno in (errno.ENOSPC, errno.EDQUOT)
                return _refused(
                    HubRefusal(507 if full else 500, "The store's disk is full." if full else "Disk error.")
                )

        return run


class _Object(FileResponse):
    chunk_size = _CHUNK


class _Front:
    """Give the router the undecoded path; on loopback, stop web pages that rebind a name of theirs to us."""

    def __init__(self, app: ASGIApp, loopback: bool) -> None:
        self.app = app
        self.loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raw = scope.get("raw_path") or quote(scope["path"]).encode()
            scope = {**scope, "path": raw.decode("ascii", "replace")}
            host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
            if self.loopback and not is_loopback(urlsplit(f"//{host}").hostname or ""):
                refusal = HubRefusal(
                    421, "This embedded Hub answers only to loopback names such as 127.0.0.1."
                )
                await _refused(refusal)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def create_app(
    store: Store,
    *,
    token: str | None = None,
    base_url: str | None = None,
    user: str = "medimg",
    loopback: bool = True,
) -> Starlette:
    """Make the ASGI application.

    Args:
        store: what is served.
        token: where given, writes, private and gated repositories need it.
        base_url: the address in links; where not given, the one the client used.
        user: the name that owns repositories created without a namespace.
        loopback: answer only to requests that name this machine, which keeps web pages out.
    """
    hub = Hub(store, token, base_url, user)
    app = Starlette(routes=hub.routes(), middleware=[Middleware(_Front, loopback=loopback)])
    app.router.redirect_slashes = False
    return app


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(refusal: HubRefusal) -> Response:
    message = refusal.problem.encode("ascii", "replace").decode()[:500]
    headers = {
        **refusal.headers,
        "X-Error-Message": "".join(char if char >= " " else " " for char in message),
    }
    if refusal.code:
        headers["X-Error-Code"] = refusal.code
    return JSONResponse({"error": refusal.problem, **refusal.extra}, refusal.status, headers)


async def _body(request: Request, limit: int) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise HubRefusal(413, f"Requests are limited to {limit} bytes.")
    return bytes(data)


async def _receive(request: Request, file: Incoming) -> None:
    waiting = bytearray()
    async for chunk in request.stream():
        waiting += chunk
        if len(waiting) >= _CHUNK:
            await run_in_threadpool(file.write, bytes(waiting))
            waiting.clear()
    await run_in_threadpool(file.write, bytes(waiting))


def _described(repository: Repository, commit: Commit, entries: Sequence[Entry], expand: bool) -> list[Json]:
    last = repository.last_commits(commit, [entry.path for entry in entries]) if expand else {}
    found = []
    for entry in entries:
        file = entry.file
        item: Json = {"type": "file" if file else "directory", "oid": entry.oid, "path": entry.path}
        item["size"] = file.size if file else 0
        if file and file.lfs:
            item["lfs"] = {**_lfs(file), "oid": file.sha256}
        if entry.path in last:
            changed = last[entry.path]
            item["lastCommit"] = {"id": changed.id, "title": changed.message, "date": changed.time}
        found.append(item)
    return found


def _lfs(file: File) -> Json:
    return {"size": file.size, "pointerSize": len(lfs_pointer(file.sha256, file.size))}


def _kind(call: Call) -> str:
    return _PLURALS[call.request.scope["path"].rsplit("/", 1)[-1]]


def _slug(call: Call) -> str:
    return f"{call.args['ns']}/{call.args['slug']}"


def _note(body: Json) -> Json:
    return {"note": {"text": str(body["note"])[:500]}} if body.get("note") is not None else {}


def _objects(value: object) -> list[Json]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise HubRefusal(400, "A list of objects is expected.")
    return value


def _whole(value: object) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = -1
    if number < 0:
        raise HubRefusal(400, "A whole number that is not negative is expected.")
    return number


def _no_pull_request(call: Call) -> None:
    if call.flag("create_pr"):
        raise HubRefusal(400, "The embedded Hub has no pull requests: commit to a branch.")


def _version() -> str:
    try:
        return version("medimg")
    except PackageNotFoundError:
        return "unknown"
