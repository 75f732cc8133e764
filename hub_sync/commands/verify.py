"""`medimg verify`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from medimg import registry
from medimg.hub_sync.commands.console import (
    NAMESPACE,
    STORE,
    HubOption,
    JsonOption,
    NamespaceOption,
    StoreOption,
    open_hub,
    out,
    plain,
)

if TYPE_CHECKING:
    from medimg.hub_sync.pushing.client import Hub


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
    from medimg.hub_sync.fused import stored
    from medimg.hub_sync.verifying import verify as engine
    from medimg.hub_sync.withdrawing import withdrawal

    with open_hub(hub, namespace, store) as target:
        sets = list(withdrawal.fused_sets(target))
        wanted = [name if name in sets else registry.get(name).name for name in names or ()]
        wanted = wanted or [*_published_names(target), *sets]
        problems = engine.verify(
            target, [name for name in wanted if name not in sets], deep=deep, history=True
        )
        problems |= {name: stored.verify(target, name) for name in wanted if name in sets}
    if as_json:
        listed = [{"name": name, "problems": found} for name, found in problems.items()]
        print(json.dumps({"datasets": listed}, indent=1))
    else:
        for name, found in problems.items():
            out.print(
                f"{name}: {plain('; '.join(found)) if found else 'equals its manifest'}", highlight=False
            )
        if not problems:
            out.print("Nothing is published here.")
    if any(problems.values()):
        raise typer.Exit(1)


def _published_names(target: Hub) -> list[str]:
    known = set(registry.names())
    repos = target.api.list_datasets(author=target.namespace)
    return sorted(name for repo in repos if (name := repo.id.split("/", 1)[1]) in known)
