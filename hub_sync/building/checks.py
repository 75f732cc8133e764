"""What is looked at across rows; errors inside one row are raised by `medimg.rows` already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from medimg import privacy
from medimg.declaration import Dataset
from medimg.hub_sync.manifests import EXAMPLES, by_reason
from medimg.manifest import Finding
from medimg.report import UNCOVERED, LoadReport
from medimg.rows import Record


class RowChecks:
    """Told of every row of a build, it knows afterwards what is odd about them together."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._split_of: dict[tuple[str, str], str] = {}
        self._crossing: dict[str, tuple[str, str]] = {}
        self._by_content: dict[tuple[str, int], str] = {}
        self._twins: list[tuple[str, str]] = []
        self._identifying: Counter[str] = Counter()
        self._identified: list[str] = []

    def row(self, record: Record) -> None:
        """Look at one row."""
        names = privacy.identifying(record.values["meta"]) | privacy.identifying(record.values["label"]["source"])
        if names:
            self._identifying.update(names)
            self._identified.append(record.values["id"])
        subject = record.values["subject"]
        if subject is not None:
            first = self._split_of.setdefault((record.config, subject), record.split)
            if first != record.split:
                self._crossing.setdefault(subject, (first, record.split))
        content = (record.config, int(record.values["content"][:16], 16))
        twin = self._by_content.setdefault(content, record.values["id"])
        if twin != record.values["id"]:
            self._twins.append((twin, record.values["id"]))

    def findings(self, rows: Mapping[tuple[str, str], int], report: LoadReport) -> tuple[Finding, ...]:
        """What was seen, most serious first.

        Args:
            rows: found per (config, split), published or withheld.
            report: of the pass over the source.
        """
        return tuple(self._all(rows, report))

    def _all(self, rows: Mapping[tuple[str, str], int], report: LoadReport) -> Iterator[Finding]:
        dataset = self._dataset
        if self._identified:
            under = ", ".join(f"{name} ({count})" for name, count in sorted(self._identifying.items())[:EXAMPLES])
            yield Finding(
                level="error",
                check="identifiers",
                message=f"rows carry what identifies a person: {under}; the builder has to leave it out",
                count=len(self._identified),
                examples=tuple(self._identified[:EXAMPLES]),
            )
        if self._crossing:
            examples = tuple(f"{subject}: {a} and {b}" for subject, (a, b) in list(self._crossing.items())[:EXAMPLES])
            reason = dataset.shared_subjects
            yield Finding(
                level="note" if reason else "error",
                check="subjects",
                message="the same subjects are in more than one split" + (f": {reason}" if reason else ""),
                count=len(self._crossing),
                examples=examples,
            )
        if self._twins:
            yield Finding(
                level="warning",
                check="duplicates",
                message="rows hold exactly the same pixels",
                count=len(self._twins),
                examples=tuple(f"{a} = {b}" for a, b in self._twins[:EXAMPLES]),
            )
        bare = [name for name in dataset.config_names if not _found(rows, name)]
        if bare and len(dataset.config_names) > 1:
            yield Finding(
                level="warning",
                check="sub-collections",
                message="the source holds no row of these sub-collections",
                count=len(bare),
                examples=tuple(bare),
            )
        for text, left in by_reason(report.incomplete).items():
            yield Finding(
                level="warning",
                check="incomplete",
                message=f"rows came without something: {text}",
                count=left.count,
                examples=left.examples,
            )
        if lost := report.skipped.get(UNCOVERED):
            yield Finding(
                level="warning",
                check="unread files",
                message="pixel files of the source are neither part of a row nor skipped by the builder",
                count=lost.count,
                examples=tuple(lost.examples),
            )
        if report.skipped:
            yield Finding(
                level="note",
                check="skipped files",
                message="files were left out, each with its reason",
                count=report.left_out,
            )
        for name in dataset.config_names:
            for split, declared in dataset.config(name).splits.items():
                found = rows.get((name, split), 0)
                if declared and found != declared:
                    yield Finding(
                        level="note",
                        check="counts",
                        message=f"{split if name == 'default' else f'{name} {split}'}: {found} of {declared} images",
                        count=declared - found if declared > found else found - declared,
                    )


def _found(rows: Mapping[tuple[str, str], int], config: str) -> int:
    return sum(count for (name, _), count in rows.items() if name == config)
