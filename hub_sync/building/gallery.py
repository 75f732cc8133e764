"""The rows that the pictures of a card show: thumbnails, config `preview`, contact sheet."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from medimg import layout
from medimg.cards import pictures
from medimg.cards.pictures import Legend
from medimg.declaration import Dataset
from medimg.hub_sync import manifests
from medimg.hub_sync.building.sent import Written, decoded
from medimg.hub_sync.building.shards import write_table
from medimg.manifest import Origin, Shard
from medimg.rows import Record
from medimg.schema import Box, Point

if TYPE_CHECKING:
    from PIL import Image

PREVIEW_ROWS = 32
CONTACT_TILES = 12


@dataclass(frozen=True)
class Tile:
    """The thumbnail of a row.

    Attributes:
        id, caption, png: as stored in config `preview`.
        place: config and split.
        subject: the patient; the row's id where nobody knows.
        labelled: whether the row has a label that can be seen: a class, a mask, a box or a point.
        order: number of the row.
        legend: mask value and names of what is drawn on it; empty where colors mean nothing that has a name.
    """

    id: str
    caption: str
    png: bytes
    place: tuple[str, str]
    subject: str
    labelled: bool
    order: int
    legend: Legend = ()


def ranked(tiles: Sequence[Tile]) -> list[Tile]:
    """Those that say most first: labelled before others, one of each subject before the next, then as they come."""
    seen: Counter[str] = Counter()
    keys: dict[int, tuple[bool, int]] = {}
    for tile in sorted(tiles, key=lambda each: not each.labelled):
        keys[tile.order] = (not tile.labelled, seen[tile.subject])
        seen[tile.subject] += 1
    return sorted(tiles, key=lambda each: keys[each.order])


class Gallery:
    """The rows that the pictures of a card show, so many of each split, found in one pass.

    A later row takes the place of one that says less. Thumbnails are drawn of rows that are taken, and no others.
    """

    def __init__(self, room: Callable[[tuple[str, str]], int]) -> None:
        self._room = room
        self._kept: dict[tuple[str, str], list[Tile]] = {}
        self._count = 0

    def add(
        self,
        place: tuple[str, str],
        subject: str,
        labelled: bool,
        draw: Callable[[], tuple[str, str, bytes]],
        legend: Legend = (),
    ) -> Tile | None:
        """Look at a row; its thumbnail, where it is taken.

        Args:
            place: config and split.
            subject: the patient.
            labelled: whether it has a label that can be seen.
            draw: gives its id, caption and thumbnail (PNG).
            legend: mask value and names of what is drawn on it.
        """
        self._count += 1
        kept = self._kept.setdefault(place, [])
        if len(kept) >= self._room(place):
            new = Tile("", "", b"", place, subject, labelled, self._count)
            worst = ranked([*kept, new])[-1]
            if worst is new:
                return None
            kept.remove(worst)
        id, caption, png = draw()
        kept.append(Tile(id, caption, png, place, subject, labelled, self._count, legend))
        return kept[-1]

    def look(self, record: Record, origin: Origin) -> Tile | None:
        """`add` a record."""
        return self.add(
            (record.config, record.split),
            record.values["subject"] or record.values["id"],
            labelled(record),
            partial(drawn, record, origin),
            () if origin == "miniature" else shown_legend(record),
        )

    @property
    def tiles(self) -> list[Tile]:
        """What was kept, as it came."""
        return sorted((tile for kept in self._kept.values() for tile in kept), key=lambda each: each.order)

    def chosen(self, count: int) -> list[Tile]:
        """The best ones, from all splits in turn, as they came."""
        turns = zip_longest(*(ranked(kept) for kept in self._kept.values()))
        dealt = [tile for turn in turns for tile in turn if tile is not None]
        return sorted(ranked(dealt)[:count], key=lambda each: each.order)


def preview_rows(dataset: Dataset) -> int:
    """Rows per split that get a thumbnail."""
    splits = sum(len(dataset.config(name).splits) for name in dataset.config_names)
    return max(1, PREVIEW_ROWS // max(1, splits))


def labelled(record: Record) -> bool:
    """Whether a row has a label that can be seen."""
    label = record.values["label"]
    return bool(label["classes"] or label["boxes"] or label["points"] or any(record.mask_values))


def shown_legend(record: Record) -> Legend:
    """Mask value and names of what a thumbnail draws; empty where values count instances."""
    label = record.values["label"]
    if label["instances"]:
        return ()
    present = set(record.mask_values)
    return tuple(
        (entry["value"], tuple(entry["names"]))
        for entry in label["legend"]
        if entry["value"] in present and entry["value"]
    )


def drawn(record: Record, origin: Origin) -> tuple[str, str, bytes]:
    """Id, caption and thumbnail. What a miniature shows is words: its pixels are drawn, too, but to try that out."""
    if isinstance(record, Written):
        assert record.tile is not None  # a row that is taken of all is taken of its portion
        return record.tile
    values, label = record.values, record.values["label"]
    image, mask = decoded(record)
    thumbnail = pictures.thumbnail(
        image,
        mask,
        boxes=[Box(**box) for box in label["boxes"]],
        points=[Point(**point) for point in label["points"]],
        modality=values["modality"],
        organ=values["organ"],
        instances=label["instances"],
    )
    names = [*label["classes"]] or sorted({name for entry in label["legend"] for name in entry["names"]})
    case = values["id"].split("/", 1)[1]
    return told(values, f"{record.split}/{case}", names, None if origin == "miniature" else thumbnail)


def told(
    values: Mapping[str, Any], place: str, names: Sequence[str], thumbnail: Image.Image | None
) -> tuple[str, str, bytes]:
    """Id, caption and thumbnail of a stored row; without a thumbnail, words stand in for it."""
    if thumbnail is None:
        thumbnail = pictures.phantom(", ".join([values["modality"], *values["organ"][:1]]))
    return values["id"], " - ".join([place, *names[:3]]), pictures.png(thumbnail)


def write_pictures(
    gallery: Gallery,
    folder: Path,
    files: dict[str, Path],
    *,
    dataset: str | None = None,
    drawn: Mapping[str, bytes | None] = MappingProxyType({}),
) -> tuple[Shard, dict[str, str]]:
    """Write config `preview`, the contact sheet and what else is drawn; their paths are added to `files`.

    Args:
        gallery: the thumbnails.
        folder: the output, in the layout of the repository.
        files: path in the repository -> local file.
        dataset: see `write_preview`.
        drawn: path in the repository -> further pictures.

    Returns:
        The preview, and path -> sha256 of the pictures.
    """
    preview = write_preview(gallery, folder, dataset)
    files[layout.PREVIEW_PATH] = folder / layout.PREVIEW_PATH
    assets = {}
    for target, data in {layout.CONTACT_SHEET_PATH: sheet(gallery), **drawn}.items():
        if data is not None:
            files[target] = folder / target
            files[target].parent.mkdir(parents=True, exist_ok=True)
            files[target].write_bytes(data)
            assets[target] = hashlib.sha256(data).hexdigest()
    return preview, assets


def write_preview(gallery: Gallery, folder: Path, dataset: str | None = None) -> Shard:
    """Write config `preview` below a folder.

    Args:
        gallery: the thumbnails.
        folder: the output, in the layout of the repository.
        dataset: its name; None takes that of each row, which is the first part of its id.
    """
    path = folder / layout.PREVIEW_PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = [
        {
            "id": tile.id,
            "dataset": dataset or tile.id.split("/", 1)[0],
            "image": {"bytes": tile.png, "path": tile.id.replace("/", "_") + ".png"},
            "caption": tile.caption,
        }
        for tile in gallery.tiles
    ]
    shard = write_table(path, rows, layout.preview_features().arrow_schema)
    return manifests.placed(shard, layout.PREVIEW_PATH)


def sheet(gallery: Gallery) -> bytes:
    """The contact sheet (PNG)."""
    from PIL import Image

    shown = gallery.chosen(CONTACT_TILES)
    legend = [entry for tile in shown for entry in tile.legend]
    return pictures.contact_sheet([(Image.open(io.BytesIO(tile.png)), tile.caption) for tile in shown], legend)
