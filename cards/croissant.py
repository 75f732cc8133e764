"""Croissant (MLCommons JSON-LD): the Parquet files of a published dataset for other tools than `datasets`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medimg import layout, licenses, policy
from medimg.cards.readme.citation import bibtex
from medimg.cards.readme.metadata import fused_globs
from medimg.declaration import Dataset
from medimg.manifest import Manifest, Shard
from medimg.text import clean

if TYPE_CHECKING:
    from datasets import Features

    from medimg.fused_manifest import FusedManifest

VERSION = "http://mlcommons.org/croissant/1.1"
PARQUET = "application/x-parquet"
REPO = "repo"
DATASETS = "https://huggingface.co/datasets"
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "cr:dataBiases",
    "dataCollection": "cr:dataCollection",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "arrayShape": "cr:arrayShape",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
TYPES: Mapping[str, str] = {
    "string": "sc:Text",
    "bool": "sc:Boolean",
    "int8": "cr:Int8",
    "int32": "cr:Int32",
    "int64": "cr:Int64",
    "float32": "cr:Float32",
    "float64": "cr:Float64",
    "Image": "sc:ImageObject",
    "Video": "sc:VideoObject",
    "Nifti": "sc:Text",
}
"""Stored feature -> Croissant data type. Croissant knows no volume; its readers give text as bytes."""


def croissant(
    dataset: Dataset,
    description: str,
    manifest: Manifest | None,
    namespace: str = "medimg",
) -> dict[str, Any]:
    """The JSON-LD of one dataset, for `.medimg/croissant.json`.

    Every shard is a FileObject with its digest; every Hub config a FileSet and a RecordSet.
    A recipe lists the source's files whose digest is published, and no records.

    Raises:
        LicenseError: the manifest holds data that the license does not let out.
    """
    url = f"{DATASETS}/{namespace}/{dataset.name}"
    license = licenses.get(dataset.license)
    holding = layout.published(manifest) if manifest is not None else {}
    if manifest is not None:
        policy.check(dataset, manifest)
    document: dict[str, Any] = {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": VERSION,
        "name": dataset.name,
        "alternateName": [clean(text) for text in (dataset.title, *dataset.aliases)],
        "description": clean(description) or clean(dataset.title),
        "url": url,
        "sameAs": clean(dataset.homepage),
        "license": license.url or clean(license.name),
        "citeAs": bibtex(dataset),
        "creator": {"@type": "sc:Organization", "name": clean(dataset.citation.authors)},
        "version": clean(dataset.version),
        "keywords": [*dataset.modality, *dataset.organ, *dataset.task],
        "isLiveDataset": False,
        **({"datePublished": date} if (date := date_published(dataset)) else {}),
    }
    if manifest is None or not holding:
        return document | {"distribution": _originals(dataset)}
    shards = [*manifest.data, *([manifest.preview] if manifest.preview else [])]
    globs = layout.data_globs(dataset, holding, preview=manifest.preview is not None)
    sets = [_file_set(name, splits) for name, splits in globs.items()]
    return document | {
        "distribution": [_repository(url), *(_file_object(url, shard) for shard in shards), *sets],
        "recordSet": [
            _record_set(layout.config_features(dataset, name), name, splits) for name, splits in globs.items()
        ],
    }


DATA_ARCHIVES = ("10.5281/", "10.7937/", "10.6084/", "10.17632/", "10.13026/", "10.5061/", "10.7910/")
"""DOI prefixes of archives of data: Zenodo, TCIA, figshare, Mendeley Data, PhysioNet, Dryad, Dataverse."""


def date_published(dataset: Dataset) -> str | None:
    """When the source first published the data: as declared, or the year of a citation that is the data's own.

    The year of a paper is no such date: the data came earlier or later.
    """
    own = (dataset.citation.doi or "").startswith(DATA_ARCHIVES)
    return dataset.published or (str(dataset.citation.year) if own else None)


def fused_croissant(
    manifest: FusedManifest,
    datasets: Mapping[str, Dataset],
    features: Mapping[str, Features],
    repo: str,
) -> dict[str, Any]:
    """The JSON-LD of a fused set: its files and records, and what it was derived from.

    Args:
        manifest: what is published.
        datasets: declarations of the members, by name.
        features: stored features of each Hub config.
        repo: `<namespace>/<name>`.
    """
    url = f"{DATASETS}/{repo}"
    found = [licenses.get(id) for id in dict.fromkeys([*manifest.terms.members.values()])]
    splits = fused_globs(manifest)
    keywords = [word for each in datasets.values() for word in (*each.modality, *each.organ, *each.task)]
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": VERSION,
        "name": manifest.name,
        "description": clean(
            f"{manifest.title}: {manifest.rows:,} rows of {', '.join(each.key for each in manifest.members)}."
        ),
        "url": url,
        "license": [license.url or clean(license.name) for license in found],
        "citeAs": "\n\n".join(bibtex(each) for each in datasets.values()),
        "creator": [{"@type": "sc:Organization", "name": clean(each.citation.authors)} for each in datasets.values()],
        "isBasedOn": [clean(each.homepage) for each in datasets.values()],
        "version": "1.0.0",
        "keywords": list(dict.fromkeys(keywords)),
        "isLiveDataset": False,
        "distribution": [
            _repository(url),
            *(_file_object(url, shard) for shard in manifest.files),
            *(_file_set(name, each) for name, each in splits.items()),
        ],
        "recordSet": [_record_set(features[name], name, each) for name, each in splits.items()],
    }


def _originals(dataset: Dataset) -> list[dict[str, Any]]:
    """The source's files that can be named with a digest, as Croissant asks."""
    found = []
    for number, source in enumerate(dataset.sources):
        digest = {"sha256": source.sha256} if source.sha256 else {"md5": source.md5} if source.md5 else None
        if source.kind != "file" or digest is None:
            continue
        found.append(
            {
                "@type": "cr:FileObject",
                "@id": f"source/{number}",
                "name": clean(source.path or source.url.rsplit("/", 1)[-1]) or f"source {number}",
                "contentUrl": clean(source.url),
                "encodingFormat": "application/octet-stream",
                **({"contentSize": f"{source.size} B"} if source.size is not None else {}),
                **digest,
            }
        )
    return found


def _repository(url: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": REPO,
        "name": REPO,
        "description": "The repository on the Hub.",
        "contentUrl": url,
        "encodingFormat": "git+https",
        # A repository has no digest; Croissant has no word for that: https://github.com/mlcommons/croissant/issues/80
        "sha256": "https://github.com/mlcommons/croissant/issues/80",
    }


def _file_object(url: str, shard: Shard) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": shard.path,
        "name": shard.path,
        "contentUrl": f"{url}/resolve/main/{shard.path}",
        "contentSize": f"{shard.bytes} B",
        "encodingFormat": PARQUET,
        "sha256": shard.sha256,
    }


def _file_set(name: str, splits: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"files/{name}",
        "name": f"files/{name}",
        "description": f"Parquet files of config {name}.",
        "containedIn": {"@id": REPO},
        "encodingFormat": PARQUET,
        "includes": [glob for globs in splits.values() for glob in globs],
    }


def _record_set(features: Features, name: str, splits: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"Config {name}; splits: {', '.join(splits)}.",
        "field": [_field(name, column, [], feature) for column, feature in features.items()],
    }


def _field(config: str, column: str, path: list[str], feature: Any) -> dict[str, Any]:
    """One column or one field below it; a list of structures is an array of its fields."""
    from datasets import List, Value

    id_ = "/".join([config, column, *path])
    field: dict[str, Any] = {"@type": "cr:Field", "@id": id_, "name": id_}
    if isinstance(feature, List):
        field |= {"isArray": True, "arrayShape": "-1"}
        feature = feature.feature
        if isinstance(feature, List):  # one list per entry of the outer list
            field["arrayShape"] = "-1,-1"
            feature = feature.feature
    if isinstance(feature, dict):
        inner = [_field(config, column, [*path, key], each) for key, each in feature.items()]
        return field | {"subField": inner}
    kind = feature.dtype if isinstance(feature, Value) else type(feature).__name__
    source: dict[str, Any] = {"fileSet": {"@id": f"files/{config}"}, "extract": {"column": column}}
    json_path = [*path, "bytes"] if kind in ("Image", "Video", "Nifti") else path
    if kind == "Nifti":
        field["description"] = "A NIfTI-1 file (bytes)."
    if json_path:
        # One step per level: a step after a list is applied to each of its entries.
        source["transform"] = [{"jsonPath": step} for step in json_path]
    return field | {"dataType": TYPES[kind], "source": source}
