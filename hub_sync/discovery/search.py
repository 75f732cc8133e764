"""`medimg search`: its options, read by argparse, since typer takes longer to read them than the search to answer."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Sequence

from medimg.catalogue.search import ACCESS, DIMENSIONS, LOADABLE, search
from medimg.hub_sync.discovery import found
from medimg.hub_sync.discovery.show import unlisted
from medimg.text import as_json, visible

EXAMPLES = """\
What misses one thing of what was asked for comes after the rest, with the reason.
Exits with 1 where nothing is found.

Examples:
  medimg search liver tumor CT --use commercial
  medimg search 肺结节 --task detection
  medimg search --modality MRI --organ brain --min-images 500 --max-bytes 100GB --loadable any
  medimg search chexprt --json | jq '.hits[].id'
"""


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="medimg search",
        description="Find datasets, loadable or not: what they are, who may use them, how to load them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("text", nargs="*", help="words, English or Chinese; nothing is any dataset")
    for name, example in (("modality", "CT"), ("organ", "liver"), ("task", "segmentation")):
        made.add_argument(f"--{name}", action="append", help=f"one of these, e.g. {example}")
    made.add_argument(
        "--structure",
        dest="structures",
        metavar="STRUCTURE",
        action="append",
        help="a label that it must have, e.g. 'liver tumor'",
    )
    made.add_argument("--dimension", action="append", help=f"one of {', '.join(DIMENSIONS)}")
    made.add_argument(
        "--use",
        action="append",
        help="what its license must allow (commercial, adapt, redistribute, open, 'no share-alike', known), or an id",
    )
    made.add_argument("--min-images", type=_count, metavar="N", help="images, volumes or videos at least")
    made.add_argument("--max-images", type=_count, metavar="N", help="images, volumes or videos at most")
    made.add_argument("--min-subjects", type=_count, metavar="N", help="patients at least")
    made.add_argument("--max-bytes", type=_bytes, metavar="SIZE", help="at most, e.g. 10GB")
    made.add_argument("--year", type=_years, help="of the first release: 2019, 2018-2020, 2018-, -2020")
    made.add_argument("--access", action="append", help=f"one of {', '.join(ACCESS)}")
    made.add_argument("--loadable", action="append", help=f"one of {', '.join(LOADABLE)}; any: not the last")
    made.add_argument("--limit", type=_count, default=20, metavar="N", help="print this many at most (20)")
    made.add_argument("--namespace", default="medimg", help="organization on the Hub (medimg)")
    made.add_argument("--json", action="store_true", help="print JSON to standard output and nothing else there")
    return made


def run(arguments: Sequence[str]) -> int:
    """Search and print; returns the exit code.

    Raises:
        UnknownTermError: a filter holds a word that is none of its terms.
        SystemExit: an option is none, or help was asked for.
    """
    asked = vars(parser().parse_intermixed_args(list(arguments)))
    namespace, json = asked.pop("namespace"), asked.pop("json")
    if asked["loadable"] == ["any"]:
        asked["loadable"] = True
    hits = search(" ".join(asked.pop("text")), **asked)
    if json:
        told = [found.as_dict(hit, namespace) for hit in hits]
        print(as_json({"strict": hits.strict, "near": hits.near, "hits": told, "closest": list(hits.closest)}))
    elif hits:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print("\n".join(found.table(hits, width)))
    if note := unlisted():
        print(visible(note), file=sys.stderr)
    if hits:
        return 0
    said = f"; closest words: {', '.join(hits.closest)}" if hits.closest else ""
    print(f"nothing is found{visible(said)}", file=sys.stderr)
    print("Leave out a word or a filter; `medimg vocab TEXT` finds terms.", file=sys.stderr)
    return 1


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)


def _bytes(text: str) -> int:
    """Bytes of a size such as "10GB" (powers of 1000)."""
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]+)?)\s*([KMGTP]?)B?", text.strip(), re.IGNORECASE)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; e.g. 500MB, 10GB, 1TB")
    return int(float(match[1]) * 1000 ** " KMGTP".index(match[2].upper() or " "))


def _years(text: str) -> tuple[int | None, int | None]:
    """First and last year of "2019", "2018-2020", "2018-" or "-2020"."""
    match = re.fullmatch(r"([0-9]{4})|([0-9]{4})?-([0-9]{4})?", text.strip())
    if not match or text.strip() == "-":
        raise argparse.ArgumentTypeError(f"{text!r} is no year; e.g. 2019, 2018-2020, 2018-, -2020")
    first, last = (match[1], match[1]) if match[1] else (match[2], match[3])
    return (int(first) if first else None, int(last) if last else None)
