"""What rows say, counted: names of every kind, sizes and values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from medimg.hub_sync.building.measure import Measures
from medimg.hub_sync.building.sent import sampled
from medimg.rows import Record


@dataclass
class Counts:
    """Of the rows of one config."""

    values: dict[str, Counter[str]] = field(
        default_factory=lambda: {
            name: Counter()
            for name in (
                "modality", "organ", "task", "license", "classes", "uncertain",
                "structures", "boxes", "points", "measures", "texts", "withheld",
            )
        }
    )  # fmt: skip
    measures: Measures = field(default_factory=Measures)

    def add(self, record: Record) -> None:
        """Count one row."""
        self.measures.add(record.values, sampled(record))
        values, label = record.values, record.values["label"]
        named = {entry["value"]: entry["names"] for entry in label["legend"]}
        if label["instances"] and set(named) == {1}:
            present = named[1] if any(record.mask_values) else []
        else:
            present = [name for value in record.mask_values if value for name in named.get(value, [])]
        for key, names in (
            ("modality", [values["modality"]]),
            ("organ", values["organ"]),
            ("task", values["task"]),
            ("license", [values["license"]]),
            ("classes", label["classes"]),
            ("uncertain", label["uncertain"]),
            ("structures", sorted(set(present))),
            ("boxes", [box["name"] for box in label["boxes"]]),
            ("points", [point["name"] for point in label["points"]]),
            ("measures", [measure["name"] for measure in label["measures"]]),
            ("texts", [text["kind"] for text in label["texts"]]),
        ):
            self.values[key].update(names)
