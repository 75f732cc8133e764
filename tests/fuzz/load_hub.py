"""An embedded Hub under load at full size: bodies of 250 MB at once, and headers that are never finished.

python tests/fuzz/load_hub.py [--bodies 4] [--megabytes 250] [--headers 1100]

Prints how much the Hub's memory grew, and how long a plain request took meanwhile. Takes a minute and a gigabyte of
temporary disk, so that `make test` has the same at a tenth of the size (tests/test_hub_hostile.py).
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import re
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_SERVER = """
import sys
from medimg.hub_sync.hub import EmbeddedHub
with EmbeddedHub(sys.argv[1]) as hub:
    hub.store.create("dataset", "a/b")
    print(hub.port, flush=True)
    sys.stdin.read()
"""


def main() -> int:
    """Measure and print; 0 where the Hub kept its memory and answered others."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bodies", type=int, default=4)
    parser.add_argument("--megabytes", type=int, default=250)
    parser.add_argument("--headers", type=int, default=1100)
    asked = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    with tempfile.TemporaryDirectory(prefix="medimg-load-") as folder:
        hub = subprocess.Popen(
            [sys.executable, "-c", _SERVER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert hub.stdout is not None
            port = int(hub.stdout.readline())
            bodies = _bodies(hub.pid, port, asked.bodies, asked.megabytes)
            headers = _headers(hub.pid, port, asked.headers)
        finally:
            hub.kill()
            hub.wait()
    return 0 if bodies and headers else 1


def _memory(pid: int, what: str) -> int:
    """MiB: "VmRSS" now, or "VmHWM" at most so far."""
    found = re.search(rf"{what}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) >> 10 if found else 0


def _plain(port: int) -> tuple[int, float]:
    """(status, seconds) of a plain request."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/api/medimg-embedded-hub")
    status = connection.getresponse().status
    connection.close()
    return status, time.monotonic() - started


def _bodies(pid: int, port: int, count: int, megabytes: int) -> bool:
    content = base64.b64encode(bytes(1 << 20)).decode()
    head = b'{"key": "header", "value": {"summary": "s"}}\n'
    line = (
        json.dumps({"key": "file", "value": {"path": "x", "content": content, "encoding": "base64"}}).encode() + b"\n"
    )
    lines = (megabytes * 10**6 - len(head)) // len(line)
    answers: Counter[int] = Counter()

    def pieces() -> Iterator[bytes]:
        yield head
        for _ in range(lines):
            yield line

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        length = str(len(head) + lines * len(line))
        connection.request("POST", "/api/datasets/a/b/commit/main", pieces(), headers={"Content-Length": length})
        answers[connection.getresponse().status] += 1

    before, started = _memory(pid, "VmRSS"), time.monotonic()
    threads = [threading.Thread(target=send) for _ in range(count)]
    for thread in threads:
        thread.start()
    slowest = 0.0
    while any(thread.is_alive() for thread in threads):
        slowest = max(slowest, _plain(port)[1])
        time.sleep(0.2)
    grown = _memory(pid, "VmHWM") - before
    print(
        f"{count} bodies of {megabytes} MB at once: {dict(answers)} in {time.monotonic() - started:.0f} s; "
        f"the Hub grew by {grown} MiB at most; the slowest plain request meanwhile took {slowest:.2f} s"
    )
    return answers == {200: count} and grown < 200


def _headers(pid: int, port: int, count: int) -> bool:
    before, held, worst, statuses = _memory(pid, "VmRSS"), [], 0.0, Counter[int]()
    for number in range(count):
        held.append(socket.create_connection(("127.0.0.1", port)))
        held[-1].sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Number: %d" % number)
        if number % 100 == 99:
            status, seconds = _plain(port)
            statuses[status] += 1
            worst = max(worst, seconds)
    print(
        f"{count} headers half sent: plain requests meanwhile {dict(statuses)}, the slowest {worst:.2f} s; "
        f"the Hub grew by {_memory(pid, 'VmRSS') - before} MiB"
    )
    for connection in held:
        connection.close()
    return set(statuses) == {200}


if __name__ == "__main__":
    sys.exit(main())
