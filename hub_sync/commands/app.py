"""The `medimg` command: which module answers, and what errors and Ctrl-C come to."""

from __future__ import annotations

import atexit
import importlib
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from medimg import __version__
from medimg.errors import MedimgError
from medimg.hub_sync.commands.console import err, out, plain, tell


class Stopped(BaseException):
    """Ctrl-C, told apart from what typer makes of it: an end without a word."""


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Stopped from None


COMMANDS = {
    "sync": "sync:sync",
    "portal": "portal:portal",
    "preflight": "sync:preflight",
    "hub": "hub:hub",
    "list": "browse:list_",
    "search": "browse:search",
    "show": "browse:show",
    "verify": "published:verify",
    "fuse": "fuse:fuse",
    "export": "browse:export",
    "rollback": "published:rollback",
    "retire": "published:retire",
    "purge": "published:purge",
    "mcp": "hub:mcp",
    "vocab": "browse:vocab",
    "new": "new:new",
}
"""Command -> module here, and its function; only the module of the command that is asked for is imported."""
SETTINGS: dict[str, dict[str, Any]] = {
    "search": {
        "add_help_option": False,
        "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
        "short_help": "Find datasets, loadable or not: what they are, who may use them, how to load them.",
    }
}
"""Of commands that read their options themselves."""


def app(*names: str) -> typer.Typer:
    """The application with these commands, or with all."""
    made = typer.Typer(
        cls=_Commands,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        help="Every public medical imaging dataset one [bold]load_dataset[/bold] away.",
    )
    made.callback(invoke_without_command=True)(_version)
    for name in names or COMMANDS:
        module, _, function = COMMANDS[name].partition(":")
        command = getattr(importlib.import_module(f"{__package__}.{module}"), function)
        made.command(name, **SETTINGS.get(name, {}))(command)
    return made


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


def _only_our_warnings() -> None:
    """What libraries say to programmers is nothing for the user of a command; `python -W` shows it all the same."""

    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
        from medimg.report import MedimgWarning

        if issubclass(category, MedimgWarning):
            err.print(plain(str(message)))

    warnings.simplefilter("default")
    warnings.showwarning = show  # type: ignore[assignment]


def _app_of(arguments: Sequence[str]) -> typer.Typer:
    """The command that is asked for, alone: typer builds every option of every command that it is given."""
    named = next((each for each in arguments if not each.startswith("-")), "")
    if list(arguments) == ["--version"]:
        named = "mcp"  # the one with the least to import
    # All of them for the help, and for the nearest names of a command that there is not.
    return app(*[named] if named in COMMANDS else [])


def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        out.print(__version__)
        raise typer.Exit
