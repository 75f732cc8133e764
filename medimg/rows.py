"""From a builder's lazy rows to records of the one schema: decode, check, encode. One row in memory at a time."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from medimg import licenses, places, privacy, readers, vocab
from medimg.declaration import BadFiles, Config, Dataset
from medimg.errors import (
    NO_FAULT_OF_A_FILE,
    SOURCE_FAULTS,
    DuplicateIdError,
    EmptySplitError,
    FormatError,
    GeometryError,
    LabelError,
    MedimgError,
    PrivacyError,
    SourceError,
    named,
)
from medimg.files import File, Files
from medimg.manifest import Origin
from medimg.pixels import Clip, Image, Picture, Pixels, Volume
from medimg.portions import Portion, Portions, files_of
from medimg.readers import frames, grids, levels, nifti, raster, volumes
from medimg.registry import Builder
from medimg.report import UNCOVERED, LoadReport
from medimg.schema import Dimension, Label, Row, Skipped

Encode = Callable[[Image, str], Mapping[str, Any]]
"""Image and name of its file -> {"bytes": buffer, "path": file name}."""
IMAGE_OF: Mapping[Dimension, type[Image]] = {"2d": Picture, "3d": Volume, "video": Clip}


@dataclass(frozen=True, slots=True)
class Record:
    """One row ready to be stored.

    Attributes:
        config, split: where it belongs.
        values: one entry per column of `schema.features`; pixels are {"bytes": buffer, "path": file name} or None.
        image, mask: decoded, for thumbnails and checks.
        mask_values: values that occur in the mask, with their counts; empty without a mask.
        private: keys and places in files of what the source says and the row must not: see `medimg.privacy`.
        portion: number of the portion of its split that the row belongs to: see `medimg.portions`.
    """

    config: str
    split: str
    values: Mapping[str, Any]
    image: Image
    mask: Image | None
    mask_values: Mapping[int, int]
    private: Mapping[str, int] = field(default_factory=dict)
    portion: int = 0

    @property
    def license(self) -> str:
        """The row's license id."""
        text: str = self.values["license"]
        return text

    @property
    def publishable(self) -> bool:
        """Whether the row's own license lets the bytes be published."""
        return licenses.get(self.license).publish is not licenses.Verdict.RECIPE


def drafts(builder: Builder, files: Files, config: str | None = None) -> Iterator[Row | Skipped]:
    """What a builder yields, undecoded, with the rows that went wrong as skipped files where the declaration says so.

    Args:
        builder: declaration and rows.
        files: the source; `files.quarantine` decides about rows that go wrong.
        config: a hint; rows of other configs may be among them.

    Raises:
        MedimgError: whatever the builder raises, with dataset and file; the file it opened last where it names none.
    """
    source = builder.rows(files, config)
    while True:
        files.last = None
        try:
            item = next(source, None)
        except (MedimgError, *SOURCE_FAULTS) as error:
            mended = named(error, dataset=builder.name, file=getattr(error, "file", None) or files.last)
            raise mended from error.__cause__ if mended is error else error
        while files.quarantined:
            file, problem = files.quarantined.pop(0)
            yield quarantined(file, problem)
        if item is None:
            return
        yield item


@dataclass(slots=True)
class Step:
    """What came of one thing that a builder yielded; the last one, without an item, only tells.

    Attributes:
        item: a row, or a file that is none; None for a row that was not asked for.
        id, portion: of a row; unique within its config.
        lacks: (path, reason) of what the row came without.
        elsewhere: (config, split) of a row that was not asked for.
        told, notes: of the view, before this: what rows lack, and what in the source is no file; (path, reason) each.
        error: that ends the reading.
    """

    item: Record | Skipped | None = None
    id: str = ""
    portion: Portion | None = None
    lacks: list[tuple[str, str]] = field(default_factory=list)
    elsewhere: tuple[str, str] | None = None
    told: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    error: Exception | None = None


def iterate(
    builder: Builder,
    files: Files,
    *,
    origin: Origin = "source",
    config: str | None = None,
    splits: Collection[str] | None = None,
    report: LoadReport | None = None,
    bad_files: BadFiles | None = None,
    encode: Encode | None = None,
    portion_bytes: int | None = None,
    made: Iterable[Step] | None = None,
) -> Iterator[Record | Skipped]:
    """Records of one source, in the builder's order, and the files that are no row with their reasons.

    Args:
        builder: declaration and rows.
        files: the source.
        origin: recorded in `meta` where it is a miniature; its files are not held against declared digests.
        config: only this config.
        splits: only these splits; rows of others are not decoded.
        report: filled with what came and what was left out.
        bad_files: "stop" or "quarantine"; None takes the declaration's.
        encode: makes the entries of pixels in `Record.values`; None is `encoded`.
        portion_bytes: see `Portions`.
        made: the steps, where they are made elsewhere.

    Raises:
        MedimgError: a row is not what the declaration says, or no row came of the source; the error names the dataset,
            the file and the next step.
    """
    report = LoadReport(builder.name, config or "") if report is None else report
    report.restart()
    if made is None:
        made = steps(
            builder,
            files,
            origin=origin,
            config=config,
            splits=splits,
            bad_files=bad_files,
            encode=encode,
            portion_bytes=portion_bytes,
        )
    for step in made:
        take_told(step, report)
        if step.error is not None:
            raise step.error
        if step.elsewhere is not None:
            report.elsewhere[step.elsewhere] += 1
        if isinstance(step.item, Skipped):
            report.skip(step.item.file.path, step.item.reason)
            yield step.item
        elif step.item is not None:
            report.rows[step.item.split] += 1
            report.private.update(dict.fromkeys(step.item.private, 1))
            for path, reason in step.lacks:
                report.lack(path, reason)
            yield step.item
        del step  # or this row would stay in memory while the next one is read
    if builder.whole or config is None:
        for file in unread(files):
            report.skip(file.path, UNCOVERED)
    if not report.rows:
        raise _nothing(files, report, splits)
    report.finished = True


def steps(
    builder: Builder,
    files: Files,
    *,
    origin: Origin = "source",
    config: str | None = None,
    splits: Collection[str] | None = None,
    bad_files: BadFiles | None = None,
    encode: Encode | None = None,
    portion_bytes: int | None = None,
    mine: Callable[[int, Portion], bool] | None = None,
) -> Iterator[Step]:
    """The steps of `iterate`, whose arguments these are.

    Args:
        mine: tells by the number of a step and its portion whether its row is decoded here; of others comes a step
            without it. It is given where several processes share the rows: then no thread hashes the pixels beside.
    """
    dataset = builder.dataset
    files.checks.wanted = files.checks.wanted and origin != "miniature"
    files.quarantine = (bad_files or dataset.bad_files) == "quarantine"
    seen: set[tuple[str, str]] = set()
    portions = Portions(portion_bytes)
    with ThreadPoolExecutor(1) if mine is None else nullcontext() as beside:
        make = partial(_make, dataset, files, origin, encode or encoded, beside)
        for number, item in enumerate(drafts(builder, files, config)):
            step = _telling(files)
            if isinstance(item, Skipped):
                files.opened.add(item.file.path)
                step.item = item
            elif (config is not None and item.config != config) or (splits is not None and item.split not in splits):
                step.elsewhere = item.config, item.split
                files.opened.update(file.path for file in files_of(item))
            else:
                twin = (item.config, item.id) in seen
                seen.add((item.config, item.id))
                step.id, step.portion = item.id, portions.of(item)
                if mine is None or mine(number, step.portion):
                    make(step, item, twin)
            yield step
            if step.error is not None:
                return
            del step  # or this row would stay in memory while the next one is read
    yield _telling(files)


def _make(
    dataset: Dataset,
    files: Files,
    origin: Origin,
    encode: Encode,
    beside: Executor | None,
    step: Step,
    row: Row,
    twin: bool,
) -> None:
    """Decode a row into its step; one that went wrong is a skipped file, where the view says so."""
    try:
        if twin:
            raise DuplicateIdError(
                f"two rows have the id {row.id!r}",
                next_step="Look for a second copy of the case in the source, or make the builder's id longer.",
            )
        record = materialize(dataset, row, origin, encode, beside)
    except (MedimgError, *SOURCE_FAULTS) as error:
        problem = named(error, dataset=dataset.name, file=naming_file(row).path)
        stop = not files.quarantine and not isinstance(problem, PrivacyError)
        if stop or isinstance(problem, NO_FAULT_OF_A_FILE):
            problem.__cause__ = error.__cause__ if problem is error else error
            step.error = problem
            return
        files.opened.update(file.path for file in files_of(row))
        step.item = quarantined(naming_file(row), problem)
        files.opened.add(step.item.file.path)
        return
    step.item = record if not step.portion or not step.portion.number else replace(record, portion=step.portion.number)
    path = naming_file(row).path
    step.lacks = [(path, text) for text in (*left_out(record.image), *left_out(record.mask))]


def _telling(files: Files) -> Step:
    """A step with what the view has to tell."""
    step = Step(told=files.told.copy(), notes=files.notes.copy())
    files.told.clear()
    files.notes.clear()
    return step


def take_told(source: Files | Step, report: LoadReport) -> None:
    """Move what a view, or a step of it, has to tell into the report."""
    while source.told:
        report.lack(*source.told.pop(0))
    while source.notes:
        report.skip(*source.notes.pop(0))


def left_out(image: Image | None) -> Iterable[str]:
    """What a reader had to leave out of an image or a mask."""
    return () if image is None else image.meta.get("left_out", ())


def quarantined(file: File, error: MedimgError) -> Skipped:
    """A row that went wrong, as a file that is none."""
    where = f" ({error.file})" if error.file not in (None, file.path) else ""
    return Skipped(file=file, reason=f"quarantined: {error.problem}{where}")


def _nothing(files: Files, report: LoadReport, splits: Collection[str] | None) -> SourceError:
    """Why a source gives none of the rows that were asked for."""
    if not report.elsewhere:
        return files.barren(report.reasons())
    there = ", ".join(
        f"{config}/{split} {count:,}" if config != "default" else f"{split} {count:,}"
        for (config, split), count in report.elsewhere.items()
    )
    wanted = "/".join(filter(None, (report.config.replace("default", ""), " or ".join(splits or ()))))
    return EmptySplitError(
        f"this copy has no row of {wanted or 'what was asked for'}"
        + (f": {report.reasons()}" if report else "")
        + f"; it has rows of {there}",
        dataset=report.dataset,
        next_step="Ask for one of these, or pass a source that holds the rest of the download.",
    )


def unread(files: Files) -> Iterator[File]:
    """Pixel files of the source that no row has opened. To be asked after `iterate` has ended."""
    return (file for file in files if file.suffix in readers.PIXEL_SUFFIXES and file.path not in files.opened)


def naming_file(row: Row) -> File:
    """The file that a row is about."""
    return row.image if isinstance(row.image, File) else next(iter(row.image.files()))


def encoded(image: Image, name: str) -> dict[str, Any]:
    """The bytes to store, and the name of their file."""
    if isinstance(image, Picture):
        data, suffix = raster.encode(image)
        return {"bytes": data, "path": _renamed(name, suffix)}
    if isinstance(image, Volume):
        return {"bytes": image.nifti, "path": _renamed(name, ".nii")}
    return {"bytes": image.encoded, "path": _renamed(name, image.suffix)}


def materialize(
    dataset: Dataset, row: Row, origin: Origin, encode: Encode = encoded, beside: Executor | None = None
) -> Record:
    """Decode, check and encode one row, and take out what it must not tell. Raises MedimgError; see `iterate`.

    Args:
        dataset: the declaration.
        row: as the builder yields it.
        origin: see `iterate`.
        encode: see `iterate`.
        beside: a thread that hashes the pixels while the rest of the row is read.
    """
    try:
        config = dataset.config(row.config)
    except KeyError:
        raise LabelError(
            f"config {row.config!r} is not declared (declared: {', '.join(dataset.config_names)})"
        ) from None
    dimension = config.dimension or dataset.dimension
    label = row.label
    image = readers.image(row.image).read()
    if not isinstance(image, IMAGE_OF[dimension]):
        raise FormatError(
            f"a {dimension} row needs a {IMAGE_OF[dimension].__name__}, the reader gave {type(image).__name__}"
        )
    hashed, content = image, image.content if beside is None else beside.submit(image.content).result
    mask = readers.mask(label.mask).read() if label.mask is not None else None
    target = readers.image(label.target).read() if label.target is not None else None
    privacy.check_burned_in(dataset, image, mask, target)
    private: privacy.Left = Counter()
    gate = privacy.gate(dataset)
    digests: dict[str, str] = {}

    def stripped(image: Image, place: str, source: File | Pixels | None) -> Image:
        clean, digest = privacy.stripped(image, place, private, own=nifti.passes(source))
        if digest:
            digests["source_sha256" if place == "image" else f"{place}_sha256"] = digest
        return clean

    image = stripped(image, "image", row.image)
    mask = None if mask is None else stripped(mask, "mask", label.mask)
    target = None if target is None else stripped(target, "target", label.target)
    image, mask, target = frames.one_frame(dataset.frame, image, mask, target, placed=row.placed)
    turned = isinstance(image, Picture) and isinstance(hashed, Picture) and image.array is not hashed.array
    image = places.checked(label, image)
    legend: dict[int, tuple[str, ...]] = {}
    counts: dict[int, int] = {}
    if mask is not None:
        _same_grid(image, mask)
        legend = dict(dataset.legend if label.legend is None else label.legend)
        counts = _mask_values(mask)
        _within_legend(counts, legend, label.instances, label.mask)
    if target is not None and not isinstance(target, Picture | Volume):
        raise FormatError("a target is a picture or a volume")
    present = [*label.classes, *label.uncertain, *(name for names in legend.values() for name in names)]
    assessed = looked_for(dataset, label, legend)
    boxes = [(box.name, box.box) for box in label.boxes]
    points = [(point.name, point.point) for point in label.points]
    _known([*present, *assessed, *(name for name, _ in boxes), *(name for name, _ in points)])
    missing = set(present) - set(assessed)
    if missing:
        raise LabelError(f"labels are present that were not assessed: {', '.join(sorted(missing))}")
    if row.subject is None and dataset.no_subject is None:
        raise LabelError(
            "the row has no subject, and the declaration knows no reason for that (`no_subject`)",
            next_step="Look for a blank patient in the source's table; nobody knows then whose image it is.",
        )
    file = naming_file(row)
    many = len(dataset.configs) > 0
    values: dict[str, Any] = {
        "id": f"{dataset.name}/{row.config}/{row.id}" if many else f"{dataset.name}/{row.id}",
        "dataset": dataset.name,
        "image": encode(image, file.name),
        "modality": _modality(config, row),
        "organ": list(row.organ if row.organ is not None else config.organ or ()),
        "task": list(row.task if row.task is not None else config.task or ()),
        "label": {
            "classes": list(label.classes),
            "uncertain": list(label.uncertain),
            "assessed": list(assessed),
            "mask": None if mask is None else encode(mask, _first_name(label.mask)),
            "legend": [{"value": value, "names": list(names)} for value, names in sorted(legend.items())],
            "instances": label.instances,
            "boxes": [{"name": name, "box": list(box)} for name, box in boxes],
            "points": [{"name": name, "point": list(point)} for name, point in points],
            "measures": [measure.model_dump() for measure in label.measures],
            "texts": [
                {key: value and gate.text(value) for key, value in text.model_dump().items()} for text in label.texts
            ],
            "target": None if target is None else encode(target, _first_name(label.target)),
            "source": None if label.source is None else to_json(gate.source(label.source, private)),
        },
        "subject": row.subject,
        "sequence": list(row.sequence),
        "shape": list(image.shape),
        "spacing": _spacing(row, image),
        "content": image.content() if turned else content(),
        "license": row.license or (licenses.UNKNOWN if licenses.get(config.license or "").per_row else config.license),
        "meta": to_json(_meta(row, image, mask, file, origin, gate, private) | digests),
    }
    for kind, vocabulary in (("organ", vocab.organ), ("task", vocab.task)):
        strange = [term for term in values[kind] if term not in vocabulary]
        if strange:
            raise LabelError(f"{kind} {strange} is not in the vocabulary")
    licenses.get(values["license"])
    return Record(row.config, row.split, values, image, mask, counts, private)


def looked_for(dataset: Dataset, label: Label, legend: Mapping[int, tuple[str, ...]]) -> tuple[str, ...]:
    """What the annotators looked for in a row.

    Args:
        dataset: the declaration.
        label: of the row.
        legend: of its mask, empty without one.

    Raises:
        LabelError: the row has classes, or its dataset labels and the row no mask, and it does not say.
    """
    if label.assessed is not None:
        return label.assessed
    if label.classes or label.uncertain or (dataset.labels and not legend):
        raise LabelError(
            "the row does not say what was looked for",
            dataset=dataset.name,
            next_step="Give `assessed`: DATASET.every_label where any label could have been given, () where nobody "
            "looked, else the names. Without it every negative would be lost.",
        )
    return tuple(dict.fromkeys(name for names in legend.values() for name in names))


def to_json(value: Any) -> str:
    """Compact JSON; the order of keys is the source's. What is no finite number in it becomes a text ("nan", "inf")."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def _first_name(source: File | Pixels | None) -> str:
    file = source if isinstance(source, File) else next(iter(source.files()), None) if source is not None else None
    return file.name if file is not None else ""


def _renamed(name: str, suffix: str) -> str:
    own = PurePosixPath(name[:-3] if name.lower().endswith(".gz") else name)
    return name if name.lower().endswith(suffix) else own.stem + suffix


def _modality(config: Config, row: Row) -> str:
    declared = config.modality or ()
    modality = row.modality or (declared[0] if len(declared) == 1 else None)
    if modality is None:
        raise LabelError(f"the declaration has several modalities ({', '.join(declared)}); the row must say which one")
    if modality not in vocab.modality:
        raise LabelError(f"modality {modality!r} is not in the vocabulary")
    return modality


def _spacing(row: Row, image: Image) -> list[float] | None:
    spacing = row.spacing if row.spacing is not None else image.spacing
    if not spacing or 0 in spacing:  # 0 is no size: not known, see `_unsized`
        return None
    if not all(np.isfinite(value) and value > 0 for value in spacing):
        raise GeometryError(f"spacing {list(spacing)} is not positive and finite")
    return [float(value) for value in spacing]


def _unsized(row: Row, image: Image) -> str | None:
    """Why the size of the pixels is not known where the source should say it; None where it is known or never said."""
    if row.spacing:
        return f"the source states {' x '.join(map(str, row.spacing))} mm" if 0 in row.spacing else None
    return image.unsized if row.spacing is None and isinstance(image, Volume) else None


def _meta(
    row: Row,
    image: Image,
    mask: Image | None,
    file: File,
    origin: Origin,
    gate: privacy.Gate,
    private: privacy.Left,
) -> dict[str, Any]:
    meta: dict[str, Any] = {**gate.meta(row.meta, private), "source_path": file.path}
    if header := gate.header(image.meta, "source_header", private):
        meta["source_header"] = header
    if reason := _unsized(row, image):
        meta["source_header"] = meta.get("source_header", {}) | {"spacing_unknown": reason}
    if mask is not None and (header := gate.header(mask.meta, "mask_header", private)):
        meta["mask_header"] = header
    if origin == "miniature":
        meta["miniature"] = True
    return meta


def _same_grid(image: Image, mask: Image) -> None:
    if isinstance(image, Volume) and isinstance(mask, Volume):
        grids.same_grid(image, mask)
        return
    expected = image.shape
    if isinstance(image, Clip):
        frames, height, width = image.size
        expected = (width, height, frames)
    if mask.shape != expected:
        raise GeometryError(f"the mask has shape {mask.shape}, the image's grid is {expected}")


def _mask_values(mask: Image) -> dict[int, int]:
    if isinstance(mask, Volume):
        return volumes.values(mask)
    if isinstance(mask, Picture) and mask.array.ndim == 2:
        return levels.counted(mask.array)
    raise FormatError("a mask has one channel of integers")


def _within_legend(
    counts: Mapping[int, int],
    legend: Mapping[int, tuple[str, ...]],
    instances: bool,
    source: File | Pixels | None,
) -> None:
    if not legend:
        raise LabelError("there is a mask and no legend, neither on the row nor in the declaration")
    strange = sorted(set(counts) - set(legend) - {0})
    if not strange or (instances and set(legend) == {1}):
        return
    raise LabelError(
        f"mask {_first_name(source)} holds the values {strange[:10]}, the legend only {sorted(legend)}",
        next_step="Map them in the declaration's legend with evidence; values are never dropped.",
    )


def _known(names: Collection[str]) -> None:
    for name in names:
        if name not in vocab.label:
            vocab.label.resolve(name)
            raise LabelError(f"{name!r} is a synonym, use {vocab.label.resolve(name)!r}")
