"""`python -m medimg.catalogue.making [--from FOLDER] [--check]`: what `make catalogue` runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from medimg.catalogue.making.make import make, summary
from medimg.errors import MedimgError


def main(arguments: list[str]) -> int:
    """Write the vendored files, or compare with `--check`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="medimg.catalogue.making", description=__doc__)
    parser.add_argument("--from", dest="folder", type=Path, default=Path("../shared"), help="folder of the lists")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    asked = parser.parse_args(arguments)
    try:
        made = make(asked.folder)
    except MedimgError as error:
        print(error, file=sys.stderr)
        return 1
    print(summary(made))
    wrong = [path for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text]
    if asked.check:
        for path in wrong:
            print(f"{path} is not what the lists say; run `make catalogue`.", file=sys.stderr)
        return 1 if wrong else 0
    for path in wrong:
        path.write_text(made[path], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
