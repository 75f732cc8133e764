"""The entry point of `medimg`: a search is answered before all other commands are imported."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command; errors, and Ctrl-C, end as `medimg.hub_sync.commands.app.main` says."""
    if sys.argv[1:2] == ["search"]:
        gc.disable()  # the process ends with its answer: looking for garbage would take a fifth of the time
        _search()
        return
    from medimg.hub_sync.commands import app

    app.main()


def _search() -> None:
    from medimg.errors import MedimgError
    from medimg.hub_sync.discovery.search import run

    try:
        sys.exit(run(sys.argv[2:]))
    except MedimgError as error:
        from medimg.hub_sync.commands.console import tell

        tell(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `| head`: what is left has no reader
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
