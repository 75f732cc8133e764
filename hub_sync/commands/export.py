"""`medimg export`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Annotated

import typer

from medimg.errors import MedimgError
from medimg.hub_sync.commands.console import (
    NAMESPACE,
    STORE,
    HubOption,
    JsonOption,
    NamespaceOption,
    StoreOption,
    out,
)


def export(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Datasets: ids of the catalogue or any name; none means the whole catalogue."),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", help="mdfp: the files of Project Imaging-X's metadata standard.")
    ] = "mdfp",
    out_folder: Annotated[Path, typer.Option("--out", file_okay=False, help="Folder for the files.")] = Path(
        "export"
    ),
    source: Annotated[
        str | None,
        typer.Option(
            help="Originals: a root (SOURCE/<name>), the dataset's own folder or archive, `official` or `miniature`. "
            "Without it, rows are read from the Hub.",
        ),
    ] = None,
    rows: Annotated[
        bool, typer.Option("--rows/--no-rows", help="Also one line for each labeled row and task.")
    ] = True,
    hub: HubOption = None,
    namespace: NamespaceOption = NAMESPACE,
    store: StoreOption = STORE,
    as_json: JsonOption = False,
) -> None:
    """Write what is known of datasets, and the labels of their rows, for other tools.

    Examples:
      medimg export --out catalogue

      medimg export hc18 lits --source miniature --out mdfp

      medimg export openneuro/ds000001 --no-rows
    """
    if format_ != "mdfp":
        raise MedimgError(f"there is no format {format_!r}", next_step="use --format mdfp.")
    with contextlib.ExitStack() as stack:
        if names and rows and source is None:
            from medimg.hub_sync.commands import fusing

            stack.enter_context(fusing.hub(hub, namespace, store, wanted=False, usual=STORE, sourced=False))
        from medimg.hub_sync.discovery import export as engine

        written = engine.mdfp_files(
            names or [], out_folder, rows=rows, source=source or None, namespace=namespace
        )
    if as_json:
        print(json.dumps({"folder": str(out_folder), "lines": written}))
    else:
        for name, lines in written.items():
            out.print(f"{out_folder / name}: {lines} lines", highlight=False)
