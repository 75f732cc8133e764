"""Publish a fused set: own shards in one label space, or copies of the members' shards, in one commit each."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import huggingface_hub
import numpy as np
import PIL.Image
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete

import medimg
from medimg import layout, licenses, registry
from medimg.cards import pictures
from medimg.cards.croissant import fused_croissant
from medimg.cards.readme import fused as card
from medimg.errors import HubError, LicenseError, VerifyError
from medimg.fused_manifest import Duplicates, FusedManifest, FusedMember, Mode
from medimg.fusion import fuse
from medimg.fusion.choices import split_fused
from medimg.fusion.errors import FusionError
from medimg.fusion.facts import IGNORE
from medimg.fusion.labels import fused_features
from medimg.fusion.plan import Plan
from medimg.hub_sync.building.gallery import PREVIEW_ROWS, Gallery, sheet, write_preview
from medimg.hub_sync.building.shards import (
    METADATA_FILE,
    SHARD_BYTES,
    SplitWriter,
    pixel_bytes,
    without_pixels,
)
from medimg.hub_sync.digests import git_oid
from medimg.hub_sync.planning.fingerprint import engine, fingerprint, meaning
from medimg.hub_sync.pushing.client import Hub, MovedError, Operation
from medimg.hub_sync.pushing.state import MARK_PATH, OWNED, Published
from medimg.hub_sync.pushing.upload import Upload
from medimg.hub_sync.scratch import scratch, sweep
from medimg.hub_sync.verifying.verify import _read_back
from medimg.hub_sync.withdrawing import withdrawal
from medimg.licenses import Combined, Verdict
from medimg.loading import MINIATURE, OFFICIAL, open_source
from medimg.manifest import MANIFEST_PATH, Manifest, Origin, Shard, SplitStats
from medimg.pixels import Clip, Image, Picture, Volume
from medimg.readers import raster
from medimg.schema import PIXEL_COLUMNS, SCHEMA_VERSION, Box, Dimension

if TYPE_CHECKING:
    from datasets import Features

    from medimg.fusion.report import Report

NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
MAX_NAME = 96
SPLITS = ("train", "validation", "test")
EXAMPLES = 20
HIDDEN = "<source>"

Progress = Callable[[int, int], None]
"""Called after each row with (rows, bytes) of that row."""
Configs = dict[str, dict[str, SplitStats]]


PIXELS = (*PIXEL_COLUMNS, "fused.mask", "fused.channels")
"""Columns of a fused row that hold pixels."""


def metadata_features(dimension: Dimension) -> Features:
    """`fused_features` without the pixel columns."""
    stored = fused_features(dimension)
    return type(stored)(without_pixels(stored, PIXELS))


@dataclass(frozen=True)
class Pushed:
    """What a push did."""

    name: str
    status: Literal["published", "unchanged"]
    rows: int
    commits: int
    uploaded_bytes: int
    publish: str
    address: str
    collection: str


def push(
    name: str,
    request: Mapping[str, Any],
    hub: Hub,
    *,
    verbatim: bool = False,
    check: bool = True,
    shard_bytes: int = SHARD_BYTES,
    on_row: Progress = lambda rows, size: None,
) -> Pushed:
    """Publish a fused set as `<namespace>/<name>`; nothing is uploaded before its licenses allow it.

    Args:
        name: of the repository; no dataset's.
        request: arguments of `medimg.fuse`. Without `source`, members are read from the Hub of HF_ENDPOINT.
        hub: where to publish.
        verbatim: copy the members' shards within the Hub, as they are, instead of fusing labels.
        check: read everything back through plain `datasets` afterwards.
        shard_bytes: size at which a shard ends.
        on_row: progress.

    Raises:
        LicenseError: the set may not be passed on; names the members that stand in the way.
        FusionError: the name is not free, or the request cannot be fused or copied.
        HubError: the Hub refused, or phantoms were to leave an embedded Hub.
        VerifyError: what was published does not read back as what was meant.
    """
    check_name(name)
    sweep()
    asked = {"namespace": hub.namespace, **request}
    if asked.get("repeat"):
        raise FusionError("a set that repeats its rows has no end", next_step="push it without repeat.")
    plan: Plan = fuse(**asked, plan=True)
    terms = check_terms(plan, verbatim=verbatim)
    _refuse_unread(plan, hub)
    by_row = not verbatim and any(licenses.get(member.license).per_row for member in plan.members)
    stream = None
    if by_row:
        stream = fuse(**asked)
        terms = check_terms(plan, verbatim=False, rows=row_licenses(stream))
    work = _Work(name, asked, plan, terms, hub, "verbatim" if verbatim else "remapped")
    members = work.members()
    state, old = _published(hub, name)
    origin = _origin(members, hub, old)
    prints = work.fingerprint(members)
    if old is not None and old.fingerprint == prints and not _missing(old, state):
        if terms.publish is Verdict.GATED and not hub.gated(name):
            hub.gate(name)
        manifest, files, upload, kept = old, dict[str, Path | CommitOperationCopy](), Upload(hub, name), True
        revision = _commit(work, upload, manifest, files, state, kept=kept)
    else:
        stream = fuse(**asked) if stream is None else stream
        report: Report | None = stream.report
        head = work.head(origin, prints, report)
        if verbatim:
            _refuse_duplicates(report, asked)
            manifest, copies = _copied(work, members, head, state)
            upload = Upload(hub, name)
            _prepare(hub, name, terms)
            state = _made(hub, name, state)
            revision = _commit(work, upload, manifest, copies, state, kept=False)
        else:
            with scratch("fuse") as folder:
                upload = _LateUpload(hub, name, terms)
                manifest, built = _built(
                    work, stream, members, head, folder.path, upload, shard_bytes, on_row
                )
                if [each.state for each in work.members()] != [each.state for each in members]:
                    raise FusionError(
                        "a member changed while it was read", next_step="push again; nothing was published."
                    )
                state = _made(hub, name, state)
                revision = _commit(work, upload, manifest, built, state, kept=False)
    collection = _collect(hub, work, manifest)
    if check:
        problems = verify(hub, name)
        if problems:
            raise VerifyError("; ".join(problems[:3]), dataset=name, next_step="push again.")
    return Pushed(
        name=name,
        status="unchanged" if revision is None else "published",
        rows=manifest.rows,
        commits=int(revision is not None),
        uploaded_bytes=upload.bytes,
        publish=terms.publish.value,
        address=hub.address(name),
        collection=collection,
    )


def check_name(name: str) -> None:
    """Refuse names that are not safe as a repository, or that a dataset has.

    Raises:
        FusionError: as said.
    """
    if not NAME.fullmatch(name) or len(name) > MAX_NAME or name.endswith(".git"):
        raise FusionError(
            f"{name[:MAX_NAME]!r} cannot be the name of a repository",
            next_step=f"use at most {MAX_NAME} small letters and digits, with single . _ - between them.",
        )
    taken = {
        known.casefold()
        for builder in registry.builders()
        for known in (builder.name, *builder.dataset.aliases)
    }
    if name.casefold() in taken:
        raise FusionError(f"{name!r} is a dataset", next_step="give the fused set a name of its own.")


def check_terms(
    plan: Plan, *, verbatim: bool, rows: Mapping[str, Mapping[str, int]] | None = None
) -> Combined:
    """The terms under which the set may be passed on.

    Args:
        plan: of the set.
        verbatim: the members' files are copied as they are.
        rows: member whose rows state licenses of their own -> license id -> rows (see `row_licenses`). Without it,
            the terms are those of the other members alone.

    Raises:
        LicenseError: it may not, or a member allows no derivatives: such data is never part of a pushed set.
    """
    if verbatim:
        for member in plan.members:
            _refuse_no_derivatives(member.key, member.license)
        return plan.to_push(adapted=False)
    by_row = [member for member in plan.members if licenses.get(member.license).per_row]
    ids = {member.key: member.license for member in plan.members if member not in by_row}
    if ids:
        licenses.combine(ids, adapted=True)
    if rows is None:
        return licenses.combine(ids or {each.key: each.license for each in by_row}, adapted=bool(ids))
    for member in by_row:
        stated = rows.get(member.key, {})
        usable = [id for id in stated if _adaptable(id)]
        if not usable:
            raise LicenseError(
                f"no row of {member.key} may be part of an adapted set that is passed on: they are under "
                + (", ".join(f"{id} ({count:,})" for id, count in stated.items()) or "no license"),
                next_step="leave the member out, or keep the set to yourself.",
            )
        for id in sorted(usable, key=lambda id: (-stated[id], id)):
            ids = _with_rows_under(ids, member.key, id)
    return licenses.combine(ids, adapted=True)


def _adaptable(id: str) -> bool:
    license = licenses.get(id)
    return license.publish is not Verdict.RECIPE and license.adapt is True


def _rows_under(key: str, id: str) -> str:
    return f"rows of {key}: {id}"


def _with_rows_under(ids: Mapping[str, str], key: str, id: str) -> dict[str, str]:
    """The set with the rows of one license more. Raises LicenseError where these contradict the others."""
    more = {**ids, _rows_under(key, id): id}
    try:
        licenses.combine(more, adapted=True)
    except LicenseError as error:
        fitting = " ".join(f"--license {each}" for each in dict.fromkeys(ids.values()))
        listed = ", ".join(f'"{each}"' for each in dict.fromkeys(ids.values()))
        raise LicenseError(
            error.problem,
            next_step=f"take only what fits together: {fitting} (license_terms=[{listed}]), or leave {key} out.",
        ) from error
    return more


def row_licenses(stream: Any) -> dict[str, Counter[str]]:
    """Member whose rows state licenses of their own -> license id -> rows of it that are part of the set.

    Args:
        stream: what `fuse` gave.
    """
    found = {}
    for member in stream.members:
        if licenses.get(member.license).per_row:
            wanted = (
                item for item in member.alone().outlines() if member.splits and item[0] in member.splits
            )
            found[member.key] = Counter(member.terms(item) for item in wanted if member.wants(item))
    return found


def _refuse_unread(plan: Plan, hub: Hub) -> None:
    names = dict.fromkeys(member.name for member in plan.members)
    unread = [name for name in names if "license" in registry.get(name).dataset.evidence.unverified]
    if unread and not hub.embedded:
        raise LicenseError(
            f"nobody has read the license of {', '.join(unread)}: a fused set with it stays on an embedded Hub.",
            next_step="read it at the source and write where into the declaration, or leave the member out.",
        )


def _refuse_no_derivatives(key: str, id: str) -> None:
    license = licenses.get(id)
    if not license.per_row and license.adapt is not True:
        raise LicenseError(
            f"{key} ({id}) allows no derivatives, or does not say so: it is never part of a pushed fused set.",
            next_step="leave the member out (--license adapt finds those that may be adapted).",
        )


def verify(hub: Hub, name: str) -> list[str]:
    """What is wrong with a published fused set, as plain `datasets` reads it; empty where nothing is."""
    state, manifest = _published(hub, name)
    if manifest is None:
        return ["there is no fused set"]
    problems = [f"{path} is missing" for path in _missing(manifest, state)]
    problems += [
        f"{rows:,} rows are shown that may not be any more: {reason}"
        for reason, rows in withdrawal.withdrawn_rows(manifest, withdrawal.Retired(hub)).items()
    ]
    problems += withdrawal.problems(hub, name, state)
    repo = hub.repo(name)
    report = _read_back(hub, {repo: {"revision": state.sha, "deep": False}})[repo]
    if "error" in report:
        return [*problems, f"plain datasets cannot load it: {report['error']}"]
    expected = features(manifest)
    if set(report["configs"]) != set(expected):
        problems.append(f"configs are {sorted(report['configs'])}, expected {sorted(expected)}")
        return problems
    counted: Counter[str] = Counter()
    for splits in manifest.configs.values():
        counted.update({split: stats.rows for split, stats in splits.items()})
    metadata = report["configs"][layout.METADATA]
    if {split: found["rows"] for split, found in metadata.items()} != dict(counted):
        problems.append("config metadata does not hold the rows that the manifest counts")
    ids = [each for found in metadata.values() for each in found["ids"]]
    if len(set(ids)) != len(ids):
        problems.append("ids are not unique")
    for config, found in report["configs"].items():
        for split, each in found.items():
            if each["features"] != str(expected[config]):
                problems.append(f"{config}/{split}: the features are not the schema's")
            if config != layout.METADATA and (not each["decoded"] or set(each["ids"]) - set(ids)):
                problems.append(f"{config}/{split}: no image was decoded, or rows are not in config metadata")
    return problems


def features(manifest: FusedManifest) -> dict[str, Features]:
    """Stored features of every Hub config."""
    from medimg.schema import features as member_features
    from medimg.schema import metadata_features as member_metadata

    dimension = manifest.dimension
    shown = {layout.PREVIEW: layout.preview_features()} if manifest.previews else {}
    if manifest.mode == "remapped":
        fused = {layout.DEFAULT: fused_features(dimension), layout.METADATA: metadata_features(dimension)}
        return fused | shown
    own = {name: member_features(dimension) for name in (layout.DEFAULT, *manifest.configs)}
    return {**own, layout.METADATA: member_metadata(dimension), **shown}


# the work


@dataclass(frozen=True)
class _Work:
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
            raise FusionError(
                "only published members can be copied", next_step="leave out --source, or --verbatim."
            )
        if source is None and huggingface_hub.constants.ENDPOINT != self.hub.endpoint:
            raise HubError(
                f"members are read from {huggingface_hub.constants.ENDPOINT}, the set is to go to {self.hub.endpoint}",
                next_step=f"set HF_ENDPOINT={self.hub.endpoint} before Python starts, or pass a source.",
            )
        return [self._member(member, source) for member in self.plan.members]

    def _member(self, member: Any, source: str | None) -> FusedMember:
        known: dict[str, Any] = {
            "key": member.key,
            "name": member.name,
            "config": member.config,
            "license": member.license,
        }
        builder = registry.get(member.name)
        if source == MINIATURE:
            return FusedMember(
                **known, origin="miniature", state=_digest(meaning(fingerprint(builder, None, "miniature")))
            )
        if source is not None:
            origin: Origin = "official" if source == OFFICIAL else "source"
            with open_source(
                builder, member.place, storage_options=self.request.get("storage_options")
            ) as files:
                return FusedMember(
                    **known, origin=origin, state=_digest(meaning(fingerprint(builder, files, origin)))
                )
        state, manifest = self.read(member.name)
        config = next((each for each in manifest.configs if each.name == member.config), None)
        shards = (
            {split: [s.sha256 for s in each.shards] for split, each in config.splits.items()}
            if config
            else {}
        )
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
        code = [*Path(medimg.fusion.__file__).parent.glob("*.py"), *Path(__file__).parent.glob("fused*.py")]
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

    def head(self, origin: Origin, prints: Mapping[str, str], report: Report | None) -> dict[str, Any]:
        """The manifest but for rows and files."""
        return {
            "name": self.name,
            "title": self.plan.request.title or self.name,
            "medimg": medimg.__version__,
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
        croissant = json.dumps(
            fused_croissant(manifest, declared, stored, repo), indent=1, ensure_ascii=False
        )
        return {
            layout.CARD_PATH: text.encode(),
            layout.CROISSANT_PATH: f"{croissant}\n".encode(),
            MANIFEST_PATH: manifest.to_json().encode(),
        }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _origin(members: Iterable[FusedMember], hub: Hub, old: FusedManifest | None) -> Origin:
    """Phantoms where one member's rows are. Raises HubError where they may not go."""
    origins = {member.origin for member in members}
    if "miniature" not in origins:
        return "source" if "source" in origins else "official"
    if not hub.embedded:
        raise HubError(
            "phantoms are published on an embedded Hub only", next_step="pass a source with originals."
        )
    if old is not None and old.origin != "miniature":
        raise HubError(
            f"{old.name} holds rows of the {old.origin}; phantoms never replace them",
            next_step="push the phantoms under another name.",
        )
    return "miniature"


def _duplicates(report: Report | None, *, dropped: bool) -> Duplicates | None:
    if report is None:
        return None
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


def _refuse_duplicates(report: Report | None, request: Mapping[str, Any]) -> None:
    if report is not None and report.dropped and request.get("on_duplicate", "drop") != "keep":
        raise FusionError(
            f"{len(report.dropped)} rows are duplicates or stand in two splits (e.g. {report.dropped[0].why}), and "
            "files that are copied whole cannot leave them out",
            next_step="push without --verbatim, or with --on-duplicate keep: then the card lists them.",
        )


# what is on the Hub


def _published(hub: Hub, name: str) -> tuple[Published, FusedManifest | None]:
    """The state of the repository; refuses one that this module has not written.

    Raises:
        FusionError: the repository holds something else.
    """
    state, found = hub.found(name)
    fused = found is not None and '"kind": "fused"' in found
    foreign = [path for path in state.files if path not in (".gitattributes", layout.CARD_PATH)]
    if not fused and (found is not None or foreign):
        raise FusionError(
            f"{hub.repo(name)} holds something else than a fused set (e.g. {foreign[0]})",
            next_step="take another name.",
        )
    return state, FusedManifest.model_validate_json(found) if found is not None else None


def _missing(manifest: FusedManifest, state: Published) -> list[str]:
    return [shard.path for shard in manifest.files if state.files.get(shard.path) != shard.sha256]


# own shards


def _prepare(hub: Hub, name: str, terms: Combined) -> None:
    """The repository, closed to those who have not accepted the terms where there are some.

    One that is shut, because earlier revisions hold what may not be shown, stays so.
    """
    hub.create(name)
    if terms.publish is Verdict.GATED and not hub.gated(name):
        hub.gate(name)


def _made(hub: Hub, name: str, state: Published) -> Published:
    """The state that a commit is guarded by, now that there is a repository."""
    if state.sha is not None:
        return state
    state, manifest = _published(hub, name)
    if manifest is not None:
        raise MovedError(
            "somebody else published it meanwhile", dataset=name, next_step="Run it again, it plans anew."
        )
    return state


class _LateUpload(Upload):
    """An upload that makes the repository when the first shard is there."""

    def __init__(self, hub: Hub, name: str, terms: Combined) -> None:
        super().__init__(hub, name)
        self._terms: Combined | None = terms

    def shard(self, path: Path) -> None:
        """See `Upload.shard`."""
        if self._terms is not None:
            _prepare(self._hub, self._name, self._terms)
            self._terms = None
        super().shard(path)


@dataclass
class _Split:
    writer: SplitWriter
    data: list[tuple[Path, Shard]] = field(default_factory=list)
    metadata: list[tuple[Path, Shard]] = field(default_factory=list)
    subjects: set[tuple[str, str]] = field(default_factory=set)


class _RowTerms:
    """Whether rows that state licenses of their own may be part of the set, asked before they are written."""

    def __init__(self, plan: Plan) -> None:
        self._ids = {
            member.key: member.license for member in plan.members if not licenses.get(member.license).per_row
        }
        self._known = set(self._ids.items())

    def take(self, key: str, id: str) -> bool:
        """False where the row stays out. Raises LicenseError where it contradicts the other members."""
        if (key, id) in self._known:
            return True
        if not _adaptable(id):
            return False
        self._ids = _with_rows_under(self._ids, key, id)
        self._known.add((key, id))
        return True


def _built(
    work: _Work,
    stream: Any,
    members: Iterable[FusedMember],
    head: Mapping[str, Any],
    folder: Path,
    upload: Upload,
    shard_bytes: int,
    on_row: Progress,
) -> tuple[FusedManifest, dict[str, Path | CommitOperationCopy]]:
    """One pass over the fused rows; memory holds one row group per split, the disk one shard per split."""
    splits: dict[str, _Split] = {}
    counts: dict[tuple[str, str], Counter[str]] = {}
    withheld: Counter[tuple[str, str]] = Counter()
    row_terms = _RowTerms(work.plan)
    gallery = Gallery(lambda place: max(1, PREVIEW_ROWS // (len(SPLITS) * len(keys))))
    keys = {(member.name, member.config): member.key for member in members}
    with ExitStack() as stack:
        for row in stream.decode(False):
            origin = row["provenance"]
            split, place = origin["split_fused"], (origin["member"], origin["config"])
            if not row_terms.take(keys[place], row["license"]):
                withheld[place] += 1
                continue
            if split not in splits:
                splits[split] = _open(stack, split, folder, work, upload, shard_bytes)
            splits[split].writer.add(row)
            if row["subject"] is not None:
                splits[split].subjects.add((origin["member"], row["subject"]))
            counts.setdefault(place, Counter())[split] += 1
            gallery.add(
                (origin["member"], split),
                f"{origin['member']} {row['subject'] or row['id']}",
                _labelled(row),
                partial(_drawn, row, head["origin"], work.plan.dimension),
            )
            on_row(1, pixel_bytes(row))
            del row
    if not splits:
        raise FusionError("the set has no row that may be published", next_step="look at its plan.")
    files: dict[str, Path | CommitOperationCopy] = {}
    stats = {}
    for name in sorted(splits, key=_order):
        split_ = splits[name]
        paths = [
            layout.shard_path(layout.DEFAULT, name, index, len(split_.data))
            for index in range(len(split_.data))
        ]
        files |= {target: path for target, (path, _) in zip(paths, split_.data, strict=True)}
        ((path, about),) = split_.metadata
        target = layout.metadata_path(layout.DEFAULT, name)
        files[target] = path
        stats[name] = SplitStats(
            rows=about.rows,
            subjects=len(split_.subjects),
            shards=tuple(
                shard.model_copy(update={"path": target})
                for target, (_, shard) in zip(paths, split_.data, strict=True)
            ),
            metadata=(about.model_copy(update={"path": target}),),
        )
    told = [
        member.model_copy(
            update={
                "rows": _ordered(counts.get((member.name, member.config), {})),
                "withheld": withheld[member.name, member.config],
            }
        )
        for member in members
    ]
    manifest = FusedManifest(**head, members=tuple(told), configs={layout.DEFAULT: stats})
    return _with_pictures(manifest, gallery, folder, files), files


def _with_pictures(
    manifest: FusedManifest, gallery: Gallery, folder: Path, files: dict[str, Path | CommitOperationCopy]
) -> FusedManifest:
    """Config `preview` and the contact sheet, from rows with the set's own labels."""
    preview = write_preview(gallery, folder / "pictures")
    files[preview.path] = folder / "pictures" / preview.path
    path = folder / "pictures" / layout.CONTACT_SHEET_PATH
    path.parent.mkdir(parents=True)
    path.write_bytes(data := sheet(gallery))
    files[layout.CONTACT_SHEET_PATH] = path
    assets = {layout.CONTACT_SHEET_PATH: hashlib.sha256(data).hexdigest()}
    return manifest.model_copy(update={"previews": (preview,), "assets": assets})


def _labelled(row: Mapping[str, Any]) -> bool:
    """Whether a fused row says something of a target that can be seen, or that is there."""
    fused = row["fused"]
    return bool(fused["mask"] or fused["channels"] or fused["boxes"] or 1 in (fused["classes"] or ()))


def _drawn(row: Mapping[str, Any], origin: Origin, dimension: Dimension) -> tuple[str, str, bytes]:
    """Id, caption and thumbnail of a fused row; of phantoms words, as in `build`."""
    member, _, case = row["id"].partition("/")
    about = row["provenance"]
    names = [*row["label"]["classes"]]
    picture = pictures.phantom(", ".join([row["modality"], *row["organ"][:1]]))
    if origin != "miniature":
        picture = pictures.thumbnail(
            _decoded(row["image"]["bytes"], row["shape"], dimension),
            _known(row["fused"]["mask"], row["shape"], dimension),
            boxes=[Box(**box) for box in row["fused"]["boxes"] or ()],
            modality=row["modality"],
            organ=row["organ"],
        )
    caption = " - ".join([f"{about['split_fused']}/{member}/{case}", *names[:3]])
    return row["id"], caption, pictures.png(picture)


def _decoded(data: bytes | bytearray, shape: Sequence[int], dimension: Dimension) -> Image:
    """Pixels as they are stored: a picture, a NIfTI volume, or a video of this shape."""
    if dimension == "3d":
        return Volume(data)
    if dimension == "video":
        frames, height, width = shape[:3]
        return Clip(bytes(data), "", (frames, height, width), None, "")
    with PIL.Image.open(io.BytesIO(data)) as opened:
        image = raster.as_shown(opened)
        return Picture(np.asarray(image.convert("RGB") if image.mode == "P" else image))


def _known(pixels: Mapping[str, Any] | None, shape: Sequence[int], dimension: Dimension) -> Image | None:
    """The set's mask without the pixels of which nothing is known."""
    if pixels is None:
        return None
    kind: Dimension = "2d" if dimension == "2d" else "3d"  # a video's mask is a volume
    mask = _decoded(bytearray(pixels["bytes"]), shape, kind)
    if isinstance(mask, Picture):
        return Picture(np.where(mask.array == IGNORE, 0, mask.array))
    assert isinstance(mask, Volume)
    array = mask.array
    array[array == IGNORE] = 0
    return mask


def _open(
    stack: ExitStack, split: str, folder: Path, work: _Work, upload: Upload, shard_bytes: int
) -> _Split:
    layout.shard_path(layout.DEFAULT, split, 0, 1)  # refuses names that are unsafe in a path
    made: _Split

    def done(path: Path, shard: Shard) -> None:
        if path.name == METADATA_FILE:
            made.metadata.append((path, shard))
        else:
            made.data.append((path, shard))
            upload.shard(path)

    writer = SplitWriter(
        folder / split,
        work.plan.dimension,
        done,
        shard_bytes=shard_bytes,
        schema=fused_features(work.plan.dimension),
        pixels=PIXELS,
    )
    made = _Split(stack.enter_context(writer))
    return made


def _order(split: str) -> tuple[int, str]:
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS), split)


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    return {split: counts[split] for split in sorted(counts, key=_order)}


# copies


def _copied(
    work: _Work, members: Iterable[FusedMember], head: Mapping[str, Any], state: Published
) -> tuple[FusedManifest, dict[str, Path | CommitOperationCopy]]:
    """Every shard of the members' asked splits, under `data/<member>/`; no byte passes through here."""
    files: dict[str, Path | CommitOperationCopy] = {}
    configs: Configs = {}
    told = []
    previews: list[Shard] = []
    wanted = {member.key: {split.split for split in member.splits} for member in work.plan.members}
    for member in members:
        name = member.key.replace("/", ".")
        published, manifest = work.read(member.name)
        if published.sha != member.revision:
            raise FusionError(f"{member.key} changed meanwhile", next_step="push again.")
        config = next(each for each in manifest.configs if each.name == member.config)
        for id in config.license:
            _refuse_no_derivatives(member.key, id)
            if (asked := work.plan.request.license_terms) and not licenses.allowed(id, asked):
                raise LicenseError(
                    f"{member.key} has rows under {id}, which is not what was asked for, and files are copied whole.",
                    next_step="push without --verbatim.",
                )
        found: dict[str, list[SplitStats]] = {}
        for split, stats in config.splits.items():
            if split in wanted[member.key] and stats.rows:
                found.setdefault(split_fused(split), []).append(stats)
        configs[name] = {}
        for split in sorted(found, key=_order):
            shards = [shard for stats in found[split] for shard in stats.shards]
            metadata = [shard for stats in found[split] for shard in stats.metadata]
            moved: list[list[Shard]] = []
            for kind, each in (("data", shards), ("metadata", metadata)):
                targets = [_copy_path(kind, name, split, index, len(each)) for index in range(len(each))]
                moved.append(
                    [s.model_copy(update={"path": path}) for s, path in zip(each, targets, strict=True)]
                )
                for shard, target in zip(each, targets, strict=True):
                    if state.files.get(target) != shard.sha256:
                        files[target] = _copy(member, shard.path, target)
            configs[name][split] = SplitStats(
                rows=sum(stats.rows for stats in found[split]),
                subjects=sum(stats.subjects for stats in found[split]),
                shards=tuple(moved[0]),
                metadata=tuple(moved[1]),
            )
        if manifest.preview is not None and _is_whole(manifest, member.config, found):
            target = f"preview/{name}.parquet"
            previews.append(manifest.preview.model_copy(update={"path": target}))
            if state.files.get(target) != manifest.preview.sha256:
                files[target] = _copy(member, manifest.preview.path, target)
        told.append(
            member.model_copy(update={"rows": {split: each.rows for split, each in configs[name].items()}})
        )
    if not any(configs.values()):
        raise FusionError("the members have no published rows", next_step="look at the plan.")
    configs = {name: splits for name, splits in configs.items() if splits}
    made = FusedManifest(**head, members=tuple(told), configs=configs, previews=tuple(previews))
    return made, files


def _copy(member: FusedMember, path: str, target: str) -> CommitOperationCopy:
    return CommitOperationCopy(
        src_path_in_repo=path,
        path_in_repo=target,
        src_revision=member.revision,
        src_repo_id=member.repo,
        src_repo_type="dataset",
    )


def _is_whole(manifest: Manifest, config: str, taken: Mapping[str, Sequence[SplitStats]]) -> bool:
    """Whether all rows of a dataset are taken, so that none is in its preview that is not in the set."""
    rows = sum(stats.rows for each in taken.values() for stats in each)
    return rows == manifest.rows and all(each.name == config for each in manifest.configs if each.rows)


def _copy_path(kind: str, config: str, split: str, index: int, count: int) -> str:
    return layout.shard_path(config, split, index, count).replace("data/", f"{kind}/", 1)


# what becomes visible


def _commit(
    work: _Work,
    upload: Upload,
    manifest: FusedManifest,
    files: Mapping[str, Path | CommitOperationCopy],
    state: Published,
    *,
    kept: bool,
) -> str | None:
    """All in one commit; None where nothing differs."""
    texts = work.texts(manifest, state.card)
    title = f"{manifest.title}: {manifest.rows} rows of {', '.join(m.key for m in manifest.members)}"
    message = title[:200]
    if not kept and manifest.mode == "verbatim":
        copies = [each for each in files.values() if isinstance(each, CommitOperationCopy)]
        return _commit_copies(work.hub, work.name, copies, texts, manifest, state, message)
    unchanged = {shard.path for shard in manifest.files} if kept else set()
    unchanged |= {MARK_PATH, *manifest.assets} if kept else {MARK_PATH}
    rest = {path: digest for path, digest in state.files.items() if path not in unchanged}
    own: dict[str, Path | bytes] = {path: each for path, each in files.items() if isinstance(each, Path)}
    small = [path for path in own.values() if isinstance(path, Path) and path.exists()]
    upload.bytes += sum(path.stat().st_size for path in small)
    return upload.commit({**own, **texts}, replace(state, files=rest), message)


def _commit_copies(
    hub: Hub,
    name: str,
    copies: Iterable[CommitOperationCopy],
    texts: Mapping[str, bytes],
    manifest: FusedManifest,
    state: Published,
    message: str,
) -> str | None:
    listed = {shard.path for shard in manifest.files} | {MARK_PATH, *texts}
    operations: list[Operation] = [*copies]
    for path, data in texts.items():
        if state.files.get(path) != git_oid(data):
            operations.append(CommitOperationAdd(path_in_repo=path, path_or_fileobj=data))
    operations += [
        CommitOperationDelete(path_in_repo=path)
        for path in state.files
        if path.startswith(OWNED) and path not in listed
    ]
    if not operations:
        return None
    try:
        return hub.commit(name, operations, message, state)
    except (ValueError, NotImplementedError) as error:
        raise HubError(
            f"the Hub cannot copy the members' files: {error}",
            dataset=name,
            next_step="push without --verbatim.",
        ) from error


def _collect(hub: Hub, work: _Work, manifest: FusedManifest) -> str:
    """A Hub Collection of the fused set and those of its members that are on the Hub; returns its slug."""
    members = list(dict.fromkeys(work.members_hub.repo(member.name) for member in manifest.members))
    collection = hub.ask(
        work.name,
        lambda: hub.api.create_collection(
            title=work.name[:59],
            namespace=hub.namespace,
            description=f"{manifest.title} and its members"[:150],
            exists_ok=True,
        ),
    )
    there = {item.item_id for item in collection.items}
    for repo in [hub.repo(work.name), *members]:
        if repo not in there:
            _add_item(hub, work.name, collection.slug, repo)
    return str(collection.slug)


def _add_item(hub: Hub, name: str, slug: str, repo: str) -> None:
    note = "the fused set" if repo == hub.repo(name) else "a member"

    def add() -> None:
        if hub.api.repo_exists(repo, repo_type="dataset"):
            hub.api.add_collection_item(slug, repo, "dataset", note=note, exists_ok=True)

    hub.ask(name, add)
