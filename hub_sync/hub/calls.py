"""What every route needs: the request, who may do what, and how to refuse."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from medimg.hub_sync.hub.store import (
    MAIN,
    REPO_TYPES,
    Commit,
    HubRefusal,
    Json,
    Repository,
    Store,
)

PLURALS = {f"{kind}s": kind for kind in REPO_TYPES}


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


class Desk:
    """The store and who may do what with it.

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

    def sees(self, call: Call, about: Json) -> bool:
        """Return whether the request may see what these settings (or this collection) belong to."""
        return not about["private"] or self.knows(call.request)

    def repository(self, call: Call) -> Repository:
        """Return the repository that the path names, if the request may see it."""
        kind = PLURALS.get(call.args.get("kind", "models"), "")
        repository = self.store.repository(kind, f"{call.args['ns']}/{call.args['name']}")
        if not self.sees(call, repository.settings()):
            raise HubRefusal(404, "Repository not found", code="RepoNotFound")
        return repository

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
        """Return the address for links, without a slash at the end."""
        return (self.base_url or str(call.request.base_url)).rstrip("/")

    def url(self, call: Call, repository: Repository) -> str:
        """Return the address of a repository."""
        return self.base(call) + repository.url

    def paged(
        self, call: Call, items: Sequence[Any], size: int, describe: Callable[[Any], list[Json]] = list
    ) -> Response:
        """Return one page of a listing; its header names the next one."""
        query = dict(call.request.query_params)
        cursor, limit = query.get("cursor", "0"), query.get("limit", "")
        start = int(cursor) if cursor.isdecimal() else 0
        size = max(1, min(int(limit), size)) if limit.isdecimal() else size
        response = JSONResponse(describe(items[start : start + size]))
        if start + size < len(items):
            here = f"{self.base(call)}{call.request.scope['path']}"
            response.headers["Link"] = f'<{here}?{urlencode({**query, "cursor": start + size})}>; rel="next"'
        return response


class Routes:
    """Handlers of requests about one thing.

    Args:
        desk: the store and who may do what.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.store = desk.store


def refused(refusal: HubRefusal) -> Response:
    """Return a refusal as Hub clients understand it."""
    message = refusal.problem.encode("ascii", "replace").decode()[:500]
    headers = {
        **refusal.headers,
        "X-Error-Message": "".join(char if char >= " " else " " for char in message),
    }
    if refusal.code:
        headers["X-Error-Code"] = refusal.code
    return JSONResponse({"error": refusal.problem, **refusal.extra}, refusal.status, headers)


def objects(value: object) -> list[Json]:
    """Return a list of JSON objects; refuses anything else."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise HubRefusal(400, "A list of objects is expected.")
    return value


def whole(value: object) -> int:
    """Return a whole number that is not negative; refuses anything else."""
    try:
        number = int(str(value))
    except ValueError:
        number = -1
    if number < 0:
        raise HubRefusal(400, "A whole number that is not negative is expected.")
    return number


def no_pull_request(call: Call) -> None:
    """Refuse what only pull requests would need."""
    if call.flag("create_pr"):
        raise HubRefusal(400, "The embedded Hub has no pull requests: commit to a branch.")
