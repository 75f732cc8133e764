"""The embedded Hub's HTTP side: the part of the Hub's protocol that its Python clients use.

Not supported, and refused with a clear answer: pull requests, git, Xet. Paths are matched undecoded, because
clients send revisions and paths with an escaped slash as one segment.
"""

from __future__ import annotations

import logging
import re

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from medimg import __version__
from medimg.hub_sync.hub import pages
from medimg.hub_sync.hub.browse import Pages
from medimg.hub_sync.hub.calls import PLURALS, AsyncHandler, Call, Desk, Handler
from medimg.hub_sync.hub.community import Collections, Discussions
from medimg.hub_sync.hub.files import RepositoryFiles
from medimg.hub_sync.hub.guard import SMALL_BODY, Front, Lanes, MiB, Rule, guarded
from medimg.hub_sync.hub.lfs import LargeFiles
from medimg.hub_sync.hub.parsing import text
from medimg.hub_sync.hub.refusals import HubRefusal
from medimg.hub_sync.hub.repositories import Repositories
from medimg.hub_sync.hub.store import REPO_TYPES, Store

_LOG = logging.getLogger(__name__)
_EVERY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

_NO_XET = "/api/This-Hub-has-no-Xet-storage:-set-HF_HUB_DISABLE_XET=1-and-upload-again"

# What git asks first, and what it would send after.
_GIT_PATHS = (
    "info/refs",
    "git-upload-pack",
    "git-receive-pack",
    "info/lfs/locks",
    "info/lfs/locks/verify",
    "HEAD",
)
# Names without a namespace, which the public Hub still has, as in /api/datasets/squad/tree/main.
_ABOUT = "revision|tree|refs|commits|paths-info|preupload|commit|settings"
_UNOWNED = re.compile(
    rf"/api/(?:{'|'.join(PLURALS)})/[^/]+(?:/(?:{_ABOUT})(?:/.*)?)?$"
    rf"|/(?:(?:{'|'.join(PLURALS)})/)?[^/]+/resolve/.+"
)


class HubRoutes:
    """All routes."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.store = desk.store
        self.lanes = Lanes()

    # ---- the Hub itself

    def embedded(self, call: Call) -> Response:
        """Tell that this is an embedded Hub."""
        return JSONResponse({"embedded": True, "version": __version__})

    def whoami(self, call: Call) -> Response:
        """Name the user."""
        role = self.desk.role(call.request)
        if role is None:
            raise HubRefusal(401, "Invalid credentials in Authorization header")
        spaces = {repository.namespace for kind in REPO_TYPES for repository in self.store.repositories(kind)}
        name = self.desk.user
        orgs = [{"type": "org", "name": each, "fullname": each} for each in sorted(spaces - {name})]
        auth = {"type": "access_token", "accessToken": {"displayName": "embedded", "role": role}}
        user = {"type": "user", "id": name, "name": name, "fullname": name, "isPro": False}
        return JSONResponse({**user, "orgs": orgs, "auth": auth})

    def validate_yaml(self, call: Call) -> Response:
        """Check a card's YAML as far as this can be done without the Hub's rules."""
        content = text(call.json(), "content")
        if len(content) > pages.CARD_BYTES:
            raise HubRefusal(413, f"Cards are limited to {pages.CARD_BYTES:,} bytes.")
        read = pages.parse_card(content)
        if read.problem:
            return JSONResponse({"errors": [{"message": read.problem}], "warnings": []}, 400)
        missing = [] if read.data else [{"message": "empty or missing yaml metadata in repo card"}]
        return JSONResponse({"errors": [], "warnings": missing})

    def nothing(self, call: Call) -> Response:
        """Refuse any other address at once."""
        path = str(call.request.scope["path"])
        if "/xet-" in path:
            problem = "The embedded Hub has no Xet storage: set HF_HUB_DISABLE_XET=1 where you upload."
            _LOG.warning(problem)
            # Clients with Xet show nothing of an answer but the address that it came from.
            raise HubRefusal(307, problem, headers={"Location": f"{self.desk.base(call)}{_NO_XET}"})
        if path == _NO_XET:
            raise HubRefusal(404, "The embedded Hub has no Xet storage: set HF_HUB_DISABLE_XET=1 where you upload.")
        if _UNOWNED.match(path):
            raise HubRefusal(404, "Repository not found: its name has no namespace.", code="RepoNotFound")
        raise HubRefusal(404, f"This Hub does not serve that route: {call.request.method} {path[:300]}")

    def git(self, call: Call) -> Response:
        """Tell git what to use instead; it shows plain text."""
        kind, id = (
            call.args.get("kind", "models"),
            f"{call.args['ns']}/{call.args['name'].removesuffix('.git')}",
        )
        option = "" if kind == "models" else f" --repo-type {PLURALS.get(kind, 'dataset')}"
        hint = (
            "This Hub does not speak git.\n"
            f"To download: hf download {id}{option} (or huggingface_hub.snapshot_download).\n"
            f"To upload: hf upload {id} <folder>{option} (or huggingface_hub.HfApi.upload_folder).\n"
        )
        return PlainTextResponse(hint, 403)

    # ---- routes

    def routes(self) -> list[Route]:
        """Return all routes."""
        read, write, nothing = self._reads, self._writes, guarded(self.desk, self.lanes, self.nothing, Rule())
        commit = Rule(write=True, body=self.store.limits.body, lane="heavy")
        repositories, files, large = (
            Repositories(self.desk),
            RepositoryFiles(self.desk),
            LargeFiles(self.desk),
        )
        collections, discussions, shown = Collections(self.desk), Discussions(self.desk), Pages(self.desk)
        repo, talk = "/api/{kind}/{ns}/{name}", "/api/{kind}/{ns}/{name}/discussions"
        collection, browse = "/api/collections/{ns}/{slug}", "/{kind}/{ns}/{name}"
        routes = [
            read("/", shown.front, page=True),
            read("/repositories", shown.index, page=True),
            read("/static/{ns}/{name}", files.static, page=True),
            read("/static/{ns}/{name}/{path:path}", files.static, page=True),
            read("/api/medimg-embedded-hub", self.embedded),
            read("/api/whoami-v2", self.whoami),
            # These are posts, but change nothing.
            self._route("POST", "/api/validate-yaml", self.validate_yaml, Rule(body=6 * MiB, lane="heavy")),
            self._route("POST", f"{repo}/paths-info/{{rev}}", files.paths_info, Rule(body=SMALL_BODY)),
            # Upload addresses carry a signature instead of a token.
            self._route("PUT", "/lfs/object/{oid}", large.put_object, Rule(body=None)),
            self._route("PUT", "/lfs/part-{number}/{oid}", large.put_part, Rule(body=None)),
            self._route("POST", "/lfs/join/{oid}", large.join_parts, Rule(body=SMALL_BODY, lane="write")),
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
            self._route("POST", f"{repo}/commit/{{rev}}", repositories.commit, commit),
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
            read(f"{talk}/{{number}}", discussions.get),
            write("POST", f"{talk}/{{number}}/comment", discussions.comment),
            write("POST", f"{talk}/{{number}}/title", discussions.rename),
            write("POST", f"{talk}/{{number}}/status", discussions.status),
            Route("/api/{path:path}", nothing, methods=_EVERY),
            read("/collections/{ns}/{slug}", shown.collection, page=True),
        ]
        for prefix in (browse, "/{ns}/{name}"):  # the second is for models
            routes += [
                write("POST", f"{prefix}.git/info/lfs/objects/batch", large.batch),
                *(self._route("GET", f"{prefix}/{path}", self.git, Rule()) for path in _GIT_PATHS),
                *(self._route("POST", f"{prefix}/{path}", self.git, Rule(body=None)) for path in _GIT_PATHS),
                read(f"{prefix}/resolve/{{rev}}/{{path:path}}", files.resolve),
                read(f"{prefix}/blob/{{rev}}/{{path:path}}", shown.file, page=True),
                read(f"{prefix}/tree/{{rev}}", shown.tree, page=True),
                read(f"{prefix}/tree/{{rev}}/{{path:path}}", shown.tree, page=True),
                read(f"{prefix}/commits/{{rev}}", shown.commits, page=True),
                read(prefix, shown.card, page=True),
            ]
        return [*routes, Route("/{path:path}", nothing, methods=_EVERY)]

    def _reads(self, path: str, handler: Handler, *, page: bool = False) -> Route:
        return self._route("GET", path, handler, Rule(page=page))  # and HEAD

    def _writes(self, method: str, path: str, handler: Handler) -> Route:
        return self._route(method, path, handler, Rule(write=True, body=SMALL_BODY, lane="write"))

    def _route(self, method: str, path: str, handler: Handler | AsyncHandler, rule: Rule) -> Route:
        return Route(path, guarded(self.desk, self.lanes, handler, rule), methods=[method])


def create_app(
    store: Store,
    *,
    token: str | None = None,
    reader: str | None = None,
    loopback: bool = True,
) -> Starlette:
    """Make the ASGI application.

    Args:
        token, reader: as of `Desk`.
        loopback: answer only to requests that name this machine, which keeps web pages out.
    """
    hub = HubRoutes(Desk(store, token, reader))
    app = Starlette(routes=hub.routes(), middleware=[Middleware(Front, loopback=loopback)])
    app.router.redirect_slashes = False
    return app
