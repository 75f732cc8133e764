"""Parts of a dataset's card that its declaration and its license fill."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from medimg import layout, licenses, vocab
from medimg.cards.readme.citation import bibtex, citation
from medimg.cards.readme.markdown import (
    MAX_ROWS,
    SHAPES,
    address,
    allowed,
    code,
    escape,
    facts,
    link,
    prose,
    table,
)
from medimg.declaration import Dataset, Source
from medimg.licenses import License, Verdict
from medimg.manifest import Manifest
from medimg.schema import features
from medimg.text import clean, size_text

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


def context(dataset: Dataset, manifest: Manifest | None) -> dict[str, object]:
    """What the template shows of the declaration and its license; None for the manifest of a recipe."""
    license = licenses.get(dataset.license)
    return {
        "overview": _overview(dataset, manifest, license),
        "sentence": prose(license.sentence),
        "terms": _terms(dataset, license, manifest),
        "sheet_text": _alt(dataset, manifest),
        "how": prose(dataset.how or ""),
        "schema": _schema(dataset),
        "legend": _legend(dataset),
        "labels": _label_map(dataset),
        "collections": _collections(dataset) if layout.is_multi(dataset) else None,
        "official": _official(dataset) if manifest is None else None,
        "sources": _sources(dataset.sources),
        "evidence": _evidence(dataset, license),
        "unverified": ", ".join(_unverified(dataset, license)),
        "subject": prose(dataset.subject or dataset.no_subject or ""),
        "drawn": _overlap_tree(dataset),
        "overlaps": [(code(each.dataset), prose(each.relation), prose(each.evidence)) for each in dataset.overlaps],
        "notes": [prose(note) for note in dataset.notes if clean(note)],
        "shared_subjects": prose(dataset.shared_subjects or ""),
        "citation": citation(dataset.citation),
        "bibtex": Markup(bibtex(dataset)),
    }


def _overview(dataset: Dataset, manifest: Manifest | None, license: License) -> Markup:
    rows: list[tuple[str, object]] = []
    if manifest is not None:
        stored = sum(split.bytes for config in manifest.configs for split in config.splits.values())
        subjects = sum(split.subjects for config in manifest.configs for split in config.splits.values())
        rows += [("Rows", f"{manifest.rows:,}"), ("Size", size_text(stored))]
        if subjects:
            rows.append(("Subjects", f"{subjects:,} over all splits"))
    elif total := sum(dataset.splits.values()):
        rows.append(("Images in the source", f"{total:,}"))
    rows += [
        ("Dimension", ", ".join(SHAPES[dimension] for dimension in dataset.dimensions)),
        *((kind.capitalize(), ", ".join(dataset.every(kind))) for kind in ("modality", "organ", "task")),
        ("License", link(license.name, license.url)),
        ("Published as", _published_as(license, manifest)),
        ("Evidence", _evidence_level(dataset, license)),
        ("Homepage", address(dataset.homepage)),
        ("Version", dataset.version),
    ]
    if dataset.aliases:
        rows.append(("Also known as", ", ".join(dataset.aliases)))
    return facts(rows)


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

    def says(value: bool | None, yes: str = "allowed", no: str = "not allowed") -> str:
        if license.per_row:
            return "each row has a license of its own"
        return allowed(value, "the source", yes, no)

    unsaid = None if license.redistribute is None else False  # where little was read, silence says nothing

    rows: list[tuple[object, object]] = [
        (
            "Published as",
            f"{license.publish.value}: {verdicts[license.publish]}"
            if manifest is not None or license.publish is Verdict.RECIPE
            else _published_as(license, manifest),
        ),
        ("Pass on copies", says(license.redistribute)),
        ("Pass on changed versions", says(license.adapt)),
        ("Commercial use", says(license.commercial)),
        (
            "Share alike",
            says(license.share_alike or unsaid, "changed versions must carry the same license", "not asked for"),
        ),
        (
            "Attribution",
            says(license.attribution or unsaid, "required: see the citation below", "not asked for"),
        ),
    ]
    for config in dataset.configs:
        if config.license and config.license != dataset.license:
            own = licenses.get(config.license)
            rows.append((code(config.name), Markup("{} ({})").format(link(own.name, own.url), own.publish.value)))
    return table(["term", "what the license says"], rows)


def _schema(dataset: Dataset) -> Markup:
    """Every stored column with its type and meaning."""
    types: dict[str, dict[str, None]] = {}
    for dimension in dataset.dimensions:
        for name, feature in features(dimension).items():
            inner = {f"label.{key}": each for key, each in feature.items()} if name == "label" else {name: feature}
            for key, each in inner.items():
                types.setdefault(key, {})[_type_text(each)] = None
    rows = [
        (code(key), Markup(" or ").join(code(each) for each in texts), prose(COLUMNS[key]))
        for key, texts in types.items()
    ]
    return table(["column", "type", "meaning"], rows)


def _type_text(feature: Any) -> str:
    from datasets import List, Value

    if isinstance(feature, Value):
        return str(feature.dtype)
    if isinstance(feature, List):
        return f"List({_type_text(feature.feature)})"
    if isinstance(feature, dict):
        return "{" + ", ".join(f"{key}: {_type_text(value)}" for key, value in feature.items()) + "}"
    return type(feature).__name__


def _legend(dataset: Dataset) -> Markup | None:
    if not dataset.legend:
        return None
    rows: list[tuple[object, object]] = [(value, named(names)) for value, names in sorted(dataset.legend.items())]
    if 0 not in dataset.legend:
        rows.insert(0, (0, "background"))
    return table(["mask value", "meaning"], rows, limit=4 * MAX_ROWS)


def _label_map(dataset: Dataset) -> Markup | None:
    if not dataset.labels:
        return None
    rows = [(code(label), named(names) if names else "no label") for label, names in dataset.labels.items()]
    return table(["in the source", "here"], rows, limit=4 * MAX_ROWS)


def named(names: Sequence[str]) -> Markup:
    """Canonical names, each with its SNOMED CT code where the vocabulary has one."""
    if not names:
        return Markup("not annotated: ignore")
    shown = []
    for name in names:
        snomed = vocab.label[name].snomed if name in vocab.label else None
        shown.append(Markup("{} (SCT {})").format(escape(name), snomed) if snomed else escape(name))
    return Markup(", ").join(shown)


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


def _official(dataset: Dataset) -> Markup | None:
    rows = [
        (code(config), code(split), f"{count:,}" if count else "not stated")
        for config in dataset.config_names
        for split, count in dataset.config(config).splits.items()
    ]
    return table(["sub-collection", "split", "images in the source"], rows) if rows else None


def _overlap_tree(dataset: Dataset) -> Markup | None:
    """The datasets that hold images of this one, as a tree in text: legible anywhere, also by ear."""
    if not dataset.overlaps:
        return None
    lines = [clean(dataset.name)]
    for number, each in enumerate(dataset.overlaps):
        branch = "└──" if number == len(dataset.overlaps) - 1 else "├──"
        lines.append(f"{branch} {clean(each.relation)} ──> {clean(each.dataset)}")
    return Markup("\n".join(line.replace("`", "'") for line in lines))


def _alt(dataset: Dataset, manifest: Manifest | None) -> Markup:
    """What the contact sheet shows, for those who do not see it."""
    if manifest is not None and manifest.origin == "miniature":
        return Markup("Words in place of pictures: the rows are phantoms")
    what = f"{', '.join(dataset.every('modality'))} of {', '.join(dataset.every('organ'))}"
    labels = list(dict.fromkeys(name for names in dataset.legend.values() for name in names))
    more = f" and {len(labels) - 6} more" if len(labels) > 6 else ""
    drawn = f", with {', '.join(labels[:6])}{more} drawn on them" if labels else ""
    return Markup(re.sub(r"[\[\]()*_`<>|\\]", " ", clean(f"Example images: {what}{drawn}")))


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


def _evidence_level(dataset: Dataset, license: License) -> str:
    """Which groups of facts somebody looked up, and which not."""
    missing = _unverified(dataset, license)
    groups = ("layout", "labels", "license", *(("subject",) if dataset.evidence.subject else ()))
    checked = [group for group in groups if group not in dataset.evidence.unverified]
    told = f"looked up: {', '.join(checked)}" if checked else "nothing was looked up"
    return f"{told}; not verified: {', '.join(missing)}" if missing else told


def _unverified(dataset: Dataset, license: License) -> list[str]:
    """Groups of facts that nobody looked up."""
    own = ["what the license allows"] if "unverified" in license.evidence.lower() else []
    return [*dataset.evidence.unverified, *own]
