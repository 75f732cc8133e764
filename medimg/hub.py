"""Whether the Hub answers: asked once, since its client repeats each request for half a minute before it gives up."""

from __future__ import annotations

import functools
import ssl
import time
import urllib.error
import urllib.request
from typing import Any

from medimg.errors import HubError

TRIES = 3
PAUSE = 0.5
"""Seconds between two tries."""
TIMEOUT = 5.0
"""Seconds after which silence counts as no answer; not tried again."""
GATEWAYS = (502, 503, 504)
"""Answers of a proxy or a load balancer behind which nobody is."""


class UnansweredError(HubError):
    """Nobody answers at the address of the Hub."""


def check() -> None:
    """Refuse to go on where the Hub of HF_ENDPOINT does not answer; asked once in a process, not at all offline.

    Raises:
        UnansweredError: nobody answers there.
    """
    from huggingface_hub import constants

    if not constants.HF_HUB_OFFLINE:
        _answers(constants.ENDPOINT)


@functools.cache
def _answers(endpoint: str) -> None:
    for left in reversed(range(TRIES)):
        try:
            urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=TIMEOUT).close()
            return
        except (OSError, ValueError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code not in GATEWAYS:
                return  # an answer, whatever it is
            reason: Any = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLError):
                return  # somebody answers; the client may trust other certificates than Python's own
            if left and not isinstance(reason, TimeoutError | ValueError):
                time.sleep(PAUSE)
                continue
            raise UnansweredError(
                f"the Hub {endpoint} does not answer ({reason or type(error).__name__})",
                next_step="check the connection and HF_ENDPOINT; or pass source=<folder with the originals>; or set "
                "HF_HUB_OFFLINE=1 to use what is in the cache.",
            ) from error
