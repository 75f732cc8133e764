"""Generated tables of the docs. `python -m medimg.hub_sync.tables [--check]`, from the root of a clone."""

from __future__ import annotations

import sys
from pathlib import Path

from medimg import registry
from medimg.declaration import Dataset

TARGET = Path("docs/datasets.md")
HEAD = """# Datasets

Generated from the declarations by `make docs`; do not edit. *publish* follows from the license: **open**, **gated**
(terms to accept) or **recipe** (a card, no data: build it from your own copy). *not verified* names the groups of facts
that nobody has looked up yet; the evidence of the others is on each card (`medimg show <name>`).

"""


def datasets_table() -> str:
    """docs/datasets.md."""
    columns = (
        "name",
        "title",
        "modality",
        "organ",
        "task",
        "dimension",
        "images",
        "license",
        "publish",
        "not verified",
    )
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for builder in registry.builders():
        lines.append(f"| {' | '.join(_cells(builder.dataset))} |")
    return HEAD + "\n".join(lines) + "\n"


def _cells(dataset: Dataset) -> list[str]:
    configs = [dataset.config(name) for name in dataset.config_names]
    count = sum(sum(config.splits.values()) for config in configs)
    title = f"[{dataset.title}]({dataset.homepage})"
    if dataset.configs:
        title += f" ({len(dataset.configs)} sub-collections)"
    return [
        f"`{dataset.name}`",
        title,
        ", ".join(dataset.modality),
        ", ".join(dataset.organ),
        ", ".join(dataset.task),
        dataset.dimension,
        f"{count:,}" if count else "",
        dataset.license,
        dataset.publish.value,
        ", ".join(dataset.evidence.unverified),
    ]


def main(arguments: list[str]) -> int:
    """Write the tables, or compare with `--check`; returns the exit code."""
    text = datasets_table()
    if "--check" not in arguments:
        TARGET.write_text(text, "utf-8")
        return 0
    if not TARGET.exists() or TARGET.read_text("utf-8") != text:
        print(f"{TARGET} is not what the declarations say; run `make docs`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
