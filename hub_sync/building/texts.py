"""The texts of a repository: card, Croissant and manifest."""

from __future__ import annotations

import json

from medimg import layout
from medimg.cards import croissant as croissants
from medimg.cards.readme.dataset import render
from medimg.hub_sync import manifests
from medimg.hub_sync.digests import git_oid
from medimg.hub_sync.planning import fingerprint
from medimg.hub_sync.pushing.state import Published
from medimg.manifest import MANIFEST_PATH, Manifest
from medimg.registry import Builder

PATHS = (layout.CARD_PATH, layout.CROISSANT_PATH, MANIFEST_PATH)


def are_fresh(builder: Builder, namespace: str, state: Published) -> bool:
    """Whether the published texts are what would be rendered now, told without rendering or reading them."""
    known = {} if state.manifest is None else dict(state.manifest.texts)
    inputs = known.pop("inputs", "")
    if not fingerprint.same_texts(inputs, fingerprint.texts(builder, namespace, inputs)):
        return False
    return bool(known) and all(state.files.get(path) == digest for path, digest in known.items())


def rendered(
    builder: Builder, manifest: Manifest, namespace: str, previous: str | None
) -> tuple[Manifest, dict[str, bytes]]:
    """Card, Croissant and manifest as files of the repository; the manifest says what they were rendered from."""
    dataset = builder.dataset
    card = render(dataset, builder.description, manifest, namespace=namespace, previous=previous)
    croissant = croissants.croissant(dataset, builder.description, manifest, namespace)
    content = {
        layout.CARD_PATH: card.encode(),
        layout.CROISSANT_PATH: (json.dumps(croissant, indent=1, ensure_ascii=False) + "\n").encode(),
    }
    digests = {"inputs": fingerprint.texts(builder, namespace)}
    digests |= {path: git_oid(data) for path, data in content.items()}
    manifest = manifests.with_texts(manifest, digests)
    return manifest, {**content, MANIFEST_PATH: manifest.to_json().encode()}
