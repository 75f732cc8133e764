"""A row that another process has made: its pixels cross over once, as they are stored."""

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


def packed(record: Record) -> Sent:
    """A record as it is sent: its stored pixels are set apart (pickle protocol 5), the decoded ones stay behind."""
    return Sent(
        record.config,
        record.split,
        _apart(record.values),
        _hollow(record.image),
        None if record.mask is None else _hollow(record.mask),
        record.mask_values,
        record.private,
        SampledValues.of(record.image),
    )


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


def _hollow(image: Image) -> Image:
    if isinstance(image, Volume):
        return replace(image, nifti=b"")
    return replace(image, encoded=b"") if isinstance(image, Clip) else replace(image, array=_NOTHING, encoded=None)


def _filled(image: Image, data: memoryview) -> Image:
    if isinstance(image, Volume):
        return replace(image, nifti=data)
    if isinstance(image, Clip):
        return replace(image, encoded=bytes(data))
    return replace(raster.decode(bytes(data), None, True), spacing=image.spacing)
