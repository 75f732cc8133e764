"""What tests of worker processes share: a watcher that acts at a row, and an end that no process expects."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

from medimg.hub_sync.results import Watcher
from medimg.hub_sync.workers import process


class Ear(Watcher):
    """Keeps what it is told, and does something at a row."""

    def __init__(self, at_row: Callable[[int], None] = lambda number: None) -> None:
        self.notes: list[str] = []
        self.rows = 0
        self.at_row = at_row

    def note(self, text: str) -> None:
        self.notes.append(text)

    def row(self, name: str, rows: int, size: int) -> None:
        self.rows += rows
        self.at_row(self.rows)


def kill_a_worker() -> None:
    """Kill a worker process of this one."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    victim = next(line for line in listed.stdout.splitlines() if process.MODULE in line)
    os.kill(int(victim.split()[0]), signal.SIGKILL)
