"""How a plan looks on a terminal: one table per phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType


def renderables(told: Mapping[str, Any]) -> Iterator[RenderableType]:
    """The plan, phase by phase.

    Args:
        told: what `Plan.to_dict` gives.
    """
    yield from _members(**told["metadata_harmonization"])
    yield from _alignment(**told["semantic_alignment"])
    yield _heading("3  Fusion blueprint")
    yield _table(
        ("asked for", ""),
        [(key, str(value)) for key, value in told["blueprint"].items() if value not in (None, [], "")],
    )
    yield from _index(**told["index"])
    for warning in told["warnings"]:
        yield Text(f"warning: {warning}")


def _members(members: Mapping[str, Any], left_out: Sequence[Any]) -> Iterator[RenderableType]:
    yield _heading("1  Metadata harmonization")
    yield _table(
        ("member", "modality", "organ", "task", "license"),
        [
            (
                key,
                *(_list(each[kind]) for kind in ("modality", "organ", "task")),
                f"{each['license']} ({each['publish']})",
            )
            for key, each in members.items()
        ],
    )
    for left in left_out:
        yield Text(f"left out: {left['member']}: {left['reason']}")


def _alignment(
    targets: Mapping[str, str], measures: Sequence[str], members: Mapping[str, Any]
) -> Iterator[RenderableType]:
    yield _heading("2  Semantic alignment")
    names = ", ".join(f"{n} {target}" for n, target in targets.items())
    yield Text(f"targets: {names or 'all labels as they are'}")
    if targets:
        yield _table(
            ("member", *targets.values(), "assessed for", "label map"),
            [
                (key, *map(_kind, each["alignment"]), _list(each["assessed"], 6), _map(each))
                for key, each in members.items()
            ],
        )


def _index(
    rows: int,
    bytes: int | None,
    members: Mapping[str, Any],
    overlaps: Sequence[Any],
    license: Mapping[str, Any],
) -> Iterator[RenderableType]:
    yield _heading("4  Index")
    lines = [(key, split) for key, each in members.items() for split in each["splits"]]
    yield _table(
        ("member", "split", "in the fused set", "rows", "counted by"),
        [
            (
                key,
                split["split"],
                split["split_fused"],
                "?" if split["rows"] is None else f"{split['rows']:,}",
                split["counted"],
            )
            for key, split in lines
        ],
    )
    more = "at least " if any(split["rows"] is None for _, split in lines) else ""
    size = "size not known" if bytes is None else f"{bytes / 1e6:,.1f} MB"
    yield Text(f"{len(members)} members, {more}{rows:,} rows, {size}")
    for each in overlaps:
        yield Text("overlap: {first} and {second}: {relation} ({evidence}); {action}".format_map(each))
    carries = f", must carry {license['share_alike']}" if license["share_alike"] else ""
    yield Text(f"license of the whole: {license['publish']}, strictest member {license['strictest']}{carries}")
    for reason in license["reasons"]:
        yield Text(f"  {reason}")


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*header, box=None, pad_edge=False, header_style="dim")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _list(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" +{len(names) - most}" if len(names) > most else "")


def _kind(alignment: Mapping[str, str]) -> str:
    shown = [f"{alignment[where]} ({where})" for where in ("mask", "label") if alignment[where] != "none"]
    return ", ".join(shown) or "no"


def _map(member: Mapping[str, Any]) -> str:
    values = [f"{value} -> {what}" for value, what in member["label_map"].items() if value != "0"]
    classes = [f"{label} -> {target}" for label, target in member["class_map"].items()]
    return "; ".join([*values[:8], *classes[:8]]) or "per row"
