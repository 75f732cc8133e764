"""What a pass over a source made of it, and what it left out: counts by reason, with a few examples of each."""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 5
"""Paths that are kept for each reason."""
MAX_REASONS = 1000
"""Different reasons that are kept apart; what comes later is counted under `OTHER`."""
OTHER = "other reasons"
UNCOVERED = "no rule of this builder covers it"
"""Of a pixel file that is neither part of a row nor skipped by the builder; always kept apart."""
SHOWN = 3


class MedimgWarning(UserWarning):
    """Something was left out or is missing; the result's `report` has the details."""


@dataclass
class Reason:
    """How often one reason was given, and the first few paths."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, path: str, count: int = 1) -> None:
        """Count one more file, or several."""
        self.count += count
        if len(self.examples) < EXAMPLES and path not in self.examples:
            self.examples.append(path)


@dataclass
class LoadReport:
    """Filled while the rows are read; complete once they have all been.

    Attributes:
        dataset, config: what was asked for; `config` is empty for all sub-collections.
        rows: split -> rows that were given.
        elsewhere: (sub-collection, split) -> rows of the source that were not asked for.
        skipped: reason -> files that are no row.
        incomplete: reason -> files whose row came without something that the source is expected to say.
        private: keys and places in files of what rows must not tell (see `medimg.privacy`) -> rows; never a value.
        finished: whether the source was read to its end.
    """

    dataset: str
    config: str = ""
    rows: Counter[str] = field(default_factory=Counter)
    elsewhere: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped: dict[str, Reason] = field(default_factory=dict)
    incomplete: dict[str, Reason] = field(default_factory=dict)
    private: Counter[str] = field(default_factory=Counter)
    finished: bool = False
    told: bool = False
    """Whether `warn` has spoken: once a load, however often it is iterated."""

    def __deepcopy__(self, memo: object) -> LoadReport:
        """`datasets` copies a stream to join or shuffle it: the copy reports to the same place."""
        return self

    def restart(self) -> None:
        """Forget an earlier pass."""
        for held in (self.rows, self.elsewhere, self.skipped, self.incomplete, self.private):
            held.clear()
        self.finished = False

    def skip(self, path: str, reason: str) -> None:
        """A file that is no row."""
        _add(self.skipped, path, reason)

    def lack(self, path: str, reason: str) -> None:
        """A file whose row lacks something."""
        _add(self.incomplete, path, reason)

    @property
    def left_out(self) -> int:
        """Files that are no row."""
        return sum(reason.count for reason in self.skipped.values())

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.skipped or self.incomplete)

    def reasons(self, most: int = SHOWN) -> str:
        """The commonest reasons in one line."""
        parts = list(_lines(self.skipped, most, "left out")) + list(_lines(self.incomplete, most, "incomplete"))
        return "; ".join(parts)

    def __str__(self) -> str:
        name = f"{self.dataset}/{self.config}" if self.config not in ("", "default") else self.dataset
        rows = ", ".join(f"{split} {count:,}" for split, count in self.rows.items()) or "none"
        lines = [f"{name}: rows: {rows}"]
        lines += [f"  {line}" for line in _lines(self.skipped, MAX_REASONS + 1, "left out")]
        lines += [f"  {line}" for line in _lines(self.incomplete, MAX_REASONS + 1, "incomplete")]
        lines += [f"  {count:,} rows do not tell: {key}" for key, count in self.private.most_common(MAX_REASONS)]
        return "\n".join(lines)

    def warn(self) -> None:
        """Tell once, as a `MedimgWarning`, what was left out; nothing where all came."""
        if self.told or not self:
            return
        self.told = True
        warnings.warn(
            f"{self.dataset}: {sum(self.rows.values()):,} rows; {self.reasons()}. "
            "The report of the result has every reason with examples.",
            MedimgWarning,
            stacklevel=1,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, strings and numbers."""
        elsewhere = [[config, split, count] for (config, split), count in self.elsewhere.items()]
        plain = {"rows": dict(self.rows), "elsewhere": elsewhere, "private": dict(self.private)}
        return {**dataclasses.asdict(self), **plain}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> LoadReport:
        """The other way round."""
        held = {
            kind: {text: Reason(**reason) for text, reason in value[kind].items()} for kind in ("skipped", "incomplete")
        }
        elsewhere = Counter({(config, split): count for config, split, count in value["elsewhere"]})
        counted = {"rows": Counter(value["rows"]), "private": Counter(value.get("private", {}))}
        return cls(**{**value, **held, **counted, "elsewhere": elsewhere})


def _add(held: dict[str, Reason], path: str, reason: str) -> None:
    if reason not in held and reason != UNCOVERED and len(held) >= MAX_REASONS:
        reason = OTHER
    held.setdefault(reason, Reason()).add(path)


def _lines(held: dict[str, Reason], most: int, kind: str) -> Iterator[str]:
    commonest = sorted(held.items(), key=lambda one: -one[1].count)
    for text, reason in commonest[:most]:
        shown = reason.examples[0] if reason.examples else ""
        yield f"{reason.count:,} {kind}: {text}" + (f" (e.g. {shown})" if shown else "")
    if rest := commonest[most:]:
        yield f"{sum(reason.count for _, reason in rest):,} {kind} for {len(rest)} other reasons"
