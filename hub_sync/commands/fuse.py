"""`medimg fuse`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import Annotated

import typer

from medimg.hub_sync.commands.console import (
    NAMESPACE,
    STORE,
    HubOption,
    JsonOption,
    NamespaceOption,
    StoreOption,
    err,
    human_size,
    out,
    wide_console,
)


def fuse(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Members, e.g. lits or medmnist-v2/pathmnist; none: all that fit."),
    ] = None,
    modality: Annotated[list[str] | None, typer.Option(help="Only these modalities, e.g. CT.")] = None,
    organ: Annotated[list[str] | None, typer.Option(help="Only these organs, e.g. liver.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only these tasks, e.g. segmentation.")] = None,
    target: Annotated[list[str] | None, typer.Option(help="Label space, one option per target, in order.")] = None,
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
    on_duplicate: Annotated[str | None, typer.Option(help="drop (the default), keep, error or ignore.")] = None,
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
        typer.Option("--repeat", help="Start ended members again until each has been seen; not to be pushed."),
    ] = None,
    storage_option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="For fsspec, where the source is a URL, e.g. anon=true."),
    ] = None,
    streaming: Annotated[
        bool,
        typer.Option(help="--no-streaming writes all rows to the `datasets` cache before the first is shown."),
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
    typed = locals()
    from medimg.hub_sync.commands import fusing

    asked = fusing.request(typed)
    wanted = push is not None and not plan
    with contextlib.ExitStack() as stack:
        stack.enter_context(fusing.told())
        served = None
        if wanted or "source" not in asked:
            served = stack.enter_context(fusing.hub(hub, namespace, store, wanted=wanted, sourced="source" in asked))
        if push is not None and wanted and served is not None:
            from medimg.hub_sync.commands.progress import LogLines
            from medimg.hub_sync.fused.push import push as pushing

            progress, name = LogLines(), push
            served.note = progress.note
            pushed = pushing(
                push,
                asked,
                served,
                verbatim=verbatim,
                on_row=lambda rows, size: progress.row(name, rows, size),
            )
            if as_json:
                print(json.dumps(dataclasses.asdict(pushed), indent=1))
            else:
                size = human_size(pushed.uploaded_bytes)
                told = f"{pushed.rows} rows, {size} uploaded, {pushed.publish}"
                out.print(f"{namespace}/{push}: {pushed.status}, {told}")
            return
        import medimg

        made = medimg.fuse(**asked, plan=True)
        if limit and not plan:
            rows = medimg.fuse(**asked, streaming=streaming)
            for line in fusing.lines(rows, limit, made, as_json=as_json):
                print(line)
        elif as_json:
            print(made.to_json(), end="")
        else:
            wide_console().print(made)
        if push is not None:
            from medimg.hub_sync.fused.push import check_name

            check_name(push)
            (err if as_json else out).print(fusing.verdict(made, verbatim=verbatim))
