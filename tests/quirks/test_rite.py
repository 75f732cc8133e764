from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from miniatures import Miniature, built, copied, pixels

from medimg.errors import LabelError

COLORS = {
    (255, 0, 0): {"retinal vessel", "retinal artery"},
    (0, 0, 255): {"retinal vessel", "retinal vein"},
    (0, 255, 0): {"retinal vessel", "retinal artery", "retinal vein", "retinal vessel crossing"},
    (255, 255, 255): {"retinal vessel", "uncertain retinal vessel"},
    (0, 0, 0): set(),
}
"""As the page of RITE tells it."""


def test_red_is_artery_blue_is_vein_green_both_and_white_uncertain(mini: Miniature) -> None:
    seen = set()
    for row in mini.rows("-av$"):
        number = row["subject"]
        drawn = np.asarray(mini.picture(rf"/av/{number}_\w+\.png$"))
        mask = pixels(row["label"]["mask"])
        names = {entry["value"]: set(entry["names"]) for entry in row["label"]["legend"]} | {0: set()}
        for color, expected in COLORS.items():
            values = np.unique(mask[(drawn == color).all(-1)])
            assert [names[int(value)] for value in values] == [expected] * len(values)
            seen |= {color} if len(values) else set()
    assert seen == set(COLORS)


def test_a_photograph_is_in_both_sub_collections_under_one_subject(mini: Miniature) -> None:
    for number, split in (("21", "train"), ("40", "train"), ("01", "test")):
        av, vessel = mini.row(f"/{number}-av$"), mini.row(f"/{number}-vessel$")
        assert av["content"] == vessel["content"] and av["subject"] == vessel["subject"] == number
        assert av["split"] == vessel["split"] == split
        assert [av["config"], vessel["config"]] == ["artery-vein", "vessel"]


def test_the_vessel_map_has_one_name(mini: Miniature) -> None:
    for row in mini.rows("-vessel$"):
        assert row["label"]["legend"] == [{"value": 1, "names": ["retinal vessel"]}]
        drawn = np.asarray(mini.picture(rf"/vessel/{row['subject']}_\w+\.png$"))
        assert ((drawn > 127) == (pixels(row["label"]["mask"]) == 1)).all() and (drawn > 127).any()


def test_the_photographs_are_those_of_drive(mini: Miniature) -> None:
    drive = {row["content"]: row["subject"] for row in built("drive").rows()}
    for row in mini.rows("-av$"):
        assert drive[row["content"]] == row["subject"]


def unpacked(mini: Miniature) -> dict[str, bytes]:
    """The files of the archive, to be changed one by one."""
    return {path: data for path, data in mini.files.items() if not path.endswith(".zip")}


def test_a_photograph_that_lacks_a_map_is_told(mini: Miniature, tmp_path: Path) -> None:
    files = unpacked(mini)
    del files["training/av/21_training.png"]
    made = copied("rite", files, tmp_path)
    assert {row["subject"] for row in made.rows()} == {"40", "01"}
    assert {Path(path).name for path in made.skipped} == {"21_training.tif", "21_training.png"}


def test_a_color_that_means_nothing_is_refused(mini: Miniature, tmp_path: Path) -> None:
    drawn = np.asarray(mini.picture(r"/av/01_test\.png$")).copy()
    drawn[0, 0] = (255, 0, 255)
    stream = io.BytesIO()
    PIL.Image.fromarray(drawn).save(stream, "PNG")
    with pytest.raises(LabelError, match=r"01_test\.png.*255, 0, 255"):
        copied("rite", unpacked(mini) | {"test/av/01_test.png": stream.getvalue()}, tmp_path)
