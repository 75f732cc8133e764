from __future__ import annotations

from typing import Any

import pytest
from miniatures import Miniature, pixels

NOT_IN_FILES = {
    3: "of a copy by others, resampled and incomplete, which is not read; a note on the card warns of such copies"
}


def config(mini: Miniature, name: str) -> list[dict[str, Any]]:
    return [row for row in mini.rows() if row["config"] == name]


@pytest.mark.quirk(1)
def test_value_3_of_the_chest_is_the_heart(mini: Miniature) -> None:
    row = config(mini, "thoracic-oar")[0]
    names = {one["value"]: one["names"] for one in row["label"]["legend"]}
    assert names[3] == ["heart"] and names[4] == ["esophagus"] and names[6] == ["spinal cord"]
    assert {1, 2, 3, 4, 5, 6} <= {*pixels(row["label"]["mask"]).ravel()}


@pytest.mark.quirk(2)
def test_folders_of_one_number_are_one_patient(mini: Miniature) -> None:
    pairs = ("han-oar", "naso-gtv"), ("thoracic-oar", "lung-gtv")
    for one, other in pairs:
        assert {row["subject"]: row["content"] for row in config(mini, one)} == {
            row["subject"]: row["content"] for row in config(mini, other)
        }
    assert len({row["subject"] for row in mini.rows()}) == 4


@pytest.mark.quirk(4)
def test_the_folder_is_the_case(mini: Miniature) -> None:
    assert len(mini.paths(r"/data\.nii\.gz$")) == len(mini.paths(r"/label\.nii\.gz$")) == 8
    assert [row["id"] for row in config(mini, "lung-gtv")] == [
        "structseg2019/lung-gtv/1",
        "structseg2019/lung-gtv/50",
    ]
