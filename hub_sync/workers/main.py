"""A worker process: `python -m medimg.hub_sync.workers.main <descriptor of a socket>`, started by `Process`.

It is asked for one thing after the other, until the one who asks is gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from typing import Any

from medimg import registry
from medimg.hub_sync.workers.messages import receive, send


def main() -> None:
    """Answer what comes."""
    # Ctrl-C reaches every process of a terminal: who started this one decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    os.dup2(2, 1)  # the output of the run is not for what a library prints here
    connection = socket.socket(fileno=int(sys.argv[1]))

    def give(message: object) -> None:
        try:
            send(connection, message)
        except OSError:
            sys.exit()  # nobody is there any more

    def ask(message: object) -> Any:
        give(message)
        return receive(connection)

    with contextlib.suppress(EOFError, ConnectionError):
        registry.look_in(receive(connection))
        while True:
            wish = receive(connection)
            wish.answer(give, ask)
            del wish


def _leave(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # what is cleaned up now is not to be interrupted
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
