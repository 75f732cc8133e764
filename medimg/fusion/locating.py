"""Where members are read from: what is published of them, or the user's own copies; and how much may be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from medimg import hub, registry
from medimg.declaration import Dataset
from medimg.errors import HubError, MedimgError, SourceRequiredError
from medimg.fusion.request import Request
from medimg.fusion.select import DeclaredMember, LeftOut
from medimg.licenses import Verdict
from medimg.loading import MINIATURE, OFFICIAL, locate_source, source_required
from medimg.manifest import MANIFEST_PATH, Manifest

Look = Literal["nothing", "subjects", "content", "pixels"]
"""How much of a member's rows is compared: each step with the ones before it."""


def look(source: str | None, on_duplicate: str, near: bool | None) -> Look:
    """How much of a member is looked at for duplicates before its rows are given.

    Args:
        source: where its rows are; None for the Hub, whose metadata have the hash of all pixels.
        on_duplicate, near: see `fuse`.
    """
    if on_duplicate == "ignore":
        return "nothing"
    if near:
        return "pixels"
    if source is None:
        return "content"
    if source == OFFICIAL or "://" in source:
        return "nothing"
    if near is None:
        return "pixels"
    return "subjects" if on_duplicate == "keep" else "content"


class Manifests:
    """Manifests of published datasets; after one failed connection the Hub is not asked again.

    Args:
        namespace: organization on the Hub.
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.reachable = True
        self._read: dict[str, Manifest | None] = {}

    def get(self, name: str) -> Manifest | None:
        """The manifest; None where there is none, or the connection broke.

        Raises:
            HubError: the Hub does not answer at all.
        """
        if name not in self._read and self.reachable:
            hub.check()
            found = self._download(name)
            if self.reachable:
                self._read[name] = found
        return self._read.get(name)

    def _download(self, name: str) -> Manifest | None:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        try:
            path = hf_hub_download(f"{self.namespace}/{name}", MANIFEST_PATH, repo_type="dataset")
        except LocalEntryNotFoundError:
            self.reachable = False
            return None
        except (HfHubHTTPError, OSError):
            return None
        return Manifest.model_validate_json(Path(path).read_bytes())


def locate(
    request: Request, declared: Sequence[DeclaredMember], manifests: Manifests
) -> tuple[dict[str, str | None], list[LeftOut]]:
    """Where each member is read from; those that cannot be had are an error where they were named."""
    places: dict[str, str | None] = {}
    gone: list[LeftOut] = []
    for each in declared:
        dataset = each.builder.dataset
        try:
            place = _place(request.source, dataset)
            if request.source is None:
                _refuse_unpublished(each, request.split, manifests)
        except MedimgError as error:
            if request.names or isinstance(error, hub.UnansweredError):
                raise
            gone.append(LeftOut(member=each.key, reason=error.problem))
        else:
            places[each.key] = place
    return places, gone


def _refuse_unpublished(declared: DeclaredMember, splits: Sequence[str], manifests: Manifests) -> None:
    """Raises HubError where the Hub says that it holds no such rows."""
    name, repo = declared.builder.name, f"{manifests.namespace}/{declared.builder.name}"
    manifest = manifests.get(name)
    if manifest is None and manifests.reachable:
        raise HubError(
            f"{repo} is not on the Hub, or cannot be read",
            dataset=name,
            next_step="check the namespace and your token, or pass source=<root with the originals>.",
        )
    if manifest is None:
        return
    if manifest.retired:
        raise HubError(
            f"{repo} is retired: it holds no data any more",
            dataset=name,
            next_step=f"its card says why ({registry.get(name).dataset.homepage} is its source); leave it out.",
        )
    shown = manifest.config(declared.config.name)
    held = [] if shown is None else [split for split in declared.splits(splits) if split in shown.splits]
    if not held:
        asked = f" in {' or '.join(splits)}" if splits and shown is not None else ""
        raise HubError(
            f"{repo} holds no rows of {declared.key}{asked}",
            dataset=name,
            next_step="leave it out, or pass source=<root with the originals>.",
        )


def _place(source: str | None, dataset: Dataset) -> str | None:
    if source == MINIATURE:
        return None
    if source is None:
        if dataset.publish is Verdict.RECIPE:
            raise source_required(dataset)
        return None
    if source == OFFICIAL:
        if not any(each.kind == "file" for each in dataset.sources):
            raise source_required(dataset)
        return OFFICIAL
    place = locate_source(source, dataset.name)
    if place is None:
        raise SourceRequiredError(
            f"there is no {dataset.name} below the source root {source}",
            dataset=dataset.name,
            next_step=f"put the original into {Path(source) / dataset.name}."
            + (f" {dataset.how}" if dataset.how else ""),
        )
    return place


def size(place: str | None, dataset: Dataset) -> int | None:
    """Bytes of a source, as it lies there or as its addresses are declared; None where that is not known."""
    if place == OFFICIAL:
        sizes = [each.size for each in dataset.sources if each.kind == "file"]
        return sum(each or 0 for each in sizes) if all(sizes) else None
    path = Path(place or "")
    if place and path.is_file():
        return path.stat().st_size
    if place and path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return None
