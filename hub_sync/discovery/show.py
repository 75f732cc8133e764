"""What `medimg list` and `medimg show` print of a dataset that has a builder, from the index alone."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from medimg import registry
from medimg.index import IndexEntry
from medimg.text import visible

GAP = "  "
NARROWEST = 12
"""Characters that a folded column has at least."""


def columns(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None, folded: Sequence[str]
) -> Iterator[str]:
    """Lines of a table without rules: rich takes a third of a second for as many cells as there are datasets.

    Args:
        width: characters of a line; None is as wide as it gets.
        folded: columns whose cells may be folded, where the lines would be longer.
    """
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    may_fold = [position for position, name in enumerate(header) if name in folded]
    while width is not None and sum(widths) + len(GAP) * (len(widths) - 1) > width:
        widest = max(may_fold, key=lambda position: widths[position])
        if widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
    for row in [header, *rows]:
        cells = [textwrap.wrap(cell, room) or [""] for cell, room in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            yield GAP.join(part.ljust(room) for part, room in zip(parts, widths, strict=True)).rstrip()


def unlisted() -> str:
    """Which datasets are found although the index does not know them as they are, and what mends that; else empty."""
    new = registry.unlisted()
    if not new:
        return ""
    named = ", ".join(new[:5]) + (f" and {len(new) - 5} more" if len(new) > 5 else "")
    return f"medimg/index.jsonl is older than {named}; `make docs` writes it anew."


DIMENSIONS = {"2d": "2-D", "3d": "3-D", "video": "video"}
MAY_BE = {
    "open": "its data may be published, free to download",
    "gated": "its data may be published for readers who accept its terms first",
    "recipe": "its data may not be published: it is built from your own copy of the original",
}
"""Verdict -> what it lets a Hub hold."""
MAX_LABELS = 40
MAX_ADDRESSES = 5
CODE = "    "
"""Start of a part that is not folded."""


def page(
    entry: IndexEntry, namespace: str, *, published: str | None = None, width: int = 100, bold: bool = False
) -> str:
    """What a declaration says of its dataset, as text.

    Args:
        published: whether and where it is published, where a Hub was asked.
        bold: headings are marked for a terminal.
    """
    said = entry.declared
    sections: list[tuple[str, list[str]]] = [
        (said["title"], [*re.split(r"\n\s*\n", entry.description), *_facts(entry)]),
        ("Who may use it", [*_terms(entry), "The source's own terms win over this summary."]),
        ("Is it published?", [published or _not_asked(entry)]),
        ("How to load it", list(_loading(entry, namespace))),
        ("Sub-collections", _configs(entry)),
        ("Labels", _labels(said)),
        ("Known overlaps", [f"- {each['dataset']}: {each['relation']}" for each in said["overlaps"]]),
        ("Good to know", _notes(said)),
        ("Where it was read", [f"- {fact}: {text}" for fact, text in said["evidence"].items() if text]),
        ("Citation", [_citation(said["citation"])]),
    ]
    return laid_out(sections, width, bold)


def laid_out(sections: Iterable[tuple[str, list[str]]], width: int, bold: bool) -> str:
    """Headings, and their paragraphs, items and code, folded to the width; those without any are passed over."""
    lines: list[str] = []
    for title, parts in sections:
        if parts:
            heading = textwrap.wrap(visible(title), width)
            lines += ["", *(f"\x1b[1m{line}\x1b[0m" if bold else line for line in heading)]
            lines.append("=" * max(map(len, heading)))
        for before, part in zip(["", *parts], parts, strict=False):
            lines += [""] * (not (_is_item(part) and _is_item(before)))
            lines += _laid_out(part, width)
    return "\n".join(lines[1:]) + "\n"


def _is_item(part: str) -> bool:
    return part.startswith("- ")


def _laid_out(part: str, width: int) -> list[str]:
    """A paragraph or item folded to the width; code as it is."""
    shown = [visible(line.replace("\t", " ")) for line in part.split("\n") if line]
    if part.startswith(CODE):
        return shown
    hanging = "  " if _is_item(part) else ""
    return textwrap.wrap(
        " ".join(shown), width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    )


def where(published: Mapping[str, Any]) -> str:
    """Whether and where a Hub has a dataset, in words."""
    address, rows = published["address"], published["rows"]
    if not published["repository"]:
        return f"No: there is nothing at {address}."
    if published["hold"]:
        held = published["hold"]
        return f"{address} was {held.get('kind', 'held')}: {held.get('reason', '')}"
    if not rows:
        return f"{address} says how to build it, and holds no data."
    made = {"miniature": "phantoms, not patients", "official": "from the declared addresses"}
    from_ = made.get(published["origin"], "from a copy of the original")
    return f"Yes: {address} holds {rows:,} rows ({from_}), {published['tag'] or 'not read back yet'}."


def _facts(entry: IndexEntry) -> list[str]:
    said = entry.declared
    counts = [count for config in said["configs"] for count in config["splits"].values()]
    count = sum(counts or said["splits"].values())
    facts = {
        "Name": entry.name,
        "Also known as": ", ".join(said["aliases"]),
        "Images in the source": f"{count:,}" if count else "not said",
        "Splits": ", ".join(said["splits"]),
        "Dimension": DIMENSIONS[said["dimension"]],
        "Modality": ", ".join(said["modality"]),
        "Organ": ", ".join(said["organ"]),
        "Task": ", ".join(said["task"]),
        "Homepage": said["homepage"],
        "Version": said["version"],
    }
    return [f"- {name}: {value}" for name, value in facts.items() if value]


def _terms(entry: IndexEntry) -> list[str]:
    lines = []
    for id_, terms in entry.licenses.items():
        about = [f"{terms['name']} ({id_})" if terms["name"] != id_ else id_]
        if terms["url"]:
            about.append(terms["url"])
        if terms["per_row"]:
            about.append("each row has a license of its own")
        else:
            about += [
                f"{what}: {_allowed(terms[key])}"
                for key, what in (
                    ("redistribute", "pass on copies"),
                    ("adapt", "pass on changed versions"),
                    ("commercial", "commercial use"),
                )
            ]
            about += ["share alike"] * terms["share_alike"] + ["attribution"] * terms["attribution"]
        lines.append(f"- {'; '.join(about)}")
    return lines


def _allowed(value: bool | None) -> str:
    return "not known, ask the source" if value is None else "allowed" if value else "not allowed"


def _not_asked(entry: IndexEntry) -> str:
    return (
        f"The license decides: {entry.publish}, {MAY_BE[entry.publish]}. Whether a Hub has it was not asked: "
        f"`medimg show {entry.name} --hub https://huggingface.co` asks one."
    )


def code(entry: IndexEntry, namespace: str) -> tuple[str, str]:
    """The code that loads a dataset: from a Hub with plain `datasets`, and from an own copy with medimg."""
    said = entry.declared
    config = f", {json.dumps(said['configs'][0]['name'])}" if said["configs"] else ""
    splits: dict[str, int] = said["splits"] or next((each["splits"] for each in said["configs"]), {})
    chosen = f"split={json.dumps(next(iter(splits), 'train'))}, streaming=True)"
    name, own = json.dumps(f"{namespace}/{entry.name}"), json.dumps(entry.name)
    return (
        f"from datasets import load_dataset\nrows = load_dataset({name}{config}, {chosen}",
        f'import medimg\nrows = medimg.load({own}{config}, source="…", {chosen}',
    )


def _loading(entry: IndexEntry, namespace: str) -> Iterator[str]:
    said = entry.declared
    plain, own = (textwrap.indent(each, CODE) for each in code(entry, namespace))
    if entry.publish != "recipe":
        gate = " Accept its terms there and run `hf auth login` first." if entry.publish == "gated" else ""
        yield f"From a Hub that has it, with plain `datasets`:{gate}"
        yield plain
    yield "From your own copy, a folder or the original archives:"
    yield own
    files = any(source["kind"] == "file" for source in said["sources"])
    yield (
        'To try it out, source="miniature" makes phantoms in the layout of the original.'
        + (' source="official" reads the declared addresses.' if files else "")
    )
    if said["how"]:
        yield f"How the original is had: {said['how']}"
    addresses = list(dict.fromkeys(source["url"] for source in said["sources"]))
    yield from (f"- {url}" for url in addresses[:MAX_ADDRESSES])
    if len(addresses) > MAX_ADDRESSES:
        yield f"- and {len(addresses) - MAX_ADDRESSES} more: `medimg show {entry.name} --json`"


def _configs(entry: IndexEntry) -> list[str]:
    return [
        f"- {config['name']}: {config['title']}" + (f" ({config['license']})" if config["license"] else "")
        for config in entry.declared["configs"]
    ]


def _labels(said: Mapping[str, Any]) -> list[str]:
    lines = [f"mask {value}: {', '.join(names) or 'not annotated'}" for value, names in said["legend"].items()]
    lines += [f"{source} → {', '.join(names)}" for source, names in said["labels"].items()]
    more = [f"and {len(lines) - MAX_LABELS} more"] if len(lines) > MAX_LABELS else []
    return [f"- {line}" for line in [*lines[:MAX_LABELS], *more]]


def _notes(said: Mapping[str, Any]) -> list[str]:
    notes = list(said["notes"])
    notes.append(f"Patients: {said['subject']}" if said["subject"] else f"No patient ids: {said['no_subject']}")
    if said["shared_subjects"]:
        notes.append(f"One patient may stand in two splits: {said['shared_subjects']}")
    return [f"- {note}" for note in notes]


def _citation(paper: Mapping[str, Any]) -> str:
    place = f" {paper['venue']}," if paper["venue"] else ""
    link = f" https://doi.org/{paper['doi']}" if paper["doi"] else f" {paper['url']}" if paper["url"] else ""
    return f"{paper['authors']} {paper['title']}.{place} {paper['year']}.{link}"
