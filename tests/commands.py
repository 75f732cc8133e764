"""Commands as they are typed, without a new process for each: starting one costs seconds."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path
from unittest import mock

from medimg.hub_sync.commands import app


def medimg(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What `medimg` says when it is run in `cwd`; directory, environment and warnings are as before afterwards.

    Not for a command that reads members from a Hub (`fuse --hub`): the Hub's clients fix their address at import.
    """
    code: object = 0
    with (
        contextlib.chdir(cwd),
        mock.patch.dict(os.environ),
        mock.patch.object(sys, "argv", ["medimg", *arguments]),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        try:
            app.main()
        except SystemExit as end:
            code = end.code
    assert code is None or isinstance(code, int), code
    return subprocess.CompletedProcess(["medimg", *arguments], code or 0, out.getvalue(), err.getvalue())
