"""Making the plan of a fused set, in MDFP's four phases. No pixel is read.

1. metadata harmonization: which members fit, in one vocabulary (`select`)
2. semantic alignment: what each mask value and class of each member becomes (`align`)
3. fusion blueprint: the request, complete, so that it can be written down and run again (`request`, `blueprint`)
4. index: every split of every member with its rows and bytes, what they share, and the terms of the whole
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from medimg import collections, licenses, registry
from medimg.fusion import align, weights
from medimg.fusion.align import Alignment
from medimg.fusion.choices import split_fused
from medimg.fusion.errors import FusionError, RequestError
from medimg.fusion.labels import Output
from medimg.fusion.locating import Manifests, locate, look, size
from medimg.fusion.plan import Member, Plan, SharedImages, Split
from medimg.fusion.request import Request
from medimg.fusion.select import DeclaredMember, LeftOut, select, unfit
from medimg.licenses import Verdict
from medimg.manifest import ConfigStats
from medimg.schema import Dimension


def make_plan(request: Request) -> Plan:
    """Run the four phases on declarations, manifests and file sizes.

    Raises:
        FusionError: no member fits, a target is nobody's or means two things, or dimensions differ.
        SourceRequiredError: a member that was named cannot be had.
        UnknownDatasetError, UnknownTermError: a name is unknown.
    """
    outputs = align.outputs_of(request.task)
    targets, measures = align.wanted(request.targets, outputs)
    declared, left_out = select(request)
    declared, useless = _useful(declared, targets, outputs, request.names)
    left_out += useless
    _refuse_nobody(declared, request, left_out)

    aligned = {each.key: align.align(each, targets) for each in declared}
    growing = request.blueprint is not None
    warnings = align.check(aligned, targets, outputs, growing=growing)

    manifests = Manifests(request.namespace)
    places, gone = locate(request, declared, manifests)
    left_out += gone
    declared = [each for each in declared if each.key in places]
    _refuse_nobody(declared, request, left_out)
    if gone and targets:
        align.check({each.key: aligned[each.key] for each in declared}, targets, outputs, growing=growing)
    names = {each.key: each.builder.name for each in declared}
    weights.check(request.weights, list(names))
    ranks(request.prefer, names)

    dimension = _dimension(declared, sliced=request.grid.slices is not None)
    members = [
        _member(each, request, aligned[each.key], places[each.key], targets, manifests, warnings) for each in declared
    ]
    warnings += align.useless(declared, targets, request.encoding, outputs)
    license = licenses.combine({each.key: each.license for each in declared}, adapted=True, pushed=False)
    if license.publish is Verdict.RECIPE:
        warnings.append("the set may be made and used, but not passed on as one adapted work: see its license")
    return Plan(
        request=request,
        outputs=outputs,
        targets=targets,
        measures=measures,
        dimension=dimension,
        members=tuple(members),
        left_out=tuple(left_out),
        overlaps=tuple(_overlaps(declared, request)),
        license=license,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _useful(
    declared: list[DeclaredMember],
    targets: tuple[str, ...],
    outputs: tuple[Output, ...],
    names: Sequence[str],
) -> tuple[list[DeclaredMember], list[LeftOut]]:
    """Members that can say anything about a target, or whose rows alone know.

    Raises:
        FusionError: a member that was named can not.
    """
    if not targets:
        return declared, []
    kept, left_out = [], []
    wanted = ("direct", "narrower", "wider") if names else ("direct", "narrower")
    for each in declared:
        if (each.undeclared and names) or any(one.kind(outputs) in wanted for one in align.align(each, targets)):
            kept.append(each)
        else:
            left_out.append(LeftOut(member=each.key, reason=f"it declares none of: {', '.join(targets)}"))
    for name in names:
        own = registry.get(collections.without_slash(name).partition("/")[0]).name
        missed = [each for each in left_out if each.member.partition("/")[0] == own]
        if missed and not any(each.builder.name == own for each in kept):
            raise unfit(name, missed)
    return kept, left_out


def _refuse_nobody(declared: Sequence[DeclaredMember], request: Request, left_out: Sequence[LeftOut]) -> None:
    """Raises FusionError where there is no member."""
    if declared:
        return
    parts = [
        f"{kind} {' or '.join(values)}"
        for kind, values in (
            ("name", request.names),
            ("modality", request.modality),
            ("organ", request.organ),
            ("task", request.task),
            ("target", request.targets),
            ("license", request.license_terms),
        )
        if values
    ]
    parts += [f"dimension {request.dimension}"] if request.dimension else []
    near = "; ".join(f"{each.member}: {each.reason}" for each in left_out[:5])
    what = f"blueprint {request.blueprint!r} has no member yet" if request.blueprint else "no member fits"
    raise FusionError(
        f"{what}: nothing has {', '.join(parts) or 'anything'}" + (f" (near misses: {near})" if near else ""),
        next_step="ask for less, or add a builder: `medimg list` shows what there is.",
    )


def _dimension(declared: Sequence[DeclaredMember], *, sliced: bool) -> Dimension:
    found: dict[Dimension, list[str]] = {}
    for each in declared:
        found.setdefault("2d" if sliced and each.dimension == "3d" else each.dimension, []).append(each.key)
    if len(found) > 1:
        shown = "; ".join(f"{dimension}: {', '.join(keys)}" for dimension, keys in found.items())
        raise FusionError(
            f"the members have different dimensions ({shown})",
            next_step='pass dimension=, or cut volumes into pictures: grid={"slices": "axial"}.',
        )
    return next(iter(found))


def _member(
    declared: DeclaredMember,
    request: Request,
    alignment: tuple[Alignment, ...],
    place: str | None,
    targets: tuple[str, ...],
    manifests: Manifests,
    warnings: list[str],
) -> Member:
    dataset, config = declared.builder.dataset, declared.config
    manifest = manifests.get(dataset.name) if request.source is None else None
    if request.source is None and manifest is None:
        warnings.append(
            f"{declared.key}: {request.namespace}/{dataset.name} cannot be read from the Hub; counts are declared"
        )
    _warn(declared, alignment, warnings)
    shown = manifest.config(config.name) if manifest else None
    splits = _splits(declared, request, shown)
    return Member(
        key=declared.key,
        name=dataset.name,
        config=config.name,
        title=config.title,
        dimension=declared.dimension,
        modality=config.modality or (),
        organ=config.organ or (),
        task=config.task or (),
        license=declared.license,
        publish=licenses.get(declared.license).publish,
        place=place,
        splits=splits,
        bytes=sum(shown.splits[each.split].bytes for each in splits) if shown else size(place, dataset),
        assessed=tuple(sorted(declared.outlined | declared.named | declared.hinted)),
        alignment=alignment,
        label_map=align.label_map(declared, targets, request.encoding),
        class_map=align.class_map(declared, targets),
        unverified=dataset.evidence.unverified,
    )


def _splits(declared: DeclaredMember, request: Request, shown: ConfigStats | None) -> tuple[Split, ...]:
    """The asked splits that are published, or without a manifest all that are declared."""
    return tuple(
        Split(
            split=name,
            split_fused=split_fused(name),
            rows=shown.splits[name].rows if shown else declared.config.splits[name] or None,
            counted="published" if shown else "declared",
        )
        for name in declared.splits(request.split)
        if shown is None or name in shown.splits
    )


def _warn(declared: DeclaredMember, alignment: Sequence[Alignment], warnings: list[str]) -> None:
    dataset, key = declared.builder.dataset, declared.key
    if declared.undeclared and alignment:
        stand_in = "; its organs stand in for them here" if declared.hinted else ""
        warnings.append(f"{key} declares no labels, its rows have legends of their own{stand_in}")
    warnings += align.partly(declared, [one.target for one in alignment])
    if dataset.no_subject:
        warnings.append(f"{key} states no subject ({dataset.no_subject}): splits are told apart by image only")
    if dataset.shared_subjects:
        warnings.append(f"{key} has subjects in two splits: {dataset.shared_subjects}")
    doubtful = [part for part in dataset.evidence.unverified if part in ("labels", "license")]
    if doubtful:
        warnings.append(f"{key}: nobody has verified its {' and its '.join(doubtful)}")


def _overlaps(declared: Sequence[DeclaredMember], request: Request) -> Iterable[SharedImages]:
    """Declared images in common of each two members, said from the first one's side."""
    on_duplicate = request.on_duplicate
    how = look(request.source, on_duplicate, request.near)
    if how in ("nothing", "subjects"):
        action = "declared, not compared: " + (
            'kept twice, as on_duplicate="ignore" asks'
            if on_duplicate == "ignore"
            else "no pixels are read before the first row (near=True does)"
        )
    else:
        equal = "equal" if how == "content" else "equal or near-equal"
        action = {
            "drop": f"rows with {equal} images are matched and kept once, with the labels of both where equal",
            "keep": "kept twice, as asked for",
            "error": f"an error where two rows have {equal} images",
        }[on_duplicate]
        if how == "content":
            action += "; copies with another encoding, dtype or grid are declared, not compared"
    datasets = {each.builder.name: each.builder.dataset for each in declared}
    for first, second in combinations(datasets.values(), 2):
        for one, other in ((first, second), (second, first)):
            found = [overlap for overlap in one.overlaps if overlap.dataset == other.name]
            for overlap in found:
                yield SharedImages(
                    first=one.name,
                    second=other.name,
                    relation=overlap.relation,
                    evidence=overlap.evidence,
                    action=action,
                )
            if found:
                break


def ranks(prefer: Sequence[str], members: Mapping[str, str]) -> dict[str, int]:
    """Member -> place in the order of those whose rows stay where an image is in several.

    Args:
        prefer: members first to last, by key or by the name or alias of the dataset.
        members: key -> name of the dataset.

    Raises:
        RequestError: a name is no member's.
        UnknownDatasetError: nor any dataset's; the message has the closest ones.
    """
    found: dict[str, int] = {}
    for place, asked in enumerate(prefer):
        name, _, config = asked.partition("/")
        name = registry.get(name).name
        keys = [key for key in members if key == f"{name}/{config}" or (not config and members[key] == name)]
        if not keys:
            raise RequestError(
                f"prefer names {asked!r}, which is no member",
                next_step=f"the members are {', '.join(members)}.",
            )
        for key in keys:
            found.setdefault(key, place)
    return found
