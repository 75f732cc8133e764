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
import json
import os
import platform
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import building
import mixing
import reading
from figures import Figure, measure

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PAGE = HERE.parent / "docs" / "performance.md"
FIGURES = {figure.name: figure for figure in (*reading.FIGURES, *building.FIGURES, *mixing.FIGURES)}
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
    "duckdb",
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
        print("\n".join(f"{figure.name:18} {figure.ours} / {figure.other}" for figure in FIGURES.values()))
        return
    if options.check:
        if PAGE.read_text("utf-8") != page(json.loads(RESULTS.read_text("utf-8"))):
            sys.exit("docs/performance.md is not what benchmarks/results.json says; run `make bench`.")
        return
    chosen = [FIGURES[name] for name in options.names or FIGURES]
    found = run(chosen, options.runs)
    if options.json:
        print(json.dumps(found, indent=1))
    if not options.names:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        PAGE.write_text(page(found))


def run(figures: list[Figure], runs: int) -> dict[str, Any]:
    """Measure each, and say it at once."""
    results, left = [], {}
    with tempfile.TemporaryDirectory(prefix="medimg-bench-") as name:
        for figure in figures:
            if figure.missing:
                left[figure.name] = f"{', '.join(figure.missing)} is not installed"
                print(f"{figure.name:18} left out: {left[figure.name]}", file=sys.stderr)
                continue
            result = measure(figure, Path(name), runs)
            sign = ">=" if figure.kind == "speed" else "<="
            print(
                f"{figure.name:18} {result.ratio:7.2f} ({result.min:.2f} to {result.max:.2f}) "
                f"goal {sign} {figure.goal:g} {'met' if result.met else 'MISSED'}",
                file=sys.stderr,
            )
            results.append(result.to_json())
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {cores()} cores, Python {platform.python_version()}",
        "versions": {name: version for name in PACKAGES if (version := installed(name))},
        "left_out": left,
        "figures": results,
    }


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def page(found: dict[str, Any]) -> str:
    """docs/performance.md."""
    lines = [
        "# Performance",
        "",
        "<!-- Made by `make bench` from benchmarks/results.json. -->",
        "",
        "Each figure is the ratio of two ways to the same pixels, run in turn in one process with a warm page",
        "cache: the median over the runs, the smallest and the largest. The pixels are compared first. A *speed*",
        "is how many times as fast as the other way ours is; a *cost* is how many times as long it takes.",
        "`make bench` measures them on your machine.",
        "",
        f"{found['date']}: {found['machine']}; "
        + ", ".join(f"{name} {version}" for name, version in found["versions"].items())
        + ".",
        "",
        "| figure | ours | beside | ratio | from, to | goal | met |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in found["figures"]:
        sign = "at least" if each["kind"] == "speed" else "at most"
        lines.append(
            f"| {each['name']} ({each['kind']}) | {each['ours']} | {each['other']} | {each['ratio']:.2f} "
            f"| {each['min']:.2f}, {each['max']:.2f} | {sign} {each['goal']:g} | {'yes' if each['met'] else 'no'} |"
        )
    if missed := [each["name"] for each in found["figures"] if not each["met"]]:
        lines += ["", "## Goals that are missed, and why", ""]
        lines += [f"- **{name}**: {REASONS.get(name, 'not looked into yet.')}" for name in missed]
    if found["left_out"]:
        lines += ["", "## Left out", ""]
        lines += [f"- **{name}**: {why}." for name, why in found["left_out"].items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
