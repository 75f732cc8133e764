"""What a published dataset lets the portal show of itself: a thumbnail, an image, a volume with its mask.

Made of published rows and nothing else. A volume that is too large is thinned: every n-th voxel along each axis, with
an affine that says so. Nothing is interpolated.
"""

from __future__ import annotations

import gzip
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple

from medimg import licenses, policy
from medimg.files import Limits
from medimg.files.decoders import decoded
from medimg.pixels import Array, Picture, Volume
from medimg.schema import Box, Point

if TYPE_CHECKING:
    from medimg.declaration import Dataset
    from medimg.manifest import Manifest, Shard

Kind = Literal["image", "volume"]
BUDGET = 3_000_000
"""Bytes of one sample: image and mask together."""
LOOKED_AT = 8
"""Rows that are looked at for one with a mask."""
THUMBNAIL = 160
_ENCODED = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg"}


class Sample(NamedTuple):
    """One row that the viewer opens.

    Attributes:
        id: the row's id.
        kind: an image (PNG or JPEG bytes) or a volume (`.nii.gz` bytes).
        caption: what it is, and how it was made smaller.
        image: the bytes; suffix: of their file, with its dot.
        mask: label map on the image's grid: a PNG whose gray values are the labels, or `.nii.gz`; None without one.
        legend: value -> names.
        instances: values count instances.
    """

    id: str
    kind: Kind
    caption: str
    image: bytes
    suffix: str
    mask: bytes | None = None
    legend: tuple[tuple[int, tuple[str, ...]], ...] = ()
    instances: bool = False


class Preview(NamedTuple):
    """Pictures of one dataset.

    Attributes:
        thumbnail: WebP bytes, with the labels drawn on.
        alt: what the thumbnail shows, for those who do not see it.
        samples: rows for the viewer.
    """

    thumbnail: bytes
    alt: str
    samples: tuple[Sample, ...] = ()


def preview(dataset: Dataset, manifest: Manifest, opened: Callable[[str], IO[bytes]]) -> Preview | None:
    """Pictures of a published dataset; None where its terms do not let it be shown, or no row can be drawn.

    Args:
        dataset: its declaration.
        manifest: what is published.
        opened: opens a file of the published repository by its path, for reading at any place.
    """
    if not policy.may_show(dataset, manifest):
        return None
    found: dict[str, tuple[dict[str, Any], Any, Any]] = {}
    for dimension, shard in _shards(manifest):
        if dimension in found:
            continue
        best = _best(_rows(shard, opened))
        if best is not None:
            found[dimension] = best
    if not found:
        return None
    first = next(iter(found.values()))
    samples = [sample for each in found.values() if (sample := _sample(*each, manifest.origin)) is not None]
    return Preview(_thumbnail(*first, manifest.origin), _alt(dataset, first[0], manifest.origin), tuple(samples))


def _shards(manifest: Manifest) -> Iterator[tuple[str, Shard]]:
    """The first file of each split, with its dimension. A video is nothing for the viewer."""
    for config in manifest.configs:
        for split in config.splits.values():
            if config.dimension != "video" and split.rows and split.shards:
                yield config.dimension, split.shards[0]


def _rows(shard: Shard, opened: Callable[[str], IO[bytes]]) -> Iterator[dict[str, Any]]:
    """The first rows of a shard, one in memory at a time."""
    import pyarrow.parquet as pq

    with opened(shard.path) as stream:
        batches = pq.ParquetFile(stream).iter_batches(batch_size=1)
        for batch in itertools.islice(batches, LOOKED_AT):
            yield from batch.to_pylist()


def _best(rows: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], Any, Any] | None:
    """The first row whose mask shows something, else the first that can be decoded, with image and mask."""
    spare = None
    for row in rows:
        image, mask = _decoded(row["image"]), _decoded(row["label"]["mask"])
        if image is None:
            continue
        if mask is not None and mask.array.any():
            return row, image, mask
        spare = spare or (row, image, mask)
    return spare


def _decoded(stored: Mapping[str, Any] | None) -> Picture | Volume | None:
    """Pixels of a stored cell; None where there are none, or of a kind that this page does not draw."""
    if stored is None or not stored["bytes"]:
        return None
    data: bytes = stored["bytes"]
    suffix = next((suffix for start, suffix in _ENCODED.items() if data.startswith(start)), None)
    if data[:2] == b"\x1f\x8b":
        data = decoded(data, Limits().decoded)
    if int.from_bytes(data[:4], "little") == 348 or int.from_bytes(data[:4], "big") == 348:
        return Volume(data)
    import numpy as np
    import PIL.Image

    with PIL.Image.open(io.BytesIO(data)) as picture:
        return Picture(np.asarray(picture), data if suffix else None, suffix or ".png")


def _sample(row: dict[str, Any], image: Any, mask: Any, origin: str) -> Sample | None:
    """The row for the viewer; None where it does not fit into the budget."""
    legend = tuple((each["value"], tuple(each["names"])) for each in row["label"]["legend"] or ())
    about = "A phantom, drawn by code: no patient, no data. " if origin == "miniature" else ""
    if isinstance(image, Volume):
        return _volume_sample(row, image, mask if isinstance(mask, Volume) else None, legend, about)
    marks = _label_png(mask) if isinstance(mask, Picture) else None
    stored, suffix = (image.encoded, image.suffix) if image.encoded else (_png(image.array), ".png")
    if len(stored) + len(marks or b"") > BUDGET:
        return None
    height, width = image.shape
    caption = f"{about}{row['id']}: {width} by {height} pixels, as published."
    return Sample(row["id"], "image", caption, stored, suffix, marks, legend, bool(row["label"]["instances"]))


def _volume_sample(row: dict[str, Any], image: Volume, mask: Volume | None, legend: Any, about: str) -> Sample | None:
    """Thinned by the smallest step that fits; not thinned where the license lets nothing be made of it."""
    if image.array.dtype.names or image.array.ndim > 4:
        return None
    # Where nothing may be made of the data, a part of it may not be passed on either.
    whole = not licenses.get(row["license"]).adapt
    if whole and image.array.ndim == 4:
        return None
    for step in range(1, 2 if whole else 17):
        stored = _thinned(image, step)
        marks = _thinned(mask, step) if mask is not None and mask.shape[:3] == image.shape[:3] else None
        if len(stored) + len(marks or b"") <= BUDGET:
            break
    else:
        return None
    shape = " by ".join(map(str, image.shape[:3]))
    how = "as published" if step == 1 else f"thinned: every {_nth(step)} voxel along each axis, nothing interpolated"
    first = "; the first of several channels or times" if image.array.ndim == 4 else ""
    caption = f"{about}{row['id']}: {shape} voxels, {how}{first}."
    return Sample(row["id"], "volume", caption, stored, ".nii.gz", marks, legend, bool(row["label"]["instances"]))


def _nth(step: int) -> str:
    return {2: "second", 3: "third"}.get(step, f"{step}th")


def _thinned(volume: Volume, step: int) -> bytes:
    """Every `step`-th voxel along each axis as `.nii.gz`, the same bytes for the same voxels."""
    array: Array = volume.array
    array = array[..., 0] if array.ndim == 4 else array
    array = array[tuple(slice(None, None, step if length > step else 1) for length in array.shape)]
    steps = [step if length > step else 1 for length in volume.shape[:3]]
    affine = volume.affine.copy()
    affine[:3, : len(steps)] *= steps
    slope, inter = volume.scaling
    thin = Volume.from_array(array, affine, slope=None if (slope, inter) == (1.0, 0.0) else slope, inter=inter)
    return gzip.compress(thin.nifti, compresslevel=6, mtime=0)


def _png(array: Array) -> bytes:
    import PIL.Image

    out = io.BytesIO()
    PIL.Image.fromarray(array).save(out, "PNG", optimize=True)
    return out.getvalue()


def _label_png(mask: Picture) -> bytes:
    """The label map with its numbers as gray values."""
    import numpy as np

    array = mask.array if mask.array.ndim == 2 else mask.array[..., 0]
    return _png(array.astype(np.uint8 if array.max(initial=0) < 256 else np.uint16))


def _thumbnail(row: dict[str, Any], image: Any, mask: Any, origin: str) -> bytes:
    """The picture of the list. A miniature's says in words that it is one."""
    from medimg.cards import pictures

    phantom = pictures.phantom(", ".join([row["modality"], *(row["organ"] or ())[:1]]), size=THUMBNAIL)
    drawn = (
        phantom
        if origin == "miniature"
        else pictures.thumbnail(
            image,
            mask,
            boxes=[Box(**box) for box in row["label"]["boxes"] or ()],
            points=[Point(**point) for point in row["label"]["points"] or ()],
            size=THUMBNAIL,
            modality=row["modality"],
            organ=row["organ"] or (),
            instances=bool(row["label"]["instances"]),
        )
    )
    out = io.BytesIO()
    drawn.save(out, "WEBP", quality=80, method=6)
    return out.getvalue()


def _alt(dataset: Dataset, row: dict[str, Any], origin: str) -> str:
    if origin == "miniature":
        return "The word phantom: no data of this dataset is shown"
    what = ", ".join([row["modality"] or "", *(row["organ"] or ())[:2]]).strip(", ")
    names = sorted({name for each in row["label"]["legend"] or () for name in each["names"]})[:4]
    return f"One row of {dataset.title}: {what}" + (f"; outlined: {', '.join(names)}" if names else "")
