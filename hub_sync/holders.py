"""Which published fused sets hold rows of a dataset: what is withdrawn from a member stands there, too."""

from __future__ import annotations

from dataclasses import dataclass

from medimg import registry
from medimg.hub_sync.fused_manifest import FusedManifest
from medimg.hub_sync.publish import Hub


@dataclass(frozen=True)
class Holder:
    """A fused set with rows of a dataset.

    Attributes:
        name: of the set; `address`: its page.
        rows: of the dataset, in the set as it is now. The set's earlier revisions may hold more.
        revision: the dataset's commit that they were read from; None for a source of somebody's own.
    """

    name: str
    address: str
    rows: int
    revision: str | None

    def __str__(self) -> str:
        at = f" of its commit {self.revision[:7]}" if self.revision else ""
        return f"{self.name} ({self.rows:,} rows{at}, {self.address})"


def fused_sets(hub: Hub) -> dict[str, FusedManifest]:
    """The fused sets of the organization, by name.

    Raises:
        HubError: the Hub does not answer.
    """
    known = {builder.name for builder in registry.builders()}
    repos = hub.ask("fused sets", lambda: [repo.id for repo in hub.api.list_datasets(author=hub.namespace)])
    found = {}
    for name in sorted(repo.split("/", 1)[1] for repo in repos):
        text = None if name in known else hub.found(name)[1]
        if text is not None and '"kind": "fused"' in text:
            found[name] = FusedManifest.model_validate_json(text)
    return found


def holders(hub: Hub, name: str) -> list[Holder]:
    """Fused sets that hold rows of the dataset.

    Raises:
        HubError: the Hub does not answer.
    """
    found = []
    for fused, manifest in fused_sets(hub).items():
        parts = [member for member in manifest.members if member.name == name]
        rows = sum(sum(member.rows.values()) for member in parts)
        if rows:
            revision = next((member.revision for member in parts if member.revision), None)
            found.append(Holder(fused, hub.address(fused), rows, revision))
    return found


def told(hub: Hub, name: str) -> str:
    """A sentence on the fused sets that hold rows of a dataset that was withdrawn; empty where there are none."""
    found = holders(hub, name)
    if not found:
        return ""
    sets = ", ".join(map(str, found))
    return (
        f"fused sets that hold copies of its rows: {sets}; push each again without it "
        f"(medimg fuse … --push NAME) or delete its repository, as earlier revisions hold them, too"
    )
