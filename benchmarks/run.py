"""Every figure that is claimed: a ratio of two ways to the same pixels, run in turn in one process.

    python benchmarks/run.py [NAME ...] [--runs 5] [--json]

Examples:
    python benchmarks/run.py                 # all; writes benchmarks/results.json and docs/performance.md
    python benchmarks/run.py 2d-pil build-3d --runs 7
    python benchmarks/run.py --list
    python benchmarks/run.py --check         # docs/performance.md says what results.json has

Pixels are compared first; where they differ, the run ends with exit code 1. Goals that are missed are told, not failed:
docs/performance.md gives the reason.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import os
import platform
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import building
import commons
import growth
import memory
import mixing
import reading
import remote
from figures import Figure, measure

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
MACHINE = HERE / "machine.json"
PAGE = HERE.parent / "docs" / "performance.md"
ROOMS = (reading, remote, building, mixing, memory, growth, commons)
FIGURES = {figure.name: figure for room in ROOMS for figure in room.FIGURES}
PACKAGES = (
    "datasets",
    "pyarrow",
    "numpy",
    "pillow",
    "nibabel",
    "zlib-ng",
    "monai",
    "torchio",
    "webdataset",
    "mosaicml-streaming",
    "litdata",
    "torch-em",
    "duckdb",
)
TEXT = (
    "torch-em and MosaicML Streaming import torchvision and other large packages that reading does not use: empty ones",
    "take their place (`benchmarks/peers.py`). MosaicML Streaming asks for numpy below 2.2, and runs with ours.",
)
REASONS = json.loads((HERE / "reasons.json").read_text("utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="figures; all where none is named")
    parser.add_argument("--runs", type=int, default=5, help="of each way (default 5)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--check", action="store_true", help="compare the page with the results and end")
    options = parser.parse_args()
    if strange := set(options.names) - set(FIGURES):
        parser.error(f"no such figure: {', '.join(sorted(strange))}; --list shows all")
    if options.list:
        print("\n".join(f"{figure.name:26} {figure.ours} / {figure.other}" for figure in FIGURES.values()))
        return
    if options.check:
        if PAGE.read_text("utf-8") != page(
            json.loads(RESULTS.read_text("utf-8")), json.loads(MACHINE.read_text("utf-8"))
        ):
            sys.exit("docs/performance.md is not what benchmarks/results.json says; run `make bench`.")
        return
    began = time.perf_counter()
    found, left_out = run([FIGURES[name] for name in options.names or FIGURES], options.runs)
    if options.json:
        print(json.dumps(found, indent=1))
    if not options.names:
        about = {
            "date": datetime.date.today().isoformat(),
            "machine": f"{platform.machine()}, {cores()} cores, Python {platform.python_version()}",
            "minutes": round((time.perf_counter() - began) / 60),
            "versions": {name: version for name in PACKAGES if (version := installed(name))},
            "left_out": left_out,
        }
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        MACHINE.write_text(json.dumps(about, indent=1) + "\n")
        PAGE.write_text(page(found, about))


def run(figures: list[Figure], runs: int) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Measure each, and say it at once. Also returns what was left out, and why."""
    results, left = [], {}
    with tempfile.TemporaryDirectory(prefix="medimg-bench-", ignore_cleanup_errors=True) as name:
        for _, group in itertools.groupby(figures, key=lambda figure: figure.make):
            alike = list(group)
            if alike[0].missing:
                for figure in alike:
                    left[figure.name] = f"{', '.join(figure.missing)} is not installed"
                    print(f"{figure.name:26} left out: {left[figure.name]}", file=sys.stderr)
                continue
            for result in measure(alike, Path(name), runs):
                found = result.to_json()
                about = f"{result.ratio:8.2f} ({result.min:.2f} to {result.max:.2f})"
                print(f"{result.name:26} {about} {goal(found)}", file=sys.stderr)
                results.append(found)
    return results, left


def goal(found: dict[str, Any]) -> str:
    """In words, and whether it is met."""
    if found["goal"] is None:
        return "no goal"
    sign = "at least" if found["kind"] == "speed" else "at most"
    return f"{sign} {found['goal']:g}: {'met' if found['met'] else 'missed'}"


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def page(found: list[dict[str, Any]], about: dict[str, Any]) -> str:
    """docs/performance.md."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        "# Performance",
        "",
        "<!-- Made by `make bench` from benchmarks/results.json. -->",
        "",
        "Each figure is the ratio of two ways to the same pixels, run in turn with a warm page cache: the median over",
        "the runs, the smallest and the largest. The pixels are compared. A *speed* is the other way's seconds divided",
        "by ours; a *cost* is our seconds (or requests, bytes, memory) divided by the other's. `make bench` measures",
        "them on your machine. Where a figure has no goal, it is there to be known.",
        "",
        *TEXT,
        "",
        f"{about['date']}, {about['minutes']} minutes: {about['machine']}; {versions}.",
        "",
        "| figure | ours | beside | ratio | from, to | goal |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each['name']} ({each['kind']}, {each['of']}) | {each['ours']} | {each['other']} | {each['ratio']:.2f} "
        f"| {each['min']:.2f}, {each['max']:.2f} | {goal(each)} |"
        for each in found
    ]
    if missed := [each["name"] for each in found if each["met"] is False]:
        lines += ["", "## Goals that are missed, and why", ""]
        lines += [f"- **{name}**: {REASONS.get(name, 'not looked into yet.')}" for name in missed]
    if about["left_out"]:
        lines += ["", "## Left out", ""]
        lines += [f"- **{name}**: {why}." for name, why in about["left_out"].items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
