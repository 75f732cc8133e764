"""`medimg mcp`."""

from __future__ import annotations


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
