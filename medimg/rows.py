"""From a builder's lazy rows to records of the one schema: decode, check, encode. One row in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from pydantic import ValidationError

from medimg import licenses, readers, vocab
from medimg.declaration import Config, Dataset
from medimg.errors import DuplicateIdError, FormatError, GeometryError, LabelError, MedimgError
from medimg.files import File, Files
from medimg.manifest import Origin
from medimg.pixels import Array, Clip, Image, Picture, Pixels, Volume
from medimg.readers import raster, volumes
from medimg.registry import Builder
from medimg.schema import Dimension, Row, Skipped

IMAGE_OF: Mapping[Dimension, type[Image]] = {"2d": Picture, "3d": Volume, "video": Clip}


@dataclass(frozen=True, slots=True)
class Record:
    """One row ready to be stored.

    Attributes:
        config, split: where it belongs.
        values: one entry per column of `schema.features`; pixels are {"bytes": buffer, "path": file name} or None.
        image, mask: decoded, for thumbnails and checks.
        mask_values: values that occur in the mask, with their counts; empty without a mask.
    """

    config: str
    split: str
    values: Mapping[str, Any]
    image: Image
    mask: Image | None
    mask_values: Mapping[int, int]

    @property
    def license(self) -> str:
        """The row's license id."""
        text: str = self.values["license"]
        return text

    @property
    def publishable(self) -> bool:
        """Whether the row's own license lets the bytes be published."""
        return licenses.get(self.license).publish is not licenses.Verdict.RECIPE


def iterate(
    builder: Builder,
    files: Files,
    *,
    origin: Origin = "source",
    config: str | None = None,
    splits: Collection[str] | None = None,
) -> Iterator[Record | Skipped]:
    """Records of one source, in the builder's order, and the files that are no row with their reasons.

    Args:
        builder: declaration and rows.
        files: the source.
        origin: recorded in `meta` where it is a miniature.
        config: only this sub-collection.
        splits: only these splits; rows of others are not decoded.

    Raises:
        MedimgError: a row is not what the declaration says, or the source holds nothing of the dataset; the error names
            the dataset, the file and the next step.
    """
    dataset = builder.dataset
    seen: set[tuple[str, str]] = set()
    found = False
    source = builder.rows(files, config)
    while True:
        try:
            item = next(source)
        except StopIteration:
            if not found:
                raise files.barren() from None
            return
        except ValidationError as error:
            raise LabelError(
                f"the builder yielded an invalid row: {_first(error)}", dataset=dataset.name
            ) from error
        except MedimgError as error:
            error.within(dataset=dataset.name)
            raise
        except KeyError as error:
            raise LabelError(
                f"the builder has no entry for {error}: a label of the source is not mapped",
                dataset=dataset.name,
                next_step="Map it in the declaration with evidence; labels are never dropped.",
            ) from error
        found = True
        if isinstance(item, Skipped):
            files.opened.add(item.file.path)
            yield item
            continue
        if (config is not None and item.config != config) or (
            splits is not None and item.split not in splits
        ):
            continue
        if (item.config, item.id) in seen:
            raise DuplicateIdError(
                f"two rows have the id {item.id!r}",
                dataset=dataset.name,
                file=naming_file(item).path,
                next_step="Look for a second copy of the case in the source, or make the builder's id longer.",
            )
        seen.add((item.config, item.id))
        try:
            yield materialize(dataset, item, origin)
        except MedimgError as error:
            error.within(dataset=dataset.name, file=naming_file(item).path)
            if dataset.bad_files == "stop":
                raise
            yield Skipped(file=naming_file(item), reason=f"quarantined: {error.problem}")


def unread(files: Files) -> Iterator[File]:
    """Pixel files of the source that no row has opened. To be asked after `iterate` has ended."""
    return (file for file in files if file.suffix in readers.PIXEL_SUFFIXES and file.path not in files.opened)


def naming_file(row: Row) -> File:
    """The file that a row is about."""
    return row.image if isinstance(row.image, File) else next(iter(row.image.files()))


def materialize(dataset: Dataset, row: Row, origin: Origin) -> Record:
    """Decode, check and encode one row. Raises MedimgError; see `iterate`."""
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
    mask = readers.mask(label.mask).read() if label.mask is not None else None
    target = readers.image(label.target).read() if label.target is not None else None
    image, mask, target = raster.one_frame(dataset.frame, image, mask, target, placed=row.placed)
    legend: dict[int, tuple[str, ...]] = {}
    counts: dict[int, int] = {}
    if mask is not None:
        _same_grid(image, mask)
        legend = dict(dataset.legend if label.legend is None else label.legend)
        counts = _mask_values(mask)
        _within_legend(counts, legend, label.instances, label.mask)
    if target is not None and not isinstance(target, Picture | Volume):
        raise FormatError("a target is a picture or a volume")
    named = [*label.classes, *label.uncertain, *(name for names in legend.values() for name in names)]
    assessed = tuple(dict.fromkeys(named)) if label.assessed is None else label.assessed
    boxes = [(box.name, box.box) for box in label.boxes]
    points = [(point.name, point.point) for point in label.points]
    _known([*named, *assessed, *(name for name, _ in boxes), *(name for name, _ in points)])
    missing = set(named) - set(assessed)
    if missing:
        raise LabelError(f"labels are present that were not assessed: {', '.join(sorted(missing))}")
    if row.subject is None and dataset.no_subject is None:
        raise LabelError("the row has no subject and the declaration gives no reason (`no_subject`)")
    file = naming_file(row)
    many = len(dataset.configs) > 0
    values: dict[str, Any] = {
        "id": f"{dataset.name}/{row.config}/{row.id}" if many else f"{dataset.name}/{row.id}",
        "dataset": dataset.name,
        "image": _encoded(image, file.name),
        "modality": _modality(dataset, config, row),
        "organ": list(row.organ if row.organ is not None else config.organ or ()),
        "task": list(row.task if row.task is not None else config.task or ()),
        "label": {
            "classes": list(label.classes),
            "uncertain": list(label.uncertain),
            "assessed": list(assessed),
            "mask": None if mask is None else _encoded(mask, _first_name(label.mask)),
            "legend": [{"value": value, "names": list(names)} for value, names in sorted(legend.items())],
            "instances": label.instances,
            "boxes": [{"name": name, "box": list(box)} for name, box in boxes],
            "points": [{"name": name, "point": list(point)} for name, point in points],
            "measures": [measure.model_dump() for measure in label.measures],
            "texts": [text.model_dump() for text in label.texts],
            "target": None if target is None else _encoded(target, _first_name(label.target)),
            "source": None if label.source is None else to_json(label.source),
        },
        "subject": row.subject,
        "sequence": list(row.sequence),
        "shape": list(image.shape),
        "spacing": _spacing(row, image),
        "content": image.content(),
        "license": row.license
        or (licenses.UNKNOWN if licenses.get(config.license or "").per_row else config.license),
        "meta": to_json(_meta(row, image, mask, file, origin)),
    }
    for kind, vocabulary in (("organ", vocab.organ), ("task", vocab.task)):
        strange = [term for term in values[kind] if term not in vocabulary]
        if strange:
            raise LabelError(f"{kind} {strange} is not in the vocabulary")
    licenses.get(values["license"])
    return Record(row.config, row.split, values, image, mask, counts)


def to_json(value: Any) -> str:
    """Compact JSON; the order of keys is the source's."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str, allow_nan=False)


def _first(error: ValidationError) -> str:
    detail = error.errors()[0]
    return f"{'.'.join(str(part) for part in detail['loc'])}: {detail['msg']}"


def _first_name(source: File | Pixels | None) -> str:
    file = source if isinstance(source, File) else next(iter(source.files())) if source is not None else None
    return file.name if file is not None else ""


def _encoded(image: Image, name: str) -> dict[str, Any]:
    if isinstance(image, Picture):
        data, suffix = raster.encode(image)
        return {"bytes": data, "path": _renamed(name, suffix)}
    if isinstance(image, Volume):
        return {"bytes": image.nifti, "path": _renamed(name, ".nii")}
    return {"bytes": image.encoded, "path": _renamed(name, image.suffix)}


def _renamed(name: str, suffix: str) -> str:
    own = PurePosixPath(name.removesuffix(".gz"))
    return name if name.lower().endswith(suffix) else own.stem + suffix


def _modality(dataset: Dataset, config: Config, row: Row) -> str:
    declared = config.modality or ()
    modality = row.modality or (declared[0] if len(declared) == 1 else None)
    if modality is None:
        raise LabelError(
            f"the declaration has several modalities ({', '.join(declared)}); the row must say which one"
        )
    if modality not in vocab.modality:
        raise LabelError(f"modality {modality!r} is not in the vocabulary")
    return modality


def _spacing(row: Row, image: Image) -> list[float] | None:
    spacing = row.spacing if row.spacing is not None else image.spacing
    if not spacing:
        return None
    if not all(np.isfinite(value) and value > 0 for value in spacing):
        raise GeometryError(f"spacing {list(spacing)} is not positive and finite")
    return [float(value) for value in spacing]


def _meta(row: Row, image: Image, mask: Image | None, file: File, origin: Origin) -> dict[str, Any]:
    meta: dict[str, Any] = {**row.meta, "source_path": file.path}
    if image.meta:
        meta["source_header"] = dict(image.meta)
    if mask is not None and mask.meta:
        meta["mask_header"] = dict(mask.meta)
    if origin == "miniature":
        meta["miniature"] = True
    return meta


def _same_grid(image: Image, mask: Image) -> None:
    if isinstance(image, Volume) and isinstance(mask, Volume):
        volumes.same_grid(image, mask)
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
        return count_values(mask.array)
    raise FormatError("a mask has one channel of integers")


def count_values(array: Array) -> dict[int, int]:
    """Value -> number of pixels."""
    found, counts = np.unique(array, return_counts=True)
    return {int(value): int(count) for value, count in zip(found, counts, strict=True)}


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
