"""How a plan looks on a terminal: one table per phase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from medimg.fusion.plan import Member, Plan


def renderables(plan: Plan) -> Iterator[RenderableType]:
    """The plan, phase by phase."""
    yield _heading("1  Metadata harmonization")
    yield _table(
        ("member", "modality", "organ", "task", "license"),
        [
            (m.key, _list(m.modality), _list(m.organ), _list(m.task), f"{m.license} ({m.publish})")
            for m in plan.members
        ],
    )
    for left in plan.left_out:
        yield Text(f"left out: {left.member}: {left.reason}")
    yield _heading("2  Semantic alignment")
    yield Text(
        "targets: "
        + (", ".join(f"{n} {target}" for n, target in enumerate(plan.targets, 1)) or "all labels as they are")
    )
    if plan.targets:
        yield _table(
            ("member", *plan.targets, "assessed for", "label map"),
            [
                (m.key, *(_kind(one.mask, one.label) for one in m.alignment), _list(m.assessed, 6), _map(m))
                for m in plan.members
            ],
        )
    yield _heading("3  Fusion blueprint")
    yield _table(
        ("asked for", ""),
        [(key, str(value)) for key, value in plan.request.items() if value not in (None, [], "")],
    )
    yield _heading("4  Index")
    yield _table(
        ("member", "split", "in the fused set", "rows", "counted by"),
        [
            (
                m.key,
                split.split,
                split.split_fused,
                "?" if split.rows is None else f"{split.rows:,}",
                split.counted,
            )
            for m in plan.members
            for split in m.splits
        ],
    )
    size = plan.bytes
    more = "at least " if any(m.rows is None for m in plan.members) else ""
    shown = "size not known" if size is None else f"{size / 1e6:,.1f} MB"
    yield Text(f"{len(plan.members)} members, {more}{plan.rows:,} rows, {shown}")
    for shared in plan.overlaps:
        yield Text(
            f"overlap: {shared.first} and {shared.second}: {shared.relation} ({shared.evidence}); {shared.action}"
        )
    terms = plan.license
    carries = f", must carry {terms.share_alike}" if terms.share_alike else ""
    yield Text(f"license of the whole: {terms.publish}, strictest member {terms.strictest}{carries}")
    for reason in terms.reasons:
        yield Text(f"  {reason}")
    for warning in plan.warnings:
        yield Text(f"warning: {warning}")


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*header, box=None, pad_edge=False, header_style="dim")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _list(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" +{len(names) - most}" if len(names) > most else "")


def _kind(mask: str, label: str) -> str:
    shown = [f"{how} ({where})" for how, where in ((mask, "mask"), (label, "label")) if how != "none"]
    return ", ".join(shown) or "no"


def _map(member: Member) -> str:
    values = [f"{value} -> {what}" for value, what in member.label_map.items() if value]
    classes = [f"{label} -> {target}" for label, target in member.class_map.items()]
    return "; ".join([*values[:8], *classes[:8]]) or "per row"
