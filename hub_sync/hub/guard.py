"""What every request passes before a handler sees it: the address and origin, the token, the size, and its turn.

A route states what it takes as a `Rule`. Nothing is read of a body that the rule refuses, and bodies wait on disk, so
that memory does not grow with what clients send.
"""

from __future__ import annotations

import errno
import inspect
import ipaddress
import logging
import re
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import IO
from urllib.parse import quote, unquote, urlsplit

from anyio import CapacityLimiter, Semaphore, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from medimg.hub_sync.hub import pages
from medimg.hub_sync.hub.calls import AsyncHandler, Call, Desk, Handler, refused
from medimg.hub_sync.hub.parsing import whole
from medimg.hub_sync.hub.refusals import HubRefusal

_LOG = logging.getLogger(__name__)
KiB, MiB = 1 << 10, 1 << 20
SMALL_BODY = 2 * MiB
_HELD = 256 * KiB
_HOST = re.compile(r"(?P<name>[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class Rule:
    """What one route takes.

    Attributes:
        write: the request needs the token, where one is set.
        page: refusals are shown as a page.
        body: bytes of a body; None where the handler takes the body itself, as it comes.
        lane: which requests wait for each other: "read", "write", or "heavy" for those that parse what may be large.
    """

    write: bool = False
    page: bool = False
    body: int | None = 64 * KiB
    lane: str = "read"


class Lanes:
    """How many requests of one kind run at once; others wait, with their bodies unread."""

    def __init__(self) -> None:
        self._lanes = {"read": CapacityLimiter(24), "write": CapacityLimiter(8), "heavy": CapacityLimiter(3)}
        self.bodies = Semaphore(16)

    async def run(self, lane: str, handler: Handler, call: Call) -> Response:
        """Run a handler in a thread when it is its turn."""
        return await to_thread.run_sync(handler, call, limiter=self._lanes[lane])


def guarded(
    desk: Desk, lanes: Lanes, handler: Handler | AsyncHandler, rule: Rule
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a route: the handler behind its rule, with every refusal as an answer."""

    async def run(request: Request) -> Response:
        try:
            args = {name: unquote(str(value)) for name, value in request.path_params.items()}
            if rule.write:
                desk.must_write(request)
            announced = request.headers.get("content-length")
            if announced is not None and rule.body is not None and whole(announced) > rule.body:
                raise _too_long(rule.body)
            if inspect.iscoroutinefunction(handler):
                taken: Response = await handler(Call(request, args))
                return taken
            if request.method in ("GET", "HEAD"):
                return await lanes.run(rule.lane, handler, Call(request, args))  # type: ignore[arg-type]
            async with lanes.bodies:
                with tempfile.SpooledTemporaryFile(_HELD, dir=str(desk.store.root / "tmp")) as body:
                    await _receive(request, body, rule.body or 0)
                    return await lanes.run(rule.lane, handler, Call(request, args, body))  # type: ignore[arg-type]
        except HubRefusal as refusal:
            return pages.show_refusal(refusal) if rule.page else refused(refusal)
        except ClientDisconnect:
            return Response(status_code=400)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                answer = _full(desk, request)
                _LOG.warning("%s", answer.problem)
                return pages.show_refusal(answer) if rule.page else refused(answer)
            _LOG.exception("request failed: %s %s", request.method, request.scope["path"])
            return refused(HubRefusal(500, "Disk error."))

    return run


def _full(desk: Desk, request: Request) -> HubRefusal:
    """The refusal of what does not fit onto the disk: how much is free, and how much was sent."""
    free = shutil.disk_usage(desk.store.root).free
    sent = request.headers.get("content-length", "")
    asked = f" This request needs {int(sent):,} bytes." if re.fullmatch("[0-9]{1,18}", sent) and int(sent) else ""
    return HubRefusal(
        507,
        f"The disk of this Hub's store is full: {free:,} bytes are free.{asked} Nothing of the request was kept. "
        "Make room where the Hub runs (medimg hub --gc removes what no revision holds), and send it again.",
    )


def _too_long(limit: int) -> HubRefusal:
    return HubRefusal(413, f"Requests to this route are limited to {limit:,} bytes.")


async def _receive(request: Request, body: IO[bytes], limit: int) -> None:
    size, waiting = 0, bytearray()
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_long(limit)
        waiting += chunk
        if len(waiting) > _HELD:
            await to_thread.run_sync(body.write, bytes(waiting))
            waiting.clear()
    body.write(waiting)
    body.seek(0)


class Front:
    """Give the router the undecoded path, and stop what web pages of other sites make a browser send.

    Args:
        loopback: answer only to requests that name this machine, since a page may have its own name lead to us.
    """

    def __init__(self, app: ASGIApp, loopback: bool) -> None:
        self.app = app
        self.loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] == "http":
            raw = scope.get("raw_path") or quote(scope["path"]).encode()
            scope = {**scope, "path": raw.decode("ascii", "replace")}
            refusal = self._refusal(scope)
            if refusal is not None:
                await refused(refusal)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> HubRefusal | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        named = _HOST.fullmatch(host)
        if named is None:
            return HubRefusal(400, "The Host header names no host.")
        if self.loopback and not is_loopback(named["name"].strip("[]").lower()):
            return HubRefusal(421, "This embedded Hub answers only to loopback names such as 127.0.0.1.")
        origin = headers.get(b"origin")
        # Scripts of a static Space have an origin of their own, and fetch its other files.
        own = origin == "null" and scope["method"] == "GET" and scope["path"].startswith("/static/")
        if origin is not None and not own and _place(origin) != host.lower():
            return HubRefusal(403, "Requests from other sites are refused.")
        elsewhere = headers.get(b"sec-fetch-site", "none").lower() not in ("none", "same-origin")
        if elsewhere and scope["method"] not in ("GET", "HEAD"):
            return HubRefusal(403, "Requests from other sites are refused.")
        return None


def _place(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # such as http://[
        return None


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
