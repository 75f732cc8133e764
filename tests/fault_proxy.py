"""A proxy on the loopback that spoils requests on purpose, in front of a Hub."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

FAULTS = ("cut before", "cut midway", "cut after", "429", "500", "503", "slow")
"""Cut before the Hub sees the request, in the middle of it (or of its answer, where it has no body), after the Hub did
what was asked for but before it said so; refused with a status; answered late."""
LATE = 0.1

_NORMAL = (
    (re.compile(r"\?.*"), ""),
    (re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}"), "*"),
    (re.compile(r"/datasets/[^/]+/[^/.]+"), "/datasets/*"),
    (re.compile(r"/collections/[^/]+/[^/]+"), "/collections/*"),
    (re.compile(r"/items/[^/]+$"), "/items/*"),
    (re.compile(r"/part-\d+/"), "/part-*/"),
    (re.compile(r"/(data|metadata|preview)/.*\.parquet$"), "/*.parquet"),
    (re.compile(r"/tag/[^/]+$"), "/tag/*"),
    (re.compile(r"/resolve/main/"), "/resolve/*/"),
)


@dataclass
class Seen:
    """One request: its kind is the method and the path without what differs from one repository to the next."""

    number: int
    kind: str
    length: int
    fault: str | None = None


Choose = Callable[[Seen], str | None]


@dataclass
class FaultProxy:
    """Forwards to `upstream`; `choose` names the fault of each request, or None.

    Attributes:
        seen: every request.
        uploaded: bytes of upload bodies that arrived here.
        objects: address of each object -> its size, counted once.
        hook: called with the request and "before" or "after", on both sides of the forwarding.
    """

    upstream: str
    choose: Choose = lambda seen: None
    seen: list[Seen] = field(default_factory=list)
    uploaded: int = 0
    objects: dict[str, int] = field(default_factory=dict)
    hook: Callable[[Seen, str], None] = lambda seen, moment: None
    url: str = ""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True, name="fault-proxy")
        self._thread.start()
        ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def end() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self._loop)
        self._thread.join(10)

    def arm(self, fault: str, *kinds: str) -> set[str]:
        """Spoil the next request of each of these kinds; returns the set of those that did not come yet."""
        waiting = set(kinds)

        def choose(seen: Seen) -> str | None:
            if seen.kind in waiting:
                waiting.remove(seen.kind)
                return fault
            return None

        self.choose = choose
        return waiting

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**26))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._one(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        seen = Seen(len(self.seen), kind_of(method, target), int(headers.get("content-length", 0)))
        self.seen.append(seen)
        seen.fault = self.choose(seen)
        upload = method == "PUT" and "/lfs/" in target
        if seen.fault == "cut before":
            cut(writer)
            return
        parts = [] if not seen.length else [seen.length]
        if seen.fault == "cut midway" and seen.length > 1:
            parts = [seen.length // 2]
        body = b""
        if headers.get("transfer-encoding", "") == "chunked":
            body = await _chunks(reader)
        for part in parts:
            body += await reader.readexactly(part)
        if upload:
            self.uploaded += len(body)
            self.objects[target.split("?")[0]] = seen.length
        if seen.fault and seen.fault.isdigit():
            wait = "Retry-After: 0\r\n" if seen.fault == "429" else ""
            said = f"HTTP/1.1 {seen.fault} No\r\n{wait}Content-Length: 0\r\nConnection: close\r\n\r\n"
            writer.write(said.encode())
            await writer.drain()
            return
        if seen.fault == "slow":
            await asyncio.sleep(LATE)
        self.hook(seen, "before")
        place = urlsplit(self.upstream)
        up_reader, up_writer = await asyncio.open_connection(place.hostname, place.port)
        kept = [line for line in lines if not line.lower().startswith(("connection:", "transfer-encoding:"))]
        if headers.get("transfer-encoding", "") == "chunked":
            kept.insert(0, f"Content-Length: {len(body)}")
        up_writer.write("\r\n".join([first, "Connection: close", *kept]).encode("latin-1") + body)
        await up_writer.drain()
        if seen.fault == "cut midway" and seen.length > 1:
            await asyncio.sleep(0.01)
            cut(up_writer)
            cut(writer)
            return
        answer = await up_reader.read()
        up_writer.close()
        self.hook(seen, "after")
        if seen.fault == "cut after":
            cut(writer)
            return
        if seen.fault == "cut midway":
            writer.write(answer[: len(answer) // 2])
            await writer.drain()
            await asyncio.sleep(0.01)
            cut(writer)
            return
        writer.write(answer)
        await writer.drain()


def kind_of(method: str, target: str) -> str:
    """Method and normalized path."""
    for pattern, replacement in _NORMAL:
        target = pattern.sub(replacement, target)
    return f"{method} {target}"


def cut(writer: asyncio.StreamWriter) -> None:
    """Reset the connection, as a broken line does."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body
