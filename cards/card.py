"""The card: README.md of a published dataset, or of a recipe.

The YAML goes through `huggingface_hub` and `datasets`, the text through one Jinja template. Everything that a
source or a declaration says is escaped on its way into the text; only `Markup` made here passes as it is.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from medimg.errors import need

need("hub", "rendering cards", "jinja2", "markupsafe")

import jinja2  # noqa: E402
from huggingface_hub import DatasetCard, DatasetCardData  # noqa: E402
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # noqa: E402
from markupsafe import Markup  # noqa: E402

from medimg import layout, licenses, policy, vocab  # noqa: E402
from medimg.cards import human  # noqa: E402
from medimg.declaration import Citation, Dataset, Source  # noqa: E402
from medimg.licenses import License, Verdict  # noqa: E402
from medimg.manifest import ConfigStats, LeftOut, Manifest, Shard  # noqa: E402
from medimg.schema import features  # noqa: E402
from medimg.text import clean  # noqa: E402

if TYPE_CHECKING:
    from datasets.info import DatasetInfosDict

MAX_ROWS = 60
"""A table longer than this says how many rows it leaves out."""
FOLDED = 20
"""A table or list longer than this is folded."""
MAX_EXAMPLES = 3

_URL = r"https?://[^\s<>\"'`|\\^{}\[\]()]+"
_INLINE = re.compile(rf"(?P<code>`[^`]+`)|(?P<url>{_URL})")
_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "\\": "&#92;", "`": "&#96;"} | {
    character: f"\\{character}" for character in "*_[]~$#"
}
_LINE_START = re.compile(r"^(\d*)(?=[+\-=](?:[\s\-=]|$)|(?<=\d)[.)](?:\s|$))")
_SIZES = (
    "n<1K",
    "1K<n<10K",
    "10K<n<100K",
    "100K<n<1M",
    "1M<n<10M",
    "10M<n<100M",
    "100M<n<1B",
    "1B<n<10B",
    "10B<n<100B",
    "100B<n<1T",
)

HUB_TASKS: Mapping[str, tuple[str, str | None]] = {
    "segmentation": ("image-segmentation", "semantic-segmentation"),
    "instance segmentation": ("image-segmentation", "instance-segmentation"),
    "nuclear segmentation": ("image-segmentation", "instance-segmentation"),
    "detection": ("object-detection", None),
    "localization": ("object-detection", None),
    "landmark localization": ("keypoint-detection", None),
    "tracking": ("object-detection", None),
    "attention": ("other", None),
    "classification": ("image-classification", None),
    "multi-label classification": ("image-classification", "multi-label-image-classification"),
    "video classification": ("video-classification", None),
    "regression": ("other", None),
    "prediction": ("other", None),
    "longitudinal": ("other", None),
    "radiomics": ("image-feature-extraction", None),
    "repeatability": ("other", None),
    "genomics": ("other", None),
    "registration": ("image-to-image", None),
    "reconstruction": ("image-to-image", None),
    "stereo matching": ("depth-estimation", None),
    "enhancement": ("image-to-image", None),
    "super-resolution": ("image-to-image", "super-resolution"),
    "generation": ("unconditional-image-generation", None),
    "synthesis": ("image-to-image", None),
    "quality assessment": ("image-classification", None),
    "atlas construction": ("image-to-image", None),
    "VQA": ("visual-question-answering", "visual-question-answering"),
    "captioning": ("image-to-text", "image-captioning"),
    "retrieval": ("image-feature-extraction", None),
    "domain adaptation": ("other", None),
    "domain generalization": ("other", None),
}
"""Task of the vocabulary -> the Hub's task category and task id.

The Hub's values stand in huggingface/huggingface.js:packages/tasks/src/pipelines.ts. A task that is not here
takes its nearest ancestor's. The Hub has no category for regression on images, nor for prognosis: `other`.
"""

HUB_MODALITIES: Mapping[str, str] = {"2d": "image", "3d": "3d", "video": "video"}
"""Dimension -> tag from which the Hub makes a modality of its own."""
TOPIC_TAGS: Mapping[str, str] = {"modality": "medical-modality", "organ": "organ", "task": "task"}
"""Kind of vocabulary -> the first part of its tags. The Hub keeps `modality:` for its facet: image, text, tabular …"""

COLUMNS: Mapping[str, str] = {
    "id": "`<dataset>/<case>`; unique and stable across rebuilds",
    "dataset": "name of the dataset",
    "image": "the pixels, at full bit depth and original geometry",
    "modality": "how the image was acquired",
    "organ": "organs or regions that it shows",
    "task": "what it was made for",
    "label.classes": "image-level findings that are present",
    "label.uncertain": "findings that the source marks as uncertain",
    "label.assessed": "every class or structure that was looked for: in it and not in `classes` is absent, "
    "not in it is unknown",
    "label.mask": "label map on the image's own grid",
    "label.legend": "what each mask value means; a value may carry several names",
    "label.instances": "true where mask values count instances",
    "label.boxes": "half-open boxes: x0, y0, x1, y1 in pixels or i0, j0, k0, i1, j1, k1 in voxels",
    "label.points": "landmarks and centroids, in the same coordinates",
    "label.measures": "numbers with their units",
    "label.texts": "question and answer pairs, reports, captions",
    "label.target": "the paired image of registration, reconstruction or synthesis",
    "label.source": "the label exactly as the source gives it (JSON)",
    "subject": "patient in the source",
    "sequence": "channel names where images are stacked into one 4-D volume",
    "shape": "voxels along each array axis",
    "spacing": "mm per voxel, null where the source does not say",
    "content": "hash of the decoded pixels: equal for equal images",
    "license": "license of this row",
    "meta": "all else that the source says of this row (JSON)",
}

GATE_FIELDS: Mapping[str, str] = {
    "Name": "text",
    "Affiliation": "text",
    "Country": "country",
    "Intended use": "text",
    "I have read the license and agree to its terms": "checkbox",
}


def escape(text: object) -> Markup:
    """Text as Markdown that shows exactly this text, in a paragraph, a list or a table cell."""
    shown = "".join(_SPECIAL.get(c, c) for c in clean(str(text)))
    return Markup(_LINE_START.sub(r"\1\\", shown))


def code(text: object) -> Markup:
    """Text as inline code."""
    shown = clean(str(text))
    if not shown:
        return Markup("–")
    if "`" in shown or "|" in shown:  # the one ends it, the other a cell of a table
        return Markup("<code>{}</code>").format(escape(shown))
    return Markup(f"`{shown}`")


def link(text: object, url: str | None) -> Markup:
    """A link to an http(s) address; any other address is shown as code."""
    if not url:
        return escape(text)
    if not re.match(r"https?://\S", url):
        return code(url)
    return Markup(f"[{escape(text)}]({quote(clean(url), safe='/:?&=#%+,@~')})")


def address(url: str) -> Markup:
    """An address that shows itself."""
    url = clean(url)
    return Markup(f"<{url}>") if re.fullmatch(_URL, url) else link(url, url)


def prose(text: str) -> Markup:
    """Escaped text in which `code` and http(s) addresses stay what they are."""
    text = clean(text)
    parts: list[str] = []
    position = 0
    for found in _INLINE.finditer(text):
        end = found.end()
        if found["code"]:
            part = code(found["code"][1:-1])
        else:
            url = found["url"].rstrip(".,;:!?*_~$")
            end = found.start() + len(url)
            part = Markup(f"<{url}>")
        parts += [_piece(text[position : found.start()], first=not position), str(part)]
        position = end
    parts.append(_piece(text[position:], first=not position))
    return Markup("".join(parts))


def _piece(text: str, *, first: bool) -> str:
    """A stretch of `prose` between code and addresses; only the first stands at the start of a line."""
    shown = "".join(_SPECIAL.get(c, c) for c in text)
    return _LINE_START.sub(r"\1\\", shown) if first else shown


def paragraphs(text: str) -> Markup:
    """Paragraphs of `prose`, as blank lines divide the text."""
    return Markup("\n\n".join(str(prose(part)) for part in re.split(r"\n[ \t]*\n", text) if part.strip()))


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, limit: int | None = None) -> Markup:
    """A Markdown table, folded where it is long; cells that are no `Markup` are escaped."""
    every = [[cell if isinstance(cell, Markup) else escape(cell) for cell in row] for row in rows]
    lines = ["| " + " | ".join(headers) + " |", "|" + " --- |" * len(headers)]
    lines += ["| " + " | ".join(cell or "–" for cell in row) + " |" for row in every[:limit]]
    if limit is not None and len(every) > limit:
        lines.append(f"| … and {len(every) - limit:,} more |" + " |" * (len(headers) - 1))
    named = re.sub(r"\\(.)", r"\1", ", ".join(headers[:4]))  # HTML has no use for Markdown's escapes
    return folded(Markup("\n".join(lines)), len(every), f"rows: {named}")


def folded(text: Markup, count: int, what: str) -> Markup:
    """Text of so many rows or entries, behind a line to open it where these are many."""
    if count <= FOLDED:
        return text
    return Markup(f"<details>\n<summary>{count:,} {what}</summary>\n\n{text}\n\n</details>")


def size_text(count: int) -> str:
    """Bytes in decimal units."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{count} B" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} TB"


def hub_tasks(tasks: Iterable[str]) -> tuple[list[str], list[str]]:
    """The Hub's task categories and task ids; `other` only where there is nothing else."""
    categories: dict[str, None] = {}
    ids: dict[str, None] = {}
    for task in tasks:
        nearest: list[str] = [task]
        while nearest and not any(each in HUB_TASKS for each in nearest):
            nearest = [parent for each in nearest for parent in vocab.task[each].is_a]
        for each in nearest:
            category, id_ = HUB_TASKS.get(each, ("other", None))
            categories[category] = None
            if id_:
                ids[id_] = None
    if len(categories) > 1:
        categories.pop("other", None)
    return list(categories), list(ids)


def size_category(rows: int) -> str:
    """The Hub's size category."""
    bounds = [(10**power, name) for power, name in zip(range(3, 13), _SIZES, strict=True)]
    below = next((name for bound, name in bounds if rows < bound), None)
    return below or "n>1T"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _values(dataset: Dataset, kind: str) -> list[str]:
    """Modalities, organs or tasks of the dataset and its sub-collections."""
    own = [name for config in dataset.configs for name in getattr(config, kind) or ()]
    return list(dict.fromkeys([*getattr(dataset, kind), *own]))


def _tags(dataset: Dataset) -> list[str]:
    dimensions = dict.fromkeys(
        dataset.config(name).dimension or dataset.dimension for name in dataset.config_names
    )
    tags = ["medical", "medimg", *(HUB_MODALITIES[dimension] for dimension in dimensions)]
    tags += topic_tags({kind: _values(dataset, kind) for kind in TOPIC_TAGS})
    return list(dict.fromkeys(tags))


def topic_tags(terms: Mapping[str, Iterable[str]]) -> list[str]:
    """Tags of modalities, organs and tasks, e.g. `medical-modality:ct`."""
    return [f"{TOPIC_TAGS[kind]}:{_slug(name)}" for kind, names in terms.items() for name in names]


def _license_yaml(dataset: Dataset, manifest: Manifest | None) -> dict[str, Any]:
    license = licenses.get(dataset.license)
    hub: str | list[str] = license.hub
    if license.per_row and manifest is not None:
        counted = sorted({licenses.get(id_).hub for config in manifest.configs for id_ in config.license})
        if counted and "other" not in counted:
            hub = counted[0] if len(counted) == 1 else counted
    if hub != "other":
        return {"license": hub}
    return {
        "license": "other",
        "license_name": _slug(license.id.removeprefix("LicenseRef-")),
        "license_link": license.url or dataset.homepage,
    }


def _gate_yaml(dataset: Dataset, manifest: Manifest | None) -> dict[str, Any]:
    terms = policy.gates(dataset, manifest)
    if not terms:
        return {}
    named = " and ".join(
        f"{clean(license.name)}{f' ({license.url})' if license.url else ''}" for license in terms
    )
    prompt = (
        f"{clean(dataset.title)} is published under {named}. "
        "By asking for access you agree to these terms; they are the source's and win over what is said here."
    )
    return {"extra_gated_prompt": prompt, "extra_gated_fields": dict(GATE_FIELDS)}


def _infos(dataset: Dataset, manifest: Manifest) -> DatasetInfosDict:
    """`dataset_info` of every Hub config."""
    from datasets import DatasetInfo, SplitDict, SplitInfo
    from datasets.info import DatasetInfosDict

    holding = layout.published(manifest)
    stats = {config.name: config for config in manifest.configs}
    infos = DatasetInfosDict()
    for hub_config, splits in layout.data_globs(
        dataset, holding, preview=manifest.preview is not None
    ).items():
        members = _members(dataset, hub_config, holding)
        shards: dict[str, list[Shard]] = {}
        for split in splits:
            if hub_config == layout.PREVIEW:
                shards[split] = [manifest.preview] if manifest.preview else []
                continue
            found = [stats[name].splits[split] for name in members if split in holding[name]]
            shards[split] = [
                shard
                for each in found
                for shard in (each.metadata if hub_config == layout.METADATA else each.shards)
            ]
        infos[hub_config] = DatasetInfo(
            features=layout.config_features(dataset, hub_config),
            splits=SplitDict(
                {
                    split: SplitInfo(
                        name=split,
                        num_bytes=sum(shard.raw_bytes for shard in files),
                        num_examples=sum(shard.rows for shard in files),
                    )
                    for split, files in shards.items()
                }
            ),
            download_size=sum(shard.bytes for files in shards.values() for shard in files),
            dataset_size=sum(shard.raw_bytes for files in shards.values() for shard in files),
        )
    return infos


def _members(dataset: Dataset, hub_config: str, holding: layout.Published) -> tuple[str, ...]:
    """Sub-collections whose rows a Hub config holds."""
    if hub_config == layout.DEFAULT:
        return layout.default_members(dataset, holding)
    return tuple(holding) if hub_config in (layout.METADATA, layout.PREVIEW) else (hub_config,)


def card_data(dataset: Dataset, manifest: Manifest | None) -> DatasetCardData:
    """The YAML of the card."""
    categories, ids = hub_tasks(_values(dataset, "task"))
    holding = layout.published(manifest) if manifest is not None else {}
    rows = manifest.rows if manifest is not None and holding else sum(dataset.splits.values())
    extra: dict[str, Any] = _gate_yaml(dataset, manifest)
    if not holding:
        extra |= layout.NO_DATA
    if manifest is not None and holding:
        default = layout.default_config(dataset, holding)
        extra["configs"] = [
            {
                "config_name": hub_config,
                **({"default": True} if hub_config == default else {}),
                "data_files": [
                    {"split": split, "path": paths[0] if len(paths) == 1 else paths}
                    for split, paths in splits.items()
                ],
            }
            for hub_config, splits in layout.data_globs(
                dataset, holding, preview=manifest.preview is not None
            ).items()
        ]
    data = DatasetCardData(
        pretty_name=clean(dataset.title) or dataset.name,
        tags=_tags(dataset),
        task_categories=categories,
        task_ids=ids or None,
        size_categories=[size_category(rows)] if rows else None,
        **_license_yaml(dataset, manifest),
        **extra,
    )
    if manifest is not None and holding:
        _infos(dataset, manifest).to_dataset_card_data(data)
    return data


def bibtex(dataset: Dataset) -> str:
    """The citation as a BibTeX entry."""
    citation = dataset.citation
    fields = {
        "title": f"{{{_bibtex_value(citation.title)}}}",
        "author": _authors(citation.authors),
        "year": str(citation.year),
        "journal": _bibtex_value(citation.venue),
        # Addresses are verbatim in BibTeX: no escapes, but nothing that could close the field either.
        "doi": re.sub(r"[{}\\\s`]", "", clean(citation.doi or "")),
        "url": re.sub(r"[{}\\\s`]", "", clean(citation.url or "")),
    }
    kind = "article" if fields["journal"] else "misc"
    body = ",\n".join(f"  {key} = {{{text}}}" for key, text in fields.items() if text)
    return f"@{kind}{{{dataset.name},\n{body}\n}}"


def _bibtex_value(text: str) -> str:
    text = re.sub(r"[{}\\^~`]", " ", clean(text))
    return re.sub(r"([&%$#_])", r"\\\1", " ".join(text.split()))


def _authors(text: str) -> str:
    """Names joined as BibTeX wants them; verbatim where one cannot tell where a name ends."""
    text = clean(text)
    others = re.search(r",?\s+(et al\.?|and others)$", text)
    names = text[: others.start()] if others else text
    divider = r"\s*;\s*" if ";" in names else r",\s*(?:and\s+|&\s*)?|\s+and\s+|\s*&\s*"
    parts = [part.strip() for part in re.split(divider, names) if part.strip()]
    if "," in names and ";" not in names and not all(" " in part for part in parts):
        return f"{{{_bibtex_value(text)}}}"
    parts = [re.sub(r"^([^,]+) ([A-Z]{1,3})$", r"\1, \2", part) for part in parts]
    return " and ".join([*map(_bibtex_value, parts), *(["others"] if others else [])])


def render(
    builder_dataset: Dataset,
    description: str,
    manifest: Manifest | None,
    *,
    namespace: str = "medimg",
    previous: str | None = None,
) -> str:
    """README.md of one dataset.

    Args:
        builder_dataset: the declaration.
        description: the builder's docstring; its paragraphs open the card.
        manifest: what is published; None for a recipe.
        namespace: organization on the Hub.
        previous: the published card, whose hand-written block is kept.

    Raises:
        LicenseError: the manifest holds data that the license does not let out.
        MedimgError: the hand-written block of `previous` lacks a marker.
    """
    dataset = builder_dataset
    repo = f"{namespace}/{dataset.name}"
    validate_repo_id(repo)
    block = human.block(previous)
    none_of = None
    if manifest is not None:
        policy.check(dataset, manifest)
        if not layout.published(manifest):
            manifest, none_of = None, manifest
    context = _context(dataset, description, manifest, repo) | {"all_withheld": _withheld(none_of)}
    text = _environment().get_template("card.md.j2").render(context)
    text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    text = text.replace(human.block(None), block, 1)
    card = DatasetCard.from_template(
        card_data(dataset, manifest), template_str="---\n{{ card_data }}\n---\n\n{{ text }}", text=text
    )
    return str(card).rstrip("\n") + "\n"


@functools.cache
def _environment() -> jinja2.Environment:
    """Templates in which every value is escaped for Markdown unless it is `Markup`."""
    folder = resources.files("medimg.cards") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else escape(value),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["plain"] = _plain
    environment.filters["codes"] = lambda names: Markup(", ").join(code(name) for name in names)
    return environment


def _plain(text: str) -> Markup:
    """Text inside a quoted string of a code block."""
    return Markup(re.sub(r"[\"\\`]", "", clean(text)))


def _context(dataset: Dataset, description: str, manifest: Manifest | None, repo: str) -> dict[str, Any]:
    license = licenses.get(dataset.license)
    configs = [config for config in manifest.configs if config.rows] if manifest is not None else []
    multi = layout.is_multi(dataset)
    holding = layout.published(manifest) if manifest is not None else {}
    withheld = (
        sum(split.withheld for config in manifest.configs for split in config.splits.values())
        if manifest
        else 0
    )
    return {
        "dataset": dataset,
        "title": dataset.title,
        "description": paragraphs(description),
        "manifest": manifest,
        "miniature": manifest is not None and manifest.origin == "miniature",
        "sheet": manifest is not None and layout.CONTACT_SHEET_PATH in manifest.assets,
        "chart": manifest is not None and layout.STATISTICS_PATH in manifest.assets,
        "overview": _overview(dataset, manifest, license),
        "sentence": prose(license.sentence),
        "portal": _portal(repo, dataset.name),
        "sheet_text": _alt(dataset, manifest),
        "drawn": _overlap_tree(dataset),
        "measured": _measured(configs, multi=multi),
        "license": license,
        "terms": _terms(dataset, license, manifest),
        "row_licenses": _license_rows(configs),
        "gated": bool(policy.gates(dataset, manifest)),
        "repo": repo,
        "example": next((name for name in dataset.config_names if name in holding), dataset.config_names[0])
        if multi
        else None,
        "joins": layout.default_members(dataset, holding) if multi else (),
        "hub_default": [layout.default_config(dataset, holding) or ""],
        "split": next((split for name in holding for split in holding[name]), "train"),
        "modality": dataset.modality[0],
        "how": prose(dataset.how or ""),
        "schema": _schema(dataset),
        "legend": _legend(dataset),
        "labels": _label_map(dataset),
        "collections": _collections(dataset) if multi else None,
        "splits": _split_rows(dataset, configs, multi=multi),
        "official": _official(dataset) if manifest is None else None,
        "counts": _counts(configs),
        "sources": _sources(dataset.sources),
        "evidence": _evidence(dataset, license),
        "unverified": ", ".join(_unverified(dataset, license)),
        "subject": prose(dataset.subject or dataset.no_subject or ""),
        "overlaps": [
            (code(each.dataset), prose(each.relation), prose(each.evidence)) for each in dataset.overlaps
        ],
        "notes": [prose(note) for note in dataset.notes if clean(note)],
        "shared_subjects": prose(dataset.shared_subjects or ""),
        "findings": _findings(manifest),
        "skipped": _left_out(manifest.skipped) if manifest is not None else None,
        "skipped_count": _of(sum(left.count for left in manifest.skipped.values()), "file")
        if manifest is not None
        else "",
        "withheld": _of(withheld, "row") if withheld else "",
        "withheld_by": _withheld(manifest),
        "citation": _citation(dataset.citation),
        "bibtex": Markup(bibtex(dataset)),
        "human": Markup(human.block(None)),
    }


def _of(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _overview(dataset: Dataset, manifest: Manifest | None, license: License) -> Markup:
    dimensions = {"2d": "2-D", "3d": "3-D", "video": "video"}
    shapes = dict.fromkeys(
        dataset.config(name).dimension or dataset.dimension for name in dataset.config_names
    )
    facts: list[tuple[str, object]] = []
    if manifest is not None:
        stored = sum(split.bytes for config in manifest.configs for split in config.splits.values())
        subjects = sum(split.subjects for config in manifest.configs for split in config.splits.values())
        facts += [("Rows", f"{manifest.rows:,}"), ("Size", size_text(stored))]
        if subjects:
            facts.append(("Subjects", f"{subjects:,} over all splits"))
    elif total := sum(dataset.splits.values()):
        facts.append(("Images in the source", f"{total:,}"))
    facts += [
        ("Dimension", ", ".join(dimensions[shape] for shape in shapes)),
        ("Modality", ", ".join(_values(dataset, "modality"))),
        ("Organ", ", ".join(_values(dataset, "organ"))),
        ("Task", ", ".join(_values(dataset, "task"))),
        ("License", link(license.name, license.url)),
        ("Published as", _published_as(license, manifest)),
        ("Evidence", _evidence_level(dataset, license)),
        ("Homepage", address(dataset.homepage)),
        ("Version", dataset.version),
    ]
    if dataset.aliases:
        facts.append(("Also known as", ", ".join(dataset.aliases)))
    return table(["", ""], [(Markup(f"**{name}**"), value) for name, value in facts])


def _published_as(license: License, manifest: Manifest | None) -> str:
    """The license's verdict, and that nothing is here where no row is."""
    empty = manifest is None and license.publish is not Verdict.RECIPE
    return "no data: none of its rows may be published" if empty else license.publish.value


def _terms(dataset: Dataset, license: License, manifest: Manifest | None) -> Markup:
    verdicts = {
        Verdict.OPEN: "the data is in this repository, free to download",
        Verdict.GATED: "the data is in this repository, accept the terms before you download it",
        Verdict.RECIPE: "the data is not in this repository, bring your own copy of the original",
    }

    def says(value: bool | None, yes: str, no: str) -> str:
        if license.per_row:
            return "each row has a license of its own"
        return "not known: ask the source" if value is None else yes if value else no

    unsaid = None if license.redistribute is None else False  # where little was read, silence says nothing

    rows: list[tuple[object, object]] = [
        (
            "Published as",
            f"{license.publish.value}: {verdicts[license.publish]}"
            if manifest is not None or license.publish is Verdict.RECIPE
            else _published_as(license, manifest),
        ),
        ("Pass on copies", says(license.redistribute, "allowed", "not allowed")),
        ("Pass on changed versions", says(license.adapt, "allowed", "not allowed")),
        ("Commercial use", says(license.commercial, "allowed", "not allowed")),
        (
            "Share alike",
            says(
                license.share_alike or unsaid, "changed versions must carry the same license", "not asked for"
            ),
        ),
        (
            "Attribution",
            says(license.attribution or unsaid, "required: see the citation below", "not asked for"),
        ),
    ]
    for config in dataset.configs:
        if config.license and config.license != dataset.license:
            own = licenses.get(config.license)
            rows.append(
                (code(config.name), Markup("{} ({})").format(link(own.name, own.url), own.publish.value))
            )
    return table(["term", "what the license says"], rows)


def _license_rows(configs: Sequence[ConfigStats]) -> Markup | None:
    counts = _merged(configs, "license")
    if len(counts) < 2:
        return None
    return table(
        ["license", "rows", "published as"],
        [
            (link(licenses.get(id_).name, licenses.get(id_).url), f"{n:,}", licenses.get(id_).publish.value)
            for id_, n in counts
        ],
    )


def _type_text(feature: Any) -> str:
    from datasets import List, Value

    if isinstance(feature, Value):
        return str(feature.dtype)
    if isinstance(feature, List):
        return f"List({_type_text(feature.feature)})"
    if isinstance(feature, dict):
        return "{" + ", ".join(f"{key}: {_type_text(value)}" for key, value in feature.items()) + "}"
    return type(feature).__name__


def _schema(dataset: Dataset) -> Markup:
    """Every stored column with its type and meaning."""
    dimensions = dict.fromkeys(
        dataset.config(name).dimension or dataset.dimension for name in dataset.config_names
    )
    types: dict[str, dict[str, None]] = {}
    for dimension in dimensions:
        for name, feature in features(dimension).items():
            inner = (
                {f"label.{key}": each for key, each in feature.items()}
                if name == "label"
                else {name: feature}
            )
            for key, each in inner.items():
                types.setdefault(key, {})[_type_text(each)] = None
    rows = [
        (code(key), Markup(" or ").join(code(each) for each in texts), prose(COLUMNS[key]))
        for key, texts in types.items()
    ]
    return table(["column", "type", "meaning"], rows)


def _named(names: Sequence[str]) -> Markup:
    """Canonical names, each with its SNOMED CT code where the vocabulary has one."""
    if not names:
        return Markup("not annotated: ignore")
    shown = []
    for name in names:
        snomed = vocab.label[name].snomed if name in vocab.label else None
        shown.append(Markup("{} (SCT {})").format(escape(name), snomed) if snomed else escape(name))
    return Markup(", ").join(shown)


def _legend(dataset: Dataset) -> Markup | None:
    if not dataset.legend:
        return None
    rows: list[tuple[object, object]] = [
        (value, _named(names)) for value, names in sorted(dataset.legend.items())
    ]
    if 0 not in dataset.legend:
        rows.insert(0, (0, "background"))
    return table(["mask value", "meaning"], rows, limit=4 * MAX_ROWS)


def _label_map(dataset: Dataset) -> Markup | None:
    if not dataset.labels:
        return None
    rows = [(code(label), _named(names) if names else "no label") for label, names in dataset.labels.items()]
    return table(["in the source", "here"], rows, limit=4 * MAX_ROWS)


def _collections(dataset: Dataset) -> Markup:
    rows = []
    for name in dataset.config_names:
        config = dataset.config(name)
        rows.append(
            (
                code(name),
                config.title,
                config.dimension,
                ", ".join(config.modality or ()),
                ", ".join(config.organ or ()),
                ", ".join(config.task or ()),
            )
        )
    return table(["sub-collection", "title", "dimension", "modality", "organ", "task"], rows)


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
            row += [
                len(stats.shards),
                size_text(stats.bytes),
                f"{stats.withheld:,}" if stats.withheld else "–",
            ]
            rows.append(row)
    headers = ["split", "rows", "the source says", "subjects", "files", "size", "withheld"]
    return table((["sub-collection"] if multi else []) + headers, rows)


def _official(dataset: Dataset) -> Markup | None:
    rows = [
        (code(config), code(split), f"{count:,}" if count else "not stated")
        for config in dataset.config_names
        for split, count in dataset.config(config).splits.items()
    ]
    return table(["sub-collection", "split", "images in the source"], rows) if rows else None


def _merged(configs: Sequence[ConfigStats], kind: str) -> list[tuple[str, int]]:
    total: Counter[str] = Counter()
    for config in configs:
        total.update(getattr(config, kind))
    return sorted(total.items(), key=lambda item: (-item[1], item[0]))


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
        if counts := _merged(configs, kind):
            coded = kind in ("classes", "uncertain", "structures", "boxes", "points")
            whole = sum(config.rows for config in configs) if unit == "rows" else sum(n for _, n in counts)
            rows = [
                (_named([name]) if coded else escape(name), f"{count:,}", _share(count, whole))
                for name, count in counts
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
            rows.append(
                [*own, f"mm along {name}", *map(_number, (spread.smallest, spread.median, spread.largest))]
            )
        if found.unsized:
            rows.append([*own, f"{_of(found.unsized, 'row')} without a spacing", "", "", ""])
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


def _overlap_tree(dataset: Dataset) -> Markup | None:
    """The datasets that hold images of this one, as a tree in text: legible anywhere, also by ear."""
    if not dataset.overlaps:
        return None
    lines = [clean(dataset.name)]
    for number, each in enumerate(dataset.overlaps):
        branch = "└──" if number == len(dataset.overlaps) - 1 else "├──"
        lines.append(f"{branch} {clean(each.relation)} ──> {clean(each.dataset)}")
    return Markup("\n".join(line.replace("`", "'") for line in lines))


def _portal(repo: str, name: str) -> Markup:
    """Where the portal shows a dataset, on the Hub that shows the card."""
    return Markup(f"/spaces/{quote(repo.partition('/')[0])}/portal#/dataset/{quote(name)}")


def _alt(dataset: Dataset, manifest: Manifest | None) -> Markup:
    """What the contact sheet shows, for those who do not see it."""
    if manifest is not None and manifest.origin == "miniature":
        return Markup("Words in place of pictures: the rows are phantoms")
    what = f"{', '.join(_values(dataset, 'modality'))} of {', '.join(_values(dataset, 'organ'))}"
    labels = list(dict.fromkeys(name for names in dataset.legend.values() for name in names))
    more = f" and {len(labels) - 6} more" if len(labels) > 6 else ""
    drawn = f", with {', '.join(labels[:6])}{more} drawn on them" if labels else ""
    return Markup(re.sub(r"[\[\]()*_`<>|\\]", " ", clean(f"Example images: {what}{drawn}")))


def _evidence_level(dataset: Dataset, license: License) -> str:
    """Which groups of facts somebody looked up, and which not."""
    missing = _unverified(dataset, license)
    groups = ("layout", "labels", "license", *(("subject",) if dataset.evidence.subject else ()))
    checked = [group for group in groups if group not in dataset.evidence.unverified]
    told = f"looked up: {', '.join(checked)}" if checked else "nothing was looked up"
    return f"{told}; not verified: {', '.join(missing)}" if missing else told


def _sources(sources: Sequence[Source]) -> Markup | None:
    rows = []
    for source in sources:
        digest = f"sha256 {source.sha256}" if source.sha256 else f"md5 {source.md5}" if source.md5 else ""
        size = size_text(source.size) if source.size is not None else ""
        kind = "page" if source.kind == "page" else "file"
        rows.append((address(source.url), kind, size, code(digest) if digest else "none published"))
    return table(["source", "kind", "size", "checksum"], rows, limit=MAX_ROWS) if rows else None


def _evidence(dataset: Dataset, license: License) -> Markup:
    evidence = dataset.evidence
    rows = [("layout", evidence.layout), ("labels", evidence.labels), ("license", evidence.license)]
    rows += [("subject", evidence.subject)] if evidence.subject else []
    rows += [("what the license allows", license.evidence)]
    return table(["fact", "where it was read"], [(name, prose(text)) for name, text in rows])


def _unverified(dataset: Dataset, license: License) -> list[str]:
    own = ["what the license allows"] if "unverified" in license.evidence.lower() else []
    return [*dataset.evidence.unverified, *own]


def _findings(manifest: Manifest | None) -> Markup | None:
    if manifest is None or not manifest.findings:
        return None
    order = {"error": 0, "warning": 1, "note": 2}
    rows = [
        (
            each.level,
            each.check,
            each.message,
            f"{each.count:,}",
            Markup(", ").join(code(example) for example in each.examples[:MAX_EXAMPLES]),
        )
        for each in sorted(manifest.findings, key=lambda each: (order[each.level], each.check, each.message))
    ]
    return table(["level", "check", "finding", "count", "examples"], rows, limit=MAX_ROWS)


def _left_out(reasons: Mapping[str, LeftOut]) -> Markup | None:
    """Files by reason, the commonest first."""
    rows = [
        (reason, f"{left.count:,}", Markup(", ").join(code(path) for path in left.examples[:MAX_EXAMPLES]))
        for reason, left in sorted(reasons.items(), key=lambda item: (-item[1].count, item[0]))
    ]
    return table(["reason", "files", "such as"], rows, limit=MAX_ROWS) if rows else None


def _withheld(manifest: Manifest | None) -> Markup | None:
    """Rows that were built but not published, by license."""
    rows = sorted(
        (manifest.withheld if manifest is not None else {}).items(), key=lambda one: (-one[1], one[0])
    )
    if not rows:
        return None
    return table(["license", "rows"], [(_license_link(id_), f"{count:,}") for id_, count in rows])


def _license_link(id_: str) -> Markup:
    """A license by its name; by its id where the table does not know it any more."""
    if id_ not in licenses.known():
        return code(id_)
    license = licenses.get(id_)
    return link(license.name, license.url)


def _citation(citation: Citation) -> Markup:
    doi = clean(citation.doi or "")
    url = f"https://doi.org/{doi}" if doi else citation.url
    parts = [escape(citation.authors), Markup("*{}*").format(escape(citation.title))]
    if citation.venue:
        parts.append(escape(citation.venue))
    parts.append(Markup(str(citation.year)))
    links = [link(f"doi:{doi}" if doi else url, url)] if url else []
    # The Hub finds the papers of a card by their addresses at arXiv.
    links += [link(f"arXiv:{id}", f"https://arxiv.org/abs/{id}") for id in citation.preprints]
    text = Markup(", ").join(parts)
    return Markup("{}. {}").format(text, Markup(", ").join(links)) if links else text
