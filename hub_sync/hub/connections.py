"""The embedded Hub's connections: how many there may be, and how long a client may keep one without doing its part.

uvicorn bounds the size of headers and the time between two requests. It waits without end for the rest of a header or
of a body, and for a client that does not take its answer; and it accepts connections until no file is left to open.
"""

from __future__ import annotations

import asyncio
import resource

from uvicorn.protocols.http.h11_impl import H11Protocol

from medimg.hub_sync.hub.limits import HubLimits

_SWEEP_SECONDS = 1.0
_LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connection(H11Protocol):
    """One connection; `protocol` makes the class with its limits."""

    limits: HubLimits
    most: int
    _sweeping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection; where there are too many, the one that has waited longest for a request ends."""
        super().connection_made(transport)
        now = self.loop.time()
        self._asked: float | None = now  # since when a request is expected to be complete
        self._window, self._bytes, self._slow = now, 0, False
        self._stuck: float | None = None
        if len(self.connections) > self.most:
            others = [other for other in self.connections if isinstance(other, Connection) and other.idle]
            oldest = min((other for other in others if other is not self), key=_patience, default=None)
            if oldest is None:
                self._end(_FULL)
            else:
                oldest.transport.abort()
                self.connections.discard(oldest)
        if not type(self)._sweeping:
            type(self)._sweeping = True
            self.loop.call_later(min(_SWEEP_SECONDS, self.limits.header_seconds), self._sweep)

    @property
    def idle(self) -> bool:
        """Whether no request is being answered or received, except for its header."""
        return self.cycle is None or self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Count what comes."""
        if self.idle and self._asked is None:
            self._asked = self.loop.time()
        self._bytes += len(data)
        fresh = self.idle
        super().data_received(data)
        if not self.idle:
            self._asked = None
            if fresh:
                self._window, self._bytes = self.loop.time(), 0

    def pause_writing(self) -> None:
        """Note since when the client takes nothing."""
        self._stuck = self.loop.time()
        super().pause_writing()  # type: ignore[no-untyped-call, unused-ignore]

    def resume_writing(self) -> None:
        """The client takes its answer again."""
        self._stuck = None
        super().resume_writing()  # type: ignore[no-untyped-call, unused-ignore]

    def _sweep(self) -> None:
        now = self.loop.time()
        for other in list(self.connections):
            if isinstance(other, Connection) and not other.transport.is_closing() and other._late(now):
                other._end(_LATE if other.idle or not other.cycle.response_started else b"")
        if self.connections:
            self.loop.call_later(min(_SWEEP_SECONDS, self.limits.header_seconds), self._sweep)
        else:
            type(self)._sweeping = False

    def _late(self, now: float) -> bool:
        limits = self.limits
        if self.idle:
            return self._asked is not None and now - self._asked > limits.header_seconds
        if self._stuck is not None:
            return now - self._stuck > limits.answer_seconds
        if not self.cycle.more_body or self.flow.read_paused:  # it is our turn
            self._window, self._bytes = now, 0
            return False
        if now - self._window <= limits.body_seconds:
            return False
        slow = self._bytes < limits.body_rate * limits.body_seconds
        self._window, self._bytes = now, 0
        return slow

    def _end(self, answer: bytes) -> None:
        if answer:
            self.transport.write(answer)
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()


def _patience(connection: Connection) -> tuple[bool, float]:
    """Order of who goes first: who has sent half a header for longest, then who has had an answer and waits."""
    asked = connection._asked
    return (True, connection._window) if asked is None else (False, asked)


def protocol(limits: HubLimits) -> type[Connection]:
    """Return the class of connections for one server.

    Args:
        limits: numbers and times; without a number of connections, half of the files that this process may open is
            taken, at most 512.
    """
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = limits.connections or (512 if allowed < 0 else max(8, min(512, allowed // 2)))
    return type("Connection", (Connection,), {"limits": limits, "most": most})
