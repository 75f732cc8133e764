"""Routes about repositories: what there is, their settings, branches, tags and commits."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence

from starlette.responses import JSONResponse, Response

from medimg.hub_sync.hub import pages
from medimg.hub_sync.hub.calls import PLURALS, Call, Routes, no_pull_request
from medimg.hub_sync.hub.commits import Commit, CommittedFile
from medimg.hub_sync.hub.parsing import read_object, text, truth, whole
from medimg.hub_sync.hub.refusals import HubRefusal, Json, check_name, check_path, check_sha256
from medimg.hub_sync.hub.repository import MAIN, RefKind, Repository

PAGE = 1000
"""Repositories or commits of one answer."""
_LINE_ROOM = 64 << 10  # for the path and the JSON around a file in base64; text has escapes


class Repositories(Routes):
    """Handlers of these routes."""

    def create(self, call: Call) -> Response:
        """Create a repository; 409 with its address where it exists."""
        body = call.json()
        kind, id = self._named(body)
        private = _visibility(body) is True
        try:
            repository = self.store.create(kind, id, private=private)
        except HubRefusal as refusal:
            if refusal.status == 409:
                refusal.extra["url"] = self.desk.url(call, Repository(self.store, kind, id))
            raise
        return JSONResponse({"url": self.desk.url(call, repository), "name": id, "id": id})

    def delete(self, call: Call) -> Response:
        """Delete a repository."""
        kind, id = self._named(call.json())
        self.desk.find(call, kind, id)
        self.store.delete(kind, id)
        return Response()

    def _named(self, body: Json) -> tuple[str, str]:
        namespace, name = check_name(body.get("organization") or self.desk.user), check_name(body.get("name"))
        return text(body, "type") or "model", f"{namespace}/{name}"

    def move(self, call: Call) -> Response:
        """Rename a repository."""
        body = call.json()
        kind, old = text(body, "type") or "model", text(body, "fromRepo")
        self.desk.find(call, kind, old)
        self.store.move(kind, old, text(body, "toRepo"))
        return Response()

    def settings(self, call: Call) -> Response:
        """Change visibility and gating."""
        body, changes = call.json(), dict[str, object]()
        if "gated" in body:
            if body["gated"] not in ("auto", "manual") and body["gated"] is not False:
                raise HubRefusal(400, "gated must be auto, manual or false.")
            changes["gated"] = body["gated"]
        private = _visibility(body)
        if private is not None:
            changes["private"] = private
        return JSONResponse(self.desk.repository(call).update(**changes))

    def auth_check(self, call: Call) -> Response:
        """Tell whether the files may be read."""
        self.desk.gate(call, self.desk.repository(call))
        return Response()

    def listing(self, call: Call) -> Response:
        """List repositories by author, search words and tags, a page at a time."""
        query = call.request.query_params
        words = [word.lower() for word in query.getlist("search")]
        named = [
            repository
            for repository in self.store.repositories(PLURALS[call.request.scope["path"].rsplit("/", 1)[-1]])
            if query.get("author", repository.namespace) == repository.namespace
            and all(word in repository.id.lower() for word in words)
        ]
        expand = query.getlist("expand")

        def described(some: Sequence[Repository]) -> list[Json]:
            return [self._info(*each, expand=expand) for each in self.desk.shown(call, some)]

        if not {"filter", "gated", "sort"} & query.keys():
            return self.desk.paged(call, named, PAGE, described)
        wanted = {tag for text in query.getlist("filter") for tag in text.split(",")}
        found = [
            info
            for info in (self._info(*each) for each in self.desk.shown(call, named))
            if wanted <= set(info["tags"]) and ("gated" not in query or call.flag("gated") == bool(info["gated"]))
        ]
        key = query.get("sort", "id")
        found.sort(key=lambda info: str(info.get(key, "")), reverse=key in ("lastModified", "createdAt"))
        return self.desk.paged(call, found, PAGE)

    def info(self, call: Call) -> Response:
        """Describe a repository at a revision."""
        return JSONResponse(self._info(*self.desk.at(call), blobs=call.flag("blobs")))

    def _info(self, repository: Repository, commit: Commit, *, blobs: bool = False, expand: Sequence[str] = ()) -> Json:
        settings = repository.settings()
        id = hashlib.sha1(f"{repository.type}/{repository.id}".encode()).hexdigest()[:24]
        info = {
            "_id": id,
            "id": repository.id,
            "author": repository.namespace,
            "sha": commit.id,
            "createdAt": settings["created"],
            "lastModified": commit.time,
            "private": settings["private"],
            "gated": settings["gated"],
            "disabled": False,
            "downloads": 0,
            "likes": 0,
        }
        if not expand or not set(expand) <= info.keys():
            info.update(self._content(repository, commit, blobs=blobs))
        return {key: value for key, value in info.items() if key in ("_id", "id", *expand)} if expand else info

    def _content(self, repository: Repository, commit: Commit, *, blobs: bool) -> Json:
        read = pages.card(repository, commit)
        siblings: list[Json] = [{"rfilename": path} for path in commit.files]
        if blobs:
            for sibling, file in zip(siblings, commit.files.values(), strict=True):
                sibling.update(size=file.size, blobId=file.oid)
                if file.lfs:
                    sibling["lfs"] = {**file.pointer, "sha256": file.sha256}
        return {"tags": read.tags, "cardData": read.data, "siblings": siblings, "usedStorage": commit.size}

    # ---- branches and tags

    def refs(self, call: Call) -> Response:
        """List branches and tags."""
        repository = self.desk.repository(call)

        def described(kind: RefKind) -> list[Json]:
            refs = repository.refs(kind).items()
            return [{"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": ref["target"]} for name, ref in refs]

        return JSONResponse(
            {"branches": described("heads"), "tags": described("tags"), "converts": [], "pullRequests": []}
        )

    def create_tag(self, call: Call) -> Response:
        """Tag a revision."""
        body = call.json()
        repository = self.desk.repository(call)
        repository.create_ref("tags", text(body, "tag"), call.args["rev"], text(body, "message"))
        return Response()

    def delete_tag(self, call: Call) -> Response:
        """Delete a tag."""
        self.desk.repository(call).delete_ref("tags", call.args["rev"])
        return Response()

    def create_branch(self, call: Call) -> Response:
        """Create a branch."""
        start = text(call.json(), "startingPoint") or MAIN
        self.desk.repository(call).create_ref("heads", call.args["rev"], start)
        return Response()

    def delete_branch(self, call: Call) -> Response:
        """Delete a branch."""
        self.desk.repository(call).delete_ref("heads", call.args["rev"])
        return Response()

    # ---- commits

    def commits(self, call: Call) -> Response:
        """List the commits of a revision, last first."""
        repository, head = self.desk.at(call)
        found = [
            {
                "id": commit.id,
                "title": commit.message,
                "message": commit.description,
                "date": commit.time,
                "authors": [{"user": self.desk.user, "avatar": ""}],
            }
            for commit in repository.history(head)
        ]
        return self.desk.paged(call, found, PAGE)

    def commit(self, call: Call) -> Response:
        """Add one commit from lines of JSON."""
        no_pull_request(call)
        with self.store.keeping_objects():
            return self._commit(call, self.desk.repository(call))

    def _commit(self, call: Call, repository: Repository) -> Response:
        header: Json = {}
        added: dict[str, CommittedFile] = {}
        deleted: list[str] = []
        folders: list[str] = []
        for line in call.lines(2 * self.store.limits.regular_file + _LINE_ROOM):
            item = read_object(line, "A line of the commit")
            key, value = text(item, "key"), item.get("value")
            if not isinstance(value, dict):
                raise HubRefusal(400, "A line of the commit is not an object with key and value.")
            if key == "header":
                header = value
                continue
            path = check_path(text(value, "path").rstrip("/"), self.store.limits.path)
            if key == "file":
                added[path] = self._regular_file(path, value)
            elif key == "lfsFile":
                size = value.get("size")
                added[path] = self.store.lfs_file(check_sha256(value.get("oid")), None if size is None else whole(size))
            elif key in ("deletedFile", "deletedFolder"):
                (deleted if key == "deletedFile" else folders).append(path)
            else:
                raise HubRefusal(400, f"The operation {key[:40]!r} is not supported.")
        summary = text(header, "summary")
        if not summary.strip():
            raise HubRefusal(400, "The commit has no summary.")
        self._check_card(added)
        made = repository.write(
            call.args["rev"],
            summary,
            text(header, "description"),
            parent=text(header, "parentCommit") if header.get("parentCommit") is not None else None,
            add=added,
            delete=deleted,
            delete_folders=folders,
        )
        return JSONResponse(
            {
                "success": True,
                "commitOid": made.id,
                "commitUrl": f"{self.desk.url(call, repository)}/commit/{made.id}",
            }
        )

    def _check_card(self, added: dict[str, CommittedFile]) -> None:
        file = added.get("README.md")
        if file is not None and file.size <= pages.CARD_BYTES:
            problem = pages.parse_card(self.store.read(file, "README.md").decode("utf-8", "replace")).problem
            if problem:
                raise HubRefusal(400, f"README.md: {problem}")

    def _regular_file(self, path: str, value: Json) -> CommittedFile:
        content = value.get("content")
        if not isinstance(content, str):
            raise HubRefusal(400, f"{path} has no content.")
        try:
            data = base64.b64decode(content, validate=True) if value.get("encoding") == "base64" else content.encode()
        except (binascii.Error, ValueError):
            raise HubRefusal(400, f"The content of {path} is not base64.") from None
        if len(data) > self.store.limits.regular_file:
            raise HubRefusal(413, f"{path} is too large for a regular file: upload it through LFS.")
        return self.store.put(data)

    def squash(self, call: Call) -> Response:
        """Replace a branch's history by one commit."""
        message = text(call.json(), "message") or f"Super-squash branch {call.args['rev']}"
        made, gone = self.desk.repository(call).squash(call.args["rev"], message)
        self.store.drop(gone)
        return JSONResponse({"commitOid": made.id})


def _visibility(body: Json) -> bool | None:
    """Return whether a body asks for a private repository (true), a public one (false), or for neither."""
    visibility, private = text(body, "visibility"), truth(body, "private")
    if visibility not in ("", "public", "private", "protected"):
        raise HubRefusal(400, "visibility must be public or private.")
    return private if not visibility else visibility != "public" or private is True
