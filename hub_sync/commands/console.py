"""What commands share: their two outputs, how things are shown there, the options of many, and the Hub they mean."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medimg.errors import HubError, MedimgError

if TYPE_CHECKING:
    from rich.console import Console

    from medimg.hub_sync.pushing.client import Hub


NAMESPACE = "medimg"
STORE = Path("hub-store")
PORT = 8765


class _Late:
    """A console that is made when it is first written to: rich takes as long to import as a list to print."""

    def __init__(self, **how: Any) -> None:
        self._how = how

    @functools.cached_property
    def console(self) -> Console:
        from rich.console import Console

        return Console(soft_wrap=True, highlight=False, **self._how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.console, name)


out = _Late()
err = _Late(stderr=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to standard output and nothing else there.")]
NamespaceOption = Annotated[str, typer.Option(help="Organization or user on the Hub.")]
HubOption = Annotated[
    str | None,
    typer.Option("--hub", help="Address of a Hub. Without it, the store is served while this runs."),
]
StoreOption = Annotated[Path, typer.Option("--store", file_okay=False, help="Folder of the embedded Hub.")]


def tell(error: MedimgError) -> None:
    """One line on standard error."""
    err.print(f"[bold red]medimg:[/bold red] {plain(str(error))}")


def terminal_width() -> tuple[int | None, bool]:
    """Characters of a line (None: as many as there are) and whether a terminal shows them."""
    terminal = sys.stdout.isatty()
    return (shutil.get_terminal_size().columns if terminal else None), terminal


def wide_console() -> Console:
    """A console for tables; where no terminal sets a width, lines are long rather than folded."""
    from rich.console import Console

    return Console() if out.is_terminal else Console(width=200)


def human_size(count: int) -> str:
    """Bytes, as people read them."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def human_time(seconds: float) -> str:
    """Hours, minutes or seconds."""
    return (
        f"{seconds / 3600:.1f} h"
        if seconds > 5400
        else f"{seconds / 60:.0f} min"
        if seconds > 90
        else f"{seconds:.0f} s"
    )


def plain(text: str) -> str:
    """Text from a source as it is: rich's markup in it means nothing, and no terminal obeys it."""
    from rich.markup import escape

    from medimg.text import visible

    return escape("\n".join(map(visible, text.split("\n"))))


def is_store(folder: Path) -> bool:
    """Whether an embedded Hub has kept its repositories there."""
    return (folder / "repos").is_dir() and (folder / "objects").is_dir()


def check_store(folder: Path, *, new: bool) -> None:
    """Refuse a folder that is no store, before anything is written there.

    Args:
        new: a store may be begun, where there is nothing yet.

    Raises:
        HubError: there is none, or the folder holds something else.
    """
    if is_store(folder):
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise HubError(
            f"{folder} is no store of an embedded Hub, it holds something else",
            next_step="pass --store with the folder that `medimg sync` wrote, or with a new one.",
        )
    if not new:
        raise HubError(
            f"there is no store at {folder}, so nothing is published there",
            next_step="pass --store with the folder that `medimg sync` wrote, or --hub with the address of a Hub.",
        )


@contextlib.contextmanager
def open_hub(
    address: str | None,
    namespace: str,
    store: Path,
    *,
    new: bool = False,
    dry: bool = False,
    reading: bool = False,
) -> Iterator[Hub]:
    """The Hub of an address, or of a store that is served while this lasts.

    Args:
        address: of a Hub; without one the store is served.
        new: a store may be begun there.
        dry: nothing is written: where there is no store yet, an empty one aside stands for it.
        reading: rows are read there through `datasets`, too; to be entered before `huggingface_hub` is imported.

    Raises:
        HubError: there is no store.
    """
    with contextlib.ExitStack() as stack:
        if not address:
            from medimg.hub_sync.hub import EmbeddedHub  # first: it names the extra that is not installed

            check_store(store, new=new)
            if dry and not is_store(store):
                import tempfile

                store = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="medimg-plan-")))
            os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
            endpoint = stack.enter_context(EmbeddedHub(store)).url
        else:
            endpoint = address.rstrip("/")
        if reading:
            os.environ["HF_ENDPOINT"] = endpoint
            if not address:
                os.environ.setdefault("HF_TOKEN", "embedded")  # gated members ask for any token
        from medimg.hub_sync.pushing.client import OFFICIAL_HUB, Hub

        if endpoint != OFFICIAL_HUB:
            os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        yield Hub(endpoint, namespace)
