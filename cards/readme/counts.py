"""Parts of a dataset's card that count what is published, as its manifest says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from medimg import layout, licenses
from medimg.cards.readme.declared import named
from medimg.cards.readme.markdown import MAX_ROWS, code, escape, link, quantity, table
from medimg.declaration import Dataset
from medimg.manifest import Affected, ConfigStats, Finding, Manifest, counted
from medimg.text import size_text

MAX_EXAMPLES = 3


def context(dataset: Dataset, manifest: Manifest | None) -> dict[str, object]:
    """What the template shows of the manifest; nothing of a recipe, which has none."""
    multi = layout.is_multi(dataset)
    built = manifest.configs if manifest is not None else ()
    configs = [config for config in built if config.rows]
    skipped = manifest.skipped if manifest is not None else {}
    unpublished = sum(split.withheld for config in built for split in config.splits.values())
    return {
        "splits": _split_rows(dataset, configs, multi=multi),
        "counts": _counts(configs),
        "measured": _measured(configs, multi=multi),
        "row_licenses": _license_rows(configs),
        "findings": _findings(manifest.findings if manifest is not None else ()),
        "skipped": _left_out(skipped),
        "skipped_count": quantity(sum(left.count for left in skipped.values()), "file"),
        "withheld": quantity(unpublished, "row") if unpublished else "",
        "withheld_by": withheld(manifest),
    }


def _split_rows(dataset: Dataset, configs: Sequence[ConfigStats], *, multi: bool) -> Markup | None:
    if not configs:
        return None
    rows = []
    for config in configs:
        official = dataset.config(config.name).splits
        for split, stats in config.splits.items():
            said = official.get(split, 0)
            row: list[object] = [code(config.name)] if multi else []
            row += [code(split), f"{stats.rows:,}", f"{said:,}" if said else "–", f"{stats.subjects:,}"]
            row += [len(stats.shards), size_text(stats.bytes)]
            row += [f"{stats.withheld:,}" if stats.withheld else "–"]
            rows.append(row)
    headers = ["split", "rows", "the source says", "subjects", "files", "size", "withheld"]
    return table((["sub-collection"] if multi else []) + headers, rows)


def _counts(configs: Sequence[ConfigStats]) -> list[tuple[str, Markup]]:
    """(heading, table) of every count that says more than that all rows are alike."""
    kinds = {
        "modality": ("Modality", "rows"),
        "organ": ("Organ", "rows"),
        "task": ("Task", "rows"),
        "classes": ("Classes", "rows"),
        "uncertain": ("Marked uncertain", "rows"),
        "structures": ("Structures in masks", "rows"),
        "boxes": ("Boxes", "boxes"),
        "points": ("Points", "points"),
        "measures": ("Measures", "values"),
        "texts": ("Texts", "texts"),
    }
    found = []
    for kind, (heading, unit) in kinds.items():
        if counts := counted(configs, kind):
            coded = kind in ("classes", "uncertain", "structures", "boxes", "points")
            whole = sum(config.rows for config in configs) if unit == "rows" else sum(counts.values())
            rows = [
                (named([name]) if coded else escape(name), f"{count:,}", _share(count, whole))
                for name, count in counts.items()
            ]
            found.append((heading, table([heading.lower(), unit, "share"], rows, limit=MAX_ROWS)))
    return found


def _share(count: int, whole: int) -> str:
    """How much of the whole that is, e.g. "12 %"; a few of very many are not nothing."""
    share = 100 * count / whole if whole else 0.0
    return "under 0.1 %" if 0 < share < 0.1 else f"{share:.1f} %" if share < 10 else f"{share:.0f} %"


def _measured(configs: Sequence[ConfigStats], *, multi: bool) -> Markup | None:
    """Sizes, spacings and values of the images, from the smallest to the largest."""
    axes = {"2d": ("height", "width"), "3d": ("i", "j", "k", "t"), "video": ("frames", "height", "width")}
    rows: list[list[object]] = []
    for config in configs:
        found = config.measured
        if found is None:
            continue
        own: list[object] = [code(config.name)] if multi else []
        names = axes[config.dimension]
        unit = "voxels" if config.dimension == "3d" else "pixels"
        for name, spread in zip(names, found.size, strict=False):
            along = "frames" if name == "frames" else f"{unit} along {name}"
            rows.append([*own, along, *map(_number, (spread.smallest, spread.median, spread.largest))])
        for name, spread in zip(names, found.spacing, strict=False):
            rows.append([*own, f"mm along {name}", *map(_number, (spread.smallest, spread.median, spread.largest))])
        if found.unsized:
            rows.append([*own, f"{quantity(found.unsized, 'row')} without a spacing", "", "", ""])
        if found.lowest is not None and found.highest is not None and found.mean is not None:
            middle = f"{_number(found.mean)} ± {_number(found.deviation or 0.0)} (mean)"
            rows.append([*own, "values", _number(found.lowest), middle, _number(found.highest)])
        if found.types:
            stored = ", ".join(f"{name}: {count:,}" for name, count in found.types.items())
            rows.append([*own, f"stored as ({stored})", "", "", ""])
    headers = ["measure", "smallest", "median", "largest"]
    return table((["sub-collection"] if multi else []) + headers, rows) if rows else None


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def _license_rows(configs: Sequence[ConfigStats]) -> Markup | None:
    rows = [
        (_license_link(id_), f"{count:,}", licenses.get(id_).publish.value)
        for id_, count in counted(configs, "license").items()
    ]
    return table(["license", "rows", "published as"], rows) if len(rows) > 1 else None


def _findings(findings: Sequence[Finding]) -> Markup | None:
    order = {"error": 0, "warning": 1, "note": 2}
    rows = [
        (
            each.level,
            each.check,
            each.message,
            f"{each.count:,}",
            Markup(", ").join(code(example) for example in each.examples[:MAX_EXAMPLES]),
        )
        for each in sorted(findings, key=lambda each: (order[each.level], each.check, each.message))
    ]
    return table(["level", "check", "finding", "count", "examples"], rows, limit=MAX_ROWS) if rows else None


def _left_out(reasons: Mapping[str, Affected]) -> Markup | None:
    """Files by reason, the commonest first."""
    rows = [
        (reason, f"{left.count:,}", Markup(", ").join(code(path) for path in left.examples[:MAX_EXAMPLES]))
        for reason, left in sorted(reasons.items(), key=lambda item: (-item[1].count, item[0]))
    ]
    return table(["reason", "files", "such as"], rows, limit=MAX_ROWS) if rows else None


def withheld(manifest: Manifest | None) -> Markup | None:
    """Rows that were built but not published, by license."""
    rows = sorted((manifest.withheld if manifest is not None else {}).items(), key=lambda one: (-one[1], one[0]))
    if not rows:
        return None
    return table(["license", "rows"], [(_license_link(id_), f"{count:,}") for id_, count in rows])


def _license_link(id_: str) -> Markup:
    """A license by its name; by its id where the table does not know it any more."""
    if id_ not in licenses.known():
        return code(id_)
    license = licenses.get(id_)
    return link(license.name, license.url)
