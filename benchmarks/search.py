"""How long a search takes: cold, as a process from its start to the printed result, and warm, in one process.

    python benchmarks/search.py [--entries 2500] [--runs 7] [--node]

The catalogue is filled up to `--entries` with copies of its entries under other names. With `--node`, the page's search
is timed, too.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from medimg import cards
from medimg.catalogue import table
from medimg.catalogue.search import search
from medimg.catalogue.words import search_data

QUERIES = (
    *("liver", "kidney tumor", "CT, liver, segmentation, commercial use", "livr tumr", "chexprt"),
    *(
        "retnal vesel segmentation",
        "肺结节",
        "膝关节核磁",
        "isic2081",
        "brain MRI 2019 openneuro",
        "xyzzyplugh",
    ),
)
COLD = """
import sys
from pathlib import Path
from medimg.catalogue import table
table.FILE = Path(sys.argv.pop())
from medimg.hub_sync.start import main
main()
"""
PAGE = """
import {{ readFileSync }} from "node:fs";
const {{ makeIndex, search }} = await import({module});
const {{ entries, vocabulary, queries }} = JSON.parse(readFileSync(0, "utf-8"));
const start = performance.now();
const index = makeIndex(entries, vocabulary);
console.log(`page: index ${{(performance.now() - start).toFixed(0)}} ms`);
for (const query of queries) search(index, query);
for (const query of queries) {{
  const before = performance.now();
  search(index, query);
  console.log(`  ${{(performance.now() - before).toFixed(1)}} ms  ${{query}}`);
}}
"""


def write_listed(path: Path, count: int) -> None:
    """The catalogue's listed entries, with as many copies as make `count` entries in all."""
    listed = list(table.read(table.FILE))
    missing = count - len(table.entries())
    copies = [
        dataclasses.replace(each, id=f"copy-{number}-{each.id}", name=f"{each.name} copy {number}")
        for number, each in enumerate(listed * 9)
    ]
    path.write_text("".join(f"{each.line()}\n" for each in (*listed, *copies[: max(missing, 0)])), "utf-8")


def cold(listed: Path, runs: int) -> list[float]:
    """Seconds from the start of a process to its end."""
    found = []
    for _ in range(runs + 1):  # the first fills the caches of the system
        before = time.perf_counter()
        command = [sys.executable, "-c", COLD, "search", "liver", "--json", str(listed)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found.append(time.perf_counter() - before)
    return found[1:]


def warm(runs: int) -> dict[str, list[float]]:
    """Query -> milliseconds."""
    search("warm")
    found: dict[str, list[float]] = {}
    for _ in range(runs):
        for query in QUERIES:
            before = time.perf_counter()
            search(query)
            found.setdefault(query, []).append((time.perf_counter() - before) * 1000)
    return found


def said(values: Sequence[float], unit: str) -> str:
    """Least, middle and most."""
    return f"{min(values):.3g} / {statistics.median(values):.3g} / {max(values):.3g} {unit} (least / median / most)"


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=2500)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--node", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "listed.jsonl"
        write_listed(listed, asked.entries)
        print(f"cold: {said(cold(listed, asked.runs), 's')}")
        table.FILE = listed
        table.entries.cache_clear()
        print(f"warm, {len(table.entries()):,} entries:")
        for query, times in warm(asked.runs).items():
            print(f"  {said(times, 'ms')}  {query}")
    if asked.node:
        module = json.dumps((Path(cards.__path__[0]) / "portal" / "site" / "search.js").as_uri())
        given = {
            "entries": [each.to_dict() for each in table.entries()],
            "vocabulary": search_data(),
            "queries": QUERIES,
        }
        script = PAGE.format(module=module)
        subprocess.run(["node", "--input-type=module", "-e", script], input=json.dumps(given), text=True, check=True)


if __name__ == "__main__":
    main()
