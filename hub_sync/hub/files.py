"""Routes about files: listings, contents with ranges, and how each file of a coming commit is to be sent."""

from __future__ import annotations

import base64
import binascii
import codecs
import mimetypes
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import parse_qs

from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response

from medimg.hub_sync.hub import pages
from medimg.hub_sync.hub.calls import Call, Routes, no_pull_request
from medimg.hub_sync.hub.commits import LFS_SUFFIXES, Commit, Listed
from medimg.hub_sync.hub.parsing import matches_etag, objects, text, texts, truth, whole
from medimg.hub_sync.hub.refusals import HubRefusal, Json, check_path, lost
from medimg.hub_sync.hub.repository import Repository

_NO_SCRIPT = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}
_SHOWN_TYPES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_STATIC = {
    # An origin of its own, as static Spaces have on the public Hub: its scripts reach nothing else here.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "sandbox allow-scripts allow-downloads allow-modals allow-popups allow-popups-to-escape-sandbox"
    ),
    "Access-Control-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_STATIC_TYPES = {
    ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript",
    ".json": "application/json", ".wasm": "application/wasm", ".svg": "image/svg+xml", ".webp": "image/webp",
    ".gz": "application/gzip",
}  # fmt: skip
"""Of what mimetypes does not tell the same on every machine."""

_MOST_PATHS = 10_000
_RANGE = re.compile(r"\s*[0-9]{0,18}\s*-\s*[0-9]{0,18}\s*")
_MOST_RANGES = 50


class _Object(FileResponse):
    chunk_size = 1 << 20


class RepositoryFiles(Routes):
    """Handlers of these routes."""

    def tree(self, call: Call) -> Response:
        """List a folder."""
        repository, commit = self.desk.at(call)
        entries = commit.listing(call.args.get("path", "").strip("/"), recursive=call.flag("recursive"))
        expand = call.flag("expand")
        response = self.desk.paged(
            call, entries, 50 if expand else 1000, lambda e: _described(repository, commit, e, expand)
        )
        response.headers["X-Repo-Commit"] = commit.id
        return response

    def paths_info(self, call: Call) -> Response:
        """Describe the given paths, without those that do not exist."""
        repository, commit = self.desk.at(call)
        if "json" in call.request.headers.get("content-type", ""):
            body = call.json()
            paths, expand = texts(body.get("paths", [])), truth(body, "expand") is True
        else:
            try:
                form = parse_qs(call.body.decode("utf-8", "replace"), max_num_fields=_MOST_PATHS + 1)
            except ValueError:
                raise _too_many_paths() from None
            paths, expand = form.get("paths", []), form.get("expand", [""])[0].lower() == "true"
        if len(paths) > _MOST_PATHS:
            raise _too_many_paths()
        every = {entry.path: entry for entry in commit.listing(recursive=True)}
        wanted = [every[path] for path in dict.fromkeys(path.rstrip("/") for path in paths) if path in every]
        found = _described(repository, commit, wanted, expand)
        for item in found:
            # A client copies a file to another repository only if it has a Xet hash. This one is no Xet hash
            # and is shown nowhere else, so that no client with Xet tries to download by it.
            if "lfs" in item and not expand:
                item["xetHash"] = f"embedded:{item['lfs']['oid']}"
        return JSONResponse(found)

    def resolve(self, call: Call) -> Response:
        """Give a file, as a whole or a range of it."""
        repository = self.desk.repository(call)
        self.desk.gate(call, repository)
        guess = mimetypes.guess_type(call.args["path"])[0] or ""
        plain = guess.startswith("text/") or guess == "application/json"
        shown = "text/plain" if plain else guess if guess in _SHOWN_TYPES else "application/octet-stream"
        commit = repository.commit(call.args["rev"])
        return self._file(call, repository, commit, call.args["path"], shown, _NO_SCRIPT)

    def static(self, call: Call) -> Response:
        """Give a file of a static Space as a web server does: with its type, so that a browser runs it."""
        repository = self.desk.find(call, "space", f"{call.args['ns']}/{call.args['name']}")
        self.desk.gate(call, repository)
        commit = repository.commit()
        if not pages.is_static(repository, commit):
            raise HubRefusal(404, "Only static Spaces are shown.")
        path = call.args.get("path", "")
        if "path" not in call.args:
            return RedirectResponse(f"{call.request.scope['path']}/", 307)
        path = path or "index.html"
        guess = _STATIC_TYPES.get(PurePosixPath(path).suffix) or mimetypes.guess_type(path)[0]
        return self._file(call, repository, commit, path, guess or "application/octet-stream", _STATIC)

    def _file(
        self,
        call: Call,
        repository: Repository,
        commit: Commit,
        path: str,
        media_type: str,
        policy: Mapping[str, str],
    ) -> Response:
        file = repository.file(commit, path)
        tag = f'"{file.sha256 if file.lfs else file.oid}"'
        headers = {**policy, "ETag": tag, "X-Repo-Commit": commit.id}
        if file.lfs:
            headers |= {"X-Linked-Etag": tag, "X-Linked-Size": str(file.size)}
        if matches_etag(call.request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        stored = self.store.object_path(file.sha256)
        try:
            status = stored.stat()
        except FileNotFoundError:
            raise lost(path) from None
        _check_range(call.request.headers.get("range", ""))
        name = path.split("/")[-1] if call.flag("download") else None
        return _Object(stored, headers=headers, media_type=media_type, filename=name, stat_result=status)

    def preupload(self, call: Call) -> Response:
        """Tell for each file whether it goes through LFS, and which content is there now."""
        no_pull_request(call)
        _, commit = self.desk.at(call)
        answers = []
        for asked in objects(call.json().get("files")):
            path = check_path(asked.get("path"), self.store.limits.path)
            lfs = self._is_lfs(path, whole(asked.get("size")), text(asked, "sample"))
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


def _check_range(header: str) -> None:
    spans = header.partition("=")[2].split(",")
    if header and (len(spans) > _MOST_RANGES or not all(map(_RANGE.fullmatch, spans))):
        raise HubRefusal(400, f"The Range header is not a list of at most {_MOST_RANGES} ranges of bytes.")


def _too_many_paths() -> HubRefusal:
    return HubRefusal(413, f"At most {_MOST_PATHS:,} paths may be asked for at once.")


def _described(repository: Repository, commit: Commit, entries: Sequence[Listed], expand: bool) -> list[Json]:
    last = repository.last_commits(commit, [entry.path for entry in entries]) if expand else {}
    found = []
    for entry in entries:
        file = entry.file
        item: Json = {"type": "file" if file else "directory", "oid": entry.oid, "path": entry.path}
        item["size"] = file.size if file else 0
        if file and file.lfs:
            item["lfs"] = {**file.pointer, "oid": file.sha256}
        if entry.path in last:
            changed = last[entry.path]
            item["lastCommit"] = {"id": changed.id, "title": changed.message, "date": changed.time}
        found.append(item)
    return found
