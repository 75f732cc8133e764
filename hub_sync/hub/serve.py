"""Run the embedded Hub: in a thread (`EmbeddedHub`) or until Ctrl-C (`serve`)."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from typing import Self

import uvicorn

from medimg.errors import HubError
from medimg.hub_sync.hub.app import create_app
from medimg.hub_sync.hub.connections import protocol
from medimg.hub_sync.hub.guard import is_loopback
from medimg.hub_sync.hub.limits import HubLimits
from medimg.hub_sync.hub.store import Store

_START_SECONDS = 30.0


class EmbeddedHub:
    """An embedded Hub in a thread of this process, for use with `with`.

    Args:
        store_dir: where the Hub keeps what it gets.
        host: address to listen on; beyond loopback a token is required.
        port: port to listen on; 0 takes a free one.
        token: where given, writes, private and gated repositories need it.
        reader: another token, which opens private and gated repositories and writes nothing.
    """

    def __init__(
        self,
        store_dir: str | os.PathLike[str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        reader: str | None = None,
        limits: HubLimits | None = None,
    ) -> None:
        _require_token(host, token, reader)
        self.store_dir = store_dir
        self.host = host
        self.port = port
        self._tokens = (token, reader)
        self._limits = limits
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address for `HF_ENDPOINT`, known once the Hub runs."""
        return _url(self.host, self.port)

    @property
    def store(self) -> Store:
        """The store that is served."""
        return self._store

    def __enter__(self) -> Self:
        self._store = Store(self.store_dir, self._limits)
        listener = _listen(self.host, self.port)
        self.port = int(listener.getsockname()[1])
        server = _server(self._store, self.host, *self._tokens)
        self._server = server
        self._thread = threading.Thread(target=server.run, args=([listener],), name="embedded-hub", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                listener.close()
                raise HubError(f"The embedded Hub did not start on {self.url}.")
            time.sleep(0.005)
        return self

    def __exit__(self, *error: object) -> None:
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join(_START_SECONDS)


def serve(
    store_dir: str | os.PathLike[str],
    host: str = "127.0.0.1",
    port: int = 8642,
    token: str | None = None,
    reader: str | None = None,
) -> None:
    """Serve a store until Ctrl-C; prints the address and how to use it. The arguments are those of `EmbeddedHub`."""
    _require_token(host, token, reader)
    store = Store(store_dir)
    listener = _listen(host, port)
    url = _url(host, int(listener.getsockname()[1]))
    print(f"Embedded Hub at {url} with {store.root} (Ctrl-C ends it)\n")
    print(f"    export HF_ENDPOINT={url}")
    print("    export HF_HUB_DISABLE_XET=1    # only to upload\n", flush=True)
    if token is not None:
        print("Writes, private and gated repositories need the token as HF_TOKEN.\n", flush=True)
    try:
        _server(store, host, token, reader).run([listener])
    except KeyboardInterrupt:  # the server has ended in order and passes the signal on
        pass
    finally:
        sys.stdout.flush()


def _server(store: Store, host: str, token: str | None, reader: str | None) -> uvicorn.Server:
    app = create_app(store, token=token, reader=reader, loopback=is_loopback(host))
    connection = protocol(store.limits)
    config = uvicorn.Config(
        app,
        http=connection,
        limit_concurrency=connection.most + 64,  # its own count includes connections that are just being ended
        h11_max_incomplete_event_size=32 << 10,
        log_level="warning",
        access_log=False,  # addresses of uploads carry signatures
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, since asyncio sets TCP_NODELAY only then: without, every ranged read waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except (OSError, OverflowError) as error:
        listener.close()
        raise HubError(
            f"The embedded Hub cannot listen on port {port} of {host}: {error}.",
            next_step="choose another port with --port, or end the program that uses this one.",
        ) from None
    return listener


def _require_token(host: str, token: str | None, reader: str | None) -> None:
    if any(given is not None and not given.strip() for given in (token, reader)):
        raise HubError("The token is empty.", next_step="set a token, or none on loopback.")
    if reader is not None and reader == token:
        raise HubError("The token that reads is also the one that writes.", next_step="set another one for readers.")
    if reader is not None and token is None:
        raise HubError("A token that only reads needs another one that writes.", next_step="set MEDIMG_HUB_TOKEN too.")
    if token is None and not is_loopback(host):
        raise HubError(
            f"Listening on {host}, beyond this machine, needs a token.",
            next_step="set a token, or listen on 127.0.0.1.",
        )


def _url(host: str, port: int) -> str:
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
