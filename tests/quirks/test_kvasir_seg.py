from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Literal

import numpy as np
import PIL.Image
import pytest
from datasets import Image as StockImage
from miniatures import Miniature, built, pixels, write

from medimg.errors import GeometryError
from medimg.files import Files
from medimg.rows import Record, iterate

NAME = "cju0qkwl35piu0993l0dewei2"


@pytest.mark.quirk(1)
def test_masks_that_jpeg_blurred_in_three_channels_have_two_values(mini: Miniature) -> None:
    drawn = mini.picture(f"masks/{NAME}")
    assert drawn.format == "JPEG" and drawn.mode == "RGB" and len(np.unique(np.asarray(drawn))) > 2
    mask = pixels(mini.row(NAME)["label"]["mask"])
    assert np.array_equal(mask, np.asarray(drawn.convert("L")) >= 128)


@pytest.mark.quirk(2)
def test_the_table_of_boxes_is_misspelled(mini: Miniature) -> None:
    boxes = json.loads(mini.text("kavsir_bboxes.json"))
    assert boxes[NAME]["bbox"][0] == {"label": "polyp", "xmin": 8, "ymin": 5, "xmax": 30, "ymax": 40}
    assert mini.row(NAME)["label"]["boxes"] == [{"name": "colon polyp", "box": [8, 5, 30, 40]}]


@pytest.mark.quirk(3)
def test_what_is_shared_with_kvasir_is_declared_as_pixels_and_names_differ(mini: Miniature) -> None:
    other = built("kvasir_v2").rows()
    assert not {row["content"] for row in mini.rows()} & {row["content"] for row in other}
    assert not {row["id"].split("/")[1] for row in mini.rows()} & {row["id"].split("/")[1] for row in other}
    (overlap,) = (one for one in mini.builder.dataset.overlaps if one.dataset == "kvasir-v2")
    assert overlap.relation == "subset of" and "painted black" in overlap.evidence


@pytest.mark.quirk(4)
def test_sizes_differ_and_masks_follow(mini: Miniature) -> None:
    assert [row["shape"] for row in mini.rows()] == [[53, 62], [54, 58], [55, 54]]
    for row in mini.rows():
        assert list(pixels(row["label"]["mask"]).shape) == row["shape"]


def turned_copy(root: Path, orientation: int, size: tuple[int, int], masks_too: bool = False) -> Path:
    """A copy whose one image states an orientation; the polyp, its mask and its box are on the stored pixels."""
    drawn = np.zeros((size[1], size[0], 3), np.uint8)
    drawn[5:15, 5:20] = 255
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    contents = {}
    for part in ("images", "masks"):
        out = io.BytesIO()
        stated = {"exif": exif} if part == "images" or masks_too else {}
        PIL.Image.fromarray(drawn).save(out, "JPEG", quality=95, subsampling=0, **stated)
        contents[f"Kvasir-SEG/{part}/a.jpg"] = out.getvalue()
    box = {"label": "polyp", "xmin": 5, "ymin": 5, "xmax": 20, "ymax": 15}
    table = {"a": {"height": size[1], "width": size[0], "bbox": [] if masks_too else [box]}}
    contents["Kvasir-SEG/kavsir_bboxes.json"] = json.dumps(table).encode()
    return write(contents, root)


def rows_of(root: Path, frame: Literal["stored", "shown"] | None) -> list[Record]:
    builder = built("kvasir_seg").builder
    dataset = builder.dataset.model_copy(update={"frame": frame})
    with pytest.MonkeyPatch.context() as patch, Files.open(root, dataset="kvasir-seg") as files:
        patch.setattr(builder.module, "DATASET", dataset)
        return [item for item in iterate(builder, files) if isinstance(item, Record)]


@pytest.mark.parametrize("size", [(62, 53), (60, 60)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_image_has_its_mask_and_box_on_the_polyp_or_is_refused(
    orientation: int, size: tuple[int, int], tmp_path: Path
) -> None:
    root = turned_copy(tmp_path, orientation, size)
    if orientation > 1:
        with pytest.raises(GeometryError, match=r"kvasir-seg: .*a\.jpg: its EXIF orientation is"):
            rows_of(root, None)
    (record,) = rows_of(root, "stored")
    shown = np.asarray(StockImage().decode_example({"bytes": record.values["image"]["bytes"], "path": None}))
    assert list(shown.shape[:2]) == record.values["shape"]
    mask = pixels(record.values["label"]["mask"]) > 0
    x0, y0, x1, y1 = (int(n) for n in record.values["label"]["boxes"][0]["box"])
    assert mask.sum() == 150 and shown[mask].min() > 240 and shown[y0:y1, x0:x1].min() > 240


@pytest.mark.parametrize("orientation", [2, 3, 6])
def test_image_and_mask_that_are_turned_alike_are_one_frame(orientation: int, tmp_path: Path) -> None:
    root = turned_copy(tmp_path, orientation, (62, 53), masks_too=True)
    frames: tuple[Literal["stored", "shown"] | None, ...] = ("stored", "shown", None)
    for frame in frames:
        (record,) = rows_of(root, frame)
        shown = np.asarray(StockImage().decode_example({"bytes": record.values["image"]["bytes"], "path": None}))
        mask = pixels(record.values["label"]["mask"]) > 0
        assert mask.sum() == 150 and shown[mask].min() > 240
        turned = orientation == 6 and frame != "stored"
        assert record.values["shape"] == ([62, 53] if turned else [53, 62])
