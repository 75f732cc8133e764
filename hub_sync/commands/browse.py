"""What there is: `medimg list`, `search`, `show`, `vocab` and `export`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medimg import collections, index, registry
from medimg.errors import MedimgError, MissingExtraError, UnknownDatasetError
from medimg.hub_sync.commands.console import (
    NAMESPACE,
    STORE,
    HubOption,
    JsonOption,
    NamespaceOption,
    StoreOption,
    err,
    open_hub,
    out,
    plain,
    terminal_width,
    wide_console,
)

if TYPE_CHECKING:
    from medimg.catalogue import Entry
    from medimg.index import IndexEntry
    from medimg.vocab import Vocabulary

KINDS = ("modality", "organ", "task", "structure", "finding")


def list_(
    modality: Annotated[str | None, typer.Option(help="Only this modality, e.g. CT.")] = None,
    organ: Annotated[str | None, typer.Option(help="Only this organ, e.g. liver.")] = None,
    task: Annotated[str | None, typer.Option(help="Only this task, e.g. segmentation.")] = None,
    idc: Annotated[bool, typer.Option("--idc", help="The collections of the Imaging Data Commons instead.")] = False,
    of: Annotated[str | None, typer.Option("--collections", help="Those of this source instead.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the datasets: what they are and what their licenses allow.

    Examples:
      medimg list --modality CT --organ liver

      medimg list --json | jq '.[].name'

      medimg list --idc --modality MR
    """
    if prefix := "idc" if idc else of:
        if prefix not in collections.SOURCES:
            raise typer.BadParameter(f"one of: {', '.join(collections.SOURCES)}", param_hint="--collections")
        if task is not None:
            title = collections.SOURCES[prefix].title
            raise typer.BadParameter(f"the index of the {title} tells no tasks", param_hint="--task")
        _list_collections(prefix, modality, organ, as_json)
        return

    from medimg.hub_sync.discovery.show import columns, unlisted

    found = registry.entries()
    for kind, wanted in (("modality", modality), ("organ", organ), ("task", task)):
        if wanted is not None:
            from medimg import vocab

            accepted = _narrower(getattr(vocab, kind), wanted)
            found = [entry for entry in found if accepted & entry.terms(kind)]
    if said := unlisted():
        err.print(plain(said))
    if as_json:
        print(json.dumps([_summary(entry) for entry in found], indent=1, ensure_ascii=False))
        return
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
    for line in columns(header, rows, terminal_width()[0], folded=("title", "modality", "organ", "task")):
        print(line)
    print(f"{len(found)} datasets")


def _narrower(vocabulary: Vocabulary, text: str) -> set[str]:
    """A term and all that is below it."""
    term = vocabulary.resolve(text)
    return {term, *vocabulary.descendants(term)}


def _list_collections(prefix: str, modality: str | None, organ: str | None, as_json: bool) -> None:
    from medimg import vocab
    from medimg.errors import UnknownTermError

    def ids(vocabulary: Vocabulary, texts: Iterable[str]) -> set[str]:
        found = set()
        for text in texts:
            with contextlib.suppress(UnknownTermError):
                found.add(vocabulary.resolve(text.strip()))
        return found

    source = registry.source(prefix)
    shown = list(source.holdings())
    if modality is not None:
        accepted = _narrower(vocab.modality, modality)
        shown = [one for one in shown if accepted & ids(vocab.modality, one.modalities)]
    if organ is not None:
        accepted = _narrower(vocab.organ, organ)
        shown = [one for one in shown if accepted & ids(vocab.organ, one.organs)]
    if as_json:
        listed = [one._asdict() for one in shown]
        for each in listed:
            del each["organs"]
        print(json.dumps(listed, indent=1, ensure_ascii=False))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("name", "title", "modalities", "series", "files", "GB", "licenses"):
        right = column in ("series", "files", "GB")
        table.add_column(column, no_wrap=right or column == "name", justify="right" if right else "left")
    for one in shown:
        table.add_row(
            one.name,
            one.title,
            ", ".join(one.modalities),
            f"{one.series:,}",
            f"{one.images:,}",
            f"{one.gigabytes:,.1f}",
            ", ".join(one.licenses),
        )
    wide_console().print(table)
    out.print(
        f"{len(shown)} collections, {sum(one.series for one in shown):,} series (index {source.version()})",
        highlight=True,
    )


def _summary(entry: IndexEntry) -> dict[str, Any]:
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


def search(ctx: typer.Context) -> None:
    """Find datasets; `discovery.search` has the options, which typer would take longer to read than to answer."""
    from medimg.hub_sync.discovery.search import run

    raise typer.Exit(run(ctx.args))


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
    from medimg.hub_sync.discovery import show as text

    entry = _entry_of(name)
    if not isinstance(entry, index.IndexEntry):
        _show_listed(entry, namespace, as_json)
        return
    published = None if hub is None else _where(hub, namespace, entry.name)
    if as_json:
        told = {} if published is None else {"published": published}
        shown = {**entry.declared, "publish": entry.publish, **told}
        print(json.dumps(shown, indent=1, ensure_ascii=False))
        return
    said = None if published is None else text.where(published)
    width, terminal = terminal_width()
    print(text.page(entry, namespace, published=said, width=min(width or 100, 100), bold=terminal), end="")


def _entry_of(name: str) -> IndexEntry | Entry:
    """A dataset by any of its names: what its builder declares, else what the catalogue says."""
    try:
        return registry.entry(name)
    except (UnknownDatasetError, MissingExtraError):
        from medimg.catalogue import called

        listed = called(name)
        if listed is None:
            raise
        return listed


def _show_listed(entry: Entry, namespace: str, as_json: bool) -> None:
    from medimg.hub_sync.discovery import found
    from medimg.text import as_json as safe

    if as_json:
        print(safe({**entry.to_dict(), "load": found.snippet(entry, namespace)}, indent=1))
        return
    width, terminal = terminal_width()
    print(found.page(entry, namespace, width=min(width or 100, 100), bold=terminal), end="")


def _where(address: str, namespace: str, name: str) -> dict[str, Any]:
    """What a Hub has of a dataset."""
    with open_hub(address, namespace, STORE) as target:
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
    from medimg.hub_sync.discovery.show import columns

    if kind is not None and kind not in KINDS:
        raise typer.BadParameter(f"one of {', '.join(KINDS)}", param_hint="--kind")
    found = []
    kinds = [kind] if kind else KINDS
    for name in kinds:
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
        for line in columns(("kind", "id", "synonyms", "code"), rows, terminal_width()[0], folded=("synonyms",)):
            print(line)
    if not found:
        import difflib

        ids = [id for name in kinds for id in getattr(vocabularies, name).ids]
        nearest = ", ".join(difflib.get_close_matches(text, ids, 3, 0)) or "nothing"
        err.print(f"nothing is called {plain(text)!r}; closest: {nearest}")
        raise typer.Exit(1)


def export(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Datasets: ids of the catalogue or any name; none means the whole catalogue."),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", help="mdfp: the files of Project Imaging-X's metadata standard.")
    ] = "mdfp",
    out_folder: Annotated[Path, typer.Option("--out", file_okay=False, help="Folder for the files.")] = Path("export"),
    source: Annotated[
        str | None,
        typer.Option(
            help="Originals: a root (SOURCE/<name>), the dataset's own folder or archive, `official` or `miniature`. "
            "Without it, rows are read from the Hub.",
        ),
    ] = None,
    rows: Annotated[bool, typer.Option("--rows/--no-rows", help="Also one line for each labeled row and task.")] = True,
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

            stack.enter_context(fusing.hub(hub, namespace, store))
        from medimg.hub_sync.discovery import export as engine

        written = engine.mdfp_files(names or [], out_folder, rows=rows, source=source or None, namespace=namespace)
    if as_json:
        print(json.dumps({"folder": str(out_folder), "lines": written}))
    else:
        for name, lines in written.items():
            out.print(f"{out_folder / name}: {lines} lines")
