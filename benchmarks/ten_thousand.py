"""A Hub of ten thousand datasets: how long planning takes, what it needs, and that one change is one commit.

    python benchmarks/ten_thousand.py [--count 10000] [--workers 2] [--folder /tmp/medimg-ten-thousand]

Builders are written, each with two pictures, and published on an embedded Hub in a folder, which a later run goes on
with. Then all are planned when nothing has changed, when one has changed, and when none was ever published.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import tiny_datasets as tiny

from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.results import Result, Watcher
from medimg.hub_sync.sync import sync

EVERY = 500


class Progress(Watcher):
    """A line for every few hundred datasets."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.done = 0

    def end(self, result: Result) -> None:
        """Count it."""
        self.done += 1
        if self.done % EVERY == 0:
            print(f"{self.done} datasets, {time.monotonic() - self.began:.0f} s", file=sys.stderr, flush=True)


def measured(names: list[str], hub: Hub, **options: Any) -> dict[str, object]:
    """One run: seconds, what came of the datasets, commits, and the memory of this process up to now."""
    began = time.monotonic()
    results = sync(names, hub, check=False, watcher=Progress(), **options)
    return {
        "seconds": round(time.monotonic() - began, 1),
        "came of it": dict(Counter(f"{each.status}: {each.reason}" for each in results)),
        "commits": sum(each.commits for each in results),
        "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def main() -> None:
    """Print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/medimg-ten-thousand"))
    wanted = parser.parse_args()
    folder: Path = wanted.folder
    found: dict[str, object] = {"datasets": wanted.count}
    with tiny.builders(folder / "builders", wanted.count) as names, EmbeddedHub(folder / "store") as server:
        hub = Hub(server.url, "medimg")
        found["planned, none published"] = measured(names, Hub(server.url, "nobody"), dry_run=True)
        found["published"] = measured(names, hub, workers=wanted.workers)
        found["planned, none changed"] = measured(names, hub, dry_run=True)
        changed = folder / "builders" / f"tiny_{wanted.count // 2}.py"
        changed.write_text(changed.read_text().replace("range(2)", "range(3)"))
        found["one changed"] = measured(names, hub)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
