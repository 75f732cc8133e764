"""What `medimg search` prints of the datasets it found, and `medimg show` of those that have no builder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from medimg import collections
from medimg.catalogue import Entry
from medimg.catalogue.search import Hit, Hits
from medimg.hub_sync.discovery import show
from medimg.hub_sync.discovery.show import CODE, DIMENSIONS, columns, laid_out
from medimg.text import clean, cut

HEADER = ("name", "title", "modality", "organ", "task", "count", "license", "load")
FOLDED = ("title", "modality", "organ", "task", "license", "load", "why")
LONGEST_CELL = 60
LONGEST_FACT = 600
"""Characters of a cell of the table, and of a fact on a page; what is longer is cut there, and whole in the JSON."""
MOST_TERMS = 4
HOW = {
    "builder": "from the Hub, or your own copy",
    "collection": "streamed from the Commons",
    "own copy only": "your own copy",
    "not yet": "not yet",
}
"""How an entry can be loaded -> what the table says."""


def table(hits: Hits, width: int | None) -> Iterator[str]:
    """Lines: strict matches, then near ones under a heading of their own, with the reason."""
    strict = [hit for hit in hits if not hit.near]
    near = [hit for hit in hits if hit.near]
    if strict:
        yield from columns(HEADER, [_cells(hit.entry) for hit in strict], width, FOLDED)
    if near:
        yield from ([""] if strict else [])
        yield "Near matches" if strict else "Nothing has all of it; near matches"
        rows = [[*_cells(hit.entry), cut(hit.why, LONGEST_CELL)] for hit in near]
        yield from columns((*HEADER, "why"), rows, width, FOLDED)
    yield from ["", _told(hits, len(strict), len(near))]


def _told(hits: Hits, strict: int, near: int) -> str:
    shown = f"{strict} of {hits.strict} matches" if strict < hits.strict else f"{strict} matches"
    if hits.near:
        shown += f", {near} of {hits.near} near" if near < hits.near else f", {near} near"
    more = "; --limit shows more" if len(hits) < hits.strict + hits.near else ""
    return f"{shown}{more}; `medimg show NAME` tells the rest"


def _cells(entry: Entry) -> list[str]:
    return [
        cut(entry.id, LONGEST_CELL),
        cut(entry.name, LONGEST_CELL),
        *(_few(getattr(entry, kind)) for kind in ("modality", "organ", "task")),
        count(entry) or "?",
        cut(license_of(entry), LONGEST_CELL),
        HOW[entry.loadable],
    ]


def _few(terms: Sequence[str]) -> str:
    more = f" and {len(terms) - MOST_TERMS} more" if len(terms) > MOST_TERMS else ""
    return cut(", ".join(terms[:MOST_TERMS]), LONGEST_CELL) + more


def count(entry: Entry) -> str:
    """How many images, with the unit; empty where nobody says."""
    return f"{entry.count:,} {entry.unit}" if entry.count is not None else ""


def license_of(entry: Entry) -> str:
    """The license with its verdict, or whose word it is where the source does not state it."""
    if entry.license is None:
        return "not stated"
    if entry.license_by != "source":
        return f"{entry.license} (a {entry.license_by} says so, not verified)"
    return f"{entry.license} ({entry.verdict})"


def as_dict(hit: Hit, namespace: str) -> dict[str, Any]:
    """A hit as JSON has it: entry, points, reason, whether its license is verified, and the code that loads it."""
    entry = hit.entry
    return {
        **hit.to_dict(),
        "license_verified": entry.license_by == "source",
        "load": snippet(entry, namespace)["code"],
    }


def snippet(entry: Entry, namespace: str) -> dict[str, str | None]:
    """The code that loads a dataset, and how to come by it; or why it cannot be had.

    Returns:
        `code` with plain `datasets` where the license lets it be published (None where not), `own_copy` with medimg
        (None where there is no builder), `how` in words.
    """
    if entry.loadable == "not yet":
        where = ", ".join(clean(link) for link in entry.links[:3])
        held = f" The data is at {where}." if where else ""
        return {"code": None, "own_copy": None, "how": f"Nobody has written a builder for it yet.{held}"}
    if entry.loadable == "collection":
        name = json.dumps(entry.id)
        code = f'import medimg\nrows = medimg.load({name}, source="official", split="train", streaming=True)'
        prefix = entry.id.partition("/")[0]
        title = collections.SOURCES[prefix].title
        how = f'It is streamed from the {title}. It needs the extra `{prefix}`: pip install "medimg[{prefix}]".'
        return {"code": code, "own_copy": None, "how": how}
    from medimg import registry

    declared = registry.entry(entry.id)
    said, (code, own) = declared.declared, show.code(declared, namespace)
    copy = said["how"] or f"The original is at {said['homepage']}."
    if entry.loadable == "own copy only":
        return {
            "code": None,
            "own_copy": own,
            "how": f"Its license lets nothing be published: pass your own copy as `source`. {copy}",
        }
    gate = " Its terms are accepted there first." if entry.verdict == "gated" else ""
    how = f"From a Hub that has it (set HF_ENDPOINT for another than huggingface.co), or from your own copy.{gate}"
    return {"code": code, "own_copy": own, "how": f"{how} {copy}"}


def page(entry: Entry, namespace: str, *, width: int = 100, bold: bool = False) -> str:
    """What the catalogue says of a dataset, as text.

    Args:
        bold: headings are marked for a terminal.
    """
    loaded = snippet(entry, namespace)
    facts = {
        "Name": entry.id,
        "Also known as": ", ".join(entry.aliases),
        "Made by": entry.organization or "",
        "Year": str(entry.year or ""),
        "Modality": ", ".join(entry.modality),
        "Organ": ", ".join(entry.organ),
        "Task": ", ".join(entry.task),
        "Structures": ", ".join(entry.structures),
        "Dimension": ", ".join(DIMENSIONS[each] for each in entry.dimension),
        "Size": count(entry),
        "Subjects": f"{entry.subjects:,}" if entry.subjects is not None else "",
        "Bytes": f"{entry.bytes:,}" if entry.bytes is not None else "",
    }
    code = [CODE + line for line in (loaded["code"] or "").split("\n") if line]
    use = f"- {license_of(entry)}"
    if entry.license_by != "source":
        use += ": ask the source before you use it"
    sections = [
        (entry.name, [f"- {name}: {cut(value, LONGEST_FACT)}" for name, value in facts.items() if value]),
        ("Who may use it", [use, *([f"- Access: {entry.access}"] if entry.access else [])]),
        ("How to load it", [loaded["how"] or "", *(["\n".join(code)] if code else [])]),
        (
            "Where it is",
            [f"- {cut(each, LONGEST_FACT)}" for each in (entry.where or "", *entry.links) if each],
        ),
        (
            "Known overlaps",
            [f"- {cut(each.dataset, LONGEST_FACT)}: {each.relation}" for each in entry.overlaps],
        ),
        ("Where it was read", [f"- {_stated(each.by, each.rows, each.fields)}" for each in entry.stated]),
    ]
    return laid_out([(cut(title, LONGEST_FACT), parts) for title, parts in sections], width, bold)


def _stated(by: str, rows: Sequence[int], fields: Sequence[str]) -> str:
    lines = f", line {', '.join(map(str, rows))}" if rows else ""
    return cut(f"{by}{lines}: {', '.join(fields)}", LONGEST_FACT)
