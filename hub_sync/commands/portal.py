"""`medimg portal`: the site, written to a folder or shown on this machine."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import tempfile
import webbrowser
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medimg.errors import MedimgError
from medimg.hub_sync.commands.console import (
    NAMESPACE,
    STORE,
    JsonOption,
    NamespaceOption,
    err,
    human_size,
    open_hub,
    out,
)

if TYPE_CHECKING:
    from medimg.hub_sync.pushing.client import Hub

NO_VIEWER = (
    "The volume viewer is not built in; the rest is whole. In a clone with Node, "
    "`npm ci --prefix cards/portal && npm run vendor --prefix cards/portal` adds it."
)


def portal(
    folder: Annotated[
        Path | None,
        typer.Option("--out", file_okay=False, help="Write the site there and end, instead of showing it."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
    hub: Annotated[
        str | None, typer.Option("--hub", help="Address of a Hub to ask what is published and shown.")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", file_okay=False, help="Folder of an embedded Hub to ask instead."),
    ] = None,
    namespace: NamespaceOption = NAMESPACE,
    as_json: JsonOption = False,
) -> None:
    """Browse, compare and compose the datasets in a browser: a static site, built here, shown on this machine.

    It is built from what is installed, offline; with a Hub or a store it also says what is published there.

    Examples:
      medimg portal

      medimg portal --store hub-store --port 8080

      medimg portal --out site                  for any static host
    """
    if hub and store:
        raise typer.BadParameter("give --hub or --store, not both", param_hint="--store")
    asked = open_hub(hub, namespace, store or STORE) if hub or store else contextlib.nullcontext()
    with contextlib.ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="medimg-portal-")))
        with asked as target:
            about = build(place, namespace, target, hub)
        if folder is not None:
            told = f"{about['files']} files, {human_size(about['bytes'])}, {about['datasets']:,} datasets: {place}"
            print(json.dumps({"folder": str(folder), **about}, indent=1)) if as_json else out.print(told)
            if not about["viewer"]:
                err.print(NO_VIEWER)
            return
        serve(place, port, browser=not no_open, tell=lambda address: _tell_portal(address, about, as_json))


def _tell_portal(address: str, about: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps({**about, "address": address}), flush=True)
        return
    print(f"{about['datasets']:,} datasets on {address}  (Ctrl-C ends)", flush=True)
    if not about["viewer"]:
        err.print(NO_VIEWER)


def build(folder: Path, namespace: str, hub: Hub | None, address: str | None) -> dict[str, Any]:
    """Write the site; returns how many files, bytes and datasets it has, and whether the volume viewer is in it.

    Args:
        namespace: organization of the published datasets.
        hub: is asked what is published and may be shown; None builds from the declarations alone.
        address: of that Hub, as links name it; None for a store, whose pages are at no lasting address.

    Raises:
        MedimgError: the folder cannot be written.
    """
    from medimg import catalogue
    from medimg.cards import portal

    manifests = pictures = None
    if hub is not None:
        from medimg.hub_sync.discovery import portal as space

        manifests = space.look(hub)
        pictures = space.pictures(hub, manifests)
        address = address or "http://127.0.0.1:8765"  # where `medimg hub` serves the store
    try:
        paths = portal.build(folder, manifests=manifests, pictures=pictures, namespace=namespace, hub=address)
    except OSError as error:
        raise MedimgError(
            f"the portal cannot be written: {error.strerror or error}",
            file=str(folder),
            next_step="name another folder with --out.",
        ) from error
    return {
        "files": len(paths),
        "bytes": sum(path.stat().st_size for path in paths),
        "datasets": len(catalogue.entries()),
        "published": None if manifests is None else len(manifests),
        "viewer": folder / "vendor" / "niivue.js" in paths,
    }


class Handler(SimpleHTTPRequestHandler):
    """Files of one folder, with the types that browsers insist on, whatever this system calls them."""

    extensions_map = {  # noqa: RUF012 - as the base class has it
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".css": "text/css",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".webp": "image/webp",
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".gz": "application/gzip",
    }

    def end_headers(self) -> None:
        """With what no page here needs left out; a site that is built anew is not kept from before."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def list_directory(self, path: Any) -> None:
        """A folder has no page of its own."""
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is written of what is read."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that closes a connection early is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of the folder on this machine alone; port 0 takes a free one.

    Raises:
        MedimgError: the port is taken.
    """
    try:
        return _Server(("127.0.0.1", port), functools.partial(Handler, directory=str(folder)))
    except OSError as error:
        raise MedimgError(
            f"port {port} cannot be listened on: {error.strerror or error}",
            next_step="name another one with --port, or 0 for a free one.",
        ) from error


def serve(folder: Path, port: int, *, browser: bool, tell: Callable[[str], None]) -> None:
    """Serve until Ctrl-C.

    Args:
        folder: the site.
        port: 0 takes a free one.
        browser: open it there.
        tell: is told the address once it answers.
    """
    with server(folder, port) as running:
        address = f"http://127.0.0.1:{running.server_port}/"
        tell(address)
        if browser:
            webbrowser.open(address)
        with contextlib.suppress(KeyboardInterrupt):
            running.serve_forever()
