"""A row that another process has made: its pixels cross over once, as they are stored, or stay in that one's shards."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from medimg.hub_sync.building.measure import SampledValues
from medimg.pixels import Clip, Image, Volume
from medimg.readers import raster
from medimg.rows import Record

_NOTHING = np.empty((0, 0), np.uint8)


@dataclass(frozen=True, slots=True)
class Sent(Record):
    """A record whose image and mask are without pixels: these stand in `values`.

    Attributes:
        sample: of the image's values, since it was decoded over there.
    """

    sample: SampledValues = field(default_factory=SampledValues)


@dataclass(frozen=True, slots=True)
class Written(Sent):
    """A record whose pixels are in a shard: `values` has none, either.

    Attributes:
        tile: id, caption and thumbnail (PNG), where the row may be shown.
    """

    tile: tuple[str, str, bytes] | None = None


def packed(record: Record) -> Sent:
    """A record as it is sent: its stored pixels are set apart (pickle protocol 5), the decoded ones stay behind."""
    return Sent(**_kept(record), values=_apart(record.values), sample=SampledValues.of(record.image))


def written(record: Record, tile: tuple[str, str, bytes] | None) -> Written:
    """A record whose pixels were written."""
    return Written(**_kept(record), values=_without(record.values), sample=SampledValues.of(record.image), tile=tile)


def _kept(record: Record) -> dict[str, Any]:
    """What stays as it is, but for the pixels of image and mask."""
    return {
        "config": record.config,
        "split": record.split,
        "image": _hollow(record.image),
        "mask": None if record.mask is None else _hollow(record.mask),
        "mask_values": record.mask_values,
        "private": record.private,
        "portion": record.portion,
    }


def sampled(record: Record) -> SampledValues:
    """What is looked at of the values of a row's image."""
    return record.sample if isinstance(record, Sent) else SampledValues.of(record.image)


def decoded(record: Record) -> tuple[Image, Image | None]:
    """Image and mask with their pixels."""
    if not isinstance(record, Sent):
        return record.image, record.mask
    mask = record.mask and _filled(record.mask, record.values["label"]["mask"]["bytes"])
    return _filled(record.image, record.values["image"]["bytes"]), mask


def _apart(values: Any) -> Any:
    if isinstance(values, bytes | bytearray | memoryview):
        return pickle.PickleBuffer(values)
    if isinstance(values, Mapping):
        return {key: _apart(value) for key, value in values.items()}
    return values


def _without(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {key: _without(value) for key, value in values.items()}
    return None if isinstance(values, bytes | bytearray | memoryview) else values


def _hollow(image: Image) -> Image:
    if isinstance(image, Volume):
        return replace(image, nifti=b"")
    return (
        replace(image, encoded=b"")
        if isinstance(image, Clip)
        else replace(image, array=_NOTHING, encoded=None, shown=None)
    )


def _filled(image: Image, data: memoryview) -> Image:
    if isinstance(image, Volume):
        return replace(image, nifti=data)
    if isinstance(image, Clip):
        return replace(image, encoded=bytes(data))
    return replace(raster.decode(bytes(data), None, True), spacing=image.spacing)
