"""The card of a dataset, or of a recipe."""

from __future__ import annotations

from urllib.parse import quote

from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]
from markupsafe import Markup

from medimg import layout, policy
from medimg.cards.readme import counts, declared
from medimg.cards.readme.markdown import paragraphs
from medimg.cards.readme.metadata import card_data
from medimg.cards.readme.page import readme
from medimg.declaration import Dataset
from medimg.manifest import Manifest

TEMPLATE = "card.md.j2"


def render(
    dataset: Dataset,
    description: str,
    manifest: Manifest | None,
    *,
    namespace: str = "medimg",
    previous: str | None = None,
) -> str:
    """README.md of one dataset.

    Args:
        dataset: the declaration.
        description: the builder's docstring; its paragraphs open the card.
        manifest: what is published; None for a recipe.
        namespace: organization on the Hub.
        previous: the published card, whose hand-written block is kept.

    Raises:
        LicenseError: the manifest holds data that the license does not let out.
        MedimgError: the hand-written block of `previous` lacks a marker.
    """
    repo = f"{namespace}/{dataset.name}"
    validate_repo_id(repo)
    none_of = None
    if manifest is not None:
        policy.check(dataset, manifest)
        if not layout.published(manifest):
            manifest, none_of = None, manifest
    context = {
        **_opening(dataset, description, manifest, namespace),
        **_loading(dataset, manifest, repo),
        **declared.context(dataset, manifest),
        **counts.context(dataset, manifest),
        "all_withheld": counts.withheld(none_of),
    }
    return readme(TEMPLATE, context, card_data(dataset, manifest), previous)


def _opening(dataset: Dataset, description: str, manifest: Manifest | None, namespace: str) -> dict[str, object]:
    assets = manifest.assets if manifest is not None else {}
    return {
        "dataset": dataset,
        "title": dataset.title,
        "description": paragraphs(description),
        "manifest": manifest,
        "miniature": manifest is not None and manifest.origin == "miniature",
        "sheet": layout.CONTACT_SHEET_PATH in assets,
        "chart": layout.STATISTICS_PATH in assets,
        "portal": Markup(f"/spaces/{quote(namespace)}/portal#/dataset/{quote(dataset.name)}"),
    }


def _loading(dataset: Dataset, manifest: Manifest | None, repo: str) -> dict[str, object]:
    """Names that the examples of how to load it use."""
    multi = layout.is_multi(dataset)
    holding = layout.published(manifest) if manifest is not None else {}
    return {
        "gated": bool(policy.gates(dataset, manifest)),
        "repo": repo,
        "example": next((name for name in dataset.config_names if name in holding), dataset.config_names[0])
        if multi
        else None,
        "joins": layout.default_members(dataset, holding) if multi else (),
        "hub_default": [layout.default_config(dataset, holding) or ""],
        "split": next((split for name in holding for split in holding[name]), "train"),
        "modality": dataset.modality[0],
    }
