"""The `medimg` command."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import functools
import json
import os
import shlex
import shutil
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from medimg import __version__, index, registry
from medimg.errors import MedimgError, MissingExtraError, UnknownDatasetError

if TYPE_CHECKING:
    from rich.console import Console

    from medimg.catalogue import Entry as Listed
    from medimg.hub_sync.preflight import Preflight
    from medimg.hub_sync.publish import Hub
    from medimg.hub_sync.sync import Plan, Result
    from medimg.index import Entry
    from medimg.vocab import Vocabulary

NAMESPACE = "medimg"
STORE = Path("hub-store")
REPORT = "sync-report.json"
PORT = 8765


class Stopped(BaseException):
    """Ctrl-C, told apart from what typer makes of it: an end without a word."""


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Stopped from None


def _commands() -> typer.Typer:
    return typer.Typer(
        cls=_Commands,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        help="Every public medical imaging dataset one [bold]load_dataset[/bold] away.",
    )


app = _commands()


class _Late:
    """A console that is made when it is first written to: rich takes as long to import as a list to print."""

    def __init__(self, **how: Any) -> None:
        self._how = how

    @functools.cached_property
    def console(self) -> Console:
        from rich.console import Console

        return Console(soft_wrap=True, **self._how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.console, name)


out = _Late()
err = _Late(stderr=True)

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON to standard output and nothing else there.")
]
NamespaceOption = Annotated[str, typer.Option(help="Organization or user on the Hub.")]
HubOption = Annotated[
    str | None,
    typer.Option("--hub", help="Address of a Hub. Without it, the store is served while this runs."),
]
StoreOption = Annotated[Path, typer.Option("--store", file_okay=False, help="Folder of the embedded Hub.")]


def main() -> None:
    """Entry point: known errors become one line on standard error and exit code 1; Ctrl-C exits with 130."""
    if not sys.warnoptions:
        _only_our_warnings()
    try:
        _app_of(sys.argv[1:])()
    except MedimgError as error:
        tell(error)
        sys.exit(1)
    except (Stopped, KeyboardInterrupt):
        err.print("medimg: stopped; what was published stays, the rest is as it was.")
        err.print("Run the same command again to go on: what was uploaded is not uploaded twice.")
        if any(each is not threading.main_thread() and not each.daemon for each in threading.enumerate()):
            atexit._run_exitfuncs()
            os._exit(130)  # a request may be waiting for its answer: Python would wait for it
        sys.exit(130)


def tell(error: MedimgError) -> None:
    """One line on standard error."""
    err.print(f"[bold red]medimg:[/bold red] {_plain(str(error))}", highlight=False)


def _only_our_warnings() -> None:
    """What libraries say to programmers is nothing for the user of a command; `python -W` shows it all the same."""

    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
        from medimg.report import MedimgWarning

        if issubclass(category, MedimgWarning):
            err.print(_plain(str(message)), highlight=False)

    warnings.simplefilter("default")
    warnings.showwarning = show  # type: ignore[assignment]


def _app_of(arguments: Sequence[str]) -> typer.Typer:
    """The command that is asked for, alone: typer builds every option of every command that it is given."""
    named = next((each for each in arguments if not each.startswith("-")), "")
    asked = [each for each in app.registered_commands if command_name(each) == named]
    if list(arguments) == ["--version"]:
        asked = app.registered_commands[:1]
    if not asked:
        return app  # for its help, and for the nearest names of a command that there is not
    alone = _commands()
    alone.registered_callback, alone.registered_commands = app.registered_callback, asked
    return alone


def command_name(command: typer.models.CommandInfo) -> str:
    """What a command is called."""
    return command.name or command.callback.__name__  # type: ignore[union-attr]


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        out.print(__version__, highlight=False)
        raise typer.Exit


@app.command()
def sync(
    names: Annotated[
        list[str] | None, typer.Argument(help="Datasets (slugs or aliases); none means all.")
    ] = None,
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
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Do not read back what was published.")
    ] = False,
    restore: Annotated[
        bool,
        typer.Option("--restore", help="Build also the named datasets that were retired or rolled back."),
    ] = False,
    no_collections: Annotated[
        bool,
        typer.Option(
            "--no-collections", help="Leave the topic collections, the catalogue and the portal alone."
        ),
    ] = False,
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
    """
    from medimg.hub_sync import sync as engine

    if report_file is None and not dry_run:
        report_file = Path(REPORT) if hub else store / REPORT
    with _hub(hub, namespace, store, new=True, dry=dry_run) as target, _watcher(quiet=as_json) as watcher:
        about = {
            "hub": target.endpoint if hub else str(store),
            "namespace": namespace,
            "source": source or "miniature",
        }
        kept = _reporting(report_file, about, watcher)
        try:
            results = engine.sync(
                names or [],
                target,
                source=source or None,
                dry_run=dry_run,
                check=not no_verify,
                watcher=kept,
                restore=restore,
                collections=not no_collections,
                pages=not no_collections,
            )
        except BaseException:
            kept.write(done=False)
            raise
    kept.write(done=True)
    if as_json:
        print(engine.report(results))
    else:
        _print_results(results, own_store=None if hub else store, namespace=namespace, dry_run=dry_run)
        if report_file is not None:
            err.print(f"report: {report_file}", highlight=False)
    if not all(result.good for result in results):
        raise typer.Exit(1)


@app.command()
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
    from contextlib import nullcontext

    from medimg.hub_sync import portal_cli

    if hub and store:
        raise typer.BadParameter("give --hub or --store, not both", param_hint="--store")
    asked = _hub(hub, namespace, store or STORE) if hub or store else nullcontext()
    with portal_cli.written(folder) as (place, about):
        with asked as target:
            about |= portal_cli.build(place, namespace, target, hub)
        if folder is not None:
            told = f"{about['files']} files, {_size(about['bytes'])}, {about['datasets']:,} datasets: {place}"
            print(json.dumps(about, indent=1)) if as_json else out.print(told, highlight=False)
            if not about["viewer"]:
                err.print(portal_cli.NO_VIEWER, highlight=False)
            return
        portal_cli.serve(
            place, port, browser=not no_open, tell=lambda address: _tell_portal(address, about, as_json)
        )


def _tell_portal(address: str, about: dict[str, Any], as_json: bool) -> None:
    from medimg.hub_sync import portal_cli

    if as_json:
        print(json.dumps({**about, "address": address}), flush=True)
        return
    print(f"{about['datasets']:,} datasets on {address}  (Ctrl-C ends)", flush=True)
    if not about["viewer"]:
        err.print(portal_cli.NO_VIEWER, highlight=False)


@app.command()
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
    from medimg.hub_sync import preflight as looking

    with _hub(hub, namespace, store, new=True, dry=True) as target:
        found = looking.preflight(names or [], target, source=source or None, restore=restore, rate=rate)
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
        size = "?" if each.bytes is None else _size(each.bytes)
        shown = (size, str(each.files), each.gate) if each.commits else ("", "", "")
        table.add_row(each.name, each.at, each.action, *shown, _plain(each.reason))
    _wide().print(table)
    commits = sum(each.commits for each in found.datasets)
    out.print(
        f"about {_size(found.bytes)} in {commits} commits, {found.requests:,} requests, "
        f"{found.seconds / 3600:.1f} h at {found.rate:g} MB/s; building reads each source once besides",
        highlight=False,
    )
    for doubt in found.doubts:
        out.print(f"note: {_plain(doubt)}", highlight=False)
    for problem in found.problems:
        out.print(f"[bold red]first:[/bold red] {_plain(problem)}", highlight=False)
    if found.ready:
        out.print("ready: nothing stands in the way of sync", highlight=False)


@app.command()
def hub(
    store: StoreOption = STORE,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = PORT,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond loopback a token is required.")
    ] = "127.0.0.1",
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
    from medimg.hub_sync.stores import check_store, is_store

    if gc:
        _collect_garbage(store, grace)
        return
    check_store(store, new=True)
    if not is_store(store):
        err.print(f"{store} is new: nothing is published there yet.", highlight=False)
    tokens = (os.environ.get(name) for name in ("MEDIMG_HUB_TOKEN", "MEDIMG_HUB_READ_TOKEN"))
    serve(store, host, port, *tokens)


def _collect_garbage(store: Path, grace: float) -> None:
    from medimg.hub_sync.hub.collect import collect
    from medimg.hub_sync.hub.store import Store
    from medimg.hub_sync.stores import check_store

    check_store(store, new=False)
    found = collect(Store(store), grace * 3600)
    out.print(
        f"{store}: {found.objects} objects ({_size(found.bytes)}) and {found.unfinished} unfinished uploads removed",
        highlight=False,
    )


@app.command("list")
def list_(
    modality: Annotated[str | None, typer.Option(help="Only this modality, e.g. CT.")] = None,
    organ: Annotated[str | None, typer.Option(help="Only this organ, e.g. liver.")] = None,
    task: Annotated[str | None, typer.Option(help="Only this task, e.g. segmentation.")] = None,
    commons: Annotated[
        bool, typer.Option("--idc", help="The collections of the Imaging Data Commons instead.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the datasets: what they are and what their licenses allow.

    Examples:
      medimg list --modality CT --organ liver

      medimg list --json | jq '.[].name'

      medimg list --idc --modality MR
    """
    if commons:
        if task is not None:
            raise typer.BadParameter(
                "the index of the Imaging Data Commons tells no tasks", param_hint="--task"
            )
        _list_commons(modality, organ, as_json)
        return

    found = registry.entries()
    for kind, wanted in (("modality", modality), ("organ", organ), ("task", task)):
        if wanted is not None:
            from medimg import vocab

            accepted = _narrower(getattr(vocab, kind), wanted)
            found = [entry for entry in found if accepted & entry.terms(kind)]
    _tell_unlisted()
    if as_json:
        print(json.dumps([_summary(entry) for entry in found], indent=1, ensure_ascii=False))
        return
    from medimg.hub_sync.show import columns

    header = ("name", "title", "dim", "modality", "organ", "task", "license", "publish")
    rows = [
        (
            entry.name,
            entry.declared["title"],
            entry.declared["dimension"],
            *(", ".join(entry.declared[kind]) for kind in ("modality", "organ", "task")),
            entry.declared["license"],
            entry.publish,
        )
        for entry in found
    ]
    for line in columns(header, rows, _width()[0], folded=("title", "modality", "organ", "task")):
        print(line)
    print(f"{len(found)} datasets")


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    short_help="Find datasets, loadable or not: what they are, who may use them, how to load them.",
)
def search(ctx: typer.Context) -> None:
    """Find datasets; `medimg.hub_sync.search` has the options, which typer would take longer to read than to answer."""
    from medimg.hub_sync.search import run

    raise typer.Exit(run(ctx.args))


def _narrower(vocabulary: Vocabulary, text: str) -> set[str]:
    """A term and all that is below it."""
    term = vocabulary.resolve(text)
    return {term, *vocabulary.descendants(term)}


def _list_commons(modality: str | None, organ: str | None, as_json: bool) -> None:
    from medimg import idc, vocab
    from medimg.errors import UnknownTermError

    def ids(vocabulary: Vocabulary, texts: Iterable[str]) -> set[str]:
        found = set()
        for text in texts:
            with contextlib.suppress(UnknownTermError):
                found.add(vocabulary.resolve(text.strip()))
        return found

    shown = list(idc.holdings())
    if modality is not None:
        accepted = _narrower(vocab.modality, modality)
        shown = [one for one in shown if accepted & ids(vocab.modality, one.modalities)]
    if organ is not None:
        accepted = _narrower(vocab.organ, organ)
        shown = [one for one in shown if accepted & ids(vocab.organ, one.collection.locations.split(","))]
    if as_json:
        listed = [
            {
                "name": f"idc/{one.collection.id}",
                "title": one.collection.title,
                "series": one.series,
                "images": one.images,
                "gigabytes": one.gigabytes,
                "modalities": one.modalities,
                "licenses": one.licenses,
                "subjects": one.collection.subjects,
            }
            for one in shown
        ]
        print(json.dumps(listed, indent=1, ensure_ascii=False))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("name", "title", "modalities", "series", "files", "GB", "licenses"):
        right = column in ("series", "files", "GB")
        table.add_column(column, no_wrap=right or column == "name", justify="right" if right else "left")
    for one in shown:
        table.add_row(
            f"idc/{one.collection.id}",
            one.collection.title,
            ", ".join(one.modalities),
            f"{one.series:,}",
            f"{one.images:,}",
            f"{one.gigabytes:,.1f}",
            ", ".join(one.licenses),
        )
    _wide().print(table)
    out.print(
        f"{len(shown)} collections, {sum(one.series for one in shown):,} series (index {idc.version()})"
    )


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Slug or alias.")],
    hub: Annotated[str | None, typer.Option("--hub", help="Also ask this Hub whether it has it.")] = None,
    namespace: NamespaceOption = NAMESPACE,
    as_json: JsonOption = False,
) -> None:
    """Show one dataset: what its declaration says of it, or all of the declaration as JSON.

    Of a dataset without a builder, what the catalogue says, and where that was read.

    No Hub is asked whether it has it, unless one is named.

    Examples:
      medimg show lits

      medimg show LiTS17 --json

      medimg show lits --hub https://huggingface.co
    """
    from medimg.hub_sync import show as text

    entry = _entry_of(name)
    if not isinstance(entry, index.Entry):
        _show_listed(entry, namespace, as_json)
        return
    published = None if hub is None else _where(hub, namespace, entry.name)
    if as_json:
        told = {} if published is None else {"published": published}
        shown = {**entry.declared, "publish": entry.publish, **told}
        print(json.dumps(shown, indent=1, ensure_ascii=False))
        return
    said = None if published is None else text.where(published)
    width, terminal = _width()
    print(text.page(entry, namespace, published=said, width=min(width or 100, 100), bold=terminal), end="")


def _entry_of(name: str) -> Entry | Listed:
    """A dataset by any of its names: what its builder declares, else what the catalogue says."""
    try:
        return registry.entry(name)
    except (UnknownDatasetError, MissingExtraError):
        from medimg.catalogue import called

        listed = called(name)
        if listed is None:
            raise
        return listed


def _show_listed(entry: Listed, namespace: str, as_json: bool) -> None:
    from medimg.hub_sync import found
    from medimg.text import as_json as safe

    if as_json:
        print(safe({**entry.to_dict(), "load": found.snippet(entry, namespace)}, indent=1))
        return
    width, terminal = _width()
    print(found.page(entry, namespace, width=min(width or 100, 100), bold=terminal), end="")


def _width() -> tuple[int | None, bool]:
    """Characters of a line (None: as many as there are) and whether a terminal shows them."""
    terminal = sys.stdout.isatty()
    return (shutil.get_terminal_size().columns if terminal else None), terminal


def _where(address: str, namespace: str, name: str) -> dict[str, Any]:
    """What a Hub has of a dataset."""
    with _hub(address, namespace, STORE) as target:
        state = target.published(name)
        manifest = state.manifest
        return {
            "address": target.address(name),
            "repository": state.sha is not None,
            "rows": manifest.rows if manifest else 0,
            "tag": manifest.tag if manifest else None,
            "origin": manifest.origin if manifest else None,
            "hold": state.hold,
        }


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Datasets; none means all that are published.")
    ] = None,
    hub: HubOption = None,
    namespace: NamespaceOption = NAMESPACE,
    store: StoreOption = STORE,
    deep: Annotated[bool, typer.Option("--deep", help="Decode every row.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Read published datasets back through plain `datasets` and compare them with their manifests.

    Names fused sets, and earlier revisions, that hold rows which may not be shown any more.

    Examples:
      medimg verify

      medimg verify lits --deep --hub https://huggingface.co
    """
    from medimg.hub_sync import fused, withdrawal
    from medimg.hub_sync import verify as engine

    with _hub(hub, namespace, store) as target:
        sets = list(withdrawal.fused_sets(target))
        wanted = [name if name in sets else registry.get(name).name for name in names or ()]
        wanted = wanted or [*_published_names(target), *sets]
        problems = engine.verify(
            target, [name for name in wanted if name not in sets], deep=deep, history=True
        )
        problems |= {name: fused.verify(target, name) for name in wanted if name in sets}
    if as_json:
        listed = [{"name": name, "problems": found} for name, found in problems.items()]
        print(json.dumps({"datasets": listed}, indent=1))
    else:
        for name, found in problems.items():
            out.print(
                f"{name}: {_plain('; '.join(found)) if found else 'equals its manifest'}", highlight=False
            )
        if not problems:
            out.print("Nothing is published here.")
    if any(problems.values()):
        raise typer.Exit(1)


@app.command()
def fuse(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Members, e.g. lits or medmnist-v2/pathmnist; none: all that fit."),
    ] = None,
    modality: Annotated[list[str] | None, typer.Option(help="Only these modalities, e.g. CT.")] = None,
    organ: Annotated[list[str] | None, typer.Option(help="Only these organs, e.g. liver.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only these tasks, e.g. segmentation.")] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Label space, one option per target, in order.")
    ] = None,
    dimension: Annotated[str | None, typer.Option(help="2d, 3d or video.")] = None,
    license_: Annotated[
        list[str] | None, typer.Option("--license", help="Terms (commercial, adapt, open …) or license ids.")
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="train, validation, test; without it, all.")] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="Root with the members' originals, `official`, or `miniature` for phantoms. Without it, members are "
            "read from the Hub."
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="concatenate (the default), interleave, uniform, proportional, temperature=2, or lits=2,chaos=1."
        ),
    ] = None,
    on_duplicate: Annotated[
        str | None, typer.Option(help="drop (the default), keep, error or ignore.")
    ] = None,
    prefer: Annotated[
        list[str] | None, typer.Option(help="Members whose rows stay where an image is in several, in order.")
    ] = None,
    near: Annotated[
        bool | None,
        typer.Option(
            "--near/--no-near",
            help="Compare all pixels for near duplicates; without it, where they are at hand.",
        ),
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Of masks: index (the default) or channels.")] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUE",
            help="Common voxels, one option per field: orientation=LPS, spacing=1 or 1,1,2.5 (mm), window=40,400 (HU), "
            "slices=axial, empty=drop, unknown_spacing=drop.",
        ),
    ] = None,
    minimum: Annotated[int | None, typer.Option(help="Images that a member must declare at least.")] = None,
    unlabeled: Annotated[
        bool | None, typer.Option("--unlabeled", help="Also rows that say nothing about any target.")
    ] = None,
    blueprint: Annotated[
        str | None, typer.Option(help="A named request, e.g. liver-ct, or a TOML or JSON file of one.")
    ] = None,
    shuffle_buffer: Annotated[
        int | None, typer.Option(help="Rows that are permuted together; 0 (the default) keeps the order.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the draws and of shuffling; 0 by default.")] = None,
    repeat: Annotated[
        bool | None,
        typer.Option(
            "--repeat", help="Start ended members again until each has been seen; not to be pushed."
        ),
    ] = None,
    storage_option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="For fsspec, where the source is a URL, e.g. anon=true."),
    ] = None,
    streaming: Annotated[
        bool,
        typer.Option(
            help="--no-streaming writes all rows to the `datasets` cache before the first is shown."
        ),
    ] = True,
    namespace: NamespaceOption = NAMESPACE,
    hub: HubOption = None,
    store: StoreOption = STORE,
    plan: Annotated[bool, typer.Option("--plan", help="Only print the plan; upload nothing.")] = False,
    as_json: JsonOption = False,
    push: Annotated[
        str | None, typer.Option("--push", metavar="NAME", help="Publish the set as NAMESPACE/NAME.")
    ] = None,
    verbatim: Annotated[
        bool,
        typer.Option("--verbatim", help="Push copies of the members' files instead of fused labels."),
    ] = False,
    limit: Annotated[int, typer.Option(min=0, help="Print this many rows, one line each.")] = 0,
) -> None:
    """Fuse members into one set: print its plan, some of its rows, or publish it.

    Examples:
      medimg fuse --blueprint liver-ct --source miniature

      medimg fuse msd-liver msd-spleen --modality CT --target liver --target spleen --source ~/originals --limit 5

      medimg fuse lits chaos --target liver --source miniature --grid orientation=LPS --grid slices=axial --limit 5

      medimg fuse --organ liver --target liver --dimension 3d --license adapt --push liver --plan

      medimg fuse msd-liver msd-spleen --verbatim --push abdomen --hub https://huggingface.co --namespace my-org
    """
    from medimg.hub_sync import fused_cli

    asked = fused_cli.request(
        names=names,
        modality=modality,
        organ=organ,
        task=task,
        targets=target,
        dimension=dimension,
        license_terms=license_,
        split=split,
        source=source or None,
        weights=weights,
        on_duplicate=on_duplicate,
        prefer=prefer,
        near=near,
        encoding=encoding,
        grid=grid,
        minimum=minimum,
        unlabeled=unlabeled,
        blueprint=blueprint,
        shuffle_buffer=shuffle_buffer,
        seed=seed,
        repeat=repeat,
        storage_options=storage_option,
        namespace=namespace,
    )
    wanted = push is not None and not plan
    with contextlib.ExitStack() as stack:
        stack.enter_context(fused_cli.told())
        served = None
        if wanted or "source" not in asked:
            served = stack.enter_context(
                fused_cli.hub(hub, namespace, store, wanted=wanted, usual=STORE, sourced="source" in asked)
            )
        if push is not None and wanted and served is not None:
            from medimg.hub_sync import fused

            progress, name = _lines(), push
            served.note = progress.note
            pushed = fused.push(
                push,
                asked,
                served,
                verbatim=verbatim,
                on_row=lambda rows, size: progress.row(name, rows, size),
            )
            if as_json:
                print(json.dumps(dataclasses.asdict(pushed), indent=1))
            else:
                out.print(
                    f"{namespace}/{push}: {pushed.status}, {pushed.rows} rows, ", end="", highlight=False
                )
                out.print(f"{_size(pushed.uploaded_bytes)} uploaded, {pushed.publish}", highlight=False)
            return
        import medimg

        made = medimg.fuse(**asked, plan=True)
        if limit and not plan:
            rows = medimg.fuse(**asked, streaming=streaming)
            for line in fused_cli.lines(rows, limit, made, as_json=as_json):
                print(line)
        elif as_json:
            print(made.to_json(), end="")
        else:
            _wide().print(made)
        if push is not None:
            from medimg.hub_sync import fused

            fused.check_name(push)
            (err if as_json else out).print(fused_cli.verdict(made, verbatim=verbatim), highlight=False)


@app.command()
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
            from medimg.hub_sync import fused_cli

            stack.enter_context(
                fused_cli.hub(hub, namespace, store, wanted=False, usual=STORE, sourced=False)
            )
        from medimg.hub_sync import export as engine

        written = engine.mdfp_files(
            names or [], out_folder, rows=rows, source=source or None, namespace=namespace
        )
    if as_json:
        print(json.dumps({"folder": str(out_folder), "lines": written}))
    else:
        for name, lines in written.items():
            out.print(f"{out_folder / name}: {lines} lines", highlight=False)


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="Dataset.")],
    to: Annotated[str, typer.Option("--to", help="Version tag, e.g. v1.0.0.")],
    reason: Annotated[str, typer.Option(help="Kept in the commit.")] = "",
    hub: HubOption = None,
    namespace: NamespaceOption = NAMESPACE,
    store: StoreOption = STORE,
) -> None:
    """Publish an earlier version again, in a new commit and without an upload.

    Sync then leaves the dataset there until `medimg sync NAME --restore`.

    Example:
      medimg rollback lits --to v1.0.0 --reason "masks of v1.0.0-2 are shifted"
    """
    from medimg.hub_sync import history

    with _hub(hub, namespace, store) as target:
        change = history.rollback(target, registry.get(name).name, to, reason=reason)
        _renew_portal(target)
    out.print(_plain(change.said), highlight=False)


@app.command()
def retire(
    name: Annotated[str, typer.Argument(help="Dataset.")],
    reason: Annotated[str, typer.Option("--reason", help="Shown on the card.")],
    purge: Annotated[
        bool,
        typer.Option("--purge", help="Also remove tags, history and stored objects. There is no way back."),
    ] = False,
    hub: HubOption = None,
    namespace: NamespaceOption = NAMESPACE,
    store: StoreOption = STORE,
) -> None:
    """Take a dataset or a fused set down: its data gives way to a notice that says why.

    Earlier revisions, and fused sets with copies of its rows, are shut. Sync leaves the notice there until
    `medimg sync NAME --restore`.

    Examples:
      medimg retire lits --reason "The source withdrew consent."

      medimg retire lits --reason "The source withdrew consent." --purge --hub https://huggingface.co
    """
    from medimg.hub_sync import history

    with _hub(hub, namespace, store) as target:
        change = history.retire(target, _dataset_or_set(name), reason, purge=purge)
        _renew_portal(target)
    out.print(_plain(change.said), highlight=False)


@app.command()
def purge(
    name: Annotated[str, typer.Argument(help="Dataset or fused set.")],
    hub: HubOption = None,
    namespace: NamespaceOption = NAMESPACE,
    store: StoreOption = STORE,
) -> None:
    """Remove for good all but what a repository shows now: tags, branches, earlier revisions, stored objects.

    There is no way back. What may not be shown any more must be gone from the present revision first.

    Example:
      medimg purge lits --hub https://huggingface.co
    """
    from medimg.hub_sync import withdrawal

    with _hub(hub, namespace, store) as target:
        removed = withdrawal.purge(target, _dataset_or_set(name))
        _renew_portal(target)
    out.print(f"{_plain(name)}: {_plain(removed)}", highlight=False)


def _renew_portal(hub: Any) -> None:
    """Let the portal show what is left; what was asked for is done, whatever becomes of this."""
    from medimg.hub_sync import portal

    try:
        portal.refresh(hub)
    except MedimgError as error:
        err.print(f"the portal still shows what it showed: {_plain(str(error))}", highlight=False)


def _dataset_or_set(name: str) -> str:
    """The slug of a dataset by any of its names; other names are those of fused sets."""
    try:
        return registry.get(name).name
    except UnknownDatasetError:
        return name


@app.command()
def mcp() -> None:
    """Serve the catalogue to agents (Model Context Protocol, on standard input and output). It only reads.

    The tools are search, show, load_snippet and plan. Needs the extra `mcp`.

    Example, as agents' configurations have it:
      {"mcpServers": {"medimg": {"command": "medimg", "args": ["mcp"]}}}
    """
    from medimg.errors import need

    need("mcp", "the MCP server", "mcp")
    from medimg.hub_sync.agents import serve

    serve()


KINDS = ("modality", "organ", "task", "structure", "finding")


@app.command()
def vocab(
    text: Annotated[str, typer.Argument(help="A name, a synonym or a part of one; nothing lists all.")] = "",
    kind: Annotated[str | None, typer.Option(help=f"Only this vocabulary: {', '.join(KINDS)}.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Find the canonical name of a modality, organ, task, structure or finding.

    Exits with 1 where nothing is called so.

    Examples:
      medimg vocab hepatic

      medimg vocab tumor --kind finding

      medimg vocab --kind modality --json
    """
    from medimg import vocab as vocabularies
    from medimg.hub_sync.show import columns

    if kind is not None and kind not in KINDS:
        raise typer.BadParameter(f"one of {', '.join(KINDS)}", param_hint="--kind")
    found = []
    for name in [kind] if kind else KINDS:
        vocabulary: Vocabulary = getattr(vocabularies, name)
        for id in vocabulary.search(text) if text else vocabulary.ids:
            found.append({"kind": name, **vocabulary[id].model_dump(mode="json")})
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        rows = [
            (term["kind"], term["id"], ", ".join(term["synonyms"]), term["snomed"] or term["dicom"] or "")
            for term in found
        ]
        for line in columns(("kind", "id", "synonyms", "code"), rows, _width()[0], folded=("synonyms",)):
            print(line)
    if not found:
        nearest = _nearest(text, [kind] if kind else KINDS)
        err.print(f"nothing is called {_plain(text)!r}; closest: {nearest}", highlight=False)
        raise typer.Exit(1)


def _nearest(text: str, kinds: Iterable[str]) -> str:
    import difflib

    from medimg import vocab as vocabularies

    ids = [id for kind in kinds for id in getattr(vocabularies, kind).ids]
    return ", ".join(difflib.get_close_matches(text, ids, 3, 0)) or "nothing"


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Slug of the new dataset, e.g. my-dataset.")],
    folder: Annotated[Path, typer.Option(help="Where the builders are.", file_okay=False)] = Path("builders"),
) -> None:
    """Write the skeleton of a builder; the contract test then says what is missing.

    Example:
      medimg new my-dataset && python -m pytest tests/test_contract.py -k my-dataset
    """
    from medimg.hub_sync.scaffold import scaffold

    path = scaffold(name, folder)
    out.print(f"wrote {path}", highlight=False)
    out.print(f"next: fill it in, then  python -m pytest tests/test_contract.py -k {name}", highlight=False)


def _summary(entry: Entry) -> dict[str, Any]:
    fields = (
        "name",
        "aliases",
        "title",
        "dimension",
        "modality",
        "organ",
        "task",
        "license",
        "access",
        "homepage",
    )
    return {
        **{key: value for key, value in entry.declared.items() if key in fields},
        "publish": entry.publish,
        "configs": list(entry.config_names),
        "splits": dict(entry.declared["splits"]),
        "unverified": list(entry.unverified),
    }


def _tell_unlisted() -> None:
    from medimg.hub_sync.show import unlisted

    if said := unlisted():
        err.print(_plain(said), highlight=False)


@contextlib.contextmanager
def _hub(
    address: str | None, namespace: str, store: Path, *, new: bool = False, dry: bool = False
) -> Iterator[Hub]:
    """The Hub of an address, or of a store that is served while this lasts.

    Args:
        address: of a Hub; None serves the store.
        namespace: organization.
        store: folder of the embedded Hub.
        new: a store may be begun there.
        dry: nothing is written: where there is no store yet, an empty one aside stands for it.

    Raises:
        HubError: there is no store.
    """
    from medimg.hub_sync.stores import check_store, is_store

    if not address:
        check_store(store, new=new)
    from medimg.hub_sync.publish import OFFICIAL_HUB, Hub

    if (address or "").rstrip("/") != OFFICIAL_HUB:
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if address:
        yield Hub(address, namespace)
        return
    from medimg.hub_sync.hub import EmbeddedHub

    with contextlib.ExitStack() as stack:
        if dry and not is_store(store):
            import tempfile

            store = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="medimg-plan-")))
        running = stack.enter_context(EmbeddedHub(store))
        yield Hub(running.url, namespace)


def _published_names(target: Hub) -> list[str]:
    known = set(registry.names())
    repos = target.api.list_datasets(author=target.namespace)
    return sorted(name for repo in repos if (name := repo.id.split("/", 1)[1]) in known)


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
            _size(result.uploaded_bytes),
            result.publish,
            address if result.good else "",
            _plain("; ".join(filter(None, (result.reason, told)))),
        )
    _wide().print(table)
    counts: dict[str, int] = {}
    for result in results:
        counts[result.status] = counts.get(result.status, 0) + 1
    out.print(", ".join(f"{count} {status}" for status, count in counts.items()) or "nothing to do")
    published = [
        result.name for result in results if result.status in ("published", "unchanged") and result.rows
    ]
    if dry_run or not published:
        return
    name = "lits" if "lits" in published else published[0]
    out.print("\nTry next:", style="bold")
    endpoint = "https://huggingface.co"
    if own_store is not None:
        endpoint = f"http://127.0.0.1:{PORT}"
        where = "" if own_store == STORE else f" --store {shlex.quote(str(own_store))}"
        out.print(
            f"  {_typed('medimg')} hub{where}    # serves the cards and the data on {endpoint}",
            highlight=False,
        )
    load = f'load_dataset("{namespace}/{name}", streaming=True, split="train")'
    line = f"from datasets import load_dataset; print(next(iter({load})))"
    prefix = f"HF_ENDPOINT={endpoint} " if own_store is not None else ""
    out.print(f"  {prefix}{_typed('python')} -c '{line}'", highlight=False, markup=False)


def _typed(program: str) -> str:
    """How a program of this environment is called from here: by its name, or where it lies."""
    beside = Path(sys.executable).with_name(program)
    found = shutil.which(program)
    if not beside.exists() or (found is not None and Path(found) == beside):
        return program
    return shlex.quote(str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside))


def _reporting(path: Path | None, about: dict[str, Any], watcher: Any) -> Any:
    from medimg.hub_sync.sync import Watcher, report

    class Reporting(Watcher):
        """Passes progress on and writes the run report, also in between: a crash leaves what was done so far."""

        def __init__(self) -> None:
            self.about = {"medimg": __version__, **about, "began": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
            self.results: list[Result] = []
            self.began = self.written = time.monotonic()
            self.begin, self.start, self.row, self.note = (  # type: ignore[method-assign]
                watcher.begin,
                watcher.start,
                watcher.row,
                watcher.note,
            )

        def end(self, result: Result) -> None:
            watcher.end(result)
            self.results.append(result)
            if time.monotonic() - self.written > 5:
                self.write(done=False)

        def write(self, *, done: bool) -> None:
            self.written = time.monotonic()
            if path is None:
                return
            facts = {**self.about, "seconds": round(self.written - self.began, 1), "finished": done}
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(path.name + ".part")
            aside.write_text(report(self.results, facts) + "\n", "utf-8")
            aside.replace(path)

    return Reporting()


@contextlib.contextmanager
def _watcher(*, quiet: bool) -> Iterator[Any]:
    from medimg.hub_sync.sync import Watcher

    if quiet:
        yield Watcher()
        return
    if not err.is_terminal:
        yield _lines()
        return
    with _progress(err.console) as bars:
        yield bars


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[Any]:
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}  {task.fields[size]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield _bars(progress)


def _lines() -> Any:
    from medimg.hub_sync.sync import Watcher

    class Lines(Watcher):
        """One line per event, for logs."""

        def __init__(self) -> None:
            self.rows = self.size = self.done = self.total = 0
            self.last = self.began = time.monotonic()

        def begin(self, names: Sequence[str]) -> None:
            self.total = len(names)

        def start(self, plan: Plan) -> None:
            self.rows = self.size = 0
            self.last = time.monotonic()
            if plan.action != "none":
                err.print(f"{plan.name}: {plan.action} ({_plain(plan.reason)})", highlight=False)

        def row(self, name: str, rows: int, size: int) -> None:
            self.rows += rows
            self.size += size
            if time.monotonic() - self.last > 10:
                self.last = time.monotonic()
                err.print(f"{name}: {self.rows} rows, {_size(self.size)}", highlight=False)

        def note(self, text: str) -> None:
            err.print(_plain(text), highlight=False)

        def end(self, result: Result) -> None:
            self.done += 1
            spent = time.monotonic() - self.began
            left = spent / self.done * (self.total - self.done)
            more = f", about {_time(left)} left" if self.done < self.total and spent > 10 else ""
            said = f"{result.name}: {result.status}, {result.rows} rows, {result.seconds} s"
            if result.status != "unchanged" and result.left_out:
                said += f"; {result.left_out}"
            err.print(f"[{self.done}/{self.total}] {said}{more}", highlight=False, markup=False)

    return Lines()


def _bars(progress: Any) -> Any:
    from medimg.hub_sync.sync import Watcher

    class Bars(Watcher):
        """A bar over all datasets, and one per dataset against its declared number of images."""

        task: Any = None
        overall: Any = None
        total: int | None = None
        rows = size = whole = every = done = names = 0

        def begin(self, names: Sequence[str]) -> None:
            self.names = len(names)
            self.overall = progress.add_task("all", total=self.names, count=self._count(), size="")

        def start(self, plan: Plan) -> None:
            self.rows = self.size = 0
            if self.task is not None:  # planned anew
                progress.remove_task(self.task)
            dataset = registry.get(plan.name).dataset
            declared = sum(sum(dataset.config(name).splits.values()) for name in dataset.config_names)
            self.total = declared if plan.origin != "miniature" and declared else None
            what = f"{plan.name}: {plan.action}"
            self.task = progress.add_task(what, total=self.total, count="", size="")

        def row(self, name: str, rows: int, size: int) -> None:
            self.rows += rows
            self.every += rows
            self.size += size
            self.whole += size
            count = f"{self.rows}/{self.total} rows" if self.total else f"{self.rows} rows"
            progress.update(self.task, advance=rows, count=count, size=_size(self.size))
            progress.update(self.overall, count=self._count(), size=_size(self.whole))

        def _count(self) -> str:
            return f"{self.done}/{self.names} datasets, {self.every} rows"

        def note(self, text: str) -> None:
            progress.console.print(_plain(text), highlight=False)

        def end(self, result: Result) -> None:
            if self.task is not None:
                progress.remove_task(self.task)
                self.task = None
            self.done += 1
            progress.update(self.overall, advance=1, count=self._count())
            progress.console.print(f"{result.name}: {result.status}, {result.rows} rows", highlight=False)

    return Bars()


def _time(seconds: float) -> str:
    return (
        f"{seconds / 3600:.1f} h"
        if seconds > 5400
        else f"{seconds / 60:.0f} min"
        if seconds > 90
        else f"{seconds:.0f} s"
    )


def _wide() -> Console:
    """A console for tables; where no terminal sets a width, lines are long rather than folded."""
    from rich.console import Console

    return Console() if out.is_terminal else Console(width=200)


def _size(count: int) -> str:
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def _plain(text: str) -> str:
    """Text from a source as it is: rich's markup in it means nothing, and no terminal obeys it."""
    from rich.markup import escape

    from medimg.text import visible

    return escape("\n".join(map(visible, text.split("\n"))))


if __name__ == "__main__":
    main()
