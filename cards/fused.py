"""The card of a fused repository: what it is made of, under which terms, in which label space, and how to make it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medimg.errors import need

need("hub", "rendering cards", "jinja2", "markupsafe")

from huggingface_hub import DatasetCard, DatasetCardData  # noqa: E402
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # noqa: E402
from markupsafe import Markup  # noqa: E402

from medimg import layout, licenses, policy  # noqa: E402
from medimg.cards import human  # noqa: E402
from medimg.cards.card import (  # noqa: E402
    GATE_FIELDS,
    HUB_MODALITIES,
    MAX_ROWS,
    _citation,
    _environment,
    _slug,
    bibtex,
    code,
    escape,
    folded,
    hub_tasks,
    link,
    prose,
    size_category,
    size_text,
    table,
    topic_tags,
)
from medimg.fusion import blueprint  # noqa: E402
from medimg.fusion.request import Request  # noqa: E402
from medimg.licenses import Verdict  # noqa: E402
from medimg.text import clean  # noqa: E402

if TYPE_CHECKING:
    from datasets import Features

    from medimg.declaration import Dataset
    from medimg.hub_sync.fused_manifest import Duplicates, FusedManifest
    from medimg.manifest import Shard, SplitStats

SHAPES = {"2d": "2-D", "3d": "3-D", "video": "video"}
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
    block = human.block(previous)
    text = _environment().get_template("fused.md.j2").render(_context(manifest, datasets, repo))
    text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    text = text.replace(human.block(None), block, 1)
    card = DatasetCard.from_template(
        card_data(manifest, features), template_str="---\n{{ card_data }}\n---\n\n{{ text }}", text=text
    )
    return str(card).rstrip("\n") + "\n"


def card_data(manifest: FusedManifest, features: Mapping[str, Features]) -> DatasetCardData:
    """The YAML: licenses, gate, configs with their files and features."""
    members = _phase(manifest, "metadata_harmonization").values()
    terms: dict[str, list[str]] = {
        kind: list(dict.fromkeys(name for member in members for name in member[kind]))
        for kind in ("modality", "organ", "task")
    }
    tags = ["medical", "medimg", "fused", HUB_MODALITIES[manifest.dimension], *topic_tags(terms)]
    tags += [f"target:{_slug(name)}" for name in _targets(manifest)]
    categories, ids = hub_tasks(manifest.plan["blueprint"]["task"] or terms["task"])
    infos, configs = _infos(manifest, features), []
    for name, splits in globs(manifest).items():
        files = [
            {"split": split, "path": paths[0] if len(paths) == 1 else paths}
            for split, paths in splits.items()
        ]
        default = {"default": True} if name == layout.DEFAULT else {}
        configs.append({"config_name": name, **default, "data_files": files})
    data = DatasetCardData(
        pretty_name=clean(manifest.title),
        tags=list(dict.fromkeys(tags)),
        task_categories=categories,
        task_ids=ids or None,
        size_categories=[size_category(manifest.rows)],
        **_license_yaml(manifest, repo_license=manifest.terms.strictest),
        **_gate_yaml(manifest),
        configs=configs,
    )
    infos.to_dataset_card_data(data)
    return data


def globs(manifest: FusedManifest) -> dict[str, dict[str, list[str]]]:
    """Hub config -> split -> globs of its files; `default` joins all members."""
    found: dict[str, dict[str, list[str]]] = {layout.DEFAULT: {}}
    metadata: dict[str, list[str]] = {}
    for config, splits in manifest.configs.items():
        for split, stats in splits.items():
            found[layout.DEFAULT].setdefault(split, []).append(layout.shard_glob(config, split))
            metadata.setdefault(split, []).extend(shard.path for shard in stats.metadata)
            if config != layout.DEFAULT:
                found.setdefault(config, {})[split] = [layout.shard_glob(config, split)]
    previews = [shard.path for shard in manifest.previews]
    shown = {layout.PREVIEW: {layout.PREVIEW_SPLIT: previews}} if previews else {}
    return {**found, layout.METADATA: metadata, **shown}


def _infos(manifest: FusedManifest, features: Mapping[str, Features]) -> Any:
    from datasets import DatasetInfo, SplitDict, SplitInfo
    from datasets.info import DatasetInfosDict

    def shards(config: str, split: str) -> list[Shard]:
        if config == layout.PREVIEW:
            return list(manifest.previews)
        every = manifest.configs if config in (layout.DEFAULT, layout.METADATA) else [config]
        stats: list[SplitStats] = [
            manifest.configs[each][split] for each in every if split in manifest.configs[each]
        ]
        return [shard for s in stats for shard in (s.metadata if config == layout.METADATA else s.shards)]

    infos = DatasetInfosDict()
    for config, splits in globs(manifest).items():
        files = {split: shards(config, split) for split in splits}
        sizes = {split: sum(shard.raw_bytes for shard in each) for split, each in files.items()}
        infos[config] = DatasetInfo(
            features=features[config],
            splits=SplitDict(
                {
                    split: SplitInfo(
                        name=split, num_bytes=sizes[split], num_examples=sum(shard.rows for shard in each)
                    )
                    for split, each in files.items()
                }
            ),
            download_size=sum(shard.bytes for each in files.values() for shard in each),
            dataset_size=sum(sizes.values()),
        )
    return infos


def _license_yaml(manifest: FusedManifest, repo_license: str) -> dict[str, Any]:
    """One adapted work carries the strictest terms; copies side by side each keep their own."""
    ids = [repo_license] if manifest.mode == "remapped" else sorted(set(manifest.terms.members.values()))
    hub = sorted({licenses.get(id_).hub for id_ in ids})
    if "other" not in hub:
        return {"license": hub[0] if len(hub) == 1 else hub}
    if len(ids) > 1:
        return {"license": "other", "license_name": "terms-of-the-members"}
    license = licenses.get(ids[0])
    linked = {"license_link": license.url} if license.url else {}
    return {"license": "other", "license_name": _slug(license.id.removeprefix("LicenseRef-")), **linked}


def _gate_yaml(manifest: FusedManifest) -> dict[str, Any]:
    if manifest.terms.publish is not Verdict.GATED:
        return {}
    named = " and ".join(
        f"{clean(license.name)}{f' ({license.url})' if license.url else ''}"
        for license in policy.gated(manifest.terms.members.values())
    )
    prompt = (
        f"{clean(manifest.title)} holds data under {named}. By asking for access you agree to these terms; "
        "they are the sources' and win over what is said here."
    )
    return {"extra_gated_prompt": prompt, "extra_gated_fields": dict(GATE_FIELDS)}


def _phase(manifest: FusedManifest, phase: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = manifest.plan[phase]["members"]
    return found


def _targets(manifest: FusedManifest) -> list[str]:
    """The label space; copies have none."""
    if manifest.mode == "verbatim":
        return []
    return list(manifest.plan["semantic_alignment"]["targets"].values())


def _context(manifest: FusedManifest, datasets: Mapping[str, Dataset], repo: str) -> dict[str, Any]:
    splits = globs(manifest)[layout.DEFAULT]
    return {
        "title": manifest.title,
        "manifest": manifest,
        "miniature": manifest.origin == "miniature",
        "sheet": layout.CONTACT_SHEET_PATH in manifest.assets,
        "verbatim": manifest.mode == "verbatim",
        "human": Markup(human.block(None)),
        "overview": _overview(manifest),
        "composition": _composition(manifest, datasets),
        "withheld": sum(member.withheld for member in manifest.members),
        "space": _space(manifest),
        "encoding": manifest.plan["blueprint"]["encoding"],
        "alignment": _alignment(manifest),
        "maps": _maps(manifest),
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
    lines = [f"- {code(name)}: {_citation(dataset.citation)}" for name, dataset in datasets.items()]
    entries = "\n\n".join(bibtex(dataset) for dataset in datasets.values())
    words = Markup("\n".join(lines))
    return folded(words + Markup(f"\n\n```bibtex\n{entries}\n```"), len(datasets), "citations")


def _overview(manifest: FusedManifest) -> Markup:
    stored = sum(stats.bytes for splits in manifest.configs.values() for stats in splits.values())
    strictest = licenses.get(manifest.terms.strictest)
    members = _phase(manifest, "metadata_harmonization").values()
    facts: list[tuple[str, object]] = [
        ("Members", f"{len(manifest.members)}"),
        ("Rows", f"{manifest.rows:,}"),
        ("Size", size_text(stored)),
        ("Dimension", SHAPES[manifest.dimension]),
    ]
    for kind in ("modality", "organ", "task"):
        names = dict.fromkeys(name for member in members for name in member[kind])
        facts.append((kind.capitalize(), ", ".join(names)))
    if targets := _targets(manifest):
        facts.append(("Targets", ", ".join(targets)))
    facts += [
        ("Strictest license", link(strictest.name, strictest.url)),
        ("Published as", manifest.terms.publish.value),
    ]
    return table(["", ""], [(Markup(f"**{name}**"), value) for name, value in facts])


def _composition(manifest: FusedManifest, datasets: Mapping[str, Dataset]) -> Markup:
    splits = list(globs(manifest)[layout.DEFAULT])
    assessed = _phase(manifest, "semantic_alignment")
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


def _space(manifest: FusedManifest) -> Markup | None:
    targets = _targets(manifest)
    if not targets:
        return None
    if manifest.plan["blueprint"]["encoding"] == "channels":
        rows = [(str(number), target) for number, target in enumerate(targets)]
        return table(["map", "target (0 no, 1 yes, 255 not known)"], rows)
    values = [("0", "background"), *((str(n), target) for n, target in enumerate(targets, 1))]
    return table(["value", "meaning"], [*values, ("255", "ignore: nobody looked for what could be here")])


def _alignment(manifest: FusedManifest) -> Markup | None:
    targets = _targets(manifest)
    if not targets:
        return None
    rows = []
    for key, member in _phase(manifest, "semantic_alignment").items():
        words = []
        for one in member["alignment"]:
            best = [f"{one[how]} ({how})" for how in ("mask", "label") if one[how] != "none"]
            words.append(", ".join(best) or "not assessed")
        rows.append([code(key), *words])
    return table(["member", *map(str, map(escape, targets))], rows, limit=MAX_ROWS)


def _maps(manifest: FusedManifest) -> Markup | None:
    if not _targets(manifest):
        return None
    rows = [
        (code(key), code(value), what)
        for key, member in _phase(manifest, "semantic_alignment").items()
        for value, what in (*member["label_map"].items(), *member["class_map"].items())
    ]
    return table(["member", "value or label there", "here"], rows, limit=MAX_ROWS) if rows else None


def _terms(manifest: FusedManifest) -> Markup:
    terms = manifest.terms

    def says(value: bool | None) -> str:
        return "not known: ask the sources" if value is None else "allowed" if value else "not allowed"

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
            ("Pass on changed versions", says(terms.adapt)),
            ("Commercial use", says(terms.commercial)),
            ("Share alike", alike),
            ("Attribution", "required: cite every member, below" if terms.attribution else "not asked for"),
        ],
    )


def _dropped(found: Duplicates | None) -> Markup | None:
    if found is None or not found.counts:
        return None
    rows = [
        (code(member), code(other), reason, f"{number:,}") for member, other, reason, number in found.counts
    ]
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
