"""Pictures of rows that are read as they come: what was decoded for the checks is what the user gets.

Plain `datasets` encodes each example and decodes it again. Here a row has a `Held` in place of a picture's bytes, and
the dataset has `Features` that know it. Whoever asks for bytes gets them (without decoding, as Arrow, or with features
that are not these), since a `Held` is the usual mapping; whoever asks for pictures gets what was decoded.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Mapping
from typing import Any

import datasets
from PIL import Image

from medimg.pixels import Image as AnyImage
from medimg.pixels import Picture
from medimg.readers import raster
from medimg.rows import encoded

_Apart = dict[tuple[str, ...], tuple[datasets.Image, "Held"]]


class Held(Mapping[str, Any]):
    """The mapping {"bytes", "path"} of a picture. A PNG is made of it where its bytes are asked for.

    Attributes:
        picture: what the stock `datasets.Image` would make of the bytes; None after `let_go`.
    """

    def __init__(self, picture: Image.Image, data: bytes | None) -> None:
        self.picture: Image.Image | None = picture
        self._data = data
        self._taken = False

    def __getitem__(self, key: str) -> bytes | None:
        if key == "path":  # the stock features would read a file of that name in the working folder
            return None
        if key != "bytes":
            raise KeyError(key)
        if self._data is None and self.picture is not None:
            self._data = raster.saved(self.picture, "PNG")
        return self._data

    def __iter__(self) -> Iterator[str]:
        return iter(("bytes", "path"))

    def __len__(self) -> int:
        return 2

    def take(self, mode: str | None) -> Image.Image | None:
        """The picture for the user, in Pillow's mode of that name."""
        self._taken = True
        return self.picture.convert(mode) if self.picture and mode not in (None, self.picture.mode) else self.picture

    def let_go(self) -> None:
        """Keep the bytes alone of what nobody took: such a row waits, in a shuffle buffer for example."""
        if not self._taken:
            self["bytes"]
            self.picture = None


def held(image: AnyImage, name: str) -> Mapping[str, Any]:
    """The entry of an image, mask or target in a row, for the features of this module."""
    if isinstance(image, Picture) and image.shown is not None:
        return Held(image.shown, image.encoded)
    if isinstance(image, Picture) and image.encoded is None and image.array.size <= raster.SHOWN_VALUES:
        made = raster.pillow(image.array)
        if made.mode not in ("I", "F") and _comes_back(made.mode):
            made.format, made.filename = "PNG", ""  # type: ignore[attr-defined]
            return Held(made, None)
    return {"bytes": bytes(encoded(image, name)["bytes"]), "path": None}


@functools.cache
def _comes_back(mode: str) -> bool:
    """Whether Pillow opens a PNG in the mode in which it was saved; 16-bit gray it once did not."""
    return bool(Image.open(io.BytesIO(raster.saved(Image.new(mode, (1, 1)), "PNG"))).mode == mode)


def let_go(row: dict[str, Any]) -> None:
    """See `Held.let_go`."""
    for value in (row["image"], row["label"]["mask"], row["label"]["target"]):
        if isinstance(value, Held):
            value.let_go()


class Features(datasets.Features):  # type: ignore[misc]
    """The same features. Those of pictures take what was decoded out of a `Held`."""

    def __reduce__(self) -> Any:
        return type(self), (dict(self),)

    def encode_example(self, example: dict[str, Any]) -> dict[str, Any]:
        """As the stock does it; a `Held` stays as it is where its picture is wanted."""
        apart: _Apart = {}
        row: dict[str, Any] = super().encode_example(_without(example, self, apart))
        for (holder, key), (_, value) in _places(row, apart):
            holder[key] = value
        return row

    def decode_example(self, example: dict[str, Any], token_per_repo_id: Any = None) -> dict[str, Any]:
        """As the stock does it; of a `Held` comes its picture."""
        apart: _Apart = {}
        row: dict[str, Any] = super().decode_example(_without(example, self, apart), token_per_repo_id)
        for (holder, key), (feature, value) in _places(row, apart):
            holder[key] = value.take(feature.mode)
        return row


def _without(
    row: dict[str, Any], features: dict[str, Any], apart: _Apart, path: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The row with None for each picture that is held; those are moved to `apart`."""
    rest = dict(row)
    for key, value in row.items():
        feature = features.get(key)
        if isinstance(feature, dict) and isinstance(value, dict):
            rest[key] = _without(value, feature, apart, (*path, key))
        elif isinstance(feature, datasets.Image) and feature.decode and isinstance(value, Held) and value.picture:
            apart[*path, key] = feature, value
            rest[key] = None
    return rest


def _places(row: dict[str, Any], apart: _Apart) -> Iterator[Any]:
    """((dictionary, key), what was moved) of each."""
    for (*path, key), moved in apart.items():
        yield (functools.reduce(dict.__getitem__, path, row), key), moved
