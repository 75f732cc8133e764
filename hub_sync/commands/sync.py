"""`medimg sync`, and `medimg preflight`, which looks at what it would need."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medimg.hub_sync.commands.console import (
    NAMESPACE,
    PORT,
    STORE,
    HubOption,
    JsonOption,
    NamespaceOption,
    StoreOption,
    err,
    human_size,
    open_hub,
    out,
    plain,
    wide_console,
)

if TYPE_CHECKING:
    from medimg.hub_sync.planning.preflight import Preflight
    from medimg.hub_sync.results import Result

REPORT = "sync-report.json"


def sync(
    names: Annotated[list[str] | None, typer.Argument(help="Datasets (slugs or aliases); none means all.")] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="Root with one folder or archive per dataset (SOURCE/<name>), an fsspec URL of one, or `official` "
            "for the declared addresses. Without it, phantom miniatures go to an embedded Hub.",
        ),
    ] = None,
    hub: HubOption = None,
    namespace: NamespaceOption = NAMESPACE,
    store: StoreOption = STORE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan only; write nothing.")] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not read back what was published.")] = False,
    restore: Annotated[
        bool,
        typer.Option("--restore", help="Build also the named datasets that were retired or rolled back."),
    ] = False,
    no_collections: Annotated[
        bool,
        typer.Option("--no-collections", help="Leave the topic collections, the catalogue and the portal alone."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes that build: several datasets at once, or the rows of one. Without it, as many as there "
            "are cores; with --scheduler, one for each dataset.",
            min=1,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler (tcp://host:8786) whose workers build; extra `cluster`."),
    ] = None,
    report_file: Annotated[
        Path | None,
        typer.Option(
            "--report", help=f"Where the report goes; without it, {REPORT} in the store or, with --hub, here."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build what changed and publish it; each dataset appears in one commit or not at all.

    Examples:
      medimg sync                                     phantoms of all datasets, to ./hub-store

      medimg sync hc18 dsb2018 --source ~/originals   real files, to ./hub-store

      medimg sync --source official --hub https://huggingface.co --namespace my-org --dry-run

      medimg sync --source s3://bucket/originals --hub https://huggingface.co --scheduler tcp://10.0.0.1:8786
    """
    from medimg.hub_sync import sync as engine
    from medimg.hub_sync.commands.progress import watching
    from medimg.hub_sync.results import report

    if report_file is None and not dry_run:
        report_file = Path(REPORT) if hub else store / REPORT
    where = hub.rstrip("/") if hub else str(store)
    about = {"hub": where, "namespace": namespace, "source": source or "miniature"}
    with (
        open_hub(hub, namespace, store, new=True, dry=dry_run) as target,
        watching(report_file, about, quiet=as_json) as watcher,
    ):
        try:
            results = engine.sync(
                names or [],
                target,
                root=source or None,
                dry_run=dry_run,
                check=not no_verify,
                watcher=watcher,
                restore=restore,
                collections=not no_collections,
                pages=not no_collections,
                workers=workers or (1 if scheduler else _cores()),
                scheduler=scheduler,
            )
        except BaseException:
            watcher.write(done=False)
            raise
    watcher.results = results
    watcher.write(done=True)
    if as_json:
        print(report(results))
    else:
        _print_results(results, own_store=None if hub else store, namespace=namespace, dry_run=dry_run)
        if report_file is not None:
            err.print(f"report: {report_file}")
    if not all(result.good for result in results):
        raise typer.Exit(1)


def _cores() -> int:
    """Cores that this process may use; all of them on systems that do not tell (macOS)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _print_results(results: list[Result], *, own_store: Path | None, namespace: str, dry_run: bool) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    numbers = ("rows", "left out", "withheld", "incomplete", "uploaded")
    for column in ("dataset", "status", *numbers, "license verdict", "address", "reason"):
        table.add_column(column, no_wrap=column != "reason", justify="right" if column in numbers else "left")
    for result in results:
        address = f"{namespace}/{result.name}" if own_store is not None else result.address
        told = result.left_out if result.status != "unchanged" else ""
        table.add_row(
            result.name,
            result.status if result.good else f"[bold red]{result.status}[/bold red]",
            str(result.rows),
            str(sum(left.count for left in result.skipped.values())),
            str(sum(result.withheld.values())),
            str(sum(left.count for left in result.incomplete.values())),
            human_size(result.uploaded_bytes),
            result.publish,
            address if result.good else "",
            plain("; ".join(filter(None, (result.reason, told)))),
        )
    wide_console().print(table)
    counts: dict[str, int] = {}
    for result in results:
        counts[result.status] = counts.get(result.status, 0) + 1
    out.print(", ".join(f"{count} {status}" for status, count in counts.items()) or "nothing to do", highlight=True)
    published = [result.name for result in results if result.status in ("published", "unchanged") and result.rows]
    if dry_run or not published:
        return
    name = "lits" if "lits" in published else published[0]
    out.print("\nTry next:", style="bold")
    endpoint = "https://huggingface.co"
    if own_store is not None:
        endpoint = f"http://127.0.0.1:{PORT}"
        where = "" if own_store == STORE else f" --store {shlex.quote(str(own_store))}"
        out.print(f"  {_typed('medimg')} hub{where}    # serves the cards and the data on {endpoint}")
    load = f'load_dataset("{namespace}/{name}", streaming=True, split="train")'
    line = f"from datasets import load_dataset; print(next(iter({load})))"
    prefix = f"HF_ENDPOINT={endpoint} " if own_store is not None else ""
    out.print(f"  {prefix}{_typed('python')} -c '{line}'", markup=False)


def _typed(program: str) -> str:
    """How a program of this environment is called from here: by its name, or where it lies."""
    beside = Path(sys.executable).with_name(program)
    found = shutil.which(program)
    if not beside.exists() or (found is not None and Path(found) == beside):
        return program
    return shlex.quote(str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside))


def preflight(
    names: Annotated[list[str] | None, typer.Argument(help="Datasets (slugs or aliases); none means all.")] = None,
    source: Annotated[
        str | None, typer.Option(help="As for sync: a root, an fsspec URL of one, or `official`.")
    ] = None,
    hub: HubOption = None,
    namespace: NamespaceOption = NAMESPACE,
    store: StoreOption = STORE,
    restore: Annotated[
        bool, typer.Option("--restore", help="Also what was retired or rolled back, as sync would.")
    ] = False,
    rate: Annotated[float, typer.Option(help="MB/s of the upload, for the time that it takes.", min=0.01)] = 20.0,
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
    told = f"{who.user or 'nobody'} ({who.role or 'no role'})"
    out.print(f"{found.hub}, namespace {found.namespace}: {told}", highlight=True)
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
        f"{found.seconds / 3600:.1f} h at {found.rate:g} MB/s; building reads each source once besides"
    )
    for doubt in found.doubts:
        out.print(f"note: {plain(doubt)}")
    for problem in found.problems:
        out.print(f"[bold red]first:[/bold red] {plain(problem)}")
    if found.ready:
        out.print("ready: nothing stands in the way of sync")
