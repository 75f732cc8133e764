"""Patience with a Hub: what is worth another try, how long to wait, and how the client is told not to retry itself.

`huggingface_hub` retries some requests and not others, differently in each version, without jitter, and it sends a
whole object again when only the answer to an upload was lost. So sync asks the client for single tries and repeats
whole calls itself: another `preupload` first asks the Hub which objects it has.
"""

from __future__ import annotations

import contextvars
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import huggingface_hub

from medimg import clients
from medimg.errors import MedimgError

T = TypeVar("T")

WORTH_A_RETRY = frozenset({408, 425, 429, 500, 502, 503, 504})
_inside: contextvars.ContextVar[bool] = contextvars.ContextVar("medimg_patience", default=False)
_lock = threading.Lock()
_watched = False
_timeout = 300.0


class Interrupted(Exception):
    """One request failed in a way that may pass. No error class of the client's, so that the client does not retry it.

    Args:
        what: method and path of the request, without its query.
        problem: status or kind of error.
        status: HTTP status, where there was an answer.
        wait: seconds that the answer asks for.
    """

    def __init__(self, what: str, problem: str, *, status: int | None = None, wait: float | None = None) -> None:
        super().__init__(f"{what}: {problem}")
        self.what = what
        self.problem = problem
        self.status = status
        self.wait = wait


@dataclass
class Traffic:
    """Bytes that upload addresses took from this process."""

    uploaded: int = 0


TRAFFIC = Traffic()


@dataclass(frozen=True)
class Patience:
    """How often to try, and how long to wait in between.

    Args:
        attempts: tries per call, the first one included.
        first: about how many seconds to wait the first time; doubled each time.
        longest: upper bound of one such wait.
        asked: upper bound of a wait that the Hub asks for (Retry-After, ratelimit).
        total: upper bound of all waits of one call.
        timeout: seconds after which a silent connection counts as cut.
    """

    attempts: int = 7
    first: float = 1.0
    longest: float = 60.0
    asked: float = 600.0
    total: float = 1800.0
    timeout: float = 300.0

    def pause(self, tries: int, trouble: Interrupted, waited: float) -> float | None:
        """Seconds until the next try; None where there is none.

        Args:
            waited: seconds waited for this call so far.
        """
        if tries >= self.attempts:
            return None
        # Full jitter: clients that failed together do not come back together.
        pause = random.uniform(0.1, 1.0) * min(self.longest, self.first * 2 ** (tries - 1))
        if trouble.wait is not None:
            if trouble.wait > self.asked:
                return None
            pause = trouble.wait + random.uniform(0.0, 0.1) * max(trouble.wait, self.first)
        return pause if waited + pause <= self.total else None


NONE = Patience(attempts=1)
"""Every trouble is final."""


def persist(
    call: Callable[[], T],
    patience: Patience,
    *,
    note: Callable[[str], None] = lambda text: None,
    sleep: Callable[[float], None] | None = None,
) -> T:
    """Call until it succeeds, fails for good, or patience ends.

    Args:
        call: may be called several times.
        patience: how often and how long.
        note: told about each wait.
        sleep: instead of `time.sleep`.

    Raises:
        Exception: the last error.
    """
    tries, waited = 0, 0.0
    while True:
        tries += 1
        try:
            with single_tries(patience.timeout):
                return call()
        except Exception as error:
            trouble = trouble_of(error)
            pause = None if trouble is None else patience.pause(tries, trouble, waited)
            if trouble is None or pause is None:
                raise
        note(f"{trouble.problem}; another try in {pause:.1f} s ({tries} of {patience.attempts - 1})")
        (sleep or time.sleep)(pause)
        waited += pause


def trouble_of(error: BaseException) -> Interrupted | None:
    """What may pass in an error, looked up along its causes; None where another try makes no sense."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, MedimgError):
            return None
        if isinstance(current, Interrupted):
            return current
        response = getattr(current, "response", None)
        status = getattr(response, "status_code", None)
        if isinstance(status, int):
            if status not in WORTH_A_RETRY:
                return None
            return Interrupted("", f"the Hub answered {status}", status=status, wait=_asked(response))
        if _is_transport(current):
            return Interrupted("", f"the connection broke ({type(current).__name__})")
        current = current.__cause__ or current.__context__
    return None


def _is_transport(error: BaseException) -> bool:
    """Whether a connection failed. By name, since the client's HTTP library depends on its version."""
    names = {each.__name__ for each in type(error).__mro__}
    return "TransportError" in names or isinstance(error, ConnectionError | TimeoutError)


def _asked(response: Any) -> float | None:
    """Seconds that an answer asks to wait: `ratelimit` of the Hub, else Retry-After (seconds or a date)."""
    limited = re.search(r"r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", response.headers.get("ratelimit", ""))
    if limited:
        return float(limited[1])
    text = (response.headers.get("retry-after") or "").strip()
    if text.isdigit():
        return float(text)
    if text:
        from datetime import UTC, datetime
        from email.utils import parsedate_to_datetime

        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return None


@contextmanager
def single_tries(timeout: float) -> Iterator[None]:
    """Inside, the client of `huggingface_hub` passes every trouble on at once, as `Interrupted`."""
    global _timeout
    _timeout = timeout
    _watch()
    mark = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(mark)


def _watch() -> None:
    """Let the requests of `huggingface_hub` go through `_send`; done once in a process."""
    global _watched
    with _lock:
        if _watched:
            return
        original = clients.client_factory()

        def factory() -> Any:
            client: Any = original()
            send = client.send
            client.send = lambda request, **options: _send(send, request, options)
            return client

        huggingface_hub.set_client_factory(factory)
        _watched = True


def _send(send: Callable[..., Any], request: Any, options: dict[str, Any]) -> Any:
    # Uploads of several files run in threads of the client's own, where the mark is not seen.
    upload = request.method == "PUT" and "/api/" not in request.url.path
    if not (upload or _inside.get()):
        return send(request, **options)
    # The client has no time limit at all for some requests, and 10 s for others.
    request.extensions = {
        **request.extensions,
        "timeout": {"connect": 30.0, "read": _timeout, "write": _timeout, "pool": _timeout},
    }
    what = f"{request.method} {urlsplit(str(request.url)).path}"
    try:
        response = send(request, **options)
    except Exception as error:
        if not _is_transport(error):
            raise
        raise Interrupted(what, f"the connection broke ({type(error).__name__})") from error
    if response.status_code in WORTH_A_RETRY:
        wait = _asked(response)
        response.close()
        raise Interrupted(what, f"the Hub answered {response.status_code}", status=response.status_code, wait=wait)
    if upload and response.status_code < 400:
        length = request.headers.get("content-length", "")
        TRAFFIC.uploaded += int(length) if length.isdigit() else 0
    return response
