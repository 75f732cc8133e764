"""What the portal's composer plans with: the facts that `medimg.fuse(plan=True)` reads, as one JSON object.

`site/plan.js` is a port of the planner. It has nothing but this object, so it says what Python says with the same
manifests; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from medimg import licenses, registry, vocab
from medimg.declaration import Dataset, Part
from medimg.fusion import blueprint, semantics
from medimg.fusion.choices import Order
from medimg.fusion.request import CHOICES, Request
from medimg.licenses import Verdict
from medimg.loading import source_required
from medimg.manifest import Manifest
from medimg.registry import Builder
from medimg.text import SPELLINGS
from medimg.vocab import Vocabulary

VOCABULARIES = {"modality": vocab.modality, "organ": vocab.organ, "task": vocab.task, "label": vocab.label}


def fusion_data(manifests: Mapping[str, Manifest] | None, namespace: str = "medimg") -> dict[str, Any]:
    """All that a plan is made of, as plain values.

    Args:
        manifests: name -> manifest of what is published; a dataset that is not in it is not on the Hub. None: the Hub
            could not be asked, so that counts are the declared ones.
        namespace: organization on the Hub.
    """
    defaults = Request.of().model_dump(mode="json")
    return {
        "namespace": namespace,
        "datasets": [_dataset(each) for each in registry.builders()],
        "manifests": None if manifests is None else {name: _held(manifests[name]) for name in manifests},
        "vocabularies": {name: _vocabulary(each) for name, each in VOCABULARIES.items()},
        "spellings": SPELLINGS,
        "wholes": semantics.wholes(),
        "licenses": {id_: _license(id_) for id_ in licenses.known()},
        "blueprints": {
            name: blueprint.get(name).model_dump(mode="json", exclude_defaults=True) for name in blueprint.names()
        },
        "blueprint_fields": sorted(Request.model_fields),
        "terms": licenses.TERMS,
        "choices": CHOICES,
        "defaults": {name: value for name, value in defaults.items() if not isinstance(value, list)},
        "orders": get_args(Order),
    }


def _dataset(builder: Builder) -> dict[str, Any]:
    """What the planner reads of one declaration."""
    dataset = builder.dataset
    files = [each for each in dataset.sources if each.kind == "file"]
    sizes = [each.size for each in files]
    needs = None
    if dataset.publish is Verdict.RECIPE or not files:
        error = source_required(dataset)
        needs = {"problem": error.problem, "next_step": error.next_step}
    legends: list[list[Any]] = []
    return {
        "name": dataset.name,
        "called": [dataset.name, dataset.title, *dataset.aliases],
        "apart": bool(dataset.configs),
        "configs": [_config(dataset, name, legends) for name in dataset.config_names],
        "legends": legends,
        "labels": {label: list(names) for label, names in dataset.labels.items()},
        "undeclared": not dataset.legend and not dataset.labels and not dataset.parts,
        "overlaps": [each.model_dump(mode="json") for each in dataset.overlaps],
        "no_subject": dataset.no_subject,
        "shared_subjects": dataset.shared_subjects,
        "unverified": list(dataset.evidence.unverified),
        "homepage": dataset.homepage,
        "publish": dataset.publish.value,
        "files": bool(files),
        "bytes": sum(size or 0 for size in sizes) if files and all(sizes) else None,
        "needs": needs,
    }


def _config(dataset: Dataset, name: str, legends: list[list[Any]]) -> dict[str, Any]:
    config = dataset.config(name)
    return {
        "name": name,
        "title": config.title,
        "dimension": config.dimension or dataset.dimension,
        "modality": list(config.modality or ()),
        "organ": list(config.organ or ()),
        "task": list(config.task or ()),
        "license": config.license or dataset.license,
        "splits": [[split, count] for split, count in config.splits.items()],
        "said": {
            modality: [_said(part, legends) for part in dataset.parts_of(name, modality)]
            for modality in config.modality or ()
        },
    }


def _said(part: Part, legends: list[list[Any]]) -> list[Any]:
    """[place of the legend among the dataset's, names of classes, boxes and points; None for all its labels]."""
    legend = [[value, list(names)] for value, names in sorted(part.legend.items())]
    if legend not in legends:
        legends.append(legend)
    return [legends.index(legend), None if part.names is None else list(part.names)]


def _held(manifest: Manifest) -> dict[str, Any]:
    """What is published: config -> split -> [rows, bytes]."""
    return {
        "retired": manifest.retired,
        "configs": {
            config.name: {split: [stats.rows, stats.bytes] for split, stats in config.splits.items()}
            for config in manifest.configs
        },
    }


def _vocabulary(vocabulary: Vocabulary) -> dict[str, Any]:
    """Each term with the keys that it is found by and its edges, and what is known to be no term."""
    return {
        "name": vocabulary.name,
        "terms": {
            id_: [
                list(dict.fromkeys(map(vocab.normalize, (id_, *vocabulary[id_].synonyms)))),
                list(vocabulary[id_].is_a),
                list(vocabulary[id_].part_of),
            ]
            for id_ in vocabulary
        },
        "rejected": {vocab.normalize(text): reason for text, reason in vocabulary.rejected.items()},
    }


def _license(id_: str) -> dict[str, Any]:
    license = licenses.get(id_)
    terms = ("name", "adapt", "commercial", "share_alike", "attribution", "gate", "per_row")
    return {
        **{name: getattr(license, name) for name in terms},
        "publish": license.publish.value,
        "meets": licenses.met(id_),
    }
