"""The portal: a static site that shows the catalogue. No server, no account, no request to anybody else.

    from medimg.cards import portal

    portal.build(Path("site"))                                  # from the declarations alone
    portal.build(Path("site"), manifests=…, pictures=…)         # with what a Hub has published

The same input gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from medimg import __version__, catalogue, index, licenses, registry, vocab
from medimg.cards.portal.fusion import fusion_data
from medimg.cards.portal.previews import Preview, Sample
from medimg.catalogue import Entry
from medimg.catalogue.words import search_data
from medimg.manifest import ConfigStats, Manifest, counted
from medimg.text import clean, cleaned

__all__ = ["Preview", "Sample", "build", "files", "picture_files"]

CHUNK = 32
"""Entries whose details share one file."""
LISTS = ("aliases", "modality", "organ", "task", "structures", "dimension")
PLAIN = ("id", "name", "count", "subjects", "bytes", "year", "commercial")
WORDS = ("unit", "license", "verdict", "license_by", "access", "loadable", "organization", "where")
COUNTS = (
    *("modality", "organ", "task", "license", "classes", "uncertain", "structures"),
    *("boxes", "points", "measures", "texts"),
)
KINDS = ("modality", "organ", "task")
TERMS = ("name", "url", "redistribute", "adapt", "commercial", "share_alike", "attribution", "gate")
OFFICIAL_HUB = "https://huggingface.co"


def build(
    folder: Path,
    *,
    entries: Iterable[Entry] | None = None,
    manifests: Mapping[str, Manifest] | None = None,
    pictures: Mapping[str, Preview] | None = None,
    namespace: str = "medimg",
    hub: str | None = None,
) -> list[Path]:
    """Write the site.

    Args:
        folder: where it goes; made where it is not there. Files of an earlier site are overwritten, none is removed.
        entries: of the catalogue; None takes all of them.
        manifests: dataset -> what is published of it; None where nobody looked at a Hub.
        pictures: dataset -> what it lets be shown.
        namespace: organization of the published datasets.
        hub: address of the Hub that holds them; None is the public one.

    Returns:
        The files that were written, sorted.
    """
    written = []
    for name, content in files(entries, manifests, pictures, namespace=namespace, hub=hub).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    return sorted(written)


def files(
    entries: Iterable[Entry] | None = None,
    manifests: Mapping[str, Manifest] | None = None,
    pictures: Mapping[str, Preview] | None = None,
    *,
    namespace: str = "medimg",
    hub: str | None = None,
) -> dict[str, bytes]:
    """Path in the site -> bytes; arguments as of `build`."""
    found = list(catalogue.entries() if entries is None else entries)
    live = {name: each for name, each in (manifests or {}).items() if not each.retired}
    shown = dict(pictures or {})
    site = dict(_own_files())
    about = {
        "medimg": __version__,
        "namespace": namespace,
        "hub": (hub or OFFICIAL_HUB).rstrip("/"),
        "public": hub is None or hub.rstrip("/") == OFFICIAL_HUB,
        "looked": manifests is not None,
        "chunk": CHUNK,
        "viewer": "vendor/niivue.js" in site,
    }
    site["data/catalogue.json"] = _json(_catalogue(found, live, shown, about))
    site["data/vocabulary.json"] = _json(search_data())
    site["data/fusion.json"] = _json(fusion_data(manifests, namespace))
    declared = {each.name: each for each in registry.entries()}
    for start in range(0, len(found), CHUNK):
        part = {
            each.id: _details(each, declared.get(each.id), live.get(each.id), shown.get(each.id))
            for each in found[start : start + CHUNK]
        }
        site[f"data/details/{start // CHUNK}.json"] = _json(part)
    for name, preview in shown.items():
        site |= picture_files(name, preview)
    return dict(sorted(site.items()))


def _own_files() -> Iterable[tuple[str, bytes]]:
    """What the package holds: our pages, and the volume viewer where it was built."""
    here = resources.files(__package__)
    for room, prefix in (("site", ""), ("vendor", "vendor/")):
        folder = here / room
        if folder.is_dir():
            for each in sorted(folder.iterdir(), key=lambda file: file.name):
                if each.is_file() and not each.name.startswith("."):
                    yield prefix + each.name, each.read_bytes()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode()


def _coded(column: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Lists of words as numbers of words: what is said often is said once."""
    words = sorted({word for words in column for word in words})
    number = {word: place for place, word in enumerate(words)}
    return {"words": words, "of": [[number[word] for word in each] for each in column]}


def _catalogue(
    entries: Sequence[Entry],
    manifests: Mapping[str, Manifest],
    pictures: Mapping[str, Preview],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """What the first view needs of all entries, by column."""
    columns: dict[str, Any] = {name: [getattr(each, name) for each in entries] for name in PLAIN}
    columns["name"] = cleaned(columns["name"])
    for name in WORDS:
        columns[name] = _coded(
            [[value] if value is not None else [] for value in cleaned([getattr(each, name) for each in entries])]
        )
    for name in LISTS:
        columns[name] = _coded([cleaned(getattr(each, name)) for each in entries])
    columns["overlaps"] = _coded([[f"{o.dataset}\t{o.relation}" for o in each.overlaps] for each in entries])
    published = [manifests.get(each.id) for each in entries]
    return {
        "about": about,
        "columns": columns,
        "licenses": _licenses(entries),
        "narrower": {kind: _ancestors(kind, entries) for kind in KINDS},
        "published": {
            each.id: [manifest.rows, _bytes(manifest), manifest.origin]
            for each, manifest in zip(entries, published, strict=True)
            if manifest is not None
        },
        "pictures": {
            name: {"thumb": f"{_place(name)}/thumb.webp", "alt": clean(each.alt)} for name, each in pictures.items()
        },
    }


def _bytes(manifest: Manifest) -> int:
    return sum(split.bytes for config in manifest.configs for split in config.splits.values())


def _licenses(entries: Sequence[Entry]) -> dict[str, Any]:
    """Names and terms of the licenses that entries have, as far as the table knows them."""
    used = sorted({each.license for each in entries if each.license} & set(licenses.known()))
    return {each: {name: getattr(licenses.get(each), name) for name in TERMS} for each in used}


def _ancestors(kind: str, entries: Sequence[Entry]) -> dict[str, list[str]]:
    """Term -> what it is a kind or a part of, for the terms in use and all that these lead to."""
    vocabulary: vocab.Vocabulary = getattr(vocab, kind)
    todo = {term for each in entries for term in getattr(each, kind) if term in vocabulary}
    reached: dict[str, list[str]] = {}
    for term in sorted(todo.union(*(vocabulary.ancestors(term) for term in todo))):
        if term in vocabulary:
            reached[term] = sorted(up for up in vocabulary.ancestors(term) if up in vocabulary)
    return {term: up for term, up in reached.items() if up}


def _details(
    entry: Entry, declared: index.IndexEntry | None, manifest: Manifest | None, preview: Preview | None
) -> dict[str, Any]:
    """What the page of one dataset says beyond the catalogue's columns."""
    details: dict[str, Any] = {
        "links": list(entry.links),
        "stated": [each._asdict() for each in entry.stated],
    }
    if declared is not None:
        said = declared.declared
        details["declared"] = {
            "description": declared.description.split("\n\n"),
            "unverified": list(declared.unverified),
            **{name: said[name] for name in ("evidence", "citation", "sources", "splits", "legend", "labels", "how")},
            "overlaps": said["overlaps"],
            "configs": [{name: each[name] for name in ("name", "splits", "dimension")} for each in said["configs"]],
            "parts": [{name: each[name] for name in ("legend", "names")} for each in said["parts"]],
        }
    if manifest is not None:
        details["published"] = _published(manifest)
    if preview is not None:
        details["samples"] = [_sample(entry.id, number, each) for number, each in enumerate(preview.samples)]
    shown: dict[str, Any] = cleaned(details)
    return shown


def _published(manifest: Manifest) -> dict[str, Any]:
    """Numbers of a manifest."""
    counts = {kind: counted(manifest.configs, kind) for kind in COUNTS}
    return {
        "origin": manifest.origin,
        "tag": manifest.tag,
        "rows": manifest.rows,
        "bytes": _bytes(manifest),
        "splits": [_split(config, name) for config in manifest.configs for name in config.splits],
        "counts": [[kind, list(map(list, found.items()))] for kind, found in counts.items() if found],
        "withheld": manifest.withheld,
        "skipped": {reason: left.count for reason, left in manifest.skipped.items()},
        "incomplete": {reason: left.count for reason, left in manifest.incomplete.items()},
        "findings": [[each.level, each.check, each.message, each.count] for each in manifest.findings],
    }


def _split(config: ConfigStats, name: str) -> dict[str, Any]:
    split = config.splits[name]
    numbers = {each: getattr(split, each) for each in ("rows", "subjects", "bytes", "withheld")}
    return {"config": config.name, "split": name, **numbers}


def _place(name: str) -> str:
    """Folder of a dataset's pictures."""
    return "previews/" + re.sub(r"[^a-z0-9-]", lambda found: f"_{ord(found[0]):x}", name)


def _sample_files(name: str, number: int, sample: Sample) -> dict[str, bytes]:
    base = f"{_place(name)}/{number}"
    found = {f"{base}{sample.suffix}": sample.image}
    if sample.mask is not None:
        found[f"{base}-mask{'.nii.gz' if sample.kind == 'volume' else '.png'}"] = sample.mask
    return found


def _sample(name: str, number: int, sample: Sample) -> dict[str, Any]:
    image, *mask = _sample_files(name, number, sample)
    return {
        "id": sample.id,
        "kind": sample.kind,
        "caption": sample.caption,
        "image": image,
        "mask": mask[0] if mask else None,
        "legend": [[value, list(names)] for value, names in sample.legend],
        "instances": sample.instances,
    }


def picture_files(name: str, preview: Preview) -> dict[str, bytes]:
    """Path in the site -> bytes of a dataset's pictures."""
    found = {f"{_place(name)}/thumb.webp": preview.thumbnail}
    for number, sample in enumerate(preview.samples):
        found |= _sample_files(name, number, sample)
    return found
