"""What is published, looked at and taken back: `medimg verify`, `rollback`, `retire` and `purge`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from medimg import registry
from medimg.errors import MedimgError, UnknownDatasetError
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
)

if TYPE_CHECKING:
    from medimg.hub_sync.pushing.client import Hub


def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Datasets; none means all that are published.")] = None,
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
    from medimg.hub_sync.fused import stored
    from medimg.hub_sync.verifying import verify as engine
    from medimg.hub_sync.withdrawing import withdrawal

    with open_hub(hub, namespace, store) as target:
        sets = list(withdrawal.fused_sets(target))
        wanted = [name if name in sets else registry.get(name).name for name in names or ()]
        wanted = wanted or [*sorted(set(target.datasets("datasets")) & set(registry.names())), *sets]
        problems = engine.verify(target, [name for name in wanted if name not in sets], deep=deep, history=True)
        problems |= {name: stored.verify(target, name) for name in wanted if name in sets}
    if as_json:
        listed = [{"name": name, "problems": found} for name, found in problems.items()]
        print(json.dumps({"datasets": listed}, indent=1))
    else:
        for name, found in problems.items():
            out.print(f"{name}: {plain('; '.join(found)) if found else 'equals its manifest'}")
        if not problems:
            out.print("Nothing is published here.")
    if any(problems.values()):
        raise typer.Exit(1)


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
    from medimg.hub_sync.withdrawing import history

    with open_hub(hub, namespace, store) as target:
        change = history.rollback(target, registry.get(name).name, to, reason=reason)
        _renew_portal(target)
    out.print(plain(change.said))


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
    from medimg.hub_sync.withdrawing import history

    with open_hub(hub, namespace, store) as target:
        change = history.retire(target, _dataset_or_set(name), reason, purge=purge)
        _renew_portal(target)
    out.print(plain(change.said))


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
    from medimg.hub_sync.withdrawing import withdrawal

    with open_hub(hub, namespace, store) as target:
        removed = withdrawal.purge(target, _dataset_or_set(name))
        _renew_portal(target)
    out.print(f"{plain(name)}: {plain(removed)}")


def _renew_portal(hub: Hub) -> None:
    """Let the portal show what is left; what was asked for is done, whatever becomes of this."""
    from medimg.hub_sync.discovery import portal

    try:
        portal.refresh(hub)
    except MedimgError as error:
        err.print(f"the portal still shows what it showed: {plain(str(error))}")


def _dataset_or_set(name: str) -> str:
    """The slug of a dataset by any of its names; other names are those of fused sets."""
    try:
        return registry.get(name).name
    except UnknownDatasetError:
        return name
