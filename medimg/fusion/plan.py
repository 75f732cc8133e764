"""The plan of a fused set, in MDFP's four phases. No pixel is read.

1. metadata harmonization: which members fit, in one vocabulary (`select`)
2. semantic alignment: what each mask value and class of each member becomes (`align`)
3. fusion blueprint: the request, complete, so that it can be written down and run again (`blueprint`)
4. index: every split of every member with its rows and bytes, what they share, and the terms of the whole
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from medimg import hub, licenses, registry, vocab
from medimg.declaration import Dataset
from medimg.errors import HubError, MedimgError, SourceRequiredError
from medimg.fusion import align, mix
from medimg.fusion.align import Alignment
from medimg.fusion.errors import FusionError, RequestError
from medimg.fusion.labels import Output
from medimg.fusion.select import Candidate, Criteria, LeftOut, select, split_fused, terms, unfit
from medimg.licenses import Combined, Verdict
from medimg.loading import MINIATURE, OFFICIAL, locate_source, source_required
from medimg.manifest import MANIFEST_PATH, Manifest
from medimg.schema import Dimension, Frozen

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from medimg.fusion.blueprint import Blueprint

OnDuplicate = Literal["drop", "keep", "error", "ignore"]
Look = Literal["nothing", "subjects", "content", "pixels"]
"""How much of a member's rows is compared: each step with the ones before it."""


class Split(Frozen):
    """One line of the index.

    Attributes:
        split: as the source calls it.
        split_fused: as the fused set calls it.
        rows: images; None where nobody has counted them.
        counted: who says so: the published manifest, or the declaration.
    """

    split: str
    split_fused: str
    rows: int | None
    counted: Literal["published", "declared"]


class Member(Frozen):
    """One member of the fused set.

    Attributes:
        key: `<name>`, or `<name>/<config>` where there are sub-collections.
        place: folder, archive or address of the source; None for the Hub and for miniatures.
        assessed: names that the declaration says its annotators looked for.
        alignment: one for each target.
        label_map: mask value -> what it becomes, of the declared legend (a row may have its own). Where modalities
            have legends of their own, the key is a text, e.g. "CT: 1".
        class_map: source label -> target.
        bytes: of the published shards, or of the local source; None where that is not known.
    """

    key: str
    name: str
    config: str
    title: str
    dimension: Dimension
    modality: tuple[str, ...]
    organ: tuple[str, ...]
    task: tuple[str, ...]
    license: str
    publish: Verdict
    place: str | None
    splits: tuple[Split, ...]
    bytes: int | None
    assessed: tuple[str, ...]
    alignment: tuple[Alignment, ...]
    label_map: Mapping[int | str, str]
    class_map: Mapping[str, str]
    unverified: tuple[str, ...]

    @property
    def rows(self) -> int | None:
        """Images over all splits; None where one of them is not counted."""
        counts = [split.rows for split in self.splits]
        return None if None in counts else sum(count or 0 for count in counts)


class SharedImages(Frozen):
    """Two members that declare images in common, and what becomes of these."""

    first: str
    second: str
    relation: str
    evidence: str
    action: str


class Plan(Frozen):
    """What a fusion would do; `to_dict`, `to_json`, `str` or a rich console show it.

    Attributes:
        request: phase 3: all that was asked for, defaults filled in.
        outputs: what a row must have one of, by the tasks that were asked for.
        targets: canonical names, in the asked order; `measures`: names of measures.
        members: phases 1, 2 and 4, per member.
        left_out: what fits by subject and was not taken, with the reason.
        overlaps: declared images in common.
        license: terms of the set as one adapted work; `publish` is recipe where it may not be passed on.
        warnings: what a user must know.
    """

    request: Mapping[str, Any]
    outputs: tuple[Output, ...]
    targets: tuple[str, ...]
    measures: tuple[str, ...]
    dimension: Dimension
    members: tuple[Member, ...]
    left_out: tuple[LeftOut, ...]
    overlaps: tuple[SharedImages, ...]
    license: Combined
    warnings: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Images that are counted; a lower bound where a member is not."""
        return sum(split.rows or 0 for member in self.members for split in member.splits)

    @property
    def bytes(self) -> int | None:
        """Bytes of all members; None where one of them is not known."""
        sizes = [member.bytes for member in self.members]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def to_push(self, *, adapted: bool = True) -> Combined:
        """The terms under which the set may be passed on.

        Args:
            adapted: labels are remapped or pixels resampled; False: the members' files are copied as they are.

        Raises:
            LicenseError: it may not be passed on; names the members that stand in the way.
        """
        return licenses.combine({member.key: member.license for member in self.members}, adapted=adapted)

    def to_dict(self) -> dict[str, Any]:
        """The plan by phases, of plain values only."""
        whole = self.model_dump(mode="json")
        members = whole["members"]

        def columns(*names: str) -> dict[str, Any]:
            return {member["key"]: {name: member[name] for name in names} for member in members}

        return {
            "metadata_harmonization": {
                "members": columns(
                    "title", "dimension", "modality", "organ", "task", "license", "publish", "unverified"
                ),
                "left_out": whole["left_out"],
            },
            "semantic_alignment": {
                "targets": {str(number): target for number, target in enumerate(self.targets, 1)},
                "measures": whole["measures"],
                "members": columns("assessed", "alignment", "label_map", "class_map"),
            },
            "blueprint": whole["request"],
            "index": {
                "rows": self.rows,
                "bytes": self.bytes,
                "members": columns("name", "config", "place", "splits", "bytes"),
                "overlaps": whole["overlaps"],
                "license": whole["license"],
            },
            "warnings": whole["warnings"],
        }

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from medimg.fusion.show import renderables

        yield from renderables(self)

    def __str__(self) -> str:
        import io

        from rich.console import Console

        console = Console(file=io.StringIO(), width=118, color_system=None)
        console.print(self)
        text: str = console.file.getvalue()  # type: ignore[attr-defined]
        return text


SPLITS = ("train", "validation", "test")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "dimension": ("2d", "3d", "video"),
    "encoding": ("index", "channels"),
    "on_duplicate": ("drop", "keep", "error", "ignore"),
}
DEFAULTS: Mapping[str, Any] = {
    "encoding": "index",
    "weights": "concatenate",
    "on_duplicate": "drop",
    "seed": 0,
    "shuffle_buffer": 0,
    "grid": None,
    "unlabeled": False,
    "near": None,
    "repeat": False,
    "minimum": 0,
}
"""Of the arguments of `fuse` that are no list."""


class Request(Frozen):
    """Everything that was asked for, in vocabulary terms: what `fuse` is called with, and a blueprint's fields.

    Attributes:
        blueprint: name of the blueprint, None without one; its label space stays, whoever the members are.
        title: of the set.
        criteria: what members must be.
        targets: as they were asked for.
        encoding: of masks.
        source, namespace: where members are read from.
        sliced: volumes are cut into pictures.
        options: the other arguments of `fuse`, by name.
    """

    blueprint: str | None = None
    title: str = ""
    criteria: Criteria
    targets: tuple[str, ...] = ()
    encoding: Literal["index", "channels"] = "index"
    source: str | None = None
    namespace: str = "medimg"
    sliced: bool = False
    options: Mapping[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, own: Blueprint | None = None, **given: Any) -> Request:
        """What was given, else what the blueprint says, else the default. The one place where arguments are checked.

        Args:
            own: the blueprint.
            given: arguments of `fuse` by name; None is not given. `grid` with the blueprint's, as a mapping of fields.

        Raises:
            RequestError: an argument has a value that makes no sense.
            UnknownTermError: a modality, organ, task or license term is unknown.
        """

        def value(name: str) -> Any:
            found = given.get(name)
            found = getattr(own, name, None) if found is None else found
            return DEFAULTS.get(name) if found is None else found

        def listed(name: str) -> tuple[str, ...]:
            found = given.get(name)
            found = getattr(own, name, None) if found is None else found
            return (found,) if isinstance(found, str) else tuple(found or ())

        single = {name: value(name) for name in (*DEFAULTS, "dimension")} | {"grid": given.get("grid")}
        _check_values(single)
        license_terms = listed("license_terms")
        licenses.check_terms(license_terms)
        grid = single["grid"]
        return cls(
            blueprint=own.blueprint if own else None,
            title=own.title if own else "",
            criteria=Criteria(
                names=listed("names"),
                modality=terms(listed("modality"), vocab.modality),
                organ=terms(listed("organ"), vocab.organ),
                task=terms(listed("task"), vocab.task),
                dimension=single["dimension"],
                license_terms=license_terms,
                minimum=single["minimum"],
                splits=tuple(dict.fromkeys(_split(each) for each in listed("split"))),
            ),
            targets=listed("targets"),
            encoding=single["encoding"],
            source=value("source"),
            namespace=value("namespace") or "medimg",
            sliced=bool(grid and grid.get("slices") is not None),
            options={
                **{name: single[name] for name in DEFAULTS if name not in ("encoding", "minimum")},
                "prefer": list(listed("prefer")),
            },
        )


def _check_values(given: Mapping[str, Any]) -> None:
    """Raises RequestError for the first argument whose value it does not take."""
    for name, choices in CHOICES.items():
        if given[name] is not None and given[name] not in choices:
            raise _no_choice(name, given[name], choices)
    for name in ("seed", "shuffle_buffer", "minimum"):
        least = None if name == "seed" else 0
        number = given[name]
        if not isinstance(number, int) or isinstance(number, bool) or (least is not None and number < least):
            raise RequestError(
                f"{name} is a whole number"
                + ("" if least is None else " of at least 0")
                + f", not {number!r}",
                next_step=f"pass e.g. {name}=1000.",
            )
    for name in ("unlabeled", "near", "repeat"):
        if given[name] not in (True, False) and not (name == "near" and given[name] is None):
            raise RequestError(
                f"{name} is True or False, not {given[name]!r}", next_step="pass one of the two."
            )
    weights = given["weights"]
    if weights not in mix.ORDERS and not (isinstance(weights, Mapping) and weights):
        raise _no_choice(
            "weights", weights, mix.ORDERS, ', {"temperature": 2}, or one weight for each member'
        )
    if given["repeat"] and weights == "concatenate":
        raise RequestError(
            'weights="concatenate" cannot repeat members: the first would never end',
            next_step='pass weights="interleave", or leave out repeat.',
        )


def _no_choice(name: str, value: object, choices: Sequence[str], more: str = "") -> RequestError:
    closest = difflib.get_close_matches(str(value).casefold(), choices, n=1)
    guess = f"did you mean {closest[0]!r}? " if closest else ""
    return RequestError(
        f"{name}={value!r} is not known",
        next_step=f"{guess}use one of {', '.join(map(repr, choices))}{more}.",
    )


def _split(name: str) -> str:
    fused = split_fused(name)
    if fused not in SPLITS:
        raise _no_choice("split", name, SPLITS)
    return fused


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


def make_plan(request: Request) -> Plan:
    """Run the four phases on declarations, manifests and file sizes.

    Raises:
        FusionError: no member fits, a target is nobody's or means two things, or dimensions differ.
        SourceRequiredError: a member that was named cannot be had.
        UnknownDatasetError, UnknownTermError: a name is unknown.
    """
    asked = request.criteria
    outputs = align.outputs_of(asked.task)
    targets, measures = align.wanted(request.targets, outputs)
    candidates, left_out = select(asked)
    candidates, more = _useful(candidates, targets, outputs, asked.names)
    left_out += more
    if not candidates:
        raise _nobody(request, left_out)
    warnings: list[str] = []
    aligned = {each.key: align.align(each, targets) for each in candidates}
    growing = request.blueprint is not None
    warnings += align.check(aligned, targets, outputs, growing=growing)
    manifests = Manifests(request.namespace)
    places, gone = _places(request, candidates, manifests)
    left_out += gone
    candidates = [each for each in candidates if each.key in places]
    if not candidates:
        raise _nobody(request, left_out)
    if gone and targets:
        aligned = {each.key: aligned[each.key] for each in candidates}
        align.check(aligned, targets, outputs, growing=growing)
    mix.check(request.options.get("weights", "concatenate"), [each.key for each in candidates])
    ranks(request.options.get("prefer", ()), {each.key: each.builder.name for each in candidates})
    dimension = _dimension(candidates, sliced=request.sliced)
    members = [
        _member(each, request, aligned[each.key], places[each.key], targets, manifests, warnings)
        for each in candidates
    ]
    warnings += align.useless(candidates, targets, request.encoding, outputs)
    combined = licenses.combine({each.key: each.license for each in candidates}, adapted=True, pushed=False)
    if combined.publish is Verdict.RECIPE:
        warnings.append(
            "the set may be made and used, but not passed on as one adapted work: see its license"
        )
    return Plan(
        request=_request(request),
        outputs=outputs,
        targets=targets,
        measures=measures,
        dimension=dimension,
        members=tuple(members),
        left_out=tuple(left_out),
        overlaps=tuple(_overlaps(candidates, request)),
        license=combined,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _request(request: Request) -> dict[str, Any]:
    asked = request.model_dump(mode="json")
    return {
        **{key: asked[key] for key in asked if key not in ("criteria", "options", "sliced")},
        **asked["criteria"],
        **asked["options"],
    }


def _useful(
    candidates: list[Candidate], targets: tuple[str, ...], outputs: tuple[Output, ...], names: Sequence[str]
) -> tuple[list[Candidate], list[LeftOut]]:
    """Members that can say anything about a target, or whose rows alone know.

    Raises:
        FusionError: a member that was named can not.
    """
    if not targets:
        return candidates, []
    kept, left_out = [], []
    wanted = ("direct", "narrower", "wider") if names else ("direct", "narrower")
    for each in candidates:
        if each.undeclared and names:
            kept.append(each)
        elif any(one.kind(outputs) in wanted for one in align.align(each, targets)):
            kept.append(each)
        else:
            left_out.append(LeftOut(member=each.key, reason=f"it declares none of: {', '.join(targets)}"))
    for name in names:
        own = registry.get(registry.COMMONS.sub("idc-", name).partition("/")[0]).name
        missed = [each for each in left_out if each.member.partition("/")[0] == own]
        if missed and not any(each.builder.name == own for each in kept):
            raise unfit(name, missed)
    return kept, left_out


def _nobody(request: Request, left_out: Sequence[LeftOut]) -> FusionError:
    asked = request.criteria
    parts = [
        f"{kind} {' or '.join(values)}"
        for kind, values in (
            ("name", asked.names),
            ("modality", asked.modality),
            ("organ", asked.organ),
            ("task", asked.task),
            ("target", request.targets),
            ("license", asked.license_terms),
        )
        if values
    ]
    parts += [f"dimension {asked.dimension}"] if asked.dimension else []
    near = "; ".join(f"{each.member}: {each.reason}" for each in left_out[:5])
    what = f"blueprint {request.blueprint!r} has no member yet" if request.blueprint else "no member fits"
    return FusionError(
        f"{what}: nothing has {', '.join(parts) or 'anything'}" + (f" (near misses: {near})" if near else ""),
        next_step="ask for less, or add a builder: `medimg list` shows what there is.",
    )


def _places(
    request: Request, candidates: Sequence[Candidate], manifests: Manifests
) -> tuple[dict[str, str | None], list[LeftOut]]:
    """Where each member is read from; those that cannot be had are an error where they were named."""
    places: dict[str, str | None] = {}
    gone: list[LeftOut] = []
    for each in candidates:
        dataset = each.builder.dataset
        try:
            place = _place(request.source, dataset)
            if request.source is None:
                _published(each, request.criteria.splits, manifests)
        except MedimgError as error:
            if request.criteria.names or isinstance(error, hub.UnansweredError):
                raise
            gone.append(LeftOut(member=each.key, reason=error.problem))
        else:
            places[each.key] = place
    return places, gone


def _published(candidate: Candidate, splits: Sequence[str], manifests: Manifests) -> None:
    """Raises HubError where the Hub says that it holds no such rows."""
    name, repo = candidate.builder.name, f"{manifests.namespace}/{candidate.builder.name}"
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
    shown = next((each for each in manifest.configs if each.name == candidate.config.name), None)
    held = [] if shown is None else [split for split in candidate.splits(splits) if split in shown.splits]
    if not held:
        asked = f" in {' or '.join(splits)}" if splits and shown is not None else ""
        raise HubError(
            f"{repo} holds no rows of {candidate.key}{asked}",
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


def _dimension(candidates: Sequence[Candidate], *, sliced: bool) -> Dimension:
    found: dict[Dimension, list[str]] = {}
    for each in candidates:
        found.setdefault("2d" if sliced and each.dimension == "3d" else each.dimension, []).append(each.key)
    if len(found) > 1:
        shown = "; ".join(f"{dimension}: {', '.join(keys)}" for dimension, keys in found.items())
        raise FusionError(
            f"the members have different dimensions ({shown})",
            next_step='pass dimension=, or cut volumes into pictures: grid={"slices": "axial"}.',
        )
    return next(iter(found))


def _member(
    candidate: Candidate,
    request: Request,
    alignment: tuple[Alignment, ...],
    place: str | None,
    targets: tuple[str, ...],
    manifests: Manifests,
    warnings: list[str],
) -> Member:
    dataset, config = candidate.builder.dataset, candidate.config
    manifest = manifests.get(dataset.name) if request.source is None else None
    if request.source is None and manifest is None:
        warnings.append(
            f"{candidate.key}: {request.namespace}/{dataset.name} cannot be read from the Hub; counts are declared"
        )
    shown = next((each for each in manifest.configs if each.name == config.name), None) if manifest else None
    splits = []
    for split in candidate.splits(request.criteria.splits):
        stats = shown.splits.get(split) if shown else None
        if shown and stats is None:
            continue
        count = stats.rows if stats else config.splits[split] or None
        how: Literal["published", "declared"] = "published" if stats else "declared"
        splits.append(Split(split=split, split_fused=split_fused(split), rows=count, counted=how))
    size = None
    if shown:
        size = sum(shown.splits[each.split].bytes for each in splits if each.split in shown.splits)
    elif place and place != OFFICIAL:
        size = _size(place)
    elif place == OFFICIAL and all(each.size for each in dataset.sources if each.kind == "file"):
        size = sum(each.size or 0 for each in dataset.sources if each.kind == "file")
    _warn(candidate, alignment, warnings)
    return Member(
        key=candidate.key,
        name=dataset.name,
        config=config.name,
        title=config.title,
        dimension=candidate.dimension,
        modality=config.modality or (),
        organ=config.organ or (),
        task=config.task or (),
        license=candidate.license,
        publish=licenses.get(candidate.license).publish,
        place=place,
        splits=tuple(splits),
        bytes=size,
        assessed=tuple(sorted(candidate.outlined | candidate.named | candidate.hinted)),
        alignment=alignment,
        label_map=align.label_map(candidate, targets, request.encoding),
        class_map=align.class_map(candidate, targets),
        unverified=dataset.evidence.unverified,
    )


def _warn(candidate: Candidate, alignment: Sequence[Alignment], warnings: list[str]) -> None:
    dataset, key = candidate.builder.dataset, candidate.key
    if candidate.undeclared and alignment:
        stand_in = "; its organs stand in for them here" if candidate.hinted else ""
        warnings.append(f"{key} declares no labels, its rows have legends of their own{stand_in}")
    warnings += align.partly(candidate, [one.target for one in alignment])
    if dataset.no_subject:
        warnings.append(
            f"{key} states no subject ({dataset.no_subject}): splits are told apart by image only"
        )
    if dataset.shared_subjects:
        warnings.append(f"{key} has subjects in two splits: {dataset.shared_subjects}")
    doubtful = [part for part in dataset.evidence.unverified if part in ("labels", "license")]
    if doubtful:
        warnings.append(f"{key}: nobody has verified its {' and its '.join(doubtful)}")


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


def _size(place: str) -> int | None:
    path = Path(place)
    if path.is_file():
        return path.stat().st_size
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return None


def _overlaps(candidates: Sequence[Candidate], request: Request) -> Iterable[SharedImages]:
    """Declared images in common of each two members, said from the first one's side."""
    on_duplicate = request.options.get("on_duplicate", "drop")
    how = look(request.source, on_duplicate, request.options.get("near"))
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
    datasets = {each.builder.name: each.builder.dataset for each in candidates}
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
