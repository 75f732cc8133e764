"""Own shards of a fused set: one pass over its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from medimg import layout
from medimg.cards import pictures
from medimg.fused_manifest import FusedManifest, FusedMember
from medimg.fusion.choices import SPLITS
from medimg.fusion.errors import FusionError
from medimg.fusion.facts import IGNORE
from medimg.fusion.labels import fused_features
from medimg.fusion.scene_rows import decoded
from medimg.hub_sync.building.build import Progress
from medimg.hub_sync.building.gallery import PREVIEW_ROWS, Gallery, told, write_pictures
from medimg.hub_sync.building.shards import pixel_bytes
from medimg.hub_sync.building.splits import SplitFiles
from medimg.hub_sync.fused.stored import PIXELS
from medimg.hub_sync.fused.terms import RowTerms
from medimg.hub_sync.fused.work import Work, order
from medimg.hub_sync.pushing.upload import Upload
from medimg.manifest import Origin
from medimg.pixels import Clip, Image, Picture, Volume
from medimg.schema import Box, Dimension


def built(
    work: Work,
    stream: Any,
    members: Iterable[FusedMember],
    head: Mapping[str, Any],
    folder: Path,
    upload: Upload,
    shard_bytes: int,
    on_row: Progress,
) -> tuple[FusedManifest, dict[str, Path]]:
    """One pass over the fused rows; memory holds one row group per split, the disk one shard per split."""
    splits: dict[str, SplitFiles] = {}
    counts: Counter[tuple[str, str, str]] = Counter()
    withheld: Counter[tuple[str, str]] = Counter()
    row_terms = RowTerms(work.plan)
    keys = {(member.name, member.config): member.key for member in members}
    gallery = Gallery(lambda place: max(1, PREVIEW_ROWS // (len(SPLITS) * len(keys))))
    dimension = work.plan.dimension
    stored = {"shard_bytes": shard_bytes, "schema": fused_features(dimension), "pixels": PIXELS}
    with ExitStack() as stack:
        for row in stream.decode(False):
            origin = row["provenance"]
            name, place = origin["split_fused"], (origin["member"], origin["config"])
            if not row_terms.take(keys[place], row["license"]):
                withheld[place] += 1
                continue
            if name not in splits:
                splits[name] = SplitFiles.open(stack, folder, (layout.DEFAULT, name), dimension, upload.shard, **stored)
            split = splits[name]
            split.writer.add(row)
            split.rows += 1
            if row["subject"] is not None:
                split.subjects.add((origin["member"], row["subject"]))
            counts[*place, name] += 1
            gallery.add(
                (origin["member"], name),
                f"{origin['member']} {row['subject'] or row['id']}",
                _shows(row),
                partial(_drawn, row, head["origin"], dimension),
            )
            on_row(1, pixel_bytes(row))
            del row
    if not splits:
        raise FusionError("the set has no row that may be published", next_step="look at its plan.")
    files: dict[str, Path] = {}
    stats = {name: splits[name].placed(layout.DEFAULT, name, files) for name in sorted(splits, key=order)}
    counted = tuple(
        member.model_copy(
            update={
                "rows": {split: n for split in stats if (n := counts[member.name, member.config, split])},
                "withheld": withheld[member.name, member.config],
            }
        )
        for member in members
    )
    preview, assets = write_pictures(gallery, folder / "pictures", files)
    manifest = FusedManifest(
        **head, members=counted, configs={layout.DEFAULT: stats}, previews=(preview,), assets=assets
    )
    return manifest, files


def _shows(row: Mapping[str, Any]) -> bool:
    """Whether a fused row says something of a target that can be seen, or that is there."""
    fused = row["fused"]
    return bool(fused["mask"] or fused["channels"] or fused["boxes"] or 1 in (fused["classes"] or ()))


def _drawn(row: Mapping[str, Any], origin: Origin, dimension: Dimension) -> tuple[str, str, bytes]:
    """Id, caption and thumbnail of a fused row; of phantoms words, as in `build`."""
    member, _, case = row["id"].partition("/")
    thumbnail = None
    if origin != "miniature":
        thumbnail = pictures.thumbnail(
            _decoded(row["image"]["bytes"], row["shape"], dimension),
            _known(row["fused"]["mask"], row["shape"], dimension),
            boxes=[Box(**box) for box in row["fused"]["boxes"] or ()],
            modality=row["modality"],
            organ=row["organ"],
        )
    place = f"{row['provenance']['split_fused']}/{member}/{case}"
    return told(row, place, row["label"]["classes"], thumbnail)


def _decoded(data: bytes | bytearray, shape: Sequence[int], dimension: Dimension) -> Image:
    """Pixels as they are stored: a picture, a NIfTI volume, or a video of this shape."""
    if dimension == "3d":
        return Volume(data)
    if dimension == "video":
        frames, height, width = shape[:3]
        return Clip(bytes(data), "", (frames, height, width), None, "")
    return Picture(decoded({"bytes": data}))


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
