"""What serves: `medimg hub`, and `medimg mcp` for agents."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from medimg.hub_sync.commands.console import (
    PORT,
    STORE,
    StoreOption,
    check_store,
    err,
    human_size,
    is_store,
    out,
)


def hub(
    store: StoreOption = STORE,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = PORT,
    host: Annotated[str, typer.Option(help="Address to listen on; beyond loopback a token is required.")] = "127.0.0.1",
    gc: Annotated[
        bool, typer.Option("--gc", help="Remove contents that no revision holds from the store, and end.")
    ] = False,
    grace: Annotated[
        float, typer.Option(help="Hours for which --gc keeps what was uploaded and not committed yet.", min=0)
    ] = 24.0,
) -> None:
    """Serve an embedded Hub: the cards as pages, the datasets for `load_dataset`.

    The token of a Hub that listens beyond loopback is taken from MEDIMG_HUB_TOKEN; one that only reads, from
    MEDIMG_HUB_READ_TOKEN.

    Examples:
      medimg hub                        ./hub-store on http://127.0.0.1:8765

      medimg hub --store /data/hub --port 9000

      medimg hub --gc --store /data/hub
    """
    from medimg.hub_sync.hub import serve

    if gc:
        _collect_garbage(store, grace)
        return
    check_store(store, new=True)
    if not is_store(store):
        err.print(f"{store} is new: nothing is published there yet.")
    tokens = (os.environ.get(name) for name in ("MEDIMG_HUB_TOKEN", "MEDIMG_HUB_READ_TOKEN"))
    serve(store, host, port, *tokens)


def _collect_garbage(store: Path, grace: float) -> None:
    from medimg.hub_sync.hub import Store

    check_store(store, new=False)
    found = Store(store).collect(grace * 3600)
    freed = f"{found.objects} objects ({human_size(found.bytes)})"
    out.print(f"{store}: {freed} and {found.unfinished} unfinished uploads removed")


def mcp() -> None:
    """Serve the catalogue to agents (Model Context Protocol, on standard input and output). It only reads.

    The tools are search, show, load_snippet and plan. Needs the extra `mcp`.

    Example, as agents' configurations have it:
      {"mcpServers": {"medimg": {"command": "medimg", "args": ["mcp"]}}}
    """
    from medimg.errors import need

    need("mcp", "the MCP server", "mcp")
    from medimg.hub_sync.discovery.agents import serve

    serve()
