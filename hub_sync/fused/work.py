"""What a push is made of: its members as they are now, its fingerprint, and all that its manifest says but the rows."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub

from medimg import __version__, fusion, layout, registry
from medimg.cards.croissant import fused_croissant
from medimg.cards.readme import fused as card
from medimg.errors import HubError
from medimg.fused_manifest import Duplicates, FusedManifest, FusedMember, Mode
from medimg.fusion.choices import SPLITS
from medimg.fusion.errors import FusionError
from medimg.fusion.plan import Member, Plan
from medimg.fusion.report import Report
from medimg.hub_sync.fused.stored import features
from medimg.hub_sync.planning.fingerprint import engine, fingerprint, meaning
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.state import Published
from medimg.licenses import Combined
from medimg.loading import MINIATURE, OFFICIAL, open_source
from medimg.manifest import MANIFEST_PATH, Manifest, Origin
from medimg.schema import SCHEMA_VERSION

EXAMPLES = 20

HIDDEN = "<source>"


# the work


@dataclass(frozen=True)
class Work:
    """A set that is to be pushed, and where to."""

    name: str
    request: Mapping[str, Any]
    plan: Plan
    terms: Combined
    hub: Hub
    mode: Mode

    @property
    def members_hub(self) -> Hub:
        """The Hub, as the organization that the members are read from."""
        hub = copy.copy(self.hub)
        hub.namespace = self.request["namespace"]
        return hub

    def members(self) -> list[FusedMember]:
        """What each member's rows depend on now."""
        source = self.plan.request.source
        if source is not None and self.mode == "verbatim":
            raise FusionError("only published members can be copied", next_step="leave out --source, or --verbatim.")
        if source is None and huggingface_hub.constants.ENDPOINT != self.hub.endpoint:
            raise HubError(
                f"members are read from {huggingface_hub.constants.ENDPOINT}, the set is to go to {self.hub.endpoint}",
                next_step=f"set HF_ENDPOINT={self.hub.endpoint} before Python starts, or pass a source.",
            )
        return [self._member(member, source) for member in self.plan.members]

    def _member(self, member: Member, source: str | None) -> FusedMember:
        known = member.model_dump(include={"key", "name", "config", "license"})
        builder = registry.get(member.name)
        if source == MINIATURE:
            return FusedMember(
                **known, origin="miniature", state=_digest(meaning(fingerprint(builder, None, "miniature")))
            )
        if source is not None:
            origin: Origin = "official" if source == OFFICIAL else "source"
            with open_source(builder, str(member.place), storage_options=self.request.get("storage_options")) as files:
                return FusedMember(**known, origin=origin, state=_digest(meaning(fingerprint(builder, files, origin))))
        state, manifest = self.read(member.name)
        config = manifest.config(member.config)
        shards = {split: [s.sha256 for s in each.shards] for split, each in config.splits.items()} if config else {}
        return FusedMember(
            **known,
            origin=manifest.origin,
            state=_digest(shards),
            repo=self.members_hub.repo(member.name),
            revision=state.sha,
        )

    def read(self, name: str) -> tuple[Published, Manifest]:
        """A published member."""
        state = self.members_hub.published(name)
        if state.manifest is None:
            raise HubError(
                f"{self.members_hub.repo(name)} is not on {self.hub.endpoint}",
                dataset=name,
                next_step=f"publish it first (medimg sync {name}), or pass a source.",
            )
        return state, state.manifest

    def fingerprint(self, members: Iterable[FusedMember]) -> dict[str, str]:
        """What the repository's rows depend on."""
        code = [*Path(fusion.__file__).parent.glob("*.py"), *Path(__file__).parent.glob("*.py")]
        texts = [path.read_text("utf-8") for path in sorted(code)]
        return {
            "mode": self.mode,
            "schema": SCHEMA_VERSION,
            "plan": _digest(self.public_plan()),
            "members": _digest([(each.key, each.origin, each.state) for each in members]),
            "engine": _digest([engine(), *texts]),
        }

    def public_plan(self) -> dict[str, Any]:
        """The plan without addresses of this computer."""
        whole = self.plan.to_dict()
        for member in whole["index"]["members"].values():
            del member["place"]
        source = whole["blueprint"]["source"]
        if source in (None, MINIATURE, OFFICIAL):
            return whole
        places = sorted({source, str(Path(source).expanduser())}, key=len, reverse=True)

        def hidden(value: Any) -> Any:
            if isinstance(value, str):
                for place in places:
                    value = value.replace(place, HIDDEN)
                return value
            if isinstance(value, dict):
                return {key: hidden(each) for key, each in value.items()}
            return [hidden(each) for each in value] if isinstance(value, list) else value

        found: dict[str, Any] = hidden(whole)
        return found

    def head(self, origin: Origin, prints: Mapping[str, str], report: Report) -> dict[str, Any]:
        """The manifest but for rows and files."""
        return {
            "name": self.name,
            "title": self.plan.request.title or self.name,
            "medimg": __version__,
            "schema_version": SCHEMA_VERSION,
            "mode": self.mode,
            "origin": origin,
            "dimension": self.plan.dimension,
            "fingerprint": prints,
            "plan": self.public_plan(),
            "terms": self.terms,
            "duplicates": _duplicates(report, dropped=self.mode == "remapped"),
        }

    def texts(self, manifest: FusedManifest, previous: str | None) -> dict[str, bytes]:
        """Card, Croissant and manifest."""
        declared = {member.name: registry.get(member.name).dataset for member in manifest.members}
        stored, repo = features(manifest), self.hub.repo(self.name)
        text = card.render(manifest, declared, stored, repo=repo, previous=previous)
        croissant = json.dumps(fused_croissant(manifest, declared, stored, repo), indent=1, ensure_ascii=False)
        return {
            layout.CARD_PATH: text.encode(),
            layout.CROISSANT_PATH: f"{croissant}\n".encode(),
            MANIFEST_PATH: manifest.to_json().encode(),
        }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def origin_of(members: Iterable[FusedMember], hub: Hub, old: FusedManifest | None) -> Origin:
    """Phantoms where one member's rows are. Raises HubError where they may not go."""
    origins = {member.origin for member in members}
    if "miniature" not in origins:
        return "source" if "source" in origins else "official"
    if not hub.embedded:
        raise HubError("phantoms are published on an embedded Hub only", next_step="pass a source with originals.")
    if old is not None and old.origin != "miniature":
        raise HubError(
            f"{old.name} holds rows of the {old.origin}; phantoms never replace them",
            next_step="push the phantoms under another name.",
        )
    return "miniature"


def _duplicates(report: Report, *, dropped: bool) -> Duplicates:
    return Duplicates(
        compared=report.rows,
        signed=report.signed,
        counts=tuple((*key, number) for key, number in report.counts.items()),
        examples=tuple(drop.why for drop in report.dropped[:EXAMPLES]),
        dropped=dropped,
        merged=report.merged if dropped else {},
        lost=report.lost if dropped else {},
        not_compared=report.not_compared,
        warnings=report.warnings,
    )


def order(split: str) -> tuple[int, str]:
    """A sort key: splits as they are listed."""
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS), split)
