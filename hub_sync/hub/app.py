"""The embedded Hub's HTTP side: the part of the Hub's protocol that its Python clients use.

Not supported, and refused with a clear answer: pull requests, git, Xet. Paths are matched undecoded, because
clients send revisions and paths with an escaped slash as one segment.
"""

from __future__ import annotations

import errno
import inspect
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import quote, unquote, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from medimg.hub_sync.hub import pages
from medimg.hub_sync.hub.browse import Pages
from medimg.hub_sync.hub.calls import PLURALS, AsyncHandler, Call, Desk, Handler, refused
from medimg.hub_sync.hub.community import Collections, Discussions
from medimg.hub_sync.hub.files import Files
from medimg.hub_sync.hub.lfs import LargeFiles
from medimg.hub_sync.hub.repositories import Repositories
from medimg.hub_sync.hub.store import REPO_TYPES, HubRefusal, Store

_LOG = logging.getLogger(__name__)
_EVERY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Hub:
    """All routes.

    Args:
        desk: the store and who may do what.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.store = desk.store

    # ---- the Hub itself

    def embedded(self, call: Call) -> Response:
        """Tell that this is an embedded Hub."""
        return JSONResponse({"embedded": True, "version": _version()})

    def whoami(self, call: Call) -> Response:
        """Name the user."""
        if not self.desk.knows(call.request):
            raise HubRefusal(401, "Invalid credentials in Authorization header")
        spaces = {repository.namespace for kind in REPO_TYPES for repository in self.store.repositories(kind)}
        name = self.desk.user
        orgs = [{"type": "org", "name": each, "fullname": each} for each in sorted(spaces - {name})]
        role = {"displayName": "embedded", "role": "write"}
        auth = {"type": "access_token", "accessToken": role}
        user = {"type": "user", "id": name, "name": name, "fullname": name, "isPro": False}
        return JSONResponse({**user, "orgs": orgs, "auth": auth})

    def validate_yaml(self, call: Call) -> Response:
        """Check a card's YAML as far as this can be done without the Hub's rules."""
        read = pages.parse_card(str(call.json().get("content", "")))
        if read.problem:
            return JSONResponse({"errors": [{"message": read.problem}], "warnings": []}, 400)
        missing = [] if read.data else [{"message": "empty or missing yaml metadata in repo card"}]
        return JSONResponse({"errors": [], "warnings": missing})

    def nothing(self, call: Call) -> Response:
        """Refuse any other address at once."""
        path = call.request.scope["path"]
        if "/xet-" in path:
            problem = "The embedded Hub has no Xet storage: set HF_HUB_DISABLE_XET=1 where you upload."
            _LOG.warning(problem)
            raise HubRefusal(404, problem)
        repository = "/resolve/" in path or path.startswith(tuple(f"/api/{plural}/" for plural in PLURALS))
        raise HubRefusal(
            404, "The embedded Hub has nothing here.", code="RepoNotFound" if repository else None
        )

    # ---- routes

    def routes(self) -> list[Route]:
        """Return all routes."""
        read, write, nothing = self._reads, self._writes, self._endpoint(self.nothing)
        repositories, files, large = Repositories(self.desk), Files(self.desk), LargeFiles(self.desk)
        collections, discussions, shown = Collections(self.desk), Discussions(self.desk), Pages(self.desk)
        repo, talk = "/api/{kind}/{ns}/{name}", "/api/{kind}/{ns}/{name}/discussions"
        collection, browse = "/api/collections/{ns}/{slug}", "/{kind}/{ns}/{name}"
        routes = [
            read("/", shown.index, page=True),
            read("/api/medimg-embedded-hub", self.embedded),
            read("/api/whoami-v2", self.whoami),
            # These are posts, but change nothing.
            Route("/api/validate-yaml", self._endpoint(self.validate_yaml), methods=["POST"]),
            Route(f"{repo}/paths-info/{{rev}}", self._endpoint(files.paths_info), methods=["POST"]),
            # Upload addresses carry a signature instead of a token.
            Route("/lfs/object/{oid}", self._endpoint(large.put_object), methods=["PUT"]),
            Route("/lfs/part-{number:int}/{oid}", self._endpoint(large.put_part), methods=["PUT"]),
            Route("/lfs/join/{oid}", self._endpoint(large.join_parts), methods=["POST"]),
            write("POST", "/lfs/verify", large.verify),
            write("POST", "/api/repos/create", repositories.create),
            write("DELETE", "/api/repos/delete", repositories.delete),
            write("POST", "/api/repos/move", repositories.move),
            read("/api/collections", collections.listing),
            write("POST", "/api/collections", collections.create),
            read(collection, collections.get),
            write("PATCH", collection, collections.update),
            write("DELETE", collection, collections.delete),
            write("POST", f"{collection}/items", collections.add_item),
            write("PATCH", f"{collection}/items/{{item}}", collections.update_item),
            write("DELETE", f"{collection}/items/{{item}}", collections.delete_item),
            *(read(f"/api/{plural}", repositories.listing) for plural in PLURALS),
            read(repo, repositories.info),
            read(f"{repo}/revision/{{rev}}", repositories.info),
            read(f"{repo}/refs", repositories.refs),
            read(f"{repo}/commits/{{rev}}", repositories.commits),
            read(f"{repo}/tree/{{rev}}", files.tree),
            read(f"{repo}/tree/{{rev}}/{{path:path}}", files.tree),
            read(f"{repo}/auth-check", repositories.auth_check),
            write("GET", f"{repo}/auth-check/write", repositories.auth_check),
            write("PUT", f"{repo}/settings", repositories.settings),
            write("POST", f"{repo}/preupload/{{rev}}", files.preupload),
            write("POST", f"{repo}/commit/{{rev}}", repositories.commit),
            write("POST", f"{repo}/super-squash/{{rev}}", repositories.squash),
            write("POST", f"{repo}/tag/{{rev}}", repositories.create_tag),
            write("DELETE", f"{repo}/tag/{{rev}}", repositories.delete_tag),
            write("POST", f"{repo}/branch/{{rev}}", repositories.create_branch),
            write("DELETE", f"{repo}/branch/{{rev}}", repositories.delete_branch),
            write("GET", f"{repo}/lfs-files", large.listing),
            write("POST", f"{repo}/lfs-files/batch", large.delete),
            write("POST", f"{repo}/lfs-files/duplicate", large.duplicate),
            read(talk, discussions.listing),
            write("POST", talk, discussions.create),
            read(f"{talk}/{{number:int}}", discussions.get),
            write("POST", f"{talk}/{{number:int}}/comment", discussions.comment),
            write("POST", f"{talk}/{{number:int}}/title", discussions.rename),
            write("POST", f"{talk}/{{number:int}}/status", discussions.status),
            Route("/api/{path:path}", nothing, methods=_EVERY),
            read("/collections/{ns}/{slug}", shown.collection, page=True),
        ]
        for prefix in (browse, "/{ns}/{name}"):  # the second is for models
            routes += [
                write("POST", f"{prefix}.git/info/lfs/objects/batch", large.batch),
                read(f"{prefix}/resolve/{{rev}}/{{path:path}}", files.resolve),
                read(f"{prefix}/blob/{{rev}}/{{path:path}}", shown.file, page=True),
                read(f"{prefix}/tree/{{rev}}", shown.tree, page=True),
                read(f"{prefix}/tree/{{rev}}/{{path:path}}", shown.tree, page=True),
                read(f"{prefix}/commits/{{rev}}", shown.commits, page=True),
                read(prefix, shown.card, page=True),
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
                    self.desk.must_write(request)
                if inspect.iscoroutinefunction(handler):
                    taken: Response = await handler(call)
                    return taken
                call = Call(request, call.args, await _body(request, self.store.limits.body))
                return await run_in_threadpool(handler, call)  # type: ignore[arg-type]
            except HubRefusal as refusal:
                return pages.show_refusal(refusal) if page else refused(refusal)
            except ClientDisconnect:
                return Response(status_code=400)
            except OSError as error:
                _LOG.exception("request failed: %s %s", request.method, request.scope["path"])
                full = error.errno in (errno.ENOSPC, errno.EDQUOT)
                return refused(
                    HubRefusal(507 if full else 500, "The store's disk is full." if full else "Disk error.")
                )

        return run


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
                await refused(refusal)(scope, receive, send)
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
    hub = Hub(Desk(store, token, base_url, user))
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


async def _body(request: Request, limit: int) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise HubRefusal(413, f"Requests are limited to {limit} bytes.")
    return bytes(data)


def _version() -> str:
    try:
        return version("medimg")
    except PackageNotFoundError:
        return "unknown"
