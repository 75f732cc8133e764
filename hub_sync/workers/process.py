"""A process of its own: it imports what it needs, is asked for something, and answers with many messages."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import Any

from medimg import registry
from medimg.errors import MedimgError
from medimg.hub_sync.workers.messages import receive, send

MODULE = "medimg.hub_sync.workers.main"
MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
    "MALLOC_TOP_PAD_": str(16 << 20),
}
"""Lets glibc keep the memory of a row for the next one: giving it back each time took a quarter of the time."""
GRACE = 10.0
"""Seconds that a process has to clean up when it is to end."""
LOSSES = 2
"""How often a process may be lost with the same piece of work."""


class WorkerLostError(MedimgError):
    """A process ended before it had answered."""


class Process:
    """Answers what it was asked for last; to be ended with `end`."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env={**MEMORY, **os.environ},
                pass_fds=[theirs.fileno()],
            )
        self._connection = ours
        self.ask(registry.places())

    def ask(self, wish: object) -> None:
        """Ask for something with a method `answer`, or say what it has asked for.

        What was asked before must have been answered.
        """
        with contextlib.suppress(OSError):  # it has ended: `answer` says how
            send(self._connection, wish)

    def answer(self) -> Any:
        """The next message.

        Raises:
            WorkerLostError: it has ended.
        """
        try:
            return receive(self._connection)
        except (EOFError, OSError) as error:
            code = self._process.wait()
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            raise WorkerLostError(
                f"a worker process {how}",
                next_step="If memory ran out, run it with fewer workers (--workers); else its last words are above.",
            ) from error

    def stop(self) -> None:
        """Let it clean up and end; `answer` raises then."""
        self._process.terminate()

    def end(self) -> None:
        """End it, and wait for that."""
        self.stop()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._connection.close()
