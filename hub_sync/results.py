"""What a run did with each dataset, who is told of it meanwhile, and the report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from medimg.hub_sync import manifests
from medimg.manifest import Affected, Manifest
from medimg.report import LoadReport

if TYPE_CHECKING:
    from medimg.hub_sync.planning.plan import SyncPlan

SHOWN = 3
"""Reasons that are named in one line."""
Status = Literal["published", "unchanged", "card-only", "blocked", "failed"]


@dataclass(frozen=True)
class Result:
    """What sync did with one dataset.

    Attributes:
        rows: published.
        skipped: reason -> files of the source that are no row.
        withheld: license -> rows that were built but not published, because it does not allow it.
        incomplete: reason -> files whose row lacks something that the source is expected to say.
        manifest: what is published now and may be shown; None where nobody asked for the portal.
    """

    name: str
    status: Status
    reason: str = ""
    commits: int = 0
    rows: int = 0
    uploaded_bytes: int = 0
    seconds: float = 0.0
    publish: str = ""
    address: str = ""
    skipped: Mapping[str, Affected] = field(default_factory=dict)
    withheld: Mapping[str, int] = field(default_factory=dict)
    incomplete: Mapping[str, Affected] = field(default_factory=dict)
    manifest: Manifest | None = field(default=None, repr=False)

    def told(self, manifest: Manifest, report: LoadReport | None = None) -> Result:
        """With what the build of a manifest left out; its own report has names of files that no manifest tells."""
        skipped = manifest.skipped if report is None else manifests.by_reason(report.skipped)
        incomplete = manifest.incomplete if report is None else manifests.by_reason(report.incomplete)
        return replace(self, skipped=skipped, withheld=manifest.withheld, incomplete=incomplete)

    @property
    def left_out(self) -> str:
        """The commonest reasons why files are no row, rows are not published or lack something, in one line."""
        parts = [f"{count:,} rows withheld under {id}" for id, count in self.withheld.items()]
        for reasons, kind in ((self.skipped, "left out"), (self.incomplete, "incomplete")):
            commonest = sorted(reasons.items(), key=lambda one: -one[1].count)
            parts += [
                f"{left.count:,} {kind}: {reason}" + (f" (e.g. {left.examples[0]})" if left.examples else "")
                for reason, left in commonest[:SHOWN]
            ]
            if rest := commonest[SHOWN:]:
                parts.append(f"{sum(left.count for _, left in rest):,} {kind} for {len(rest)} other reasons")
        return "; ".join(parts)

    @property
    def good(self) -> bool:
        """Whether this is no reason for a non-zero exit code."""
        return self.status in ("published", "unchanged", "card-only")


class Watcher:
    """Told about progress; the terminal overrides it."""

    def begin(self, names: Sequence[str]) -> None:
        """The run begins."""

    def start(self, plan: SyncPlan) -> None:
        """A dataset begins."""

    def row(self, name: str, rows: int, size: int) -> None:
        """Rows were built."""

    def note(self, text: str) -> None:
        """Something went on that a reader of a log wants to know, such as a wait."""

    def end(self, result: Result) -> None:
        """A dataset is done."""


def report(results: Iterable[Result], about: Mapping[str, Any] | None = None) -> str:
    """The run as JSON.

    Args:
        about: further facts of the run, before the datasets.
    """
    keys = ("name", "status", "reason", "commits", "rows", "uploaded_bytes", "seconds", "publish", "address")
    listed = [
        {
            **{key: getattr(each, key) for key in keys},
            "skipped": {reason: left.model_dump(mode="json") for reason, left in each.skipped.items()},
            "withheld": dict(each.withheld),
            "incomplete": {reason: left.model_dump(mode="json") for reason, left in each.incomplete.items()},
        }
        for each in results
    ]
    return json.dumps({**(about or {}), "datasets": listed}, indent=1)
