"""`medimg preflight`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from medimg.hub_sync.commands.console import (
    NAMESPACE,
    STORE,
    HubOption,
    JsonOption,
    NamespaceOption,
    StoreOption,
    human_size,
    open_hub,
    out,
    plain,
    wide_console,
)

if TYPE_CHECKING:
    from medimg.hub_sync.planning.preflight import Preflight


def preflight(
    names: Annotated[
        list[str] | None, typer.Argument(help="Datasets (slugs or aliases); none means all.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="As for sync: a root, an fsspec URL of one, or `official`.")
    ] = None,
    hub: HubOption = None,
    namespace: NamespaceOption = NAMESPACE,
    store: StoreOption = STORE,
    restore: Annotated[
        bool, typer.Option("--restore", help="Also what was retired or rolled back, as sync would.")
    ] = False,
    rate: Annotated[
        float, typer.Option(help="MB/s of the upload, for the time that it takes.", min=0.01)
    ] = 20.0,
    as_json: JsonOption = False,
) -> None:
    """Before the first push: may the token write, which names are taken, what would be uploaded? Writes nothing.

    Exits with 1 where something must be mended first.

    Examples:
      medimg preflight lits hc18 --source ~/originals --hub https://huggingface.co --namespace my-org

      medimg preflight --source official --hub https://huggingface.co --namespace my-org --json
    """
    from medimg.hub_sync.planning import preflight as looking

    with open_hub(hub, namespace, store, new=True, dry=True) as target:
        found = looking.preflight(names or [], target, root=source or None, restore=restore, rate=rate)
    if as_json:
        print(json.dumps(found.to_dict(), indent=1))
    else:
        _print_preflight(found)
    if not found.ready:
        raise typer.Exit(1)


def _print_preflight(found: Preflight) -> None:
    from rich.table import Table

    who = found.access
    out.print(f"{found.hub}, namespace {found.namespace}: {who.user or 'nobody'} ({who.role or 'no role'})")
    table = Table(box=None, pad_edge=False)
    for column in ("dataset", "name is", "sync would", "about", "files", "readers", "reason"):
        table.add_column(column, justify="right" if column in ("about", "files") else "left")
    for each in found.datasets:
        size = "?" if each.bytes is None else human_size(each.bytes)
        shown = (size, str(each.files), each.gate) if each.commits else ("", "", "")
        table.add_row(each.name, each.at, each.action, *shown, plain(each.reason))
    wide_console().print(table)
    commits = sum(each.commits for each in found.datasets)
    out.print(
        f"about {human_size(found.bytes)} in {commits} commits, {found.requests:,} requests, "
        f"{found.seconds / 3600:.1f} h at {found.rate:g} MB/s; building reads each source once besides",
        highlight=False,
    )
    for doubt in found.doubts:
        out.print(f"note: {plain(doubt)}", highlight=False)
    for problem in found.problems:
        out.print(f"[bold red]first:[/bold red] {plain(problem)}", highlight=False)
    if found.ready:
        out.print("ready: nothing stands in the way of sync", highlight=False)
