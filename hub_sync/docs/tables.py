"""What is generated from the code: tables of the docs, the reference, and what lists and finds datasets.

`python -m medimg.hub_sync.docs.tables [--check]`, from the root of a clone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from medimg import index, registry
from medimg.catalogue import words
from medimg.declaration import Dataset
from medimg.hub_sync.docs.reference import reference

HEAD = """# Datasets

Generated from the declarations by `make docs`; do not edit. *publish* follows from the license: **open**, **gated**
(terms to accept) or **recipe** (a card, no data: build it from your own copy). *not verified* names the groups of facts
that nobody has looked up yet; the evidence of the others is on each card (`medimg show <name>`).

"""


EVIDENCE_HEAD = """# Evidence

Generated from the declarations by `make docs`; do not edit. Where each fact was read: an address, or
repository:path@commit. "unverified" marks what nobody has looked up yet.

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


def evidence_table() -> str:
    """docs/evidence.md."""
    facts = ("layout", "labels", "license", "subject")
    lines = [f"| dataset | {' | '.join(facts)} |", "|---|" + "---|" * len(facts)]
    for builder in registry.builders():
        evidence = builder.dataset.evidence
        shown = [getattr(evidence, fact).replace("|", "\\|").replace("\n", " ") for fact in facts]
        lines.append(f"| `{builder.name}` | {' | '.join(shown)} |")
    return EVIDENCE_HEAD + "\n".join(lines) + "\n"


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


def index_lines() -> str:
    """medimg/index.jsonl."""
    return index.text(registry.entry_of(builder) for builder in registry.builders())


INDEX = Path("medimg/index.jsonl")
WORDS = Path("medimg/catalogue/words.jsonl")
PAGES: Mapping[Path, Callable[[], str]] = {
    Path("docs/datasets.md"): datasets_table,
    Path("docs/evidence.md"): evidence_table,
    Path("docs/reference.md"): reference,
    INDEX: index_lines,
    WORDS: words.text,
}


def stale(root: Path = Path()) -> list[Path]:
    """Files that do not say what the declarations say.

    A line of the index whose mark alone is old says the truth, and costs its reader an import: it is not stale.
    """
    found = []
    for path, text in PAGES.items():
        old = (root / path).read_text("utf-8") if (root / path).exists() else ""
        new = text()
        if old != new and (path != INDEX or index.facts(old) != index.facts(new)):
            found.append(path)
    return found


def main(arguments: list[str]) -> int:
    """Write the pages, or compare with `--check`; returns the exit code."""
    if "--check" not in arguments:
        for path, text in PAGES.items():
            path.write_text(text(), "utf-8")
        return 0
    wrong = stale()
    for path in wrong:
        print(f"{path} is not what the code says; run `make docs`.", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
