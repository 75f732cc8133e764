"""Figures on the first row over HTTP: what `datasets` fetches of what we publish, and of what `push_to_hub` makes.

An embedded Hub holds both. Requests go through a proxy on this machine that waits before it passes one on.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from figures import Figure, See, Taken, Way, Ways
from sources import many_volumes, naive

from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.sync import sync

ROWS = 42
"""Volumes of 4 MB each as .nii.gz; MSD Spleen has 41."""

FIRST = """
import hashlib, json, sys, time
import numpy as np
from datasets import load_dataset
began = time.perf_counter()
row = next(iter(load_dataset(sys.argv[1], split="train", streaming=True)))
arrays = [np.asarray(image.dataobj) for image in (row["image"], row["label"]["mask"])]
seconds = time.perf_counter() - began
digests = [hashlib.sha256(array.astype("<f4").tobytes()).hexdigest() for array in arrays]
print(json.dumps([seconds, digests]), flush=True)
import os; os._exit(0)  # not waiting for what is still being read ahead
"""
PUSH = """
import sys
from datasets import load_dataset
rows = load_dataset("parquet", data_files=sys.argv[2], split="train")
rows.push_to_hub(sys.argv[1])
"""


class Delay:
    """A proxy in front of a Hub.

    Attributes:
        url: its address.
        seconds: it waits before it passes a request on.
        requests, bytes: of answers, since `reset`.
    """

    def __init__(self, upstream: str) -> None:
        place = urlsplit(upstream)
        self._upstream = (place.hostname, place.port)
        self.seconds = 0.0
        self.reset()
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True, name="delay").start()
        ready.wait(10)

    def reset(self) -> None:
        """Count from nothing."""
        self.requests = self.bytes = 0

    def _run(self, ready: threading.Event) -> None:
        async def main() -> None:
            server = await asyncio.start_server(self._one, "127.0.0.1", 0)
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ready.set()
            await server.serve_forever()

        asyncio.run(main())

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection; the answer ends with it."""
        upstream = None
        try:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            headers = dict(line.lower().split(b": ", 1) for line in lines if b": " in line)
            body = await reader.readexactly(int(headers.get(b"content-length", 0)))
            await asyncio.sleep(self.seconds)
            kept = [line for line in lines if not line.lower().startswith(b"connection:")]
            answers, upstream = await asyncio.open_connection(*self._upstream)
            upstream.write(b"\r\n".join([first, b"Connection: close", *kept]) + body)
            self.requests += 1
            while piece := await answers.read(1 << 16):
                self.bytes += len(piece)
                writer.write(piece)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # a client that has what it wants goes away
        finally:
            writer.close()
            if upstream is not None:
                upstream.close()


def environment(url: str, home: str) -> dict[str, str]:
    """Of a process that uses this Hub, and no cache."""
    told = {"HF_ENDPOINT": url, "HF_HOME": home, "HF_TOKEN": "hf_bench"}
    switches = ("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS", "TQDM_DISABLE")
    return {**os.environ, **told, **dict.fromkeys(switches, "1"), "HF_UPDATE_DOWNLOAD_COUNTS": "0"}


@functools.cache
def published(folder: Path) -> Delay:
    """A Hub with `ours/msd-spleen` and `naive/msd-spleen`, behind the proxy."""
    server = EmbeddedHub(folder / "store")
    server.__enter__()
    atexit.register(server.__exit__)
    root = many_volumes(folder, ROWS)
    sync(["msd-spleen"], Hub(server.url, "ours"), root=str(root.parent), check=False)
    path = naive(root, folder / "naive-remote")[0]
    command = [sys.executable, "-c", PUSH, "naive/msd-spleen", path]
    subprocess.run(command, env=environment(server.url, str(folder / "home")), cwd=folder, check=True)
    return Delay(server.url)


def first_row(folder: Path, namespace: str, delay: float) -> Way:
    """In a process of its own, whose start is not counted."""

    def way(see: See) -> Taken:
        proxy = published(folder)
        proxy.seconds = delay
        proxy.reset()
        with tempfile.TemporaryDirectory(dir=folder) as home:
            command = [sys.executable, "-c", FIRST, f"{namespace}/msd-spleen"]
            done = subprocess.run(
                command, env=environment(proxy.url, home), cwd=home, check=True, stdout=subprocess.PIPE, text=True
            )
        seconds, digests = json.loads(done.stdout)
        for digest in digests:
            see(np.frombuffer(bytes.fromhex(digest), np.uint8))
        return {"seconds": seconds, "requests": proxy.requests, "bytes": proxy.bytes}

    return way


def first_rows(delay: float, folder: Path) -> Ways:
    return first_row(folder, "ours", delay), first_row(folder, "naive", delay)


def figures() -> Any:
    ours = "the first volume and mask over HTTP through plain `datasets`, streaming"
    other = "what `push_to_hub` makes of the same 42 rows"
    for milliseconds in (20, 100):
        make = functools.partial(first_rows, milliseconds / 1000)
        late = f"{milliseconds} ms a request"
        yield Figure(f"http-{milliseconds}ms", f"{ours}, {late}", other, "cost", None, make, first=False)
        if milliseconds == 20:
            yield Figure("http-bytes", ours, other, "cost", 0.25, make, of="bytes", first=False)
            yield Figure("http-requests", ours, other, "cost", None, make, of="requests", first=False)


FIGURES = tuple(figures())
