"""The card of a fused repository: what it is made of, under which terms, in which label space, and how to make it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]
from markupsafe import Markup

from medimg import layout, licenses
from medimg.cards.readme.citation import bibtex, citation
from medimg.cards.readme.markdown import (
    MAX_ROWS,
    SHAPES,
    allowed,
    code,
    escape,
    facts,
    folded,
    link,
    prose,
    table,
)
from medimg.cards.readme.metadata import fused_card_data, fused_globs
from medimg.cards.readme.page import readme
from medimg.fusion import blueprint
from medimg.fusion.request import Request
from medimg.licenses import Verdict
from medimg.text import size_text

if TYPE_CHECKING:
    from datasets import Features

    from medimg.declaration import Dataset
    from medimg.fused_manifest import Duplicates, FusedManifest

SOURCE = "<root with the originals>"


def render(
    manifest: FusedManifest,
    datasets: Mapping[str, Dataset],
    features: Mapping[str, Features],
    *,
    repo: str,
    previous: str | None = None,
) -> str:
    """README.md of a fused repository.

    Args:
        manifest: what is published.
        datasets: declarations of the members, by name.
        features: stored features of each Hub config.
        repo: `<namespace>/<name>`.
        previous: the published card, whose hand-written block is kept.

    Raises:
        MedimgError: the hand-written block of `previous` lacks a marker.
    """
    validate_repo_id(repo)
    return readme("fused.md.j2", _context(manifest, datasets, repo), fused_card_data(manifest, features), previous)


def _aligned(manifest: FusedManifest) -> dict[str, dict[str, Any]]:
    """Member -> what it says of the targets."""
    found: dict[str, dict[str, Any]] = manifest.plan["semantic_alignment"]["members"]
    return found


def _context(manifest: FusedManifest, datasets: Mapping[str, Dataset], repo: str) -> dict[str, Any]:
    splits = fused_globs(manifest)[layout.DEFAULT]
    labelled = bool(manifest.targets)
    return {
        "title": manifest.title,
        "manifest": manifest,
        "miniature": manifest.origin == "miniature",
        "sheet": layout.CONTACT_SHEET_PATH in manifest.assets,
        "verbatim": manifest.mode == "verbatim",
        "overview": _overview(manifest),
        "composition": _composition(manifest, datasets),
        "withheld": sum(member.withheld for member in manifest.members),
        "space": _space(manifest) if labelled else None,
        "encoding": manifest.plan["blueprint"]["encoding"],
        "alignment": _alignment(manifest) if labelled else None,
        "maps": _maps(manifest) if labelled else None,
        "terms": _terms(manifest),
        "reasons": [prose(reason) for reason in manifest.terms.reasons],
        "gated": manifest.terms.publish is Verdict.GATED,
        "duplicates": manifest.duplicates,
        "dropped": _dropped(manifest.duplicates),
        "repo": repo,
        "split": next(iter(splits)),
        "member_config": next(iter(manifest.configs)),
        "call": Markup(call(manifest)),
        "warnings": [prose(warning) for warning in manifest.plan["warnings"]],
        "citations": _citations(datasets),
    }


def _citations(datasets: Mapping[str, Dataset]) -> Markup:
    """Every member's citation, in words and for BibTeX."""
    lines = [f"- {code(name)}: {citation(dataset.citation)}" for name, dataset in datasets.items()]
    entries = "\n\n".join(bibtex(dataset) for dataset in datasets.values())
    words = Markup("\n".join(lines))
    return folded(words + Markup(f"\n\n```bibtex\n{entries}\n```"), len(datasets), "citations")


def _overview(manifest: FusedManifest) -> Markup:
    stored = sum(stats.bytes for splits in manifest.configs.values() for stats in splits.values())
    strictest = licenses.get(manifest.terms.strictest)
    rows: list[tuple[str, object]] = [
        ("Members", f"{len(manifest.members)}"),
        ("Rows", f"{manifest.rows:,}"),
        ("Size", size_text(stored)),
        ("Dimension", SHAPES[manifest.dimension]),
    ]
    rows += [(kind.capitalize(), ", ".join(manifest.every(kind))) for kind in ("modality", "organ", "task")]
    if manifest.targets:
        rows.append(("Targets", ", ".join(manifest.targets)))
    rows += [
        ("Strictest license", link(strictest.name, strictest.url)),
        ("Published as", manifest.terms.publish.value),
    ]
    return facts(rows)


def _composition(manifest: FusedManifest, datasets: Mapping[str, Dataset]) -> Markup:
    splits = list(fused_globs(manifest)[layout.DEFAULT])
    assessed = _aligned(manifest)
    rows: list[list[object]] = []
    for member in manifest.members:
        license = licenses.get(member.license)
        read = f"{member.repo}@{member.revision[:12]}" if member.repo and member.revision else member.origin
        names = assessed[member.key]["assessed"]
        shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        rows.append(
            [
                Markup("{} ({})").format(code(member.key), link("homepage", datasets[member.name].homepage)),
                link(license.id, license.url),
                f"{sum(member.rows.values()):,}",
                *(f"{member.rows.get(split, 0):,}" for split in splits),
                shown,
                code(read),
            ]
        )
    header = ["member", "license", "rows", *map(str, map(escape, splits)), "assessed for", "read from"]
    return table(header, rows, limit=MAX_ROWS)


def _space(manifest: FusedManifest) -> Markup:
    targets = manifest.targets
    if manifest.plan["blueprint"]["encoding"] == "channels":
        rows = [(str(number), target) for number, target in enumerate(targets)]
        return table(["map", "target (0 no, 1 yes, 255 not known)"], rows)
    values = [("0", "background"), *((str(n), target) for n, target in enumerate(targets, 1))]
    return table(["value", "meaning"], [*values, ("255", "ignore: nobody looked for what could be here")])


def _alignment(manifest: FusedManifest) -> Markup:
    rows = []
    for key, member in _aligned(manifest).items():
        words = []
        for one in member["alignment"]:
            best = [f"{one[how]} ({how})" for how in ("mask", "label") if one[how] != "none"]
            words.append(", ".join(best) or "not assessed")
        rows.append([code(key), *words])
    return table(["member", *map(str, map(escape, manifest.targets))], rows, limit=MAX_ROWS)


def _maps(manifest: FusedManifest) -> Markup | None:
    rows = [
        (code(key), code(value), what)
        for key, member in _aligned(manifest).items()
        for value, what in (*member["label_map"].items(), *member["class_map"].items())
    ]
    return table(["member", "value or label there", "here"], rows, limit=MAX_ROWS) if rows else None


def _terms(manifest: FusedManifest) -> Markup:
    terms = manifest.terms
    alike = "not asked for"
    if terms.share_alike:
        alike = f"changed versions must carry {terms.share_alike}"
    elif any(licenses.get(id_).share_alike for id_ in terms.members.values()):
        alike = "each member's own: changed versions of it carry its license"
    return table(
        ["term", "of the set"],
        [
            ("Strictest license", terms.strictest),
            ("Published as", terms.publish.value),
            ("Pass on changed versions", allowed(terms.adapt, "the sources")),
            ("Commercial use", allowed(terms.commercial, "the sources")),
            ("Share alike", alike),
            ("Attribution", "required: cite every member, below" if terms.attribution else "not asked for"),
        ],
    )


def _dropped(found: Duplicates | None) -> Markup | None:
    if found is None or not found.counts:
        return None
    rows = [(code(member), code(other), reason, f"{number:,}") for member, other, reason, number in found.counts]
    return table(
        ["member", "the row that stays is in", "reason", "rows left out" if found.dropped else "rows"],
        rows,
        limit=MAX_ROWS,
    )


def call(manifest: FusedManifest) -> str:
    """The `medimg.fuse` call that gives these rows again, from the plan's own words."""
    asked = Request.of(blueprint.fields(manifest.plan))
    given = asked.model_dump(mode="json", exclude_defaults=True)
    for name in ("blueprint", "title", "notes", "names"):
        given.pop(name, None)
    if manifest.mode == "verbatim":
        given = {name: value for name, value in given.items() if name not in ("targets", "encoding")}
    elif asked.blueprint:
        # A blueprint's label space may hold targets that no member has yet; a list of targets may not.
        given["blueprint"] = {"title": asked.title, "targets": list(asked.targets)}
    if asked.source is not None:
        given.pop("namespace", None)
        given["source"] = asked.source if asked.source in ("miniature", "official") else SOURCE
    arguments = [repr([member.key for member in manifest.members])]
    arguments += [f"{name}={value!r}" for name, value in given.items()]
    return "rows = medimg.fuse(\n" + "".join(f"    {each},\n" for each in arguments) + ")"
