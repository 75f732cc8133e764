"""`medimg.fuse`: many members, one label space, one stream."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medimg import __version__, imports, registry
from medimg.errors import HubError, MedimgError, MissingExtraError, SourceError, SourceRequiredError
from medimg.fusion import blueprint as blueprints
from medimg.fusion.choices import Encoding, OnDuplicate, Weights
from medimg.fusion.errors import FusionError
from medimg.fusion.grid import Grid
from medimg.fusion.labels import Harmonizer, fused_features
from medimg.fusion.locating import Manifests
from medimg.fusion.mix import Stream, mix
from medimg.fusion.plan import Plan
from medimg.fusion.planning import make_plan, ranks
from medimg.fusion.report import Report
from medimg.fusion.request import Request
from medimg.fusion.scanning import find
from medimg.fusion.select import LeftOut, declared
from medimg.fusion.sources import Rows, rows_of
from medimg.loading import MINIATURE, OFFICIAL, REPORT
from medimg.report import LoadReport, MedimgWarning
from medimg.schema import Dimension

if TYPE_CHECKING:
    import datasets

Some = str | Iterable[str] | None


def fuse(
    names: Some = None,
    *,
    modality: Some = None,
    organ: Some = None,
    task: Some = None,
    targets: Some = None,
    split: Some = None,
    source: str | os.PathLike[str] | None = None,
    streaming: bool = True,
    weights: Weights | None = None,
    on_duplicate: OnDuplicate | None = None,
    prefer: Some = None,
    seed: int | None = None,
    plan: bool = False,
    dimension: Dimension | None = None,
    license_terms: Some = None,
    encoding: Encoding | None = None,
    namespace: str | None = None,
    blueprint: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    shuffle_buffer: int | None = None,
    grid: Grid | Mapping[str, Any] | None = None,
    minimum: int | None = None,
    unlabeled: bool | None = None,
    near: bool | None = None,
    repeat: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Any:
    """Fuse members into one set: labels in one space, what is not annotated marked, each image once.

    Every row keeps all columns of its member, the source's label with them, and gets two more: `fused` (the label in
    the asked space) and `provenance`. See docs/fusion.md. The result has the attributes `plan` and `report`
    (duplicates that were found, and what became of them).

    Args:
        {fields of medimg.fusion.request.Request}
        streaming: False writes the rows to the `datasets` cache and returns a `Dataset`.
        plan: only say what would be done; no pixel is read.
        blueprint: a named blueprint, a TOML or JSON file, the fields of one, or what a plan's `to_dict()` or
            `to_json()` gave; what is given here as well wins.
        storage_options: for fsspec, where the source is a URL.

    Returns:
        `datasets.IterableDataset`; `datasets.Dataset` where `streaming` is False; `Plan` where `plan` is True.

    Raises:
        FusionError: no member fits; no member has a target, or it means different things in two of them.
        DuplicateError: `on_duplicate="error"` and there are some.
        RequestError: an argument has a value that makes no sense.
        UnknownDatasetError, UnknownTermError: a name is unknown; the message has the closest ones.
        SourceRequiredError: a member that was named may not be redistributed, or is not below the source root.
    """
    asked = locals()
    request = Request.of(
        None if blueprint is None else blueprints.fields(blueprint),
        **{name: asked[name] for name in Request.arguments()},
    )
    made = make_plan(request)
    if plan:
        return made
    members, problems = _members(made, request, storage_options)
    made, members = _with_rows(made, request, members, problems)
    report, donors = find(
        members,
        on_duplicate=request.on_duplicate,
        near=request.near,
        ranks=ranks(request.prefer, {each.key: each.name for each in made.members}),
    )
    members = [each.without(report, donors) for each in members]
    features = fused_features(made.dimension)
    single = request.split
    stream = mix(
        [_stream(each, count=_needs_rows(request.weights)) for each in members],
        features=features,
        weights=request.weights,
        repeat=request.repeat,
        shuffle=request.shuffle_buffer,
        seed=request.seed,
        split=single[0] if len(single) == 1 else None,
        identity=(identity := _identity(request, members)),
    )
    result: Any = stream if streaming else _stored(stream, identity, report)
    result.info.description = str(report)
    result.info.license = made.license.strictest
    result.info.citation = "\n".join(dict.fromkeys(_cited(member.name) for member in made.members))
    result.plan, result.report, result.members = made, report, tuple(members)
    return result


if fuse.__doc__:
    fuse.__doc__ = fuse.__doc__.replace("        {fields of medimg.fusion.request.Request}", Request.described())


def _members(
    made: Plan, request: Request, storage_options: Mapping[str, Any] | None
) -> tuple[list[Rows], dict[str, MedimgError]]:
    """How each member is read, and which cannot be with what is installed."""
    manifests = Manifests(request.namespace)
    harmonizer = Harmonizer(made.targets, measures=made.measures, encoding=request.encoding, outputs=made.outputs)
    members: list[Rows] = []
    problems: dict[str, MedimgError] = {}
    for member in made.members:
        try:
            members.append(rows_of(member, request, harmonizer, manifests=manifests, storage_options=storage_options))
        except MissingExtraError as error:
            problems[member.key] = error.within(dataset=member.key)
    return members, problems


def _needs_rows(weights: Weights) -> bool:
    return weights == "proportional" or (isinstance(weights, Mapping) and set(weights) == {"temperature"})


def _stream(member: Rows, *, count: bool) -> Stream:
    rows = member.rows
    if rows is None and count:
        rows = sum(1 for _ in member.open(0))
    return Stream(member.key, member.open, rows=rows, block=member.block, expand=member.expand, finish=member.finish)


def _with_rows(
    made: Plan, request: Request, members: list[Rows], problems: dict[str, MedimgError]
) -> tuple[Plan, list[Rows]]:
    """The members that have a row of what was asked for; the others are told where nobody named them.

    Raises:
        MedimgError: a member that was named has none, or none has.
    """
    for member in members:
        if member.remote:
            continue  # reading it tells
        try:
            member.probe()
        except (SourceError, SourceRequiredError, HubError, MissingExtraError) as error:
            problems[member.key] = error.within(dataset=member.key)
    keys = {member.key for member in made.members}
    for name in request.names:
        missing = [problems.get(each.key) for each in declared(name) if each.key in keys]
        if missing and all(missing):
            raise next(filter(None, missing))
    if not problems:
        return made, members
    told = {key: _told(error) for key, error in problems.items()}
    reasons = "; ".join(f"{key}: {reason}" for key, reason in told.items())
    if len(problems) == len(made.members):
        raise FusionError(f"no member has a row of what was asked for: {reasons}", next_step="pass another source.")
    warnings.warn(f"left out of the fused set: {reasons}", MedimgWarning, stacklevel=3)
    gone = tuple(LeftOut(member=key, reason=reason) for key, reason in told.items())
    kept = tuple(member for member in made.members if member.key not in problems)
    return (
        made.model_copy(update={"members": kept, "left_out": (*made.left_out, *gone)}),
        [member for member in members if member.key not in problems],
    )


def _told(error: MedimgError) -> str:
    """Why a member is left out; with what mends it, where that is an install."""
    return f"{error.problem} ({error.next_step})" if isinstance(error, MissingExtraError) else error.problem


def _identity(request: Request, members: Sequence[Rows]) -> str:
    """Digest of all that the rows and their order depend on: the request, the members as they are now, and medimg.

    Where one's own copies lie does not count, but what they hold does.
    """
    asked = request.model_dump(mode="json", exclude={"title", "notes", "source"})
    source = request.source if request.source in (None, OFFICIAL, MINIATURE) else "a copy"
    states = {member.key: [member.revision(), sorted(member.dropped)] for member in members}
    modules = {registry.get(member.member.name).source_module for member in members}
    code = imports.written(*sorted(modules), "medimg.fusion.fusing", "medimg.phantom")
    whole = [asked, source, states, __version__, code]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _stored(stream: datasets.IterableDataset, identity: str, report: Report) -> datasets.Dataset:
    """The rows, written to the `datasets` cache once; what was left out of them lies beside."""
    import datasets
    from datasets.exceptions import DatasetGenerationError

    try:
        rows = datasets.Dataset.from_generator(
            _written,
            features=stream.features,
            gen_kwargs={"stream": stream},
            fingerprint=identity[:32],
            # The stock writer buffers 1000 examples, whatever their size.
            writer_batch_size=64 if isinstance(stream.features["image"], datasets.Image) else 1,
        )
    except DatasetGenerationError as error:
        if isinstance(error.__cause__, MedimgError):
            raise error.__cause__ from None
        raise
    beside = Path(rows.cache_files[0]["filename"]).parent / REPORT
    told = report.told.left_out
    if told:
        beside.write_text(json.dumps({key: each.to_json() for key, each in told.items()}), "utf-8")
    elif beside.exists():
        for key, value in json.loads(beside.read_text("utf-8")).items():
            told[key] = LoadReport.from_json({**value, "told": False})
            told[key].warn()
    return rows


def _written(stream: datasets.IterableDataset) -> Iterator[dict[str, Any]]:
    yield from stream.decode(False)


def _cited(name: str) -> str:
    citation = registry.get(name).dataset.citation
    tail = citation.doi or citation.url or ""
    return f"{name}: {citation.authors} {citation.title}. {citation.venue} ({citation.year}). {tail}".strip()
