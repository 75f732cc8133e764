"""What every route needs: the request, who may do what, and how to refuse."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from typing import IO, Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from medimg.hub_sync.hub.commits import Commit
from medimg.hub_sync.hub.parsing import read_object, whole
from medimg.hub_sync.hub.refusals import HubRefusal, Json
from medimg.hub_sync.hub.repository import MAIN, Repository
from medimg.hub_sync.hub.store import REPO_TYPES, Store

_LOG = logging.getLogger(__name__)
PLURALS = {f"{kind}s": kind for kind in REPO_TYPES}


@dataclass
class Call:
    """One request: decoded path parameters and the body, a file that may lie on disk."""

    request: Request
    args: dict[str, str]
    file: IO[bytes] = field(default_factory=BytesIO)

    @cached_property
    def body(self) -> bytes:
        """The whole body, for routes that take small ones."""
        return self.file.read()

    def lines(self, longest: int) -> Iterator[bytes]:
        """Yield the lines of the body that are not blank; refuses one that is longer."""
        while line := self.file.readline(longest + 1):
            if len(line) > longest:
                raise HubRefusal(413, f"A line of the body is longer than {longest:,} bytes.")
            if line := line.strip():
                yield line

    def json(self) -> Json:
        """Return the body as a JSON object; refuses anything else."""
        return read_object(self.body or b"{}")

    def flag(self, name: str) -> bool:
        """Return a query parameter as a truth value."""
        return self.request.query_params.get(name, "").lower() in ("1", "true")


Handler = Callable[[Call], Response]
AsyncHandler = Callable[[Call], Awaitable[Response]]


class Desk:
    """The store and who may do what with it.

    Args:
        token: where given, writes, private and gated repositories need it; else any token opens the latter.
        reader: another token, which opens private and gated repositories and writes nothing.
    """

    user = "medimg"
    """Owns repositories that are created without a namespace."""

    def __init__(self, store: Store, token: str | None, reader: str | None = None) -> None:
        self.store = store
        self.token = token
        self.reader = reader

    def role(self, request: Request) -> str | None:
        """Return what the request's token is good for: "write", "read", or None where it is not known.

        Where no token is set, any is good for all.
        """
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        token = given.strip().encode()
        if scheme.lower() != "bearer" or not token:
            return None
        if self.token is None or secrets.compare_digest(token, self.token.encode()):
            return "write"
        if self.reader is not None and secrets.compare_digest(token, self.reader.encode()):
            return "read"
        return None

    def knows(self, request: Request) -> bool:
        """Return whether the request carries a token that is set, or any where none is set."""
        return self.role(request) is not None

    def must_write(self, request: Request) -> None:
        """Refuse a write without the token for it."""
        if self.token is None:
            return
        role = self.role(request)
        if role == "read":
            raise HubRefusal(403, "This token reads only: a token with write access is needed.")
        if role is None:
            raise HubRefusal(401, "Invalid credentials in Authorization header")

    def sees(self, call: Call, about: Json) -> bool:
        """Return whether the request may see what these settings (or this collection) belong to."""
        return not about["private"] or self.knows(call.request)

    def repository(self, call: Call) -> Repository:
        """Return the repository that the path names, if the request may see it."""
        kind = PLURALS.get(call.args.get("kind", "models"), "")
        return self.find(call, kind, f"{call.args['ns']}/{call.args['name']}")

    def find(self, call: Call, kind: str, id: str) -> Repository:
        """Return a repository, if the request may see it; one that it may not see does not exist for it."""
        repository = self.store.repository(kind, id)
        if not self.sees(call, repository.settings()):
            raise HubRefusal(404, "Repository not found", code="RepoNotFound")
        return repository

    def shown(self, call: Call, repositories: Iterable[Repository]) -> Iterator[tuple[Repository, Commit]]:
        """Yield those that the request may see, with their heads.

        A damaged one is logged and left out.
        """
        for repository in repositories:
            try:
                if self.sees(call, repository.settings()):
                    yield repository, repository.commit()
            except (HubRefusal, OSError) as error:
                _LOG.warning("%s %s is not listed: %s", repository.type, repository.id, error)

    def items(self, call: Call, collection: Json) -> list[Json]:
        """Return the items of a collection: without the token, only public repositories that are there."""
        if self.knows(call.request):
            return list(collection["items"])
        return [item for item in collection["items"] if self._is_public(item["type"], item["id"])]

    def _is_public(self, kind: str, id: str) -> bool:
        try:
            return not self.store.repository(kind, id).settings()["private"]
        except HubRefusal:
            return False

    def at(self, call: Call) -> tuple[Repository, Commit]:
        """Return the repository and the revision that the path names."""
        repository = self.repository(call)
        return repository, repository.commit(call.args.get("rev", MAIN))

    def gate(self, call: Call, repository: Repository) -> None:
        """Refuse the files of a gated repository to requests without a token."""
        if repository.settings()["gated"] and not self.knows(call.request):
            problem = f"Access to {repository.type} {repository.id} is restricted. You must be authenticated."
            raise HubRefusal(403, problem, code="GatedRepo")

    def base(self, call: Call) -> str:
        """Return the address that the client used, for links, without a slash at the end."""
        return str(call.request.base_url).rstrip("/")

    def url(self, call: Call, repository: Repository) -> str:
        """Return the address of a repository."""
        return self.base(call) + repository.url

    def paged(
        self, call: Call, items: Sequence[Any], size: int, describe: Callable[[Any], list[Json]] = list
    ) -> Response:
        """Return one page of a listing; its header names the next one."""
        query = call.request.query_params
        start = whole(query.get("cursor") or "0")
        size = max(1, min(whole(query.get("limit") or str(size)), size))
        response = JSONResponse(describe(items[start : start + size]))
        if start + size < len(items):
            here = f"{self.base(call)}{call.request.scope['path']}"
            again = [(name, value) for name, value in query.multi_items() if name != "cursor"]
            response.headers["Link"] = f'<{here}?{urlencode([*again, ("cursor", start + size)])}>; rel="next"'
        return response


class Routes:
    """Handlers of requests about one thing."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.store = desk.store


def refused(refusal: HubRefusal) -> Response:
    """Return a refusal as Hub clients understand it."""
    message = refusal.problem.encode("ascii", "replace").decode()[:500]
    headers = {
        **refusal.headers,
        "X-Error-Message": "".join(char if " " <= char <= "~" else " " for char in message).strip(),
    }
    if refusal.code:
        headers["X-Error-Code"] = refusal.code
    return JSONResponse({"error": refusal.problem, **refusal.extra}, refusal.status, headers)


def no_pull_request(call: Call) -> None:
    """Refuse what only pull requests would need."""
    if call.flag("create_pr"):
        raise HubRefusal(400, "The embedded Hub has no pull requests: commit to a branch.")
